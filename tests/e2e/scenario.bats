#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A build of a CI service from its first shell to the verdict on a series of its runs: each of its four shells sources
# the functions anew; two steps run at once, one fails, one is killed. What is told of it has to be complete and clear,
# from the folder as from a store, be that a folder or S3.

load step_helpers

setup_file() {
    bats_require_minimum_version 1.5.0
    cd "$BATS_FILE_TMPDIR" || return 1
    begin_build_here
    # A network of its own, where nobody else's traffic is seen, if we may.
    own_network=$(unshare -n true 2>/dev/null && echo unshare -n)
    export SHELL_FUNCTIONS COLUMNS=80 TERM=dumb LC_ALL=C.UTF-8
    unset NO_COLOR CI "${!AWS_@}" "${!MINIO_@}" TELEMETRY_BUCKET
    run_workflow
    document >document.path
}

teardown_file() {
    rm -rf "$BATS_FILE_TMPDIR/t" # ends the watcher
    "$BATS_TEST_DIRNAME/radosgw" stop "$BATS_FILE_TMPDIR/rgw"
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
    document=$(cat document.path)
    # What became of a shell is kept for us since Linux 6.15; before it is known only at times.
    failed='its shell ended with exit status 1 before the step did' killed='killed by SIGKILL'
    if [ "$(printf '%s\n' 6.15 "$(uname -r)" | sort -V | head -n 1)" != 6.15 ]; then
        local unknown='never ended; what had begun it was gone'
        failed="($failed|$unknown)" killed="($killed|$unknown)"
    fi
}

# One `run:` of the workflow, from a file as runners do it. `watched` waits until the watcher knows of the shell, that
# what ends it is seen on a machine however busy.
ci_run() {
    {
        echo ". '$SHELL_FUNCTIONS'"
        cat <<'END'
watched() {
    read -r watcher _ <"$(echo "$TELEMETRY_DIR"/*/watcher)" || : # a line without its end
    tries=0
    until cat /proc/"$watcher"/fdinfo/* 2>/dev/null | grep -q "^Pid:[[:space:]]*$$\$"; do
        tries=$((tries + 1))
        [ $tries -lt 1200 ]
        sleep 0.05
    done
}
END
        cat
    } >run.sh
    GITHUB_ACTIONS=true GITHUB_RUN_ID=77 GITHUB_RUN_NUMBER=5 GITHUB_SHA=0123456789abcdef GITHUB_REF=refs/heads/main \
        GITHUB_OUTPUT=$PWD/output $own_network sh -e run.sh >>log 2>&1
}

# Exit statuses of the four shells go to `statuses`.
run_workflow() {
    local status=0
    : >statuses
    ci_run <<'END' || status=$?
telemetry_init build 0.10.2
telemetry_step_start checkout
head -c 20000000 /dev/zero >file
telemetry_step_end checkout
(
    telemetry_step_start wait_for_services
    sleep 11
    telemetry_step_end wait_for_services
) &
telemetry_step_start compile
i=0
while [ $i -lt 1000000 ]; do i=$((i + 1)); done
sleep 1
telemetry_step_end compile
wait
END
    echo "$status" >>statuses
    status=0
    ci_run <<'END' || status=$?
telemetry_step_start unit_tests
watched
false
telemetry_step_end unit_tests
END
    echo "$status" >>statuses
    status=0
    ci_run <<'END' || status=$?
telemetry_step_start deploy
watched
kill -9 $$
END
    echo "$status" >>statuses
    status=0
    ci_run <<'END' || status=$?
"$TRACEKIT" exec -n lint -- sh -c 'exit 3' || :
telemetry_finalize
END
    echo "$status" >>statuses
}

@test "the shells end as they would without telemetry" {
    cat log
    [ "$(tr '\n' ' ' <statuses)" = "0 1 137 0 " ]
    [ "$(cat output)" = "TELEMETRY_FILE=$document" ]
}

@test "every step is in the document, with its status, its times and what it used" {
    jq -e '[.steps[] | [.name, .status]] | sort == [["checkout", "success"], ["compile", "success"],
        ["deploy", "incomplete"], ["lint", "failed"], ["unit_tests", "incomplete"], ["wait_for_services", "success"]]' \
        "$document"
    jq -e '.status == "failed" and .exit_code == 3 and .totals.steps == 6 and .totals.failed_steps == 1 and
        .run_number == "5" and .ci.branch == "main" and .job_duration_s >= 11' "$document"
    jq -e '.job_start as $from | .job_end as $to | all(.steps[];
        .start_time >= $from - 0.01 and .end_time <= $to + 0.01 and .duration_s >= 0 and
        (.end_time - .start_time - .duration_s | fabs) < 0.5)' "$document"
    jq -e '[.steps[] | {(.name): .}] | add | .wait_for_services.duration_s >= 11 and .compile.duration_s >= 1 and
        .compile.start_time < .wait_for_services.end_time and .wait_for_services.start_time < .compile.end_time and
        .unit_tests.start_time >= .wait_for_services.end_time and .deploy.start_time >= .unit_tests.end_time and
        .lint.exit_code == 3' "$document"
    # Two steps at once, and each has its own.
    jq -e '[.steps[] | {(.name): .}] | add | .compile.scope != "host" and .compile.cpu.total_s >= 0.1 and
        .wait_for_services.scope != "host" and .wait_for_services.cpu.total_s < .compile.cpu.total_s / 2' "$document"
    jq -e 'all(.steps[]; .duration_s < 1 or .samples.rows != null)' "$document"
}

@test "the terminal names what failed, what was killed, and with which status, in 80 columns" {
    run -0 "$TK" report
    [ "$(wc -L <<<"$output")" -le 80 ]
    run ! grep -P '\x1b' <<<"$output"
    run -0 "$TK" report
    [[ ${lines[0]} == "build 0.10.2  run 5  main@012345  "* ]]
    [[ ${lines[1]} == "failed  "[1-9]* ]]
    grep -E "^ lint .* failed \(3\)$" <<<"$output"
    grep -E "^ deploy .* (killed \(9\)|incomplete)$" <<<"$output"
    grep -xE "  unit_tests: $failed" <<<"$output"
    grep -xE "  deploy: $killed" <<<"$output"
    grep -xE "  lint: failed with exit status 3" <<<"$output"
    run -0 "$TK" report diagnose
    [ "$(wc -L <<<"$output")" -le 80 ]
    grep -E "^ deploy: $killed" <<<"$output"
}

@test "so do the summary for GitHub, the page and the JSON" {
    "$TK" report export markdown >summary.md
    [ "$(stat -c %s summary.md)" -lt 60000 ]
    head -n 1 summary.md | grep '^### build 0.10.2: failed, '
    grep -xE -- "- \*\*unit\\\\_tests\*\*: $failed" summary.md
    grep -xE -- "- \*\*deploy\*\*: $killed" summary.md
    grep -E 'deploy \(.*\) :crit, ' summary.md
    "$TK" report export html >page.html
    [ "$(stat -c %s page.html)" -lt 200000 ]
    grep -oE "<b>unit_tests</b> <span class=bad>$failed" page.html
    grep -oE "<b>deploy</b> <span class=bad>$killed" page.html
    [ "$(grep -o "class='bar bad" page.html | wc -l)" = 3 ]
    "$TK" report --json | jq -e --argjson known "$([[ $killed == \(* ]] && echo false || echo true)" \
        '[.steps[] | {(.name): .}] | add | (.deploy.signal == 9 and .deploy.exit_code == 137 and
        .unit_tests.exit_code == 1) or ($known | not)'
}

@test "all of them name what held the build up" {
    if jq -e 'any(.steps[].diagnosis[]?; .rule == "DISK_FULL")' "$document"; then
        skip "the disk of this machine is full, and that is what they name"
    fi
    if jq -e '.steps[] | select(.name == "wait_for_services") | (.net_rx_mb + .net_tx_mb) >= 0.1 * .duration_s' "$document"; then
        skip "others used the network meanwhile, so that the step is not known to be idle"
    fi
    if jq -e '.steps[] | select(.name == "wait_for_services") | .duration_s as $d | .pressure |
            .source == "host" and (.cpu_some_s + .io_some_s >= 0.03 * $d)' "$document"; then
        skip "others held the CPUs or the disk up meanwhile, and only the whole machine tells of waiting"
    fi
    local why='idle for 1[1-9] s of 1[1-9] s: a fixed sleep'
    run -0 "$TK" report
    grep -E "^ wait_for_s.* fixed wait$" <<<"$output"
    grep -E "^  [123]\. wait_for_services: $why" <<<"$output"
    run -0 "$TK" report export markdown
    grep -E "^[123]\. \*\*wait.*services\*\*: $why" <<<"$output"
    run -0 "$TK" report export html
    grep -oE "$why" <<<"$output"
    "$TK" report --json | jq -e '.steps[] | select(.name == "wait_for_services") | .diagnosis[] |
        select(.rule == "IDLE_WAIT") | .level == "warn" and .saves_s > 8 and .evidence.idle_percent > 90'
}

# Builds as they might have gone on: the document of this one, all well, with a compile step of 100 s and noise of 2 %
# about all times. Of 0.10.2 there are 14 builds, of 0.10.3, whose compile step takes 20 % more CPU time, eight.
series() {
    mkdir -p series
    local i noise
    for i in $(seq 22); do
        noise=$(awk -v i="$i" 'BEGIN { srand(i * 7919); rand(); printf "%.4f", 1 + 0.02 * sqrt(-2 * log(rand())) * cos(6.2832 * rand()) }')
        jq -c --argjson i "$i" --argjson noise "$noise" '
            (if $i > 14 then 1.2 else 1 end) as $more |
            .id = "run-\($i)" | .version = (if $i > 14 then "0.10.3" else "0.10.2" end) | .status = "success" |
            .exit_code = 0 | .run_id = "\(100 + $i)" | .run_number = "\($i)" | .job_start += 3600 * $i |
            del(.baseline, .diagnosis) | .totals.failed_steps = 0 |
            .steps |= map(del(.diagnosis, .signal, .samples, .host, .wall, .pressure) | .status = "success" | .exit_code = 0 |
                .start_time += 3600 * $i |
                if .name == "compile" then .duration_s = 100 * $noise * $more | .cpu.total_s = .duration_s * 0.95
                else .duration_s = 5 * $noise end | .cpu.cores_avg = .cpu.total_s / .duration_s | .end_time = .start_time + .duration_s) |
            .job_duration_s = 125 * $noise + 100 * $noise * ($more - 1) | .job_end = .job_start + .job_duration_s |
            .totals.cpu_s = 96 * $noise * $more' "$document" >"series/build_$(printf %02d "$i").json"
    done
}

# What is told of the build and its series, which go to store $1 one by one; nothing of them is in the folder.
judge() {
    export TRACEKIT_STORE=$1
    TELEMETRY_DIR=$PWD/t "$TK" report push
    run -0 "$TK" report show 0.10.2 --json
    diff <(jq -S 'del(.baseline, .diagnosis, .steps[].diagnosis)' <<<"$output") \
        <(jq -S 'del(.baseline, .diagnosis, .steps[].diagnosis)' "$document")
    local i
    for i in $(seq 22); do
        run -0 "$TK" report push "series/build_$(printf %02d "$i").json"
        # Noise passes, whichever build it is the turn of.
        if [ "$i" -ge 10 ] && [ "$i" -le 14 ]; then
            run -0 "$TK" report gate --max-total +10% --max-step compile=+10%
            [[ $output == "gate ok; "* ]]
        elif [ "$i" -eq 16 ]; then
            run -3 "$TK" report gate --max-total +10% --max-step compile=+10%
            [[ $output == "gate broken; total "*"; compile "* ]]
        fi
    done
    run -0 "$TK" report compare 0.10.2 0.10.3 --json
    jq -e '.rows[] | select(.name == "compile") | .delta_percent > 15 and .delta_percent < 25 and .p < 0.05 and
        .cause == "CPU up: code"' <<<"$output"
    jq -e 'all(.rows[] | select(.name == "checkout" or .name == "deploy"); .cause == "not significant")' <<<"$output"
    run -0 "$TK" report list
    [ "$(grep -c ' build ' <<<"$output")" = 23 ]
    run -0 "$TK" report
    [[ ${lines[0]} == "build 0.10.3  run 22  "* ]]
    run -0 "$TK" report history 20 --step compile
    grep -E "0\.10\.3 .* changed: \+[12][0-9]\.[0-9] %" <<<"$output"
}

@test "a series in a store that is a folder: noise passes the gate, 20 % more CPU time do not" {
    series
    TELEMETRY_DIR=$PWD/none judge "dir:$PWD/store"
}

@test "the same in S3, which gives all back" {
    "$BATS_TEST_DIRNAME/radosgw" start "$PWD/rgw" >rgw.env 2>rgw.err || skip "no radosgw: $(cat rgw.env rgw.err | tail -n 1)"
    set -a
    # shellcheck disable=SC1091  # just written
    . ./rgw.env
    set +a
    series
    TELEMETRY_DIR=$PWD/none judge "s3://$TELEMETRY_BUCKET/ci"
    "$TK" report pull "$PWD/copy"
    diff -r "$PWD/store" "$PWD/copy"
}
