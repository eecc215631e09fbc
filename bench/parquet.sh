#!/bin/bash
# The files of bench/parquet beside those that DuckDB writes of the same rows with the same codec, in
# row groups of the same size. Wants DuckDB as tests/e2e/parquet_peers.bats installs it.
# usage: bench/parquet.sh BUILD [ROWS]
set -eu
cd "$(dirname "$0")/.."
build=$1
rows=${2:-5000000}
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
"$build/parquet" --rows "$rows" --output "$files"
node bench/parquet_duckdb.mjs "$files"
