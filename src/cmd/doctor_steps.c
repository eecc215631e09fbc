/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/doctor_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "cmd/step_session.h"
#include "collect/cgroups.h"
#include "step/state.h"
#include "step/watch.h"
#include "store/credentials.h"

TK_PRINTF(3, 4)
static void found(struct tk_step_finding *finding, enum tk_probe_state state, const char *fmt, ...)
{
    va_list args;
    finding->state = state;
    va_start(args, fmt);
    (void)vsnprintf(finding->detail, sizeof(finding->detail), fmt, args);
    va_end(args);
}

/* Level --------------------------------------------------------------------------------- */

static void judge_leaf(struct tk_cgroup_leaf *leaf, struct tk_step_finding *ret)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    struct tk_cgroup_reading reading;
    struct tk_err err;
    tk_buf_init(&text, 4096);
    tk_cgroup_leaf_describe(leaf, &text);
    tk_str described = tk_buf_str(&text);
    bool legacy = memmem(described.p, described.n, " memory=", 8) != NULL;
    if (tk_cgroup_leaf_read(leaf, &reading, &err) < 0) {
        found(ret, TK_PROBE_NO, "%s", err.msg);
        ret->missing = "a control group whose files we may read";
    } else if (!legacy && reading.memory_peak_bytes >= 0 && reading.rd_bytes >= 0) {
        found(ret, TK_PROBE_YES, "L1: version 2, with memory and I/O");
    } else {
        found(ret, TK_PROBE_PARTLY, "%s",
              reading.memory_peak_bytes >= 0
                  ? "L2: CPU time and memory peak; I/O is added up from what ended"
                  : "L2: CPU time alone; memory is that of the largest process");
        ret->missing = "control groups of version 2 with the controllers memory, io and pids";
    }
}

static void probe_level(const struct tk_kernel *kernel, struct tk_step_finding *ret)
{
    char name[64];
    struct tk_cgroup_leaf *leaf;
    struct tk_err err;
    (void)snprintf(name, sizeof(name), "tracekit-doctor-%d", (int)getpid());
    if (tk_cgroup_leaf_new(kernel, NULL, name, &leaf, &err) == 0) {
        judge_leaf(leaf, ret);
        tk_cgroup_leaf_free(leaf);
        return;
    }
    found(ret, TK_PROBE_NO, "L3: usage of what is waited for (%s)", err.msg);
    ret->missing = "a control group that we may write below: root, or systemd-run --user "
                   "--scope -p Delegate=yes";
}

/* State --------------------------------------------------------------------------------- */

static void judge_state(const struct tk_kernel *kernel, struct tk_state *state,
                        const struct tk_state_options *options, struct tk_step_finding *ret)
{
    char document[PATH_MAX];
    struct tk_err ignored;
    struct stat st;
    if (tk_state_find_job(state, options, &ignored) < 0) {
        found(ret, TK_PROBE_YES, "%s, without a job", state->folder);
    } else {
        tk_state_file(state, document);
        bool watched = !isnan(tk_watch_cpu_ms(kernel, state->job_fd));
        found(ret, TK_PROBE_YES, "%s, job %s: %s", state->folder, state->job,
              stat(document, &st) == 0 ? "finalised"
              : watched                ? "open, its watcher runs"
                                       : "open, without a watcher");
    }
}

static void probe_state(const struct tk_kernel *kernel, struct tk_step_finding *ret)
{
    struct tk_step_env env;
    struct tk_state state;
    struct tk_err err;
    tk_step_env_read(&env);
    const char *folder = env.state.folder ? env.state.folder : TK_STATE_FOLDER;
    if (access(folder, F_OK) < 0 && errno == ENOENT) {
        found(ret, TK_PROBE_YES, "%s is made when a job begins", folder);
        return;
    }
    if (tk_state_open(&state, &env.state, &err) == 0 &&
        faccessat(state.fd, ".", W_OK, AT_EACCESS) == 0) {
        judge_state(kernel, &state, &env.state, ret);
    } else if (state.fd < 0) {
        found(ret, TK_PROBE_NO, "%s", err.msg);
    } else {
        found(ret, TK_PROBE_NO, "%s cannot be written", folder);
    }
    if (ret->state == TK_PROBE_NO)
        ret->missing = "TELEMETRY_DIR, a folder of our own";
    tk_state_close(&state);
}

/* Store --------------------------------------------------------------------------------- */

static void probe_folder(const char *folder, struct tk_step_finding *ret)
{
    bool is_there = access(folder, F_OK) == 0;
    bool is_ours = is_there && access(folder, W_OK) == 0;
    found(ret, is_there && !is_ours ? TK_PROBE_NO : TK_PROBE_YES, "folder %s%s", folder,
          is_ours    ? ""
          : is_there ? ", which we may not write"
                     : ", which the first put makes");
    if (is_there && !is_ours)
        ret->missing = "a folder that we may write";
}

static void probe_s3(const char *address, struct tk_step_finding *ret)
{
    struct tk_access access;
    struct tk_err err;
    int rc = tk_access_read(&(struct tk_store_options){0}, &access, &err);
    if (rc < 0) {
        found(ret, TK_PROBE_NO, "%s", err.msg);
        ret->missing = "keys: MINIO_* or AWS_* variables, or a file of the AWS tools";
    } else {
        found(ret, TK_PROBE_YES, "%s at %s, keys of %s; not tried", address, access.endpoint,
              access.origin);
    }
    tk_access_release(&access);
}

static void probe_store(const struct tk_kernel *kernel, struct tk_step_finding *ret)
{
    (void)kernel;
    char bucket[128];
    const char *address = tk_env_find("TRACEKIT_STORE");
    if (!address && tk_store_default_bucket(bucket, sizeof(bucket)))
        address = bucket;
    if (!address) {
        found(ret, TK_PROBE_NO, "none is named; documents stay in the state folder");
        ret->missing = "TRACEKIT_STORE (dir:/path or s3://bucket/prefix), or MINIO_ENDPOINT, "
                       "MINIO_ACCESS_KEY and MINIO_SECRET_KEY";
    } else if (strcmp(address, TK_STORE_STDOUT) == 0) {
        found(ret, TK_PROBE_YES, "standard output: marked lines for the host of this machine");
    } else if (strncmp(address, "dir:", 4) == 0) {
        probe_folder(address + 4, ret);
    } else {
        probe_s3(address, ret);
    }
}

const struct tk_step_matter tk_step_matters[TK_STEP_MATTERS] = {
    {"step_level", "build steps", "CPU time, memory and I/O of a step, however short its processes",
     probe_level},
    {"step_state", "state of builds", "steps of several shells come together in one job",
     probe_state},
    {"step_store", "store of builds", "history and comparison over machines", probe_store},
};
