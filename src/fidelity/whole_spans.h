/* SPDX-License-Identifier: Apache-2.0 */
/* What files of whole spans begin with, for baselines that write spans instead of a table: what the
 * table knows and spans do not.
 *
 *     varint unit of the clock in ns   f64 weight of every trace
 *
 * Safe from any thread. */
#ifndef TK_FIDELITY_WHOLE_SPANS_H
#define TK_FIDELITY_WHOLE_SPANS_H

#include "base/buf.h"
#include "fidelity/span_table.h"

struct tk_whole_spans {
    int64_t unit_ns;
    double weight;
};

/* Append the head to `out`. -EOPNOTSUPP when traces have different weights; `name` is of the format
 * that cannot hold them. */
TK_MUST_USE int tk_whole_spans_put(const struct tk_span_table *table, const char *name,
                                   struct tk_buf *out, struct tk_err *err);

/* Take the head off a file. -EBADMSG. */
TK_MUST_USE int tk_whole_spans_take(tk_str *file, const char *name, struct tk_whole_spans *ret_head,
                                    struct tk_err *err);

/* The table of the spans behind the head. As tk_span_table_new(). */
TK_MUST_USE int tk_whole_spans_table(const struct tk_whole_spans *head,
                                     struct tk_span_source source, struct tk_span_table **ret_table,
                                     struct tk_err *err);

#endif
