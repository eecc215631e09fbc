#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Mistakes of a new user with adapt, merge, export, verify opendc, compare, parquet and files of
# traces: each gives one line that names what is wrong, a status that is not 0, and leaves nothing
# half written. Those of record, collect and their like are tested in their own files.

load record_helpers

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    mkdir run plain
    cat >run/node_meta.json <<'JSON'
{"run_id":"example","node":"n0","stage":"cloud","host":"h0","cpu_cores":4,"mem_mb":16384,"cpu_freq_mhz":2400}
JSON
    cat >run/events.ffmpeg.jsonl <<'JSON'
{"trace_id":"t","span_id":"s","module_id":"ffmpeg","method":"CLI","path":"ffmpeg","ts_enqueue":1758000000000,"ts_start":1758000000100,"ts_end":1758000003600,"pid":7,"status":0,"cpu_ns":2400000000}
JSON
    cat >run/proc_metrics.jsonl <<'JSON'
{"ts_ms":1758000001000,"pid":7,"utime":45,"stime":0,"rss_kb":40000}
{"ts_ms":1758000002000,"pid":7,"utime":95,"stime":0,"rss_kb":50000}
JSON
    echo hello >plain/letter.txt
    : >empty
    echo '1760097336.5 0.5' >log
    "$TK" export opendc run -o traces >/dev/null
}

setup() {
    enter_folder
    mkdir place # bats has files of its own beside it
    cd place || return 1
    cp -r "$BATS_FILE_TMPDIR"/{run,plain,empty,log,traces} .
    find . | sort >../before
}

teardown() {
    umount small 2>/dev/null || true
    leave_folder
}

# says STATUS TEXT COMMAND...: one line on stderr that holds the text, nothing on stdout.
says() {
    local status=$1 text=$2
    shift 2
    run "-$status" --separate-stderr "$@"
    # shellcheck disable=SC2154
    if [ "${#stderr_lines[@]}" != 1 ] || [ -n "$output" ] || [[ $stderr != *"$text"* ]]; then
        echo "$*: '$stderr' instead of one line with '$text'; on stdout '$output'" >&2
        return 1
    fi
}

nothing_is_new() {
    diff ../before <(find . | sort)
}

@test "a mistyped option or word is told, with the one that is meant" {
    says 2 "unknown option '--formt': did you mean '--format'?" "$TK" adapt nginx --formt x log
    says 2 "'ngnix' is none of nginx, envoy, json, csv, jobs: did you mean 'nginx'?" "$TK" adapt ngnix log
    says 2 "unknown option '--refrence': did you mean '--reference'?" "$TK" merge --refrence n0 run
    says 2 "'opendcc' is no format: did you mean 'opendc'?" "$TK" export opendcc run -o out
    says 2 "unknown option '--ouput': did you mean '--output'?" "$TK" export opendc run --ouput out
    says 2 "'opendc3' is none of opendc, opendc-2.4f" "$TK" export opendc run -o out --profile opendc3
    says 2 "'opendcc' is none of cctf, opendc: did you mean 'opendc'?" "$TK" verify opendcc traces
    says 2 "unknown option '--strct': did you mean '--strict'?" "$TK" verify opendc traces --strct
    says 2 "unknown option '--mesured': did you mean '--measured'?" "$TK" compare --mesured traces
    says 2 "expected --measured" "$TK" compare
    says 2 "'hed' is none of head, cat, schema, meta: did you mean 'head'?" "$TK" parquet hed x.parquet
    says 2 "unknown option '--rws': did you mean '--rows'?" "$TK" parquet head --rws 3 x.parquet
    nothing_is_new
}

@test "what is not there is named, and nothing is made for it" {
    says 1 "missing.log: No such file" "$TK" adapt nginx missing.log
    says 1 "missing.log: No such file" "$TK" adapt nginx --run r log missing.log
    says 1 "no run 'nowhere': neither a folder here nor logs/nowhere" "$TK" merge run nowhere -o out
    for format in opendc parquet csv jsonl swf chrome; do
        says 1 "no run 'nowhere'" "$TK" export "$format" nowhere -o out
    done
    says 1 "nowhere: No such file" "$TK" verify opendc nowhere
    says 1 "nowhere.json: No such file" "$TK" verify opendc traces --topology nowhere.json
    says 1 "nowhere: " "$TK" compare --measured traces --simulated nowhere
    says 1 "nowhere.parquet: No such file" "$TK" parquet head nowhere.parquet
    nothing_is_new
}

@test "an empty file is no Parquet, no run and no export" {
    says 1 "empty: 0 bytes are no Parquet file" "$TK" parquet cat empty
    says 1 "empty" "$TK" merge empty -o out
    says 1 "empty" "$TK" export opendc empty -o out
    says 1 "empty: Not a directory" "$TK" verify opendc empty
    says 1 "empty" "$TK" compare --measured traces --simulated empty
    nothing_is_new
    # Nobody called the server: that is no mistake.
    run -0 "$TK" adapt nginx --run r empty
    [[ $output == *": 0 rows from 0 lines, 0 bad" ]]
}

@test "a folder that is no run is told from one" {
    says 1 "plain: is no run and holds none" "$TK" merge run plain -o out
    for format in opendc swf batsim chrome; do
        says 1 "plain: no run folder here nor in its folders" "$TK" export "$format" plain -o out
    done
    for format in parquet csv jsonl; do
        says 1 "plain: no table of a run" "$TK" export "$format" plain -o out
    done
    says 1 "plain: no task.parquet" "$TK" compare --measured traces --simulated plain
    says 1 "plain: holds files, but is no run" "$TK" adapt nginx --run plain log
    says 1 "plain: is a folder, expected a log" "$TK" adapt nginx plain
    says 1 "plain: is a folder, expected a Parquet file" "$TK" parquet head plain
    nothing_is_new
}

@test "an empty folder holds nothing that a command could work on" {
    local text=": is no run with spans, and holds no files" format verb
    mkdir none
    find . | sort >../before
    says 1 "none: nothing to parse: expected node_meta.json or a table of a run" "$TK" parse none
    says 1 "none: nothing to parse" "$TK" parse none -o out
    says 1 "none: is no run and holds none" "$TK" merge none
    says 1 "none: is no run and holds none" "$TK" merge none -o new/out
    says 1 "none: is no old run and holds none" "$TK" import none -o out
    says 1 "none: no run: neither run.json" "$TK" show none
    says 1 "none has no spans" "$TK" spans none
    says 1 "none has no spans" "$TK" trace latest none
    says 1 "none has no spans" "$TK" join none
    says 1 "none: holds no table of a run" "$TK" verify cctf none
    says 1 "none: no task.parquet" "$TK" compare -m none -s none
    says 1 "none: no run folder here" "$TK" calibrate -m none -s none -o out
    for format in perfetto jaeger zipkin gent; do
        says 1 "none: holds no spans" "$TK" export $format none -o out
    done
    for format in otlp csv parquet; do
        says 1 "none: no table of a run" "$TK" export $format none -o out
    done
    says 1 "none: holds no files" "$TK" translate --from-dir none --to-dir new/out
    says 1 "none$text" "$TK" compress none -o out
    says 1 "none$text" "$TK" model train --traces-dir none -o out
    says 1 "none$text" "$TK" fidelity none none
    says 1 "none$text" "$TK" fidelity suite --data none -o out
    says 1 "none$text" "$TK" lab merge none none --exp 0.5 -o out
    says 1 "none has no spans" "$TK" replay none --to http://127.0.0.1:9
    for verb in "expand -o out" "truncate -q 5% -o out" "tkz info" "tkz verify" "model info"; do
        # shellcheck disable=SC2086
        says 1 "none: is a folder, expected a file" "$TK" $verb none
    done
    nothing_is_new
}

@test "a folder without a file of spans is no set of traces" {
    local text="plain: holds no file of spans: plain/letter.txt is of no format that is known"
    says 1 "$text" "$TK" compress plain -o out
    says 1 "$text" "$TK" compress plain -o -
    says 1 "$text" "$TK" model train --traces-dir plain -o out
    says 1 "$text" "$TK" fidelity plain plain
    says 1 "$text" "$TK" fidelity suite --data plain -o out
    says 1 "$text" "$TK" lab merge plain plain --exp 0.5 -o out
    says 1 "plain/letter.txt: is of no format of spans that is known; --from says which" "$TK" translate --from-dir plain --to-dir new/out
    says 1 "known; --format says which" "$TK" compress plain/letter.txt -o out
    says 1 "known; --input-format says which" "$TK" fidelity plain/letter.txt plain/letter.txt
    nothing_is_new
    # Beside a folder that holds some, too.
    mkdir traces.d
    printf 'trace_id,span_id,name,service,start,duration\n01,02,get,web,1758000000000000,9\n' >traces.d/s.csv
    run -0 "$TK" compress traces.d -o s.tkz
    says 1 "$text" "$TK" compress traces.d plain -o out
    says 1 "$text" "$TK" compress plain traces.d -o out
}

@test "a set of which no span can be read, or without any, is not judged" {
    printf 'trace_id,span_id,name,service,start,duration\n01,02,get,web,1758000000000000,9\n' >s.csv
    echo '{"resourceSpans":[]}' >no.json
    says 1 "no.json: holds no traces" "$TK" fidelity s.csv no.json
    says 1 "no.json: holds no traces" "$TK" fidelity no.json s.csv
    says 1 "s.csv: holds no traces with an edge" "$TK" fidelity s.csv s.csv --compat
    sed -i 's/^01,02,/01,,/' s.csv
    run -1 --separate-stderr "$TK" compress s.csv -o s.tkz
    [[ $stderr == *"s.csv: line 2: a span without an id"* ]]
    [[ $stderr == *"none of 1 span can be read" ]]
    [ ! -e s.tkz ]
}

@test "a file in the place of the output folder stays as it is" {
    for format in opendc parquet csv swf; do
        says 1 "log: is a file, expected a folder" "$TK" export "$format" run -o log
        says 1 "/dev/full: is a file, expected a folder" "$TK" export "$format" run -o /dev/full
    done
    says 1 "log: is a file, expected a folder" "$TK" merge run -o log
    [ "$(cat log)" = "1760097336.5 0.5" ]
}

@test "a device or pipe in the place of an output file is written into and stays" {
    printf 'trace_id,span_id,name,service,start,duration\n01,02,get,web,1758000000000000,9\n' >s.csv
    "$TK" compress s.csv -o s.tkz
    mkfifo pipe
    for command in "compress s.csv" "expand s.tkz" "truncate s.tkz --quality 25%" "merge s.tkz s.tkz" \
        "fidelity sample head s.csv --one-of 1"; do
        cat pipe >got &
        # shellcheck disable=SC2086
        "$TK" $command -o pipe
        wait $!
        [ -s got ]
        [ -p pipe ]
    done
    says 1 "full: No space left on device" "$TK" compress s.csv -o /dev/full
    says 1 "give - for it" "$TK" compress s.csv -o /dev/stdout
    [ -c /dev/full ]
    [ -L /dev/stdout ]
}

@test "a report that cannot be written is a failure" {
    # shellcheck disable=SC2016  # $0 and $@ are those of the inner shell
    local to_full='"$@" >/dev/full'
    # shellcheck disable=SC2016
    says 1 "stdout: No space left" sh -c "$to_full" - "$TK" adapt nginx --run r --format '$msec $request_time' log
    says 1 "stdout: No space left" sh -c "$to_full" - "$TK" merge run -o merged
    says 1 "stdout: No space left" sh -c "$to_full" - "$TK" export opendc run -o exported
    says 1 "stdout: No space left" sh -c "$to_full" - "$TK" export csv run -o exported
    says 1 "stdout: No space left" sh -c "$to_full" - "$TK" verify opendc traces
    for verb in head cat schema meta; do
        says 1 "stdout: No space left" sh -c "$to_full" - "$TK" parquet "$verb" traces/tasks.parquet
    done
}

@test "a disk that is full leaves whole files or none" {
    need_root "to mount a small file system"
    mkdir small
    mount -t tmpfs -o size=8k none small 2>/dev/null || skip "this place cannot mount"
    for command in "merge run" "export opendc run" "export parquet run" "export csv run"; do
        # shellcheck disable=SC2086
        run -1 "$TK" $command -o small/out
        [[ $output == *"No space left on device"* ]]
        [ -z "$(find small -name '.*' -type f)" ]
        rm -rf small/out
    done
}

@test "a folder of somebody else is told with its path" {
    enter_nobodys_folder
    cp -r "$BATS_FILE_TMPDIR"/{run,log,traces} .
    chmod -R a+rX .
    mkdir mine
    chown 65534:65534 mine
    chown root .
    local tk=./tracekit
    says 1 "run: events.nginx.jsonl: Permission denied" as_nobody $tk adapt nginx --run run log
    says 1 "logs/" as_nobody $tk adapt nginx log
    says 1 "out: Permission denied" as_nobody $tk merge run -o out
    for format in opendc swf; do
        says 1 "out: Permission denied" as_nobody $tk export $format run -o out
    done
    says 1 "export: out: Permission denied" as_nobody $tk export csv run -o out
    says 1 "traces: fragments.parquet: Permission denied" as_nobody $tk export opendc run -o traces
    as_nobody $tk export opendc run -o mine/traces
    as_nobody $tk verify opendc mine/traces
    chmod 600 run/proc_metrics.jsonl traces/tasks.parquet
    says 1 "run: proc_metrics.jsonl: Permission denied" as_nobody $tk export opendc run -o mine/a
    says 1 "run: proc_metrics.jsonl: Permission denied" as_nobody $tk export parquet run -o mine/b
    says 1 "run: proc_metrics.jsonl: Permission denied" as_nobody $tk merge run -o mine/c
    says 1 "traces/tasks.parquet: Permission denied" as_nobody $tk parquet head traces/tasks.parquet
    run -1 as_nobody $tk verify opendc traces
    [ "$(grep -c ': error: ' <<<"$output")" = 1 ]
    [[ $output == "traces/tasks.parquet: error: E01: tasks.parquet: Permission denied"* ]]
}

@test "two users of one machine have builds of their own, none of them told where to" {
    enter_nobodys_folder
    mkdir tmp
    chmod 1777 tmp
    unset TELEMETRY_DIR TRACEKIT_STORE TRACEKIT_JOB
    # A /tmp of their own: the script stays below it.
    unshare --mount true 2>/dev/null || skip "this place cannot make mount namespaces"
    cat >both.sh <<'SH'
mount --bind tmp /tmp || exit 77
./tracekit exec -n of-root -- true &&
    setpriv --reuid=65534 --regid=65534 --clear-groups ./tracekit exec -n of-nobody -- true &&
    setpriv --reuid=65534 --regid=65534 --clear-groups ./tracekit report list --json &&
    stat -c '%n %u %a' /tmp/telemetry /tmp/telemetry-65534 >folders
SH
    run --separate-stderr unshare --mount sh both.sh
    [ "$status" != 77 ] || skip "this place cannot mount"
    [ "$status" = 0 ]
    jq -se '[.[].steps[].name] == ["of-nobody"]' <<<"$output"
    diff folders - <<'TEXT'
/tmp/telemetry 0 700
/tmp/telemetry-65534 65534 700
TEXT
}
