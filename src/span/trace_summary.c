/* SPDX-License-Identifier: Apache-2.0 */
#include "span/trace_summary.h"

#include <errno.h>

#include "base/map.h"

/* Whether row `a` has the better claim to be the root than `b`. */
static bool is_before(const struct tk_span_batch *batch, uint32_t a, uint32_t b)
{
    bool a_root = batch->parent_ids[a] == 0;
    bool b_root = batch->parent_ids[b] == 0;
    if (a_root != b_root)
        return a_root;
    return batch->start_ns[a] < batch->start_ns[b];
}

static void count_row(struct tk_trace_summary *summary, const struct tk_span_batch *batch,
                      uint32_t row)
{
    int64_t start_ns = batch->start_ns[row];
    int64_t end_ns = start_ns + batch->duration_ns[row];
    summary->spans++;
    summary->errors += batch->statuses[row] == TK_SPAN_ERROR;
    if (start_ns < summary->start_ns)
        summary->start_ns = start_ns;
    if (end_ns > summary->end_ns)
        summary->end_ns = end_ns;
    if (is_before(batch, row, summary->root))
        summary->root = row;
}

/* Count the row for its service; `places` knows the index of each. -ENOMEM. */
static int count_service(struct tk_trace_summary *summary, const struct tk_span_batch *batch,
                         uint32_t row, struct tk_map *places)
{
    uint32_t service = tk_span_resource_of(batch, row)->service;
    uint32_t place;
    if (!tk_map_find(places, service, &place)) {
        place = (uint32_t)summary->service_count++;
        summary->services[place] = (struct tk_trace_service){.service = service};
        if (tk_map_add(places, service, place) < 0)
            return -ENOMEM;
    }
    summary->services[place].spans++;
    summary->services[place].errors += batch->statuses[row] == TK_SPAN_ERROR;
    return 0;
}

static int count_orphans(struct tk_trace_summary *summary, const struct tk_span_rows *rows,
                         struct tk_map *ids)
{
    const struct tk_span_batch *batch = rows->batch;
    uint32_t at;
    for (size_t i = 0; i < rows->n; i++) {
        if (tk_map_add(ids, batch->span_ids[tk_span_row(rows, i)], 0) < 0)
            return -ENOMEM;
    }
    for (size_t i = 0; i < rows->n; i++) {
        uint64_t parent = batch->parent_ids[tk_span_row(rows, i)];
        summary->orphans += parent != 0 && !tk_map_find(ids, parent, &at);
    }
    return 0;
}

int tk_trace_summary_read(const struct tk_span_rows *rows, struct tk_arena *memory,
                          struct tk_trace_summary *ret, struct tk_err *err)
{
    const struct tk_span_batch *batch = rows->batch;
    size_t most = rows->n < batch->resource_count ? rows->n : batch->resource_count;
    uint32_t first = tk_span_row(rows, 0);
    struct tk_trace_summary summary = {
        .root = first,
        .start_ns = batch->start_ns[first],
        .services = tk_arena_alloc(memory, most * sizeof(*summary.services)),
    };
    TK_CLEANUP(tk_map_release) struct tk_map places = {0};
    TK_CLEANUP(tk_map_release) struct tk_map ids = {0};
    int rc = summary.services ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < rows->n; i++) {
        uint32_t row = tk_span_row(rows, i);
        count_row(&summary, batch, row);
        rc = count_service(&summary, batch, row, &places);
    }
    rc = rc < 0 ? rc : count_orphans(&summary, rows, &ids);
    if (rc < 0)
        return tk_fail(err, rc, "trace: out of memory");
    *ret = summary;
    return 0;
}
