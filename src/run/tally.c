/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the processes alive lie in an array with a free list, found by (pid, start ticks).
 * An exit leaves its record as a mark for LINGER_NS, since a sample that was taken before the exit
 * may stand after it in the merged order and must not bring the process to life again. */
#include "run/tally.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/clock.h"
#include "base/map.h"
#include "run/exits.h"
#include "run/schemas.h"

#define LINGER_NS   (10 * TK_NS_PER_S)
#define MAX_GROUPS  4096
#define NONE        UINT32_MAX
#define PID_SHIFT   42 /* start ticks below it: 1,300 years at 100 Hz */
#define DEFAULT_TCK 100

/* A counter as it was when the run began and as it is now; -1 = never read. What children added
 * that were waited for meanwhile is their own: the I/O of /proc/PID/io has it, exit records not. */
struct counter {
    int64_t base, last;
    int64_t of_children;
};

struct process {
    int64_t pid, start_ticks;
    struct counter cpu_ns, rd_bytes, wr_bytes, run_delay_ns, io_wait_ns;
    int64_t rss_bytes, max_rss_bytes; /* at the last row; the largest */
    int64_t done_ns;                  /* epoch time of the exit; 0 = alive */
    char comm[TK_COMM_MAX];
    bool in_tree;
    bool born_in_run; /* all that it used counts */
    uint32_t next;    /* in the free list or in the list of the done */
};

struct tk_tally {
    struct tk_tally_options options;
    int64_t tick_ns;
    struct process *processes; /* owned */
    uint32_t count, cap;
    uint32_t free_head;            /* records to use again */
    uint32_t done_head, done_tail; /* exits by time */
    struct tk_map by_identity;
    struct tk_map by_pid;          /* the last process that had it */
    struct tk_tally_group *groups; /* owned */
    size_t group_count;
    struct tk_map by_name;
    struct tk_tally_totals totals[2]; /* by in_tree */
};

static void clear_totals(struct tk_tally *tally)
{
    for (int i = 0; i < 2; i++) {
        tally->totals[i] = (struct tk_tally_totals){.max_rss_bytes = -1,
                                                    .rd_bytes = -1,
                                                    .wr_bytes = -1,
                                                    .run_delay_ns = -1,
                                                    .io_wait_ns = -1};
    }
}

int tk_tally_new(const struct tk_tally_options *options, struct tk_tally **ret_tally,
                 struct tk_err *err)
{
    struct tk_tally *tally = calloc(1, sizeof(*tally));
    if (!tally)
        return tk_fail(err, -ENOMEM, "process totals: out of memory");
    tally->options = *options;
    tally->tick_ns = TK_NS_PER_S / (options->clk_tck > 0 ? options->clk_tck : DEFAULT_TCK);
    tally->free_head = tally->done_head = tally->done_tail = NONE;
    clear_totals(tally);
    *ret_tally = tally;
    return 0;
}

void tk_tally_free(struct tk_tally *tally)
{
    if (!tally)
        return;
    free(tally->processes);
    free(tally->groups);
    tk_map_release(&tally->by_identity);
    tk_map_release(&tally->by_pid);
    tk_map_release(&tally->by_name);
    free(tally);
}

/* Groups ------------------------------------------------------------------------- */

/* FNV-1a. */
static uint64_t group_key(const char *comm, bool in_tree)
{
    uint64_t hash = in_tree ? 0xcbf29ce484222325ULL : 0x9ae16a3b2f90404fULL;
    for (; *comm; comm++)
        hash = (hash ^ (unsigned char)*comm) * 0x100000001b3ULL;
    return hash;
}

static int group_new(struct tk_tally *tally, const char *comm, bool in_tree, uint64_t key)
{
    if ((tally->group_count & (tally->group_count - 1)) == 0) {
        size_t cap = tally->group_count ? tally->group_count * 2 : 1;
        struct tk_tally_group *groups = realloc(tally->groups, cap * sizeof(*groups));
        if (!groups)
            return -ENOMEM;
        tally->groups = groups;
    }
    int rc = tk_map_add(&tally->by_name, key, (uint32_t)tally->group_count);
    if (rc < 0)
        return rc;
    struct tk_tally_group *group = &tally->groups[tally->group_count++];
    *group = (struct tk_tally_group){
        .in_tree = in_tree, .max_rss_bytes = -1, .rd_bytes = -1, .wr_bytes = -1};
    memcpy(group->comm, comm, sizeof(group->comm));
    return 0;
}

/* The group of a name; past MAX_GROUPS names, one that stands for all further ones. */
static struct tk_tally_group *group_of(struct tk_tally *tally, const char *comm, bool in_tree)
{
    static const char others[TK_COMM_MAX] = "(others)";
    if (tally->group_count >= MAX_GROUPS)
        comm = others;
    uint64_t key = group_key(comm, in_tree);
    for (uint32_t index; tk_map_find(&tally->by_name, key, &index); key++) {
        struct tk_tally_group *group = &tally->groups[index];
        if (group->in_tree == in_tree && memcmp(group->comm, comm, TK_COMM_MAX) == 0)
            return group;
    }
    if (group_new(tally, comm, in_tree, key) < 0)
        return NULL;
    return &tally->groups[tally->group_count - 1];
}

/* A value from a file in a smaller unit; -1 when it is absent, negative or absurd. */
static int64_t scaled(int64_t value, int64_t factor)
{
    int64_t product;
    return value >= 0 && tk_mul_i64(value, factor, &product) ? product : -1;
}

/* -1 stands for "not known" on either side. */
static void add_known(int64_t *sum, int64_t more)
{
    if (more < 0 || tk_add_i64(*sum < 0 ? 0 : *sum, more, sum))
        return;
    *sum = INT64_MAX;
}

/* What the counter moved within the run; -1 when it was never read. */
static int64_t moved(const struct counter *counter)
{
    if (counter->last < 0)
        return -1;
    int64_t all = counter->last > counter->base ? counter->last - counter->base : 0;
    return all > counter->of_children ? all - counter->of_children : 0;
}

/* Add a process to its group and to the totals. */
static int fold(struct tk_tally *tally, struct process *process)
{
    if (process->comm[0] == '\0')
        (void)snprintf(process->comm, sizeof(process->comm), "pid %lld", (long long)process->pid);
    struct tk_tally_group *group = group_of(tally, process->comm, process->in_tree);
    if (!group)
        return -ENOMEM;
    struct tk_tally_totals *totals = &tally->totals[process->in_tree];
    group->processes++;
    totals->processes++;
    add_known(&group->cpu_ns, moved(&process->cpu_ns));
    add_known(&totals->cpu_ns, moved(&process->cpu_ns));
    add_known(&group->rd_bytes, moved(&process->rd_bytes));
    add_known(&totals->rd_bytes, moved(&process->rd_bytes));
    add_known(&group->wr_bytes, moved(&process->wr_bytes));
    add_known(&totals->wr_bytes, moved(&process->wr_bytes));
    add_known(&totals->run_delay_ns, moved(&process->run_delay_ns));
    add_known(&totals->io_wait_ns, moved(&process->io_wait_ns));
    if (process->max_rss_bytes > group->max_rss_bytes)
        group->max_rss_bytes = process->max_rss_bytes;
    if (process->max_rss_bytes > totals->max_rss_bytes) {
        totals->max_rss_bytes = process->max_rss_bytes;
        memcpy(totals->max_rss_comm, process->comm, sizeof(totals->max_rss_comm));
    }
    return 0;
}

/* Processes ----------------------------------------------------------------------- */

static uint64_t identity_of(int64_t pid, int64_t start_ticks)
{
    return ((uint64_t)pid << PID_SHIFT) ^ (uint64_t)start_ticks;
}

static struct process *process_at(const struct tk_tally *tally, uint32_t index)
{
    assert(tally->processes);
    return &tally->processes[index];
}

static struct process *process_find(const struct tk_tally *tally, int64_t pid, int64_t start_ticks)
{
    uint32_t index;
    if (!tk_map_find(&tally->by_identity, identity_of(pid, start_ticks), &index))
        return NULL;
    return process_at(tally, index);
}

static int record_take(struct tk_tally *tally, uint32_t *ret_index)
{
    if (tally->free_head != NONE) {
        *ret_index = tally->free_head;
        tally->free_head = process_at(tally, tally->free_head)->next;
        return 0;
    }
    if (tally->count == tally->cap) {
        uint32_t cap = tally->cap ? tally->cap * 2 : 64;
        struct process *processes = realloc(tally->processes, cap * sizeof(*processes));
        if (!processes)
            return -ENOMEM;
        tally->processes = processes;
        tally->cap = cap;
    }
    *ret_index = tally->count++;
    return 0;
}

static bool parent_in_tree(const struct tk_tally *tally, int64_t ppid)
{
    uint32_t index;
    return ppid > 0 && tk_map_find(&tally->by_pid, (uint64_t)ppid, &index) &&
           process_at(tally, index)->in_tree;
}

static bool is_in_tree(const struct tk_tally *tally, int64_t pid, int64_t start_ticks, int64_t ppid)
{
    const struct tk_tally_options *options = &tally->options;
    if (options->root_pid == 0)
        return false;
    bool is_root = pid == options->root_pid &&
                   (options->root_start_ticks == 0 || start_ticks == options->root_start_ticks);
    return is_root || parent_in_tree(tally, ppid);
}

/* True when the process was born in the run, so that all that it used counts. Without a boot time
 * or a start time that is not known. */
static bool is_born_in_run(const struct tk_tally *tally, int64_t start_ticks)
{
    int64_t since_boot_ns = scaled(start_ticks, tally->tick_ns);
    if (tally->options.boot_ns == 0 || since_boot_ns <= 0)
        return false;
    return since_boot_ns + tally->tick_ns >= tally->options.start_ns - tally->options.boot_ns;
}

static int process_new(struct tk_tally *tally, int64_t pid, int64_t start_ticks, int64_t ppid,
                       struct process **ret_process)
{
    uint32_t index;
    bool in_tree = is_in_tree(tally, pid, start_ticks, ppid);
    int rc = record_take(tally, &index);
    rc = rc < 0 ? rc : tk_map_add(&tally->by_identity, identity_of(pid, start_ticks), index);
    rc = rc < 0 ? rc : tk_map_add(&tally->by_pid, (uint64_t)pid, index);
    if (rc < 0)
        return rc;
    struct process *process = &tally->processes[index];
    *process = (struct process){.pid = pid,
                                .start_ticks = start_ticks,
                                .cpu_ns.last = -1,
                                .rd_bytes.last = -1,
                                .wr_bytes.last = -1,
                                .run_delay_ns.last = -1,
                                .io_wait_ns.last = -1,
                                .rss_bytes = -1,
                                .max_rss_bytes = -1,
                                .in_tree = in_tree,
                                .born_in_run = is_born_in_run(tally, start_ticks),
                                .next = NONE};
    *ret_process = process;
    return 0;
}

static void process_drop(struct tk_tally *tally, uint32_t index)
{
    struct process *process = &tally->processes[index];
    uint32_t owner;
    tk_map_remove(&tally->by_identity, identity_of(process->pid, process->start_ticks));
    if (tk_map_find(&tally->by_pid, (uint64_t)process->pid, &owner) && owner == index)
        tk_map_remove(&tally->by_pid, (uint64_t)process->pid);
    process->next = tally->free_head;
    tally->free_head = index;
}

/* Keep the record as a mark, and let go of those whose time is over. */
static void process_end(struct tk_tally *tally, struct process *process, int64_t now_ns)
{
    uint32_t index = (uint32_t)(process - tally->processes);
    process->done_ns = now_ns > 0 ? now_ns : 1;
    process->next = NONE;
    if (tally->done_tail == NONE) {
        tally->done_head = index;
    } else {
        tally->processes[tally->done_tail].next = index;
    }
    tally->done_tail = index;

    while (tally->done_head != NONE && tally->done_head != index) {
        struct process *oldest = &tally->processes[tally->done_head];
        if (oldest->done_ns > now_ns - LINGER_NS)
            break;
        uint32_t gone = tally->done_head;
        tally->done_head = oldest->next;
        process_drop(tally, gone);
    }
}

static void counter_set(const struct process *process, struct counter *counter, int64_t value)
{
    if (value < 0)
        return;
    if (counter->last < 0)
        counter->base = process->born_in_run ? 0 : value;
    counter->last = value;
}

static void set_rss(struct process *process, int64_t rss_kb)
{
    int64_t rss_bytes = scaled(rss_kb, 1024);
    if (rss_bytes < 0)
        return;
    process->rss_bytes = rss_bytes;
    if (rss_bytes > process->max_rss_bytes)
        process->max_rss_bytes = rss_bytes;
}

static void set_comm(struct process *process, tk_str comm)
{
    if (comm.n == 0)
        return;
    size_t n = comm.n < TK_COMM_MAX - 1 ? comm.n : TK_COMM_MAX - 1;
    memcpy(process->comm, comm.p, n);
    memset(process->comm + n, 0, TK_COMM_MAX - n);
}

/* Rows ----------------------------------------------------------------------------- */

/* Cumulative CPU of a row of proc_metrics; -1 when it has none. Rows of generation 2 hold CPU per
 * interval, which is added up. */
static int64_t sample_cpu_ns(const struct tk_tally *tally, const struct process *process,
                             const struct tk_batch *batch, size_t row)
{
    int64_t cpu_ns = tk_batch_i64(batch, row, TK_PROC_METRICS_CPU_NS, -1);
    if (cpu_ns >= 0)
        return cpu_ns;
    int64_t utime = tk_batch_i64(batch, row, TK_PROC_METRICS_UTIME, -1);
    int64_t stime = tk_batch_i64(batch, row, TK_PROC_METRICS_STIME, -1);
    if (utime >= 0 && stime >= 0)
        return scaled(utime + stime, tally->tick_ns);
    int64_t sum = process->cpu_ns.last;
    add_known(&sum, scaled(tk_batch_i64(batch, row, TK_PROC_METRICS_CPU_MS, -1), TK_NS_PER_MS));
    return sum;
}

/* Files without start ticks tell a process that took over a pid only by its counter. */
static int restart_if_recycled(struct tk_tally *tally, struct process *process, int64_t cpu_ns)
{
    if (process->start_ticks != 0 || cpu_ns < 0 || cpu_ns >= process->cpu_ns.last)
        return 0;
    int rc = fold(tally, process);
    process->cpu_ns = (struct counter){.base = 0, .last = cpu_ns};
    process->rd_bytes = process->wr_bytes = (struct counter){.last = -1};
    process->run_delay_ns = process->io_wait_ns = (struct counter){.last = -1};
    process->max_rss_bytes = -1;
    return rc;
}

int tk_tally_add_sample(struct tk_tally *tally, const struct tk_batch *batch, size_t row)
{
    int64_t pid = tk_batch_i64(batch, row, TK_PROC_METRICS_PID, 0);
    int64_t start_ticks = tk_batch_i64(batch, row, TK_PROC_METRICS_START_TICKS, 0);
    int64_t ppid = tk_batch_i64(batch, row, TK_PROC_METRICS_PPID, 0);
    struct process *process = process_find(tally, pid, start_ticks);
    int rc = process ? 0 : process_new(tally, pid, start_ticks, ppid, &process);
    if (rc < 0 || process->done_ns != 0)
        return rc;
    int64_t cpu_ns = sample_cpu_ns(tally, process, batch, row);
    rc = restart_if_recycled(tally, process, cpu_ns);
    if (rc < 0)
        return rc;
    counter_set(process, &process->cpu_ns, cpu_ns);
    counter_set(process, &process->rd_bytes,
                tk_batch_i64(batch, row, TK_PROC_METRICS_RD_BYTES, -1));
    counter_set(process, &process->wr_bytes,
                tk_batch_i64(batch, row, TK_PROC_METRICS_WR_BYTES, -1));
    counter_set(process, &process->run_delay_ns,
                scaled(tk_batch_i64(batch, row, TK_PROC_METRICS_RUN_DELAY_US, -1), TK_NS_PER_US));
    counter_set(process, &process->io_wait_ns,
                scaled(tk_batch_i64(batch, row, TK_PROC_METRICS_IO_WAIT_US, -1), TK_NS_PER_US));
    set_rss(process, tk_batch_i64(batch, row, TK_PROC_METRICS_RSS_KB, -1));
    set_comm(process, tk_batch_text(batch, row, TK_PROC_METRICS_COMM));
    return 0;
}

static int64_t exit_time_ns(const struct tk_batch *batch, size_t row)
{
    int64_t ns = scaled(tk_batch_i64(batch, row, TK_PROC_EXIT_TS_US, -1), TK_NS_PER_US);
    return ns >= 0 ? ns : scaled(tk_batch_i64(batch, row, TK_PROC_EXIT_TS_MS, -1), TK_NS_PER_MS);
}

/* What a child used goes to its parent's counter, and what its own children left to it. */
static void counter_inherit(const struct process *parent, struct counter *into,
                            struct counter *from, bool is_own)
{
    bool counts = into->last >= 0 || parent->born_in_run; /* not in the base yet */
    if (counts && from->last > 0)
        add_known(&into->of_children, from->last);
    if (counts && is_own)
        add_known(&into->of_children, from->of_children);
    if (is_own)
        from->of_children = 0;
}

/* The parent takes over the I/O of a child when it waits for it, which is about now. The I/O of
 * the kernel's exit records is the process's own, other sources repeat a sample. */
static void inherit(struct tk_tally *tally, struct process *process, const struct tk_batch *batch,
                    size_t row)
{
    bool is_own = tk_exit_source_is_account(tk_batch_text(batch, row, TK_PROC_EXIT_SOURCE));
    struct process nobody = {.rd_bytes.last = -1, .wr_bytes.last = -1};
    struct process *parent = &nobody;
    uint32_t index;
    int64_t ppid = tk_batch_i64(batch, row, TK_PROC_EXIT_PPID, 0);
    if (ppid > 0 && tk_map_find(&tally->by_pid, (uint64_t)ppid, &index) &&
        tally->processes[index].done_ns == 0 && ppid != process->pid)
        parent = &tally->processes[index];
    counter_inherit(parent, &parent->rd_bytes, &process->rd_bytes, is_own);
    counter_inherit(parent, &parent->wr_bytes, &process->wr_bytes, is_own);
}

/* What the exit record says replaces what was sampled; only where the run began still counts. */
static void set_exit(const struct tk_tally *tally, struct process *process,
                     const struct tk_batch *batch, size_t row)
{
    int64_t start_ns = scaled(tk_batch_i64(batch, row, TK_PROC_EXIT_START_US, -1), TK_NS_PER_US);
    if (start_ns >= tally->options.start_ns)
        process->born_in_run = true;
    counter_set(process, &process->cpu_ns, tk_batch_i64(batch, row, TK_PROC_EXIT_CPU_NS, -1));
    counter_set(process, &process->rd_bytes, tk_batch_i64(batch, row, TK_PROC_EXIT_RD_BYTES, -1));
    counter_set(process, &process->wr_bytes, tk_batch_i64(batch, row, TK_PROC_EXIT_WR_BYTES, -1));
    counter_set(process, &process->run_delay_ns,
                scaled(tk_batch_i64(batch, row, TK_PROC_EXIT_RUN_DELAY_US, -1), TK_NS_PER_US));
    counter_set(process, &process->io_wait_ns,
                scaled(tk_batch_i64(batch, row, TK_PROC_EXIT_IO_WAIT_US, -1), TK_NS_PER_US));
    set_rss(process, tk_batch_i64(batch, row, TK_PROC_EXIT_MAX_RSS_KB, -1));
    set_comm(process, tk_batch_text(batch, row, TK_PROC_EXIT_COMM));
    process->in_tree |= tk_batch_i64(batch, row, TK_PROC_EXIT_IN_TREE, 0) != 0;
}

int tk_tally_add_exit(struct tk_tally *tally, const struct tk_batch *batch, size_t row)
{
    int64_t pid = tk_batch_i64(batch, row, TK_PROC_EXIT_PID, 0);
    int64_t start_ticks = tk_batch_i64(batch, row, TK_PROC_EXIT_START_TICKS, 0);
    int64_t ppid = tk_batch_i64(batch, row, TK_PROC_EXIT_PPID, 0);
    struct process *process = process_find(tally, pid, start_ticks);
    int rc = process ? 0 : process_new(tally, pid, start_ticks, ppid, &process);
    if (rc < 0 || process->done_ns != 0)
        return rc;
    set_exit(tally, process, batch, row);
    inherit(tally, process, batch, row);
    rc = fold(tally, process);
    process_end(tally, process, exit_time_ns(batch, row));
    return rc;
}

static int compare_groups(const void *a, const void *b)
{
    const struct tk_tally_group *left = a;
    const struct tk_tally_group *right = b;
    if (left->cpu_ns != right->cpu_ns)
        return left->cpu_ns < right->cpu_ns ? 1 : -1;
    int order = memcmp(left->comm, right->comm, sizeof(left->comm));
    return order ? order : right->in_tree - left->in_tree;
}

static void counter_restart(struct counter *counter)
{
    counter->base = counter->last;
    counter->of_children = 0;
}

void tk_tally_restart(struct tk_tally *tally)
{
    for (uint32_t i = 0; i < tally->count; i++) {
        struct process *process = &tally->processes[i];
        counter_restart(&process->cpu_ns);
        counter_restart(&process->rd_bytes);
        counter_restart(&process->wr_bytes);
        counter_restart(&process->run_delay_ns);
        counter_restart(&process->io_wait_ns);
        process->max_rss_bytes = process->rss_bytes;
    }
    tk_map_release(&tally->by_name);
    tally->group_count = 0;
    clear_totals(tally);
}

int tk_tally_finish(struct tk_tally *tally)
{
    for (size_t i = 0; tally->by_identity.slots && i <= tally->by_identity.mask; i++) {
        const struct tk_map_slot *slot = &tally->by_identity.slots[i];
        struct process *process = slot->used ? &tally->processes[slot->value] : NULL;
        if (!process || process->done_ns != 0)
            continue;
        int rc = fold(tally, process);
        if (rc < 0)
            return rc;
    }
    if (tally->group_count > 1)
        qsort(tally->groups, tally->group_count, sizeof(*tally->groups), compare_groups);
    return 0;
}

size_t tk_tally_read_groups(const struct tk_tally *tally, const struct tk_tally_group **ret_groups)
{
    *ret_groups = tally->groups;
    return tally->group_count;
}

void tk_tally_read_totals(const struct tk_tally *tally, bool in_tree,
                          struct tk_tally_totals *ret_totals)
{
    *ret_totals = tally->totals[in_tree];
}
