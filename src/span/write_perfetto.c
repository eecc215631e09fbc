/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as a Perfetto trace, protobuf (trace-protocols.md section 12; perfetto v58
 * protos/perfetto/trace): a service is a process track, its lanes are tracks below it, a span is a
 * pair of slice events with its attributes, and a flow leads from a span to its child in another
 * service. Names are interned; ids of names are those of the batch, so each batch clears them.
 * Times are those of the wall clock, which the one snapshot of clocks says. */
#include <stdlib.h>

#include "base/hash.h"
#include "span/any_value.h"
#include "span/lanes.h"
#include "span/perfetto_internal.h"
#include "span/writing.h"

enum {
    CLOCK_REALTIME_ID = 1,
    CLOCK_BOOTTIME_ID = 6,
    SEQUENCE = 1,
    SLICE_BEGIN = 1,
    SLICE_END = 2,
    INSTANT = 3,
};

/* Fields: of Trace, TracePacket, TrackEvent, TrackDescriptor, DebugAnnotation, InternedData. */
#define PACKET              TK_WIRE_BYTES(1)
#define PACKET_SEQUENCE     TK_WIRE_VARINT(10)
#define PACKET_INTERNED     TK_WIRE_BYTES(12)
#define PACKET_FLAGS        TK_WIRE_VARINT(13)
#define PACKET_DEFAULTS     TK_WIRE_BYTES(59)
#define PACKET_CLOCKS       TK_WIRE_BYTES(6)
#define DEFAULTS_CLOCK      TK_WIRE_VARINT(58)
#define EVENT_NAME          TK_WIRE_VARINT(10)
#define EVENT_ANNOTATION    TK_WIRE_BYTES(4)
#define EVENT_FLOW          TK_WIRE_FIXED64(47)
#define EVENT_FLOW_END      TK_WIRE_FIXED64(48)
#define TRACK_PROCESS       TK_WIRE_BYTES(3)
#define PROCESS_PID         TK_WIRE_VARINT(1)
#define PROCESS_NAME        TK_WIRE_BYTES(6)
#define ANNOTATION_NAME     TK_WIRE_VARINT(1)
#define ANNOTATION_BOOL     TK_WIRE_VARINT(2)
#define ANNOTATION_INT      TK_WIRE_VARINT(4)
#define ANNOTATION_DOUBLE   TK_WIRE_FIXED64(5)
#define ANNOTATION_TEXT     TK_WIRE_BYTES(6)
#define ANNOTATION_OWN_NAME TK_WIRE_BYTES(10)
#define INTERNED_EVENT      TK_WIRE_BYTES(2)
#define INTERNED_ANNOTATION TK_WIRE_BYTES(3)
#define INTERNED_ID         TK_WIRE_VARINT(1)
#define INTERNED_NAME       TK_WIRE_BYTES(2)
#define SNAPSHOT_CLOCK      TK_WIRE_BYTES(1)
#define CLOCK_ID            TK_WIRE_VARINT(1)
#define CLOCK_TIME          TK_WIRE_VARINT(2)

#define PACKET_GUESS 200 /* bytes */

enum { IS_EVENT = 1, IS_ANNOTATION = 2 }; /* where a text was interned */

struct state {
    struct tk_lanes lanes;
    uint32_t processes; /* that have a track */
    uint32_t *tracks;   /* [processes] lanes that have one; owned */
    bool has_clocks;
    struct tk_map counters; /* tracks of machines */

    /* Of the batch at hand. */
    uint8_t *interned; /* [texts] owned */
    size_t interned_count;
    uint32_t *child, *sibling; /* [max_items] first child elsewhere, next one; owned */
    uint32_t *tops;            /* innermost slice by lane */
    uint32_t *below;
    size_t max_items;
};

/* Packets -------------------------------------------------------------------------------------- */

size_t tk_perfetto_begin(struct tk_buf *out, uint64_t flags)
{
    size_t packet = tk_wire_begin(out, PACKET, PACKET_GUESS);
    tk_wire_put_number(out, PACKET_SEQUENCE, SEQUENCE);
    tk_wire_put_number(out, PACKET_FLAGS, flags);
    return packet;
}

void tk_perfetto_end(struct tk_buf *out, size_t packet)
{
    tk_wire_end(out, packet, PACKET_GUESS);
}

static void put_clock(struct tk_buf *out, uint64_t id, int64_t ns)
{
    size_t clock = tk_wire_begin(out, SNAPSHOT_CLOCK, 1);
    tk_wire_put_number(out, CLOCK_ID, id);
    tk_wire_put_number(out, CLOCK_TIME, (uint64_t)ns);
    tk_wire_end(out, clock, 1);
}

static void put_clocks(struct tk_buf *out, int64_t ns)
{
    size_t packet = tk_wire_begin(out, PACKET, PACKET_GUESS);
    tk_wire_put_number(out, PACKET_SEQUENCE, SEQUENCE);
    size_t snapshot = tk_wire_begin(out, PACKET_CLOCKS, 1);
    put_clock(out, CLOCK_REALTIME_ID, ns);
    put_clock(out, CLOCK_BOOTTIME_ID, ns);
    tk_wire_end(out, snapshot, 1);
    tk_perfetto_end(out, packet);
}

static void clear_state(struct tk_buf *out)
{
    size_t packet = tk_perfetto_begin(out, STATE_CLEARED);
    size_t defaults = tk_wire_begin(out, PACKET_DEFAULTS, 1);
    tk_wire_put_number(out, DEFAULTS_CLOCK, CLOCK_REALTIME_ID);
    tk_wire_end(out, defaults, 1);
    tk_perfetto_end(out, packet);
}

/* Tracks --------------------------------------------------------------------------------------- */

static uint64_t track_of(uint32_t process, uint32_t lane)
{
    return tk_hash_mix(process + 1, lane + 2);
}

static uint64_t process_track(uint32_t process)
{
    return tk_hash_mix(process + 1, 1);
}

static void put_process(const struct state *state, struct tk_buf *out, uint32_t process)
{
    tk_str name = tk_lanes_service(&state->lanes, process);
    size_t packet = tk_perfetto_begin(out, STATE_NEEDED);
    size_t track = tk_wire_begin(out, PACKET_TRACK, 1);
    tk_wire_put_number(out, TRACK_UUID, process_track(process));
    size_t about = tk_wire_begin(out, TRACK_PROCESS, 1);
    tk_wire_put_number(out, PROCESS_PID, process + 1);
    tk_wire_put_bytes(out, PROCESS_NAME, name.n > 0 ? name : TK_STR("(no service)"));
    tk_wire_end(out, about, 1);
    tk_wire_end(out, track, 1);
    tk_perfetto_end(out, packet);
}

static void put_lane(struct tk_buf *out, uint32_t process, uint32_t lane)
{
    size_t packet = tk_perfetto_begin(out, STATE_NEEDED);
    size_t track = tk_wire_begin(out, PACKET_TRACK, 1);
    tk_wire_put_number(out, TRACK_UUID, track_of(process, lane));
    tk_wire_put_number(out, TRACK_PARENT, process_track(process));
    tk_wire_put_bytes(out, TRACK_NAME, TK_STR("spans"));
    tk_wire_end(out, track, 1);
    tk_perfetto_end(out, packet);
}

static int put_tracks(struct state *state, struct tk_buf *out, struct tk_err *err)
{
    const struct tk_lanes *lanes = &state->lanes;
    if (state->processes < lanes->process_count) {
        uint32_t *grown = realloc(state->tracks, lanes->process_count * sizeof(*grown));
        if (!grown)
            return tk_fail(err, -ENOMEM, "out of memory");
        state->tracks = grown;
    }
    for (; state->processes < lanes->process_count; state->processes++) {
        state->tracks[state->processes] = 0;
        put_process(state, out, state->processes);
    }
    for (uint32_t i = 0; i < lanes->count; i++) {
        uint32_t process = lanes->items[i].process;
        for (uint32_t *have = &state->tracks[process]; *have <= lanes->items[i].lane; (*have)++)
            put_lane(out, process, *have);
    }
    return 0;
}

/* Names ---------------------------------------------------------------------------------------- */

static void intern_text(struct state *state, const struct tk_span_batch *batch, uint32_t text,
                        uint8_t as, struct tk_buf *out)
{
    if (text >= state->interned_count || (state->interned[text] & as))
        return;
    state->interned[text] |= as;
    size_t entry = tk_wire_begin(out, as == IS_EVENT ? INTERNED_EVENT : INTERNED_ANNOTATION, 1);
    tk_wire_put_number(out, INTERNED_ID, (uint64_t)text + 1);
    tk_wire_put_bytes(out, INTERNED_NAME, tk_span_text(batch, text));
    tk_wire_end(out, entry, 1);
}

/* The names that a span uses and that were not told yet, in the packet that uses them. */
static void put_interned(struct state *state, const struct tk_span_batch *batch, uint32_t name,
                         const struct tk_attr *attrs, size_t n, struct tk_buf *out)
{
    size_t start = out->n;
    size_t data = tk_wire_begin(out, PACKET_INTERNED, PACKET_GUESS);
    size_t before = out->n;
    intern_text(state, batch, name, IS_EVENT, out);
    for (size_t i = 0; i < n; i++)
        intern_text(state, batch, attrs[i].key, IS_ANNOTATION, out);
    if (out->n == before) {
        out->n = start;
    } else {
        tk_wire_end(out, data, PACKET_GUESS);
    }
}

/* Events --------------------------------------------------------------------------------------- */

static void put_value(const struct tk_span_batch *batch, const struct tk_attr *attr,
                      struct tk_buf *out)
{
    uint64_t bits;
    switch ((enum tk_attr_type)attr->type) {
    case TK_ATTR_BOOL:
        tk_wire_put_number(out, ANNOTATION_BOOL, attr->i64 != 0);
        return;
    case TK_ATTR_INT:
        tk_wire_put_number(out, ANNOTATION_INT, (uint64_t)attr->i64);
        return;
    case TK_ATTR_DOUBLE:
        memcpy(&bits, &attr->f64, sizeof(bits));
        tk_wire_put_fixed64(out, ANNOTATION_DOUBLE, bits);
        return;
    case TK_ATTR_STRING:
        tk_wire_put_bytes(out, ANNOTATION_TEXT, tk_span_text(batch, attr->text));
        return;
    case TK_ATTR_EMPTY:
    case TK_ATTR_BYTES:
    case TK_ATTR_ARRAY:
    case TK_ATTR_MAP:
        break;
    }
    size_t text = tk_wire_begin(out, ANNOTATION_TEXT, PACKET_GUESS);
    tk_any_value_put_text(&batch->texts, attr, out);
    tk_wire_end(out, text, PACKET_GUESS);
}

static void put_attrs(const struct tk_span_batch *batch, const struct tk_attr *attrs, size_t n,
                      struct tk_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t annotation = tk_wire_begin(out, EVENT_ANNOTATION, 1);
        tk_wire_put_number(out, ANNOTATION_NAME, (uint64_t)attrs[i].key + 1);
        put_value(batch, &attrs[i], out);
        tk_wire_end(out, annotation, 1);
    }
}

static void put_note(struct tk_buf *out, tk_str name, tk_str text)
{
    size_t annotation = tk_wire_begin(out, EVENT_ANNOTATION, 1);
    tk_wire_put_bytes(out, ANNOTATION_OWN_NAME, name);
    tk_wire_put_bytes(out, ANNOTATION_TEXT, text);
    tk_wire_end(out, annotation, 1);
}

static void put_flows(const struct state *state, uint32_t i, struct tk_buf *out)
{
    const struct tk_lane_item *items = state->lanes.items;
    for (uint32_t child = state->child[i]; child != TK_LANE_NONE; child = state->sibling[child])
        tk_wire_put_fixed64(out, EVENT_FLOW, items[child].id);
    uint32_t parent = items[i].parent;
    if (parent != TK_LANE_NONE && items[parent].process != items[i].process)
        tk_wire_put_fixed64(out, EVENT_FLOW_END, items[i].id);
}

static void put_begin(struct state *state, const struct tk_span_batch *batch, uint32_t i,
                      struct tk_buf *out)
{
    const struct tk_lane_item *item = &state->lanes.items[i];
    size_t row = item->row;
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    size_t packet = tk_perfetto_begin(out, STATE_NEEDED);
    tk_wire_put_number(out, PACKET_TIMESTAMP, (uint64_t)item->start_ns);
    put_interned(state, batch, batch->names[row], attrs, n, out);
    size_t event = tk_wire_begin(out, PACKET_EVENT, PACKET_GUESS);
    tk_wire_put_number(out, EVENT_TYPE, SLICE_BEGIN);
    tk_wire_put_number(out, EVENT_TRACK, track_of(item->process, item->lane));
    tk_wire_put_number(out, EVENT_NAME, (uint64_t)batch->names[row] + 1);
    put_attrs(batch, attrs, n, out);
    if (batch->statuses[row] == TK_SPAN_ERROR)
        put_note(out, TK_STR("status"), TK_STR("error"));
    if (batch->messages[row] != 0)
        put_note(out, TK_STR("status_message"), tk_span_text(batch, batch->messages[row]));
    put_flows(state, i, out);
    tk_wire_end(out, event, PACKET_GUESS);
    tk_perfetto_end(out, packet);
}

static void put_end(const struct tk_lane_item *item, struct tk_buf *out)
{
    size_t packet = tk_perfetto_begin(out, STATE_NEEDED);
    tk_wire_put_number(out, PACKET_TIMESTAMP, (uint64_t)item->end_ns);
    size_t event = tk_wire_begin(out, PACKET_EVENT, 1);
    tk_wire_put_number(out, EVENT_TYPE, SLICE_END);
    tk_wire_put_number(out, EVENT_TRACK, track_of(item->process, item->lane));
    tk_wire_end(out, event, 1);
    tk_perfetto_end(out, packet);
}

static void put_instants(struct state *state, const struct tk_span_batch *batch, uint32_t i,
                         struct tk_buf *out)
{
    const struct tk_lane_item *item = &state->lanes.items[i];
    size_t n;
    const struct tk_span_event *events = tk_span_events(batch, item->row, &n);
    for (size_t k = 0; k < n; k++) {
        const struct tk_attr_range *range = &events[k].attrs;
        const struct tk_attr *attrs = batch->side_attrs + range->begin;
        size_t packet = tk_perfetto_begin(out, STATE_NEEDED);
        tk_wire_put_number(out, PACKET_TIMESTAMP, (uint64_t)events[k].time_ns);
        put_interned(state, batch, events[k].name, attrs, range->n, out);
        size_t event = tk_wire_begin(out, PACKET_EVENT, PACKET_GUESS);
        tk_wire_put_number(out, EVENT_TYPE, INSTANT);
        tk_wire_put_number(out, EVENT_TRACK, track_of(item->process, item->lane));
        tk_wire_put_number(out, EVENT_NAME, (uint64_t)events[k].name + 1);
        put_attrs(batch, attrs, range->n, out);
        tk_wire_end(out, event, PACKET_GUESS);
        tk_perfetto_end(out, packet);
    }
}

/* A trace -------------------------------------------------------------------------------------- */

static void close_until(struct state *state, uint32_t lane, int64_t ns, struct tk_buf *out)
{
    const struct tk_lane_item *items = state->lanes.items;
    uint32_t *top = &state->tops[lane];
    for (; *top != TK_LANE_NONE && items[*top].end_ns <= ns; *top = state->below[*top])
        put_end(&items[*top], out);
}

/* The slices of the items [first, end), which are of one process: on each lane in order. */
static void put_slices(struct state *state, const struct tk_span_batch *batch, uint32_t first,
                       uint32_t end, struct tk_buf *out)
{
    const struct tk_lane_item *items = state->lanes.items;
    for (uint32_t i = first; i < end; i++)
        state->tops[items[i].lane] = TK_LANE_NONE;
    for (uint32_t i = first; i < end; i++) {
        uint32_t lane = items[i].lane;
        close_until(state, lane, items[i].start_ns, out);
        put_begin(state, batch, i, out);
        put_instants(state, batch, i, out);
        state->below[i] = state->tops[lane];
        state->tops[lane] = i;
    }
    for (uint32_t i = first; i < end; i++)
        close_until(state, items[i].lane, INT64_MAX, out);
}

static int reserve(struct state *state, struct tk_err *err)
{
    size_t wanted = state->lanes.max_items;
    for (uint32_t i = 0; i < state->lanes.process_count; i++) {
        uint32_t lanes = tk_lanes_count(&state->lanes, i);
        wanted = lanes > wanted ? lanes : wanted;
    }
    if (wanted <= state->max_items)
        return 0;
    free(state->child);
    free(state->sibling);
    free(state->tops);
    free(state->below);
    state->child = calloc(wanted, sizeof(*state->child));
    state->sibling = calloc(wanted, sizeof(*state->sibling));
    state->tops = calloc(wanted, sizeof(*state->tops));
    state->below = calloc(wanted, sizeof(*state->below));
    bool ok = state->child && state->sibling && state->tops && state->below;
    state->max_items = ok ? wanted : 0;
    return ok ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

/* Which spans have children in other services. */
static void link_children(struct state *state)
{
    const struct tk_lanes *lanes = &state->lanes;
    for (uint32_t i = 0; i < lanes->count; i++)
        state->child[i] = TK_LANE_NONE;
    for (uint32_t i = 0; i < lanes->count; i++) {
        uint32_t parent = lanes->items[i].parent;
        if (parent == TK_LANE_NONE || lanes->items[parent].process == lanes->items[i].process)
            continue;
        state->sibling[i] = state->child[parent];
        state->child[parent] = i;
    }
}

static int put_trace(struct state *state, const struct tk_span_rows *trace, struct tk_buf *out,
                     struct tk_err *err)
{
    const struct tk_lanes *lanes = &state->lanes;
    int rc = tk_lanes_add_trace(&state->lanes, trace, err);
    rc = rc < 0 ? rc : reserve(state, err);
    if (rc == 0 && !state->has_clocks) {
        put_clocks(out, trace->batch->start_ns[tk_span_rows_at(trace, 0)]);
        clear_state(out);
        state->has_clocks = true;
    }
    rc = rc < 0 ? rc : put_tracks(state, out, err);
    if (rc < 0)
        return rc;
    link_children(state);
    for (uint32_t first = 0, end; first < lanes->count; first = end) {
        for (end = first + 1; end < lanes->count; end++) {
            if (lanes->items[end].process != lanes->items[first].process)
                break;
        }
        put_slices(state, trace->batch, first, end, out);
    }
    return 0;
}

/* The encoder ---------------------------------------------------------------------------------- */

static int put_spans(void *user, const struct tk_span_rows *rows, struct tk_buf *out,
                     struct tk_err *err)
{
    struct state *state = user;
    struct tk_span_rows trace = {.batch = rows->batch};
    int rc = 0;
    free(state->interned);
    state->interned_count = rows->batch->texts.count;
    state->interned = calloc(state->interned_count, 1);
    if (!state->interned)
        return tk_fail(err, -ENOMEM, "out of memory");
    if (state->has_clocks)
        clear_state(out);
    for (size_t i = 0; i < rows->n && rc == 0; i += trace.n) {
        trace.rows = rows->rows + i;
        trace.n = tk_span_rows_trace(rows, i);
        rc = put_trace(state, &trace, out, err);
    }
    return rc < 0 ? rc : tk_buf_check(out, "traces", err);
}

static int put_host(void *user, const struct tk_batch *batch, struct tk_buf *out,
                    struct tk_err *err)
{
    struct state *state = user;
    return tk_perfetto_put_host(&state->counters, batch, out, err);
}

static void release(void *user)
{
    struct state *state = user;
    tk_lanes_release(&state->lanes);
    tk_map_release(&state->counters);
    free(state->tracks);
    free(state->interned);
    free(state->child);
    free(state->sibling);
    free(state->tops);
    free(state->below);
}

const struct tk_span_encoder tk_span_encoder_perfetto = {
    .name = "perfetto",
    .help = "protobuf of Perfetto (ui.perfetto.dev, trace_processor)",
    .ending = ".pftrace",
    .state_size = sizeof(struct state),
    .by_trace = true,
    .spans = put_spans,
    .host = put_host,
    .release = release,
};
