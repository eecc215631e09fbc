#!/usr/bin/env bats
# tracekit spans on tests/data/spans/shop.json. What its tables look like is held in
# tests/data/spans/golden; TK_GOLDEN=write writes it anew for review.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    "$TK" import --keep-duplicates -o shop "$TK_TEST_DATA/spans/shop.json" >import.log 2>&1 || { cat import.log; return 1; }
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
    unset NO_COLOR COLUMNS LC_ALL LC_CTYPE
    export LANG=C.UTF-8 TERM=xterm
}

# golden NAME ARG...: what `spans ARG... shop` prints is golden/NAME, in 80 columns.
golden() {
    name=$1
    shift
    "$TK" spans "$@" shop >"$BATS_TEST_TMPDIR/out"
    if [ "${TK_GOLDEN:-}" = write ]; then cp "$BATS_TEST_TMPDIR/out" "$TK_TEST_DATA/spans/golden/$name"; fi
    diff -u "$TK_TEST_DATA/spans/golden/$name" "$BATS_TEST_TMPDIR/out"
    [ "$(wc -L <"$BATS_TEST_TMPDIR/out")" -le 80 ]
}

# names ARG...: the names of the spans that are found, in order.
names() {
    "$TK" spans shop --json "$@" | jq -r .name | paste -sd,
}

@test "spans are listed, the latest first" {
    golden list --limit 5
}

@test "traces are listed with their root, errors and services" {
    golden traces --by-trace
}

@test "operations are listed with percentiles, the most self time first" {
    golden operations --operations
}

@test "the longest come first when they are asked for" {
    [ "$(names --sort duration --limit 3)" = "send,GET /cart,GetCart" ]
    run -0 "$TK" spans shop --by-trace --sort duration --limit 2 --json
    [ "$(jq -r .root_name <<<"$output" | paste -sd,)" = "GET /cart,send" ]
}

@test "where nothing fits, the table says so, and JSON is empty" {
    for list in "" --by-trace --operations "--by-trace --sort duration"; do
        # shellcheck disable=SC2086
        run -0 --separate-stderr "$TK" spans shop $list --service nobody
        [ "$output" = "no span fits (19 looked at)" ]
        # shellcheck disable=SC2086
        run -0 --separate-stderr "$TK" spans shop $list --service nobody --json
        [ -z "$output$stderr" ]
    done
}

@test "every filter narrows" {
    [ "$(names --service mail)" = send ]
    [ "$(names --operation 'GET /')" = "GET /" ]
    [ "$(names --min-duration 101ms --sort start)" = "send,GET /cart" ]
    [ "$(names --max-duration 1ms)" = "$(names --service cart --attr $'k\n1')" ]
    [ "$(names --status error)" = price ]
    [ "$(names --status ok,error --sort start)" = "GET /,price" ]
    [ "$(names --kind producer)" = "" ]
    [ "$(names --kind consumer)" = send ]
    [ "$(names --attr db.system=postgresql | tr ',' '\n' | wc -l)" -eq 6 ]
    [ "$(names --attr 'http.response.status_code>=500')" = "GET /cart" ]
    [ "$(names --attr 'http.response.status_code!=500')" = "GET /" ]
    [ "$(names --attr host.name=node-d)" = send ]
    [ "$(names --attr row --attr 'row<1')" = "select items" ]
    [ "$(names --since 2023-11-14T22:17:00Z)" = "$(names --attr $'k\n1')" ]
    [ "$(names --until 2023-11-14T22:13:20.001Z)" = "GET /cart" ]
    [ "$(names --roots --service web --until 2023-11-14T22:15:00Z --sort start)" = "GET /,GET /cart" ]
    [ "$(names --service nobody)" = "" ]
}

@test "self time counts children that are not asked for" {
    run -0 "$TK" spans shop --operations --service cart --operation GetCart --json
    [ "$(jq -c '[.span_count, .self_ns]' <<<"$output")" = "[1,22000000]" ]
}

@test "all spans come as JSON, and each has the keys of the export" {
    [ "$("$TK" spans shop --json | jq -s length)" -eq 19 ]
    [ "$("$TK" spans shop --json --limit 0 --sort start | jq -s 'map(.name) | sort')" = "$("$TK" spans shop --json | jq -s 'map(.name) | sort')" ]
}

@test "text from outside is not obeyed" {
    run -0 "$TK" spans shop --limit 1
    [[ $output != *$'\033'* ]]
    [[ $output == *"evil ?[31mred"* ]]
}

@test "what cannot be is a usage error" {
    run -2 "$TK" spans shop --status eror
    [[ $output == *"option '--status': 'eror' is no status: did you mean 'error'?"* ]]
    run -2 "$TK" spans shop --since yesterday
    [[ $output == *"option '--since': 'yesterday' is no time: expected 2026-11-21T09:00:00Z, or 10m for ten minutes ago"* ]]
    run -2 "$TK" spans shop --attr 'a>b'
    [[ $output == *"'a>b': 'b' is not a number"* ]]
    run -2 "$TK" spans shop --by-trace --operations
    run -2 "$TK" spans shop --min-duration 2s --max-duration 1s
    [[ $output == *"--max-duration is less than --min-duration"* ]]
}

@test "a run without spans is told" {
    mkdir -p empty
    run -1 "$TK" spans empty
    [[ $output == "tracekit spans: empty has no spans: 'tracekit serve' receives them, 'tracekit import' reads them" ]]
}

@test "compressed traces are no run: the line says what makes one, and that works" {
    "$TK" compress shop -o shop.tkz
    line="shop.tkz: is a file of compressed traces, no run; 'tracekit expand shop.tkz --format parquet -o RUN' makes one of it"
    run -1 "$TK" join shop.tkz
    [ "$output" = "tracekit join: $line" ]
    run -1 "$TK" export otlp shop.tkz -o out
    [ "$output" = "tracekit export: $line" ]
    "$TK" expand shop.tkz --format parquet -o RUN
    [ "$("$TK" spans RUN --limit 0 --json | wc -l)" -eq "$("$TK" tkz info --json shop.tkz | jq .spans)" ]
}

@test "a file of compressed traces is listed, filtered and drawn as the run is" {
    "$TK" import -o once "$TK_TEST_DATA/spans/shop.json"
    for blocks in 10000 1; do
        "$TK" compress once --lossless --block-traces $blocks -o whole.tkz
        for options in "" --by-trace --operations "--service cart" "--status error" "--min-duration 20ms"; do
            # shellcheck disable=SC2086  # several options
            diff <("$TK" spans once --limit 0 --json $options | sort) <("$TK" spans whole.tkz --limit 0 --json $options | sort)
        done
        diff <("$TK" trace slowest once --json) <("$TK" trace slowest whole.tkz --json)
    done
    "$TK" compress shop -o near.tkz
    id=$("$TK" spans near.tkz --by-trace --json --limit 1 | jq -r .trace_id)
    [ "$("$TK" trace "$id" near.tkz --json | jq -r .trace_id)" = "$id" ]
    head -c 300 whole.tkz >cut.tkz
    run -1 "$TK" spans cut.tkz
    [ "$output" = "tracekit spans: cut.tkz: is damaged or cut off: see tracekit tkz info" ]
    "$TK" compress "$TK_TEST_DATA/spans/shop.json" --traces 0:0 -o none.tkz
    run -0 "$TK" spans none.tkz --json
    [ -z "$output" ]
}

@test "real traces: the sums are right" {
    data=$TK_SHARED_DATA/traces/hipstershop-oteltraces.zst
    [ -e "$data" ] || skip "there is no $data"
    "$TK" import -o hip "$data" 2>/dev/null
    [ "$("$TK" spans hip --json | wc -l)" -eq 86583 ]
    [ "$("$TK" spans hip --by-trace --limit 0 --json | jq -s 'length, (map(.span_count) | add)' | paste -sd,)" = 9047,86583 ]
    [ "$("$TK" spans hip --operations --json | jq -s 'map(.span_count) | add')" -eq 86583 ]
}
