#!/usr/bin/env bats
# tracekit model: the verbs and options of Gen-T.

bats_require_minimum_version 1.5.0

setup() {
    load wait_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    shop=$TK_TEST_DATA/spans/shop.json
    all=$(jq -r '[.. | objects | .traceId? // empty] | unique | length' "$shop")
}

# traces FILE: how many a model has.
traces() {
    "$TK" model info --json "$1" | jq .traces
}

@test "what is trained is generated where Gen-T has it, as lines that it reads" {
    run -0 "$TK" model train --traces-dir "$shop" --out shop.tkz --quality 5%
    [ "$(traces shop.tkz)" -eq "$all" ]
    run -0 "$TK" model generate shop.tkz --out results
    [ "$(sed 's/,$//' results/normalized_data/generated.json | jq -r .traceStatus | sort | uniq -c | xargs)" = "$all manual-traced" ]
    [ "$(sed 's/,$//' results/normalized_data/generated.json | jq -r '.details.transactionId | length' | sort -u)" -eq 32 ]
    run -0 "$TK" model info --size shop.tkz
    [ "$output" -eq "$(stat -c %s shop.tkz)" ]
}

@test "generating needs the file alone, and gives the same each time" {
    mkdir empty
    "$TK" model train-generate --traces-dir "$shop" --out one
    cp one/model.tkz empty/
    (cd empty && "$TK" model generate model.tkz --out two)
    cmp one/normalized_data/generated.json empty/two/normalized_data/generated.json
    (cd empty && "$TK" model generate model.tkz --out three --seed 9)
    run ! cmp -s one/normalized_data/generated.json empty/three/normalized_data/generated.json
    (cd empty && "$TK" model generate model.tkz --out sql --format sql)
    grep -q 'CREATE TABLE' empty/sql/normalized_data/generated.sql
}

@test "a slice is taken by start, and a file can be appended to" {
    run -0 --separate-stderr "$TK" model train --traces-dir "$shop" --out part.tkz --tx-start 1 --tx-end 3
    [ "$(traces part.tkz)" -eq 2 ]
    run -0 "$TK" model train --traces-dir "$shop" --out part.tkz --tx-end 1 --append
    [ "$(traces part.tkz)" -eq 3 ]
    [ ! -e part.tkz.part ]
    run -0 --separate-stderr "$TK" model train --traces-dir "$shop" --out all.tkz --tx-end 1000
    [[ $stderr == *"there are $all traces, not 1000"* ]]
    [ "$(traces all.tkz)" -eq "$all" ]
}

@test "of several that append at once each has its traces in the file" {
    pids=()
    for i in {1..6}; do
        "$TK" model train --traces-dir "$shop" --out many.tkz --tx-end 1 --append >"log.$i" 2>&1 3>&- &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid"
    done
    [ "$(traces many.tkz)" -eq 6 ]
    [ "$(echo many.tkz*)" = many.tkz ]
}

@test "who appends waits for another who does, and says so" {
    exec 9>one.tkz.lock
    flock 9
    "$TK" model train --traces-dir "$shop" --out one.tkz --tx-end 1 --append >log 2>&1 3>&- 9>&- &
    pid=$!
    wait_until grep -q '^tracekit model train: one.tkz: somebody else appends to it: waiting$' log
    [ ! -e one.tkz ]
    exec 9>&-
    wait "$pid"
    [ "$(traces one.tkz)" -eq 1 ]
    [ ! -e one.tkz.lock ]
}

@test "a file of options is read, and the command line wins" {
    printf '# as Gen-T has them\nchain_length=2\ntx_end = 2\nis_test=False\niterations=100\n' >config
    run -0 --separate-stderr "$TK" model train --traces-dir "$shop" --out a.tkz --config config
    [ "$(traces a.tkz)" -eq 2 ]
    [[ $stderr == *"is-test have no effect"* ]]
    [[ $stderr == *"more than 2 iterations change nothing"* ]]
    "$TK" model train --traces-dir "$shop" --out a.tkz --config config --tx-end 1 2>/dev/null
    [ "$(traces a.tkz)" -eq 1 ]
    echo nonsense >bad
    run -1 "$TK" model train --traces-dir "$shop" --out a.tkz --config bad
    [[ $output == *"bad: 'nonsense' is no option such as chain_length=2"* ]]
}

@test "models are verified, truncated and merged" {
    "$TK" model train --traces-dir "$shop" --out all.tkz --lossless
    run -0 "$TK" model verify all.tkz --against "$shop"
    "$TK" model truncate all.tkz --out small.tkz --quality 57%
    [ "$(stat -c %s small.tkz)" -lt "$(stat -c %s all.tkz)" ]
    "$TK" model merge all.tkz small.tkz --out both.tkz
    [ "$(traces both.tkz)" -eq $((2 * all)) ]
}

@test "what a model was not trained to be is refused when it is generated" {
    "$TK" model train --traces-dir "$shop" --out near.tkz --quality 5%
    "$TK" model train --traces-dir "$shop" --out tables.tkz --generative
    for same in "near.tkz --quality 5% --chain-length 3" "near.tkz --quality 57" "tables.tkz --generative"; do
        # shellcheck disable=SC2086  # several options
        run -0 "$TK" model generate $same --out results
    done
    for other in "near.tkz --lossless" "near.tkz --generative" "near.tkz --quality 1%" \
        "tables.tkz --quality 57%" "tables.tkz --lossless" "near.tkz --quality x"; do
        # shellcheck disable=SC2086
        run -1 "$TK" model generate $other --out none
        [ "${#lines[@]}" -eq 1 ]
        [[ $output == "tracekit model generate: "*"--"* ]]
    done
    [ ! -e none ]
}

@test "a budget is of traces or of spans, under either name" {
    "$TK" model train --traces-dir "$shop" --out by-trace.tkz --bytes-per-trace 120
    "$TK" model train --traces-dir "$shop" --out same.tkz --budget 120B/trace
    cmp by-trace.tkz same.tkz
    "$TK" model train --traces-dir "$shop" --out by-span.tkz --bytes-per-span 40
    "$TK" model train --traces-dir "$shop" --out same.tkz --budget 40B/span
    cmp by-span.tkz same.tkz
    [ "$(stat -c %s by-span.tkz)" -le $((40 * 18)) ]
    run -2 "$TK" model train --traces-dir "$shop" --out no.tkz --bytes-per-span 40 --bytes-per-trace 120
    [[ $output == *"choose one"* ]]
    [ ! -e no.tkz ]
}

# period HOUR TRACES WHAT [SERVICE]: as many traces of two spans in that hour. WHAT is awk that may
# change "e" (1 = the entry has an error) and "n" (how often the trace comes, 100 ms apart).
period() {
    local hour=$1 traces=$2 what=$3 below=${4:-stock}
    awk -v hour="$hour" -v traces="$traces" -v below="$below" '
    function put(id, start, e) {
        printf "{\"trace_id\":\"%032x\",\"span_id\":\"%016x\",\"name\":\"GET /\",\"service\":\"shop\",\"start_time_unix_nano\":%s000000,\"end_time_unix_nano\":%s000000,\"status\":\"%s\"}\n", id, id, start, start + 40, e ? "ERROR" : "OK"
        printf "{\"trace_id\":\"%032x\",\"span_id\":\"%016x\",\"parent_span_id\":\"%016x\",\"name\":\"call\",\"service\":\"%s\",\"start_time_unix_nano\":%s000000,\"end_time_unix_nano\":%s000000,\"status\":\"OK\"}\n", id, id + 500000, id, below, start + 5, start + 15
    }
    BEGIN {
        OFMT = CONVFMT = "%.0f"
        for (i = 0; i < traces; i++) {
            start = 1599998400000 + hour * 3600000 + i * 500
            e = i % 4 < 2
            n = 1
            '"$what"'
            for (k = 0; k < n; k++)
                put(1 + hour * 20000 + i * 2 + k, start + k * 100, e)
        }
    }'
}

# Gen-T's experiment of rolling: what a period adds is in the model, what was there before stays.
@test "rolling: each of four periods comes out as it went in" {
    period 0 5000 '' >base.jsonl
    period 1 5000 'e = e || i % 2 == 1' >errors.jsonl
    period 2 5000 'n = 2' late >twice.jsonl
    period 3 5000 'e = e && i % 2 == 0' >healed.jsonl
    for name in base errors twice healed; do
        "$TK" model train --traces-dir $name.jsonl --out all.tkz --append >/dev/null
    done
    [ "$(traces all.tkz)" -eq 25000 ]
    "$TK" model generate all.tkz --format jsonl --out results
    for name in base errors twice healed; do
        jq -r '[(.start_time_unix_nano / 3600e9 | floor), .service, .status] | join(" ")' $name.jsonl
    done | sort | uniq -c >expected
    jq -r '[(.start_time_unix_nano / 3600e9 | floor), .resource["service.name"],
        (if .status.code == 2 then "ERROR" else "OK" end)] | join(" ")' results/normalized_data/generated.jsonl | sort | uniq -c >got
    diff expected got
    [ "$(grep -c ERROR expected)" -eq 4 ]
    [ "$(grep -c late expected)" -eq 1 ]
}

@test "mistakes are told under the name of the verb" {
    run -2 "$TK" model train --out a.tkz
    [[ $output == *"model train: option '--traces-dir' is missing"* ]]
    run -2 "$TK" model train --traces-dir "$shop" --out a.tkz --chain-length 1
    [[ $output == *"chain-length"* ]]
    run -2 "$TK" model learn
    [[ $output == *"learn"* ]]
    run -1 "$TK" model generate nowhere.tkz --out results
    [[ $output == *"nowhere.tkz"* ]]
}
