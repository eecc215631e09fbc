#!/usr/bin/env bats
# tracekit translate: files of a folder in another format. The trace is the golden case of
# trace-compression.md section 15.5.

bats_require_minimum_version 1.5.0

# jaeger_file PATH [ID]: one trace, spans listed child first.
jaeger_file() {
    local id=${2:-62b8a8877fdfa085}
    jq -nc --arg id "$id" '
        def span($s; $p; $name; $start; $us): {traceID: $id, spanID: $s, operationName: $name,
            references: [if $p then {refType: "CHILD_OF", traceID: $id, spanID: $p} else empty end],
            startTime: (1656095783000000 + $start), duration: $us, tags: [], logs: [], processID: "p1"};
        [{traceID: $id, spans: [span("38c5"; "63fc"; "HGET"; 87471; 427), span("63fc"; "54df"; "GetCart"; 87240; 301),
            span("54df"; null; "grpc.request"; 86384; 1674)],
            processes: {p1: {serviceName: "cartservice", tags: []}}}]' >"$1"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir -p data/raw_jaeger
    jaeger_file data/raw_jaeger/cartservice.json
}

# edges FILE: "source>target" of all lines.
edges() {
    sed 's/,$//' "$1" | jq -r '.graph.edges[] | .source + ">" + .target' | paste -sd' '
}

@test "Jaeger's traces become Gen-T's lines beside them" {
    run -0 "$TK" translate --from-dir data/raw_jaeger
    [ "$output" = "1 file, 1 trace, 3 spans" ]
    [ "$(edges data/gent/cartservice.json)" = "cartservice*1>cartservice*2 cartservice*0>cartservice*1" ]
    line=$(sed 's/,$//' data/gent/cartservice.json)
    [ "$(jq -c '[.details.startTime, .details.duration, .details.transactionId]' <<<"$line")" = '[1656095783086384,1674,"62b8a8877fdfa085"]' ]
    [ "$(jq -r '[.nodesData[] | .operation + "=" + .type] | sort | join(" ")' <<<"$line")" = "GetCart=jaeger HGET=jaeger grpc.request=jaeger" ]
    [ "$(tail -c 2 data/gent/cartservice.json | od -An -c | tr -d ' ')" = ',\n' ]
}

@test "edges can be reversed as Gen-T has them, and our own keys left out" {
    run -0 "$TK" translate --from-dir data/raw_jaeger --to-dir out --compat --compat-reversed
    [ "$(edges out/cartservice.json)" = "cartservice*2>cartservice*1 cartservice*1>cartservice*0" ]
    [[ $(cat out/cartservice.json) != *operation* ]]
}

@test "rows for training are those of Gen-T" {
    run -0 "$TK" translate --from-dir data/raw_jaeger --to-dir out --to gent-csv --compat --compat-reversed
    run -0 cat out/cartservice.csv
    [ "${lines[0]:0:55}" = "traceId,txStartTime,chain,gapFromParent_0,duration_0,ha" ]
    [ "${#lines[@]}" -eq 3 ]
    none=metadata_merged_value_0,metadata_merged_value_0,0,0,0
    [ "${lines[1]}" = "7113620911351111813,1656095783086384,cartservice*1*0#cartservice*0*0,0,301,0,$none,0,1674,0,$none" ]
}

@test "with --compat gaps are 0 to 5000 and long durations 0, without it they are what they are" {
    # HGET starts before its parent GetCart, which starts 20.856 ms after its own.
    jq -c '.[0].spans |= map(if .spanID == "63fc" then .startTime += 20000 | .duration = 5000
        elif .spanID == "38c5" then .duration = 4999 else . end)' data/raw_jaeger/cartservice.json >long.json
    "$TK" translate --from-dir long.json --to-dir ours --to gent-csv --chain-length 3
    "$TK" translate --from-dir long.json --to-dir theirs --to gent-csv --chain-length 3 --compat
    [ "$(awk -F, 'NR == 2 { print $4, $5, $12, $13, $20, $21 }' ours/long.csv)" = "0 1674 20856 5000 -19769 4999" ]
    [ "$(awk -F, 'NR == 2 { print $4, $5, $12, $13, $20, $21 }' theirs/long.csv)" = "0 1674 5000 0 0 4999" ]
}

@test "chains go on as far as they may, and what is missing is Unknown" {
    run -0 "$TK" translate --from-dir data/raw_jaeger --to-dir out --to gent-csv --chain-length 4
    run -0 cat out/cartservice.csv
    [ "${#lines[@]}" -eq 2 ]
    none=metadata_merged_value_0,metadata_merged_value_0,0,0,0
    [ "${lines[1]}" = "7113620911351111813,1656095783086384,cartservice*0*0#cartservice*1*0#cartservice*2*0,0,1674,0,$none,856,301,0,$none,231,427,0,$none,0,0,0,Unknown,Unknown,0,0,0" ]
}

@test "a trace that several files hold is written once" {
    cp data/raw_jaeger/cartservice.json data/raw_jaeger/frontend.json
    jaeger_file data/raw_jaeger/other.json 11b8a8877fdfa085
    gzip data/raw_jaeger/other.json
    run -0 "$TK" translate --from-dir data/raw_jaeger
    [ "$output" = "3 files, 2 traces, 6 spans; 1 more left out, which earlier files hold" ]
    [ ! -s data/gent/frontend.json ]
    [ -s data/gent/other.json ]
}

@test "what was translated reads back as the same trees in other formats" {
    "$TK" translate --from-dir data/raw_jaeger --to-dir otlp --to otlp
    "$TK" translate --from-dir otlp --to-dir zipkin --to zipkin
    "$TK" translate --from-dir zipkin --to-dir jaeger --to jaeger
    run -0 jq -r '.data[0].spans | map(.operationName + "<" + (.references[0].spanID // "")) | sort | join(" ")' jaeger/cartservice*.json
    [ "$output" = "GetCart<00000000000054df HGET<00000000000063fc grpc.request<" ]
}

@test "a trace without edges is left out with --compat alone" {
    jq -c '[.[0] | .spans |= [.[2]]]' data/raw_jaeger/cartservice.json >single.json
    "$TK" translate --from-dir single.json --to-dir ours
    [ "$(edges ours/single.json)" = "" ]
    [ -s ours/single.json ]
    "$TK" translate --from-dir single.json --to-dir theirs --compat
    [ ! -s theirs/single.json ]
}

@test "mistakes are told" {
    run -2 "$TK" translate
    [[ $output == *"option '--from-dir' is missing"* ]]
    mkdir plain
    run -2 "$TK" translate --from-dir plain
    [[ $output == *"option '--to-dir' is missing"* ]]
    run -2 "$TK" translate --from-dir plain --to-dir out --to word
    [[ $output == *"option '--to': 'word' is no format that is written"* ]]
    run -1 "$TK" translate --from-dir nowhere --to-dir out
    [[ $output == *"nowhere: No such file or directory"* ]]
    run -1 "$TK" translate --from-dir plain --to-dir out
    [ "$output" = "tracekit translate: plain: holds no files" ]
    echo hello >plain/bad.txt
    run -1 "$TK" translate --from-dir plain --to-dir out
    [[ $output == *"plain/bad.txt"* ]]
    [ ! -e out/bad.txt.json ]
}
