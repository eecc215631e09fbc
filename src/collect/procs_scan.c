/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there. Without events from the kernel there are two ways to see new processes:
 *
 *   list /proc      0.15 to 1.3 us per process of the host, whether new or not
 *   ask the pids    given since the last look: pids are given in sequence, /proc/loadavg tells the
 *                   last one, and the CPU clock of a pid exists if and only if it is a process
 *                   (0.2 us per pid, threads included; nothing when none was given)
 *
 * so we ask, and list only when many were given, when the sequence started over, and every 10 s in
 * case one was chosen by hand. A pid that we know is asked as well: it may have been given anew.
 * Listing may take 2 % of the time, and waits when it would take more. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "collect/procs_internal.h"

#define FULL_SCAN_NS (10 * TK_NS_PER_S)
#define SCAN_SHARE   50                  /* one part in so many of the time */
#define ASK_AT_LEAST 64                  /* pids, before listing may be cheaper */
#define DIR_CLOCK_NS (20 * TK_NS_PER_MS) /* grain of a folder's time stamp */

static int64_t now_ns(const struct tk_procs *procs)
{
    return procs->kernel->mono_ns(procs->kernel->world);
}

/* One process -------------------------------------------------------------------------- */

/* A process that we do not know: read who it is and put it in. */
static void meet(struct tk_procs *procs, struct tk_rows *rows, pid_t pid)
{
    struct tk_pid_stat stat;
    int rc = tk_procs_read_stat(procs, pid, &stat);
    if (rc == -ESRCH)
        return;
    /* With events a zombie has ended already. */
    if (rc == 0 && tk_procs_has_events(procs) && (stat.state == 'Z' || stat.state == 'X'))
        return;
    uint32_t i = tk_procs_add(procs, pid);
    if (rc < 0 || i == TK_PROC_NONE) {
        procs->unreadable++;
        return;
    }
    tk_procs_apply_stat(procs, i, &stat);
    tk_procs_welcome(procs, rows, i);
}

void tk_procs_welcome(struct tk_procs *procs, struct tk_rows *rows, uint32_t i)
{
    tk_procs_judge(procs, i);
    if (!procs->started || !(procs->set.clocks[i].flags & TK_PROC_BORN))
        return;
    procs->seen_forks++;
    procs->set.clocks[i].flags |= TK_PROC_TOLD;
    if (procs->set.clocks[i].flags & TK_PROC_MEMBER)
        tk_procs_put_event(procs, rows, TK_EVENT_FORK, i, tk_procs_birth_ns(procs, i), -1);
}

void tk_procs_miss(struct tk_procs *procs, struct tk_rows *rows, uint32_t i)
{
    if (tk_procs_has_records(procs)) {
        procs->gone += !(procs->set.clocks[i].flags & TK_PROC_GONE);
        procs->set.clocks[i].flags |= TK_PROC_GONE;
        return;
    }
    pid_t pid = procs->set.clocks[i].pid;
    struct tk_end end = {.stamp_ns = now_ns(procs), .status = -1};
    tk_procs_end(procs, rows, i, &end);
    meet(procs, rows, pid); /* somebody else may have its pid */
}

/* Whether the process that we know is still the one with its pid. A process that we may not read
 * has no start time to tell by. */
static bool is_same(struct tk_procs *procs, uint32_t i)
{
    struct tk_pid_stat stat;
    int rc = tk_procs_read_stat(procs, procs->set.clocks[i].pid, &stat);
    int64_t start_ticks = procs->set.facts[i].start_ticks;
    return rc == -EACCES || (rc == 0 && (start_ticks < 0 || stat.start_ticks == start_ticks));
}

void tk_procs_check(struct tk_procs *procs, struct tk_rows *rows, pid_t pid)
{
    uint32_t i = tk_proc_set_find(&procs->set, pid);
    if (i != TK_PROC_NONE) {
        if (is_same(procs, i))
            return;
        struct tk_end end = {.stamp_ns = now_ns(procs), .status = -1};
        tk_procs_end(procs, rows, i, &end);
    }
    meet(procs, rows, pid);
}

/* Families ----------------------------------------------------------------------------- */

void tk_procs_join_families(struct tk_procs *procs, bool all)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < procs->set.count; i++) {
            uint32_t before = procs->set.clocks[i].flags;
            if (all || (before & TK_PROC_FRESH))
                tk_procs_judge(procs, i);
            changed |=
                ((before ^ procs->set.clocks[i].flags) & (TK_PROC_MEMBER | TK_PROC_IN_TREE)) != 0;
        }
    }
}

/* Listing ------------------------------------------------------------------------------ */

void tk_procs_each_number(struct tk_procs *procs, int fd,
                          void (*visit)(void *context, pid_t number), void *context)
{
    procs->syscalls++;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return;
    for (;;) {
        procs->syscalls++;
        ssize_t n = getdents64(fd, procs->dents, sizeof(procs->dents));
        if (n <= 0)
            return;
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *entry = (const struct dirent64 *)(procs->dents + at);
            int64_t number;
            if (tk_parse_i64(tk_str_from(entry->d_name), &number) && number > 0 &&
                number <= INT32_MAX)
                visit(context, (pid_t)number);
            at += entry->d_reclen;
        }
    }
}

/* Who finds processes in a folder, and where their rows go. */
struct finder {
    struct tk_procs *procs;
    struct tk_rows *rows;
};

static void list_one(struct tk_procs *procs, struct tk_rows *rows, pid_t pid)
{
    uint32_t i = tk_proc_set_find(&procs->set, pid);
    if (i == TK_PROC_NONE) {
        meet(procs, rows, pid);
        i = tk_proc_set_find(&procs->set, pid);
    }
    if (i != TK_PROC_NONE)
        procs->set.clocks[i].flags |= TK_PROC_LISTED;
}

static void list_and_verify(void *context, pid_t pid)
{
    struct tk_procs *procs = ((struct finder *)context)->procs;
    struct tk_rows *rows = ((struct finder *)context)->rows;
    if (pid > procs->verify_after && pid <= procs->verify_up_to)
        tk_procs_check(procs, rows, pid);
    list_one(procs, rows, pid);
}

/* List everybody; of those that we know, verify pids above `after` up to `up_to`. */
static void scan(struct tk_procs *procs, struct tk_rows *rows, pid_t after, pid_t up_to)
{
    int64_t start_ns = now_ns(procs);
    procs->verify_after = after;
    procs->verify_up_to = up_to;
    for (uint32_t i = 0; i < procs->set.count; i++)
        procs->set.clocks[i].flags &= ~(uint32_t)TK_PROC_LISTED;
    tk_procs_each_number(procs, procs->dir_fd, list_and_verify, &(struct finder){procs, rows});
    /* From the end: removing moves the last one, which was looked at. */
    for (uint32_t i = procs->set.count; i-- > 0;) {
        if (!(procs->set.clocks[i].flags & (TK_PROC_LISTED | TK_PROC_GONE)))
            tk_procs_miss(procs, rows, i);
    }
    tk_procs_join_families(procs, false);
    procs->moved_since_scan = false;
    procs->last_scan_ns = now_ns(procs);
    procs->scan_cost_ns = procs->last_scan_ns - start_ns;
}

static bool scan_is_affordable(const struct tk_procs *procs)
{
    return now_ns(procs) - procs->last_scan_ns >= SCAN_SHARE * procs->scan_cost_ns;
}

void tk_procs_rescan(struct tk_procs *procs, struct tk_rows *rows)
{
    if (!scan_is_affordable(procs))
        return;
    scan(procs, rows, 0, INT32_MAX);
    procs->rescan = false;
}

/* Asking ------------------------------------------------------------------------------- */

void tk_procs_ask(struct tk_procs *procs, struct tk_rows *rows, pid_t pid)
{
    int64_t cpu_ns;
    procs->syscalls++;
    if (procs->kernel->cpu_clock(procs->kernel->world, pid, &cpu_ns) == 0) {
        tk_procs_check(procs, rows, pid);
        return;
    }
    uint32_t i = tk_proc_set_find(&procs->set, pid);
    if (i != TK_PROC_NONE)
        tk_procs_miss(procs, rows, i);
}

static pid_t read_last_pid(struct tk_procs *procs)
{
    pid_t pid = 0;
    if (procs->loadavg_fd < 0)
        return 0;
    procs->syscalls++;
    ssize_t n = pread(procs->loadavg_fd, procs->files.buf, sizeof(procs->files.buf), 0);
    if (n <= 0 || tk_last_pid_parse((tk_str){procs->files.buf, (size_t)n}, &pid) < 0)
        return 0;
    return pid;
}

/* Pids after `last` up to `now`, or the whole list when that is cheaper or the sequence started
 * over. False when that has to wait. */
static bool look_between(struct tk_procs *procs, struct tk_rows *rows, pid_t last, pid_t now)
{
    bool in_sequence = last != 0 && now >= last;
    uint32_t given = (uint32_t)(now - last);
    if (procs->kernel->cpu_clock && in_sequence && given <= ASK_AT_LEAST + procs->set.count / 4) {
        for (pid_t pid = last + 1; pid <= now; pid++)
            tk_procs_ask(procs, rows, pid);
        tk_procs_join_families(procs, false);
        return true;
    }
    if (!scan_is_affordable(procs))
        return false;
    scan(procs, rows, in_sequence ? last : 0, in_sequence ? now : INT32_MAX);
    return true;
}

void tk_procs_look(struct tk_procs *procs, struct tk_rows *rows)
{
    pid_t now = read_last_pid(procs); /* before looking: later ones are for the next look */
    if (now != procs->last_pid || now == 0) {
        procs->moved_since_scan = true;
        if (look_between(procs, rows, procs->last_pid, now))
            procs->last_pid = now;
    }
    if (procs->moved_since_scan && now_ns(procs) - procs->last_scan_ns > FULL_SCAN_NS)
        scan(procs, rows, 0, 0);
}

void tk_procs_start(struct tk_procs *procs, struct tk_rows *rows)
{
    procs->last_pid = read_last_pid(procs);
    scan(procs, rows, 0, 0);
    procs->started = true;
}

/* Whitelist ---------------------------------------------------------------------------- */

static void admit(void *context, pid_t pid)
{
    struct tk_procs *procs = ((struct finder *)context)->procs;
    struct tk_rows *rows = ((struct finder *)context)->rows;
    uint32_t i = tk_proc_set_find(&procs->set, pid);
    if (i == TK_PROC_NONE) {
        meet(procs, rows, pid);
        i = tk_proc_set_find(&procs->set, pid);
    }
    if (i == TK_PROC_NONE || (procs->set.clocks[i].flags & TK_PROC_MEMBER))
        return;
    procs->set.clocks[i].flags |= TK_PROC_MEMBER;
    procs->births++;
}

void tk_procs_read_pid_dir(struct tk_procs *procs, struct tk_rows *rows)
{
    struct stat st;
    if (procs->pid_dir_fd < 0) {
        procs->syscalls++;
        procs->pid_dir_fd = open(procs->options.pid_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    procs->syscalls++;
    if (procs->pid_dir_fd < 0 || fstat(procs->pid_dir_fd, &st) < 0)
        return;
    int64_t changed_ns = (int64_t)st.st_mtim.tv_sec * TK_NS_PER_S + st.st_mtim.tv_nsec;
    if (changed_ns == procs->pid_dir_ns)
        return;
    tk_procs_each_number(procs, procs->pid_dir_fd, admit, &(struct finder){procs, rows});
    tk_procs_join_families(procs, false);
    /* A change in the same grain of its clock would go unseen: list it once more then. */
    bool settled = tk_clock_real_ns() - changed_ns > DIR_CLOCK_NS;
    procs->pid_dir_ns = settled ? changed_ns : 0;
}
