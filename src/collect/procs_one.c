/* SPDX-License-Identifier: Apache-2.0 */
/* One process of the set: added, named, judged, ended. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/number.h"
#include "collect/cgroups.h"
#include "collect/procs_internal.h"

/* A process starts some us before its fork event is sent. */
#define FORK_EVENT_DELAY_NS (20 * TK_NS_PER_US)
/* Its parent then sends the event before the child may run. */
#define FORK_EVENT_COST_NS 1500

/* Time ------------------------------------------------------------------------------ */

void tk_procs_follow_boot_clock(struct tk_procs *procs)
{
    const struct tk_kernel *kernel = procs->kernel;
    if (kernel->boot_ns) {
        int64_t mono_ns = kernel->mono_ns(kernel->world);
        procs->boot_offset_ns = kernel->boot_ns(kernel->world) - mono_ns;
    } else {
        procs->boot_offset_ns = kernel->anchor.boot_ns - kernel->anchor.mono_ns;
    }
}

int64_t tk_procs_ticks_at(const struct tk_procs *procs, int64_t mono_ns)
{
    int64_t boot_ns = mono_ns + procs->boot_offset_ns - FORK_EVENT_DELAY_NS;
    return boot_ns / (TK_NS_PER_S / procs->kernel->clk_tck);
}

int64_t tk_procs_birth_ns(const struct tk_procs *procs, uint32_t i)
{
    const struct tk_proc_facts *facts = &procs->set.facts[i];
    if (facts->birth_ns != 0)
        return facts->birth_ns;
    if (facts->start_ticks < 0)
        return 0;
    int64_t tick_ns = TK_NS_PER_S / procs->kernel->clk_tck;
    return facts->start_ticks * tick_ns - procs->boot_offset_ns;
}

/* Adding ---------------------------------------------------------------------------- */

uint32_t tk_procs_add(struct tk_procs *procs, pid_t pid)
{
    uint32_t i;
    if (tk_proc_set_add(&procs->set, pid, &i) < 0)
        return TK_PROC_NONE;
    if (procs->touched_cap < procs->set.cap) {
        struct tk_touched *bigger = tk_pages_resize(
            procs->touched, procs->touched_cap * sizeof(*bigger), procs->set.cap * sizeof(*bigger));
        if (!bigger) {
            tk_proc_set_remove(&procs->set, i);
            return TK_PROC_NONE;
        }
        procs->touched = bigger;
        procs->touched_cap = procs->set.cap;
    }
    procs->set.clocks[i].flags = TK_PROC_FRESH | TK_PROC_REGROUP;
    procs->set.facts[i].io_age = tk_procs_age(procs->kernel->mono_ns(procs->kernel->world));
    return i;
}

int tk_procs_read_stat(struct tk_procs *procs, pid_t pid, struct tk_pid_stat *ret_stat)
{
    tk_str text;
    uint16_t none = TK_NO_FILES;
    int rc = tk_proc_files_read(&procs->files, pid, &none, TK_FILE_STAT, TK_KEEP_NOT, &text);
    return rc < 0 ? rc : tk_pid_stat_parse(text, ret_stat);
}

static int32_t clamp_i32(int64_t value)
{
    return value < INT32_MAX ? (int32_t)value : INT32_MAX;
}

void tk_procs_name(struct tk_procs *procs, uint32_t i, const char comm[TK_COMM_MAX])
{
    struct tk_proc_facts *facts = &procs->set.facts[i];
    if (memcmp(facts->comm, comm, sizeof(facts->comm)) == 0)
        return;
    memcpy(facts->comm, comm, sizeof(facts->comm));
    procs->set.clocks[i].flags &= ~(uint32_t)TK_PROC_JUDGED;
}

void tk_procs_mark_born(struct tk_procs *procs, uint32_t i)
{
    const struct tk_kernel *kernel = procs->kernel;
    int64_t begin_ticks = kernel->anchor.boot_ns / (TK_NS_PER_S / kernel->clk_tck);
    if (procs->set.facts[i].start_ticks > begin_ticks)
        procs->set.clocks[i].flags |= TK_PROC_BORN;
}

void tk_procs_apply_stat(struct tk_procs *procs, uint32_t i, const struct tk_pid_stat *stat)
{
    int64_t tick_ns = TK_NS_PER_S / procs->kernel->clk_tck;
    struct tk_proc_facts *facts = &procs->set.facts[i];
    facts->start_ticks = stat->start_ticks;
    facts->ppid = stat->ppid;
    facts->state = stat->state;
    facts->threads = clamp_i32(stat->threads);
    facts->utime_ns = stat->utime_ticks * tick_ns;
    facts->stime_ns = stat->stime_ticks * tick_ns;
    facts->minflt = stat->minflt;
    facts->majflt = stat->majflt;
    if (stat->threads != 1)
        facts->nvcsw = facts->nivcsw = facts->run_delay_ns = -1;
    if (facts->rss_pages < 0)
        facts->rss_pages = clamp_i32(stat->rss_pages);
    tk_procs_name(procs, i, stat->comm);
    tk_procs_mark_born(procs, i);
}

void tk_procs_read_uid(struct tk_procs *procs, uint32_t i)
{
    char path[TK_I64_MAX + 1];
    struct stat st;
    path[tk_i64_format(procs->set.clocks[i].pid, path)] = '\0';
    procs->syscalls++;
    if (fstatat(procs->kernel->procfd, path, &st, 0) == 0 && st.st_uid <= INT32_MAX)
        procs->set.facts[i].uid = (int32_t)st.st_uid;
}

/* The pid that a process of a container has there. */
static void read_ns_pid(struct tk_procs *procs, uint32_t i)
{
    tk_str text;
    struct tk_pid_status status;
    struct tk_proc_facts *facts = &procs->set.facts[i];
    if (tk_proc_files_read(&procs->files, procs->set.clocks[i].pid, &facts->files, TK_FILE_STATUS,
                           TK_KEEP_NOT, &text) == 0 &&
        tk_pid_status_parse(text, &status) == 0)
        facts->ns_pid = status.ns_pid;
}

void tk_procs_read_group(struct tk_procs *procs, uint32_t i)
{
    struct tk_proc_clock *clock = &procs->set.clocks[i];
    struct tk_proc_facts *facts = &procs->set.facts[i];
    char path[1024];
    char container[128];
    struct tk_err ignored;
    tk_str text;
    clock->flags &= ~(uint32_t)TK_PROC_REGROUP;
    if (tk_proc_files_read(&procs->files, clock->pid, &facts->files, TK_FILE_CGROUP, TK_KEEP_NOT,
                           &text) < 0 ||
        tk_cgroup_parse(text, path, sizeof(path), container, sizeof(container), &ignored) < 0)
        return;
    if (strcmp(path, tk_groups_path(&procs->groups, facts->group)) == 0 && facts->group != 0)
        return;
    uint32_t group = tk_groups_add(&procs->groups, tk_str_from(path), tk_str_from(container));
    tk_groups_drop(&procs->groups, facts->group);
    facts->group = group;
    if (procs->match.subject == TK_MATCH_CGROUP)
        clock->flags &= ~(uint32_t)TK_PROC_JUDGED;
    if (container[0] || procs->options.container)
        read_ns_pid(procs, i);
}

void tk_procs_share_group(struct tk_procs *procs, uint32_t i, uint32_t from)
{
    uint32_t group = procs->set.facts[from].group;
    tk_groups_hold(&procs->groups, group);
    tk_groups_drop(&procs->groups, procs->set.facts[i].group);
    procs->set.facts[i].group = group;
    procs->set.clocks[i].flags &= ~(uint32_t)TK_PROC_REGROUP;
}

/* Judging --------------------------------------------------------------------------- */

/* What PROC_MATCH is searched in, terminated. */
static const char *subject_of(struct tk_procs *procs, uint32_t i)
{
    pid_t pid = procs->set.clocks[i].pid;
    struct tk_proc_facts *facts = &procs->set.facts[i];
    tk_str text = {procs->files.buf, 0};
    char path[TK_I64_MAX + 8];
    switch (procs->match.subject) {
    case TK_MATCH_CMDLINE:
        if (tk_proc_files_read(&procs->files, pid, &facts->files, TK_FILE_CMDLINE, TK_KEEP_NOT,
                               &text) < 0)
            return "";
        for (size_t at = 0; at < text.n; at++) {
            if (procs->files.buf[at] == '\0')
                procs->files.buf[at] = ' ';
        }
        procs->files.buf[text.n] = '\0';
        return procs->files.buf;
    case TK_MATCH_EXE:
        memcpy(path + tk_i64_format(pid, path), "/exe", 5);
        procs->syscalls++;
        ssize_t n =
            readlinkat(procs->kernel->procfd, path, procs->files.buf, sizeof(procs->files.buf) - 1);
        procs->files.buf[n > 0 ? n : 0] = '\0';
        return procs->files.buf;
    case TK_MATCH_CGROUP:
        if (procs->set.clocks[i].flags & TK_PROC_REGROUP)
            tk_procs_read_group(procs, i);
        return tk_groups_path(&procs->groups, facts->group);
    case TK_MATCH_COMM:
    default:
        return facts->comm;
    }
}

static bool matches(struct tk_procs *procs, uint32_t i)
{
    struct tk_proc_clock *clock = &procs->set.clocks[i];
    if (!(clock->flags & TK_PROC_JUDGED)) {
        bool yes = tk_match_test(&procs->match, subject_of(procs, i));
        clock->flags &= ~(uint32_t)TK_PROC_MATCHES;
        clock->flags |= TK_PROC_JUDGED | (yes ? TK_PROC_MATCHES : 0U);
    }
    return (clock->flags & TK_PROC_MATCHES) != 0;
}

static bool parent_has(const struct tk_procs *procs, uint32_t i, uint32_t flag)
{
    uint32_t parent = tk_proc_set_find(&procs->set, procs->set.facts[i].ppid);
    return parent != TK_PROC_NONE && (procs->set.clocks[parent].flags & flag);
}

static bool in_container(struct tk_procs *procs, uint32_t i)
{
    if (procs->set.clocks[i].flags & TK_PROC_REGROUP)
        tk_procs_read_group(procs, i);
    const char *path = tk_groups_path(&procs->groups, procs->set.facts[i].group);
    return strstr(path, procs->options.container) != NULL;
}

/* Member for another reason than the tree. Without refresh the set is what matched at the start
 * and its descendants. */
static bool is_wanted(struct tk_procs *procs, uint32_t i)
{
    if (procs->options.tree_only || (procs->options.container && !in_container(procs, i)))
        return false;
    bool follow = !procs->options.refresh;
    if (procs->options.pid_dir)
        return follow && parent_has(procs, i, TK_PROC_MEMBER);
    if (!procs->match.ready)
        return true;
    if ((procs->options.refresh || !procs->started) && matches(procs, i))
        return true;
    return follow && parent_has(procs, i, TK_PROC_MEMBER);
}

/* Children of the tree are in it. Its orphans come to us when we started its root, since we are
 * the one that reaps them. */
static bool joins_tree(const struct tk_procs *procs, uint32_t i)
{
    pid_t pid = procs->set.clocks[i].pid;
    if (procs->options.tree_root == 0)
        return false;
    return pid == procs->options.tree_root || parent_has(procs, i, TK_PROC_IN_TREE) ||
           (procs->root_is_child && procs->set.facts[i].ppid == procs->own_pid);
}

/* With refresh, a member whose name changed may have to go. */
static bool is_settled(const struct tk_procs *procs, uint32_t flags)
{
    return (flags & TK_PROC_MEMBER) &&
           (!procs->options.refresh || !procs->match.ready || (flags & TK_PROC_JUDGED));
}

void tk_procs_judge(struct tk_procs *procs, uint32_t i)
{
    struct tk_proc_clock *clock = &procs->set.clocks[i];
    if (joins_tree(procs, i))
        clock->flags |= TK_PROC_IN_TREE;
    if (is_settled(procs, clock->flags))
        return;
    bool member = (clock->flags & TK_PROC_IN_TREE) || is_wanted(procs, i);
    procs->births += member && !(clock->flags & TK_PROC_MEMBER);
    clock->flags &= ~(uint32_t)TK_PROC_MEMBER;
    clock->flags |= member ? TK_PROC_MEMBER : 0U;
}

/* Ending ---------------------------------------------------------------------------- */

/* CPU time of the whole life. The record stops before the work of exiting; a reading of the clock
 * is exact for what came before it. */
static int64_t total_cpu_ns(const struct tk_procs *procs, uint32_t i, const struct tk_end *end)
{
    int64_t clock_ns = procs->set.clocks[i].cpu_ns;
    if (!end->total)
        return clock_ns;
    int64_t cpu_ns = end->total->cpu_ns;
    int64_t birth_ns = procs->set.facts[i].birth_ns;
    if (end->event && birth_ns != 0) {
        int64_t record_ns = birth_ns + end->total->elapsed_us * TK_NS_PER_US;
        cpu_ns += tk_exit_work_ns(end->total, end->stamp_ns - record_ns - FORK_EVENT_COST_NS);
    }
    return cpu_ns > clock_ns ? cpu_ns : clock_ns;
}

void tk_procs_end(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                  const struct tk_end *end)
{
    struct tk_proc_clock *clock = &procs->set.clocks[i];
    struct tk_proc_facts *facts = &procs->set.facts[i];
    int64_t cpu_ns = total_cpu_ns(procs, i, end);
    tk_procs_take_extra(procs, i);
    if (end->total)
        memcpy(facts->comm, end->total->comm, sizeof(facts->comm));
    if (clock->flags & TK_PROC_IN_TREE) {
        procs->tree_ended_ns += cpu_ns;
        procs->tree_ended++;
        procs->tree_inexact |= !end->total;
    }
    if (clock->flags & TK_PROC_MEMBER) {
        if (cpu_ns > clock->cpu_ns)
            tk_procs_put_pause(procs, rows, i);
        tk_procs_put_event(procs, rows, TK_EVENT_EXIT, i, end->stamp_ns, end->status);
        tk_procs_put_exit(procs, rows, i, end, cpu_ns);
    }
    procs->exits_seen += end->total != NULL;
    procs->lost_records += tk_procs_has_records(procs) && !end->total;
    procs->gone -= (clock->flags & TK_PROC_GONE) != 0;
    procs->unmet -= (clock->flags & TK_PROC_UNMET) != 0;
    tk_proc_files_close(&procs->files, clock->pid, facts->files);
    tk_groups_drop(&procs->groups, facts->group);
    tk_proc_set_remove(&procs->set, i);
}
