/* SPDX-License-Identifier: Apache-2.0 */
/* Traces as Gen-T writes them, one JSON object each, lines with or without a comma or an array
 * (trace-compression.md section 15.4): nodes by id, edges from parent to child. Times count
 * milliseconds or microseconds, as the source did: their size tells. Ids of nodes hold for their
 * trace alone; an id of a span is made of both. */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "span/reading.h"
#include "span/span_text.h"

#define ID_MAX 1024

struct gent {
    struct tk_reading reading;
    struct tk_json_records records;
    struct tk_json nodes; /* of the trace at hand */
    bool in_nodes;
    tk_str trace_id;       /* of it */
    struct tk_map parents; /* hash of a node's id to the place of the edge to it */
    struct tk_arena edges; /* struct edge [edge_count] */
    uint32_t edge_count;
    struct tk_arena texts; /* of the trace, decoded */
};

struct edge {
    _Alignas(max_align_t) tk_str source; /* an arena aligns so */
    tk_str target;
    uint32_t next; /* place + 1 of another edge to the same node; 0 = none */
};

/* The head of a trace ------------------------------------------------------------------------- */

struct trace_members {
    tk_str nodes, edges, id;
};

static int read_graph_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                             struct tk_err *err)
{
    struct trace_members *trace = into;
    (void)scratch;
    return tk_str_eq(key, TK_STR("edges")) ? tk_json_skip(json, &trace->edges, err) : 1;
}

static int read_details_member(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                               void *into, struct tk_err *err)
{
    struct trace_members *trace = into;
    if (!tk_str_eq(key, TK_STR("transactionId")))
        return 1;
    return tk_json_peek(json) == TK_JSON_STRING ? tk_json_read_str(json, scratch, &trace->id, err)
                                                : tk_json_skip(json, &trace->id, err);
}

static int read_trace_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                             struct tk_err *err)
{
    struct trace_members *trace = into;
    bool is_object = tk_json_peek(json) == TK_JSON_OBJECT;
    if (tk_str_eq(key, TK_STR("nodesData")))
        return tk_json_skip(json, &trace->nodes, err);
    if (tk_str_eq(key, TK_STR("graph")) && is_object)
        return tk_json_read_members(json, scratch, read_graph_member, trace, err);
    if (tk_str_eq(key, TK_STR("details")) && is_object)
        return tk_json_read_members(json, scratch, read_details_member, trace, err);
    return 1;
}

static int read_edge_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                            struct tk_err *err)
{
    struct edge *edge = into;
    bool is_text = tk_json_peek(json) == TK_JSON_STRING;
    if (tk_str_eq(key, TK_STR("source")) && is_text)
        return tk_json_read_str(json, scratch, &edge->source, err);
    return tk_str_eq(key, TK_STR("target")) && is_text
               ? tk_json_read_str(json, scratch, &edge->target, err)
               : 1;
}

static const struct edge *find_edge(const struct gent *gent, tk_str target)
{
    const struct edge *edges = (const void *)gent->edges.p;
    uint32_t place;
    if (!tk_map_find(&gent->parents, tk_hash_text(target), &place))
        return NULL;
    return tk_str_eq(edges[place].target, target) ? &edges[place] : NULL;
}

/* Remember an edge; an empty end is none, as of an orphan's reference. */
static int add_edge(struct gent *gent, const struct edge *edge, struct tk_err *err)
{
    struct edge *edges = (void *)gent->edges.p;
    uint64_t hash = tk_hash_text(edge->target);
    uint32_t first;
    if (edge->source.n == 0 || edge->target.n == 0)
        return 0;
    struct edge *kept = tk_arena_alloc(&gent->edges, sizeof(*kept));
    if (!kept)
        return tk_fail(err, -EBADMSG, "a trace of too many edges");
    *kept = *edge;
    kept->next = 0;
    uint32_t place = gent->edge_count++;
    if (!tk_map_find(&gent->parents, hash, &first)) {
        int rc = tk_map_add(&gent->parents, hash, place);
        return rc < 0 ? tk_fail(err, rc, "out of memory") : 0;
    }
    kept->next = edges[first].next;
    edges[first].next = place + 1;
    return 0;
}

static int read_edges(struct gent *gent, tk_str text, struct tk_err *err)
{
    struct tk_json json;
    if (text.n == 0)
        return 0;
    tk_reading_scan(&gent->reading, text, &json);
    int rc = tk_json_enter_array(&json, err);
    while (rc == 0 && (rc = tk_json_next_element(&json, err)) == 0) {
        struct edge edge = {0};
        rc = tk_json_read_members(&json, &gent->texts, read_edge_member, &edge, err);
        rc = rc < 0 ? rc : add_edge(gent, &edge, err);
    }
    return rc < 0 ? rc : 0;
}

static int open_trace(struct gent *gent, tk_str raw, struct tk_err *err)
{
    struct trace_members trace = {0};
    struct tk_json json;
    tk_arena_reset(&gent->texts);
    tk_arena_reset(&gent->edges);
    tk_map_reset(&gent->parents);
    gent->edge_count = 0;
    tk_reading_scan(&gent->reading, raw, &json);
    int rc = tk_json_read_members(&json, &gent->texts, read_trace_member, &trace, err);
    if (rc == 0 && (trace.nodes.n == 0 || *trace.nodes.p != '{'))
        rc = tk_fail(err, -EBADMSG, "a trace without nodesData");
    rc = rc < 0 ? rc : read_edges(gent, trace.edges, err);
    if (rc < 0)
        return rc;
    gent->trace_id = trace.id.n > 0 ? trace.id : TK_STR("");
    gent->in_nodes = true;
    tk_reading_scan(&gent->reading, trace.nodes, &gent->nodes);
    return tk_json_enter_object(&gent->nodes, err);
}

/* A node
 * ------------------------------------------------------------------------------------------- */

struct node {
    tk_str id, name, service_type, operation, kind, message, issue; /* decoded */
    tk_str body;                                                    /* as JSON */
    int64_t start, duration;
    bool has_start, has_issue;
};

static int read_text(struct tk_json *json, struct tk_arena *scratch, tk_str *ret,
                     struct tk_err *err)
{
    return tk_json_peek(json) == TK_JSON_STRING ? tk_json_read_str(json, scratch, ret, err) : 1;
}

static int read_resource_member(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                                void *into, struct tk_err *err)
{
    struct node *node = into;
    if (tk_str_eq(key, TK_STR("name")))
        return read_text(json, scratch, &node->name, err);
    return tk_str_eq(key, TK_STR("serviceType"))
               ? read_text(json, scratch, &node->service_type, err)
               : 1;
}

static int read_environment_member(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                                   void *into, struct tk_err *err)
{
    struct node *node = into;
    (void)scratch;
    return tk_str_eq(key, TK_STR("body")) ? tk_json_skip(json, &node->body, err) : 1;
}

static int read_issue_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                             struct tk_err *err)
{
    struct node *node = into;
    bool is_first = node->issue.n == 0 && tk_str_eq(key, TK_STR("message"));
    return is_first ? read_text(json, scratch, &node->issue, err) : 1;
}

static int read_issues(struct tk_json *json, struct node *node, struct tk_arena *scratch,
                       struct tk_err *err)
{
    int rc = tk_json_enter_array(json, err);
    while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0) {
        node->has_issue = true;
        rc = tk_json_read_members(json, scratch, read_issue_member, node, err);
    }
    return rc < 0 ? rc : 0;
}

static int read_node_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                            struct tk_err *err)
{
    struct node *node = into;
    enum tk_json_kind kind = tk_json_peek(json);
    if (kind == TK_JSON_OBJECT && tk_str_eq(key, TK_STR("resource")))
        return tk_json_read_members(json, scratch, read_resource_member, node, err);
    if (kind == TK_JSON_OBJECT && tk_str_eq(key, TK_STR("environmentVariables")))
        return tk_json_read_members(json, scratch, read_environment_member, node, err);
    if (kind == TK_JSON_ARRAY && tk_str_eq(key, TK_STR("issues")))
        return read_issues(json, node, scratch, err);
    if (kind == TK_JSON_NUMBER && tk_str_eq(key, TK_STR("startTime"))) {
        node->has_start = true;
        return tk_json_read_i64(json, &node->start, err);
    }
    if (kind == TK_JSON_NUMBER && tk_str_eq(key, TK_STR("duration")))
        return tk_json_read_i64(json, &node->duration, err);
    const struct {
        const char *key;
        tk_str *to;
    } texts[] = {{"id", &node->id},
                 {"operation", &node->operation},
                 {"kind", &node->kind},
                 {"statusMessage", &node->message}};
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        if (tk_str_eq(key, tk_str_from(texts[i].key)))
            return read_text(json, scratch, texts[i].to, err);
    }
    return 1;
}

/* The id of a span: of the trace and the node, unless it is one of digits. */
static int span_id_of(struct gent *gent, tk_str node, uint64_t *ret_id, struct tk_err *err)
{
    char text[ID_MAX];
    size_t n = gent->trace_id.n;
    if (tk_span_id_parse(node, ret_id))
        return 0;
    if (n + node.n + 1 > sizeof(text))
        return tk_fail(err, -EBADMSG, "an id of more than %d bytes", ID_MAX);
    memcpy(text, gent->trace_id.p, n);
    text[n] = '/';
    memcpy(text + n + 1, node.p, node.n);
    return tk_reading_span_id((tk_str){text, n + 1 + node.n}, ret_id, err);
}

static int add_links(struct gent *gent, const struct edge *edge, struct tk_err *err)
{
    const struct edge *edges = (const void *)gent->edges.p;
    struct tk_span_batch *batch = gent->reading.batch;
    size_t row = batch->rows - 1;
    int rc = span_id_of(gent, edge->source, &batch->parent_ids[row], err);
    while (rc == 0 && edge->next > 0) {
        struct tk_span_link link = {0};
        edge = &edges[edge->next - 1];
        memcpy(link.trace_id, batch->trace_ids[row], sizeof(link.trace_id));
        rc = span_id_of(gent, edge->source, &link.span_id, err);
        rc = rc < 0 ? rc : tk_span_batch_add_link(batch, &link);
    }
    return rc;
}

/* Times since 1970 of this century in milliseconds have 13 digits, in microseconds 16. */
static int64_t unit_of(int64_t start)
{
    static const int64_t ns_per_ms = 1000000;
    static const int64_t ns_per_us = 1000;
    if (start >= 100000000000000000)
        return 1;
    return start >= 100000000000 && start < 100000000000000 ? ns_per_ms : ns_per_us;
}

/* The name of a node without "*K" at its end. */
static tk_str base_name(tk_str name)
{
    size_t star = tk_str_find_last(name, '*');
    return star > 0 ? (tk_str){name.p, star} : name;
}

static int put_parts(struct gent *gent, const struct node *node, struct tk_err *err)
{
    struct tk_reading *reading = &gent->reading;
    struct tk_span_batch *batch = reading->batch;
    size_t row = batch->rows - 1;
    tk_str service = {node->name.p, tk_str_find(node->name, '*')};
    batch->names[row] = tk_texts_add(&batch->texts, node->operation.n > 0 ? node->operation
                                                                          : base_name(node->name));
    batch->kinds[row] = tk_span_kind_parse(node->kind);
    batch->statuses[row] = node->has_issue ? TK_SPAN_ERROR : TK_SPAN_UNSET;
    tk_str message = node->message;
    if (message.n == 0 && !tk_str_eq(node->issue, TK_STR("Issue")))
        message = node->issue;
    batch->messages[row] = tk_texts_add(&batch->texts, message);
    batch->scope_ids[row] = tk_reading_service(reading, service);
    if (batch->scope_ids[row] == UINT32_MAX)
        return -ENOBUFS;
    int rc = 0;
    if (node->service_type.n > 0)
        rc = tk_reading_add_text(reading, TK_STR("gent.service_type"), node->service_type);
    if (rc == 0 && node->body.n > 0 && *node->body.p == '{') {
        struct tk_json json;
        tk_reading_scan(reading, node->body, &json);
        rc = tk_reading_read_attrs(reading, &json, err);
    }
    return rc;
}

static int put_node(struct gent *gent, const struct node *node, struct tk_err *err)
{
    struct tk_reading *reading = &gent->reading;
    struct tk_span_batch *batch = reading->batch;
    if (node->id.n == 0 || gent->trace_id.n == 0)
        return tk_fail(err, -EBADMSG, "a node without an id, or of a trace without transactionId");
    int rc = tk_span_batch_begin(batch);
    if (rc < 0)
        return rc;
    size_t row = batch->rows - 1;
    rc = tk_reading_trace_id(gent->trace_id, batch->trace_ids[row], err);
    rc = rc < 0 ? rc : span_id_of(gent, node->id, &batch->span_ids[row], err);
    if (rc == 0 && !node->has_start)
        rc = tk_fail(err, -EBADMSG, "a node without startTime");
    if (rc == 0) {
        rc = tk_reading_set_time(reading, node->start, node->duration, unit_of(node->start), err);
    }
    const struct edge *edge = find_edge(gent, node->id);
    if (rc == 0 && edge)
        rc = add_links(gent, edge, err);
    rc = rc < 0 ? rc : put_parts(gent, node, err);
    return rc < 0 ? rc : tk_span_batch_end(batch);
}

static int read_node(struct gent *gent, tk_str key, tk_str raw)
{
    struct tk_reading *reading = &gent->reading;
    struct tk_span_mark mark = tk_span_batch_mark(reading->batch);
    struct node node = {0};
    struct tk_json json;
    struct tk_err err = {0};
    tk_arena_reset(&reading->scratch);
    reading->before = *reading->tally;
    tk_reading_scan(reading, raw, &json);
    int rc = tk_json_read_members(&json, &reading->scratch, read_node_member, &node, &err);
    if (node.id.n == 0)
        node.id = key;
    rc = rc < 0 ? rc : put_node(gent, &node, &err);
    if (rc < 0)
        return tk_reading_take_back(reading, &mark, rc, raw.p, err.msg);
    reading->tally->spans++;
    return 0;
}

/* The nodes of the trace at hand: 0 at their end, -ENOBUFS. */
static int read_nodes(struct gent *gent, struct tk_err *err)
{
    int rc = 0;
    while (rc == 0) {
        struct tk_json before = gent->nodes;
        tk_str key = {NULL, 0};
        tk_str raw = {NULL, 0};
        rc = tk_json_next_key(&gent->nodes, &gent->texts, &key, err);
        if (rc == 0)
            rc = tk_json_skip(&gent->nodes, &raw, err);
        if (rc == 0 && read_node(gent, key, raw) < 0) {
            gent->nodes = before;
            return -ENOBUFS;
        }
    }
    return rc < 0 ? rc : 0;
}

static int read(void *state, struct tk_span_input *input, struct tk_span_batch *batch,
                struct tk_span_tally *tally, struct tk_err *err)
{
    struct gent *gent = state;
    tk_reading_begin(&gent->reading, input, batch, tally);
    for (;;) {
        tk_str raw;
        struct tk_err fault;
        int rc = gent->in_nodes ? read_nodes(gent, err) : 0;
        if (rc < 0)
            return rc == -ENOBUFS ? 0 : rc;
        gent->in_nodes = false;
        rc = tk_json_records_next(&gent->records, &gent->reading, &raw, err);
        if (rc != 0)
            return rc;
        if (open_trace(gent, raw, &fault) < 0) {
            gent->in_nodes = false;
            tk_reading_refuse(&gent->reading, TK_SPAN_BAD_RECORD, raw.p, fault.msg);
        }
    }
}

static bool detect(tk_str head)
{
    return tk_head_has_key(head, "nodesData");
}

static void close(void *state)
{
    struct gent *gent = state;
    if (!gent)
        return;
    tk_reading_release(&gent->reading);
    tk_map_release(&gent->parents);
    tk_arena_release(&gent->edges);
    tk_arena_release(&gent->texts);
    free(gent);
}

static int open(void **ret_state, struct tk_err *err)
{
    struct gent *gent = calloc(1, sizeof(*gent));
    if (!gent)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = tk_reading_init(&gent->reading, err);
    rc = rc < 0 ? rc : tk_arena_init(&gent->edges, (size_t)256 << 20, err);
    rc = rc < 0 ? rc : tk_arena_init(&gent->texts, (size_t)256 << 20, err);
    if (rc < 0) {
        close(gent);
    } else {
        *ret_state = gent;
    }
    return rc;
}

const struct tk_span_reader tk_span_reader_gent = {
    .name = "gent",
    .help = "traces of Gen-T, one JSON object each",
    .detect = detect,
    .open = open,
    .read = read,
    .close = close,
};
