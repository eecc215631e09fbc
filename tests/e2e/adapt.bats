#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit adapt on small logs under tests/data/adapt; the .want and .err files beside them are what
# it writes. The formats themselves are tested in tests/unit/test_adapt.c.

# shellcheck disable=SC2154  # stderr is set by run --separate-stderr

bats_require_minimum_version 1.5.0

setup() {
    load wait_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID NODE_ID STAGE TZ
    logs=$TK_TEST_DATA/adapt
}

# Adapt a log of the data folder to standard output and compare with what is expected.
is_as_expected() {
    log=$2
    set -- adapt "$1" "$log" --node web0 --host w -o - "${@:3}"
    (cd "$logs" && "$TK" "$@") >rows 2>said || return 1
    diff rows "$logs/$log.want" && diff said "$logs/$log.err"
}

@test "logs of every format become the rows that they should" {
    is_as_expected nginx nginx.log
    is_as_expected envoy envoy.log
    is_as_expected json app.jsonl -m ts_end=time:s -m service=took_us:us -m method=http.method \
        -m path=http.path
    is_as_expected csv requests.csv
    is_as_expected jobs sacct.txt
    is_as_expected jobs sched_events.jsonl
}

@test "invocations go to the run that is there, with its node, and are parsed with it" {
    mkdir -p logs/r1
    echo '{"run_id":"r1","node":"edge7","stage":"edge","host":"h7","cpu_cores":4,"mem_mb":1,"iface":"lo","cpu_model":"m","cpu_freq_mhz":1000}' \
        >logs/r1/node_meta.json
    run -0 --separate-stderr "$TK" adapt nginx "$logs/nginx.log"
    [[ $output == "invocations → "*"logs/r1/events.nginx.jsonl: 2 rows from 4 lines, 2 bad" ]]
    "$TK" parse r1 >/dev/null
    [ "$(jq -r '[.node, .stage, .host] | join(" ")' logs/r1/cctf/invocations.jsonl | uniq)" = "edge7 edge h7" ]
    [ "$(jq -s length logs/r1/cctf/invocations.jsonl)" = 2 ]
    run -0 "$TK" verify cctf r1
}

@test "adapting twice gives the same file, --append adds to it" {
    "$TK" adapt nginx --run r "$logs/nginx.log" >/dev/null 2>&1
    cp logs/r/events.nginx.jsonl before
    "$TK" adapt nginx --run r "$logs/nginx.log" >/dev/null 2>&1
    cmp logs/r/events.nginx.jsonl before
    "$TK" adapt nginx --run r --append "$logs/nginx.log" >/dev/null 2>&1
    cmp logs/r/events.nginx.jsonl <(cat before before)
}

@test "standard input and the flags of the original are taken" {
    "$TK" adapt nginx --input - --output out.jsonl --node vm0 --stage cloud --tz UTC \
        --trace-header-name X-Trace-Id <"$logs/nginx.log" 2>/dev/null
    "$TK" adapt nginx --node vm0 -o - <"$logs/nginx.log" 2>/dev/null | cmp - out.jsonl
    [ "$(jq -r .node out.jsonl | uniq)" = vm0 ]
}

@test "a pid of the log joins with the samples of its process" {
    echo '1760097336.000 0.100 "GET / HTTP/1.1" 4711' >log
    "$TK" adapt nginx --format '$msec $request_time "$request" $pid' log -o - 2>/dev/null >rows
    [ "$(jq .pid rows)" = 4711 ]
}

@test "bad lines are told up to ten, the rest is counted" {
    seq 25 >log
    run -1 --separate-stderr "$TK" adapt nginx log -o -
    [ "$(grep -c "^tracekit adapt: log:[0-9]*: does not fit the format" <<<"$stderr")" = 10 ]
    grep -qx "tracekit adapt: 15 more bad lines" <<<"$stderr"
    grep -qx "tracekit adapt: no line is as expected of nginx: give its format by --format" <<<"$stderr"
    grep -qx "invocations → standard output: 0 rows from 25 lines, 25 bad" <<<"$stderr"
    run -1 --separate-stderr "$TK" adapt nginx --format '$msec $request_time' log -o -
    run ! grep "give its format" <<<"$stderr"
}

@test "a log that ends within a line says so" {
    printf '1760097336.5 0.5\n1760097337.5 0.' >log
    run -0 --separate-stderr "$TK" adapt nginx --format '$msec $request_time' log -o -
    grep -qx "tracekit adapt: log:2: the last line has no end" <<<"$stderr"
}

@test "times without a zone are UTC, or of the zone that is told" {
    printf 'submit,start,end\n2025-07-01 12:00:00,2025-07-01 12:00:00,2025-07-01 12:00:01\n' >jobs
    [ "$("$TK" adapt jobs jobs -o - 2>/dev/null | jq .ts_start)" = 1751371200000 ]
    [ "$("$TK" adapt jobs --tz +02:00 jobs -o - 2>/dev/null | jq .ts_start)" = 1751364000000 ]
    run -2 "$TK" adapt jobs --tz Nowhere/Land jobs
}

@test "a growing log is followed through a rotation" {
    echo '1760097336.5 0.5' >log
    "$TK" adapt nginx --format '$msec $request_time' --follow --run r log >report 2>&1 &
    pid=$!
    has_rows() { [ "$(cat logs/r/events.nginx.jsonl 2>/dev/null | wc -l)" = "$1" ]; }
    wait_until has_rows 1
    printf '1760097337.5 0.' >>log
    sleep 0.5
    has_rows 1
    echo 5 >>log
    wait_until has_rows 2
    echo '1760097338.5 0.5' >>log
    mv log log.1
    echo '1760097339.5 0.5' >log
    wait_until has_rows 4
    kill -TERM $pid
    wait $pid
    grep -qx "invocations → .*logs/r/events.nginx.jsonl: 4 rows from 4 lines, 0 bad" report
    [ "$(jq -s 'map(.service_time_ms) | unique' -c logs/r/events.nginx.jsonl)" = "[500]" ]
}

@test "what cannot be obeyed is an error" {
    touch log
    run -2 "$TK" adapt
    run -2 "$TK" adapt ngnix log
    [[ $output == *"did you mean 'nginx'?"* ]]
    run -2 "$TK" adapt nginx --map a=b log
    [[ $output == *"--map is of no use for nginx"* ]]
    run -2 "$TK" adapt json --map when=x:s log
    [[ $output == *"'when' is no field of an invocation"* ]]
    run -2 "$TK" adapt json --map ts_end=x:h log
    [[ $output == *"'h' is no unit of ts_end (s, ms, us, ns)"* ]]
    run -2 "$TK" adapt nginx --format '$a$b' log
    run -1 "$TK" adapt nginx --run r missing.log
    [[ $output == *"missing.log: No such file"* ]]
    printf 'x,y\n1,2\n' >t.csv
    run -1 "$TK" adapt csv --run r t.csv
    [[ $output == *"t.csv: the header names no column that is known"* ]]
    printf '\x1f\x8b' >a.gz
    run -1 "$TK" adapt nginx --run r a.gz
    [[ $output == *"a.gz is compressed: zcat a.gz | tracekit adapt nginx -"* ]]
    [ ! -e logs/r ]
}

@test "the report can be had as JSON" {
    run -0 --separate-stderr "$TK" adapt nginx --json -o out.jsonl "$logs/nginx.log"
    [ "$(jq -c '[.format, .lines, .rows, .bad]' <<<"$output")" = '["nginx",4,2,2]' ]
}

@test "memory does not follow the size of the log" {
    (ulimit -v 300000 && "$TK" version) >/dev/null 2>&1 ||
        skip "a sanitizer takes address space of its own"
    yes '10.0.0.1 - - [10/Oct/2025:13:55:36 +0200] "GET / HTTP/1.1" 200 5 "-" "-" 3 0.001 abc' |
        head -n 700000 >big.log
    (ulimit -v 300000 && "$TK" adapt nginx big.log -o big.jsonl) >report
    grep -q ": 700,000 rows from 700,000 lines, 0 bad" report
    [ "$(wc -l <big.jsonl)" = 700000 ]
}
