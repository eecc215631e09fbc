/* SPDX-License-Identifier: Apache-2.0 */
#include "step/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/number.h"
#include "step/session_internal.h"

#define SLOW_NS   TK_NS_PER_S
#define FAST_NS   (100 * TK_NS_PER_MS)
#define EAGER_NS  (5 * TK_NS_PER_S)
#define LONELY_NS ((int64_t)12 * 3600 * TK_NS_PER_S)

enum {
    OWNERS_MAX = 256,
};

/* The owner of an open step. */
struct owner {
    char span[TK_STEP_SPAN_MAX];
    int pidfd;
};

struct watch {
    struct tk_session *session;
    char place[PATH_MAX]; /* where the job was begun */
    struct tk_curve curve;
    struct tk_host_view view; /* the last reading */
    bool seen;
    off_t journal_bytes;
    int journal_fd; /* inotify: readable when the journal has grown */
    struct owner owners[OWNERS_MAX];
    size_t owner_count;
    int64_t eager_until_ns, busy_ns; /* CLOCK_BOOTTIME; the last at which a step was open */
};

/* Samples ---------------------------------------------------------------------------- */

/* Change of a counter per second; NaN when it is not known. */
static float rate(int64_t before, int64_t now, double seconds, double unit)
{
    if (before < 0 || now < before)
        return NAN;
    return (float)((double)(now - before) / unit / seconds);
}

static int64_t idle_of(const struct tk_host_cpu *cpu)
{
    return cpu->idle + cpu->iowait;
}

static int64_t sum_disks(const struct tk_host_view *view, bool writes)
{
    int64_t sectors = 0;
    for (size_t i = 0; i < view->disk_count; i++)
        sectors += writes ? view->disks[i].wr_sectors : view->disks[i].rd_sectors;
    return sectors;
}

static float free_mb(const char *path)
{
    struct statvfs fs;
    if (!path || statvfs(path, &fs) < 0)
        return NAN;
    return (float)((double)fs.f_bavail * (double)fs.f_frsize / TK_STEP_MB);
}

void tk_watch_sample(const struct tk_kernel *kernel, const struct tk_host_view *before,
                     const struct tk_host_view *now, const char *place, struct tk_sample *ret)
{
    const double sector_unit = TK_STEP_MB / 512;
    const double percent = 1e4; /* us per second, in % */
    double seconds = (double)(now->boot_ns - before->boot_ns) / (double)TK_NS_PER_S;
    float *values = ret->values;
    *ret = (struct tk_sample){.boot_ns = now->boot_ns};
    for (int i = 0; i < TK_CURVE_COLUMNS; i++)
        values[i] = NAN;
    if (now->cpu.user >= 0 && before->cpu.user >= 0 && now->cores > 0) {
        float idle =
            rate(idle_of(&before->cpu), idle_of(&now->cpu), seconds, (double)kernel->clk_tck);
        float busy = (float)now->cores - (isnan(idle) ? 0 : idle);
        values[TK_CURVE_CORES] = busy < 0 ? 0 : busy;
    }
    int64_t available = now->memory.available >= 0 ? now->memory.available : now->memory.free;
    if (now->memory.total >= 0) {
        values[TK_CURVE_MEM_MB] = (float)((double)(now->memory.total - available) / TK_STEP_MB);
        values[TK_CURVE_AVAILABLE_MB] = (float)((double)available / TK_STEP_MB);
    }
    values[TK_CURVE_READ_MBS] =
        rate(sum_disks(before, false), sum_disks(now, false), seconds, sector_unit);
    values[TK_CURVE_WRITE_MBS] =
        rate(sum_disks(before, true), sum_disks(now, true), seconds, sector_unit);
    values[TK_CURVE_RX_MBS] = rate(before->rx_bytes, now->rx_bytes, seconds, TK_STEP_MB);
    values[TK_CURVE_TX_MBS] = rate(before->tx_bytes, now->tx_bytes, seconds, TK_STEP_MB);
    values[TK_CURVE_PSI_CPU] =
        rate(before->pressure_cpu.some_us, now->pressure_cpu.some_us, seconds, percent);
    values[TK_CURVE_PSI_IO] =
        rate(before->pressure_io.some_us, now->pressure_io.some_us, seconds, percent);
    values[TK_CURVE_PSI_MEM] =
        rate(before->pressure_memory.some_us, now->pressure_memory.some_us, seconds, percent);
    values[TK_CURVE_LOAD1] = now->load1 < 0 ? NAN : (float)now->load1;
    values[TK_CURVE_FREE_MB] = fminf(free_mb("/"), free_mb(place));
}

static void sample(struct watch *watch)
{
    struct tk_sample sample;
    struct tk_host_view now;
    struct tk_err ignored;
    int job_fd = watch->session->state.job_fd;
    tk_host_viewer_read(watch->session->viewer, &now);
    if (watch->seen && now.boot_ns > watch->view.boot_ns) {
        tk_watch_sample(&watch->session->kernel, &watch->view, &now, watch->place, &sample);
        if (tk_curve_add(&watch->curve, &sample) == 0) {
            /* A full disk costs the curve, nothing else. */
            (void)!(watch->curve.merged ? tk_curve_write(job_fd, &watch->curve, &ignored)
                                        : tk_sample_append(job_fd, &sample, &ignored));
        }
    }
    watch->view = now;
    watch->seen = true;
}

/* Owners ----------------------------------------------------------------------------- */

/* `pidfd` is that of the owner, -1 when it ended unseen. */
static void tell_gone(struct watch *watch, const struct tk_step_span *span, int pidfd)
{
    struct tk_err ignored;
    struct tk_ending ending;
    const struct tk_step_record *start = span->start;
    tk_ending_read(&watch->session->kernel, pidfd, (pid_t)start->owner, start->owner_born, &ending);
    (void)!tk_session_tell_gone(watch->session, span, 0, &ending, &ignored);
}

static bool is_watched(const struct watch *watch, tk_str span)
{
    for (size_t i = 0; i < watch->owner_count; i++) {
        if (tk_str_eq(tk_str_from(watch->owners[i].span), span))
            return true;
    }
    return false;
}

static void add_owner(struct watch *watch, const struct tk_step_span *span)
{
    pid_t above;
    int64_t born;
    const struct tk_step_record *start = span->start;
    if (watch->owner_count == OWNERS_MAX || is_watched(watch, start->span))
        return;
    if (start->pid_ns != TK_JOB_NONE && start->pid_ns != watch->session->kernel.pid_ns)
        return; /* of another container, whose pids say nothing here: finalize closes the step */
    TK_CLEANUP(tk_fd_close) int fd = (int)syscall(SYS_pidfd_open, (pid_t)start->owner, 0);
    if (fd < 0 && errno != ESRCH)
        return; /* a kernel without them: finalize closes the step */
    if (fd < 0 ||
        !tk_step_process_read(&watch->session->kernel, (pid_t)start->owner, &above, &born) ||
        born != start->owner_born) {
        tell_gone(watch, span, -1);
        return;
    }
    struct owner *owner = &watch->owners[watch->owner_count];
    if (tk_str_to_cstr(start->span, owner->span, sizeof(owner->span))) {
        owner->pidfd = tk_fd_take(&fd);
        watch->owner_count++;
    }
}

static void drop_owner(struct watch *watch, size_t i)
{
    tk_fd_close(&watch->owners[i].pidfd);
    watch->owners[i] = watch->owners[--watch->owner_count];
}

/* Bring the owners up to date with the journal. */
static void follow(struct watch *watch)
{
    const struct tk_step_spans *spans = &watch->session->spans;
    for (size_t i = watch->owner_count; i-- > 0;) {
        const struct tk_step_span *span =
            tk_step_spans_get(spans, tk_str_from(watch->owners[i].span));
        if (!span || span->end || span->gone)
            drop_owner(watch, i);
    }
    for (size_t i = 0; i < spans->count; i++) {
        const struct tk_step_span *span = &spans->items[i];
        if (span->end)
            continue;
        watch->busy_ns = tk_clock_boot_ns();
        if (span->start->boot_ns + EAGER_NS > watch->eager_until_ns)
            watch->eager_until_ns = span->start->boot_ns + EAGER_NS;
        if (!span->gone && span->start->owner != TK_JOB_NONE)
            add_owner(watch, span);
    }
}

/* True when the owner of a step ended. */
static void check_owners(struct watch *watch, const struct pollfd *fds)
{
    for (size_t i = watch->owner_count; i-- > 0;) {
        if (!(fds[i].revents & POLLIN))
            continue;
        const struct tk_step_span *span =
            tk_step_spans_get(&watch->session->spans, tk_str_from(watch->owners[i].span));
        if (span)
            tell_gone(watch, span, watch->owners[i].pidfd);
        drop_owner(watch, i);
    }
}

/* Which process it is ---------------------------------------------------------------- */

#define NAME "watcher" /* in the folder of the job: "PID BORN" */

static void tell_pid(const struct tk_session *session)
{
    char text[48];
    pid_t above;
    int64_t born;
    struct tk_err ignored;
    if (!tk_step_process_read(&session->kernel, getpid(), &above, &born))
        return;
    int n = snprintf(text, sizeof(text), "%d %lld", (int)getpid(), (long long)born);
    (void)!tk_file_refresh(session->state.job_fd, NAME, (tk_str){text, (size_t)n}, 0600, &ignored);
}

static bool find_pid(const struct tk_kernel *kernel, int job_fd, pid_t *ret)
{
    char buf[64];
    tk_str text;
    int64_t pid, born, now_born;
    pid_t above;
    struct tk_err ignored;
    if (tk_file_read(job_fd, NAME, buf, sizeof(buf), &text, &ignored) < 0 ||
        !tk_scan_i64(&text, &pid) || !tk_str_take_prefix(&text, TK_STR(" ")) ||
        !tk_parse_i64(text, &born) || !tk_step_process_read(kernel, (pid_t)pid, &above, &now_born))
        return false;
    *ret = (pid_t)pid;
    return born == now_born;
}

double tk_watch_cpu_ms(const struct tk_kernel *kernel, int job_fd)
{
    char path[48];
    char buf[128];
    tk_str text;
    int64_t cpu_ns;
    pid_t pid;
    struct tk_err ignored;
    if (!find_pid(kernel, job_fd, &pid))
        return (double)NAN;
    (void)snprintf(path, sizeof(path), "%d/schedstat", (int)pid);
    if (tk_file_read(kernel->procfd, path, buf, sizeof(buf), &text, &ignored) < 0 ||
        !tk_scan_i64(&text, &cpu_ns))
        return (double)NAN;
    return (double)cpu_ns / 1e6;
}

/* The loop --------------------------------------------------------------------------- */

/* False when there is nothing to watch any more. */
static bool read_journal(struct watch *watch)
{
    struct stat st;
    struct tk_err ignored;
    struct tk_session *session = watch->session;
    if (fstatat(session->state.job_fd, TK_JOURNAL_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    if (st.st_size == watch->journal_bytes)
        return true;
    watch->journal_bytes = st.st_size;
    tk_arena_reset(&session->arena);
    if (tk_session_find(session, &ignored) < 0)
        return false;
    follow(watch);
    return true;
}

/* A step that begins is sampled from its beginning. -1 where there is no inotify: it is then
 * noticed with the next sample. */
static int open_notices(const struct watch *watch)
{
    char path[64];
    TK_CLEANUP(tk_fd_close) int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/" TK_JOURNAL_NAME,
                   watch->session->state.job_fd);
    if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY | IN_ATTRIB) < 0)
        return -1;
    return tk_fd_take(&fd);
}

static void take_notices(const struct watch *watch)
{
    char events[4096];
    while (read(watch->journal_fd, events, sizeof(events)) > 0)
        continue;
}

static int64_t wait_ms(const struct watch *watch, int64_t tick_ns)
{
    int64_t now_ns = tk_clock_boot_ns();
    int64_t period_ns = now_ns < watch->eager_until_ns ? FAST_NS : SLOW_NS;
    int64_t left_ns = tick_ns + period_ns - now_ns;
    return left_ns <= 0 ? 0 : left_ns / TK_NS_PER_MS + 1;
}

static void run(struct watch *watch)
{
    struct pollfd fds[OWNERS_MAX + 1];
    int64_t tick_ns = 0;
    watch->busy_ns = tk_clock_boot_ns();
    watch->journal_fd = open_notices(watch);
    while (read_journal(watch) && tk_clock_boot_ns() - watch->busy_ns < LONELY_NS) {
        if (wait_ms(watch, tick_ns) == 0) {
            tick_ns = tk_clock_boot_ns();
            sample(watch);
        }
        size_t count = watch->owner_count;
        for (size_t i = 0; i < count; i++)
            fds[i] = (struct pollfd){.fd = watch->owners[i].pidfd, .events = POLLIN};
        fds[count] = (struct pollfd){.fd = watch->journal_fd, .events = POLLIN};
        if (poll(fds, count + 1, (int)wait_ms(watch, tick_ns)) > 0) {
            if (fds[count].revents & POLLIN)
                take_notices(watch);
            check_owners(watch, fds);
        }
    }
    tk_fd_close(&watch->journal_fd);
    tk_curve_release(&watch->curve);
}

/* Let go of everything that the starter gave us. */
static bool leave_starter(void)
{
    TK_CLEANUP(tk_fd_close) int null = open("/dev/null", O_RDWR);
    if (setsid() < 0 || null < 0)
        return false;
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (dup2(null, fd) < 0)
            return false;
    }
    if (null <= STDERR_FILENO)
        (void)tk_fd_take(&null);
    (void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
    (void)prctl(PR_SET_NAME, "tracekit-watch");
    (void)signal(SIGHUP, SIG_IGN);
    return chdir("/") == 0;
}

static void be_watcher(const char *job)
{
    struct watch watch = {.seen = false};
    char folder[PATH_MAX];
    const struct tk_state_options options = {.folder = folder, .job = job};
    struct tk_err ignored;
    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(job, '/') - job), job);
    if (!getcwd(watch.place, sizeof(watch.place)))
        watch.place[0] = '\0';
    if (!leave_starter())
        return;
    if (tk_session_open(&options, &watch.session, &ignored) < 0)
        return;
    if (tk_session_find(watch.session, &ignored) == 0) {
        tell_pid(watch.session);
        run(&watch);
    }
    tk_session_free(watch.session);
}

int tk_watch_start(struct tk_session *session, struct tk_err *err)
{
    const char *job = tk_session_path(session);
    pid_t pid = fork();
    if (pid < 0)
        return tk_fail_errno(err, "fork");
    if (pid == 0) {
        be_watcher(job);
        _exit(0);
    }
    return 0;
}
