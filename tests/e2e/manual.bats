#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The manual and the program agree: each subcommand has a page, its options are those of --help.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    commands=$("$TK" help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
    [ "$(wc -l <<<"$commands")" -gt 3 ]
}

page() {
    echo "docs/man/tracekit-$1.1.scd"
}

# The heads of the entries under OPTIONS, without mark-up: "-o, --output DIR".
page_entries() {
    sed -n '/^# OPTIONS/,/^# [^O]/s/^\*-/-/p' "$(page "$1")" | tr -d '*_'
}
help_entries() {
    "$TK" "$1" --help | sed -nE 's/^ +((-[A-Za-z], )?--[a-z0-9-]+).*/\1/p'
}

# Of such entries: each --name, and each "-o, --output".
names() {
    grep -oE -- '--[a-z0-9-]+' | sort
}
letters() {
    grep -oE -- '-[A-Za-z], --[a-z0-9-]+' | sort
}

# Run a check for each subcommand and name all that fail, not only the first.
each() {
    failed=
    for command in $commands; do
        "$1" "$command" || failed+=" $command"
    done
    [ -z "$failed" ] || { echo "$1 fails for:$failed"; false; }
}

has_page_and_test() {
    [ -f "$(page "$1")" ] && [ -f "tests/e2e/$1.bats" ] &&
        grep -q "^  'tracekit-$1',\$" meson.build
}
@test "each subcommand has a page, which is installed, and an end-to-end test" {
    each has_page_and_test
}

options_agree() {
    [ ! -f "$(page "$1")" ] || diff <(page_entries "$1" | names) <(help_entries "$1" | names)
}
@test "the options of a page are those of --help, and the other way round" {
    each options_agree
}

letters_agree() {
    [ ! -f "$(page "$1")" ] || diff <(page_entries "$1" | letters) <(help_entries "$1" | letters)
}
@test "so are their letters" {
    each letters_agree
}

variables_are_there() {
    [ ! -f "$(page "$1")" ] ||
        for name in $("$TK" "$1" --help | sed -nE 's/^ +.*--.*\[([A-Z_]+)\]$/\1/p'); do
            grep -q "\*$name\*" "$(page "$1")" || { echo "$1: $name"; false; } || return 1
        done
}
@test "a page names the environment variables of its options" {
    each variables_are_there
}

head_agrees() {
    [ ! -f "$(page "$1")" ] ||
        { [ "$(head -1 "$(page "$1")")" = "tracekit-$1(1)" ] &&
            grep -q "^tracekit-$1 - ..*" "$(page "$1")"; }
}
@test "a page begins with its name and one line about it" {
    each head_agrees
}

@test "the overview lists every subcommand and no other" {
    listed=$(sed -n '/^# COMMANDS/,/^# OPTIONS/s/^\*\([a-z-]*\)\*$/\1/p' docs/man/tracekit.1.scd)
    diff <(sort <<<"$listed") <(sort <<<"$commands")
}

@test "each page in the folder is that of a subcommand, or the overview" {
    for file in docs/man/*.scd; do
        name=${file#docs/man/tracekit}
        name=${name%.1.scd}
        [ -z "$name" ] || grep -qx -- "${name#-}" <<<"$commands"
    done
}
