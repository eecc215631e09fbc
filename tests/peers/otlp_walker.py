#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare OTLP traces span by span, by readers of its own for protobuf and for JSON.

    otlp_walker.py FOLDER      what otlp_tool has written there

Both forms become the same Python values: a span with its resource and scope, everything that the
protocol knows of them. A list of records is equal when the spans are, in their order.
"""

import base64
import functools
import json
import struct
import sys

# Fields of messages by number: name, type. A type in a list is repeated.
PAIR = {1: ("key", "string")}
ANY = {1: ("stringValue", "string"), 2: ("boolValue", "bool"), 3: ("intValue", "int"),
       4: ("doubleValue", "double"), 7: ("bytesValue", "bytes")}
PAIR[2] = ("value", ANY)
ANY[5] = ("arrayValue", {1: ("values", [ANY])})
ANY[6] = ("kvlistValue", {1: ("values", [PAIR])})
ENTITY = {1: ("schemaUrl", "string"), 2: ("type", "string"), 3: ("idKeys", ["string"]),
          4: ("descriptionKeys", ["string"])}
RESOURCE = {1: ("attributes", [PAIR]), 2: ("droppedAttributesCount", "count"),
            3: ("entityRefs", [ENTITY])}
SCOPE = {1: ("name", "string"), 2: ("version", "string"), 3: ("attributes", [PAIR]),
         4: ("droppedAttributesCount", "count")}
EVENT = {1: ("timeUnixNano", "fixed64"), 2: ("name", "string"), 3: ("attributes", [PAIR]),
         4: ("droppedAttributesCount", "count")}
LINK = {1: ("traceId", "id"), 2: ("spanId", "id"), 3: ("traceState", "string"),
        4: ("attributes", [PAIR]), 5: ("droppedAttributesCount", "count"), 6: ("flags", "fixed32")}
STATUS = {2: ("message", "string"), 3: ("code", "count")}
SPAN = {1: ("traceId", "id"), 2: ("spanId", "id"), 3: ("traceState", "string"),
        4: ("parentSpanId", "id"), 5: ("name", "string"), 6: ("kind", "count"),
        7: ("startTimeUnixNano", "fixed64"), 8: ("endTimeUnixNano", "fixed64"),
        9: ("attributes", [PAIR]), 10: ("droppedAttributesCount", "count"), 11: ("events", [EVENT]),
        12: ("droppedEventsCount", "count"), 13: ("links", [LINK]),
        14: ("droppedLinksCount", "count"), 15: ("status", STATUS), 16: ("flags", "fixed32")}
SCOPE_SPANS = {1: ("scope", SCOPE), 2: ("spans", [SPAN]), 3: ("schemaUrl", "string")}
RESOURCE_SPANS = {1: ("resource", RESOURCE), 2: ("scopeSpans", [SCOPE_SPANS]),
                  3: ("schemaUrl", "string")}
TRACES = {1: ("resourceSpans", [RESOURCE_SPANS])}


def varint(data, at):
    if data[at] < 0x80:  # as a rule
        return data[at], at + 1
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def field(data, at):
    """The field at `at`: its number, its value as it stands there, where it ends."""
    tag, at = varint(data, at)
    kind = tag & 7
    if kind == 0:
        value, at = varint(data, at)
    elif kind == 1:
        value, at = data[at:at + 8], at + 8
    elif kind == 5:
        value, at = data[at:at + 4], at + 4
    elif kind == 2:
        n, at = varint(data, at)
        value, at = data[at:at + n], at + n
    else:
        raise ValueError(f"wire type {kind}")
    return tag >> 3, value, at


def scalar(value, kind):
    if kind == "string":
        return bytes(value).decode()
    if kind == "id":
        return bytes(value).hex()
    if kind == "bytes":
        return bytes(value)
    if kind == "bool":
        return bool(value)
    if kind == "int":
        return value - (1 << 64) if value >= 1 << 63 else value
    if kind == "double":
        return struct.unpack("<d", value)[0]
    if kind in ("fixed64", "fixed32"):
        return int.from_bytes(value, "little")
    return value


# Attributes come again and again: each is walked once, and is without defaults, see plain().


@functools.lru_cache(maxsize=None)
def pair(data):
    return plain(from_proto(data, PAIR))


@functools.lru_cache(maxsize=None)
def json_pair(key, name, value):
    """An attribute of one value that is no list and no map."""
    return plain(from_json({"key": key, "value": {name: value}}, PAIR))


def from_proto(data, fields):
    out, at = {}, 0
    while at < len(data):
        number, value, at = field(data, at)
        if number not in fields:
            continue
        name, kind = fields[number]
        inner = kind[0] if isinstance(kind, list) else kind
        if inner is PAIR:
            value = pair(bytes(value))
        elif inner is SPAN:
            value = plain(from_proto(value, SPAN))
        else:
            value = from_proto(value, inner) if isinstance(inner, dict) else scalar(value, inner)
        if isinstance(kind, list):
            out.setdefault(name, []).append(value)
        else:
            out[name] = value
    return out


def attribute_from_json(item):
    members = item.get("value", {})
    if len(members) == 1:
        (name, value), = members.items()
        if name != "doubleValue" and not isinstance(value, (dict, list)):  # 0.0 equals -0.0
            return json_pair(item["key"], name, value)
    return plain(from_json(item, PAIR))


def from_json(value, kind):
    if kind == [PAIR]:
        return [attribute_from_json(item) for item in value]
    if kind == [SPAN]:
        return [plain(from_json(item, SPAN)) for item in value]
    if isinstance(kind, list):
        return [from_json(item, kind[0]) for item in value]
    if isinstance(kind, dict):
        kinds = dict(kind.values())
        return {name: from_json(item, kinds[name]) for name, item in value.items()}
    if kind in ("int", "fixed64"):
        return int(value)
    if kind == "double":
        return float(value)
    if kind == "bytes":
        return base64.b64decode(value)
    return value


def plain(value, is_value=False):
    """Without what has its default, but in the members of an attribute's value, of which one is set."""
    if isinstance(value, list):
        return [plain(item, is_value) for item in value]
    if not isinstance(value, dict):
        return repr(value) if isinstance(value, float) else value
    value = {name: item if name == "attributes" else  # they are plain already
             plain(item, name in ("value", "values") or is_value) for name, item in value.items()}
    if is_value:
        return value
    return {name: item for name, item in value.items() if item not in ("", 0, [], {})}


def spans(traces):
    for resource_spans in traces.get("resourceSpans", []):
        resource = plain(resource_spans.get("resource", {}))
        for scope_spans in resource_spans.get("scopeSpans", []):
            scope = plain(scope_spans.get("scope", {}))
            urls = (resource_spans.get("schemaUrl", ""), scope_spans.get("schemaUrl", ""))
            for span in scope_spans.get("spans", []):
                yield span, resource, scope, urls


def records(path):
    with open(path, "rb") as file:
        data = memoryview(file.read())
    at = 0
    while at < len(data):
        n = int.from_bytes(data[at:at + 4], "big")
        yield data[at + 4:at + 4 + n]
        at += 4 + n


def compare(folder):
    count = 0
    parts = zip(*(records(f"{folder}/{name}") for name in ("sent", "proto", "json")), strict=True)
    for i, (sent, proto, text) in enumerate(parts):
        forms = (spans(from_proto(sent, TRACES)), spans(from_proto(proto, TRACES)),
                 spans(from_json(json.loads(bytes(text)), TRACES)))
        for a, b, c in zip(*forms, strict=True):
            if not a == b == c:
                sys.exit(f"record {i}, span {count}:\nsent  {a}\nproto {b}\njson  {c}")
            count += 1
    print(f"{count} spans are the same")


if __name__ == "__main__":
    compare(sys.argv[1])
