# SPDX-License-Identifier: Apache-2.0
"""An application with OpenTelemetry's Python SDK, as it comes: it knows nothing of tracekit but where
to send spans. One span burns CPU, one sleeps. Prints the CPU time in ns that burning took."""
import os
import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(
    BatchSpanProcessor(OTLPSpanExporter(os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces")))
tracer = provider.get_tracer("burner")
with tracer.start_as_current_span("work"):
    with tracer.start_as_current_span("burn"):
        before = time.process_time_ns()
        while time.process_time_ns() - before < 1_000_000_000:
            sum(range(10000))
        burnt = time.process_time_ns() - before
    with tracer.start_as_current_span("sleep"):
        time.sleep(1)
provider.shutdown()
print(burnt)
