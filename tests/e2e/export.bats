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
