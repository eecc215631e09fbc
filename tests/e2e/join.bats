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

# is_near NAME COLUMN NS: within a tenth, or what the bill itself says that it may be off on a busy machine.
is_near() {
    bill_of "$1" | jq -e --arg column "$2" --argjson ns "$3" \
        '.error_ratio < 0.5 and (.[$column] - $ns | fabs) <= $ns * ([0.1, .error_ratio] | max)'
}

@test "the span that burns has its CPU time, the one that sleeps next to none" {
    record_burner
    "$TK" join run --json >joined
    jq -e '.spans == 3 and .rules.environment == 3 and .rules.none == 0' joined
    burnt=$(cat burnt)
    is_near burn self_cpu_ns "$burnt"
    bill_of sleep | jq -e '.self_cpu_ns < 100000000'
    bill_of work | jq -e --argjson burnt "$burnt" '.cpu_ns > (0.9 - .error_ratio) * $burnt and .max_rss_bytes > 4000000'
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
    is_near burn self_cpu_ns "$burnt"
    bill_of sleep | jq -e '.self_cpu_ns < 100000000'
}

# span ID [KEY VALUE]...: a request of one span from $begin to $end, with a Resource of these.
span() {
    jq -nc --arg id "$1" --arg from "$begin" --arg to "$end" '{resourceSpans: [{
        resource: {attributes: [$ARGS.positional | _nwise(2) | {key: .[0], value: {stringValue: .[1]}}]},
        scopeSpans: [{spans: [{traceId: ("0" * 31 + $id), spanId: ("0" * 15 + $id), name: $id,
            startTimeUnixNano: $from, endTimeUnixNano: $to}]}]}]}' --args "${@:2}"
}

@test "a pid is taken with the time of its creation, whatever host, and told when it is alone" {
    serve_start run
    begin=$(date +%s%N)
    "$TK" record -q -o run -- sh -c 'echo $$ >pid; sleep 0.5; :'
    end=$(date +%s%N)
    # Half a second early is as good: many write whole seconds.
    ticks=$(jq -s --argjson pid "$(cat pid)" 'map(select(.pid == $pid))[0].start_ticks' run/proc_metrics.jsonl)
    hz=$(getconf CLK_TCK)
    # One after the other: no process is started in between.
    read -r up _ </proc/uptime
    now=$EPOCHREALTIME
    seconds=$(awk -v now="$now" -v up="$up" -v ticks="$ticks" -v hz="$hz" \
        'BEGIN { printf "%.3f", now - up + ticks / hz - 0.5 }')
    created=$(date -u -d "@$seconds" +%FT%T.%3NZ)
    span 1 process.pid "$(cat pid)" >alone
    span 2 process.pid "$(cat pid)" process.creation.time "$created" >told
    post application/json alone
    post application/json told
    serve_stop
    "$TK" join run --json | jq -e '.rules.pid == 1 and .rules.none == 1 and .bare_pids == 1'
    run -0 "$TK" join run
    [[ $output == *" 1 span with a process.pid alone, which is never taken: process.creation.time says whose it is"* ]]
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

@test "the list of spans and the tree of a trace show the bills, and can be asked by them" {
    record_burner
    run -1 "$TK" spans run --sort cpu
    [ "$output" = "tracekit spans: run: no bills of spans: \`tracekit join\` makes them" ]
    "$TK" spans run >unbilled
    [[ $(head -n 1 unbilled) != *CPU* ]]
    "$TK" join run --json >joined
    [ "$("$TK" spans run --sort cpu --json | jq -r .name | paste -sd,)" = "work,burn,sleep" ]
    [ "$("$TK" spans run --min-cpu 500ms --json | jq -r .name | sort | paste -sd,)" = "burn,work" ]
    # What the list and the tree say is what the join said.
    "$TK" spans run --json | jq -c '[.span_id, .bill.cpu_ns, .bill.max_rss_bytes, .bill.rule]' | sort >listed
    "$TK" trace latest run --json | jq -c '.spans[] | [.span_id, .bill.cpu_ns, .bill.max_rss_bytes, .bill.rule]' | sort | diff listed -
    jq -c '.top[] | [.span_id, .max_rss_bytes, .rule]' joined | sort | diff <(jq -c '[.[0], .[2], .[3]]' listed) -
    COLUMNS=130 "$TK" spans run --sort cpu >wide
    [[ $(head -n 1 wide) == *"CPU"*"+-"*"memory"*"I/O"*"rule"*"trace" ]]
    [ "$(grep -c ' environment ' wide)" -eq 3 ]
    COLUMNS=80 "$TK" spans run >narrow
    [[ $(head -n 1 narrow) == *"CPU"*"+-"*"trace" && $(head -n 1 narrow) != *memory* ]]
    COLUMNS=130 "$TK" trace latest run >tree
    grep -q 'self  *CPU  *memory  *I/O$' tree
    grep -q '3 of 3 spans with a bill; by environment: 3; off by [0-9.]* % at most' tree
}

@test "bills that are damaged are told in a line, and asked for a list that has none" {
    record_burner
    "$TK" join run >/dev/null
    run -2 "$TK" spans run --by-trace --min-cpu 1s
    [[ $output == "tracekit spans: --min-cpu and --sort cpu are for the list of spans"* ]]
    head -c 300 run/spans/bills.parquet >cut
    cp cut run/spans/bills.parquet
    for command in "spans run" "spans run --json" "trace latest run"; do
        # shellcheck disable=SC2086  # two words or three
        run -1 "$TK" $command
        [ "$output" = "tracekit ${command%% *}: bills.parquet: no Parquet file: it does not end with PAR1" ]
    done
    cp run/spans/part-*.parquet run/spans/bills.parquet # a table, of something else
    run -1 "$TK" spans run
    [ "$output" = "tracekit spans: bills.parquet: no table of bills: it has no column rule" ]
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
