# SPDX-License-Identifier: Apache-2.0
"""Read OTLP/JSON as OpenTelemetry's own messages do, and print what they hold.

usage: otlp_peer.py traces|metrics FILE

Each line is parsed strictly: a field that the protocol has not, or of another type, is an error.
Ids are hexadecimal in OTLP/JSON, where the JSON of protobuf has base64: they are converted before.
"""
import base64
import json
import sys

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ID_BYTES = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def ids_to_base64(node):
    if isinstance(node, list):
        for item in node:
            ids_to_base64(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ID_BYTES:
                raw = bytes.fromhex(value)
                assert len(raw) == ID_BYTES[key] and any(raw), (key, value)
                node[key] = base64.b64encode(raw).decode()
            else:
                ids_to_base64(value)


def value_of(value):
    return getattr(value, value.WhichOneof("value"))


def attributes(items):
    result = {item.key: value_of(item.value) for item in items}
    assert len(result) == len(items), "an attribute comes twice"
    return result


def traces(request):
    for group in request.resource_spans:
        resource = attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                assert span.end_time_unix_nano >= span.start_time_unix_nano > 0
                yield {
                    "resource": resource,
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "kind": span.kind,
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "attributes": attributes(span.attributes),
                    "events": [[event.name, event.time_unix_nano] for event in span.events],
                    "status": span.status.code,
                    "message": span.status.message,
                }


def metrics(request):
    for group in request.resource_metrics:
        resource = attributes(group.resource.attributes)
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                shape = metric.WhichOneof("data")
                data = getattr(metric, shape)
                assert data.data_points, "a metric without points"
                for point in data.data_points:
                    yield {
                        "resource": resource,
                        "name": metric.name,
                        "unit": metric.unit,
                        "shape": shape,
                        "temporality": data.aggregation_temporality if shape == "sum" else None,
                        "monotonic": data.is_monotonic if shape == "sum" else None,
                        "start": point.start_time_unix_nano,
                        "at": point.time_unix_nano,
                        "value": point.as_double,
                        "attributes": attributes(point.attributes),
                    }


def main():
    kinds = {
        "traces": (ExportTraceServiceRequest, traces),
        "metrics": (ExportMetricsServiceRequest, metrics),
    }
    message, rows = kinds[sys.argv[1]]
    with open(sys.argv[2], encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            ids_to_base64(document)
            for row in rows(ParseDict(document, message())):
                print(json.dumps(row))


main()
