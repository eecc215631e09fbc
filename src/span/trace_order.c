/* SPDX-License-Identifier: Apache-2.0 */
#include "span/trace_order.h"

#include <stdlib.h>
#include <string.h>

static int by_trace(const void *a, const void *b, void *context)
{
    const struct tk_span_batch *batch = *(const struct tk_span_batch *const *)context;
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    int order = memcmp(batch->trace_ids[x], batch->trace_ids[y], sizeof(batch->trace_ids[x]));
    if (order != 0)
        return order;
    if (batch->start_ns[x] != batch->start_ns[y])
        return batch->start_ns[x] < batch->start_ns[y] ? -1 : 1;
    return (x > y) - (x < y);
}

void tk_rows_sort_by_trace(const struct tk_span_batch *batch, uint32_t *rows, size_t n)
{
    if (n > 1)
        qsort_r(rows, n, sizeof(*rows), by_trace, &batch);
}

static int by_start(const void *a, const void *b)
{
    const struct tk_trace_place *x = a;
    const struct tk_trace_place *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

size_t tk_rows_find_traces(const struct tk_span_batch *batch, const uint32_t *rows, size_t n,
                           struct tk_trace_place *ret_places)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *id = batch->trace_ids[rows[i]];
        if (i == 0 || memcmp(id, batch->trace_ids[rows[i - 1]], 16) != 0) {
            ret_places[count++] =
                (struct tk_trace_place){.start_ns = batch->start_ns[rows[i]], .first = (uint32_t)i};
        }
        ret_places[count - 1].n++;
    }
    if (count > 1)
        qsort(ret_places, count, sizeof(*ret_places), by_start);
    return count;
}
