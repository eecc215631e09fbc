#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Independent readers and writers of Parquet judge ours: pyarrow (by pip), DuckDB and hyparquet (by
# npm). They are installed into a cache outside of the tree on first use; without a way to get them a
# test skips and says why.

bats_require_minimum_version 1.5.0

peers=$BATS_TEST_DIRNAME/../peers/parquet
samples=$(dirname "$TK")/parquet_sample

setup_file() {
    load peers
    peers_cache "$peers/requirements.txt" "$peers/package-lock.json"
    peers_pip "$peers/requirements.txt"
    peers_npm "$peers"
    export FILES=$BATS_FILE_TMPDIR TK_SCRATCH=$BATS_FILE_TMPDIR
    mkdir -p "$FILES/ours" "$FILES/pyarrow" "$FILES/duckdb"
    [ ! -x "$samples" ] || "$samples" "$FILES/ours"
}

setup() {
    load peers
    [ -x "$samples" ] || skip "there is no $samples: built without tests"
}

pyarrow() {
    peers_python pyarrow "$peers/pyarrow_peer.py" "$@"
}

duckdb() {
    peers_node DuckDB "$peers/duckdb_peer.mjs" "$@"
}

@test "pyarrow sees the rows that we wrote" {
    pyarrow compare "$TK" "$FILES"/ours/*.parquet
}

@test "the statistics that we wrote are those of the values" {
    pyarrow statistics "$FILES"/ours/*.parquet
}

@test "we see the rows that pyarrow wrote, in all encodings, codecs and versions of pages" {
    pyarrow write "$FILES/pyarrow"
    pyarrow compare "$TK" "$FILES"/pyarrow/*.parquet
}

@test "DuckDB and hyparquet see the rows that we wrote" {
    duckdb compare "$TK" "$FILES"/ours/*.parquet
}

@test "DuckDB finds every row by its value: no statistics hide one" {
    duckdb prune "$FILES"/ours/*.parquet
}

@test "we see the rows that DuckDB wrote, in all codecs and versions of pages" {
    duckdb write "$FILES/duckdb"
    duckdb compare "$TK" "$FILES"/duckdb/*.parquet
}
