#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit export to the formats of other simulators and viewers. The expected values are those of the
# specification, opendc.md section 18.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID CPU_FREQ_MHZ
    mkdir run
    cat >run/node_meta.json <<'EOF'
{"run_id":"example","node":"n0","stage":"cloud","host":"h0","cpu_cores":4,"mem_mb":16384,"cpu_freq_mhz":2400}
EOF
    echo '{"iface":"eth0","BW_bps":1000000000,"PR_s":0.000106}' >run/link_meta.json
    cat >run/events.ffmpeg.jsonl <<'EOF'
{"trace_id":"t","span_id":"s","module_id":"ffmpeg","method":"CLI","path":"ffmpeg","ts_enqueue":1758000000000,"ts_start":1758000000100,"ts_end":1758000003600,"pid":7,"status":0,"cpu_ns":2400000000,"output":"a b.mp4"}
EOF
    cat >run/proc_metrics.jsonl <<'EOF'
{"ts_ms":1758000001000,"pid":7,"comm":"ffmpeg","utime":45,"stime":0,"rss_kb":40000}
{"ts_ms":1758000002000,"pid":7,"comm":"ffmpeg","utime":95,"stime":0,"rss_kb":50000}
{"ts_ms":1758000003000,"pid":7,"comm":"ffmpeg","utime":195,"stime":0,"rss_kb":45000}
EOF
}

# A second task of the same trace, on a second node, that needs the first and fails.
add_second() {
    mkdir both
    mv run 'both/R(c0)'
    mkdir 'both/R(c1)'
    sed 's/n0/n1/; s/h0/h1/' 'both/R(c0)/node_meta.json' >'both/R(c1)/node_meta.json'
    cat >>'both/R(c0)/events.ffmpeg.jsonl' <<'EOF'
{"trace_id":"t","span_id":"u","parent_id":"s","method":"CLI","path":"cp","ts_enqueue":1758000003700,"ts_start":1758000003700,"ts_end":1758000004700,"status":1,"cpu_ns":500000000,"input":"a b.mp4"}
EOF
}

@test "swf: the line of the example, behind a header" {
    run -0 "$TK" export swf run -o out
    [ "$output" = "out: 1 task, 2.400 s of CPU time" ]
    [ "$(grep -v '^;' out/workload.swf)" = "1 0 0.1 3.5 1 2.4 50000 -1 -1 -1 1 -1 -1 1 1 -1 -1 -1" ]
    grep -q '^; Version: 2.2$' out/workload.swf
    grep -q '^; MaxProcs: 4$' out/workload.swf
}

@test "swf: status, program and preceding job of a second task" {
    add_second
    "$TK" export swf both -o out
    [ "$(grep -v '^;' out/workload.swf | tail -n 1)" = "2 3.7 0 1 1 0.5 -1 -1 -1 -1 0 -1 -1 2 1 -1 1 -1" ]
}

@test "chrome: slices, counters and arrows in one valid document" {
    add_second
    "$TK" export chrome both -o out
    jq -e . out/trace.json >/dev/null
    [ "$(jq -c '.traceEvents[] | select(.ph == "X" and .name == "ffmpeg") | [.ts, .dur, .pid, .tid]' out/trace.json)" = '[1758000000100000,3500000,1,7]' ]
    [ "$(jq -c '[.traceEvents[] | select(.ph == "C") | [.ts, .args.cores]]' out/trace.json)" = '[[1758000001000000,0.5],[1758000002000000,1]]' ]
    [ "$(jq -c '[.traceEvents[] | select(.ph == "s" or .ph == "f") | [.ph, .id, .ts]]' out/trace.json)" = '[["s",2,1758000003599999],["f",2,1758000003700000]]' ]
    [ "$(jq -c '[.traceEvents[] | select(.ph == "M" and .name == "process_name") | .args.name]' out/trace.json)" = '["n0","n1"]' ]
}

@test "simgrid: hosts, links in bytes per second, a route through both" {
    add_second
    "$TK" export simgrid both -o out
    grep -q '<host id="n0" speed="2400Mf" core="4"/>' out/platform.xml
    grep -q '<link id="n0.nic" bandwidth="125000000Bps" latency="0.000106s"/>' out/platform.xml
    grep -q 'the speed of this link is not known' out/platform.xml
    grep -q '<route src="n0" dst="n1"><link_ctn id="n0.nic"/><link_ctn id="n1.nic"/></route>' out/platform.xml
    python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse("out/platform.xml")'
}

@test "batsim: jobs in seconds from the first, work in cycles" {
    "$TK" export batsim run -o out
    diff <(jq -c '[.nb_res, .jobs[0].id, .jobs[0].subtime, .jobs[0].res, .profiles.p1]' out/workload.json) - <<'EOF'
[4,"1",0,1,{"type":"parallel_homogeneous","cpu":5760000000,"com":0}]
EOF
}

@test "wfformat: a workflow per trace, with its files and edges" {
    add_second
    "$TK" export wfformat both -o out
    [ "$(ls out)" = workflow-1.json ]
    [ "$(jq -c '[.name, .schemaVersion, .workflow.execution.makespanInSeconds]' out/workflow-1.json)" = '["t","1.5",4.7]' ]
    [ "$(jq -c '[.workflow.specification.tasks[] | [.id, .parents, .children, .inputFiles, .outputFiles]]' out/workflow-1.json)" = '[["t1",[],["t2"],[],["a_b.mp4"]],["t2",["t1"],[],["a_b.mp4"],[]]]' ]
    [ "$(jq -c '[.workflow.execution.tasks[] | [.id, .runtimeInSeconds, .coreCount]]' out/workflow-1.json)" = '[["t1",3.5,1],["t2",1,1]]' ]
    [ "$(jq -c '[.workflow.execution.machines[].nodeName]' out/workflow-1.json)" = '["n0","n1"]' ]
}

@test "what was left out of a damaged run is told in every format" {
    echo '{"trace_id":"x","span_id":"back","ts_start":1758000003600,"ts_end":1758000000100}' >>run/events.x.jsonl
    printf '{"ts_ms":1758000003000,"pid":7,"utime":NaN}\n{"ts_ms":17580000' >>run/proc_metrics.jsonl
    for format in batsim chrome simgrid swf wfformat; do
        run -0 --separate-stderr "$TK" export "$format" run -o "$format"
        # shellcheck disable=SC2154
        [[ $stderr == *"2 rows did not parse and were left out"* ]]
        [[ $stderr == *"1 invocations were left out, the first: trace x, span back, pid -1: ts_end is before ts_start"* ]]
    done
}

# A node that is busy at 25 % for five minutes, at 50 % for the next four, then at 100 % for one.
make_load() {
    mkdir load
    cp run/node_meta.json load/
    for i in $(seq 1 600); do
        echo "{\"ts_ms\":$((1758000000000 + i * 1000)),\"node\":\"n0\",\"stage\":\"cloud\",\"cpu_util\":$((i <= 300 ? 25 : i <= 540 ? 50 : 100)).00,\"dt_ms\":1000}"
    done >load/resources.jsonl
}

@test "planetlab: a whole percentage per five minutes and node" {
    make_load
    "$TK" export planetlab load -o out
    [ "$(ls out)" = n0 ]
    # 4 min of 50 % and 1 min of 100 % are 60 %.
    [ "$(tr '\n' ' ' <out/n0)" = "25 60 " ]
    run -1 "$TK" export planetlab run -o none
    [[ $output == "tracekit export: "*"no "* ]]
}

@test "usage: average, maximum and percentiles of a task" {
    "$TK" export usage run -o out
    # 1900 ms at 0.5, 600 ms at 0.75 and 1000 ms at 1 core.
    [ "$("$TK" parquet cat --raw out/usage.parquet | jq -c '[.task_id, .name, .node, .start_time, .end_time, (.average_cores * 3500 | round),
        .maximum_cores, .cores_percentiles, .cores_tail_percentiles[8], .maximum_memory_kb]')" = \
        '[1,"ffmpeg","n0",1758000000100,1758000003600,2400,1,[0.5,0.5,0.5,0.5,0.5,0.5,0.75,0.75,1,1,1],1,50000]' ]
}

@test "usage: a task is cut at every five minutes from the first submission on" {
    echo '{"trace_id":"t","span_id":"v","method":"CLI","path":"long","ts_enqueue":1758000299000,"ts_start":1758000299000,"ts_end":1758000901000,"status":0,"cpu_ns":602000000000}' >>run/events.ffmpeg.jsonl
    "$TK" export usage run -o out
    [ "$("$TK" parquet cat --raw out/usage.parquet | jq -c 'select(.name == "long") | [.start_time, .end_time, .average_cores]' | tr '\n' ' ')" = \
        '[1758000299000,1758000300000,1] [1758000300000,1758000600000,1] [1758000600000,1758000900000,1] [1758000900000,1758000901000,1] ' ]
}

@test "names are hidden in every format" {
    for format in swf chrome simgrid batsim wfformat wta usage; do
        "$TK" export "$format" run -o "out-$format" --anonymise --compression none
        run -1 grep -rE 'ffmpeg|n0|h0|mp4' "out-$format"
    done
}
