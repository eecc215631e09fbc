/* SPDX-License-Identifier: Apache-2.0 */
/* What the two algorithms of root causes share. */
#ifndef TK_FIDELITY_RCA_INTERNAL_H
#define TK_FIDELITY_RCA_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "fidelity/cells.h"
#include "fidelity/rca.h"

/* How long a span took against what is normal. */
enum verdict {
    VERDICT_NONE = 0, /* there is no standard deviation: neither */
    VERDICT_USUAL,
    VERDICT_ABNORMAL,
};

struct rca_row {
    uint32_t operation; /* by first appearance in the window */
    uint32_t trace;
    bool is_anomalous; /* ended at the injection or later */
    uint8_t verdict;   /* enum verdict; of anomalous rows */
};

/* The spans around one fault. */
struct rca_window {
    const struct tk_span_table *table;
    enum tk_figure_rule rule;
    uint32_t begin, end; /* rows of the table */
    uint32_t first_trace, last_trace;
    struct rca_row *rows;       /* [end - begin] */
    struct tk_cells operations; /* key: service, method, operation */
    uint64_t normal, anomalous;
};

/* How much a trace counts. */
static inline double rca_weight(const struct rca_window *window, uint32_t trace)
{
    return window->rule == TK_FIGURE_COMPAT ? 1 : window->table->weights[trace];
}

/* An operation and how much it is blamed. */
struct rca_score {
    uint32_t operation;
    uint32_t order; /* among equals */
    double value;
};

/* Score the operations, at most all of the window, in the order of their first appearance; how
 * many. -ENOMEM. */
TK_MUST_USE int rca_trace_scores(const struct rca_window *window, struct rca_score *scores,
                                 size_t *ret_count);
TK_MUST_USE int rca_microrank_scores(const struct rca_window *window, struct rca_score *scores,
                                     size_t *ret_count);

#endif
