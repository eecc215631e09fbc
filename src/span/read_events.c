/* SPDX-License-Identifier: Apache-2.0 */
/* Event files of a run (collect-and-cctf.md section 10): an invocation a line, as `wrap`, `record`,
 * `adapt`, `parse` and applications write them. Columns are those of the invocations table; members
 * that it does not know are attributes of their own name, nulls are dropped. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "run/schemas.h"
#include "span/invocation_spans.h"
#include "table/format.h"

#define TEXT_MAX ((size_t)1 << 20) /* bytes of all texts of an event */

struct events {
    struct tk_reading reading;
    struct tk_json_records records;
    struct tk_batch *row; /* one */
    void *decoder;        /* state of tk_decoder_jsonl */
    struct tk_buf made;   /* what ids are made of */
    uint64_t count;       /* records so far */
};

/* What the decoder says, behind its line, which is not ours. */
static int refuse(const char *message, struct tk_err *err)
{
    char why[sizeof(err->msg)];
    const char *behind = strstr(message, ": ");
    (void)snprintf(why, sizeof(why), "%s", behind ? behind + 2 : "no event");
    return tk_fail(err, -EBADMSG, "%s", why);
}

/* One object into the row. */
static int decode(struct events *events, tk_str raw, bool *ret_has_more, struct tk_err *err)
{
    struct tk_decode_stats stats = {0};
    tk_batch_reset(events->row);
    memset(events->decoder, 0, tk_decoder_jsonl.state_size);
    if (raw.n == 0 || *raw.p != '{')
        return tk_fail(err, -EBADMSG, "expected an object");
    int rc = tk_decoder_jsonl.batch(events->decoder, &raw, true, events->row, &stats, err);
    if (rc < 0)
        return rc == -EMSGSIZE ? refuse(err->msg, err) : rc;
    if (events->row->rows == 0)
        return refuse(stats.first_bad, err);
    *ret_has_more = stats.unknown_fields > 0;
    return 0;
}

/* An event without ids is known by its text and its place in the input. */
static tk_str made_id(struct events *events, tk_str raw)
{
    tk_buf_reset(&events->made);
    tk_buf_put(&events->made, raw);
    tk_buf_putc(&events->made, '/');
    tk_buf_put_u64(&events->made, events->count);
    return tk_buf_str(&events->made);
}

/* Members that are no columns. */
static int put_more(struct events *events, tk_str raw, struct tk_err *err)
{
    struct tk_reading *reading = &events->reading;
    struct tk_json json;
    tk_str key;
    tk_reading_scan(reading, raw, &json);
    int rc = tk_json_enter_object(&json, err);
    while (rc == 0 && (rc = tk_json_next_key(&json, &reading->scratch, &key, err)) == 0) {
        struct tk_attr attr;
        bool is_column =
            tk_schema_find(&tk_schema_invocations, key, 0) < tk_schema_invocations.column_count;
        if (is_column || tk_json_peek(&json) == TK_JSON_NULL) {
            rc = tk_json_skip(&json, NULL, err);
        } else {
            rc = tk_reading_read_attr(reading, key, &json, &attr, err);
            rc = rc < 0 ? rc : tk_span_batch_add_attr(reading->batch, &attr);
        }
    }
    return rc < 0 ? rc : 0;
}

static int read_event(struct events *events, tk_str raw, struct tk_err *err)
{
    struct tk_reading *reading = &events->reading;
    struct tk_span_mark mark = tk_span_batch_mark(reading->batch);
    bool has_more = false;
    bool has_ids = true;
    tk_arena_reset(&reading->scratch);
    reading->before = *reading->tally;
    int rc = decode(events, raw, &has_more, err);
    if (rc == 0) {
        has_ids = tk_invocation_has_ids(events->row, 0);
        const struct tk_invocation_row from = {
            .batch = events->row, .made_id = has_ids ? (tk_str){NULL, 0} : made_id(events, raw)};
        rc = tk_invocation_put(reading, &from, err);
    }
    if (rc == 0 && has_more)
        rc = put_more(events, raw, err);
    rc = rc < 0 ? rc : tk_span_batch_end(reading->batch);
    if (rc < 0)
        return tk_reading_take_back(reading, &mark, rc, raw.p, err->msg);
    reading->tally->spans++;
    reading->tally->by_reason[TK_SPAN_MADE_ID] += !has_ids;
    return 0;
}

static int read(void *state, struct tk_span_input *input, struct tk_span_batch *batch,
                struct tk_span_tally *tally, struct tk_err *err)
{
    struct events *events = state;
    tk_reading_begin(&events->reading, input, batch, tally);
    for (;;) {
        tk_str raw;
        int rc = tk_json_records_next(&events->records, &events->reading, &raw, err);
        if (rc != 0)
            return rc;
        if (read_event(events, raw, err) < 0) {
            tk_json_rewind(&events->records.json, raw);
            return 0;
        }
        events->count++;
    }
}

static bool detect(tk_str head)
{
    return tk_head_has_key(head, "ts_start") && tk_head_has_key(head, "ts_end");
}

static void close(void *state)
{
    struct events *events = state;
    if (!events)
        return;
    tk_reading_release(&events->reading);
    tk_batch_freep(&events->row);
    tk_buf_release(&events->made);
    free(events->decoder);
    free(events);
}

static int open(void **ret_state, struct tk_err *err)
{
    struct events *events = calloc(1, sizeof(*events));
    if (!events)
        return tk_fail(err, -ENOMEM, "out of memory");
    tk_buf_init(&events->made, TK_READING_RECORD_MAX);
    int rc = tk_reading_init(&events->reading, err);
    if (rc == 0)
        rc = tk_batch_new(&tk_schema_invocations, 1, TEXT_MAX, &events->row, err);
    if (rc == 0) {
        events->decoder = calloc(1, tk_decoder_jsonl.state_size + 1);
        rc = events->decoder ? 0 : tk_fail(err, -ENOMEM, "out of memory");
    }
    if (rc < 0) {
        close(events);
    } else {
        *ret_state = events;
    }
    return rc;
}

const struct tk_span_reader tk_span_reader_events = {
    .name = "events",
    .help = "event files of a run: trace_id, ts_start, ts_end, method, path ...",
    .detect = detect,
    .open = open,
    .read = read,
    .close = close,
};
