/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, on request (collector.md section 3): a row of each that ran, of processes that have
 * several. All have one at the first tick and at the last.
 *
 *   B2, B1   the walk tells of those that moved (bpf/tasks.bpf.c)
 *   P, P0    of a process that ran, PID/task is listed; schedstat of each thread says how long it
 *            ran, to the ns, and stat the rest of those that moved: 3 system calls a thread, and 3
 *            more for a row
 *
 * What the last row said is kept (procs_thread_set.h): who moved is told by it in tiers P and P0,
 * and user and system time must not step back. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "collect/procs_internal.h"

#define THREAD_QUOTA 1000 /* threads per tick of which schedstat is read */

/* Keeping -------------------------------------------------------------------------------- */

static bool is_alive(void *context, const struct tk_thread *thread)
{
    struct tk_procs *procs = context;
    char path[2 * TK_I64_MAX + 8];
    (void)snprintf(path, sizeof(path), "%d/task/%d", (int)thread->pid, (int)thread->tid);
    procs->syscalls++;
    return faccessat(procs->kernel->procfd, path, F_OK, 0) == 0;
}

/* What is known of a thread of process `i`; of one that has the id of another, nothing. NULL when
 * there is no memory. */
static struct tk_thread *keep(struct tk_procs *procs, uint32_t i, pid_t tid, int64_t start_ticks)
{
    struct tk_thread *thread = tk_thread_set_add(&procs->threads.set, tid, is_alive, procs);
    if (!thread)
        return NULL;
    pid_t pid = procs->set.clocks[i].pid;
    if (thread->pid != pid || thread->start_ticks != start_ticks)
        *thread = (struct tk_thread){.tid = tid, .pid = pid, .start_ticks = start_ticks};
    return thread;
}

/* Tiers B2 and B1 ------------------------------------------------------------------------ */

/* The sampled process that a thread belongs to. */
static uint32_t find_process(const struct tk_procs *procs, const struct tk_bpf_thread *told)
{
    uint32_t i = tk_proc_set_find(&procs->set, told->pid);
    if (i == TK_PROC_NONE ||
        (procs->set.clocks[i].flags & (TK_PROC_MEMBER | TK_PROC_GONE)) != TK_PROC_MEMBER ||
        procs->set.facts[i].start_ticks !=
            tk_procs_ticks_since_boot(procs, told->process_start_boot_ns))
        return TK_PROC_NONE;
    return i;
}

/* Totals never go back: in exact mode the credit of a thread on a CPU is computed. */
static void account(struct tk_thread *thread, const struct tk_bpf_thread *told)
{
    struct tk_cpu_split said = {(int64_t)told->prev_utime_ns, (int64_t)told->prev_stime_ns};
    if ((int64_t)told->runtime_ns > thread->cpu_ns)
        thread->cpu_ns = (int64_t)told->runtime_ns;
    if (thread->said.user_ns + thread->said.system_ns > said.user_ns + said.system_ns)
        said = thread->said;
    tk_cpu_split_scale(&said, thread->cpu_ns, told->utime_ns, told->stime_ns);
    thread->said = said;
}

static void take_thread(struct tk_procs *procs, struct tk_rows *rows,
                        const struct tk_bpf_thread *told)
{
    uint32_t i = find_process(procs, told);
    if (i == TK_PROC_NONE)
        return;
    int64_t start_ticks = tk_procs_ticks_since_boot(procs, told->start_boot_ns);
    struct tk_thread *thread = keep(procs, i, told->tid, start_ticks);
    if (!thread) {
        procs->threads.left_out++;
        return;
    }
    account(thread, told);
    struct tk_thread_reading reading = {
        .tid = told->tid,
        .start_ticks = start_ticks,
        .state = tk_procs_state_letter(told->state, told->exit_state),
        .cpu_ns = thread->cpu_ns,
        .utime_ns = thread->said.user_ns,
        .stime_ns = thread->said.system_ns,
        .minflt = (int64_t)told->minflt,
        .majflt = (int64_t)told->majflt,
        .nvcsw = (int64_t)told->nvcsw,
        .nivcsw = (int64_t)told->nivcsw,
        .run_delay_ns = (int64_t)told->run_delay_ns,
    };
    memcpy(reading.comm, told->comm, sizeof(reading.comm));
    tk_procs_put_thread(procs, rows, i, &reading, procs->sweep_start_ns);
}

void tk_procs_take_threads(struct tk_procs *procs, struct tk_rows *rows, const struct tk_walk *walk)
{
    for (uint32_t r = 0; r < walk->thread_count; r++)
        take_thread(procs, rows, &walk->threads[r]);
    procs->threads.left_out += walk->threads_left_out;
}

/* Tiers P and P0 ------------------------------------------------------------------------- */

/* A process whose threads are being read. */
struct reader {
    struct tk_procs *procs;
    struct tk_rows *rows;
    uint32_t i;
    int task_fd;
    int64_t stamp_ns;
    uint32_t skip; /* threads that the tick before has read */
    uint32_t met;
    uint32_t quota;  /* that is left */
    uint32_t unread; /* threads that it was not enough for */
};

static int read_stat(const struct reader *reader, pid_t tid, struct tk_pid_stat *ret_stat)
{
    tk_str text;
    int rc =
        tk_proc_files_read_thread(&reader->procs->files, reader->task_fd, tid, TK_FILE_STAT, &text);
    return rc < 0 ? rc : tk_pid_stat_parse(text, ret_stat);
}

/* -1 in both where this kernel does not tell, or the thread has gone. */
static struct tk_pid_schedstat read_schedstat(const struct reader *reader, pid_t tid)
{
    tk_str text;
    struct tk_pid_schedstat schedstat;
    bool is_told = tk_proc_files_read_thread(&reader->procs->files, reader->task_fd, tid,
                                             TK_FILE_SCHEDSTAT, &text) == 0 &&
                   tk_pid_schedstat_parse(text, &schedstat) == 0;
    return is_told ? schedstat : (struct tk_pid_schedstat){-1, -1};
}

static void put_thread(const struct reader *reader, pid_t tid, const struct tk_pid_stat *stat,
                       const struct tk_pid_schedstat *schedstat)
{
    int64_t tick_ns = TK_NS_PER_S / reader->procs->kernel->clk_tck;
    struct tk_thread_reading reading = {
        .tid = tid,
        .start_ticks = stat->start_ticks,
        .state = stat->state,
        .cpu_ns = schedstat->run_ns,
        .utime_ns = stat->utime_ticks * tick_ns,
        .stime_ns = stat->stime_ticks * tick_ns,
        .minflt = stat->minflt,
        .majflt = stat->majflt,
        .nvcsw = -1,
        .nivcsw = -1,
        .run_delay_ns = schedstat->run_delay_ns,
    };
    memcpy(reading.comm, stat->comm, sizeof(reading.comm));
    tk_procs_put_thread(reader->procs, reader->rows, reader->i, &reading, reader->stamp_ns);
}

/* Without schedstat the ticks of stat are the clock. */
static void read_thread(struct reader *reader, pid_t tid)
{
    struct tk_procs *procs = reader->procs;
    struct tk_pid_stat stat;
    struct tk_pid_schedstat schedstat = read_schedstat(reader, tid);
    const struct tk_thread *known = tk_thread_set_find(&procs->threads.set, tid);
    bool is_known = known && known->pid == procs->set.clocks[reader->i].pid && !procs->all;
    if (is_known && schedstat.run_ns >= 0 && schedstat.run_ns == known->cpu_ns)
        return;
    if (read_stat(reader, tid, &stat) < 0)
        return;
    int64_t cpu_ns = schedstat.run_ns;
    if (cpu_ns < 0) {
        cpu_ns = (stat.utime_ticks + stat.stime_ticks) * (TK_NS_PER_S / procs->kernel->clk_tck);
    }
    if (is_known && cpu_ns == known->cpu_ns && stat.start_ticks == known->start_ticks)
        return;
    struct tk_thread *thread = keep(procs, reader->i, tid, stat.start_ticks);
    if (!thread) {
        procs->threads.left_out++;
        return;
    }
    thread->cpu_ns = cpu_ns;
    put_thread(reader, tid, &stat, &schedstat);
}

static void visit_thread(void *context, pid_t tid)
{
    struct reader *reader = context;
    reader->met++;
    if (reader->met <= reader->skip)
        return;
    if (reader->quota == 0) {
        reader->unread++;
        return;
    }
    reader->quota--;
    read_thread(reader, tid);
}

/* Where the next tick goes on, and whether the process has been read in full since it ran: when it
 * ran while it was read in parts, the first of them are behind. */
static void note_progress(const struct reader *reader, bool ran)
{
    struct tk_procs_threads *threads = &reader->procs->threads;
    bool is_whole = reader->unread == 0;
    threads->left_out += reader->unread;
    threads->next = is_whole ? reader->i + 1 : reader->i;
    threads->resume_pid = is_whole ? 0 : reader->procs->set.clocks[reader->i].pid;
    threads->resume_at = is_whole ? 0 : reader->met - reader->unread;
    if (is_whole && (reader->skip == 0 || !ran))
        reader->procs->set.clocks[reader->i].flags &= ~(uint32_t)TK_PROC_THREADS_DUE;
}

/* Returns what is left of the quota. */
static uint32_t read_process(struct tk_procs *procs, struct tk_rows *rows,
                             const struct tk_touched *touched, uint32_t quota)
{
    char path[TK_I64_MAX + 8];
    pid_t pid = procs->set.clocks[touched->i].pid;
    struct reader reader = {
        .procs = procs,
        .rows = rows,
        .i = touched->i,
        .stamp_ns = procs->kernel->mono_ns(procs->kernel->world),
        .skip = procs->threads.resume_pid == pid ? procs->threads.resume_at : 0,
        .quota = quota,
    };
    memcpy(path + tk_i64_format(pid, path), "/task", 6);
    procs->syscalls += 2;
    TK_CLEANUP(tk_fd_close)
    int fd = openat(procs->kernel->procfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    reader.task_fd = fd;
    if (fd >= 0)
        tk_procs_each_number(procs, fd, visit_thread, &reader);
    note_progress(&reader, touched->ran);
    return reader.quota;
}

/* Whether the threads of a touched process are to be read in this tick. */
static bool is_due(struct tk_procs *procs, const struct tk_touched *touched)
{
    uint32_t *flags = &procs->set.clocks[touched->i].flags;
    if (touched->ran)
        *flags |= TK_PROC_THREADS_DUE;
    if (procs->set.facts[touched->i].threads <= 1)
        *flags &= ~(uint32_t)TK_PROC_THREADS_DUE;
    return touched->cpu_ns >= 0 && procs->set.facts[touched->i].threads > 1 &&
           ((*flags & TK_PROC_THREADS_DUE) || procs->all);
}

void tk_procs_read_threads(struct tk_procs *procs, struct tk_rows *rows)
{
    bool is_last = procs->all && !procs->options.every_tick;
    uint32_t quota = procs->tick == 1 || is_last ? UINT32_MAX : THREAD_QUOTA;
    uint32_t from = 0;
    if (quota == UINT32_MAX)
        procs->threads.resume_pid = 0; /* all, from the first on */
    while (from < procs->touched_count && procs->touched[from].i < procs->threads.next)
        from++;
    for (uint32_t n = 0; n < procs->touched_count; n++) {
        const struct tk_touched *touched = &procs->touched[(from + n) % procs->touched_count];
        if (!is_due(procs, touched))
            continue;
        if (quota > 0) {
            quota = read_process(procs, rows, touched, quota);
        } else {
            procs->threads.left_out += procs->set.facts[touched->i].threads;
        }
    }
}
