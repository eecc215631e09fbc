#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The object store over a real S3 server, Ceph's radosgw, with botocore as the second opinion.

bats_require_minimum_version 1.5.0

setup_file() {
    export TOOL=${TK%/*}/store_tool BEHAVIOUR=${TK%/*}/test_store
    export RGW=$BATS_FILE_TMPDIR/rgw PEER=$BATS_TEST_DIRNAME/../peers/s3_peer.py
    unset TRACEKIT_STORE "${!AWS_@}" "${!MINIO_@}" TELEMETRY_BUCKET
    [ -x "$TOOL" ] || return 0
    if "$BATS_TEST_DIRNAME/radosgw" start "$RGW" >"$RGW.env" 2>"$RGW.err"; then
        set -a
        # shellcheck disable=SC1091  # just written
        . "$RGW.env"
        set +a
    fi
    return 0
}

teardown_file() {
    "$BATS_TEST_DIRNAME/radosgw" stop "$RGW"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    [ -x "$TOOL" ] || skip "there is no $TOOL: built without S3 or tests"
    [ -n "${MINIO_ENDPOINT:-}" ] || skip "no radosgw: $(cat "$RGW.env" "$RGW.err" | tail -n 1)"
}

tool() {
    "$TOOL" "$@" 2>stderr
}

@test "T15: radosgw is a judge: a wrong secret is refused, and named without being told" {
    MINIO_SECRET_KEY=wrongsecret run -1 "$TOOL" list ""
    [[ $output == *"GET s3://tracekit-test/: HTTP 403 SignatureDoesNotMatch"* ]]
    [[ $output != *wrongsecret* && $output != *Signature=* ]]
}

@test "every store behaves alike: radosgw as a directory" {
    TK_TEST_STORE=s3://tracekit-test/some/prefix CMOCKA_MESSAGE_OUTPUT=TAP run -0 "$BEHAVIOUR"
    [[ $output == *"ok 15 - a_copy_there_and_back_is_the_same"* ]]
}

@test "botocore reads what we wrote, and we what botocore wrote" {
    local key='a b+c=d&e?f#g/%2F/été'
    head -c 100000 /dev/urandom >bytes
    tool put "$key" bytes
    "$PEER" get "$key" | cmp - bytes
    "$PEER" put "by/botocore $key" <bytes
    tool get "by/botocore $key" | cmp - bytes
    [[ $(tool list by/) == "100000 by/botocore $key" ]]
}

@test "an address may have a prefix, below which nothing else is seen" {
    echo inside >file
    TRACEKIT_STORE=s3://tracekit-test/pre/fix tool put a/b file
    [ "$(tool get pre/fix/a/b)" = inside ]
    [ "$(TRACEKIT_STORE=s3://tracekit-test/pre/fix tool list a)" = "7 a/b" ]
    [ -z "$(TRACEKIT_STORE=s3://tracekit-test/pre tool list a)" ]
}

@test "a signed URL gives one method on one key, for its time" {
    local url
    echo signed >file
    tool put 'by url+%' file
    url=$(tool presign GET 'by url+%' 60)
    [ "$("$PEER" fetch GET "$url")" = "200 signed" ]
    [ "$("$PEER" fetch PUT "$url")" = 403 ]
    [ "$("$PEER" fetch GET "${url/url/other}")" = 403 ]
    "$PEER" fetch PUT "$(tool presign PUT put 60)"
    [ "$(tool get put)" = "by url" ]
    url=$(tool presign GET put 1)
    sleep 2.1
    [ "$("$PEER" fetch GET "$url")" = 403 ]
    run -1 "$TOOL" presign GET put 604801
    [[ $output == *"a signed URL lives 1 to 604800 s, not 604801"* ]]
}

@test "an upload that was left is resumed without sending its parts again, and swept when it is not" {
    tool part big 15728640
    [ -z "$(tool list big)" ]
    tool finish big 17825792
    grep -q 'resumed_parts=3 ' stderr
    [ "$(tool list big)" = "17825792 big" ]
    [ "$(tool get big | sha256sum)" = "$(
        for letter in a b c d; do head -c 5242880 /dev/zero | tr '\0' $letter; done |
            head -c 17825792 | sha256sum)" ]
    local awkward='left/%41+ <&é'
    tool part "$awkward" 5242880
    [ "$("$PEER" uploads)" = "$awkward" ]
    tool finish "$awkward" 6000000
    grep -q 'resumed_parts=1 ' stderr
    [ "$(tool list left)" = "6000000 $awkward" ]
    tool part "$awkward" 5242880
    tool sweep
    grep -q 'swept=1 ' stderr
    [ -z "$("$PEER" uploads)" ]
}

@test "the secret is in no argument, no file and no output" {
    head -c 20000000 /dev/zero >file
    # Whoever is traced cannot look for its leaks.
    ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=execve,write,sendto -s 2000 -o trace \
        "$TOOL" put zeros file
    [ -s trace ]
    run ! grep -q "$MINIO_SECRET_KEY" trace
    run ! grep -rq "$MINIO_SECRET_KEY" .
}

@test "what is not there, or not allowed, is an error that says so" {
    run -1 "$TOOL" get no/such
    [[ $output == *"GET s3://tracekit-test/no/such: HTTP 404 NoSuchKey"* ]]
    TELEMETRY_BUCKET=no-such-bucket run -1 "$TOOL" list ""
    [[ $output == *"GET s3://no-such-bucket/: HTTP 404 NoSuchBucket"* ]]
    MINIO_ENDPOINT=http://127.0.0.1:1 run -1 "$TOOL" list ""
    [[ $output == *"127.0.0.1 port 1"*"that was the last try (8 in all)"* ]]
    MINIO_ENDPOINT=127.0.0.1:1 run -1 "$TOOL" list ""
    [[ $output == *"endpoint '127.0.0.1:1': expected http://host:port or https://host"* ]]
    env -u MINIO_SECRET_KEY TRACEKIT_STORE=s3://tracekit-test "$TOOL" list "" 2>stderr && false
    [ "$(cat stderr)" = "store_tool: S3: MINIO_ACCESS_KEY is set, but MINIO_SECRET_KEY is not" ]
}
