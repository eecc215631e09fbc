# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the tests of what runs in the background.

# Wait until a command succeeds, for a minute at most: of a machine that is busy that may be had.
wait_until() {
    local end=$((SECONDS + 60))
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || { echo "timed out: $*" >&2; return 1; }
        sleep 0.05
    done
}
