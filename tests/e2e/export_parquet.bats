#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit export parquet: the tables of a run come out as they went in. That others can read the
# files is for parquet_peers.bats.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID
    runs=$TK_TEST_DATA/show
}

# The rows of a Parquet file, and of JSON Lines, without what is absent; whole floats as integers.
from_parquet() {
    "$TK" parquet cat --raw "$1" | jq -cS 'del(.[] | nulls)'
}
from_lines() {
    jq -cS 'del(.[] | nulls)' "$@"
}

@test "every row of every table comes back" {
    "$TK" export parquet "$runs/compile" -o out
    for table in proc_metrics proc_exit disk_metrics clock; do
        diff <(from_lines "$runs/compile/$table.jsonl") <(from_parquet "out/$table.parquet")
    done
    diff <(from_lines "$runs/compile/resources.jsonl") <(from_parquet out/host_metrics.parquet)
    diff <(from_lines "$runs/compile/events.make.jsonl") <(from_parquet out/invocations.parquet)
    diff <(from_lines "$runs/compile/run.json") <(from_parquet out/run.parquet)
}

@test "what was written is told, and nothing else is left" {
    run -0 "$TK" export parquet "$runs/service" -o out
    [[ ${lines[0]} =~ ^"out/host_metrics.parquet: 10 rows, "[0-9.]+" KiB"$ ]]
    [ "${#lines[@]}" = 9 ]
    [ "$(find out -type f | wc -l)" = 9 ]
    [ "$(find out -name '*.parquet' | wc -l)" = 9 ]
}

@test "of a run that was parsed, the tables of cctf are taken" {
    cp -r "$runs/compile" run
    chmod -R u+w run
    "$TK" parse run >/dev/null
    "$TK" export parquet run -o out
    diff <(from_lines run/cctf/proc_cpu.jsonl) <(from_parquet out/proc_cpu.parquet)
    diff <(from_lines run/cctf/invocations.jsonl) <(from_parquet out/invocations.parquet)
    jq -c '.[]' run/cctf/nodes.json | from_lines | diff - <(from_parquet out/nodes.parquet)
}

@test "a recording comes out like lines" {
    "$TK" record --compact -o run -- sleep 0.3 >/dev/null 2>&1
    [ ! -e run/proc_metrics.jsonl ]
    "$TK" export parquet run -o out
    [ "$("$TK" parquet cat out/clock.parquet | wc -l)" -gt 0 ]
    [ "$("$TK" parquet cat out/host_metrics.parquet | wc -l)" -gt 0 ]
}

@test "rows that are damaged are left out and told" {
    run -0 "$TK" export parquet "$runs/killed" -o out
    [[ $output == *"out/proc_metrics.parquet: left out 1 damaged row; the first: the last line is torn"* ]]
}

@test "several runs get a folder each" {
    "$TK" export parquet "$runs/compile" "$runs/service" -o out
    [ -s out/compile/proc_metrics.parquet ]
    [ -s out/service/proc_metrics.parquet ]
    [ ! -e out/proc_metrics.parquet ]
}

# Two segments of a run become one of the same rows.
@test "spans come out as segments, every row" {
    head=trace_id,span_id,service,name,start_ns,duration_ns
    printf '%s\n%032d,%016d,shop,buy,100,5\n' $head 1 1 >new.csv
    printf '%s\n%032d,%016d,shop,sell,90,5\n' $head 2 2 >more.csv
    "$TK" import --format csv new.csv -o run >/dev/null
    "$TK" import --format csv more.csv -o other >/dev/null
    cp other/spans/part-000001.parquet run/spans/part-000002.parquet
    run -0 "$TK" export parquet run -o out
    [[ ${lines[0]} == "out/spans: 2 spans, "* ]]
    [ "$(find out/spans -name '*.parquet' | wc -l)" = 1 ]
    diff <(for file in run/spans/*.parquet; do from_parquet "$file"; done) <(from_parquet out/spans/part-000001.parquet)
}

@test "the files say what they hold: units, meanings, the run" {
    "$TK" export parquet "$runs/compile" -o out --compression none
    run -0 "$TK" parquet meta --json out/proc_metrics.parquet
    jq -e '.metadata | from_entries | ."tracekit.run_id" == "compile" and ."tracekit.table" == "proc_metrics"
        and (."tracekit.units" | fromjson).rss_kb == "KiB" and (."tracekit.meanings" | fromjson).pid != null' <<<"$output"
    jq -e '[.row_groups[].columns[].codec] | unique == ["none"]' <<<"$output"
    jq -e '.schema[] | select(.name == "ts_us") | .logical == "timestamp(us)"' <<<"$output"
}

@test "a codec that is none is an error that names them" {
    run -1 "$TK" export parquet "$runs/compile" -o out --compression zip
    [[ $output == "tracekit export: 'zip' is none of none, "*"zstd"* ]]
}

@test "a disk that is full leaves no file behind" {
    [ "$(id -u)" = 0 ] || skip "mounting a small file system needs root"
    mkdir small
    mount -t tmpfs -o size=16k none small 2>/dev/null || skip "this place cannot mount"
    run -1 "$TK" export parquet "$runs/compile" -o small/out
    left=$(find small -name '.*.part')
    umount small
    [[ $output == *"No space left on device"* ]]
    [ -z "$left" ]
}
