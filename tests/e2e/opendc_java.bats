#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# parquet-java, which OpenDC reads with, asked for OpenDC's own schema with strict types: it takes our
# exports, and verify refuses what it refuses (opendc.md section 4). Wants a JDK of 17 or later and
# Maven, which fetches the jars (60 MB) into a cache outside of the tree on first use.

load opendc_helpers

bats_require_minimum_version 1.5.0

setup_file() {
    find_pyarrow
    local peer=$BATS_TEST_DIRNAME/../peers/parquet-java
    export WHY=
    if ! command -v javac >/dev/null || ! command -v mvn >/dev/null; then
        WHY="no JDK or no Maven"
        return 0
    fi
    JARS=${XDG_CACHE_HOME:-$HOME/.cache}/tracekit-peers/parquet-java-$(sha256sum <"$peer/pom.xml" | cut -c1-12)
    export JARS CLASSES=$BATS_FILE_TMPDIR/classes
    if [ ! -e "$JARS/done" ]; then
        timeout 100 mvn -q -B -f "$peer/pom.xml" \
            org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
            -DoutputDirectory="$JARS" >"$BATS_FILE_TMPDIR/mvn.log" 2>&1 && touch "$JARS/done"
    fi
    [ -e "$JARS/done" ] || { WHY="the jars cannot be had: $(grep -m 1 ERROR "$BATS_FILE_TMPDIR/mvn.log")"; return 0; }
    javac -cp "$JARS/*" -d "$CLASSES" "$peer/OpenDcReader.java" 2>"$BATS_FILE_TMPDIR/javac.log" ||
        WHY="javac: $(head -n 1 "$BATS_FILE_TMPDIR/javac.log")"
}

setup() {
    [ -z "$WHY" ] || skip "$WHY"
    begin_empty
}

opendc_reads() {
    java -XX:TieredStopAtLevel=1 -cp "$CLASSES:$JARS/*" OpenDcReader "$@"
}

# Two commands of which one needs the other, and their samples, so that the tasks have edges.
workflow() {
    mkdir -p "$1"
    echo '{"run_id":"w","node":"n0","stage":"s","host":"h0","cpu_cores":4,"mem_mb":16384,"cpu_freq_mhz":2400}' >"$1/node_meta.json"
    cat >"$1/events.x.jsonl" <<'JSON'
{"trace_id":"d","span_id":"1","method":"CLI","path":"make","ts_start":1758000001000,"ts_end":1758000003000,"pid":7,"cpu_ns":900000000,"output":"a.o"}
{"trace_id":"d","span_id":"2","method":"CLI","path":"größe","ts_start":1758000003000,"ts_end":1758000004500,"pid":8,"cpu_ns":200000000,"input":"a.o"}
JSON
    cat >"$1/proc_metrics.jsonl" <<'JSON'
{"ts_ms":1758000001500,"pid":7,"utime":30,"stime":0,"rss_kb":4000}
{"ts_ms":1758000002500,"pid":7,"utime":80,"stime":1,"rss_kb":5000}
JSON
}

# What OpenDC's reader sees, from our own reader.
ours() {
    "$TK" parquet cat "$1/fragments.parquet" | jq -r '[.id, .duration, .cpu_usage] | join("\t")'
    "$TK" parquet cat "$1/tasks.parquet" | jq -r '[.id, .name, (.submission_time | sub("\\.[0-9]+Z$"; "Z") | fromdate) * 1000,
        .duration, .cpu_count, .cpu_capacity, .mem_capacity, (.parents // "-" | tostring), (.children // "-" | tostring)] | join("\t")'
}

theirs() {
    opendc_reads fragments "$1/fragments.parquet" | awk -F '\t' '{print $1 "\t" $2 "\t" $3 + 0}' OFMT=%.17g CONVFMT=%.17g
    opendc_reads tasks "$1/tasks.parquet" | awk -F '\t' -v OFS='\t' '{print $1, $2, $3, $4, $5, $6 + 0, $7, $10, $11}'
}

@test "OpenDC's reader sees every value of an export, edges included" {
    workflow run
    "$TK" export opendc run -o out
    diff <(ours out) <(theirs out)
    [ "$(opendc_reads tasks out/tasks.parquet | cut -f 10,11 | tr '\t\n' '  ')" = "- [2] [1] - " ]
}

@test "it takes every codec, and the profiles with ids of numbers" {
    workflow run
    for codec in none snappy gzip zstd lz4_raw; do
        "$TK" export opendc run -o "out-$codec" --compression "$codec"
    done
    "$TK" export opendc run -o out-24f --profile opendc-2.4f
    "$TK" export opendc run -o out-24e --profile opendc-2.4e
    run -0 opendc_reads judge out-none out-snappy out-gzip out-zstd out-lz4_raw out-24f out-24e
    for codec in none snappy gzip zstd lz4_raw 24f; do
        grep -qx "out-$codec accepted" <<<"$output"
    done
    grep -q "out-24e refused: .*required int32 id" <<<"$output"
}

@test "verify refuses what it refuses, and accepts what it accepts" {
    need_pyarrow
    workflow run
    "$TK" export opendc run -o out
    "$PYTHON" "$BATS_TEST_DIRNAME/../peers/opendc_variants.py" out variants >names
    cd variants
    opendc_reads judge ./* | sed "s,^./,," >../judged
    while read -r name; do
        # Columns that are missing are 0 to OpenDC: verify is stricter (E02).
        if [ "$name" = without-duration ]; then continue; fi
        if [ "${name#-}" = "$name" ]; then
            grep -qx "$name accepted" ../judged
            run -0 "$TK" verify opendc "$name" --profile opendc
        else
            grep -q "^${name#-} refused: " ../judged
            run -1 "$TK" verify opendc "${name#-}" --profile opendc
        fi
    done <../names
}
