# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Build telemetry for shells: source this file in each shell of a build, in any POSIX sh.
#
#     . telemetry.sh
#     telemetry_init build 0.10.2
#     telemetry_step_start compile
#     make
#     telemetry_step_end compile
#     telemetry_finalize
#
# Sourcing defines functions and does nothing else. Steps may start in one shell and end in another;
# state is on disk, in $TELEMETRY_DIR. The functions work with and without `set -eu` and return 0
# whatever happens: a build never fails for its telemetry. $TRACEKIT names the program to use.

_telemetry() {
    command -v "${TRACEKIT:-tracekit}" >/dev/null 2>&1 || {
        echo "telemetry: ${TRACEKIT:-tracekit} is not installed: nothing is measured" >&2
        return 0
    }
    "${TRACEKIT:-tracekit}" step "$@" || :
}

# telemetry_init JOB [VERSION]
telemetry_init() {
    TRACEKIT_JOB=$(_telemetry init -- "$@") || TRACEKIT_JOB=
    export TRACEKIT_JOB
}

# telemetry_step_start NAME, telemetry_step_end NAME [STATUS]
telemetry_step_start() { _telemetry start -- "$@"; }
telemetry_step_end() { _telemetry end -- "$@"; }

# telemetry_finalize [--push]: write the document of the job, print a summary.
telemetry_finalize() { _telemetry finalize "$@"; }

# telemetry_get_file: print the path of that document.
telemetry_get_file() { _telemetry file; }

# The names that the original had within a virtual machine.
telemetry_start() { telemetry_step_start "$@"; }
telemetry_end() { telemetry_step_end "$@"; }
telemetry_summary() { _telemetry summary; }
