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
    [[ $output == "tracekit truncate: expected --quality, --budget or --generative"* ]]
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

@test "any file becomes distributions, as compress --generative makes them" {
    "$TK" compress "$TK_TEST_DATA/spans/shop.json" --lossless -o exact.tkz
    "$TK" compress "$TK_TEST_DATA/spans/shop.json" --generative -o learned.tkz
    run -2 "$TK" truncate exact.tkz --generative --quality 5 -o y.tkz
    [[ $output == "tracekit truncate: --generative leaves no times to have a --quality: choose one"* ]]
    run -0 "$TK" truncate exact.tkz --generative -o y.tkz
    "$TK" expand y.tkz --format csv -o y.csv
    "$TK" expand learned.tkz --format csv -o learned.csv
    cmp y.csv learned.csv
    # Once more is the same; a block that is too young is left as it is.
    "$TK" truncate y.tkz --generative -o z.tkz
    cmp y.tkz z.tkz
    "$TK" truncate exact.tkz --generative --older-than 900000h -o young.tkz
    cmp exact.tkz young.tkz
}

@test "a damaged block does not become distributions" {
    "$TK" compress "$TK_TEST_DATA/spans/shop.json" --lossless -o x.tkz
    head -c "$(($(stat -c %s x.tkz) - 60))" x.tkz >cut.tkz
    run -1 "$TK" truncate cut.tkz --generative -o y.tkz
    [[ $output == *"block 0 is damaged, and cannot become distributions: "* ]]
    [ ! -e y.tkz ]
}
