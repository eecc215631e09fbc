#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A real Jaeger: what it was sent by tracekit replay comes back by tracekit import. Skips where
# bench/ingest/install-peers has not built it (Go modules, some twenty minutes).

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID JAEGER_TOKEN
    program=$(command -v jaeger || ls "${XDG_CACHE_HOME:-$HOME/.cache}"/tracekit/bench-ingest/bin/jaeger 2>/dev/null || true)
    [ -n "$program" ] || skip "there is no jaeger (bench/ingest/install-peers builds it with Go)"
    read -r HTTP_PORT QUERY_PORT QUERY_GRPC_PORT < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(each.getsockname()[1] for each in held))')
    export HTTP_PORT QUERY_PORT QUERY_GRPC_PORT
    "$program" --config "$BATS_TEST_DIRNAME/../peers/serve/jaeger.yaml" >jaeger.log 2>&1 3>&- &
    jaeger=$!
    for _ in $(seq 300); do
        ! curl -sf -o services "http://127.0.0.1:$QUERY_PORT/api/services" || return 0
        sleep 0.1
    done
    tail -n 5 jaeger.log
    return 1
}

teardown() {
    [ -z "${jaeger:-}" ] || kill "$jaeger" 2>/dev/null || true
}

# facts RUN: what a trace through Jaeger keeps of each span.
facts() {
    "$TK" spans "$1" --json | jq -cS '[.trace_id, .span_id, .parent_span_id, .name, .kind, .attributes,
        (.start_time_unix_nano / 1000 | floor), (.status.code // 0), .resource["service.name"]]' | sort
}

@test "traces that Jaeger was sent are imported from it, each once, as they were" {
    "$TK" import "$TK_TEST_DATA/spans/shop.json" -o sent >/dev/null 2>&1
    run -0 "$TK" replay sent --as-fast --shift-time --print-json --to "http://127.0.0.1:$HTTP_PORT"
    [ "$(jq .lost_spans <<<"$output")" -eq 0 ]
    run -0 "$TK" import jaeger --url "http://127.0.0.1:$QUERY_PORT" -o back
    facts sent | jq -cS 'del(.[6])' >wanted
    facts back | jq -cS 'del(.[6])' | diff wanted -
    run -0 "$TK" fetch-jaeger --target-dir raw --jaeger-url "http://127.0.0.1:$QUERY_PORT"
    [ "$(jq -s '[.[][].spans[].spanID] | length' raw/*.json)" = "$(wc -l <wanted)" ]
}

@test "what tracekit serve answers to Jaeger's questions is what Jaeger answers" {
    load serve_helpers
    "$TK" import "$TK_TEST_DATA/spans/shop.json" -o sent >/dev/null 2>&1
    serve_start run
    for to in "$HTTP" "127.0.0.1:$HTTP_PORT"; do
        "$TK" replay sent --as-fast --to "http://$to" >/dev/null
    done
    id=$("$TK" spans sent --by-trace --sort duration --limit 1 --json | jq -r .trace_id)
    for path in /api/services "/api/services/web/operations" "/api/traces/$id"; do
        for at in "$QUERY" "127.0.0.1:$QUERY_PORT"; do
            curl -sS "http://$at$path" | jq -S 'if (.data[0] | type) == "object"
                then [.data[0].spans[] | [.spanID, .operationName, .startTime, .duration]] | sort
                else .data | sort end' >"answer.${at##*:}"
        done
        diff "answer.${QUERY##*:}" "answer.$QUERY_PORT"
    done
    serve_stop
}
