#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit schema: the reference of the tables of a run.

bats_require_minimum_version 1.5.0

root=$BATS_TEST_DIRNAME/../..

@test "the committed reference is up to date" {
    # When this fails: tracekit schema --format markdown > docs/cctf.md
    "$TK" schema --format markdown | diff - "$root/docs/cctf.md"
}

@test "a table shows where it lies, its fields, types and units" {
    run -0 "$TK" schema host_metrics
    [[ ${lines[0]} == "host_metrics  "* ]]
    [[ $output == *"resources.jsonl, cctf/host_metrics.jsonl: one object a line"* ]]
    [[ $output =~ $'\n'"  ts_ms "+"int "+"ms "+"R  "[a-z] ]]
    [[ $output =~ $'\n'"  cpu_util "+"float "+"% " ]]
}

@test "lines are as long as the terminal is wide" {
    for width in 60 132; do
        COLUMNS=$width "$TK" schema >"$BATS_TEST_TMPDIR/$width"
        [ "$(awk '{ if (length > n) n = length } END { print n }' "$BATS_TEST_TMPDIR/$width")" -le "$width" ]
    done
    run -1 cmp -s "$BATS_TEST_TMPDIR/60" "$BATS_TEST_TMPDIR/132"
}

@test "the JSON Schema of one table is a document about it" {
    run -0 "$TK" schema --format json-schema proc_exit
    jq -e '."$ref" == "#/$defs/proc_exit"' <<<"$output"
    jq -e '."$defs".proc_exit.required | index("pid")' <<<"$output"
    jq -e '."$defs".proc_exit.properties.cpu_ns | .type == "integer" and ."x-unit" == "ns"' <<<"$output"
    run -0 "$TK" schema nodes -f json-schema
    jq -e '."$defs".nodes | .type == "array" and .items.properties.node_id.type == "string"' <<<"$output"
}

@test "the JSON Schema of all tables has each of the reference" {
    tables=$("$TK" schema -f markdown | sed -n 's/^## //p' | sort)
    [ "$(wc -l <<<"$tables")" -gt 20 ]
    [ "$("$TK" schema -f json-schema | jq -r '."$defs" | keys[]')" = "$tables" ]
}

@test "a table that is not known is a usage error that names the others" {
    run -2 "$TK" schema nonsense
    [[ $output == "tracekit schema: 'nonsense' is none of host_metrics, "* ]]
}
