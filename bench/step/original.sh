# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Telemetry in the shape of the scripts that tracekit step replaces, to be measured beside it: bash
# functions that read /proc with awk and grep, compute with bc, and put each step into a JSON file
# with jq. Written for the comparison alone: its figures are as wrong as those were.

telemetry_file=${TELEMETRY_DIR:-/tmp}/original.json

_disk() { awk -v field="$1" '$3 ~ /^(sda|vda|nvme0n1)$/ { print $field; exit }' /proc/diskstats; }
_net() { awk -v field="$1" '$1 ~ /^(eth0|ens|enp)/ { sub(/.*:/, ""); print $field; exit }' /proc/net/dev; }
_cpu() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8, $5 }' /proc/stat; }
_mem() { awk '/MemTotal/ { t = $2 } /MemAvailable/ { a = $2 } END { print int((t - a) / 1024) }' /proc/meminfo; }

telemetry_init() {
    jq -n --arg job "$1" --arg version "${2:-unknown}" --arg start "$(date +%s.%N)" \
        '{job: $job, version: $version, job_start: ($start | tonumber), steps: []}' >"$telemetry_file"
}

telemetry_step_start() {
    local base=${TELEMETRY_DIR:-/tmp}/baseline_${1// /_}
    {
        echo "start=$(date +%s.%N)"
        echo "cpu=\"$(_cpu)\""
        echo "mem=$(_mem)"
        echo "reads=$(_disk 4) sectors_read=$(_disk 6) writes=$(_disk 8) sectors_written=$(_disk 10)"
        echo "io_ms=$(_disk 13) weighted_ms=$(_disk 14) read_ms=$(_disk 7) write_ms=$(_disk 11)"
        echo "rx=$(_net 1) tx=$(_net 9)"
    } >"$base"
}

telemetry_step_end() {
    local base=${TELEMETRY_DIR:-/tmp}/baseline_${1// /_}
    local start cpu mem reads sectors_read writes sectors_written io_ms weighted_ms read_ms write_ms rx tx
    # shellcheck source=/dev/null
    . "$base"
    rm -f "$base"
    local end d busy idle total percent read_mb write_mb ops await queue util rx_mb tx_mb
    end=$(date +%s.%N)
    d=$(echo "scale=3; $end - $start" | bc)
    read -r busy idle <<<"$(_cpu)"
    read -r cpu_busy cpu_idle <<<"$cpu"
    total=$(echo "$busy + $idle - $cpu_busy - $cpu_idle" | bc)
    percent=$(echo "scale=1; if ($total > 0) 100 * ($busy - $cpu_busy) / $total else 0" | bc)
    read_mb=$(echo "scale=2; ($(_disk 6) - $sectors_read) * 512 / 1048576" | bc)
    write_mb=$(echo "scale=2; ($(_disk 10) - $sectors_written) * 512 / 1048576" | bc)
    ops=$(echo "$(_disk 4) - $reads + $(_disk 8) - $writes" | bc)
    await=$(echo "if ($ops > 0) ($(_disk 7) - $read_ms + $(_disk 11) - $write_ms) / $ops else 0" | bc)
    util=$(echo "scale=1; ($(_disk 13) - $io_ms) / ($d * 10 + 0.001)" | bc)
    queue=$(echo "scale=2; ($(_disk 14) - $weighted_ms) / ($d * 1000 + 0.001)" | bc)
    rx_mb=$(echo "scale=2; ($(_net 1) - $rx) / 1048576" | bc)
    tx_mb=$(echo "scale=2; ($(_net 9) - $tx) / 1048576" | bc)
    jq --arg name "$1" --arg d "$d" --arg cpu "$percent" --arg mem "$(_mem)" --arg before "$mem" \
        --arg read_mb "$read_mb" --arg write_mb "$write_mb" --arg util "$util" --arg await "$await" \
        --arg queue "$queue" --arg rx "$rx_mb" --arg tx "$tx_mb" \
        '.steps += [{name: $name, duration_s: ($d | tonumber), cpu_percent: ($cpu | tonumber),
            memory_used_mb: ($mem | tonumber), memory_delta_mb: (($mem | tonumber) - ($before | tonumber)),
            disk_read_mb: ($read_mb | tonumber), disk_write_mb: ($write_mb | tonumber),
            disk_util_percent: ($util | tonumber), await_ms: ($await | tonumber),
            queue_depth: ($queue | tonumber), net_rx_mb: ($rx | tonumber), net_tx_mb: ($tx | tonumber)}]' \
        "$telemetry_file" >"$telemetry_file.new" && mv "$telemetry_file.new" "$telemetry_file"
}
