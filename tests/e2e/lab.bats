#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit lab: incidents in containers, which a fake stands for here, and in sets of traces.

# shellcheck disable=SC2154  # stderr is set by run --separate-stderr

bats_require_minimum_version 1.5.0

# traces COUNT SERVICE FIRST_SECOND: a trace a second, as flat JSON.
traces() {
    awk -v n="$1" -v service="$2" -v first="$3" 'BEGIN {
        for (i = 0; i < n; i++) {
            printf "{\"trace_id\":\"%s%030x\",\"span_id\":\"%016x\",\"name\":\"a\",\"service\":\"%s\",\"start_ns\":%d000000000,\"duration_ns\":5000000}\n", (service == "sick" ? "ff" : "00"), i + 1, 1, service, first + i
            printf "{\"trace_id\":\"%s%030x\",\"span_id\":\"%016x\",\"parent_id\":\"%016x\",\"name\":\"b\",\"service\":\"%s\",\"start_ns\":%d001000000,\"duration_ns\":2000000}\n", (service == "sick" ? "ff" : "00"), i + 1, 2, 1, service, first + i
        }
    }'
}

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    traces 500 well 1000000 >well.jsonl
    traces 200 sick 2000000 >sick.jsonl
    # docker that writes what it is asked; c3 always fails.
    cat >docker <<'EOF'
#!/bin/sh
printf '%s\n' "$*" >>"$FAKE_LOG"
case "$*" in
ps*) printf 'c1\nc2\nc3\nc4\n' ;;
*" c3 "* | *" c3") exit 7 ;;
esac
EOF
    chmod +x docker
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
    export FAKE_LOG=$BATS_TEST_TMPDIR/docker.log
    : >"$FAKE_LOG"
}

@test "merge --exp: an incident's traces in the place of normal ones, the same with a seed, labelled" {
    "$TK" lab merge --exp 0.1 --seed 5 --traces 100 well.jsonl sick.jsonl -o txs.jsonl --to jsonl
    "$TK" lab merge --exp 0.1 --seed 5 --traces 100 well.jsonl sick.jsonl -o again.jsonl --to jsonl
    "$TK" lab merge --exp 0.1 --seed 6 --traces 100 well.jsonl sick.jsonl -o other.jsonl --to jsonl
    cmp txs.jsonl again.jsonl
    ! cmp -s txs.jsonl other.jsonl || false
    [ "$(wc -l <txs.jsonl)" = 1000 ]
    [ "$(jq .traces txs.jsonl.labels.json)" = 500 ]
    [ "$(jq .lambda txs.jsonl.labels.json)" = 0.1 ]
    # Labels are the traces of the file, taken from the end of the incident's.
    diff <(jq -r '.incident_traces[].trace_id' txs.jsonl.labels.json) \
        <(jq -r 'select(.resource["service.name"] == "sick" and .name == "a") | .trace_id' txs.jsonl)
    [ "$(jq -r '.incident_traces[0].trace_id' txs.jsonl.labels.json)" = "ff$(printf %030x 200)" ]
    [ "$(jq '.incident_traces | length' txs.jsonl.labels.json)" -gt 25 ]
}

@test "merge --window: the incident moves to one window and takes the place of what was there" {
    run "$TK" lab merge --window 100s:60s well.jsonl sick.jsonl -o day.jsonl --to jsonl --labels causes.json
    [ "$status" -eq 0 ]
    [ "$output" = "500 traces, 60 of the incident" ]
    [ "$(jq -c .window causes.json)" = '{"start_ns":1000100000000000,"length_ns":60000000000,"shift_ns":-999900000000000}' ]
    # One trace a second all along, those of the window sick.
    [ "$(jq -r 'select(.name == "a") | .start_time_unix_nano' day.jsonl | sort -n | uniq | wc -l)" = 500 ]
    [ "$(jq -r 'select(.resource["service.name"] == "sick" and .name == "a") | .start_time_unix_nano' day.jsonl | sort -n | sed -n '1p;$p' | paste -sd' ')" = "1000100000000000 1000159000000000" ]
}

@test "merge writes Gen-T's lines where nothing else is asked for" {
    "$TK" lab merge --exp 0.2 --traces 100 well.jsonl sick.jsonl -o txs.json
    diff <(sed 's/,$//' txs.json | jq -r 'select(.nodesData | has("sick*0")) | .details.transactionId') \
        <(jq -r '.incident_traces[].trace_id' txs.json.labels.json)
    [ "$(wc -l <txs.json)" = 500 ]
}

@test "an incident that is too short is told" {
    run -1 "$TK" lab merge --exp 2 well.jsonl sick.jsonl -o none.jsonl --to jsonl
    [[ $output == *"all 200 traces of the incident are used after"* ]]
    [ ! -e none.jsonl ] && [ ! -e none.jsonl.labels.json ]
}

@test "what merge needs is asked for" {
    run -2 "$TK" lab merge well.jsonl sick.jsonl -o x
    [[ $output == *"merge: expected --exp LAMBDA or --window START:LENGTH"* ]]
    run -2 "$TK" lab merge --exp 0.1 well.jsonl sick.jsonl
    [[ $output == *"merge: --output FILE says where the traces go"* ]]
    run -2 "$TK" lab merge --window 5m well.jsonl sick.jsonl -o x
    [[ $output == *"'5m' is no START:LENGTH such as 5m:1m"* ]]
    run -2 "$TK" lab merge --exp often well.jsonl sick.jsonl -o x
    [[ $output == *"option '--exp': 'often' is no number above 0"* ]]
    run -2 "$TK" lab merge --exp 1 well.jsonl -o x
    [[ $output == *"merge: expected two sets of traces"* ]]
    run -2 "$TK" lab burn
    [[ $output == *"'burn' is no verb"* ]]
}

@test "incident --dry-run prints the commands and runs nothing" {
    run "$TK" lab incident --dry-run --docker ./docker --containers c1,c2 cpu_load-1.0
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "./docker exec --privileged --user root c1 sh -c 'apt update --allow-insecure-repositories && apt install -y stress'" ]
    [ "${lines[1]}" = "./docker exec --privileged --user root c1 sh -c 'stress --cpu 1 --timeout 60s'" ]
    [ "${#lines[@]}" = 4 ]
    [ ! -s "$FAKE_LOG" ]
    run "$TK" lab incident --dry-run --docker ./docker --containers c1,c2 crush-0.1
    [[ $output == "./docker kill c"[12] ]]
}

@test "an incident comes to a part of the containers that run, and says to which and when" {
    run "$TK" lab incident --docker ./docker latency-0.5 --seed 2 --labels labels.json --pause 0s
    [ "$status" -eq 0 ]
    [ "$(head -1 "$FAKE_LOG")" = "ps --format {{.Names}}" ]
    [ "$(jq -r .incident labels.json)" = latency ]
    [ "$(jq '.containers | length' labels.json)" -ge 1 ]
    [ "$(jq '[.containers[] | select(.start_ns > 0 and .end_ns >= .start_ns)] | length' labels.json)" = "$(jq '.containers | length' labels.json)" ]
    for name in $(jq -r '.containers[].name' labels.json); do
        grep -qx "exec --privileged --user root $name sh -c tc qdisc add dev eth0 root netem delay 100ms 20ms distribution normal" "$FAKE_LOG"
    done
}

@test "a container that fails is tried five times, reported and left out" {
    run --separate-stderr "$TK" lab incident --docker ./docker --containers c1,c3 crush-1.0 --pause 1ms --labels labels.json
    [ "$status" -eq 0 ]
    [ "$output" = "crush in 1 of 2 containers" ]
    [[ $stderr == *"c3: crush failed 5 times: left out"* ]]
    [ "$(grep -c 'kill c3' "$FAKE_LOG")" = 5 ]
    [ "$(jq -r '.containers[].name' labels.json)" = c1 ]
    run -1 "$TK" lab incident --docker ./docker --containers c3 latency-1.0 --pause 1ms
    [[ $output == *"latency: no container is in the incident"* ]]
}

@test "commands that end are run again until the incident is over, once with --compat" {
    "$TK" lab incident --docker ./docker --containers c1 cpu_load-1.0 --duration 2s --pause 1ms
    [ "$(grep -c stress\ --cpu "$FAKE_LOG")" -gt 2 ]
    : >"$FAKE_LOG"
    "$TK" lab incident --docker ./docker --containers c1 cpu_load-1.0 --duration 300ms --compat
    [ "$(grep -c stress\ --cpu "$FAKE_LOG")" = 1 ]
}

@test "incidents are listed; what is none is told" {
    run "$TK" lab incident --list
    [ "${#lines[@]}" = 6 ]
    run -2 "$TK" lab incident latency
    [[ $output == *"'latency': expected a ratio of containers behind it, as in latency-0.2"* ]]
    run -2 "$TK" lab incident
    [[ $output == *"expected a name and a ratio"* ]]
    run -1 "$TK" lab incident --docker ./nothing latency-1
    [[ $output == *"./nothing: No such file or directory"* ]]
}
