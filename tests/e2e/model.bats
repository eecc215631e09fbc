#!/usr/bin/env bats
# tracekit model: the verbs and options of Gen-T.

bats_require_minimum_version 1.5.0

setup() {
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
