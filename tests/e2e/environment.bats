#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit export opendc --carbon, --failures: what a simulation is told of the world around it.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID CPU_FREQ_MHZ
    mkdir run
    echo '{"run_id":"r","node":"n0","host":"h0","cpu_cores":4,"mem_mb":16384,"cpu_freq_mhz":2400}' >run/node_meta.json
    echo '{"trace_id":"t","span_id":"s","method":"CLI","path":"x","ts_enqueue":1758000000000,"ts_start":1758000000100,"ts_end":1758000003600,"status":0,"cpu_ns":2400000000}' >run/events.x.jsonl
    cat >carbon.csv <<'CSV'
timestamp,zone,carbon_intensity
1758000000000,NL,312.5
1758003600000,NL,280
CSV
    cat >failures.csv <<'CSV'
failure_interval,failure_duration,failure_intensity
60000,5000,0.5
0,1,1
CSV
}

@test "a CSV of the grid becomes carbon.parquet, which both topologies name" {
    "$TK" export opendc run -o out --carbon carbon.csv
    diff <("$TK" parquet cat out/carbon.parquet) - <<'JSON'
{"timestamp":1758000000000,"carbon_intensity":312.5}
{"timestamp":1758003600000,"carbon_intensity":280}
JSON
    [ "$("$TK" parquet schema --json out/carbon.parquet | jq -c '[.schema[] | [.name, .type, .repetition]]')" = \
        '[["timestamp","int64","required"],["carbon_intensity","double","required"]]' ]
    [ "$(jq -c '.clusters[0].powerSource' out/topology.json)" = '{"name":"grid","carbonTracePath":"carbon.parquet"}' ]
    [ "$(jq -c '.clusters[0].powerSource.carbon' out/topology.sdk.json)" = '{"type":"named","name":"carbon.parquet"}' ]
    [ "$(jq -c '[.parameters.carbon, .parameters.failures]' out/manifest.json)" = '["carbon.csv",null]' ]
    run -0 "$TK" verify opendc --strict out
}

@test "a CSV of failures becomes failures.parquet, the failure model of both experiments" {
    "$TK" export opendc run -o out --failures failures.csv
    diff <("$TK" parquet cat out/failures.parquet) - <<'JSON'
{"failure_interval":60000,"failure_duration":5000,"failure_intensity":0.5}
{"failure_interval":0,"failure_duration":1,"failure_intensity":1}
JSON
    [ "$(jq -c .failureModels out/experiment.json)" = '[{"type":"trace-based","pathToFile":"failures.parquet","startPoint":0,"repeat":false}]' ]
    [ "$(jq -c .failureModels out/experiment.sdk.json)" = '[{"type":"traceBased","source":{"type":"named","name":"failures.parquet"},"startPoint":0,"repeat":false}]' ]
    [ "$(jq -c '.clusters[0] | has("powerSource")' out/topology.json)" = false ]
}

@test "Parquet files, and folders of their parts, are taken as well" {
    "$TK" export opendc run -o one --carbon carbon.csv --failures failures.csv --compression none
    mkdir parts
    cp one/carbon.parquet parts/part.0.parquet
    "$TK" export opendc run -o two --carbon parts --failures one/failures.parquet --compression none
    cmp one/carbon.parquet two/carbon.parquet
    cmp one/failures.parquet two/failures.parquet
}

@test "each node of --per-node has its files too" {
    "$TK" export opendc run -o out --per-node --carbon carbon.csv --failures failures.csv
    cmp out/carbon.parquet out/nodes/n0/carbon.parquet
    cmp out/failures.parquet out/nodes/n0/failures.parquet
}

@test "without them an experiment has no failures and a topology no grid" {
    "$TK" export opendc run -o out
    [ ! -e out/carbon.parquet ]
    [ ! -e out/failures.parquet ]
    [ "$(jq -c '[has("failureModels"), (.exportModels | length)]' out/experiment.json)" = '[false,1]' ]
}

# refuse OPTION LINES MESSAGE: a file with these lines is an error, and nothing is written.
refuse() {
    printf '%s\n' "$2" >bad.csv
    run -1 "$TK" export opendc run -o out "--$1" bad.csv
    [ "$output" = "tracekit export: out: bad.csv: $3" ] || { echo "$output"; return 1; }
    [ -z "$(ls out)" ]
}

@test "a row that is not in order is an error that names it" {
    carbon=timestamp,carbon_intensity
    failures=failure_interval,failure_duration,failure_intensity
    refuse carbon $'timestamp,carbon_intensity\n1758000000,5' "row 1: timestamp 1758000000 is no time in ms since 1970, of 1990 to 2100"
    refuse carbon $carbon$'\n1758000000000,5\n1758000000000,6' "row 2: timestamp 1758000000000 is not after that of the row before"
    refuse carbon $carbon$'\n1758000000000,-5' "row 1: carbon_intensity -5 is no amount of CO2"
    refuse carbon $carbon$'\n1758000000000,' "row 1 has no carbon_intensity"
    refuse carbon $'timestamp\n1758000000000' "row 1 has no carbon_intensity"
    refuse carbon $carbon$'\n1758000000000,x' "line 2: carbon_intensity: byte 14: expected a number"
    refuse carbon $carbon "there is no row in it"
    refuse failures $failures$'\n-1,5,0.5' "row 1: failure_interval -1 is negative: it counts from the last"
    refuse failures $failures$'\n1,5,0.5\n1,0,0.5' "row 2: failure_duration 0 is no time"
    refuse failures $failures$'\n1,5,0' "row 1: failure_intensity 0 is no share of the hosts, above 0 and at most 1"
    refuse failures $failures$'\n1,5,1.5' "row 1: failure_intensity 1.5 is no share of the hosts, above 0 and at most 1"
    run -1 "$TK" export opendc run -o out --carbon nowhere.csv
    [ "$output" = "tracekit export: out: nowhere.csv: No such file or directory" ]
    "$TK" export opendc run -o good --carbon carbon.csv
    run -1 "$TK" export opendc run -o out --failures good/carbon.parquet
    [ "$output" = "tracekit export: out: good/carbon.parquet: there is no column failure_interval of numbers" ]
}
