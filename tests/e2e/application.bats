#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# An application that knows nothing of tracekit, of a service in JavaScript that asks one in Python:
# OpenTelemetry's own agents instrument both, and all that they are told is where to send. Its traces
# are in the terminal, in Jaeger's answers and in DuckDB, with the bill of who served them, while the
# server runs. Without a way to get the agents the tests skip and say why.

bats_require_minimum_version 1.5.0

app=$BATS_TEST_DIRNAME/../peers/app

setup_file() {
    load peers
    peers_cache "$app/requirements.txt" "$app/package-lock.json"
    peers_pip "$app/requirements.txt"
    peers_npm "$app"
}

setup() {
    load peers
    load serve_helpers
    load wait_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID NOTIFY_SOCKET TRACEPARENT OTEL_RESOURCE_ATTRIBUTES
    peers_want_python "OpenTelemetry's agent for Python"
    peers_want_node "OpenTelemetry's agent for JavaScript"
}

teardown() {
    serve_clean
}

# record_orders: three orders under the recorder; the services' own output is in *.log.
record_orders() {
    timeout 300 "$TK" record -q -o run -- "$app/application.sh" "$CACHE/venv" "$CACHE/npm/node_modules" \
        "http://$HTTP" "http://$GRPC" >orders 3>&-
    grep -q '"price":42' orders
}

# segments_hold N: so many spans are in segments, by what the server counts.
segments_hold() {
    curl -sS "http://$HTTP/metrics" | grep -qx "tracekit_stored_spans_total $1"
}

@test "an application as it comes is drawn with its bill, answered to Jaeger and read by DuckDB" {
    serve_start --segment-age 1s run
    record_orders
    wait_until segments_hold 9

    # Three traces of three spans: a request, the call it makes, and the service that is called.
    "$TK" spans run --json >listed
    [ "$(jq -s 'map(.trace_id) | unique | length' listed)" -eq 3 ]
    id=$(jq -r 'select(.attributes."http.target" == "/order/lamp") | .trace_id' listed)

    # The bill: who thinks is billed, not who waits for him.
    "$TK" join run --json >joined
    jq -e '.spans == 9 and .rules.environment == 9' joined
    jq -e --arg id "$id" '[.top[] | select(.trace_id == $id and .service == "prices")]
        | length == 1 and .[0].self_cpu_ns > 250000000 and .[0].max_rss_bytes > 20000000' joined
    jq -e --arg id "$id" '[.top[] | select(.trace_id == $id and .service == "shop")]
        | length == 2 and all(.[]; .self_cpu_ns < 150000000 and .cpu_ns > 250000000)' joined
    COLUMNS=130 "$TK" trace "$id" run >tree
    grep -Eq 'shop +GET .* [0-9.]+ m?s' tree
    grep -Eq '└ prices +GET /price/<item> .* ((2[5-9]|[3-9][0-9])[0-9] ms|[0-9.]+ s) .*MiB' tree
    grep -q '3 of 3 spans with a bill; by environment: 3' tree

    # Jaeger's answers, both APIs.
    [ "$(curl -sS "http://$QUERY/api/services" | jq -c .data)" = '["prices","shop"]' ]
    curl -sS "http://$QUERY/api/traces/$id" >jaeger.json
    jq -e --arg id "$id" '.data[0].traceID == $id and (.data[0].spans | length) == 3
        and ([.data[0].processes[].serviceName] | unique) == ["prices", "shop"]' jaeger.json
    # The parent of the service that is called is the call, in the other process.
    jq -e '.data[0] as $t | ($t.spans | map(select(.operationName == "GET /price/<item>"))[0].references[0].spanID) as $parent
        | $t.spans[] | select(.spanID == $parent) | $t.processes[.processID].serviceName == "shop"' jaeger.json
    curl -sS "http://$QUERY/api/v3/traces/$id" | jq -e '[.result.resourceSpans[]
        | (.resource.attributes[] | select(.key == "service.name").value.stringValue) as $service
        | .scopeSpans[].spans[] | $service] | sort == ["prices", "shop", "shop"]'

    # DuckDB joins spans and bills.
    peers_cache "$app/../parquet/requirements.txt" "$app/../parquet/package-lock.json"
    peers_npm "$app/../parquet"
    run -0 peers_node DuckDB "$app/../serve/duckdb_peer.mjs" \
        "select service, count(*), bool_or(b.self_cpu_ns > 250000000)
         from 'run/spans/part-*.parquet' s join 'run/spans/bills.parquet' b using (trace_id, span_id)
         where s.trace_id = '$id' group by all order by service"
    [ "$output" = '[["prices","1","true"],["shop","2","false"]]' ]
    kill -0 "$SERVER"
    serve_stop

    # What the agents send besides, as they do unless they are told not to, is refused where they see it.
    grep -q 'OTEL_METRICS_EXPORTER=none stops an agent that sends them' prices.log
    [ "$(grep -c 'msg="metrics are not stored here' ready)" -eq 1 ]
    grep -q '^[0-9]* requests* of metrics refused$' receipt
}
