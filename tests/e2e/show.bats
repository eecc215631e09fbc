#!/usr/bin/env bats
# tracekit show on small run folders under tests/data/show. What it draws is held in
# tests/data/show/golden; TK_GOLDEN=write writes it anew for review.

bats_require_minimum_version 1.5.0

setup() {
    cd "$TK_TEST_DATA/show" || return 1
    unset NO_COLOR COLUMNS LC_ALL LC_CTYPE
    export LANG=C.UTF-8 TERM=xterm
}

# golden NAME ARG...: what `show ARG...` prints is golden/NAME.
golden() {
    name=$1
    shift
    "$TK" show "$@" >"$BATS_TEST_TMPDIR/out"
    if [ "${TK_GOLDEN:-}" = write ]; then cp "$BATS_TEST_TMPDIR/out" "golden/$name"; fi
    diff -u "golden/$name" "$BATS_TEST_TMPDIR/out"
}

# fits FILE: no line is wider than 80 columns.
fits() {
    [ "$(wc -L <"$1")" -le 80 ]
}

@test "a recorded command is explained on one screen of 80 columns" {
    golden compile.utf8 compile
    fits golden/compile.utf8
    [ "$(wc -l <golden/compile.utf8)" -le 24 ]
}

@test "without UTF-8 the same screen is ASCII" {
    LANG=C golden compile.ascii compile
    fits golden/compile.ascii
    run ! grep -P '[^\x00-\x7F]' golden/compile.ascii
}

@test "a dumb terminal gets ASCII too" {
    TERM=dumb golden compile.ascii compile
}

@test "a wider terminal gets longer courses, not wrapped lines" {
    COLUMNS=120 golden compile.120 compile
    [ "$(wc -L <golden/compile.120)" -le 120 ]
}

@test "a narrow terminal gets cut tables, not wrapped lines" {
    COLUMNS=40 "$TK" show compile >"$BATS_TEST_TMPDIR/narrow"
    [ "$(grep -v '^ run folder' "$BATS_TEST_TMPDIR/narrow" | wc -L)" -eq 40 ]
}

@test "a run whose recorder was killed is shown up to its last whole row" {
    golden killed killed
    fits golden/killed
}

@test "losses, missed ticks and a signal are told, and control characters are not obeyed" {
    golden losses losses
    fits golden/losses
    run ! grep $'\033' golden/losses
}

@test "a run without a command shows the machine and its tasks" {
    golden service service
    fits golden/service
}

@test "cctf/ of generation 1 alone is enough, given as the run or as cctf/ itself" {
    golden cctf1 cctf1
    golden cctf1.cctf cctf1/cctf
}

@test "raw logs of an old run are shown without import" {
    golden old "old(c0)"
    fits golden/old
}

@test "the nodes of a run make a table in the order of their numbers" {
    golden nodes old
    fits golden/nodes
}

@test "runs named one by one make a table too" {
    run -0 "$TK" show compile service
    [ "${#lines[@]}" -eq 3 ]
    [[ ${lines[1]} == compile\ * && ${lines[2]} == service\ * ]]
}

@test "colours appear on a terminal alone and NO_COLOR turns them off" {
    run -0 script -qec "'$TK' show compile" /dev/null
    [[ $output == *$'\033[1mmake -j2\033[0m'* ]]
    NO_COLOR=1 run -0 script -qec "'$TK' show compile" /dev/null
    [[ $output != *$'\033['* ]]
}

@test "--json is one object a run with units in its keys" {
    run -0 "$TK" show --json compile service
    [ "${#lines[@]}" -eq 2 ]
    jq -e '.command.cpu_ns == 19396000000 and .command.exit_status == 0 and
           .pressure.cpu_some_ns == 5791693000 and .state == "stopped" and
           (.processes | map(select(.in_command)) | map(.count) | add) == 101 and
           .waited_for[0].cause == "cpu" and .machine.disk_written_bytes == 63300000' <<<"${lines[0]}"
    jq -e '.command == null and .invocations.count == 200 and .invocations.failed == 4 and
           (.timeline.cpu_busy_ratio | length) == (.timeline.io_stall_ratio | length)' <<<"${lines[1]}"
}

# A cctf/ into which two nodes were merged: edge idles, cloud is busy.
make_merged() {
    mkdir "$1"
    printf '[{"node_id":"edge","stage":"edge","cpu_cores":2,"mem_mb":100,"host":"e1"},
             {"node_id":"cloud","stage":"cloud","cpu_cores":8,"mem_mb":200,"host":"c1"}]\n' >"$1/nodes.json"
    for s in 1 2 3; do
        printf '{"ts_ms":%d000,"node":"edge","host":"e1","cpu_util":10}\n' $((1600000000 + s))
        printf '{"ts_ms":%d000,"node":"cloud","host":"c1","cpu_util":90}\n' $((1600000000 + s))
    done >"$1/host_metrics.jsonl"
    printf '{"ts_enqueue":1600000001000,"ts_start":1600000001000,"ts_end":1600000002000,"node":"cloud","status":0,"method":"CLI","path":"x"}\n' >"$1/invocations.jsonl"
}

@test "of a merged run one node is shown, and the others are named" {
    make_merged "$BATS_TEST_TMPDIR/merged"
    cd "$BATS_TEST_TMPDIR"
    run -0 "$TK" show merged
    [[ $output == *"0.20 of 2 cores"* ]]
    [[ $output == *"edge alone, of 2 nodes; --node shows another: cloud"* ]]
    run -0 "$TK" show merged --node cloud
    [[ $output == *"7.20 of 8 cores"* ]]
    [[ $output == *"cloud alone, of 2 nodes; --node shows another: edge"* ]]
    [ "$("$TK" show merged --json --node c1 | jq -c '[.node, .other_nodes, .invocations.count]')" = \
        '["cloud",["edge"],1]' ]
    [ "$("$TK" show merged --json | jq -c '[.node, .other_nodes, .invocations.count]')" = \
        '["edge",["cloud"],0]' ]
    run -1 "$TK" show merged --node fog
    [ "$output" = "tracekit show: merged: no node 'fog', expected edge, cloud" ]
}

@test "shares of the processes of a merged run are of all its processes, commands or not" {
    make_merged "$BATS_TEST_TMPDIR/shares"
    cd "$BATS_TEST_TMPDIR"
    printf '%s\n' >shares/run.json \
        '{"schema_version":2,"run_id":"shares","node":"","host":"","start_ms":1600000001000,"stop_ms":1600000003000,"own_cpu_ms":100,"ticks":3}'
    for row in '1,"comm":"work","cpu_ns":1500000000,"in_tree":true' '2,"comm":"other","cpu_ns":500000000'; do
        printf '{"ts_ms":1600000003000,"ts_us":1600000003000000,"node":"edge","host":"e1","start_ticks":1,"start_us":1600000001500000,"pid":%s}\n' "$row"
    done >shares/proc_exit.jsonl
    run -0 "$TK" show shares
    grep -qE '^ work +1 +1.50 s +75 %' <<<"$output"
    grep -qE '^ other +1 +500 ms +25 %' <<<"$output"
    [[ $(tr -s ' \n' ' ' <<<"$output") == *"; recorder: 5.0 % CPU "* ]] # its memory is not known
}

@test "of few tasks, too, 99 % are within the time that is told" {
    cd "$BATS_TEST_TMPDIR"
    mkdir few
    cp "$TK_TEST_DATA/show/service/node_meta.json" few
    for ms in 10 20 1000; do
        printf '{"ts_enqueue":1600000001000,"ts_start":1600000001000,"ts_end":%d,"node":"n","status":0,"method":"CLI","path":"x"}\n' \
            $((1600000001000 + ms))
    done >few/events.x.jsonl
    jq -e '.invocations | .median_ns > 19e6 and .median_ns < 21e6 and .p99_ns > 990e6' <<<"$("$TK" show few --json)"
}

@test "a run without any reading has no date" {
    cd "$BATS_TEST_TMPDIR"
    mkdir none
    cp "$TK_TEST_DATA/show/service/node_meta.json" none
    run -0 "$TK" show none
    [[ ${lines[1]} == "no reading of the machine "* ]]
    [[ $output != *1970* ]]
}

@test "--node of a run that was recorded on one node must be that node" {
    node=$("$TK" show compile --json | jq -r .node)
    run -0 "$TK" show compile --node "$node"
    [[ $output != *"--node"* ]]
    run -1 "$TK" show compile --node fog
    [ "$output" = "tracekit show: compile: no node 'fog', expected $node" ]
}

@test "options may follow the run" {
    run -0 "$TK" show compile --json
    jq -e . <<<"$output"
}

@test "--json says of a killed recorder that it was" {
    run -0 "$TK" show --json killed
    jq -e '.state == "killed" and .quality.rows_torn == 2 and .command.cpu_ns == null' <<<"$output"
}

# A run with rows of four threads that were there before it.
make_threads() {
    threads=$BATS_TEST_TMPDIR/threads
    cp -R service "$threads"
    for row in '0 7 10' '100 8 20' '100 9 30' '100 10 40' '200 7 90000' '200 9 35'; do
        read -r after tid cpu <<<"$row"
        jq -nc --argjson after "$after" --argjson tid "$tid" --argjson cpu "$cpu" '{
            ts_ms: (1758059310000 + $after), pid: 7, start_ticks: 1, tid: $tid,
            thread_start_ticks: 1, comm: "worker-\($tid)", cpu_ns: ($cpu * 1000000), utime: 1 }'
    done >"$threads/thread_metrics.jsonl"
}

@test "of a run with rows of threads it names those that used most CPU in it" {
    make_threads
    run -0 "$TK" show "$threads"
    [[ $output == *"threads "*"4 with rows; most CPU: worker-7 (7) "*"worker-9 (9) "* ]]
    "$TK" show --json "$threads" | jq -e '.threads.count == 4 and
        (.threads.busiest | map(.tid) == [7, 9, 8] and map(.cpu_ns) == [89990000000, 5000000, 0])'
    "$TK" show --json service | jq -e '.threads == {count: 0, busiest: []}'
}

@test "every documented key of --json exists, and every key is documented" {
    page=$BATS_TEST_DIRNAME/../../docs/man/tracekit-show.1.scd
    make_threads
    "$TK" show --json compile service "$threads" | jq -r '[paths | map(select(type == "string")) | last] | unique[]' |
        sort -u >"$BATS_TEST_TMPDIR/keys"
    sed -n '/^# JSON/,/^# EXIT/s/^\*\([a-z0-9_]*\)\*$/\1/p' "$page" | sort -u >"$BATS_TEST_TMPDIR/documented"
    diff "$BATS_TEST_TMPDIR/keys" "$BATS_TEST_TMPDIR/documented"
}

@test "the four real nodes are found and summarised from their raw logs" {
    [ -d "$TK_SHARED_DATA/tracekit-runs" ] || skip "no shared data"
    run -0 "$TK" show --json "$TK_SHARED_DATA/tracekit-runs/20250922002"
    [ "${#lines[@]}" -eq 4 ]
    for i in 0 1 2 3; do jq -r .host <<<"${lines[i]}"; done | diff - <(printf 'cloud%d\n' 0 1 2 3)
    jq -e '.machine.cpu_busy_ratio > 0.512 and .machine.cpu_busy_ratio < 0.514' <<<"${lines[0]}"
}

@test "what is no run is refused by name" {
    run -1 --separate-stderr "$TK" show nothing-here
    # shellcheck disable=SC2154 # bats sets it
    [[ $stderr == "tracekit show: no run 'nothing-here'"* ]]
    run -1 --separate-stderr "$TK" show "$BATS_TEST_TMPDIR"
    [[ $stderr == "tracekit show: $BATS_TEST_TMPDIR: no run: "* ]]
}

@test "--from and --to explain a part, with the figures of the machine that parse gives it" {
    golden compile.part --from +3s --to 2026-11-21T09:06:46Z compile
    fits golden/compile.part
    "$TK" parse --from +3s --to +6s -o "$BATS_TEST_TMPDIR/part" compile >/dev/null 2>&1
    for what in '.machine | del(.iface, .link_bytes_per_s)' .pressure .timeline '[.start_ms, .end_ms]'; do
        "$TK" show --json --from +3s --to +6s compile | jq "$what" |
            diff - <("$TK" show --json "$BATS_TEST_TMPDIR/part" | jq "$what")
    done
}

# The end of a process that had no reading since its birth in another part counts in neither.
@test "what the parts of a run used adds up to the whole, but for what no reading tells" {
    for run in compile service; do
        whole=$("$TK" show --json $run | jq '[.processes[].cpu_ns] | add')
        { "$TK" show --json --to +5s $run; "$TK" show --json --from +5s $run; } |
            jq -es --argjson whole "$whole" \
                'map([.processes[].cpu_ns] | add) | all(. > 0) and (add > 0.9 * $whole) and (add <= $whole)'
    done
}

@test "a part that is no time, empty or beside the run is refused" {
    run -1 --separate-stderr "$TK" show --from soon compile
    # shellcheck disable=SC2154 # bats sets it
    [[ $stderr == "tracekit show: option '--from': 'soon' is no time: expected "* ]]
    run -1 --separate-stderr "$TK" show --from +2s --to +1s compile
    [ "$stderr" = "tracekit show: --to is not after --from: nothing lies between them" ]
    run -1 --separate-stderr "$TK" show --json --from +1h compile
    [[ $stderr == "tracekit show: compile: the run lies beside --from and --to: "* ]]
    run -1 --separate-stderr "$TK" show --from 2020-01-01T00:00:00Z --to 2020-01-02T00:00:00Z 'old(c0)'
    [[ $stderr == "tracekit show: old(c0): no row of the run lies in the range" ]]
}

@test "a full disk below stdout is a failure" {
    [ -c /dev/full ] || skip "no /dev/full"
    run -1 --separate-stderr bash -c "'$TK' show compile >/dev/full"
    [[ $stderr == *"No space left on device"* ]]
}
