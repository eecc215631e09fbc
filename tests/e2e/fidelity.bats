#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit fidelity: what it takes, prints and refuses. That the ten queries are those of SQL is
# shown by tests/peers/fidelity_sql.py, on small sets and on slices of the shared ones.

# shellcheck disable=SC2154  # stderr is set by run --separate-stderr

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    "$TK" import -o shop "$TK_TEST_DATA/spans/shop.json" >import.log 2>&1 || { cat import.log; return 1; }
    "$TK" export jsonl shop -o out >/dev/null
    # Every second trace; jq would round their times.
    grep -E '"trace_id":"[0-9a-f]*[02468ace]"' out/spans.jsonl >half.jsonl
    [ -s half.jsonl ] && [ "$(wc -l <half.jsonl)" -lt "$(wc -l <out/spans.jsonl)" ]
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
    unset NO_COLOR COLUMNS LC_ALL LC_CTYPE
    export LANG=C.UTF-8 TERM=xterm
}

# figure NAME RULE: its value without a detail, from JSON on standard input.
figure() {
    jq -r --arg name "$1" --arg rule "$2" \
        '.figures[] | select(.group == "queries" and .name == $name and .rule == $rule and .detail == null) | .value'
}

@test "a set of traces is at no distance from itself, whatever it comes as" {
    for a in shop out/spans.jsonl; do
        for b in shop out/spans.jsonl; do
            "$TK" fidelity "$a" "$b" --format json >out.json
            [ "$(jq '[.figures[] | select(.sense == "distance" and .value != null and .value != 0)] | length' out.json)" = 0 ]
            [ "$(figure mean strict <out.json)" = 0 ]
            [ "$(figure mean compat <out.json)" = 0 ]
        done
    done
}

@test "half of the traces are at some distance" {
    "$TK" fidelity compare half.jsonl shop -m queries --format json >out.json
    [ "$(jq .a.traces out.json)" -lt "$(jq .b.traces out.json)" ]
    jq -e '[.figures[] | select(.group == "queries" and .value != null) | .value >= 0 and .value <= 1] | all' out.json
    awk -v d="$(figure mean strict <out.json)" 'BEGIN { exit !(d > 0.05 && d < 1) }'
}

@test "compat and strict stand side by side in 80 columns" {
    "$TK" fidelity half.jsonl shop >table
    [ "$(wc -L <table)" -le 80 ]
    grep -qE '^queries +compat +strict +best +floor$' table
    [ "$(grep -cE '^red_rate ' table)" = 2 ]
    run -1 grep -q 'window 5m' table
    grep -q '^floor  what chance makes' table
    "$TK" fidelity half.jsonl shop --details >table
    grep -qE '^queries +compat +strict +best +rests on$' table
    [ "$(wc -L <table)" -le 80 ]
    grep -qE '^red_rate, window 5m +0\.[0-9]+' table
}

@test "CSV has a figure a line" {
    "$TK" fidelity half.jsonl shop -m queries -q red_rate -f csv >figures.csv
    [ "$(head -1 figures.csv)" = "group,name,detail,rule,sense,value,reason,samples,floor,uninformative" ]
    grep -qE '^queries,red_rate,window 5m,strict,distance,0\.[0-9]+,,[0-9]+,0\.[0-9]+,$' figures.csv
    run -1 grep -q red_error figures.csv
}

@test "controls stand beside: what chance makes, and what likes traces that are wrong on purpose" {
    # Half of the traces count half as often, which a compatible query sees, and a redrawn time it does not.
    "$TK" fidelity half.jsonl shop -m queries --format json >out.json
    [ "$(jq -c '.controls | map(.name)' out.json)" = \
        '["halves","uniform-starts","constant-starts","shuffled-attributes","swapped-durations"]' ]
    jq -e '.figures[] | select(.name == "mean" and .detail == null and .rule == "compat") |
        .uninformative == "uniform-starts" and .floor > 0' out.json
    jq -e 'all(.figures[] | select(.group == "totals"); .uninformative == null)' out.json
    # The same as of the control by hand.
    "$TK" fidelity control uniform-starts shop -o uniform.otlp.pb 2>/dev/null
    "$TK" fidelity uniform.otlp.pb shop -m queries --no-controls --format json >uniform.json
    jq -e 'has("controls") | not' uniform.json
    [ "$(jq '.controls[1].figures[] | select(.name == "red_rate" and .rule == "strict").value' out.json)" = \
        "$(jq '.figures[] | select(.name == "red_rate" and .rule == "strict" and .detail == null).value' uniform.json)" ]
    # Nothing is better than the set itself.
    "$TK" fidelity shop shop -m queries,time --format json | jq -e 'all(.figures[]; .uninformative == null)'
    "$TK" fidelity half.jsonl shop -m queries >table
    grep -q '^!  no use here: traces that are wrong on purpose come out better$' table
    grep -qE '^mean +0\.[0-9]+! ' table
    grep -q '^   queries mean compat: uniform-starts$' table
    grep -q '^   uniform-starts: each trace starts at random in the window, all else kept$' table
}

@test "an incident chooses its queries" {
    "$TK" fidelity shop shop -m queries --incident latency -f csv >figures.csv
    [ "$(grep -c '^queries,.*,compat,' figures.csv)" = 6 ]
    grep -q '^queries,bottlenecks,' figures.csv
    run -1 grep -q '^queries,error_traces,' figures.csv
}

@test "windows are those that are asked for" {
    run -2 "$TK" fidelity half.jsonl shop -m queries -q red_rate --windows 1m,soon
    [[ $output == *"'soon' is no duration"* ]]
    "$TK" fidelity half.jsonl shop -m queries -q red_rate --windows 1m,1h -f csv >figures.csv
    grep -q '^queries,red_rate,window 1h,strict,' figures.csv
}

@test "a query prints its rows, of the parameters that are named" {
    "$TK" fidelity query shop red_duration >rows.csv
    [ "$(head -1 rows.csv)" = "service_name,f,c" ]
    [ "$(tail -n +2 rows.csv | awk -F, '{ n += $NF } END { print n }')" = "$(wc -l <out/spans.jsonl)" ]
    service=$(sed -n 2p rows.csv | cut -d, -f1)
    "$TK" fidelity query shop red_duration --param "service_name=$service" >one.csv
    diff <(grep "^$service," rows.csv) <(tail -n +2 one.csv)
}

@test "a folder of files is one set, and what is no file of spans is told" {
    mkdir -p folder
    head -n 5 out/spans.jsonl >folder/a.jsonl
    tail -n +4 out/spans.jsonl | gzip >folder/b.jsonl.gz
    echo hello >folder/README
    run --separate-stderr "$TK" fidelity folder shop -f json
    [ "$status" = 0 ]
    [ "$(jq '.a.spans == .b.spans' <<<"$output")" = true ]
    [[ $stderr == *"left out: 2 spans that came before"* ]]
    [[ $stderr == *"left out: 1 file of no format of spans, folder/README"* ]]
}

@test "standard input is a set" {
    "$TK" fidelity - shop -f json <out/spans.jsonl >out.json
    [ "$(figure mean strict <out.json)" = 0 ]
}

@test "what is wrong is told in one line" {
    run -2 "$TK" fidelity
    [[ $output == "tracekit fidelity: expected two sets of traces"* ]]
    run -2 "$TK" fidelity shop
    [[ $output == "tracekit fidelity: expected two sets of traces"* ]]
    run -2 "$TK" fidelity shop shop shop
    [[ $output == *"'shop' is one argument too many"* ]]
    run -1 "$TK" fidelity shop nowhere
    [ "$output" = "tracekit fidelity: nowhere: there is no such file, folder or run" ]
    run -2 "$TK" fidelity shop shop --queries red_rat
    [[ $output == *"'red_rat' is none of the ten: did you mean 'red_rate'?"* ]]
    run -2 "$TK" fidelity shop shop --measures nonsense
    [[ $output == *"'nonsense' is no measure"* ]]
    run -2 "$TK" fidelity shop shop --incident fire
    [[ $output == *"'fire' is no incident"* ]]
    run -2 "$TK" fidelity shop shop --param service=x
    [[ $output == *"'service' is no parameter of a query"* ]]
    run -2 "$TK" fidelity query shop red_rat
    [[ $output == *"did you mean 'red_rate'?"* ]]
    run -1 "$TK" fidelity query shop attribute_frequency --param attr_name=spanId
    [ "$output" = "tracekit fidelity: attr_name: 'spanId' is no column" ]
    echo hello >hello
    run -1 "$TK" fidelity hello shop
    [[ $output == "tracekit fidelity: hello: is of no format of spans"* ]]
    mkdir -p nothing
    run -1 "$TK" fidelity nothing shop
    [[ $output == *"nothing: is no run with spans, and holds no files"* ]]
    run -2 "$TK" fidelity export shop
    [[ $output == *"--sql FILE says where the table goes"* ]]
    run -1 "$TK" fidelity export shop --sql /nowhere/x.sql
    [ "$output" = "tracekit fidelity: /nowhere/: No such file or directory" ]
}

@test "a table that cannot be written whole leaves the file that was there" {
    echo old >spans.sql
    run -1 bash -c 'trap "" XFSZ; ulimit -f 1; exec "$TK" fidelity export shop --sql spans.sql'
    [ "$output" = "tracekit fidelity: spans.sql: File too large" ]
    [ "$(cat spans.sql)" = old ]
    [ -z "$(find . -name '.spans.sql*')" ]
    [ -e /dev/full ] || skip "no /dev/full"
    run -1 bash -c 'exec "$TK" fidelity export shop --sql - >/dev/full'
    [ "$output" = "tracekit fidelity: standard output: No space left on device" ]
}

@test "the exported table is SQL, with its view and the name that is asked for" {
    "$TK" fidelity export shop --sql spans.sql --table Real
    grep -q '^CREATE VIEW "RealTraces" AS SELECT DISTINCT traceId FROM "RealSpans";$' spans.sql
    python3 - <<'PY'
import sqlite3
db = sqlite3.connect(":memory:")
db.executescript(open("spans.sql").read())
spans = db.execute('SELECT COUNT(*), COUNT(DISTINCT spanId) FROM RealSpans').fetchone()
lines = sum(1 for _ in open("out/spans.jsonl"))
assert spans == (lines, lines), (spans, lines)
traces, = db.execute('SELECT COUNT(*) FROM RealTraces').fetchone()
distinct, = db.execute('SELECT COUNT(DISTINCT traceId) FROM RealSpans').fetchone()
assert traces == distinct > 1
tops, = db.execute("SELECT COUNT(*) FROM RealSpans WHERE parentId LIKE 'top%'").fetchone()
children, = db.execute("SELECT COUNT(*) FROM RealSpans a JOIN RealSpans b ON a.spanId = b.parentId").fetchone()
assert tops + children == lines and tops >= traces
PY
}

@test "templates in SQL give what the ten queries give" {
    cat >templates.sql <<'SQL'
-- name: red_rate
-- incidents: latency
SELECT startTime / 3600 AS f, COUNT(*) AS c FROM {table_name}
WHERE serviceName = '{service_name}' GROUP BY f;
-- name: bottlenecks
SELECT ROUND((S2.endTime - S2.startTime) / (S1.endTime - S1.startTime), 1) AS f, COUNT(*) AS c
FROM {table_name} AS S1 JOIN {table_name} AS S2 ON S1.traceId = S2.traceId
WHERE S1.serviceName = '{entry_point}' AND S2.serviceName = '{service_name}' GROUP BY f;
-- name: filtered_attribute_frequency
SELECT {attr_name} AS f, COUNT(*) AS c FROM {table_name}
WHERE serviceName = '{service_name}' GROUP BY f;
SQL
    "$TK" fidelity templates half.jsonl shop --sql templates.sql -f json >out.json 2>err ||
        { grep -q "needs\? SQLite" err && skip "no SQLite"; cat err; false; }
    "$TK" fidelity half.jsonl shop -m queries -q red_rate,bottlenecks,filtered_attribute_frequency -f json >own.json
    for name in red_rate bottlenecks filtered_attribute_frequency; do
        sql=$(jq --arg name $name '.figures[] | select(.detail == $name and .rule == "compat") | [.value, .samples]' out.json)
        [ "$sql" = "$(jq --arg name $name '.figures[] | select(.name == $name and .rule == "compat" and .group == "queries") | [.value, .samples]' own.json)" ]
    done
    [ "$(jq '.figures[] | select(.name == "mean").value' out.json)" = "$(figure mean compat <own.json)" ]
    [ "$("$TK" fidelity templates half.jsonl shop --sql templates.sql --incident latency -f csv | grep -c ,query,)" = 2 ]
    echo 'SELECT 1 AS f FROM {table_name};' >bad.sql
    run -1 "$TK" fidelity templates half.jsonl shop --sql bad.sql
    [ "$output" = "tracekit fidelity: query 1: expected two columns, f and c" ]
    echo 'SELECT colour AS f, 1 AS c FROM {table_name};' >bad.sql
    run -1 "$TK" fidelity templates half.jsonl shop --sql bad.sql
    [ "$output" = "tracekit fidelity: query 1: SQLite: no such column: colour" ]
    echo 'SELECT {colour} AS f, 1 AS c FROM {table_name};' >bad.sql
    run -1 "$TK" fidelity templates half.jsonl shop --sql bad.sql
    [ "$output" = "tracekit fidelity: bad.sql: query 1: {colour} is no placeholder" ]
    run -2 "$TK" fidelity templates half.jsonl shop
    [[ $output == *"--sql FILE says where the queries are"* ]]
}

# same_as_sql SET: every row of the ten queries is that of SQLite.
same_as_sql() {
    python3 "$BATS_TEST_DIRNAME/../peers/fidelity_sql.py" "$TK" "$1" || { echo "$1 differs"; return 1; }
}

@test "the ten queries are those of SQL: small sets, zero durations, odd names" {
    same_as_sql shop
    cat >odd.jsonl <<'LINES'
{"trace_id":"00000000000000000000000000000001","span_id":"0000000000000001","name":"o","start_time_unix_nano":7200000,"end_time_unix_nano":7200000,"resource":{"service.name":"O'Brien"},"attributes":{"a":"it's","b":1,"c":-2,"d":"","e":true}}
{"trace_id":"00000000000000000000000000000001","span_id":"0000000000000002","parent_span_id":"0000000000000001","name":"o","start_time_unix_nano":7200999,"end_time_unix_nano":9300000,"resource":{"service.name":"Größe, \"x\""},"status":{"code":2},"attributes":{"a":"zwei\nZeilen","b":-1,"c":0,"d":"x","e":false}}
{"trace_id":"00000000000000000000000000000001","span_id":"0000000000000003","parent_span_id":"0000000000000002","name":"o","start_time_unix_nano":1000,"end_time_unix_nano":99000000,"resource":{"service.name":"O'Brien"},"attributes":{"http.method":"GET","http.status_code":302}}
{"trace_id":"00000000000000000000000000000002","span_id":"0000000000000001","parent_span_id":"0000000000000009","name":"o","start_time_unix_nano":5,"end_time_unix_nano":1005,"resource":{"service.name":"Größe, \"x\""}}
LINES
    same_as_sql odd.jsonl
}

@test "the ten queries are those of SQL: parts of the shared sets" {
    data=$TK_SHARED_DATA/traces
    [ -d "$data" ] || skip "no shared data in $TK_SHARED_DATA"
    for name in hipstershop astronomy; do
        "$TK" import "$data/$name-oteltraces.zst" -o "$name" >/dev/null
        "$TK" spans "$name" --json | head -n 6000 >"$name.jsonl"
        same_as_sql "$name.jsonl"
    done
    for name in onlineboutique-2022-08-22 trainticket-2023-01-29; do
        zstd -qdc "$data/nezha-$name.csv.zst" 2>/dev/null | head -n 6001 >"$name.csv"
        same_as_sql "$name.csv"
    done
}
