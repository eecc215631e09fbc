/* SPDX-License-Identifier: Apache-2.0 */
/* Copy a table file line by line in the order of time. Collectors write rows a little out of order
 * (a row may be stamped with the sweep before); within a window they are sorted, so that what
 * leaves `parse` ascends. Lines are kept as they are, unknown fields included; what is no object is
 * left out and counted. Streams: memory is bounded by the window and by 64 MiB. */
#ifndef TK_RUN_ORDERED_H
#define TK_RUN_ORDERED_H

#include <stdint.h>

#include "run/out.h"
#include "run/range.h"

struct tk_copy_options {
    int64_t window_us;            /* rows may be that much out of order */
    const struct tk_range *range; /* rows of other times are left out, and the blocks of a recording
                                     that hold no others not read; NULL = all are copied */
};

struct tk_copy_stats {
    uint64_t rows;       /* copied */
    uint64_t outside;    /* read, but of another time than the range, or of none */
    uint64_t bad;        /* lines that hold no object: left out */
    uint64_t torn;       /* 0 or 1: the last line was cut short */
    uint64_t late;       /* rows more than the window out of order: kept where they were */
    char first_bad[200]; /* "line 17: byte 4: expected ':'"; "" = none */
};

/* Append the lines of `name` below `dirfd` to `out`. The time of a row is its ts_us, else ts_ms,
 * else ts (ms); rows without any keep their place. -ENOENT when the file is missing. */
TK_MUST_USE int tk_copy_ordered(int dirfd, const char *name, const struct tk_copy_options *options,
                                struct tk_out *out, struct tk_copy_stats *ret_stats,
                                struct tk_err *err);

#endif
