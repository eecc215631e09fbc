#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

load record_helpers

setup() {
    enter_folder
    export RUN_ID=r
}

teardown() {
    leave_folder
}

event() {
    jq -e "$1" "logs/r/events.$2.jsonl"
}

@test "a run of invocations alone is shown as what it is" {
    "$TK" wrap -- sleep 0 2>/dev/null
    run -0 "$TK" show logs/r
    [[ ${lines[1]} == "invocations alone, "* ]]
    [ "$("$TK" show --json logs/r | jq -r .state)" = invocations ]
    # Beside readings of the machine they are part of a run that somebody recorded.
    cp "$TK_TEST_DATA/show/cctf1/cctf/host_metrics.jsonl" logs/r/
    [ "$("$TK" show --json logs/r | jq -r .state)" = imported ]
}

@test "one invocation is appended, and the message names the file" {
    run -0 "$TK" wrap -- sleep 0.2
    [ "$output" = "invocation appended → logs/r/events.sleep.jsonl" ]
    [ "$(wc -l <logs/r/events.sleep.jsonl)" -eq 1 ]
    event '.method == "CLI" and .path == "sleep" and .module_id == "sleep" and .status == 0 and
        .exit_code == 0 and .ts_enqueue == .ts_start and .queue_time_ms == 0 and
        .service_time_ms >= 200 and .rt_ms == .service_time_ms and .stage == "cloud" and
        .parent_id == null and (.pid > 0) and .instance_id == "pid-\(.pid)" and
        (.trace_id | test("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")) and
        (.span_id | test("^[0-9a-f]{16}$")) and
        .pid_start_ms <= .ts_start + 10 and .start_ticks > 0' sleep
    "$TK" wrap -- sleep 0 2>/dev/null
    [ "$(wc -l <logs/r/events.sleep.jsonl)" -eq 2 ]
}

@test "the exit status is passed through and recorded, signals too" {
    run -3 "$TK" wrap -- sh -c 'exit 3'
    run -137 "$TK" wrap -- sh -c 'kill -KILL $$'
    [ "$(jq -c '[.status, .exit_code]' logs/r/events.sh.jsonl)" = "$(printf '[3,3]\n[137,137]')" ]
    run -127 "$TK" wrap -- no-such-tool-anywhere
    [ ! -e logs/r/events.no-such-tool-anywhere.jsonl ]
    RUN_ID=other run -127 "$TK" wrap -- no-such-tool-anywhere
    [ ! -e logs/other ]
}

@test "TS_ENQUEUE, TRACE_ID, NODE_ID and STAGE come from the environment, options win" {
    start=$(($(now_ms) - 5000))
    TS_ENQUEUE=$start TRACE_ID=chain-7 NODE_ID=edge1 STAGE=edge "$TK" wrap --stage far -- true
    event ".ts_enqueue == $start and .queue_time_ms >= 5000 and .trace_id == \"chain-7\" and
        .rt_ms == .queue_time_ms + .service_time_ms and .node == \"edge1\" and .stage == \"far\"" true
}

@test "input and output are found among the arguments, with their sizes" {
    printf 12345 >in.dat
    "$TK" wrap -- cp in.dat out.dat
    event '.input == "in.dat" and .bytes_in == 5 and .output == "out.dat" and .bytes_out == 5' cp
    mkdir d
    cat >ffmpeg <<'END'
#!/bin/sh
for last; do :; done
printf 1234567 >"$last"
END
    chmod +x ffmpeg
    "$TK" wrap -- ./ffmpeg -y -i in.dat -preset fast d/out.mp4
    event '.input == "in.dat" and .bytes_in == 5 and .output == "out.mp4" and .bytes_out == 7 and
        .path == "ffmpeg"' ffmpeg
    "$TK" wrap -- true
    event '.input == "" and .output == "" and .bytes_in == 0 and .bytes_out == 0' true
}

@test "no secret gets into the run folder" {
    "$TK" wrap -- echo --password hunter2 token=hunter2 >/dev/null
    "$TK" wrap -- echo out.txt --password hunter2 >/dev/null # nor as the name of its output
    touch hunter2
    "$TK" wrap -- echo --password hunter2 >/dev/null # nor as that of its input
    run ! grep -r hunter2 logs
}

@test "the sentinel is there before the command runs and gone after it" {
    "$TK" wrap -- sh -c 'test -e logs/r/pids/$$'
    [ -z "$(ls logs/r/pids)" ]
}

@test "stdin, stdout and stderr are the command's" {
    printf 'in\n' | "$TK" wrap -- sh -c 'cat; echo err >&2' >out 2>err
    [ "$(cat out)" = in ]
    [ "$(head -n 1 err)" = err ]
    [ "$(wc -l <err)" -eq 2 ]
}

@test "SIGTERM is forwarded, and the end is recorded" {
    "$TK" wrap -- sh -c "trap 'exit 9' TERM; : >ready; while :; do sleep 0.02; done" 2>/dev/null &
    wrapper=$!
    wait_until test -e ready
    kill -TERM "$wrapper"
    ends_with 9 "$wrapper"
    event '.status == 9' sh
}

# What wrap itself takes, which time(1) sees as well; it prints hundredths. Under a sanitizer that is much,
# and another each time; a part of the work that were not counted would be more.
own_ms() {
    command time -f '%U %S' -o own.txt "$TK" wrap -- true 2>/dev/null
    awk '{ print ($1 + $2) * 1000 }' own.txt
}

@test "CPU time is that of the whole tree, and says who counted it" {
    cat >work <<'END'
spin() { i=0; while [ $i -lt 600000 ]; do i=$((i + 1)); done; }
spin & (spin) & { (spin &) } | cat; wait
END
    command time -f '%U %S' -o time.txt "$TK" wrap -- sh work
    event '(.cpu_source | test("^(cgroup|taskstats|rusage)$")) and .cpu_ns == .user_ns + .system_ns and
        .max_rss_kb > 100' sh
    used=$(awk '{ print ($1 + $2) * 1000 }' time.txt)
    cpu=$(jq '.cpu_ns / 1e6' logs/r/events.sh.jsonl)
    own=$(own_ms)
    echo "cpu_ns says $cpu ms, time $used ms, $own ms of it wrap's own"
    jq -ne "($used - $own - $cpu) | fabs <= $used * 0.01 + 100"
}

@test "without a control group exit records count, without these rusage" {
    need_root "to hide the control groups"
    cat >work <<'END'
spin() { i=0; while [ $i -lt 600000 ]; do i=$((i + 1)); done; }
spin & (spin) & { (spin &) } | cat
for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done; wait
END
    command time -f '%U %S' -o time.txt unshare --mount --propagation private sh -c '
        umount -a -l -t cgroup,cgroup2; exec "$0" wrap -- sh work' "$TK"
    source=$(jq -r .cpu_source logs/r/events.sh.jsonl)
    # Exit records are to be had in the initial namespaces only.
    [ "$source" = taskstats ] || [ "$source" = rusage ]
    used=$(awk '{ print ($1 + $2) * 1000 }' time.txt)
    cpu=$(jq '.cpu_ns / 1e6' logs/r/events.sh.jsonl)
    own=$(own_ms)
    echo "cpu_ns says $cpu ms by $source, time $used ms, $own ms of it wrap's own"
    # time sees unshare as well. What the kernel's records lack is estimated, worse on a busy machine.
    off=0.01
    [ "$source" = rusage ] || off=0.1
    jq -ne "($used - $own - $cpu) | fabs <= $used * $off + 110"
}

@test "CPUSET binds the command, whatever rights there are" {
    CPUSET=0 "$TK" wrap -- sh -c 'grep Cpus_allowed_list /proc/self/status >cpus'
    [ "$(awk '{ print $2 }' cpus)" = 0 ]
    event '.cpuset == "0"' sh
    enter_nobodys_folder
    as_nobody env CPUSET=0 ./tracekit wrap -- sh -c 'grep Cpus_allowed_list /proc/self/status >cpus2'
    [ "$(awk '{ print $2 }' cpus2)" = 0 ]
}

@test "a bad CPUSET is one clear line" {
    CPUSET=0-x run -126 "$TK" wrap -- true
    [[ $output == *"CPU set '0-x': expected CPUs such as 0-3,6"* ]]
}

@test "CPUs that this machine lacks are one clear line, and the command does not run" {
    run -126 "$TK" wrap --cpuset 0,1023 -- touch ran
    [[ $output == "tracekit wrap: CPU set '0,1023': expected CPUs of this machine, which has 0"* ]]
    [ "${#lines[@]}" -eq 1 ]
    CPUSET=1023 run -126 "$TK" wrap -- touch ran
    [ ! -e ran ]
    [ ! -e logs ]
}

@test "a quota of the environment that cannot be set is one clear line, and the command runs" {
    enter_nobodys_folder
    run -3 as_nobody env CPU_QUOTA=50 ./tracekit wrap -- sh -c 'exit 3'
    [ "$(grep -c 'CPU quota and weight are not in force' <<<"$output")" -eq 1 ]
}

@test "a limit or group asked for by an option that cannot be had stops the command" {
    enter_nobodys_folder
    for option in --cpu-quota=50 --cpu-weight=50 --unit=mine; do
        run -126 as_nobody ./tracekit wrap "$option" -- touch ran
        echo "$output"
        [ "${#lines[@]}" -eq 1 ]
        [[ $output == "tracekit wrap: CPU quota and weight are not in force: "* ||
            $output == "tracekit wrap: no control group 'mine': "* ]]
        [ ! -e ran ]
    done
}

@test "a run of invocations alone is shown, before it is parsed and after" {
    "$TK" wrap -- sleep 0.2
    "$TK" wrap -- sh -c 'exit 3' || :
    for _ in before after; do
        run -0 "$TK" show logs/r
        echo "$output"
        [[ $output == *" tasks "*"2 done: "*"1 failed"* ]]
        run -0 "$TK" show --json logs/r
        jq -e '.end_ms - .start_ms >= 200 and .end_ms - .start_ms < 60000' <<<"$output"
        run -0 "$TK" parse r
    done
    mkdir empty
    run -1 "$TK" show empty
    [[ $output == *"no run: neither run.json, node_meta.json nor a table"* ]]
}

@test "writers side by side do not mix" {
    for _ in $(seq 20); do "$TK" wrap -- true 2>>said & done
    wait
    cat said # for whoever finds this failing
    [ "$(jq -s length logs/r/events.true.jsonl)" = 20 ]
}

@test "a torn line that a full disk left does not swallow the next one" {
    mkdir -p logs/r
    printf '{"trace_id":"a"}\n{"trace_id":"to' >logs/r/events.true.jsonl
    "$TK" wrap -- true
    [ "$(jq -r .trace_id logs/r/events.true.jsonl | wc -l)" -eq 2 ]
}

@test "a folder that cannot be written costs the record, not the job" {
    : >file
    run -3 "$TK" wrap -o file/run -- sh -c 'exit 3'
    [ "$output" = "tracekit wrap: file/run: Not a directory: the command runs unrecorded" ]
}

@test "usage errors name what is wrong and are status 2" {
    run -2 "$TK" wrap --cpu-weight 10001 -- true
    [[ $output == "tracekit wrap: option '--cpu-weight': 10001 is out of range, expected 1 to 10000"* ]]
    run -2 "$TK" wrap
    [[ $output == "tracekit wrap: the command to run is missing"* ]]
    TS_ENQUEUE=soon run -2 "$TK" wrap -- true
    [[ $output == "tracekit wrap: environment variable TS_ENQUEUE: 'soon' is not a whole number"* ]]
}
