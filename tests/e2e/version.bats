#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit version: the version that the build was made with.

bats_require_minimum_version 1.5.0

@test "the version is that of the build" {
    version=$(sed -n "s/^  version: '\(.*\)',/\1/p" "$BATS_TEST_DIRNAME/../../meson.build")
    [ -n "$version" ]
    run -0 "$TK" version
    [ "$output" = "tracekit $version" ]
    [ "$("$TK" --version)" = "$output" ]
    [ "$("$TK" -V)" = "$output" ]
    run -2 "$TK" version 2
    [[ $output == "tracekit version: '2' is one argument too many"* ]]
}
