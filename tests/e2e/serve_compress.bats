#!/usr/bin/env bats
# tracekit serve --compress: spans as OTLP by curl, as .tkz in the run, and every query answered from
# there: at once, after a restart, after kill -9.

bats_require_minimum_version 1.5.0

setup() {
    load serve_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID NOTIFY_SOCKET
    shop=$TK_TEST_DATA/spans/shop.json
    A=4bf92f3577b34da6a3ce929d0e0e4736
}

teardown() {
    serve_clean
}

ask() {
    curl -sS "http://$QUERY$1"
}

# until_sealed FILE: wait until it is there.
until_sealed() {
    wait_until test -e "$1" || { ls -l "${1%/*}"; return 1; }
}

# questions: what Jaeger's UI asks, each answer a line. One trace has a span twice, of which a
# compressed segment keeps the first.
questions() {
    ask /api/services | jq -c .data
    ask /api/services/web/operations | jq -c '.data | sort'
    ask '/api/traces?service=cart&start=1700000000000000&limit=20&lookback=1h' | jq -c '[.data[] | [.traceID, (.spans | length)]]'
    ask "/api/traces/$A" | jq -cS '.data[0].spans | sort_by(.spanID)'
    ask "/api/dependencies?endTs=1700000300000&lookback=3600000" | jq -c '[.data[] | [.parent, .child, .callCount]]'
    ask "/api/search?q=%7B%20resource.service.name%20%3D%20%22web%22%20%26%26%20duration%20%3E%2060ms%20%7D" | jq -c '[.traces[].traceID]'
    "$TK" spans run --json | grep -v '"trace_id":"d00d' | sort
}

@test "answers are the same from the log, from a compressed segment, and after a restart" {
    serve_start --compress --segment-age 1h run
    post application/json "$shop" | tail -1 | grep -qx 200
    questions >before
    [ "$(wc -l <before)" -ge 15 ]
    serve_stop
    ls run/spans | grep -qx part-000001.tkz
    run -0 ls run/spans
    [[ $output != *parquet* ]]
    serve_start --compress run
    questions >after
    diff before after
    serve_stop
    serve_start run # a server that does not compress reads them, too
    questions >after
    diff before after
}

@test "a segment is written when it is old enough, or has its traces" {
    serve_start --compress --segment-age 200ms run
    post application/json "$shop" | tail -1 | grep -qx 200
    until_sealed run/spans/part-000001.tkz
    [ "$(ask "/api/traces/$A" | jq '.data[0].spans | length')" -eq 10 ]
    serve_stop
    serve_start --compress --segment-age 1h --workers 1 other
    otlp_json 10000 >many.json
    post application/json many.json | tail -1 | grep -qx 200
    until_sealed other/spans/part-000001.tkz
    [ "$("$TK" tkz info --json other/spans/*.tkz | jq .traces)" -eq 10000 ]
    [ "$(ask "/api/traces/00000000000000000000000000002710" | jq '.data[0].spans | length')" -eq 1 ]
}

@test "nothing that was acknowledged is lost by kill -9, and the next server compresses it" {
    serve_start --compress --segment-age 1h run
    post application/json "$shop" | tail -1 | grep -qx 200
    questions >before
    kill -KILL "$SERVER"
    wait "$SERVER" || true
    run -0 ls run/spans
    [[ $output != *.tkz* ]]
    serve_start --compress --segment-age 1h run
    ls run/spans/*.tkz
    questions >after
    diff before after
}

@test "compressed and other segments stand side by side" {
    serve_start --segment-age 1h run
    post application/json "$shop" | tail -1 | grep -qx 200
    serve_stop
    serve_start --compress --segment-age 1h run
    otlp_json 50 >more.json
    post application/json more.json | tail -1 | grep -qx 200
    serve_stop
    ls run/spans/*.parquet run/spans/*.tkz
    [ "$("$TK" spans run --json | wc -l)" -eq 69 ]
    [ "$("$TK" spans run --by-trace --json --service shop | wc -l)" -eq 50 ]
}

@test "a damaged segment is named, and the others are still read" {
    serve_start --compress --segment-age 1h run
    post application/json "$shop" | tail -1 | grep -qx 200
    serve_stop
    cp run/spans/part-000001.tkz whole
    printf 'X' | dd of=run/spans/part-000001.tkz bs=1 seek=200 conv=notrunc status=none
    run -1 "$TK" spans run
    [[ $output == *part-000001.tkz* ]]
    serve_start --compress run
    otlp_json 3 >more.json
    post application/json more.json | tail -1 | grep -qx 200
    [ "$(ask /api/services | jq -c .data)" = '["shop"]' ]
}

@test "with a quality times are near, and traces are found by the ids that they have then" {
    serve_start --quality 5% --segment-age 1h run
    post application/json "$shop" | tail -1 | grep -qx 200
    serve_stop
    serve_start run
    [ "$(ask /api/services | jq -c .data)" = '["cart","db","mail","web"]' ]
    id=$(ask '/api/traces?service=web&start=1700000000000000&limit=20&lookback=1h' |
        jq -r '.data | max_by(.spans | length).traceID')
    [ "$id" != $A ]
    [ "$(ask "/api/traces/$id" | jq '.data[0].spans | length')" -eq 10 ]
}
