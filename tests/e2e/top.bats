#!/usr/bin/env bats
# tracekit top: frames to a pipe, and the screen in a pseudo terminal through expect.
# shellcheck disable=SC2016 # expect reads the variables in its scripts

bats_require_minimum_version 1.5.0

setup() {
    unset NO_COLOR COLUMNS LC_ALL LC_CTYPE
    export LANG=C.UTF-8 TERM=xterm
}

# on_terminal SCRIPT: run an expect script in which $top spawns the screen.
on_terminal() {
    command -v expect >/dev/null || skip "no expect"
    expect -c 'log_user 0; set timeout 60; proc top {args} { global env spawn_id
        uplevel [list eval spawn -noecho $env(TK) top -d 100ms $args] }' -c "$1"
}

@test "--batch prints frames of text, none wider than 80 columns" {
    "$TK" top --batch -n 2 -d 100ms -l 5 >"$BATS_TEST_TMPDIR/out"
    [ "$(grep -c '^ CPU ' "$BATS_TEST_TMPDIR/out")" -eq 2 ]
    [ "$(grep -c '^    pid ' "$BATS_TEST_TMPDIR/out")" -eq 2 ]
    [ "$(wc -L <"$BATS_TEST_TMPDIR/out")" -le 80 ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -le 29 ]
}

@test "without UTF-8 frames are ASCII" {
    LANG=C "$TK" top --batch -n 1 -d 100ms >"$BATS_TEST_TMPDIR/out"
    run ! grep -P '[^\x00-\x7F]' "$BATS_TEST_TMPDIR/out"
}

@test "--json prints an object a frame, with the shares of processes by nanosecond clocks" {
    (while :; do :; done) &
    busy=$!
    run -0 --separate-stderr "$TK" top --json -n 3 -d 200ms -l 0
    kill "$busy"
    [ "${#lines[@]}" -eq 3 ]
    jq -e --argjson pid "$busy" '
        (.processes[] | select(.pid == $pid) | .cpu_cores) > 0.01 and
        .cpu_busy_ratio > 0 and .alive > 1 and .own_rss_bytes > 0' <<<"${lines[2]}"
}

@test "nobody uses more CPU than there is, not even one that a sandbox hides from the first reading" {
    run -0 --separate-stderr "$TK" top --json -n 2 -d 200ms -l 0
    for frame in "${lines[@]}"; do # four times as much, as readings are not all of one moment
        jq -e --argjson cores "$(nproc --all)" '[.processes[].cpu_cores] | max < 4 * $cores' <<<"$frame"
    done
}

@test "it says by which tier processes are read" {
    run -0 --separate-stderr "$TK" top --json -n 1 -d 50ms --tier P0
    [ "$(jq -r .tier <<<"$output")" = P0 ]
    run -0 --separate-stderr "$TK" top --batch -n 1 -d 50ms --tier P
    [[ $output == *" data "*"tier P, exits "* ]]
}

@test "processes that end between two frames are shown by name" {
    run -0 "$TK" top --json -n 1 -d 50ms -l 1
    [ "$(jq -r .exit_source <<<"$output")" != none ] || skip "exits are not seen here"
    "$TK" top --json -n 3 -d 500ms -l 0 >"$BATS_TEST_TMPDIR/out" &
    top=$!
    while kill -0 "$top" 2>/dev/null; do /bin/true; done
    wait "$top"
    jq -se 'map(.processes[] | select(.comm == "true" and .ended > 0)) | length > 0' \
        "$BATS_TEST_TMPDIR/out"
}

@test "--sort and --filter choose what is shown" {
    run -0 "$TK" top --json -n 1 -d 50ms -l 0 --sort memory
    jq -e '[.processes[].rss_bytes // 0] | . == (sort | reverse)' <<<"$output"
    run -0 "$TK" top --json -n 1 -d 50ms -l 0 --filter BATS
    jq -e '[.processes[].comm | ascii_downcase | contains("bats")] | all' <<<"$output"
    run -2 "$TK" top --sort size
    [[ $output == *"'size' is none of cpu, memory, io, pid, name"* ]]
}

@test "it works without root" {
    command -v setpriv >/dev/null || skip "no setpriv"
    [ "$(id -u)" -eq 0 ] || skip "not root"
    run -0 setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$TK" top --json -n 1 -d 100ms
    jq -e '.alive >= 1 and .cpu_busy_ratio >= 0' <<<"$output"
}

@test "without a terminal it says what to use instead" {
    run -2 --separate-stderr "$TK" top </dev/null
    # shellcheck disable=SC2154 # bats sets it
    [[ $stderr == "tracekit top: there is no terminal: use --batch or --json"* ]]
}

@test "a terminal that is not known is one clear line" {
    TERM=nonsense on_terminal '
        top; expect -re "this terminal is not known" {} timeout { exit 3 } eof { exit 4 }
        expect eof; exit [expr {[lindex [wait] 3] == 1 ? 0 : 5}]'
}

@test "q quits, and the terminal is as it was" {
    on_terminal '
        top; expect "pid" {} timeout { exit 1 }
        send "q"; expect "\033\[?1049l" {} timeout { exit 3 }
        expect eof; exit [lindex [wait] 3]'
}

@test "keys sort, filter, pause and help" {
    on_terminal '
        top; expect "by cpu" {} timeout { exit 1 }
        send "m"; expect "memory" {} timeout { exit 3 }
        send "/"; expect "names with:" {} timeout { exit 4 }
        send "zzz\r"; expect "with zzz" {} timeout { exit 5 }
        send " "; expect "PAUSED" {} timeout { exit 6 }
        send "h"; expect "sort by memory" {} timeout { exit 7 }
        send "hq"; expect eof; exit [lindex [wait] 3]'
}

@test "SIGTERM gives the terminal back and ends it" {
    on_terminal '
        top; expect "by cpu" {} timeout { exit 1 }
        exec kill -TERM [exp_pid]
        expect "\033\[?1049l" {} timeout { exit 3 }
        expect eof; set status [wait]
        exit [expr {[lindex $status 4] eq "CHILDKILLED" && [lindex $status 5] eq "SIGTERM" ? 0 : 4}]'
}

@test "Ctrl-C is a way to quit" {
    on_terminal '
        top; expect "by cpu" {} timeout { exit 1 }
        send "\003"; expect "\033\[?1049l" {} timeout { exit 3 }
        expect eof; exit [lindex [wait] 3]'
}

@test "a terminal that shrinks is followed" {
    on_terminal '
        top; expect "by cpu" {} timeout { exit 1 }
        stty rows 12 columns 60 <$spawn_out(slave,name)
        exec kill -WINCH [exp_pid]
        expect "by cpu" {} timeout { exit 3 }
        send "q"; expect eof; exit [lindex [wait] 3]'
}

@test "a reader that goes away ends it" {
    run -0 bash -c "set -o pipefail; '$TK' top --batch -d 50ms -n 100 2>&1 | head -n 1; test \${PIPESTATUS[0]} -eq 141 -o \${PIPESTATUS[0]} -eq 0"
}

@test "every documented key of --json exists, and every key is documented" {
    page=$BATS_TEST_DIRNAME/../../docs/man/tracekit-top.1.scd
    "$TK" top --json -n 1 -d 50ms | jq -r '[paths | map(select(type == "string")) | last] | unique[]' |
        sort -u >"$BATS_TEST_TMPDIR/keys"
    sed -n '/^# JSON/,/^# EXIT/s/^\*\([a-z0-9_]*\)\*$/\1/p' "$page" | sort -u >"$BATS_TEST_TMPDIR/documented"
    diff "$BATS_TEST_TMPDIR/keys" "$BATS_TEST_TMPDIR/documented"
}
