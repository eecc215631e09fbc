#!/usr/bin/env bats
# tracekit verify cctf: what it prints, writes and returns. Each rule by itself is tested in
# tests/unit/test_verify.c.

bats_require_minimum_version 1.5.0

setup() {
    load wait_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID
    mkdir -p logs
}

# a_run DIR: a folder that passes.
a_run() {
    mkdir -p "$1"
    cat >"$1/node_meta.json" <<<'{"run_id":"r","node":"n","stage":"cloud","host":"h","cpu_cores":2,"mem_mb":100}'
    for s in 1 2 3 4; do
        echo '{"ts_ms":'$s'000,"node":"n","stage":"cloud","cpu_util":50.00}'
        echo '{"ts_ms":'$s'000,"node":"n","stage":"cloud","mem_free_mb":10}'
    done >"$1/resources.jsonl"
}

@test "a sound run passes and gets a report in its cctf folder" {
    a_run logs/r
    "$TK" parse r >/dev/null
    run -0 --separate-stderr "$TK" verify cctf r
    [[ $output == "logs/r: ok: 0 errors, 0 warnings in "*" files, "*" rows (cctf/audit_report.md written)" ]]
    [ -z "$stderr" ]
    head -n 2 logs/r/cctf/audit_report.md | diff - <(printf '# CCTF Audit Report\nNode: n  |  Stage: cloud\n')
}

@test "without a name the last run of logs is checked" {
    a_run logs/20250101T000000Z
    a_run logs/20250102T000000Z
    run -0 "$TK" verify cctf
    [[ $output == "logs/20250102T000000Z: ok: "* ]]
}

@test "what record and collect have just recorded passes" {
    for i in 1 2 3; do
        "$TK" record -q -i 20ms -o "r$i" -- sh -c 'for i in $(seq 30); do /bin/true; done'
    done
    RUN_ID=node "$TK" collect run -i 10ms -o r4 &
    wait_until test -s r4/self.jsonl # after a second
    kill -INT $!
    wait $!
    for i in 1 2 3 4; do
        "$TK" parse "r$i"
        run -0 "$TK" verify cctf "r$i"
    done
}

@test "an error is told with file and line, and gives status 1" {
    a_run r
    echo '{"ts_ms":3500,"node":"n","stage":"cloud","cpu_util":"50"}' >>r/resources.jsonl
    run -1 --separate-stderr "$TK" verify cctf r
    [ "${lines[0]}" = "r/resources.jsonl:9: error: type: cpu_util is a string, expected a number" ]
    [ "${lines[1]}" = "r/resources.jsonl:9: error: order: 0.500 s before line 8" ]
    [ "${lines[2]}" = "r: broken: 2 errors, 0 warnings in 2 files, 10 rows" ]
    [ -z "$stderr" ]
}

@test "a warning passes, and fails with --strict" {
    a_run r
    printf '{"ts_ms":9' >>r/resources.jsonl
    run -0 "$TK" verify cctf r
    [ "${lines[0]}" = "r/resources.jsonl:9: warning: torn: the last line is cut short" ]
    run -1 "$TK" verify cctf r --strict
}

@test "many findings of one kind are summed up, all with --all" {
    a_run r
    for i in $(seq 30); do echo "$i"; done >>r/resources.jsonl
    run -1 "$TK" verify cctf r
    [ "${#lines[@]}" -eq 22 ]
    [ "${lines[20]}" = "r/resources.jsonl: error: json: 10 more of these" ]
    run -1 "$TK" verify cctf --all r
    [ "${#lines[@]}" -eq 31 ]
}

@test "--json gives one object per run with every rule counted" {
    a_run a
    a_run b
    echo '{}' >>b/resources.jsonl
    "$TK" verify cctf --json a b >out || [ $? -eq 1 ]
    [ "$(jq -c '[.folder, .ok, .errors, .counts.required, .counts["row-kind"]]' out)" = '["a",true,0,0,0]
["b",false,4,3,1]' ]
    [ "$(jq -sc '.[1].findings[0]' out)" = '{"rule":"required","level":"error","file":"resources.jsonl","line":9,"text":"ts_ms is missing"}' ]
}

@test "nodes of one run are checked in their order by the name without numbers" {
    for n in 10 2; do a_run "logs/r(c$n)"; done
    run -0 "$TK" verify cctf r
    [[ ${lines[0]} == "logs/r(c2): ok: "* ]]
    [[ ${lines[1]} == "logs/r(c10): ok: "* ]]
}

@test "--no-report and a read-only folder leave cctf as it is" {
    a_run r
    "$TK" parse r >/dev/null
    run -0 "$TK" verify cctf r --no-report
    [ ! -e r/cctf/audit_report.md ]
    if [ "$(id -u)" -eq 0 ]; then skip "root may write everywhere"; fi
    chmod a-w r/cctf
    run -0 "$TK" verify cctf r
    [ ! -e r/cctf/audit_report.md ]
}

@test "an unreadable table is a failure that names it" {
    a_run r
    rm r/resources.jsonl
    mkdir r/resources.jsonl
    run -1 --separate-stderr "$TK" verify cctf r
    [ "$stderr" = "tracekit verify: r: resources.jsonl: Is a directory" ]
}

@test "what is no run fails with one clear line" {
    run -1 "$TK" verify cctf nowhere
    [ "${#lines[@]}" -eq 1 ]
    mkdir empty
    run -1 "$TK" verify cctf empty
    [ "$output" = "tracekit verify: empty: holds no table of a run" ]
}

@test "what is to be verified has to be said" {
    run -2 "$TK" verify
    [ "${lines[0]}" = "tracekit verify: expected what to verify: cctf or opendc (see tracekit verify --help)" ]
    run -2 "$TK" verify parquet
    [ "${lines[0]}" = "tracekit verify: 'parquet' is none of cctf, opendc (see tracekit verify --help)" ]
}

@test "the profile is one that OpenDC has" {
    run -2 "$TK" verify opendc . --profile opendc-9
    [[ $output == *"'opendc-9' is none of opendc, opendc-2.4f, opendc-2.4e, opendc-2.1"* ]]
    run -2 "$TK" verify opendc
    [[ $output == *"expected the folder of an export"* ]]
}
