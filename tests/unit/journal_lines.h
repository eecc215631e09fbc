/* SPDX-License-Identifier: Apache-2.0 */
/* A journal in the folder of each test, which it makes. */
#ifndef TK_JOURNAL_LINES_H
#define TK_JOURNAL_LINES_H

#include "step/journal.h"
#include "tk_folder.h"

FOLDER_OF_EACH_TEST

static inline void append(enum tk_step_verb verb, const char *span, const char *name)
{
    struct tk_step_record record;
    struct tk_err err;
    tk_step_record_init(&record, verb, tk_str_from(span));
    record.step.name = tk_str_from(name);
    assert_int_equal(tk_journal_append(dirfd_of_folder, &record, &err), 0);
}

/* Bytes at the end of the file, as a killed writer leaves them. */
static inline void append_bytes(const char *text)
{
    TK_CLEANUP(tk_fd_close)
    int fd = openat(dirfd_of_folder, TK_JOURNAL_NAME, O_WRONLY | O_APPEND | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

#endif
