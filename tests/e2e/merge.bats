#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit merge: two hosts recorded and joined, the four real nodes of the shared data. What becomes
# of which row is tested in tests/unit/test_merge.c.

# shellcheck disable=SC2154  # stderr is set by run --separate-stderr

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID NODE_ID STAGE TZ
}

# Record a command as a host of its own: with its own host name and network.
on_host() {
    local host=$1
    shift
    unshare --uts --net sh -c 'hostname "$0" && ip link set lo up 2>/dev/null; exec "$@"' "$host" "$@"
}

needs_hosts() {
    unshare --uts --net true 2>/dev/null || skip "unshare of network and host name is refused here"
}

work='for i in 1 2 3 4 5; do head -c 3000000 /dev/zero | md5sum; sleep 0.2; done'

@test "two hosts that call themselves alike are recorded, merged, verified and shown" {
    needs_hosts
    (export NODE_ID=vm0 && on_host alpha "$TK" record -o logs/two-a -- sh -c "$work") >/dev/null &
    (export NODE_ID=vm0 && on_host beta "$TK" record --compact -o logs/two-b -- sh -c "$work") >/dev/null
    wait
    [ -f logs/two-b/recording.tkr ]
    [ ! -e logs/two-b/proc_metrics.jsonl ]
    run -0 --separate-stderr "$TK" merge logs/two-a logs/two-b -o two
    grep -q "several hosts call themselves 'vm0': the host name becomes the node id" <<<"$stderr"
    [ "$(jq -r '.[] | [.node_id, .node_label, .host] | join(" ")' two/nodes.json)" = "alpha vm0 alpha
beta vm0 beta" ]
    run -0 "$TK" verify cctf two
    for table in host_metrics proc_metrics proc_cpu proc_rss invocations clock; do
        [ "$(jq -r '[.node, .host] | join(" ")' two/$table.jsonl | sort -u)" = "alpha alpha
beta beta" ]
    done
    [ "$(jq -s 'map(.ts_us) | . == sort' two/proc_metrics.jsonl)" = true ]
    [ "$("$TK" show two --node beta --json | jq -c '[.node, .other_nodes]')" = '["beta",["alpha"]]' ]
    # No row is lost or made up on the way.
    "$TK" parse logs/two-a >/dev/null
    "$TK" parse logs/two-b >/dev/null
    for table in host_metrics proc_metrics proc_cpu invocations; do
        [ "$(wc -l <two/$table.jsonl)" = \
            "$(cat logs/two-?/cctf/$table.jsonl | wc -l)" ]
    done
    [ ! -e two/.parsed ]
}

@test "requests that were adapted after a run was parsed are merged with it" {
    "$TK" record -o logs/r -- sleep 0.3 >/dev/null
    "$TK" parse logs/r >/dev/null
    sleep 0.02
    echo '1760097336.5 0.5' | "$TK" adapt nginx --run r --format '$msec $request_time' >/dev/null
    "$TK" merge logs/r -o m >/dev/null
    [ "$(jq -s 'map(select(.ts_end == 1760097336500)) | length' m/invocations.jsonl)" = 1 ]
    [ ! -e m/.parsed ]
}

shared() {
    runs=$TK_SHARED_DATA/tracekit-runs
    [ -d "$runs" ] || skip "there is no $runs"
}

@test "the four real nodes that all call themselves vm0 become cloud0 to cloud3" {
    shared
    "$TK" import "$runs"/20250922002* >/dev/null 2>&1
    run -0 --separate-stderr "$TK" merge 20250922002
    [ "$stderr" = "tracekit merge: several hosts call themselves 'vm0': the host name becomes the node id" ]
    [[ ${lines[0]} == "4 runs → unified_cctf/20250922002" ]]
    cd unified_cctf/20250922002
    [ "$(jq -r '.[] | [.node_id, .node_label, .host, .cpu_cores, .mem_mb, .cpu_freq_mhz] | join(" ")' nodes.json)" = \
        "cloud0 vm0 cloud0 4 15997 2399
cloud1 vm0 cloud1 4 15997 2399
cloud2 vm0 cloud2 4 15997 2399
cloud3 vm0 cloud3 4 15997 2399" ]
    [ "$(jq -r '.[] | [.u, .v, .BW_bps] | join(" ")' links.json)" = "cloud0 cloud0.net 1000000000
cloud1 cloud1.net 1000000000
cloud2 cloud2.net 1000000000
cloud3 cloud3.net 1000000000" ]
    # Figures of collect-and-cctf.md section 22.
    [ "$(jq -rs 'group_by(.node)[] | [.[0].node, (map(select(.cpu_util)) |
            length, .[0].ts_ms, .[-1].ts_ms, ((map(.cpu_util) | add / length * 10000 | round) / 10000)),
            (map(select(.mem_free_mb).mem_free_mb) | length, min, max)] | join(" ")' host_metrics.jsonl)" = \
        "cloud0 1859 1758579920000 1758581779000 51.2601 1859 9780 10564
cloud1 1865 1758579933000 1758581797000 79.862 1865 9557 10616
cloud2 1862 1758579927000 1758581788000 64.6484 1863 9423 10584
cloud3 1864 1758579941000 1758581804000 66.6498 1864 9788 10770" ]
    [ "$(jq -rs 'group_by(.node)[] | [.[0].node, .[0].link, length, (map(.rx_Bps) | add),
            (map(.tx_Bps) | add)] | join(" ")' link_metrics.jsonl)" = \
        "cloud0 cloud0.nic 1857 2828776 2996749
cloud1 cloud1.nic 1863 3214735 3393294
cloud2 cloud2.nic 1860 3250173 3469107
cloud3 cloud3.nic 1862 3036143 3224289" ]
    [ "$(jq -s 'map(.ts_ms) | . == sort' host_metrics.jsonl)" = true ]
    run -0 "$TK" verify cctf .
    run -0 "$TK" show . --node cloud2
}

@test "old runs are merged without being imported, and stay as they are" {
    shared
    "$TK" merge "$runs" -o merged >/dev/null 2>&1
    [ "$(jq length merged/nodes.json)" = 4 ]
    [ "$(jq -s 'map(select(.cpu_util)) | length' merged/host_metrics.jsonl)" = 7450 ]
    [ ! -e merged/.parsed ]
}

@test "merging twice gives the same files" {
    shared
    "$TK" merge "$runs" -o merged >/dev/null 2>&1
    cp -r merged before
    "$TK" merge "$runs" -o merged >/dev/null 2>&1
    diff -r merged before
}

# One node with so many rows, as parse leaves them.
make_node() {
    mkdir -p "$1"
    echo "[{\"node_id\":\"$1\",\"stage\":\"s\",\"cpu_cores\":1,\"mem_mb\":1,\"host\":\"h$1\"}]" >"$1/nodes.json"
    seq "$2" | sed "s/.*/{\"ts_ms\":1000&,\"pid\":7,\"rss_kb\":1234,\"node\":\"$1\",\"start_ticks\":&}/" >"$1/proc_rss.jsonl"
}

@test "memory does not follow the size of the runs" {
    (ulimit -v 300000 && "$TK" version) >/dev/null 2>&1 ||
        skip "a sanitizer takes address space of its own"
    make_node a 400000
    make_node b 400000
    (ulimit -v 400000 && "$TK" merge a b -o out) >/dev/null
    [ "$(wc -l <out/proc_rss.jsonl)" = 800000 ]
}

# Two nodes of generation 2, whose rows tell their intervals.
make_gen2() {
    for node in a b; do
        mkdir -p "old/$node"
        echo "[{\"node_id\":\"$node\",\"stage\":\"s\",\"cpu_cores\":1,\"mem_mb\":1,\"cpu_freq_mhz\":2${node/a/4}00,\"host\":\"h$node\"}]" |
            sed 's/2b00/1800/' >"old/$node/nodes.json"
        echo "{\"trace_id\":\"t$node\",\"ts_enqueue\":1000,\"ts_start\":1001,\"ts_end\":1002,\"pid\":7,\"status\":0}" >"old/$node/invocations.jsonl"
        printf '%s\n' '{"ts_ms":1000,"pid":7,"cpu_ms":0,"dt_ms":0}' '{"ts_ms":2000,"pid":7,"cpu_ms":250,"dt_ms":1000}' >"old/$node/proc_cpu.jsonl"
        printf '%s\n' '{"ts_ms":1000,"pid":7,"rss_kb":100}' '{"ts_ms":2000,"pid":7,"rss_kb":200}' '{"ts_ms":3000,"pid":7,"rss_kb":300}' >"old/$node/proc_rss.jsonl"
    done
}

@test "generation 2: one file of invocations and one of processes, by the flags of then" {
    make_gen2
    run -0 "$TK" merge --base-dir old --what both --output inv.jsonl --proc-output sub.jsonl
    diff <(jq -c '[.trace_id, .node, .host, .ts_start]' inv.jsonl) - <<'JSON'
["ta","a","ha",1001]
["tb","b","hb",1001]
JSON
    # Intervals of no length are left out, and equal pids of two nodes stay apart.
    diff sub.jsonl - <<'JSON'
{"ts_ms":2000,"pid":7,"dt_ms":1000,"cpu_ms":250,"rss_kb":200,"cpu_freq_mhz":2400,"node":"a","host":"ha"}
{"ts_ms":2000,"pid":7,"dt_ms":1000,"cpu_ms":250,"rss_kb":200,"cpu_freq_mhz":1800,"node":"b","host":"hb"}
JSON
    [ "$(find . -name '.merge*')" = "" ]
    [ ! -e unified_cctf ]
}

@test "generation 2: names and kinds of files by default" {
    make_gen2
    "$TK" merge --base-dir old >/dev/null
    [ "$(wc -l <invocations_merged.jsonl)" = 2 ]
    [ "$(wc -l <proc_metrics_merged.jsonl)" = 2 ]
    rm ./*.jsonl
    "$TK" merge --what invocations old/a >/dev/null
    [ "$(ls ./*.jsonl)" = ./invocations_merged.jsonl ]
    rm ./*.jsonl
    "$TK" merge --what proc_metrics old >/dev/null
    [ "$(ls ./*.jsonl)" = ./proc_metrics_merged.jsonl ]
    rm ./*.jsonl
    "$TK" merge --base-dir old --what folder -o folder >/dev/null
    [ -e folder/nodes.json ]
    run -2 "$TK" merge --base-dir old old
    run -2 "$TK" merge --what invocations --proc-output x old
    run -2 "$TK" merge --what proc_metrics --output x old
    run -2 "$TK" merge --what folder --proc-output x old
    run -1 "$TK" merge --base-dir old --output nowhere/inv.jsonl
    [[ $output == *"nowhere"*"No such file or directory" ]]
    [ ! -e proc_metrics_merged.jsonl ]
}

@test "generation 2: of a run of our own the rows have CPU time, memory and frequency" {
    "$TK" record -o r -- sh -c 'head -c 30000000 /dev/zero | md5sum; sleep 0.3' >/dev/null
    "$TK" merge --what proc_metrics --proc-output out.jsonl r >/dev/null
    [ "$(jq -s 'length > 0 and all(.dt_ms > 0 and .cpu_ms >= 0 and .node != null)' out.jsonl)" = true ]
    [ "$(jq -s 'any(.rss_kb > 0)' out.jsonl)" = true ]
    [ "$(jq -s 'map(.cpu_ms) | add' out.jsonl)" = "$("$TK" parse r >/dev/null && jq -s 'map(.cpu_ms) | add' r/cctf/proc_cpu.jsonl)" ]
}

@test "the result is validated where that is wanted: findings are told and the status is 1" {
    make_gen2
    run -0 "$TK" merge --validate --base-dir old --what folder -o good
    echo '{"trace_id":"x","ts_enqueue":5000,"ts_start":4000,"ts_end":3000,"pid":7,"status":0}' >>old/b/invocations.jsonl
    run -0 "$TK" merge --base-dir old --what folder -o bad
    run -1 --separate-stderr "$TK" merge --validate --base-dir old --what folder -o bad
    grep -q "invocations.jsonl line 3: error: " <<<"$stderr"
    [[ $output == *"error"*" of verify cctf"* ]]
    run -1 --separate-stderr "$TK" merge --validate --json --base-dir old --output i.jsonl --proc-output p.jsonl
    [ "$(jq '.errors > 0' <<<"$output")" = true ]
    [ "$(wc -l <i.jsonl)" = 3 ]
}

@test "the report can be had as JSON" {
    make_node a 3
    make_node b 2
    run -0 --separate-stderr "$TK" merge --json a b -o out
    [ "$(jq -c '[.runs, (.nodes | map(.node_id)), .rows.proc_rss, .violations]' <<<"$output")" = '[2,["a","b"],5,0]' ]
}

@test "what cannot be merged is an error that names it" {
    run -2 "$TK" merge
    run -2 "$TK" merge --no-align --force a
    run -1 "$TK" merge nowhere -o out
    mkdir empty full
    touch full/file
    make_node a 1
    run -1 "$TK" merge empty -o out
    [[ $output == *"empty: is no run and holds none" ]]
    [ ! -e out ]
    run -1 "$TK" merge a -o full
    [[ $output == *"full is not empty, and no result of a merge" ]]
    [ -e full/file ]
    run -1 "$TK" merge a --reference x -o out
    [[ $output == *"no node 'x' to align with" ]]
}
