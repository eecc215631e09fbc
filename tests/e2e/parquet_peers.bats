#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Independent readers and writers of Parquet judge ours: pyarrow (by pip), DuckDB and hyparquet (by
# npm). They are installed into a cache outside of the tree on first use; without a way to get them a
# test skips and says why.

bats_require_minimum_version 1.5.0

peers=$BATS_TEST_DIRNAME/../peers/parquet
samples=$(dirname "$TK")/parquet_sample

setup_file() {
    local wanted
    wanted=$(cat "$peers"/requirements.txt "$peers"/package-lock.json | sha256sum | cut -c1-12)
    export CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/tracekit-peers/$wanted
    export FILES=$BATS_FILE_TMPDIR TK_SCRATCH=$BATS_FILE_TMPDIR TK_PEERS=$CACHE/npm
    mkdir -p "$CACHE" "$FILES/ours" "$FILES/pyarrow" "$FILES/duckdb"
    [ -x "$samples" ] && "$samples" "$FILES/ours"
    if [ ! -e "$CACHE/venv.done" ]; then
        timeout 100 python3 -m venv "$CACHE/venv" &&
            timeout 100 "$CACHE/venv/bin/pip" install -q -r "$peers/requirements.txt" &&
            touch "$CACHE/venv.done"
    fi >"$FILES/pip.log" 2>&1
    if [ ! -e "$CACHE/npm.done" ]; then
        mkdir -p "$CACHE/npm" && cp "$peers"/package*.json "$CACHE/npm/" &&
            (cd "$CACHE/npm" && timeout 100 npm install --no-audit --no-fund) &&
            touch "$CACHE/npm.done"
    fi >"$FILES/npm.log" 2>&1
    return 0
}

setup() {
    [ -x "$samples" ] || skip "there is no $samples: built without tests"
}

pyarrow() {
    [ -e "$CACHE/venv.done" ] || skip "pyarrow cannot be had: $(tail -n 1 "$FILES/pip.log")"
    "$CACHE/venv/bin/python" "$peers/pyarrow_peer.py" "$@"
}

duckdb() {
    [ -e "$CACHE/npm.done" ] || skip "DuckDB cannot be had: $(tail -n 1 "$FILES/npm.log")"
    node "$peers/duckdb_peer.mjs" "$@"
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
