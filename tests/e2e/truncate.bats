#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit truncate: fewer bytes.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

@test "what is contradictory or missing is a usage error" {
    run -2 "$TK" truncate x.tkz --quality 5
    [[ $output == "tracekit truncate: expected --output FILE"* ]]
    run -2 "$TK" truncate x.tkz -o y.tkz
    [[ $output == "tracekit truncate: expected --quality or --budget"* ]]
    for budget in 0 -3 x 5X 5B/hour B; do
        run -2 "$TK" truncate x.tkz -o y.tkz --budget "$budget"
        [[ $output == "tracekit truncate: option '--budget': '$budget' is no budget"* ]]
    done
}

@test "what is no file of traces is refused, and nothing is written" {
    echo text >x.tkz
    run -1 "$TK" truncate x.tkz --quality 5 -o y.tkz
    [ "$output" = "tracekit truncate: x.tkz: is no file of compressed traces (.tkz)" ]
    run -1 "$TK" truncate absent.tkz --quality 5 -o y.tkz
    [ ! -e y.tkz ]
}

@test "distributions are not cut out of a file: the line says what learns them, and that works" {
    "$TK" compress "$TK_TEST_DATA/spans/shop.json" -o x.tkz
    run -2 "$TK" truncate x.tkz --generative -o y.tkz
    [[ $output == *"'tracekit compress x.tkz --generative -o OUT.tkz' learns them from it"* ]]
    [ ! -e y.tkz ]
    run -0 "$TK" compress x.tkz --generative -o OUT.tkz
    [ -s OUT.tkz ]
}
