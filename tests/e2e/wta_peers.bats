#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit export wta, read by pyarrow and DuckDB and checked as the archive's own validator does.

bats_require_minimum_version 1.5.0

peers=$BATS_TEST_DIRNAME/../peers/parquet

setup_file() {
    load peers
    peers_cache "$peers/requirements.txt" "$peers/package-lock.json"
    peers_pip "$peers/requirements.txt"
    peers_npm "$peers"
    export TK_SCRATCH=$BATS_FILE_TMPDIR
}

setup() {
    load peers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID CPU_FREQ_MHZ
    mkdir run
    cat >run/node_meta.json <<'JSON'
{"run_id":"example","node":"n0","stage":"cloud","host":"h0","cpu_cores":4,"mem_mb":16384,"mem_bytes":17179869184,"cpu_freq_mhz":2400}
JSON
    # Two tasks that need the first one, and a trace of its own.
    cat >run/events.ffmpeg.jsonl <<'JSON'
{"trace_id":"t","span_id":"a","module_id":"ffmpeg","method":"CLI","path":"ffmpeg","ts_enqueue":1758000000000,"ts_start":1758000000100,"ts_end":1758000003600,"pid":7,"status":0,"cpu_ns":2400000000,"output":"a.mp4"}
{"trace_id":"u","span_id":"d","method":"CLI","path":"ls","ts_enqueue":1758000001000,"ts_start":1758000001000,"ts_end":1758000002000,"status":0,"cpu_ns":500000000}
{"trace_id":"t","span_id":"b","parent_id":"a","method":"CLI","path":"cp","ts_enqueue":1758000003700,"ts_start":1758000003700,"ts_end":1758000004700,"status":1,"cpu_ns":500000000,"input":"a.mp4"}
{"trace_id":"t","span_id":"c","parent_id":"a","method":"CLI","path":"mv","ts_enqueue":1758000003700,"ts_start":1758000003800,"ts_end":1758000005800,"status":0,"cpu_ns":500000000,"input":"a.mp4"}
JSON
    cat >run/proc_metrics.jsonl <<'JSON'
{"ts_ms":1758000001000,"pid":7,"comm":"ffmpeg","utime":45,"stime":0,"rss_kb":40000}
{"ts_ms":1758000002000,"pid":7,"comm":"ffmpeg","utime":95,"stime":0,"rss_kb":50000}
{"ts_ms":1758000003000,"pid":7,"comm":"ffmpeg","utime":195,"stime":0,"rss_kb":45000}
JSON
}

wta() {
    peers_python pyarrow "$peers/wta_peer.py" "$@"
}

@test "tasks have their workflow, their edges and their times" {
    peers_want_python pyarrow
    "$TK" export wta run -o out
    wta out tasks | jq -c '[.id, .type, .ts_submit, .wait_time, .runtime, .resource_amount_requested, .parents, .children,
        .workflow_id, (.params | fromjson.name), .memory_requested, .resource_used, .user_id]' | diff - <(cat <<'JSON'
[1,"command",1758000000000,100,3500,1,[],[2,3],1,"ffmpeg",51.2,1,-1]
[2,"command",1758000003700,0,1000,1,[1],[],1,"cp",-1,1,-1]
[3,"command",1758000003700,100,2000,1,[1],[],1,"mv",-1,1,-1]
[4,"command",1758000001000,0,1000,1,[],[],2,"ls",-1,1,-1]
JSON
)
}

@test "workflows have a critical path and a width" {
    peers_want_python pyarrow
    "$TK" export wta run -o out
    # By the archive's definition a task waits for its parents and its submission, nothing else:
    # a from 0 to 3.5 s, then the longer of its children from 3.7 s on for 2 s.
    wta out workflows | jq -c '[.id, .ts_submit, .task_count, .critical_path_length, .critical_path_task_count,
        .approx_max_concurrent_tasks, .total_resources, .total_memory_usage]' | diff - <(cat <<'JSON'
[1,1758000000000,3,5700,2,2,3,51.2]
[2,1758000001000,1,1000,1,1,1,-1]
JSON
)
}

@test "states are the course of a task, resources are the nodes" {
    peers_want_python pyarrow
    "$TK" export wta run -o out
    wta out task_state | jq -c 'select(.task_id == 1) | [.ts_start, .ts_end, .workflow_id, .resource_id, .cpu_rate, .version]' | diff - <(cat <<'JSON'
[1758000000100,1758000002000,1,1,0.5,"1.0"]
[1758000002000,1758000003000,1,1,1,"1.0"]
[1758000003000,1758000003600,1,1,0.75,"1.0"]
JSON
)
    [ "$(wta out resources | jq -c '[.id, .type, .num_resources, .memory, (.details | fromjson.name)]')" = '[1,"node",4,17,"n0"]' ]
}

@test "the workload has the figures of its tasks" {
    peers_want_python pyarrow
    "$TK" export wta run -o out
    wta out workload | jq -c '[.total_workflows, .total_tasks, .date_start, .date_end, .num_resources, .total_resource_seconds,
        .min_resource_task, .max_resource_task, .median_resource_task, .std_resource_task, .mean_memory, .std_memory, .mean_energy]' |
        diff - <(echo '[2,4,"2025-09-16T05:20:00Z","2025-09-16T05:20:05Z",4,7.5,1,1,1,0,51.2,-1,-1]')
}

@test "DuckDB and pyarrow see the rows that we wrote, in every codec" {
    for codec in none snappy gzip zstd; do
        "$TK" export wta run -o "$codec" --compression "$codec" >/dev/null
        files=("$codec"/*/schema-1.0/part.0.parquet)
        [ "${#files[@]}" = 4 ]
        peers_python pyarrow "$peers/pyarrow_peer.py" compare "$TK" "${files[@]}"
        peers_node DuckDB "$peers/duckdb_peer.mjs" compare "$TK" "${files[@]}"
    done
}

@test "exporting twice gives the same bytes" {
    "$TK" export wta run -o one >/dev/null
    "$TK" export wta run -o two >/dev/null
    diff -r one two
}
