/* SPDX-License-Identifier: Apache-2.0 */
/* Readings of machines as counter tracks (perfetto v58, track_event/counter_descriptor.proto): a
 * track for each machine, the counters of the table below it. What was measured over an interval
 * holds from its begin on. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "run/schemas.h"
#include "span/perfetto_internal.h"

#define COUNTER           4 /* the type of an event */
#define EVENT_DOUBLE      TK_WIRE_FIXED64(44)
#define TRACK_COUNTER     TK_WIRE_BYTES(8)
#define COUNTER_UNIT      TK_WIRE_VARINT(3)
#define COUNTER_UNIT_NAME TK_WIRE_BYTES(6)
#define UNIT_BYTES        3
#define DT_MAX_MS         ((int64_t)86400 * 1000) /* a row that says more is damaged */

static const struct {
    size_t column; /* of host_metrics */
    tk_str name;
    const char *unit; /* NULL = bytes */
    bool is_mean;     /* over the interval that ends at the reading, else it is of that moment */
} counters[] = {
    {TK_HOST_METRICS_CPU_UTIL, {"CPU busy", 8}, "%", true},
    {TK_HOST_METRICS_MEM_AVAILABLE_BYTES, {"memory available", 16}, NULL, false},
    {TK_HOST_METRICS_DISK_RD_BPS, {"disks read", 10}, "bytes/s", true},
    {TK_HOST_METRICS_DISK_WR_BPS, {"disks written", 13}, "bytes/s", true},
};

/* The tracks of a machine, known by the hash of its name; 0 is the one of the machine itself. */
static uint64_t track_of(uint64_t host, size_t counter)
{
    return tk_hash_mix(host, counter);
}

static size_t begin_track(struct tk_buf *out, size_t *ret_packet, uint64_t uuid, tk_str name)
{
    *ret_packet = tk_perfetto_begin(out, STATE_NEEDED);
    size_t track = tk_wire_begin(out, PACKET_TRACK, 1);
    tk_wire_put_number(out, TRACK_UUID, uuid);
    tk_wire_put_bytes(out, TRACK_NAME, name);
    return track;
}

static void end_track(struct tk_buf *out, size_t packet, size_t track)
{
    tk_wire_end(out, track, 1);
    tk_perfetto_end(out, packet);
}

static void put_counter_track(struct tk_buf *out, uint64_t host, size_t i)
{
    size_t packet;
    size_t track = begin_track(out, &packet, track_of(host, i + 1), counters[i].name);
    tk_wire_put_number(out, TRACK_PARENT, track_of(host, 0));
    size_t about = tk_wire_begin(out, TRACK_COUNTER, 1);
    if (counters[i].unit) {
        tk_wire_put_bytes(out, COUNTER_UNIT_NAME, tk_str_from(counters[i].unit));
    } else {
        tk_wire_put_number(out, COUNTER_UNIT, UNIT_BYTES);
    }
    tk_wire_end(out, about, 1);
    end_track(out, packet, track);
}

/* Tell of a track once; a counter without readings has none. */
static int need_track(struct tk_map *tracks, uint64_t uuid, bool *ret_is_new, struct tk_err *err)
{
    uint32_t known;
    *ret_is_new = !tk_map_find(tracks, uuid, &known);
    return *ret_is_new && tk_map_add(tracks, uuid, 1) < 0 ? tk_fail(err, -ENOMEM, "out of memory")
                                                          : 0;
}

static int put_tracks(struct tk_map *tracks, uint64_t host, tk_str name, size_t i,
                      struct tk_buf *out, struct tk_err *err)
{
    bool is_new;
    size_t packet;
    int rc = need_track(tracks, track_of(host, 0), &is_new, err);
    if (rc == 0 && is_new) {
        size_t track = begin_track(out, &packet, track_of(host, 0), name);
        end_track(out, packet, track);
    }
    rc = rc < 0 ? rc : need_track(tracks, track_of(host, i + 1), &is_new, err);
    if (rc == 0 && is_new)
        put_counter_track(out, host, i);
    return rc;
}

/* When the reading was taken, or its interval began; 0 = the row has no time that a clock can show.
 */
static int64_t time_of(const struct tk_batch *batch, size_t row, bool is_mean)
{
    int64_t us = tk_batch_i64(batch, row, TK_HOST_METRICS_TS_US, 0);
    int64_t ms = tk_batch_i64(batch, row, TK_HOST_METRICS_TS_MS, 0);
    int64_t dt_ms = tk_batch_i64(batch, row, TK_HOST_METRICS_DT_MS, 0);
    int64_t ns = 0;
    if (us > 0 && us < INT64_MAX / TK_NS_PER_US) {
        ns = us * TK_NS_PER_US;
    } else if (ms > 0 && ms < INT64_MAX / TK_NS_PER_MS) {
        ns = ms * TK_NS_PER_MS;
    }
    if (is_mean && dt_ms > 0 && dt_ms <= DT_MAX_MS)
        ns -= dt_ms * TK_NS_PER_MS;
    return ns > 0 ? ns : 0;
}

static double value_of(const struct tk_batch *batch, size_t row, size_t column)
{
    bool is_f64 = batch->schema->columns[column].type == TK_F64;
    if (!tk_batch_has(batch, row, column))
        return (double)NAN;
    return is_f64 ? tk_batch_f64(batch, row, column, 0)
                  : (double)tk_batch_i64(batch, row, column, 0);
}

static void put_value(struct tk_buf *out, uint64_t uuid, int64_t ns, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    size_t packet = tk_perfetto_begin(out, STATE_NEEDED);
    tk_wire_put_number(out, PACKET_TIMESTAMP, (uint64_t)ns);
    size_t event = tk_wire_begin(out, PACKET_EVENT, 1);
    tk_wire_put_number(out, EVENT_TYPE, COUNTER);
    tk_wire_put_number(out, EVENT_TRACK, uuid);
    tk_wire_put_fixed64(out, EVENT_DOUBLE, bits);
    tk_wire_end(out, event, 1);
    tk_perfetto_end(out, packet);
}

static int put_row(struct tk_map *tracks, const struct tk_batch *batch, size_t row,
                   struct tk_buf *out, struct tk_err *err)
{
    tk_str node = tk_batch_text(batch, row, TK_HOST_METRICS_NODE);
    tk_str name = node.n > 0 ? node : TK_STR("machine");
    uint64_t host = tk_hash_text(name);
    int rc = 0;
    for (size_t i = 0; i < TK_COUNTOF(counters) && rc == 0; i++) {
        double value = value_of(batch, row, counters[i].column);
        int64_t ns = time_of(batch, row, counters[i].is_mean);
        if (!isfinite(value) || ns == 0)
            continue;
        rc = put_tracks(tracks, host, name, i, out, err);
        if (rc == 0)
            put_value(out, track_of(host, i + 1), ns, value);
    }
    return rc;
}

int tk_perfetto_put_host(struct tk_map *tracks, const struct tk_batch *batch, struct tk_buf *out,
                         struct tk_err *err)
{
    int rc = 0;
    for (size_t row = 0; row < batch->rows && rc == 0; row++)
        rc = put_row(tracks, batch, row, out, err);
    return rc < 0 ? rc : tk_buf_check(out, "readings", err);
}
