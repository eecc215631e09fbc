/* SPDX-License-Identifier: Apache-2.0 */
#include "span/records.h"

#include <errno.h>
#include <string.h>

/* nginx with escape=json, Envoy's usual JSON, and our own names. */
const struct tk_key tk_keys_requests[] = {
    {"trace_id", TK_FIELD_TRACE_ID},
    {"x_trace_id", TK_FIELD_TRACE_ID},
    {"http_x_trace_id", TK_FIELD_TRACE_ID},
    {"traceparent", TK_FIELD_TRACEPARENT},
    {"http_traceparent", TK_FIELD_TRACEPARENT},
    {"x_request_id", TK_FIELD_TRACE_ID},
    {"request_id", TK_FIELD_TRACE_ID},
    {"span_id", TK_FIELD_SPAN_ID},
    {"parent_id", TK_FIELD_PARENT_ID},
    {"ts_enqueue", TK_FIELD_ENQUEUE, TK_UNIT_MS},
    {"ts_start", TK_FIELD_START, TK_UNIT_MS},
    {"ts_end", TK_FIELD_END, TK_UNIT_MS},
    {"queue_time_ms", TK_FIELD_QUEUED, TK_UNIT_MS},
    {"service_time_ms", TK_FIELD_SERVICE, TK_UNIT_MS},
    {"rt_ms", TK_FIELD_RT, TK_UNIT_MS},
    {"cpu_time_ms", TK_FIELD_CPU_TIME, TK_UNIT_MS},
    {"start_time", TK_FIELD_START},
    {"duration", TK_FIELD_SERVICE, TK_UNIT_MS},
    {"msec", TK_FIELD_END, TK_UNIT_S},
    {"time_iso8601", TK_FIELD_END},
    {"time_local", TK_FIELD_END},
    {"request_time", TK_FIELD_SERVICE, TK_UNIT_S},
    {"upstream_service_time", TK_FIELD_UPSTREAM_TIME, TK_UNIT_MS},
    {"upstream_response_time", TK_FIELD_UPSTREAM_TIME, TK_UNIT_S},
    {"method", TK_FIELD_METHOD},
    {"request_method", TK_FIELD_METHOD},
    {"path", TK_FIELD_PATH},
    {"request_uri", TK_FIELD_PATH},
    {"uri", TK_FIELD_PATH},
    {"request", TK_FIELD_REQUEST},
    {"response_code", TK_FIELD_STATUS},
    {"status", TK_FIELD_STATUS},
    {"bytes_received", TK_FIELD_BYTES_IN},
    {"request_length", TK_FIELD_BYTES_IN},
    {"bytes_in", TK_FIELD_BYTES_IN},
    {"body_bytes_sent", TK_FIELD_BYTES_OUT},
    {"bytes_sent", TK_FIELD_BYTES_OUT},
    {"bytes_out", TK_FIELD_BYTES_OUT},
    {"pid", TK_FIELD_PID},
    {"node", TK_FIELD_NODE},
    {"stage", TK_FIELD_STAGE},
    {"hostname", TK_FIELD_HOST},
    {"module_id", TK_FIELD_MODULE_ID},
    {"authority", TK_FIELD_MODULE_ID},
    {"server_name", TK_FIELD_MODULE_ID},
    {"instance_id", TK_FIELD_INSTANCE_ID},
};
const size_t tk_keys_requests_count = TK_COUNTOF(tk_keys_requests);

int tk_records_init(struct tk_records *records, const struct tk_key *table, size_t table_count,
                    const struct tk_ingest_options *options, struct tk_err *err)
{
    records->wanted_delimiter = options->delimiter;
    int rc = tk_arena_init(&records->scratch, 2 * TK_INGEST_RECORD_MAX, err);
    if (rc == 0)
        rc = tk_arena_init(&records->header, 2 * TK_INGEST_RECORD_MAX, err);
    if (rc < 0)
        return rc;
    return tk_keys_init(&records->keys, table, table_count, options->maps, options->map_count, err);
}

void tk_records_release(struct tk_records *records)
{
    tk_arena_release(&records->scratch);
    tk_arena_release(&records->header);
}

void tk_records_begin(struct tk_records *records)
{
    records->columns = 0;
}

int tk_records_read_object(struct tk_records *records, tk_str record, struct tk_call *call,
                           struct tk_err *err)
{
    tk_arena_reset(&records->scratch);
    if (tk_str_trim(record).n == 0)
        return TK_INGEST_OTHER;
    return tk_keys_read_object(&records->keys, record, &records->scratch, call, err);
}

/* Columns (RFC 4180) --------------------------------------------------------------------- */

bool tk_records_has_odd_quotes(tk_str line)
{
    const char *end = line.n > 0 ? line.p + line.n : line.p;
    bool odd = false;
    for (const char *p = line.p; p < end; p++) {
        p = memchr(p, '"', (size_t)(end - p));
        if (!p)
            break;
        odd = !odd;
    }
    return odd;
}

/* Without the quotes around it, and "" as one quote. */
static tk_str unquote(tk_str text, struct tk_arena *scratch)
{
    text = (tk_str){text.p + 1, text.n - 2};
    char *to = memchr(text.p, '"', text.n) ? tk_arena_alloc(scratch, text.n) : NULL;
    size_t n = 0;
    if (!to)
        return text;
    for (size_t i = 0; i < text.n; i++) {
        to[n++] = text.p[i];
        i += text.p[i] == '"';
    }
    return (tk_str){to, n};
}

/* Take one value and the delimiter behind it; false when nothing is left. */
static bool take_value(tk_str *rest, char delimiter, struct tk_arena *scratch, tk_str *ret_value)
{
    size_t n = 0;
    bool quoted = false;
    if (!rest->p)
        return false;
    for (; n < rest->n && (quoted || rest->p[n] != delimiter); n++)
        quoted = quoted != (rest->p[n] == '"');
    tk_str value = tk_str_trim((tk_str){rest->p, n});
    *rest = n < rest->n ? (tk_str){rest->p + n + 1, rest->n - n - 1} : (tk_str){NULL, 0};
    bool has_quotes = value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"';
    *ret_value = has_quotes ? unquote(value, scratch) : value;
    return true;
}

/* The one of the usual delimiters that the header has most of. */
static char find_delimiter(tk_str header)
{
    static const char usual[] = ",;\t|";
    char best = ',';
    size_t most = 0;
    for (size_t i = 0; usual[i]; i++) {
        size_t count = 0;
        for (size_t k = 0; k < header.n; k++)
            count += header.p[k] == usual[i];
        if (count > most) {
            most = count;
            best = usual[i];
        }
    }
    return best;
}

static int read_header(struct tk_records *records, tk_str record, struct tk_err *err)
{
    bool known = false;
    (void)tk_str_take_prefix(&record, TK_STR("\xEF\xBB\xBF"));
    records->delimiter = records->wanted_delimiter;
    if (!records->delimiter)
        records->delimiter = find_delimiter(record);
    tk_arena_reset(&records->header);
    tk_str rest = tk_arena_copy(&records->header, record);
    tk_str name;
    while (take_value(&rest, records->delimiter, &records->header, &name)) {
        if (records->columns == TK_RECORDS_COLUMNS_MAX) {
            records->columns = 0;
            return tk_fail(err, -EINVAL, "header: more than %d columns", TK_RECORDS_COLUMNS_MAX);
        }
        records->names[records->columns++] = name;
        bool is_known = tk_keys_find(&records->keys, name, 0) < records->keys.count;
        records->is_known[records->columns - 1] = is_known;
        known |= is_known;
    }
    if (known)
        return TK_INGEST_OTHER;
    records->columns = 0;
    return tk_fail(err, -EINVAL, "the header names no column that is known; name some with --map");
}

int tk_records_read_columns(struct tk_records *records, tk_str record, struct tk_call *call,
                            struct tk_err *err)
{
    tk_str value;
    tk_str rest = record;
    size_t column = 0;
    if (tk_str_trim(record).n == 0)
        return TK_INGEST_OTHER;
    if (records->columns == 0)
        return read_header(records, record, err);
    tk_arena_reset(&records->scratch);
    for (; take_value(&rest, records->delimiter, &records->scratch, &value); column++) {
        if (column >= records->columns || !records->is_known[column])
            continue;
        int rc = tk_keys_set(&records->keys, records->names[column], value, call, err);
        if (rc < 0)
            return rc;
    }
    if (column == records->columns)
        return TK_INGEST_CALL;
    return tk_fail(err, -EBADMSG, "has %zu columns, the header %zu", column, records->columns);
}
