/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/span_columns.h"

#include <errno.h>
#include <stdlib.h>

#include "fidelity/span_table_internal.h"

int tk_span_table_alloc(uint32_t rows, uint32_t traces, struct tk_span_table **ret_table,
                        struct tk_err *err)
{
    struct tk_span_table *table = NULL;
    int rc = tk_span_table_init(&table, err);
    if (rc < 0)
        return rc;
    table->trace_ends = calloc((size_t)traces + 1, sizeof(*table->trace_ends));
    table->trace_ids = calloc((size_t)traces + 1, sizeof(*table->trace_ids));
    table->weights = calloc((size_t)traces + 1, sizeof(*table->weights));
    rc = table->trace_ends && table->trace_ids && table->weights
             ? tk_span_table_reserve(table, rows, err)
             : tk_fail(err, -ENOMEM, "table of spans: out of memory");
    if (rc < 0) {
        tk_span_table_free(table);
        return rc;
    }
    table->rows = rows;
    table->traces = traces;
    table->unit_ns = 1000;
    for (uint32_t t = 0; table->weights && t < traces; t++)
        table->weights[t] = 1;
    *ret_table = table;
    return 0;
}

int tk_span_table_copy(const struct tk_span_table *from, struct tk_span_table **ret_table,
                       struct tk_err *err)
{
    struct tk_trace_pick *picks = calloc((size_t)from->traces + 1, sizeof(*picks));
    if (!picks)
        return tk_fail(err, -ENOMEM, "table of spans: out of memory");
    for (uint32_t t = 0; t < from->traces; t++)
        picks[t] = (struct tk_trace_pick){t, from->weights[t]};
    int rc = tk_span_table_pick(from, picks, from->traces, ret_table, err);
    free(picks);
    return rc;
}
