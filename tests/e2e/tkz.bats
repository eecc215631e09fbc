#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Files of compressed traces from the first span to the last: compress, expand, truncate, merge, tkz.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

@test "a file that holds nothing of ours is refused with one line" {
    printf 'tkzB, and nothing of it' >x.tkz
    run -1 "$TK" tkz info x.tkz
    [ "$output" = "tracekit tkz: x.tkz: holds no block of traces that is whole" ]
    run -2 "$TK" tkz inof x.tkz
    [[ $output == *"'inof' is none of info, verify"* ]]
}

@test "a file of compressed traces is an input like any other" {
    "$TK" compress "$TK_TEST_DATA/spans/shop.json" --lossless -o shop.tkz
    run -0 "$TK" fidelity "$TK_TEST_DATA/spans/shop.json" shop.tkz --format csv
    "$TK" compress shop.tkz --lossless -o again.tkz
    cmp shop.tkz again.tkz
    mkdir folder
    cp shop.tkz folder
    "$TK" compress folder --lossless -o again.tkz
    cmp shop.tkz again.tkz
}

@test "a lossless file is verified against its input, another one is not" {
    shop=$TK_TEST_DATA/spans/shop.json
    "$TK" compress "$shop" --lossless -o whole.tkz
    run -0 "$TK" tkz verify whole.tkz --against "$shop"
    [[ $output == *"whole.tkz: 18 spans, all equal in every field"* ]]
    "$TK" compress "$shop" -o near.tkz
    run -0 "$TK" tkz verify near.tkz
    run -1 "$TK" tkz verify near.tkz --against "$shop" --json
    [ "$(tail -n 1 <<<"$output" | jq .equal)" = false ]
}

@test "the sets of real traces come back, every span in every field" {
    traces=$TK_SHARED_DATA/traces
    [ -d "$traces" ] || skip "no shared data"
    for set in hipstershop-oteltraces astronomy-oteltraces; do
        "$TK" compress "$traces/$set.zst" --lossless -o x.tkz
        run -0 "$TK" tkz verify x.tkz --against "$traces/$set.zst"
        [[ $output == *"all equal in every field"* ]]
    done
}

@test "what is truncated is what an encoder with that ceiling writes" {
    traces=$TK_SHARED_DATA/traces
    [ -d "$traces" ] || skip "no shared data"
    "$TK" compress "$traces/astronomy-oteltraces.zst" --quality 0.3 --block-traces 4000 -o fine.tkz
    for quality in 57 23 5 1.2; do
        "$TK" compress "$traces/astronomy-oteltraces.zst" --quality $quality --block-traces 4000 -o direct.tkz
        "$TK" truncate fine.tkz --quality $quality -o cut.tkz
        cmp direct.tkz cut.tkz
    done
}

@test "a lossless file truncated by quality is what an encoder with that quality writes" {
    traces=$TK_SHARED_DATA/traces
    [ -d "$traces" ] || skip "no shared data"
    for set in hipstershop-oteltraces astronomy-oteltraces; do
        "$TK" compress "$traces/$set.zst" --lossless --block-traces 6000 -o whole.tkz
        "$TK" compress "$traces/$set.zst" --quality 5 --block-traces 6000 -o direct.tkz
        "$TK" truncate whole.tkz --quality 5 -o cut.tkz
        cmp direct.tkz cut.tkz
        # By way of a budget that ids do not fit, and that exact times do: without them spans that
        # begin at the same time may change places.
        "$TK" truncate whole.tkz --budget 70B/trace -o most.tkz
        "$TK" truncate most.tkz --quality 5 -o cut.tkz
        [ "$(stat -c %s cut.tkz)" -lt $(($(stat -c %s direct.tkz) * 101 / 100)) ]
    done
}

@test "a budget is kept, and used, on real traces" {
    traces=$TK_SHARED_DATA/traces
    [ -d "$traces" ] || skip "no shared data"
    for budget in 4 6 9 14 20 40; do
        "$TK" compress "$traces/astronomy-oteltraces.zst" --budget ${budget}B/trace --json -o x.tkz >receipt
        jq -e ".bytes_per_trace <= $budget and .bytes_per_trace > $budget * 0.8" receipt
        run -0 "$TK" expand x.tkz --format csv -o x.csv
    done
    "$TK" truncate x.tkz --budget 8B/trace -o y.tkz
    [ "$(stat -c %s y.tkz)" -le $((8 * 13211)) ]
}

@test "merged files hold the traces of all" {
    shop=$TK_TEST_DATA/spans/shop.json
    "$TK" compress "$shop" --lossless --block-traces 2 -o a.tkz
    "$TK" compress "$shop" --lossless -o b.tkz
    "$TK" merge a.tkz b.tkz -o ab.tkz
    "$TK" merge b.tkz a.tkz -o ba.tkz
    cmp ab.tkz ba.tkz
    cat a.tkz b.tkz >row.tkz
    [ "$("$TK" tkz info --json ab.tkz | jq .spans)" -eq 36 ]
    [ "$("$TK" tkz info --json row.tkz | jq .spans)" -eq 36 ]
    run -0 "$TK" tkz verify row.tkz
    echo text >c.tkz
    run -1 "$TK" merge a.tkz c.tkz -o d.tkz
    [ "$output" = "tracekit merge: c.tkz: is no file of compressed traces (.tkz)" ]
    [ ! -e d.tkz ]
}

@test "what a file says of itself is one JSON object, or its size" {
    "$TK" compress "$TK_TEST_DATA/spans/shop.json" -o x.tkz
    [ "$("$TK" tkz info --size x.tkz)" -eq "$(stat -c %s x.tkz)" ]
    "$TK" tkz info --json x.tkz >info
    jq -e '.bytes == ([.section_bytes[]] | add) + .head_bytes and .spans == 18 and .error_percent == 5' info
    run -0 "$TK" tkz info x.tkz
    [[ ${lines[0]} == "x.tkz: 5 traces, 18 spans in 1 block, "* ]]
}

@test "a file says what is in it, what is made up, and how it was made" {
    shop=$TK_TEST_DATA/spans/shop.json
    # OPTIONS, then a line of info, then what JSON says.
    while IFS='|' read -r options line filter; do
        # shellcheck disable=SC2086  # several options
        "$TK" compress "$shop" $options -o x.tkz
        "$TK" tkz info x.tkz >info
        grep -qF "$line" info
        "$TK" tkz info --json x.tkz | jq -e "$filter"
    done <<'END'
--seed 7|seed 7, clock of 1 ms|.seed == 7 and .tick_ns == 1000000 and .min_count == 0
--quality 5|attributes: all keys (how exact: --keys); ids are made up; no events|.no_attribute_blocks == 0
--attributes gent|attributes: Gen-T's five of a span; ids are made up|.gent_attribute_blocks == 1
--attributes none|attributes: none; ids are made up|.no_attribute_blocks == 1
--lossless|times exact; nothing is lost|.no_id_blocks == 0 and .lossless_blocks == 1
--lossless --no-ids|nothing is lost but ids, which are made up|.no_id_blocks == 1
--generative --min-count 3|nothing that fewer than 3 spans share|.min_count == 3
--keep 50|traces are kept whole besides|.kept_per_mille == 500
END
    "$TK" compress "$shop" --lossless -o x.tkz
    run -0 "$TK" tkz info x.tkz
    [[ $output != *"made up"* ]]
}

@test "what keys of attributes cost, and which of them are exact" {
    traces=$TK_SHARED_DATA/traces
    [ -d "$traces" ] || skip "no shared data"
    "$TK" compress "$traces/astronomy-oteltraces.zst" -o x.tkz
    "$TK" tkz info --keys --json x.tkz >keys
    jq -e '.keys | map({(.key): .}) | add |
        ."guid:x-request-id".class == "drawn id" and ."guid:x-request-id".exact == false and
        ."rpc.method".exact and ."rpc.method".spans == 13090 and ."http.url".class == "tokens"' keys
    jq -e '([.keys[].bytes] | add) < .section_bytes.templates + .section_bytes.attributes' keys
    "$TK" compress "$traces/astronomy-oteltraces.zst" --lossless -o x.tkz
    "$TK" tkz info --keys --json x.tkz | jq -e 'all(.keys[]; .exact)'
    run -0 "$TK" tkz info --keys x.tkz
    [[ $output == *"guid:x-request-id"*" id "*" yes "* ]]
}

@test "info --shapes tells how many different traces there are, over all blocks" {
    "$TK" compress "$TK_TEST_DATA/spans/shop.json" --block-traces 2 -o x.tkz
    [ "$("$TK" tkz info --json x.tkz | jq .blocks)" -eq 3 ]
    "$TK" compress "$TK_TEST_DATA/spans/shop.json" -o y.tkz
    [ "$("$TK" tkz info --shapes --json x.tkz | jq -c 'del(.file)')" = "$("$TK" tkz info --shapes --json y.tkz | jq -c 'del(.file)')" ]
    run -0 "$TK" tkz info --shapes x.tkz
    [[ $output == "x.tkz: "*" different traces of 5, "* ]]
}

@test "the file of no spans is, byte for byte, that of the format page" {
    echo '{"resourceSpans":[]}' >empty.json
    "$TK" compress empty.json -o empty.tkz
    page=$BATS_TEST_DIRNAME/../../docs/format-tkz.md
    expected=$(sed -n '/^The file of no spans/,/^$/d; /^746b 7a45/,/^```/p' "$page" | sed -n '1,3s/   .*//p' | tr -d ' \n')
    [ -n "$expected" ]
    [ "$(od -An -v -tx1 empty.tkz | tr -d ' \n')" = "$expected" ]
}

# Whatever compiled it, and whenever: what was written once is read alike for ever.
@test "files of an earlier build come out as they did then" {
    files=$TK_TEST_DATA/tkz
    while read -r sum mode; do
        "$TK" expand "$files/$mode.tkz" -o "$mode.jsonl"
        echo "$sum  $mode.jsonl" | sha256sum --check --quiet
    done <"$files/expanded.sha256"
    [ "$(ls ./*.jsonl)" = "$(printf "./%s.jsonl\n" generative lossless quality)" ]
}

@test "the lossless file of an earlier build holds the traces that went into it" {
    python3 "$TK_TEST_DATA/tkz/make.py" --traces >traces.jsonl
    run -0 "$TK" tkz verify "$TK_TEST_DATA/tkz/lossless.tkz" --against traces.jsonl
    [[ $output == *": 1,033 spans, all equal in every field" ]]
}
