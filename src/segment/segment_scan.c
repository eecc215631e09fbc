/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of all segments and logs of a set: those that match, all in their order, operations, traces
 * by their ids. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "segment/filter.h"
#include "segment/segment_set_internal.h"

/* Scanning ------------------------------------------------------------------------------------- */

/* Called with rows of a batch that match. */
struct scan {
    struct tk_segment_set *set;
    const struct tk_span_query *query;
    tk_span_visit_fn visit;
    void *user;
    uint32_t *rows; /* [most] that match */
};

static int visit_matches(struct scan *scan, const struct tk_span_batch *batch, size_t from,
                         size_t to, struct tk_err *err)
{
    size_t n = 0;
    for (size_t row = from; row < to; row++) {
        scan->rows[n] = (uint32_t)row;
        n += tk_span_query_matches(scan->query, batch, row);
    }
    return n == 0 ? 0 : scan->visit(scan->user, &(struct tk_span_rows){batch, scan->rows, n}, err);
}

static int scan_batch(struct scan *scan, struct tk_segment_member *member, struct tk_err *err)
{
    int rc = 0;
    if (member->kind == TK_SEGMENT_BLOCK && !tk_block_file_may_match(&member->block, scan->query))
        return 0;
    const struct tk_span_batch *batch = tk_segment_set_rows(scan->set, member, err);
    if (!batch)
        return err->code;
    size_t rows = batch->rows;
    for (size_t from = 0; rc == 0 && from < rows; from += TK_SCAN_ROWS) {
        size_t to = rows - from < TK_SCAN_ROWS ? rows : from + TK_SCAN_ROWS;
        rc = visit_matches(scan, batch, from, to, err);
    }
    return rc;
}

/* Read and visit rows of a row group, which may match. */
static int scan_rows(struct scan *scan, struct tk_segment_rows rows, struct tk_err *err)
{
    struct tk_span_batch *batch = scan->set->batch;
    while (rows.n > 0) {
        size_t added = 0;
        tk_span_batch_reset(batch);
        int rc = tk_segment_reader_read(scan->set->reader, &rows, batch, &added, err);
        if (rc == 0)
            rc = visit_matches(scan, batch, 0, batch->rows, err);
        if (rc != 0)
            return rc;
        rows.rows += added;
        rows.n -= added;
    }
    return 0;
}

static int scan_segment(struct scan *scan, struct tk_segment_member *member, struct tk_err *err)
{
    int rc = 0;
    size_t groups = tk_parquet_file_meta(member->file.parquet)->row_group_count;
    if (!tk_filter_file_may_match(&member->file, scan->query))
        return 0;
    for (size_t group = 0; rc == 0 && group < groups; group++) {
        struct tk_segment_rows rows;
        tk_arena_reset(&scan->set->arena);
        rc = tk_filter_rows(&member->file, group, scan->query, &scan->set->arena, &rows, err);
        if (rc == 0)
            rc = scan_rows(scan, rows, err);
    }
    if (rc < 0 && rc != -ENOBUFS)
        return tk_err_prefix(err, "segment %u", member->number);
    return rc;
}

int tk_segment_set_scan_member(struct tk_segment_set *set, struct tk_segment_member *member,
                               const struct tk_span_query *query, tk_span_visit_fn visit,
                               void *user, struct tk_err *err)
{
    struct scan scan = {set, query, visit, user, calloc(TK_SCAN_ROWS, sizeof(*scan.rows))};
    if (!scan.rows)
        return tk_fail(err, -ENOMEM, "segments: out of memory");
    int rc = member->kind == TK_SEGMENT_PART ? scan_segment(&scan, member, err)
                                             : scan_batch(&scan, member, err);
    free(scan.rows);
    return rc;
}

int tk_segment_set_scan(struct tk_segment_set *set, const struct tk_span_query *query,
                        tk_span_visit_fn visit, void *user, struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < set->count; i++) {
        struct tk_segment_member *member = set->members[i];
        if (!member->is_replaced)
            rc = tk_segment_set_scan_member(set, member, query, visit, user, err);
    }
    return rc < 0 ? rc : 0;
}

/* Reading -------------------------------------------------------------------------------------- */

/* Rows of a log or a compressed segment: 1 at its end. */
static int read_batch_rows(struct tk_segment_set *set, struct tk_segment_member *member,
                           struct tk_segment_cursor *cursor, struct tk_span_batch *batch,
                           struct tk_err *err)
{
    const struct tk_span_batch *from = tk_segment_set_rows(set, member, err);
    struct tk_span_copy *copy = NULL;
    if (!from)
        return err->code;
    int rc = tk_span_copy_new(batch, from, &copy, err);
    for (; rc == 0 && cursor->row < from->rows; cursor->row += rc == 0)
        rc = tk_span_copy_row(copy, cursor->row);
    tk_span_copy_free(copy);
    if (rc == -ENOBUFS)
        return tk_fail(err, rc, "no room for rows");
    return rc < 0 ? rc : 1;
}

/* Rows of the row group at hand of a segment: 1 at the end of the segment. */
static int read_segment_rows(struct tk_segment_set *set, struct tk_segment_member *member,
                             struct tk_segment_cursor *cursor, struct tk_span_batch *batch,
                             struct tk_err *err)
{
    static const struct tk_span_query all = {0};
    struct tk_segment_rows rows;
    size_t added = 0;
    if (cursor->group == tk_parquet_file_meta(member->file.parquet)->row_group_count)
        return 1;
    tk_arena_reset(&set->arena);
    int rc = tk_filter_rows(&member->file, cursor->group, &all, &set->arena, &rows, err);
    if (rc == 0 && cursor->row < rows.n) {
        rows.rows += cursor->row;
        rows.n -= cursor->row;
        rc = tk_segment_reader_read(set->reader, &rows, batch, &added, err);
    } else if (rc == 0) {
        rows.n = 0;
    }
    if (rc < 0)
        return rc == -ENOBUFS ? rc : tk_err_prefix(err, "segment %u", member->number);
    cursor->row += added;
    if (added == rows.n) {
        cursor->group++;
        cursor->row = 0;
    }
    return 0;
}

int tk_segment_set_read(struct tk_segment_set *set, struct tk_segment_cursor *cursor,
                        struct tk_span_batch *batch, struct tk_err *err)
{
    size_t before = batch->rows;
    while (cursor->member < set->count) {
        struct tk_segment_member *member = set->members[cursor->member];
        int rc = 1;
        if (!member->is_replaced && member->kind != TK_SEGMENT_PART) {
            rc = read_batch_rows(set, member, cursor, batch, err);
        } else if (!member->is_replaced) {
            rc = read_segment_rows(set, member, cursor, batch, err);
        }
        if (rc <= 0)
            return rc == -ENOBUFS && batch->rows > before ? 0 : rc;
        *cursor = (struct tk_segment_cursor){.member = cursor->member + 1};
    }
    return 1;
}

/* Operations ----------------------------------------------------------------------------------- */

struct listing {
    struct tk_operations *operations;
    tk_str service;
};

static int list_rows(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    const struct listing *listing = user;
    return tk_operations_add_rows(listing->operations, rows, listing->service, err);
}

/* Those that are known of a compressed segment: it is decoded for them once. */
static int list_block(struct tk_segment_set *set, struct tk_segment_member *member, tk_str service,
                      struct tk_err *err)
{
    const struct tk_operations *known = &member->block.operations;
    int rc = member->block.is_known || tk_segment_set_rows(set, member, err) ? 0 : err->code;
    const struct tk_span_operation *items =
        (const struct tk_span_operation *)(const void *)known->items.p;
    for (size_t i = 0; rc == 0 && i < known->items.n / sizeof(*items); i++) {
        if (!service.p || tk_str_eq(service, items[i].service))
            rc = tk_operations_add(&set->operations, &items[i], err);
    }
    return rc;
}

/* Those of a log, and of a segment that does not list them, from its rows. */
static int list_member(struct tk_segment_set *set, struct tk_segment_member *member, tk_str service,
                       struct tk_err *err)
{
    static const struct tk_span_query all = {0};
    struct listing listing = {&set->operations, service};
    if (member->kind == TK_SEGMENT_BLOCK)
        return list_block(set, member, service, err);
    if (member->kind == TK_SEGMENT_LOG) {
        return tk_operations_add_rows(
            &set->operations, &(struct tk_span_rows){member->batch, NULL, member->batch->rows},
            service, err);
    }
    if (member->file.operations.p)
        return tk_operations_add_json(&set->operations, member->file.operations, service, err);
    return tk_segment_set_scan_member(set, member, &all, list_rows, &listing, err);
}

int tk_segment_set_operations(struct tk_segment_set *set, tk_str service,
                              const struct tk_span_operation **ret_items, size_t *ret_n,
                              struct tk_err *err)
{
    int rc = 0;
    tk_operations_release(&set->operations);
    tk_arena_reset(&set->names);
    tk_operations_init(&set->operations, &set->names);
    for (size_t i = 0; rc == 0 && i < set->count; i++) {
        if (!set->members[i]->is_replaced)
            rc = list_member(set, set->members[i], service, err);
    }
    if (rc < 0)
        return rc;
    tk_operations_sort(&set->operations);
    *ret_items = (const struct tk_span_operation *)(void *)set->operations.items.p;
    *ret_n = set->operations.items.n / sizeof(struct tk_span_operation);
    return 0;
}

/* Traces --------------------------------------------------------------------------------------- */

static int copy_rows(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct tk_span_copy *copy = NULL;
    int rc = tk_span_copy_new(user, rows->batch, &copy, err);
    for (size_t i = 0; rc == 0 && i < rows->n; i++) {
        rc = tk_span_copy_row(copy, tk_span_rows_at(rows, i));
        if (rc < 0)
            rc = tk_fail(err, rc, "the traces have more spans than there is room for");
    }
    tk_span_copy_free(copy);
    return rc;
}

struct place {
    size_t trace; /* in the order that was asked for */
    int64_t start_ns;
    uint32_t row;
};

static int cmp_place(const void *a, const void *b)
{
    const struct place *first = a;
    const struct place *second = b;
    if (first->trace != second->trace)
        return first->trace < second->trace ? -1 : 1;
    if (first->start_ns != second->start_ns)
        return first->start_ns < second->start_ns ? -1 : 1;
    return (first->row > second->row) - (first->row < second->row);
}

static size_t trace_order(const uint8_t (*ids)[16], size_t count, const uint8_t *id)
{
    size_t i = 0;
    while (i < count && memcmp(ids[i], id, 16) != 0)
        i++;
    return i;
}

/* Sort rows of `from` and append them to `to`. */
static int append_sorted(const struct tk_span_batch *from, const uint8_t (*ids)[16], size_t count,
                         struct tk_arena *arena, struct tk_span_batch *to, struct tk_err *err)
{
    struct place *places = tk_arena_alloc(arena, (from->rows + 1) * sizeof(*places));
    uint32_t *order = tk_arena_alloc(arena, (from->rows + 1) * sizeof(*order));
    if (!places || !order)
        return tk_fail(err, -ENOMEM, "no memory for so many rows");
    for (size_t i = 0; i < from->rows; i++) {
        places[i] = (struct place){trace_order(ids, count, from->trace_ids[i]), from->start_ns[i],
                                   (uint32_t)i};
    }
    qsort(places, from->rows, sizeof(*places), cmp_place);
    for (size_t i = 0; i < from->rows; i++)
        order[i] = places[i].row;
    return copy_rows(to, &(struct tk_span_rows){from, order, from->rows}, err);
}

int tk_segment_set_traces(struct tk_segment_set *set, const uint8_t (*ids)[16], size_t count,
                          struct tk_span_batch *batch, struct tk_err *err)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *found = NULL;
    struct tk_span_query query = {.trace_ids = ids, .trace_id_count = count};
    if (count == 0)
        return 0;
    int rc = tk_span_batch_new(batch->max_rows, &found, err);
    if (rc == 0)
        rc = tk_segment_set_scan(set, &query, copy_rows, found, err);
    tk_arena_reset(&set->arena);
    if (rc == 0)
        rc = append_sorted(found, ids, count, &set->arena, batch, err);
    return rc;
}
