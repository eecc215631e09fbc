#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The formats of spans by the messages that protoc makes of OpenTelemetry's and Perfetto's own
# definitions, and by the rules of Zipkin's schema: by pip into a cache outside of the tree on first
# use. Without a way to get them a test skips and says why.

bats_require_minimum_version 1.5.0

peers=$BATS_TEST_DIRNAME/../peers/formats

setup_file() {
    load peers
    peers_cache "$peers/requirements.txt"
    peers_pip "$peers/requirements.txt"
}

setup() {
    load peers
    load serve_helpers
    peers_want_python "OpenTelemetry's and Perfetto's messages"
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID
}

teardown() {
    serve_clean
}

peer() {
    "$CACHE/venv/bin/python" "$peers/spans_peer.py" "$@"
}

@test "OTLP with a field of every kind comes out as it went in, as protobuf and as JSON" {
    peer make sent.pb
    "$TK" import sent.pb -o run >/dev/null
    "$TK" export otlp-proto run -o out >/dev/null
    "$TK" export otlp run -o out >/dev/null
    run -0 peer same sent.pb out/spans.otlp.pb out/spans.otlp.jsonl
    [ "$output" = "40 spans are the same" ]
}

@test "OTLP that is sent on by replay and received by serve is the same, by HTTP, JSON and gRPC" {
    peer make sent.pb
    for way in "" --json "--gzip" --grpc; do
        serve_start run
        to=$HTTP
        [ "$way" != --grpc ] || to=$GRPC
        # shellcheck disable=SC2086  # one option or none
        "$TK" replay sent.pb --as-fast $way --to "http://$to" >/dev/null
        serve_stop
        "$TK" export otlp-proto run -o out >/dev/null
        run -0 peer same sent.pb out/spans.otlp.pb
        [ "$output" = "40 spans are the same" ]
        rm -r run out
    done
}

@test "Perfetto's own messages hold every span as a slice of its process, with its times" {
    "$TK" import "$TK_TEST_DATA/spans/shop.json" -o run >/dev/null 2>&1
    "$TK" export perfetto run -o out >/dev/null
    "$TK" spans run --json >spans
    run -0 peer perfetto out/spans.pftrace spans
    [ "$output" = "$(wc -l <spans) slices are the spans" ]
}

@test "Perfetto's own messages hold the readings of the machine as counters, from where they hold" {
    "$TK" record -q --host-interval 100 --node vm7 -o run -- sleep 1.2
    "$TK" import "$TK_TEST_DATA/spans/shop.json" -o shop >/dev/null 2>&1
    mv shop/spans run/
    run -0 "$TK" export perfetto run -o out
    [ "${lines[1]}" = "out/spans.pftrace: $(wc -l <run/resources.jsonl) readings of the machine beside them" ]
    run -0 peer counters out/spans.pftrace run/resources.jsonl
    [[ $output == *" values; CPU busy: % "*"memory available: 3" ]]
    "$TK" spans run --json >spans
    run -0 peer perfetto out/spans.pftrace spans
}

@test "Zipkin's schema has nothing to say against an export, nor against one of every kind of field" {
    peer make sent.pb
    "$TK" import sent.pb -o every >/dev/null
    "$TK" import "$TK_TEST_DATA/spans/shop.json" -o shop >/dev/null 2>&1
    for name in every shop; do
        "$TK" export zipkin "$name" -o "$name-out" >/dev/null
        run -0 peer zipkin "$name-out/spans.zipkin.json"
        [ "$output" = "$("$TK" spans "$name" --json | wc -l)" ]
    done
}
