/* SPDX-License-Identifier: Apache-2.0 */
#include "step/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "collect/exits_feed.h"
#include "collect/exits_sum.h"
#include "step/measure.h"

enum {
    PROGRAMS_MAX = 512, /* names; more are not told apart */
    EVENTS = 256,
    TOP = 5,
};

struct program {
    char comm[TK_COMM_MAX];
    int64_t count, cpu_ns, rss_kb, rd_bytes, wr_bytes;
};

struct tk_tree {
    struct tk_exit_feed *feed;
    struct tk_exit_sums sums;
    struct tk_map members; /* pids; a dead one stays until its pid is born again elsewhere */
    pid_t root;            /* the event of its own birth comes after it was put in */
    int64_t count;
    bool lost;
    struct program programs[PROGRAMS_MAX];
    size_t program_count;
};

int tk_tree_new(const struct tk_kernel *kernel, struct tk_tree **ret_tree, struct tk_err *err)
{
    struct tk_exit_feed_stats stats;
    struct tk_tree *tree = calloc(1, sizeof(*tree));
    if (!tree)
        return tk_fail(err, -ENOMEM, "out of memory");
    tk_exit_sums_init(&tree->sums);
    int rc = tk_exit_feed_new(kernel, &tree->feed, err);
    if (rc == 0) {
        tk_exit_feed_read_stats(tree->feed, &stats);
        if (!stats.connector || !stats.taskstats)
            rc = tk_fail(err, -EOPNOTSUPP, "this host does not tell of forks and exits");
    }
    if (rc < 0) {
        tk_tree_free(tree);
        return rc;
    }
    *ret_tree = tree;
    return 0;
}

void tk_tree_free(struct tk_tree *tree)
{
    if (!tree)
        return;
    tk_exit_feed_free(tree->feed);
    tk_exit_sums_release(&tree->sums);
    tk_map_release(&tree->members);
    free(tree);
}

static void add(struct tk_tree *tree, pid_t pid)
{
    if (tk_map_add(&tree->members, (uint64_t)pid, 0) < 0) {
        tree->lost = true;
    } else {
        tree->count++;
    }
}

void tk_tree_begin(struct tk_tree *tree, pid_t root)
{
    tree->root = root;
    add(tree, root);
}

static bool has_member(const struct tk_tree *tree, pid_t pid)
{
    uint32_t unused;
    return tk_map_find(&tree->members, (uint64_t)pid, &unused);
}

static void take_event(struct tk_tree *tree, const struct tk_event *event)
{
    if (event->kind != TK_EVENT_FORK || event->tid != event->pid)
        return;
    if (has_member(tree, event->parent)) {
        tk_exit_sums_forget(&tree->sums, event->pid);
        if (!has_member(tree, event->pid))
            add(tree, event->pid);
    } else if (event->pid != tree->root) {
        /* The pid of a member that has ended came to somebody else. */
        (void)tk_map_remove(&tree->members, (uint64_t)event->pid);
    }
}

static struct program *find_program(struct tk_tree *tree, const char *comm)
{
    for (size_t i = 0; i < tree->program_count; i++) {
        if (strcmp(tree->programs[i].comm, comm) == 0)
            return &tree->programs[i];
    }
    if (tree->program_count == PROGRAMS_MAX)
        return NULL;
    struct program *program = &tree->programs[tree->program_count++];
    memcpy(program->comm, comm, sizeof(program->comm));
    return program;
}

static void take_total(struct tk_tree *tree, const struct tk_exit_total *total)
{
    struct program *program = find_program(tree, total->comm);
    if (!program)
        return;
    program->count++;
    program->cpu_ns += total->cpu_ns;
    program->rd_bytes += total->rd_bytes;
    program->wr_bytes += total->wr_bytes;
    if (total->max_rss_kb > program->rss_kb)
        program->rss_kb = total->max_rss_kb;
}

/* Records first: whoever they are of was born before, so the event that tells of it waits by then.
 */
void tk_tree_drain(struct tk_tree *tree)
{
    struct tk_event events[EVENTS];
    struct tk_task_record records[2];
    struct tk_exit_total total;
    int64_t now_ns = tk_clock_mono_ns();
    int n;
    while ((n = tk_exit_feed_read_records(tree->feed, records)) > 0)
        tk_exit_sums_add(&tree->sums, records, n, now_ns);
    size_t count;
    do {
        count = tk_exit_feed_read_events(tree->feed, events, EVENTS);
        for (size_t i = 0; i < count; i++)
            take_event(tree, &events[i]);
    } while (count == EVENTS);
    while (tk_exit_sums_next(&tree->sums, now_ns + 1, &total)) {
        if (has_member(tree, total.pid))
            take_total(tree, &total);
    }
    tree->lost = tk_exit_feed_lost(tree->feed) || tree->lost;
}

int64_t tk_tree_count(const struct tk_tree *tree)
{
    return tree->lost ? TK_JOB_NONE : tree->count;
}

static int by_cpu(const void *a, const void *b)
{
    const struct program *x = a;
    const struct program *y = b;
    if (x->cpu_ns != y->cpu_ns)
        return x->cpu_ns < y->cpu_ns ? 1 : -1;
    return strcmp(x->comm, y->comm);
}

void tk_tree_top(const struct tk_tree *tree, struct tk_job_processes *ret, struct tk_arena *arena)
{
    struct program sorted[PROGRAMS_MAX];
    memcpy(sorted, tree->programs, tree->program_count * sizeof(*sorted));
    qsort(sorted, tree->program_count, sizeof(*sorted), by_cpu);
    for (size_t i = 0; i < tree->program_count && i < TOP; i++) {
        struct tk_job_process *process = tk_job_add(&tk_job_process_shape, ret, arena);
        if (!process)
            return;
        process->comm = tk_arena_copy(arena, tk_str_from(sorted[i].comm));
        process->count = sorted[i].count;
        process->cpu_s = (double)sorted[i].cpu_ns / (double)TK_NS_PER_S;
        process->rss_peak_mb = (double)sorted[i].rss_kb / 1024;
        process->read_mb = (double)sorted[i].rd_bytes / TK_STEP_MB;
        process->write_mb = (double)sorted[i].wr_bytes / TK_STEP_MB;
    }
}
