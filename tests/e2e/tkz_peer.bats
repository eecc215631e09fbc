#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Trees and starts of compressed traces, read by a second decoder that knows docs/format-tkz.md alone.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    command -v python3 >/dev/null || skip "there is no python3"
}

# Compress a file without attributes, whose texts would be too many, and read it both ways.
read_both() {
    "$TK" compress "$1" --attributes none --block-traces 100000 -o x.tkz
    "$TK" expand x.tkz --format csv -o x.csv
    run -0 python3 "$BATS_TEST_DIRNAME/../peers/tkz_topology.py" x.tkz x.csv
}

@test "a second decoder reads the trees of a small file" {
    read_both "$TK_TEST_DATA/spans/shop.json"
    [[ $output == *"traces, all equal" ]]
}

@test "a second decoder reads 9,047 traces of a shop" {
    shop=$TK_SHARED_DATA/traces/hipstershop-oteltraces.zst
    [ -f "$shop" ] || skip "there is no $shop"
    read_both "$shop"
    [ "$output" = "9047 traces, all equal" ]
}
