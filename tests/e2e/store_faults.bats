#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The S3 store against a server that fails on request (tests/peers/s3_stub.py): nothing is missing,
# nothing doubled, and nothing tried for ever.

bats_require_minimum_version 1.5.0

setup() {
    load wait_helpers
    export TOOL=${TK%/*}/store_tool
    [ -x "$TOOL" ] || skip "there is no $TOOL: built without S3 or tests"
    unset TRACEKIT_STORE "${!AWS_@}" "${!MINIO_@}"
    export MINIO_ACCESS_KEY=testkey MINIO_SECRET_KEY=testsecret TELEMETRY_BUCKET=bucket
    cd "$BATS_TEST_TMPDIR" || return 1
    echo "the bytes of an object" >file
}

teardown() {
    stop_stub
}

# Start the stub with faults; the one before is stopped.
stub() {
    stop_stub
    rm -f port
    python3 "$BATS_TEST_DIRNAME/../peers/s3_stub.py" . "$@" 3>&- &
    stub_pid=$!
    wait_until test -s port
    export MINIO_ENDPOINT=http://127.0.0.1:$(cat port)
}

stop_stub() {
    [ -n "${stub_pid:-}" ] || return 0
    kill "$stub_pid"
    wait "$stub_pid" || true
    stub_pid=
}

tool() {
    "$TOOL" "$@" 2>stderr
}

requests() {
    wc -l <log
}

counted() {
    grep -qw -- "$1" stderr || { cat stderr; return 1; }
}

holds_file() {
    tool get k | cmp - file
    [ "$(tool list "")" = "23 k" ]
}

@test "signatures of random requests are those of botocore" {
    python3 -c 'import botocore' || skip "no botocore (package python3-botocore)"
    python3 "$BATS_TEST_DIRNAME/../peers/sigv4_oracle.py" "$TOOL" 2000
}

@test "the stub checks signatures by itself" {
    stub
    tool put 'a b+c=d&e?f#g/%2F/é' file
    tool get 'a b+c=d&e?f#g/%2F/é' | cmp - file
    MINIO_SECRET_KEY=wrong run -1 tool list ""
    grep -q "HTTP 403 SignatureDoesNotMatch (request r1)" stderr
    grep -q '"refused": "SignatureDoesNotMatch"' log
}

@test "the command of a profile gives the keys, and no message tells them" {
    REGION=eu-north-1 stub
    unset MINIO_ACCESS_KEY MINIO_SECRET_KEY
    export TRACEKIT_STORE=s3://bucket
    export AWS_SHARED_CREDENTIALS_FILE=$PWD/none AWS_CONFIG_FILE=$PWD/config AWS_PROFILE=ci
    cat >keys.sh <<'END'
echo "asked of $*" >&2
printf '{"Version": 1, "AccessKeyId": "testkey", "SecretAccessKey": "%s", "Expiration": "%s"}' \
    testsecret "$1"
END
    printf '[profile ci]\nregion = eu-north-1\ncredential_process = sh "%s/keys.sh" "%s"\n' \
        "$PWD" 9999-12-31T23:59:59+00:00 >config
    tool put k file
    counted "asked of 9999-12-31T23:59:59+00:00"
    holds_file
    sed -i s/9999/1999/ config
    run -1 tool list ""
    counted "$PWD/config: credential_process 'sh': its keys expired at 1999-12-31T23:59:59+00:00"
    run ! grep -q testsecret stderr log
}

@test "what may pass is tried again, with a new signature, and stored once" {
    local fault
    for fault in 503 500 429 408 close-before close-after; do
        stub 1:$fault 2:$fault 3:$fault
        tool put k file
        counted retries=3
        [ "$(requests)" = 4 ]
        holds_file
    done
}

@test "what will not pass is not tried again" {
    stub 1:400 2:403 3:quota
    run -1 tool put k file
    grep -q "PUT s3://bucket/k: HTTP 400 BadDigest" stderr
    run -1 tool put k file
    run -1 tool put k file
    counted retries=0
    [ "$(requests)" = 3 ]
}

@test "a store that always says no gets a bounded number of requests" {
    stub '*:503'
    run -1 tool put k file
    [ "$(requests)" = 8 ]
    grep -q "HTTP 503 SlowDown (request r1); that was the last try (8 in all)" stderr
}

@test "Retry-After is honoured" {
    stub 1:503-after-1
    tool put k file
    jq -es '.[1].time - .[0].time >= 1' log >/dev/null
}

@test "a body that was cut is read on from there, of the same version" {
    head -c 3000000 /dev/urandom >file
    stub 2:cut 3:cut
    tool put k file
    tool get k | cmp - file
    counted resumed_reads=2
    [ "$(jq -r .Range log | tail -n 2 | paste -sd' ')" = "bytes=1500000- bytes=2250000-" ]
    [ "$(jq -r 'select(.Range) | ."If-Match"' log | sort -u)" = "\"$(md5sum <file | cut -c1-32)\"" ]
}

@test "two versions are never mixed" {
    stub 2:replace
    tool put k file
    run -1 tool get k
    grep -q "HTTP 412 PreconditionFailed" stderr
}

@test "an answer without a length is not believed" {
    stub 2:no-length
    tool put k file
    run -1 tool get k
    grep -q "GET s3://bucket/k: the answer has no length" stderr
}

@test "T15: slow is not wrong" {
    stub 2:slow
    tool put k file
    tool get k | cmp - file
    counted retries=0
}

@test "an upload is finished when the object is there, whatever the answer was" {
    local fault
    for fault in error-200 close-after close-before 503 empty-etag; do
        stub 5:$fault # after the beginning and three parts
        head -c 17000000 /dev/zero >large
        tool put large large
        tool get large | cmp - large
        [ "$(tool list "")" = "17000000 large" ]
    done
}

@test "a part that fails is sent again, the others are not" {
    head -c 17000000 /dev/urandom >large
    stub 2:503 4:500
    tool put large large
    counted retries=2
    tool get large | cmp - large
    [ "$(jq -r 'select(.method == "PUT" and .fault == null) | .path' log | sort | uniq -d | wc -l)" = 0 ]
}

@test "an object whose etag is not that of its bytes is an error" {
    stub 1:wrong-etag
    run -1 tool put k file
    grep -q "PUT s3://bucket/k: stored with etag 00000000000000000000000000000000" stderr
}

@test "a redirect to another host is signed anew, once" {
    stub 1:307
    tool put k file
    [ "$(requests)" = 2 ]
    counted redirects=1
    [ "$(jq -r .Host log | tail -n 1)" = "localhost:$(cat port)" ]
    holds_file
    stub '*:307'
    run -1 tool put k file
    [ "$(requests)" = 2 ]
    grep -q "HTTP 307" stderr
}

@test "another region is signed for, once" {
    REGION=eu-west-1 stub 1:301
    tool put k file
    [ "$(requests)" = 2 ]
    counted redirects=1
    holds_file # by the region that a refusal names
    counted redirects=1
}

@test "create only, and an answer that was lost: it was us" {
    stub 2:close-after 5:close-after
    tool list "" # the connection that is used again is closed, too
    tool create k file
    tool get k | cmp - file
    echo "the bytes of somebodys" >other
    run -1 tool create k other
    grep -q "PUT s3://bucket/k: HTTP 412 PreconditionFailed" stderr
    holds_file
}

@test "a clock that is wrong is put right, once" {
    stub 1:skew
    tool put k file
    counted clock_fixes=1
    [ "$(requests)" = 2 ]
    stub '*:skew'
    run -1 tool put k file
    [ "$(requests)" = 2 ]
    grep -q "HTTP 403 RequestTimeTooSkewed" stderr
}

@test "T15: lists have pages" {
    PAGE=2 stub
    local key
    for key in a b c d e; do tool put $key file; done
    [ "$(tool list "" | cut -d' ' -f2 | tr -d '\n')" = abcde ]
    counted requests=3
}

@test "a list that is no list is refused" {
    stub '1+:endless'
    run -1 tool list ""
    grep -q "list of s3://bucket/: the server repeats a page" stderr
    [ "$(requests)" = 2 ]
    stub 1:doctype 2:giant 3:many-headers
    run -1 tool list ""
    grep -q "XML: has a document type, which is refused" stderr
    run -1 tool list ""
    grep -q "an answer of more than 16777216 bytes" stderr
    run -1 tool list ""
    grep -q "response headers of more than 65536 bytes" stderr
}

@test "all uploads that nobody finished are swept, page by page" {
    PAGE=2 stub
    local i
    for i in 1 2 3; do tool part "b+%41 <&é$i" 10; done
    for i in 1 2; do tool part a 10; done # the second resumes the first
    tool sweep
    counted swept=4
    tool sweep
    counted swept=0
    stub '*:endless-uploads'
    run -1 tool sweep
    grep -q "list of uploads in s3://bucket: the server repeats a page" stderr
    [ "$(requests)" = 1 ]
}

@test "report prune ends uploads of builds that are older than a day, and no others" {
    local document=0.9.0/20260118_013320/build_20260118_013320.json
    UPLOAD_AGE=80000 stub
    tool part "$document" 10
    run -0 "$TK" report prune
    [ "$output" = "removed 0 builds, 0 stay" ]
    UPLOAD_AGE=90000 stub
    tool part "$document" 10
    tool part "others/file" 10
    run -0 "$TK" report prune --dry-run
    [ "$output" = "would remove 0 builds and 1 unfinished upload, 0 stay" ]
    run -0 "$TK" report prune --json
    jq -e '.unfinished_removed == 1 and .unfinished_error == null' <<<"$output"
    [ "$(jq -r 'select(.method == "DELETE").path' log)" = "/bucket/$document?uploadId=upload-1" ]
    run -0 "$TK" report prune
    [ "$output" = "removed 0 builds, 0 stay" ]
    stub '2+:403'
    run -0 "$TK" report prune
    [ "${lines[0]}" = "removed 0 builds, 0 stay" ]
    [[ ${lines[1]} == "unfinished uploads were not looked for: GET s3://bucket/: HTTP 403 AccessDenied"* ]]
    stub '2+:quota'
    run -1 "$TK" report prune
    [[ $output == *"HTTP 403 QuotaExceeded"* ]]
}

@test "small bodies are sent at once, large ones after leave" {
    stub
    tool put k file
    [ "$(jq -r '.Expect // "none"' log)" = none ]
    head -c 2000000 /dev/zero >large
    tool put l large
    [ "$(jq -r '.Expect // "none"' log | tail -n 1)" = 100-continue ]
}

@test "a server of a company's own authority is trusted by AWS_CA_BUNDLE" {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out ca.pem 2>/dev/null
    cat ca.pem key.pem >server.pem
    TLS=server.pem stub
    MINIO_ENDPOINT=${MINIO_ENDPOINT/http:/https:}
    run -1 "$TOOL" put k file
    [[ $output == *"PUT s3://bucket/k: "*certificate* ]]
    [ ! -s log ]
    AWS_CA_BUNDLE=$PWD/none.pem run -1 "$TOOL" put k file
    [[ $output == *"S3: certificates (AWS_CA_BUNDLE): $PWD/none.pem: No such file or directory" ]]
    AWS_CA_BUNDLE=$PWD/file run -1 "$TOOL" put k file
    [[ $output == *"PUT s3://bucket/k: "*"CAfile: $PWD/file"* ]]
    export AWS_CA_BUNDLE=$PWD/ca.pem
    tool put k file
    holds_file
}
