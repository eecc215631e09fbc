/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a run by time. */
#ifndef TK_RUN_RANGE_H
#define TK_RUN_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TK_RANGE_TEXT_MAX 64

/* Stamps from `from_us` up to, not including, `to_us`; epoch. INT64_MIN and INT64_MAX leave an end
 * open. */
struct tk_range {
    int64_t from_us, to_us;
};

#define TK_RANGE_ALL ((struct tk_range){INT64_MIN, INT64_MAX})

/* Whether a stamp, epoch in microseconds, lies in the range. */
static inline bool tk_range_has(const struct tk_range *range, int64_t us)
{
    return us >= range->from_us && us < range->to_us;
}

/* Whether something from `begin_us` to `end_us`, both included, reaches into it. */
static inline bool tk_range_meets(const struct tk_range *range, int64_t begin_us, int64_t end_us)
{
    return begin_us < range->to_us && end_us >= range->from_us;
}

/* "from 2026-11-21T09:00:00.000Z to its end". Returns `ret_text`. */
const char *tk_range_format(const struct tk_range *range, char ret_text[static TK_RANGE_TEXT_MAX]);

#endif
