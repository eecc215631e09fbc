#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit join: an application beside tracekit serve, under tracekit record, and its bills.

bats_require_minimum_version 1.5.0

setup_file() {
    load peers
    peers_cache "$BATS_TEST_DIRNAME/../peers/serve/requirements.txt" \
        "$BATS_TEST_DIRNAME/../peers/serve/package-lock.json"
    peers_pip "$BATS_TEST_DIRNAME/../peers/serve/requirements.txt"
}

setup() {
    load peers
    load serve_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID NOTIFY_SOCKET TRACEPARENT OTEL_RESOURCE_ATTRIBUTES
}

teardown() {
    serve_clean
}

# A run with the burner's spans and samples; its CPU time in ns to "burnt".
record_burner() {
    command -v python3 >/dev/null || skip "no python3"
    serve_start run
    OTEL_EXPORTER_OTLP_ENDPOINT=http://$HTTP "$TK" record -q -o run "$@" -- \
        python3 "$BATS_TEST_DIRNAME/../peers/join/burner.py" >burnt
    serve_stop
}

bill_of() {
    jq -c --arg name "$1" '.top[] | select(.operation == $name)' joined
}

@test "the span that burns has its CPU time, the one that sleeps next to none" {
    record_burner
    "$TK" join run --json >joined
    jq -e '.spans == 3 and .rules.environment == 3 and .rules.none == 0' joined
    burnt=$(cat burnt)
    bill_of burn | jq -e --argjson burnt "$burnt" \
        '.self_cpu_ns > 0.9 * $burnt and .self_cpu_ns < 1.1 * $burnt and .error_ratio < 0.5'
    bill_of sleep | jq -e '.self_cpu_ns < 100000000'
    bill_of work | jq -e --argjson burnt "$burnt" '.cpu_ns > 0.9 * $burnt and .max_rss_bytes > 4000000'
}

@test "an unmodified application with OpenTelemetry's SDK gets its bill" {
    peers_want_python "OpenTelemetry's SDK"
    serve_start run
    OTEL_EXPORTER_OTLP_ENDPOINT=http://$HTTP "$TK" record -q -o run -- \
        "$CACHE/venv/bin/python" "$BATS_TEST_DIRNAME/../peers/join/sdk_burner.py" >burnt
    serve_stop
    "$TK" join run --json >joined
    jq -e '.rules.environment == .spans and .spans >= 3' joined
    burnt=$(cat burnt)
    bill_of burn | jq -e --argjson burnt "$burnt" \
        '.self_cpu_ns > 0.9 * $burnt and .self_cpu_ns < 1.1 * $burnt'
    bill_of sleep | jq -e '.self_cpu_ns < 100000000'
}

@test "bills are a table that names each span once, and never sum up to more than was used" {
    record_burner --compact
    run -0 "$TK" join run
    [[ $output == *"100 %  TRACEPARENT of its environment"* ]]
    [[ $output == *"run/spans/bills.parquet" ]]
    "$TK" parquet cat --json run/spans/bills.parquet >bills
    [ "$(wc -l <bills)" -eq 3 ]
    [ "$(jq -s 'map(.span_id) | unique | length' bills)" -eq 3 ]
    used=$(jq -s 'map(.cpu_ns) | add' run/events.python3.jsonl)
    jq -se --argjson used "$used" '(map(.self_cpu_ns) | add) <= 1.02 * $used' bills
    jq -se 'all(.[]; .rule == "environment" and .processes >= 1 and .self_rest_ns >= 0)' bills
}

@test "a spike tells which spans were open" {
    record_burner
    "$TK" join run --json --spikes 1 | jq -c 'select(.of == "CPU")' >spike
    jq -e '.value > 0 and (.spans | length) <= 10' spike
    start=$(jq -r 'select(.operation == "burn") | .start_ns' <("$TK" join run --json | jq -c '.top[]'))
    at=$(date -u -d "@$((start / 1000000000 + 1))" +%Y-%m-%dT%H:%M:%SZ)
    "$TK" join run --json --at "$at" | tail -n 1 | jq -e '.open >= 1 and (.spans | map(.operation) | index("work") != null)'
}

@test "a run without spans, one without samples and a wrong time are told in a line" {
    mkdir -p empty
    run -1 "$TK" join empty
    [ "${#lines[@]}" -eq 1 ]
    serve_start only
    serve_stop
    run -1 "$TK" join only
    [ "$output" = "tracekit join: only: no samples of processes: neither proc_metrics nor proc_exit" ]
    run -2 "$TK" join a b
    [[ $output == "tracekit join: 'b' is one argument too many"* ]]
}
