/* SPDX-License-Identifier: Apache-2.0 */
#include "span/trace_order.h"

#include <errno.h>
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

/* The rows of each place to `list`, and the place to where they are then. */
static void lay_out(struct tk_trace_list *list, const uint32_t *sorted)
{
    uint32_t end = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct tk_trace_place *place = &list->places[i];
        memcpy(list->rows + end, sorted + place->first, place->n * sizeof(*sorted));
        place->first = end;
        end += place->n;
    }
}

int tk_trace_list_init(struct tk_trace_list *list, const struct tk_span_batch *batch, size_t begin,
                       struct tk_err *err)
{
    size_t n = batch->rows - begin;
    uint32_t *sorted = calloc(n + 1, sizeof(*sorted));
    *list = (struct tk_trace_list){.rows = calloc(n + 1, sizeof(*list->rows)),
                                   .places = calloc(n + 1, sizeof(*list->places)),
                                   .row_count = n};
    if (!sorted || !list->rows || !list->places) {
        free(sorted);
        return tk_fail(err, -ENOMEM, "traces: out of memory");
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = (uint32_t)(begin + i);
    tk_rows_sort_by_trace(batch, sorted, n);
    list->count = tk_rows_find_traces(batch, sorted, n, list->places);
    lay_out(list, sorted);
    free(sorted);
    return 0;
}

void tk_trace_list_release(struct tk_trace_list *list)
{
    free(list->rows);
    free(list->places);
    *list = (struct tk_trace_list){0};
}
