/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/invocation.h"

#define DRAIN_MS 100

struct wrap_opts {
    const char *output, *run_id, *node, *stage;
    const char *trace_id;
    int64_t enqueued_ms;
    const char *unit, *cpuset;
    int64_t cpu_quota, cpu_weight;
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
     "name of the control group to run it in", .env = "UNIT_NAME"},
    {"cpu-quota", TK_OPT_INT, offsetof(struct wrap_opts, cpu_quota), "PERCENT",
     "most CPU time, 100 = one CPU", .env = "CPU_QUOTA", .min = 1, .max = 10000000},
    {"cpu-weight", TK_OPT_INT, offsetof(struct wrap_opts, cpu_weight), "N",
     "share of CPU time under contention, 1 to 10000", .env = "CPU_WEIGHT", .min = 1, .max = 10000},
    {"cpuset", TK_OPT_STRING, offsetof(struct wrap_opts, cpuset), "CPUS",
     "CPUs to run on, such as 0-3,6", .env = "CPUSET"},
    {0},
};

/* pids/PID in the run folder exists while the command runs: the whitelist of old collectors. */
struct sentinel {
    int dirfd; /* of pids; -1 = none */
    char name[16];
};

static void sentinel_open(int run_dirfd, struct sentinel *sentinel)
{
    if (run_dirfd >= 0 && (mkdirat(run_dirfd, "pids", 0777) == 0 || errno == EEXIST))
        sentinel->dirfd = openat(run_dirfd, "pids", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void sentinel_add(void *context, pid_t pid)
{
    struct sentinel *sentinel = context;
    if (sentinel->dirfd < 0)
        return;
    (void)snprintf(sentinel->name, sizeof(sentinel->name), "%d", (int)pid);
    int fd = openat(sentinel->dirfd, sentinel->name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    tk_fd_close(&fd);
}

static void sentinel_close(struct sentinel *sentinel)
{
    if (sentinel->dirfd >= 0 && sentinel->name[0])
        (void)unlinkat(sentinel->dirfd, sentinel->name, 0);
    tk_fd_close(&sentinel->dirfd);
}

/* The folder, or -1 after one line: a job is not to fail because it cannot be recorded. */
static int open_folder(const struct tk_identity *identity)
{
    int dirfd = -1;
    struct tk_err err;
    if (tk_dir_make(AT_FDCWD, identity->folder, &err) < 0 ||
        tk_dir_open(AT_FDCWD, identity->folder, &dirfd, &err) < 0)
        (void)fprintf(stderr, "tracekit wrap: %s: the command runs unrecorded\n", err.msg);
    return dirfd;
}

static void wait_for_end(struct tk_invocation *invocation)
{
    struct pollfd fd = {.fd = tk_invocation_fd(invocation), .events = POLLIN};
    while (tk_invocation_step(invocation) == 0)
        (void)poll(&fd, 1, -1);
}

static void append(struct tk_invocation *invocation, const struct tk_identity *identity)
{
    struct tk_err err;
    if (tk_invocation_finish(invocation, NULL, identity->folder, &err) < 0) {
        (void)fprintf(stderr, "tracekit wrap: %s: the invocation is lost\n", err.msg);
    } else {
        (void)fprintf(stderr, "invocation appended → %s/%s\n", identity->folder,
                      tk_invocation_file(invocation));
    }
}

/* Run it; returns the status to end with, or 0 and how it ended. */
static int wrap(const struct tk_cmd *cmd, const struct tk_invocation_options *wanted, int dirfd,
                struct tk_launch_result *ret_result)
{
    TK_CLEANUP(tk_invocation_freep) struct tk_invocation *invocation = NULL;
    struct tk_err err;
    if (tk_invocation_new(wanted, &invocation, &err) < 0)
        return tk_cmd_fail(cmd, &err);
    int rc = tk_invocation_start(invocation, &err);
    if (rc < 0) {
        (void)tk_cmd_fail(cmd, &err);
        return tk_invocation_status(rc);
    }
    wait_for_end(invocation);
    if (dirfd >= 0)
        append(invocation, wanted->identity);
    *ret_result = *tk_invocation_result(invocation);
    return 0;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct wrap_opts opts = {0};
    int first;
    int status;
    if (!tk_cmd_parse(cmd, &opts, argc, argv, &first, &status))
        return status;
    if (first == argc)
        return tk_cmd_usage(cmd, "the command to run is missing");

    struct tk_err err;
    struct tk_identity identity;
    if (tk_identity_resolve(
            &(struct tk_identity_options){opts.run_id, opts.output, opts.node, opts.stage},
            &identity, &err) < 0)
        return tk_cmd_usage(cmd, "%s", err.msg);
    TK_CLEANUP(tk_kernel_close) struct tk_kernel kernel = {.rootfd = -1, .procfd = -1};
    if (tk_kernel_open(&kernel, "/", &err) < 0)
        return tk_cmd_fail(cmd, &err);

    TK_CLEANUP(tk_fd_close) int dirfd = open_folder(&identity);
    struct sentinel sentinel = {.dirfd = -1};
    sentinel_open(dirfd, &sentinel);
    struct tk_launch_result result = {0};
    status = wrap(cmd,
                  &(struct tk_invocation_options){
                      .command = cmd->name,
                      .identity = &identity,
                      .kernel = &kernel,
                      .argv = argv + first,
                      .trace_id = opts.trace_id,
                      .enqueue_ms = opts.enqueued_ms,
                      .unit = opts.unit,
                      .limits = {opts.cpu_quota, opts.cpu_weight, opts.cpuset},
                      .on_fork = sentinel_add,
                      .context = &sentinel,
                  },
                  dirfd, &result);
    sentinel_close(&sentinel);
    return status ? status : tk_exit_as(&result);
}

const struct tk_cmd tk_cmd_wrap = {
    .name = "wrap",
    .args = "[--] CMD [ARG...]",
    .help = "run a command and append one invocation with its exact cost to a run",
    .about = "Terminal, signals, standard descriptors and exit status are the command's own.\n"
             "\n"
             "  RUN_ID=night tracekit wrap -- ffmpeg -i in.mp4 out.mp4\n"
             "  tail -n 1 logs/night/events.ffmpeg.jsonl",
    .options = options,
    .run = run,
};
