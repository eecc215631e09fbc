# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A server of our own: at ports that were free, ended with the test.

load wait_helpers

# serve_start [OPTION...] RUN: start it; sets SERVER (its pid), HTTP, GRPC, ZIPKIN, QUERY ("HOST:PORT").
serve_start() {
    rm -f ready # of the server before
    "$TK" serve --http 127.0.0.1:0 --grpc 127.0.0.1:0 --zipkin 127.0.0.1:0 --query 127.0.0.1:0 "$@" \
        >receipt 2>ready 3>&- &
    SERVER=$!
    serve_wait || :
    HTTP=$(serve_address OTLP) GRPC=$(serve_address gRPC)
    ZIPKIN=$(serve_address Zipkin) QUERY=$(serve_address queries)
    [ -n "$HTTP" ] || { cat ready; return 1; }
}

# Until it says that it is ready, or ends.
serve_wait() {
    wait_until serve_told
}

serve_told() {
    grep -qs ready ready || ! kill -0 "$SERVER" 2>/dev/null
}

serve_address() {
    sed -nE "s|.*$1 (http://)?([0-9.]+:[0-9]+).*|\\2|p" ready
}

# End it as a service manager does; its exit status is 0.
serve_stop() {
    kill -TERM "$SERVER" && wait "$SERVER"
}

# For teardown: whatever is left.
serve_clean() {
    [ -z "${SERVER:-}" ] || kill -KILL "$SERVER" 2>/dev/null || true
}

# post TYPE FILE [CURL OPTION...]: send spans; prints the body and, on the last line, the status.
post() {
    curl -sS -w '\n%{http_code}\n' -H "Content-Type: $1" --data-binary "@$2" "${@:3}" "http://$HTTP/v1/traces"
}

# otlp_json N [PREFIX]: a request of N spans, each a trace, on standard output.
otlp_json() {
    jq -nc --argjson n "$1" --arg prefix "${2:-0}" '
        def hex($w): tostring | ("0" * $w + .)[-$w:];
        {resourceSpans: [{resource: {attributes: [{key: "service.name", value: {stringValue: "shop"}}]},
          scopeSpans: [{spans: [range(1; $n + 1) | {
            traceId: ($prefix + (. | hex(31))), spanId: (. | hex(16)), name: "GET /cart", kind: 2,
            startTimeUnixNano: "1758000000000000000", endTimeUnixNano: "1758000000001000000",
            attributes: [{key: "n", value: {intValue: (. | tostring)}}]}]}]}]}'
}
