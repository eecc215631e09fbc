/* SPDX-License-Identifier: Apache-2.0 */
/* What the packets of a Perfetto trace have in common, those of spans and those of machines. All
 * are of one sequence, whose first packet says that times are those of the wall clock. */
#ifndef TK_SPAN_PERFETTO_INTERNAL_H
#define TK_SPAN_PERFETTO_INTERNAL_H

#include "base/buf.h"
#include "base/map.h"
#include "span/wire.h"
#include "table/table.h"

/* Fields of TracePacket, TrackEvent, TrackDescriptor. */
#define PACKET_TIMESTAMP TK_WIRE_VARINT(8)
#define PACKET_EVENT     TK_WIRE_BYTES(11)
#define PACKET_TRACK     TK_WIRE_BYTES(60)
#define EVENT_TYPE       TK_WIRE_VARINT(9)
#define EVENT_TRACK      TK_WIRE_VARINT(11)
#define TRACK_UUID       TK_WIRE_VARINT(1)
#define TRACK_NAME       TK_WIRE_BYTES(2)
#define TRACK_PARENT     TK_WIRE_VARINT(5)

enum { STATE_CLEARED = 1, STATE_NEEDED = 2 };

/* A packet, from its sequence and flags on; what is put between the two is in it. */
size_t tk_perfetto_begin(struct tk_buf *out, uint64_t flags);
void tk_perfetto_end(struct tk_buf *out, size_t packet);

/* Append the readings of a batch of host_metrics: a track for each machine, on which counters
 * stand. `tracks`, zeroed at first, keeps which of them have been told. -ENOMEM. */
TK_MUST_USE int tk_perfetto_put_host(struct tk_map *tracks, const struct tk_batch *batch,
                                     struct tk_buf *out, struct tk_err *err);

#endif
