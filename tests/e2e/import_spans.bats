#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit import of files of spans and of a Jaeger server, and their export. What each reader makes
# of which record is tested in tests/unit/test_read_*.c, what encoders write in test_span_formats.c.

# shellcheck disable=SC2154  # stderr is set by run --separate-stderr

bats_require_minimum_version 1.5.0

setup() {
    load wait_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID NODE_ID STAGE TZ JAEGER_URL JAEGER_TOKEN
    data=$TK_SHARED_DATA
}

teardown() {
    [ -z "${stub:-}" ] || kill "$stub" 2>/dev/null || true
}

# want FILE: skip where the shared data has it not.
want() {
    [ -e "$data/$1" ] || skip "there is no $data/$1"
}

# shop N: N traces of three spans in two services, as CSV on stdout.
shop() {
    echo trace_id,span_id,parent_id,service,name,start_ns,duration_ns,http.route
    for ((i = 1; i <= $1; i++)); do
        printf '%x,1,,shop,GET /,%d,9000,/\n' "$i" $((i * 1000000))
        printf '%x,2,1,shop,db,%d,3000,\n' "$i" $((i * 1000000 + 1000))
        printf '%x,3,1,cart,add,%d,4000,\n' "$i" $((i * 1000000 + 2000))
    done
}

@test "files of spans become one run, and the receipt says what came of them" {
    shop 2 >a.csv
    shop 3 | gzip >b.csv.gz
    run -0 --separate-stderr "$TK" import a.csv b.csv.gz -o r
    [[ ${lines[0]} == "→ r" ]]
    [[ ${lines[1]} == "  spans   9 of 3 traces and 2 services" ]]
    [[ ${lines[2]} == "  dates   1970-01-01T00:00:00Z to 1970-01-01T00:00:00Z, 2.01 ms" ]]
    [[ ${lines[3]} == "  disk    "*" in 1 segment, "*" bytes a span" ]]
    [[ ${lines[4]} == "  refused 6 spans that came before" ]]
    [ -z "$stderr" ]
    [ -f r/spans/part-000001.parquet ] && [ -f r/run.json ]
    run -0 "$TK" import --json --keep-duplicates a.csv a.csv -o s
    [ "$(jq -c '[.run, .traces, .spans, .services, .first_ns, .last_ns, .refused]' <<<"$output")" = '["s",2,12,2,1000000,2009000,0]' ]
}

@test "maps name the columns of a file that nothing else tells, and a column that is not there is an error" {
    printf 'req;sid;t0;took\n%s\n' 'a1;1;1700000000000;5' >odd.csv
    maps=(--map trace_id=req --map span_id=sid --map duration=took:ms)
    run -0 "$TK" import --json "${maps[@]}" --map start=t0:ms odd.csv -o r
    [[ $output == *'"spans":1,'*'"first_ns":1700000000000000000,"last_ns":1700000000005000000,'* ]]
    run -1 "$TK" import "${maps[@]}" --map start=begin:ms odd.csv -o s
    [[ $output == *"odd.csv: line 1: no column 'begin', which --map names"* ]]
}

@test "a run that is there is not touched, and without a name there is a new one" {
    shop 1 >a.csv
    "$TK" import a.csv -o r >/dev/null
    run -1 "$TK" import a.csv -o r
    [[ $output == "tracekit import: r: holds a run already; choose another folder with --output" ]]
    "$TK" import a.csv >/dev/null
    "$TK" import a.csv >/dev/null
    [ "$(find logs -name run.json | wc -l)" -eq 2 ]
}

@test "imports of one second that run side by side are runs of their own" {
    shop 1 >a.csv
    imports=()
    for _ in 1 2 3 4 5 6 7 8; do
        TK_CLOCK=2026-01-01T00:00:00Z "$TK" import a.csv >/dev/null &
        imports+=($!)
    done
    for import in "${imports[@]}"; do
        wait "$import"
    done
    [ "$(find logs -name run.json | wc -l)" -eq 8 ]
    [ "$(find logs -name '*.parquet' | wc -l)" -eq 8 ]
}

@test "bad lines are counted and the first is told; nothing but bad lines is a failure" {
    { shop 1; echo '1,2'; echo ',,,,,,,'; } >a.csv
    run -0 --separate-stderr "$TK" import a.csv -o r
    [ "$stderr" = "tracekit import: a.csv: line 5: 2 columns, the header has 8" ]
    [[ $output == *"  refused 2 "* ]]
    printf 'trace_id,span_id\n1,2\n' >b.csv
    run -1 --separate-stderr "$TK" import b.csv -o s
    [ "$stderr" = "tracekit import: b.csv: line 2: a span without a start" ]
}

@test "a document that breaks off fails, and keeps the spans before" {
    printf '[{"traceId":"1","id":"2","timestamp":3},\n{"traceId":\n' >a.json
    run -1 --separate-stderr "$TK" import a.json -o r
    [[ $stderr == "tracekit import: a.json: byte 5"* ]]
    [[ $output == *"spans   1 of 1 trace "* ]]
}

@test "of a run that cannot be written whole nothing stays" {
    shop 2 >six.csv
    head -2 six.csv >one.csv
    mkdir mine
    for to in made/r mine; do
        run -1 bash -c 'trap "" XFSZ; ulimit -f 1; exec "$TK" import six.csv -o "$1"' - "$to"
        [ "$output" = "tracekit import: $to: 6 spans are in no segment: part-000001.parquet: File too large" ]
    done
    run -1 bash -c 'trap "" XFSZ; ulimit -f 1; exec "$TK" import one.csv -o made/r'
    [ "$output" = "tracekit import: made/r: 1 span is in no segment: part-000001.parquet: File too large" ]
    [ ! -e made ]
    [ -d mine ] && [ -z "$(ls -A mine)" ]
    "$TK" import six.csv -o made/r
    [ "$("$TK" spans made/r --json | wc -l)" -eq 6 ]
}

@test "what is no file of spans is told, and so are options that cannot be" {
    echo hello >a
    run -1 "$TK" import a -o r
    [[ $output == *"a: is of no format of spans that is known; --format says which"* ]]
    [ ! -e r ]
    run -2 "$TK" import --format xml a
    [[ $output == *"option '--format': 'xml' is no format of spans"* ]]
    run -1 "$TK" import a absent.json
    [ "$output" = "tracekit import: absent.json: no such file or folder, nor an old run of that name in logs/" ]
    mkdir d
    run -2 "$TK" import a d
    [[ $output == *"files of spans and folders of old runs cannot be one import"* ]]
}

@test "a bomb is stopped at --max-bytes, whatever its coding, and a pipe too" {
    head -c 20000000 /dev/zero >zeros
    gzip -k zeros
    zstd -q -k zeros
    for file in zeros.gz zeros.zst; do
        run -1 "$TK" import --max-bytes 10000000 "$file" -o "r.$file"
        [[ $output == *"$file: inflates to more than 10000000 bytes; --max-bytes allows more"* ]]
    done
    run -1 bash -c "'$TK' import --max-bytes 10000000 - -o p <zeros"
    run -1 bash -c "cat zeros | '$TK' import --max-bytes 10000000 - -o q"
    [[ $output == *"standard input: more than 10000000 bytes"* ]]
    head -c 300 zeros.zst >torn.zst
    head -c 1000 zeros.gz >torn.gz
    run -1 "$TK" import torn.zst -o t
    [[ $output == *"torn.zst: the zstd data breaks off"* ]]
    run -1 "$TK" import torn.gz -o u
    [[ $output == *"torn.gz: damaged gzip data"* ]]
}

# record FILE: a message as the Collector's file exporter compresses it, on stdout: length, then frame.
record() {
    zstd -q -c "$1" >frame
    hex=$(printf '%08x' "$(stat -c %s frame)")
    # shellcheck disable=SC2059  # the bytes are the format
    printf "\\x${hex:0:2}\\x${hex:2:2}\\x${hex:4:2}\\x${hex:6:2}"
    cat frame
}

@test "messages that the Collector's file exporter compressed one by one, as JSON and as protobuf" {
    shop 2 >a.csv
    "$TK" import a.csv -o r >/dev/null
    "$TK" export otlp r -o json >/dev/null
    "$TK" export otlp-proto r -o proto >/dev/null
    head -n 1 json/spans.otlp.jsonl | tr -d '\n' >message
    { record message; record message; } >twice.json
    tail -c +5 proto/spans.otlp.pb >message
    { record message; record message; } >twice.pb
    for file in twice.json twice.pb; do
        run -0 --separate-stderr "$TK" import --keep-duplicates --json "$file" -o "r.$file"
        [ "$(jq -c '[.spans, .traces, .refused]' <<<"$output")" = "[12,2,0]" ]
        run -1 "$TK" import --max-bytes 100 "$file" -o "b.$file"
        [[ $output == *"$file: byte 0: inflates to more than 100 bytes; --max-bytes allows more" ]]
        size=$(($(stat -c %s "$file") / 2))
        head -c -1 "$file" >torn
        run -1 "$TK" import torn -o "t.$file"
        [[ $output == *"torn: byte $size: the record breaks off" ]]
        { head -c $((size + 4)) "$file"; head -c "$size" /dev/zero; } >damaged
        run -1 "$TK" import damaged -o "d.$file"
        [[ $output == *"damaged: byte $size: damaged zstd data: "* ]]
    done
}

@test "a file that inflates to whole MiB is read to its end" {
    { shop 2; head -c 1048576 /dev/zero | tr '\0' '\n'; } | head -c 1048576 | zstd -q >mib.zst
    run -0 "$TK" import mib.zst -o r
    [[ $output == *"spans   6 of 2 traces and 2 services"* ]]
}

@test "a pipe is read to its end" {
    run -0 bash -c "$(declare -f shop); shop 4 | zstd | '$TK' import - -o r"
    [[ $output == *"spans   12 of 4 traces and 2 services"* ]]
}

@test "odd traces are kept as they are: orphans, roots, cycles, skew; a trace of 100,000 spans" {
    {
        echo trace_id,span_id,parent_id,start_ns,end_ns
        echo 1,1,99,10,20   # an orphan
        echo 1,2,,10,20     # two roots
        echo 1,3,,10,20
        echo 1,4,5,10,20    # a cycle, and one of one
        echo 1,5,4,10,20
        echo 1,6,6,10,20
        echo 1,7,2,5,30     # a child around its parent
        echo 1,8,2,40,35    # ends before it starts
        echo 1,8,2,41,42    # an id that was there
        for ((i = 1; i <= 100000; i++)); do echo "2,$i,$((i / 2)),$i,100000"; done
    } >odd.csv
    run -0 "$TK" import odd.csv -o r
    [[ $output == *"spans   100,008 of 2 traces and 0 services"* ]]
    [[ $output == *"refused 1 span that came before"* ]]
    for format in jaeger zipkin chrome perfetto otlp jsonl csv; do
        "$TK" export "$format" r -o "out/$format" >/dev/null
    done
    [ "$(jq '[.data[].spans | length] | add' out/jaeger/spans.jaeger.json)" -eq 100008 ]
    [ "$(jq length out/zipkin/spans.zipkin.json)" -eq 100008 ]
    [ "$(jq '[.traceEvents[] | select(.ph == "X")] | length' out/chrome/spans.chrome.json)" -eq 100008 ]
    [ "$(wc -l <out/jsonl/spans.jsonl)" -eq 100008 ]
    [ "$(wc -l <out/csv/spans.csv)" -eq 100009 ]
}

@test "all cases of CRISP load, each with all its spans" {
    want crisp/test_cases
    n=0
    while read -r file; do
        wanted=$(jq '[.data[].spans | length] | add' "$file")
        n=$((n + 1))
        got=$("$TK" import --json "$file" -o "r$n" | jq .spans)
        [ "$got" -eq "$wanted" ] || { echo "$file: $got of $wanted spans"; false; }
    done < <(find "$data/crisp/test_cases" -name '*.json' | sort)
    [ "$n" -eq 33 ]
}

@test "real files: OTLP with lengths, CSV of Nezha without its duplicates, flat lines" {
    want traces
    while read -r file spans traces; do
        got=$("$TK" import --json "$data/traces/$file" -o "${file%%.*}" | jq -c '[.spans, .traces]')
        [ "$got" = "[$spans,$traces]" ] || { echo "$file: $got"; false; }
    done <<'FILES'
hipstershop-oteltraces.zst 86583 9047
astronomy-oteltraces.zst 64151 13211
nezha-onlineboutique-2022-08-22.csv.zst 846632 19107
oltp-arrow-2-traces.jsonl 35 9
FILES
}

@test "formats that lose nothing give the same spans back" {
    want traces/astronomy-oteltraces.zst
    "$TK" import "$data/traces/astronomy-oteltraces.zst" -o r >/dev/null
    "$TK" export jsonl r -o first >/dev/null
    for format in otlp otlp-proto jsonl; do
        "$TK" export "$format" r -o "$format" >/dev/null
        "$TK" import "$format"/spans.* -o "back-$format" >/dev/null
        "$TK" export jsonl "back-$format" -o "again-$format" >/dev/null
        cmp <(sort first/spans.jsonl) <(sort "again-$format/spans.jsonl")
    done
}

@test "slices of chrome nest on each lane" {
    shop 50 >a.csv
    "$TK" import a.csv -o r >/dev/null
    "$TK" export chrome r -o out >/dev/null
    python3 - out/spans.chrome.json <<'PY'
import collections, json, sys
lanes = collections.defaultdict(list)
events = json.load(open(sys.argv[1]))["traceEvents"]
for e in events:
    if e["ph"] == "X":
        lanes[e["pid"], e["tid"]].append((e["ts"], -e["dur"]))
for lane in lanes.values():
    ends = []
    for ts, dur in sorted(lane):
        while ends and ends[-1] <= ts:
            ends.pop()
        assert not ends or ts - dur <= ends[-1]
        ends.append(ts - dur)
starts = {e["id"]: e for e in events if e["ph"] == "s"}
assert sum(e["ph"] == "f" and e["id"] in starts for e in events) == 50
PY
}

# serve_traces FILE [TOKEN]: a Jaeger server that holds them; set url.
serve_traces() {
    "$BATS_TEST_DIRNAME/../peers/jaeger_stub.py" "$BATS_TEST_TMPDIR" "$@" 3>&- &
    stub=$!
    wait_until test -e port
    url=http://127.0.0.1:$(cat port)
}

@test "a Jaeger server is asked service by service, and each trace is kept once" {
    shop 5 >a.csv
    "$TK" import a.csv -o r >/dev/null
    "$TK" export jaeger r -o out >/dev/null
    serve_traces out/spans.jaeger.json
    run -0 --separate-stderr "$TK" import jaeger --url "$url/" -o all
    [[ $output == *"spans   15 of 5 traces and 2 services"* ]]
    [[ $output == *"repeats 15 spans that came with several services"* ]]
    [ -z "$stderr" ]
    grep -q '^/api/traces?service=shop&start=[0-9]*&end=[0-9]*&limit=1500$' log
    ! grep -q jaeger-query log || false
    run -0 --separate-stderr "$TK" import jaeger --url "$url" --service cart --limit 2 -o two
    [[ $output == *"spans   6 of 2 traces and 2 services"* ]]
    [[ $stderr == *"service cart: 2 traces came, which is the limit: there may be more; raise --limit or shorten --lookback"* ]]
}

@test "a Jaeger server that wants a token gets it from the environment only" {
    shop 1 >a.csv
    "$TK" import a.csv -o r >/dev/null
    "$TK" export jaeger r -o out >/dev/null
    serve_traces out/spans.jaeger.json secret
    run -1 "$TK" import jaeger --url "$url" -o a
    [[ $output == *"list of services: GET $url/api/services: status 401"* ]]
    JAEGER_TOKEN=secret "$TK" import jaeger --url "$url" -o b
    run -2 "$TK" import jaeger --url "http://ann:secret@127.0.0.1:1" -o c
    [[ $output == *"no credentials in addresses"* ]]
    kill "$stub"
    run -1 "$TK" import jaeger --url "$url" -o d
    [[ $output == *"GET $url/api/services: "* && $output != *"→"* ]]
    run -1 "$TK" import jaeger --url "$url" --service shop -o d
    [[ $output == *"service shop: GET $url/api/traces?"* && $output != *"→"* ]]
    [ ! -e d ]
}
