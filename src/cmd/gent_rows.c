/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/gent_rows.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/number.h"
#include "span/projection.h"
#include "span/writing.h"

#define NONE       UINT32_MAX
#define CLIP       5000 /* of Gen-T, in the unit of the source */
#define NAMES_MAX  ((size_t)1 << 30)
#define VALUES_MAX 5

struct node {
    tk_str service;
    tk_str name; /* SERVICE*RANK*0 */
    int64_t start_us, duration_us;
    uint64_t span_id;
    uint32_t row;
    uint32_t rank;
    uint32_t parent;
    uint32_t first; /* edge from it */
};

struct edge {
    tk_str key; /* SOURCE#TARGET */
    uint32_t source, target;
    uint32_t next; /* of the same source */
    bool used;
};

struct tk_gent_rows {
    struct tk_gent_rows_options options;
    struct tk_projector projector;
    struct tk_map values;  /* hash of component, key and value -> its index there */
    struct tk_map counts;  /* hash of component and key -> how many there are */
    struct tk_map places;  /* span id -> node */
    struct tk_arena names; /* of the trace at hand */
    struct node *nodes;    /* owned */
    struct edge *edges;    /* owned */
    uint32_t *sorted;      /* owned */
    uint32_t *chain;       /* owned; [chain_length] */
    size_t room, n, edge_count;
    const struct tk_span_batch *batch;
    struct tk_buf *out;
};

int tk_gent_rows_new(const struct tk_gent_rows_options *options, struct tk_gent_rows **ret_rows,
                     struct tk_err *err)
{
    struct tk_gent_rows *rows = calloc(1, sizeof(*rows));
    if (!rows)
        return tk_fail(err, -ENOMEM, "out of memory");
    rows->options = *options;
    rows->options.chain_length = options->chain_length ? options->chain_length : 2;
    tk_projector_init(&rows->projector);
    rows->chain = calloc(rows->options.chain_length, sizeof(*rows->chain));
    int rc = rows->chain ? tk_arena_init(&rows->names, NAMES_MAX, err)
                         : tk_fail(err, -ENOMEM, "out of memory");
    if (rc < 0) {
        tk_gent_rows_free(rows);
        return rc;
    }
    *ret_rows = rows;
    return 0;
}

void tk_gent_rows_free(struct tk_gent_rows *rows)
{
    if (!rows)
        return;
    tk_projector_release(&rows->projector);
    tk_map_release(&rows->values);
    tk_map_release(&rows->counts);
    tk_map_release(&rows->places);
    tk_arena_release(&rows->names);
    free(rows->nodes);
    free(rows->edges);
    free(rows->sorted);
    free(rows->chain);
    free(rows);
}

/* The trace ------------------------------------------------------------------------------------ */

static int by_service_and_start(const void *a, const void *b, void *user)
{
    const struct node *nodes = user;
    const struct node *x = &nodes[*(const uint32_t *)a];
    const struct node *y = &nodes[*(const uint32_t *)b];
    int order = tk_str_cmp(x->service, y->service);
    if (order != 0)
        return order;
    if (x->start_us != y->start_us)
        return x->start_us < y->start_us ? -1 : 1;
    return memcmp(&x->span_id, &y->span_id, sizeof(x->span_id));
}

static int make_room(struct tk_gent_rows *rows, size_t n)
{
    if (n <= rows->room)
        return 0;
    struct node *nodes = realloc(rows->nodes, n * sizeof(*nodes));
    rows->nodes = nodes ? nodes : rows->nodes;
    struct edge *edges = realloc(rows->edges, n * sizeof(*edges));
    rows->edges = edges ? edges : rows->edges;
    uint32_t *sorted = realloc(rows->sorted, n * sizeof(*sorted));
    rows->sorted = sorted ? sorted : rows->sorted;
    if (!nodes || !edges || !sorted)
        return -ENOMEM;
    rows->room = n;
    return 0;
}

static int64_t micros(int64_t ns)
{
    return ns / 1000 - (ns % 1000 < 0);
}

/* Two texts with a character between them. */
static tk_str join(struct tk_gent_rows *rows, tk_str a, char between, tk_str b)
{
    char *to = tk_arena_alloc(&rows->names, a.n + b.n + 1);
    if (!to)
        return (tk_str){NULL, 0};
    if (a.n > 0)
        memcpy(to, a.p, a.n);
    to[a.n] = between;
    if (b.n > 0)
        memcpy(to + a.n + 1, b.p, b.n);
    return (tk_str){to, a.n + 1 + b.n};
}

/* Names by the rank of the start among the spans of a service. Gen-T counts once more when it reads
 * what was translated: that is the 0. */
static int name_nodes(struct tk_gent_rows *rows)
{
    for (uint32_t i = 0; i < rows->n; i++)
        rows->sorted[i] = i;
    qsort_r(rows->sorted, rows->n, sizeof(*rows->sorted), by_service_and_start, rows->nodes);
    for (size_t i = 0; i < rows->n; i++) {
        struct node *node = &rows->nodes[rows->sorted[i]];
        const struct node *before = i > 0 ? &rows->nodes[rows->sorted[i - 1]] : node;
        bool same = i > 0 && tk_str_eq(before->service, node->service);
        char rank[32];
        node->rank = same ? before->rank + 1 : 0;
        int n = snprintf(rank, sizeof(rank), "%u*0", node->rank);
        node->name = join(rows, node->service, '*', (tk_str){rank, (size_t)n});
        if (!node->name.p)
            return -ENOMEM;
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct edge *x = a;
    const struct edge *y = b;
    int order = tk_str_cmp(x->key, y->key);
    return order != 0 ? order : x->target < y->target ? -1 : x->target > y->target;
}

/* Edges by their names, and of each node those that begin there, in that order. */
static int link_nodes(struct tk_gent_rows *rows)
{
    rows->edge_count = 0;
    for (uint32_t i = 0; i < rows->n; i++) {
        struct node *node = &rows->nodes[i];
        uint64_t parent = rows->batch->parent_ids[node->row];
        if (parent == 0 || !tk_map_find(&rows->places, parent, &node->parent) || node->parent == i)
            node->parent = NONE;
        if (node->parent == NONE)
            continue;
        uint32_t ends[2] = {node->parent, i};
        struct edge edge = {.source = ends[rows->options.reversed],
                            .target = ends[!rows->options.reversed]};
        edge.key = join(rows, rows->nodes[edge.source].name, '#', rows->nodes[edge.target].name);
        if (!edge.key.p)
            return -ENOMEM;
        rows->edges[rows->edge_count++] = edge;
    }
    if (rows->edge_count > 0)
        qsort(rows->edges, rows->edge_count, sizeof(*rows->edges), by_key);
    for (size_t i = rows->edge_count; i-- > 0;) {
        struct edge *edge = &rows->edges[i];
        edge->next = rows->nodes[edge->source].first;
        rows->nodes[edge->source].first = (uint32_t)i;
    }
    return 0;
}

static int read_trace(struct tk_gent_rows *rows, const struct tk_span_rows *trace)
{
    const struct tk_span_batch *batch = trace->batch;
    if (make_room(rows, trace->n) < 0)
        return -ENOMEM;
    tk_arena_reset(&rows->names);
    tk_map_reset(&rows->places);
    rows->n = trace->n;
    for (uint32_t i = (uint32_t)trace->n; i-- > 0;) {
        size_t row = tk_span_rows_at(trace, i);
        tk_str service = tk_span_service(batch, row);
        rows->nodes[i] = (struct node){
            .service = service.n > 0 ? service : TK_STR("unknown_service"),
            .start_us = micros(batch->start_ns[row]),
            .duration_us = batch->duration_ns[row] / 1000,
            .span_id = batch->span_ids[row],
            .row = (uint32_t)row,
            .first = NONE,
        };
        if (tk_map_add(&rows->places, batch->span_ids[row], i) < 0)
            return -ENOMEM;
    }
    int rc = name_nodes(rows);
    return rc < 0 ? rc : link_nodes(rows);
}

/* Lines ---------------------------------------------------------------------------------------- */

/* The index of a text among those of its component and key, as they come first. */
static int find_index(struct tk_gent_rows *rows, const struct node *node, uint64_t key, tk_str text,
                      uint32_t *ret_index)
{
    uint64_t list = tk_hash_mix(tk_hash_text(node->name), key);
    uint64_t value = tk_hash_mix(list, tk_hash_text(text));
    uint32_t count = 0;
    if (tk_map_find(&rows->values, value, ret_index))
        return 0;
    (void)tk_map_find(&rows->counts, list, &count);
    *ret_index = count;
    if (tk_map_add(&rows->values, value, count) < 0)
        return -ENOMEM;
    return tk_map_add(&rows->counts, list, count + 1);
}

static int64_t clip_gap(const struct tk_gent_rows *rows, int64_t gap)
{
    if (!rows->options.compat)
        return gap;
    return gap < 0 ? 0 : gap > CLIP ? CLIP : gap;
}

static int put_metadata(struct tk_gent_rows *rows, const struct node *node,
                        const struct tk_projection *projection)
{
    for (uint32_t i = 0; i < TK_STR_FEATURES; i++) {
        const struct tk_projected_text *from = &projection->strings[i];
        tk_str text = from->id == TK_TEXTS_NONE ? from->text : tk_span_text(rows->batch, from->id);
        uint32_t index;
        int rc = find_index(rows, node, i, text, &index);
        if (rc < 0)
            return rc;
        tk_buf_printf(rows->out, ",metadata_merged_value_%u", index);
    }
    for (uint32_t i = 0; i < TK_INT_FEATURES; i++)
        tk_buf_printf(rows->out, ",%lld", (long long)projection->integers[i]);
    return 0;
}

/* The gap is from the start of the node before: in the chain, or of the first one its parent. */
static int put_node(struct tk_gent_rows *rows, uint32_t place, uint32_t before)
{
    const struct node *node = &rows->nodes[place];
    struct tk_projection projection;
    int64_t gap = before != NONE ? node->start_us - rows->nodes[before].start_us : 0;
    bool too_long = rows->options.compat && node->duration_us >= CLIP;
    tk_projector_read(&rows->projector, node->row, &projection);
    tk_buf_printf(rows->out, ",%lld,%lld,%d", (long long)clip_gap(rows, gap),
                  (long long)(too_long ? 0 : node->duration_us), projection.has_issues);
    return put_metadata(rows, node, &projection);
}

/* A 128-bit number in decimal. */
static void put_trace_number(struct tk_buf *out, const uint8_t id[16])
{
    __extension__ typedef unsigned __int128 wide;
    char digits[40];
    size_t at = sizeof(digits);
    wide value = 0;
    for (size_t i = 0; i < 16; i++)
        value = value << 8 | id[i];
    do {
        digits[--at] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value > 0);
    tk_buf_put(out, (tk_str){digits + at, sizeof(digits) - at});
}

/* The unused edge of a node that comes first. */
static struct edge *next_edge(struct tk_gent_rows *rows, uint32_t place)
{
    uint32_t *first = &rows->nodes[place].first;
    while (*first != NONE && rows->edges[*first].used)
        *first = rows->edges[*first].next;
    return *first == NONE ? NULL : &rows->edges[*first];
}

/* Names hold what services are called: a comma or a quote is quoted as in any CSV. */
static void put_chain_name(struct tk_buf *out, tk_str chain)
{
    bool plain = memchr(chain.p, ',', chain.n) == NULL && memchr(chain.p, '"', chain.n) == NULL &&
                 memchr(chain.p, '\n', chain.n) == NULL;
    if (plain) {
        tk_buf_put(out, chain);
        return;
    }
    tk_buf_putc(out, '"');
    for (size_t i = 0; i < chain.n; i++) {
        if (chain.p[i] == '"')
            tk_buf_putc(out, '"');
        tk_buf_putc(out, chain.p[i]);
    }
    tk_buf_putc(out, '"');
}

/* Take a chain that begins with an edge: its nodes, at most as many as the options say. */
static uint32_t take_chain(struct tk_gent_rows *rows, struct edge *edge, tk_str *ret_name)
{
    uint32_t length = 1;
    tk_str name = edge->key;
    rows->chain[0] = edge->source;
    while (edge) {
        edge->used = true;
        if (length > 1)
            name = join(rows, name, '#', rows->nodes[edge->target].name);
        rows->chain[length++] = edge->target;
        edge = length < rows->options.chain_length ? next_edge(rows, edge->target) : NULL;
    }
    *ret_name = name;
    return length;
}

static int put_chain(struct tk_gent_rows *rows, struct edge *edge, int64_t start_us)
{
    tk_str name;
    uint32_t length = take_chain(rows, edge, &name);
    if (!name.p)
        return -ENOMEM;
    put_trace_number(rows->out, rows->batch->trace_ids[rows->nodes[0].row]);
    tk_buf_printf(rows->out, ",%lld,", (long long)start_us);
    put_chain_name(rows->out, name);
    uint32_t before = rows->options.reversed ? NONE : rows->nodes[rows->chain[0]].parent;
    int rc = 0;
    for (uint32_t i = 0; i < length && rc == 0; i++) {
        rc = put_node(rows, rows->chain[i], before);
        before = rows->chain[i];
    }
    for (uint32_t i = length; i < rows->options.chain_length; i++)
        tk_buf_lit(rows->out, ",0,0,0,Unknown,Unknown,0,0,0");
    tk_buf_putc(rows->out, '\n');
    return rc;
}

static int put_trace(struct tk_gent_rows *rows, const struct tk_span_rows *trace)
{
    int rc = read_trace(rows, trace);
    int64_t start_us = INT64_MAX;
    for (size_t i = 0; rc == 0 && i < rows->n; i++)
        start_us = rows->nodes[i].start_us < start_us ? rows->nodes[i].start_us : start_us;
    for (size_t i = 0; rc == 0 && i < rows->edge_count; i++) {
        if (!rows->edges[i].used)
            rc = put_chain(rows, &rows->edges[i], start_us);
    }
    return rc;
}

void tk_gent_rows_head(const struct tk_gent_rows *rows, struct tk_buf *out)
{
    tk_buf_lit(out, "traceId,txStartTime,chain");
    for (uint32_t i = 0; i < rows->options.chain_length; i++) {
        tk_buf_printf(out, ",gapFromParent_%u,duration_%u,hasError_%u", i, i, i);
        for (uint32_t k = 0; k < VALUES_MAX; k++)
            tk_buf_printf(out, ",metadata_%u_%u", i, k);
    }
    tk_buf_putc(out, '\n');
}

int tk_gent_rows_put(struct tk_gent_rows *rows, const struct tk_span_rows *traces,
                     struct tk_buf *out, struct tk_err *err)
{
    struct tk_span_rows trace = {.batch = traces->batch};
    rows->batch = traces->batch;
    rows->out = out;
    tk_projector_begin(&rows->projector, traces->batch);
    for (size_t i = 0; i < traces->n; i += trace.n) {
        trace.rows = traces->rows + i;
        trace.n = tk_span_rows_trace(traces, i);
        if (put_trace(rows, &trace) < 0)
            return tk_fail(err, -ENOMEM, "out of memory");
    }
    return tk_buf_check(out, "rows", err);
}
