/* SPDX-License-Identifier: Apache-2.0 */
#include "span/call.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "run/schemas.h"
#include "span/when.h"

#define NO_COLUMN SIZE_MAX

/* No clock shows more (year 2116), and nothing takes longer (36 years), so that sums and
 * differences of the six do not overflow. */
#define TIME_LIMIT_NS     (INT64_MAX / 2)
#define DURATION_LIMIT_NS (INT64_MAX / 8)

#define SHOWN_MAX 60 /* bytes of a text in a message */

const struct tk_field_about tk_fields[TK_FIELD_COUNT] = {
    [TK_FIELD_ENQUEUE] = {"ts_enqueue", TK_KIND_TIME, NO_COLUMN, "arrival or submission"},
    [TK_FIELD_START] = {"ts_start", TK_KIND_TIME, NO_COLUMN, "start of the work"},
    [TK_FIELD_END] = {"ts_end", TK_KIND_TIME, NO_COLUMN, "end of the work"},
    [TK_FIELD_QUEUED] = {"queue_time", TK_KIND_DURATION, NO_COLUMN, "start - arrival"},
    [TK_FIELD_SERVICE] = {"service", TK_KIND_DURATION, NO_COLUMN, "end - start"},
    [TK_FIELD_RT] = {"rt", TK_KIND_DURATION, NO_COLUMN, "end - arrival"},
    [TK_FIELD_REQUEST] = {"request", TK_KIND_REQUEST, NO_COLUMN,
                          "request line: method, path and protocol"},
    [TK_FIELD_TRACEPARENT] = {"traceparent", TK_KIND_TRACEPARENT, NO_COLUMN,
                              "W3C trace context: trace_id, w3c_trace_id, parent_id"},
    [TK_FIELD_EXIT] = {"exit", TK_KIND_EXIT, NO_COLUMN,
                       "exit code, or CODE:SIGNAL: exit_code and status"},
    [TK_FIELD_JOB] = {"job", TK_KIND_TEXT, NO_COLUMN,
                      "id of the job: trace_id where there is none"},
    [TK_FIELD_EVENT] = {"event", TK_KIND_TEXT, NO_COLUMN, "event in the life of a task (jobs)"},
    [TK_FIELD_STAMP] = {"stamp", TK_KIND_TIME, NO_COLUMN, "when that event was (jobs)"},
    [TK_FIELD_TRACE_ID] = {"trace_id", TK_KIND_TEXT, TK_INVOCATIONS_TRACE_ID, "chain of calls"},
    [TK_FIELD_SPAN_ID] = {"span_id", TK_KIND_TEXT, TK_INVOCATIONS_SPAN_ID, "the call itself"},
    [TK_FIELD_PARENT_ID] = {"parent_id", TK_KIND_TEXT, TK_INVOCATIONS_PARENT_ID,
                            "the span that caused it"},
    [TK_FIELD_W3C_TRACE_ID] = {"w3c_trace_id", TK_KIND_TEXT, TK_INVOCATIONS_W3C_TRACE_ID,
                               "32 hexadecimal digits"},
    [TK_FIELD_W3C_SPAN_ID] = {"w3c_span_id", TK_KIND_TEXT, TK_INVOCATIONS_W3C_SPAN_ID,
                              "16 hexadecimal digits"},
    [TK_FIELD_MODULE_ID] = {"module_id", TK_KIND_TEXT, TK_INVOCATIONS_MODULE_ID, "logical module"},
    [TK_FIELD_INSTANCE_ID] = {"instance_id", TK_KIND_TEXT, TK_INVOCATIONS_INSTANCE_ID,
                              "container or process of the module"},
    [TK_FIELD_NODE] = {"node", TK_KIND_TEXT, TK_INVOCATIONS_NODE, "node label"},
    [TK_FIELD_STAGE] = {"stage", TK_KIND_TEXT, TK_INVOCATIONS_STAGE, "role of the node"},
    [TK_FIELD_HOST] = {"host", TK_KIND_TEXT, TK_INVOCATIONS_HOST, "host name"},
    [TK_FIELD_METHOD] = {"method", TK_KIND_TEXT, TK_INVOCATIONS_METHOD, "HTTP method"},
    [TK_FIELD_PATH] = {"path", TK_KIND_TEXT, TK_INVOCATIONS_PATH, "HTTP route, or program"},
    [TK_FIELD_INPUT] = {"input", TK_KIND_TEXT, TK_INVOCATIONS_INPUT, "name of the input"},
    [TK_FIELD_OUTPUT] = {"output", TK_KIND_TEXT, TK_INVOCATIONS_OUTPUT, "name of the output"},
    [TK_FIELD_QUEUE] = {"queue", TK_KIND_TEXT, TK_INVOCATIONS_QUEUE, "queue or partition"},
    [TK_FIELD_USER] = {"user", TK_KIND_TEXT, TK_INVOCATIONS_USER, "who submitted it"},
    [TK_FIELD_STATUS] = {"status", TK_KIND_COUNT, TK_INVOCATIONS_STATUS,
                         "HTTP status or exit code"},
    [TK_FIELD_EXIT_CODE] = {"exit_code", TK_KIND_COUNT, TK_INVOCATIONS_EXIT_CODE, "exit code"},
    [TK_FIELD_PID] = {"pid", TK_KIND_COUNT, TK_INVOCATIONS_PID, "process that served it"},
    [TK_FIELD_HOST_PID] = {"host_pid", TK_KIND_COUNT, TK_INVOCATIONS_HOST_PID,
                           "its process id on the host"},
    [TK_FIELD_ATTEMPT] = {"attempt", TK_KIND_COUNT, TK_INVOCATIONS_ATTEMPT, "1 for the first try"},
    [TK_FIELD_RETRIES] = {"retries", TK_KIND_COUNT, TK_INVOCATIONS_RETRIES, "tries before it"},
    [TK_FIELD_CPUS] = {"req_cpu_units", TK_KIND_COUNT, TK_INVOCATIONS_REQ_CPU_UNITS,
                       "CPUs asked for"},
    [TK_FIELD_BYTES_IN] = {"bytes_in", TK_KIND_SIZE, TK_INVOCATIONS_BYTES_IN, "received"},
    [TK_FIELD_BYTES_OUT] = {"bytes_out", TK_KIND_SIZE, TK_INVOCATIONS_BYTES_OUT, "sent"},
    [TK_FIELD_MEM] = {"req_mem", TK_KIND_SIZE, NO_COLUMN, "memory asked for"},
    [TK_FIELD_CPU_TIME] = {"cpu_time", TK_KIND_DURATION, NO_COLUMN, "CPU time of the call"},
    [TK_FIELD_UPSTREAM_TIME] = {"upstream_time", TK_KIND_SUM, NO_COLUMN,
                                "time that a proxy waited for the servers behind it"},
};

enum tk_field tk_field_find(tk_str name)
{
    for (size_t i = 0; i < TK_FIELD_COUNT; i++) {
        if (tk_str_eq(name, tk_str_from(tk_fields[i].name)))
            return (enum tk_field)i;
    }
    return TK_FIELD_COUNT;
}

/* Units --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int decimals;    /* times: digits after the point that are ns */
    int64_t factor;  /* to ns or bytes */
    const char *say; /* in messages */
} units[TK_UNIT_COUNT] = {
    [TK_UNIT_NONE] = {"", 0, 1, ""},
    [TK_UNIT_S] = {"s", 9, TK_NS_PER_S, " in s"},
    [TK_UNIT_MS] = {"ms", 6, TK_NS_PER_MS, " in ms"},
    [TK_UNIT_US] = {"us", 3, TK_NS_PER_US, " in us"},
    [TK_UNIT_NS] = {"ns", 0, 1, " in ns"},
    [TK_UNIT_BYTES] = {"bytes", 0, 1, " in bytes"},
    [TK_UNIT_KB] = {"kb", 0, 1LL << 10, " in KiB"},
    [TK_UNIT_MB] = {"mb", 0, 1LL << 20, " in MiB"},
    [TK_UNIT_GB] = {"gb", 0, 1LL << 30, " in GiB"},
};

enum tk_unit tk_unit_find(tk_str name)
{
    for (size_t i = TK_UNIT_S; i < TK_UNIT_COUNT; i++) {
        if (tk_str_eq(name, tk_str_from(units[i].name)))
            return (enum tk_unit)i;
    }
    return TK_UNIT_COUNT;
}

bool tk_unit_ok(enum tk_field_kind kind, enum tk_unit unit)
{
    if (unit == TK_UNIT_NONE)
        return true;
    if (kind == TK_KIND_SIZE)
        return unit >= TK_UNIT_BYTES && unit < TK_UNIT_COUNT;
    return kind <= TK_KIND_SUM && unit <= TK_UNIT_NS;
}

/* Texts to values ------------------------------------------------------------------------ */

static const char *const kind_names[] = {
    [TK_KIND_TIME] = "time",
    [TK_KIND_DURATION] = "duration",
    [TK_KIND_SUM] = "list of durations",
    [TK_KIND_COUNT] = "whole number",
    [TK_KIND_SIZE] = "size",
    [TK_KIND_TEXT] = "text",
    [TK_KIND_REQUEST] = "request line",
    [TK_KIND_TRACEPARENT] = "traceparent",
    [TK_KIND_EXIT] = "exit code",
};

/* A number of a unit, as ns: exact in plain decimals, correctly rounded in others such as "1e3". */
static bool number_parse(tk_str text, enum tk_unit unit, int64_t limit_ns, int64_t *ret_ns)
{
    double value;
    tk_str rest = text;
    if (tk_scan_fixed(&rest, units[unit].decimals, ret_ns) && rest.n == 0)
        return *ret_ns <= limit_ns;
    if (!tk_parse_f64(text, &value) || !(value >= 0) ||
        value * (double)units[unit].factor > (double)limit_ns)
        return false;
    *ret_ns = (int64_t)llround(value * (double)units[unit].factor);
    return true;
}

/* Neighbours in a log share their second: the last one is kept. */
static bool calendar_parse(struct tk_call *call, tk_str text, int64_t *ret_ns)
{
    if (text.n == call->when_n && memcmp(text.p, call->when_text, text.n) == 0) {
        *ret_ns = call->when_ns;
        return true;
    }
    if (!tk_when_parse(text, call->local, ret_ns))
        return false;
    if (text.n <= sizeof(call->when_text)) {
        memcpy(call->when_text, text.p, text.n);
        call->when_n = (uint8_t)text.n;
        call->when_ns = *ret_ns;
    }
    return true;
}

static bool time_parse(struct tk_call *call, enum tk_unit unit, tk_str text, int64_t *ret_ns)
{
    if (unit != TK_UNIT_NONE && number_parse(text, unit, TIME_LIMIT_NS, ret_ns))
        return true;
    return calendar_parse(call, text, ret_ns);
}

/* "0.012, 0.100 : 0.004": tries and redirects; "-" where none was made. */
static bool sum_parse(tk_str text, enum tk_unit unit, int64_t *ret_ns)
{
    int64_t sum_ns = 0;
    while (text.n > 0) {
        size_t n = 0;
        while (n < text.n && text.p[n] != ',' && text.p[n] != ':')
            n++;
        tk_str part = tk_str_trim((tk_str){text.p, n});
        int64_t part_ns = 0;
        if (!tk_str_eq(part, TK_STR("-")) && !number_parse(part, unit, DURATION_LIMIT_NS, &part_ns))
            return false;
        sum_ns += part_ns;
        if (sum_ns > DURATION_LIMIT_NS)
            return false;
        n += n < text.n;
        text = (tk_str){text.p + n, text.n - n};
    }
    *ret_ns = sum_ns;
    return true;
}

static bool size_parse(tk_str text, enum tk_unit unit, int64_t *ret_bytes)
{
    int64_t value;
    if (!tk_parse_whole(text, &value) || value < 0 || value > INT64_MAX / units[unit].factor)
        return false;
    *ret_bytes = value * units[unit].factor;
    return true;
}

static bool value_parse(struct tk_call *call, enum tk_field_kind kind, enum tk_unit unit,
                        tk_str text, union tk_field_value *ret)
{
    switch (kind) {
    case TK_KIND_TIME:
        return time_parse(call, unit, text, &ret->i64);
    case TK_KIND_DURATION:
        return unit != TK_UNIT_NONE && number_parse(text, unit, DURATION_LIMIT_NS, &ret->i64);
    case TK_KIND_SUM:
        return unit != TK_UNIT_NONE && sum_parse(text, unit, &ret->i64);
    case TK_KIND_COUNT:
        return tk_parse_whole(text, &ret->i64) && ret->i64 >= 0;
    case TK_KIND_SIZE:
        return size_parse(text, unit, &ret->i64);
    case TK_KIND_TEXT:
    case TK_KIND_REQUEST:
    case TK_KIND_TRACEPARENT:
    case TK_KIND_EXIT:
        ret->text = text;
        return true;
    }
    return false;
}

static int not_of_kind(const struct tk_source *source, tk_str text, struct tk_err *err)
{
    enum tk_field_kind kind = tk_fields[source->field].kind;
    double number;
    int shown = text.n < SHOWN_MAX ? (int)text.n : SHOWN_MAX;
    if (kind <= TK_KIND_SUM && source->unit == TK_UNIT_NONE && tk_parse_f64(text, &number)) {
        return tk_fail(err, -EBADMSG,
                       "%.*s: %.*s is a number whose unit nobody stated (s, ms, us or ns)",
                       TK_STR_ARG(source->name), shown, text.p);
    }
    return tk_fail(err, -EBADMSG, "%.*s: '%.*s' is no %s%s", TK_STR_ARG(source->name), shown,
                   text.p, kind_names[kind], units[source->unit].say);
}

/* A field may be set: it is not, or by a source that counts less. */
static bool claim(struct tk_call *call, enum tk_field field, unsigned rank)
{
    if (tk_call_has(call, field) && call->rank[field] <= rank)
        return false;
    call->present |= 1ULL << field;
    call->rank[field] = (uint8_t)rank;
    return true;
}

static void set_text(struct tk_call *call, enum tk_field field, unsigned rank, tk_str text)
{
    if (claim(call, field, rank))
        call->values[field].text = text;
}

static void set_i64(struct tk_call *call, enum tk_field field, unsigned rank, int64_t value)
{
    if (claim(call, field, rank))
        call->values[field].i64 = value;
}

/* Texts that set other fields --------------------------------------------------------------- */

static bool is_method(tk_str word)
{
    for (size_t i = 0; i < word.n; i++) {
        if ((word.p[i] < 'A' || word.p[i] > 'Z') && word.p[i] != '-' && word.p[i] != '_')
            return false;
    }
    return word.n > 0;
}

/* METHOD TARGET PROTOCOL, RFC 9112 section 3; without a protocol HTTP/0.9. Anything else, as a TLS
 * handshake on a plain port, is a path without a method. */
static void set_request(struct tk_call *call, unsigned rank, tk_str text)
{
    size_t space = tk_str_find(text, ' ');
    tk_str method = {text.p, space};
    if (space == text.n || !is_method(method)) {
        set_text(call, TK_FIELD_PATH, rank, text);
        return;
    }
    tk_str target = {text.p + space + 1, text.n - space - 1};
    size_t last = tk_str_find_last(target, ' ');
    bool has_protocol =
        last < target.n &&
        tk_str_starts_with((tk_str){target.p + last + 1, target.n - last - 1}, TK_STR("HTTP/"));
    if (last < target.n && !has_protocol) {
        set_text(call, TK_FIELD_PATH, rank, text);
        return;
    }
    set_text(call, TK_FIELD_METHOD, rank, method);
    set_text(call, TK_FIELD_PATH, rank, (tk_str){target.p, last});
}

static bool is_hex(tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!tk_is_digit(c) && (c < 'a' || c > 'f'))
            return false;
    }
    return true;
}

/* "00-<32 hex>-<16 hex>-<2 hex>", W3C Trace Context section 3.2; what is none is ignored, as that
 * page asks for. */
static void set_traceparent(struct tk_call *call, unsigned rank, tk_str text)
{
    if (text.n < 55 || text.p[2] != '-' || text.p[35] != '-' || text.p[52] != '-')
        return;
    tk_str trace = {text.p + 3, 32};
    tk_str parent = {text.p + 36, 16};
    if (!is_hex(trace) || !is_hex(parent))
        return;
    set_text(call, TK_FIELD_TRACE_ID, rank, trace);
    set_text(call, TK_FIELD_W3C_TRACE_ID, rank, trace);
    set_text(call, TK_FIELD_PARENT_ID, rank, parent);
}

/* "0", "1:0", "0:9": a signal makes the status 128 + its number, as a shell does. */
static bool set_exit(struct tk_call *call, unsigned rank, tk_str text)
{
    tk_str part;
    int64_t code;
    int64_t signal = 0;
    if (!tk_str_take_until(&text, ':', &part) || !tk_parse_whole(part, &code) || code < 0 ||
        (text.n > 0 && (!tk_parse_whole(text, &signal) || signal < 0 || signal > 127)))
        return false;
    set_i64(call, TK_FIELD_EXIT_CODE, rank, code);
    set_i64(call, TK_FIELD_STATUS, rank, signal > 0 ? 128 + signal : code);
    return true;
}

/* How logs write that there is no value; batch systems do so where a time is not known yet. */
static bool is_absent(enum tk_field_kind kind, tk_str text)
{
    static const tk_str no_times[] = {{"Unknown", 7}, {"None", 4}, {"N/A", 3}};
    if (text.n == 0 || (text.n == 1 && *text.p == '-'))
        return true;
    for (size_t i = 0; i < TK_COUNTOF(no_times) && kind == TK_KIND_TIME; i++) {
        if (tk_str_eq(text, no_times[i]))
            return true;
    }
    return false;
}

int tk_call_set(struct tk_call *call, const struct tk_source *source, tk_str text,
                struct tk_err *err)
{
    enum tk_field_kind kind = tk_fields[source->field].kind;
    unsigned rank = source->rank;
    union tk_field_value value;
    if (is_absent(kind, text))
        return 0;
    if (!value_parse(call, kind, source->unit, text, &value))
        return not_of_kind(source, text, err);
    if (kind == TK_KIND_REQUEST) {
        set_request(call, rank, text);
    } else if (kind == TK_KIND_TRACEPARENT) {
        set_traceparent(call, rank, text);
    } else if (kind == TK_KIND_EXIT) {
        return set_exit(call, rank, text) ? 0 : not_of_kind(source, text, err);
    } else if (claim(call, source->field, rank)) {
        call->values[source->field] = value;
    }
    return 0;
}

/* Times -------------------------------------------------------------------------------------- */

/* to = from + distance, in all three directions. */
static const struct {
    enum tk_field from, distance, to;
} relations[] = {
    {TK_FIELD_START, TK_FIELD_SERVICE, TK_FIELD_END},
    {TK_FIELD_ENQUEUE, TK_FIELD_QUEUED, TK_FIELD_START},
    {TK_FIELD_ENQUEUE, TK_FIELD_RT, TK_FIELD_END},
    {TK_FIELD_QUEUED, TK_FIELD_SERVICE, TK_FIELD_RT},
};

static bool derive(struct tk_call *call)
{
    bool found = false;
    for (size_t i = 0; i < TK_COUNTOF(relations); i++) {
        enum tk_field fields[] = {relations[i].from, relations[i].distance, relations[i].to};
        bool has[] = {tk_call_has(call, fields[0]), tk_call_has(call, fields[1]),
                      tk_call_has(call, fields[2])};
        if (has[0] + has[1] + has[2] != 2)
            continue;
        int64_t from = call->values[fields[0]].i64;
        int64_t distance = call->values[fields[1]].i64;
        int64_t to = call->values[fields[2]].i64;
        size_t missing = !has[0] ? 0 : !has[1] ? 1 : 2;
        call->values[fields[missing]].i64 = missing == 0   ? to - distance
                                            : missing == 1 ? to - from
                                                           : from + distance;
        call->present |= 1ULL << fields[missing];
        found = true;
    }
    return found;
}

static bool is_known(const struct tk_call *call)
{
    static const uint64_t all =
        1ULL << TK_FIELD_ENQUEUE | 1ULL << TK_FIELD_START | 1ULL << TK_FIELD_END;
    return (call->present & all) == all;
}

/* The arrival of an access log is the start: two fields suffice, the common case. */
static void default_arrival(struct tk_call *call)
{
    static const uint64_t others =
        1ULL << TK_FIELD_ENQUEUE | 1ULL << TK_FIELD_QUEUED | 1ULL << TK_FIELD_RT;
    if (call->present & others)
        return;
    if (tk_call_has(call, TK_FIELD_START)) {
        call->values[TK_FIELD_ENQUEUE] = call->values[TK_FIELD_START];
        call->present |= 1ULL << TK_FIELD_ENQUEUE;
    }
}

/* Times of the call as its log tells them contradict each other, or lie where no clock was. */
static int check_times(const struct tk_call *call, struct tk_err *err)
{
    int64_t enqueue_ns = call->values[TK_FIELD_ENQUEUE].i64;
    int64_t start_ns = call->values[TK_FIELD_START].i64;
    int64_t end_ns = call->values[TK_FIELD_END].i64;
    if (end_ns < start_ns) {
        return tk_fail(err, -EBADMSG, "ends %.3f s before it starts",
                       (double)(start_ns - end_ns) / 1e9);
    }
    if (start_ns < enqueue_ns) {
        return tk_fail(err, -EBADMSG, "starts %.3f s before it arrives",
                       (double)(enqueue_ns - start_ns) / 1e9);
    }
    return enqueue_ns < 0 ? tk_fail(err, -EBADMSG, "begins before 1970") : 0;
}

int tk_call_complete(struct tk_call *call, struct tk_err *err)
{
    while (!is_known(call) && derive(call)) {
    }
    default_arrival(call);
    if (is_known(call))
        return check_times(call, err);
    bool has_start = tk_call_has(call, TK_FIELD_START);
    if (!has_start && !tk_call_has(call, TK_FIELD_END))
        return tk_fail(err, -EBADMSG, "tells no time");
    return tk_fail(err, -EBADMSG, "tells only the %s: expected two of start, end and duration",
                   has_start ? "start" : "end");
}

/* Rows ------------------------------------------------------------------------------------- */

static void put_i64(const struct tk_call *call, enum tk_field field, struct tk_batch *batch,
                    size_t column, int64_t per_unit)
{
    if (tk_call_has(call, field))
        tk_batch_set_i64(batch, column, call->values[field].i64 / per_unit);
}

static void put_columns(const struct tk_call *call, struct tk_batch *batch)
{
    static const uint64_t first = 1ULL << TK_FIELD_TRACE_ID;
    for (uint64_t left = call->present & -first; left; left &= left - 1) {
        enum tk_field field = (enum tk_field)__builtin_ctzll(left);
        const struct tk_field_about *about = &tk_fields[field];
        if (about->column == NO_COLUMN)
            continue;
        if (about->kind == TK_KIND_TEXT) {
            tk_batch_set_text(batch, about->column, call->values[field].text);
        } else {
            tk_batch_set_i64(batch, about->column, call->values[field].i64);
        }
    }
}

static void put_times(const struct tk_call *call, struct tk_batch *batch)
{
    int64_t enqueue = call->values[TK_FIELD_ENQUEUE].i64 / TK_NS_PER_MS;
    int64_t start = call->values[TK_FIELD_START].i64 / TK_NS_PER_MS;
    int64_t end = call->values[TK_FIELD_END].i64 / TK_NS_PER_MS;
    tk_batch_set_i64(batch, TK_INVOCATIONS_TS_ENQUEUE, enqueue);
    tk_batch_set_i64(batch, TK_INVOCATIONS_TS_START, start);
    tk_batch_set_i64(batch, TK_INVOCATIONS_TS_END, end);
    tk_batch_set_i64(batch, TK_INVOCATIONS_QUEUE_TIME_MS, start - enqueue);
    tk_batch_set_i64(batch, TK_INVOCATIONS_SERVICE_TIME_MS, end - start);
    tk_batch_set_i64(batch, TK_INVOCATIONS_RT_MS, end - enqueue);
    put_i64(call, TK_FIELD_CPU_TIME, batch, TK_INVOCATIONS_CPU_TIME_MS, TK_NS_PER_MS);
    put_i64(call, TK_FIELD_UPSTREAM_TIME, batch, TK_INVOCATIONS_UPSTREAM_TIME_MS, TK_NS_PER_MS);
}

static void put_default(const struct tk_call *call, enum tk_field field, tk_str otherwise,
                        struct tk_batch *batch)
{
    if (!tk_call_has(call, field) && otherwise.n > 0)
        tk_batch_set_text(batch, tk_fields[field].column, otherwise);
}

void tk_call_put(const struct tk_call *call, const struct tk_call_place *place,
                 struct tk_batch *batch)
{
    tk_batch_set_i64(batch, TK_INVOCATIONS_BYTES_IN, 0);
    tk_batch_set_i64(batch, TK_INVOCATIONS_BYTES_OUT, 0);
    put_times(call, batch);
    put_columns(call, batch);
    put_i64(call, TK_FIELD_MEM, batch, TK_INVOCATIONS_REQ_MEM_KB, 1024);
    put_default(call, TK_FIELD_NODE, place->node, batch);
    put_default(call, TK_FIELD_STAGE, place->stage, batch);
    if (!tk_call_has(call, TK_FIELD_NODE)) /* another node is on another host */
        put_default(call, TK_FIELD_HOST, place->host, batch);
    if (!tk_call_has(call, TK_FIELD_TRACE_ID) && tk_call_has(call, TK_FIELD_JOB))
        tk_batch_set_text(batch, TK_INVOCATIONS_TRACE_ID, call->values[TK_FIELD_JOB].text);
}
