#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The path of README.md from two hosts to a simulation: its own lines are run, those of web$ and db$ at
# the same time, as hosts with a name and a network of their own where that is allowed.

bats_require_minimum_version 1.5.0

readme=$BATS_TEST_DIRNAME/../../README.md

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    unset RUN_ID NODE_ID STAGE
    mkdir bin
    ln -s "$TK" bin/tracekit
    export PATH=$PWD/bin:$PATH
    walk >"$BATS_FILE_TMPDIR/said" 2>&1 || { cat "$BATS_FILE_TMPDIR/said" >&2; return 1; }
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
}

# The lines of README's section for a prompt, "web$ ".
lines_of() {
    sed -n '/^### Two hosts/,/^##/p' "$readme" | sed -n "s/^    $1\\$ //p"
}

# Run a line as a host of that name: with its own host name and network.
on_host() {
    if unshare --uts --net true 2>/dev/null; then
        # shellcheck disable=SC2016  # the shell of the host expands them
        unshare --uts --net sh -c 'hostname "$0" && ip link set lo up; exec sh -c "$1"' "$1" "$2"
    else
        sh -c "$2"
    fi
}

# All lines up to those that want OpenDC.
walk() {
    local line web
    on_host web "$(lines_of web)" &
    web=$!
    on_host db "$(lines_of db)" || return 1
    wait "$web" || return 1
    while IFS= read -r line; do
        echo "+ $line"
        sh -c "$line" || return 1
    done < <(lines_of '' | grep -E 'tracekit (merge|export|verify)')
}

@test "the section has the lines of all steps" {
    [ "$(lines_of web | grep -c 'tracekit record')" = 1 ]
    [ "$(lines_of db | grep -c 'tracekit record')" = 1 ]
    [ "$(lines_of '' | grep -oE 'tracekit [a-z]+|OpenDCExperimentRunner' | tr '\n' ' ')" = \
        "tracekit merge tracekit export tracekit verify OpenDCExperimentRunner tracekit compare " ]
}

@test "the merged run knows both nodes, and the commands of each" {
    [ "$(jq -c 'map(.node_id) | sort' night/nodes.json)" = '["db","web"]' ]
    [ "$(jq -sc 'map([.node, .path, .status]) | sort' night/invocations.jsonl)" = \
        '[["db","sh",0],["web","sh",0]]' ]
    run -0 "$TK" verify cctf night
    run -0 "$TK" show night --node db
}

@test "each host goes by its own name" {
    unshare --uts --net true 2>/dev/null || skip "unshare of network and host name is refused here"
    [ "$(jq -c 'map([.node_id, .host]) | sort' night/nodes.json)" = '[["db","db"],["web","web"]]' ]
}

@test "each command is a task on its host, with its own life and CPU time" {
    local node cpu_ns life_ms
    [ "$(jq -sc 'map([.node, .run_id != null]) | sort' night-opendc/task_map.jsonl)" = \
        '[["db",true],["web",true]]' ]
    for node in web db; do
        life_ms=$(jq "select(.node == \"$node\") | .ts_end - .ts_start" night/invocations.jsonl)
        [ "$(jq "select(.node == \"$node\") | .ts_end - .ts_start" night-opendc/task_map.jsonl)" = "$life_ms" ]
    done
    cpu_ns=$(jq -s 'map(.cpu_ns) | add' night/invocations.jsonl)
    [ "$(jq .sums.cpu_ns night-opendc/manifest.json)" = "$cpu_ns" ]
    [ "$cpu_ns" -gt 0 ]
    [ "$(jq -c '[.clusters[].hosts[].name] | sort' night-opendc/topology.json)" = '["db","web"]' ]
}

@test "fragments add up to the lives of the tasks" {
    local lives_ms
    lives_ms=$(jq -s 'map(.ts_end - .ts_start) | add' night/invocations.jsonl)
    [ "$("$TK" parquet cat night-opendc/fragments.parquet | jq -s 'map(.duration) | add')" = "$lives_ms" ]
    [ "$("$TK" parquet cat night-opendc/tasks.parquet | jq -s 'map(.duration) | add')" = "$lives_ms" ]
}

@test "verify opendc finds nothing wrong" {
    run -0 "$TK" verify opendc night-opendc --json
    [ "$(jq -c '[.ok, .errors, .tasks]' <<<"$output")" = '[true,0,2]' ]
}

@test "OpenDC runs it, and what it computes is compared" {
    [ -n "${OPENDC_HOME:-}" ] || skip "OPENDC_HOME names no runner"
    lines_of '' | grep OPENDC_HOME >simulate
    sh -e simulate
    lines_of '' | grep 'tracekit compare' >comparing
    # A line of the table may fail, when the measured hosts were busy: 0 or 1, and a table.
    run sh comparing
    [ "$status" -le 1 ]
    [[ $output == *"makespan"* ]]
}
