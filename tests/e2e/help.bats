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

@test "no line of any help is wider than the terminal, nor than 100 columns" {
    commands=$("$TK" help | awk '/^  [a-z]/ { print $1 }')
    [ "$(wc -l <<<"$commands")" -gt 3 ]
    for columns in 80 200; do
        for command in $commands; do
            widest=$(COLUMNS=$columns "$TK" "$command" --help | wc -L)
            echo "$command: $widest of $columns"
            [ "$widest" -le $((columns < 100 ? columns : 100)) ]
        done
    done
}

@test "no command, and one that does not exist, are usage errors on stderr" {
    run -2 --separate-stderr "$TK"
    [ "$stderr" = "tracekit: a command is missing (see tracekit help)" ]
    [ -z "$output" ]
    run -2 --separate-stderr "$TK" nonsense
    [ "$stderr" = "tracekit: 'nonsense' is no command (see tracekit help)" ]
    run -2 "$TK" help nonsense
    [ "$output" = "tracekit: 'nonsense' is no command (see tracekit help)" ]
    run -2 "$TK" help show top
    [[ $output == "tracekit help: 'top' is one argument too many"* ]]
}

@test "an option that does not exist is a usage error that names it" {
    run -2 "$TK" help --nonsense
    [[ $output == "tracekit help: unknown option '--nonsense'"* ]]
}

@test "output that cannot be written is a failure" {
    run -1 bash -c "\"$TK\" help >/dev/full"
    [[ $output == *"No space left on device"* ]]
}

@test "a mistyped command or option is told what it may be meant to be" {
    run -2 "$TK" recrod
    [ "$output" = "tracekit: 'recrod' is no command: did you mean 'record'? (see tracekit help)" ]
    run -2 "$TK" show --jsn
    [[ $output == "tracekit show: unknown option '--jsn': did you mean '--json'?"* ]]
    run -2 "$TK" show --json=yes
    [[ $output == "tracekit show: option '--json' takes no value"* ]]
}

@test "results that did not arrive are a failure, told in one line" {
    for command in help schema "completion bash" "version"; do
        run -1 bash -c "exec $TK $command >&-"
        [[ $output == "tracekit: stdout: "* ]]
        [ "${#lines[@]}" -eq 1 ]
        run -1 bash -c "exec $TK $command >/dev/full"
        [[ $output == "tracekit: stdout: "* ]]
        [ "${#lines[@]}" -eq 1 ]
    done
}
