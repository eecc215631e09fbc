#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The expected results of the specification (opendc.md section 18). OpenDC itself computes them where
# OPENDC_HOME names its runner; everywhere a model of its rules does, which says besides what becomes
# of our own exports.

load opendc_helpers

bats_require_minimum_version 1.5.0

cases=$BATS_TEST_DIRNAME/../peers/opendc_cases.py

setup_file() {
    find_pyarrow
}

setup() {
    begin_empty
}

@test "OpenDC comes to the expected results, in each case and under both policies" {
    [ -n "${OPENDC_HOME:-}" ] || skip "OPENDC_HOME names no runner"
    need_pyarrow
    run -0 "$PYTHON" "$cases" run cases
    [[ ${lines[-1]} == *" results as expected, 0 not" ]]
}

@test "the rules that verify goes by come to them, too" {
    need_pyarrow
    run -0 "$PYTHON" "$cases" model
    [ "${lines[-1]}" = "58 results as expected, 0 not" ]
}

# Count of a rule in the report of a case.
count() {
    "$TK" verify opendc "cases/$1" --json | jq --arg rule "$2" '.counts[$rule]'
}

@test "verify tells every case in which a task is shorter than its fragments, and no other" {
    need_pyarrow
    "$PYTHON" "$cases" write cases
    local case shorter="A B I-0.1 I-2.3 I-2.41 J-20-119 L-9.5"
    for case in cases/*; do
        case=${case#cases/}
        expected=0
        [[ " $shorter " == *" $case "* ]] && expected=1
        [ "$(count "$case" W02)" = "$expected" ] || { echo "$case: $(count "$case" W02)" >&2; return 1; }
    done
    [ "$(count D W04)" = 2 ] # larger than the host: OpenDC ends them at once
    [ "$(count G E08)" = 2 ] # fragments of no duration
    [ "$(count H E06)" = 1 ] # one id twice
    [ "$(count E W03)" -ge 1 ] # more than the host has
    [ "$(count W1 E11)" = 0 ]
    [ "$(count W2 E11)" = 3 ] # edges on one side only
    [ "$(count W3 E11)" = 3 ]
    [ "$(count W4 E11)" = 1 ] # submitted after its parent may have ended
}

@test "a task of ours, alone on its host, ends under Perfect when its fragments do" {
    need_pyarrow
    measured_run measured
    "$TK" export opendc measured -o busy
    # Idle and busy by turns, at every length: floors and nudges have to hold.
    mkdir idle
    cp measured/node_meta.json idle
    awk 'BEGIN {
        srand(7)
        for (i = 0; i < 60; i++) {
            at = 1758000000000; ticks = 0
            printf "{\"trace_id\":\"%d\",\"method\":\"CLI\",\"path\":\"x\",\"ts_start\":%.0f,\"ts_end\":%.0f,\"pid\":%d}\n", i, at, at + 20000, i + 2 >"idle/events.x.jsonl"
            while (at < 1758000019000) {
                passed = 1 + int(exp(rand() * 8))
                at += passed
                ticks += rand() < 0.5 ? 0 : int(rand() * 4 * passed / 10)
                printf "{\"ts_ms\":%.0f,\"pid\":%d,\"utime\":%d,\"stime\":0,\"rss_kb\":9}\n", at, i + 2, ticks >"idle/proc_metrics.jsonl"
            }
        }
    }'
    "$TK" export opendc idle -o idle-out
    [ "$(jq .sums.floored_fragments idle-out/manifest.json)" -gt 100 ]
    run -0 "$PYTHON" "$cases" alone busy idle-out
    [ "${lines[-1]}" = "72 results as expected, 0 not" ]
    # Without the floor they do not: the test can fail.
    "$TK" export opendc idle -o bare --idle-floor 0
    run -1 "$PYTHON" "$cases" alone bare
}
