#!/usr/bin/env bats
# tracekit fetch-jaeger against tests/peers/jaeger_stub.py: a file for each service.

bats_require_minimum_version 1.5.0

setup() {
    load wait_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset JAEGER_URL JAEGER_TOKEN
    "$TK" import "$TK_TEST_DATA/spans/shop.json" -o r >/dev/null 2>&1
    "$TK" export jaeger r -o out >/dev/null
    "$BATS_TEST_DIRNAME/../peers/jaeger_stub.py" "$BATS_TEST_TMPDIR" out/spans.jaeger.json 3>&- &
    stub=$!
    wait_until test -e port
    url=http://127.0.0.1:$(cat port)
}

teardown() {
    kill "$stub" 2>/dev/null || true
}

@test "each trace is asked for once and stands in one file" {
    run -0 "$TK" fetch-jaeger --target-dir raw_jaeger --jaeger-url "$url/"
    all=$(jq '.data | length' out/spans.jaeger.json)
    [ "$output" = "$(ls raw_jaeger | wc -l) files, $all traces: raw_jaeger" ]
    [ "$(ls raw_jaeger | paste -sd' ')" = "cart.json mail.json web.json" ] # db has no trace of its own
    [ "$(jq -s '[.[][].traceID] | sort' raw_jaeger/*.json)" = "$(jq '[.data[].traceID] | sort' out/spans.jaeger.json)" ]
    [ "$(grep -c '^/api/traces/' log)" -eq "$all" ]
    grep -qx '/api/traces?service=web&limit=10000' log
    run ! grep -q 'service=jaeger-query' log
}

@test "a service with as many traces as the limit is told, as there may be more" {
    run -0 --separate-stderr "$TK" fetch-jaeger --target-dir raw_jaeger --jaeger-url "$url" --limit 1
    # shellcheck disable=SC2154  # set by run --separate-stderr
    grep -qx 'tracekit fetch-jaeger: service web: 1 trace came, which is the limit: there may be more; raise --limit' <<<"$stderr"
    run -0 --separate-stderr "$TK" fetch-jaeger --target-dir raw_jaeger --jaeger-url "$url"
    [ -z "$stderr" ]
}

@test "what was downloaded is what the server had, and translates" {
    JAEGER_URL=$url "$TK" fetch-jaeger --target-dir data/raw_jaeger
    "$TK" import data/raw_jaeger/*.json -o again >/dev/null 2>&1
    diff <("$TK" spans r --json | sort) <("$TK" spans again --json | sort)
    run -0 "$TK" translate --from-dir data/raw_jaeger
    [ "$(ls data/gent | paste -sd' ')" = "cart.json mail.json web.json" ]
}

@test "a server that is not there leaves no folder behind" {
    kill "$stub"
    wait "$stub" || true
    run -1 "$TK" fetch-jaeger --target-dir raw_jaeger --jaeger-url "$url"
    [[ $output == *"list of services: GET $url/api/services: "* ]]
    [ ! -e raw_jaeger ]
    run -2 "$TK" fetch-jaeger
    [[ $output == *"option '--target-dir' is missing"* ]]
    run -2 "$TK" fetch-jaeger --target-dir raw_jaeger --jaeger-url ftp://host
    [[ $output == *"option '--jaeger-url': 'ftp://host' is no address"* ]]
}
