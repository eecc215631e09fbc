#!/usr/bin/env bats
# The query APIs of tracekit serve over HTTP: what Jaeger's UI, Grafana and Zipkin's UI ask, of
# tests/data/spans/shop.json. All parameters and failures are in tests/unit/test_api.c.

bats_require_minimum_version 1.5.0

setup_file() {
    load serve_helpers
    cd "$BATS_FILE_TMPDIR" || return 1
    unset RUN_ID NOTIFY_SOCKET
    serve_start run
    post application/json "$TK_TEST_DATA/spans/shop.json" | tail -1 | grep -qx 200 || return 1
    export SERVER QUERY ZIPKIN
}

teardown_file() {
    kill -TERM "$SERVER" 2>/dev/null || true
}

# ask PATH [CURL OPTION...]: the body, and then the status as a line.
ask() {
    curl -sS -w '\n%{http_code}\n' "${@:2}" "http://$QUERY$1"
}

A=4bf92f3577b34da6a3ce929d0e0e4736

@test "Jaeger: services, operations, a search, one trace" {
    run -0 ask /api/services
    [ "${lines[0]}" = '{"data":["cart","db","mail","web"],"total":4,"limit":0,"offset":0,"errors":null}' ]
    run -0 ask /api/services/web/operations
    [[ ${lines[0]} == *'"GET /cart"'* ]]
    run -0 ask '/api/traces?service=cart&tags=%7B%22error%22%3A%22true%22%7D&start=1700000000000000&limit=20&lookback=1h'
    [ "${lines[1]}" = 200 ]
    [ "$(jq -r '.data[].traceID' <<<"${lines[0]}")" = $A ]
    run -0 ask /api/traces/$A
    [ "$(jq -c '.data[0] | [(.spans | length), (.processes | length)]' <<<"${lines[0]}")" = "[10,3]" ]
}

@test "Jaeger: many traces are asked for at once, and all are looked for" {
    run -0 ask "/api/traces?$(printf 'traceID=%x&' {1..150})traceID=$A"
    [ "${lines[1]}" = 200 ]
    [ "$(jq -c '[[.data[].traceID], [.errors[].msg]]' <<<"${lines[0]}")" = "[[\"$A\"],[\"trace not found\"]]" ]
    run -0 ask "/api/traces?$(printf 'traceID=%x&' {1..257})"
    [ "${lines[0]}" = "more than 256 parameters" ]
    [ "${lines[1]}" = 400 ]
}

@test "Jaeger v3: summaries and OTLP" {
    window='query.startTimeMin=2023-11-14T22:00:00Z&query.startTimeMax=2023-11-14T23:00:00.123456789Z'
    run -0 ask "/api/v3/trace-summaries?query.serviceName=mail&$window"
    [ "$(jq -c '.summaries[] | [.traceId, .rootServiceName, .spanCount, .orphanSpanCount, .minStartTimeUnixNano]' <<<"${lines[0]}")" = '["0000000000000000a3ce929d0e0e4737","mail",1,1,"1700000120000000000"]' ]
    run -0 ask /api/v3/traces/$A
    [ "$(jq '[.result.resourceSpans[].scopeSpans[].spans[]] | length' <<<"${lines[0]}")" -eq 10 ]
    run -0 ask /api/v3/traces/b0b
    [ "${lines[0]}" = '{"error":{"httpCode":404,"message":"trace not found"}}' ]
    [ "${lines[1]}" = 404 ]
}

@test "Zipkin: services and a trace" {
    run -0 ask /api/v2/services
    [ "${lines[0]}" = '["cart","db","mail","web"]' ]
    run -0 ask /api/v2/trace/$A
    [ "$(head -n -1 <<<"$output" | jq length)" -eq 10 ]
    run -0 ask "/api/v2/traces?serviceName=db&endTs=1700000100000&lookback=100000&limit=5"
    [ "$(head -n -1 <<<"$output" | jq 'map(length)' -c)" = "[10]" ]
}

@test "Tempo: TraceQL, and a trace as protobuf" {
    run -0 ask "/api/search?q=%7B%20resource.service.name%20%3D%20%22web%22%20%26%26%20duration%20%3E%2060ms%20%7D"
    [ "$(jq -r '.traces[].traceID' <<<"${lines[0]}")" = $A ]
    # {(name=~"GET.*" || name="none") && nestedSetParent<0}
    run -0 ask "/api/search?q=%7B%28name%3D~%22GET.*%22%20%7C%7C%20name%3D%22none%22%29%20%26%26%20nestedSetParent%3C0%7D"
    jq -e --arg id $A '.traces | map(.traceID) | index($id) != null' <<<"${lines[0]}"
    run -0 ask /api/search?q=oops
    [ "${lines[1]}" = 400 ]
    [ "${lines[0]}" = "TraceQL, byte 0: expected '{'" ]
    curl -sS -H 'Accept: application/protobuf' "http://$QUERY/api/traces/$A" >"$BATS_TEST_TMPDIR/trace"
    grep -q 'GET /cart' "$BATS_TEST_TMPDIR/trace"
    [ "$(head -c 1 "$BATS_TEST_TMPDIR/trace" | od -An -tx1)" = " 0a" ]
}

@test "calls between services are computed from the spans" {
    run -0 ask "/api/dependencies?endTs=1700000300000&lookback=3600000"
    [ "$(jq -c '[.data[] | [.parent, .child, .callCount]]' <<<"${lines[0]}")" = '[["cart","db",6],["web","cart",1]]' ]
}

@test "the same spans are in the terminal while the server has them" {
    cd "$BATS_FILE_TMPDIR"
    run -0 "$TK" trace 4bf92f3577 run
    [[ $output == *"GET /cart"* && $output == *"no price for item 7"* ]]
    [ "$("$TK" spans run --json | wc -l)" -eq 19 ]
}
