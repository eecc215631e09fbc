#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit compare: an export against task.parquet as OpenDC writes it. The statistics are tested in
# tests/unit/test_stats.c.

bats_require_minimum_version 1.5.0

load opendc_helpers

setup_file() {
    find_pyarrow
}

setup() {
    begin_empty
    need_pyarrow
}

# A run of 50 requests of a process that was not sampled, and its export.
requests() {
    mkdir run
    echo '{"run_id":"r","node":"n","stage":"s","host":"h","cpu_cores":4,"mem_mb":4000,"cpu_freq_mhz":2000}' >run/node_meta.json
    for i in $(seq 1 50); do
        at=$((1758000000000 + i * 3000))
        echo "{\"trace_id\":\"$i\",\"ts_enqueue\":$at,\"ts_start\":$((at + 100 + i)),\"ts_end\":$((at + 2000)),\"cpu_time_ms\":500}"
    done >run/invocations.jsonl
    "$TK" export opendc run -o exported >/dev/null
}

@test "a simulation that does what was measured passes, in both versions of the output" {
    requests
    for version in old new; do
        simulate exported "$version/raw-output/0/seed=0" "$version"
        run -0 "$TK" compare --measured exported --simulated "$version"
        [[ $output == *"PASS: 50 tasks compared; 0 only measured, 0 only simulated, 0 terminated, 0 unfinished"* ]]
        [[ $output == *"| wait p50 | ms | 125.5 | 125.5 | 0 % | 5 | PASS |"* ]]
        [[ $output == *"| run time max | x measured | | 1 | | | - |"* ]]
    done
}

@test "one whose waits are longer fails, and says where" {
    requests
    simulate exported late new 30
    run -1 "$TK" compare --measured exported --simulated late --json
    [ "$(jq -c '[.passed, (.metrics[] | select(.name == "wait p50") | .verdict)]' <<<"$output")" = '[false,"FAIL"]' ]
    [ "$(jq -r '.metrics[] | select(.name == "makespan") | .verdict' <<<"$output")" = PASS ]
    "$TK" compare --measured exported --simulated late --q50-th-pct 30 --q95-th-pct 30 --q99-th-pct 30 --ks-p 0
}

@test "completions go to CSV" {
    requests
    simulate exported out
    "$TK" compare --measured exported --simulated out --export done.csv >/dev/null
    [ "$(head -n 1 done.csv)" = time_ms,measured,simulated,measured_cumulative,simulated_cumulative ]
    [ "$(tail -n 1 done.csv)" = 180000,10,10,50,50 ]
}

@test "what is missing or not one is an error" {
    requests
    run -1 "$TK" compare --measured exported --simulated .
    [[ $output == *".: no task.parquet here nor below" ]]
    simulate exported several/0
    simulate exported several/1
    run -1 "$TK" compare --measured exported --simulated several
    [[ $output == *"several/0 and several/1: several scenarios or seeds, name one" ]]
    mkdir empty
    run -1 "$TK" compare --measured empty --simulated several/0
    [[ $output == *"empty: no run folder here nor in its folders, 3 levels down" ]]
    echo rubbish >several/0/task.parquet
    run -1 "$TK" compare --measured exported --simulated several/0
    run -2 "$TK" compare --measured exported
}

# change FILE CODE: the table of a Parquet file by Python code that changes `table`.
change() {
    "$PYTHON" - "$@" <<'PY'
import sys
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
table = pq.read_table(sys.argv[1])
scope = {"table": table, "pa": pa, "pc": pc}
exec(sys.argv[2], scope)
pq.write_table(scope["table"], sys.argv[1])
PY
}

@test "a missing column, an empty file and other tasks are errors that say so" {
    requests
    simulate exported good
    for column in task_id submission_time schedule_time finish_time task_state; do
        cp -r good bad
        change bad/task.parquet "table = table.drop_columns(['$column'])"
        run -1 "$TK" compare --measured exported --simulated bad
        [[ $output == *"bad/task.parquet: no column $column that can be read" ]]
        rm -r bad
    done
    cp -r good bad
    change bad/task.parquet "table = table.slice(0, 0)"
    run -1 "$TK" compare --measured exported --simulated bad
    [[ $output == *"no task was both measured and completed" ]]
    cp good/task.parquet bad
    change bad/task.parquet "table = table.set_column(0, 'task_id', pc.add(table['task_id'], 1000))"
    run -1 "$TK" compare --measured exported --simulated bad
    [[ $output == *"no task was both measured and completed" ]]
    : >bad/task.parquet
    run -1 "$TK" compare --measured exported --simulated bad
    [[ $output == *"bad: task.parquet: "* ]]
    # Times in another unit are those of another workload.
    cp good/task.parquet bad
    change bad/task.parquet "i = table.column_names.index('submission_time'); table = table.set_column(i, 'submission_time', pc.multiply(table['submission_time'], 1000))"
    run -1 "$TK" compare --measured run --simulated bad
    [[ $output == *"bad: task 2 was submitted 3000 ms after the first, but 3000000 ms in the simulation: "* ]]
    cp good/* bad
    change bad/host.parquet "table = table.drop_columns(['cpu_time_idle'])"
    run -1 "$TK" compare --measured run --simulated bad
    [[ $output == *"bad/host.parquet: no column cpu_time_idle that can be read" ]]
}

@test "a run is compared with CPU of tasks and hosts, power and energy" {
    measured_run run
    "$TK" export opendc run -o exported >/dev/null
    simulate exported sim new 0 1 0 60 140
    run -0 "$TK" compare --measured run --simulated sim
    [ "${#lines[@]}" = 21 ]
    [[ ${lines[20]} == "PASS: 12 tasks compared; "* ]]
    run -0 "$TK" compare --measured run --simulated sim --json
    [ "$(jq -c '.metrics[] | select(.name == "energy") | .measured > 60000 and .error < 1' <<<"$output")" = true ]
    [ "$(jq -c '.notes' <<<"$output")" = '[]' ]
    # The same but twice the power: the trend is right, the energy is not.
    simulate exported hot new 0 1 0 120 280
    run -0 "$TK" compare --measured run --simulated hot --json
    [ "$(jq -c '.metrics[] | select(.name == "energy") | (.error * 10 | round) / 10 > 95' <<<"$output")" = true ]
    # Power that falls as the load rises.
    simulate exported odd new 0 1 0 140 60
    run -1 "$TK" compare --measured run --simulated odd --json
    [ "$(jq -c '[.metrics[] | select(.verdict == "FAIL") | .name]' <<<"$output")" = '["power, r","power, r of 300 s"]' ]
}

@test "tasks that use something else, or at other times, fail by their CPU" {
    measured_run run
    "$TK" export opendc run -o exported >/dev/null
    "$TK" export opendc run -o weak --scale-cpu 0.5 >/dev/null
    simulate weak sim
    run -1 "$TK" compare --measured exported --simulated sim --json
    [ "$(jq -c '[.metrics[] | select(.verdict == "FAIL") | .name]' <<<"$output")" = '["CPU of tasks, sMAPE","CPU of tasks, RMSE"]' ]
    [ "$(jq -c '.notes | length' <<<"$output")" = 1 ]
    simulate exported slow new 0 1.5
    run -1 "$TK" compare --measured exported --simulated slow --json
    [ "$(jq -c '[.metrics[] | select(.name == "CPU of tasks, r") | .verdict]' <<<"$output")" = '["FAIL"]' ]
}

@test "each node is compared with its own replay" {
    measured_run runs/a 60 140 1 alpha 500
    measured_run runs/b 60 140 1 beta 900
    "$TK" export opendc runs -o exported --per-node >/dev/null
    for node in alpha beta; do
        simulate exported/nodes/$node sims/$node new 0 1 0 60 140
    done
    for measured in exported runs; do
        run -0 "$TK" compare --measured $measured --simulated sims --per-node
        [ "$(grep -c '^PASS: 12 tasks compared; 0 only measured, 0 only simulated' <<<"$output")" = 2 ]
        [ "$(grep -E '^##|p50 . ms' <<<"$output")" = "## alpha
| wait p50 | ms | 500 | 500 | 0 % | 5 | PASS |
## beta
| wait p50 | ms | 900 | 900 | 0 % | 5 | PASS |" ]
    done
    simulate exported/nodes/beta late/nodes/beta new 500
    simulate exported/nodes/alpha late/nodes/alpha
    run -1 "$TK" compare --measured runs --simulated late --per-node --json
    [ "$(jq -c '[.passed, (.nodes[] | [.node, (.metrics[0] | .verdict)])]' <<<"$output")" = '[false,["alpha","PASS"],["beta","FAIL"]]' ]
    mkdir -p late/nodes/gamma
    run -1 "$TK" compare --measured runs --simulated late --per-node
    [[ $output == *"late/nodes/gamma: no task.parquet here nor below" ]]
}

@test "scenarios are ranked over their seeds" {
    measured_run run
    "$TK" export opendc run -o exported >/dev/null
    # By scenario: the delay of every task, and the power of its host.
    for seed in 0 1; do
        simulate exported out/raw-output/0/seed=$seed new $((seed * 200)) 1 0 100 200
        simulate exported out/raw-output/1/seed=$seed new 1000 1 0 50 100
        simulate exported out/raw-output/2/seed=$seed new 2000 1 0 100 200
    done
    run -0 "$TK" compare --sweep out
    [ "$(sed -nE 's/^\| ([0-9]+) \| ([^ ]+) \| ([0-9]+) .*/\1 \2 \3/p' <<<"$output" | sort)" = "1 out/raw-output/0 2
1 out/raw-output/1 2
2 out/raw-output/2 2" ]
    [ "${lines[-1]}" = "3 scenarios by pareto" ]
    run -0 "$TK" compare --sweep out/raw-output/0 out/raw-output/1 out/raw-output/2 --rank lex --by wait_mean --json
    [ "$(jq -c '[.scenarios[] | [.rank, (.scenario | split("/")[-1]), .tasks, .wait_mean]]' <<<"$output")" = '[[1,"0",12,600],[2,"1",12,1500],[3,"2",12,2500]]' ]
    [ "$(jq -c '.scenarios[] | (.utilisation > 20 and .utilisation < 40)' <<<"$output" | sort -u)" = true ]
    run -0 "$TK" compare --sweep out --rank sum --by energy_per_task --by wait_mean:desc:0.001 --json
    [ "$(jq -c '[.scenarios[0] | .scenario, .rank]' <<<"$output")" = '["out/raw-output/1",1]' ]
    [ "$(jq -c '.criteria' <<<"$output")" = '[{"name":"energy_per_task","direction":"asc","weight":1},{"name":"wait_mean","direction":"desc","weight":0.001}]' ]
    rm out/raw-output/?/seed=?/host.parquet
    run -1 "$TK" compare --sweep out
    [[ $output == *"energy_per_task: no scenario has it: its host.parquet is missing" ]]
    "$TK" compare --sweep out --by makespan >/dev/null
    run -1 "$TK" compare --sweep run
    [[ $output == *"run: no task.parquet here nor below" ]]
    run -2 "$TK" compare --sweep
    run -2 "$TK" compare --sweep out --by speed
    [[ $output == *"option '--by': 'speed' is no criterion: "* ]]
    run -2 "$TK" compare out
    run -2 "$TK" compare --sweep out --measured run
}
