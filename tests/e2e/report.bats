#!/usr/bin/env bats
# tracekit report on the builds under tests/data/jobs/history: 24 of main, of which the last eight
# take 20 % longer and use 20 % more CPU time in packer_build, 8 of e2e_test, one of a branch, one
# that failed.

bats_require_minimum_version 1.5.0

setup() {
    unset NO_COLOR CI GITHUB_ACTIONS TRACEKIT_RULES TRACEKIT_STORE TRACEPARENT LC_ALL LC_CTYPE
    unset MINIO_ACCESS_KEY MINIO_SECRET_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    export LANG=C.UTF-8 TERM=xterm COLUMNS=80 TELEMETRY_DIR=$TK_TEST_DATA/jobs/history
    full=$TK_TEST_DATA/jobs/full.json
    original=$TK_TEST_DATA/jobs/original.json
}

# fits: no line of $output is wider than 80 columns.
fits() {
    [ "$(wc -L <<<"$output")" -le 80 ]
}

# before N: a folder with the first N builds of the series, alone.
before() {
    mkdir "$BATS_TEST_TMPDIR/some"
    find "$TELEMETRY_DIR" -name 'build_*' | sort | head -n "$1" | xargs -I{} cp {} "$BATS_TEST_TMPDIR/some"
    export TELEMETRY_DIR=$BATS_TEST_TMPDIR/some
}

@test "the report of the latest build has a row a step, a verdict each and the reasons" {
    run -0 "$TK" report
    fits
    [[ ${lines[0]} == "build 0.10.11  run 123  main@abcdef  runner-1 (8 cores, 32.0 GB, lxc)" ]]
    [[ ${lines[1]} == "ok  33m14s  (median 29m12s, +13.8 %, n=22: regression)"* ]]
    [[ $output == *"packer_build "*"26m53s"*"one core"* ]]
    [[ $output == *"services_wait "*"2m02s"*"fixed wait"* ]]
    [[ $output == *"why 33m14s?"*"  1. 14 % slower"* ]]
}

@test "the JSON of a build says what it was compared with, and which step is slower" {
    run -0 "$TK" report --json
    jq -e '.baseline | .key == "build|2f1d6b0f|main" and .n == 22 and .verdict == "regression"' <<<"$output"
    jq -e 'any(.diagnosis[]; .rule == "REGRESSION" and
        (.text | test("confirmed by its CPU time; [0-9]+ s more in .packer_build.$")))' <<<"$output"
}

@test "a build of all sections shows its curve, its waits and nested steps" {
    COLUMNS=120 run -0 "$TK" report show "$full"
    [[ $output == *"io.source"*"io.stat"* ]]
    mkdir "$BATS_TEST_TMPDIR/one" && cp "$full" "$BATS_TEST_TMPDIR/one"
    export TELEMETRY_DIR=$BATS_TEST_TMPDIR/one
    COLUMNS=120 run -0 "$TK" report
    [[ $output == *"packer_build "*"65 %"*"1.0"*"9.1 GB"*"31/58 GB"*"io 41 %  disk"* ]]
    [[ $output == *"1. packer_build: waits 560 s for disk (I/O stall 41 %, await 14.2 ms, queue 6.1)"* ]]
    [[ $output == *"  Step5_Docker_Pull "*"~0.4"* ]]
    [[ $output == *"▂"* ]]
}

@test "without UTF-8 all reports are ASCII" {
    for verb in latest list history compare diagnose; do
        LANG=C run -0 "$TK" report $verb
        run ! grep -P '[^\x00-\x7F]' <<<"$output"
    done
}

@test "T6: builds are listed by time, whatever their versions" {
    run -0 "$TK" report list
    fits
    [[ ${lines[1]} == *" build "*" 0.10.11 "* ]]
    [[ ${lines[2]} == *" 0.10.10 "* ]]
    [[ ${lines[3]} == *" failed "* ]]
    [[ ${lines[-1]} == *" 0.9.0 "* ]]
    [ "${#lines[@]}" = 35 ]
}

@test "e2e means the builds of e2e_test" {
    run -0 "$TK" report latest e2e --json
    [ "$(jq -r .job <<<"$output")" = e2e_test ]
}

@test "a build is found by id, run, version, branch, file and place" {
    id=$("$TK" report list --json | jq -r 'select(.run_number == "122").id')
    for selector in "$id" 122 9122 0.10.10 latest~1 "$TELEMETRY_DIR"/build_20260119_2133*.json; do
        run -0 "$TK" report show "$selector" --json
        [ "$(jq -r .run_number <<<"$output")" = 122 ]
    done
    run -0 "$TK" report show feature/x --json
    [ "$(jq -r .run_number <<<"$output")" = 140 ]
}

@test "latest is that of the builds, whatever else ran since" {
    mkdir "$BATS_TEST_TMPDIR/mixed" && cp "$full" "$BATS_TEST_TMPDIR/mixed"
    jq -c '.job = "e2e_test" | .id = "later" | .job_start += 9000' "$full" >"$BATS_TEST_TMPDIR/mixed/later.json"
    export TELEMETRY_DIR=$BATS_TEST_TMPDIR/mixed
    for verb in "" latest "latest build"; do
        run -0 "$TK" report $verb --json
        [ "$(jq -r .job <<<"$output")" = build ]
    done
    rm "$TELEMETRY_DIR/full.json"
    run -1 "$TK" report
    [[ $output == *"no builds of kind build in $TELEMETRY_DIR; the newest is of kind e2e: "* ]]
}

@test "what is not there is named" {
    run -1 "$TK" report show 9.9.9
    [[ $output == "tracekit report: 9.9.9: no build of that id, run, version or branch in "* ]]
    run -1 "$TK" report show latest~99
    [[ $output == *"holds 34 builds: there is no latest~99" ]]
    TELEMETRY_DIR=$BATS_TEST_TMPDIR/none run -1 "$TK" report
    [[ $output == "tracekit report: no builds in $BATS_TEST_TMPDIR/none yet: "* ]]
    run -2 "$TK" report shwo
    [[ $output == *"'shwo' is no report: did you mean 'show'?"* ]]
}

@test "the JSON of a build keeps the original's jq expressions working" {
    for file in "$full" "$original"; do
        run -0 "$TK" report show "$file" --json
        jq -e '.job, .version, .timestamp, .runner, .job_duration_s' <<<"$output" >/dev/null
        jq -e '.steps[0] | .name, .duration_s, .cpu_percent, .disk_write_mb, .disk_util_percent,
            .await_ms, .queue_depth, .net_rx_mb, .memory_used_mb' <<<"$output" >/dev/null
    done
}

@test "a file of the original scripts is read, its CPU said to be about" {
    mkdir "$BATS_TEST_TMPDIR/one" && cp "$original" "$BATS_TEST_TMPDIR/one"
    TELEMETRY_DIR=$BATS_TEST_TMPDIR/one run -0 "$TK" report
    [[ $output == *"packer_build "*"33m20s"*"~1.8"* ]]
}

@test "compare tells the code that got slower from noise" {
    run -0 "$TK" report compare 115 116
    fits
    [[ $output == *"packer_build "*"CPU up: code"* ]]
    [[ $output == *"services_wait "*"not significant"* ]]
}

@test "compare blames bytes that the step moved itself, not those of its neighbours" {
    local slower='.steps[1] |= (.duration_s *= 2 | .cpu.total_s *= 2 | .disk_write_mb *= 2)'
    local cause='.rows[] | select(.name == "packer_build").cause'
    jq "$slower" "$full" >"$BATS_TEST_TMPDIR/busy.json"
    [ "$("$TK" report compare "$full" "$BATS_TEST_TMPDIR/busy.json" --json | jq -r "$cause")" = "CPU up: code" ]
    jq "$slower | .steps[1].io.write_mb *= 2" "$full" >"$BATS_TEST_TMPDIR/data.json"
    [ "$("$TK" report compare "$full" "$BATS_TEST_TMPDIR/data.json" --json | jq -r "$cause")" = "bytes up: data" ]
    [ "$("$TK" report compare "$BATS_TEST_TMPDIR/data.json" "$full" --json | jq -r "$cause")" = "bytes down: data" ]
    jq "$slower | .steps[1].io.write_mb = 0.2 | .steps[1].net.rx_mb = 0" "$full" >"$BATS_TEST_TMPDIR/little.json"
    jq '.steps[1] |= (.io.write_mb = 0 | .net.rx_mb = 0)' "$full" >"$BATS_TEST_TMPDIR/none.json"
    [ "$("$TK" report compare "$BATS_TEST_TMPDIR/none.json" "$BATS_TEST_TMPDIR/little.json" --json | jq -r "$cause")" = "CPU up: code" ]
}

@test "compare tells steps that came and went" {
    run -0 "$TK" report compare "$original" "$full"
    [[ $output == *"+ services_wait"*"+2m02s"*" added"* ]]
    run -0 "$TK" report compare "$full" "$original" --json
    [ "$(jq -r '.rows[] | select(.name == "services_wait").cause' <<<"$output")" = removed ]
}

@test "groups of builds are compared by a test of their ranks" {
    for f in "$TELEMETRY_DIR"/build_*; do
        jq -c 'if (.run_number | tonumber) < 116 then .version = "old" else .version = "new" end' "$f" \
            >"$BATS_TEST_TMPDIR/$(basename "$f")"
    done
    TELEMETRY_DIR=$BATS_TEST_TMPDIR run -0 "$TK" report compare old new --json
    jq -e '.rows[] | select(.name == "packer_build") | .p < 0.01 and .delta_percent > 15 and
        .shift_low_s > 0 and .shift_low_s < .shift_s and .shift_s < .shift_high_s' <<<"$output"
    jq -e '.rows[] | select(.name == "services_wait") | .cause == "not significant"' <<<"$output"
    TELEMETRY_DIR=$BATS_TEST_TMPDIR run -0 "$TK" report compare old new
    fits
    [[ ${lines[-1]} =~ ^the\ total\ moved\ by\ \+[0-9]m[0-9]+s,\ with\ 95\ %\ certainty\ by\ \+[0-9]m[0-9]+s\ to\ \+[0-9]m[0-9]+s$ ]]
    run -0 "$TK" report compare 115 116 # one build of each: no test, no interval
    [[ $output != *certainty* ]]
}

@test "history marks where the level changed" {
    run -0 "$TK" report history 12
    [[ $output == *"0.10.4"*"+15.5 %  ◀ changed: +16.0 %, p < .01"* ]]
    [[ $output == *"(12 earlier: tracekit report history 24)"* ]]
    run -0 "$TK" report history --step services_wait 30 --json
    [ "$(jq -s length <<<"$output")" = 24 ]
    run ! grep change_percent <<<"$output"
}

@test "diagnose gives every finding with its evidence" {
    run -0 "$TK" report diagnose "$full"
    [[ $output == *"critical DISK_SLOW"* || $output == *"warn DISK_SLOW"* ]]
    [[ $output == *"io_full_percent="* ]]
    [[ $output == *"write_mb=59392 "* ]]
    run -0 "$TK" report diagnose "$full" --json
    jq -e '.steps[1].diagnosis | map(.rule) | index("IO_STALL")' <<<"$output"
}

@test "rules of one's own are judged beside the built-in ones" {
    printf 'big: measures.image_bytes > 2e10 : critical : the image is too large\n' >"$BATS_TEST_TMPDIR/rules"
    run -0 "$TK" report diagnose "$full" --rules "$BATS_TEST_TMPDIR/rules"
    [[ $output == *"critical big"*"the image is too large"* ]]
    printf 'big: nonsense > 2 : critical : x\n' >"$BATS_TEST_TMPDIR/rules"
    run -1 "$TK" report diagnose "$full" --rules "$BATS_TEST_TMPDIR/rules"
    [[ $output == *"rules: line 1: neither a step nor a job has the numbers of"* ]]
}

@test "the gate fails on a planted regression once a second witness confirms it" {
    before 17
    run -3 "$TK" report gate --max-total +10%
    [[ $output == "gate broken; total 33m45s, +16."*"(limit +10 %)" ]]
}

@test "the gate stays silent on noise" {
    for n in 10 12 14 16; do
        rm -rf "$BATS_TEST_TMPDIR/some"
        TELEMETRY_DIR=$TK_TEST_DATA/jobs/history
        before $n
        run -0 "$TK" report gate --max-total +5% --max-step packer_build=+5%
        [[ $output == "gate ok;"* ]]
    done
}

@test "one slow run alone is suspicious, two are a regression" {
    before 16
    for n in 1 2; do
        jq -c --argjson n $n '.job_duration_s *= 1.2 | .job_start += $n * 9000 | .id = "x\($n)"' \
            "$(find "$TELEMETRY_DIR" -name 'build_*' | sort | tail -n 1)" >"$BATS_TEST_TMPDIR/x$n"
    done
    cp "$BATS_TEST_TMPDIR/x1" "$TELEMETRY_DIR/x1.json"
    run -0 "$TK" report gate --max-total +10%
    [[ $output == "gate suspicious; total "*"; one run alone" ]]
    cp "$BATS_TEST_TMPDIR/x2" "$TELEMETRY_DIR/x2.json"
    run -3 "$TK" report gate --max-total +10%
    run -0 "$TK" report --json
    jq -e 'any(.diagnosis[]; .rule == "REGRESSION" and (.text | endswith("confirmed by the run before")))' <<<"$output"
}

@test "time alone on a machine with busy neighbours does not break the gate" {
    before 16
    last=$(find "$TELEMETRY_DIR" -name 'build_*' | sort | tail -n 1)
    for n in 1 2; do
        jq -c --argjson n $n '.job_duration_s *= 1.2 | .job_start += $n * 9000 | .id = "x\($n)" |
            .steps[1].host.steal_percent = 9' "$last" >"$TELEMETRY_DIR/x$n.json"
    done
    run -0 "$TK" report gate --max-total +10%
    [[ $output == "gate suspicious; total "*"; on a noisy machine" ]]
}

@test "too few builds are not enough data, which --lenient forgives" {
    before 4
    run -4 "$TK" report gate
    [[ $output == "gate not enough data; total 3 comparable builds, at least 5 needed" ]]
    run -0 "$TK" report gate --lenient
}

@test "hard budgets are exact, and the verdict is written as JSON" {
    run -3 "$TK" report gate --max-total 33m --max-memory 4GB --min-free 5GB --verdict "$BATS_TEST_TMPDIR/v"
    [ "$(jq -r '.verdict, .checks[0].outcome, .checks[1].outcome, .checks[2].outcome' "$BATS_TEST_TMPDIR/v" | tr '\n' ' ')" = "broken broken ok ok " ]
    run -0 "$TK" report gate --max-total 34m
    GITHUB_ACTIONS=true run -3 "$TK" report gate --max-total 33m
    [[ $output == "::error::gate broken; "* ]]
    run -2 "$TK" report gate --max-total soon
    [[ $output == *"option '--max-total': 'soon' is no budget, as +10%, 90s, 35m"* ]]
}

@test "files that are no documents are left out with a line on stderr" {
    before 3
    echo '{"job":' >"$TELEMETRY_DIR/torn.json"
    run -0 --separate-stderr "$TK" report list
    [ "${#lines[@]}" = 4 ]
    [[ $stderr == *"1 file left out: torn.json: job: byte 8: "* ]]
}

@test "what a name holds does not reach the terminal" {
    before 1
    jq -c '.steps[0].name = "a\u001b[31mred\nline"' "$(find "$TELEMETRY_DIR" -name 'build_*')" >"$TELEMETRY_DIR/z.json"
    rm "$TELEMETRY_DIR"/build_*
    COLUMNS=120 run -0 "$TK" report
    [[ $output == *"a?[31mred line"* ]]
    run ! grep -P '\x1b' <<<"$output"
}

# pushed: all builds in a store, and none in the folder.
pushed() {
    export TRACEKIT_STORE=dir:$BATS_TEST_TMPDIR/store
    run -0 "$TK" report push
    [[ $output == "pushed 34 builds to $TRACEKIT_STORE, 0 were there" ]]
    export TELEMETRY_DIR=$BATS_TEST_TMPDIR/none
}

@test "a store gives the same reports as the folder" {
    "$TK" report >"$BATS_TEST_TMPDIR/latest"
    "$TK" report list >"$BATS_TEST_TMPDIR/list"
    "$TK" report history 20 >"$BATS_TEST_TMPDIR/history"
    "$TK" report compare 115 116 >"$BATS_TEST_TMPDIR/compare"
    pushed
    diff <("$TK" report) "$BATS_TEST_TMPDIR/latest"
    diff <("$TK" report list) "$BATS_TEST_TMPDIR/list"
    diff <("$TK" report history 20) "$BATS_TEST_TMPDIR/history"
    diff <("$TK" report compare 115 116) "$BATS_TEST_TMPDIR/compare"
    run -3 "$TK" report gate
}

@test "T15: a store that cannot be reached takes only its builds away" {
    touch "$BATS_TEST_TMPDIR/file"
    for verb in latest list "show 122" history compare diagnose "export csv"; do
        "$TK" report $verb >"$BATS_TEST_TMPDIR/alone"
        run -0 --separate-stderr "$TK" report $verb --store "dir:$BATS_TEST_TMPDIR/file"
        diff "$BATS_TEST_TMPDIR/alone" - <<<"$output"
        [ "$(wc -l <<<"$stderr")" = 1 ]
        [[ $stderr == *"; told are the builds of $TELEMETRY_DIR alone" ]]
    done
    run -5 "$TK" report gate --store "dir:$BATS_TEST_TMPDIR/file"
    TELEMETRY_DIR=$BATS_TEST_TMPDIR/none run -1 "$TK" report list --store "dir:$BATS_TEST_TMPDIR/file"
    run -2 "$TK" report list --store ftp://x
}

@test "the build that runs is told with what is left of it" {
    export TELEMETRY_DIR=$BATS_TEST_TMPDIR/t TRACEKIT=$TK
    run -1 "$TK" report watch
    [[ $output == "tracekit report: no job is open in $TELEMETRY_DIR"* ]]
    for i in 1 2 3; do
        "$TK" step init build "$i" >/dev/null
        for step in one two; do
            "$TK" step start "$step"
            sleep 0.2
            "$TK" step end "$step" 2>/dev/null
        done
        "$TK" step finalize >/dev/null
    done
    "$TK" step init build 4 >/dev/null
    "$TK" step start one
    "$TK" step end one 2>/dev/null
    "$TK" step start two
    run -0 "$TK" report watch
    fits
    [[ $output == "build 4"*"running"*"one"*"two"*"running"*"1 of 2 steps, about "*" left, done at "* ]]
    "$TK" report watch --json | jq -e '[.steps[].status] == ["success", "running"]'
    script -qec "timeout 60 '$TK' report watch" /dev/null >"$BATS_TEST_TMPDIR/frames" &
    load wait_helpers
    wait_until test -s "$BATS_TEST_TMPDIR/frames"
    "$TK" step end two 2>/dev/null
    "$TK" step finalize >/dev/null
    wait
    grep -q 'it is finalised' "$BATS_TEST_TMPDIR/frames"
    rm -rf "$TELEMETRY_DIR"
}

@test "a server that refuses connections holds no report up" {
    export MINIO_ACCESS_KEY=a MINIO_SECRET_KEY=b MINIO_ENDPOINT=http://127.0.0.1:1
    run -0 --separate-stderr timeout 20 "$TK" report list --store s3://bucket
    [[ $stderr == *"; told are the builds of $TELEMETRY_DIR alone" ]]
}

@test "of a folder of many builds those at hand are whole, whatever their files are called" {
    cp -r "$TELEMETRY_DIR" "$BATS_TEST_TMPDIR/many"
    cp "$full" "$BATS_TEST_TMPDIR/many/zzz.json"
    export TELEMETRY_DIR=$BATS_TEST_TMPDIR/many
    id=$(jq -r .id "$full")
    "$TK" report show "$id" --json | jq -e '[.steps[] | .samples.rows // [] | length] | add > 0'
    jq -c '{steps, system, totals, job, version, job_duration_s, job_start: (.job_start + 1e8), id: "late"}' \
        "$full" >"$BATS_TEST_TMPDIR/many/aaa.json"
    "$TK" report latest --json | jq -e '.id == "late" and
        ([.steps[] | .samples.rows // [] | length] | add > 0)'
}

@test "a push that cannot reach the store does not fail a build in CI" {
    touch "$BATS_TEST_TMPDIR/file"
    run -1 "$TK" report push --store "dir:$BATS_TEST_TMPDIR/file"
    GITHUB_ACTIONS=true run -0 "$TK" report push --store "dir:$BATS_TEST_TMPDIR/file"
    [[ $output == *"::warning::tracekit report push: "* ]]
}

@test "the store has the original's layout, and small objects for series" {
    pushed
    cd "$BATS_TEST_TMPDIR/store"
    [ -f latest/build_0.10.11.json ] && [ -f latest/build.json ] && [ -f latest/e2e_0.10.0.json ]
    [ "$(jq -r .version latest/build.json)" = 0.10.11 ]
    [ -f 0.10.11/20260119_233320/build_20260119_233320.json ]
    [ "$(find history/build | grep -c json)" = 26 ]
    [ "$(find history -size +2k -name '*.json' | wc -l)" = 0 ]
}

@test "what was pushed is not put again, and an older build does not become the latest" {
    pushed
    export TELEMETRY_DIR=$TK_TEST_DATA/jobs/history
    run -0 "$TK" report push
    [[ $output == "pushed 0 builds to "*", 34 were there" ]]
    run -0 "$TK" report push "$(find "$TELEMETRY_DIR" -name 'build_*' | sort | head -n 1)"
    [ "$(jq -r .version "$BATS_TEST_TMPDIR/store/latest/build.json")" = 0.10.11 ]
    run -0 "$TK" report list
    [ "${#lines[@]}" = 35 ]
}

@test "a build in folder and store is one, however precise its start" {
    export TRACEKIT_STORE=dir:$BATS_TEST_TMPDIR/store TELEMETRY_DIR=$BATS_TEST_TMPDIR/own
    mkdir -m 700 "$TELEMETRY_DIR"
    for i in 1 2; do
        jq -c --arg i "$i" '.id = "own-\($i)" | .version = $i | .job_start = 1795394075.8996902 + ($i | tonumber)' \
            "$full" >"$TELEMETRY_DIR/build_$i.json"
    done
    run -0 "$TK" report push
    run -0 "$TK" report list
    [ "${#lines[@]}" = 3 ]
    run -0 "$TK" report compare
    [[ $output == "compare build 1 "*" 2 "* ]]
}

@test "a build with very many steps still has a small object in history" {
    export TRACEKIT_STORE=dir:$BATS_TEST_TMPDIR/store
    jq -c '.steps = [range(300) as $i | .steps[0] | .name = "step \($i)" | .duration_s = $i]' "$full" \
        >"$BATS_TEST_TMPDIR/many.json"
    run -0 "$TK" report push "$BATS_TEST_TMPDIR/many.json"
    file=$(find "$BATS_TEST_TMPDIR/store/history" -name '*.json')
    [ "$(stat -c %s "$file")" -le 2048 ]
    [ "$(jq -r '.steps[0].name' "$file")" = "step 299" ]
    [ "$(jq -r .totals.steps "$file")" = 4 ]
}

@test "prune deletes old builds and what lies beside them, never the newest" {
    pushed
    touch "$BATS_TEST_TMPDIR/store/0.9.0/20260118_013320/packer_steps.txt"
    run -0 "$TK" report prune --keep 10 --days 36500 --dry-run
    [[ $output == "would remove 16 builds, 18 stay" ]]
    run -0 "$TK" report prune --keep 10 --days 36500
    [[ $output == "removed 16 builds, 18 stay" ]]
    [ ! -e "$BATS_TEST_TMPDIR/store/0.9.0/20260118_013320/packer_steps.txt" ]
    run -0 "$TK" report list
    [ "${#lines[@]}" = 19 ]
    TK_CLOCK=1900000000 run -0 "$TK" report prune
    [[ $output == "removed 16 builds, 2 stay" ]]
}

@test "prunes, pulls and a reindex that run side by side all succeed" {
    pushed
    jobs=()
    for i in 1 2 3 4; do
        "$TK" report prune --keep 10 --days 36500 &
        jobs+=($!)
        "$TK" report pull "$BATS_TEST_TMPDIR/copy$i" &
        jobs+=($!)
    done
    "$TK" report reindex &
    jobs+=($!)
    for job in "${jobs[@]}"; do
        wait "$job"
    done
}

# of_one_second JOB N: a build whose version, run and second are those of the others.
of_one_second() {
    jq -c --arg job "$1" --arg n "$2" '.job = $job | .id = "id-\($n)" | .version = "1" |
        .run_id = "77" | .job_start = 1795394075' "$full" >"$TELEMETRY_DIR/$2.json"
}

@test "builds of a matrix that began in one second are all in the history of the store" {
    export TRACEKIT_STORE=dir:$BATS_TEST_TMPDIR/store TELEMETRY_DIR=$BATS_TEST_TMPDIR/own
    mkdir -m 700 "$TELEMETRY_DIR"
    for i in 1 2 3; do of_one_second build "$i"; done
    for _ in 1 2; do
        run -0 "$TK" report push
        [ "$(find "$BATS_TEST_TMPDIR/store/history" -name '*.json' | wc -l)" = 3 ]
    done
    TELEMETRY_DIR=$BATS_TEST_TMPDIR/none run -0 "$TK" report list
    [ "${#lines[@]}" = 4 ]
}

@test "prune leaves the document of another build of the same second" {
    export TRACEKIT_STORE=dir:$BATS_TEST_TMPDIR/store TELEMETRY_DIR=$BATS_TEST_TMPDIR/own
    mkdir -m 700 "$TELEMETRY_DIR"
    of_one_second build 1
    of_one_second other 2
    jq -c '.id = "id-3" | .job_start = 1795394076' "$TELEMETRY_DIR/1.json" >"$TELEMETRY_DIR/3.json"
    run -0 "$TK" report push
    run -0 "$TK" report prune --keep 1 --days 36500
    [[ $output == "removed 1 build, 2 stay" ]]
    TELEMETRY_DIR=$BATS_TEST_TMPDIR/none run -0 "$TK" report show id-2 --json
    [ "$(find "$BATS_TEST_TMPDIR/store/1" -name '*.json' | wc -l)" = 2 ]
}

@test "reindex makes the history of a store that the original filled" {
    export TRACEKIT_STORE=dir:$BATS_TEST_TMPDIR/store TELEMETRY_DIR=$BATS_TEST_TMPDIR/none
    mkdir -p "$BATS_TEST_TMPDIR/store/0.10.2/20260124_120000"
    cp "$original" "$BATS_TEST_TMPDIR/store/0.10.2/20260124_120000/build_20260124_120000.json"
    echo '{}' >"$BATS_TEST_TMPDIR/store/0.10.2/20260124_120000/build_2.json"
    run -0 "$TK" report reindex
    [[ $output == "indexed 1 build, left out 1 that are no job documents" ]]
    run -0 "$TK" report
    [[ $output == *"packer_build "*"33m20s"* ]]
}

@test "pull makes a copy that is a store" {
    pushed
    run -0 "$TK" report pull "$BATS_TEST_TMPDIR/copy"
    diff -r "$BATS_TEST_TMPDIR/store" "$BATS_TEST_TMPDIR/copy"
    run -0 "$TK" report list --store "dir:$BATS_TEST_TMPDIR/copy"
    [ "${#lines[@]}" = 35 ]
}

@test "import-v1 takes a file of the original over" {
    export TELEMETRY_DIR=$BATS_TEST_TMPDIR/new
    run -0 "$TK" report import-v1 "$original"
    [[ $output == "imported $TELEMETRY_DIR/build_20260124_121939.json" ]]
    run -0 "$TK" report show latest --json
    [ "$(jq -r '.schema, .steps[0].quality[0], .steps[0].disk_write_ops' <<<"$output" | tr '\n' ' ')" = "build-telemetry/2 v1 89000 " ]
    run -1 "$TK" report import-v1 "$full"
    [[ $output == *"is no file of the original scripts: its schema is build-telemetry/2" ]]
}

@test "what is done to a store is told as JSON too" {
    export TRACEKIT_STORE=dir:$BATS_TEST_TMPDIR/store
    cd "$BATS_TEST_TMPDIR" || return 1
    run -0 "$TK" report push --json
    jq -e --arg to "$TRACEKIT_STORE" '. == {store: $to, pushed: 34, were_there: 0, error: null}' <<<"$output"
    run -0 "$TK" report push --json
    jq -e '[.pushed, .were_there] == [0, 34]' <<<"$output"
    run -0 "$TK" report pull copy --json
    jq -e '.to == "dir:copy" and .copied_objects > 34' <<<"$output"
    run -0 "$TK" report prune --keep 10 --days 36500 --dry-run --json
    jq -e 'del(.store) == {dry_run: true, removed: 16, kept: 18, unfinished_removed: 0,
        unfinished_error: null}' <<<"$output"
    run -0 "$TK" report prune --keep 10 --days 36500 --json
    jq -e '.dry_run == false and .removed == 16' <<<"$output"
    run -0 "$TK" report reindex --json
    jq -e '[.indexed, .left_out] == [18, 0]' <<<"$output"
    run -0 "$TK" report import-v1 "$original" --json
    jq -e --arg to "$TRACEKIT_STORE" '.to == $to and (.id | startswith("20260124T"))' <<<"$output"
    export TELEMETRY_DIR=$PWD/new
    run -0 env -u TRACEKIT_STORE "$TK" report import-v1 "$original" --json
    jq -e --arg to "$PWD/new/build_20260124_121939.json" '.to == $to' <<<"$output"
    # What GitHub is to show is beside it.
    GITHUB_ACTIONS=true run -0 --separate-stderr "$TK" report push missing.json --json
    jq -e '.pushed == 0 and (.error | contains("missing.json"))' <<<"$output"
    # shellcheck disable=SC2154
    [[ $stderr == "::warning::tracekit report push: "* ]]
}

@test "without a store what needs one says how to name it" {
    run -2 "$TK" report push
    [[ $output == "tracekit report: push: no store is named: "* ]]
}

@test "a store that cannot be reached is status 5 of the gate, and passes in CI" {
    export MINIO_ACCESS_KEY=k MINIO_SECRET_KEY=s MINIO_ENDPOINT=http://127.0.0.1:1
    export TRACEKIT_STORE=dir:/proc/none
    run -5 "$TK" report gate
    CI=true run -0 "$TK" report gate
    GITHUB_ACTIONS=true run -0 "$TK" report gate
    [[ $output == *"::warning::gate not judged: "* ]]
}

# many: a build of 400 steps with awkward names and long curves.
many() {
    jq -c '.steps = [range(400) as $i | .steps[1] | .name = "<b>step|\($i) `x` :; \"q\"" |
        .id = "x\($i)" | .duration_s = $i + 1 |
        .samples.rows = [range(240) as $k | [$k % 7, $k, 1.234, 2, 3, 4, 5, 6, 7]]]' "$full" \
        >"$BATS_TEST_TMPDIR/many.json"
}

@test "the summary for GitHub has a headline, reasons, a table and a chart" {
    run -0 "$TK" report export markdown "$full"
    [[ ${lines[0]} == "### build 0.10.2: ok, 35m00s (+5.5 % on the median of 14)" ]]
    [[ ${lines[1]} == '1. **packer\_build**: '* ]]
    [[ $output == *'| packer\_build | 22m41s | 1.0 '* ]]
    [[ $output == *'```mermaid'*'packer_build (22m41s) :1769257430, 1769258791'* ]]
}

@test "a build of 400 steps stays below the limits of GitHub and of a page" {
    many
    run -0 "$TK" report export markdown "$BATS_TEST_TMPDIR/many.json"
    [ "${#output}" -lt 60000 ]
    [ "$(grep -c 'step_' <<<"$output")" -le 60 ]
    [[ $output == *"390 shorter steps"*" more are in the JSON document."*"The chart has the first 60 of 400 steps."* ]]
    run ! grep '<b>' <<<"$output"
    "$TK" report export html "$BATS_TEST_TMPDIR/many.json" >"$BATS_TEST_TMPDIR/many.html"
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/many.html")" -lt 200000 ]
    run ! grep '<b>step' "$BATS_TEST_TMPDIR/many.html"
}

@test "of steps that took equally long ten stand above, and none is lost" {
    jq -c '.steps = [range(30) as $i | .steps[3] | .name = "equal\($i)" | .duration_s = 1]' "$full" \
        >"$BATS_TEST_TMPDIR/equal.json"
    run -0 "$TK" report export markdown "$BATS_TEST_TMPDIR/equal.json"
    [[ $output == *"20 shorter steps"* ]]
    [ "$(sed '/<details>/,$d' <<<"$output" | grep -c '^| equal')" = 10 ]
    [ "$(grep -c '^| equal' <<<"$output")" = 30 ]
    [[ $output != *"in the JSON document"* && $output != *"The chart has the first"* ]]
}

@test "the page holds everything and loads nothing" {
    "$TK" report export html "$full" >"$BATS_TEST_TMPDIR/page.html"
    run ! grep -E 'src=|href=|@import|url\(http' "$BATS_TEST_TMPDIR/page.html"
    [ "$(grep -o "class='bar" "$BATS_TEST_TMPDIR/page.html" | wc -l)" = 4 ]
    [ "$(grep -o "critical'" "$BATS_TEST_TMPDIR/page.html" | wc -l)" = 3 ]
    grep -q "class='curve'" "$BATS_TEST_TMPDIR/page.html"
    grep -q 'qemu-system-x86' "$BATS_TEST_TMPDIR/page.html"
    "$TK" report export html "$full" 0.10.1 >"$BATS_TEST_TMPDIR/two.html"
    [ "$(grep -o '<svg' "$BATS_TEST_TMPDIR/two.html" | wc -l)" = 2 ]
}

# bad N: a build of which the first N steps failed.
bad() {
    mkdir "$BATS_TEST_TMPDIR/bad"
    jq ".steps |= (.[0] as \$s | [range(14) as \$i | \$s + {name: \"s<\(\$i)>\",
            status: (if \$i < $1 then \"failed\" else \"success\" end),
            exit_code: (if \$i < $1 then 3 else 0 end), attempt: 1}])" \
        "$full" >"$BATS_TEST_TMPDIR/bad/build_20260101_000000.json"
    export TELEMETRY_DIR=$BATS_TEST_TMPDIR/bad
}

@test "steps that failed are named in every format, ten of them, and the others counted" {
    bad 12
    run -0 "$TK" report
    [[ $output == *$'\nwhat is not ok?\n  s<0>: failed with exit status 3\n'* ]]
    [[ $output == *$'  s<9>: failed with exit status 3\n  and 2 more steps\n'* ]]
    run -0 "$TK" report export html
    [[ $output == *"<h2>Not ok</h2><ul><li><b>s&lt;0&gt;</b> <span class=bad>failed with exit status 3</span><li>"* ]]
    [[ $output == *"s&lt;9&gt;</b> <span class=bad>failed with exit status 3</span><li>and 2 more steps</ul>"* ]]
    run -0 "$TK" report export markdown
    [[ $output == *$'\n- **s&lt;0\\>**: failed with exit status 3\n'* ]]
    [[ $output == *$'- **s&lt;9\\>**: failed with exit status 3\n- and 2 more steps\n\n'* ]]
    rm -r "$BATS_TEST_TMPDIR/bad"
    bad 11
    run -0 "$TK" report
    [[ $output == *$'\n  and 1 more step\n'* ]]
    rm -r "$BATS_TEST_TMPDIR/bad"
    bad 0
    for report in latest "export html" "export markdown"; do
        # shellcheck disable=SC2086 # one word or two
        run -0 "$TK" report $report
        [[ $output != *"ot ok"* && $output != *"more step"* ]]
    done
}

@test "annotations are errors for what ran out, and at most three warnings" {
    jq -c '.steps[0].memory.oom_kills = 1 | .steps[0].name = "100%\nof it" |
        .steps += [range(5) as $i | .steps[1] | .name = "s\($i)" | .pressure.io_full_s = 1000]' \
        "$full" >"$BATS_TEST_TMPDIR/bad.json"
    run -0 "$TK" report export annotations "$BATS_TEST_TMPDIR/bad.json"
    [[ ${lines[0]} == "::error::100%25 of it: "* ]]
    [ "$(grep -c '^::warning::' <<<"$output")" = 3 ]
    [ "${#lines[@]}" = 4 ]
}

@test "spans for OTLP hang together, and below a given parent" {
    export TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
    run -0 "$TK" report export otlp "$full"
    jq -e '[.resourceSpans[0].scopeSpans[0].spans[]] | length == 5 and
        all(.traceId == "0af7651916cd43dd8448eb211c80319c") and
        .[0].parentSpanId == "b7ad6b7169203331" and .[3].parentSpanId == .[2].spanId and
        .[2].parentSpanId == .[0].spanId' <<<"$output"
}

@test "exports for machines are what their readers expect" {
    run -0 "$TK" report export chrome "$full"
    jq -e '[.traceEvents[] | select(.ph == "X")] | length == 4' <<<"$output"
    run -0 "$TK" report export prometheus "$full"
    [[ $output == *'tracekit_step_memory_peak_bytes{job_name="build",step="services_wait",attempt="1"} 115343360'* ]]
    [ -z "$(grep -v '^#' <<<"$output" | grep -vE '^[a-z_0-9]+\{[^}]*\} -?[0-9.e+]+$')" ]
    run -0 "$TK" report export folded "$full"
    [[ $output == *"build;packer_build;Step5_Docker_Pull 362000"* ]]
    run -0 "$TK" report export csv "$full"
    [ "$(awk -F, '{print NF}' <<<"$output" | sort -u | wc -l)" = 1 ]
    run -2 "$TK" report export pdf "$full"
    [[ $output == *"export: 'pdf' is no format: annotations, "* ]]
}

@test "promtool has nothing to say against the metrics, also where a name comes twice" {
    load peers
    peers_promtool
    jq -c '.steps = [.steps[0], .steps[0]] | .steps[].name = "a \"b\"\\ \nc"' "$original" >"$BATS_TEST_TMPDIR/twice.json"
    for file in "$full" "$original" "$BATS_TEST_TMPDIR/twice.json"; do
        "$TK" report export prometheus "$file" >"$BATS_TEST_TMPDIR/metrics"
        run -0 "$PROMTOOL" check metrics <"$BATS_TEST_TMPDIR/metrics"
        [ -z "$output" ]
    done
    [ "$(grep -c '^tracekit_step_duration_seconds' "$BATS_TEST_TMPDIR/metrics")" = 2 ]
    grep -q 'attempt="2"' "$BATS_TEST_TMPDIR/metrics"
}

@test "an extract copied out of a store is told as it is" {
    pushed
    export TELEMETRY_DIR=$BATS_TEST_TMPDIR/store/history/build
    unset TRACEKIT_STORE
    for verb in latest list show diagnose compare gate "export html"; do
        run "$TK" report $verb
        ((status == 0 || status == 3))
    done
    run -0 "$TK" report show "$(find "$TELEMETRY_DIR" -name '*_0.10.11_*')" --json
    [ "$(jq -r .version <<<"$output")" = 0.10.11 ]
}

@test "a long finding is told whole, a short step in milliseconds" {
    jq -c '.steps[1] |= (.duration_s = 0.0049 | .name = "short" | .attempt = 1) |
        .steps[0].pressure.cpu_some_s = 120 | .steps[0].host.other_cpu_percent = 96' "$full" >"$BATS_TEST_TMPDIR/x.json"
    run -0 "$TK" report diagnose "$BATS_TEST_TMPDIR/x.json"
    [[ $(tr -s ' \n' ' ' <<<"$output") == *"used 96 % of the machine; its time is not comparable"* ]]
    run -0 "$TK" report export html "$BATS_TEST_TMPDIR/x.json"
    [[ $output == *"used 96 % of the machine; its time is not comparable"* ]]
    [[ $output == *"<b>short</b> 5ms"* ]]
}
