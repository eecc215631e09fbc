#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit completion: what the scripts offer in a real bash, zsh and fish.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir -p bin "logs/20261121T090229Z" "logs/RUN(c0)" "other folder"
    ln -s "$TK" bin/tracekit
    export PATH="$PWD/bin:$PATH"
}

# Candidates for the words of the arguments, the last of which is being typed. With `complete` as
# readline would do it, but for the terminal.
in_bash() {
    bash --norc -c '
        compopt() { :; }
        source <(tracekit completion bash)
        COMP_WORDS=(tracekit "$@") COMP_CWORD=$#
        _tracekit
        printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort -u
}

in_fish() {
    fish --no-config -c "tracekit completion fish | source; complete -C '$1'" | cut -f1 | sort
}

# What the command line becomes when TAB is pressed at its end: real shells on a pseudo terminal.
press_tab() {
    expect -c "
        set timeout 60
        log_user 0
        spawn env TERM=dumb PS1=ready> $1
        expect ready>
        send \"$2\r\"
        expect ready>
        send \"$3\t\"
        expect -re {$4} { exit 0 }
        exit 1"
}

@test "every subcommand and its options are offered" {
    [ "$(in_bash sch)" = schema ]
    commands=$("$TK" help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
    [ -n "$commands" ]
    for command in $commands; do
        [ "$(in_bash "$command" | wc -l)" -gt 0 ]
        options=$("$TK" "$command" --help | grep -oE '^ +(-., )?--[a-z0-9-]+' | grep -oE '\-\-[a-z0-9-]+' | sort -u)
        [ "$(in_bash "$command" --)" = "$options" ]
    done
}

@test "the choices of an option are offered, also after an equals sign" {
    [ "$(in_bash schema --format m)" = markdown ]
    [ "$(in_bash schema -f json)" = json-schema ]
    [ "$(in_bash schema --format = m)" = markdown ]
    [ "$(in_bash schema --format markdown host)" = host_metrics ]
}

@test "first arguments are offered once" {
    [ "$(in_bash completion '' | tr '\n' ' ')" = "bash fish zsh " ]
    [ -z "$(in_bash completion bash '')" ]
    [ "$(in_bash help compl)" = completion ]
}

@test "behind record and wrap comes a program, and then what is its own" {
    [ "$(in_bash record -- base32)" = base32 ]
    [ "$(in_bash record base32)" = base32 ]
    [ "$(in_bash record --interval 1s -- base32)" = base32 ]
    [ "$(in_bash record base32 ot)" = "other folder" ]
    [ "$(in_bash wrap -- ls --out)" = "" ]
    [ "$(in_bash record -- ls -o ot)" = "other folder" ]
    [ -z "$(in_bash record --interval '')" ]
}

@test "verbs are offered where they stand, options behind them" {
    [ "$(in_bash collect st | tr '\n' ' ')" = "start status stop " ]
    [ -z "$(in_bash collect start st)" ]
    [[ $(in_bash collect start --int) == --interval* ]]
    [ "$(in_bash verify '' | tr '\n' ' ')" = "cctf opendc " ]
    [ "$(in_bash verify cctf 2026)" = 20261121T090229Z ]
}

@test "runs are offered from logs/, beside folders" {
    [ "$(in_bash show 2026)" = 20261121T090229Z ]
    [ "$(in_bash show RU)" = "RUN(c0)" ]
    [ "$(in_bash show ot)" = "other folder" ]
}

@test "an unknown command offers nothing" {
    [ -z "$(in_bash nonsense '')" ]
}

@test "the scripts are valid" {
    "$TK" completion bash | bash -n
    if command -v zsh; then "$TK" completion zsh | zsh -n /dev/stdin; fi
    if command -v fish; then "$TK" completion fish | fish --no-config -n /dev/stdin; fi
    if command -v shellcheck; then "$TK" completion bash | shellcheck -s bash -; fi
}

@test "TAB completes in a real bash" {
    press_tab "bash --norc --noprofile -i" "source <(tracekit completion bash)" \
        "tracekit schema --form" "schema --format "
    press_tab "bash --norc --noprofile -i" "source <(tracekit completion bash)" \
        "tracekit show RU" 'show RUN..c0'
}

@test "TAB completes in a real zsh" {
    command -v zsh || skip "there is no zsh"
    press_tab "zsh -f -i" "autoload -U compinit; compinit -D; source <(tracekit completion zsh)" \
        "tracekit schema --form" "schema --format"
    press_tab "zsh -f -i" "autoload -U compinit; compinit -D; source <(tracekit completion zsh)" \
        "tracekit show 2026" "show 20261121T090229Z"
    press_tab "zsh -f -i" "autoload -U compinit; compinit -D; source <(tracekit completion zsh)" \
        "tracekit collect stat" "collect status"
    press_tab "zsh -f -i" "autoload -U compinit; compinit -D; source <(tracekit completion zsh)" \
        "tracekit record -- base3" "record -- base32"
}

@test "fish offers the same" {
    command -v fish || skip "there is no fish"
    [ "$(in_fish 'tracekit sch')" = schema ]
    [ "$(in_fish 'tracekit schema --format m')" = markdown ]
    [ "$(in_fish 'tracekit schema --format=m')" = "--format=markdown" ]
    [ "$(in_fish 'tracekit show 2026')" = 20261121T090229Z ]
    [ "$(in_fish 'tracekit completion z')" = zsh ]
    [ "$(in_fish 'tracekit collect sta' | tr '\n' ' ')" = "start status " ]
    in_fish 'tracekit record -- base3' | grep -qx base32
    in_fish 'tracekit record base3' | grep -qx base32
}

@test "a shell that is not known is a usage error" {
    run -2 "$TK" completion tcsh
    [[ $output == "tracekit completion: 'tcsh' is none of bash, zsh, fish"* ]]
    run -2 "$TK" completion
    [[ $output == "tracekit completion: name one shell: bash, zsh or fish"* ]]
}
