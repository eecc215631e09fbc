/* SPDX-License-Identifier: Apache-2.0 */
#include "step/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "step/also.h"
#include "step/session_internal.h"
#include "step/tree.h"
#include "step/watch.h"

#define SLOW_NS  TK_NS_PER_S
#define FAST_NS  (100 * TK_NS_PER_MS)
#define EAGER_NS (5 * TK_NS_PER_S)
#define GRACE_NS (5 * TK_NS_PER_S) /* between SIGTERM and SIGKILL */
/* The kernel tells of all processes of the machine: what it told is taken in this often, not with
 * each of them. Its queue has room for 10,000. */
#define TREE_NS (100 * TK_NS_PER_MS)

enum {
    LEAF_TEXT = 4096,
    ROUNDS = 50, /* of killing what makes new processes */
};

struct exec {
    const struct tk_exec_options *options;
    struct tk_session *session; /* NULL = unrecorded */
    struct tk_exec_result *result;
    struct tk_cgroup_leaf *leaf; /* NULL = this host gives us none */
    bool legacy;                 /* its memory is counted by version 1 */
    bool is_alone;               /* the job is that of the command */
    struct tk_tree *tree;        /* NULL = nothing is told of single processes */
    struct tk_also *also;        /* NULL = there is nobody else */
    struct tk_launch *launch;
    struct tk_step_usage usage; /* ours, before */
    int64_t start_boot_ns;

    struct tk_curve curve;
    struct tk_host_view view; /* at the last sample */
    int64_t leaf_cpu_ns;      /* likewise */
    int64_t tick_ns;          /* CLOCK_MONOTONIC of the last sample */
    struct tk_cgroup_memory peak;
    int64_t term_ns; /* CLOCK_MONOTONIC of the SIGTERM after a timeout; 0 = not yet */
    bool killed;
};

/* Before ----------------------------------------------------------------------------- */

/* The first trouble is told. */
static void note_trouble(struct exec *exec, const struct tk_err *err)
{
    if (exec->result->trouble.code == 0)
        exec->result->trouble = *err;
}

static void make_leaf(struct exec *exec, struct tk_buf *described)
{
    char name[64];
    struct tk_err ignored;
    (void)snprintf(name, sizeof(name), "tracekit-exec-%d", (int)getpid());
    if (tk_cgroup_leaf_new(&exec->session->kernel, tk_session_mounts(exec->session), name,
                           &exec->leaf, &ignored) < 0)
        return;
    tk_cgroup_leaf_describe(exec->leaf, described);
    tk_str text = tk_buf_str(described);
    exec->legacy = memmem(text.p, text.n, " memory=", 8) != NULL;
}

static void begin(struct exec *exec)
{
    struct tk_err err;
    TK_CLEANUP(tk_buf_release) struct tk_buf leaf;
    tk_buf_init(&leaf, LEAF_TEXT);
    make_leaf(exec, &leaf);
    bool has_usage = tk_step_usage_read(&exec->session->kernel, getpid(), &exec->usage);
    const struct tk_session_step wanted = {
        .name = exec->options->name,
        .kind = "exec",
        .owner = getpid(),
        .usage = has_usage ? &exec->usage : NULL,
        .parent = exec->options->parent,
        .cgroup = tk_buf_str(&leaf),
        .attrs = exec->options->attrs,
        .trace = exec->options->trace,
        .argv = exec->options->args,
    };
    if (tk_session_start(exec->session, &wanted, exec->result->span, &err) < 0)
        note_trouble(exec, &err);
    const struct tk_step_record *init = tk_journal_get(&exec->session->journal, TK_STEP_INIT);
    exec->is_alone = init && init->private == 1;
    exec->view = exec->session->view; /* of a moment ago, in the record of the start */
    if (tk_also_new(&exec->session->kernel, exec->leaf, exec->options->also, &exec->also, &err) <
        0) {
        exec->also = NULL;
        if (exec->options->also.n > 0) {
            (void)tk_err_prefix(&err, "--also");
            note_trouble(exec, &err);
        }
    }
    if (exec->options->on_start && exec->result->span[0])
        exec->options->on_start(exec->options->context, exec->result->span);
}

static void on_fork(void *context, pid_t pid)
{
    struct exec *exec = context;
    if (exec->tree)
        tk_tree_begin(exec->tree, pid);
}

static int enter_leaf(void *context, bool in_group)
{
    const struct exec *exec = context;
    return exec->leaf ? tk_cgroup_leaf_enter(exec->leaf, in_group) : 0;
}

/* Samples ---------------------------------------------------------------------------- */

static void larger(int64_t *peak, int64_t value)
{
    if (value > *peak)
        *peak = value;
}

/* Cores and memory of the command in place of the machine's. */
static void sample_leaf(struct exec *exec, double seconds, struct tk_sample *sample)
{
    struct tk_cgroup_reading reading;
    struct tk_cgroup_memory memory;
    struct tk_err ignored;
    sample->values[TK_CURVE_CORES] = NAN;
    sample->values[TK_CURVE_MEM_MB] = NAN;
    if (!exec->leaf || tk_cgroup_leaf_read(exec->leaf, &reading, &ignored) < 0)
        return;
    tk_cgroup_leaf_read_memory(exec->leaf, &memory);
    larger(&exec->peak.anon_bytes, memory.anon_bytes);
    larger(&exec->peak.file_bytes, memory.file_bytes);
    larger(&exec->peak.shmem_bytes, memory.shmem_bytes);
    larger(&exec->peak.swap_bytes, memory.swap_bytes);
    if (reading.cpu_ns >= 0) {
        sample->values[TK_CURVE_CORES] =
            (float)((double)(reading.cpu_ns - exec->leaf_cpu_ns) / 1e9 / seconds);
        exec->leaf_cpu_ns = reading.cpu_ns;
    }
    if (reading.memory_bytes >= 0)
        sample->values[TK_CURVE_MEM_MB] = (float)((double)reading.memory_bytes / TK_STEP_MB);
}

/* On disk, where no watcher does it: they are what is left of the step when we are killed. */
static void keep_sample(struct exec *exec, const struct tk_sample *sample)
{
    struct tk_err ignored;
    int job_fd = tk_session_state(exec->session)->job_fd;
    (void)!(exec->curve.merged ? tk_curve_write(job_fd, &exec->curve, &ignored)
                               : tk_sample_append(job_fd, sample, &ignored));
}

static void take_sample(struct exec *exec)
{
    struct tk_sample sample;
    struct tk_host_view now;
    tk_host_viewer_read(exec->session->viewer, &now);
    double seconds = (double)(now.boot_ns - exec->view.boot_ns) / (double)TK_NS_PER_S;
    if (!(seconds > 0))
        return;
    tk_watch_sample(&exec->session->kernel, &exec->view, &now, ".", &sample);
    sample_leaf(exec, seconds, &sample);
    if (tk_curve_add(&exec->curve, &sample) == 0 && exec->is_alone)
        keep_sample(exec, &sample);
    exec->view = now;
}

/* While it runs ---------------------------------------------------------------------- */

static void check_timeout(struct exec *exec, int64_t now_ns)
{
    const struct tk_exec_options *options = exec->options;
    int64_t start_ns = exec->result->launch.start_mono_ns;
    pid_t pid = tk_launch_pid(exec->launch);
    if (options->timeout_ns <= 0 || now_ns < start_ns + options->timeout_ns)
        return;
    if (exec->term_ns == 0) {
        exec->term_ns = now_ns;
        exec->result->timed_out = true;
        (void)kill(pid, SIGTERM);
        (void)kill(pid, SIGCONT);
    } else if (!exec->killed && now_ns >= exec->term_ns + GRACE_NS) {
        exec->killed = true;
        if (exec->leaf)
            tk_cgroup_leaf_kill(exec->leaf);
        (void)kill(pid, SIGKILL);
    }
}

static int64_t sooner(int64_t a, int64_t b)
{
    return b > 0 && b < a ? b : a;
}

/* Until the next thing that is ours to do. */
static int wait_ms(const struct exec *exec, int64_t now_ns)
{
    const struct tk_exec_options *options = exec->options;
    int64_t start_ns = exec->result->launch.start_mono_ns;
    int64_t at_ns = INT64_MAX;
    if (exec->session)
        at_ns = exec->tick_ns + (now_ns < start_ns + EAGER_NS ? FAST_NS : SLOW_NS);
    if (exec->tree)
        at_ns = sooner(at_ns, now_ns + TREE_NS);
    if (options->timeout_ns > 0 && !exec->killed) {
        at_ns = sooner(at_ns, exec->term_ns > 0 ? exec->term_ns + GRACE_NS
                                                : start_ns + options->timeout_ns);
    }
    if (at_ns == INT64_MAX)
        return -1;
    return at_ns <= now_ns ? 0 : (int)((at_ns - now_ns) / TK_NS_PER_MS) + 1;
}

static void attend(struct exec *exec)
{
    struct pollfd fd = {.fd = tk_launch_fd(exec->launch), .events = POLLIN};
    exec->tick_ns = exec->result->launch.start_mono_ns;
    while (tk_launch_step(exec->launch) == 0) {
        int64_t now_ns = tk_clock_mono_ns();
        check_timeout(exec, now_ns);
        if (exec->session && wait_ms(exec, now_ns) == 0) {
            exec->tick_ns = now_ns;
            take_sample(exec);
        }
        (void)poll(&fd, 1, wait_ms(exec, now_ns));
        if (exec->tree)
            tk_tree_drain(exec->tree);
    }
}

/* After ------------------------------------------------------------------------------ */

/* Children that we inherited, where no control group holds them. */
static void kill_children(void)
{
    char buf[4096];
    tk_str text, word;
    struct tk_err ignored;
    for (int i = 0; i < ROUNDS; i++) {
        if (tk_file_read(AT_FDCWD, "/proc/thread-self/children", buf, sizeof(buf), &text,
                         &ignored) < 0 ||
            tk_str_trim(text).n == 0)
            return;
        while (tk_str_take_word(&text, &word)) {
            int64_t pid;
            if (tk_parse_i64(word, &pid))
                (void)kill((pid_t)pid, SIGKILL);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
        (void)usleep(2000);
    }
}

static void set_status(const struct exec *exec, struct tk_job_step *step)
{
    const struct tk_launch_result *launch = &exec->result->launch;
    bool ok = launch->exit_code == 0 && !exec->result->timed_out;
    step->status = ok ? TK_STR(TK_JOB_SUCCESS) : TK_STR(TK_JOB_FAILED);
    step->exit_code = launch->exit_code;
    step->signal = launch->exit_signal > 0 ? launch->exit_signal : TK_JOB_NONE;
    step->timed_out = exec->result->timed_out;
    step->left_running = launch->left;
    step->duration_s = (double)(launch->end_mono_ns - launch->start_mono_ns) / (double)TK_NS_PER_S;
}

/* What the kernel told of those that were waited for. It is all there is without a control group,
 * and the better witness where it saw more. */
static void measure_rusage(const struct exec *exec, struct tk_job_step *step)
{
    const struct tk_launch_result *launch = &exec->result->launch;
    const double ns = (double)TK_NS_PER_S;
    double user_s = (double)launch->user_ns / ns;
    double system_s = (double)launch->system_ns / ns;
    double sum_s = user_s + system_s;
    bool missed = sum_s > 0.5 && sum_s > step->cpu.total_s * 1.05;
    if (missed)
        (void)!tk_job_add_text(&step->quality, TK_STR(TK_STEP_RUSAGE), &exec->session->arena);
    if (isnan(step->cpu.total_s) || missed) {
        step->cpu.user_s = user_s;
        step->cpu.system_s = system_s;
        step->cpu.total_s = sum_s;
    }
    step->cpu.ctx_voluntary = launch->nvcsw;
    step->cpu.ctx_involuntary = launch->nivcsw;
    step->cpu.processes = launch->reaped;
    step->memory.largest_process_mb = (double)launch->max_rss_bytes / TK_STEP_MB;
    if (step->memory.major_faults == TK_JOB_NONE)
        step->memory.major_faults = launch->majflt;
    if (isnan(step->memory.peak_mb)) {
        step->memory.peak_mb = step->memory.largest_process_mb;
        step->memory.peak_source = TK_STR("ru_maxrss of the largest process");
    }
    if (!step->scope.p)
        step->scope = TK_STR(TK_JOB_SCOPE_TREE);
}

static void measure_leaf(struct exec *exec, struct tk_job_step *step)
{
    struct tk_cgroup_reading reading;
    struct tk_cgroup_memory memory;
    struct tk_err ignored;
    if (!exec->leaf || exec->result->launch.prepare_error != 0 ||
        tk_cgroup_leaf_read(exec->leaf, &reading, &ignored) < 0)
        return;
    tk_cgroup_leaf_read_memory(exec->leaf, &memory);
    larger(&memory.anon_bytes, exec->peak.anon_bytes);
    larger(&memory.file_bytes, exec->peak.file_bytes);
    larger(&memory.shmem_bytes, exec->peak.shmem_bytes);
    larger(&memory.swap_bytes, exec->peak.swap_bytes);
    tk_step_measure_leaf(&reading, &memory, exec->legacy, step);
    int64_t tasks = tk_cgroup_leaf_tasks_peak(exec->leaf);
    step->cpu.pids_peak = tasks < 0 ? TK_JOB_NONE : tasks;
}

static void measure_curve(const struct exec *exec, const struct tk_step_record *record,
                          struct tk_job_step *step)
{
    double low, high;
    int64_t from_ns = exec->start_boot_ns;
    if (exec->curve.count == 0)
        return;
    tk_curve_rows(&exec->curve, from_ns, record->boot_ns,
                  (double)(record->real_ns - (record->boot_ns - from_ns)) / (double)TK_NS_PER_S,
                  &step->samples, &exec->session->arena);
    tk_curve_range(&exec->curve, TK_CURVE_CORES, from_ns, record->boot_ns, &low, &high);
    step->cpu.cores_peak = high;
}

/* CPU time of ours so far. */
static double own_cpu_ms(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* The end of the step; the counters of the host first. */
static void end(struct exec *exec)
{
    struct tk_step_record record;
    struct tk_step_usage usage;
    struct tk_err err;
    struct tk_job_step *step = &record.step;
    tk_step_record_init(&record, TK_STEP_END, tk_str_from(exec->result->span));
    tk_session_read_host(exec->session, &record);
    if (exec->curve.count > 0)
        take_sample(exec);
    set_status(exec, step);
    measure_leaf(exec, step);
    measure_rusage(exec, step);
    if (tk_step_usage_read(&exec->session->kernel, getpid(), &usage))
        tk_step_measure_usage(&exec->usage, &usage, step);
    if (exec->tree) {
        tk_tree_drain(exec->tree);
        tk_tree_top(exec->tree, &step->top, &exec->session->arena);
        int64_t count = tk_tree_count(exec->tree);
        step->cpu.processes = count == TK_JOB_NONE ? step->cpu.processes : count;
    }
    if (exec->also)
        tk_also_take(exec->also, &step->via, &exec->session->arena);
    measure_curve(exec, &record, step);
    record.job.overhead.sampler_cpu_ms = own_cpu_ms();
    if (tk_session_append(exec->session, &record, &err) < 0)
        note_trouble(exec, &err);
}

static void release(struct exec *exec)
{
    tk_launch_free(exec->launch);
    tk_tree_free(exec->tree);
    tk_also_free(exec->also);
    tk_cgroup_leaf_free(exec->leaf);
    tk_curve_release(&exec->curve);
}

static void run_to_end(struct exec *exec)
{
    struct tk_exec_result *result = exec->result;
    tk_launch_read_result(exec->launch, &result->launch);
    exec->start_boot_ns = result->launch.start_mono_ns + tk_clock_boot_ns() - tk_clock_mono_ns();
    attend(exec);
    int prepare_error = result->launch.prepare_error;
    tk_launch_read_result(exec->launch, &result->launch);
    result->launch.prepare_error = prepare_error;
    if (exec->session && result->span[0])
        end(exec);
    if (exec->options->kill_leftovers && exec->leaf) {
        tk_cgroup_leaf_kill(exec->leaf);
    } else if (exec->options->kill_leftovers) {
        kill_children();
    }
}

int tk_exec_start_status(int code)
{
    switch (code) {
    case -EAGAIN:
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE:
        return 125;
    case -ENOENT:
        return 127;
    default:
        return 126;
    }
}

int tk_exec_run(const struct tk_exec_options *options, struct tk_exec_result *ret_result,
                struct tk_err *err)
{
    struct exec exec = {.options = options,
                        .session = options->session,
                        .result = ret_result,
                        .peak = {-1, -1, -1, -1, -1, -1, -1}};
    struct tk_err ignored;
    *ret_result = (struct tk_exec_result){.timed_out = false};
    if (exec.session) {
        begin(&exec);
        if (tk_tree_new(&exec.session->kernel, &exec.tree, &ignored) < 0)
            exec.tree = NULL;
    }
    TK_CLEANUP(tk_fd_close) int group = exec.leaf ? tk_cgroup_leaf_open(exec.leaf) : -1;
    const struct tk_launch_options launch = {
        .argv = options->argv,
        .on_fork = on_fork,
        .group_fd = group,
        .prepare = enter_leaf,
        .context = &exec,
    };
    int rc = tk_launch_start(&launch, &exec.launch, err);
    if (rc == 0) {
        run_to_end(&exec);
    } else if (exec.session && ret_result->span[0]) {
        ret_result->launch.exit_code = tk_exec_start_status(rc);
        end(&exec);
    }
    release(&exec);
    return rc;
}
