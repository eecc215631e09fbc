// SPDX-License-Identifier: Apache-2.0
// An application with OpenTelemetry's JavaScript SDK, as it comes: spans of a checkout, exported.
// usage: sdk_peer.mjs proto|json|grpc URL none|gzip TRACES; prints the id of the last trace.
import { createRequire } from "node:module";

const require = createRequire(process.env.TK_PEERS + "/");
const { trace, context, SpanKind, SpanStatusCode } = require("@opentelemetry/api");
const { BasicTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { resourceFromAttributes } = require("@opentelemetry/resources");

const exporters = {
  proto: () => require("@opentelemetry/exporter-trace-otlp-proto").OTLPTraceExporter,
  json: () => require("@opentelemetry/exporter-trace-otlp-http").OTLPTraceExporter,
  grpc: () => require("@opentelemetry/exporter-trace-otlp-grpc").OTLPTraceExporter,
};

const [kind, url, compression, traces] = process.argv.slice(2);
const exporter = new (exporters[kind]())({ url, compression });
const failures = [];
const send = exporter.export.bind(exporter);
exporter.export = (spans, done) =>
  send(spans, (result) => {
    if (result.code !== 0) failures.push(result.error ?? result);
    done(result);
  });

const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": `shop-${kind}`, "service.version": "1.2" }),
  spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: 100000 })],
});
const tracer = provider.getTracer("checkout", "0.1");

let id;
for (let i = 0; i < Number(traces); i++) {
  const root = tracer.startSpan("POST /checkout", { kind: SpanKind.SERVER, attributes: { "http.route": "/checkout", n: i, ratio: 0.5, vip: true, tags: ["a", "b"] } });
  const inner = tracer.startSpan("charge", { kind: SpanKind.CLIENT }, trace.setSpan(context.active(), root));
  inner.addEvent("retry", { attempt: 2 });
  inner.setStatus({ code: SpanStatusCode.ERROR, message: "card refused ✗" });
  inner.end();
  root.end();
  id = root.spanContext().traceId;
}
await provider.forceFlush();
await provider.shutdown();
if (failures.length) {
  console.error(failures);
  process.exit(1);
}
console.log(id);
