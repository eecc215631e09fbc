/* SPDX-License-Identifier: Apache-2.0 */
/* Traces as the lines of Gen-T (trace-compression.md sections 15.4 and 15.5), one object each, with
 * ",\n" behind it, in the form that Python's json.dumps() gives it. A node is called by its service
 * and the rank of its start among the spans of that service. Times are microseconds. */
#include "span/write_gent.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/number.h"
#include "base/scan.h"
#include "span/any_value.h"
#include "span/span_text.h"
#include "span/writing.h"

#define NONE     UINT32_MAX
#define REDIRECT 300 /* Gen-T takes a greater status code as an error */

struct node {
    tk_str name;  /* service, without its rank */
    uint64_t key; /* hash of it */
    int64_t start_ns;
    uint64_t span_id;
    uint32_t rank;
    uint32_t parent;       /* place in the trace; NONE = none there */
    uint32_t child, after; /* the first child, the next one of the same parent */
    uint32_t row;
};

struct state {
    struct tk_gent_options options;
    struct node *nodes; /* of the trace at hand; owned */
    uint32_t *sorted;   /* owned */
    size_t room;
    struct tk_map places; /* span id -> place; or hash of a key -> place of its last value */
    const struct tk_span_batch *batch;
    struct tk_buf *line;
    size_t n; /* nodes */
};

/* Texts ---------------------------------------------------------------------------------------- */

static void put_unit(struct tk_buf *out, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\', 'u'};
    for (unsigned i = 0; i < 4; i++)
        text[2 + i] = digits[unit >> (12 - 4 * i) & 15];
    tk_buf_put(out, (tk_str){text, sizeof(text)});
}

/* A character of several bytes of UTF-8 as one or two units of UTF-16. */
static void put_wide(struct tk_buf *out, const char *p, int n)
{
    uint32_t code = (unsigned char)*p & (0xFFU >> (n + 1));
    for (int i = 1; i < n; i++)
        code = code << 6 | ((unsigned char)p[i] & 0x3FU);
    if (code < 0x10000) {
        put_unit(out, code);
        return;
    }
    put_unit(out, 0xD800 + ((code - 0x10000) >> 10));
    put_unit(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
}

/* JSON without a byte beyond ASCII. */
static void put_ascii(struct tk_buf *out, tk_str json)
{
    const char *end = json.p + json.n;
    for (const char *p = json.p; p < end;) {
        const char *plain = p;
        while (p < end && (unsigned char)*p < 0x7F)
            p++;
        tk_buf_put(out, (tk_str){plain, (size_t)(p - plain)});
        if (p == end)
            break;
        int n = tk_utf8_length(p, end);
        if (n < 2) { /* DEL */
            put_unit(out, (unsigned char)*p);
            n = 1;
        } else {
            put_wide(out, p, n);
        }
        p += n;
    }
}

/* The trace ------------------------------------------------------------------------------------ */

static tk_str url_name(const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        if (attrs[i].type != TK_ATTR_STRING ||
            !tk_str_eq(tk_span_text(batch, attrs[i].key), TK_STR("http.url")))
            continue;
        tk_str url = tk_span_text(batch, attrs[i].text);
        url.n = tk_str_find(url, '?');
        (void)tk_str_take_prefix(&url, TK_STR("http://"));
        return url;
    }
    return (tk_str){NULL, 0};
}

static tk_str name_of(const struct state *state, size_t row)
{
    tk_str name = {NULL, 0};
    if (state->options.compat)
        name = url_name(state->batch, row);
    if (name.n == 0)
        name = tk_span_service(state->batch, row);
    return name.n > 0 ? name : TK_STR("unknown_service");
}

static int by_name_and_start(const void *a, const void *b, void *user)
{
    const struct node *nodes = user;
    const struct node *x = &nodes[*(const uint32_t *)a];
    const struct node *y = &nodes[*(const uint32_t *)b];
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    uint64_t ids[2] = {be64toh(x->span_id), be64toh(y->span_id)};
    return ids[0] < ids[1] ? -1 : ids[0] > ids[1];
}

/* Ranks of starts among spans of one name; ids break ties. */
static void rank(struct state *state)
{
    struct node *nodes = state->nodes;
    for (uint32_t i = 0; i < state->n; i++)
        state->sorted[i] = i;
    qsort_r(state->sorted, state->n, sizeof(*state->sorted), by_name_and_start, nodes);
    for (size_t i = 1; i < state->n; i++) {
        struct node *node = &nodes[state->sorted[i]];
        const struct node *before = &nodes[state->sorted[i - 1]];
        node->rank = node->key == before->key ? before->rank + 1 : 0;
    }
}

/* Hang each node below its parent, children in the order of spans. */
static int link_nodes(struct state *state)
{
    const struct tk_span_batch *batch = state->batch;
    struct node *nodes = state->nodes;
    uint32_t place;
    tk_map_reset(&state->places);
    for (size_t i = state->n; i-- > 0;) { /* of spans that share an id the first one counts */
        int rc = tk_map_add(&state->places, nodes[i].span_id, (uint32_t)i);
        if (rc < 0)
            return rc;
    }
    for (size_t i = state->n; i-- > 0;) {
        uint64_t parent = batch->parent_ids[nodes[i].row];
        if (parent == 0 || !tk_map_find(&state->places, parent, &place) || place == i)
            continue;
        nodes[i].parent = place;
        nodes[i].after = nodes[place].child;
        nodes[place].child = (uint32_t)i;
    }
    return 0;
}

static int read_trace(struct state *state, const struct tk_span_rows *rows)
{
    if (rows->n > state->room) {
        struct node *nodes = realloc(state->nodes, rows->n * sizeof(*nodes));
        state->nodes = nodes ? nodes : state->nodes;
        uint32_t *sorted = realloc(state->sorted, rows->n * sizeof(*sorted));
        state->sorted = sorted ? sorted : state->sorted;
        if (!nodes || !sorted)
            return -ENOMEM;
        state->room = rows->n;
    }
    state->n = rows->n;
    for (size_t i = 0; i < rows->n; i++) {
        size_t row = tk_span_rows_at(rows, i);
        tk_str name = name_of(state, row);
        state->nodes[i] = (struct node){.name = name,
                                        .key = tk_hash_text(name),
                                        .start_ns = state->batch->start_ns[row],
                                        .span_id = state->batch->span_ids[row],
                                        .parent = NONE,
                                        .child = NONE,
                                        .after = NONE,
                                        .row = (uint32_t)row};
    }
    rank(state);
    return link_nodes(state);
}

/* JSON ----------------------------------------------------------------------------------------- */

static void put_id(const struct state *state, const struct node *node)
{
    struct tk_buf *out = state->line;
    tk_json_put_str(out, node->name);
    if (!tk_buf_ok(out))
        return;
    out->n--; /* the quote */
    tk_buf_printf(out, "*%u\"", node->rank);
}

/* Microseconds, towards the past. */
static int64_t micros(int64_t ns)
{
    return ns / 1000 - (ns % 1000 < 0);
}

static int64_t end_of(const struct tk_span_batch *batch, uint32_t row)
{
    return micros(batch->start_ns[row]) + batch->duration_ns[row] / 1000;
}

static void put_pair(struct tk_buf *out, const char *before, int64_t value)
{
    tk_buf_puts(out, before);
    tk_buf_put_i64(out, value);
}

/* The text of a key: of a process with a prefix. */
static uint64_t hash_key(const struct tk_span_batch *batch, const struct tk_attr *attr,
                         bool is_process)
{
    uint64_t hash = tk_hash_text(is_process ? TK_STR("process_") : (tk_str){NULL, 0});
    tk_str key = tk_span_text(batch, attr->key);
    for (size_t i = 0; i < key.n; i++)
        hash = (hash ^ (unsigned char)key.p[i]) * 0x100000001B3ULL;
    return hash;
}

/* What a body is made of: attributes of the span, then of its process. */
struct body {
    const struct tk_attr *lists[2];
    size_t counts[2];
};

/* Whether an attribute is told elsewhere. */
static bool is_told(const struct tk_span_batch *batch, const struct tk_attr *attr, bool is_process)
{
    tk_str key = tk_span_text(batch, attr->key);
    return is_process ? tk_str_eq(key, TK_STR("service.name"))
                      : tk_str_eq(key, TK_STR("gent.service_type"));
}

static void put_member(const struct state *state, const struct tk_attr *key, bool is_process,
                       const struct tk_attr *value, bool is_first)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf name;
    tk_buf_init(&name, state->line->max);
    tk_buf_puts(&name, is_process ? "process_" : "");
    tk_buf_put(&name, tk_span_text(state->batch, key->key));
    tk_buf_puts(state->line, is_first ? "" : ", ");
    tk_json_put_str(state->line, tk_buf_str(&name));
    tk_buf_lit(state->line, ": ");
    tk_any_value_put_json(&state->batch->texts, value, state->line);
}

/* Of equal keys the last value stands in the place of the first one. */
static int put_body(struct state *state, const struct body *body, bool *ret_has_data)
{
    bool is_first = true;
    int rc = 0;
    tk_map_reset(&state->places);
    for (uint32_t i = 0, list = 0; list < 2; list++) {
        for (size_t k = 0; k < body->counts[list] && rc == 0; k++, i++) {
            uint64_t hash = hash_key(state->batch, &body->lists[list][k], list > 0);
            rc = tk_map_add(&state->places, hash, i);
        }
    }
    for (uint32_t list = 0; list < 2 && rc == 0; list++) {
        for (size_t k = 0; k < body->counts[list]; k++) {
            const struct tk_attr *attr = &body->lists[list][k];
            uint64_t hash = hash_key(state->batch, attr, list > 0);
            uint32_t last;
            if (is_told(state->batch, attr, list > 0) || !tk_map_find(&state->places, hash, &last))
                continue;
            bool of_process = last >= body->counts[0];
            size_t at = of_process ? last - body->counts[0] : last;
            put_member(state, attr, list > 0, &body->lists[of_process][at], is_first);
            is_first = false;
            (void)tk_map_remove(&state->places, hash);
        }
    }
    *ret_has_data = !is_first;
    return rc;
}

/* Gen-T's idea of an error: the status, or a status code that is no success. */
static bool has_error(const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    if (batch->statuses[row] == TK_SPAN_ERROR)
        return true;
    for (size_t i = 0; i < n; i++) {
        int64_t code = 0;
        if (!tk_str_eq(tk_span_text(batch, attrs[i].key), TK_STR("http.status_code")))
            continue;
        if (attrs[i].type == TK_ATTR_INT)
            code = attrs[i].i64;
        if (attrs[i].type == TK_ATTR_STRING)
            (void)tk_parse_i64(tk_span_text(batch, attrs[i].text), &code);
        return code > REDIRECT;
    }
    return false;
}

static tk_str service_type(const struct state *state, size_t row)
{
    const char *other = state->options.service_type;
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(state->batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        if (attrs[i].type == TK_ATTR_STRING &&
            tk_str_eq(tk_span_text(state->batch, attrs[i].key), TK_STR("gent.service_type")))
            return tk_span_text(state->batch, attrs[i].text);
    }
    return other ? tk_str_from(other) : TK_STR("otel");
}

/* What Gen-T's readers pass over, and ours takes. */
static void put_own(const struct state *state, const struct node *node)
{
    const struct tk_span_batch *batch = state->batch;
    struct tk_buf *out = state->line;
    tk_buf_lit(out, ", \"operation\": ");
    tk_json_put_str(out, tk_span_name(batch, node->row));
    tk_buf_lit(out, ", \"kind\": ");
    tk_json_put_str(out, tk_str_from(tk_span_kind_names[batch->kinds[node->row]]));
    tk_buf_lit(out, ", \"statusMessage\": ");
    tk_json_put_str(out, tk_span_text(batch, batch->messages[node->row]));
}

static void put_issues(const struct state *state, const struct node *node)
{
    struct tk_buf *out = state->line;
    tk_buf_lit(out, ", \"issues\": [");
    if (has_error(state->batch, node->row)) {
        tk_buf_lit(out, "{\"category\": \"ERROR\", \"id\": ");
        put_id(state, node);
        tk_buf_lit(out, ", \"name\": \"Error\", \"type\": \"Error\", \"message\": \"Issue\", "
                        "\"description\": \"Issue\"}");
    }
    tk_buf_putc(out, ']');
}

/* Whether a body is empty is known when it is written, and said before it. */
static int put_data(struct state *state, const struct node *node)
{
    struct tk_buf *out = state->line;
    struct tk_buf body;
    const struct tk_span_resource *resource = tk_span_resource_of(state->batch, node->row);
    struct body parts = {.lists = {NULL, state->batch->side_attrs + resource->attrs.begin},
                         .counts = {0, resource->attrs.n}};
    bool has_data = false;
    parts.lists[0] = tk_span_attrs(state->batch, node->row, &parts.counts[0]);
    tk_buf_init(&body, out->max);
    state->line = &body;
    int rc = put_body(state, &parts, &has_data);
    state->line = out;
    put_pair(out, ", \"hasData\": ", has_data);
    tk_buf_lit(out, ", \"environmentVariables\": {\"isTruncated\": 0, \"body\": {");
    tk_buf_put(out, tk_buf_str(&body));
    tk_buf_lit(out, "}}");
    if (!tk_buf_ok(&body))
        tk_buf_fail(out, body.failure);
    tk_buf_release(&body);
    return rc;
}

static int put_node(struct state *state, const struct node *node)
{
    struct tk_buf *out = state->line;
    tk_str type = service_type(state, node->row);
    put_id(state, node);
    tk_buf_lit(out, ": {\"resource\": {\"id\": ");
    put_id(state, node);
    tk_buf_lit(out, ", \"name\": ");
    put_id(state, node);
    tk_buf_lit(out, ", \"serviceType\": ");
    tk_json_put_str(out, type);
    tk_buf_lit(out, "}, \"id\": ");
    put_id(state, node);
    put_pair(out, ", \"startTime\": ", micros(node->start_ns));
    put_pair(out, ", \"duration\": ", state->batch->duration_ns[node->row] / 1000);
    tk_buf_lit(out, ", \"appTagId\": \"app_0000000000\"");
    int rc = put_data(state, node);
    put_issues(state, node);
    tk_buf_lit(out, ", \"type\": ");
    tk_json_put_str(out, type);
    if (!state->options.compat)
        put_own(state, node);
    tk_buf_putc(out, '}');
    return rc;
}

static size_t put_edges(const struct state *state)
{
    struct tk_buf *out = state->line;
    size_t count = 0;
    for (size_t i = 0; i < state->n; i++) {
        const struct node *parent = &state->nodes[i];
        for (uint32_t child = parent->child; child != NONE; child = state->nodes[child].after) {
            const struct node *ends[2] = {parent, &state->nodes[child]};
            tk_buf_puts(out, count++ > 0 ? ", {\"source\": " : "{\"source\": ");
            put_id(state, ends[state->options.reversed]);
            tk_buf_lit(out, ", \"target\": ");
            put_id(state, ends[!state->options.reversed]);
            tk_buf_putc(out, '}');
        }
    }
    return count;
}

static void put_children(const struct state *state, const struct node *node)
{
    struct tk_buf *out = state->line;
    uint32_t first = state->options.reversed ? node->parent : node->child;
    for (uint32_t i = first; i != NONE;
         i = state->options.reversed ? NONE : state->nodes[i].after) {
        tk_buf_puts(out, i == first ? "" : ", ");
        put_id(state, &state->nodes[i]);
    }
}

static void put_items(const struct state *state)
{
    struct tk_buf *out = state->line;
    for (size_t i = 0; i < state->n; i++) {
        const struct node *node = &state->nodes[i];
        tk_buf_puts(out, i > 0 ? ", {\"id\": " : "{\"id\": ");
        put_id(state, node);
        tk_buf_lit(out, ", \"childrenIds\": [");
        put_children(state, node);
        tk_buf_lit(out, "], \"group\": \"\"");
        put_pair(out, ", \"start\": ", micros(node->start_ns));
        put_pair(out, ", \"end\": ", end_of(state->batch, node->row));
        put_pair(out, ", \"duration\": ", state->batch->duration_ns[node->row] / 1000);
        tk_buf_putc(out, '}');
    }
}

static void put_tail(const struct state *state)
{
    struct tk_buf *out = state->line;
    int64_t start = INT64_MAX;
    int64_t end = INT64_MIN;
    for (size_t i = 0; i < state->n; i++) {
        int64_t last = end_of(state->batch, state->nodes[i].row);
        int64_t first = micros(state->nodes[i].start_ns);
        start = first < start ? first : start;
        end = last > end ? last : end;
    }
    put_pair(out, "]}, \"timeline\": {\"status\": \"completed\", \"range\": {\"start\": ", start);
    put_pair(out, ", \"end\": ", end);
    tk_buf_lit(out, "}, \"items\": [");
    put_items(state);
    tk_buf_lit(out, "]}, \"details\": {\"status\": \"completed\", \"transactionId\": ");
    tk_put_trace_id(out, state->batch->trace_ids[state->nodes[0].row], true);
    put_pair(out, ", \"startTime\": ", start);
    put_pair(out, ", \"duration\": ", end - start);
    tk_buf_lit(out, ", \"cost\": 0, \"regions\": [], \"issues\": {\"count\": 0}, "
                    "\"triggeredService\": {}}},\n");
}

static int put_trace(struct state *state, const struct tk_span_rows *rows, struct tk_buf *out)
{
    struct tk_buf line;
    int rc = read_trace(state, rows);
    if (rc < 0)
        return rc;
    tk_buf_init(&line, out->max);
    state->line = &line;
    tk_buf_lit(&line, "{\"traceStatus\": \"manual-traced\", \"nodesData\": {");
    for (size_t i = 0; i < state->n && rc == 0; i++) {
        tk_buf_puts(&line, i > 0 ? ", " : "");
        rc = put_node(state, &state->nodes[i]);
    }
    tk_buf_lit(&line, "}, \"graph\": {\"status\": \"completed\", \"edges\": [");
    size_t edges = put_edges(state);
    put_tail(state);
    if (!tk_buf_ok(&line))
        tk_buf_fail(out, line.failure);
    if (edges > 0 || !state->options.compat)
        put_ascii(out, tk_buf_str(&line));
    tk_buf_release(&line);
    return rc;
}

static int put_spans(void *user, const struct tk_span_rows *rows, struct tk_buf *out,
                     struct tk_err *err)
{
    struct state *state = user;
    struct tk_span_rows trace = {.batch = rows->batch};
    state->batch = rows->batch;
    for (size_t i = 0; i < rows->n; i += trace.n) {
        trace.rows = rows->rows + i;
        trace.n = tk_span_rows_trace(rows, i);
        if (put_trace(state, &trace, out) < 0)
            return tk_fail(err, -ENOMEM, "out of memory");
    }
    return tk_buf_check(out, "traces", err);
}

static void release(void *user)
{
    struct state *state = user;
    tk_map_release(&state->places);
    free(state->nodes);
    free(state->sorted);
}

const struct tk_span_encoder tk_span_encoder_gent = {
    .name = "gent",
    .help = "lines of Gen-T, a trace each",
    .ending = ".gent.json",
    .state_size = sizeof(struct state),
    .by_trace = true,
    .spans = put_spans,
    .release = release,
};
