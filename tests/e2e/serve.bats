#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit serve as a user meets it. What it says to each request, also to those that no client would
# send, is in tests/unit/test_http1.c and test_http2.c; what SDKs think of it in serve_peers.bats.

bats_require_minimum_version 1.5.0

setup() {
    load serve_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID NOTIFY_SOCKET
}

teardown() {
    serve_clean
}

spans_in() {
    "$TK" parquet meta --json "$1"/spans/*.parquet 2>/dev/null | jq -s 'map(.rows) | add'
}

@test "without options it takes the ports of loopback where clients look, and a new run" {
    "$TK" serve >receipt 2>ready 3>&- &
    SERVER=$!
    serve_wait
    ! grep -q 'is taken by another program' ready || skip "somebody else has the ports of OTLP here"
    run cat ready
    [[ $output =~ ^"tracekit serve: ready: OTLP http://127.0.0.1:4318, gRPC 127.0.0.1:4317, Zipkin http://127.0.0.1:9411, queries http://127.0.0.1:16686, into logs/"[0-9TZ]+"/spans"$ ]]
    serve_stop
}

@test "it goes into the run that is recorded here" {
    "$TK" record -q -o logs/night -- sleep 60 3>&- &
    recorder=$!
    wait_until test -s logs/night/run.json
    "$TK" serve --http 127.0.0.1:0 --grpc off --zipkin off --query off >receipt 2>ready 3>&- &
    SERVER=$!
    serve_wait
    kill "$recorder"
    [[ $(cat ready) == *", into logs/night/spans" ]]
    serve_stop
}

@test "a port that is taken is one line that names the option" {
    serve_start run
    run -1 "$TK" serve --http "$HTTP" --grpc off --zipkin off --query off other
    [ "$output" = "tracekit serve: option '--http': $HTTP is taken by another program" ]
    [ ! -e other ]
    serve_stop
}

@test "what is no address or size is a usage error" {
    run -1 "$TK" serve --http 127.0.0.1:99999 --grpc off --zipkin off --query off run
    [ "$output" = "tracekit serve: option '--http': '127.0.0.1:99999' is no address: expected HOST:PORT" ]
    run -2 "$TK" serve --max-body 10parsecs run
    [ "$output" = "tracekit serve: option '--max-body': '10parsecs' is not a size such as 64MiB (see tracekit serve --help)" ]
}

@test "what is no origin of a page is a usage error" {
    run -2 "$TK" serve --cors shop.example run
    [ "$output" = "tracekit serve: option '--cors': 'shop.example' is no origin such as https://shop.example (see tracekit serve --help)" ]
    [ ! -e run ]
}

@test "long answers are compressed for clients that take that" {
    serve_start run
    curl -sS "http://$QUERY/" >plain
    curl -sS --compressed "http://$QUERY/" | cmp - plain
    [ "$(curl -sS -H 'Accept-Encoding: gzip' "http://$QUERY/" | gzip -d | cmp - plain)" = "" ]
    serve_stop
}

@test "OTLP over HTTP is taken at another path, too" {
    serve_start --http-path /otlp/v1/traces run
    otlp_json 3 >request.json
    post application/json request.json | tail -1 | grep -qx 200
    for path in otlp/v1/traces otlp/v1%2Ftraces; do
        curl -sS -w '%{http_code}' -H 'Content-Type: application/json' --data-binary @request.json \
            "http://$HTTP/$path" >answer
        [ "$(cat answer)" = "{}200" ]
    done
    [ "$(curl -sS -o body -w '%{http_code}' "http://$HTTP/otlp/v1/traces")" = 405 ]
    [ "$(curl -sS -o body -w '%{http_code}' -H 'Content-Type: application/json' -d '[]' "http://$ZIPKIN/otlp/v1/traces")" = 404 ]
    curl -sS "http://$HTTP/" | grep -q '^POST  /otlp/v1/traces '
    serve_stop
    grep -q '^9 spans accepted' receipt
    run -2 "$TK" serve --http-path 'v1/traces?x' run
    [ "$output" = "tracekit serve: option '--http-path': 'v1/traces?x' is no path such as /otlp/v1/traces (see tracekit serve --help)" ]
}

@test "a server that is to listen nowhere is a usage error" {
    run -2 timeout 60 "$TK" serve --http off --grpc off --zipkin off --query off run
    [ "$output" = "tracekit serve: nothing to listen on: every address is off (see tracekit serve --help)" ]
    [ ! -e run ]
}

@test "spans by JSON are stored; the receipt says how many" {
    serve_start run
    otlp_json 100 >request.json
    [ "$(post application/json request.json)" = '{}
200' ]
    serve_stop
    [ "$(spans_in run)" = 100 ]
    grep -qx '100 spans accepted' receipt
    grep -qE '^run/spans: 1 segment of .*, [0-9.]+ bytes a span$' receipt
}

@test "spans without a valid id are left out, and the answer says why" {
    serve_start -j run
    otlp_json 3 | jq -c '.resourceSpans[0].scopeSpans[0].spans[1].spanId = "00"' >request.json
    run post application/json request.json
    [ "${lines[1]}" = 200 ]
    [ "$(jq -r .partialSuccess.rejectedSpans <<<"${lines[0]}")" = 1 ]
    [[ $(jq -r .partialSuccess.errorMessage <<<"${lines[0]}") == "refused 1 span with a span id "* ]]
    serve_stop
    [ "$(jq -c '[.accepted_spans, .refused_spans, .by_reason.bad_span_id, .requests.taken]' receipt)" = '[2,1,1,1]' ]
}

@test "bodies come in gzip, deflate and zstd" {
    serve_start run
    otlp_json 50 >request.json
    gzip -k request.json
    python3 -c 'import sys, zlib; sys.stdout.buffer.write(zlib.compress(open("request.json", "rb").read()))' >request.zz
    [ "$(post application/json request.json.gz -H 'Content-Encoding: gzip')" = $'{}\n200' ]
    [ "$(post application/json request.zz -H 'Content-Encoding: deflate')" = $'{}\n200' ]
    if command -v zstd >/dev/null; then
        zstd -q request.json
        [ "$(post application/json request.json.zst -H 'Content-Encoding: zstd')" = $'{}\n200' ]
    fi
    [ "$(post application/json request.json -H 'Content-Encoding: br' | tail -n 1)" = 415 ]
    [ "$(post application/json request.json -H 'Content-Encoding: gzip' | tail -n 1)" = 400 ]
    serve_stop
}

@test "Zipkin's spans are taken at its port" {
    serve_start -j run
    echo '[{"traceId":"000000000000000a","id":"000000000000000b","name":"get","kind":"SERVER","timestamp":1758000000000000,"duration":1000,"localEndpoint":{"serviceName":"front"}}]' >zipkin.json
    [ "$(curl -sS -o body -w '%{http_code}' -H 'Content-Type: application/json' --data-binary @zipkin.json "http://$ZIPKIN/api/v2/spans")" = 202 ]
    [ ! -s body ]
    [ "$(curl -sS -o body -w '%{http_code}' -H 'Content-Type: application/json' --data-binary '{' "http://$ZIPKIN/api/v2/spans")" = 400 ]
    serve_stop
    [ "$(jq -c '[.accepted_spans, .requests.taken, .requests.bad]' receipt)" = '[1,1,1]' ]
}

@test "each port of HTTP says what it knows, how it is, and what it counted" {
    serve_start run
    otlp_json 7 >request.json
    post application/json request.json
    for address in "$HTTP" "$ZIPKIN" "$QUERY"; do
        [ "$(curl -sS "http://$address/healthz")" = ok ]
        curl -sS "http://$address/" | grep -q '^GET   /metrics '
        curl -sS "http://$address/metrics" >metrics
        grep -qx 'tracekit_spans_accepted_total 7' metrics
        grep -qx 'tracekit_requests_total{protocol="http",outcome="taken"} 1' metrics
        grep -qx 'tracekit_ack_seconds_count 1' metrics
    done
    # What strangers may send to is not what they may ask.
    [ "$(curl -sS -o body -w '%{http_code}' "http://$HTTP/api/services")" = 404 ]
    serve_stop
}

@test "metrics and logs are refused with what stops their sender, told once and counted" {
    serve_start -j run
    for _ in 1 2 3; do
        curl -sS -o body -w '%{http_code}' -H 'Content-Type: application/json' -d '{"resourceMetrics":[]}' \
            "http://$HTTP/v1/metrics" >status
        [ "$(cat status)" = 404 ]
        [ "$(jq .code body)" = 12 ]
        [[ $(jq -r .message body) == *"OTEL_METRICS_EXPORTER=none stops"* ]]
    done
    [ "$(curl -sS -o body -w '%{http_code}' -H 'Content-Type: application/x-protobuf' -d '' "http://$HTTP/v1/logs")" = 404 ]
    grep -aq 'OTEL_LOGS_EXPORTER=none stops' body
    curl -sS "http://$HTTP/metrics" >metrics
    grep -qx 'tracekit_refused_signals_total{signal="metrics"} 3' metrics
    grep -qx 'tracekit_refused_signals_total{signal="logs"} 1' metrics
    grep -qx 'tracekit_refused_signals_total{signal="profiles"} 0' metrics
    [ "$(grep -c 'mod=serve msg="metrics are not stored here' ready)" = 1 ]
    [ "$(grep -c 'mod=serve msg="logs are not stored here' ready)" = 1 ]
    serve_stop
    [ "$(jq -c .refused_signals receipt)" = '{"metrics":3,"logs":1,"profiles":0}' ]
}

@test "promtool has nothing to say against the metrics" {
    load peers
    peers_promtool
    serve_start run
    otlp_json 7 >request.json
    post application/json request.json
    curl -sS "http://$HTTP/metrics" >metrics
    run -0 "$PROMTOOL" check metrics <metrics
    [ -z "$output" ]
    serve_stop
}

@test "it is ready for systemd, and holds no rights while it serves" {
    python3 - "$BATS_TEST_TMPDIR/notify" >word 3>&- <<'PY' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(60)
print(s.recv(100).decode())
PY
    wait_until test -S notify
    NOTIFY_SOCKET=$BATS_TEST_TMPDIR/notify serve_start run
    wait %1
    [ "$(cat word)" = READY=1 ]
    grep -qx $'CapEff:\t0000000000000000' "/proc/$SERVER/status"
    grep -qx $'NoNewPrivs:\t1' "/proc/$SERVER/status"
    serve_stop
}

@test "h2load: many streams of gRPC at once are all answered" {
    command -v h2load >/dev/null || skip "there is no h2load (package nghttp2-client)"
    serve_start -j run
    printf '\0\0\0\0\0' >empty
    h2load -n 5000 -c 8 -m 32 -d empty -H 'te: trailers' -H 'content-type: application/grpc' \
        "http://$GRPC/opentelemetry.proto.collector.trace.v1.TraceService/Export" >load
    grep -q '5000 succeeded, 0 failed, 0 errored' load
    serve_stop
    [ "$(jq .requests.taken receipt)" = 5000 ]
}

@test "kill -9 under load with --ack fsync: nothing that was acknowledged is missing" {
    serve_start --ack fsync --segment-rows 500 run
    python3 - "$HTTP" >acked 3>&- <<'PY' &
import http.client, json, sys, threading
def send(first):
    connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
    for i in range(first, 10**9, 4):
        ids = [f"{i * 10 + k:032x}" for k in range(1, 11)]
        spans = [{"traceId": t, "spanId": t[16:], "name": "n", "startTimeUnixNano": "1758000000000000000",
                  "endTimeUnixNano": "1758000000000000001"} for t in ids]
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
        try:
            connection.request("POST", "/v1/traces", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            if answer.read() == b"{}" and answer.status == 200:
                sys.stdout.write("\n".join(ids) + "\n")
                sys.stdout.flush()
        except OSError:
            return
        except http.client.HTTPException:
            return
threads = [threading.Thread(target=send, args=(i,)) for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
PY
    enough() { [ "$(wc -l <acked)" -gt 1000 ]; }
    wait_until enough
    kill -KILL "$SERVER"
    wait %2
    # The next server takes over what the dead one left.
    serve_start run
    serve_stop
    for file in run/spans/*.parquet; do "$TK" parquet cat --columns trace_id "$file"; done | grep -oE '[0-9a-f]{32}' | sort >stored
    [ -z "$(comm -23 <(sort acked) stored | head)" ]
    [ -z "$(uniq -d stored | head)" ]
}

@test "a disk that fails is told, and nothing that was acknowledged is lost" {
    serve_start --workers 1 --segment-rows 10 run
    otlp_json 10 >request.json
    # A folder where a file is to be: not even root can write that.
    for number in $(seq 1 200); do mkdir "run/spans/part-$(printf %06d "$number").tmp"; done
    accepted=0
    for _ in $(seq 600); do
        status=$(post application/json request.json -D head | tail -n 1)
        case $status in
        200) accepted=$((accepted + 10)) ;;
        503) break ;;
        429) sleep 0.1 ;; # before the first failure, they only wait
        *) false ;;
        esac
    done
    [ "$status" = 503 ]
    grep -q '^Retry-After: 1' head
    post application/json request.json | grep -q 'part-.*: Is a directory'
    curl -sS "http://$HTTP/metrics" >metrics
    grep -qE '^tracekit_segment_failures_total [1-9]' metrics
    grep -qE '^tracekit_requests_total\{protocol="http",outcome="failed"\} [1-9]' metrics
    rmdir run/spans/part-*.tmp
    for _ in $(seq 600); do
        status=$(post application/json request.json | tail -n 1)
        [ "$status" != 200 ] || break
        sleep 0.1
    done
    [ "$status" = 200 ]
    serve_stop
    [ "$(spans_in run)" = $((accepted + 10)) ]
}

@test "spans that can be stored nowhere at the end are told, and the next server has them" {
    serve_start run
    otlp_json 10 >request.json
    for number in $(seq 1 200); do mkdir "run/spans/part-$(printf %06d "$number").tmp"; done
    [ "$(post application/json request.json | tail -n 1)" = 200 ]
    kill -TERM "$SERVER"
    status=0
    wait "$SERVER" || status=$?
    [ "$status" = 1 ]
    grep -qx 'tracekit serve: 10 spans are in no segment, but in their logs, which the next server takes over: part-[0-9]*.parquet: Is a directory' ready
    rmdir run/spans/part-*.tmp
    serve_start run
    serve_stop
    [ "$(spans_in run)" = 10 ]
}
