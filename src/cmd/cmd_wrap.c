/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/invocation.h"

struct wrap_opts {
    const char *output, *run_id, *node, *stage;
    const char *trace_id;
    int64_t enqueued_ms;
    const char *unit, *cpuset;
    int64_t cpu_quota, cpu_weight;
    bool must_limit; /* the command line asks for a unit or limit, not only the environment */
};

static const struct tk_opt options[] = {
    {"output", TK_OPT_STRING, offsetof(struct wrap_opts, output), "DIR",
     "run folder (default logs/RUN_ID)", .letter = 'o'},
    {"run-id", TK_OPT_STRING, offsetof(struct wrap_opts, run_id), "ID",
     "name of the run (default $RUN_ID, run_id.env, or the time now)"},
    {"node", TK_OPT_STRING, offsetof(struct wrap_opts, node), "NAME",
     "label of this node (default its host name)", .env = "NODE_ID"},
    {"stage", TK_OPT_STRING, offsetof(struct wrap_opts, stage), "NAME",
     "role of this node (default cloud)", .env = "STAGE"},
    {"trace-id", TK_OPT_STRING, offsetof(struct wrap_opts, trace_id), "ID",
     "chain that the invocation belongs to (default a new UUID)", .env = "TRACE_ID"},
    {"enqueued", TK_OPT_INT, offsetof(struct wrap_opts, enqueued_ms), "MS",
     "when it was submitted, epoch ms (default its start)", .env = "TS_ENQUEUE"},
    {"unit", TK_OPT_STRING, offsetof(struct wrap_opts, unit), "NAME",
     "name of the control group to run it in", .env = "UNIT_NAME",
     .given = offsetof(struct wrap_opts, must_limit)},
    {"cpu-quota", TK_OPT_INT, offsetof(struct wrap_opts, cpu_quota), "PERCENT",
     "most CPU time, 100 = one CPU", .env = "CPU_QUOTA", .min = 1, .max = 10000000,
     .given = offsetof(struct wrap_opts, must_limit)},
    {"cpu-weight", TK_OPT_INT, offsetof(struct wrap_opts, cpu_weight), "N",
     "share of CPU time under contention, 1 to 10000", .env = "CPU_WEIGHT", .min = 1, .max = 10000,
     .given = offsetof(struct wrap_opts, must_limit)},
    {"cpuset", TK_OPT_STRING, offsetof(struct wrap_opts, cpuset), "CPUS",
     "CPUs to run on, such as 0-3,6", .env = "CPUSET"},
    {0},
};

/* What goes on beside the command. */
struct watch {
    int pids_fd; /* folder pids of the run; -1 = none */
    char sentinel[16];
    struct tk_procs
        *procs;           /* takes exit records of the tree; NULL = not needed, or not to be had */
    struct tk_rows *rows; /* of no interest here */
};

/* Sentinel: pids/PID exists while the command runs, the whitelist of old collectors ---------- */

static void sentinel_open(int run_dirfd, struct watch *watch)
{
    if (run_dirfd >= 0 && (mkdirat(run_dirfd, "pids", 0777) == 0 || errno == EEXIST))
        watch->pids_fd = openat(run_dirfd, "pids", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void sentinel_add(struct watch *watch, pid_t pid)
{
    if (watch->pids_fd < 0)
        return;
    (void)snprintf(watch->sentinel, sizeof(watch->sentinel), "%d", (int)pid);
    int fd = openat(watch->pids_fd, watch->sentinel, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    tk_fd_close(&fd);
}

static void sentinel_close(struct watch *watch)
{
    if (watch->pids_fd >= 0 && watch->sentinel[0])
        (void)unlinkat(watch->pids_fd, watch->sentinel, 0);
    tk_fd_close(&watch->pids_fd);
}

/* Exit records, where no control group counts for us ------------------------------------------ */

static void records_close(struct watch *watch)
{
    tk_procs_free(watch->procs);
    tk_rows_free(watch->rows);
    watch->procs = NULL;
    watch->rows = NULL;
}

/* When this fails rusage is left, and the invocation says so. */
static void records_open(const struct tk_kernel *kernel, struct watch *watch)
{
    struct tk_err ignored;
    struct tk_procs_stats stats = {.exit_source = ""};
    /* Tier P: loading BPF takes longer than many a command. */
    const struct tk_procs_options wanted = {
        .node = "", .host = "", .tree_only = true, .tier = TK_TIER_P};
    if (tk_rows_new(tk_sink_none, &watch->rows, &ignored) == 0 &&
        tk_procs_new(kernel, &wanted, &watch->procs, &ignored) == 0) {
        tk_procs_tick(watch->procs, -1, watch->rows);
        tk_procs_read_stats(watch->procs, &stats);
    }
    if (strcmp(stats.exit_source, "taskstats") != 0)
        records_close(watch);
}

static void on_fork(void *context, pid_t pid)
{
    struct watch *watch = context;
    sentinel_add(watch, pid);
    if (watch->procs)
        tk_procs_set_tree_root(watch->procs, pid);
}

static void wait_for_end(struct tk_invocation *invocation, struct watch *watch)
{
    struct pollfd fd = {.fd = tk_invocation_fd(invocation), .events = POLLIN};
    int timeout_ms = -1;
    if (watch->procs)
        timeout_ms = (int)(tk_procs_drain_interval_ns(watch->procs) / TK_NS_PER_MS);
    while (tk_invocation_step(invocation) == 0) {
        (void)poll(&fd, 1, timeout_ms);
        if (watch->procs)
            tk_procs_drain(watch->procs, watch->rows);
    }
    if (watch->procs)
        tk_procs_finish(watch->procs, watch->rows);
}

/* Run --------------------------------------------------------------------------------------- */

/* The folder, or -1 after one line: a job is not to fail because it cannot be recorded. */
static int open_folder(const struct tk_identity *identity)
{
    int dirfd = -1;
    struct tk_err err;
    if (tk_run_folder_make(identity->folder, &err) < 0 ||
        tk_dir_open(AT_FDCWD, identity->folder, &dirfd, &err) < 0)
        (void)fprintf(stderr, "tracekit wrap: %s: the command runs unrecorded\n", err.msg);
    return dirfd;
}

static void append(struct tk_invocation *invocation, const struct tk_identity *identity,
                   const struct watch *watch)
{
    struct tk_err err;
    if (tk_invocation_finish(invocation, watch->procs, identity->folder, &err) < 0) {
        (void)fprintf(stderr, "tracekit wrap: %s: the invocation is lost\n", err.msg);
    } else {
        (void)fprintf(stderr, "invocation appended → %s/%s\n", identity->folder,
                      tk_invocation_file(invocation));
    }
}

/* Run it; returns the status to end with, or 0 and how it ended. */
static int wrap(const struct tk_cmd *cmd, struct tk_invocation_options *wanted,
                struct tk_launch_result *ret_result)
{
    TK_CLEANUP(tk_fd_close) int dirfd = open_folder(wanted->identity);
    TK_CLEANUP(tk_invocation_freep) struct tk_invocation *invocation = NULL;
    struct watch watch = {.pids_fd = -1};
    struct tk_err err;
    wanted->on_fork = on_fork;
    wanted->context = &watch;
    int rc = tk_invocation_new(wanted, &invocation, &err);
    if (rc < 0) {
        (void)tk_cmd_fail(cmd, &err);
        return tk_invocation_status(rc);
    }
    sentinel_open(dirfd, &watch);
    if (!tk_invocation_is_exact(invocation))
        records_open(wanted->kernel, &watch);
    rc = tk_invocation_start(invocation, &err);
    if (rc == 0) {
        wait_for_end(invocation, &watch);
        if (dirfd >= 0)
            append(invocation, wanted->identity, &watch);
        *ret_result = *tk_invocation_result(invocation);
    } else {
        (void)tk_cmd_fail(cmd, &err);
    }
    records_close(&watch);
    sentinel_close(&watch);
    return rc < 0 ? tk_invocation_status(rc) : 0;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct wrap_opts opts = {0};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    struct tk_identity identity;
    if (tk_identity_resolve(
            &(struct tk_identity_options){opts.run_id, opts.output, opts.node, opts.stage},
            &identity, &err) < 0)
        return tk_cmd_usage(cmd, "%s", err.msg);
    struct tk_launch_options launch = {.argv = argv + first, .cpuset = opts.cpuset};
    int rc = tk_launch_check(&launch, &err);
    if (rc < 0) {
        (void)tk_cmd_fail(cmd, &err);
        return tk_invocation_status(rc);
    }
    TK_CLEANUP(tk_kernel_close) struct tk_kernel kernel = {.rootfd = -1, .procfd = -1};
    if (tk_kernel_open(&kernel, "/", &err) < 0)
        return tk_cmd_fail(cmd, &err);

    struct tk_child_context trace;
    tk_child_context_make(opts.trace_id, &trace);
    tk_child_context_set(&trace);
    struct tk_launch_result result = {0};
    struct tk_invocation_options wanted = {
        .command = cmd->name,
        .identity = &identity,
        .kernel = &kernel,
        .argv = argv + first,
        .trace_id = opts.trace_id,
        .trace = &trace,
        .enqueue_ms = opts.enqueued_ms,
        .unit = opts.unit,
        .limits = {opts.cpu_quota, opts.cpu_weight, opts.cpuset},
        .must_limit = opts.must_limit,
    };
    int status = wrap(cmd, &wanted, &result);
    return status ? status : tk_exit_as(&result);
}

const struct tk_cmd tk_cmd_wrap = {
    .name = "wrap",
    .args = "[--] CMD [ARG...]",
    .missing = "the command to run is missing",
    .help = "run a command and add its exact cost to a run",
    .about = "Terminal, signals, standard descriptors and exit status are the command's own.\n"
             "\n"
             "  RUN_ID=night tracekit wrap -- ffmpeg -i in.mp4 out.mp4\n"
             "  tail -n 1 logs/night/events.ffmpeg.jsonl",
    .options = options,
    .reads_run_env = true,
    .run = run,
};
