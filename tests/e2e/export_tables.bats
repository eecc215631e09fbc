#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit export csv and jsonl: every table of a run as lines. Parquet is for export_parquet.bats.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID
    runs=$TK_TEST_DATA/show
}

@test "jsonl: of a compact recording come the rows that parse makes of it" {
    "$TK" record --compact --interval 20ms -o run -- sh -c 'for i in 1 2 3; do md5sum /dev/null; sleep 0.1; done' >/dev/null 2>&1
    [ ! -e run/proc_metrics.jsonl ]
    "$TK" export jsonl run -o out
    "$TK" parse run >/dev/null
    for table in host_metrics proc_metrics proc_events proc_exit clock invocations; do
        [ -s "out/$table.jsonl" ]
        diff <(sort "run/cctf/$table.jsonl") <(sort "out/$table.jsonl")
    done
}

@test "jsonl: of a run that was parsed come the tables of cctf, documents as a line each" {
    cp -r "$runs/compile" run
    chmod -R u+w run
    "$TK" parse run >/dev/null
    run -0 "$TK" export jsonl run -o out
    cmp run/cctf/proc_cpu.jsonl out/proc_cpu.jsonl
    cmp run/cctf/proc_rss.jsonl out/proc_rss.jsonl
    diff <(jq -cS '.[]' run/cctf/nodes.json) <(jq -cS . out/nodes.jsonl)
    diff <(jq -cS . run/cctf/run.json) <(jq -cS . out/run.jsonl)
    [[ $output == *"out/nodes.jsonl: 1 row, "* ]]
}

# Rows of a CSV file as Python's csv module reads them: an object a row, without what is empty.
from_csv() {
    python3 - "$1" <<'PY'
import csv, json, sys
with open(sys.argv[1], newline="") as lines:
    rows = csv.reader(lines)
    names = next(rows)
    for row in rows:
        assert len(row) == len(names), row
        print(json.dumps({n: v for n, v in zip(names, row) if v != ""}, sort_keys=True))
PY
}

# The same of JSON Lines: values as text.
from_jsonl() {
    python3 - "$1" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    row = json.loads(line, parse_float=str, parse_int=str)
    text = lambda v: {True: "true", False: "false"}[v] if isinstance(v, bool) else v
    row = {n: text(v) for n, v in row.items() if v is not None and v != ""}
    print(json.dumps(row, sort_keys=True))
PY
}

@test "csv: an independent reader sees the values of jsonl in every table" {
    "$TK" export csv "$runs/compile" -o csv
    "$TK" export jsonl "$runs/compile" -o jsonl
    for table in host_metrics proc_metrics proc_exit disk_metrics clock invocations; do
        [ -s "csv/$table.csv" ]
        diff <(from_csv "csv/$table.csv") <(from_jsonl "jsonl/$table.jsonl")
    done
    [ "$(find csv -name '*.csv' | wc -l)" = "$(find jsonl -name '*.jsonl' | wc -l)" ]
}

@test "csv: quotes, commas, ends of lines and blanks come back; null is empty, no text is quoted" {
    mkdir run
    echo '{"run_id":"r","node":"n","host":"h","cpu_cores":1}' >run/node_meta.json
    cat >run/proc_metrics.jsonl <<'JSON'
{"ts_ms":1,"pid":1,"comm":"a \"b\", c\nd"}
{"ts_ms":2,"pid":2,"comm":""}
{"ts_ms":3,"pid":3,"comm":null}
{"ts_ms":4,"pid":4,"comm":" é "}
JSON
    "$TK" export csv run -o out
    python3 - <<'PY'
import csv
rows = list(csv.DictReader(open("out/proc_metrics.csv", newline="")))
assert [r["comm"] for r in rows] == ['a "b", c\nd', "", "", " é "], rows
assert [r["pid"] for r in rows] == ["1", "2", "3", "4"], rows
PY
    [ "$(sed -n 4p out/proc_metrics.csv | cut -d, -f13)" = '""' ]
    [ "$(sed -n 5p out/proc_metrics.csv | cut -d, -f13)" = '' ]
}

@test "what is left out is told: damaged rows, fields that no table has" {
    run -0 "$TK" export csv "$runs/killed" -o out
    [[ $output == *"out/proc_metrics.csv: left out 1 damaged row; the first: the last line is torn"* ]]
    mkdir run
    echo '{"run_id":"r","node":"n","host":"h","cpu_cores":1}' >run/node_meta.json
    echo '{"ts_ms":1,"pid":1,"colour":"red"}' >run/proc_metrics.jsonl
    run -0 "$TK" export jsonl run -o out2
    [[ $output == *"out2/proc_metrics.jsonl: left out 1 value of fields that the table has not"* ]]
}

@test "several runs get a folder each" {
    "$TK" export csv "$runs/compile" "$runs/service" -o out
    [ -s out/compile/proc_metrics.csv ]
    [ -s out/service/proc_metrics.csv ]
}

@test "memory does not follow the size of a table" {
    (ulimit -v 200000 && "$TK" version) >/dev/null 2>&1 ||
        skip "a sanitizer takes address space of its own"
    mkdir run
    echo '{"run_id":"r","node":"n","host":"h","cpu_cores":1}' >run/node_meta.json
    seq 1000000 | sed 's/.*/{"ts_ms":1000&,"pid":7,"rss_kb":1234,"comm":"a process","start_ticks":&}/' >run/proc_metrics.jsonl
    for format in csv jsonl; do
        (ulimit -v 200000 && "$TK" export $format run -o $format) >/dev/null
    done
    [ "$(wc -l <csv/proc_metrics.csv)" = 1000001 ]
    [ "$(wc -l <jsonl/proc_metrics.jsonl)" = 1000000 ]
}

@test "a codec is of no use for lines; a folder that is no run has no tables" {
    run -1 "$TK" export csv "$runs/compile" -o out --compression zstd
    [ "$output" = "tracekit export: --compression is of no use for csv" ]
    # Nothing is written with its names by somebody who wants them hidden.
    for format in csv jsonl otlp parquet; do
        run -1 "$TK" export "$format" "$runs/compile" -o out --anonymise
        [[ $output == *"--anonymise is of no use here: tables keep names and ids" ]]
    done
    [ ! -e out ]
    mkdir empty
    run -1 "$TK" export jsonl empty -o out
    [ "$output" = "tracekit export: empty: no table of a run" ]
}
