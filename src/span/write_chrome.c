/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as Chrome trace events (trace-protocols.md section 11), for Perfetto, speedscope and
 * browsers: a service is a process, lanes are its threads, and an arrow leads from a span to its
 * child in another service. Times are microseconds since a day that the file names, so that a
 * double holds them to the nanosecond. */
#include "base/number.h"
#include "span/any_value.h"
#include "span/lanes.h"
#include "span/span_text.h"
#include "span/writing.h"

#define NS_PER_DAY ((int64_t)86400 * 1000000000)

struct state {
    struct tk_lanes lanes;
    uint32_t named; /* processes that have their name */
    bool has_events;
    bool has_origin;
    int64_t origin_ns;
};

static void begin_event(struct state *state, struct tk_buf *out, const char *phase)
{
    if (state->has_events)
        tk_buf_lit(out, ",\n");
    state->has_events = true;
    tk_buf_lit(out, "{\"ph\":\"");
    tk_buf_puts(out, phase);
    tk_buf_putc(out, '"');
}

static void put_place(struct tk_buf *out, uint32_t process, uint32_t lane)
{
    tk_put_key(out, "pid");
    tk_buf_put_u64(out, process + 1);
    tk_put_key(out, "tid");
    tk_buf_put_u64(out, lane + 1);
}

static void name_processes(struct state *state, struct tk_buf *out)
{
    for (; state->named < state->lanes.process_count; state->named++) {
        tk_str name = tk_lanes_service(&state->lanes, state->named);
        begin_event(state, out, "M");
        put_place(out, state->named, 0);
        tk_buf_lit(out, ",\"name\":\"process_name\",\"args\":{\"name\":");
        tk_json_put_str(out, name.n > 0 ? name : TK_STR("(no service)"));
        tk_buf_lit(out, "}}");
    }
}

static void put_args(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    tk_buf_lit(out, ",\"args\":{\"trace_id\":");
    tk_put_trace_id(out, batch->trace_ids[row], false);
    tk_put_key(out, "span_id");
    tk_put_span_id(out, batch->span_ids[row]);
    if (batch->statuses[row] == TK_SPAN_ERROR)
        tk_buf_lit(out, ",\"status\":\"error\"");
    if (batch->messages[row] != 0) {
        tk_put_key(out, "status_message");
        tk_put_text(out, batch, batch->messages[row]);
    }
    for (size_t i = 0; i < n; i++) {
        tk_buf_putc(out, ',');
        tk_put_text(out, batch, attrs[i].key);
        tk_buf_putc(out, ':');
        tk_any_value_put_json(&batch->texts, &attrs[i], out);
    }
    tk_buf_putc(out, '}');
}

static void put_time(const struct state *state, struct tk_buf *out, int64_t ns)
{
    tk_put_key(out, "ts");
    tk_put_micros(out, ns - state->origin_ns);
}

static void put_slice(struct state *state, struct tk_buf *out, const struct tk_span_batch *batch,
                      const struct tk_lane_item *item)
{
    size_t row = item->row;
    begin_event(state, out, "X");
    put_place(out, item->process, item->lane);
    tk_put_key(out, "name");
    tk_put_text(out, batch, batch->names[row]);
    tk_put_key(out, "cat");
    tk_json_put_str(out, tk_str_from(tk_span_kind_names[batch->kinds[row]]));
    put_time(state, out, item->start_ns);
    tk_put_key(out, "dur");
    tk_put_micros(out, item->end_ns - item->start_ns);
    put_args(out, batch, row);
    tk_buf_putc(out, '}');
}

/* One end of the arrow from a span to its child: it leaves where the child begins, within the
 * parent. */
static void put_arrow(struct state *state, struct tk_buf *out, const struct tk_lane_item *child,
                      const struct tk_lane_item *parent)
{
    const struct tk_lane_item *item = parent ? parent : child;
    int64_t at = child->start_ns;
    at = at < item->start_ns ? item->start_ns : at;
    at = at > item->end_ns ? item->end_ns : at;
    begin_event(state, out, parent ? "s" : "f");
    put_place(out, item->process, item->lane);
    tk_buf_lit(out, ",\"name\":\"call\",\"cat\":\"call\",\"id\":");
    tk_put_span_id(out, child->id);
    put_time(state, out, at);
    tk_buf_puts(out, parent ? "}" : ",\"bp\":\"e\"}");
}

static void put_events(struct state *state, struct tk_buf *out, const struct tk_span_batch *batch,
                       const struct tk_lane_item *item)
{
    size_t n;
    const struct tk_span_event *events = tk_span_events(batch, item->row, &n);
    for (size_t i = 0; i < n; i++) {
        const struct tk_attr_range *attrs = &events[i].attrs;
        begin_event(state, out, "i");
        put_place(out, item->process, item->lane);
        tk_put_key(out, "name");
        tk_put_text(out, batch, events[i].name);
        put_time(state, out, events[i].time_ns);
        tk_buf_lit(out, ",\"s\":\"t\",\"args\":");
        tk_put_attrs(out, batch, batch->side_attrs + attrs->begin, attrs->n);
        tk_buf_putc(out, '}');
    }
}

static int put_trace(struct state *state, const struct tk_span_rows *trace, struct tk_buf *out,
                     struct tk_err *err)
{
    const struct tk_lanes *lanes = &state->lanes;
    int rc = tk_lanes_add_trace(&state->lanes, trace, err);
    if (rc < 0)
        return rc;
    if (!state->has_origin && lanes->count > 0)
        state->origin_ns = lanes->items[0].start_ns / NS_PER_DAY * NS_PER_DAY - NS_PER_DAY;
    state->has_origin = true;
    name_processes(state, out);
    for (uint32_t i = 0; i < lanes->count; i++) {
        const struct tk_lane_item *item = &lanes->items[i];
        put_slice(state, out, trace->batch, item);
        put_events(state, out, trace->batch, item);
        if (item->parent == TK_LANE_NONE || lanes->items[item->parent].process == item->process)
            continue;
        put_arrow(state, out, item, &lanes->items[item->parent]);
        put_arrow(state, out, item, NULL);
    }
    return 0;
}

static void put_head(void *state, struct tk_buf *out)
{
    (void)state;
    tk_buf_lit(out, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
}

static int put_spans(void *user, const struct tk_span_rows *rows, struct tk_buf *out,
                     struct tk_err *err)
{
    struct tk_span_rows trace = {.batch = rows->batch};
    int rc = 0;
    for (size_t i = 0; i < rows->n && rc == 0; i += trace.n) {
        trace.rows = rows->rows + i;
        trace.n = tk_span_rows_trace(rows, i);
        rc = put_trace(user, &trace, out, err);
    }
    return rc < 0 ? rc : tk_buf_check(out, "traces", err);
}

static void put_tail(void *user, struct tk_buf *out)
{
    const struct state *state = user;
    tk_buf_lit(out, "\n],\"otherData\":{\"time_origin_unix_nano\":\"");
    tk_buf_put_i64(out, state->origin_ns);
    tk_buf_lit(out, "\"}}\n");
}

static void release(void *user)
{
    struct state *state = user;
    tk_lanes_release(&state->lanes);
}

const struct tk_span_encoder tk_span_encoder_chrome = {
    .name = "chrome",
    .help = "Chrome trace events, for ui.perfetto.dev, speedscope and browsers",
    .ending = ".chrome.json",
    .state_size = sizeof(struct state),
    .by_trace = true,
    .head = put_head,
    .spans = put_spans,
    .tail = put_tail,
    .release = release,
};
