#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# From a run to OpenDC: the files of the export, read back by pyarrow. How tasks come about is tested
# in tests/unit/test_workload.c and test_fragments.c.

bats_require_minimum_version 1.5.0

load opendc_helpers

setup_file() {
    find_pyarrow
}

setup() {
    begin_empty
    peers=$BATS_TEST_DIRNAME/../peers
}

# The example of the specification, section 18, in folder $1.
example() {
    mkdir -p "$1"
    cat >"$1/node_meta.json" <<'EOF'
{"run_id":"example","node":"n0","stage":"cloud","host":"h0","cpu_cores":4,"mem_mb":16384,"cpu_freq_mhz":2400}
EOF
    cat >"$1/events.ffmpeg.jsonl" <<'EOF'
{"trace_id":"t","span_id":"s","module_id":"ffmpeg","method":"CLI","path":"ffmpeg","ts_enqueue":1758000000000,"ts_start":1758000000100,"ts_end":1758000003600,"pid":7,"status":0,"cpu_ns":2400000000}
EOF
    cat >"$1/proc_metrics.jsonl" <<'EOF'
{"ts_ms":1758000001000,"pid":7,"utime":45,"stime":0,"rss_kb":40000}
{"ts_ms":1758000002000,"pid":7,"utime":95,"stime":0,"rss_kb":50000}
{"ts_ms":1758000003000,"pid":7,"utime":195,"stime":0,"rss_kb":45000}
EOF
}

# A service with requests that overlap, commands that depend on each other, and two nodes.
two_nodes() {
    mkdir -p "$1/RUN(c0)" "$1/RUN(c1)"
    for i in 0 1; do
        cat >"$1/RUN(c$i)/node_meta.json" <<EOF
{"run_id":"RUN","node":"vm0","stage":"cloud","host":"cloud$i","cpu_cores":$((2 + i)),"mem_mb":8000,"cpu_freq_mhz":2399}
EOF
        for r in $(seq 1 40); do
            start=$((1758000000000 + r * 37))
            echo "{\"trace_id\":\"$i-$r\",\"span_id\":\"s$r\",\"module_id\":\"svc\",\"path\":\"/work\",\"ts_enqueue\":$((start - 3)),\"ts_start\":$start,\"ts_end\":$((start + 200 + r)),\"pid\":9,\"bytes_in\":1000000,\"bytes_out\":500000}"
        done >"$1/RUN(c$i)/events.9.jsonl"
        for t in $(seq 0 30); do
            echo "{\"ts_ms\":$((1758000000000 + t * 71)),\"pid\":9,\"utime\":$((t * t / 3)),\"stime\":$t,\"rss_kb\":$((2000 + t))}"
        done >"$1/RUN(c$i)/proc_metrics.jsonl"
    done
    cat >>"$1/RUN(c0)/events.9.jsonl" <<'EOF'
{"trace_id":"dag","span_id":"d1","method":"CLI","path":"make","ts_start":1758000001000,"ts_end":1758000002000,"cpu_ns":500000000,"output":"a.o"}
{"trace_id":"dag","span_id":"d2","method":"CLI","path":"ld","ts_start":1758000002000,"ts_end":1758000002500,"cpu_ns":200000000,"input":"a.o"}
EOF
}

@test "the example of the specification gives its fragments" {
    need_pyarrow
    example run
    run -0 --separate-stderr "$TK" export opendc run -o out
    [ "${lines[0]}" = "out: 1 task, 3 fragments, 2.400 s of CPU time" ]
    [ "${lines[1]}" = "duration 3500 to 3500 ms, capacity 2400 to 2400 MHz, memory 50000 to 50000 kB (50 to 50 MB)" ]
    [ -z "$stderr" ]
    diff <(rows out/fragments.parquet id duration cpu_usage) <(printf '1 1900 1200.0\n1 1000 2400.0\n1 600 1800.0\n')
    diff <(rows out/tasks.parquet id name duration cpu_count cpu_capacity mem_capacity) <(echo "1 ffmpeg 3500 1 2400.0 50000")
}

@test "its formulas of generation 1 and 2 give theirs" {
    need_pyarrow
    example run
    "$TK" export opendc run -o gen1 --compat gen1
    diff <(rows gen1/fragments.parquet duration cpu_usage) <(printf '900 1200.0\n1000 1200.0\n1000 2400.0\n')
    diff <(rows gen1/tasks.parquet duration cpu_count cpu_capacity) <(echo "3500 1 2280.0")
    "$TK" export opendc run -o gen2 --compat gen2
    diff <(rows gen2/tasks.parquet duration cpu_count cpu_capacity) <(echo "3500 1 2400.0")
    [ "$(cat gen2/small_datacenter.json)" = '{"clusters":[{"name":"C01","hosts":[{"name":"H01","count":1,"cpu":{"coreCount":4,"coreSpeed":"2400 MHz"},"memory":{"memorySize":"16384 MiB"}}]}]}' ]
    rm run/proc_metrics.jsonl
    "$TK" export opendc run -o none --compat gen1
    diff <(rows none/fragments.parquet duration cpu_usage) <(echo "3500 600.0")
    diff <(rows none/tasks.parquet cpu_count cpu_capacity) <(echo "1 600.0")
}

@test "topology and experiment are those that OpenDC takes" {
    example run
    "$TK" export opendc run -o out
    diff out/topology.json - <<'EOF'
{"clusters":[{"name":"C01","hosts":[{"name":"n0","count":1,"cpu":{"coreCount":4,"coreSpeed":"2400 MHz"},"memory":{"memorySize":"16384 MiB"}}]}]}
EOF
    diff out/topology.sdk.json - <<'EOF'
{"clusters":[{"name":"C01","hosts":[{"name":"n0","count":1,"cpu":{"coreCount":4,"coreSpeed":"2400 MHz"},"memory":{"size":"16384 MiB"}}]}]}
EOF
    diff <(jq -c . out/experiment.json) - <<'EOF'
{"name":"example","topologies":[{"pathToFile":"topology.json"}],"workloads":[{"pathToFile":".","type":"ComputeWorkload","scalingPolicy":"Perfect"},{"pathToFile":".","type":"ComputeWorkload","scalingPolicy":"NoDelay"}],"allocationPolicies":[{"type":"prefab","policyName":"Mem"}],"exportModels":[{"exportInterval":1,"printFrequency":99999,"filesToExport":["host","task","powerSource","service"]}]}
EOF
    diff <(jq -c . out/experiment.sdk.json) - <<'EOF'
{"name":"example","topologies":[{"importFrom":"topology.sdk.json"}],"workloads":[{"type":"trace","source":{"type":"named","name":"."},"scalingPolicy":"Perfect"},{"type":"trace","source":{"type":"named","name":"."},"scalingPolicy":"NoDelay"}],"allocationPolicies":[{"type":"prefab","prefabName":"Mem"}],"exportModels":[{"exportInterval":"1 seconds","printFrequency":null,"filesToExport":["host","task","powerSource","service"]}]}
EOF
}

@test "the map leads back to what was recorded, the manifest to its files" {
    example run
    "$TK" export opendc run -o out
    diff out/task_map.jsonl - <<'EOF'
{"id":1,"run_id":"example","node":"n0","host":"n0","pid":7,"trace_id":"t","span_id":"s","name":"ffmpeg","ts_enqueue":1758000000000,"ts_start":1758000000100,"ts_end":1758000003600}
EOF
    [ "$(jq -r '.inputs[] | select(.table == "proc_metrics.jsonl") | .sha256' out/manifest.json)" = "$(sha256sum <run/proc_metrics.jsonl | cut -d' ' -f1)" ]
    [ "$(jq -c '[.format, .parameters.profile, .counts.tasks, .sums.cpu_ns]' out/manifest.json)" = '["opendc","opendc",1,2400000000]' ]
}

@test "every profile has its schema and keeps the invariants" {
    need_pyarrow
    two_nodes runs
    for profile in opendc opendc-2.4f opendc-2.4e opendc-2.1; do
        for codec in none snappy gzip zstd; do
            "$TK" export opendc runs -o "$profile" --profile "$profile" --compression "$codec"
            run -0 "$PYTHON" "$peers/check_opendc.py" "$profile" "$profile"
            [[ $output == "82 tasks, "* ]]
        done
    done
}

@test "verify finds nothing wrong with what was exported, in any profile" {
    two_nodes runs
    for profile in opendc opendc-2.4f opendc-2.4e opendc-2.1; do
        "$TK" export opendc runs -o "$profile" --profile "$profile"
        run -0 "$TK" verify opendc "$profile" --json
        [ "$(jq -c '[.ok, .errors, .tasks, .counts.W01, .counts.W02]' <<<"$output")" = '[true,0,82,0,0]' ]
    done
}

@test "verify tells row and column, and fails with an error" {
    need_pyarrow
    example run
    "$TK" export opendc run -o out
    "$PYTHON" - <<'PY'
import pyarrow as pa
import pyarrow.parquet as pq
table = pq.read_table("out/fragments.parquet")
rows = table.to_pylist()
rows[1]["cpu_usage"] = float("nan")
rows[2]["duration"] = 0
pq.write_table(pa.Table.from_pylist(rows, table.schema), "out/fragments.parquet")
PY
    run -1 "$TK" verify opendc out
    [ "${lines[0]}" = "out/fragments.parquet: row 1, column cpu_usage: error: E09: task 1: nan MHz" ]
    [ "${lines[1]}" = "out/fragments.parquet: row 2, column duration: error: E08: task 1: 0 ms" ]
    [[ ${lines[2]} == "out/tasks.parquet: row 0, column duration: warning: W01: task 1: its fragments add up to 1900 ms, not 3500" ]]
    [[ $output == *"out: broken: 2 errors, "* ]]
}

@test "verify names a file that is cut off, missing or something else" {
    example run
    "$TK" export opendc run -o out
    for size in 0 7 100 400; do
        head -c "$size" out/tasks.parquet >cut && mv cut out/tasks.parquet
        run -1 "$TK" verify opendc out
        [[ $output == "out/tasks.parquet: error: E01: "* ]]
    done
    rm out/tasks.parquet
    run -1 "$TK" verify opendc out
    [[ $output == "out/tasks.parquet: error: E01: tasks.parquet: No such file or directory"* ]]
    run -1 "$TK" verify opendc nowhere
}

@test "verify --strict fails with a warning, such as a topology that is too small" {
    example run
    "$TK" export opendc run -o out
    sed 's/2400 MHz/1200 MHz/' out/topology.json >slow.json
    run -0 "$TK" verify opendc out --topology slow.json
    [[ $output == *"warning: W03: task 1: 2400 MHz per core, more than any host has"* ]]
    run -1 "$TK" verify opendc out --topology slow.json --strict
}

@test "parents and children are lists on both sides" {
    need_pyarrow
    two_nodes runs
    "$TK" export opendc runs -o out
    diff <(rows out/tasks.parquet name parents children | grep -E '^(make|ld) ' | tr -d '0-9') <(printf 'make None []\nld [] None\n')
}

@test "the same run gives the same bytes" {
    two_nodes runs
    "$TK" export opendc runs -o a
    "$TK" export opendc runs -o b
    diff -r a b
}

@test "nodes that share a label go by their hosts, and apart with --per-node" {
    need_pyarrow
    two_nodes runs
    "$TK" export opendc runs -o out --per-node
    [ "$(jq -c '[.clusters[0].hosts[].name]' out/topology.json)" = '["cloud0","cloud1"]' ]
    [ "$(jq -c '[.clusters[0].hosts[].name]' out/nodes/cloud1/topology.json)" = '["cloud1"]' ]
    [ "$(rows out/nodes/cloud1/tasks.parquet id | wc -l)" = 40 ]
    [ "$(rows out/nodes/cloud0/tasks.parquet id | wc -l)" = 42 ]
}

@test "a merged run gives the tasks and the work of its nodes, and verifies" {
    need_pyarrow
    two_nodes runs
    "$TK" merge "runs/RUN(c0)" "runs/RUN(c1)" -o merged >/dev/null 2>&1
    [ "$(jq -c '[.[].node_id]' merged/nodes.json)" = '["cloud0","cloud1"]' ]
    "$TK" export opendc merged -o out
    "$TK" export opendc runs -o apart
    run -0 "$TK" verify opendc out --json
    [ "$(jq -c '[.ok, .errors, .tasks, .counts.W01, .counts.W02]' <<<"$output")" = '[true,0,82,0,0]' ]
    "$PYTHON" "$peers/check_opendc.py" out
    # Node by node what the nodes give apart, but for the ids.
    for table in tasks fragments; do
        columns="duration cpu_usage"
        [ $table = fragments ] || columns="name submission_time duration cpu_count cpu_capacity mem_capacity"
        # shellcheck disable=SC2086
        diff <(rows out/$table.parquet $columns | sort) <(rows apart/$table.parquet $columns | sort)
    done
    diff <(jq -r '[.host, .pid, .trace_id] | @tsv' out/task_map.jsonl | sort) \
        <(jq -r '[.host, .pid, .trace_id] | @tsv' apart/task_map.jsonl | sort)
    [ "$(jq -c '[.clusters[0].hosts[] | [.name, .cpu.coreCount]]' out/topology.json)" = '[["cloud0",2],["cloud1",3]]' ]
}

@test "ids by pid: collisions are an error that names both, auto goes on" {
    need_pyarrow
    two_nodes runs
    run -1 "$TK" export opendc runs -o out --task-id-mode pid
    [[ $output == *"both have pid 9"* ]]
    "$TK" export opendc runs -o out --task-id-mode auto
    [ "$(rows out/tasks.parquet id | head -n 1)" = 1 ]
    example run
    "$TK" export opendc run -o out --task-id-mode auto
    [ "$(rows out/tasks.parquet id)" = 7 ]
}

@test "what is guessed is said and counted, or left out" {
    need_pyarrow
    example run
    rm run/proc_metrics.jsonl
    sed -i 's/,"cpu_ns":2400000000//' run/events.ffmpeg.jsonl
    run -0 --separate-stderr "$TK" export opendc run -o out
    [ "$stderr" = "tracekit export: 1 of 1 tasks have no samples: half a core is an estimate" ]
    [ "$(jq -c '[.estimates.tasks_at_half_a_core, .warnings[0]]' out/manifest.json)" = '[1,"1 of 1 tasks have no samples: half a core is an estimate"]' ]
    diff <(rows out/fragments.parquet duration cpu_usage) <(echo "3500 1200.0")
    diff <(rows out/tasks.parquet mem_capacity) <(echo "65536")
    run -1 "$TK" export opendc run -o out --no-estimate
    [[ $output == *"no task is left"* ]]
}

@test "memory without samples follows the payload" {
    need_pyarrow
    example run
    rm run/proc_metrics.jsonl
    sed -i 's/"status":0/"bytes_in":100000000,"bytes_out":20000000/' run/events.ffmpeg.jsonl
    "$TK" export opendc run -o out
    diff <(rows out/tasks.parquet mem_capacity) <(echo "234375")
}

@test "an unknown frequency is an error that CPU_FREQ_MHZ mends" {
    need_pyarrow
    example run
    sed -i 's/2400}/0}/' run/node_meta.json
    run -1 "$TK" export opendc run -o out
    [[ $output == *"node n0: its CPU frequency is not known (cpu_freq_mhz is 0): set CPU_FREQ_MHZ" ]]
    CPU_FREQ_MHZ=3000 "$TK" export opendc run -o out
    diff <(rows out/fragments.parquet duration cpu_usage) <(printf '1900 1500.0\n1000 3000.0\n600 2250.0\n')
}

@test "calibration changes usage, durations, submission and memory" {
    need_pyarrow
    example run
    "$TK" export opendc run -o out --scale-cpu 0.5 --scale-duration 2 --startup-overhead-ms 100 --shift-ms -5 --mem-headroom 1.5
    diff <(rows out/fragments.parquet duration cpu_usage) <(printf '3900 600.0\n2000 1200.0\n1200 900.0\n')
    diff <(rows out/tasks.parquet duration mem_capacity) <(echo "7100 75000")
    [[ $(rows out/tasks.parquet submission_time) == "2025-09-16 05:19:59.995000"* ]]
}

@test "an anonymous export tells no name, and the same hash for the same name" {
    two_nodes runs
    run -0 "$TK" export opendc runs -o out --anonymise
    run ! grep -rqaE 'svc|cloud0|vm0|"d1"|ffmpeg|runs/' out
    [ "$(jq -r .node out/task_map.jsonl | sort -u | wc -l)" = 1 ]
}

@test "a run that was recorded just now is exported, compact or not" {
    for how in --compact ""; do
        # shellcheck disable=SC2086
        "$TK" record -q $how -i 20ms -o "run$how" -- sh -c 'i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done'
        CPU_FREQ_MHZ=2000 run -0 "$TK" export opendc "run$how" -o "out$how"
        [[ ${lines[0]} == "out$how: 1 task, "*" fragments, "* ]]
        if [ -n "$PYTHON" ]; then
            "$PYTHON" "$peers/check_opendc.py" "out$how"
        fi
    done
}

@test "what a compact recording has lost is told, and kept in the manifest" {
    "$TK" record -q --compact -i 20ms -o run -- sleep 0.3
    truncate -s -100 run/recording.tkr
    for format in opendc swf; do
        CPU_FREQ_MHZ=2000 run -0 --separate-stderr "$TK" export "$format" run -o "out-$format"
        [[ $stderr == *"1 recordings are damaged, the first: run/recording.tkr: "*"the last block is cut short"* ]]
    done
    grep -q 'run/recording.tkr: ' out-opendc/manifest.json
}

@test "the old runs of four nodes that all call themselves vm0 are exported" {
    old=$TK_SHARED_DATA/tracekit-runs
    [ -d "$old" ] || skip "no shared data"
    "$TK" import "$old"/* >/dev/null
    run -0 "$TK" export opendc logs -o out
    [[ $output == *"no invocations in the run: one task per node, with all its load"* ]]
    [[ $output == *"out: 4 tasks, "* ]]
    [ "$(jq -c '[.clusters[0].hosts[] | [.name, .cpu.coreSpeed, .memory.memorySize]]' out/topology.json)" = '[["cloud0","2399 MHz","15997 MiB"],["cloud1","2399 MHz","15997 MiB"],["cloud2","2399 MHz","15997 MiB"],["cloud3","2399 MHz","15997 MiB"]]' ]
    run -0 "$TK" verify opendc out
    if [ -n "$PYTHON" ]; then
        "$PYTHON" "$peers/check_opendc.py" out
    fi
}

@test "OpenDC itself runs the export, and its result compares" {
    [ -n "${OPENDC_HOME:-}" ] || skip "OPENDC_HOME names no runner"
    example run
    "$TK" export opendc run -o out --profile opendc-2.4f
    (cd out && "$OPENDC_HOME/bin/OpenDCExperimentRunner" --experiment-path experiment.json)
    "$TK" compare --measured out --simulated out/output/example/raw-output/0
}
