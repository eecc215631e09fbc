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
        "--lossless --exact errors" "--generative --exact errors" "--budget 20B/trace --exact errors" \
        "--lossless --attribute k=none" "--attributes gent --attribute k=none" \
        "--lossless --budget 20B/trace" "--lossless --keep 1" "--generative --keep 1" "--no-ids"; do
        # shellcheck disable=SC2086  # several options
        run -2 "$TK" compress "$shop" -o x.tkz $options
        [ "${#lines[@]}" -eq 1 ]
    done
    for budget in 0 x 5B 20B/hour 3MiB; do
        run -2 "$TK" compress "$shop" -o x.tkz --budget "$budget"
        [[ $output == "tracekit compress: option '--budget': '$budget' is no budget"* ]]
    done
    for rule in error errors=1 slower slower=x slowest=0 slowest=101 has= trace=xyz trace=; do
        run -2 "$TK" compress "$shop" -o x.tkz --exact "$rule"
        [[ $output == "tracekit compress: option '--exact': '$rule' is no rule: expected errors, "* ]]
    done
    for key in http.url =exact http.url=most; do
        run -2 "$TK" compress "$shop" -o x.tkz --attribute "$key"
        [[ $output == "tracekit compress: option '--attribute': '$key' is not KEY=exact"* ]]
    done
    [ ! -e x.tkz ]
}

# So many traces of one span each, as lines: every tenth fails and takes 2 s, each has a user.
make_users() {
    for ((i = 1; i <= $1; i++)); do
        odd=$((i % 10 == 0))
        start=$((1000000000000000000 + i * 1000000000))
        end=$((start + (odd ? 2000000000 : 1000000)))
        printf '{"trace_id":"%032x","span_id":"%016x","name":"get","service":"shop",' $i $i
        printf '"start_time_unix_nano":%d,"end_time_unix_nano":%d,' $start $end
        printf '"status":"%s",' "$( ((odd)) && echo ERROR || echo OK)"
        printf '"attributes":{"user":"user-%06d","note":"%s"}}\n' $((i * 7)) \
            "$( ((odd)) && echo 'a secret' || echo hush)"
    done >users.jsonl
}

@test "traces of a rule are kept whole, and no others" {
    make_users 100
    while read -r rule count; do
        "$TK" compress users.jsonl -o x.tkz --exact "$rule"
        [ "$("$TK" tkz info --json x.tkz | jq .kept_traces)" = "$count" ]
        run -0 "$TK" tkz info x.tkz
        [[ $count = 0 || $output == *"$count traces are kept whole"* ]]
    done <<'END'
errors 10
slower=1500ms 10
slower=2s 0
slowest=7% 10
has=user 100
has=user:user-000007 1
has=service.name:shop 100
has=nothing 0
trace=1f 1
END
    "$TK" compress users.jsonl -o x.tkz --exact trace=1f --exact errors
    "$TK" expand x.tkz --format jsonl -o x.jsonl
    [ "$(wc -l <x.jsonl)" -eq 100 ]
    grep -q '0000001f' x.jsonl
    [ "$(jq -r 'select(.trace_id | endswith("00000000001f")) | .end_time_unix_nano' x.jsonl)" = 1000000031001000000 ]
}

@test "what becomes of a key is for the user to say, in kept traces as well" {
    make_users 100
    "$TK" compress users.jsonl -o x.tkz --keep 100 --attribute user=drawn --attribute note=none
    "$TK" expand x.tkz --format jsonl -o x.jsonl
    [ "$(jq -r .attributes.user x.jsonl | grep -c '^us[0-9a-f]r-[0-9]*$')" -eq 100 ]
    [ "$(grep -o 'user-000...' users.jsonl | sort | comm -12 - <(jq -r .attributes.user x.jsonl | sort) | wc -l)" -lt 5 ]
    run ! grep secret x.jsonl x.tkz
    "$TK" compress users.jsonl -o x.tkz --attribute user=exact
    "$TK" expand x.tkz --format jsonl -o x.jsonl
    diff <(jq -r .attributes.user users.jsonl | sort) <(jq -r .attributes.user x.jsonl | sort)
    [ "$("$TK" tkz info --keys --json x.tkz | jq -r '.keys[] | select(.key == "user") | .exact')" = true ]
    run -1 "$TK" compress users.jsonl -o y.tkz --attribute note=drawn
    [[ $output == *"attribute 'note' cannot be made up"* ]]
    [ ! -e y.tkz ]
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

@test "an encoder that is killed leaves the old file, and blocks that can be read" {
    awk 'function hex() { return sprintf("%04x%04x", rand() * 65536, rand() * 65536) }
        BEGIN {
            srand(1)
            for (i = 0; i < 30000; i++)
                printf "{\"trace_id\":\"%s%s%s%s\",\"span_id\":\"%s%s\",\"name\":\"get\",\"service\":\"shop\",\"start_time_unix_nano\":%d000000000,\"end_time_unix_nano\":%d000001000}\n",
                    hex(), hex(), hex(), hex(), hex(), hex(), 1000000000 + i, 1000000000 + i
        }' >random.jsonl
    echo old >x.tkz
    # SIGXFSZ, at the first byte behind 300 KiB.
    run bash -c 'ulimit -c 0; ulimit -f 300; exec "$TK" compress random.jsonl --lossless --block-traces 2000 -o x.tkz'
    [ "$status" -eq 153 ]
    [ "$(cat x.tkz)" = old ]
    part=$(ls .x.tkz.*)
    [ "$("$TK" tkz info --json "$part" | jq -c '[.closed, .blocks > 3]')" = '[false,true]' ]
    "$TK" expand --partial "$part" --format jsonl -o part.jsonl
    [ "$(wc -l <part.jsonl)" -gt 6000 ]
    # Ids are made up in the block that was cut off alone.
    [ "$(jq -r .trace_id part.jsonl | sort | comm -23 - <(jq -r .trace_id random.jsonl | sort) | wc -l)" -le 2000 ]
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
