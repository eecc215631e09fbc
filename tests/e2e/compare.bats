#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit compare: an export against task.parquet as OpenDC writes it. The statistics are tested in
# tests/unit/test_stats.c.

bats_require_minimum_version 1.5.0

setup_file() {
    PYTHON=$("$BATS_TEST_DIRNAME/../peers/python-with-pyarrow") || PYTHON=
    export PYTHON
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID CPU_FREQ_MHZ
    simulate=$BATS_TEST_DIRNAME/../peers/simulate_opendc.py
    [ -n "$PYTHON" ] || skip "no pyarrow: neither installed nor to be had by pip"
    mkdir run
    echo '{"run_id":"r","node":"n","stage":"s","host":"h","cpu_cores":4,"mem_mb":4000,"cpu_freq_mhz":2000}' >run/node_meta.json
    for i in $(seq 1 50); do
        at=$((1758000000000 + i * 3000))
        echo "{\"trace_id\":\"$i\",\"ts_enqueue\":$at,\"ts_start\":$((at + 100 + i)),\"ts_end\":$((at + 2000)),\"cpu_time_ms\":500}"
    done >run/invocations.jsonl
    "$TK" export opendc run -o exported >/dev/null
}

@test "a simulation that does what was measured passes, in both versions of the output" {
    for version in old new; do
        "$PYTHON" "$simulate" exported "$version/raw-output/0/seed=0" "$version"
        run -0 "$TK" compare --measured exported --simulated "$version"
        [[ $output == *"PASS: 50 tasks compared; 0 only measured, 0 only simulated, 0 terminated, 0 unfinished" ]]
        [[ $output == *"| wait p50 | ms | 125.5 | 125.5 | 0 % | 5 | PASS |"* ]]
        [[ $output == *"| run time max | x measured | | 1 | | | - |"* ]]
    done
}

@test "one whose waits are longer fails, and says where" {
    "$PYTHON" "$simulate" exported late new 30
    run -1 "$TK" compare --measured exported --simulated late --json
    [ "$(jq -c '[.passed, (.metrics[] | select(.name == "wait p50") | .verdict)]' <<<"$output")" = '[false,"FAIL"]' ]
    [ "$(jq -r '.metrics[] | select(.name == "makespan") | .verdict' <<<"$output")" = PASS ]
    "$TK" compare --measured exported --simulated late --q50-th-pct 30 --q95-th-pct 30 --q99-th-pct 30 --ks-p 0
}

@test "completions go to CSV" {
    "$PYTHON" "$simulate" exported out
    "$TK" compare --measured exported --simulated out --export done.csv >/dev/null
    [ "$(head -n 1 done.csv)" = time_ms,measured,simulated,measured_cumulative,simulated_cumulative ]
    [ "$(tail -n 1 done.csv)" = 180000,10,10,50,50 ]
}

@test "what is missing or not one is an error" {
    run -1 "$TK" compare --measured exported --simulated .
    [[ $output == *".: no task.parquet here nor below" ]]
    "$PYTHON" "$simulate" exported several/0
    "$PYTHON" "$simulate" exported several/1
    run -1 "$TK" compare --measured exported --simulated several
    [[ $output == *"several/0 and several/1: several scenarios or seeds, name one" ]]
    run -1 "$TK" compare --measured run --simulated several/0
    [[ $output == *"run: task_map.jsonl: No such file or directory" ]]
    echo rubbish >several/0/task.parquet
    run -1 "$TK" compare --measured exported --simulated several/0
    run -2 "$TK" compare --measured exported
}
