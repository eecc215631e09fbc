#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit help: the first thing that one types.

bats_require_minimum_version 1.5.0

@test "the list of commands goes to stdout, each with one line" {
    run -0 --separate-stderr "$TK" help
    [ -z "$stderr" ]
    [[ ${lines[0]} == "usage: tracekit COMMAND "* ]]
    [[ $output =~ $'\n'"  help "+[a-z] ]]
    [ "$output" = "$("$TK" --help)" ]
    [ "$output" = "$("$TK" -h)" ]
}

@test "the help of a command is what its --help prints" {
    run -0 "$TK" help version
    [[ ${lines[0]} == "usage: tracekit version"* ]]
    [ "$output" = "$("$TK" version --help)" ]
}

@test "no command, and one that does not exist, are usage errors on stderr" {
    run -2 --separate-stderr "$TK"
    [ "$stderr" = "tracekit: a command is missing (see tracekit help)" ]
    [ -z "$output" ]
    run -2 --separate-stderr "$TK" nonsense
    [ "$stderr" = "tracekit: 'nonsense' is no command (see tracekit help)" ]
    run -2 "$TK" help nonsense
    [[ $output == "tracekit help: 'nonsense' is no command"* ]]
}

@test "an option that does not exist is a usage error that names it" {
    run -2 "$TK" help --nonsense
    [[ $output == "tracekit help: unknown option '--nonsense'"* ]]
}

@test "output that cannot be written is a failure" {
    run -1 bash -c "\"$TK\" help >/dev/full"
    [[ $output == *"No space left on device"* ]]
}
