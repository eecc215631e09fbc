#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Applications with OpenTelemetry's own SDKs, and its load generator, export to tracekit serve: by npm
# and pip into a cache outside of the tree on first use. Without a way to get them a test skips and
# says why.

bats_require_minimum_version 1.5.0

peers=$BATS_TEST_DIRNAME/../peers/serve

setup_file() {
    load peers
    peers_cache "$peers/requirements.txt" "$peers/package-lock.json"
    peers_pip "$peers/requirements.txt"
    peers_npm "$peers"
}

setup() {
    load peers
    load serve_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID
}

teardown() {
    serve_clean
}

javascript() {
    peers_node "OpenTelemetry's SDK" "$peers/sdk_peer.mjs" "$@"
}

python() {
    peers_python "OpenTelemetry's SDK" "$peers/sdk_peer.py" "$@"
}

@test "JavaScript's SDK exports by protobuf, JSON and gRPC, with gzip and without" {
    serve_start -j run
    for compression in none gzip; do
        javascript proto "http://$HTTP/v1/traces" "$compression" 300
        javascript json "http://$HTTP/v1/traces" "$compression" 300
        javascript grpc "http://$GRPC" "$compression" 300
    done
    serve_stop
    [ "$(jq -c '[.accepted_spans, .refused_spans, .requests.bad, .requests.failed]' receipt)" = '[3600,0,0,0]' ]
}

@test "Python's SDK exports by protobuf, JSON and gRPC, with gzip, deflate and without" {
    serve_start -j run
    for compression in none gzip deflate; do
        python proto "http://$HTTP/v1/traces" "$compression" 300
        python json "http://$HTTP/v1/traces" "$compression" 300
        python grpc "$GRPC" "$compression" 300
    done
    serve_stop
    [ "$(jq -c '[.accepted_spans, .refused_spans, .requests.bad, .requests.failed]' receipt)" = '[5400,0,0,0]' ]
    # However they came, they are the same.
    "$TK" spans run --limit 10000 --json >listed
    for kind in proto json grpc; do
        jq -c --arg service "py-$kind" 'select(.resource."service.name" == $service)
            | [.name, .kind, .status, .attributes, .events[0].name, .events[0].attributes, .links[0].attributes, .scope]' \
            listed | sort >"$kind"
        [ "$(wc -l <"$kind")" -eq 1800 ]
    done
    cmp proto json
    cmp proto grpc
    grep -q '"large":9007199254740993,"negative":-1,"ratio":0.1,"vip":true,"tags":\["a","✗"\],"raw":' listed
}

@test "what an application exports is in Jaeger's answers and in DuckDB" {
    peers_want_node "OpenTelemetry's SDK"
    serve_start run
    id=$(javascript grpc "http://$GRPC" none 5)
    # While it serves, from its log; sealed, from the segment.
    curl -sS "http://$QUERY/api/traces/$id" >trace.json
    [ "$(jq -c '[.data[0].traceID, (.data[0].spans | length), .data[0].processes.p1.serviceName]' trace.json)" = "[\"$id\",2,\"shop-grpc\"]" ]
    [ "$(jq -c '[.data[0].spans[] | select(.operationName == "charge") | .logs[0].fields[], .tags[] | select(.key == "attempt" or .key == "error") | .value]' trace.json)" = '[2,true]' ]
    [ "$(curl -sS "http://$QUERY/api/v3/services")" = '{"services":["shop-grpc"]}' ]
    [ "$(curl -sS "http://$ZIPKIN/api/v2/services")" = '["shop-grpc"]' ]
    serve_stop
    peers_cache "$peers/../parquet/requirements.txt" "$peers/../parquet/package-lock.json"
    peers_npm "$peers/../parquet"
    run -0 peers_node DuckDB "$peers/duckdb_peer.mjs" \
        "select service, name, kind, status, count(*) as n from 'run/spans/*.parquet' group by all order by name"
    [ "$output" = '[["shop-grpc","POST /checkout","server","unset","5"],["shop-grpc","charge","client","error","5"]]' ]
}

@test "the Collector's telemetrygen finds a receiver that it knows" {
    generator=$(command -v telemetrygen || ls "${XDG_CACHE_HOME:-$HOME/.cache}"/tracekit/bench-ingest/bin/telemetrygen 2>/dev/null || true)
    [ -n "$generator" ] || skip "there is no telemetrygen (bench/ingest/install-peers builds it with Go)"
    serve_start -j run
    "$generator" traces --rate 0 --otlp-insecure --otlp-endpoint "$GRPC" --traces 200
    "$generator" traces --rate 0 --otlp-insecure --otlp-http --otlp-endpoint "$HTTP" --traces 200
    serve_stop
    [ "$(jq -c '[.accepted_spans, .refused_spans]' receipt)" = '[800,0]' ]
}
