#!/usr/bin/env bats
# tracekit import on the logs under tests/data/rawlog and on the real run of the shared data. What
# each kind of folder becomes is tested in tests/unit/test_import.c, the logs in test_rawlog.c.

# shellcheck disable=SC2154  # stderr is set by run --separate-stderr

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID NODE_ID STAGE TZ
    logs=$TK_TEST_DATA/rawlog
}

@test "logs become a run that parse, show and verify take" {
    run -0 --separate-stderr "$TK" import "$logs/plain"
    [ "$output" = "$logs/plain → logs/plain
  node    cloud0 on cloud0, stage cloud, 4 CPUs
  dates   2025-09-16T21:48:29Z to 2025-09-16T21:48:32Z, 3.00 s, by line 1 of cpu.log
  logs          rows    gaps   equal   steps     n/a     bad
  cpu.log          3       0       0       0       0       0
  mem.log          2       0       0       0       0       0
  net.log          2       0       0       0       0       0
  tables  host_metrics 5, link_metrics 2" ]
    [ "$stderr" = "tracekit import: $logs/plain: node_meta.json is missing: made one for node 'cloud0', unknown size of memory" ]
    "$TK" verify cctf plain
    "$TK" show plain | grep -q cloud0
    cp -r logs/plain before
    "$TK" parse plain >/dev/null
    diff -r before logs/plain
}

@test "the old folder stays as it was" {
    cp -r "$logs/clock" old
    find old -exec touch -d 2020-01-01 {} +
    before=$(find old -printf '%p %s %T@ %C@\n' | sort)
    "$TK" import old >/dev/null 2>&1
    [ "$(find old -printf '%p %s %T@ %C@\n' | sort)" = "$before" ]
}

@test "with one run --output is its folder, with several the folder of theirs" {
    "$TK" import "$logs/plain" -o one >/dev/null 2>&1
    [ -f one/run.json ]
    "$TK" import -o many "$logs/plain" "$logs/midnight" >/dev/null 2>&1
    [ -f many/plain/run.json ] && [ -f many/midnight/run.json ]
}

@test "a folder that holds runs stands for them, and a run for its nodes in their order" {
    mkdir archive
    for n in 10 2; do cp -r "$logs/plain" "archive/r(c$n)"; done
    run -0 --separate-stderr "$TK" import archive -o a
    [[ ${lines[0]} == "archive/r(c2) → a/r(c2)" ]]
    [ -f "a/r(c10)/run.json" ]
    run -0 --separate-stderr "$TK" import archive/r -o b
    [[ ${lines[0]} == "archive/r(c2) → b/r(c2)" ]]
}

@test "the zone of times with AM and PM is a choice" {
    "$TK" import "$logs/meridiem" -o utc 2>said >/dev/null
    grep -q "cpu.log has times with AM and PM, taken as UTC; --log-tz tells their zone" said
    "$TK" import --log-tz +02:00 "$logs/meridiem" -o east 2>said >/dev/null
    run ! grep -q AM said
    "$TK" import --log-tz America/New_York "$logs/meridiem" -o west >/dev/null 2>&1
    first=$(jq -s '.[0].ts_ms' utc/resources.jsonl)
    [ "$(jq -s '.[0].ts_ms' east/resources.jsonl)" -eq $((first - 7200000)) ]
    [ "$(jq -s '.[0].ts_ms' west/resources.jsonl)" -eq $((first + 14400000)) ]
    run -2 "$TK" import --log-tz Berlin "$logs/meridiem"
    [ "${lines[0]}" = "tracekit import: option '--log-tz': 'Berlin' is no zone: expected an offset as +02:00, or a name as Europe/Berlin (see tracekit import --help)" ]
}

@test "bad lines are named and counted, and the run is still imported" {
    run -0 --separate-stderr "$TK" import "$logs/damaged" --json
    grep -q "damaged: cpu.log:5: expected a time HH:MM:SS; lines skipped: 2" <<<"$stderr"
    grep -q "damaged: mem.log: skipped a last line that was cut short" <<<"$stderr"
    [ "$(jq -c '.logs["cpu.log"] | [.rows, .bad_lines, .torn_lines]' <<<"$output")" = "[2,2,1]" ]
    [ "$(jq -c '[.rows.host_metrics, .rows.link_metrics, .logs["net.log"].no_value]' <<<"$output")" = "[4,1,1]" ]
}

@test "the identity of the environment counts where the folder has none" {
    NODE_ID=n7 STAGE=edge "$TK" import "$logs/dateless" -o new >/dev/null 2>&1
    [ "$(jq -c '[.node, .stage]' new/node_meta.json)" = '["n7","edge"]' ]
}

@test "a folder that is in use, or the old one itself, is not written" {
    mkdir logs && cp -r "$logs/plain" logs/plain
    run -1 --separate-stderr "$TK" import plain
    [ "$stderr" = "tracekit import: logs/plain: lies within logs/plain, which is only read; choose another folder with --output" ]
    mkdir used && touch used/x
    run -1 --separate-stderr "$TK" import plain -o used
    [ "$stderr" = "tracekit import: used: is there and not empty; choose another folder with --output" ]
    [ "$(ls used)" = x ]
}

@test "one run that fails does not stop the others" {
    cp -r "$logs/plain" a
    mkdir a/events.x.jsonl
    cp -r "$logs/plain" b
    run -1 --separate-stderr "$TK" import a b -o out
    grep -qx "tracekit import: a: events.x.jsonl: Is a directory" <<<"$stderr"
    [ ! -e out/a ]
    [ -f out/b/run.json ]
}

@test "what is no old run fails with one clear line" {
    mkdir empty
    run -1 "$TK" import empty
    [ "$output" = "tracekit import: empty: is no old run and holds none" ]
    run -1 "$TK" import nowhere
    [ "${#lines[@]}" -eq 1 ]
    "$TK" import "$logs/plain" -o new >/dev/null 2>&1
    run -1 "$TK" import new -o again
    [ "$output" = "tracekit import: new: is a run of tracekit already (it has run.json)" ]
    run -2 "$TK" import
    [ "${lines[0]}" = "tracekit import: expected files of spans, or the folder of an old run (see tracekit import --help)" ]
}

@test "the real run imports whole: four nodes, no bad line, one warning, sound" {
    [ -d "$TK_SHARED_DATA/tracekit-runs" ] || skip "$TK_SHARED_DATA/tracekit-runs is absent"
    run -0 --separate-stderr "$TK" import "$TK_SHARED_DATA/tracekit-runs" --json
    [ "$stderr" = "tracekit import: node 'vm0' is on cloud0 and on cloud1: nodes are told apart by node and host" ]
    [ "$(jq -c '[.host, .rows.host_metrics, .rows.link_metrics, .bad_rows] +
        [.logs[] | .bad_lines + .torn_lines + .no_value]' <<<"$output")" = '["cloud0",3718,1857,0,0,0,0]
["cloud1",3730,1863,0,0,0,0]
["cloud2",3725,1860,0,0,0,0]
["cloud3",3728,1862,0,0,0,0]' ]
    [ "$(jq -c '.logs["cpu.log"] | [.gaps, .equal_stamps, .clock_steps]' <<<"$output" | head -n 1)" = "[2,1,0]" ]
    run -0 "$TK" verify cctf 20250922002
    [ "$(grep -c ': ok: 0 errors' <<<"$output")" -eq 4 ]
    for file in logs/*/resources.jsonl logs/*/links.jsonl; do
        [ "$(jq -s 'map(.ts_ms) | . == sort' "$file")" = true ]
    done
}
