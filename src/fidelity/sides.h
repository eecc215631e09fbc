/* SPDX-License-Identifier: Apache-2.0 */
/* The two tables of a comparison as one: side 0 is `a` (reduced, made up), side 1 is `b` (real),
 * and a text has one number on both. One thread at a time. */
#ifndef TK_FIDELITY_SIDES_H
#define TK_FIDELITY_SIDES_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "fidelity/figures.h"
#include "fidelity/span_table.h"

enum { TK_SIDE_A = 0, TK_SIDE_B = 1, TK_SIDES = 2 };

struct tk_sides {
    const struct tk_span_table *tables[TK_SIDES]; /* borrowed */
    uint32_t *numbers[TK_SIDES];                  /* owned; by text id of that table */
    uint32_t texts;                               /* distinct ones of both */
    uint32_t sample_of;                           /* as in struct tk_measure_options */
};

/* Number the texts of both tables, which must outlive `sides`, in the order of their bytes: what is
 * summed by number does not depend on the order in which texts came. -ENOMEM. */
TK_MUST_USE int tk_sides_init(struct tk_sides *sides, const struct tk_span_table *a,
                              const struct tk_span_table *b,
                              const struct tk_measure_options *options, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_sides_release(struct tk_sides *sides);

/* The number of a text of a side. */
static inline uint32_t tk_sides_text(const struct tk_sides *sides, int side, uint32_t text)
{
    return sides->numbers[side][text];
}

/* How many traces one of a side stands for. The original multiplies head samples only. */
static inline double tk_sides_weight(const struct tk_sides *sides, int side, uint32_t trace,
                                     enum tk_figure_rule rule)
{
    if (side == TK_SIDE_A && sides->sample_of > 0)
        return sides->sample_of;
    return rule == TK_FIGURE_COMPAT ? 1 : sides->tables[side]->weights[trace];
}

/* The windows of strict measures over time: what the caller asks for, else `usual`; how many. */
static inline size_t tk_measure_windows(const struct tk_measure_options *options,
                                        const int64_t *usual, size_t usual_count,
                                        const int64_t **ret_windows)
{
    bool asked = options->windows_ns && options->window_count > 0;
    *ret_windows = asked ? options->windows_ns : usual;
    return asked ? options->window_count : usual_count;
}

/* A length of time for a detail, "10 s": shortest text, whatever the locale. */
#define TK_SECONDS_MAX 40
tk_str tk_seconds_text(int64_t ns, char text[TK_SECONDS_MAX]);

/* Rounded down, also below zero; `divisor` above 0. */
static inline int64_t tk_floor_div(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0);
}

#endif
