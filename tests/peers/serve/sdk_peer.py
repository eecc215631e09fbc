# SPDX-License-Identifier: Apache-2.0
"""An application with OpenTelemetry's Python SDK, as it comes.
usage: sdk_peer.py proto|json|grpc ENDPOINT none|gzip|deflate TRACES; prints the id of the last trace."""
import sys

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, format_trace_id

kind, endpoint, compression, traces = sys.argv[1:5]
if kind == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(
        endpoint=endpoint,
        insecure=True,
        compression={"none": Compression.NoCompression, "gzip": Compression.Gzip, "deflate": Compression.Deflate}[compression],
    )
elif kind == "json":
    from opentelemetry.exporter.otlp.common.http import Compression
    from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=endpoint, compression=Compression(compression))
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=endpoint, compression=Compression(compression))

results = []
send = exporter.export


def export(spans):
    results.append(send(spans))
    return results[-1]


exporter.export = export
provider = TracerProvider(resource=Resource.create({"service.name": f"py-{kind}"}))
provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=100000))
tracer = provider.get_tracer("checkout")
odd = {"large": 2**53 + 1, "negative": -1, "ratio": 0.1, "vip": True, "tags": ["a", "✗"], "raw": b"\x00\xff", "empty": ""}
for i in range(int(traces)):
    with tracer.start_as_current_span("GET /cart", kind=SpanKind.SERVER, attributes={"n": i, **odd}) as root:
        with tracer.start_as_current_span("select", links=[Link(root.get_span_context(), {"why": "test"})]) as inner:
            inner.add_event("retry", {"attempt": 2})
            inner.set_status(Status(StatusCode.ERROR, "refused ✗"))
provider.shutdown()
if not results or any(result != SpanExportResult.SUCCESS for result in results):
    sys.exit(f"exports: {results}")
print(format_trace_id(root.get_span_context().trace_id))
