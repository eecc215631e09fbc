#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Real OTLP through a batch of spans: what comes out, as protobuf and as JSON, says of each span what
# was sent. Read by a walker of its own, tests/peers/otlp_walker.py.

bats_require_minimum_version 1.5.0

same() {
    local file=$TK_SHARED_DATA/traces/$1
    [ -e "$file" ] || skip "there is no $file"
    "${TK%/*}/otlp_tool" "$file" "$BATS_TEST_TMPDIR"
    run -0 python3 "$BATS_TEST_DIRNAME/../peers/otlp_walker.py" "$BATS_TEST_TMPDIR"
    [ "$output" = "$2 spans are the same" ]
}

@test "every span of the hipster shop comes out as it was sent" {
    same hipstershop-oteltraces.zst 86583
}

@test "every span of the astronomy shop comes out as it was sent" {
    same astronomy-oteltraces.zst 64151
}
