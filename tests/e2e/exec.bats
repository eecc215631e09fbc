#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

load step_helpers

setup() {
    enter_build
}

teardown() {
    rm -rf "$TELEMETRY_DIR" # ends the watcher
    leave_build
}

@test "without a job a command is a job of its own, with one line on stderr" {
    run -0 --separate-stderr "$TK" exec -- echo hello
    [ "$output" = hello ]
    [[ $stderr =~ ^telemetry:\ echo\ \ ok\ \ .*\ cores ]]
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
    jq -e '.job == "build" and .version == "unknown" and .status == "success" and
        (.steps | length) == 1 and .steps[0].name == "echo" and .steps[0].kind == "exec" and
        .steps[0].exit_code == 0 and .steps[0].attempt == 1' "$(document)"
    ! grep -q hello "$(document)" || false # arguments are not recorded
}

@test "within a job it is a step, and steps in it know it" {
    in_shell 'telemetry_init build 2'
    "$TK" exec -n outer --attr colour=red -- sh -c "'$TK' exec -n inner -- true; \
        '$TK' step shell -- true; . '$SHELL_FUNCTIONS'; telemetry_step_start s; telemetry_step_end s"
    in_shell telemetry_finalize
    jq -e '[.steps[] | [.name, .id, .parent]] == [["outer", "s1", null], ["inner", "s2", "s1"],
        ["shell", "s3", "s1"], ["s", "s4", "s1"]] and .steps[0].attrs == {"colour": "red"}' "$(document)"
}

# The span id and the trace id of a TRACEPARENT.
span_of() { cut -d- -f3 <<<"$1"; }
trace_of() { cut -d- -f2 <<<"$1"; }

@test "what a command traces and the exported steps are one trace" {
    in_shell 'telemetry_init build 2; telemetry_step_start plain; telemetry_step_end plain'
    "$TK" exec -n outer -- sh -c "echo \$TRACEPARENT >outer; echo \$OTEL_RESOURCE_ATTRIBUTES >attributes;
        '$TK' exec -n inner -- sh -c 'echo \$TRACEPARENT >inner'"
    in_shell telemetry_finalize
    grep -qxE '00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]' outer
    grep -qx "tracekit.parent=$(cat outer)" attributes
    run -0 "$TK" report export otlp "$(document)"
    jq -e --arg trace "$(trace_of "$(cat outer)")" --arg outer "$(span_of "$(cat outer)")" \
        --arg inner "$(span_of "$(cat inner)")" '[.resourceSpans[0].scopeSpans[0].spans[]] as $s |
        ($s | all(.traceId == $trace)) and ($s | map(.spanId) | unique | length) == 4 and
        $s[0].parentSpanId == null and $s[1].parentSpanId == $s[0].spanId and
        $s[2].parentSpanId == $s[0].spanId and $s[2].spanId == $outer and
        $s[3].parentSpanId == $outer and $s[3].spanId == $inner' <<<"$output"
}

@test "a job that begins in a span is part of its trace, and the span of another trace is left alone" {
    ours=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
    theirs=00-11111111111111111111111111111111-2222222222222222-00
    TRACEPARENT=$ours in_shell 'telemetry_init build 2'
    TRACEPARENT=$ours "$TK" exec -n a -- sh -c 'echo $TRACEPARENT >a'
    TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-3333333333333333-01 "$TK" exec -n b -- true
    TRACEPARENT=$theirs "$TK" exec -n c -- sh -c 'echo $TRACEPARENT >c'
    in_shell telemetry_finalize
    [ "$(cat c)" = "$theirs" ]
    [ "$(trace_of "$(cat a)")" = 0af7651916cd43dd8448eb211c80319c ]
    run -0 "$TK" report export otlp "$(document)"
    jq -e --arg a "$(span_of "$(cat a)")" '[.resourceSpans[0].scopeSpans[0].spans[]] as $s |
        ($s | all(.traceId == "0af7651916cd43dd8448eb211c80319c")) and
        $s[0].parentSpanId == "b7ad6b7169203331" and $s[1].parentSpanId == $s[0].spanId and
        $s[1].spanId == $a and $s[2].parentSpanId == "3333333333333333" and
        $s[3].parentSpanId == $s[0].spanId' <<<"$output"
}

@test "exit statuses are those of a shell" {
    run -3 "$TK" exec -- sh -c 'exit 3'
    run -127 "$TK" exec -- ./missing
    [[ $output == *"cannot run './missing': No such file or directory"* ]]
    : >file
    run -126 "$TK" exec -- ./file
    run -143 "$TK" exec -- sh -c 'kill $$'
    run -2 "$TK" exec
    [[ $output == "tracekit exec: the command to run is missing"* ]]
    cat "$TELEMETRY_DIR"/*.json | jq -es 'map(.steps[0] | [.status, .exit_code, .signal]) | sort ==
        ([["failed", 3, null], ["failed", 126, null], ["failed", 127, null], ["failed", 143, 15]] | sort)'
}

@test "a command that nothing is left to start is no fault of the command: 125" {
    enter_nobodys_folder
    # A sanitizer that looks for leaks at the end would need a process, too.
    run -125 as_nobody env TELEMETRY_DIR="$PWD/t" ASAN_OPTIONS=detect_leaks=0 prlimit --nproc=0: ./tracekit exec -- true
    [[ $output == *"tracekit exec: fork: Resource temporarily unavailable"* ]]
    jq -e '.exit_code == 125 and (.steps[0] | .status == "failed" and .exit_code == 125)' t/*.json
}

@test "T17: signals, stdin and process group are the command's" {
    [ "$(printf 'in' | "$TK" exec -- cat 2>/dev/null)" = in ]
    "$TK" exec -- sh -c "trap 'exit 9' TERM; : >ready; while :; do sleep 0.02; done" 2>/dev/null &
    wrapper=$!
    wait_until test -e ready
    kill -TERM "$wrapper"
    ends_with 9 "$wrapper"
    [ "$("$TK" exec -- sh -c 'ps -o pgid= $$' 2>/dev/null)" = "$(sh -c 'ps -o pgid= $$')" ]
}

@test "T17: the terminal is the command's, and Ctrl-C reaches it once" {
    cat >script <<END
set timeout 60
spawn $TK exec -- sh -c {trap 'echo got; exit 7' INT; tty; echo ready; while :; do sleep 0.05; done}
expect /dev/pts
expect ready
send \003
expect got
expect eof
exit [lindex [wait] 3]
END
    run -7 expect script
    [ "$(tr -d '\r' <<<"$output" | grep -c 'got$')" -eq 1 ]
}

@test "T7: bytes are charged to the step that wrote them, not to the idle one after it" {
    in_shell 'telemetry_init build'
    "$TK" exec -n writer -- head -c 100000000 /dev/zero >big
    "$TK" exec -n idle -- sh -c 'sleep 0.2; sync'
    in_shell telemetry_finalize
    jq -e '.steps[0].io.write_mb >= 95 and .steps[0].io.write_mb < 97 and
        .steps[1].io.write_mb < 1' "$(document)"
}

@test "T8: a memory peak of a fraction of a second is seen" {
    run -0 "$TK" exec -- sh -c 'head -c 200000000 /dev/zero | tail -c 200000000 >/dev/null'
    jq -e '.steps[0].memory | .peak_mb >= 190 and .peak_mb < 400 and .largest_process_mb >= 190' \
        "$(document)"
}

@test "shared memory is told beside the rest, and tasks at once are counted" {
    [ -w /dev/shm ] || skip "there is no /dev/shm"
    file=/dev/shm/tracekit-test-$$
    run -0 "$TK" exec -- sh -c "head -c 40000000 /dev/zero >$file; sleep 1 & sleep 1 & wait; rm $file"
    jq -e '.steps[0].scope == "cgroup"' "$(document)" || skip "no control group is to be had"
    jq -e '.steps[0].memory | .shmem_peak_mb >= 38 and .anon_peak_mb < 20' "$(document)"
    jq -e '.steps[0].cpu | has("pids_peak") == false or .pids_peak == 3' "$(document)"
}

@test "T9: 200 short processes are accounted for" {
    cat >work <<'END'
n=0; while [ $n -lt 200 ]; do n=$((n + 1)); sh -c 'i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done'; done
END
    # time within: the same work takes another time when another runs beside it.
    run -0 "$TK" exec -- time -f '%U %S' -o plain sh work
    plain=$(awk '{ print $1 + $2 }' plain)
    jq -e --argjson plain "$plain" '.steps[0] | .cpu.total_s as $cpu | $cpu >= $plain * 0.8 and
        $cpu <= $plain * 1.3 + 0.2 and .cpu.processes >= 201' "$(document)"
}

@test "T10: a daemonised grandchild is accounted for" {
    run -0 "$TK" exec -- sh -c \
        '(setsid sh -c "i=0; while [ \$i -lt 500000 ]; do i=\$((i + 1)); done; : >done" >/dev/null 2>&1 &)
        while ! test -e done; do sleep 0.05; done'
    jq -e '.steps[0] | .cpu.total_s >= 0.1 and .cpu.processes >= 3' "$(document)"
}

@test "T12: unprivileged it is a tree: rusage, I/O, memory of the largest process" {
    enter_nobodys_folder
    run -4 as_nobody env TELEMETRY_DIR="$PWD/t" ./tracekit exec -- sh -c \
        'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; head -c 5000000 /dev/zero >file; exit 4'
    jq -e '.tool.level == "L3" and .exit_code == 4 and (.steps[0] | .scope == "tree" and
        .cpu.total_s > 0.02 and .io.write_chars_mb > 4.7 and .memory.peak_mb > 1 and
        .memory.largest_process_mb == .memory.peak_mb)' t/*.json
}

@test "as root the programs that used most CPU are named" {
    need_root "for exit records"
    "$TK" exec -- sh -c 'for i in 1 2 3; do gzip -c /proc/kallsyms >/dev/null; done; sleep 0.05'
    jq -e '.steps[0].top' "$(document)" >/dev/null || skip "no exit records here"
    jq -e '.steps[0].top | length >= 2 and length <= 5 and .[0].comm == "gzip" and .[0].count == 3 and
        .[0].cpu_s > 0 and .[0].rss_peak_mb > 0' "$(document)"
}

@test "what a control group of somebody else uses meanwhile is told with the step" {
    "$TK" exec -n daemon -- sh -c 'echo $$ >pid; while test ! -e stop; do :; done' 2>/dev/null &
    wait_until test -s pid
    group=$(sed -n 's/^0:://p' "/proc/$(cat pid)/cgroup")
    if [[ $group != */tracekit-exec-* ]]; then
        : >stop
        wait
        skip "no control group of version 2 is to be had"
    fi
    # On a busy machine that takes a while.
    cat >until_it_ran <<'END'
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
enough=$(($(ticks "$1") + $(getconf CLK_TCK) / 2))
while [ "$(ticks "$1")" -lt $enough ]; do sleep 0.5; done
END
    TELEMETRY_DIR=$PWD/u "$TK" exec --also "$group" -n asks -- sh until_it_ran "$(cat pid)"
    : >stop
    wait
    jq -e --arg group "$group" '.steps[0] | .cpu.total_s < 0.3 and (.via | length) == 1 and
        .via[0].unit == $group and .via[0].cpu_s > 0.1 and .via[0].cpu_s < 60' u/*.json
    TELEMETRY_DIR=$PWD/u run -0 "$TK" report show latest
    [[ $output == *"via.unit"*"$group"*"via.cpu_s"* ]]
    TELEMETRY_DIR=$PWD/u "$TK" report export html latest | grep -qF "via $group"
}

@test "a control group that is not there costs one line" {
    run -3 --separate-stderr "$TK" exec --also nobody.service -- sh -c 'exit 3'
    [[ $stderr == *"tracekit exec: --also: there is no control group /system.slice/nobody.service"* ]]
    jq -e '.steps[0] | .exit_code == 3 and has("via") == false' "$(document)"
}

@test "a curve of cores in use is sampled" {
    run -0 "$TK" exec -- sh -c 'i=0; while [ $i -lt 4000000 ]; do i=$((i + 1)); done'
    jq -e '.steps[0] | select(.duration_s > 0.5) | (.samples.rows | length) >= 3 and
        ([.samples.rows[][0]] | max) > 0.2 and .cpu.cores_peak >= .cpu.cores_avg' "$(document)"
}

@test "a command that takes too long is ended, and one that ignores that is killed" {
    run -124 "$TK" exec -t 200ms -- sleep 60
    [[ $output == *"sleep  timed out  "* ]]
    jq -e '.steps[0] | .timed_out and .status == "failed" and .signal == 15 and
        .duration_s < 30' "$(document)"
    run -2 "$TK" exec -t 2 -- sleep 60
    [[ $output == "tracekit exec: option '--timeout': '2' has no unit, expected such as 100ms or 2s"* ]]
}

@test "what outlives the command is told, and killed on request alone" {
    "$TK" exec -- sh -c 'sleep 30 >/dev/null 2>&1 & echo $! >pid' 2>/dev/null
    kill -0 "$(cat pid)"
    kill "$(cat pid)"
    jq -e '.steps[0].left_running == 1' "$(document)"
    "$TK" exec --kill-leftovers -- sh -c 'sleep 30 >/dev/null 2>&1 & echo $! >pid' 2>/dev/null
    wait_until is_gone "$(cat pid)"
}

@test "arguments are recorded on request, without secrets" {
    "$TK" exec --record-args -- echo --password hunter2 plain >/dev/null 2>&1
    jq -e '.steps[0].argv[0] == "echo" and (.steps[0].argv | index("plain"))' "$(document)"
    ! grep -r hunter2 "$TELEMETRY_DIR" || false
}

@test "a folder that cannot be used costs the record, not the command" {
    : >file
    TELEMETRY_DIR=$PWD/file run -3 "$TK" exec -- sh -c 'exit 3'
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == "tracekit exec: "*"/file: "* ]]
}

@test "a wrapper that is killed leaves its step in the document" {
    in_shell 'telemetry_init build'
    "$TK" exec -n doomed -- sh -c 'echo $$ >pid; exec sleep 60' 2>/dev/null &
    wrapper=$!
    wait_until test -s pid
    kill -9 "$wrapper"
    kill "$(cat pid)" # it would go on alone
    wait_until grep -q '"verb":"gone"' "$TELEMETRY_DIR"/*/journal
    in_shell telemetry_finalize
    jq -e '.steps[0] | .name == "doomed" and .status == "incomplete" and .duration_s < 60' "$(document)"
}

@test "a wrapper that is killed outside of a job leaves its document to the next command" {
    begun=$(now_ms)
    "$TK" exec -n doomed -- sh -c 'echo $$ >pid; exec sleep 60' 2>/dev/null &
    wrapper=$!
    wait_until test -s pid
    sleep 1.5
    kill -9 "$wrapper"
    killed=$(now_ms)
    kill "$(cat pid)" # it would go on alone
    sleep 0.5
    run ! ls "$TELEMETRY_DIR"/*.json
    "$TK" report list >list
    grep -q 'incomplete' list
    jq -e --argjson most $((killed - begun)) '.status == "incomplete" and (.steps | length) == 1 and
        .steps[0].name == "doomed" and .steps[0].status == "incomplete" and
        .steps[0].duration_s >= 0.3 and .steps[0].duration_s * 1000 <= $most and
        (.steps[0].samples.rows | length) >= 2' "$(document)"
    "$TK" report list >again
    cmp list again
    [ -z "$(ls "$TELEMETRY_DIR/open")" ]
}

@test "a wrapper of another container that runs is left alone, and closed when it is killed" {
    unshare --pid --fork --mount-proc true 2>/dev/null || skip "pid namespaces may not be made"
    "$TK" exec -n elsewhere -- sh -c 'echo $$ >pid; exec sleep 60' 2>/dev/null &
    wrapper=$!
    wait_until test -s pid
    run -0 unshare --pid --fork --mount-proc "$TK" report list
    run ! ls "$TELEMETRY_DIR"/*.json
    kill -9 "$wrapper"
    kill "$(cat pid)" # it would go on alone
    wait "$wrapper" || true
    unshare --pid --fork --mount-proc "$TK" report list >list
    grep -q 'incomplete' list
}

@test "64 commands side by side are all there" {
    in_shell 'telemetry_init build'
    for i in $(seq 64); do "$TK" exec -n "p$i" -- true 2>/dev/null & done
    wait
    in_shell telemetry_finalize
    jq -e '([.steps[].name] | unique | length) == 64 and all(.steps[]; .status == "success")' "$(document)"
}

@test "no control group is left behind" {
    # Its own, by its pid: other tests run beside this one.
    "$TK" exec -- true 2>/dev/null &
    wait $!
    [ -z "$(find /sys/fs/cgroup -name "tracekit-exec-$!" 2>/dev/null)" ]
}
