#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Whichever tier reads the processes, a run says the same.
load record_helpers

setup() {
    enter_folder
}

has_rows() {
    [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

# The tiers that this host and this build give, best first.
tiers_here() {
    case $("$TK" doctor --json | jq -r '.capabilities[] | select(.name == "task_walk").state') in
        yes) echo B2 B1 P P0 ;;
        partly) echo B1 P P0 ;;
        *) echo P P0 ;;
    esac
}

need_walk() {
    [[ $(tiers_here) == B* ]] || skip "BPF is refused here"
}

# What a run says of a process, without what moves by itself or is of another precision.
counters_of() {
    jq -sc --argjson pid "$2" 'map(select(.pid == $pid)) | last | {
        pid, start_ticks, ppid, comm, state, uid, cgroup, threads, utime, stime, rss_kb,
        rd_bytes, wr_bytes, minflt, majflt }' "$1/proc_metrics.jsonl"
}

@test "each tier is the one that was asked for" {
    for tier in $(tiers_here); do
        "$TK" record -q --tier "$tier" -o "$tier" -- true
        jq -e --arg tier "$tier" '.tier == $tier and .tier_changes == 0' "$tier/run.json"
    done
}

@test "every tier reads a stopped process alike" {
    # It has worked, written, and forked, so that its counters are not zero.
    sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done
        dd if=/dev/zero of=written bs=64k count=8 2>dd.err; (true); echo ready >ready; exec sleep 60' &
    victim=$!
    wait_until test -s ready
    kill -STOP "$victim"
    wait_until grep -q '^State:.T' "/proc/$victim/status"
    for tier in $(tiers_here); do
        "$TK" collect run --tier "$tier" --rows every-tick --interval 100ms --match . \
            -o "$tier" 2>/dev/null &
        recorder=$!
        wait_until has_rows "$tier/proc_metrics.jsonl" 10
        sleep 0.5
        kill -INT "$recorder"
        wait "$recorder"
        counters_of "$tier" "$victim" >"$tier.json"
        jq -e '.rss_kb > 0 and .utime + .stime > 0 and .minflt > 0' "$tier.json"
    done
    kill -KILL "$victim"
    for tier in $(tiers_here); do
        diff "$tier.json" P0.json
    done
}

@test "a run of any tier parses, verifies and shows" {
    for tier in $(tiers_here); do
        "$TK" record -q --tier "$tier" --interval 20ms -o "$tier" -- \
            sh -c 'for i in 1 2 3; do ls / >/dev/null; sleep 0.1; done'
        "$TK" parse "$tier" >/dev/null
        run -0 "$TK" verify cctf "$tier"
        [[ ${lines[-1]} == *"0 errors"* ]]
        "$TK" show --json "$tier" >"$tier.json"
        jq -e '.processes | map(.comm) | contains(["ls", "sleep"])' "$tier.json"
        jq -c '[keys, (.quality | keys), (.processes[0] | keys)]' "$tier.json" >"$tier.keys"
    done
    for tier in $(tiers_here); do
        diff "$tier.keys" P0.keys
    done
}

# CPU time in ms of the last row of each thread of a process, or of the process itself.
cpu_ms_of() {
    jq -s --argjson pid "$2" 'map(select(.pid == $pid)) | group_by([.tid, .thread_start_ticks])
        | map(last | (.cpu_ns // (.utime + .stime) * 1e7) / 1e6) | add' "$1"
}

@test "rows of threads add up to those of their process, on every tier and in either storage" {
    for tier in $(tiers_here); do
        for storage in --compact ""; do
            folder=$tier$storage
            "$TK" collect run --tier "$tier" --threads $storage --match '^tracekit$' \
                --interval 50ms -o "$folder" 2>/dev/null &
            recorder=$!
            # The thread that writes is there after some ticks.
            wait_until has_threads 2 "$recorder"
            sleep 0.8
            kill -INT "$recorder"
            wait "$recorder"
            jq -e '.threads and .threads_left_out == 0' "$folder/run.json"
            "$TK" parse "$folder" >/dev/null
            run -0 "$TK" verify cctf "$folder"
            [[ ${lines[-1]} == *"0 errors"* ]]
            # It has a thread that writes. Ticks are cut off: 10 ms for each time of each thread.
            jq -se --argjson pid "$recorder" '
                map(select(.pid == $pid)) | (map(.tid) | unique | length >= 2 and index($pid) == 0)
                and all(.start_ticks > 0 and .thread_start_ticks >= .start_ticks)' \
                "$folder/cctf/thread_metrics.jsonl"
            threads=$(cpu_ms_of "$folder/cctf/thread_metrics.jsonl" "$recorder")
            process=$(cpu_ms_of "$folder/cctf/proc_metrics.jsonl" "$recorder")
            echo "tier $tier: threads $threads ms, process $process ms"
            jq -en "$threads - $process | fabs <= 40"
        done
    done
}

@test "threads have no rows unless they are asked for" {
    "$TK" record -q --interval 20ms -o run -- sleep 0.2
    [ ! -e run/thread_metrics.jsonl ]
    jq -e '.threads == false and has("threads_left_out") == false' run/run.json
}

@test "a tier that this host refuses is an error, and auto says what it took" {
    [ "$(id -u)" -eq 0 ] || skip "not root"
    command -v setpriv >/dev/null || skip "no setpriv"
    mkdir -m 777 open
    cd open
    plain=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all)
    run -1 "${plain[@]}" "$TK" record -q --tier B2 -o refused -- true
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"tier B2: "* ]]
    "${plain[@]}" "$TK" record -q -o taken -- true
    jq -e '.tier == "P" and (.tier_why_not | length) > 10' taken/run.json
}

@test "in a pid namespace of its own it tells the pids there, and nobody else's" {
    need_walk
    need_root "a pid namespace"
    unshare --pid --fork --mount-proc true 2>/dev/null || skip "no pid namespaces here"
    unshare --pid --fork --mount-proc "$TK" record -q --tier B2 --rows every-tick -o run -- sleep 2
    jq -se 'map(.pid) | unique | length < 10 and max < 20' run/proc_metrics.jsonl
    jq -se 'map(select(.comm == "sleep")) | length > 2' run/proc_metrics.jsonl
}

@test "a walk leaves nothing in the kernel when its recorder is killed" {
    need_walk
    need_root "listing BPF programs"
    command -v bpftool >/dev/null || skip "no bpftool"
    "$TK" collect run --tier B2 -o run 2>/dev/null &
    recorder=$!
    wait_until test -s run/resources.jsonl
    # Its own, by their numbers: other tests run beside this one.
    programs=$(sed -n 's/^prog_id:[[:space:]]*//p' "/proc/$recorder"/fdinfo/* | sort -un)
    for id in $programs; do bpftool prog show id "$id"; done | grep -q "name walk_tasks"
    kill -KILL "$recorder"
    wait_until is_gone "$recorder"
    nothing_left() {
        local id
        for id in $programs; do ! bpftool prog show id "$id" 2>/dev/null || return 1; done
    }
    wait_until nothing_left
}
