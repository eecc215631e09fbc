#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Event files of runs as spans: sent to a server, imported, exported.

bats_require_minimum_version 1.5.0

setup() {
    load serve_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset NOTIFY_SOCKET TRACEPARENT
    export RUN_ID=night NODE_ID=vm0
}

teardown() {
    serve_clean
}

# send FILE [CURL OPTION...]: events to the server; prints the answer and, on the last line, the status.
send() {
    curl -sS -w '%{http_code}\n' -H 'Content-Type: application/x-ndjson' --data-binary "@$1" "${@:2}" \
        "http://$HTTP/v1/events"
}

# A script that sends a span of its own, a child of the one that its environment names.
make_child() {
    cat >child.sh <<EOF
IFS=- read -r _ trace parent _ <<<"\$TRACEPARENT"
curl -sS -o /dev/null -H 'Content-Type: application/json' "http://$HTTP/v1/traces" -d '{"resourceSpans":[{
    "scopeSpans":[{"spans":[{"traceId":"'\$trace'","spanId":"00000000000000aa","parentSpanId":"'\$parent'",
    "name":"inside","startTimeUnixNano":"'\$(date +%s%N)'","endTimeUnixNano":"'\$(date +%s%N)'"}]}]}]}'
exit 3
EOF
}

# The spans of a run as flat lines, without what says which run it is.
flat() {
    "$TK" export jsonl "$1" -o "$1.flat" >/dev/null
    jq -Sc 'del(.resource["tracekit.run_id"])' "$1.flat/spans.jsonl" | sort
}

@test "an event file that is sent is a trace, with the spans of what the command did below" {
    serve_start run
    make_child
    run -3 "$TK" wrap -- bash child.sh
    run -0 send logs/night/events.bash.jsonl
    [ "$output" = "$(printf '1 span taken\n202')" ]
    serve_stop
    trace=$(jq -r .w3c_trace_id logs/night/events.bash.jsonl)
    run -0 "$TK" trace "$trace" run
    echo "$output"
    [[ $output == *"2 spans"* ]]
    [ "$(grep -n 'bash' <<<"$output" | tail -1 | cut -d: -f1)" -lt "$(grep -n 'inside' <<<"$output" | tail -1 | cut -d: -f1)" ]
    run -0 flat run
    jq -se --slurpfile event logs/night/events.bash.jsonl 'map(select(.name == "bash")) | length == 1 and
        (.[0] | .status == {code: 2, message: "exit code 3"} and .kind == 1 and
         .span_id == $event[0].w3c_span_id and .start_time_unix_nano == $event[0].ts_start * 1000000 and
         .attributes["tracekit.cpu_ns"] == $event[0].cpu_ns and
         .attributes["process.exit.code"] == 3 and
         .resource["service.name"] == "bash" and .resource["process.pid"] == $event[0].pid)' <<<"$output"
}

@test "compressed, and while the server answers queries" {
    serve_start run
    for _ in 1 2 3; do "$TK" wrap --trace-id job-42 -- true; done
    gzip -c logs/night/events.true.jsonl >events.gz
    run -0 send events.gz -H 'Content-Encoding: gzip'
    [ "$output" = "$(printf '3 spans taken\n202')" ]
    # The chain is one trace, and the commands were told so.
    trace=$(printf job-42 | sha256sum | head -c 32)
    [ "$(jq -r .w3c_trace_id logs/night/events.true.jsonl | sort -u)" = "$trace" ]
    curl -sS "http://$QUERY/api/traces/$trace" |
        jq -e '.data | length == 1 and (.[0].spans | length == 3) and
            (.[0].processes | map(.serviceName) | unique == ["true"])'
    serve_stop
}

@test "lines that are no events are told, and a file without any is refused" {
    serve_start run
    printf '{"ts_start":1000,"ts_end":2000}\n{"ts_start":1000}\n{"ts_sta\n{"ts_start":1000,"ts_end":2000}\n' >odd
    run -0 send odd
    echo "$output"
    [ "${lines[0]}" = "2 spans taken" ]
    [ "${lines[1]}" = "left out: 2 spans that could not be read; line 2: an event without ts_end" ]
    [ "${lines[2]}" = "2 spans without a trace or span id, which got one" ]
    [ "${lines[3]}" = 202 ]
    echo nonsense >odd
    run -0 send odd
    [ "${lines[1]}" = 400 ]
    [[ ${lines[0]} == "line 1: "* ]]
    run -0 curl -sS -w '%{http_code}\n' --data-binary @odd "http://$HTTP/v1/events"
    [ "${lines[0]}" = "expected Content-Type application/x-ndjson or application/jsonl or application/json" ]
    [ "${lines[1]}" = 415 ]
    curl -sS "http://$HTTP/" | grep -q 'POST  */v1/events'
    serve_stop
    grep -q '2 spans' receipt
}

@test "files of more events, and requests of more spans, than a segment of the server are taken" {
    serve_start -j run
    awk 'BEGIN { for (i = 1; i <= 140000; i++) printf "{\"trace_id\":\"t-%d\",\"ts_start\":%d,\"ts_end\":%d}\n", i, i, i + 5 }' >many
    run -0 send many
    [ "${lines[0]}" = "140000 spans taken" ]
    [ "${lines[-1]}" = 202 ]
    gzip -1 <many >many.gz
    run -0 send many.gz -H 'Content-Encoding: gzip'
    [ "${lines[0]}" = "140000 spans taken" ]
    otlp_json 140000 >many.json
    [ "$(post application/json many.json | tail -n 1)" = 200 ]
    serve_stop
    [ "$(jq -c '[.accepted_spans, .requests.taken, .stored_spans, .segments]' receipt)" = '[420000,3,420000,3]' ]
    [ "$("$TK" spans --json run | wc -l)" -eq 420000 ]
}

@test "import of event files, and of what export otlp makes of them, is the same" {
    "$TK" wrap --enqueued 1000 -- true
    "$TK" wrap --trace-id 00112233-4455-6677-8899-aabbccddeeff -- sh -c 'exit 2' || :
    cat >logs/night/events.web.jsonl <<'EOF'
{"trace_id":"t-1","span_id":"s-1","parent_id":null,"module_id":"shop","instance_id":"pid-7","ts_enqueue":1000,"ts_start":2000,"ts_end":2500,"node":"vm0","stage":"cloud","method":"GET","path":"/cart","status":200,"pid":7}
{"trace_id":"t-1","span_id":"s-2","parent_id":"s-1","module_id":"stock","ts_enqueue":2100,"ts_start":2100,"ts_end":2400,"node":"vm0","stage":"cloud","method":"POST","path":"/item","status":503,"pid":8}
EOF
    run -0 "$TK" import logs/night/events.*.jsonl -o imported
    [[ $output == *"4 of 3 traces and 4 services"* ]]
    "$TK" parse >/dev/null
    "$TK" export otlp logs/night -o otlp >/dev/null
    "$TK" import otlp/invocations.otlp.jsonl -o back >/dev/null
    [ "$(flat imported | wc -l)" -eq 4 ]
    # Parsing fills in the stage, the times that follow from others, and the name of the host.
    derived='del(.resource["tracekit.stage", "host.name"], .attributes["tracekit.queue_time_ms"])'
    diff <(flat imported | jq -Sc "$derived") <(flat back | jq -Sc "$derived")
}

@test "an access log that was adapted is imported, with ids made for lines that have none" {
    printf '%s\n' '1.2.3.4 - - [01/Jan/2026:00:00:01 +0000] "GET /a HTTP/1.1" 200 5 "-" "-" 10 0.250 -' \
        '1.2.3.4 - - [01/Jan/2026:00:00:01 +0000] "GET /a HTTP/1.1" 200 5 "-" "-" 10 0.250 -' >access.log
    "$TK" adapt nginx --input access.log --output events.nginx.jsonl
    run -0 --separate-stderr "$TK" import events.nginx.jsonl -o run
    [[ $output == *"2 of 2 traces"* ]]
    run -0 flat run
    jq -se 'map(.name) == ["GET /a", "GET /a"] and all((.end_time_unix_nano - .start_time_unix_nano) / 1000000 | round == 250)' <<<"$output"
}
