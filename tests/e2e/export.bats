#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit export: what all formats share. What is in their files is tested per format.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID CPU_FREQ_MHZ
}

@test "without a format, or with none that is known, it is a usage error" {
    run -2 "$TK" export
    [[ $output == "tracekit export: expected a format, such as opendc"* ]]
    run -2 "$TK" export opndc -o out
    [[ $output == *"'opndc' is no format: did you mean 'opendc'?"* ]]
}

@test "without a place to write to it is a usage error" {
    run -2 "$TK" export opendc .
    [[ $output == *"expected --output DIR"* ]]
}

@test "a run is given once" {
    run -2 "$TK" export opendc a --input b -o out
    [[ $output == *"'a': the run is given by --input already"* ]]
}

@test "a folder that holds no run is an error, and nothing is written" {
    mkdir empty
    run -1 "$TK" export opendc empty -o out
    [[ $output == *"empty: no run folder here nor in its folders, 3 levels down" ]]
    [ ! -e out ]
}

@test "pictures have the readings of the machine beside the spans, damaged ones are told" {
    "$TK" import "$TK_TEST_DATA/spans/shop.json" -o run >/dev/null 2>&1
    "$TK" export perfetto run -o without >/dev/null
    printf '%s\n' '{"ts_ms":1661140374000,"node":"vm7","stage":"cloud","cpu_util":50}' nonsense >run/resources.jsonl
    run -0 --separate-stderr "$TK" export perfetto run -o out
    [ "${lines[1]}" = "out/spans.pftrace: 1 reading of the machine beside them" ]
    # shellcheck disable=SC2154  # set by run --separate-stderr
    [[ $stderr == "tracekit export: run: left out 1 damaged row of host_metrics; the first: "* ]]
    [ "$(grep -c 'CPU busy' out/spans.pftrace)" -gt 0 ]
    cmp -n "$(stat -c %s without/spans.pftrace)" without/spans.pftrace out/spans.pftrace
    "$TK" export chrome run -o out 2>/dev/null
    jq -e '(.otherData.time_origin_unix_nano | tonumber / 1000) as $origin |
        [.traceEvents[] | select(.ph == "C")] as $counts |
        [.traceEvents[] | select(.ph == "X").pid] as $services |
        ($counts | length) == 1 and $counts[0].args == {"%": 50} and
        $counts[0].ts + $origin == 1661140374000000 and
        ([$counts[0].pid] | inside($services) | not) and
        any(.traceEvents[]; .ph == "M" and .pid == $counts[0].pid and .args.name == "vm7")' out/spans.chrome.json
}

@test "a file of spans that does not fit leaves nothing behind" {
    "$TK" import "$TK_TEST_DATA/spans/shop.json" -o spans >/dev/null
    for format in jaeger zipkin otlp-proto perfetto gent; do
        run -1 bash -c 'trap "" XFSZ; ulimit -f 1; exec "$TK" export "$1" spans -o "out-$1"' - "$format"
        [[ $output == *"File too large" ]]
        [ -z "$(ls -A "out-$format")" ]
    done
}
