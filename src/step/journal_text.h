/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a journal as far as somebody needs it. Most need the job and its open steps, and
 * would read thousands of records of steps that have ended to find them. So beside the journal
 * lies, once it is long, what they need of its beginning: the file `journal.open`
 *
 *     1f0a93c4 OFFSET LAST_NS DAMAGED
 *     3cd62d5e {"verb":"init",...}
 *     ...
 *
 * after the CRC-32 of all that follows it: the lines that count of the first OFFSET bytes, which of
 * these had the latest stamp, and how many were damaged. Each that reads far beyond it replaces it.
 * It may be removed at any time, and one that does not check is not used. */
#ifndef TK_STEP_JOURNAL_TEXT_H
#define TK_STEP_JOURNAL_TEXT_H

#include "step/journal.h"

#define TK_JOURNAL_OPEN_NAME "journal.open"

/* A journal is read so far beyond the excerpt until there is a new one: ten steps. */
#define TK_JOURNAL_OPEN_STEP ((size_t)32 * 1024)

struct tk_journal_text {
    struct tk_buf lines;
    uint64_t end;    /* bytes of the journal that they are, or stand for */
    int64_t last_ns; /* of the lines that are left out, as in struct tk_journal */
    size_t damaged;
};

/* An empty text. */
void tk_journal_text_init(struct tk_journal_text *text);
void tk_journal_text_release(struct tk_journal_text *text);

/* Read the journal in the folder of a job, all of it. */
TK_MUST_USE int tk_journal_text_read(int job_fd, struct tk_journal_text *text, struct tk_err *err);

/* Read at least the records of the job and all those of its open steps. */
TK_MUST_USE int tk_journal_text_read_open(int job_fd, struct tk_journal_text *text,
                                          struct tk_err *err);

/* Add what was appended since: also of steps that were open then all records are there. */
TK_MUST_USE int tk_journal_text_read_on(int job_fd, struct tk_journal_text *text,
                                        struct tk_err *err);

/* As tk_journal_parse(). */
TK_MUST_USE int tk_journal_text_parse(const struct tk_journal_text *text,
                                      const struct tk_journal_filter *filter,
                                      struct tk_arena *arena, struct tk_journal *ret,
                                      struct tk_err *err);

#endif
