/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a run by time. */
#ifndef TK_RUN_RANGE_H
#define TK_RUN_RANGE_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
