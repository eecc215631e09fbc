#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

load record_helpers

MATCH='python|uvicorn|gunicorn|ffmpeg|onnx|onnxruntime|java|node|nginx|torchserve'

setup() {
    enter_folder
    export RUN_ID=r NODE_ID=n1
}

teardown() {
    if [ -n "${mounted:-}" ]; then umount "$mounted"; fi
    unset RUN_ID
    if [ -d logs ]; then "$TK" collect stop >/dev/null || true; fi
    if [ -n "${peer:-}" ]; then kill "$peer"; fi
    leave_folder
}

collector_pid() {
    jq .pid "logs/${1:-r}/collector.pid"
}

start() {
    "$TK" collect start "$@" >/dev/null 2>&1
}

rows_reach() {
    [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

# Start ---------------------------------------------------------------------------------

@test "start prints the lines of the specification" {
    VM_IP=127.0.0.1 IFACE=lo STAGE=edge run -0 --separate-stderr "$TK" collect start
    [ "$output" = "$(cat <<END
collect: target=127.0.0.1 iface=lo node=n1 stage=edge (run_id=r)
proc sampler started (mode=host, match='$MATCH', interval=1s) → logs/r/proc_metrics.jsonl
collectors started → logs/r
END
    )" ]
    run -0 --separate-stderr "$TK" collect stop
    [ "$output" = "$(printf 'previous collectors stopped in logs/r\ncollectors stopped')" ]
}

@test "start returns when the first readings are written, and keeps nothing of its caller" {
    # A pipe that a daemon keeps open would hang this substitution.
    text=$(timeout 100 "$TK" collect start 2>&1)
    [[ $text == *"collectors started → logs/r" ]]
    [ -s logs/r/resources.jsonl ] && [ -s logs/r/clock.jsonl ]
    jq -e '.stop_ms == null and .run_id == "r" and .node == "n1"' logs/r/run.json
    jq -e '.node == "n1" and .stage == "cloud" and .cpu_cores > 0' logs/r/node_meta.json
    jq -e 'has("iface") and has("BW_bps") and has("PR_s")' logs/r/link_meta.json
    pid=$(collector_pid)
    [ "$(readlink "/proc/$pid/fd/0")" = /dev/null ]
    [ "$(readlink "/proc/$pid/fd/1")" = /dev/null ]
    [ "$(awk '{ print $6 }' "/proc/$pid/stat")" = "$pid" ] # a session of its own
    [ "$(awk '{ print $7 }' "/proc/$pid/stat")" = 0 ]      # without terminal
}

@test "the interval is written as the original wrote it" {
    run -0 --separate-stderr "$TK" collect start --interval 200
    [[ ${lines[1]} == *"interval=0.200s) → logs/r/proc_metrics.jsonl" ]]
    [[ $stderr != *"CPU times are good"* ]] || [ "$(jq .min_good_interval_ms logs/r/run.json)" -gt 200 ]
    PROC_INTERVAL_MS=2000 run -0 --separate-stderr "$TK" collect start
    [ "${lines[0]}" = "previous collectors stopped in logs/r" ]
    [[ ${lines[2]} == *"interval=2s) → logs/r/proc_metrics.jsonl" ]]
    [ "$(jq .interval_requested_ms logs/r/run.json)" = 2000 ]
    PROC_INTERVAL_MS=0.5 run -2 "$TK" collect start
    [[ $output == *"environment variable PROC_INTERVAL_MS: '0.5' is out of range"* ]]
}

@test "an interval that CPU times cannot fill is told at the start" {
    run -0 --separate-stderr "$TK" collect start --interval 5
    good=$(jq .min_good_interval_ms logs/r/run.json)
    [ "$good" -gt 5 ]
    [[ $stderr == *"collect: CPU times are good to 2 % over $good ms and more (--exact tells them to the moment)"* ]]
}

@test "starting twice leaves one collector, and the files go on" {
    start
    first=$(collector_pid)
    begun=$(jq .start_ms logs/r/run.json)
    rows=$(wc -l <logs/r/resources.jsonl)
    start
    wait_until is_gone "$first"
    [ "$(collector_pid)" != "$first" ]
    [ "$(jq .start_ms logs/r/run.json)" = "$begun" ]
    [ "$(wc -l <logs/r/resources.jsonl)" -gt "$rows" ]
    stamps_ascend logs/r/resources.jsonl
}

@test "without NODE_ID the host name is taken, with a notice" {
    unset NODE_ID
    run -0 --separate-stderr "$TK" collect start
    [[ $stderr == *"collect: NODE_ID is not set, node=$(hostname)"* ]]
    [ "$(jq -r .node logs/r/node_meta.json)" = "$(hostname)" ]
}

@test "PROC_SAMPLING other than 1 records no processes" {
    PROC_SAMPLING=0 run -0 --separate-stderr "$TK" collect start --host-interval 20ms
    [ "${#lines[@]}" -eq 2 ]
    wait_until rows_reach logs/r/resources.jsonl 4
    "$TK" collect stop
    [ ! -e logs/r/proc_metrics.jsonl ]
}

@test "PROC_MATCH that make has spoilt is mended, with a warning" {
    PROC_MATCH='^ffmpeg^ffprobe$' run -0 --separate-stderr "$TK" collect start
    [[ $stderr == *"collect: PROC_MATCH '^ffmpeg^ffprobe\$' is read as '^ffmpeg\$|^ffprobe\$'"* ]]
    [[ ${lines[1]} == *"match='^ffmpeg\$|^ffprobe\$'"* ]]
}

@test "only processes that match are recorded, with their descendants" {
    cat >xmatchme <<'END'
#!/bin/sh
sleep 30 &
echo $! >child
wait
END
    chmod +x xmatchme
    ./xmatchme &
    victim=$!
    sleep 30 &
    other=$!
    wait_until test -s child
    PROC_MATCH='^xmatch' start --interval 20ms --rows every-tick
    wait_until rows_reach logs/r/proc_metrics.jsonl 10
    "$TK" collect stop
    pids=$(jq -s -c 'map(.pid) | unique | sort' logs/r/proc_metrics.jsonl)
    kill "$victim" "$(cat child)" "$other"
    [ "$pids" = "$(jq -n -c "[$victim, $(cat child)] | sort")" ]
}

@test "variables of run_id.env count, the environment beats them" {
    unset RUN_ID NODE_ID
    printf '# of this night\nRUN_ID=night\nNODE_ID=from_file\n' >run_id.env
    STAGE=far run -0 "$TK" collect start
    jq -e '.run_id == "night" and .node == "from_file" and .stage == "far"' logs/night/node_meta.json
    "$TK" collect stop
    [ ! -e logs/night/collector.pid ]
}

# answers SOCKET: that it is there is not yet that somebody listens.
answers() {
    curl -s -o /dev/null --unix-socket "$1" http://localhost/containers/none/json
}

@test "a running container gives its name to mode, node and stage" {
    unset NODE_ID
    id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    "$BATS_TEST_DIRNAME/../peers/container-runtime" sock svc $id edge7 edge &
    peer=$!
    wait_until answers sock
    DOCKER_HOST=unix://$PWD/sock run -0 --separate-stderr "$TK" collect start
    [[ ${lines[0]} == *"node=edge7 stage=edge (run_id=r)" ]]
    [ "${lines[1]}" = "proc sampler started (mode=container, container=svc, interval=1s) → logs/r/proc_metrics.jsonl" ]
    CONTAINER=other DOCKER_HOST=unix://$PWD/sock run -0 --separate-stderr "$TK" collect start
    [[ ${lines[2]} == "proc sampler started (mode=host, "* ]]
}

@test "a folder that cannot be made fails in one line" {
    : >logs
    run -1 --separate-stderr "$TK" collect start
    [ "$stderr" = "tracekit collect: logs/r: Not a directory" ]
    rm logs
    need_root "to mount a read-only file system"
    mkdir ro
    mount -t tmpfs -o ro none ro
    mounted=ro
    run -1 --separate-stderr "$TK" collect start -o ro/run
    [ "$stderr" = "tracekit collect: ro/run: Read-only file system" ]
}

@test "privileges that reading does not need are given up" {
    need_root "to have any"
    run -0 --separate-stderr "$TK" collect start
    [[ $stderr == *"collect: gave up all privileges but CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH"* ]]
    caps=$(awk '/^CapEff/ { print $2 }' "/proc/$(collector_pid)/status")
    [ $((0x$caps & ~(1 << 19 | 1 << 2))) -eq 0 ]
    [ "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$(collector_pid)/status")" = 1 ]
    # The thread that writes, too: it starts with the first step.
    wait_until has_threads 2 "$(collector_pid)"
    [ "$(grep -h '^CapEff\|^NoNewPrivs' "/proc/$(collector_pid)"/task/*/status | sort -u | wc -l)" -eq 2 ]
}

@test "while no thread can be had, rows are written nevertheless" {
    enter_nobodys_folder
    as_nobody prlimit --nproc=0: ./tracekit collect run -o run --interval 50ms &
    wait_until rows_reach run/resources.jsonl 3
    recorder=$(jq .pid run/collector.pid)
    has_threads 1 "$recorder"
    as_nobody prlimit --pid "$recorder" --nproc="$(ulimit -Hu):"
    wait_until has_threads 2 "$recorder"
    as_nobody ./tracekit collect stop -o run
    wait $!
    jq -e '.dropped_rows == 0 and .stop_ms != null' run/run.json
}

@test "works without root" {
    enter_nobodys_folder
    as_nobody env RUN_ID=r NODE_ID=n1 ./tracekit collect start
    wait_until rows_reach logs/r/resources.jsonl 3
    as_nobody env RUN_ID=r ./tracekit collect stop
    tables_are_whole logs/r
}

# Stop ----------------------------------------------------------------------------------

@test "stop writes the last rows, the end and the counters, and removes the pid file" {
    start --interval 50ms --host-interval 50ms
    pid=$(collector_pid)
    wait_until rows_reach logs/r/resources.jsonl 5
    before=$(now_ms)
    "$TK" collect stop
    is_gone "$pid"
    [ ! -e logs/r/collector.pid ]
    tables_are_whole logs/r
    jq -e ".stop_ms >= $before - 1000 and .rows > 0 and .ticks > 1 and .dropped_rows == 0" logs/r/run.json
    [ "$(last_stamp logs/r/resources.jsonl)" -ge $((before - 1000)) ]
}

@test "stopping what does not run succeeds, in silence but for the last line" {
    run -0 "$TK" collect stop
    [ "$output" = "collectors stopped" ]
    mkdir -p logs/r
    run -0 "$TK" collect stop
    [ "$output" = "collectors stopped" ]
    run -0 "$TK" stop-collect
    [ "$output" = "collectors stopped" ]
}

@test "after a crash stop cleans up and start works" {
    start
    pid=$(collector_pid)
    kill -KILL "$pid"
    wait_until is_gone "$pid"
    run -0 "$TK" collect stop
    [ "$output" = "collectors stopped" ]
    [ ! -e logs/r/collector.pid ]
    tables_are_whole logs/r
    start
    kill -KILL "$(collector_pid)"
    start
    tables_are_whole logs/r
}

@test "a pid file that names another process is not believed" {
    sleep 30 &
    victim=$!
    mkdir -p logs/r
    printf '{"pid":%d,"start_ticks":1,"boot_id":"%s"}\n' $victim \
        "$(cat /proc/sys/kernel/random/boot_id)" >logs/r/collector.pid
    run -0 "$TK" collect stop
    [ "$output" = "collectors stopped" ]
    kill -0 $victim
    kill $victim
    [ ! -e logs/r/collector.pid ]
}

@test "a recording of a command is not stopped" {
    "$TK" record -q -o logs/r -- sleep 30 &
    recorder=$!
    wait_until test -s logs/r/clock.jsonl
    run -1 "$TK" collect stop
    [[ $output == *"collect: logs/r: a command is being recorded there (pid $recorder)"* ]]
    run -1 "$TK" collect start
    kill -TERM "$recorder"
    ends_with 143 "$recorder"
}

@test "pid files of the original are removed, and only their own tools are signalled" {
    mkdir -p logs/r
    sleep 30 &
    victim=$!
    echo $victim >logs/r/mpstat.pid
    printf '#!/bin/sh\nsleep 30\n' >vmstat
    chmod +x vmstat
    ./vmstat logs/r &
    old=$!
    wait_until grep -qx vmstat "/proc/$old/comm" # no shell of ours any more
    echo $old >logs/r/vmstat.pid
    echo nonsense >logs/r/ifstat.pid
    run -0 "$TK" collect stop
    [ "$output" = "$(printf 'previous collectors stopped in logs/r\ncollectors stopped')" ]
    ends_with 143 $old
    kill $victim # it lives
    [ -z "$(ls logs/r)" ]
    pkill -P $old sleep || true
}

@test "without a run id all collectors of logs/ are stopped" {
    for id in a b; do RUN_ID=$id start; done
    unset RUN_ID
    run -0 --separate-stderr "$TK" collect stop
    [ "$output" = "$(printf 'previous collectors stopped in logs/a\nprevious collectors stopped in logs/b\ncollectors stopped')" ]
}

@test "STOP_ALL finds collectors by what they hold open, wherever they are" {
    # Others may test on this machine as well, and start collectors at any time: theirs are not ours to
    # stop. In a pid namespace of its own it sees ours alone.
    local alone=(unshare --pid --fork --mount-proc)
    "${alone[@]}" true 2>/dev/null || alone=(unshare --user --map-root-user --pid --fork --mount-proc)
    "${alone[@]}" true 2>/dev/null || skip "no pid namespaces here"
    mkdir elsewhere
    cat >script <<'END'
(cd elsewhere && "$TK" collect start >/dev/null 2>&1)
pid=$(jq .pid elsewhere/logs/r/collector.pid)
kill -0 "$pid" && STOP_ALL=1 "$TK" collect stop
! grep -q '^State:.[^Z]' "/proc/$pid/status"
END
    run -0 --separate-stderr "${alone[@]}" sh -e script
    [[ $output == "previous collectors stopped in elsewhere/logs/r"*"collectors stopped" ]]
}

# Status --------------------------------------------------------------------------------

@test "status tells what runs, as a table and as JSON" {
    run -1 "$TK" collect status
    [ "$output" = "tracekit collect: logs/r: No such file or directory" ]
    start
    run -0 "$TK" collect status --json
    jq -e '.run_id == "r" and .running == true and .pid > 0 and .interval_requested_ms == 1000 and
        (.rung | test("[ABC]")) and .bytes > 0 and has("missed_ticks") and has("dropped_events") and
        has("rows") and has("own_cpu_ms") and .hz > 0 and .min_good_interval_ms > 0 and
        .cpu_exact == false and has("rss_exact") and .tier_changes == 0' <<<"$output"
    wait_until test -s logs/r/self.jsonl
    costs_are_told() {
        "$TK" collect status --json >status.json &&
            jq -e '.own_cpu_ratio > 0 and .syscalls_per_tick > 4 and .written_Bps >= 0' status.json >/dev/null
    }
    wait_until costs_are_told || { cat status.json; false; }
    run -0 "$TK" collect status
    [[ ${lines[0]} == RUN*STATE*RUNG*INTERVAL*MISSED*DROPPED*ROWS*SIZE*CPU* ]]
    [[ ${lines[1]} == r*running* ]]
    # On a terminal that is too narrow for it, a line a figure.
    COLUMNS=80 run -0 script -qec "'$TK' collect status" /dev/null
    [ "$(grep -cE 'STATE +.*running|MEMORY +.*[0-9]' <<<"$output")" -eq 2 ]
    COLUMNS=200 run -0 script -qec "'$TK' collect status" /dev/null
    [[ $output == *RUN*STATE*MEMORY*$'\n'*running* ]]
    "$TK" collect stop
    run -0 "$TK" collect status
    [[ ${lines[1]} == r*stopped* ]]
    unset RUN_ID
    run -0 "$TK" collect status
    [ "$output" = "no collector runs for a run in logs/ (of another folder: -o DIR)" ]
}

@test "a CPU budget that is not kept stretches what can wait, and says so" {
    "$TK" collect start --interval 20ms --cpu-budget 0.01
    budget_acted() { "$TK" collect status --json | jq -e '.budget_changes >= 1' >/dev/null; }
    wait_until budget_acted
    run -0 "$TK" collect status --json
    jq -e '.cpu_budget_percent == 0.01' <<<"$output"
    "$TK" collect stop
    jq -e '.budget_changes >= 1 and .ticks + .missed_ticks > 100 and
        any(.notices[]; test("CPU budget of 0.01 %: the pace of slow readings was changed"))' logs/r/run.json
    jq -se 'map(.slow_interval_ms) | max > 10000' logs/r/self.jsonl
    jq -se 'map(.detail_interval_ms) | min == 1000' logs/r/self.jsonl

    run -2 "$TK" collect start --cpu-budget little
    [[ $output == "tracekit collect: option '--cpu-budget': 'little' is not a number of per cent such as 2 or 0.5"* ]]
}

@test "the recorder stays on the CPU that it is given" {
    "$TK" collect start --cpu 0
    pid=$(jq .pid logs/r/collector.pid)
    # The thread that writes is started with the first step.
    wait_until test -s logs/r/self.jsonl
    for task in /proc/"$pid"/task/*; do
        grep -qx $'Cpus_allowed_list:\t0' "$task/status"
    done
    "$TK" collect stop
    run -1 "$TK" collect run --cpu 1023
    [[ $output == *"--cpu 1023: the recorder may not run there: Invalid argument" ]]
}

# Run -----------------------------------------------------------------------------------

@test "run records in the foreground until SIGINT" {
    for name in INT TERM HUP; do
        rm -rf out logs # what the run before said would be taken for what this one says
        "$TK" collect run --interval 20ms >out 2>err &
        recorder=$!
        wait_until grep -q 'collectors started → logs/r' out
        wait_until rows_reach logs/r/clock.jsonl 1
        # A shell starts background jobs with SIGINT ignored; who sends it means it.
        kill -"$name" "$recorder"
        ends_with 0 "$recorder"
        [ "$(tail -n 1 out)" = "collectors stopped" ]
        [ "$(jq '.stop_ms > 0' logs/r/run.json)" = true ]
    done
}

@test "trouble is noted in procmon.err, once" {
    need_root "to mount a small file system"
    mkdir small
    mount -t tmpfs -o size=8m none small
    mounted=small
    start -o small/run --interval 10ms --host-interval 10ms
    dd if=/dev/zero of=small/ballast bs=1k count=10000 2>/dev/null || true
    sleep 2.5
    rm small/ballast
    wait_until grep -q 'written again' small/run/procmon.err
    "$TK" collect stop -o small/run
    tables_are_whole small/run
    [ "$(jq '.dropped_rows > 0' small/run/run.json)" = true ]
}

@test "a signal while the recorder starts ends the run in order" {
    for _ in 1 2 3 4 5; do
        rm -rf run
        "$TK" collect run -o run 2>err &
        pid=$!
        wait_until test -e run/run.json
        kill -TERM "$pid"
        wait "$pid"
        [ "$(jq .stop_ms run/run.json)" != null ]
    done
}

# Usage ---------------------------------------------------------------------------------

@test "usage errors name what is wrong and are status 2" {
    run -2 "$TK" collect
    [[ $output == "tracekit collect: expected start, stop, status or run"* ]]
    run -2 "$TK" collect begin
    [[ $output == "tracekit collect: 'begin' is none of start, stop, status, run"* ]]
    run -2 "$TK" collect start --interval 500us
    [[ $output == *"is out of range, expected 1ms to 1h"* ]]
    run -2 "$TK" collect start extra
    [[ $output == *"'extra' is one argument too many"* ]]
    RUN_ID=a/b run -2 "$TK" collect start
    [ ! -e logs ]
}
