/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/invocation.h"
#include "cmd/screen.h"

#define MAX_SAME_SECOND 99

struct record_opts {
    const char *output, *run_id, *node, *stage, *iface;
    int64_t interval_ns, host_interval_ns;
    double cpu_budget;
    int64_t pss_budget_ns;
    int tier, rows;
    bool exact, per_core, compact, net, threads, pss, quiet;
};

static const char *const row_kinds[] = {"changed", "every-tick", NULL};

static const struct tk_opt options[] = {
    {"output", TK_OPT_STRING, offsetof(struct record_opts, output), "DIR",
     "run folder (default logs/RUN_ID)", .letter = 'o'},
    {"interval", TK_OPT_DURATION, offsetof(struct record_opts, interval_ns), "TIME",
     "between readings of processes (default 100ms)", .letter = 'i', .min = TK_NS_PER_MS,
     .max = 3600 * TK_NS_PER_S},
    {"host-interval", TK_OPT_DURATION, offsetof(struct record_opts, host_interval_ns), "TIME",
     "between readings of the machine (default 250ms)", .min = TK_NS_PER_MS,
     .max = 3600 * TK_NS_PER_S},
    {"run-id", TK_OPT_STRING, offsetof(struct record_opts, run_id), "ID",
     "name of the run (default $RUN_ID, run_id.env, or the time now)"},
    {"node", TK_OPT_STRING, offsetof(struct record_opts, node), "NAME",
     "label of this node (default its host name)", .env = "NODE_ID"},
    {"stage", TK_OPT_STRING, offsetof(struct record_opts, stage), "NAME",
     "role of this node (default cloud)", .env = "STAGE"},
    {"iface", TK_OPT_STRING, offsetof(struct record_opts, iface), "NIC",
     "network device (default that of the default route)", .env = "IFACE"},
    {"cpu-budget", TK_OPT_PERCENT, offsetof(struct record_opts, cpu_budget), "PERCENT",
     "of one CPU: past it slow readings are taken less often (default no budget)", .max = 6400},
    {"pss", TK_OPT_FLAG, offsetof(struct record_opts, pss), NULL,
     "read PSS and swap of processes too, each 10 s"},
    {"pss-budget", TK_OPT_DURATION, offsetof(struct record_opts, pss_budget_ns), "TIME",
     "that --pss may take per reading of processes (default 10ms)", .min = 1,
     .max = 60 * TK_NS_PER_S},
    {"per-core", TK_OPT_FLAG, offsetof(struct record_opts, per_core), NULL,
     "record the load of each CPU too"},
    {"rows", TK_OPT_CHOICE, offsetof(struct record_opts, rows), "KIND",
     "rows of processes: changed (default) or every-tick", .choices = row_kinds},
    {"compact", TK_OPT_FLAG, offsetof(struct record_opts, compact), NULL,
     "one compact recording.tkr in place of a JSON Lines file per table"},
    {"tier", TK_OPT_CHOICE, offsetof(struct record_opts, tier), "TIER",
     "source of process readings: auto (default), B2, B1, P or P0", .choices = tk_tier_names},
    {"exact", TK_OPT_FLAG, offsetof(struct record_opts, exact), NULL,
     "CPU times good to 1 % at 1 ms: running processes are told to the moment (needs BPF)"},
    {"net", TK_OPT_FLAG, offsetof(struct record_opts, net), NULL,
     "bytes that processes send and receive (needs BPF)"},
    {"threads", TK_OPT_FLAG, offsetof(struct record_opts, threads), NULL,
     "rows of threads that ran too; one alone in its process is told by the process"},
    {"quiet", TK_OPT_FLAG, offsetof(struct record_opts, quiet), NULL, "print no report",
     .letter = 'q'},
    {0},
};

/* All that one recording needs. */
struct recording {
    const struct tk_cmd *cmd;
    const struct record_opts *opts;
    struct tk_identity identity;
    struct tk_child_context trace;
    struct tk_recorder *recorder;
    struct tk_invocation *invocation;
    struct tk_launch_result result;
    uint64_t max_fds; /* that the command may have */
    bool broken;      /* the run folder is gone, and that was told */
};

static void tell(void *context, const char *message)
{
    (void)context;
    (void)fprintf(stderr, "tracekit record: %s\n", message);
}

static void follow_tree(void *context, pid_t pid)
{
    tk_recorder_set_tree_root(context, pid);
}

/* Recorder ---------------------------------------------------------------------- */

static int open_recorder(struct recording *recording, char **command, struct tk_err *err)
{
    const struct record_opts *opts = recording->opts;
    char path[PATH_MAX + 16];
    (void)snprintf(path, sizeof(path), "%s/run.json", recording->identity.folder);
    if (access(path, F_OK) == 0) {
        return tk_fail(err, -EEXIST, "%s: holds a recorded run already, name another folder",
                       recording->identity.folder);
    }
    return tk_recorder_new(
        &(struct tk_recorder_options){.folder = recording->identity.folder,
                                      .node =
                                          {
                                              .run_id = recording->identity.run_id,
                                              .node = recording->identity.node,
                                              .stage = recording->identity.stage,
                                              .iface = opts->iface,
                                          },
                                      .procs =
                                          {
                                              .tier = (enum tk_tier)opts->tier,
                                              .exact = opts->exact,
                                              .net = opts->net,
                                              .threads = opts->threads,
                                              .pss_budget_ns = opts->pss ? opts->pss_budget_ns : 0,
                                              .every_tick = opts->rows == 1,
                                          },
                                      .per_core = opts->per_core,
                                      .compact = opts->compact,
                                      .interval_ns = opts->interval_ns,
                                      .host_interval_ns = opts->host_interval_ns,
                                      .cpu_budget = opts->cpu_budget,
                                      .command = command,
                                      .on_failure = tell},
        &recording->recorder, err);
}

/* Runs that nobody named are named by the second: the next one of the same second gets a number. */
static int start_recorder(struct recording *recording, char **command, struct tk_err *err)
{
    int rc = open_recorder(recording, command, err);
    for (int n = 2; n <= MAX_SAME_SECOND && !recording->identity.is_named; n++) {
        if (rc != -EEXIST && rc != -EBUSY)
            return rc;
        rc = tk_identity_renumber(&recording->identity, n, err);
        if (rc == 0)
            rc = open_recorder(recording, command, err);
    }
    return rc;
}

/* Command ----------------------------------------------------------------------- */

static int start_command(struct recording *recording, char **command, struct tk_err *err)
{
    int rc = tk_invocation_new(
        &(struct tk_invocation_options){
            .command = recording->cmd->name,
            .identity = &recording->identity,
            .kernel = tk_recorder_kernel(recording->recorder),
            .argv = command,
            .trace = &recording->trace,
            .max_fds = recording->max_fds,
            .on_fork = follow_tree,
            .context = recording->recorder,
        },
        &recording->invocation, err);
    if (rc == 0 && tk_invocation_is_exact(recording->invocation))
        tk_recorder_set_leaf(recording->recorder);
    return rc == 0 ? tk_invocation_start(recording->invocation, err) : rc;
}

/* Until the command ends. A recording that cannot go on is not the command's trouble. */
static void follow(struct recording *recording)
{
    struct pollfd fds[] = {
        {.fd = tk_invocation_fd(recording->invocation), .events = POLLIN},
        {.fd = tk_recorder_fd(recording->recorder), .events = POLLIN},
    };
    while (tk_invocation_step(recording->invocation) == 0) {
        struct tk_err err;
        if (poll(fds, TK_COUNTOF(fds), -1) > 0 && fds[1].revents &&
            tk_recorder_step(recording->recorder, &err) < 0) {
            (void)tk_err_prefix(&err, "recording ends, the command goes on");
            (void)tk_cmd_fail(recording->cmd, &err);
            recording->broken = true;
            fds[1].fd = -1;
        }
    }
    recording->result = *tk_invocation_result(recording->invocation);
}

/* What failed while the command ran was told then. */
static void finish(struct recording *recording)
{
    struct tk_err err;
    tk_recorder_set_exit_status(recording->recorder, recording->result.exit_code);
    int rc = tk_recorder_finish(recording->recorder, &err);
    if (recording->broken)
        return;
    if (rc < 0)
        (void)tk_cmd_fail(recording->cmd, &err);
    recording->broken = rc == -ENOENT;
    if (recording->broken)
        return;
    struct tk_err later;
    if (tk_invocation_finish(recording->invocation, tk_recorder_procs(recording->recorder),
                             recording->identity.folder, &later) < 0 &&
        rc == 0)
        (void)tk_cmd_fail(recording->cmd, &later);
}

static int record(struct recording *recording, char **command)
{
    struct tk_err err;
    int rc = tk_launch_check(&(struct tk_launch_options){.argv = command}, &err);
    if (rc < 0) {
        (void)tk_cmd_fail(recording->cmd, &err);
        return tk_invocation_status(rc);
    }
    recording->max_fds = tk_fd_limit_raise(TK_RECORDER_FDS);
    tk_child_context_make(NULL, &recording->trace);
    tk_child_context_set(&recording->trace);
    if (start_recorder(recording, command, &err) < 0)
        return tk_cmd_fail(recording->cmd, &err);
    rc = start_command(recording, command, &err);
    if (rc < 0) {
        (void)tk_cmd_fail(recording->cmd, &err);
        recording->result.exit_code = tk_invocation_status(rc);
        tk_recorder_set_exit_status(recording->recorder, recording->result.exit_code);
        if (tk_recorder_finish(recording->recorder, &err) < 0)
            (void)tk_cmd_fail(recording->cmd, &err);
        return recording->result.exit_code;
    }
    follow(recording);
    finish(recording);
    if (!recording->broken && !recording->opts->quiet &&
        tk_screen_write(recording->identity.folder, &(struct tk_summary_options){0}, STDERR_FILENO,
                        &err) < 0)
        (void)tk_cmd_fail(recording->cmd, &err);
    return 0;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct record_opts opts = {.interval_ns = 100 * TK_NS_PER_MS,
                               .pss_budget_ns = 10 * TK_NS_PER_MS,
                               .host_interval_ns = 250 * TK_NS_PER_MS};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    struct recording recording = {.cmd = cmd, .opts = &opts};
    if (tk_identity_resolve(
            &(struct tk_identity_options){opts.run_id, opts.output, opts.node, opts.stage},
            &recording.identity, &err) < 0)
        return tk_cmd_usage(cmd, "%s", err.msg);

    int status = record(&recording, argv + first);
    tk_invocation_free(recording.invocation);
    tk_recorder_free(recording.recorder);
    return status ? status : tk_exit_as(&recording.result);
}

const struct tk_cmd tk_cmd_record = {
    .name = "record",
    .args = "[--] CMD [ARG...]",
    .missing = "the command to record is missing",
    .help = "run a command, record it and the machine under it, report",
    .about = "Terminal, signals, standard descriptors and exit status are the command's own;\n"
             "the report goes to stderr.\n"
             "\n"
             "  tracekit record -- make -j8\n"
             "  tracekit record -o night --interval 10ms -- ./server --port 8080\n"
             "  tracekit show night",
    .options = options,
    .reads_run_env = true,
    .run = run,
};
