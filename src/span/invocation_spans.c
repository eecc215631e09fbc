/* SPDX-License-Identifier: Apache-2.0 */
#include "span/invocation_spans.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/number.h"
#include "run/schemas.h"
#include "span/span_text.h"

#define RESOURCE_KEY_MAX ((size_t)1 << 20)

enum { KIND_INVOCATION = 16 }; /* of resources that are known */

static const int64_t first_server_error = 500;

/* What a column is called in a span of either kind; NULL = it stands elsewhere. All others are
 * "tracekit.COLUMN". */
static const struct name {
    size_t column;
    const char *request, *command;
} names[] = {
    {TK_INVOCATIONS_TRACE_ID, NULL, NULL},
    {TK_INVOCATIONS_SPAN_ID, NULL, NULL},
    {TK_INVOCATIONS_PARENT_ID, NULL, NULL},
    {TK_INVOCATIONS_W3C_TRACE_ID, NULL, NULL},
    {TK_INVOCATIONS_W3C_SPAN_ID, NULL, NULL},
    {TK_INVOCATIONS_MODULE_ID, NULL, NULL},
    {TK_INVOCATIONS_INSTANCE_ID, NULL, NULL},
    {TK_INVOCATIONS_TS_ENQUEUE, NULL, NULL},
    {TK_INVOCATIONS_TS_START, NULL, NULL},
    {TK_INVOCATIONS_TS_END, NULL, NULL},
    {TK_INVOCATIONS_SERVICE_TIME_MS, NULL, NULL},
    {TK_INVOCATIONS_RT_MS, NULL, NULL},
    {TK_INVOCATIONS_NODE, NULL, NULL},
    {TK_INVOCATIONS_HOST, NULL, NULL},
    {TK_INVOCATIONS_STAGE, NULL, NULL},
    {TK_INVOCATIONS_PID, NULL, NULL},
    {TK_INVOCATIONS_START_TICKS, NULL, NULL},
    {TK_INVOCATIONS_METHOD, "http.request.method", "tracekit.method"},
    {TK_INVOCATIONS_PATH, "url.path", "process.executable.name"},
    {TK_INVOCATIONS_STATUS, "http.response.status_code", "process.exit.code"},
    {TK_INVOCATIONS_EXIT_CODE, "tracekit.exit_code", NULL}, /* the status of a command */
    {TK_INVOCATIONS_BYTES_IN, "http.request.body.size", "tracekit.bytes_in"},
    {TK_INVOCATIONS_BYTES_OUT, "http.response.body.size", "tracekit.bytes_out"},
    {TK_INVOCATIONS_USER, "user.name", "user.name"},
};

static tk_str text_at(const struct tk_invocation_row *from, size_t column)
{
    return tk_batch_text(from->batch, from->row, column);
}

static tk_str first_text(const struct tk_invocation_row *from, size_t column, size_t other)
{
    tk_str text = text_at(from, column);
    return text.n > 0 ? text : text_at(from, other);
}

static int64_t number_at(const struct tk_invocation_row *from, size_t column, int64_t otherwise)
{
    return tk_batch_i64(from->batch, from->row, column, otherwise);
}

/* Ids ---------------------------------------------------------------------------------------- */

/* The id without dashes in lower case; false when it is not that many digits, or zero. */
static bool take_digits(tk_str id, size_t digits, char *ret)
{
    size_t n = 0;
    bool is_zero = true;
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        if (c >= 'A' && c <= 'F')
            c = (char)(c - 'A' + 'a');
        if (c == '-')
            continue;
        if (n == digits || !(tk_is_digit(c) || (c >= 'a' && c <= 'f')))
            return false;
        is_zero = is_zero && c == '0';
        ret[n++] = c;
    }
    return n == digits && !is_zero;
}

/* An id of a span as digits; empty = none. */
struct id {
    char hex[TK_DIGEST_MAX];
    size_t n;
};

static tk_str id_str(const struct id *id)
{
    return (tk_str){id->hex, id->n};
}

int tk_invocation_id(tk_str text, size_t digits, char ret_hex[TK_DIGEST_MAX], struct tk_err *err)
{
    return take_digits(text, digits, ret_hex) ? 0 : tk_digest_text(text, ret_hex, err);
}

static int take_id(tk_str text, size_t digits, struct id *ret, struct tk_err *err)
{
    ret->n = text.n > 0 ? digits : 0;
    return text.n > 0 ? tk_invocation_id(text, digits, ret->hex, err) : 0;
}

struct ids {
    struct id trace, span, parent;
};

static tk_str trace_of(const struct tk_invocation_row *from)
{
    return first_text(from, TK_INVOCATIONS_W3C_TRACE_ID, TK_INVOCATIONS_TRACE_ID);
}

static tk_str span_of(const struct tk_invocation_row *from)
{
    return first_text(from, TK_INVOCATIONS_W3C_SPAN_ID, TK_INVOCATIONS_SPAN_ID);
}

bool tk_invocation_has_ids(const struct tk_batch *batch, size_t row)
{
    const struct tk_invocation_row from = {.batch = batch, .row = row};
    return trace_of(&from).n > 0 && span_of(&from).n > 0;
}

static int take_ids(const struct tk_invocation_row *from, struct ids *ret, struct tk_err *err)
{
    tk_str trace = trace_of(from);
    tk_str span = span_of(from);
    tk_str parent = text_at(from, TK_INVOCATIONS_PARENT_ID);
    int rc = take_id(trace.n > 0 ? trace : from->made_id, TK_TRACE_ID_DIGITS, &ret->trace, err);
    if (rc == 0)
        rc = take_id(span.n > 0 ? span : from->made_id, TK_SPAN_ID_DIGITS, &ret->span, err);
    return rc < 0 ? rc : take_id(parent, TK_SPAN_ID_DIGITS, &ret->parent, err);
}

/* An id that is not the span's as it is stays readable. */
static int put_own_id(struct tk_reading *reading, tk_str key, tk_str own, const struct id *taken)
{
    char hex[TK_TRACE_ID_DIGITS];
    bool is_same =
        take_digits(own, taken->n, hex) && tk_str_eq((tk_str){hex, taken->n}, id_str(taken));
    if (own.n == 0 || is_same)
        return 0;
    return tk_reading_add_text(reading, key, own);
}

static int put_own_ids(struct tk_reading *reading, const struct tk_invocation_row *from,
                       const struct ids *ids)
{
    const struct {
        tk_str key;
        size_t column;
        const struct id *taken;
    } own[] = {
        {TK_STR("tracekit.trace_id"), TK_INVOCATIONS_TRACE_ID, &ids->trace},
        {TK_STR("tracekit.span_id"), TK_INVOCATIONS_SPAN_ID, &ids->span},
        {TK_STR("tracekit.parent_id"), TK_INVOCATIONS_PARENT_ID, &ids->parent},
        {TK_STR("tracekit.w3c_trace_id"), TK_INVOCATIONS_W3C_TRACE_ID, &ids->trace},
        {TK_STR("tracekit.w3c_span_id"), TK_INVOCATIONS_W3C_SPAN_ID, &ids->span},
    };
    int rc = 0;
    for (size_t i = 0; i < TK_COUNTOF(own) && rc == 0; i++)
        rc = put_own_id(reading, own[i].key, text_at(from, own[i].column), own[i].taken);
    return rc;
}

/* Resource ----------------------------------------------------------------------------------- */

/* A column of a row as an attribute without its key; false where it is absent or an empty text. */
static bool read_cell(struct tk_reading *reading, const struct tk_invocation_row *from,
                      size_t column, struct tk_attr *ret)
{
    if (!tk_batch_has(from->batch, from->row, column))
        return false;
    const union tk_value *value = tk_batch_at(from->batch, from->row, column);
    if (from->batch->schema->columns[column].type != TK_TEXT) {
        *ret = (struct tk_attr){.type = TK_ATTR_INT, .i64 = value->i64};
        return true;
    }
    *ret =
        (struct tk_attr){.type = TK_ATTR_STRING, .text = tk_reading_add_name(reading, value->text)};
    return value->text.n > 0;
}

static int add_side(struct tk_reading *reading, tk_str key, struct tk_attr *attr,
                    struct tk_attr_range *range)
{
    attr->key = tk_texts_add(&reading->batch->texts, key);
    if (attr->key == TK_TEXTS_NONE || (attr->type == TK_ATTR_STRING && attr->text == TK_TEXTS_NONE))
        return -ENOBUFS;
    uint32_t index = tk_span_batch_add_side_attr(reading->batch, attr);
    if (index == UINT32_MAX)
        return -ENOBUFS;
    range->begin = range->n == 0 ? index : range->begin;
    range->n++;
    return 0;
}

/* What a resource tells; of the host the first that is there. */
static const struct place {
    const char *key;
    size_t column, other;
} places[] = {
    {"service.name", TK_INVOCATIONS_MODULE_ID, TK_INVOCATIONS_MODULE_ID},
    {"service.instance.id", TK_INVOCATIONS_INSTANCE_ID, TK_INVOCATIONS_INSTANCE_ID},
    {"host.name", TK_INVOCATIONS_HOST, TK_INVOCATIONS_NODE},
    {"process.pid", TK_INVOCATIONS_PID, TK_INVOCATIONS_PID},
    {"tracekit.node", TK_INVOCATIONS_NODE, TK_INVOCATIONS_NODE},
    {"tracekit.stage", TK_INVOCATIONS_STAGE, TK_INVOCATIONS_STAGE},
    {"tracekit.start_ticks", TK_INVOCATIONS_START_TICKS, TK_INVOCATIONS_START_TICKS},
};

static bool read_place(struct tk_reading *reading, const struct tk_invocation_row *from,
                       const struct place *place, struct tk_attr *ret)
{
    return read_cell(reading, from, place->column, ret) ||
           read_cell(reading, from, place->other, ret);
}

static int add_resource(struct tk_reading *reading, const struct tk_invocation_row *from,
                        uint32_t *ret_resource)
{
    struct tk_span_resource resource = {0};
    for (size_t i = 0; i < TK_COUNTOF(places); i++) {
        struct tk_attr attr;
        bool is_there = read_place(reading, from, &places[i], &attr);
        if (i == 0 && !is_there) {
            /* A resource without a service name gets this one by the conventions. */
            attr = (struct tk_attr){
                .type = TK_ATTR_STRING,
                .text = tk_texts_add(&reading->batch->texts, TK_STR("unknown_service"))};
            is_there = true;
        }
        if (i == 0)
            resource.service = attr.text;
        if (is_there && add_side(reading, tk_str_from(places[i].key), &attr, &resource.attrs) < 0)
            return -ENOBUFS;
    }
    if (from->run_id.n > 0) {
        struct tk_attr attr = {.type = TK_ATTR_STRING,
                               .text = tk_reading_add_name(reading, from->run_id)};
        if (add_side(reading, TK_STR("tracekit.run_id"), &attr, &resource.attrs) < 0)
            return -ENOBUFS;
    }
    *ret_resource = tk_span_batch_add_resource(reading->batch, &resource);
    return *ret_resource == UINT32_MAX ? -ENOBUFS : 0;
}

static void format_cell(const struct tk_invocation_row *from, size_t column, struct tk_buf *out)
{
    if (!tk_batch_has(from->batch, from->row, column))
        return;
    const union tk_value *value = tk_batch_at(from->batch, from->row, column);
    if (from->batch->schema->columns[column].type == TK_TEXT) {
        tk_buf_put(out, value->text);
    } else {
        tk_buf_put_i64(out, value->i64);
    }
}

/* All that makes the resource, as one text to find it by. */
static void format_resource(const struct tk_invocation_row *from, struct tk_buf *out)
{
    for (size_t i = 0; i < TK_COUNTOF(places); i++) {
        format_cell(from, places[i].column, out);
        tk_buf_putc(out, '\n');
    }
}

static int put_resource(struct tk_reading *reading, const struct tk_invocation_row *from)
{
    struct tk_span_batch *batch = reading->batch;
    uint32_t resource;
    TK_CLEANUP(tk_buf_release) struct tk_buf key;
    tk_buf_init(&key, RESOURCE_KEY_MAX);
    format_resource(from, &key);
    if (!tk_buf_ok(&key))
        return -ENOBUFS;
    if (!tk_reading_find(reading, KIND_INVOCATION, tk_buf_str(&key), &resource)) {
        uint32_t text = tk_texts_add(&batch->texts, tk_buf_str(&key));
        if (text == TK_TEXTS_NONE || add_resource(reading, from, &resource) < 0)
            return -ENOBUFS;
        tk_reading_add(reading, KIND_INVOCATION, tk_texts_get(&batch->texts, text), resource);
    }
    uint32_t scope = tk_reading_scope(reading, resource, TK_STR("tracekit"), TK_STR(TK_VERSION));
    batch->scope_ids[batch->rows - 1] = scope;
    return scope == UINT32_MAX ? -ENOBUFS : 0;
}

/* A span ------------------------------------------------------------------------------------- */

/* A request, or a command. */
static bool is_request(tk_str method, int64_t status)
{
    static const char *const methods[] = {"GET",     "POST",    "PUT",   "HEAD",  "DELETE",
                                          "OPTIONS", "CONNECT", "TRACE", "PATCH", "QUERY"};
    for (size_t i = 0; i < TK_COUNTOF(methods); i++) {
        if (tk_str_eq(method, tk_str_from(methods[i])))
            return true;
    }
    return method.n == 0 && status >= 100 && status < 600;
}

static uint32_t add_name(struct tk_reading *reading, tk_str method, tk_str path, bool request)
{
    if (request && method.n > 0 && path.n > 0) {
        TK_CLEANUP(tk_buf_release) struct tk_buf name;
        tk_buf_init(&name, method.n + path.n + 1);
        tk_buf_put(&name, method);
        tk_buf_putc(&name, ' ');
        tk_buf_put(&name, path);
        return tk_buf_ok(&name) ? tk_reading_add_name(reading, tk_buf_str(&name)) : TK_TEXTS_NONE;
    }
    tk_str one = path.n > 0 ? path : method;
    return tk_reading_add_name(reading, one.n > 0 ? one : TK_STR("invocation"));
}

static const struct name *find_name(size_t column)
{
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        if (names[i].column == column)
            return &names[i];
    }
    return NULL;
}

static int put_attributes(struct tk_reading *reading, const struct tk_invocation_row *from,
                          bool request)
{
    int rc = 0;
    for (size_t i = 0; i < TK_INVOCATIONS_COUNT && rc == 0; i++) {
        char own[64];
        struct tk_attr attr;
        const struct name *name = find_name(i);
        const char *key = own;
        if (name)
            key = request ? name->request : name->command;
        if (!key || !read_cell(reading, from, i, &attr))
            continue;
        (void)snprintf(own, sizeof(own), "tracekit.%s", tk_schema_invocations.columns[i].name);
        attr.key = tk_texts_add(&reading->batch->texts, tk_str_from(key));
        rc = tk_span_batch_add_attr(reading->batch, &attr);
    }
    return rc;
}

static void put_status(struct tk_reading *reading, int64_t status, bool request)
{
    struct tk_span_batch *batch = reading->batch;
    size_t row = batch->rows - 1;
    char message[40];
    if (request ? status < first_server_error : status <= 0)
        return;
    batch->statuses[row] = TK_SPAN_ERROR;
    if (request)
        return;
    (void)snprintf(message, sizeof(message), "exit code %lld", (long long)status);
    batch->messages[row] = tk_texts_add(&batch->texts, tk_str_from(message));
}

/* The time in a queue before the start, as an event at its begin. */
static int put_enqueue(struct tk_reading *reading, int64_t enqueue_ms, int64_t start_ms)
{
    if (enqueue_ms <= 0 || enqueue_ms >= start_ms)
        return 0;
    const struct tk_span_event event = {
        .time_ns = enqueue_ms * TK_NS_PER_MS,
        .name = tk_texts_add(&reading->batch->texts, TK_STR("enqueue")),
    };
    return tk_span_batch_add_event(reading->batch, &event);
}

static int put_times(struct tk_reading *reading, const struct tk_invocation_row *from,
                     struct tk_err *err)
{
    int64_t start_ms = number_at(from, TK_INVOCATIONS_TS_START, 0);
    int64_t end_ms = number_at(from, TK_INVOCATIONS_TS_END, 0);
    if (start_ms <= 0 || end_ms <= 0)
        return tk_fail(err, -EBADMSG, "an event without %s", start_ms <= 0 ? "ts_start" : "ts_end");
    int rc = tk_reading_set_time(reading, start_ms, end_ms - start_ms, TK_NS_PER_MS, err);
    if (rc < 0)
        return rc;
    return put_enqueue(reading, number_at(from, TK_INVOCATIONS_TS_ENQUEUE, 0), start_ms);
}

bool tk_invocation_is_span(const struct tk_batch *batch, size_t row)
{
    int64_t start_ms = tk_batch_i64(batch, row, TK_INVOCATIONS_TS_START, -1);
    int64_t end_ms = tk_batch_i64(batch, row, TK_INVOCATIONS_TS_END, -1);
    return start_ms > 0 && end_ms >= start_ms && end_ms < INT64_MAX / TK_NS_PER_MS;
}

int tk_invocation_put(struct tk_reading *reading, const struct tk_invocation_row *from,
                      struct tk_err *err)
{
    struct tk_span_batch *batch = reading->batch;
    int64_t status = number_at(from, TK_INVOCATIONS_STATUS, -1);
    tk_str method = text_at(from, TK_INVOCATIONS_METHOD);
    tk_str path = text_at(from, TK_INVOCATIONS_PATH);
    bool request = is_request(method, status);
    struct ids ids;
    int rc = take_ids(from, &ids, err);
    if (rc == 0) {
        rc = tk_reading_begin_row(reading, id_str(&ids.trace), id_str(&ids.span),
                                  id_str(&ids.parent), err);
    }
    rc = rc < 0 ? rc : put_resource(reading, from);
    rc = rc < 0 ? rc : put_times(reading, from, err);
    rc = rc < 0 ? rc : put_own_ids(reading, from, &ids);
    rc = rc < 0 ? rc : put_attributes(reading, from, request);
    if (rc < 0)
        return rc;
    batch->names[batch->rows - 1] = add_name(reading, method, path, request);
    batch->kinds[batch->rows - 1] = request ? TK_SPAN_SERVER : TK_SPAN_INTERNAL;
    put_status(reading, status, request);
    return 0;
}
