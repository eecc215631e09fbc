#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit calibrate: factors that are planted must be found again. Power models are tested in
# tests/unit/test_power.c.

# shellcheck disable=SC2154  # stderr is set by run --separate-stderr

bats_require_minimum_version 1.5.0

load opendc_helpers

setup_file() {
    find_pyarrow
}

setup() {
    begin_empty
    need_pyarrow
}

# A run, its export, and a simulation of it in which tasks take a share of the time less: by the
# arguments as of simulate_opendc.py from SCALE on.
planted() {
    measured_run run 60 140 1
    "$TK" export opendc run -o exported >/dev/null
    simulate exported sim new 0 "$@"
}

# found JQ: of the calibration, rounded to six digits.
found() {
    jq -c ".calibration | $1 | map(if type == \"number\" then (. * 1e6 | round) / 1e6 else . end)" better/manifest.json
}

@test "a planted factor of speed, overhead and linear power are found again" {
    # Measured = 1.25 x simulated + 800 ms.
    planted 0.8 -640
    run -0 "$TK" calibrate -m run -s sim -o better
    [[ ${lines[2]} == "| run times | core speed x 0.8, start-up 800 ms | 8 | "*" % | 0 % | 4 | "*" % | 0 % |" ]]
    [[ ${lines[3]} == "| power of n | linear, 60 to 140 W | "*" |" ]]
    [ "$(found '[.core_speed_factor, .scale_duration, .startup_overhead_ms]')" = '[0.8,1,800]' ]
    [ "$(found '.power[0] | [.host, .model, .idle_watt, .max_watt]')" = '["n","linear",60,140]' ]
    [ "$(found '.residuals.run_times | [.count, .held_out, (.error_before_percent > 20), .held_out_error_after_percent < 0.01]')" = '[8,4,true,true]' ]
    # The export has it, verifies, and is the other one but for it.
    [ "$(jq -c '.clusters[0].hosts[0] | [.cpu.coreSpeed, .cpuPowerModel]' better/topology.json)" = '["1600 MHz",{"modelType":"linear","idlePower":"60 Watts","maxPower":"140 Watts"}]' ]
    [ "$(jq -c '.clusters[0].hosts[0].cpuPowerModel' better/topology.sdk.json)" = '{"type":"linear","idlePower":"60 Watts","maxPower":"140 Watts"}' ]
    "$TK" verify opendc better
    diff <(rows exported/tasks.parquet id duration | awk '{ print $1, $2 + 800 }') <(rows better/tasks.parquet id duration)
    diff exported/task_map.jsonl better/task_map.jsonl
}

@test "the factor may go to the durations, and an overhead that is known is kept" {
    planted 0.8 -640
    "$TK" calibrate -m run -s sim -o better --fit run-times --apply durations >/dev/null
    [ "$(found '[.core_speed_factor, .scale_duration, .startup_overhead_ms, (.power | length)]')" = '[1,1.25,800,0]' ]
    rm -r better
    # Without the overhead that was planted the factor has to make up for it.
    "$TK" calibrate -m run -s sim -o better --fit run-times --startup-overhead-ms 0 >/dev/null
    [ "$(found '[.core_speed_factor < 0.8, .startup_overhead_ms]')" = '[true,0]' ]
    rm -r better
    "$TK" calibrate -m run -s sim -o better --fit run-times --startup-overhead-ms 800 >/dev/null
    [ "$(found '[.core_speed_factor, .startup_overhead_ms]')" = '[0.8,800]' ]
}

@test "a simulation of the calibrated durations takes as long as was measured" {
    planted 0.8 0
    "$TK" calibrate -m run -s sim -o better --fit run-times --apply durations >/dev/null
    simulate better again new 0 0.8
    run -0 "$TK" compare -m run -s again --json
    [ "$(jq -c '[.metrics[] | select(.name == "run time p50" or .name == "run time max") | (.simulated * 1e4 | round) / 1e4]' <<<"$output")" = '[1,1]' ]
}

@test "a power model with a shape is found again, without a simulation" {
    measured_run run 60 140 1.6
    "$TK" calibrate -m run -o better --power-model mse >/dev/null
    [ "$(found '.power[0] | [.model, (.shape * 100 | round) / 100, (.idle_watt | round), (.max_watt | round)]')" = '["mse",1.6,60,140]' ]
    [ "$(jq -c '.clusters[0].hosts[0].cpuPowerModel | [.modelType, (.calibrationFactor * 10 | round)]' better/topology.json)" = '["mse",16]' ]
    "$TK" verify opendc better
}

@test "export --calibration applies it, on top of what is given" {
    planted 0.8 -640
    "$TK" calibrate -m run -s sim -o better >/dev/null
    "$TK" export opendc run -o again --calibration better >/dev/null
    for file in tasks.parquet fragments.parquet topology.json topology.sdk.json experiment.json task_map.jsonl; do
        cmp better/$file again/$file
    done
    diff <(jq -c '.parameters' better/manifest.json) <(jq -c '.parameters' again/manifest.json)
    "$TK" export opendc run -o more --calibration again/manifest.json --scale-core-speed 2 --startup-overhead-ms 200 --allocation-ratio 1.5 >/dev/null
    [ "$(jq -c '[.parameters | .core_speed_factor, .startup_overhead_ms, .allocation_ratio]' more/manifest.json)" = '[1.6,1000,1.5]' ]
    [ "$(jq -r '.clusters[0].hosts[0].cpu.coreSpeed' more/topology.json)" = "3200 MHz" ]
    [ "$(jq -c '.allocationPolicies' more/experiment.json)" = '[{"type":"filter","filters":[{"type":"Compute"},{"type":"VCpu","allocationRatio":1.5},{"type":"Ram","allocationRatio":1}],"weighers":[{"type":"Ram","multiplier":1}]}]' ]
    [ "$(jq -c '.allocationPolicies[0].filters[1]' more/experiment.sdk.json)" = '{"type":"vcpu","allocationRatio":1.5}' ]
}

@test "what the data cannot tell is an error that says why" {
    planted 1 0
    # Every task takes equally long: of the run only the first, of which the others are copies.
    mkdir same
    cp run/node_meta.json same
    for i in $(seq 0 5); do
        echo "{\"trace_id\":\"$i\",\"ts_enqueue\":$((1758000000000 + i * 9000)),\"ts_start\":$((1758000000000 + i * 9000)),\"ts_end\":$((1758000004000 + i * 9000)),\"cpu_time_ms\":500}"
    done >same/invocations.jsonl
    "$TK" export opendc same -o samex >/dev/null
    simulate samex sames new 0 0.5
    run -1 "$TK" calibrate -m same -s sames -o better
    [[ $output == *"nothing to calibrate: run times: all tasks take 2000 ms in the simulation, so that a factor and a start-up overhead cannot be told apart: give the overhead" ]]
    run -1 "$TK" calibrate -m same -s sames -o better --fit power
    [[ $output == *"n: no energy counter was recorded" ]]
    [ ! -e better ]
    "$TK" calibrate -m same -s sames -o better --startup-overhead-ms 0 >/dev/null
    [ "$(found '[.core_speed_factor]')" = '[0.5]' ]
    # One level of load; of all other fits the run times remain.
    sed -i -E 's/"cpu_util":[0-9.]+/"cpu_util":40.00/' run/host_metrics.jsonl
    run -0 "$TK" calibrate -m run -s sim -o flat
    [[ $output == *"left out: n: its load stays within 40 to 40 %: idle and maximum power cannot be told apart"* ]]
    run -1 "$TK" calibrate -m run -o none --fit power
    [[ $output == *"n: its load stays within 40 to 40 %: idle and maximum power cannot be told apart" ]]
    # Two tasks.
    head -n 2 same/invocations.jsonl >two && mv two same/invocations.jsonl
    "$TK" export opendc same -o twox >/dev/null
    simulate twox twos
    run -1 "$TK" calibrate -m same -s twos -o two --fit run-times
    [[ $output == *"run times: 1 tasks were measured and completed in the first two thirds of the time, expected 3 or more" ]]
}

@test "wrong usage, other hosts and files that are no calibration are errors" {
    planted 1 0
    run -2 "$TK" calibrate -m run
    run -2 "$TK" calibrate -m run -o better --fit run-times
    [[ ${lines[0]} == *"run times need a simulation: expected --simulated DIR "* ]]
    run -1 "$TK" calibrate -m run -s sim -o exported
    [[ $output == *"exported: an export is there already: name a new folder" ]]
    run -1 "$TK" calibrate -m exported -s sim -o better
    [[ $output == *"exported: an export: name the run that it is of" ]]
    run -1 "$TK" export opendc run -o x --calibration exported
    [[ $output == *"exported/manifest.json: no calibration in it: expected what tracekit calibrate wrote" ]]
    run -1 "$TK" export opendc run -o x --calibration nowhere
    [[ $output == *"nowhere"*"No such file or directory" ]]
    "$TK" calibrate -m run -s sim -o better >/dev/null
    for change in '.core_speed_factor = 0' '.scale_cpu = "much"' '.startup_overhead_ms = -5' '.power[0].model = "magic"' '.power[0].idle_watt = -1'; do
        jq ".calibration |= ($change)" better/manifest.json >bad.json
        run -1 "$TK" export opendc run -o x --calibration bad.json
        [[ $output == *"bad.json: "* ]]
    done
    measured_run other 60 140 1 elsewhere
    run -1 "$TK" export opendc other -o x --calibration better
    [[ $output == *"the calibration has power models of other hosts, such as n: none is in the run" ]]
}
