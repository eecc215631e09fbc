/* SPDX-License-Identifier: Apache-2.0 */
/* The tick over all processes: the hot path (collector.md sections 2.1 and 4).
 *
 *   clocks[0..count)  cpu_ns, pid, flags          16 bytes each, one after the other
 *        |  clock_gettime(clock of pid)           all members: 1 system call, no text
 *        v
 *   touched[]         those that ran, and those idle ones whose turn it is
 *        |  rows of pauses that end now           stamped with the end of the last sweep
 *        |  statm (kept open)                     of all touched; unless it moves, after 1 s again
 *        |  stat, io (kept open)                  of at most DETAIL_QUOTA, who waits longest first;
 *        |                                        io likewise
 *        |  status or schedstat, open files       of those that ran, once in 10 s each
 *        |  task (procs_threads.c)                of those that ran, on request
 *        v
 *   rows, in the order of their stamps
 *
 * The clocks are read in one go, so that a sweep is a snapshot as near as /proc allows; files come
 * after. Nothing is allocated, printed or compared by name here. System calls: one per member, 3
 * per process that ran (6 in its turn, once in 10 s), 3.5 on average per idle one whose turn it is
 * (statm, and cgroup each sixth time), and 4 of its own.
 *
 * bench/RESULTS.md, section "procs", has the cost.
 */
#include <errno.h>

#include "base/clock.h"
#include "collect/procs_internal.h"

#define DETAIL_QUOTA 200         /* processes per tick whose stat and io are read */
#define GROUP_TURNS  6           /* ... and its control group is read once in so many */
#define STILL_AGE    (1100 / 16) /* in 16 ms: what does not move waits so long; below 2 ticks */
#define STAMP_EVERY  32          /* idle processes that share one reading of the monotonic clock */

static int64_t now_ns(const struct tk_procs *procs)
{
    return procs->kernel->mono_ns(procs->kernel->world);
}

static struct tk_touched to_touched(const struct tk_procs *procs, uint32_t i, int64_t cpu_ns,
                                    int64_t stamp_ns)
{
    int64_t after_us = (stamp_ns - procs->sweep_start_ns) / TK_NS_PER_US;
    return (struct tk_touched){
        .cpu_ns = cpu_ns,
        .after_us = after_us < UINT32_MAX ? (uint32_t)after_us : UINT32_MAX,
        .i = i & TK_PROC_INDEX_MAX,
        .ran = cpu_ns >= 0 && cpu_ns != procs->set.clocks[i].cpu_ns,
    };
}

static int64_t stamp_of(const struct tk_procs *procs, const struct tk_touched *touched)
{
    return procs->sweep_start_ns + touched->after_us * TK_NS_PER_US;
}

/* Turns -------------------------------------------------------------------------------- */

/* A window of the circle of all turns, in 2^32 parts. */
struct turn {
    uint32_t from, width;
};

/* The window between the last sweep and this one. */
static struct turn next_turn(struct tk_procs *procs, int64_t start_ns)
{
    struct turn turn = {.from = procs->turn_at, .width = UINT32_MAX};
    int64_t dt_ns = start_ns - procs->sweep_end_ns;
    int64_t turn_ns = tk_procs_turn_ns(procs);
    if (procs->sweep_end_ns != 0 && dt_ns < turn_ns)
        turn.width = (uint32_t)((double)dt_ns / (double)turn_ns * UINT32_MAX);
    procs->turn_at += turn.width;
    procs->turns += procs->turn_at < turn.from;
    return turn;
}

/* Reading all -------------------------------------------------------------------------- */

/* Members that are not known to be gone are read; where a walk reads them, those that it misses. */
static bool is_read(const struct tk_procs *procs, const struct tk_proc_clock *clock)
{
    uint32_t wanted = TK_PROC_MEMBER | (tk_procs_has_walk(procs) ? TK_PROC_UNMET : 0U);
    return (clock->flags & (wanted | TK_PROC_GONE)) == wanted;
}

/* Take a process into the list, or let it rest when nothing is to be said of it. */
static void touch_unless_idle(struct tk_procs *procs, struct tk_touched touched, struct turn turn)
{
    const struct tk_proc_clock *clock = &procs->set.clocks[touched.i];
    touched.due = tk_bpf_in_turn((uint32_t)clock->pid, turn.from, turn.width) != 0;
    bool busy = touched.ran || touched.due || procs->all || touched.cpu_ns < 0 ||
                (clock->flags & (TK_PROC_FRESH | TK_PROC_WAITING | TK_PROC_THREADS_DUE));
    if (busy)
        procs->touched[procs->touched_count++] = touched;
}

/* Tier P: the clock of each member. */
static void read_clocks(struct tk_procs *procs, struct turn turn)
{
    const struct tk_kernel *kernel = procs->kernel;
    int64_t stamp_ns = 0;
    uint32_t stamped = STAMP_EVERY; /* processes since the stamp */
    for (uint32_t i = 0; i < procs->set.count; i++) {
        const struct tk_proc_clock *clock = &procs->set.clocks[i];
        if (!is_read(procs, clock))
            continue;
        int64_t cpu_ns;
        procs->syscalls++;
        if (kernel->cpu_clock(kernel->world, clock->pid, &cpu_ns) < 0)
            cpu_ns = -1;
        if (cpu_ns != clock->cpu_ns || ++stamped >= STAMP_EVERY) {
            stamp_ns = kernel->mono_ns(kernel->world);
            stamped = 0;
        }
        touch_unless_idle(procs, to_touched(procs, i, cpu_ns, stamp_ns), turn);
    }
}

/* Stat of one process as its clock: CPU time in ns, -1 when it is gone. One that may not be read
 * rests. */
static int64_t read_stat_clock(struct tk_procs *procs, uint32_t i, struct tk_pid_stat *ret_stat)
{
    const struct tk_proc_clock *clock = &procs->set.clocks[i];
    int rc = tk_procs_read_stat(procs, clock->pid, ret_stat);
    if (rc == -ESRCH || (rc == 0 && ret_stat->start_ticks != procs->set.facts[i].start_ticks))
        return -1;
    if (rc < 0)
        return clock->cpu_ns;
    return (ret_stat->utime_ticks + ret_stat->stime_ticks) * (TK_NS_PER_S / procs->kernel->clk_tck);
}

/* Tier P0: stat of each member. What it says is taken over at once, so a pause is ended here. */
static void read_stats(struct tk_procs *procs, struct tk_rows *rows, struct turn turn)
{
    for (uint32_t i = 0; i < procs->set.count; i++) {
        const struct tk_proc_clock *clock = &procs->set.clocks[i];
        if (!is_read(procs, clock))
            continue;
        struct tk_pid_stat stat = {.pid = 0};
        int64_t cpu_ns = read_stat_clock(procs, i, &stat);
        if (cpu_ns >= 0 && cpu_ns != clock->cpu_ns)
            tk_procs_put_pause(procs, rows, i);
        if (cpu_ns >= 0 && stat.pid != 0)
            tk_procs_apply_stat(procs, i, &stat);
        touch_unless_idle(procs, to_touched(procs, i, cpu_ns, now_ns(procs)), turn);
    }
}

/* Files of the touched ------------------------------------------------------------------ */

/* A reading is below the one before: another process has the pid, or the scheduler's books were
 * being put right. Stat tells. */
static bool went_back(const struct tk_procs *procs, const struct tk_touched *touched)
{
    return touched->cpu_ns >= 0 && touched->cpu_ns < procs->set.clocks[touched->i].cpu_ns;
}

/* Where a walk tells of all others, those that it misses have their clocks read at each tick, and
 * their files in their turn: a tick is to cost few system calls there, whoever runs. */
static bool wants_files(const struct tk_procs *procs, const struct tk_touched *touched)
{
    return !tk_procs_has_walk(procs) || touched->due || procs->all ||
           (procs->set.clocks[touched->i].flags & TK_PROC_FRESH);
}

static bool wants_detail(const struct tk_procs *procs, const struct tk_touched *touched)
{
    bool is_behind = touched->ran || (procs->set.clocks[touched->i].flags & TK_PROC_WAITING);
    return touched->cpu_ns >= 0 && is_behind && wants_files(procs, touched);
}

/* Give the quota to those after whom it ended last time, in turn. */
static void share_quota(struct tk_procs *procs)
{
    uint32_t wanted = 0;
    for (uint32_t t = 0; t < procs->touched_count; t++) {
        procs->ran += procs->touched[t].ran;
        wanted += wants_detail(procs, &procs->touched[t]);
        procs->touched[t].detail = went_back(procs, &procs->touched[t]);
    }
    uint32_t left = procs->tick == 1 ? UINT32_MAX : DETAIL_QUOTA; /* at the start everybody */
    uint32_t from = 0;
    while (wanted > left && from < procs->touched_count &&
           procs->touched[from].i < procs->quota_next)
        from++;
    for (uint32_t n = 0; n < procs->touched_count && left > 0; n++) {
        struct tk_touched *touched = &procs->touched[(from + n) % procs->touched_count];
        if (!wants_detail(procs, touched))
            continue;
        touched->detail = true;
        procs->quota_next = touched->i + 1;
        left--;
    }
    procs->detail_ticks = (wanted + DETAIL_QUOTA - 1) / DETAIL_QUOTA;
}

static int read_file(struct tk_procs *procs, uint32_t i, enum tk_proc_file file, enum tk_keep keep,
                     tk_str *ret_text)
{
    return tk_proc_files_read(&procs->files, procs->set.clocks[i].pid, &procs->set.facts[i].files,
                              file, keep, ret_text);
}

/* What had not moved when it was read, less than a second ago, may wait. */
static bool may_wait(const struct tk_procs *procs, const struct tk_touched *touched, uint32_t moves,
                     uint16_t read_age)
{
    uint32_t flags = procs->set.clocks[touched->i].flags;
    return touched->ran && !procs->all && !(flags & (moves | TK_PROC_FRESH)) &&
           (uint16_t)(tk_procs_age(stamp_of(procs, touched)) - read_age) < STILL_AGE;
}

static void set_flag(struct tk_proc_clock *clock, uint32_t flag, bool on)
{
    clock->flags = on ? clock->flags | flag : clock->flags & ~flag;
}

static int read_rss(struct tk_procs *procs, const struct tk_touched *touched, enum tk_keep keep)
{
    tk_str text;
    int64_t pages;
    struct tk_proc_facts *facts = &procs->set.facts[touched->i];
    if (may_wait(procs, touched, TK_PROC_RSS_MOVES, facts->rss_age))
        return 0;
    int rc = read_file(procs, touched->i, TK_FILE_STATM, keep, &text);
    if (rc < 0 || tk_pid_statm_parse(text, &pages) < 0)
        return rc;
    int32_t rss_pages = pages < INT32_MAX ? (int32_t)pages : INT32_MAX;
    set_flag(&procs->set.clocks[touched->i], TK_PROC_RSS_MOVES, rss_pages != facts->rss_pages);
    facts->rss_pages = rss_pages;
    facts->rss_age = tk_procs_age(stamp_of(procs, touched));
    return 0;
}

static void take_io(struct tk_procs *procs, const struct tk_touched *touched,
                    const struct tk_pid_io *io)
{
    struct tk_proc_facts *facts = &procs->set.facts[touched->i];
    bool moves = io->rd_bytes != facts->rd_bytes || io->wr_bytes != facts->wr_bytes;
    set_flag(&procs->set.clocks[touched->i], TK_PROC_IO_MOVES, moves);
    facts->rd_bytes = io->rd_bytes;
    facts->wr_bytes = io->wr_bytes;
    facts->io_age = tk_procs_age(stamp_of(procs, touched));
}

static void read_io(struct tk_procs *procs, const struct tk_touched *touched, enum tk_keep keep)
{
    tk_str text;
    struct tk_pid_io io;
    struct tk_proc_clock *clock = &procs->set.clocks[touched->i];
    if (clock->flags & TK_PROC_NO_IO)
        return;
    bool waits = may_wait(procs, touched, TK_PROC_IO_MOVES, procs->set.facts[touched->i].io_age);
    set_flag(clock, TK_PROC_IO_DUE, waits);
    if (waits)
        return;
    int rc = read_file(procs, touched->i, TK_FILE_IO, keep, &text);
    if (rc == -EACCES) {
        clock->flags |= TK_PROC_NO_IO;
        procs->unreadable++;
    } else if (rc == 0 && tk_pid_io_parse(text, &io) == 0) {
        take_io(procs, touched, &io);
    }
}

/* Stat and io. False when the pid has gone, or gone to another process. */
static bool read_detail(struct tk_procs *procs, const struct tk_touched *touched)
{
    uint32_t i = touched->i;
    enum tk_keep keep = procs->tier != TK_TIER_P0 ? TK_KEEP : TK_KEEP_NOT;
    if (keep == TK_KEEP) {
        tk_str text;
        struct tk_pid_stat stat;
        int64_t start_ticks = procs->set.facts[i].start_ticks;
        int rc = read_file(procs, i, TK_FILE_STAT, keep, &text);
        if (rc == 0)
            rc = tk_pid_stat_parse(text, &stat);
        if (rc == -ESRCH || (rc == 0 && start_ticks >= 0 && stat.start_ticks != start_ticks))
            return false;
        if (rc == 0)
            tk_procs_apply_stat(procs, i, &stat);
    }
    read_io(procs, touched, keep);
    procs->set.clocks[i].flags &= ~(uint32_t)TK_PROC_WAITING;
    return true;
}

/* Switches and run delay, by turns. /proc tells them of the main thread only. */
static void read_waits(struct tk_procs *procs, uint32_t i)
{
    tk_str text;
    struct tk_pid_status status;
    struct tk_pid_schedstat schedstat;
    struct tk_proc_clock *clock = &procs->set.clocks[i];
    struct tk_proc_facts *facts = &procs->set.facts[i];
    bool switches = (procs->turns + (uint32_t)clock->pid) % 2 == 0;
    clock->flags &= ~(uint32_t)TK_PROC_BEHIND;
    if (facts->threads != 1)
        return;
    if (switches && read_file(procs, i, TK_FILE_STATUS, TK_KEEP_NOT, &text) == 0 &&
        tk_pid_status_parse(text, &status) == 0) {
        facts->nvcsw = status.nvcsw;
        facts->nivcsw = status.nivcsw;
    } else if (!switches && read_file(procs, i, TK_FILE_SCHEDSTAT, TK_KEEP_NOT, &text) == 0 &&
               tk_pid_schedstat_parse(text, &schedstat) == 0) {
        facts->run_delay_ns = schedstat.run_delay_ns;
    }
}

/* What is read once in a while, or once. */
static void read_slow(struct tk_procs *procs, const struct tk_touched *touched)
{
    const struct tk_proc_clock *clock = &procs->set.clocks[touched->i];
    uint32_t turn = procs->turns + (uint32_t)clock->pid;
    bool behind = touched->due && (clock->flags & TK_PROC_BEHIND);
    if (clock->flags & TK_PROC_FRESH)
        tk_procs_read_uid(procs, touched->i);
    if (behind || (clock->flags & TK_PROC_FRESH))
        tk_procs_read_fds(procs, touched->i);
    if (touched->due &&
        (procs->set.facts[touched->i].fd_limit == 0 || (behind && turn % GROUP_TURNS == 0)))
        tk_procs_read_limits(procs, touched->i);
    if ((clock->flags & TK_PROC_REGROUP) || (touched->due && turn % GROUP_TURNS == 0))
        tk_procs_read_group(procs, touched->i);
    if (behind)
        read_waits(procs, touched->i);
    if (touched->due && !touched->ran && (clock->flags & TK_PROC_IO_DUE))
        read_io(procs, touched, TK_KEEP_NOT);
}

/* Read what a touched process asks for. False when it is gone. */
static bool refresh(struct tk_procs *procs, const struct tk_touched *touched)
{
    struct tk_proc_clock *clock = &procs->set.clocks[touched->i];
    if (touched->ran)
        clock->flags |= TK_PROC_WAITING | TK_PROC_BEHIND;
    enum tk_keep keep = procs->tier == TK_TIER_P0    ? TK_KEEP_NOT
                        : touched->ran || procs->all ? TK_KEEP
                                                     : TK_KEEP_IF_ROOM;
    if (wants_files(procs, touched) && read_rss(procs, touched, keep) == -ESRCH)
        return false;
    if (touched->detail && !read_detail(procs, touched))
        return false;
    read_slow(procs, touched);
    if (procs->options.refresh && !(clock->flags & TK_PROC_JUDGED))
        tk_procs_judge(procs, touched->i);
    return true;
}

/* Rows --------------------------------------------------------------------------------- */

static void put_pauses(struct tk_procs *procs, struct tk_rows *rows)
{
    for (uint32_t t = 0; t < procs->touched_count; t++) {
        if (procs->touched[t].ran)
            tk_procs_put_pause(procs, rows, procs->touched[t].i);
    }
}

void tk_procs_take_reading(struct tk_procs *procs, uint32_t i, int64_t cpu_ns)
{
    struct tk_proc_clock *clock = &procs->set.clocks[i];
    struct tk_proc_facts *facts = &procs->set.facts[i];
    bool counts = !(clock->flags & TK_PROC_FRESH) || (clock->flags & TK_PROC_BORN);
    int64_t delta_us = counts ? (cpu_ns - clock->cpu_ns) / TK_NS_PER_US : 0;
    facts->delta_us = delta_us < UINT32_MAX ? (uint32_t)delta_us : UINT32_MAX;
    facts->row_tick = procs->tick;
    clock->cpu_ns = cpu_ns;
    if (clock->flags & TK_PROC_FRESH)
        tk_procs_await_context(procs, i);
    clock->flags &= ~(uint32_t)TK_PROC_FRESH;
}

/* One touched process. False when it is gone. */
static bool sample(struct tk_procs *procs, struct tk_rows *rows, const struct tk_touched *touched)
{
    struct tk_proc_clock *clock = &procs->set.clocks[touched->i];
    if (touched->cpu_ns < 0)
        return false;
    bool wants_row = touched->ran || touched->due || touched->detail || procs->all ||
                     (clock->flags & TK_PROC_FRESH);
    if (!wants_row)
        return true;
    if (!refresh(procs, touched))
        return false;
    tk_procs_take_reading(procs, touched->i,
                          went_back(procs, touched) ? clock->cpu_ns : touched->cpu_ns);
    tk_procs_put_metrics(procs, rows, touched->i, stamp_of(procs, touched));
    return true;
}

/* The clocks of tiers P and P0, or those that a walk will not meet, and the pauses that end.
 * Returns when the last clock was read. */
static int64_t read_clocks_and_pauses(struct tk_procs *procs, struct tk_rows *rows,
                                      struct turn turn)
{
    procs->touched_count = 0;
    if (procs->tier != TK_TIER_P0) {
        read_clocks(procs, turn);
        put_pauses(procs, rows);
    } else {
        read_stats(procs, rows, turn);
    }
    return now_ns(procs);
}

static void read_touched(struct tk_procs *procs, struct tk_rows *rows)
{
    procs->looked += procs->touched_count;
    share_quota(procs);
    for (uint32_t t = 0; t < procs->touched_count; t++) {
        if (!sample(procs, rows, &procs->touched[t]))
            procs->touched[t].cpu_ns = -1;
    }
    if (procs->options.threads)
        tk_procs_read_threads(procs, rows);
    /* From the end: removing moves the last one of the set. */
    for (uint32_t t = procs->touched_count; t-- > 0;) {
        if (procs->touched[t].cpu_ns < 0)
            tk_procs_miss(procs, rows, procs->touched[t].i);
    }
}

/* A walk puts processes into the set and takes some out: meanwhile the touched are known by their
 * pids. */
static int64_t walk_between(struct tk_procs *procs, struct tk_rows *rows, struct turn turn)
{
    uint32_t kept = 0;
    for (uint32_t t = 0; t < procs->touched_count; t++) {
        pid_t pid = procs->set.clocks[procs->touched[t].i].pid;
        procs->touched[t].i = (uint32_t)pid & TK_PROC_INDEX_MAX;
    }
    int64_t end_ns = tk_procs_walk(procs, rows, turn.from, procs->all ? UINT32_MAX : turn.width);
    for (uint32_t t = 0; t < procs->touched_count; t++) {
        uint32_t i = tk_proc_set_find(&procs->set, (pid_t)procs->touched[t].i);
        procs->touched[kept] = procs->touched[t];
        procs->touched[kept].i = i & TK_PROC_INDEX_MAX;
        kept += i != TK_PROC_NONE;
    }
    procs->touched_count = kept;
    return end_ns;
}

void tk_procs_sweep(struct tk_procs *procs, struct tk_rows *rows, bool all)
{
    int64_t start_ns = now_ns(procs);
    int64_t end_ns = start_ns;
    int64_t start_calls = procs->syscalls + procs->files.syscalls;
    struct turn turn = next_turn(procs, start_ns);
    procs->tick++;
    procs->all = all;
    procs->sweep_start_ns = start_ns;
    tk_proc_files_begin_tick(&procs->files, procs->ran);
    procs->touched_count = procs->looked = procs->ran = 0;
    if (!tk_procs_has_walk(procs) || procs->unmet > 0)
        end_ns = read_clocks_and_pauses(procs, rows, turn);
    if (tk_procs_has_walk(procs)) {
        end_ns = walk_between(procs, rows, turn);
        if (!tk_procs_has_walk(procs)) /* it failed */
            end_ns = read_clocks_and_pauses(procs, rows, turn);
    }
    read_touched(procs, rows);
    procs->sweep_syscalls += procs->syscalls + procs->files.syscalls - start_calls;
    procs->sweep_ns = end_ns - start_ns;
    procs->sweep_end_ns = end_ns;
    procs->swept_tick = procs->tick;
}
