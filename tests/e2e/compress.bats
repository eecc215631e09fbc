#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit compress: what goes in, what contradicts itself, what stays when it fails.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    shop=$TK_TEST_DATA/spans/shop.json
}

@test "what contradicts itself is a usage error" {
    run -2 "$TK" compress "$shop"
    [[ $output == "tracekit compress: expected --output FILE"* ]]
    for options in "--lossless --generative" "--lossless --quality 5" "--generative --quality 5" \
        "--lossless --budget 20B/trace" "--lossless --keep 1" "--generative --keep 1" "--no-ids"; do
        # shellcheck disable=SC2086  # several options
        run -2 "$TK" compress "$shop" -o x.tkz $options
        [ "${#lines[@]}" -eq 1 ]
    done
    for budget in 0 x 5B 20B/hour 3MiB; do
        run -2 "$TK" compress "$shop" -o x.tkz --budget "$budget"
        [[ $output == "tracekit compress: option '--budget': '$budget' is no budget"* ]]
    done
    [ ! -e x.tkz ]
}

@test "an input that is not there, or is no spans, leaves the old file as it is" {
    echo old >x.tkz
    run -1 "$TK" compress absent.json -o x.tkz
    [ "${#lines[@]}" -eq 1 ]
    echo 'no spans at all' >bad.json
    run -1 "$TK" compress bad.json -o x.tkz
    [ "$(cat x.tkz)" = old ]
    [ "$(ls)" = "bad.json
x.tkz" ]
}

@test "a full disk leaves the old file as it is" {
    [ -e /dev/full ] || skip "no /dev/full"
    run -1 bash -c '"$TK" compress "$1" -o - >/dev/full' - "$shop"
    [[ $output == *"No space left on device"* ]]
    mkdir closed
    chmod 500 closed
    [ "$(id -u)" -eq 0 ] || run -1 "$TK" compress "$shop" -o closed/x.tkz
}

@test "the same spans give the same bytes, whatever the threads and the order of files" {
    "$TK" compress "$shop" --block-traces 2 --threads 1 -o one.tkz
    "$TK" compress "$shop" --block-traces 2 --threads 4 -o four.tkz
    cmp one.tkz four.tkz
    "$TK" compress "$shop" --block-traces 2 -o - >piped.tkz
    cmp one.tkz piped.tkz
    "$TK" compress --block-traces 2 -o piped.tkz - <"$shop"
    cmp one.tkz piped.tkz
}

@test "an input without spans gives a file without blocks" {
    echo '{"resourceSpans":[]}' >empty.json
    run -0 "$TK" compress empty.json -o empty.tkz
    [[ $output == "→ empty.tkz: 0 traces, 0 spans, "* ]]
    run -0 "$TK" expand empty.tkz -o empty.jsonl
    run -0 "$TK" tkz info --json empty.tkz
    [ "$(jq -r '.blocks, .closed' <<<"$output" | paste -sd' ')" = "0 true" ]
}

@test "a budget is never exceeded, and one that trees do not fit is refused" {
    for budget in 150 120 100 90; do
        "$TK" compress "$shop" --budget "${budget}B/trace" -o x.tkz 2>/dev/null || continue
        traces=$("$TK" tkz info --json x.tkz | jq .traces)
        [ "$(stat -c %s x.tkz)" -le $((budget * traces)) ]
    done
    run -1 "$TK" compress "$shop" --budget 1B/trace -o x.tkz
    [[ $output == *"and the budget leaves "* ]]
}

# A name, a value, a text, a service or an id of a single span must not come out of a file that is
# said to hold distributions alone; the same input, compressed as usual, shows that they went in.
@test "nothing that is one span's alone is in a generative file" {
    {
        echo trace_id,span_id,parent_id,service,name,start_ns,duration_ns,user,url
        for ((i = 1; i <= 60; i++)); do
            printf '%032x,%016x,,shop,GET /,%d,9000,anna,/cart\n' "$i" $((7000 + i)) $((i * 1000000))
            printf '%032x,%016x,%016x,pay,charge,%d,4000,anna,/pay/%d\n' "$i" $((8000 + i)) $((7000 + i)) $((i * 1000000 + 1000)) "$i"
        done
        echo fedcba9876543210fedcba9876543210,abcdef0123456789,,vault-s3cret,GET /user/s3cret,61000000,9000,s3cret,/s3cret
    } >spans.csv
    "$TK" compress --format csv --generative spans.csv -o gen.tkz
    "$TK" compress --format csv --lossless spans.csv -o all.tkz
    for file in gen all; do
        "$TK" expand "$file.tkz" -o "$file.json" --format otlp
    done
    grep -q s3cret all.json
    grep -qi fedcba9876543210fedcba9876543210 all.json
    [ "$(grep -cie s3cret -e fedcba9876543210 -e abcdef0123456789 gen.json)" -eq 0 ]
    grep -q charge gen.json
}
