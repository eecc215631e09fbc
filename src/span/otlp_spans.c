/* SPDX-License-Identifier: Apache-2.0 */
/* Invocations as spans. */
#include <stdio.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/number.h"
#include "run/schemas.h"
#include "span/otlp_internal.h"

#define TRACE_DIGITS 32
#define SPAN_DIGITS  16

enum kind { KIND_INTERNAL = 1, KIND_SERVER = 2 };

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

static int put_id(struct tk_buf *out, const char *key, tk_str id, size_t digits, struct tk_err *err)
{
    char hex[TK_DIGEST_MAX];
    if (!take_digits(id, digits, hex)) {
        int rc = tk_digest_text(id, hex, err);
        if (rc < 0)
            return rc;
    }
    tk_json_put_key(out, key);
    tk_json_put_str(out, (tk_str){hex, digits});
    return 0;
}

/* The id of a row, or one that is made of the run and its place there. */
static tk_str id_of(const struct tk_otlp *otlp, tk_str own, tk_str other, char made[64],
                    bool *ret_made)
{
    if (own.n > 0 || other.n > 0)
        return own.n > 0 ? own : other;
    *ret_made = true;
    unsigned long long place = otlp->spans + otlp->no_times;
    int n = snprintf(made, 64, "%.*s/%llu", (int)(otlp->run_id.n < 40 ? otlp->run_id.n : 40),
                     otlp->run_id.n > 0 ? otlp->run_id.p : "", place);
    return (tk_str){made, (size_t)n};
}

static int put_ids(struct tk_otlp *otlp, const struct tk_batch *batch, size_t row,
                   struct tk_buf *out, struct tk_err *err)
{
    char trace_text[64];
    char span_text[64];
    bool is_made = false;
    tk_str trace =
        id_of(otlp, tk_batch_text(batch, row, TK_INVOCATIONS_TRACE_ID),
              tk_batch_text(batch, row, TK_INVOCATIONS_W3C_TRACE_ID), trace_text, &is_made);
    tk_str span = id_of(otlp, tk_batch_text(batch, row, TK_INVOCATIONS_SPAN_ID),
                        tk_batch_text(batch, row, TK_INVOCATIONS_W3C_SPAN_ID), span_text, &is_made);
    tk_str parent = tk_batch_text(batch, row, TK_INVOCATIONS_PARENT_ID);
    otlp->made_ids += is_made;
    int rc = put_id(out, "traceId", trace, TRACE_DIGITS, err);
    if (rc == 0)
        rc = put_id(out, "spanId", span, SPAN_DIGITS, err);
    if (rc == 0 && parent.n > 0)
        rc = put_id(out, "parentSpanId", parent, SPAN_DIGITS, err);
    return rc;
}

/* An id that was hashed stays readable. */
static void put_own_id(struct tk_buf *out, const char *key, tk_str id, size_t digits)
{
    char hex[TRACE_DIGITS];
    if (!take_digits(id, digits, hex))
        tk_otlp_put_text(out, key, id);
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

static void put_name(struct tk_buf *out, tk_str method, tk_str path, bool request)
{
    tk_json_put_key(out, "name");
    if (request && method.n > 0 && path.n > 0) {
        TK_CLEANUP(tk_buf_release) struct tk_buf name;
        tk_buf_init(&name, out->max);
        tk_buf_put(&name, method);
        tk_buf_putc(&name, ' ');
        tk_buf_put(&name, path);
        tk_json_put_str(out, tk_buf_str(&name));
        return;
    }
    tk_str one = path.n > 0 ? path : method;
    tk_json_put_str(out, one.n > 0 ? one : TK_STR("invocation"));
}

static const struct name *find_name(size_t column)
{
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        if (names[i].column == column)
            return &names[i];
    }
    return NULL;
}

static void put_attributes(struct tk_buf *out, const struct tk_batch *batch, size_t row,
                           bool request)
{
    tk_json_put_key(out, "attributes");
    tk_buf_putc(out, '[');
    put_own_id(out, "tracekit.trace_id", tk_batch_text(batch, row, TK_INVOCATIONS_TRACE_ID),
               TRACE_DIGITS);
    put_own_id(out, "tracekit.span_id", tk_batch_text(batch, row, TK_INVOCATIONS_SPAN_ID),
               SPAN_DIGITS);
    put_own_id(out, "tracekit.parent_id", tk_batch_text(batch, row, TK_INVOCATIONS_PARENT_ID),
               SPAN_DIGITS);
    for (size_t i = 0; i < batch->schema->column_count; i++) {
        char own[64];
        const struct name *name = find_name(i);
        const char *key = own;
        if (name)
            key = request ? name->request : name->command;
        (void)snprintf(own, sizeof(own), "tracekit.%s", batch->schema->columns[i].name);
        if (key)
            tk_otlp_put_cell(out, key, batch, row, i);
    }
    tk_buf_putc(out, ']');
}

static void put_status(struct tk_buf *out, int64_t status, bool request)
{
    if (request ? status < first_server_error : status <= 0)
        return;
    tk_json_put_key(out, "status");
    tk_buf_lit(out, "{\"code\":2");
    if (!request)
        tk_buf_printf(out, ",\"message\":\"exit code %lld\"", (long long)status);
    tk_buf_putc(out, '}');
}

/* The time in a queue before the start, as an event at its begin. */
static void put_enqueue(struct tk_buf *out, int64_t enqueue_ms, int64_t start_ms)
{
    if (enqueue_ms <= 0 || enqueue_ms >= start_ms)
        return;
    tk_json_put_key(out, "events");
    tk_buf_lit(out, "[{\"name\":\"enqueue\"");
    tk_otlp_put_time(out, "timeUnixNano", enqueue_ms * TK_NS_PER_MS);
    tk_buf_lit(out, "}]");
}

static int put_span(struct tk_otlp *otlp, const struct tk_batch *batch, size_t row,
                    struct tk_buf *out, struct tk_err *err)
{
    int64_t start_ms = tk_batch_i64(batch, row, TK_INVOCATIONS_TS_START, 0);
    int64_t end_ms = tk_batch_i64(batch, row, TK_INVOCATIONS_TS_END, 0);
    int64_t status = tk_batch_i64(batch, row, TK_INVOCATIONS_STATUS, -1);
    tk_str method = tk_batch_text(batch, row, TK_INVOCATIONS_METHOD);
    bool request = is_request(method, status);
    tk_json_put_comma(out);
    tk_buf_putc(out, '{');
    int rc = put_ids(otlp, batch, row, out, err);
    if (rc < 0)
        return rc;
    put_name(out, method, tk_batch_text(batch, row, TK_INVOCATIONS_PATH), request);
    tk_buf_printf(out, ",\"kind\":%d", request ? KIND_SERVER : KIND_INTERNAL);
    tk_otlp_put_time(out, "startTimeUnixNano", start_ms * TK_NS_PER_MS);
    tk_otlp_put_time(out, "endTimeUnixNano", end_ms * TK_NS_PER_MS);
    put_attributes(out, batch, row, request);
    put_enqueue(out, tk_batch_i64(batch, row, TK_INVOCATIONS_TS_ENQUEUE, 0), start_ms);
    put_status(out, status, request);
    tk_buf_putc(out, '}');
    otlp->spans++;
    return 0;
}

/* A batch ------------------------------------------------------------------------------------ */

/* A span needs times that a clock can show, in this order. */
static bool is_span(const struct tk_batch *batch, size_t row)
{
    int64_t start_ms = tk_batch_i64(batch, row, TK_INVOCATIONS_TS_START, -1);
    int64_t end_ms = tk_batch_i64(batch, row, TK_INVOCATIONS_TS_END, -1);
    return start_ms > 0 && end_ms >= start_ms && end_ms < INT64_MAX / TK_NS_PER_MS;
}

/* All spans of the resource that the row `first` has. */
static int put_resource(struct tk_otlp_writing *writing, size_t first, struct tk_err *err)
{
    tk_otlp_begin_resource(writing, first, "scopeSpans", "spans");
    for (size_t row = first; row < writing->batch->rows; row++) {
        if (writing->done[row] || !tk_otlp_is_same(writing, first, row))
            continue;
        writing->done[row] = true;
        int rc = put_span(writing->otlp, writing->batch, row, writing->out, err);
        if (rc < 0)
            return rc;
    }
    tk_buf_lit(writing->out, "]}]}");
    return 0;
}

int tk_otlp_encode_spans(struct tk_otlp *otlp, const struct tk_batch *invocations,
                         struct tk_buf *out, struct tk_err *err)
{
    TK_CLEANUP(tk_otlp_writing_release) struct tk_otlp_writing writing;
    size_t left = 0;
    int rc = tk_otlp_writing_init(&writing, otlp, invocations, out, err);
    for (size_t row = 0; rc == 0 && row < invocations->rows; row++) {
        writing.done[row] = !is_span(invocations, row);
        otlp->no_times += writing.done[row];
        left += !writing.done[row];
    }
    if (rc < 0 || left == 0)
        return rc;
    tk_buf_lit(out, "{\"resourceSpans\":[");
    for (size_t row = 0; rc == 0 && row < invocations->rows; row++) {
        if (!writing.done[row])
            rc = put_resource(&writing, row, err);
    }
    tk_buf_lit(out, "]}\n");
    return rc;
}
