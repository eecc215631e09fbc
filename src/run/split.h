/* SPDX-License-Identifier: Apache-2.0 */
/* Objects in a text of events: JSON Lines as a rule, but also objects one behind the other or
 * pretty-printed over several lines, with damage between them (collect-and-cctf.md section 12).
 * Pure: reads one text, allocates nothing. */
#ifndef TK_RUN_SPLIT_H
#define TK_RUN_SPLIT_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct tk_split {
    tk_str rest;   /* not yet seen */
    uint64_t line; /* number of its first line; zero before the first call */
};

enum tk_split_kind {
    TK_SPLIT_END,
    TK_SPLIT_OBJECT,
    TK_SPLIT_OTHER, /* a valid value that is no object */
    TK_SPLIT_BAD,   /* did not parse; the scan goes on with the next line that starts an object */
    TK_SPLIT_TORN,  /* did not parse, and nothing follows: the writer was stopped in the middle */
};

/* Take the next value. `ret_text` is its text, or for BAD and TORN what is skipped; `ret_line` the
 * line on which it starts; `why` is set for BAD and TORN. All three stay untouched at the end. */
enum tk_split_kind tk_split_next(struct tk_split *split, tk_str *ret_text, uint64_t *ret_line,
                                 struct tk_err *why);

#endif
