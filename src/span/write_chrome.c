/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as Chrome trace events (trace-protocols.md section 11), for Perfetto, speedscope and
 * browsers: a service is a process, lanes are its threads, and an arrow leads from a span to its
 * child in another service. Times are microseconds since a day that the file names, so that a
 * double holds them to the nanosecond. */
#include <errno.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/number.h"
#include "span/any_value.h"
#include "span/host_counters.h"
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
    struct tk_map machines; /* place by the hash of a name: they stand behind the processes */
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

static void name_process(struct state *state, struct tk_buf *out, uint32_t process, tk_str name)
{
    begin_event(state, out, "M");
    put_place(out, process, 0);
    tk_buf_lit(out, ",\"name\":\"process_name\",\"args\":{\"name\":");
    tk_json_put_str(out, name);
    tk_buf_lit(out, "}}");
}

static void name_processes(struct state *state, struct tk_buf *out)
{
    for (; state->named < state->lanes.process_count; state->named++) {
        tk_str name = tk_lanes_service(&state->lanes, state->named);
        name_process(state, out, state->named, name.n > 0 ? name : TK_STR("(no service)"));
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

/* The process that stands for a machine, named when it comes first. */
static int find_machine(struct state *state, tk_str name, struct tk_buf *out, uint32_t *ret_process,
                        struct tk_err *err)
{
    uint64_t hash = tk_hash_text(name);
    uint32_t place;
    if (!tk_map_find(&state->machines, hash, &place)) {
        place = state->lanes.process_count + (uint32_t)state->machines.count;
        if (tk_map_add(&state->machines, hash, place) < 0)
            return tk_fail(err, -ENOMEM, "out of memory");
        name_process(state, out, place, name);
    }
    *ret_process = place;
    return 0;
}

static int put_reading(struct state *state, const struct tk_batch *batch, size_t row,
                       struct tk_buf *out, struct tk_err *err)
{
    for (size_t i = 0; i < TK_HOST_COUNTERS; i++) {
        const struct tk_host_counter *counter = &tk_host_counters[i];
        uint32_t process = 0;
        int64_t ns;
        double value;
        if (!tk_host_counter_read(counter, batch, row, &ns, &value))
            continue;
        int rc = find_machine(state, tk_host_counter_machine(batch, row), out, &process, err);
        if (rc < 0)
            return rc;
        begin_event(state, out, "C");
        put_place(out, process, 0);
        tk_put_key(out, "name");
        tk_json_put_str(out, counter->name);
        put_time(state, out, ns);
        tk_buf_lit(out, ",\"args\":{");
        tk_json_put_str(out, tk_str_from(counter->unit));
        tk_buf_putc(out, ':');
        tk_buf_put_f64(out, value, TK_SHORTEST);
        tk_buf_lit(out, "}}");
    }
    return 0;
}

static int put_host(void *user, const struct tk_batch *batch, struct tk_buf *out,
                    struct tk_err *err)
{
    int rc = 0;
    for (size_t row = 0; row < batch->rows && rc == 0; row++)
        rc = put_reading(user, batch, row, out, err);
    return rc < 0 ? rc : tk_buf_check(out, "readings", err);
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
    tk_map_release(&state->machines);
}

const struct tk_span_encoder tk_span_encoder_chrome = {
    .name = "chrome",
    .help = "Chrome trace events, for ui.perfetto.dev, speedscope and browsers",
    .ending = ".chrome.json",
    .state_size = sizeof(struct state),
    .by_trace = true,
    .head = put_head,
    .spans = put_spans,
    .host = put_host,
    .tail = put_tail,
    .release = release,
};
