/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the measures over time share (trace-fidelity.md section 8). */
#ifndef TK_FIDELITY_TIME_INTERNAL_H
#define TK_FIDELITY_TIME_INTERNAL_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "fidelity/cells.h"
#include "fidelity/figures.h"
#include "fidelity/sides.h"

#define BUCKET_NS (60LL * 1000000000) /* GenTEval's minute */

/* One reading of both sides: under a rule, in windows of a length. */
struct reading {
    enum tk_figure_rule rule;
    int64_t window_ns;
    bool is_main; /* its figures stand without a detail too */
};

struct over_time {
    struct tk_sides sides;
    struct tk_figures *figures;
};

static inline uint32_t over_time_service(const struct over_time *time, int side, uint32_t row)
{
    return tk_sides_text(&time->sides, side, time->sides.tables[side]->services[row]);
}

/* Append a figure of this measure. */
void over_time_add(const struct over_time *time, const struct tk_figure *figure, tk_str detail);

/* Rates, errors and durations. */
TK_MUST_USE int over_time_series(struct over_time *time, const struct reading *reading,
                                 struct tk_err *err);

/* Services, who calls whom, sizes of trees. */
TK_MUST_USE int over_time_sets(struct over_time *time, struct tk_err *err);

/* Graphs of calls between services. */
TK_MUST_USE int over_time_graph(struct over_time *time, const struct reading *reading,
                                struct tk_err *err);

#endif
