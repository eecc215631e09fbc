/* SPDX-License-Identifier: Apache-2.0 */
/* Signals are blocked and read from a signalfd, so that everything happens in tk_launch_step().
 * Who sent a signal decides what to do with it: the terminal's (si_code SI_KERNEL) reach the
 * command as well, since it shares our process group; those of kill() are for us to pass on. */
#include "collect/launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "base/number.h"

#define RUSAGE_BLOCK_BYTES 512
#define GRACE_NS           (10 * TK_NS_PER_MS)
/* The child list is a bound on memory, not on the machine: 4 million processes. */
#define MAX_FAMILY_BYTES ((size_t)64 << 20)

static const int handled[] = {SIGCHLD, SIGTERM, SIGHUP,  SIGINT, SIGQUIT,
                              SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT};

struct tk_launch {
    pid_t pid;
    int signal_fd;
    int was_subreaper;
    bool ended;
    bool stopped; /* the command is stopped */
    sigset_t old_mask;
    struct sigaction old_chld, old_pipe;
    struct tk_launch_result result;
};

/* What the child tells through the close-on-exec pipe before exec, and again when exec fails. */
struct report {
    int64_t start_mono_ns;
    int prepare_error, cpuset_error;
    int exec_errno; /* 0 = about to execute */
};

/* Signals ----------------------------------------------------------------------- */

static int take_signals(struct tk_launch *launch, struct tk_err *err)
{
    sigset_t mask;
    sigemptyset(&mask);
    for (size_t i = 0; i < TK_COUNTOF(handled); i++)
        sigaddset(&mask, handled[i]);
    launch->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (launch->signal_fd < 0)
        return tk_fail_errno(err, "signalfd");
    (void)pthread_sigmask(SIG_BLOCK, &mask, &launch->old_mask);

    /* Were SIGCHLD ignored, as we may have been started, nobody could be waited for. A report to a
     * closed pipe must not cost the command its exit status. */
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, &launch->old_chld);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, &launch->old_pipe);
    (void)prctl(PR_GET_CHILD_SUBREAPER, &launch->was_subreaper);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    return 0;
}

static void give_signals_back(const struct tk_launch *launch)
{
    sigaction(SIGPIPE, &launch->old_pipe, NULL);
    sigaction(SIGCHLD, &launch->old_chld, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &launch->old_mask, NULL);
}

/* Stop as the command did: by the same signal with its default action, which the kernel leaves out
 * where no shell could continue us (an orphaned process group). Returns when we are continued. */
static void stop_with(int stop_signal)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, stop_signal);
    (void)raise(stop_signal);
    (void)pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    (void)pthread_sigmask(SIG_BLOCK, &one, NULL);
}

static void forward(struct tk_launch *launch, const struct signalfd_siginfo *info)
{
    /* si_code above 0 is the kernel's: the terminal sent it to the whole process group. */
    bool from_terminal = info->ssi_code > 0;
    bool from_command = (pid_t)info->ssi_pid == launch->pid;
    if (!launch->ended && !from_terminal && !from_command)
        (void)kill(launch->pid, (int)info->ssi_signo);
}

/* True when SIGCONT was among them. */
static bool read_signals(struct tk_launch *launch)
{
    bool continued = false;
    struct signalfd_siginfo info;
    while (read(launch->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCONT) {
            continued = true;
        } else if (info.ssi_signo != SIGCHLD) {
            forward(launch, &info);
        }
    }
    return continued;
}

/* Start ------------------------------------------------------------------------- */

static int check_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
        return -EACCES;
    return 0;
}

/* As execvp(3) searches: a file that may not be executed is passed over, and told of when no other
 * is found. */
static int check_in_path(const char *program)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing in tracekit changes the environment */
    const char *path = getenv("PATH");
    tk_str rest = tk_str_from(path ? path : "/bin:/usr/bin");
    tk_str folder;
    int rc = -ENOENT;
    while (tk_str_take_until(&rest, ':', &folder)) {
        char file[PATH_MAX];
        int n = snprintf(file, sizeof(file), "%.*s%s%s", TK_STR_ARG(folder),
                         folder.n > 0 ? "/" : "", program);
        int one = n > 0 && (size_t)n < sizeof(file) ? check_file(file) : -ENOENT;
        if (one == 0)
            return 0;
        if (one == -EACCES)
            rc = one;
    }
    return rc;
}

static int fail_to_run(const char *program, int code, struct tk_err *err)
{
    return tk_fail_code(err, code, "cannot run '%s'", program);
}

/* Take "3" or "0-3". */
static bool cpu_range_parse(tk_str part, uint64_t *ret_first, uint64_t *ret_last)
{
    if (!tk_scan_u64(&part, ret_first))
        return false;
    *ret_last = *ret_first;
    if (tk_str_take_prefix(&part, TK_STR("-")) && !tk_scan_u64(&part, ret_last))
        return false;
    return part.n == 0 && *ret_first <= *ret_last && *ret_last < CPU_SETSIZE;
}

/* "0-3,6"; false when it is none. */
static bool cpu_list_parse(tk_str text, cpu_set_t *ret_cpus)
{
    CPU_ZERO(ret_cpus);
    tk_str part;
    while (tk_str_take_until(&text, ',', &part)) {
        uint64_t first, last;
        if (!cpu_range_parse(tk_str_trim(part), &first, &last))
            return false;
        for (uint64_t cpu = first; cpu <= last; cpu++)
            CPU_SET(cpu, ret_cpus);
    }
    return CPU_COUNT(ret_cpus) > 0;
}

/* The CPUs of options.cpuset, which must exist here; none where nothing is asked for. */
static int cpuset_parse(const char *text, cpu_set_t *ret_cpus, struct tk_err *err)
{
    CPU_ZERO(ret_cpus);
    if (!text || !*text)
        return 0;
    if (!cpu_list_parse(tk_str_from(text), ret_cpus))
        return tk_fail(err, -EINVAL, "CPU set '%s': expected CPUs such as 0-3,6", text);

    char buf[1024];
    tk_str online;
    cpu_set_t here, both;
    struct tk_err ignored; /* without the file it is left to the kernel to refuse them */
    if (tk_file_read(AT_FDCWD, "/sys/devices/system/cpu/online", buf, sizeof(buf), &online,
                     &ignored) < 0 ||
        !cpu_list_parse(tk_str_trim(online), &here))
        return 0;
    CPU_AND(&both, ret_cpus, &here);
    if (CPU_EQUAL(&both, ret_cpus))
        return 0;
    return tk_fail(err, -EINVAL, "CPU set '%s': expected CPUs of this machine, which has %.*s",
                   text, TK_STR_ARG(tk_str_trim(online)));
}

int tk_launch_check(const struct tk_launch_options *options, struct tk_err *err)
{
    const char *program = options->argv[0];
    cpu_set_t unused;
    int rc = strchr(program, '/') ? check_file(program) : check_in_path(program);
    return rc < 0 ? fail_to_run(program, rc, err) : cpuset_parse(options->cpuset, &unused, err);
}

struct child {
    const struct tk_launch_options *options;
    cpu_set_t cpus; /* none = ours */
    bool in_group;  /* born in options.group_fd */
    int gate_fd;    /* one byte arrives when we may go on */
    int report_fd;
};

/* Whether the command is not to run after all. */
static bool is_refused(const struct tk_launch_options *options, const struct report *report)
{
    return report->cpuset_error < 0 || (options->must_prepare && report->prepare_error < 0);
}

static bool send_report(int fd, const struct report *report)
{
    return write(fd, report, sizeof(*report)) == (ssize_t)sizeof(*report);
}

/* Bind ourselves to `cpus`, to each of them: the kernel leaves those out that our control group
 * does not give us. 0 or a negative errno. */
static int bind_to(const cpu_set_t *cpus)
{
    cpu_set_t bound;
    if (CPU_COUNT(cpus) == 0)
        return 0;
    if (sched_setaffinity(0, sizeof(*cpus), cpus) < 0 ||
        sched_getaffinity(0, sizeof(bound), &bound) < 0)
        return -errno;
    return CPU_EQUAL(cpus, &bound) ? 0 : -EINVAL;
}

/* The new process up to exec. */
static _Noreturn void child_run(const struct tk_launch *launch, const struct child *child)
{
    char go;
    if (read(child->gate_fd, &go, 1) != 1)
        _exit(126); /* the parent is gone */
    const struct tk_launch_options *options = child->options;
    struct report report = {0};
    if (options->prepare)
        report.prepare_error = options->prepare(options->context, child->in_group);
    report.cpuset_error = bind_to(&child->cpus);
    if (options->max_fds > 0)
        tk_fd_limit_write(options->max_fds);
    give_signals_back(launch);
    report.start_mono_ns = tk_clock_mono_ns();
    if (!send_report(child->report_fd, &report) || is_refused(options, &report))
        _exit(126);
    execvp(options->argv[0], options->argv);
    report.exec_errno = errno;
    _exit(send_report(child->report_fd, &report) ? 127 : 126);
}

/* The last report before exec or exit closed the pipe. */
static struct report read_report(int fd)
{
    struct report last = {.start_mono_ns = tk_clock_mono_ns()};
    struct report report;
    for (;;) {
        ssize_t got = read(fd, &report, sizeof(report));
        if (got == (ssize_t)sizeof(report)) {
            last = report;
        } else if (got >= 0 || errno != EINTR) {
            return last;
        }
    }
}

/* Why the command does not run; 0 = it does. */
static int check_report(const struct tk_launch_options *options, const struct report *report,
                        struct tk_err *err)
{
    const char *program = options->argv[0];
    if (report->exec_errno != 0)
        return fail_to_run(program, -report->exec_errno, err);
    if (report->cpuset_error < 0) {
        return tk_fail_code(err, report->cpuset_error, "cannot run '%s' on CPUs %s", program,
                            options->cpuset);
    }
    if (is_refused(options, report))
        return tk_fail_code(err, report->prepare_error, "cannot prepare '%s'", program);
    return 0;
}

/* fork(), into the control group where the kernel lets us. */
static pid_t fork_into(struct child *child)
{
    struct clone_args args = {
        .flags = CLONE_INTO_CGROUP,
        .exit_signal = SIGCHLD,
    };
    if (child->options->group_fd > 0) {
        args.cgroup = (unsigned)child->options->group_fd;
        child->in_group = true; /* as the new process is to see it */
        pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
        if (pid >= 0)
            return pid;
        child->in_group = false;
    }
    return fork();
}

static int fork_command(struct tk_launch *launch, struct child *child, struct tk_err *err)
{
    int gate[2], told[2];
    if (pipe2(gate, O_CLOEXEC) < 0)
        return tk_fail_errno(err, "pipe");
    TK_CLEANUP(tk_fd_close) int gate_out = gate[0];
    TK_CLEANUP(tk_fd_close) int gate_in = gate[1];
    if (pipe2(told, O_CLOEXEC) < 0)
        return tk_fail_errno(err, "pipe");
    TK_CLEANUP(tk_fd_close) int report_out = told[0];
    TK_CLEANUP(tk_fd_close) int report_in = told[1];

    child->gate_fd = gate_out;
    child->report_fd = report_in;
    launch->pid = fork_into(child);
    if (launch->pid < 0)
        return tk_fail_errno(err, "fork");
    if (launch->pid == 0) {
        tk_fd_close(&gate_in);
        child_run(launch, child);
    }
    tk_fd_close(&report_in);
    if (child->options->on_fork)
        child->options->on_fork(child->options->context, launch->pid);
    int rc = tk_fd_write(gate_in, TK_STR("!"), "pipe to the command", err);
    struct report report = read_report(report_out);
    if (rc == 0)
        rc = check_report(child->options, &report, err);
    if (rc < 0) {
        (void)waitpid(launch->pid, NULL, 0);
        return rc;
    }
    launch->result.start_mono_ns = report.start_mono_ns;
    launch->result.prepare_error = report.prepare_error;
    return 0;
}

int tk_launch_start(const struct tk_launch_options *options, struct tk_launch **ret_launch,
                    struct tk_err *err)
{
    struct child child = {.options = options};
    int rc = cpuset_parse(options->cpuset, &child.cpus, err);
    if (rc < 0)
        return rc;
    struct tk_launch *launch = calloc(1, sizeof(*launch));
    if (!launch)
        return tk_fail(err, -ENOMEM, "run %s: out of memory", options->argv[0]);
    launch->signal_fd = -1;

    rc = take_signals(launch, err);
    if (rc < 0)
        goto fail;
    rc = fork_command(launch, &child, err);
    if (rc < 0)
        goto fail;
    *ret_launch = launch;
    return 0;

fail:
    tk_launch_free(launch);
    return rc;
}

/* Wait -------------------------------------------------------------------------- */

static int64_t timeval_ns(struct timeval t)
{
    return t.tv_sec * TK_NS_PER_S + t.tv_usec * TK_NS_PER_US;
}

static void add_usage(struct tk_launch_result *result, const struct rusage *usage)
{
    result->user_ns += timeval_ns(usage->ru_utime);
    result->system_ns += timeval_ns(usage->ru_stime);
    if (usage->ru_maxrss * 1024 > result->max_rss_bytes)
        result->max_rss_bytes = usage->ru_maxrss * 1024;
    result->rd_bytes += usage->ru_inblock * RUSAGE_BLOCK_BYTES;
    result->wr_bytes += usage->ru_oublock * RUSAGE_BLOCK_BYTES;
    result->minflt += usage->ru_minflt;
    result->majflt += usage->ru_majflt;
    result->nvcsw += usage->ru_nvcsw;
    result->nivcsw += usage->ru_nivcsw;
    result->reaped++;
}

/* Entries of /proc for count_family(). */
struct kin {
    pid_t pid;
    pid_t parent;
};

/* Parent of a process that is not dead, from the text of /proc/PID/stat; 0 = none. */
static pid_t parent_of(int procfd, const char *pid)
{
    char path[32];
    char buf[512];
    tk_str text;
    struct tk_err ignored;
    int n = snprintf(path, sizeof(path), "%s/stat", pid);
    if (n < 0 || (size_t)n >= sizeof(path) ||
        tk_file_read(procfd, path, buf, sizeof(buf), &text, &ignored) < 0)
        return 0;
    /* "PID (COMM) STATE PPID ...", where COMM may hold anything, also ")". */
    size_t name_end = tk_str_find_last(text, ')');
    text = (tk_str){text.p + name_end, text.n - name_end};
    tk_str state;
    uint64_t parent;
    if (!tk_str_take_prefix(&text, TK_STR(") ")) || !tk_str_take_word(&text, &state) ||
        !tk_str_take_prefix(&text, TK_STR(" ")) || !tk_scan_u64(&text, &parent))
        return 0;
    bool dead = tk_str_eq(state, TK_STR("Z")) || tk_str_eq(state, TK_STR("X"));
    return dead ? 0 : (pid_t)parent;
}

static void read_kin(DIR *proc, struct tk_buf *out)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): readdir() is safe on a DIR of one's own */
    for (struct dirent *entry = readdir(proc); entry; entry = readdir(proc)) {
        long pid = strtol(entry->d_name, NULL, 10);
        pid_t parent = pid > 0 ? parent_of(dirfd(proc), entry->d_name) : 0;
        if (parent > 0) {
            tk_buf_put(
                out, (tk_str){(const char *)&(struct kin){(pid_t)pid, parent}, sizeof(struct kin)});
        }
    }
}

/* Processes that descend from us. Parents mostly have the smaller pid, so that two passes do. */
static int64_t count_family(void)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    TK_CLEANUP(tk_buf_release) struct tk_buf list;
    TK_CLEANUP(tk_map_release) struct tk_map family = {0};
    tk_buf_init(&list, MAX_FAMILY_BYTES);
    read_kin(proc, &list);
    closedir(proc);

    const struct kin *kin = (const struct kin *)(const void *)list.p;
    size_t count = tk_buf_ok(&list) ? list.n / sizeof(*kin) : 0;
    uint32_t unused;
    size_t before;
    int failed = tk_map_add(&family, (uint64_t)getpid(), 0);
    do {
        before = family.count;
        for (size_t i = 0; i < count && failed == 0; i++) {
            if (tk_map_find(&family, (uint64_t)kin[i].parent, &unused))
                failed = tk_map_add(&family, (uint64_t)kin[i].pid, 0);
        }
    } while (family.count > before);
    return (int64_t)family.count - 1;
}

static bool has_children(void)
{
    siginfo_t info = {0};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void set_end(struct tk_launch *launch, int status)
{
    struct tk_launch_result *result = &launch->result;
    launch->ended = true;
    result->end_mono_ns = tk_clock_mono_ns();
    result->exit_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    result->exit_code = result->exit_signal ? 128 + result->exit_signal : WEXITSTATUS(status);
}

/* Reap what ended. Returns the signal with which the terminal stopped the command; 0 = none. */
static int reap(struct tk_launch *launch)
{
    int stop_signal = 0;
    for (;;) {
        int status;
        struct rusage usage;
        pid_t pid = wait4(-1, &status, WNOHANG | WUNTRACED | WCONTINUED, &usage);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid <= 0)
            return stop_signal;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            add_usage(&launch->result, &usage);
            if (pid == launch->pid)
                set_end(launch, status);
        } else if (pid == launch->pid) {
            launch->stopped = WIFSTOPPED(status);
            stop_signal = launch->stopped ? WSTOPSIG(status) : 0;
        }
    }
}

/* The command has ended. What closed its last pipe for it may be just about to end too: give that a
 * moment, then count what is left. */
static void settle(struct tk_launch *launch)
{
    int64_t deadline_ns = launch->result.end_mono_ns + GRACE_NS;
    struct pollfd fd = {.fd = launch->signal_fd, .events = POLLIN};
    while (has_children()) {
        int64_t left_ns = deadline_ns - tk_clock_mono_ns();
        if (left_ns <= 0) {
            launch->result.left = count_family();
            return;
        }
        (void)poll(&fd, 1, (int)(left_ns / TK_NS_PER_MS) + 1);
        (void)read_signals(launch);
        (void)reap(launch);
    }
}

int tk_launch_step(struct tk_launch *launch)
{
    bool was_ended = launch->ended;
    bool continued = read_signals(launch);
    int stop_signal = reap(launch);
    if (launch->ended) {
        if (!was_ended)
            settle(launch);
        return 1;
    }
    if (continued && launch->stopped) {
        (void)kill(launch->pid, SIGCONT);
    } else if (stop_signal == SIGTSTP || stop_signal == SIGTTIN || stop_signal == SIGTTOU) {
        stop_with(stop_signal);
    }
    return 0;
}

pid_t tk_launch_pid(const struct tk_launch *launch)
{
    return launch->pid;
}

int tk_launch_fd(const struct tk_launch *launch)
{
    return launch->signal_fd;
}

void tk_launch_read_result(const struct tk_launch *launch, struct tk_launch_result *ret_result)
{
    *ret_result = launch->result;
}

void tk_launch_free(struct tk_launch *launch)
{
    if (!launch)
        return;
    if (launch->signal_fd >= 0) {
        tk_fd_close(&launch->signal_fd);
        give_signals_back(launch);
        (void)prctl(PR_SET_CHILD_SUBREAPER, launch->was_subreaper);
    }
    free(launch);
}
