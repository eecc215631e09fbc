#!/usr/bin/env bats
# tracekit doctor on this host, with its rights and without.

bats_require_minimum_version 1.5.0

setup() {
    load wait_helpers
    unset NO_COLOR COLUMNS LC_ALL LC_CTYPE
    export LANG=C.UTF-8 TERM=xterm
}

without_rights() {
    command -v setpriv >/dev/null || skip "no setpriv"
    [ "$(id -u)" -eq 0 ] || skip "not root"
    setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
}

@test "it names tier and rung, and tells of every capability" {
    "$TK" doctor >"$BATS_TEST_TMPDIR/out"
    grep -qE '^ tier +(B2|B1|P|P0): ' "$BATS_TEST_TMPDIR/out"
    grep -qE '^ rung +[ABC], ' "$BATS_TEST_TMPDIR/out"
    [ "$(wc -L <"$BATS_TEST_TMPDIR/out")" -le 80 ]
    count=$("$TK" doctor --json | jq '[.capabilities[], .steps[]] | length')
    [ "$(grep -cE '^ (yes|partly|no) ' "$BATS_TEST_TMPDIR/out")" -eq "$count" ]
}

@test "what is not there says what it needs" {
    run -0 "$TK" doctor --json
    jq -e '[.capabilities[] | (.state == "yes") != (.needs != null)] | all' <<<"$output"
    jq -e '(.rung == "A") == (.next_rung == null)' <<<"$output"
}

@test "without rights it still ends well, on a lower rung, and names the next" {
    run -0 without_rights "$TK" doctor --json
    jq -e '(.rung == "B" or .rung == "C") and .next_rung != null and
           (.next_rung_needs | length) > 0 and
           (.capabilities[] | select(.name == "exit_records") | .state == "no" and
               (.needs | contains("CAP_NET_ADMIN")))' <<<"$output"
    run -0 without_rights "$TK" doctor
    [[ $output == *" next    "* ]]
}

@test "of build steps it tells level, state and whence the keys of the store are, never what they are" {
    cd "$BATS_TEST_TMPDIR"
    unset TRACEKIT_STORE TRACEKIT_JOB TELEMETRY_BUCKET MINIO_ACCESS_KEY MINIO_SECRET_KEY MINIO_ENDPOINT \
        AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY GITHUB_RUN_ID CI_JOB_ID BUILD_TAG
    here() { jq -r --arg name "$1" '.steps[] | select(.name == $name) | "\(.state): \(.here)"'; }
    export TELEMETRY_DIR=$PWD/t HOME=$PWD
    run -0 "$TK" doctor --json
    [[ $(here step_level <<<"$output") == *": L"[123]": "* ]]
    [[ $(here step_state <<<"$output") == "yes: $PWD/t is made when a job begins" ]]
    [[ $(here step_store <<<"$output") == "no: none is named"* ]]
    [ ! -e t ]
    "$TK" step init build >/dev/null
    is_watched() { [[ $("$TK" doctor --json | here step_state) == "yes: "*", job build_"*": open, its watcher runs" ]]; }
    wait_until is_watched
    "$TK" step finalize >/dev/null
    [[ $("$TK" doctor --json | here step_state) == *": finalised" ]]
    rm -r t
    export MINIO_ACCESS_KEY=public-part MINIO_SECRET_KEY=not-to-be-told MINIO_ENDPOINT=http://127.0.0.1:9
    run -0 "$TK" doctor --json
    [[ $(here step_store <<<"$output") == \
        "yes: s3://appliance-telemetry at http://127.0.0.1:9, keys of MINIO_ACCESS_KEY and MINIO_SECRET_KEY; not tried" ]]
    [[ $output != *not-to-be-told* && $output != *public-part* ]]
    unset MINIO_ACCESS_KEY MINIO_SECRET_KEY
    export TRACEKIT_STORE=s3://bucket/prefix
    [[ $("$TK" doctor --json | here step_store) == "no: S3: no keys; "* ]]
    mkdir .aws && printf '[default]\naws_access_key_id = a\naws_secret_access_key = b\n' >.aws/credentials
    chmod 600 .aws/credentials
    [[ $("$TK" doctor --json | here step_store) == *"keys of $PWD/.aws/credentials; not tried" ]]
    TRACEKIT_STORE=dir:$PWD run -0 "$TK" doctor
    [[ $output == *"store of builds"* ]]
}

@test "it leaves no control group behind" {
    # Its own, by its pid: other tests run beside this one.
    "$TK" doctor >/dev/null &
    wait $!
    [ -z "$(find /sys/fs/cgroup -type d -name "tracekit-doctor-$!" 2>/dev/null)" ]
}

@test "without UTF-8 it is ASCII" {
    LANG=C "$TK" doctor >"$BATS_TEST_TMPDIR/out"
    run ! grep -P '[^\x00-\x7F]' "$BATS_TEST_TMPDIR/out"
}

@test "an argument is a usage error" {
    run -2 --separate-stderr "$TK" doctor now
    # shellcheck disable=SC2154 # bats sets it
    [[ $stderr == "tracekit doctor: 'now' is one argument too many"* ]]
}

@test "every documented key of --json exists, and every key is documented" {
    page=$BATS_TEST_DIRNAME/../../docs/man/tracekit-doctor.1.scd
    "$TK" doctor --json | jq -r '[paths | map(select(type == "string")) | last] | unique[]' |
        sort -u >"$BATS_TEST_TMPDIR/keys"
    sed -n '/^# JSON/,/^# EXIT/s/^\*\([a-z0-9_]*\)\*$/\1/p' "$page" | sort -u >"$BATS_TEST_TMPDIR/documented"
    diff "$BATS_TEST_TMPDIR/keys" "$BATS_TEST_TMPDIR/documented"
}
