/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/invocation.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "run/redact.h"

#define UUID_MAX     37
#define SPAN_ID_MAX  17
#define PROGRAM_MAX  128
#define ROW_TEXT_MAX 16384

struct tk_invocation {
    struct tk_invocation_options options;
    char program[PROGRAM_MAX];
    char file[PROGRAM_MAX + 16];
    const char *trace_id; /* as given, or `uuid` */
    char uuid[UUID_MAX], span_id[SPAN_ID_MAX];
    const char *input, *output; /* arguments; NULL = none */
    int64_t input_bytes;
    pid_t pid;
    int64_t start_ticks; /* 0 = unknown */
    struct tk_cgroup_leaf *leaf;
    bool in_leaf;
    struct tk_launch *launch;
    struct tk_launch_result result;
};

/* Names ------------------------------------------------------------------------- */

/* Random bytes as lower-case hexadecimal digits. */
static void put_random_hex(char *to, size_t bytes)
{
    unsigned char random[16];
    if (getrandom(random, bytes, 0) != (ssize_t)bytes)
        memset(random, 0, sizeof(random)); /* not before the pool is ready: cannot happen here */
    for (size_t i = 0; i < bytes; i++)
        (void)snprintf(to + 2 * i, 3, "%02x", random[i]);
}

/* A version 4 UUID, RFC 9562. */
static void set_uuid(char ret_uuid[UUID_MAX])
{
    char hex[33];
    put_random_hex(hex, 16);
    hex[12] = '4';
    hex[16] = "89ab"[hex[16] & 3];
    (void)snprintf(ret_uuid, UUID_MAX, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
                   hex + 16, hex + 20);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* The program as part of a file name. */
static void set_program(struct tk_invocation *invocation)
{
    const char *name = base_name(invocation->options.argv[0]);
    size_t n = 0;
    for (; name[n] && n < PROGRAM_MAX - 1; n++) {
        char c = name[n];
        invocation->program[n] = isalnum((unsigned char)c) || strchr("._()-+", c) ? c : '_';
    }
    invocation->program[n] = '\0';
    (void)snprintf(invocation->file, sizeof(invocation->file), "events.%s.jsonl",
                   invocation->program);
}

/* Input and output -------------------------------------------------------------- */

static bool is_file(const char *path, int64_t *ret_bytes)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    *ret_bytes = st.st_size;
    return true;
}

/* The argument before it announces a secret: this is no file, whatever it looks like. */
static bool is_secret(char *const *argv, size_t i)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf unused;
    tk_buf_init(&unused, ROW_TEXT_MAX);
    bool carry = false;
    tk_redact_arg(tk_str_from(argv[i - 1]), &carry, &unused);
    return carry;
}

/* The argument after -i, else the first that is a file. */
static void find_input(struct tk_invocation *invocation)
{
    char *const *argv = invocation->options.argv;
    for (size_t i = 1; argv[i] && !invocation->input; i++) {
        if (strcmp(argv[i], "-i") == 0)
            invocation->input = argv[i + 1];
    }
    if (invocation->input) {
        (void)is_file(invocation->input, &invocation->input_bytes);
        return;
    }
    for (size_t i = 1; argv[i] && !invocation->input; i++) {
        if (!is_secret(argv, i) && is_file(argv[i], &invocation->input_bytes))
            invocation->input = argv[i];
    }
}

/* The last argument without a dash, unless it is a text of several words, such as a script. */
static void find_output(struct tk_invocation *invocation)
{
    char *const *argv = invocation->options.argv;
    for (size_t i = 1; argv[i]; i++) {
        if (argv[i][0] != '-' && !is_secret(argv, i))
            invocation->output = argv[i];
    }
    if (invocation->output && strpbrk(invocation->output, " \t\n"))
        invocation->output = NULL;
}

/* Life -------------------------------------------------------------------------- */

static void warn(const struct tk_invocation *invocation, const char *message)
{
    (void)fprintf(stderr, "tracekit %s: %s\n", invocation->options.command, message);
}

static bool is_limited(const struct tk_invocation *invocation)
{
    const struct tk_cgroup_limits *limits = &invocation->options.limits;
    return limits->cpu_percent > 0 || limits->cpu_weight > 0;
}

static bool is_named(const struct tk_invocation *invocation)
{
    const char *unit = invocation->options.unit;
    return unit && *unit;
}

/* Quota and weight exist only in a control group. The launch binds the command to its CPUs; where
 * the group does it too, that also holds for descendants that would choose others. */
static int set_limits(struct tk_invocation *invocation, struct tk_err *err)
{
    struct tk_cgroup_limits cpus = {.cpuset = invocation->options.limits.cpuset};
    struct tk_cgroup_limits rest = invocation->options.limits;
    struct tk_err ignored;
    if (cpus.cpuset && *cpus.cpuset)
        (void)!tk_cgroup_leaf_limit(invocation->leaf, &cpus, &ignored);
    rest.cpuset = NULL;
    return is_limited(invocation) ? tk_cgroup_leaf_limit(invocation->leaf, &rest, err) : 0;
}

/* What was asked for and cannot be had is an error, or one line. */
static int miss(const struct tk_invocation *invocation, struct tk_err *err)
{
    if (is_limited(invocation)) {
        (void)tk_err_prefix(err, "CPU quota and weight are not in force");
    } else {
        (void)tk_err_prefix(err, "no control group '%s'", invocation->options.unit);
    }
    if (invocation->options.must_limit)
        return err->code;
    warn(invocation, err->msg);
    return 0;
}

static int make_leaf(struct tk_invocation *invocation, struct tk_err *err)
{
    const struct tk_invocation_options *options = &invocation->options;
    char name[PROGRAM_MAX + 32];
    (void)snprintf(name, sizeof(name), "tracekit-%s-%d", invocation->program, (int)getpid());
    int rc = tk_cgroup_leaf_new(options->kernel, NULL, is_named(invocation) ? options->unit : name,
                                &invocation->leaf, err);
    if (rc == 0)
        rc = set_limits(invocation, err);
    bool missed = rc < 0 && (is_limited(invocation) || is_named(invocation));
    return missed ? miss(invocation, err) : 0;
}

int tk_invocation_new(const struct tk_invocation_options *options,
                      struct tk_invocation **ret_invocation, struct tk_err *err)
{
    struct tk_invocation *invocation = calloc(1, sizeof(*invocation));
    if (!invocation)
        return tk_fail(err, -ENOMEM, "%s: out of memory", options->argv[0]);
    invocation->options = *options;
    set_program(invocation);
    set_uuid(invocation->uuid);
    invocation->trace_id =
        options->trace_id && *options->trace_id ? options->trace_id : invocation->uuid;
    put_random_hex(invocation->span_id, 8);
    find_input(invocation);
    find_output(invocation);
    int rc = make_leaf(invocation, err);
    if (rc < 0) {
        tk_invocation_free(invocation);
        return rc;
    }
    *ret_invocation = invocation;
    return 0;
}

bool tk_invocation_is_exact(const struct tk_invocation *invocation)
{
    return invocation->leaf != NULL;
}

static void on_fork(void *context, pid_t pid)
{
    struct tk_invocation *invocation = context;
    invocation->pid = pid;
    (void)tk_run_start_ticks(pid, &invocation->start_ticks);
    if (invocation->options.on_fork)
        invocation->options.on_fork(invocation->options.context, pid);
}

static int enter_leaf(void *context, bool in_group)
{
    const struct tk_invocation *invocation = context;
    return invocation->leaf ? tk_cgroup_leaf_enter(invocation->leaf, in_group) : 0;
}

int tk_invocation_start(struct tk_invocation *invocation, struct tk_err *err)
{
    const struct tk_invocation_options *options = &invocation->options;
    TK_CLEANUP(tk_fd_close)
    int group = invocation->leaf ? tk_cgroup_leaf_open(invocation->leaf) : -1;
    struct tk_launch_options launch = {
        .argv = options->argv,
        .cpuset = options->limits.cpuset,
        .max_fds = options->max_fds,
        .on_fork = on_fork,
        .group_fd = group,
        .prepare = enter_leaf,
        .must_prepare = options->must_limit,
        .context = invocation,
    };
    int rc = tk_launch_start(&launch, &invocation->launch, err);
    if (rc < 0)
        return rc;
    tk_launch_read_result(invocation->launch, &invocation->result);
    invocation->in_leaf = invocation->leaf && invocation->result.prepare_error == 0;
    if (invocation->result.prepare_error == 0 || !(is_limited(invocation) || is_named(invocation)))
        return 0;
    (void)tk_fail_code(err, invocation->result.prepare_error, "cannot enter it");
    return miss(invocation, err);
}

/* The row ----------------------------------------------------------------------- */

static const struct tk_cgroup_reading no_reading = {
    .cpu_ns = -1,
    .user_ns = -1,
    .system_ns = -1,
    .nr_periods = -1,
    .nr_throttled = -1,
    .throttled_ns = -1,
    .memory_bytes = -1,
    .memory_peak_bytes = -1,
    .memory_limit_bytes = -1,
    .rd_bytes = -1,
    .wr_bytes = -1,
    .pids = -1,
};

/* CPU time of the whole tree. */
struct bill {
    int64_t cpu_ns, user_ns, system_ns;
    const char *source;
};

/* The control group counts all that ever ran in it, exit records all that was seen to exit, rusage
 * all that was waited for. Their split into user and system is rusage's, which is finer. */
static struct bill make_bill(const struct tk_launch_result *result,
                             const struct tk_cgroup_reading *group, const struct tk_procs *procs)
{
    int64_t waited_ns = result->user_ns + result->system_ns;
    bool seen = false;
    int64_t seen_ns = procs ? tk_procs_tree_cpu_ns(procs, &seen) : 0;
    struct bill bill = {waited_ns, result->user_ns, result->system_ns, "rusage"};
    if (group->cpu_ns >= 0) {
        bill.cpu_ns = group->cpu_ns;
        bill.source = "cgroup";
    } else if (seen) {
        struct tk_procs_stats stats;
        tk_procs_read_stats(procs, &stats);
        bill.cpu_ns = seen_ns;
        bill.source = stats.exit_source;
    }
    if (waited_ns > 0)
        bill.user_ns = (int64_t)((double)bill.cpu_ns * (double)result->user_ns / (double)waited_ns);
    bill.system_ns = bill.cpu_ns - bill.user_ns;
    return bill;
}

static void set_known(struct tk_batch *row, size_t column, int64_t value)
{
    if (value >= 0)
        tk_batch_set_i64(row, column, value);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* What was taken for a file may be anything: no secret gets in. NULL = none. */
static void set_file_name(struct tk_batch *row, size_t column, const char *path)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf name;
    tk_buf_init(&name, ROW_TEXT_MAX);
    bool carry = false;
    tk_redact_arg(tk_str_from(path ? base_name(path) : ""), &carry, &name);
    tk_batch_set_text(row, column, tk_buf_str(&name));
}

static void set_names(const struct tk_invocation *invocation, struct tk_batch *row)
{
    const struct tk_identity *identity = invocation->options.identity;
    char instance[32];
    (void)snprintf(instance, sizeof(instance), "pid-%d", (int)invocation->pid);
    const struct {
        size_t column;
        const char *text;
    } texts[] = {
        {TK_INVOCATIONS_TRACE_ID, invocation->trace_id},
        {TK_INVOCATIONS_SPAN_ID, invocation->span_id},
        {TK_INVOCATIONS_MODULE_ID, invocation->program},
        {TK_INVOCATIONS_INSTANCE_ID, instance},
        {TK_INVOCATIONS_NODE, identity->node},
        {TK_INVOCATIONS_STAGE, identity->stage},
        {TK_INVOCATIONS_HOST, identity->host},
        {TK_INVOCATIONS_METHOD, "CLI"},
        {TK_INVOCATIONS_PATH, invocation->program},
    };
    for (size_t i = 0; i < TK_COUNTOF(texts); i++)
        tk_batch_set_text(row, texts[i].column, tk_str_from(texts[i].text));
    set_file_name(row, TK_INVOCATIONS_INPUT, invocation->input);
    set_file_name(row, TK_INVOCATIONS_OUTPUT, invocation->output);
    const char *cpuset = invocation->options.limits.cpuset;
    if (cpuset && *cpuset)
        tk_batch_set_text(row, TK_INVOCATIONS_CPUSET, tk_str_from(cpuset));
}

/* Its place in a trace: where it is told one, its span is that which the command knows. */
static void set_context(const struct tk_invocation *invocation, struct tk_batch *row)
{
    char trace_id[33];
    char span_id[17];
    char parent_id[17];
    if (!invocation->options.trace)
        return;
    tk_child_context_format(invocation->options.trace, trace_id, span_id, parent_id);
    tk_batch_set_text(row, TK_INVOCATIONS_W3C_TRACE_ID, tk_str_from(trace_id));
    tk_batch_set_text(row, TK_INVOCATIONS_W3C_SPAN_ID, tk_str_from(span_id));
    if (parent_id[0])
        tk_batch_set_text(row, TK_INVOCATIONS_PARENT_ID, tk_str_from(parent_id));
}

static void set_times(const struct tk_invocation *invocation, struct tk_batch *row)
{
    const struct tk_kernel *kernel = invocation->options.kernel;
    const struct tk_launch_result *result = &invocation->result;
    int64_t start = tk_anchor_from_mono(&kernel->anchor, result->start_mono_ns) / TK_NS_PER_MS;
    int64_t end = tk_anchor_from_mono(&kernel->anchor, result->end_mono_ns) / TK_NS_PER_MS;
    int64_t enqueue = invocation->options.enqueue_ms > 0 ? invocation->options.enqueue_ms : start;
    tk_batch_set_i64(row, TK_INVOCATIONS_TS_ENQUEUE, enqueue);
    tk_batch_set_i64(row, TK_INVOCATIONS_TS_START, start);
    tk_batch_set_i64(row, TK_INVOCATIONS_TS_END, end);
    tk_batch_set_i64(row, TK_INVOCATIONS_QUEUE_TIME_MS, larger(0, start - enqueue));
    tk_batch_set_i64(row, TK_INVOCATIONS_SERVICE_TIME_MS, larger(0, end - start));
    tk_batch_set_i64(row, TK_INVOCATIONS_RT_MS, larger(0, end - enqueue));
    tk_batch_set_i64(row, TK_INVOCATIONS_PID, invocation->pid);
    if (invocation->start_ticks == 0)
        return;
    int64_t birth_ns = tk_anchor_from_boot(&kernel->anchor, invocation->start_ticks *
                                                                (TK_NS_PER_S / kernel->clk_tck));
    tk_batch_set_i64(row, TK_INVOCATIONS_START_TICKS, invocation->start_ticks);
    tk_batch_set_i64(row, TK_INVOCATIONS_PID_START_MS, birth_ns / TK_NS_PER_MS);
}

static void set_costs(const struct tk_invocation *invocation, const struct tk_procs *procs,
                      const struct tk_cgroup_reading *group, struct tk_batch *row)
{
    const struct tk_launch_result *result = &invocation->result;
    struct bill bill = make_bill(result, group, procs);
    tk_batch_set_i64(row, TK_INVOCATIONS_CPU_NS, bill.cpu_ns);
    tk_batch_set_i64(row, TK_INVOCATIONS_USER_NS, bill.user_ns);
    tk_batch_set_i64(row, TK_INVOCATIONS_SYSTEM_NS, bill.system_ns);
    tk_batch_set_i64(row, TK_INVOCATIONS_CPU_TIME_MS, bill.cpu_ns / TK_NS_PER_MS);
    tk_batch_set_text(row, TK_INVOCATIONS_CPU_SOURCE, tk_str_from(bill.source));
    tk_batch_set_i64(row, TK_INVOCATIONS_MAX_RSS_KB, result->max_rss_bytes / 1024);
    set_known(row, TK_INVOCATIONS_MEM_PEAK_BYTES, group->memory_peak_bytes);
    /* What is written back later is charged to nobody by cgroup v1, and to its writer by rusage. */
    tk_batch_set_i64(row, TK_INVOCATIONS_RD_BYTES, larger(group->rd_bytes, result->rd_bytes));
    tk_batch_set_i64(row, TK_INVOCATIONS_WR_BYTES, larger(group->wr_bytes, result->wr_bytes));
    set_known(row, TK_INVOCATIONS_THROTTLED_US,
              group->throttled_ns < 0 ? -1 : group->throttled_ns / TK_NS_PER_US);
    tk_batch_set_i64(row, TK_INVOCATIONS_EXIT_CODE, result->exit_code);
    tk_batch_set_i64(row, TK_INVOCATIONS_STATUS, result->exit_code);
    tk_batch_set_i64(row, TK_INVOCATIONS_LEFT_RUNNING, result->left);
    if (procs && tk_procs_tree_count(procs) > 0)
        tk_batch_set_i64(row, TK_INVOCATIONS_PROCESSES, tk_procs_tree_count(procs));
}

static void set_sizes(const struct tk_invocation *invocation, struct tk_batch *row)
{
    int64_t output_bytes = 0;
    if (invocation->output)
        (void)is_file(invocation->output, &output_bytes);
    tk_batch_set_i64(row, TK_INVOCATIONS_BYTES_IN, invocation->input_bytes);
    tk_batch_set_i64(row, TK_INVOCATIONS_BYTES_OUT, output_bytes);
}

/* As the run writer does it: one write of a whole line, after a torn one was cut off. */
static int append(const struct tk_invocation *invocation, const char *folder,
                  const struct tk_batch *row, struct tk_err *err)
{
    struct tk_run_writer *writer;
    int rc = tk_run_writer_new(folder, &writer, err);
    if (rc < 0)
        return rc;
    struct tk_sink sink = tk_run_writer_sink(writer);
    rc = tk_run_writer_set_name(writer, TK_TABLE_INVOCATIONS, invocation->file, err);
    if (rc == 0)
        rc = sink.take(sink.context, TK_TABLE_INVOCATIONS, row, err);
    if (rc == 0)
        rc = tk_run_writer_flush(writer, err);
    tk_run_writer_free(writer);
    return rc;
}

int tk_invocation_finish(struct tk_invocation *invocation, struct tk_procs *procs,
                         const char *folder, struct tk_err *err)
{
    struct tk_cgroup_reading group = no_reading;
    struct tk_err ignored;
    if (invocation->in_leaf && tk_cgroup_leaf_read(invocation->leaf, &group, &ignored) < 0)
        group = no_reading;

    TK_CLEANUP(tk_batch_freep) struct tk_batch *row = NULL;
    int rc = tk_batch_new(&tk_schema_invocations, 1, ROW_TEXT_MAX, &row, err);
    if (rc < 0)
        return rc;
    tk_batch_begin(row);
    set_names(invocation, row);
    set_context(invocation, row);
    set_times(invocation, row);
    set_costs(invocation, procs, &group, row);
    set_sizes(invocation, row);
    return append(invocation, folder, row, err);
}

/* Run --------------------------------------------------------------------------- */

int tk_invocation_fd(const struct tk_invocation *invocation)
{
    return tk_launch_fd(invocation->launch);
}

int tk_invocation_step(struct tk_invocation *invocation)
{
    int ended = tk_launch_step(invocation->launch);
    if (ended)
        tk_launch_read_result(invocation->launch, &invocation->result);
    return ended;
}

const struct tk_launch_result *tk_invocation_result(const struct tk_invocation *invocation)
{
    return &invocation->result;
}

const char *tk_invocation_file(const struct tk_invocation *invocation)
{
    return invocation->file;
}

int tk_exit_as(const struct tk_launch_result *result)
{
    if (result->exit_signal == 0)
        return result->exit_code;
    /* One core dump is enough, and it is the command's. */
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    (void)fflush(stdout);
    sigset_t all;
    sigfillset(&all);
    (void)sigaction(result->exit_signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    (void)raise(result->exit_signal);
    (void)pthread_sigmask(SIG_UNBLOCK, &all, NULL);
    return result->exit_code;
}

int tk_invocation_status(int code)
{
    return code == -ENOENT ? 127 : 126;
}

void tk_invocation_free(struct tk_invocation *invocation)
{
    if (!invocation)
        return;
    tk_launch_free(invocation->launch);
    tk_cgroup_leaf_free(invocation->leaf);
    free(invocation);
}

void tk_invocation_freep(struct tk_invocation **invocation)
{
    tk_invocation_free(*invocation);
}
