# SPDX-License-Identifier: Apache-2.0
# For tests of what goes to OpenDC and comes back. shellcheck shell=bash

# For setup_file: a Python that has pyarrow, in PYTHON; empty when there is none to be had.
find_pyarrow() {
    PYTHON=$("$BATS_TEST_DIRNAME/../peers/python-with-pyarrow") || PYTHON=
    export PYTHON
}

# For setup: an empty folder, without what the environment says of runs.
begin_empty() {
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID CPU_FREQ_MHZ
}

need_pyarrow() {
    [ -n "$PYTHON" ] || skip "no pyarrow: neither installed nor to be had by pip"
}

# What OpenDC would write: see there.
simulate() {
    "$PYTHON" "$BATS_TEST_DIRNAME/../peers/simulate_opendc.py" "$@"
}

# rows FILE COLUMN...: a line per row, by pyarrow.
rows() {
    "$PYTHON" - "$@" <<'PY'
import sys
import pyarrow.parquet as pq
for row in pq.read_table(sys.argv[1], columns=sys.argv[2:]).to_pylist():
    print(*(row[name] for name in sys.argv[2:]))
PY
}

# A quarter of an hour of a host of 4 cores of 2000 MHz, in folder $1: 12 commands, one after the
# other, of 18 + i seconds on one core and then as long on three; a row of the process and of the
# host each second. Power is IDLE + (MAX - IDLE) (2 u - u^R) watts of the load u: $2, $3, $4
# (60, 140, 1 = linear). $5 is the name of the node (n), $6 the wait of each command (500 ms).
measured_run() {
    mkdir -p "$1"
    echo "{\"run_id\":\"r\",\"node\":\"${5:-n}\",\"stage\":\"s\",\"host\":\"${5:-n}\",\"cpu_cores\":4,\"mem_mb\":16000,\"cpu_freq_mhz\":2000}" >"$1/node_meta.json"
    awk -v dir="$1" -v idle="${2:-60}" -v most="${3:-140}" -v r="${4:-1}" -v node="${5:-n}" -v wait="${6:-500}" 'BEGIN {
        t0 = 1758000000
        for (s = 0; s < 900; s++) {
            i = int(s / 75)
            half = 18 + i
            at = s - i * 75
            cores = at < 5 ? 0 : at < 5 + half ? 1 : at < 5 + 2 * half ? 3 : 0
            if (at == 5) {
                ticks = 0
                printf "{\"trace_id\":\"%d\",\"span_id\":\"%d\",\"method\":\"CLI\",\"path\":\"job\",\"ts_enqueue\":%d%03d,\"ts_start\":%d000,\"ts_end\":%d000,\"pid\":%d,\"status\":0,\"cpu_ns\":%d000000000}\n", i, i, t0 + s - 1, 1000 - wait, t0 + s, t0 + s + 2 * half, 100 + i, 4 * half >(dir "/events.job.jsonl")
            }
            ticks += cores * 100
            if (cores > 0)
                printf "{\"ts_ms\":%d000,\"pid\":%d,\"utime\":%d,\"stime\":0,\"rss_kb\":9000}\n", t0 + s + 1, 100 + i, ticks >(dir "/proc_metrics.jsonl")
            u = cores / 4
            energy += (idle + (most - idle) * (2 * u - u ^ r)) * 1e6
            printf "{\"ts_ms\":%d000,\"node\":\"%s\",\"stage\":\"s\",\"cpu_util\":%.2f,\"dt_ms\":1000,\"energy_uj\":%.0f}\n", t0 + s + 1, node, u * 100, energy >(dir "/host_metrics.jsonl")
        }
    }'
}
