#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit parquet on files that pyarrow wrote. What other readers and writers say, value by value:
# parquet_peers.bats.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    files=$BATS_TEST_DIRNAME/../fuzz/corpus/parquet
}

@test "the schema shows nested columns indented" {
    run -0 "$TK" parquet schema "$files/nested-v1"
    [ "$output" = "optional group list (list)
  repeated group list
    optional int64 element
optional group deep (list)
  repeated group list
    optional group element (list)
      repeated group list
        optional int64 element
optional group map (map)
  repeated group key_value
    required bytes key (string)
    optional bytes value (string)
optional group struct
  optional int64 a
  optional group b (list)
    repeated group list
      optional bytes element (string)" ]
}

@test "head prints the first rows, nested ones as JSON" {
    for version in v1 v2; do
        run -0 "$TK" parquet head -n 3 "$files/nested-$version"
        [ "$output" = '{"list":null,"deep":[],"map":null,"struct":null}
{"list":[0],"deep":[[null,1],null,[]],"map":{"k0":null},"struct":{"a":1,"b":["x1"]}}
{"list":[0,1],"deep":[[null,2],null,[]],"map":{"k0":null,"k1":"v2"},"struct":{"a":2,"b":["x2","x2"]}}' ]
    done
}

@test "head stops after ten rows unless told, cat prints all" {
    run -0 "$TK" parquet head "$files/zstd"
    [ "${#lines[@]}" = 10 ]
    run -0 "$TK" parquet cat "$files/zstd"
    [ "${#lines[@]}" = 40 ]
}

@test "several files are one table with one line of names" {
    run -0 "$TK" parquet cat -n 2 --format csv "$files/zstd" "$files/gzip"
    [ "$output" = "i64,s
0,
-1,name 1 é
0,
-1,name 1 é" ]
}

@test "columns are chosen by name, by path and by the group above them" {
    run -0 "$TK" parquet head -n 2 --columns struct.a,map "$files/nested-v1"
    [ "$output" = '{"map":null,"struct":null}
{"map":{"k0":null},"struct":{"a":1}}' ]
}

@test "a column that is not there is an error that knows the near one" {
    run -1 "$TK" parquet head --columns strct "$files/nested-v1"
    [ "$output" = "tracekit parquet: $files/nested-v1: there is no column 'strct': did you mean 'struct'?" ]
}

@test "times are for people, or as they are stored" {
    run -0 "$TK" parquet head -n 1 --columns date,ts_ms,dec "$files/dictionary-v2"
    [ "$output" = '{"date":"1960-01-01","ts_ms":"2023-11-14T22:13:20.000Z","dec":-0.20}' ]
    run -0 "$TK" parquet head -n 1 --raw --columns date,ts_ms,dec "$files/dictionary-v2"
    [ "$output" = '{"date":-3653,"ts_ms":1700000000000,"dec":-20}' ]
}

@test "meta tells row groups, encodings, sizes and bounds" {
    run -0 env COLUMNS=200 "$TK" parquet meta "$files/delta"
    [[ ${lines[0]} == *"delta: 40 rows, 12 columns, 1 row group, "*", by parquet-cpp-arrow version "* ]]
    [[ $output =~ "i8 "+"int32 "+"none "+"RLE, DELTA_BINARY_PACKED "+"40 "+"0 ".*" -128 "+"-89" ]]
    run -0 "$TK" parquet meta --json "$files/delta"
    jq -e '.rows == 40 and .row_groups[0].columns[3].encodings[1] == "DELTA_BINARY_PACKED"' <<<"$output"
    jq -e '.row_groups[0].columns[0] | .column == "i8" and .min == "-128" and .nulls == 0' <<<"$output"
}

@test "a damaged page costs the rows from there on, with a message and status 1" {
    cp "$files/zstd" damaged
    head -c 64 /dev/zero | dd of=damaged bs=1 seek=4 conv=notrunc status=none
    run -1 --separate-stderr "$TK" parquet cat damaged
    # shellcheck disable=SC2154  # stderr is set by run --separate-stderr
    [[ $stderr == "tracekit parquet: damaged: column i64"* ]]
}

@test "what is no Parquet file is told" {
    echo "this is just some text" >text
    run -1 "$TK" parquet schema text
    [ "$output" = "tracekit parquet: text: no Parquet file: it does not end with PAR1" ]
    run -1 "$TK" parquet schema missing
    [ "$output" = "tracekit parquet: missing: No such file or directory" ]
    run -1 "$TK" parquet schema .
    [ "$output" = "tracekit parquet: .: is a folder, expected a Parquet file" ]
}

@test "usage errors say what is expected" {
    run -2 "$TK" parquet
    [[ ${lines[0]} == "tracekit parquet: expected what to do: head, cat, schema or meta"* ]]
    run -2 "$TK" parquet tail x
    [[ ${lines[0]} == "tracekit parquet: 'tail' is none of head, cat, schema, meta"* ]]
    run -2 "$TK" parquet head
    [[ ${lines[0]} == "tracekit parquet: expected a file"* ]]
}
