#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The folder of spans as other engines meet it: DuckDB reads it while it is written.

bats_require_minimum_version 1.5.0

peers=$BATS_TEST_DIRNAME/../peers/parquet
sample=$(dirname "$TK")/segment_sample

setup_file() {
    load peers
    peers_cache "$peers/requirements.txt" "$peers/package-lock.json"
    peers_npm "$peers"
}

setup() {
    load peers
    [ -x "$sample" ] || skip "there is no $sample: built without tests"
}

duckdb() {
    peers_node DuckDB "$peers/duckdb_spans.mjs" "$@"
}

@test "DuckDB reads the segments again and again while another process writes them" {
    spans=$BATS_TEST_TMPDIR/spans
    {
        "$sample" "$spans" 40
        touch "$spans.done"
    } &
    duckdb live "$spans"
    wait
    duckdb check "$spans"
}

@test "segments are sound Parquet files" {
    "$sample" "$BATS_TEST_TMPDIR/spans" 2
    for file in "$BATS_TEST_TMPDIR"/spans/*.parquet; do
        run -0 "$TK" parquet cat "$file"
        [ "${#lines[@]}" -eq 1000 ]
    done
    run ls "$BATS_TEST_TMPDIR/spans"
    [[ $output == "part-000001.parquet"$'\n'"part-000002.parquet" ]]
}
