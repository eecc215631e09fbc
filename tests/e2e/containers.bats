#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A container of a real runtime beside us, in the group that docker without systemd gives it.

load step_helpers
load wait_helpers

bundle_id=4f9a6c1d2e3b # what docker shows of an id

setup_file() {
    export BUNDLE=$BATS_FILE_TMPDIR/bundle
    export DOCKER_WAS_THERE
    DOCKER_WAS_THERE=$(find /sys/fs/cgroup -maxdepth 2 -name docker)
    make_bundle
    start_container true >"$BUNDLE/start.log" 2>&1 || : >"$BUNDLE/cannot"
}

teardown_file() {
    # The runtime leaves the group above the container's.
    [ -n "$DOCKER_WAS_THERE" ] || find /sys/fs/cgroup -maxdepth 2 -name docker -exec rmdir {} +
}

setup() {
    [ ! -e "$BUNDLE/cannot" ] ||
        skip "no container can be started here: $(tail -n 1 "$BUNDLE/start.log")"
    enter_build
    : >"$BUNDLE/rootfs/go"
}

teardown() {
    [ -e "$BUNDLE/rootfs/go" ] || return 0
    rm -f "$BUNDLE/rootfs/go"
    wait
    rm -rf "$TELEMETRY_DIR" # ends the watcher
    leave_build
}

# A root file system of one program and its libraries.
make_bundle() {
    local file
    mkdir -p "$BUNDLE/rootfs/bin"
    cp "$(command -v busybox)" "$BUNDLE/rootfs/bin/busybox"
    ln -s busybox "$BUNDLE/rootfs/bin/sh"
    for file in $(ldd "$BUNDLE/rootfs/bin/busybox" | grep -o '/[^ ]*'); do
        mkdir -p "$BUNDLE/rootfs${file%/*}"
        cp "$file" "$BUNDLE/rootfs$file"
    done
    runc spec --bundle "$BUNDLE"
    mv "$BUNDLE/config.json" "$BUNDLE/spec.json"
}

# start_container COMMAND: until it ends.
start_container() {
    jq --arg command "$1" --arg id "$bundle_id" '.process.terminal = false |
        .process.args = ["/bin/sh", "-c", $command] | .linux.cgroupsPath = "/docker/" + $id * 5 + "0123"' \
        "$BUNDLE/spec.json" >"$BUNDLE/config.json"
    runc run --bundle "$BUNDLE" "tracekit-test-$$" </dev/null
}

start_busy_container() {
    start_container 'echo up >/dev/stderr; while test -e /go; do :; done' 2>up &
    wait_until grep -q up up
}

@test "what containers of docker used while a command ran is told without asking" {
    start_busy_container
    "$TK" exec -n asks -- sleep 4
    jq -e '.steps[0] | .cpu.total_s < 0.3 and (.via | length) == 1 and .via[0].unit == "/docker" and
        .via[0].cpu_s > 0.1 and .via[0].cpu_s < 60' "$(document)"
}

@test "a recording tells a container by the name that docker gives it" {
    start_busy_container
    "$TK" record -q -i 200ms -o run -- sleep 1.5
    jq -es --arg id "$bundle_id" '[.[] | select(.container == $id)] | length > 0 and
        (.[0].cgroup | startswith("/docker/" + $id))' run/cgroup_metrics.jsonl
}
