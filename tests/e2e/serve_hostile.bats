#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What nobody should send, sent to tracekit serve: for each the rule, in the name of its test. Requests
# that smuggle others and senders that are too slow are in tests/unit/test_http1.c, single bad fields in
# test_otlp_decode.c, what files may hold in import_spans.bats.

bats_require_minimum_version 1.5.0

setup() {
    load serve_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID
}

teardown() {
    serve_clean
}

# spans_json [JQ]: a request of the spans that a program of jq makes, on standard output. It has
# span(ID; PARENT; START_MS; DURATION_MS), ids as hexadecimal digits, all of trace ab.
spans_json() {
    jq -nc 'def pad($w): ("0" * $w + .)[-$w:];
        def span($id; $parent; $start; $ms): {traceId: ("ab" | pad(32)), spanId: ($id | pad(16)), name: "op-\($id)",
            kind: 2, startTimeUnixNano: "\(1758000000000 + $start)000000", endTimeUnixNano: "\(1758000000000 + $start + $ms)000000"}
            + (if $parent == "" then {} else {parentSpanId: ($parent | pad(16))} end);
        {resourceSpans: [{resource: {attributes: [{key: "service.name", value: {stringValue: "odd"}}]},
            scopeSpans: [{spans: ['"$1"']}]}]}'
}

trace_of() {
    curl -sS "http://$QUERY/api/traces/000000000000000000000000000000ab"
}

@test "orphans, several roots, cycles and skewed clocks are stored and answered as they came" {
    serve_start run
    spans_json 'span("1"; ""; 0; 100), span("2"; "1"; 10; 20), span("3"; ""; 5; 50), span("4"; "99"; 7; 3),
        span("5"; "6"; 1; 9), span("6"; "5"; 2; 9), span("7"; "7"; 3; 1), span("8"; "1"; -5000; 10)' >request.json
    [ "$(post application/json request.json | tail -n 1)" = 200 ]
    trace_of >trace.json
    [ "$(jq -c '.data[0].spans | length' trace.json)" = 8 ]
    [ "$(jq -c '[.data[0].spans[] | select(.operationName == "op-8") | .startTime]' trace.json)" = '[1757999995000000]' ]
    [ "$(jq -c '[.data[0].spans[] | select(.operationName == "op-4") | .references[0].spanID]' trace.json)" = '["0000000000000099"]' ]
    summaries=$(curl -sSG "http://$QUERY/api/v3/trace-summaries" \
        --data-urlencode query.startTimeMin=2025-09-16T00:00:00Z --data-urlencode query.startTimeMax=2025-09-17T00:00:00Z)
    [ "$(jq -c '.summaries[0] | [.spanCount, .orphanSpanCount]' <<<"$summaries")" = '[8,1]' ]
    run -0 "$TK" trace 000000000000000000000000000000ab run
    for id in 1 2 3 4 5 6 7 8; do [[ $output == *"op-$id"* ]]; done
    curl -sS "http://$QUERY/api/dependencies?endTs=1758000100000&lookback=1000000" | jq -e .data >/dev/null
    serve_stop
}

@test "spans without a service, a name or a kind pass what Jaeger's page checks of an answer" {
    serve_start run
    cat >request.json <<'JSON'
{"resourceSpans":[{"resource":{},"scopeSpans":[{"spans":[{"traceId":"000000000000000000000000000000ab",
 "spanId":"00000000000000cd","startTimeUnixNano":"1758000000000000000","endTimeUnixNano":"1758000000000000001",
 "attributes":[{"key":"least","value":{"intValue":"-9223372036854775808"}},{"key":"raw","value":{"bytesValue":"AP8="}},
 {"key":"","value":{"kvlistValue":{"values":[{"key":"x","value":{"arrayValue":{}}}]}}},{"key":"no","value":{"boolValue":false}}]}]}]}]}
JSON
    [ "$(post application/json request.json | tail -n 1)" = 200 ]
    curl -sSG "http://$QUERY/api/v3/trace-summaries" -d query.num_traces=20 \
        -d query.start_time_min=2025-09-16T00:00:00Z -d query.start_time_max=2025-09-17T00:00:00Z >summaries.json
    # Of each summary an id of 32 digits, times as decimal texts; of each service a name.
    jq -e '.summaries | length == 1 and all(.[]; (.traceId | test("^[0-9a-f]{32}$"))
        and (.minStartTimeUnixNano | test("^[0-9]+$")) and (.maxEndTimeUnixNano | test("^[0-9]+$"))
        and all(.services[]; .name == "OTLPResourceNoServiceName" and .spanCount == 1))' summaries.json
    # Of each span ids of their lengths or none; one value of each attribute, integers as decimal texts.
    curl -sS "http://$QUERY/api/v3/traces/ab" >trace.json
    jq -e '[.result.resourceSpans[].scopeSpans[].spans[]] | length == 1 and all(.[]; (.traceId | test("^[0-9a-f]{32}$"))
        and (.spanId | test("^[0-9a-f]{16}$")) and (has("parentSpanId") | not)
        and (.startTimeUnixNano | test("^[0-9]+$")) and (.endTimeUnixNano | test("^[0-9]+$"))
        and (.attributes | map(.value) == [{intValue: "-9223372036854775808"}, {bytesValue: "AP8="},
            {kvlistValue: {values: [{key: "x", value: {arrayValue: {values: []}}}]}}, {boolValue: false}]))' trace.json
    serve_stop
}

@test "spans of one id twice are both stored: who sends again after no answer is not punished" {
    serve_start -j run
    spans_json 'span("1"; ""; 0; 100), span("1"; ""; 0; 100), span("1"; ""; 50; 7)' >request.json
    [ "$(post application/json request.json | tail -n 1)" = 200 ]
    [ "$(post application/json request.json | tail -n 1)" = 200 ]
    [ "$(trace_of | jq '.data[0].spans | length')" = 6 ]
    serve_stop
    [ "$(jq .stored_spans receipt)" = 6 ]
}

@test "a span that ends before it starts has no duration, and the answer says so" {
    serve_start run
    spans_json 'span("1"; ""; 0; -100)' >request.json
    run post application/json request.json
    [ "${lines[1]}" = 200 ]
    [ "$(jq -c '.partialSuccess | [has("rejectedSpans"), (.errorMessage | length > 0)]' <<<"${lines[0]}")" = '[false,true]' ]
    [ "$(trace_of | jq '.data[0].spans[0].duration')" = 0 ]
    serve_stop
}

@test "a trace of 100,000 spans is taken in one request and answered in one" {
    serve_start run
    spans_json 'span("1"; ""; 0; 100), (range(2; 100001) | tostring as $id | span($id; "1"; 1; 1))' >request.json
    gzip -k request.json
    [ "$(post application/json request.json.gz -H 'Content-Encoding: gzip' | tail -n 1)" = 200 ]
    curl -sS --compressed "http://$QUERY/api/traces/000000000000000000000000000000ab" >trace.json
    [ "$(jq '.data[0].spans | length' trace.json)" = 100000 ]
    "$TK" trace 000000000000000000000000000000ab run >drawn
    grep -q op-1 drawn
    serve_stop
}

@test "texts that are no UTF-8 are kept as bytes, and leave as U+FFFD" {
    serve_start run
    python3 - >request <<'PY'
import sys
def field(n, data): return bytes([n << 3 | 2, len(data)]) + data
value = field(2, field(1, b"a\xff\xfeb"))
attr = field(9, field(1, b"key") + value)
span = field(1, bytes(15) + b"\xab") + field(2, bytes(7) + b"\x01") + field(5, b"op\xc3") + b"\x39" + (1758000000000000000).to_bytes(8, "little") + b"\x41" + (1758000000000001000).to_bytes(8, "little") + attr
sys.stdout.buffer.write(field(1, field(2, field(2, span))))
PY
    [ "$(post application/x-protobuf request -o answer | tail -n 1)" = 200 ]
    trace_of >trace.json
    iconv -f UTF-8 -t UTF-8 trace.json >/dev/null
    [ "$(jq -c '.data[0].spans[0] | [.operationName, .tags[].type, .tags[].value]' trace.json)" = $'["op\xef\xbf\xbd","binary","Yf/+Yg=="]' ]
    serve_stop
}

@test "a body of 64 MiB is taken, one of a byte more is 413, also inflated" {
    serve_start -j --ack memory run
    python3 - <<'PY'
def varint(n):
    out = b""
    while n > 127: out += bytes([n & 127 | 128]); n >>= 7
    return out + bytes([n])
def field(n, data): return bytes([n << 3 | 2]) + varint(len(data)) + data
def body(size):
    pad = size
    while True:  # a text as long as it takes
        span = field(1, bytes(15) + b"\xab") + field(2, bytes(7) + b"\x01") + b"\x39" + (1758000000000000000).to_bytes(8, "little") + field(9, field(1, b"k") + field(2, field(1, b"x" * pad)))
        data = field(1, field(2, field(2, span)))
        if len(data) == size: return data
        pad -= len(data) - size
open("fits", "wb").write(body(64 << 20))
open("over", "wb").write(body((64 << 20) + 1))
PY
    [ "$(post application/x-protobuf fits -o answer | tail -n 1)" = 200 ]
    [ "$(post application/x-protobuf over -o answer | tail -n 1)" = 413 ]
    [ "$(post application/x-protobuf over -o answer -H 'Transfer-Encoding: chunked' | tail -n 1)" = 413 ]
    # What inflates to more is refused, whatever it is, and so is what grows more than 500 times.
    head -c 70000000 /dev/urandom | od -An -v -tx1 | tr -d ' \n' | head -c 67108865 | gzip -1 >over.gz
    [ "$(post application/json over.gz -H 'Content-Encoding: gzip' | tail -n 1)" = 413 ]
    head -c 50000000 /dev/zero | gzip -9 >bomb.gz
    run post application/json bomb.gz -H 'Content-Encoding: gzip'
    [ "${lines[-1]}" = 413 ]
    [[ ${lines[0]} == *"inflates to more than 500 times its size"* ]]
    [ "$(curl -sS "http://$HTTP/healthz")" = ok ]
    serve_stop
    [ "$(jq -c '[.accepted_spans, .requests.taken, .requests.too_large]' receipt)" = '[1,1,3]' ]
}

@test "values within values are taken to a depth of 100, deeper ones are 400" {
    serve_start run
    for depth in 90 5000; do
        python3 - "$depth" >request.json <<'PY'
import sys
n = int(sys.argv[1])
value = '{"arrayValue":{"values":[' * n + '{"intValue":"1"}' + ']}}' * n
print('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%032x","spanId":"%016x","startTimeUnixNano":"1","endTimeUnixNano":"2",'
      '"attributes":[{"key":"k","value":%s}]}]}]}]}' % (0xab, 1, value))
PY
        post application/json request.json | tail -n 1
    done >statuses
    [ "$(xargs <statuses)" = '200 400' ]
    serve_stop
}

@test "senders of a byte a second keep nobody waiting" {
    serve_start run
    python3 - "$HTTP" >/dev/null 3>&- <<'PY' &
import socket, sys, time
host, port = sys.argv[1].split(":")
slow = [socket.create_connection((host, int(port))) for _ in range(200)]
for s in slow: s.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
open("slow-ready", "w").close()
while True:
    for s in slow:
        try: s.sendall(b"x")
        except OSError: pass  # it was cut off meanwhile
    time.sleep(1)
PY
    slow=$!
    wait_until test -e slow-ready
    otlp_json 10 >request.json
    for _ in $(seq 20); do [ "$(post application/json request.json -m 30 | tail -n 1)" = 200 ]; done
    kill "$slow"
    wait "$slow" || true
    serve_stop
}
