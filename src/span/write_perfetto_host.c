/* SPDX-License-Identifier: Apache-2.0 */
/* Readings of machines as counter tracks (perfetto v58, track_event/counter_descriptor.proto): a
 * track for each machine, its counters below it. */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "span/host_counters.h"
#include "span/perfetto_internal.h"

#define COUNTER           4 /* the type of an event */
#define EVENT_DOUBLE      TK_WIRE_FIXED64(44)
#define TRACK_COUNTER     TK_WIRE_BYTES(8)
#define COUNTER_UNIT      TK_WIRE_VARINT(3)
#define COUNTER_UNIT_NAME TK_WIRE_BYTES(6)
#define UNIT_BYTES        3

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
    size_t track = begin_track(out, &packet, track_of(host, i + 1), tk_host_counters[i].name);
    tk_wire_put_number(out, TRACK_PARENT, track_of(host, 0));
    size_t about = tk_wire_begin(out, TRACK_COUNTER, 1);
    if (strcmp(tk_host_counters[i].unit, "bytes") == 0) {
        tk_wire_put_number(out, COUNTER_UNIT, UNIT_BYTES);
    } else {
        tk_wire_put_bytes(out, COUNTER_UNIT_NAME, tk_str_from(tk_host_counters[i].unit));
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
    tk_str name = tk_host_counter_machine(batch, row);
    uint64_t host = tk_hash_text(name);
    int rc = 0;
    for (size_t i = 0; i < TK_HOST_COUNTERS && rc == 0; i++) {
        int64_t ns;
        double value;
        if (!tk_host_counter_read(&tk_host_counters[i], batch, row, &ns, &value))
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
