#!/usr/bin/env bats
# tracekit doctor on this host, with its rights and without.

bats_require_minimum_version 1.5.0

setup() {
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
    count=$("$TK" doctor --json | jq '.capabilities | length')
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

@test "it leaves no control group behind" {
    "$TK" doctor >/dev/null
    [ -z "$(find /sys/fs/cgroup -maxdepth 6 -type d -name 'tracekit-doctor-*' 2>/dev/null)" ]
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
