/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of a job: its records in the order in which they were written, one a line
 *
 *     1f0a93c4 {"verb":"start",...}
 *
 * after the CRC-32 of the JSON. Each is one write() to the end of the file, so that any number of
 * processes may append at once, and a line before it is empty, so that what a killed one left torn
 * does not swallow the next. Readers skip lines that do not check. */
#ifndef TK_STEP_JOURNAL_H
#define TK_STEP_JOURNAL_H

#include "step/record.h"

#define TK_JOURNAL_NAME "journal"

/* Largest journal that is read. */
#define TK_JOURNAL_MAX ((size_t)64 * 1024 * 1024)

/* Append a record to the journal in the folder of a job. Fails with the kernel's code. */
TK_MUST_USE int tk_journal_append(int job_fd, const struct tk_step_record *record,
                                  struct tk_err *err);

struct tk_step_records {
    struct tk_step_record *items;
    size_t count;
};

struct tk_journal {
    struct tk_step_records records; /* in the order of the file */
    size_t damaged;                 /* lines that were skipped */
    int64_t last_ns;                /* the latest stamp of all lines, CLOCK_BOOTTIME; 0 = none */
};

/* What those want who do not put the document together: the records of the job, those of open
 * steps but for notes on them, and all of one step. A line costs 0.3 us then, else 10 us. */
struct tk_journal_filter {
    tk_str span; /* "" = no step but the open ones */
};

/* Read records from the text of a journal, all with a filter of NULL. They borrow from `text` and
 * `arena`. Fails with -EMSGSIZE when there are too many. */
TK_MUST_USE int tk_journal_parse(tk_str text, const struct tk_journal_filter *filter,
                                 struct tk_arena *arena, struct tk_journal *ret,
                                 struct tk_err *err);

/* Append to `out` the lines of a journal from which its open steps can be told, notes on them
 * among these; `ret` has what stands beside its records. */
TK_MUST_USE int tk_journal_excerpt(tk_str text, struct tk_arena *arena, struct tk_buf *out,
                                   struct tk_journal *ret, struct tk_err *err);

/* A step as the journal tells it. */
struct tk_step_span {
    const struct tk_step_record *start;
    const struct tk_step_record *end;  /* NULL = it is open */
    const struct tk_step_record *gone; /* NULL = its owner was not seen to end */
};

struct tk_step_spans {
    struct tk_step_span *items; /* in the order of their starts; in the arena */
    size_t count;
};

/* Put the records together. Fails with -EMSGSIZE when the arena is full. */
TK_MUST_USE int tk_step_spans_find(const struct tk_journal *journal, struct tk_arena *arena,
                                   struct tk_step_spans *ret, struct tk_err *err);

/* The last open step of that name, or with name.p == NULL of any; NULL = there is none. */
const struct tk_step_span *tk_step_spans_last_open(const struct tk_step_spans *spans, tk_str name);

/* The step of that span; NULL = there is none. */
const struct tk_step_span *tk_step_spans_get(const struct tk_step_spans *spans, tk_str span);

/* The record of a kind that there is one of; NULL = there is none. */
const struct tk_step_record *tk_journal_get(const struct tk_journal *journal,
                                            enum tk_step_verb verb);

#endif
