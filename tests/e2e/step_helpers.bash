# Shared by step.bats, step_packer.bats, exec.bats and scenario.bats: a build in a folder of its own, whose telemetry
# lies in t/.

load record_helpers

enter_build() {
    [ -x "${TK:-}" ] || { echo "\$TK names no program to test" >&2; return 1; }
    enter_folder
    begin_build_here
}

# As a runner that has just started: nothing of another build in the environment.
begin_build_here() {
    SHELL_FUNCTIONS=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/shell/telemetry.sh
    export TELEMETRY_DIR=$PWD/t TRACEKIT=$TK
    unset TRACEKIT_JOB TRACEKIT_SPAN TRACEKIT_VERBOSE TRACEKIT_STORE GITHUB_RUN_ID GITHUB_RUN_ATTEMPT \
        GITHUB_JOB GITHUB_OUTPUT GITHUB_SHA GITHUB_REF GITHUB_RUN_NUMBER GITHUB_REF_NAME \
        GITHUB_HEAD_REF GITHUB_SERVER_URL GITHUB_REPOSITORY GITHUB_ACTIONS GITHUB_STEP_SUMMARY TRACEKIT_RULES TRACEPARENT TRACESTATE BAGGAGE OTEL_RESOURCE_ATTRIBUTES CI_JOB_ID CI_JOB_URL \
        BUILD_TAG BUILD_URL CI_MERGE_REQUEST_IID CHANGE_ID
}

leave_build() {
    leave_folder
}

# Run lines of a shell script that has sourced the functions, in a shell of its own.
in_shell() {
    sh -c ". '$SHELL_FUNCTIONS'
$1"
}

# Path of the document of the only job, once it is finalised.
document() {
    echo "$TELEMETRY_DIR"/*.json
}
