# SPDX-License-Identifier: Apache-2.0
"""Spans as others have them: OpenTelemetry's and Perfetto's own messages, as protoc makes them, and
the rules of Zipkin's schema (zipkin-api, zipkin2-api.yaml).

    spans_peer.py make FILE              requests with a field of every kind, each after its length
    spans_peer.py same SENT FILE...      do these (.pb framed, .jsonl) say what SENT says, span by span?
    spans_peer.py perfetto FILE SPANS    are its slices these spans, of `tracekit spans --json`?
    spans_peer.py counters FILE ROWS     are its counters these rows of host_metrics?
    spans_peer.py zipkin FILE            breaches of the schema, a line each; then the count of spans
"""
import base64
import json
import re
import struct
import sys

from google.protobuf import json_format
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

START_NS = 1_758_000_000_123_456_789


# OTLP -------------------------------------------------------------------------------------------


def value(of):
    if of is None:
        return AnyValue()
    if isinstance(of, bool):
        return AnyValue(bool_value=of)
    if isinstance(of, int):
        return AnyValue(int_value=of)
    if isinstance(of, float):
        return AnyValue(double_value=of)
    if isinstance(of, bytes):
        return AnyValue(bytes_value=of)
    if isinstance(of, str):
        return AnyValue(string_value=of)
    made = AnyValue()
    if isinstance(of, dict):
        made.kvlist_value.SetInParent()
        made.kvlist_value.values.extend(pairs(of))
    else:
        made.array_value.SetInParent()
        made.array_value.values.extend(value(each) for each in of)
    return made


def pairs(of):
    return [KeyValue(key=key, value=value(each)) for key, each in of.items()]


EVERY_KIND = {
    "text": "tea \u2615, \"quoted\"", "empty text": "", "nothing": None, "yes": True, "no": False, "zero": 0,
    "least": -2**63, "most": 2**63 - 1, "half": 0.5, "tiny": 5e-324, "infinite": float("-inf"),
    "bytes": bytes(range(256)), "no bytes": b"", "list": ["a", 1, None, [2.5, []]],
    "map": {"in": {"deep": [{"er": True}]}, "out": b"\x00"}, "empty list": [], "empty map": {},
}


def make_span(number, **fields):
    return Span(trace_id=struct.pack(">QQ", 7, number // 3 + 1), span_id=struct.pack(">Q", number + 1),
                name=f"span {number}", start_time_unix_nano=START_NS + number,
                end_time_unix_nano=START_NS + number + 1000 * number, **fields)


def make_spans():
    full = make_span(0, kind=Span.SPAN_KIND_SERVER, trace_state="a=1,b=2", flags=0x301,
                     attributes=pairs(EVERY_KIND), dropped_attributes_count=3,
                     dropped_events_count=2**32 - 1, dropped_links_count=1)
    full.status.code, full.status.message = 2, "it broke"
    full.events.add(time_unix_nano=START_NS + 1, name="event", attributes=pairs(EVERY_KIND),
                    dropped_attributes_count=4)
    full.events.add(time_unix_nano=START_NS + 2)
    full.links.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, trace_state="c=3",
                   attributes=pairs({"why": "retry"}), dropped_attributes_count=5, flags=0x100)
    child = make_span(1, kind=Span.SPAN_KIND_CLIENT, parent_span_id=full.span_id)
    child.status.code = 1
    return [full, child, *(make_span(number, kind=number % 6) for number in range(2, 40))]


def field(number, payload):
    """One field of wire type 2."""
    def varint(n):
        out = b""
        while n > 127:
            out, n = out + bytes([n & 127 | 128]), n >> 7
        return out + bytes([n])
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def make(path):
    """A request as any encoder writes it; one whose resource follows its spans, in two pieces that
    are to be merged, among fields of the future."""
    spans = make_spans()
    plain = TracesData()
    resource_spans = plain.resource_spans.add(schema_url="https://example.org/1")
    resource_spans.resource.attributes.extend(pairs({"service.name": "shop", "n": 1}))
    resource_spans.resource.dropped_attributes_count = 9
    scope_spans = resource_spans.scope_spans.add(schema_url="https://example.org/2", spans=spans[:20])
    scope_spans.scope.name, scope_spans.scope.version = "scope", "1.2"
    scope_spans.scope.attributes.extend(pairs({"scoped": [1, 2]}))
    resource_spans.scope_spans.add(spans=spans[20:25])
    back = ScopeSpans(spans=spans[25:])
    pieces = [ResourceSpans().resource.__class__(attributes=pairs(each)).SerializeToString()
              for each in ({"service.name": "back"}, {"zone": "b"})]
    body = (field(99, b"of the future") + field(2, back.SerializeToString()) + field(1, pieces[0]) +
            field(1000, b"old") + field(1, pieces[1]))
    with open(path, "wb") as file:
        for record in (plain.SerializeToString(), field(1, body)):
            file.write(struct.pack(">I", len(record)) + record)


def read_framed(path):
    data = open(path, "rb").read()
    while data:
        n = struct.unpack(">I", data[:4])[0]
        yield TracesData.FromString(data[4:4 + n])
        data = data[4 + n:]


def ids_to_base64(of):
    """Ids of OTLP/JSON are hexadecimal, protobuf's mapping wants base64."""
    if isinstance(of, list):
        return [ids_to_base64(each) for each in of]
    if not isinstance(of, dict):
        return of
    return {key: base64.b64encode(bytes.fromhex(each)).decode()
            if key in ("traceId", "spanId", "parentSpanId") else ids_to_base64(each)
            for key, each in of.items()}


def read(path):
    if path.endswith(".jsonl"):
        return [json_format.ParseDict(ids_to_base64(json.loads(line)), TracesData())
                for line in open(path)]
    return list(read_framed(path))


def sorted_pairs(message):
    """Attributes have no order."""
    message.attributes.sort(key=lambda pair: pair.key)
    return message


def by_span(path):
    spans = {}
    for record in read(path):
        for resource_spans in record.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    for each in (span, *span.events, *span.links):
                        sorted_pairs(each)
                    around = [sorted_pairs(resource_spans.resource), sorted_pairs(scope_spans.scope)]
                    spans[span.trace_id + span.span_id] = [
                        str(each) for each in (span, *around)] + [
                        resource_spans.schema_url, scope_spans.schema_url]
    return spans


def same(sent_path, *paths):
    sent = by_span(sent_path)
    for path in paths:
        got = by_span(path)
        for key in sorted(sent.keys() | got.keys()):
            if sent.get(key) != got.get(key):
                sys.exit(f"{path}: {key.hex()}: sent {sent.get(key)}, got {got.get(key)}")
    print(len(sent), "spans are the same")


# Perfetto ---------------------------------------------------------------------------------------


def perfetto(path, spans_path):
    trace = Trace.FromString(open(path, "rb").read())
    names, tracks, open_slices, slices = {}, {}, {}, []
    for packet in trace.packet:
        if packet.HasField("interned_data"):
            names |= {each.iid: each.name for each in packet.interned_data.event_names}
        if packet.HasField("track_descriptor"):
            tracks[packet.track_descriptor.uuid] = packet.track_descriptor
        if not packet.HasField("track_event"):
            continue
        event = packet.track_event
        stack = open_slices.setdefault(event.track_uuid, [])
        if event.type == TrackEvent.TYPE_SLICE_BEGIN:
            stack.append((packet.timestamp, event.name or names[event.name_iid]))
        elif event.type == TrackEvent.TYPE_SLICE_END:
            begin, name = stack.pop()  # slices of a track nest
            track = tracks[event.track_uuid]
            process = tracks[track.parent_uuid].process.process_name if track.parent_uuid else ""
            slices.append((process, name, begin, packet.timestamp))
    left = sum(len(stack) for stack in open_slices.values())
    spans = [(span["resource"]["service.name"], span["name"], span["start_time_unix_nano"],
              span["end_time_unix_nano"]) for span in map(json.loads, open(spans_path))]
    if left or sorted(slices) != sorted(spans):
        sys.exit(f"{left} slices do not end; {set(slices) ^ set(spans)}")
    print(len(slices), "slices are the spans")


def counters(path, readings_path):
    """Do the counters of FILE hold what the rows of host_metrics say, from the begin of their interval on?"""
    trace = Trace.FromString(open(path, "rb").read())
    tracks = {packet.track_descriptor.uuid: packet.track_descriptor for packet in trace.packet
              if packet.HasField("track_descriptor")}
    got = []
    for packet in trace.packet:
        event = packet.track_event
        if packet.HasField("track_event") and event.type == TrackEvent.TYPE_COUNTER:
            track = tracks[event.track_uuid]
            got.append((tracks[track.parent_uuid].name, track.name, packet.timestamp,
                        event.double_counter_value))
    want = []
    for row in map(json.loads, open(readings_path)):
        begin = row["ts_us"] * 1000 - row.get("dt_ms", 0) * 1000000
        for name, key, ns in (("CPU busy", "cpu_util", begin), ("disks read", "disk_rd_Bps", begin),
                              ("disks written", "disk_wr_Bps", begin),
                              ("memory available", "mem_available_bytes", row["ts_us"] * 1000)):
            if row.get(key) is not None:
                want.append((row["node"], name, ns, float(row[key])))
    if sorted(got) != sorted(want):
        sys.exit(f"{set(got) ^ set(want)}")
    units = {track.name: track.counter.unit_name or track.counter.unit for track in tracks.values()
             if track.HasField("counter")}
    print(len(got), "values;", *sorted(f"{name}: {unit}" for name, unit in units.items()))


# Zipkin -----------------------------------------------------------------------------------------

TRACE_ID, SPAN_ID = re.compile("[a-f0-9]{16,32}"), re.compile("[a-f0-9]{16}")
KINDS = ("CLIENT", "SERVER", "PRODUCER", "CONSUMER")


def is_count(of):
    return isinstance(of, int) and not isinstance(of, bool) and of >= 0


def is_endpoint(of):
    return isinstance(of, dict) and of.keys() <= {"serviceName", "ipv4", "ipv6", "port"}


RULES = {
    "traceId": lambda of: TRACE_ID.fullmatch(of), "id": lambda of: SPAN_ID.fullmatch(of),
    "parentId": lambda of: SPAN_ID.fullmatch(of), "name": lambda of: isinstance(of, str),
    "kind": lambda of: of in KINDS, "timestamp": is_count, "duration": lambda of: is_count(of) and of >= 1,
    "debug": lambda of: isinstance(of, bool), "shared": lambda of: isinstance(of, bool),
    "localEndpoint": is_endpoint, "remoteEndpoint": is_endpoint,
    "annotations": lambda of: all(is_count(each["timestamp"]) and isinstance(each["value"], str) and
                                  len(each) == 2 for each in of),
    "tags": lambda of: all(isinstance(each, str) for pair in of.items() for each in pair),
}


def zipkin(path):
    spans = json.load(open(path))
    for span in spans:
        for key in span.keys() | {"traceId", "id"}:
            if key not in RULES or key not in span or not RULES[key](span[key]):
                print(f"{span.get('id')}: {key}: {span.get(key)!r}")
    print(len(spans))


if __name__ == "__main__":
    {"make": make, "same": same, "perfetto": perfetto, "counters": counters,
     "zipkin": zipkin}[sys.argv[1]](*sys.argv[2:])
