/* SPDX-License-Identifier: Apache-2.0 */
/* Containers, by the rows of their control groups. The counters of a group hold those of the groups
 * below it, so a container is the group nearest to the root that bears its name. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "run/summary_internal.h"

/* Counters of a group that are followed. */
static const struct {
    size_t column;
    int64_t unit;
    size_t figure; /* where its growth goes in the container */
} counters[] = {
    {TK_CGROUP_METRICS_CPU_NS, 1, offsetof(struct tk_summary_container, cpu_ns)},
    {TK_CGROUP_METRICS_THROTTLED_US, TK_NS_PER_US,
     offsetof(struct tk_summary_container, throttled_ns)},
    {TK_CGROUP_METRICS_RD_BYTES, 1, offsetof(struct tk_summary_container, rd_bytes)},
    {TK_CGROUP_METRICS_WR_BYTES, 1, offsetof(struct tk_summary_container, wr_bytes)},
};

struct tk_container_sums {
    struct tk_summary_container groups[TK_SUMMARY_MAX_CONTAINERS];
    int64_t first[TK_SUMMARY_MAX_CONTAINERS][TK_COUNTOF(counters)]; /* readings; -1 = none yet */
    size_t count;
    int64_t left_out;
};

static int64_t *figure_of(struct tk_summary_container *group, size_t counter)
{
    return (int64_t *)(void *)((char *)group + counters[counter].figure);
}

/* The index of a group; the count when there is no room for another. */
static size_t group_find(struct tk_summary_maker *maker, tk_str cgroup, tk_str name)
{
    struct tk_container_sums *sums = maker->containers;
    for (size_t i = 0; i < sums->count; i++) {
        if (tk_str_eq(sums->groups[i].cgroup, cgroup))
            return i;
    }
    if (sums->count == TK_SUMMARY_MAX_CONTAINERS)
        return sums->count;
    struct tk_arena *text = &maker->summary->text;
    sums->groups[sums->count] = (struct tk_summary_container){
        .name = tk_arena_copy(text, name),
        .cgroup = tk_arena_copy(text, cgroup),
        .cpu_ns = -1,
        .mem_peak_bytes = -1,
        .rd_bytes = -1,
        .wr_bytes = -1,
        .throttled_ns = -1,
    };
    for (size_t c = 0; c < TK_COUNTOF(counters); c++)
        sums->first[sums->count][c] = -1;
    return sums->count++;
}

/* They may come later than the first row. */
static void take_names(struct tk_arena *text, const struct tk_batch *batch, size_t row,
                       struct tk_summary_container *group)
{
    const struct {
        tk_str *name;
        size_t column;
    } names[] = {
        {&group->called, TK_CGROUP_METRICS_CONTAINER_NAME},
        {&group->pod, TK_CGROUP_METRICS_POD},
        {&group->namespace, TK_CGROUP_METRICS_NAMESPACE},
    };
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        if (names[i].name->n == 0 && tk_batch_has(batch, row, names[i].column))
            *names[i].name = tk_arena_copy(text, tk_batch_text(batch, row, names[i].column));
    }
}

static void take(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row)
{
    struct tk_container_sums *sums = maker->containers;
    tk_str name = tk_batch_text(batch, row, TK_CGROUP_METRICS_CONTAINER);
    if (name.n == 0)
        return;
    size_t i = group_find(maker, tk_batch_text(batch, row, TK_CGROUP_METRICS_CGROUP), name);
    if (i == TK_SUMMARY_MAX_CONTAINERS) {
        sums->left_out++;
        return;
    }
    struct tk_summary_container *group = &sums->groups[i];
    take_names(&maker->summary->text, batch, row, group);
    for (size_t c = 0; c < TK_COUNTOF(counters); c++) {
        int64_t now = tk_summary_ns(batch, row, counters[c].column, counters[c].unit);
        if (now < 0)
            continue;
        if (sums->first[i][c] < 0 || now < sums->first[i][c])
            sums->first[i][c] = now;
        *figure_of(group, c) = now - sums->first[i][c];
    }
    int64_t memory = tk_batch_i64(batch, row, TK_CGROUP_METRICS_MEM_BYTES, -1);
    if (memory > group->mem_peak_bytes)
        group->mem_peak_bytes = memory;
}

/* Whether another group of the same container stands nearer to the root. */
static bool is_below_another(const struct tk_container_sums *sums, size_t at)
{
    const struct tk_summary_container *group = &sums->groups[at];
    for (size_t i = 0; i < sums->count; i++) {
        if (i != at && tk_str_eq(sums->groups[i].name, group->name) &&
            sums->groups[i].cgroup.n < group->cgroup.n &&
            tk_str_starts_with(group->cgroup, sums->groups[i].cgroup))
            return true;
    }
    return false;
}

static int compare(const void *a, const void *b)
{
    const struct tk_summary_container *left = a;
    const struct tk_summary_container *right = b;
    if (left->cpu_ns != right->cpu_ns)
        return left->cpu_ns < right->cpu_ns ? 1 : -1;
    return tk_str_cmp(left->name, right->name);
}

static int keep(struct tk_summary *summary, const struct tk_container_sums *sums,
                struct tk_err *err)
{
    struct tk_summary_container *containers =
        tk_arena_alloc(&summary->text, (sums->count + 1) * sizeof(*containers));
    if (!containers)
        return tk_fail(err, -ENOMEM, "containers: out of memory");
    for (size_t i = 0; i < sums->count; i++) {
        if (!is_below_another(sums, i))
            containers[summary->container_count++] = sums->groups[i];
    }
    qsort(containers, summary->container_count, sizeof(*containers), compare);
    summary->containers = containers;
    summary->containers_left_out = sums->left_out;
    return 0;
}

int tk_summary_add_containers(struct tk_summary_maker *maker, struct tk_err *err)
{
    struct tk_container_sums *sums = calloc(1, sizeof(*sums));
    if (!sums)
        return tk_fail(err, -ENOMEM, "containers: out of memory");
    maker->containers = sums;
    int rc = tk_summary_each(maker, TK_TABLE_CGROUP_METRICS, take, err);
    if (rc == 0)
        rc = keep(maker->summary, sums, err);
    free(sums);
    maker->containers = NULL;
    return rc;
}
