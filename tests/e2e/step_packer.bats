#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Steps of a virtual machine that Packer builds, by way of its log (T14 of build-telemetry.md section
# 20), and of what Packer says itself.

load step_helpers

setup() {
    enter_build
    unset PACKER_BUILD_NAME PACKER_BUILDER_TYPE
}

teardown() {
    rm -rf "$TELEMETRY_DIR" # ends the watcher
    leave_build
}

# Run lines of a shell script as a provisioner does within the machine: each in a shell of its own.
in_vm() {
    PACKER_BUILD_NAME=base TELEMETRY_DIR=$PWD/vm TRACEKIT_JOB='' in_shell "$1" 2>>vm.stderr
}

# A build of two provisioners; the step spans them.
provision() {
    echo '==> qemu.base: Provisioning with shell script: /tmp/packer-shell12345'
    in_vm 'telemetry_start "Step 5: pull"; echo working; sleep 0.1' | sed 's/^/    qemu.base: /'
    echo '==> qemu.base: Provisioning with shell script: scripts/install.sh'
    in_vm 'telemetry_end "Step 5: pull" 3' | sed 's/^/    qemu.base: /'
    echo "Build 'qemu.base' finished after 1 second."
}

# The document has the step of the machine, measured there.
has_vm_step() {
    jq -e '[.steps[] | select(.kind == "vm")] | length == 1 and (.[0] | .name == "Step 5: pull" and
        .status == "failed" and .exit_code == 3 and .duration_s > 0 and .duration_s < 5 and
        .cpu_percent != null and .memory_used_mb > 0)' "$1"
}

@test "T14: records come through a prefixed, coloured, wrapped log, and leave nothing in it" {
    in_shell 'telemetry_init build'
    provision >log
    grep -q '##tk1 ' log
    cat log >>all
    sed $'s/^/\e[0;32m/; s/$/\e[0m\r/' log >>coloured
    fold -w 60 <(grep '##tk1' log | sed 's/^    qemu.base: //') | sed 's/^/    qemu.base: /' >wrapped
    for form in log coloured wrapped; do
        cat "$form" | "$TK" step ingest >"$form.rest"
        run ! grep -F '##tk1' "$form.rest"
    done
    diff log.rest <(grep -v '##tk1' log)
    [ ! -s wrapped.rest ]
    in_shell telemetry_finalize
    has_vm_step "$(document)"
    jq -e '[.steps[] | select(.kind == "packer") | .name] | .[0:2] == ["shell inline", "shell install.sh"]' \
        "$(document)"
    [[ "$(head -n 1 "$TELEMETRY_DIR"/build_*/packer_steps.txt)" =~ ^Step\ 5:\ pull\|[0-9.]+(\|[0-9.]+){9}$ ]]
    "$TK" report push --store "dir:$PWD/store"
    cmp "$TELEMETRY_DIR"/build_*/packer_steps.txt store/unknown/*/packer_steps.txt
    "$TK" report reindex --store "dir:$PWD/store" | grep -x "indexed 1 build"
}

@test "step packer makes a step of all that Packer does, and of what runs in its machine" {
    in_shell 'telemetry_init build'
    provision >log
    printf '#!/bin/sh\nwhile IFS= read -r line; do printf "%%s\\n" "$line"; sleep 0.05; done <log\necho oops >&2\nexit 3\n' >packer
    chmod +x packer
    run -3 --separate-stderr "$TK" step packer -- ./packer build template
    [ "$output" = "$(grep -v '##tk1' log)" ]
    [[ $stderr == oops* ]]
    TRACEKIT_STORE=dir:$PWD/store in_shell 'telemetry_finalize --push'
    cmp "$TELEMETRY_DIR"/build_*/packer_steps.txt store/unknown/*/packer_steps.txt
    has_vm_step "$(document)"
    jq -e '.steps[0] as $packer | $packer.name == "packer" and $packer.exit_code == 3 and
        all(.steps[1:][]; .parent == $packer.id) and
        ([.steps[] | select(.kind == "packer") | [.name, .status, .attrs.builder]] ==
            [["shell inline", "success", "qemu.base"], ["shell install.sh", "success", "qemu.base"]])' \
        "$(document)"
}

@test "a log file bears its own times" {
    in_shell 'telemetry_init build'
    cat >log <<'END'
2026-01-24T12:00:00Z: ==> qemu: Starting VM, booting disk image
2026-01-24T12:00:30Z: ==> qemu: Waiting for SSH to become available...
2026-01-24T12:01:40Z: ==> qemu: Connected to SSH!
2026-01-24T12:01:41Z: ==> qemu: Uploading app.tar => /tmp/app.tar
2026-01-24T12:01:51Z: ==> qemu: Provisioning with shell script: setup.sh
2026-01-24T12:02:51Z: ==> qemu: Script exited with non-zero exit status: 7. Allowed exit codes are: [0]
2026-01-24T12:02:52Z: Build 'qemu' errored after 2 minutes 52 seconds: Script exited
END
    "$TK" step ingest log >rest
    cmp log rest
    in_shell telemetry_finalize
    jq -e '[.steps[] | [.name, (.duration_s | round), .status, .exit_code]] == [["boot", 30, "success", null],
        ["wait for SSH", 70, "success", null], ["upload app.tar", 10, "success", null],
        ["shell setup.sh", 61, "failed", 7]]' "$(document)"
}

@test "a log of anything else passes as it is" {
    in_shell 'telemetry_init build'
    { head -c 300000 /dev/urandom; printf '\n==> : \n==> x\n##tk1 {\nBuild \x27\n'; } >log
    "$TK" step ingest <log | cmp log
    "$TK" step ingest log | cmp log
    run -0 "$TK" step ingest .
    [ "$output" = "tracekit step: .: is a folder, expected a log" ]
}

@test "packer-clean leaves nothing behind, and touches nothing but a machine of Packer's" {
    memory=$(mktemp -d /dev/shm/packer-XXXXXX)
    cp "$TK" "$memory/tracekit"
    cp "$SHELL_FUNCTIONS" "$memory/telemetry.sh"
    touch uploaded
    TRACEKIT=$memory/tracekit in_vm 'telemetry_start a; telemetry_end a' >/dev/null
    [ -d vm ]
    TELEMETRY_DIR=$PWD/vm run -2 "$memory/tracekit" step packer-clean
    [ -d vm ]
    PACKER_BUILD_NAME=base TELEMETRY_DIR=$PWD/vm run -0 "$memory/tracekit" step packer-clean uploaded
    [ ! -e vm ] && [ ! -e uploaded ] && [ -z "$(ls "$memory")" ]
    rmdir "$memory"
    PACKER_BUILD_NAME=base TELEMETRY_DIR=$PWD/vm run -0 "$TK" step packer-clean
    [ -x "$TK" ]
}

@test "steps that other tools timed are imported" {
    in_shell 'telemetry_init build'
    printf '# ninja log v5\n0\t900\t0\told.o\tff\n0\t1500\t0\ta.o\tff\n100\t4000\t0\tb.o\tff\n0\t500\t0\tc.o\tff\n20\t2500\t0\td.o\tff\n' >.ninja_log
    cat >rawjson <<'END'
{"vertexes":[{"digest":"sha256:a","name":"[1/2] FROM alpine","started":"2026-01-24T12:00:00.5Z"}]}
{"vertexes":[{"digest":"sha256:a","name":"[1/2] FROM alpine","started":"2026-01-24T12:00:00.5Z","completed":"2026-01-24T12:00:02Z"}]}
{"vertexes":[{"digest":"sha256:b","name":"[2/2] RUN false","started":"2026-01-24T12:00:02Z","completed":"2026-01-24T12:00:03Z","error":"exit code: 1"}],"logs":[{"data":"eA=="}]}
END
    echo '{"total_count":1,"jobs":[{"name":"test","steps":[{"name":"Checkout","conclusion":"success","number":1,
        "started_at":"2026-01-24T12:00:00Z","completed_at":"2026-01-24T12:00:05.000+00:00"},
        {"name":"later","conclusion":null,"started_at":null,"completed_at":null}]}]}' >jobs.json
    run -0 "$TK" step import ninja_log .ninja_log
    [ "$output" = "telemetry: 2 steps of .ninja_log" ]
    "$TK" step import buildkit rawjson
    "$TK" step import github jobs.json
    run -0 "$TK" step import github rawjson
    [[ $output == *"rawjson: "* ]]
    run -2 "$TK" step import make log
    in_shell telemetry_finalize
    jq -e '[.steps[] | [.kind, .name, (.duration_s * 1000 | round), .status]] == [
        ["ninja_log", "d.o", 2480, "success"], ["ninja_log", "c.o", 500, "success"],
        ["buildkit", "[1/2] FROM alpine", 1500, "success"], ["buildkit", "[2/2] RUN false", 1000, "failed"],
        ["github", "Checkout", 5000, "success"]]' "$(document)"
}
