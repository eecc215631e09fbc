# SPDX-License-Identifier: Apache-2.0
"""An application with three spans: one around all, one that burns CPU, one that sleeps. Sends them to
the receiver of OTEL_EXPORTER_OTLP_ENDPOINT as an OpenTelemetry SDK does, with the Resource that
OTEL_RESOURCE_ATTRIBUTES gives, and prints the CPU time in ns that burning took."""
import json
import os
import time
import urllib.request

resource = dict(pair.split("=", 1) for pair in os.environ["OTEL_RESOURCE_ATTRIBUTES"].split(",") if pair)
resource.update({"service.name": "burner", "process.pid": os.getpid()})
trace_id = os.urandom(16).hex()
spans = []


def value(of):
    return {"intValue": str(of)} if isinstance(of, int) else {"stringValue": of}


class Span:
    def __init__(self, name, parent=None):
        self.name, self.parent, self.id = name, parent, os.urandom(8).hex()

    def __enter__(self):
        self.start = time.time_ns()
        return self

    def __exit__(self, *ignored):
        span = {"traceId": trace_id, "spanId": self.id, "name": self.name, "kind": 1,
                "startTimeUnixNano": str(self.start), "endTimeUnixNano": str(time.time_ns())}
        if self.parent:
            span["parentSpanId"] = self.parent.id
        spans.append(span)


with Span("work") as work:
    time.sleep(0.3)
    with Span("burn", work):
        before = time.process_time_ns()
        while time.process_time_ns() - before < 1_000_000_000:
            sum(range(10000))
        burnt = time.process_time_ns() - before
    with Span("sleep", work):
        time.sleep(1)
attributes = [{"key": key, "value": value(of)} for key, of in resource.items()]
body = {"resourceSpans": [{"resource": {"attributes": attributes},
                           "scopeSpans": [{"scope": {"name": "burner"}, "spans": spans}]}]}
urllib.request.urlopen(urllib.request.Request(
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces", json.dumps(body).encode(),
    {"Content-Type": "application/json"})).read()
print(burnt)
