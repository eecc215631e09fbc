#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Sending spans: to a receiver that behaves badly on purpose, and to our own.

bats_require_minimum_version 1.5.0

setup() {
    load wait_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    RECEIVER=$BATS_TEST_DIRNAME/../peers/otlp_receiver.py
}

teardown() {
    [ -z "${PEER:-}" ] || kill "$PEER" 2>/dev/null || true
}

# receiver BEHAVIOUR...: start one; sets URL. Its log is requests.jsonl, the bodies are in bodies/.
receiver() {
    mkdir -p bodies
    "$RECEIVER" --port-file port --log requests.jsonl --save bodies "$@" 3>&- &
    PEER=$!
    wait_until test -s port
    URL=http://127.0.0.1:$(cat port)
}

# send [OPTION...]: 30 made-up spans in three requests on one connection; the JSON is in $output.
send() {
    run --separate-stderr "$TK" replay --synthetic --spans 30 --batch 10 -c 1 -j --to "$URL" "$@"
}

# value FILTER: of the JSON that was printed.
value() {
    jq -r "$1" <<<"$output"
}

# did FILTER: of the list of requests that the receiver saw.
did() {
    jq -rs "$1" requests.jsonl
}

@test "all that is sent and accepted is counted" {
    receiver ok
    send
    [ "$status" -eq 0 ]
    [ "$(value '[.sent_spans, .accepted_spans, .rejected_spans, .lost_spans, .unsent_spans] | @csv')" = 30,30,0,0,0 ]
    [ "$(value '[.sent_requests, .retries] | @csv')" = 3,0 ]
    [ "$(value '.answers | map("\(.code) \(.requests)") | .[]')" = "200 3" ]
    [ "$(did 'length')" = 3 ]
    [ "$(did 'map(.path) | unique | .[]')" = /v1/traces ]
    [ "$(did 'map(.type) | unique | .[]')" = application/x-protobuf ]
    [ "$(did 'map(.connection) | unique | length')" = 1 ]
    [[ $(did '.[0].agent') == tracekit/* ]]
}

@test "the report is for people" {
    receiver ok
    run -0 "$TK" replay --synthetic --spans 30 --batch 10 -c 2 --to "$URL"
    [[ ${lines[0]} == "synthetic spans to 127.0.0.1:$(cat port) as OTLP/HTTP protobuf, up to 2 connections" ]]
    [[ ${lines[1]} == "sent "*" 30 spans in 3 requests, "* ]]
    [[ ${lines[2]} == "accepted "*" 30 spans, "*" a second" ]]
    [[ ${lines[4]} == "lost "*" 0 spans" ]]
    [[ ${lines[-1]} == "answers "*" 3 x 200 ok" ]]
}

@test "JSON and gzip are what the receiver gets" {
    receiver ok
    send --json
    [ "$status" -eq 0 ]
    send --json --gzip
    [ "$status" -eq 0 ]
    [ "$(did 'map(.type + " " + .encoding) | unique | @csv')" = '"application/json ","application/json gzip"' ]
    [ "$(jq '[.resourceSpans[].scopeSpans[].spans[]] | length' bodies/000000.body)" = 10 ]
    [ "$(jq '[.resourceSpans[].scopeSpans[].spans[]] | length' bodies/000005.body)" = 10 ]
}

@test "429 with Retry-After is sent again, and not before" {
    receiver 429:1 ok
    send
    [ "$status" -eq 0 ]
    [ "$(value '[.accepted_spans, .retries] | @csv')" = 30,1 ]
    [ "$(did 'length')" = 4 ]
    [ "$(did '.[1].t - .[0].t >= 1')" = true ]
    [[ $(value '.answers[0].reason') == "not so fast" ]]
}

@test "Retry-After may be a date" {
    receiver 503:date:2 ok
    send
    [ "$(value '[.accepted_spans, .retries] | @csv')" = 30,1 ]
    [ "$(did '.[1].t - .[0].t >= 0.9')" = true ]
}

@test "502, 503 and 504 are sent again after a while" {
    receiver 502 503 504 ok
    send
    [ "$status" -eq 0 ]
    [ "$(value '[.accepted_spans, .retries] | @csv')" = 30,3 ]
}

@test "400, 413 and 500 are not sent again, and the spans are rejected" {
    receiver 400 413 500
    send
    [ "$status" -eq 1 ]
    [ "$(value '[.accepted_spans, .rejected_spans, .lost_spans, .retries] | @csv')" = 0,30,0,0 ]
    [ "$(did 'length')" = 3 ]
}

@test "a partial success is never sent again" {
    receiver partial:4 ok
    send
    [ "$status" -eq 1 ]
    [ "$(value '[.accepted_spans, .rejected_spans, .retries] | @csv')" = 26,4,0 ]
    [ "$(value '.answers[0].reason')" = "not these" ]
    PEER2=$PEER
    kill "$PEER2"
    rm -f port requests.jsonl
    receiver partial:4 ok
    send --json
    [ "$(value '[.accepted_spans, .rejected_spans, .retries] | @csv')" = 26,4,0 ]
}

@test "what was not answered is sent again: cut connections, half answers" {
    receiver reset half reset ok
    send
    [ "$status" -eq 0 ]
    [ "$(value '[.accepted_spans, .retries, .cut_connections] | @csv')" = 30,3,3 ]
}

@test "answers in chunks and closed connections are fine" {
    receiver chunked close chunked
    send
    [ "$status" -eq 0 ]
    [ "$(value '[.accepted_spans, .retries, .cut_connections] | @csv')" = 30,0,0 ]
}

@test "what is refused as often as it may be sent is lost, and said" {
    receiver 503:0
    send --retries 2
    [ "$status" -eq 1 ]
    [ "$(value '[.accepted_spans, .lost_spans, .lost.refused, .retries] | @csv')" = 0,30,30,6 ]
    [ "$(did 'length')" = 9 ]
}

@test "what is to be sent again when patience ends is lost as what it failed by" {
    receiver reset
    send --for 500ms --patience 300ms --retries 1000
    [ "$status" -eq 1 ]
    [ "$(value '.sent_spans > 0 and .lost.unanswered == .sent_spans')" = true ]
}

@test "no answer in time is lost, and said" {
    receiver never
    send --retries 0 --timeout 200ms
    [ "$status" -eq 1 ]
    [ "$(value '[.lost.unanswered, .timeouts] | @csv')" = 30,3 ]
}

@test "an early refusal is understood while the body is still being sent" {
    receiver early:413
    run --separate-stderr -1 "$TK" replay --synthetic --spans 60000 --batch 60000 -c 1 -j --to "$URL"
    [ "$(value '[.rejected_spans, .retries, .answers[0].code] | @csv')" = 60000,0,413 ]
}

@test "gRPC to who does not speak it ends, and the spans are lost" {
    receiver ok
    run --separate-stderr -1 timeout 100 "$TK" replay --synthetic --spans 30 --batch 10 -c 1 -j --grpc --retries 1 --to "$URL"
    [ "$(value '[.accepted_spans, .lost.unanswered] | @csv')" = 0,30 ]
}

@test "no redirect is followed" {
    receiver redirect:http://127.0.0.1:9/elsewhere
    send
    [ "$status" -eq 1 ]
    [ "$(value '[.rejected_spans, .answers[0].code] | @csv')" = 30,307 ]
    [ "$(did 'length')" = 3 ]
}

@test "no proxy of the environment is used" {
    receiver ok
    http_proxy=http://127.0.0.1:9 HTTP_PROXY=http://127.0.0.1:9 send
    [ "$(value .accepted_spans)" = 30 ]
}

@test "latency counts from when a request was due, though the connection was busy" {
    receiver late:0.1
    send --rate 1000000
    [ "$status" -eq 0 ]
    # Three requests that were due at once take 0.1 s each on one connection.
    [ "$(value '.latency.max_s >= 0.3 and .late_max_s >= 0.2')" = true ]
}

@test "an open loop opens more connections instead of waiting" {
    receiver late:2
    send --rate 1000000 -c 8
    [ "$(did 'map(.connection) | unique | length')" = 3 ]
}

@test "repeats have ids of their own, the first pass those of the spans" {
    receiver ok
    send --json --repeat 2
    [ "$(value .accepted_spans)" = 60 ]
    send --json
    [ "$(cat bodies/*.body | jq -r '.resourceSpans[].scopeSpans[].spans[].spanId' | sort -u | wc -l)" = 60 ]
    cmp <(jq -r '.resourceSpans[].scopeSpans[].spans[].spanId' bodies/000000.body) \
        <(jq -r '.resourceSpans[].scopeSpans[].spans[].spanId' bodies/000006.body)
    send --json --new-ids
    [ "$(cat bodies/*.body | jq -r '.resourceSpans[].scopeSpans[].spans[].spanId' | sort -u | wc -l)" = 90 ]
}

@test "the ids of what was accepted are written, and no others" {
    receiver ok 400 ok
    send --json --new-ids --acknowledged ids
    [ "$(stat -c %s ids)" = $((20 * 24)) ]
    for body in 000000 000002; do
        jq -r '.resourceSpans[].scopeSpans[].spans[] | .traceId + .spanId' bodies/$body.body
    done | cmp - <(od -An -v -tx1 -w24 ids | tr -d ' ')
}

# Two spans that ended 1.5 s after each other, as Zipkin has them.
recording() {
    cat >spans.json <<'END'
[{"traceId":"0000000000000001","id":"0000000000000002","name":"early","timestamp":1700000000000000,
  "duration":1000,"localEndpoint":{"serviceName":"shop"},"tags":{"k":"v"}},
 {"traceId":"0000000000000001","id":"0000000000000003","parentId":"0000000000000002","name":"late",
  "timestamp":1700000001500000,"duration":1000,"localEndpoint":{"serviceName":"shop"}}]
END
}

# Seconds by the clock of the receiver's log. Of its first request it may hear late.
uptime_s() {
    python3 -c 'import time; print(time.monotonic())'
}

@test "a recording is sent at its own pace" {
    receiver ok
    recording
    before=$(uptime_s)
    run -0 "$TK" replay spans.json --json --to "$URL"
    [ "$(did 'length')" = 2 ]
    [ "$(did ".[1].t - $before >= 1.5")" = true ]
    [ "$(jq -r '.resourceSpans[].scopeSpans[].spans[].name' bodies/000000.body bodies/000001.body | xargs)" = "early late" ]
}

@test "a recording can be sent faster, and at once" {
    receiver ok
    recording
    before=$(uptime_s)
    run -0 "$TK" replay spans.json --speed 3 --to "$URL"
    [ "$(did ".[1].t - $before >= 0.5")" = true ]
    run -0 --separate-stderr "$TK" replay spans.json --as-fast -j --to "$URL"
    [ "$(value '[.sent_requests, .accepted_spans] | @csv')" = 1,2 ]
}

@test "a recording may be compressed, or come through a pipe" {
    receiver ok
    recording
    gzip -k spans.json
    run -0 --separate-stderr "$TK" replay spans.json.gz --as-fast -j --to "$URL"
    [ "$(value .accepted_spans)" = 2 ]
    run -0 --separate-stderr bash -c "zcat spans.json.gz | '$TK' replay - --as-fast -j --to '$URL'"
    [ "$(value .accepted_spans)" = 2 ]
}

@test "what is no file of spans is said" {
    echo nonsense >file
    run -1 "$TK" replay file --to http://127.0.0.1:9
    [[ $output == "tracekit replay: file: "* ]]
    run -1 "$TK" replay absent --to http://127.0.0.1:9
    [[ $output == "tracekit replay: "*absent* ]]
}

# serve RUN: our own server; sets PEER, HTTP and GRPC.
serve() {
    "$TK" serve --http 127.0.0.1:0 --grpc 127.0.0.1:0 --zipkin off --query off "$1" >"$1.receipt" 2>"$1.log" 3>&- &
    PEER=$!
    is_told() { grep -q ready "$1" || ! kill -0 "$PEER"; }
    wait_until is_told "$1.log"
    kill -0 "$PEER" || skip "no server: $(cat "$1.log")"
    HTTP=$(sed -n 's/.*OTLP \(http:[^,]*\),.*/\1/p' "$1.log")
    GRPC=http://$(sed -n 's/.*gRPC \([^,]*\),.*/\1/p' "$1.log")
}

# end: of the server, in order.
end() {
    kill "$PEER"
    wait "$PEER"
    PEER=
}

# ids RUN: of its spans, sorted.
ids() {
    "$TK" parquet cat -f csv --columns trace_id,span_id,parent_span_id,name,start_ns "$1"/spans/*.parquet | grep -v ^trace_id | sort
}

@test "our own server takes it all: protobuf and JSON, HTTP and gRPC, with gzip and without" {
    serve run
    seed=0
    for options in "--to $HTTP" "--to $HTTP --json" "--to $GRPC --grpc"; do
        for gzip in "" --gzip; do
            # shellcheck disable=SC2086  # several options
            run -0 --separate-stderr "$TK" replay --synthetic --spans 1000 --seed $((++seed)) -j $options $gzip
            [ "$(value '[.accepted_spans, .rejected_spans, .lost_spans] | @csv')" = 1000,0,0 ]
        done
    done
    end
    [ "$(ids run | uniq | wc -l)" = 6000 ]
}

@test "the spans of a run are sent on as they are, or with ids of their own" {
    serve one
    run -0 "$TK" replay --synthetic --spans 1000 --to "$HTTP"
    end
    serve two
    run -0 "$TK" replay one --as-fast --to "$GRPC" --grpc --batch 100
    end
    cmp <(ids one) <(ids two)
    serve three
    run -0 "$TK" replay one --as-fast --new-ids --to "$HTTP"
    end
    [ "$(ids three | wc -l)" = 1000 ]
    [ "$(cat <(ids one) <(ids three) | sort | uniq | wc -l)" = 2000 ]
}

@test "a run without spans says how it gets some" {
    mkdir -p empty
    run -1 "$TK" replay empty --to http://127.0.0.1:9
    [[ $output == "tracekit replay: empty has no spans: "* ]]
}

@test "times are moved to the present" {
    receiver ok
    before=$(date +%s)
    send --json --shift-time
    after=$(date +%s)
    cat bodies/*.body | jq -r '.resourceSpans[].scopeSpans[].spans[].endTimeUnixNano' >ends
    [ "$(wc -l <ends)" = 30 ]
    while read -r ns; do
        ((ns / 1000000000 >= before - 1 && ns / 1000000000 <= after))
    done <ends
}

@test "it stops when the time is up, and says what was not sent" {
    receiver late:0.2
    send --rate 100 --repeat 0 --for 1s
    [ "$status" -eq 1 ]
    [ "$(value '.accepted_spans + .unsent_spans >= 90')" = true ]
    [ "$(value '.unsent_spans > 0 and .lost_spans == 0')" = true ]
}

@test "a receiver that is not there fails at once" {
    run -1 "$TK" replay --synthetic --spans 10 --to http://127.0.0.1:9
    [ "$output" = "tracekit replay: connect to 127.0.0.1:9: Connection refused" ]
}

@test "options that make no sense together are named" {
    run -2 "$TK" replay --synthetic
    [[ $output == "tracekit replay: expected --to URL, the receiver"* ]]
    run -2 "$TK" replay --to http://h
    [[ $output == "tracekit replay: expected one RUN or FILE, or --synthetic"* ]]
    run -2 "$TK" replay --synthetic --to http://h --rate 5 --as-fast
    [[ $output == "tracekit replay: --rate, --speed and --as-fast exclude each other"* ]]
    run -2 "$TK" replay --synthetic --to http://h --rate soon
    [[ $output == "tracekit replay: option '--rate': 'soon' is not a rate such as 50000 or 50k/s"* ]]
    run -2 "$TK" replay --synthetic --to https://h
    [[ $output == *"https is not spoken here"* ]]
    run -2 "$TK" replay --synthetic --to http://h --repeat 0
    [[ $output == "tracekit replay: --repeat 0 needs --for TIME"* ]]
}
