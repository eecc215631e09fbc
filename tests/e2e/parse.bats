#!/usr/bin/env bats
# tracekit parse on the real binary.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    unset RUN_ID NODE_ID STAGE APP_ID MODULE_ID SERVICE_NAME MODULE_TYPE
    mkdir logs
}

teardown() {
    umount small 2>/dev/null || true
}

# A writable copy of the input of a golden folder as logs/NAME.
put() {
    cp -rL "$TK_TEST_DATA/parse/$1/in" "logs/$2"
    chmod -R u+w "logs/$2"
}

@test "the lines of the specification are printed, warnings apart" {
    put generation1 20250820
    run -0 --separate-stderr "$TK" parse 20250820
    [ "${lines[0]}" = "[parse] RUN_ID=20250820" ]
    [ "${lines[1]}" = "[parse] merged events → logs/20250820/events.jsonl" ]
    [ "${lines[2]}" = "[parse] links → logs/20250820/cctf/link_metrics.jsonl" ]
    [ "${lines[3]}" = "[parse] copied proc_metrics and derived proc_cpu/proc_rss → logs/20250820/cctf" ]
    [ "${lines[4]}" = "[parse] copied placement_events.jsonl → logs/20250820/cctf/placement_events.jsonl" ]
    [ "${lines[7]}" = "[parse] client events at → N/A" ]
    [ "${lines[8]}" = "[parse] CCTF → logs/20250820/cctf" ]
    [ "${lines[9]}" = "module_inventory → logs/20250820/module_inventory.json" ]
    # shellcheck disable=SC2154  # bats sets it
    [ "${stderr_lines[0]}" = "tracekit parse: events.42.jsonl:5: byte 1: expected null; skipped 2 in this file" ]
}

@test "without an argument the last folder of logs/ is parsed" {
    put generation1 20250820
    put ours 20261121
    run -0 "$TK" parse
    [ "${lines[0]}" = "[parse] RUN_ID=20261121" ]
    [ ! -e logs/20250820/cctf ]
}

@test "RUN_ID, run_id.env and the argument choose the run, the argument first" {
    put ours a
    put ours b
    put ours c
    put ours d
    echo 'RUN_ID=b # from the file' >run_id.env
    run -0 "$TK" parse
    [ "${lines[0]}" = "[parse] RUN_ID=b" ]
    RUN_ID=c run -0 "$TK" parse
    [ "${lines[0]}" = "[parse] RUN_ID=c" ]
    RUN_ID=c run -0 "$TK" parse a
    [ "${lines[0]}" = "[parse] RUN_ID=a" ]
}

@test "a path below the working folder is shown relative to it, others as they are" {
    put ours a
    run -0 "$TK" parse "$PWD/logs/a/"
    [ "${lines[1]}" = "[parse] merged events → logs/a/events.jsonl" ]
    cd logs
    run -0 "$TK" parse ../logs/a
    [ "${lines[1]}" = "[parse] merged events → ../logs/a/events.jsonl" ]
}

@test "nodes of one run are parsed in the order of their numbers" {
    put ours 'r(c10)'
    put ours 'r(c2)'
    run -0 "$TK" parse 'r(c10)' 'r(c2)'
    [ "$(grep RUN_ID= <<<"$output")" = "[parse] RUN_ID=r(c2)
[parse] RUN_ID=r(c10)" ]
}

@test "a run of several nodes is named without their numbers" {
    put ours 'r(c10)'
    put ours 'r(c2)'
    run -0 "$TK" parse r
    [ "$(grep RUN_ID= <<<"$output")" = "[parse] RUN_ID=r(c2)
[parse] RUN_ID=r(c10)" ]
    run -2 "$TK" parse r -o out
    [[ ${lines[0]} == "tracekit parse: --output takes one run, not 2 "* ]]
}

@test "what is written is JSON, in time order, with the identity of the node" {
    put ours a
    run -0 "$TK" parse a
    for file in logs/a/cctf/*.jsonl logs/a/cctf/*.json; do jq . "$file" >/dev/null; done
    [ "$(jq -r '.[0].node_id' logs/a/cctf/nodes.json)" = n1 ]
    [ "$(jq -r .node logs/a/events.jsonl)" = n1 ]
    jq -s -e '[.[].ts_us] | . == sort' logs/a/cctf/proc_metrics.jsonl
    jq -s -e '[.[].ts_us] | . == sort' logs/a/cctf/proc_cpu.jsonl
    cmp logs/a/events.jsonl logs/a/cctf/invocations.jsonl
}

@test "CPU time of a process over all rows is what its exit record says" {
    put ours a
    run -0 "$TK" parse a
    for pid in 101 103; do
        total=$(jq -s "map(select(.pid == $pid) | .cpu_ns) | add" logs/a/cctf/proc_exit.jsonl)
        rows=$(jq -s "map(select(.pid == $pid) | .cpu_ns) | add" logs/a/cctf/proc_cpu.jsonl)
        ms=$(jq -s "map(select(.pid == $pid) | .cpu_ms) | add" logs/a/cctf/proc_cpu.jsonl)
        [ "$total" -gt 0 ]
        [ "$total" = "$rows" ]
        [ "$((total / 1000000))" = "$ms" ]
    done
}

@test "a second parse changes nothing" {
    put generation1 a
    "$TK" parse --layout cts a >first 2>&1
    sums=$(find logs -type f -exec sha256sum {} + | sort)
    "$TK" parse --layout cts a >second 2>&1
    [ "$sums" = "$(find logs -type f -exec sha256sum {} + | sort)" ]
    cmp first second
}

@test "--layout cts writes the files of generation 2 and touches no other" {
    put generation1 a
    mkdir logs/a/CTS
    echo mine >logs/a/CTS/notes.txt
    run -0 "$TK" parse --layout cts a
    [ "$(jq -c keys_unsorted logs/a/CTS/invocations.jsonl | sort -u)" = '["trace_id","pid","ts_enqueue","ts_start","ts_end"]' ]
    [ "$(jq '.[0].mem_mb' logs/a/CTS/nodes.json)" = 15997 ]
    [ "$(cat logs/a/CTS/notes.txt)" = mine ]
    grep -q '^PID match rate' logs/a/CTS/audit_report.md
}

@test "--output leaves the run folder alone" {
    put ours a
    before=$(find logs/a | sort)
    run -0 "$TK" parse --output out/deep a
    [ "$(find logs/a | sort)" = "$before" ]
    [ -s out/deep/cctf/proc_cpu.jsonl ]
    run -2 "$TK" parse --output out a a
}

@test "identity without node_meta.json comes from the environment, with a warning" {
    mkdir logs/a
    echo '{"trace_id":"t","ts_start":1}' >logs/a/events.x.jsonl
    NODE_ID=n9 STAGE=endpoint run -0 --separate-stderr "$TK" parse a
    # shellcheck disable=SC2154  # bats sets it
    [ "$stderr" = "tracekit parse: node_meta.json is missing: taken to be node 'n9', stage 'endpoint'" ]
    [ "$(cat logs/a/events.jsonl)" = '{"trace_id":"t","ts_start":1,"node":"n9","stage":"endpoint"}' ]
}

@test "the module inventory is made from the environment once and then kept" {
    put ours a
    APP_ID=shop MODULE_ID=cart run -0 "$TK" parse a
    [ "$(cat logs/a/module_inventory.json)" = '{"app_id":"shop","module_id":"cart","name":"cart","type":"MODULE","resources":null}' ]
    APP_ID=other run -0 "$TK" parse a
    [ "$(jq -r .app_id logs/a/cctf/module_inventory.json)" = shop ]
}

@test "what is missing is one clear line" {
    run -1 "$TK" parse nosuch
    [ "$output" = "tracekit parse: no run 'nosuch': neither a folder here nor logs/nosuch" ]
    run -1 "$TK" parse
    [ "$output" = "tracekit parse: no run given, and none in logs/" ]
    run -1 "$TK" parse a/../b
    [ "$output" = "tracekit parse: a/../b: no such folder" ]
    run -2 "$TK" parse --layout png
    [[ $output == "tracekit parse: option '--layout': 'png' is none of cctf, cts"* ]]
}

@test "what was parsed passes verify" {
    put ours a
    "$TK" parse a
    run -0 "$TK" verify cctf a
    [[ ${lines[-1]} == *": ok: 0 errors"* ]]
}

@test "a full disk is told and leaves the files of the last parse" {
    [ "$(id -u)" = 0 ] || skip "needs root for a small file system"
    mkdir small
    mount -t tmpfs -o size=128k none small 2>/dev/null || skip "no tmpfs here"
    put ours a
    cp -r logs/a small/a
    "$TK" parse small/a >/dev/null
    before=$(sha256sum small/a/cctf/*)
    head -c 1000000 /dev/zero >small/filler 2>/dev/null || true
    run "$TK" parse small/a
    after=$(sha256sum small/a/cctf/*)
    left=$(find small/a -name '.*jsonl*')
    [ "$status" = 1 ]
    [[ $output == *"No space left on device"* ]]
    [ "$before" = "$after" ]
    [ -z "$left" ]
}

@test "--from and --to give the rows of that time, compact or not" {
    for how in --compact ""; do
        rm -rf run whole part
        # shellcheck disable=SC2086  # nothing, or one option
        "$TK" record -q $how --tier P -o run --interval 50ms -- sh -c 'for i in 1 2 3; do sleep 0.5; done'
        "$TK" parse -o whole run >/dev/null 2>&1
        start=$(jq .start_ms run/run.json)
        run -0 --separate-stderr "$TK" parse --from +500ms --to "$((start + 1000))" -o part run
        grep -q '^\[parse\] in the range → [1-9]' <<<"$output"
        [ -s part/cctf/proc_metrics.jsonl ]
        for table in host_metrics proc_metrics proc_exit proc_events; do
            jq -c "select(.ts_us >= ($start + 500) * 1000 and .ts_us < ($start + 1000) * 1000)" \
                "whole/cctf/$table.jsonl" | diff - <(jq -c . "part/cctf/$table.jsonl")
        done
        jq -e -s --argjson start "$start" 'all(.ts_ms >= $start + 500 and .ts_ms < $start + 1000)' \
            part/cctf/proc_cpu.jsonl
        [ "$(jq .start_ms part/cctf/run.json)" -eq "$((start + 500))" ]
        [ "$(jq .stop_ms part/cctf/run.json)" -eq "$((start + 1000))" ]
        run -0 "$TK" verify cctf part
        "$TK" show part | grep -q 'a part of the run, from'
        # What the recorder took in that time, not in all of the run.
        jq -e '.own_cpu_ms == null' part/cctf/run.json
        jq -s 'if . == [] then null else (map(.cpu_ns) | add / 1000000 | floor) end' \
            part/cctf/self.jsonl | diff - <("$TK" show --json part | jq '.quality.own_cpu_ms')
    done
}

@test "a part is refused that is no time, empty, beside the run, of raw logs, or in its place" {
    put ours a
    run -1 "$TK" parse --from soon -o part a
    [ "$output" = "tracekit parse: option '--from': 'soon' is no time: expected 2026-11-21T09:00:00Z, seconds or ms since 1970, or +90s after the run's start" ]
    run -1 "$TK" parse --from +2s --to +1s -o part a
    [ "$output" = "tracekit parse: --to is not after --from: nothing lies between them" ]
    run -1 "$TK" parse --from +1h -o part a
    [ "$output" = "tracekit parse: logs/a: the run lies beside --from and --to: it was from 2027-01-15T08:00:00Z to 2027-01-15T08:00:03Z" ]
    [ ! -e part ]
    run -2 "$TK" parse --from +1s a
    [[ $output == *"--from and --to need --output"* ]]
    run -1 "$TK" parse --from +1s -o logs/a a
    [ "$output" = "tracekit parse: logs/a: a part of the run takes another folder as output" ]
    [ ! -e logs/a/cctf ]
    put rawlogs old
    run -1 "$TK" parse --from +1s -o part old
    [[ $output == *"no run.json that tells its start"* ]]
    run -1 "$TK" parse --from 2020-01-01T00:00:00Z -o part old
    [[ $output == *"tracekit parse: logs/old: raw logs cannot be parsed in part: 'tracekit import' makes tables of them first"* ]]
}

@test "a part in which nothing happened is written, empty, and told" {
    put ours a
    run -0 --separate-stderr "$TK" parse --from +1ms --to +2ms -o part a
    grep -q '^\[parse\] in the range → 0 rows; beside it [1-9]' <<<"$output"
    [[ $stderr == *"tracekit parse: logs/a: no row lies in the range"* ]]
    [ ! -s part/cctf/proc_metrics.jsonl ]
}

@test "the real old run parses with no row lost" {
    runs=$TK_SHARED_DATA/tracekit-runs
    [ -d "$runs" ] || skip "no old run at $runs"
    run -0 --separate-stderr "$TK" parse --output out "$runs/20250922002(c0)"
    jq -s -e 'map(select(has("cpu_util"))) | length == 1859 and .[0].ts_ms == 1758579920000
              and .[-1].ts_ms == 1758581779000' out/cctf/host_metrics.jsonl
    jq -s -e 'map(.rx_Bps) | length == 1857 and add == 2828776' out/cctf/link_metrics.jsonl
    [ "$(jq '.[0].mem_mb' out/cctf/nodes.json)" = 15997 ]
}
