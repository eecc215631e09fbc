/* SPDX-License-Identifier: Apache-2.0 */
/* Who came and went, by the kernel's word over netlink. A round takes events first, then exit
 * records: a record is sent before the exit event of its thread, so for each exit event at hand the
 * record is at hand as well, and even the name of a process that lived and died unseen between two
 * rounds. */
#include <errno.h>
#include <sys/types.h>

#include "base/clock.h"
#include "collect/procs_internal.h"

#define MAX_ROUNDS 128               /* 65,536 events; more wait for the next call */
#define LATE_NS    (2 * TK_NS_PER_S) /* an exit that frees much memory takes that long at worst */

static int64_t now_ns(const struct tk_procs *procs)
{
    return procs->kernel->mono_ns(procs->kernel->world);
}

/* Births ------------------------------------------------------------------------------- */

/* The event tells of the process that we have already: a scan was faster. */
static bool is_known(const struct tk_procs *procs, uint32_t i, int64_t mono_ns)
{
    const struct tk_proc_facts *facts = &procs->set.facts[i];
    int64_t ticks = tk_procs_ticks_at(procs, mono_ns);
    return facts->birth_ns == 0 && facts->start_ticks >= ticks - 1 &&
           facts->start_ticks <= ticks + 1;
}

/* A child begins as a copy of its parent. */
static void inherit(struct tk_procs *procs, uint32_t i, const struct tk_event *event)
{
    struct tk_proc_facts *facts = &procs->set.facts[i];
    facts->birth_ns = event->mono_ns;
    facts->start_ticks = tk_procs_ticks_at(procs, event->mono_ns);
    facts->ppid = event->parent;
    procs->set.clocks[i].flags |= TK_PROC_BORN;
    uint32_t parent = tk_proc_set_find(&procs->set, event->parent);
    if (parent == TK_PROC_NONE)
        return;
    const struct tk_proc_facts *from = &procs->set.facts[parent];
    memcpy(facts->comm, from->comm, sizeof(facts->comm));
    facts->uid = from->uid;
    facts->group = from->group;
    tk_groups_hold(&procs->groups, facts->group);
}

/* Ask /proc about a process that was just born, unless it is dead already. Another process may
 * have its pid by now: the start time tells. */
static bool read_newborn(struct tk_procs *procs, uint32_t i, struct tk_pid_stat *ret_stat)
{
    pid_t pid = procs->set.clocks[i].pid;
    int64_t start_ticks = procs->set.facts[i].start_ticks;
    return !tk_exit_sums_comm(&procs->sums, pid) && tk_procs_read_stat(procs, pid, ret_stat) == 0 &&
           ret_stat->start_ticks >= start_ticks - 1 && ret_stat->start_ticks <= start_ticks + 1;
}

void tk_procs_tell_birth(struct tk_procs *procs, struct tk_rows *rows, uint32_t i, int64_t stamp_ns)
{
    struct tk_proc_clock *clock = &procs->set.clocks[i];
    if (!(clock->flags & TK_PROC_MEMBER) || (clock->flags & TK_PROC_TOLD))
        return;
    clock->flags |= TK_PROC_TOLD;
    tk_procs_put_event(procs, rows, TK_EVENT_FORK, i, stamp_ns, -1);
}

static void tell_birth(struct tk_procs *procs, struct tk_rows *rows, uint32_t i)
{
    tk_procs_tell_birth(procs, rows, i, procs->set.facts[i].birth_ns);
}

static void add_newborn(struct tk_procs *procs, struct tk_rows *rows, const struct tk_event *event)
{
    uint32_t i = tk_procs_add(procs, event->pid);
    if (i == TK_PROC_NONE) {
        procs->unreadable++;
        return;
    }
    procs->seen_forks++;
    tk_exit_sums_forget(&procs->sums, event->pid);
    inherit(procs, i, event);
    /* By its parent at birth: stat may name another one already, and the name after an exec. */
    tk_procs_judge(procs, i);
    struct tk_pid_stat stat;
    bool alive = read_newborn(procs, i, &stat);
    if (alive)
        procs->set.facts[i].start_ticks = stat.start_ticks;
    tell_birth(procs, rows, i);
    if (!alive)
        return;
    tk_procs_apply_stat(procs, i, &stat);
    tk_procs_judge(procs, i);
}

static void on_fork(struct tk_procs *procs, struct tk_rows *rows, const struct tk_event *event)
{
    procs->fork_events++;
    if (event->tid != event->pid) {
        if (procs->sources.version < 12)
            tk_exit_sums_add_thread(&procs->sums, event->tid, event->pid);
        return;
    }
    uint32_t i = tk_proc_set_find(&procs->set, event->pid);
    if (i != TK_PROC_NONE && is_known(procs, i, event->mono_ns)) {
        procs->set.facts[i].birth_ns = event->mono_ns;
        procs->set.clocks[i].flags |= TK_PROC_BORN;
        tell_birth(procs, rows, i);
        return;
    }
    if (i != TK_PROC_NONE) {
        struct tk_end end = {.stamp_ns = event->mono_ns, .status = -1};
        tk_procs_end(procs, rows, i, &end);
    }
    add_newborn(procs, rows, event);
}

/* Another program: another name, perhaps another owner and group, and a new verdict. */
static void on_exec(struct tk_procs *procs, struct tk_rows *rows, const struct tk_event *event)
{
    uint32_t i = tk_proc_set_find(&procs->set, event->pid);
    if (i == TK_PROC_NONE) {
        tk_procs_check(procs, rows, event->pid);
        return;
    }
    struct tk_pid_stat stat;
    struct tk_proc_clock *clock = &procs->set.clocks[i];
    struct tk_proc_facts *facts = &procs->set.facts[i];
    const char *last_name = tk_exit_sums_comm(&procs->sums, event->pid);
    clock->flags |= TK_PROC_REGROUP;
    clock->flags &= ~(uint32_t)(TK_PROC_JUDGED | TK_PROC_NO_IO);
    if (last_name) {
        memcpy(facts->comm, last_name, sizeof(facts->comm));
    } else if (tk_procs_read_stat(procs, event->pid, &stat) == 0 &&
               (facts->start_ticks < 0 || stat.start_ticks - facts->start_ticks <= 1)) {
        tk_procs_apply_stat(procs, i, &stat);
    }
    tk_procs_judge(procs, i);
    if (facts->birth_ns != 0)
        tell_birth(procs, rows, i);
    if (!(clock->flags & TK_PROC_MEMBER))
        return;
    tk_procs_put_event(procs, rows, TK_EVENT_EXEC, i, event->mono_ns, -1);
    if (!(clock->flags & TK_PROC_FRESH)) /* else its first row asks */
        tk_procs_await_context(procs, i);
}

/* Exits -------------------------------------------------------------------------------- */

/* A process of which we know only its exit record: its birth was missed. */
static uint32_t add_from_total(struct tk_procs *procs, const struct tk_exit_total *total,
                               int64_t stamp_ns)
{
    /* Old kernels do not name the process: this may be a thread that began before us. */
    if (procs->sources.version < 12)
        return TK_PROC_NONE;
    uint32_t i = tk_procs_add(procs, total->pid);
    if (i == TK_PROC_NONE)
        return i;
    struct tk_proc_facts *facts = &procs->set.facts[i];
    int64_t birth_ns = stamp_ns - total->elapsed_us * TK_NS_PER_US;
    facts->start_ticks = tk_procs_ticks_at(procs, birth_ns);
    facts->birth_ns = birth_ns;
    facts->ppid = total->ppid;
    facts->uid = total->uid <= INT32_MAX ? (int32_t)total->uid : -1;
    memcpy(facts->comm, total->comm, sizeof(facts->comm));
    procs->seen_forks += birth_ns > procs->kernel->anchor.mono_ns;
    tk_procs_judge(procs, i);
    return i;
}

static void end_by_total(struct tk_procs *procs, struct tk_rows *rows,
                         const struct tk_exit_total *total, const struct tk_event *event)
{
    uint32_t i = tk_proc_set_find(&procs->set, total->pid);
    struct tk_end end = {.total = total, .stamp_ns = now_ns(procs), .status = total->status};
    if (event) {
        end.stamp_ns = event->mono_ns;
        end.event = true;
    } else if (i != TK_PROC_NONE && procs->set.facts[i].birth_ns != 0) {
        end.stamp_ns = procs->set.facts[i].birth_ns + total->elapsed_us * TK_NS_PER_US;
    }
    if (i == TK_PROC_NONE)
        i = add_from_total(procs, total, end.stamp_ns);
    if (i != TK_PROC_NONE)
        tk_procs_end(procs, rows, i, &end);
}

/* Without records a process has ended when it is gone, or a zombie that is alone. Its clock still
 * runs until its parent has fetched it. */
static void end_by_event(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                         const struct tk_event *event)
{
    struct tk_pid_stat stat;
    int rc = tk_procs_read_stat(procs, event->pid, &stat);
    bool zombie = rc == 0 && (stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1;
    if (rc != -ESRCH && !zombie)
        return;
    int64_t cpu_ns;
    struct tk_proc_clock *clock = &procs->set.clocks[i];
    if (zombie && procs->kernel->cpu_clock(procs->kernel->world, event->pid, &cpu_ns) == 0 &&
        cpu_ns > clock->cpu_ns)
        clock->cpu_ns = cpu_ns;
    struct tk_end end = {.stamp_ns = event->mono_ns, .event = true, .status = event->status};
    tk_procs_end(procs, rows, i, &end);
}

static void on_exit(struct tk_procs *procs, struct tk_rows *rows, const struct tk_event *event)
{
    struct tk_exit_total total;
    if (tk_procs_has_records(procs)) {
        if (tk_exit_sums_take(&procs->sums, event->pid, event->tid, &total))
            end_by_total(procs, rows, &total, event);
        return;
    }
    uint32_t i = tk_proc_set_find(&procs->set, event->pid);
    if (i != TK_PROC_NONE && event->tid == event->pid)
        end_by_event(procs, rows, i, event);
}

/* Rounds ------------------------------------------------------------------------------- */

/* Events of different CPUs arrive almost in order of time; make it so. */
static void sort_events(struct tk_event *events, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct tk_event event = events[i];
        size_t at = i;
        for (; at > 0 && events[at - 1].mono_ns > event.mono_ns; at--)
            events[at] = events[at - 1];
        events[at] = event;
    }
}

static void take_records(struct tk_procs *procs)
{
    struct tk_task_record records[2];
    int64_t read_ns = now_ns(procs);
    for (int n; (n = tk_exit_feed_read_records(procs->feed, records)) > 0;)
        tk_exit_sums_add(&procs->sums, records, n, read_ns);
}

void tk_procs_on_event(struct tk_procs *procs, struct tk_rows *rows, const struct tk_event *event)
{
    switch (event->kind) {
    case TK_EVENT_FORK:
        on_fork(procs, rows, event);
        break;
    case TK_EVENT_EXEC:
        on_exec(procs, rows, event);
        break;
    case TK_EVENT_EXIT:
        on_exit(procs, rows, event);
        break;
    case TK_EVENT_ACK:
    case TK_EVENT_OTHER:
        break;
    }
}

/* Returns false when no more events wait. */
static bool round_of_events(struct tk_procs *procs, struct tk_rows *rows)
{
    size_t n = tk_exit_feed_read_events(procs->feed, procs->events, TK_PROCS_EVENTS);
    take_records(procs);
    sort_events(procs->events, n);
    for (size_t i = 0; i < n; i++)
        tk_procs_on_event(procs, rows, &procs->events[i]);
    return n == TK_PROCS_EVENTS;
}

void tk_procs_end_late(struct tk_procs *procs, struct tk_rows *rows, int64_t before_ns)
{
    struct tk_exit_total total;
    while (tk_exit_sums_next(&procs->sums, before_ns, &total))
        end_by_total(procs, rows, &total, NULL);
}

/* End those whose clock was gone already when the events were last read: the exit event, or even
 * the record, is lost. */
static void settle(struct tk_procs *procs, struct tk_rows *rows)
{
    for (uint32_t i = procs->set.count; procs->gone > 0 && i-- > 0;) {
        struct tk_exit_total total;
        const struct tk_proc_clock *clock = &procs->set.clocks[i];
        if (!(clock->flags & TK_PROC_GONE))
            continue;
        if (tk_exit_sums_take(&procs->sums, clock->pid, 0, &total)) {
            end_by_total(procs, rows, &total, NULL);
            continue;
        }
        struct tk_end end = {.stamp_ns = now_ns(procs), .status = -1};
        tk_procs_end(procs, rows, i, &end);
    }
}

static void take(struct tk_procs *procs, struct tk_rows *rows)
{
    for (int i = 0; procs->feed && i < MAX_ROUNDS && round_of_events(procs, rows); i++)
        continue;
    if (!procs->feed)
        return;
    tk_exit_feed_read_stats(procs->feed, &procs->sources);
    procs->rescan |= tk_exit_feed_lost(procs->feed);
}

void tk_procs_drain(struct tk_procs *procs, struct tk_rows *rows)
{
    if (!procs->started)
        return;
    tk_procs_follow_boot_clock(procs);
    if (procs->source->take)
        procs->source->take(procs, rows);
    settle(procs, rows);
    tk_procs_end_late(procs, rows,
                      tk_procs_has_events(procs) ? now_ns(procs) - LATE_NS : INT64_MAX);
    if (procs->rescan) {
        tk_procs_rescan(procs, rows);
    } else if (!tk_procs_has_events(procs)) {
        tk_procs_look(procs, rows);
    }
}

/* Sources ------------------------------------------------------------------------------ */

#define DRAIN_NS       (500 * TK_NS_PER_MS) /* 16 MB hold 40,000 events: a wake-up costs 60 us */
#define DRAIN_SMALL_NS (50 * TK_NS_PER_MS)  /* some 300 events fit without privilege */

const struct tk_procs_source tk_procs_by_taskstats = {
    .name = "taskstats",
    .has_births = true,
    .has_accounts = true,
    .drain_ns = DRAIN_NS,
    .take = take,
};

const struct tk_procs_source tk_procs_by_taskstats_alone = {
    .name = "taskstats",
    .has_accounts = true,
    .drain_ns = DRAIN_NS,
    .take = take,
};

const struct tk_procs_source tk_procs_by_connector = {
    .name = "proc_connector",
    .has_births = true,
    .drain_ns = DRAIN_SMALL_NS,
    .take = take,
};

const struct tk_procs_source tk_procs_by_looking = {.name = "none", .drain_ns = DRAIN_SMALL_NS};
