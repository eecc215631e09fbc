# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the tests of what runs in the background.

# Wait until a command succeeds, for 10 s at most.
wait_until() {
    local tries
    for tries in $(seq 200); do
        if "$@"; then return 0; fi
        sleep 0.05
    done
    echo "timed out after $tries tries: $*" >&2
    return 1
}
