/* SPDX-License-Identifier: Apache-2.0 */
/* Who came and went, by the ring of BPF (bpf/events.bpf.c). A record says all that there is to know
 * of a birth, an exec or an end, so that nothing is asked of /proc and no system call is made,
 * however many there are. The name of the control group is that of the parent, unless the two
 * differ; then the next tick reads it, if the process lives so long. */
#include "base/clock.h"
#include "collect/procs_internal.h"

#define MAX_EVENTS 65536 /* at a time; more wait for the next call */

/* A process of a record -------------------------------------------------------------------- */

/* Whether the process that we know by this pid is the one that the record is about. By a scan or a
 * walk we know its start to the tick. */
static bool is_same(const struct tk_procs *procs, uint32_t i, const struct tk_bpf_event *event)
{
    const struct tk_proc_facts *facts = &procs->set.facts[i];
    if (facts->birth_ns != 0)
        return facts->birth_ns == (int64_t)event->start_ns;
    return facts->start_ticks < 0 ||
           facts->start_ticks == tk_procs_ticks_since_boot(procs, event->start_boot_ns);
}

/* A child has the control groups of its parent; `group` stands for them. */
static void take_group(struct tk_procs *procs, uint32_t i, uint64_t group)
{
    struct tk_proc_facts *facts = &procs->set.facts[i];
    uint32_t mark = tk_procs_group_mark(group);
    if (facts->group_mark == mark)
        return;
    facts->group_mark = mark;
    procs->set.clocks[i].flags |= TK_PROC_REGROUP;
    uint32_t parent = tk_proc_set_find(&procs->set, facts->ppid);
    if (parent != TK_PROC_NONE && procs->set.facts[parent].group_mark == mark &&
        !(procs->set.clocks[parent].flags & TK_PROC_REGROUP))
        tk_procs_share_group(procs, i, parent);
}

static void take_facts(struct tk_procs *procs, uint32_t i, const struct tk_bpf_event *event)
{
    struct tk_proc_facts *facts = &procs->set.facts[i];
    facts->birth_ns = (int64_t)event->start_ns;
    facts->start_ticks = tk_procs_ticks_since_boot(procs, event->start_boot_ns);
    facts->ppid = event->ppid;
    facts->uid = event->uid <= INT32_MAX ? (int32_t)event->uid : -1;
    tk_procs_name(procs, i, event->comm);
    take_group(procs, i, event->group);
    if (facts->birth_ns > procs->kernel->anchor.mono_ns)
        procs->set.clocks[i].flags |= TK_PROC_BORN;
}

/* Put in a process that we do not know. */
static uint32_t add_process(struct tk_procs *procs, const struct tk_bpf_event *event)
{
    uint32_t i = tk_procs_add(procs, event->pid);
    if (i == TK_PROC_NONE) {
        procs->unreadable++;
        return i;
    }
    take_facts(procs, i, event);
    procs->seen_forks += (procs->set.clocks[i].flags & TK_PROC_BORN) != 0;
    tk_procs_judge(procs, i);
    return i;
}

/* The process that a record is about, put in when its birth was missed. TK_PROC_NONE when another
 * one has its pid already, so that its end was told. */
static uint32_t resolve(struct tk_procs *procs, struct tk_rows *rows,
                        const struct tk_bpf_event *event)
{
    uint32_t i = tk_proc_set_find(&procs->set, event->pid);
    if (i != TK_PROC_NONE && is_same(procs, i, event))
        return i;
    if (i != TK_PROC_NONE &&
        procs->set.facts[i].start_ticks > tk_procs_ticks_since_boot(procs, event->start_boot_ns))
        return TK_PROC_NONE;
    if (i != TK_PROC_NONE) {
        struct tk_end end = {.stamp_ns = (int64_t)event->start_ns, .status = -1};
        tk_procs_end(procs, rows, i, &end);
    }
    return add_process(procs, event);
}

/* Events ------------------------------------------------------------------------------------ */

static void on_fork(struct tk_procs *procs, struct tk_rows *rows, const struct tk_bpf_event *event)
{
    uint32_t i = resolve(procs, rows, event);
    if (i == TK_PROC_NONE)
        return;
    procs->set.facts[i].birth_ns = (int64_t)event->start_ns;
    procs->set.clocks[i].flags |= TK_PROC_BORN;
    tk_procs_tell_birth(procs, rows, i, (int64_t)event->stamp_ns);
}

static void on_exec(struct tk_procs *procs, struct tk_rows *rows, const struct tk_bpf_event *event)
{
    uint32_t i = resolve(procs, rows, event);
    if (i == TK_PROC_NONE)
        return;
    take_facts(procs, i, event);
    procs->set.clocks[i].flags &= ~(uint32_t)(TK_PROC_JUDGED | TK_PROC_NO_IO);
    tk_procs_judge(procs, i);
    if (procs->set.clocks[i].flags & TK_PROC_BORN)
        tk_procs_tell_birth(procs, rows, i, (int64_t)event->start_ns);
    if (procs->set.clocks[i].flags & TK_PROC_MEMBER)
        tk_procs_put_event(procs, rows, TK_EVENT_EXEC, i, (int64_t)event->stamp_ns, -1);
}

static struct tk_exit_total total_of(const struct tk_procs *procs, const struct tk_bpf_end *ended)
{
    const struct tk_bpf_event *event = &ended->event;
    const struct tk_bpf_sums *sums = &ended->sums;
    struct tk_exit_total total = {
        .pid = event->pid,
        .ppid = event->ppid,
        .status = event->status,
        .uid = event->uid,
        .threads = event->threads,
        .cpu_ns = (int64_t)sums->runtime_ns,
        .user_us = (int64_t)(sums->utime_ns / TK_NS_PER_US),
        .system_us = (int64_t)(sums->stime_ns / TK_NS_PER_US),
        .elapsed_us = (int64_t)((event->stamp_ns - event->start_ns) / TK_NS_PER_US),
        .max_rss_kb = (int64_t)ended->max_rss_pages * (procs->kernel->page_bytes / 1024),
        .rd_bytes = (int64_t)sums->rd_bytes,
        .wr_bytes = (int64_t)sums->wr_bytes,
        .minflt = (int64_t)sums->minflt,
        .majflt = (int64_t)sums->majflt,
        .nvcsw = (int64_t)sums->nvcsw,
        .nivcsw = (int64_t)sums->nivcsw,
        .run_delay_ns = (int64_t)sums->run_delay_ns,
    };
    memcpy(total.comm, event->comm, sizeof(total.comm));
    return total;
}

static void on_exit(struct tk_procs *procs, struct tk_rows *rows, const struct tk_bpf_end *ended)
{
    uint32_t i = resolve(procs, rows, &ended->event);
    if (i == TK_PROC_NONE)
        return;
    struct tk_exit_total total = total_of(procs, ended);
    struct tk_end end = {
        .total = &total,
        .stamp_ns = (int64_t)ended->event.stamp_ns,
        .status = ended->event.status,
    };
    procs->set.facts[i].birth_ns = (int64_t)ended->event.start_ns;
    procs->set.facts[i].ppid = ended->event.ppid;
    tk_procs_end(procs, rows, i, &end);
}

void tk_procs_on_record(struct tk_procs *procs, struct tk_rows *rows,
                        const struct tk_bpf_end *record)
{
    switch ((enum tk_bpf_event_kind)record->event.kind) {
    case TK_BPF_FORK:
        on_fork(procs, rows, &record->event);
        break;
    case TK_BPF_EXEC:
        on_exec(procs, rows, &record->event);
        break;
    case TK_BPF_EXIT:
        on_exit(procs, rows, record);
        break;
    }
}

static void take(struct tk_procs *procs, struct tk_rows *rows)
{
    struct tk_bpf_end record;
    for (int n = 0; n < MAX_EVENTS && tk_bpf_event_next(procs->bpf, &record); n++)
        tk_procs_on_record(procs, rows, &record);
    struct tk_bpf_event_stats stats = tk_bpf_read_event_stats(procs->bpf);
    procs->rescan |= stats.dropped > procs->ring.dropped;
    procs->ring = stats;
}

const struct tk_procs_source tk_procs_by_bpf = {
    .name = "bpf",
    .has_births = true,
    .has_accounts = true,
    .drain_ns = 10 * TK_NS_PER_S, /* or when its descriptor says so */
    .take = take,
};
