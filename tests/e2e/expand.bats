#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit expand: from the file alone, in all formats, and what is left of a damaged file.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    "$TK" compress "$TK_TEST_DATA/spans/shop.json" -o near.tkz
    "$TK" compress "$TK_TEST_DATA/spans/shop.json" --lossless -o whole.tkz
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    near=$BATS_FILE_TMPDIR/near.tkz
    whole=$BATS_FILE_TMPDIR/whole.tkz
}

# What a span is called, where, and how it went, of each line.
essence() {
    jq -c '[.resource["service.name"], .name, .kind, .status.code]' "$1" | sort
}

@test "every format holds every span" {
    spans=$("$TK" tkz info --json "$near" | jq .spans)
    for format in otlp otlp-proto jaeger zipkin gent jsonl csv chrome perfetto; do
        run -0 "$TK" expand "$near" --format $format -o "out.$format"
        [ "$output" = "→ out.$format: $spans spans" ]
    done
    for format in otlp otlp-proto jaeger zipkin gent jsonl csv; do
        "$TK" import "out.$format" -o "run.$format" --json >receipt
        [ "$(jq .spans receipt)" -eq "$spans" ]
    done
    run -0 "$TK" expand "$near" --format parquet -o run
    [ "$("$TK" spans run --limit 1000 --json | wc -l)" -eq "$spans" ]
}

# Or skip: what a machine without SQLite says is told by the line.
expand_database() {
    run "$TK" expand "$1" --format sqlite -o "$2"
    [[ $output != *"needs SQLite"* ]] || skip "$output"
    [ "$status" -eq 0 ]
    [ "$output" = "→ $2: $("$TK" tkz info --json "$1" | jq .spans) spans" ]
}

@test "a database has the rows of the CSV, and resources, events and links as JSON" {
    for file in "$near" "$whole"; do
        expand_database "$file" spans.sqlite
        "$TK" expand "$file" --format csv -o spans.csv
        "$TK" expand "$file" --format jsonl -o spans.jsonl
        python3 - <<'PYTHON'
import csv, json, sqlite3
db = sqlite3.connect("file:spans.sqlite?mode=ro", uri=True)
assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
expected = list(csv.DictReader(open("spans.csv", encoding="utf-8", newline="")))
rows = db.execute(f"SELECT {', '.join(expected[0])} FROM spans ORDER BY rowid").fetchall()
found = [dict(zip(expected[0], ("" if v is None else str(v) for v in row))) for row in rows]
assert len(found) > 10 and found == expected, (found, expected)
more = db.execute("SELECT r.attributes, events, links FROM spans"
                  " JOIN resources AS r ON r.id = resource ORDER BY spans.rowid").fetchall()
lines = [json.loads(line) for line in open("spans.jsonl", encoding="utf-8")]
assert [[json.loads(r), json.loads(e or "[]"), json.loads(l or "[]")] for r, e, l in more] == \
    [[line["resource"], line.get("events", []), line.get("links", [])] for line in lines]
distinct, = db.execute("SELECT COUNT(*) = COUNT(DISTINCT attributes) FROM resources").fetchone()
assert distinct
PYTHON
    done
}

@test "the views of a database are the table that fidelity export writes" {
    expand_database "$whole" spans.sqlite
    "$TK" expand "$whole" -o spans.otlp
    "$TK" fidelity export spans.otlp --sql spans.sql
    python3 - <<'PYTHON'
import sqlite3
own = sqlite3.connect("spans.sqlite")
table = sqlite3.connect(":memory:")
table.executescript(open("spans.sql", encoding="utf-8").read())
no_cycle = " WHERE traceId NOT LIKE 'd00d%' ORDER BY traceId, spanId"
found = own.execute("SELECT * FROM GentSpans" + no_cycle)
expected = table.execute("SELECT * FROM Spans" + no_cycle)
assert [c[0] for c in found.description] == [c[0] for c in expected.description]
rows = found.fetchall()
assert len(rows) > 10 and rows == expected.fetchall()
traces = "SELECT traceId FROM {}Traces ORDER BY 1"
assert own.execute(traces.format("Gent")).fetchall() == table.execute(traces.format("")).fetchall()
PYTHON
}

@test "a database takes its place when it is whole, or not at all" {
    echo old >spans.sqlite
    head -c $(($(stat -c %s "$near") * 6 / 10)) "$near" >cut.tkz
    run -1 "$TK" expand cut.tkz --format sqlite -o spans.sqlite
    [ "$(cat spans.sqlite)" = old ]
    [ "$(find . -type f | sort | paste -sd,)" = ./cut.tkz,./spans.sqlite ]
    expand_database "$near" spans.sqlite
    [ "$(head -c 13 spans.sqlite)" = "SQLite format" ]
    run -1 "$TK" expand "$near" --format sqlite -o -
    [ "$output" = "tracekit expand: a database needs a file: --output FILE" ]
}

@test "names, services, kinds and errors come back" {
    "$TK" expand "$near" --format jsonl -o near.jsonl
    "$TK" expand "$whole" --format jsonl -o whole.jsonl
    [ "$(essence near.jsonl)" = "$(essence whole.jsonl)" ]
}

@test "nothing but the file is needed, and the seed decides" {
    mkdir empty
    cp "$near" empty/x.tkz
    cd empty
    env -i "$TK" expand x.tkz --format jsonl -o - 2>/dev/null >../one
    env -i "$TK" expand x.tkz --format jsonl -o - --threads 3 2>/dev/null >../two
    cmp ../one ../two
    "$TK" expand x.tkz --format jsonl --seed 99 -o ../three
    run -1 cmp ../one ../three
}

@test "a file without its end is read, and told" {
    head -c -20 "$near" >cut.tkz
    run -0 "$TK" expand cut.tkz -o cut.jsonl
    [[ $output == *"cut.tkz: has no index at its end"* ]]
}

@test "a damaged file fails with one line, writes nothing, and gives what is left when told to" {
    size=$(stat -c %s "$near")
    head -c $((size * 6 / 10)) "$near" >cut.tkz
    run -1 "$TK" expand cut.tkz -o cut.jsonl
    [[ ${lines[-1]} == "tracekit expand: cut.tkz: is damaged; --partial writes what is left" ]]
    [ ! -e cut.jsonl ]
    run -0 "$TK" expand cut.tkz --partial -o cut.jsonl
    [ -e cut.jsonl ]
}

@test "what is no format is a usage error that names the one that is meant" {
    run -2 "$TK" expand "$near" --format jager -o x
    [[ $output == *"option '--format': 'jager' is no format: did you mean 'jaeger'?"* ]]
}
