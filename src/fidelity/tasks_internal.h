/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of Gen-T's tasks share (trace-fidelity.md section 6). */
#ifndef TK_FIDELITY_TASKS_INTERNAL_H
#define TK_FIDELITY_TASKS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "fidelity/cells.h"
#include "fidelity/figures.h"
#include "fidelity/sides.h"

/* An hour as Gen-T has it, in the unit of the table: right for milliseconds only. */
#define GENT_HOUR_UNITS 3600000
#define HOUR_NS         (3600LL * 1000000000)

/* Keys that one trace may make in one task: 100,000 spans of as many services would make ten
 * thousand million. What is beyond is left out and counted. */
#define TRACE_KEYS_MAX ((uint64_t)1 << 22)

struct tasks {
    struct tk_sides sides;
    const struct tk_measure_options *options;
    struct tk_figures *figures;
    uint8_t *is_entry[TK_SIDES]; /* [texts]: has a span without a parent */
    uint64_t left_out;           /* keys beyond TRACE_KEYS_MAX */
};

/* The window of a time: as SQL divides for the compatible rule, rounded down for the strict one. */
static inline int64_t window_of(const struct tk_span_table *table, int64_t time_ns, int64_t hours,
                                enum tk_figure_rule rule)
{
    if (rule == TK_FIGURE_COMPAT)
        return time_ns / table->unit_ns / (GENT_HOUR_UNITS * hours);
    return tk_floor_div(time_ns, HOUR_NS * hours);
}

/* The service of a row by its number on both sides. */
static inline uint32_t service_of(const struct tasks *tasks, int side, uint32_t row)
{
    return tk_sides_text(&tasks->sides, side, tasks->sides.tables[side]->services[row]);
}

/* Two services as one part of a key. */
static inline int64_t pair_of(uint32_t first, uint32_t second)
{
    return (int64_t)((uint64_t)first << 32 | second);
}

/* Append a figure of the tasks; NaN needs a reason. */
void tasks_add(const struct tasks *tasks, const struct tk_figure *figure, tk_str detail);

TK_MUST_USE int tasks_monitor_errors(struct tasks *tasks, struct tk_err *err);
TK_MUST_USE int tasks_trigger_correlation(struct tasks *tasks, struct tk_err *err);
TK_MUST_USE int tasks_bottlenecks(struct tasks *tasks, struct tk_err *err);
TK_MUST_USE int tasks_attributes(struct tasks *tasks, struct tk_err *err);
TK_MUST_USE int tasks_training(struct tasks *tasks, struct tk_err *err);
TK_MUST_USE int tasks_child_ratios(struct tasks *tasks, struct tk_err *err);
TK_MUST_USE int tasks_alerts(struct tasks *tasks, struct tk_err *err);

#endif
