/* SPDX-License-Identifier: Apache-2.0 */
/* The background recorder (collect-and-cctf.md sections 3, 5 and 9). `start` forks the recorder and
 * returns when that has written its first tick, or failed; `run` is the recorder itself. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "cmd/collector_status.h"
#include "cmd/collectors.h"
#include "cmd/identity.h"
#include "collect/collect.h"
#include "run/recording.h"

#define DEFAULT_MATCH "python|uvicorn|gunicorn|ffmpeg|onnx|onnxruntime|java|node|nginx|torchserve"

#define MAX_PRIVILEGES 8
#define NOTES_MAX      1024

/* tk_match_repair() may need so much room. */
#define MATCH_GROWTH 4

struct collect_opts {
    const char *output, *run_id, *node, *stage, *vm_ip, *iface, *container;
    const char *match, *pid_dir, *sampling;
    int64_t interval_ns, host_interval_ns, cpu_freq_mhz;
    double cpu_budget;
    int64_t cpu; /* -1 = any */
    int64_t pss_budget_ns;
    int tier, rows;
    bool refresh, exact, per_core, compact, net, threads, pss, stop_all, clean_all, json;
};

static const char *const row_kinds[] = {"changed", "every-tick", NULL};

#define FIELD(field) offsetof(struct collect_opts, field)

static const struct tk_opt options[] = {
    {"run-id", TK_OPT_STRING, FIELD(run_id), "ID",
     "name of the run (default $RUN_ID, run_id.env, or the time now)"},
    {"output", TK_OPT_STRING, FIELD(output), "DIR", "run folder (default logs/RUN_ID)",
     .letter = 'o'},
    {"node", TK_OPT_STRING, FIELD(node), "NAME", "label of this node (default its host name)",
     .env = "NODE_ID"},
    {"stage", TK_OPT_STRING, FIELD(stage), "NAME", "role of this node (default cloud)",
     .env = "STAGE"},
    {"vm-ip", TK_OPT_STRING, FIELD(vm_ip), "IP",
     "peer: its route gives the network device, its answers the delay (default 127.0.0.1)",
     .env = "VM_IP"},
    {"iface", TK_OPT_STRING, FIELD(iface), "NIC", "network device (default by route)",
     .env = "IFACE"},
    {"interval", TK_OPT_DURATION, FIELD(interval_ns), "TIME",
     "between readings of processes (default 1s)", .letter = 'i', .env = "PROC_INTERVAL_MS",
     .min = TK_NS_PER_MS, .max = 3600 * TK_NS_PER_S},
    {"host-interval", TK_OPT_DURATION, FIELD(host_interval_ns), "TIME",
     "between readings of the machine (default 1s)", .min = 10 * TK_NS_PER_MS,
     .max = 3600 * TK_NS_PER_S},
    {"match", TK_OPT_STRING, FIELD(match), "REGEX",
     "processes by name; cmdline:, exe: or cgroup: before it match those", .env = "PROC_MATCH"},
    {"refresh", TK_OPT_FLAG, FIELD(refresh), NULL, "match again at each tick, not only at start",
     .env = "PROC_REFRESH"},
    {"container", TK_OPT_STRING, FIELD(container), "NAME",
     "sample this container's processes while it runs (default svc)", .env = "CONTAINER"},
    {"pid-dir", TK_OPT_STRING, FIELD(pid_dir), "DIR", "sample only processes with a file PID there",
     .env = "PROC_PID_DIR"},
    {"processes", TK_OPT_STRING, FIELD(sampling), "0|1", "sample processes (default 1)",
     .env = "PROC_SAMPLING"},
    {"rows", TK_OPT_CHOICE, FIELD(rows), "KIND",
     "rows of processes: changed (default) or every-tick", .choices = row_kinds},
    {"compact", TK_OPT_FLAG, FIELD(compact), NULL,
     "one compact recording.tkr in place of a JSON Lines file per table"},
    {"tier", TK_OPT_CHOICE, FIELD(tier), "TIER",
     "source of process readings: auto (default), B2, B1, P or P0", .choices = tk_tier_names},
    {"exact", TK_OPT_FLAG, FIELD(exact), NULL,
     "CPU times good to 1 % at 1 ms: running processes are told to the moment (needs BPF)"},
    {"net", TK_OPT_FLAG, FIELD(net), NULL, "bytes that processes send and receive (needs BPF)"},
    {"threads", TK_OPT_FLAG, FIELD(threads), NULL,
     "rows of threads that ran too; one alone in its process is told by the process"},
    {"cpu-budget", TK_OPT_PERCENT, FIELD(cpu_budget), "PERCENT",
     "of one CPU: past it slow readings are taken less often (default no budget)", .max = 6400},
    {"pss", TK_OPT_FLAG, FIELD(pss), NULL, "read PSS and swap of processes too, each 10 s"},
    {"pss-budget", TK_OPT_DURATION, FIELD(pss_budget_ns), "TIME",
     "that --pss may take per reading of processes (default 10ms)", .min = 1,
     .max = 60 * TK_NS_PER_S},
    {"per-core", TK_OPT_FLAG, FIELD(per_core), NULL, "record the load of each CPU too"},
    {"cpu", TK_OPT_INT, FIELD(cpu), "N", "keep the recorder on this CPU (default any)",
     .max = CPU_SETSIZE - 1},
    {"cpu-freq", TK_OPT_INT, FIELD(cpu_freq_mhz), "MHZ", "frequency of the CPU (default detected)",
     .env = "CPU_FREQ_MHZ"},
    {"stop-all", TK_OPT_FLAG, FIELD(stop_all), NULL, "stop all collectors of this user first",
     .env = "STOP_ALL"},
    {"clean-all", TK_OPT_FLAG, FIELD(clean_all), NULL, "the same", .env = "CLEAN_ALL"},
    {"json", TK_OPT_FLAG, FIELD(json), NULL, "status as JSON Lines"},
    {0},
};

/* One start or run. */
struct collecting {
    const struct tk_cmd *cmd;
    const struct collect_opts *opts;
    struct tk_identity identity;
    struct tk_container container; /* id "" = none: host mode */
    char match[4096];
    int dirfd; /* of the recorder, for procmon.err; -1 before */
};

/* Options ----------------------------------------------------------------------- */

static bool is_on(const char *text)
{
    return strcmp(text, "1") == 0;
}

/* Show what is in force: make may have spoilt the expression. */
static int set_match(struct collecting *collecting, struct tk_err *err)
{
    const char *match = collecting->opts->match;
    if (strlen(match) >= sizeof(collecting->match) / MATCH_GROWTH) {
        return tk_fail(err, -EINVAL, "PROC_MATCH: longer than %zu bytes",
                       sizeof(collecting->match) / MATCH_GROWTH - 1);
    }
    if (tk_match_repair(match, collecting->match) > 0) {
        (void)fprintf(stderr, "collect: PROC_MATCH '%s' is read as '%s'\n", match,
                      collecting->match);
    }
    return 0;
}

/* NODE_ID and STAGE come from the options, else from the container, else from the host. */
static int set_identity(struct collecting *collecting, struct tk_err *err)
{
    const struct collect_opts *opts = collecting->opts;
    struct tk_err ignored;
    if (tk_container_find(opts->container, &collecting->container, &ignored) < 0)
        collecting->container = (struct tk_container){0};
    struct tk_identity_options wanted = {opts->run_id, opts->output, opts->node, opts->stage};
    if (!wanted.node)
        wanted.node = collecting->container.node;
    if (!wanted.stage)
        wanted.stage = collecting->container.stage;
    int rc = tk_identity_resolve(&wanted, &collecting->identity, err);
    if (rc == 0 && !(wanted.node && *wanted.node))
        (void)fprintf(stderr, "collect: NODE_ID is not set, node=%s\n", collecting->identity.node);
    return rc;
}

/* Lines of section 9 ------------------------------------------------------------- */

/* Relative to the working folder when below it. */
static const char *short_path(const char *path)
{
    char cwd[PATH_MAX];
    tk_str rest = tk_str_from(path);
    if (getcwd(cwd, sizeof(cwd)) && tk_str_take_prefix(&rest, tk_str_from(cwd)) &&
        tk_str_take_prefix(&rest, TK_STR("/")))
        return rest.p;
    return path;
}

static void print_started(const struct collecting *collecting, const char *iface)
{
    const struct collect_opts *opts = collecting->opts;
    const struct tk_identity *identity = &collecting->identity;
    const char *folder = short_path(identity->folder);
    printf("collect: target=%s iface=%s node=%s stage=%s (run_id=%s)\n", opts->vm_ip, iface,
           identity->node, identity->stage, identity->run_id);
    if (is_on(opts->sampling)) {
        char interval[32];
        const char *file = opts->compact ? TK_RECORDING_FILE : "proc_metrics.jsonl";
        int64_t ns = opts->interval_ns;
        if (ns % TK_NS_PER_S == 0) {
            (void)snprintf(interval, sizeof(interval), "%llds", (long long)(ns / TK_NS_PER_S));
        } else {
            (void)snprintf(interval, sizeof(interval), "%.3fs", (double)ns / 1e9);
        }
        if (collecting->container.id[0]) {
            printf("proc sampler started (mode=container, container=%s, interval=%s) → "
                   "%s/%s\n",
                   opts->container, interval, folder, file);
        } else {
            printf("proc sampler started (mode=host, match='%s', interval=%s) → "
                   "%s/%s\n",
                   collecting->match, interval, folder, file);
        }
    }
    printf("collectors started → %s\n", folder);
    (void)fflush(stdout);
}

/* The recorder ------------------------------------------------------------------ */

/* Into procmon.err, since a daemon has no stderr. */
static void note_failure(void *context, const char *message)
{
    const struct collecting *collecting = context;
    char line[TK_ERR_MAX + 256];
    char now[TK_TIME_MAX];
    int n = snprintf(line, sizeof(line), "%s %s\n", tk_time_format_iso(tk_clock_real_ns(), now),
                     message);
    (void)fputs(line, stderr);
    TK_CLEANUP(tk_fd_close)
    int fd =
        openat(collecting->dirfd, "procmon.err", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    struct tk_err ignored;
    if (fd >= 0 && n > 0 && (size_t)n < sizeof(line) &&
        tk_fd_write(fd, (tk_str){line, (size_t)n}, "procmon.err", &ignored) < 0)
        return; /* the disk is full, which is what the line says */
}

static int open_recorder(struct collecting *collecting, struct tk_recorder **ret_recorder,
                         struct tk_err *err)
{
    const struct collect_opts *opts = collecting->opts;
    const struct tk_identity *identity = &collecting->identity;
    struct tk_recorder_options wanted = {
        .folder = identity->folder,
        .node = {.run_id = identity->run_id,
                 .node = identity->node,
                 .stage = identity->stage,
                 .iface = opts->iface,
                 .vm_ip = opts->vm_ip,
                 .cpu_freq_mhz = opts->cpu_freq_mhz},
        .procs = {.match = opts->match,
                  .refresh = opts->refresh,
                  .container = collecting->container.id[0] ? collecting->container.id : NULL,
                  .pid_dir = opts->pid_dir,
                  .tier = (enum tk_tier)opts->tier,
                  .exact = opts->exact,
                  .net = opts->net,
                  .threads = opts->threads,
                  .pss_budget_ns = opts->pss ? opts->pss_budget_ns : 0,
                  .every_tick = opts->rows == 1},
        .no_procs = !is_on(opts->sampling),
        .per_core = opts->per_core,
        .compact = opts->compact,
        .interval_ns = opts->interval_ns,
        .host_interval_ns = opts->host_interval_ns,
        .cpu_budget = opts->cpu_budget,
        .on_failure = note_failure,
        .context = collecting,
    };
    (void)tk_fd_limit_raise(TK_RECORDER_FDS);
    int rc = tk_recorder_new(&wanted, ret_recorder, err);
    if (rc == 0)
        collecting->dirfd = tk_recorder_dirfd(*ret_recorder);
    return rc;
}

/* Whoever may read much should be able to do little (style.md section 10). */
static int give_up_privileges(const struct tk_recorder *recorder, struct tk_buf *notes,
                              struct tk_err *err)
{
    tk_str names[MAX_PRIVILEGES];
    struct stat folder;
    bool foreign = fstat(tk_recorder_dirfd(recorder), &folder) == 0 && folder.st_uid != geteuid();
    size_t had = tk_privileges_read(names, MAX_PRIVILEGES);
    int rc = tk_privileges_drop(foreign, err);
    if (rc < 0 || had == 0)
        return rc;
    size_t kept = tk_privileges_read(names, MAX_PRIVILEGES);
    tk_buf_lit(notes, "collect: gave up all privileges");
    for (size_t i = 0; i < kept; i++)
        tk_buf_printf(notes, "%s %.*s", i ? "," : " but", TK_STR_ARG(names[i]));
    tk_buf_lit(notes, "\n");
    return 0;
}

/* How processes are read, and how often, decides what their figures are worth. */
static void note_tier(struct tk_recorder *recorder, int64_t interval_ns, struct tk_buf *notes)
{
    struct tk_procs_stats stats;
    if (!tk_recorder_procs(recorder))
        return;
    int64_t good_ms = tk_recorder_good_interval_ms(recorder);
    tk_procs_read_stats(tk_recorder_procs(recorder), &stats);
    tk_buf_printf(notes, "collect: tier %s: %s; exits: %s\n", tk_tier_names[stats.tier],
                  tk_tier_title(stats.tier), stats.exit_source);
    if (*stats.tier_why_not)
        tk_buf_printf(notes, "collect: no better tier: %s\n", stats.tier_why_not);
    if (interval_ns < good_ms * TK_NS_PER_MS) {
        tk_buf_printf(notes,
                      "collect: CPU times are good to 2 %% over %lld ms and more (--exact tells "
                      "them to the moment)\n",
                      (long long)good_ms);
    }
}

/* Threads that the recorder starts later inherit it. */
static int pin(int64_t cpu, struct tk_err *err)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        return tk_fail_errno(err, "--cpu %lld: the recorder may not run there", (long long)cpu);
    return 0;
}

/* A set that is matched at the start alone stays empty when nothing is there then. */
static void note_no_match(const struct collecting *collecting, struct tk_recorder *recorder,
                          struct tk_buf *notes)
{
    struct tk_procs_stats stats = {.births = 1};
    if (tk_recorder_procs(recorder))
        tk_procs_read_stats(tk_recorder_procs(recorder), &stats);
    if (stats.births > 0)
        return;
    const char *notice = collecting->opts->refresh
                             ? "no process matches PROC_MATCH yet"
                             : "no process matches PROC_MATCH, so none is recorded "
                               "(PROC_REFRESH=1 goes on looking)";
    tk_recorder_add_notice(recorder, notice);
    tk_buf_printf(notes, "collect: %s\n", notice);
}

static sigset_t stop_signals(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    return mask;
}

/* Record until SIGTERM, SIGINT or SIGHUP, which are blocked. */
static int record_until_signal(struct tk_recorder *recorder, struct tk_err *err)
{
    sigset_t mask = stop_signals();
    TK_CLEANUP(tk_fd_close) int signal_fd = signalfd(-1, &mask, SFD_CLOEXEC);
    if (signal_fd < 0)
        return tk_fail_errno(err, "signalfd");
    struct pollfd fds[] = {
        {.fd = signal_fd, .events = POLLIN},
        {.fd = tk_recorder_fd(recorder), .events = POLLIN},
    };
    int rc = 0;
    while (rc == 0 && fds[0].revents == 0) {
        if (poll(fds, TK_COUNTOF(fds), -1) > 0 && fds[1].revents)
            rc = tk_recorder_step(recorder, err);
    }
    struct tk_err later;
    int finished = tk_recorder_finish(recorder, rc < 0 ? &later : err);
    return rc < 0 ? rc : finished;
}

/* The recorder's life. `ready` is told when the first tick is written, with lines for stderr. */
static int collect(struct collecting *collecting,
                   void (*ready)(void *context, const char *iface, tk_str notes), void *context,
                   struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf notes;
    tk_buf_init(&notes, NOTES_MAX);
    struct tk_recorder *recorder = NULL;
    sigset_t mask = stop_signals();
    (void)pthread_sigmask(SIG_BLOCK, &mask, NULL); /* what is begun is finished */
    int rc = open_recorder(collecting, &recorder, err);
    if (rc == 0)
        rc = give_up_privileges(recorder, &notes, err);
    if (rc == 0 && collecting->opts->cpu >= 0)
        rc = pin(collecting->opts->cpu, err);
    if (rc == 0) {
        note_tier(recorder, collecting->opts->interval_ns, &notes);
        note_no_match(collecting, recorder, &notes);
        ready(context, tk_recorder_iface(recorder), tk_buf_str(&notes));
        rc = record_until_signal(recorder, err);
        if (rc < 0)
            note_failure(collecting, err->msg);
    }
    tk_recorder_free(recorder);
    return rc;
}

/* Verbs -------------------------------------------------------------------------- */

static void stop_one(void *context, const char *folder)
{
    struct tk_err err;
    int rc = tk_collector_stop(folder, &err);
    if (rc < 0) {
        (void)fprintf(stderr, "collect: %s\n", err.msg);
    } else if (rc > 0) {
        printf("previous collectors stopped in %s\n", short_path(folder));
    }
    if (rc < 0)
        *(bool *)context = true;
}

static int prepare(struct collecting *collecting, struct tk_err *err)
{
    const struct collect_opts *opts = collecting->opts;
    bool failed = false;
    int rc = set_match(collecting, err);
    if (rc == 0)
        rc = set_identity(collecting, err);
    if (rc == 0)
        rc = tk_run_folder_make(collecting->identity.folder, err);
    if (rc < 0)
        return rc;
    if (opts->stop_all || opts->clean_all)
        tk_collectors_each(stop_one, &failed);
    stop_one(&failed, collecting->identity.folder);
    return 0;
}

static void print_ready(void *context, const char *iface, tk_str notes)
{
    (void)fprintf(stderr, "%.*s", TK_STR_ARG(notes));
    print_started(context, iface);
}

/* Names that cannot be are the user's error. */
static int fail(const struct collecting *collecting, const struct tk_err *err)
{
    return err->code == -EINVAL ? tk_cmd_usage(collecting->cmd, "%s", err->msg)
                                : tk_cmd_fail(collecting->cmd, err);
}

static int run_verb(struct collecting *collecting)
{
    struct tk_err err;
    if (prepare(collecting, &err) < 0)
        return fail(collecting, &err);
    if (collect(collecting, print_ready, collecting, &err) < 0)
        return tk_cmd_fail(collecting->cmd, &err);
    puts("collectors stopped");
    return TK_EXIT_OK;
}

/* What the daemon tells its parent, through a pipe: one of these, and its end. */
struct answer {
    bool ready;
    char iface[64];
    char text[NOTES_MAX]; /* lines to print, or why it failed */
};

static void send_ready(void *context, const char *iface, tk_str notes)
{
    int *fd = context;
    struct answer answer = {.ready = true};
    (void)snprintf(answer.iface, sizeof(answer.iface), "%s", iface);
    (void)snprintf(answer.text, sizeof(answer.text), "%.*s", TK_STR_ARG(notes));
    struct tk_err ignored;
    if (tk_fd_write(*fd, (tk_str){(const char *)&answer, sizeof(answer)}, "pipe", &ignored) == 0)
        tk_fd_close(fd);
}

/* Keep nothing of the caller's: no terminal, no pipe that somebody waits on. */
static void leave_caller(int keep_fd)
{
    (void)setsid();
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++)
        (void)dup2(null_fd, fd);
    if (keep_fd > 3)
        (void)close_range(3, (unsigned)keep_fd - 1, 0);
    (void)close_range((unsigned)keep_fd + 1, ~0U, 0);
    (void)signal(SIGPIPE, SIG_IGN);
}

static int be_daemon(struct collecting *collecting, int fd)
{
    leave_caller(fd);
    struct tk_err err;
    if (collect(collecting, send_ready, &fd, &err) == 0)
        return TK_EXIT_OK;
    struct answer answer = {.ready = false};
    (void)snprintf(answer.text, sizeof(answer.text), "%s", err.msg);
    struct tk_err ignored;
    if (fd >= 0)
        (void)!tk_fd_write(fd, (tk_str){(const char *)&answer, sizeof(answer)}, "pipe", &ignored);
    return TK_EXIT_FAILED;
}

static int start_verb(struct collecting *collecting)
{
    struct tk_err err;
    int ends[2];
    if (prepare(collecting, &err) < 0)
        return fail(collecting, &err);
    (void)fflush(stdout);
    if (pipe2(ends, O_CLOEXEC) < 0) {
        tk_fail_errno(&err, "pipe");
        return tk_cmd_fail(collecting->cmd, &err);
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(ends[0]);
        _exit(be_daemon(collecting, ends[1]));
    }
    (void)close(ends[1]);
    TK_CLEANUP(tk_fd_close) int from = ends[0];
    struct answer answer = {.ready = false};
    ssize_t got = pid < 0 ? -1 : read(from, &answer, sizeof(answer));
    if (got == (ssize_t)sizeof(answer) && answer.ready) {
        print_ready(collecting, answer.iface, tk_str_from(answer.text));
        return TK_EXIT_OK;
    }
    tk_fail(&err, -EIO, "%s",
            got == (ssize_t)sizeof(answer) ? answer.text : "the recorder ended before it began");
    return tk_cmd_fail(collecting->cmd, &err);
}

/* Without a name: all that run below logs/. */
static int stop_verb(struct collecting *collecting)
{
    const struct collect_opts *opts = collecting->opts;
    struct tk_err err;
    bool failed = false;
    if (tk_identity_resolve(
            &(struct tk_identity_options){.run_id = opts->run_id, .folder = opts->output},
            &collecting->identity, &err) < 0)
        return tk_cmd_usage(collecting->cmd, "%s", err.msg);
    if (opts->stop_all || opts->clean_all) {
        tk_collectors_each(stop_one, &failed);
    } else if (collecting->identity.is_named) {
        stop_one(&failed, collecting->identity.folder);
    } else {
        tk_collectors_each_below("logs", stop_one, &failed);
    }
    puts("collectors stopped");
    return failed ? TK_EXIT_FAILED : TK_EXIT_OK;
}

static int status_verb(struct collecting *collecting)
{
    const struct collect_opts *opts = collecting->opts;
    struct tk_err err;
    if (tk_identity_resolve(
            &(struct tk_identity_options){.run_id = opts->run_id, .folder = opts->output},
            &collecting->identity, &err) < 0)
        return tk_cmd_usage(collecting->cmd, "%s", err.msg);
    const char *folder = collecting->identity.is_named ? collecting->identity.folder : NULL;
    if (tk_collector_show_status(folder, opts->json, &err) < 0)
        return tk_cmd_fail(collecting->cmd, &err);
    return TK_EXIT_OK;
}

static const struct {
    const char *name;
    int (*run)(struct collecting *collecting);
} verbs[] = {
    {"start", start_verb},
    {"stop", stop_verb},
    {"status", status_verb},
    {"run", run_verb},
};

static const char *const verb_names[] = {"start", "stop", "status", "run", NULL};

/* argv[0] is the verb. */
static int run_verb_named(const struct tk_cmd *cmd, const char *verb, int argc, char **argv)
{
    struct collect_opts opts = {.cpu = -1,
                                .vm_ip = "127.0.0.1",
                                .container = "svc",
                                .match = DEFAULT_MATCH,
                                .sampling = "1",
                                .pss_budget_ns = 10 * TK_NS_PER_MS,
                                .interval_ns = TK_NS_PER_S,
                                .host_interval_ns = TK_NS_PER_S};
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (first < argc)
        return tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first]);
    struct collecting collecting = {.cmd = cmd, .opts = &opts, .dirfd = -1};
    for (size_t i = 0; i < TK_COUNTOF(verbs); i++) {
        if (strcmp(verbs[i].name, verb) == 0)
            return verbs[i].run(&collecting);
    }
    return tk_cmd_usage(cmd, "'%s' is none of start, stop, status, run", verb);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    if (argc < 2)
        return tk_cmd_usage(cmd, "expected start, stop, status or run");
    if (argv[1][0] == '-') {
        struct collect_opts unused = {0};
        int first = tk_cmd_begin(cmd, &unused, argc, argv);
        if (first <= 0)
            return -first;
        return tk_cmd_usage(cmd, "expected start, stop, status or run before the options");
    }
    return run_verb_named(cmd, argv[1], argc - 1, argv + 1);
}

static int run_start(const struct tk_cmd *cmd, int argc, char **argv)
{
    return run_verb_named(cmd, "start", argc, argv);
}

static int run_stop(const struct tk_cmd *cmd, int argc, char **argv)
{
    return run_verb_named(cmd, "stop", argc, argv);
}

const struct tk_cmd tk_cmd_collect = {
    .name = "collect",
    .args = "start|stop|status|run [options]",
    .help = "record this machine in the background until it is stopped",
    .about = "  RUN_ID=night tracekit collect start\n"
             "  tracekit collect status\n"
             "  RUN_ID=night tracekit collect stop",
    .options = options,
    .verbs = verb_names,
    .reads_run_env = true,
    .run = run,
};

const struct tk_cmd tk_cmd_start_collect = {
    .name = "start-collect",
    .args = "",
    .help = "the same as collect start",
    .options = options,
    .hidden = true,
    .reads_run_env = true,
    .run = run_start,
};

const struct tk_cmd tk_cmd_stop_collect = {
    .name = "stop-collect",
    .args = "",
    .help = "the same as collect stop",
    .options = options,
    .hidden = true,
    .reads_run_env = true,
    .run = run_stop,
};
