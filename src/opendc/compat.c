/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/compat.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "opendc/stats.h"

#define FLOOR_MHZ    0.1
#define CAP_MHZ      2400.0
#define SNAP_MHZ     200.0
#define PERCENTILE   0.95
#define UNKNOWN_LOAD 0.5

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* Rows ------------------------------------------------------------------------------------ */

static int add_row(struct tk_compat_rows *rows, struct tk_compat_row row, struct tk_err *err)
{
    if (rows->count == rows->cap) {
        size_t cap = rows->cap ? rows->cap * 2 : 256;
        struct tk_compat_row *items = realloc(rows->items, cap * sizeof(*items));
        if (!items)
            return tk_fail(err, -ENOMEM, "out of memory for %zu rows", cap);
        rows->items = items;
        rows->cap = cap;
    }
    rows->items[rows->count++] = row;
    return 0;
}

void tk_compat_rows_release(struct tk_compat_rows *rows)
{
    free(rows->items);
    *rows = (struct tk_compat_rows){0};
}

/* The row from one reading to the next, if the latter lies within the task. */
static int add_between(struct tk_compat_rows *rows, const struct tk_task *task,
                       const struct tk_point *before, const struct tk_point *at, struct tk_err *err)
{
    struct tk_compat_row row = {
        .ts_ms = at->us / 1000,
        .dt_ms = at->us / 1000 - before->us / 1000,
        .cpu_ms = at->cpu_ns / TK_NS_PER_MS - before->cpu_ns / TK_NS_PER_MS,
    };
    if (row.dt_ms <= 0 || row.ts_ms < task->start_ms || row.ts_ms > task->end_ms)
        return 0;
    return add_row(rows, row, err);
}

static int read_process(struct tk_compat_rows *rows, const struct tk_workload *workload,
                        const struct tk_process *process, const struct tk_task *task,
                        struct tk_err *err)
{
    const struct tk_folder *folder = &workload->folders[workload->nodes[process->node].folder];
    bool is_born_in_run = process->birth_us != INT64_MIN && folder->start_us != INT64_MIN &&
                          process->birth_us >= folder->start_us;
    struct tk_point before = {.us = process->birth_us};
    bool has_before = is_born_in_run;
    int rc = 0;
    for (const struct tk_points *points = process->first; points; points = points->next) {
        for (uint32_t i = 0; rc == 0 && i < points->count; i++) {
            const struct tk_point *at = &points->items[i];
            if (has_before)
                rc = add_between(rows, task, &before, at, err);
            before = *at;
            has_before = true;
        }
    }
    struct tk_point exit = {.us = process->exit_us, .cpu_ns = process->exit_cpu_ns};
    if (rc == 0 && has_before && exit.us != INT64_MIN && exit.cpu_ns >= before.cpu_ns)
        rc = add_between(rows, task, &before, &exit, err);
    return rc;
}

static int compare_rows(const void *a, const void *b)
{
    const struct tk_compat_row *first = a;
    const struct tk_compat_row *second = b;
    return (first->ts_ms > second->ts_ms) - (first->ts_ms < second->ts_ms);
}

int tk_compat_rows_read(struct tk_compat_rows *rows, const struct tk_workload *workload,
                        const struct tk_task *task, bool by_pid, struct tk_err *err)
{
    rows->count = 0;
    int rc = 0;
    for (uint32_t p = task->process; rc == 0 && p != TK_NONE;
         p = by_pid ? workload->processes[p].same_pid : TK_NONE)
        rc = read_process(rows, workload, &workload->processes[p], task, err);
    if (rc == 0 && by_pid && rows->count > 1)
        qsort(rows->items, rows->count, sizeof(*rows->items), compare_rows);
    return rc;
}

/* Formulas --------------------------------------------------------------------------------- */

static double cores_of(const struct tk_compat_row *row)
{
    return (double)row->cpu_ms / (double)(row->dt_ms > 1 ? row->dt_ms : 1);
}

/* What a task is taken to need before its fragments are known. */
static double first_capacity(const struct tk_compat_rows *rows, int64_t duration_ms,
                             const struct tk_compat_rules *rules)
{
    if (rows->count == 0)
        return UNKNOWN_LOAD * rules->mhz;
    double peak = 0;
    double cpu_ms = 0;
    for (size_t i = 0; i < rows->count; i++) {
        peak = fmax(peak, cores_of(&rows->items[i]));
        cpu_ms += (double)rows->items[i].cpu_ms;
    }
    double cores = clamp(floor(peak + 0.5), 1, (double)rules->cores);
    double load = fmin(1, cpu_ms / (double)duration_ms / cores);
    return cores * fmax(1, rules->mhz * load);
}

static int add_fragment(struct tk_fragments *fragments, int64_t duration_ms, double mhz,
                        struct tk_err *err)
{
    if (duration_ms <= 0)
        return 0;
    struct tk_fragment fragment = {.duration_ms = duration_ms,
                                   .mhz = mhz > FLOOR_MHZ ? mhz : FLOOR_MHZ};
    return tk_fragments_add(fragments, fragment, err);
}

static int add_fragments(struct tk_fragments *fragments, const struct tk_task *task,
                         const struct tk_compat_rows *rows, const struct tk_compat_rules *rules,
                         struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < rows->count; i++) {
        const struct tk_compat_row *row = &rows->items[i];
        double mhz = fmin(cores_of(row), (double)rules->cores) * rules->mhz;
        int64_t from_ms = row->ts_ms - row->dt_ms;
        if (i == 0)
            rc = add_fragment(fragments, from_ms - task->start_ms, mhz, err);
        if (from_ms < task->start_ms)
            from_ms = task->start_ms;
        rc = rc < 0 ? rc : add_fragment(fragments, row->ts_ms - from_ms, mhz, err);
    }
    return rc;
}

/* Linear interpolation at 0.95 (n - 1), whatever the durations. */
static int percentile(const struct tk_fragments *fragments, double *ret, struct tk_err *err)
{
    double *sorted = malloc((fragments->count + 1) * sizeof(*sorted));
    if (!sorted)
        return tk_fail(err, -ENOMEM, "out of memory for %zu fragments", fragments->count);
    for (size_t i = 0; i < fragments->count; i++)
        sorted[i] = fragments->items[i].mhz;
    tk_stats_sort(sorted, fragments->count);
    *ret = tk_stats_quantile(sorted, fragments->count, PERCENTILE);
    free(sorted);
    return 0;
}

static void set_gen1(struct tk_task *task, double capacity, const struct tk_compat_rules *rules)
{
    task->cpu_capacity_mhz = capacity;
    task->cpu_count = (int32_t)clamp(ceil(capacity / rules->mhz), 1, (double)rules->cores);
}

static void set_gen2(struct tk_task *task, double capacity, const struct tk_compat_rules *rules)
{
    /* nearbyint() takes halves to even, as Python's round(). */
    double count = clamp(nearbyint(capacity / rules->mhz), 1, (double)rules->cores);
    if (count <= 1 && fabs(capacity - rules->mhz) <= SNAP_MHZ)
        capacity = nearbyint(rules->mhz / 100) * 100;
    if (rules->has_cap)
        capacity = fmin(capacity, CAP_MHZ * count);
    task->cpu_capacity_mhz = capacity;
    task->cpu_count = (int32_t)count;
}

int tk_compat_cut(struct tk_fragments *fragments, struct tk_task *task,
                  const struct tk_compat_rows *rows, const struct tk_compat_rules *rules,
                  struct tk_err *err)
{
    fragments->count = 0;
    int64_t duration_ms = task->end_ms - task->start_ms;
    double capacity = first_capacity(rows, duration_ms, rules);
    int rc = add_fragments(fragments, task, rows, rules, err);
    if (rc == 0 && fragments->count == 0)
        rc = add_fragment(fragments, duration_ms, UNKNOWN_LOAD * capacity, err);
    rc = rc < 0 ? rc : percentile(fragments, &capacity, err);
    if (rc < 0)
        return rc;
    if (rules->compat == TK_COMPAT_GEN2) {
        set_gen2(task, capacity, rules);
    } else {
        set_gen1(task, capacity, rules);
    }
    task->known = rows->count > 0 ? TK_KNOWN_SAMPLES : TK_KNOWN_NOTHING;
    return 0;
}
