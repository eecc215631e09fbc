# Shared by record.bats, wrap.bats and collect.bats. Each test works in a folder of its own.

bats_require_minimum_version 1.5.0

load wait_helpers

enter_folder() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID NODE_ID STAGE VM_IP IFACE CONTAINER TRACE_ID TS_ENQUEUE UNIT_NAME CPU_QUOTA \
        CPU_WEIGHT CPUSET STOP_ALL CLEAN_ALL PROC_SAMPLING PROC_MATCH PROC_REFRESH \
        PROC_INTERVAL_MS PROC_PID_DIR CPU_FREQ_MHZ
}

is_gone() {
    [ ! -d "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# Every line of every table file of a run is JSON, but for one torn line at the end of each.
tables_are_whole() {
    local file
    for file in "$1"/*.jsonl; do
        head -n -1 "$file" | jq -e . >/dev/null || { echo "$file is damaged" >&2; return 1; }
    done
    jq -e . "$1/run.json" "$1/node_meta.json" >/dev/null
}

# The stamp of the last row of a table file that is whole, in ms.
last_stamp() {
    tail -n 2 "$1" | jq -R 'fromjson? | .ts_ms' | tail -n 1
}

now_ms() {
    local ns
    ns=$(date +%s%N)
    echo $((ns / 1000000))
}

# Stamps of a table file never go back.
stamps_ascend() {
    jq -s 'map(.ts_us) | . == sort' "$1" | grep -qx true
}

need_root() {
    [ "$(id -u)" -eq 0 ] || skip "needs root: $1"
}

# has_threads NUMBER PID
has_threads() {
    [ "$(find "/proc/$2/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)" -eq "$1" ]
}

# Wait for a background process of the test and compare its exit status.
ends_with() {
    local status=0
    wait "$2" || status=$?
    [ "$status" -eq "$1" ] || { echo "status $status, expected $1" >&2; return 1; }
}

# Go to a folder that nobody (uid 65534) can use, with a copy of the program: bats keeps the tests'
# own folders closed.
enter_nobodys_folder() {
    need_root "to become somebody else"
    nobodys=$(mktemp -d)
    chmod 755 "$nobodys"
    cp "$TK" "$nobodys/tracekit"
    chmod 755 "$nobodys/tracekit"
    chown 65534:65534 "$nobodys"
    cd "$nobodys" || return 1
    as_nobody ./tracekit version >/dev/null || skip "nobody cannot use $nobodys"
}

as_nobody() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

leave_folder() {
    cd /
    if [ -n "${nobodys:-}" ]; then rm -rf "$nobodys"; fi
}
