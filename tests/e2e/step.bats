#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Steps by shell functions, each of which is a defect of the original scripts that is not to come
# back (build-telemetry.md section 20). Where each of the eighteen is held:
#
#   T1 T2 T3 T4 T5   here                  T13        here, and step_packer.bats
#   T6               report.bats: listed by time, whatever their versions
#   T7 T8 T9 T10     exec.bats             T14        step_packer.bats, tests/unit/test_marked.c
#   T11              here                  T15        store_faults.bats, store.bats, report.bats
#   T12              here, and exec.bats   T16        here, report.bats, tests/unit/test_job.c
#   T17              exec.bats             T18        here

load step_helpers

setup() {
    enter_build
}

teardown() {
    rm -rf "$TELEMETRY_DIR" # ends the watcher
    leave_build
}

@test "T1: init, start, end and finalize in four separate shells make one document" {
    GITHUB_OUTPUT=$PWD/output GITHUB_SHA=abc GITHUB_REF=refs/heads/main GITHUB_RUN_ID=77 \
        GITHUB_RUN_NUMBER=5 in_shell 'telemetry_init build 0.10.2'
    export GITHUB_RUN_ID=77
    in_shell 'telemetry_step_start packer_build; sleep 0.2'
    in_shell 'telemetry_step_end packer_build'
    in_shell telemetry_finalize
    file=$(document)
    [ "$(cat output)" = "TELEMETRY_FILE=$file" ]
    [[ ${file##*/} =~ ^build_[0-9]{8}_[0-9]{6}\.json$ ]]
    jq -e '.schema == "build-telemetry/2" and .job == "build" and .version == "0.10.2" and
        .git_sha == "abc" and .git_ref == "refs/heads/main" and .ci.branch == "main" and
        .run_id == "77" and .run_number == "5" and .status == "success" and
        (.steps | length) == 1 and .steps[0].name == "packer_build" and
        .steps[0].duration_s >= 0.2 and .steps[0].duration_s < 60 and
        .steps[0].status == "success" and .steps[0].scope == "host" and
        .steps[0].net.tcp_segments >= 0 and .steps[0].net.tcp_retrans >= 0 and
        .system.cpus >= 1 and .system.memory_total_mb > 100 and .system.disk_total_gb > 0' "$file"
}

@test "the document links to the run in CI, and names its pull request" {
    GITHUB_RUN_ID=77 GITHUB_REF=refs/pull/12/merge GITHUB_HEAD_REF=fix GITHUB_SERVER_URL=https://github.example \
        GITHUB_REPOSITORY=o/r in_shell 'telemetry_init build; telemetry_finalize' >/dev/null
    jq -e '.ci.url == "https://github.example/o/r/actions/runs/77" and .ci.pr == "12" and
        .ci.branch == "fix"' "$(document)"
    rm -r "$TELEMETRY_DIR"
    GITHUB_RUN_ID=77 GITHUB_REF=refs/heads/main in_shell 'telemetry_init build; telemetry_finalize' >/dev/null
    jq -e '.ci.branch == "main" and (.ci | has("pr") or has("url") | not)' "$(document)"
}

@test "T2: a step that fails under set -e is in the document, as incomplete" {
    in_shell 'telemetry_init build'
    run -1 in_shell 'set -e; telemetry_step_start broken; false; telemetry_step_end broken'
    in_shell 'telemetry_step_start after; telemetry_step_end after'
    in_shell telemetry_finalize
    jq -e '[.steps[] | [.name, .status]] == [["broken", "incomplete"], ["after", "success"]] and
        .status == "incomplete"' "$(document)"
}

@test "T3: 64 steps side by side are all there" {
    in_shell 'telemetry_init build'
    for i in $(seq 64); do
        in_shell "telemetry_step_start par$i; telemetry_step_end par$i" &
    done
    wait
    in_shell telemetry_finalize
    jq -e '(.steps | length) == 64 and ([.steps[].name] | unique | length) == 64 and
        all(.steps[]; .status == "success") and ([.steps[].id] | unique | length) == 64' "$(document)"
}

@test "T4: any name is taken as it stands" {
    export SECRET=hunter2
    in_shell 'telemetry_init build'
    names=('\(env.SECRET)' 'say "hi" \n $SECRET `id`' "$(printf 'two\nlines')" \
        "$(printf 'x%.0s' $(seq 300))" 'Bäckerei ⏱' '-n --help' 'a b' 'a_b')
    for name in "${names[@]}"; do
        NAME=$name in_shell 'telemetry_step_start "$NAME"; telemetry_step_end "$NAME"'
    done
    in_shell telemetry_finalize
    [ "$(jq '.steps | length' "$(document)")" -eq "${#names[@]}" ]
    for i in "${!names[@]}"; do
        jq -e --argjson i "$i" --arg name "${names[$i]}" '.steps[$i].name == $name' "$(document)"
    done
    ! grep -r hunter2 "$TELEMETRY_DIR" || false
}

@test "T5: two jobs at once in one folder do not mix" {
    in_shell 'telemetry_init one; telemetry_step_start a; sleep 0.3; telemetry_step_end a
        telemetry_finalize' >/dev/null &
    in_shell 'telemetry_init two; telemetry_step_start b; sleep 0.3; telemetry_step_end b
        telemetry_finalize' >/dev/null &
    wait
    jq -e '[.steps[].name] == ["a"] and .steps[0].status == "success"' "$TELEMETRY_DIR"/one_*.json
    jq -e '[.steps[].name] == ["b"] and .steps[0].status == "success"' "$TELEMETRY_DIR"/two_*.json
}

@test "steps of one name that end side by side are all ended" {
    in_shell 'telemetry_init build'
    for _ in 1 2 3 4 5 6 7 8; do "$TK" step start same; done
    ends=()
    for _ in 1 2 3 4 5 6 7 8; do
        "$TK" step end same 2>/dev/null &
        ends+=($!)
    done
    wait "${ends[@]}"
    in_shell telemetry_finalize
    jq -e '(.steps | length) == 8 and all(.steps[]; .status == "success")' "$(document)"
}

@test "T5: runs of a CI service find their own job in separate shells" {
    GITHUB_RUN_ID=1 in_shell 'telemetry_init build 1'
    GITHUB_RUN_ID=2 in_shell 'telemetry_init build 2'
    GITHUB_RUN_ID=1 in_shell 'telemetry_step_start a; telemetry_step_end a'
    GITHUB_RUN_ID=1 in_shell 'telemetry_init build 1' # picks the open job up
    GITHUB_RUN_ID=2 in_shell telemetry_finalize
    GITHUB_RUN_ID=1 in_shell telemetry_finalize
    cat "$TELEMETRY_DIR"/build_*.json | jq -es 'length == 2 and
        (map({(.version): [.steps[].name]}) | add) == {"1": ["a"], "2": []}'
}

@test "T11: a wall clock that is set back bends no duration" {
    in_shell 'telemetry_init build'
    TK_CLOCK=1769257200 in_shell 'telemetry_step_start a'
    sleep 0.2
    TK_CLOCK=1769250000 in_shell 'telemetry_step_end a'
    in_shell telemetry_finalize
    jq -e '.steps[0] | .duration_s >= 0.2 and .duration_s < 60 and .start_time == 1769257200 and
        .end_time > .start_time and (.quality | index("clock_step"))' "$(document)"
}

@test "T12: dash, busybox and bash, with and without set -eu, from a script without options set" {
    for sh in dash 'busybox sh' 'bash' 'bash --posix'; do
        command -v "${sh%% *}" >/dev/null || continue
        for options in : 'set -eu' 'set -e' 'set -u'; do
            before=$($sh -c 'echo $-')
            after=$($sh -c ". '$SHELL_FUNCTIONS'; echo \$-")
            [ "$before" = "$after" ]
            $sh -c "$options; . '$SHELL_FUNCTIONS'; telemetry_init build 1
                telemetry_step_start s; telemetry_step_end s; telemetry_get_file
                telemetry_finalize" >out 2>err || { cat err; false; }
            file=$(grep -m 1 json out)
            jq -e '.steps[0].status == "success"' "$file"
            rm -r "$TELEMETRY_DIR"
        done
    done
}

@test "T12: without rights, control groups and pressure a step is measured by its processes" {
    enter_nobodys_folder
    export TELEMETRY_DIR=$PWD/t TRACEKIT=$PWD/tracekit
    cp "$SHELL_FUNCTIONS" telemetry.sh
    as_nobody sh -eu -c '. ./telemetry.sh; telemetry_init build
        telemetry_step_start work
        i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; sh -c "head -c 3000000 /dev/zero >file"
        telemetry_step_end work; telemetry_finalize' 2>err
    jq -e '.steps[0] | .scope == "tree" and .cpu.total_s > 0.02 and .io.write_chars_mb > 2.8 and
        .status == "success"' t/build_*.json
    jq -e '.tool.level == "L3"' t/build_*.json
}

@test "T13: a step starts in one shell and ends in another, as Packer does it" {
    in_shell 'telemetry_start base; sleep 0.1' 2>/dev/null || :
    in_shell 'telemetry_init vm'
    in_shell 'telemetry_start base'
    in_shell 'telemetry_start inner; telemetry_end inner'
    in_shell 'telemetry_end base 3'
    run -0 in_shell telemetry_summary
    [[ $output == *"STEP"*"UTIL%"*"base"*"inner"*"TOTAL"*"DISK BOTTLENECK"* ]]
    in_shell telemetry_finalize
    jq -e '[.steps[] | [.name, .status, .exit_code]] ==
        [["base", "failed", 3], ["inner", "success", null]] and .status == "failed" and
        .exit_code == 3 and .totals.failed_steps == 1' "$(document)"
}

@test "T16: the expressions of the original's readers run on the document" {
    in_shell 'telemetry_init build 1.0; telemetry_step_start a; sleep 0.1; telemetry_step_end a
        telemetry_finalize'
    for field in .job .version .timestamp .runner .job_duration_s; do
        jq -e "$field" "$(document)" >/dev/null
    done
    for field in name duration_s cpu_percent disk_write_mb disk_util_percent await_ms queue_depth \
        net_rx_mb memory_used_mb start_time end_time memory_delta_mb disk_read_mb disk_read_ops \
        disk_write_ops disk_read_rate_mbs disk_write_rate_mbs net_tx_mb net_rx_rate_mbs \
        net_tx_rate_mbs; do
        jq -e ".steps[].$field | . != null" "$(document)" >/dev/null || { echo "$field"; false; }
    done
}

@test "a step in one shell is measured by its control group, with what it started" {
    need_root "to make control groups"
    in_shell 'telemetry_init build
        telemetry_step_start work
        sh -c "i=0; while [ \$i -lt 1000000 ]; do i=\$((i + 1)); done"
        head -c 20000000 /dev/zero >file; sync file
        telemetry_step_end work; cat /proc/self/cgroup >after; telemetry_finalize'
    jq -e '.steps[0].scope' "$(document)"
    [ "$(jq -r '.steps[0].scope' "$(document)")" = cgroup ] || skip "no control groups here"
    jq -e '.steps[0] | .cpu.total_s >= 0.1 and .cpu.total_s < 20 and .io.write_mb >= 19 and
        .memory.peak_mb >= 1 and .wall.active_s > 0 and
        (.wall | .active_s + .io_stall_s + .memory_stall_s + .cpu_wait_s + .idle_s) as $sum |
        ($sum - .duration_s | fabs) < 0.001' "$(document)"
    ! grep tracekit-step after || false # the shell is back where it was
}

@test "steps nest, and come again" {
    in_shell 'telemetry_init build
        telemetry_step_start outer; telemetry_step_start inner; telemetry_step_end inner
        telemetry_step_start inner; telemetry_step_end inner; telemetry_step_end outer
        telemetry_finalize'
    jq -e '[.steps[] | [.id, .parent, .name, .attempt]] == [["s1", null, "outer", 1],
        ["s2", "s1", "inner", 1], ["s3", "s1", "inner", 2]] and
        .critical_path == ["outer"]' "$(document)"
}

@test "what a shell left running before it began a step is beside that step, not within it" {
    in_shell 'telemetry_init build
        (until test -e go; do sleep 0.05; done
            telemetry_step_start beside; telemetry_step_end beside) &
        telemetry_step_start outer
        (telemetry_step_start inner; telemetry_step_end inner)
        : >go; wait; telemetry_step_end outer; telemetry_finalize'
    jq -e '[.steps[] | [.id, .parent, .name]] == [["s1", null, "outer"], ["s2", "s1", "inner"],
        ["s3", null, "beside"]]' "$(document)"
}

@test "marks, measures and artifacts are told with their step" {
    head -c 2097152 /dev/zero >image
    in_shell 'telemetry_init build; telemetry_step_start pack'
    "$TK" step mark 'half way'
    "$TK" step measure image=123.5 bytes
    "$TK" step artifact image
    in_shell 'telemetry_step_end pack; telemetry_finalize'
    jq -e '.steps[0].marks[0].text == "half way" and .steps[0].measures == {"image_bytes": 123.5} and
        .artifacts == [{"path": "image", "step": "pack", "mb": 2}]' "$(document)"
}

@test "own trouble is one line, and never fails a build" {
    run -0 --separate-stderr in_shell 'set -e; telemetry_step_start a; echo on'
    [ "$output" = on ]
    [[ $stderr == "tracekit step: no job is open in $TELEMETRY_DIR" ]]
    in_shell 'telemetry_init build'
    run -0 in_shell 'set -eu; telemetry_step_end never; echo on'
    [[ $output == *"no step 'never' is open"*on ]]
    TRACEKIT=/nonexistent run -0 in_shell 'set -eu; telemetry_init a; telemetry_step_start b; echo on'
    [[ $output == *"/nonexistent is not installed: nothing is measured"*on ]]
}

@test "finalize puts the judged document into a store, or says why not and goes on" {
    in_shell 'telemetry_init build 1.0; sleep 1.2; telemetry_step_start a; telemetry_step_end a'
    TRACEKIT_STORE=dir:$PWD/store run -0 in_shell 'telemetry_finalize --push'
    [[ $output == *"telemetry: dir:$PWD/store" ]]
    jq -e '.steps[0].name == "a" and any(.diagnosis[]; .rule == "UNTRACKED")' store/latest/build.json
    cmp store/latest/build.json "$(document)"
    rm -r "$TELEMETRY_DIR"
    in_shell 'telemetry_init build 1.1; telemetry_step_start a; telemetry_step_end a'
    touch file
    TRACEKIT_STORE=dir:$PWD/file GITHUB_ACTIONS=1 run -0 in_shell 'telemetry_finalize --push'
    [[ $output == *"::warning::tracekit step finalize: "*"$PWD/file"* ]]
    [ -s "$(document)" ]
    rm -r "$TELEMETRY_DIR"
    in_shell 'telemetry_init build 1.2'
    run -0 in_shell 'telemetry_finalize --push'
    [[ $output == *"--push: no store: set TRACEKIT_STORE, or MINIO_ACCESS_KEY"* ]]
}

@test "a job without steps says so" {
    in_shell 'telemetry_init build'
    run -0 in_shell telemetry_finalize
    [[ $output == *"no steps recorded in "*"no telemetry_step_start or tracekit exec was called"* ]]
    jq -e '.steps == []' "$(document)"
}

@test "a folder of somebody else and a link are refused" {
    ln -s "$PWD" link
    TELEMETRY_DIR=$PWD/link run -0 in_shell 'telemetry_init build'
    [[ $output == *"/link: "* ]]
    [ -z "$(ls -d build_* 2>/dev/null)" ]
    need_root "to have a folder of somebody else"
    mkdir theirs && chown 65534 theirs
    TELEMETRY_DIR=$PWD/theirs run -0 in_shell 'telemetry_init build'
    [[ $output == *"/theirs belongs to user 65534, not to us" ]]
    in_shell 'telemetry_init build'
    [ "$(stat -c %a "$TELEMETRY_DIR")" = 700 ]
}

@test "a torn record costs that record alone" {
    in_shell 'telemetry_init build; telemetry_step_start a'
    printf '\n12345678 {"verb":"start","span":"torn' >>"$(echo "$TELEMETRY_DIR"/build_*/journal)"
    in_shell 'telemetry_step_end a; telemetry_finalize'
    jq -e '[.steps[] | [.name, .status]] == [["a", "success"]]' "$(document)"
}

@test "the block of the original, with decimals" {
    in_shell 'telemetry_init build'
    TRACEKIT_VERBOSE=original LC_ALL=C.UTF-8 run -0 in_shell \
        'telemetry_step_start a; sleep 0.1; telemetry_step_end a'
    [ "${#lines[0]}" -eq 71 ]
    [[ ${lines[1]} =~ ^⏱️\ \ \[a\]\ START:\ [0-9-]{10}T[0-9:]{8}\+00:00$ ]]
    [[ $output == *"  Duration:      "[0-9]*.[0-9]*"s"*"  CPU:           ~"*"% avg"*"  Memory:        "*"MB used (delta "*"  Disk I/O:      util="* ]]
    TRACEKIT_VERBOSE=original LC_ALL=C run -0 in_shell 'telemetry_step_start b'
    [ "${lines[0]}" = "$(printf '=%.0s' $(seq 71))" ]
}

@test "usage errors name what is wrong" {
    run -2 "$TK" step bogus
    [[ $output == "tracekit step: 'bogus' is no verb of step"* ]]
    run -2 "$TK" step start
    [[ $output == "tracekit step: start: expected NAME"* ]]
    run -2 "$TK" step measure x
    [[ $output == "tracekit step: 'x': expected NAME=NUMBER"* ]]
}

# The watcher of the only job; empty when there is none.
watcher() {
    local pid
    for pid in /proc/[0-9]*; do
        if [ "$(cat "$pid/comm" 2>/dev/null)" = tracekit-watch ] &&
            tr '\0' '\n' <"$pid/environ" 2>/dev/null | grep -qx "TELEMETRY_DIR=$TELEMETRY_DIR"; then
            echo "${pid#/proc/}"
        fi
    done
}

has_watcher() {
    [ -n "$(watcher)" ]
}

has_record() {
    grep -q "\"verb\":\"$1\"" "$TELEMETRY_DIR"/*/journal
}

@test "T18: the watcher holds no descriptor, session or folder of its starter" {
    mkdir here
    # A reader of its output sees the end at once.
    [ -n "$(cd here && exec 5>&1 && timeout 60 sh -c ". '$SHELL_FUNCTIONS'; telemetry_init build; \
        echo \$TRACEKIT_JOB")" ]
    wait_until has_watcher
    pid=$(watcher)
    is_at_root() { [ "$(readlink "/proc/$pid/cwd")" = / ]; }
    wait_until is_at_root
    for fd in 0 1 2; do
        [ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]
    done
    run ! grep -E '^(pipe|socket|/dev/(tty|pts))' <(readlink /proc/"$pid"/fd/*)
    [ "$(awk '{ print $6 }' "/proc/$pid/stat")" = "$pid" ]
    in_shell telemetry_finalize
    wait_until is_gone "$pid"
}

@test "a shell that is killed leaves its step incomplete, ended when it was killed" {
    in_shell 'telemetry_init build'
    wait_until has_watcher
    begun=$(now_ms)
    sh -c ". '$SHELL_FUNCTIONS'; telemetry_step_start doomed; sleep 1.3; kill -9 \$\$" || :
    wait_until has_record gone
    gone=$(now_ms)
    sleep 0.6
    in_shell telemetry_finalize
    jq -e --argjson most $((gone - begun)) '.steps[0] | .name == "doomed" and .status == "incomplete" and
        .duration_s >= 1.3 and .duration_s * 1000 <= $most and (.samples.rows | length) >= 2 and
        .samples.cols[0] == "cores"' "$(document)"
}

@test "a shell of another container is not taken for one that is gone" {
    unshare --pid --fork --mount-proc true 2>/dev/null || skip "pid namespaces may not be made"
    in_shell 'telemetry_init build'
    wait_until has_watcher
    unshare --pid --fork --mount-proc \
        sh -c ". '$SHELL_FUNCTIONS'; telemetry_step_start elsewhere; sleep 1.3; telemetry_step_end elsewhere"
    run ! has_record gone
    in_shell telemetry_finalize
    jq -e '.steps[0] | .name == "elsewhere" and .status == "success" and .duration_s >= 1.3' "$(document)"
}

@test "a watcher that is killed costs the curve, not the steps" {
    in_shell 'telemetry_init build; telemetry_step_start a'
    wait_until has_watcher
    kill -9 "$(watcher)"
    in_shell 'telemetry_step_start b; telemetry_step_end b; telemetry_finalize'
    jq -e '[.steps[] | [.name, .status]] == [["a", "incomplete"], ["b", "success"]]' "$(document)"
}

@test "the watcher ends with the folder of its job" {
    in_shell 'telemetry_init build'
    wait_until has_watcher
    pid=$(watcher)
    rm -r "$TELEMETRY_DIR"
    wait_until is_gone "$pid"
}

@test "samples of the watcher give curve, peaks and room" {
    in_shell 'telemetry_init build; telemetry_step_start a; sleep 3; telemetry_step_end a
        telemetry_finalize'
    jq -e '.steps[0] | (.samples.rows | length) >= 8 and .samples.dt_s < 0.2 and
        (.samples.cols | length) == 9 and all(.samples.rows[]; length == 9) and
        .host.load1_max >= 0 and .io.filesystems[0].free_min_mb > 0' "$(document)"
    jq -e '.overhead.samples > 5 and .overhead.sampler_cpu_ms > 0 and .overhead.dropped == 0' "$(document)"
}
