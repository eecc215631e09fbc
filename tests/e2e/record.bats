#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

load record_helpers

setup() {
    enter_folder
}

teardown() {
    if [ -n "${mounted:-}" ]; then umount "$mounted"; fi
    if [ -n "${recorder:-}" ]; then kill -KILL "$recorder" 2>/dev/null || true; fi
    if [ -n "${victim:-}" ]; then kill -KILL "$victim" 2>/dev/null || true; fi
    leave_folder
}

# The command as it sees itself ---------------------------------------------------

@test "the exit status of the command is that of record" {
    run -0 "$TK" record -q -- true
    run -7 "$TK" record -q -- sh -c 'exit 7'
    run -255 "$TK" record -q -- sh -c 'exit 255'
    run -143 "$TK" record -q -- sh -c 'kill -TERM $$'
}

@test "a command that a signal kills makes record die by the same signal" {
    # What bash says of a process that a signal killed; an exit status alone would not be told.
    run bash -c '"$0" record -q -- sh -c "kill -USR1 \$\$"; echo "status $?"' "$TK"
    [[ $output == *"User defined signal 1"*"status 138" ]]
}

@test "a command that does not exist is 127, one that cannot run is 126" {
    run -127 "$TK" record -- no-such-tool-anywhere
    [[ $output == "tracekit record: cannot run 'no-such-tool-anywhere': No such file or directory" ]]
    : >plain
    run -126 "$TK" record -- ./plain
    [[ $output == "tracekit record: cannot run './plain': Permission denied" ]]
    [ ! -e logs ]
}

@test "stdout and stdin are the command's alone, the report goes to stderr" {
    printf 'a\nb\n' | "$TK" record -- cat >out 2>report
    [ "$(cat out)" = "$(printf 'a\nb')" ]
    [ -s report ]
    { "$TK" record -q -- true; cat >rest; } < <(printf 'not for record\n')
    [ "$(cat rest)" = "not for record" ]
}

@test "--quiet prints nothing of its own" {
    run -0 "$TK" record -q -- echo hello
    [ "$output" = hello ]
}

@test "options after the command are the command's" {
    run -0 "$TK" record -q echo --quiet -o x
    [ "$output" = "--quiet -o x" ]
}

@test "descriptors that are closed stay closed, and no row goes to them" {
    "$TK" record -o run -- sh -c 'test ! -e /proc/self/fd/2 && test ! -e /proc/self/fd/0' 2>&- <&-
    tables_are_whole run
}

@test "the environment, the working folder and the niceness are the command's own" {
    run -0 env -i PATH="$PATH" A=1 "$TK" record -q -o "$PWD/run" -- env
    [ "$(grep -Ev '^(TRACEPARENT|OTEL_RESOURCE_ATTRIBUTES)=' <<<"$output")" = \
        "$(env -i PATH="$PATH" A=1 env)" ]
    [ "$(nice -n 5 "$TK" record -q -o run2 -- nice)" = 5 ]
    ulimit -Sn 512 # the recorder itself takes more
    [ "$("$TK" record -q -o run3 -- sh -c 'grep -h ^TimerSlackNs /proc/self/sched /proc/self/timerslack_ns 2>/dev/null; ulimit -n; umask')" = \
        "$(sh -c 'grep -h ^TimerSlackNs /proc/self/sched /proc/self/timerslack_ns 2>/dev/null; ulimit -n; umask')" ]
}

# Signals and terminal --------------------------------------------------------------

@test "SIGTERM, SIGHUP and SIGUSR1 to record reach the command, and it is reported" {
    for name in TERM HUP USR1; do
        rm -rf run
        # A shell cannot trap what it was started to ignore, as HUP below nohup.
        env --default-signal="$name" "$TK" record -o run -- \
            sh -c "trap 'echo got; exit 9' $name; : >ready; while :; do sleep 0.02; done" \
            >out 2>report &
        recorder=$!
        wait_until test -e ready
        kill -"$name" "$recorder"
        ends_with 9 "$recorder"
        [ "$(cat out)" = got ]
        [ "$(jq .exit_status run/run.json)" = 9 ]
        [ -s report ]
        rm ready
    done
}

@test "Ctrl-C on a terminal reaches the command once, and record reports" {
    cat >script <<'END'
trap 'echo interrupted >>signals' INT
: >ready
n=0; while [ $n -lt 3000 ] && [ ! -s signals ]; do sleep 0.02; n=$((n+1)); done
exit 4
END
    run expect -c "
        set timeout 60
        spawn $TK record -o run -- sh script
        while {![file exists ready]} { after 20 }
        send \003
        expect eof
        lassign [wait] pid spawn oserr status
        exit \$status"
    [ "$status" -eq 4 ]
    [ "$(cat signals)" = interrupted ]
    [ "$(jq .exit_status run/run.json)" = 4 ]
}

@test "Ctrl-Z gives the shell its prompt, fg goes on, and the exit status arrives" {
    # It starts no process: a shell that is between vfork() and exec cannot be stopped.
    mkfifo go
    echo ': >ready; read -r _ <go; exit 5' >script
    cat >dialogue <<END
set timeout 60
proc wait_for {text code} { expect \$text {} timeout { exit \$code } }
spawn env PS1=ready> bash --norc --noprofile -i
wait_for "ready>" 90
send "$TK record -q -o run -- sh script\r"
for {set i 0} {![file exists ready]} {incr i} { if {\$i > 3000} { exit 89 }; after 20 }
send \032
wait_for "Stopped" 91
wait_for "ready>" 92
send "jobs\r"
wait_for "Stopped" 93
wait_for "ready>" 94
send "fg\r"
wait_for "record -q -o run" 95
exec sh -c "echo >go"
wait_for "ready>" 96
send "echo status=\\\$?\r"
wait_for "status=5" 97
send "exit 0\r"
expect eof
END
    run -0 expect dialogue
    [ "$(jq .exit_status run/run.json)" = 5 ]
}

@test "the terminal is the command's: size, isatty and job control are as without record" {
    run -0 expect -c "
        set timeout 60
        spawn -noecho sh -c \"stty rows 33 cols 77; $TK record -q -o run -- sh -c 'stty size; tty -s && echo tty; ps -o stat= -p \\\$\\\$'\"
        expect eof"
    [[ $output == *"33 77"*tty*+* ]]
}

# Folders ------------------------------------------------------------------------------

@test "runs that nobody named get the time, those of one second a number" {
    for _ in 1 2 3; do TK_CLOCK=1795255913 "$TK" record -q -- true; done
    [ "$(ls logs)" = "$(printf '20261121T101153Z\n20261121T101153Z-2\n20261121T101153Z-3')" ]
    [ "$(jq -r .run_id logs/20261121T101153Z-3/run.json)" = 20261121T101153Z-3 ]
}

@test "the run id comes from the option, the environment, run_id.env, or the folder" {
    echo 'RUN_ID=from_file # a comment' >run_id.env
    "$TK" record -q -- true
    RUN_ID=from_environment "$TK" record -q -- true
    RUN_ID=other "$TK" record -q --run-id from_option -- true
    [ "$(ls logs)" = "$(printf 'from_environment\nfrom_file\nfrom_option')" ]
    rm run_id.env
    "$TK" record -q -o some/place/ -- true
    [ "$(jq -r .run_id some/place/run.json)" = place ]
}

@test "a folder that holds a run is refused, and nothing is run" {
    "$TK" record -q -o run -- true
    run -1 "$TK" record -q -o run -- touch was_run
    [ "$output" = "tracekit record: run: holds a recorded run already, name another folder" ]
    [ ! -e was_run ]
}

@test "a folder that cannot be made is one clear line, and nothing is run" {
    : >file
    run -1 "$TK" record -o file/run -- touch was_run
    [ "$output" = "tracekit record: file/run: Not a directory" ]
    [ ! -e was_run ]
    need_root "to mount a read-only file system"
    mkdir ro
    mount -t tmpfs -o ro none ro
    mounted=ro
    run -1 "$TK" record -o ro/run -- touch was_run
    [ "$output" = "tracekit record: ro/run: Read-only file system" ]
    [ ! -e was_run ]
}

@test "a disk that is full to the end costs rows, not the report" {
    need_root "to mount a small file system"
    mkdir small
    mount -t tmpfs -o size=3m none small
    mounted=small
    cat >script <<'END'
sleep 0.5
dd if=/dev/zero of=small/ballast bs=64k 2>/dev/null
n=0; until grep -q 'No space left' report || [ $n -ge 600 ]; do n=$((n + 1)); sleep 0.1; done
sleep 0.5
exit 4
END
    run -4 sh -c '"$0" record -o small/run --interval 20ms -- sh script 2>report; status=$?; cat report; exit $status' "$TK"
    [[ $output == *"No space left on device: rows are dropped"* ]]
    [ "$(grep -c 'No space left on device' <<<"$output")" -eq 1 ]
    [[ $output =~ "small/run: not written again, "[1-9][0-9]*" rows were lost" ]]
    [[ $output == *"exit 4 "*"run folder"* || $output == *"recorder killed"*"run folder"* ]]
}

# A file that comes while rm is at work has it fail: it is called again.
@test "a folder that vanishes ends the recording in one line, not the command" {
    "$TK" record -o run --interval 20ms -- sh -c 'until rm -rf run 2>rm.err; do :; done; sleep 1.5; exit 3' 2>report || status=$?
    [ "${status:-0}" -eq 3 ]
    [ "$(grep -c 'the run folder was removed' report)" -eq 1 ]
    [ "$(wc -l <report)" -eq 1 ]
}

@test "a folder that vanishes with the command is told in one line too" {
    run -3 "$TK" record -o run -- sh -c 'until rm -rf run 2>rm.err; do :; done; exit 3'
    [ "$output" = "tracekit record: run: the run folder was removed" ]
}

# What is recorded ---------------------------------------------------------------------

@test "run.json says how it was recorded, without secrets" {
    run -3 "$TK" record -q -o run -- sh -c 'exit 3' --password hunter2 --token=abc
    run ! grep -r hunter2 run
    run ! grep -r 'token=abc' run
    jq -e '.schema_version == 2 and .run_id == "run" and .exit_status == 3 and
        .stop_ms >= .start_ms and .interval_requested_ms == 100 and .ticks >= 1 and
        .missed_ticks >= 0 and (.rung | test("[ABC]")) and .own_cpu_ms >= 0 and .hz > 0 and
        (.command | index("--password")) and (.command | index("***")) and
        (.argv | index("record"))' run/run.json
}

@test "the interval is kept, and each late tick is counted" {
    "$TK" record -q -o run --interval 20ms -- sleep 2
    # What was due while the last tick was late is not told: a machine that is busy may take some there.
    jq -e '(.ticks + .missed_ticks) as $n | $n >= 80 and $n <= ((.stop_ms - .start_ms) / 20 + 2)' \
        run/run.json
}

@test "rows of a machine ascend and cover the run" {
    "$TK" record -q -o run --interval 50ms -- sleep 1
    for table in resources links proc_metrics clock; do
        [ -s "run/$table.jsonl" ]
        if [ "$table" != clock ]; then stamps_ascend "run/$table.jsonl"; fi
    done
    jq -se 'map(select(.cpu_util)) | map(.dt_ms) | add >= 950' run/resources.jsonl
}

@test "stamps follow the monotonic clock from one anchor, whatever the wall clock says" {
    TK_CLOCK=1000000000 "$TK" record -q -o run -- sleep 0.3
    jq -se 'all(.ts_ms >= 1000000000000 and .ts_ms < 1000000100000)' run/resources.jsonl
    jq -e '.start_ms >= 1000000000000 and .stop_ms - .start_ms >= 300 and .stop_ms - .start_ms < 100000' \
        run/run.json
}

@test "no row is older than a second on its way to the disk" {
    "$TK" record -q -o run -- sleep 120 &
    recorder=$!
    wait_until test -s run/resources.jsonl
    rows_are_young() {
        for _ in $(seq 10); do
            sleep 0.2
            age=$(($(now_ms) - $(last_stamp run/resources.jsonl)))
            echo "age $age ms"
            # 1 s to the disk, 250 ms between readings, and the rest for a busy test machine
            [ "$age" -le 1900 ] || return 1
        done
    }
    # Of some tries one must do: the machine may stand still at any time.
    rows_are_young || rows_are_young || rows_are_young || rows_are_young || rows_are_young
    kill -TERM "$recorder"
    ends_with 143 "$recorder"
}

# A make -j2 of C files that take the compiler a while.
make_project() {
    local i n
    for i in 1 2 3 4 5 6 7 8; do
        for n in $(seq 400); do
            echo "int f${i}_$n(int x) { for (int i = 0; i < x; i++) x ^= i * $n + x / (i + 1); return x; }"
        done >"part$i.c"
    done
    printf 'OBJECTS = %s\nall: $(OBJECTS)\n%%.o: %%.c\n\tcc -O2 -c -o $@ $<\n' \
        "$(echo part{1..8}.o)" >Makefile
}

@test "record -- make -j2 agrees with time -v, the control group and the exit records within 1 %" {
    make_project
    CCACHE_DISABLE=1 command time -v -o time.txt "$TK" record -q -o run -- make -s -j2
    jq -e '.exit_code == 0 and .left_running == 0 and .module_id == "make" and .processes > 24 and
        .service_time_ms == .ts_end - .ts_start and .max_rss_kb > 5000' run/events.make.jsonl
    # time counts what record used as well; run.json says how much that was, up to its last writing.
    used=$(awk '/User time|System time/ { s += $NF } END { print s * 1000 }' time.txt)
    own=$(jq .own_cpu_ms run/run.json)
    cpu=$(jq '.cpu_ns / 1e6' run/events.make.jsonl)
    exits=$(jq -s 'map(select(.in_tree) | .cpu_ns) | add / 1e6' run/proc_exit.jsonl)
    echo "cpu_ns $cpu ms by $(jq -r .cpu_source run/events.make.jsonl), time $used ms, of it record \
$own ms, exits $exits ms by $(jq -r .exit_source run/run.json)"
    # hundredths of a second, printed twice, are the grain of time
    jq -ne "($used - $own - $cpu) | fabs <= $cpu * 0.01 + 20"
    if [[ $(jq -r .exit_source run/run.json) == @(bpf|taskstats) ]]; then
        jq -ne "($exits - $cpu) | fabs <= $cpu * 0.01"
    fi
    # The largest that time saw is record itself under ASan.
    if ! grep -q __asan_init "$TK"; then
        largest=$(awk -F: '/Maximum resident/ { print $2 }' time.txt)
        jq -e ".max_rss_kb == $largest" run/events.make.jsonl
    fi
}

@test "processes that outlive the command are counted and left alone" {
    "$TK" record -q -o run -- sh -c 'sleep 120 & echo $! >pid'
    victim=$(cat pid)
    kill -0 "$victim"
    [ "$(jq .left_running run/events.sh.jsonl)" = 1 ]
}

# Failure -------------------------------------------------------------------------------

# Record a sleep into `run` by more options, for so many seconds, and kill the recorder: sets `killed`.
record_and_kill() {
    rm -rf run
    "$TK" record -q -o run "${@:2}" -- sleep 120 &
    recorder=$!
    wait_until pgrep -P "$recorder" -x sleep
    victim=$(pgrep -P "$recorder" -x sleep)
    sleep "$1"
    killed=$(now_ms)
    kill -KILL "$recorder"
    wait_until is_gone "$recorder"
    kill -0 "$victim" # the command goes on
    kill -KILL "$victim"
}

# At most so much was lost of two tables of `run`.
lost_at_most() {
    local table lost
    for table in "${@:2}"; do
        lost=$((killed - $(last_stamp "$table.jsonl")))
        echo "$table: lost $lost ms"
        [ "$lost" -le "$1" ] || return 1
    done
}

@test "kill -9 loses at most a second, and what is there is whole" {
    # Of some tries one must do: the machine may stand still at any time.
    for _ in 1 2 3 4 5; do
        record_and_kill 2.5 --interval 20ms
        tables_are_whole run
        jq -e '.stop_ms == null and .ticks > 0' run/run.json
        ! lost_at_most 1500 run/resources run/proc_metrics || return 0
    done
    false
}

@test "kill -9 at any time leaves a run that can be read and is free to use" {
    for after in 0.003 0.01 0.02 0.03 0.05 0.08 0.15 0.3 0.6 1.1; do
        "$TK" record -q -o "run$after" --interval 10ms -- sleep 30 &
        recorder=$!
        sleep "$after"
        victim=$(pgrep -P "$recorder" -x sleep) || victim=
        kill -KILL "$recorder"
        wait_until is_gone "$recorder"
        if [ -n "$victim" ]; then kill "$victim"; fi
        if [ -e "run$after/run.json" ] && [ -e "run$after/clock.jsonl" ]; then
            tables_are_whole "run$after"
        fi
        "$TK" collect stop -o "run$after"
        [ ! -e "run$after/collector.pid" ]
    done
}

@test "the command is told its span, and the invocation and the processes tell the same" {
    run -0 env -u TRACEPARENT TRACESTATE=a=1 OTEL_RESOURCE_ATTRIBUTES=a=b \
        "$TK" record -q --interval 50ms -o "$PWD/run" -- sh -c 'env; n=0
            until grep -qs "$TRACEPARENT" run/proc_context.jsonl || [ $n -ge 200 ]; do
                n=$((n + 1)); sleep 0.05
            done'
    parent=$(sed -n 's/^TRACEPARENT=//p' <<<"$output")
    [[ $parent =~ ^00-[0-9a-f]{32}-[0-9a-f]{16}-01$ ]]
    ! grep -q ^TRACESTATE= <<<"$output" || false
    grep -qx "OTEL_RESOURCE_ATTRIBUTES=a=b,tracekit.parent=$parent" <<<"$output"
    [ "$(jq -r '"00-" + .w3c_trace_id + "-" + .w3c_span_id + "-01"' run/events.sh.jsonl)" = "$parent" ]
    [ "$(jq -r .parent_id run/events.sh.jsonl)" = null ]
    jq -es --arg parent "$parent" 'any(.traceparent == $parent)' run/proc_context.jsonl
}

@test "a command of a command is in the same trace, below it" {
    export TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03
    run -0 env TRACESTATE=a=1 "$TK" record -q -o "$PWD/run" -- \
        sh -c "echo \$TRACESTATE; '$TK' wrap -o '$PWD/run' -- env"
    [ "${lines[0]}" = a=1 ]
    outer=$(jq -r .w3c_span_id run/events.sh.jsonl)
    inner=$(jq -r .w3c_span_id run/events.env.jsonl)
    [ "$(jq -r .parent_id run/events.sh.jsonl)" = b7ad6b7169203331 ]
    [ "$(jq -r .parent_id run/events.env.jsonl)" = "$outer" ]
    grep -qx "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-$inner-03" <<<"$output"
}

@test "a compact run has one file in place of all tables, and all commands read it" {
    "$TK" record -q --compact --tier P -o run --interval 100ms -- sh -c 'sleep 0.5; ls -R /usr/share >/dev/null'
    [ "$(jq -r .storage run/run.json)" = compact ]
    [ -s run/recording.tkr ]
    [ ! -e run/proc_metrics.jsonl ]
    [ ! -e run/resources.jsonl ]
    run -0 "$TK" verify cctf run
    run -0 --separate-stderr "$TK" parse run
    [ "$stderr" = "" ]
    rows=$(jq .rows run/run.json)
    copied=$(cat run/cctf/{host,link,disk,cgroup,fs,numa,interrupt}_metrics.jsonl \
        run/cctf/proc_{metrics,events,exit,context}.jsonl run/cctf/{clock,self}.jsonl | wc -l)
    [ "$rows" -eq "$copied" ]
    run -0 "$TK" verify cctf run
    "$TK" show run >shown
    grep -q ' ls ' shown
    # The tables of cctf/ say the same as the recording.
    mkdir twin
    cp run/cctf/*.jsonl run/node_meta.json run/link_meta.json run/run.json run/events.sh.jsonl twin
    mv twin/host_metrics.jsonl twin/resources.jsonl
    mv twin/link_metrics.jsonl twin/links.jsonl
    rm twin/invocations.jsonl # events.sh.jsonl once more
    "$TK" show twin | sed '/run folder/d' >twin.shown
    sed '/run folder/d' shown | diff - twin.shown
}

@test "kill -9 of a compact recording costs its open block and no more" {
    # Of some tries one must do: the machine may stand still at any time.
    for try in 5 4 3 2 1; do
        record_and_kill 4 --compact --tier P --interval 10ms
        run -0 --separate-stderr "$TK" parse run
        ! lost_at_most 2500 run/cctf/host_metrics run/cctf/proc_metrics || break
        [ "$try" -gt 1 ]
    done
    run -0 "$TK" verify cctf run
    run -0 "$TK" show run
    # A block that was cut short, and one that is damaged, are said to be.
    truncate -s -5 run/recording.tkr
    run -0 --separate-stderr "$TK" parse run
    # shellcheck disable=SC2154  # bats sets it
    [[ $stderr == *"recording.tkr: "*"the last block is cut short"* ]]
    run -0 "$TK" verify cctf run
    [[ $output == *"recording.tkr: warning: torn: the last block is cut short"* ]]
    printf 'xxxxxxxx' | dd of=run/recording.tkr bs=1 seek=100 conv=notrunc status=none
    run -0 --separate-stderr "$TK" parse run
    [[ $stderr == *"recording.tkr: "*"rows are lost"* ]]
    run -1 "$TK" verify cctf run
    [[ $output == *"recording.tkr: error: blocks: 1 damaged places"* ]]
    run -0 "$TK" show run
    [[ $output == *"unreadable"* ]]
}

@test "a full disk is told once, spoils nothing, and is left behind when there is room" {
    need_root "to mount a small file system"
    mkdir small
    mount -t tmpfs -o size=8m none small
    mounted=small
    "$TK" record -o small/run --interval 10ms -- sh -c 'while :; do sleep 0.01; done' 2>report &
    recorder=$!
    wait_until test -s small/run/resources.jsonl
    dd if=/dev/zero of=small/ballast bs=1k count=10000 2>/dev/null || true
    wait_until grep -q 'No space left on device' report
    sleep 2
    [ "$(grep -c 'No space left on device' report)" -eq 1 ]
    rm small/ballast
    mount -o remount,size=40m small
    wait_until grep -q 'written again' report
    sleep 1
    kill -TERM "$recorder"
    ends_with 143 "$recorder"
    tables_are_whole small/run
    stamps_ascend small/run/resources.jsonl
    jq -e '.dropped_rows > 0 and .exit_status == 143' small/run/run.json
    [ "$(grep -c 'No space left on device' report)" -eq 1 ]
    [ "$(tail -c 1 small/run/proc_metrics.jsonl | od -An -tx1)" = " 0a" ]
}

@test "a disk that stands still for seconds costs no readings" {
    need_root "to freeze a file system"
    command -v fsfreeze mkfs.ext4 >/dev/null || skip "needs fsfreeze and mkfs.ext4"
    dd if=/dev/zero of=image bs=1M count=40 2>/dev/null
    mkfs.ext4 -q image
    mkdir frozen
    mount -o loop image frozen || skip "no loop device"
    mounted=frozen
    "$TK" record -q -o frozen/run --interval 20ms --host-interval 20ms -- \
        sh -c 'sleep 0.3; fsfreeze -f frozen; sleep 3; fsfreeze -u frozen; sleep 0.3'
    tables_are_whole frozen/run
    jq -e '.dropped_rows == 0 and .late_max_us < 2000000' frozen/run/run.json
    jq -se 'map(.ts_us) | [.[1:], .[:-1]] | transpose | map(.[0] - .[1]) | max < 2000000' \
        frozen/run/resources.jsonl
}

@test "works without root" {
    enter_nobodys_folder
    run -3 as_nobody ./tracekit record -q -o run -- sh -c 'i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; exit 3'
    tables_are_whole run
    jq -e '.rung | test("[ABC]")' run/run.json
    jq -e '.cpu_ns > 1000000 and .exit_code == 3' run/events.sh.jsonl
}

@test "works where /proc hides the processes of others" {
    enter_nobodys_folder
    run -0 unshare --mount --propagation private sh -c '
        mount -o remount,hidepid=2 /proc 2>/dev/null || mount -t proc -o hidepid=2 proc /proc || exit 77
        exec setpriv --reuid=65534 --regid=65534 --clear-groups ./tracekit record -q -o run -- sleep 0.3'
    tables_are_whole run
    jq -e '.exit_code == 0' run/events.sleep.jsonl
}

@test "works in a pid namespace of its own" {
    need_root "to make a pid namespace"
    run -6 unshare --pid --fork --mount-proc "$TK" record -q -o run -- sh -c 'sleep 0.2; exit 6'
    tables_are_whole run
    jq -e '.exit_code == 6 and .pid < 1000' run/events.sh.jsonl
}

@test "in a network namespace of its own netlink does not claim exit records that never come" {
    need_root "to make a network namespace"
    run -5 unshare --net "$TK" record --tier P -o run -- sh -c 'sleep 0.2; exit 5'
    [[ $(tr -s ' \n' ' ' <<<"$output") == *"not in the initial network namespace"* ]]
    jq -e '.exit_source == "none" and .rung != "A" and (.notices | length) == 1' run/run.json
    run ! grep -qE '"source":"(bpf|taskstats)"' run/proc_exit.jsonl
}

@test "works without a control group file system" {
    need_root "to hide /sys"
    run -4 unshare --mount --propagation private sh -c '
        umount -a -l -t cgroup,cgroup2 2>/dev/null; mount -t tmpfs none /sys || exit 77
        exec "$0" record -q -o run -- sh -c "exit 4"' "$TK"
    tables_are_whole run
    jq -e '.cpu_source != "cgroup"' run/events.sh.jsonl
}

@test "ten thousand processes" {
    [ "$(cat /proc/sys/kernel/pid_max)" -gt 20000 ] || skip "pid_max is below 20000"
    [ "$(ulimit -u)" = unlimited ] || [ "$(ulimit -u)" -gt 12000 ] || skip "ulimit -u is below 12000"
    [ "$(awk '/MemAvailable/ { print $2 }' /proc/meminfo)" -gt 4000000 ] || skip "less than 4 GB free"
    # Processes that wait for the end of a pipe, which comes when its one writer is killed.
    mkfifo hold
    sleep 600 >hold &
    victim=$!
    dash -c 'n=0; while [ $n -lt 10000 ]; do { read -r _ <&9; } & n=$((n + 1)); done
        : >grown; wait' 9<hold &
    for _ in $(seq 1200); do [ ! -e grown ] || break; sleep 0.1; done
    [ -e grown ]
    "$TK" record -q -o run --interval 200ms -- sleep 4
    tables_are_whole run
    processes=$(jq -s 'map(.pid) | unique | length' run/proc_metrics.jsonl)
    [ "$processes" -ge 10000 ]
    jq -e '.ticks >= 2' run/run.json
    if ! grep -q __asan_init "$TK"; then
        jq .own_rss_kb run/run.json
        jq -e --argjson n "$processes" '.own_rss_kb <=
            (if .tier[:1] == "B" then 7.5 else 3 end) * 1024 + ($n + 2000) * 0.2' run/run.json
    fi
}

# Usage ----------------------------------------------------------------------------------

@test "usage errors name what is wrong and are status 2" {
    run -2 "$TK" record --intervall 1s -- true
    [[ $output == "tracekit record: unknown option '--intervall': did you mean '--interval'? (see tracekit record --help)" ]]
    run -2 "$TK" record --interval soon -- true
    [[ $output == "tracekit record: option '--interval': 'soon' is not a duration"* ]]
    run -2 "$TK" record --interval 0.5ms -- true
    [[ $output == *"is out of range, expected 1ms to 1h"* ]]
    run -2 "$TK" record
    [[ $output == "tracekit record: the command to record is missing"* ]]
    run -2 "$TK" record --run-id ../x -- true
    [[ $output == "tracekit record: "*"../x"* ]]
    [ ! -e logs ]
    run -1 "$TK" record --iface nope0 -- true
    [ "$output" = "tracekit record: no network device 'nope0' here (--iface, IFACE)" ]
}

# To the moment -------------------------------------------------------------------

@test "--exact tells CPU times at a millisecond, and says so" {
    "$TK" record -q -o run --exact -i 1ms -- true 2>err || { grep 'exact CPU times: ' err; skip "no BPF here"; }
    jq -e '.cpu_exact and .min_good_interval_ms == 1 and (.tier | startswith("B"))' run/run.json
    "$TK" parse run >out 2>&1
    run ! grep -q 'not good to 2 %' out
}

@test "without --exact, parse warns of intervals that the scheduler's ticks cannot fill" {
    "$TK" record -q -o run -i 10ms -- true
    jq -e '.cpu_exact == false and .min_good_interval_ms > 10' run/run.json
    run -0 "$TK" parse run
    [[ $output == *"tracekit parse: processes were read every 10 ms, but CPU time over less than "* ]]
}

@test "--exact where it cannot be had is an error with the reason" {
    run -1 "$TK" record -o run --exact --tier P -- true
    [[ $output == "tracekit record: exact CPU times: tier P has none, B2 and B1 do" ]]
    need_root "to give up the rights to BPF"
    run -1 setpriv --bounding-set -all --inh-caps -all --reuid 65534 --clear-groups \
        "$TK" record -o "$(mktemp -u)" --exact -- true
    [[ $output == *"exact CPU times: BPF is not permitted here (CAP_BPF, CAP_PERFMON)" ]]
}

@test "--net counts what a process sends, and absent is not zero" {
    "$TK" record -q -o with --net -- bash -c 'exec 3<>/dev/udp/127.0.0.1/9; printf 12345678 >&3' 2>err ||
        { grep 'network per process: ' err; skip "no BPF here"; }
    jq -s -e 'map(select(.comm == "bash" and .net_tx_bytes == 8 and .net_rx_bytes == 0)) | length == 1' \
        with/proc_exit.jsonl
    "$TK" record -q -o without -- true
    jq -s -e 'any(has("net_tx_bytes")) | not' without/proc_exit.jsonl without/proc_metrics.jsonl
}

@test "--exact splits the time of a process: on a CPU, runnable, block I/O" {
    case $(stat -f -c %T .) in tmpfs | overlayfs) skip "no block device here" ;; esac
    dd if=/dev/urandom of=blob bs=64k count=100 conv=fsync status=none
    : >busy # so that it waits for CPUs, too, and is moved between them
    for _ in 1 2 3 4; do while test -e busy; do :; done 3>&- & done
    "$TK" record -q -o run --exact -- dd if=blob of=/dev/null bs=4k iflag=direct status=none 2>err ||
        { rm busy; grep -E 'exact CPU times: |Invalid argument' err; skip "no BPF or no direct I/O here"; }
    rm busy
    jq -s -e 'map(select(.comm == "dd" and .io_wait_us > 0)) | length > 0 and
        all(.io_wait_us + .run_delay_us + .cpu_ns / 1000 <= .elapsed_us * 1.02)' run/proc_exit.jsonl
    "$TK" show run | tr -s ' \n' ' ' | grep -q 'its tasks .* ready to run, .* waiting for block I/O'
    jq -e '.command.io_wait_ns > 0' <("$TK" show --json run)
}
