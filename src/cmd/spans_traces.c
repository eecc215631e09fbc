/* SPDX-License-Identifier: Apache-2.0 */
/* Traces, one a line: those of which a span is asked for. The latest are found by the store; for
 * the longest all spans are looked at, with 40 bytes a trace. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/json.h"
#include "base/map.h"
#include "base/number.h"
#include "cmd/screen_internal.h"
#include "cmd/spans.h"
#include "segment/trace_walk.h"
#include "span/trace_id.h"
#include "span/trace_summary.h"

#define BATCH_SPANS ((size_t)1 << 20)
#define MEMORY      ((size_t)64 << 20) /* of one trace's services */

/* A trace while all spans are looked at. */
struct extent {
    uint8_t id[16];
    int64_t start_ns;
    int64_t end_ns;
    bool wanted; /* one of its spans is asked for */
};

struct extents {
    const struct tk_span_query *query;
    struct tk_map places; /* hash of the id -> extent */
    struct tk_buf items;  /* struct extent each */
};

static struct extent *extent_of(struct extents *extents, const uint8_t id[16])
{
    uint32_t place;
    uint64_t key = tk_trace_id_hash(id);
    if (!tk_map_find(&extents->places, key, &place)) {
        struct extent made = {.start_ns = INT64_MAX};
        place = (uint32_t)(extents->items.n / sizeof(made));
        memcpy(made.id, id, sizeof(made.id));
        tk_buf_put(&extents->items, (tk_str){(const char *)&made, sizeof(made)});
        if (!tk_buf_ok(&extents->items) || tk_map_add(&extents->places, key, place) < 0)
            return NULL;
    }
    return &((struct extent *)(void *)extents->items.p)[place];
}

static int measure(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct extents *extents = user;
    const struct tk_span_batch *batch = rows->batch;
    for (size_t i = 0; i < rows->n; i++) {
        uint32_t row = tk_span_row(rows, i);
        struct extent *extent = extent_of(extents, batch->trace_ids[row]);
        if (!extent)
            return tk_fail(err, -ENOMEM, "traces: out of memory");
        int64_t start_ns = batch->start_ns[row];
        int64_t end_ns = start_ns + batch->duration_ns[row];
        extent->start_ns = start_ns < extent->start_ns ? start_ns : extent->start_ns;
        extent->end_ns = end_ns > extent->end_ns ? end_ns : extent->end_ns;
        extent->wanted = extent->wanted || tk_span_query_matches(extents->query, batch, row);
    }
    return 0;
}

/* The wanted first, of these the longest. */
static int by_length(const void *a, const void *b)
{
    const struct extent *x = a;
    const struct extent *y = b;
    int64_t x_ns = x->end_ns - x->start_ns;
    int64_t y_ns = y->end_ns - y->start_ns;
    if (x->wanted != y->wanted)
        return x->wanted ? -1 : 1;
    if (x_ns != y_ns)
        return x_ns > y_ns ? -1 : 1;
    return memcmp(x->id, y->id, sizeof(x->id));
}

/* Which traces to show, in this order; the caller frees the ids. */
struct choice {
    uint8_t (*ids)[16];
    size_t count; /* to show */
    uint64_t found;
};

static int copy_ids(struct choice *choice, const struct extent *extents, size_t count, size_t limit,
                    struct tk_err *err)
{
    while (choice->found < count && extents[choice->found].wanted)
        choice->found++;
    choice->count = limit && limit < choice->found ? limit : choice->found;
    choice->ids = malloc((choice->count + 1) * sizeof(*choice->ids));
    if (!choice->ids)
        return tk_fail(err, -ENOMEM, "traces: out of memory");
    for (size_t i = 0; i < choice->count; i++)
        memcpy(choice->ids[i], extents[i].id, sizeof(*choice->ids));
    return 0;
}

static int choose_longest(struct tk_spans *spans, struct choice *choice, struct tk_err *err)
{
    struct extents extents = {.query = &spans->query};
    tk_buf_init(&extents.items, SIZE_MAX / 2);
    int rc = tk_segment_set_scan(spans->set, &(struct tk_span_query){0}, measure, &extents, err);
    struct extent *items = (struct extent *)(void *)extents.items.p;
    size_t count = extents.items.n / sizeof(*items);
    if (rc >= 0 && count > 1)
        qsort(items, count, sizeof(*items), by_length);
    rc = rc < 0 ? rc : copy_ids(choice, items, count, (size_t)spans->opts->limit, err);
    tk_map_release(&extents.places);
    tk_buf_release(&extents.items);
    return rc;
}

static int choose_latest(struct tk_spans *spans, struct choice *choice, struct tk_err *err)
{
    size_t count;
    const uint8_t(*ids)[16];
    size_t limit = (size_t)spans->opts->limit;
    /* One more than is shown tells that there are more. */
    int rc = tk_segment_set_find(spans->set, &spans->query, limit ? limit + 1 : SIZE_MAX, &ids,
                                 &count, err);
    if (rc < 0)
        return rc;
    choice->count = limit && limit < count ? limit : count;
    choice->found = choice->count < count ? TK_SPANS_MANY : count;
    choice->ids = malloc((choice->count + 1) * sizeof(*choice->ids));
    if (!choice->ids)
        return tk_fail(err, -ENOMEM, "traces: out of memory");
    if (choice->count > 0)
        memcpy(choice->ids, ids, choice->count * sizeof(*ids));
    return 0;
}

/* Lines ------------------------------------------------------------------------------- */

enum { START, DURATION, ROOT, SPANS, ERRORS, SERVICES, TRACE, COLUMNS };

struct listing {
    struct tk_spans *spans;
    struct tk_grid *grid; /* NULL = JSON */
    struct tk_arena memory;
    bool with_date;
};

static void put_json(struct tk_buf *out, const struct tk_span_batch *batch, const char *id,
                     const struct tk_trace_summary *summary)
{
    const struct {
        const char *key;
        int64_t value;
    } figures[] = {
        {"start_ns", summary->start_ns},    {"duration_ns", summary->end_ns - summary->start_ns},
        {"span_count", summary->spans},     {"error_count", summary->errors},
        {"orphan_count", summary->orphans},
    };
    tk_buf_lit(out, "{\"trace_id\":");
    tk_json_put_str(out, tk_str_from(id));
    tk_json_put_key(out, "root_service");
    tk_json_put_str(out, tk_span_service(batch, summary->root));
    tk_json_put_key(out, "root_name");
    tk_json_put_str(out, tk_span_name(batch, summary->root));
    for (size_t i = 0; i < TK_COUNTOF(figures); i++) {
        tk_json_put_key(out, figures[i].key);
        tk_buf_put_i64(out, figures[i].value);
    }
    tk_json_put_key(out, "services");
    tk_buf_putc(out, '{');
    for (size_t i = 0; i < summary->service_count; i++) {
        tk_json_put_comma(out);
        tk_json_put_str(out, tk_texts_get(&batch->texts, summary->services[i].service));
        tk_buf_printf(out, ":%u", summary->services[i].spans);
    }
    tk_buf_lit(out, "}}\n");
}

static void add_row(const struct listing *listing, const struct tk_span_batch *batch,
                    const struct tk_trace_summary *summary)
{
    struct tk_grid *grid = listing->grid;
    char id[TK_TRACE_ID_MAX];
    char text[TK_TIME_MAX];
    struct tk_cell service;
    struct tk_cell name;
    char root[2 * TK_CELL_MAX + 2];
    tk_grid_add(grid);
    tk_grid_set(grid, START, tk_span_time_format(summary->start_ns, listing->with_date, text));
    tk_grid_set(grid, DURATION, tk_duration_format(summary->end_ns - summary->start_ns, text));
    (void)snprintf(
        root, sizeof(root), "%s %s",
        tk_cell_clean(listing->spans->look, tk_span_service(batch, summary->root), &service),
        tk_cell_clean(listing->spans->look, tk_span_name(batch, summary->root), &name));
    tk_grid_set(grid, ROOT, root);
    tk_grid_set(grid, SPANS, tk_count_format(summary->spans, text));
    tk_grid_set(grid, ERRORS, summary->errors ? tk_count_format(summary->errors, text) : "-");
    if (summary->errors)
        tk_grid_set_style(grid, ERRORS, TK_STYLE_BAD);
    tk_grid_set(grid, SERVICES, tk_count_format((int64_t)summary->service_count, text));
    tk_grid_set(grid, TRACE, tk_trace_id_cut(batch->trace_ids[summary->root], id));
}

static int put_trace(void *user, const uint8_t id[16], const struct tk_span_rows *rows,
                     struct tk_err *err)
{
    struct listing *listing = user;
    char text[TK_TRACE_ID_MAX];
    struct tk_trace_summary summary;
    tk_trace_id_cstr(id, text);
    if (!rows)
        return tk_fail(err, -EMSGSIZE, "trace %s has more than %zu spans", text, BATCH_SPANS);
    if (rows->n == 0)
        return 0;
    tk_arena_reset(&listing->memory);
    int rc = tk_trace_summary_read(rows, &listing->memory, &summary, err);
    if (rc < 0)
        return rc;
    if (listing->grid) {
        add_row(listing, rows->batch, &summary);
        return 0;
    }
    put_json(&listing->spans->out, rows->batch, text, &summary);
    return tk_spans_flush(listing->spans, err);
}

static int put_traces(struct listing *listing, const struct choice *choice, struct tk_err *err)
{
    static const struct tk_grid_column columns[COLUMNS] = {
        [START] = {"start (UTC)"},
        [DURATION] = {"duration", .right = true},
        [ROOT] = {"root", .cut = true, .style = TK_STYLE_TITLE},
        [SPANS] = {"spans", .right = true},
        [ERRORS] = {"err", .right = true},
        [SERVICES] = {"svc", .right = true},
        [TRACE] = {"trace", .style = TK_STYLE_DIM},
    };
    const struct tk_grid_options options = {columns, COLUMNS};
    struct tk_spans *spans = listing->spans;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_span_batch_new(BATCH_SPANS, &batch, err);
    if (rc == 0 && !spans->opts->json)
        rc = tk_grid_new(spans->look, &options, &grid, err);
    listing->grid = grid;
    if (rc == 0) {
        const struct tk_trace_walk walk = {batch, put_trace, listing};
        rc = tk_segment_set_walk_traces(spans->set, (const uint8_t(*)[16])choice->ids,
                                        choice->count, &walk, err);
    }
    if (rc < 0 || !grid)
        return rc;
    rc = tk_grid_write(grid, &spans->out, err);
    tk_spans_put_rest(spans, choice->count, choice->found, "trace");
    return rc;
}

int tk_spans_list_traces(struct tk_spans *spans, struct tk_err *err)
{
    struct choice choice = {0};
    struct listing listing = {.spans = spans, .with_date = !tk_span_store_on_one_day(spans->set)};
    int rc = spans->opts->sort == TK_SPANS_BY_DURATION ? choose_longest(spans, &choice, err)
                                                       : choose_latest(spans, &choice, err);
    rc = rc < 0 ? rc : tk_arena_init(&listing.memory, MEMORY, err);
    rc = rc < 0 ? rc : put_traces(&listing, &choice, err);
    tk_arena_release(&listing.memory);
    free(choice.ids);
    return rc;
}
