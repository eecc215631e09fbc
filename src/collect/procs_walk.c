/* SPDX-License-Identifier: Apache-2.0 */
/* The tick of tiers B2 and B1 (collector.md section 2.2): one system call walks over all processes
 * in the kernel and leaves, in mapped memory, a record of each that ran or whose turn it is. Here
 * the records become rows; nothing is asked of /proc but, once per process and move, its control
 * group's name. All rows of a walk carry one stamp: it takes 0.05 to 0.5 ms. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collect/cpu_split.h"
#include "collect/procs_internal.h"

#define ROUNDS_MAX 16 /* walks of one tick, each of which fills the room */
#define AHEAD      4  /* records */

/* Linux: include/linux/sched.h */
#define TASK_REPORT 0x7fU  /* states that have a letter of their own */
#define TASK_IDLE   0x402U /* sleeps without being waited for */
#define TASK_RTLOCK 0x1000U
#define TASK_FROZEN 0x8000U
#define EXIT_ANY    0x30U /* zombie or dead */

char tk_procs_state_letter(uint32_t state, uint32_t exit_state)
{
    uint32_t report = (state | exit_state) & TASK_REPORT;
    if ((state & TASK_IDLE) == TASK_IDLE)
        return 'I';
    if (state & (TASK_RTLOCK | TASK_FROZEN))
        return 'D';
    return "RSDTtXZP"[report == 0 ? 0 : 32 - __builtin_clz(report)];
}

/* User and system time as /proc shows them: never less than it, or we, said before. */
static void split_cpu(struct tk_proc_facts *facts, const struct tk_bpf_task *task)
{
    struct tk_cpu_split said = {(int64_t)task->prev_utime_ns, (int64_t)task->prev_stime_ns};
    if (facts->utime_ns + facts->stime_ns > said.user_ns + said.system_ns)
        said = (struct tk_cpu_split){facts->utime_ns, facts->stime_ns};
    tk_cpu_split_scale(&said, (int64_t)task->runtime_ns, task->utime_ns, task->stime_ns);
    facts->utime_ns = said.user_ns;
    facts->stime_ns = said.system_ns;
}

/* Totals never go back, though the kernel's side may have forgotten a process. */
static void apply_extra(struct tk_procs *procs, uint32_t i, const struct tk_bpf_extra *told)
{
    struct tk_proc_extra *extra = &procs->set.extra[i];
    int64_t rx_bytes = (int64_t)told->net_rx_bytes;
    int64_t tx_bytes = (int64_t)told->net_tx_bytes;
    int64_t io_wait_ns = (int64_t)told->io_wait_ns;
    if (procs->options.net && rx_bytes > extra->net_rx_bytes)
        extra->net_rx_bytes = rx_bytes;
    if (procs->options.net && tx_bytes > extra->net_tx_bytes)
        extra->net_tx_bytes = tx_bytes;
    if (procs->options.exact && io_wait_ns > extra->io_wait_ns)
        extra->io_wait_ns = io_wait_ns;
}

void tk_procs_take_extra(struct tk_procs *procs, uint32_t i)
{
    struct tk_bpf_extra told;
    if (!procs->set.extra || !procs->bpf)
        return;
    procs->syscalls++;
    /* By its fork event a start is known to the tick or so. */
    if (!tk_bpf_read_extra(procs->bpf, procs->set.clocks[i].pid, &told) ||
        llabs(tk_procs_ticks_since_boot(procs, told.start_boot_ns) -
              procs->set.facts[i].start_ticks) > 1)
        told = (struct tk_bpf_extra){0};
    apply_extra(procs, i, &told);
}

/* What is told now and then only. */
static void apply_whole(struct tk_procs *procs, uint32_t i, const struct tk_bpf_task *task)
{
    struct tk_proc_facts *facts = &procs->set.facts[i];
    facts->ppid = task->ppid;
    facts->ns_pid = task->ns_pid;
    facts->uid = task->uid <= INT32_MAX ? (int32_t)task->uid : -1;
    if (task->fds >= 0)
        facts->fds = task->fds;
    tk_procs_set_fd_limit(procs, i, task->fd_limit);
}

static void apply(struct tk_procs *procs, uint32_t i, const struct tk_bpf_task *task)
{
    struct tk_proc_facts *facts = &procs->set.facts[i];
    tk_procs_name(procs, i, task->comm);
    split_cpu(facts, task);
    if (task->is_whole)
        apply_whole(procs, i, task);
    facts->state = tk_procs_state_letter(task->state, task->exit_state);
    facts->threads = task->threads;
    facts->minflt = (int64_t)task->minflt;
    facts->majflt = (int64_t)task->majflt;
    facts->nvcsw = (int64_t)task->nvcsw;
    facts->nivcsw = (int64_t)task->nivcsw;
    facts->run_delay_ns = (int64_t)task->run_delay_ns;
    facts->rd_bytes = (int64_t)task->rd_bytes;
    facts->wr_bytes = (int64_t)task->wr_bytes;
    facts->io_age = tk_procs_age(procs->sweep_start_ns);
    if (procs->walker.rss_exact)
        facts->rss_pages = task->rss_pages < INT32_MAX ? (int32_t)task->rss_pages : INT32_MAX;
    if (procs->set.extra) {
        apply_extra(procs, i,
                    &(struct tk_bpf_extra){.net_rx_bytes = task->net_rx_bytes,
                                           .net_tx_bytes = task->net_tx_bytes,
                                           .io_wait_ns = task->io_wait_ns});
    }
    /* The address of the kernel's list of its groups, as a fingerprint. */
    uint32_t mark = tk_procs_group_mark(task->group);
    if (facts->group_mark != 0 && facts->group_mark != mark)
        procs->set.clocks[i].flags |= TK_PROC_REGROUP;
    facts->group_mark = mark;
    if (procs->set.clocks[i].flags & TK_PROC_UNMET) {
        procs->set.clocks[i].flags &= ~(uint32_t)TK_PROC_UNMET;
        procs->unmet--;
    }
}

/* A child has the groups of its parent until one of the two moves. */
static void regroup(struct tk_procs *procs, uint32_t i)
{
    const struct tk_proc_facts *facts = &procs->set.facts[i];
    uint32_t parent = tk_proc_set_find(&procs->set, facts->ppid);
    if (parent == TK_PROC_NONE || procs->set.facts[parent].group_mark != facts->group_mark ||
        (procs->set.clocks[parent].flags & TK_PROC_REGROUP)) {
        tk_procs_read_group(procs, i);
        return;
    }
    tk_procs_share_group(procs, i, parent);
}

/* The process of a record, put in when it is new. TK_PROC_NONE when there is nothing to say of it:
 * its end was told already, or that of the one before with its pid is still to come. */
static uint32_t resolve(struct tk_procs *procs, struct tk_rows *rows,
                        const struct tk_bpf_task *task)
{
    int64_t start_ticks = tk_procs_ticks_since_boot(procs, task->start_boot_ns);
    uint32_t i = tk_proc_set_find(&procs->set, task->pid);
    if (i != TK_PROC_NONE) {
        struct tk_proc_facts *facts = &procs->set.facts[i];
        /* By its fork event it is known to the tick or so. */
        if (facts->start_ticks < 0 ||
            (facts->birth_ns != 0 && llabs(facts->start_ticks - start_ticks) <= 1))
            facts->start_ticks = start_ticks;
        if (facts->start_ticks == start_ticks)
            return procs->set.clocks[i].flags & TK_PROC_GONE ? TK_PROC_NONE : i;
        tk_procs_miss(procs, rows, i); /* without records the new one is met at once */
        i = tk_proc_set_find(&procs->set, task->pid);
        bool is_met = i != TK_PROC_NONE && procs->set.facts[i].start_ticks == start_ticks;
        return is_met ? i : TK_PROC_NONE;
    }
    if (tk_procs_has_events(procs) && (task->exit_state & EXIT_ANY))
        return TK_PROC_NONE;
    if (!task->is_whole) { /* it was told of whole before we lost it */
        tk_procs_check(procs, rows, task->pid);
        return tk_proc_set_find(&procs->set, task->pid);
    }
    i = tk_procs_add(procs, task->pid);
    if (i == TK_PROC_NONE) {
        procs->unreadable++;
        return i;
    }
    procs->set.facts[i].start_ticks = start_ticks;
    tk_procs_mark_born(procs, i);
    apply(procs, i, task);
    tk_procs_welcome(procs, rows, i);
    return i;
}

static bool ran(const struct tk_procs *procs, uint32_t i, const struct tk_bpf_task *task)
{
    return (int64_t)task->runtime_ns != procs->set.clocks[i].cpu_ns;
}

/* Pauses end with a row before the counters move. This is the first look at what is known of each
 * process: it is fetched while others are looked at. */
static void end_pauses(struct tk_procs *procs, struct tk_rows *rows, const struct tk_walk *walk)
{
    for (uint32_t r = 0; r < walk->count; r++) {
        if (r + 2 * AHEAD < walk->count) {
            tk_proc_set_fetch_place(&procs->set, walk->tasks[r + 2 * AHEAD].pid);
            tk_proc_set_fetch(&procs->set, walk->tasks[r + AHEAD].pid);
        }
        uint32_t i = resolve(procs, rows, &walk->tasks[r]);
        if (i != TK_PROC_NONE && (procs->set.clocks[i].flags & TK_PROC_MEMBER) &&
            ran(procs, i, &walk->tasks[r]))
            tk_procs_put_pause(procs, rows, i);
    }
}

/* What is wanted of a walk. */
struct look {
    uint32_t turn_from, turn_width; /* whose turn it is */
    bool is_whole;                  /* it meets everybody, be it their turn or not */
    bool is_silent;                 /* no rows: it is to show who is there */
};

/* All of them at the start, at the end, and where each tick is to have rows of all. */
static enum tk_bpf_threads threads_of(const struct tk_procs *procs, const struct look *look)
{
    if (!procs->options.threads || look->is_silent)
        return TK_BPF_THREADS_NONE;
    return procs->tick == 1 || procs->all ? TK_BPF_THREADS_ALL : TK_BPF_THREADS_MOVED;
}

/* Where the walk cannot tell the resident set, statm can. */
static void read_rss(struct tk_procs *procs, uint32_t i)
{
    tk_str text;
    int64_t pages;
    struct tk_proc_facts *facts = &procs->set.facts[i];
    if (tk_proc_files_read(&procs->files, procs->set.clocks[i].pid, &facts->files, TK_FILE_STATM,
                           TK_KEEP, &text) == 0 &&
        tk_pid_statm_parse(text, &pages) == 0)
        facts->rss_pages = pages < INT32_MAX ? (int32_t)pages : INT32_MAX;
}

/* A row of a member; one alone in a tick of several walks, between which it may have run again: of
 * that its next row tells. */
static void tell(struct tk_procs *procs, struct tk_rows *rows, uint32_t i, int64_t cpu_ns)
{
    struct tk_proc_facts *facts = &procs->set.facts[i];
    bool is_told = facts->row_tick == procs->tick;
    uint32_t told_us = is_told ? facts->delta_us : 0;
    if (procs->set.clocks[i].flags & TK_PROC_REGROUP)
        regroup(procs, i);
    if (!procs->walker.rss_exact)
        read_rss(procs, i);
    procs->looked++;
    tk_procs_take_reading(procs, i, cpu_ns);
    facts->delta_us += told_us;
    if (!is_told)
        tk_procs_put_metrics(procs, rows, i, procs->sweep_start_ns);
}

/* It is this one's turn, and what is known of it still holds. */
static void take_unmoved(struct tk_procs *procs, struct tk_rows *rows, const struct look *look,
                         pid_t pid)
{
    uint32_t i = tk_proc_set_find(&procs->set, pid);
    if (i == TK_PROC_NONE || (procs->set.clocks[i].flags & TK_PROC_GONE))
        return;
    procs->set.facts[i].io_age = tk_procs_age(procs->sweep_start_ns);
    if (procs->options.refresh && !(procs->set.clocks[i].flags & TK_PROC_JUDGED))
        tk_procs_judge(procs, i);
    if (!look->is_silent && (procs->set.clocks[i].flags & TK_PROC_MEMBER))
        tell(procs, rows, i, procs->set.clocks[i].cpu_ns);
}

static void take_all_unmoved(struct tk_procs *procs, struct tk_rows *rows, const struct look *look,
                             const struct tk_walk *walk)
{
    for (uint32_t r = 0; r < walk->unmoved_count; r++) {
        if (r + 2 * AHEAD < walk->unmoved_count) {
            tk_proc_set_fetch_place(&procs->set, (pid_t)walk->unmoved[r + 2 * AHEAD]);
            tk_proc_set_fetch(&procs->set, (pid_t)walk->unmoved[r + AHEAD]);
        }
        take_unmoved(procs, rows, look, (pid_t)walk->unmoved[r]);
    }
}

static void take(struct tk_procs *procs, struct tk_rows *rows, const struct look *look,
                 const struct tk_bpf_task *task)
{
    uint32_t i = tk_proc_set_find(&procs->set, task->pid);
    if (i == TK_PROC_NONE || (procs->set.clocks[i].flags & TK_PROC_GONE) ||
        procs->set.facts[i].start_ticks != tk_procs_ticks_since_boot(procs, task->start_boot_ns))
        return;
    bool is_fresh = (procs->set.clocks[i].flags & TK_PROC_FRESH) != 0;
    bool is_told = ran(procs, i, task) || is_fresh ||
                   tk_bpf_in_turn((uint32_t)task->pid, look->turn_from, look->turn_width);
    if (look->is_silent || !is_told) {
        if (task->is_whole) /* it is not told again */
            apply_whole(procs, i, task);
        procs->set.facts[i].io_age = tk_procs_age(procs->sweep_start_ns);
        return;
    }
    apply(procs, i, task);
    struct tk_proc_clock *clock = &procs->set.clocks[i];
    if (procs->options.refresh && !(clock->flags & TK_PROC_JUDGED))
        tk_procs_judge(procs, i);
    if (!(clock->flags & TK_PROC_MEMBER)) {
        clock->cpu_ns = (int64_t)task->runtime_ns;
        return;
    }
    procs->ran += ran(procs, i, task);
    int64_t cpu_ns = (int64_t)task->runtime_ns;
    tell(procs, rows, i, cpu_ns > clock->cpu_ns ? cpu_ns : clock->cpu_ns);
}

/* Ask those whom no walk met for `least_ns` whether they are still there. A sandbox may hide some
 * from BPF that /proc shows: they are read as in tier P. From the end: ending one moves the last
 * one of the set. */
static void ask_unmet(struct tk_procs *procs, struct tk_rows *rows, int64_t least_ns)
{
    uint16_t now = tk_procs_age(procs->sweep_start_ns);
    for (uint32_t i = procs->set.count; i-- > 0;) {
        pid_t pid = procs->set.clocks[i].pid;
        uint16_t age = (uint16_t)(now - procs->set.facts[i].io_age);
        if (age < tk_procs_age(least_ns) ||
            (procs->set.clocks[i].flags & (TK_PROC_GONE | TK_PROC_UNMET)))
            continue;
        tk_procs_ask(procs, rows, pid);
        uint32_t again = tk_proc_set_find(&procs->set, pid);
        if (again == TK_PROC_NONE || procs->set.facts[again].group_mark != 0 ||
            (procs->set.clocks[again].flags & TK_PROC_GONE))
            continue;
        procs->set.clocks[again].flags |= TK_PROC_UNMET;
        procs->unmet++;
    }
}

/* Tier P takes over. */
static void give_up(struct tk_procs *procs, int rc)
{
    procs->tier = procs->kernel->cpu_clock ? TK_TIER_P : TK_TIER_P0;
    procs->tier_changes++;
    (void)snprintf(procs->tier_why_not, sizeof(procs->tier_why_not),
                   "a walk in the kernel failed: %s", strerrordesc_np(-rc));
}

/* Walk until nobody is left out, and take each record. Returns when the last walk ended, and how
 * many processes it met. */
static int64_t walk_all(struct tk_procs *procs, struct tk_rows *rows, const struct look *look,
                        uint32_t *ret_met)
{
    struct tk_walk walk = {.left_out = true};
    struct tk_walk_order order = {look->turn_from, look->turn_width, false,
                                  threads_of(procs, look)};
    if (look->is_whole)
        order.turn_width = UINT32_MAX;
    for (int round = 0; round < ROUNDS_MAX && walk.left_out; round++) {
        procs->syscalls++;
        order.rest = round > 0;
        int rc = procs->walker.walk(procs->walker.context, &order, &walk);
        if (rc < 0) {
            give_up(procs, rc);
            break;
        }
        if (!look->is_silent)
            end_pauses(procs, rows, &walk);
        for (uint32_t r = 0; r < walk.count; r++)
            take(procs, rows, look, &walk.tasks[r]);
        take_all_unmoved(procs, rows, look, &walk);
        tk_procs_take_threads(procs, rows, &walk);
        procs->cut = walk.cut;
    }
    *ret_met = walk.processes;
    return walk.end_ns;
}

/* Whether the walk before is over for it: it was told of, or was there and was not. */
static bool was_walked(const struct tk_procs *procs, uint32_t i)
{
    const struct tk_proc_facts *facts = &procs->set.facts[i];
    return facts->birth_ns != 0 ? facts->birth_ns < procs->walked_ns : facts->group_mark != 0;
}

/* A process may have come into the set after a walk has told of it, and sleep since: the next walk
 * has to meet it all the same. Those that were born since the last one it meets anyway. */
static bool lacks_first_row(const struct tk_procs *procs)
{
    const uint32_t asked = TK_PROC_MEMBER | TK_PROC_FRESH | TK_PROC_GONE | TK_PROC_UNMET;
    for (uint32_t i = 0; i < procs->set.count; i++) {
        if ((procs->set.clocks[i].flags & asked) == (TK_PROC_MEMBER | TK_PROC_FRESH) &&
            was_walked(procs, i))
            return true;
    }
    return false;
}

/* One more walk, that shows who is there: ask the others. What ran since the walk before is told
 * when it runs again, or in its turn. */
static void ask_absent(struct tk_procs *procs, struct tk_rows *rows)
{
    uint32_t met;
    uint16_t before = (uint16_t)(tk_procs_age(procs->sweep_start_ns) - 1);
    for (uint32_t i = 0; i < procs->set.count; i++)
        procs->set.facts[i].io_age = before;
    (void)walk_all(procs, rows, &(struct look){.is_whole = true, .is_silent = true}, &met);
    ask_unmet(procs, rows, TK_AGE_NS);
}

/* Who has gone without a word: where no events tell, the walk met fewer than we know; where some
 * are lost, everybody has a turn. */
static void look_for_gone(struct tk_procs *procs, struct tk_rows *rows, uint32_t met)
{
    bool has_events = tk_procs_has_events(procs) || tk_procs_has_records(procs);
    if (procs->tick == 1) {
        ask_unmet(procs, rows, 0);
    } else if (!has_events && met + procs->unmet < procs->set.count) {
        ask_absent(procs, rows);
    }
    if (procs->lost_turns != procs->turns)
        ask_unmet(procs, rows, tk_procs_turn_ns(procs) * 5 / 2);
    procs->lost_turns = procs->turns;
}

int64_t tk_procs_walk(struct tk_procs *procs, struct tk_rows *rows, uint32_t turn_from,
                      uint32_t turn_width)
{
    uint32_t met;
    bool has_new = procs->births != procs->births_walked;
    const struct look look = {
        .turn_from = turn_from,
        .turn_width = turn_width,
        .is_whole = (has_new || procs->had_new) && lacks_first_row(procs),
    };
    int64_t end_ns = walk_all(procs, rows, &look, &met);
    procs->had_new = has_new;
    procs->births_walked = procs->births;
    procs->walked_ns = procs->sweep_start_ns;
    if (tk_procs_has_walk(procs))
        look_for_gone(procs, rows, met);
    return end_ns > procs->sweep_start_ns ? end_ns : procs->sweep_start_ns;
}
