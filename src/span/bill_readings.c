/* SPDX-License-Identifier: Apache-2.0 */
/* Samples and exits as readings of meters. Processes that serve the same targets share a schedule;
 * a process has a meter from its first reading on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "span/bill_internal.h"

struct metering {
    struct tk_join *join;
    uint32_t *first_span;                /* [targets + 1] in `spans` */
    uint32_t *spans;                     /* by target, then by start */
    uint32_t *first_target;              /* [processes + 1] in `targets` */
    uint32_t *targets;                   /* that have spans, by process */
    uint32_t *class_of;                  /* [processes] */
    struct tk_map classes;               /* hash of the targets: class */
    uint32_t *example;                   /* [class_count] a process of the class */
    struct tk_bill_schedule **schedules; /* [class_count], owned */
    uint32_t class_count;
    struct tk_bill_meter **meters; /* [processes], owned; NULL = no reading yet */
    uint32_t *position;            /* [spans] in the list at hand */
};

static int fail_memory(struct tk_err *err)
{
    return tk_fail(err, -ENOMEM, "join: out of memory");
}

/* Lists ---------------------------------------------------------------------------------- */

/* From counts in counts[1 ..] to where each list begins. */
static void add_up_counts(uint32_t *counts, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        counts[i + 1] += counts[i];
}

/* Spans by target. Spans come by start, and so they stay. */
static int list_spans(struct metering *metering, struct tk_err *err)
{
    const struct tk_bill_spans *spans = &metering->join->spans;
    uint32_t count = tk_bill_matcher_count(metering->join->matcher);
    uint32_t *next = malloc((count + 1U) * sizeof(*next));
    metering->first_span = calloc(count + 2U, sizeof(uint32_t));
    metering->spans = malloc((spans->count + 1U) * sizeof(uint32_t));
    if (!next || !metering->first_span || !metering->spans) {
        free(next);
        return fail_memory(err);
    }
    for (uint32_t i = 0; i < spans->count; i++) {
        if (spans->items[i].answer.target != TK_BILL_NONE)
            metering->first_span[spans->items[i].answer.target + 1]++;
    }
    add_up_counts(metering->first_span, count);
    memcpy(next, metering->first_span, count * sizeof(*next));
    for (uint32_t i = 0; i < spans->count; i++) {
        if (spans->items[i].answer.target != TK_BILL_NONE)
            metering->spans[next[spans->items[i].answer.target]++] = i;
    }
    free(next);
    return 0;
}

static bool has_spans(const struct metering *metering, uint32_t target)
{
    return metering->first_span[target + 1] > metering->first_span[target];
}

/* Targets by process, of those that have spans: they are counted, or with `next` put in. */
static void put_members(struct metering *metering, uint32_t target, uint32_t *next)
{
    uint32_t n;
    const uint32_t *members = tk_bill_matcher_target(metering->join->matcher, target, &n);
    for (uint32_t i = 0; i < n; i++) {
        if (next) {
            metering->targets[next[members[i]]++] = target;
        } else {
            metering->first_target[members[i] + 1]++;
        }
    }
}

static void each_member(struct metering *metering, uint32_t *next)
{
    uint32_t count = tk_bill_matcher_count(metering->join->matcher);
    for (uint32_t target = 0; target < count; target++) {
        if (has_spans(metering, target))
            put_members(metering, target, next);
    }
}

static int list_targets(struct metering *metering, struct tk_err *err)
{
    uint32_t count = metering->join->processes.count;
    uint32_t *next = malloc((count + 1U) * sizeof(*next));
    metering->first_target = calloc(count + 2U, sizeof(uint32_t));
    if (!next || !metering->first_target) {
        free(next);
        return fail_memory(err);
    }
    each_member(metering, NULL);
    add_up_counts(metering->first_target, count);
    memcpy(next, metering->first_target, count * sizeof(*next));
    metering->targets = malloc((metering->first_target[count] + 1U) * sizeof(uint32_t));
    if (metering->targets)
        each_member(metering, next);
    free(next);
    return metering->targets ? 0 : fail_memory(err);
}

/* Classes ---------------------------------------------------------------------------------- */

static tk_str targets_of(const struct metering *metering, uint32_t process)
{
    uint32_t first = metering->first_target[process];
    uint32_t n = metering->first_target[process + 1] - first;
    return (tk_str){(const char *)(metering->targets + first), n * sizeof(uint32_t)};
}

static int find_class(struct metering *metering, uint32_t process, struct tk_err *err)
{
    tk_str targets = targets_of(metering, process);
    uint64_t key = tk_hash_text(targets);
    uint32_t class = TK_BILL_NONE;
    if (targets.n == 0) {
        metering->class_of[process] = TK_BILL_NONE;
        return 0;
    }
    /* Two lists of one hash: the next number. */
    while (tk_map_find(&metering->classes, key, &class) &&
           !tk_str_eq(targets, targets_of(metering, metering->example[class])))
        key++;
    if (!tk_map_find(&metering->classes, key, &class)) {
        class = metering->class_count++;
        metering->example[class] = process;
        if (tk_map_add(&metering->classes, key, class) < 0)
            return fail_memory(err);
    }
    metering->class_of[process] = class;
    return 0;
}

static int compare_indexes(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a;
    uint32_t second = *(const uint32_t *)b;
    return (first > second) - (first < second);
}

/* The next span above one that is in the list at hand. */
static uint32_t find_parent(const struct metering *metering, uint32_t span)
{
    const struct tk_bill_span *items = metering->join->spans.items;
    uint32_t at = items[span].above;
    while (at != TK_BILL_NONE && metering->position[at] == TK_BILL_NONE)
        at = items[at].above;
    return at != TK_BILL_NONE ? metering->position[at] : TK_BILL_NONE;
}

static void fill_intervals(struct metering *metering, const uint32_t *list, uint32_t count,
                           struct tk_bill_interval *intervals)
{
    const struct tk_bill_span *items = metering->join->spans.items;
    for (uint32_t n = 0; n < count; n++)
        metering->position[list[n]] = n;
    for (uint32_t n = 0; n < count; n++) {
        intervals[n] = (struct tk_bill_interval){items[list[n]].start_ns, items[list[n]].end_ns,
                                                 list[n], find_parent(metering, list[n])};
    }
    for (uint32_t n = 0; n < count; n++)
        metering->position[list[n]] = TK_BILL_NONE;
}

/* The spans of all targets of a process into `list`, or with NULL only their count. */
static uint32_t list_spans_of(const struct metering *metering, uint32_t process, uint32_t *list)
{
    uint32_t at = 0;
    for (uint32_t t = metering->first_target[process]; t < metering->first_target[process + 1];
         t++) {
        uint32_t first = metering->first_span[metering->targets[t]];
        uint32_t n = metering->first_span[metering->targets[t] + 1] - first;
        if (list)
            memcpy(list + at, metering->spans + first, n * sizeof(*list));
        at += n;
    }
    return at;
}

static int make_schedule(struct metering *metering, uint32_t class, struct tk_err *err)
{
    uint32_t process = metering->example[class];
    uint32_t count = list_spans_of(metering, process, NULL);
    uint32_t *list = malloc((count + 1U) * sizeof(*list));
    struct tk_bill_interval *intervals = malloc((count + 1U) * sizeof(*intervals));
    int rc;
    if (list && intervals) {
        (void)list_spans_of(metering, process, list);
        qsort(list, count, sizeof(*list), compare_indexes);
        fill_intervals(metering, list, count, intervals);
        rc = tk_bill_schedule_new(intervals, count, &metering->schedules[class], err);
    } else {
        rc = fail_memory(err);
    }
    free(list);
    free(intervals);
    return rc;
}

static int make_classes(struct metering *metering, struct tk_err *err)
{
    const struct tk_join *join = metering->join;
    size_t processes = join->processes.count + 1U;
    metering->class_of = malloc(processes * sizeof(uint32_t));
    metering->example = malloc(processes * sizeof(uint32_t));
    metering->schedules = calloc(processes, sizeof(struct tk_bill_schedule *));
    metering->meters = calloc(processes, sizeof(struct tk_bill_meter *));
    metering->position = malloc((join->spans.count + 1U) * sizeof(uint32_t));
    if (!metering->class_of || !metering->example || !metering->schedules || !metering->meters ||
        !metering->position)
        return fail_memory(err);
    for (uint32_t i = 0; i < join->spans.count; i++)
        metering->position[i] = TK_BILL_NONE;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < join->processes.count; i++)
        rc = find_class(metering, i, err);
    for (uint32_t class = 0; rc == 0 && class < metering->class_count; class ++)
        rc = make_schedule(metering, class, err);
    return rc;
}

/* Readings --------------------------------------------------------------------------------- */

/* Where a table has its counters, and what turns them into ours. */
struct counter_column {
    size_t column;
    enum tk_bill_counter counter;
    double unit;
};

static const struct counter_column sample_columns[] = {
    {TK_PROC_METRICS_CPU_NS, TK_BILL_CPU, 1},
    {TK_PROC_METRICS_RUN_DELAY_US, TK_BILL_RUNNABLE, 1e3},
    {TK_PROC_METRICS_IO_WAIT_US, TK_BILL_IO_WAIT, 1e3},
    {TK_PROC_METRICS_RD_BYTES, TK_BILL_READ, 1},
    {TK_PROC_METRICS_WR_BYTES, TK_BILL_WRITTEN, 1},
    {TK_PROC_METRICS_MINFLT, TK_BILL_MINOR_FAULTS, 1},
    {TK_PROC_METRICS_MAJFLT, TK_BILL_MAJOR_FAULTS, 1},
};

static const struct counter_column exit_columns[] = {
    {TK_PROC_EXIT_CPU_NS, TK_BILL_CPU, 1},
    {TK_PROC_EXIT_RUN_DELAY_US, TK_BILL_RUNNABLE, 1e3},
    {TK_PROC_EXIT_IO_WAIT_US, TK_BILL_IO_WAIT, 1e3},
    {TK_PROC_EXIT_RD_BYTES, TK_BILL_READ, 1},
    {TK_PROC_EXIT_WR_BYTES, TK_BILL_WRITTEN, 1},
    {TK_PROC_EXIT_MINFLT, TK_BILL_MINOR_FAULTS, 1},
    {TK_PROC_EXIT_MAJFLT, TK_BILL_MAJOR_FAULTS, 1},
};

static void read_counters(const struct tk_batch *batch, size_t row,
                          const struct counter_column *columns, size_t count,
                          struct tk_bill_reading *reading)
{
    for (size_t i = 0; i < count; i++) {
        int64_t value = tk_batch_i64(batch, row, columns[i].column, -1);
        if (value < 0)
            continue;
        reading->counters[columns[i].counter] = (double)value * columns[i].unit;
        reading->known |= (uint8_t)(1U << columns[i].counter);
    }
}

/* Generation 1 told CPU time in ticks alone. */
static void read_ticks(const struct tk_join *join, const struct tk_batch *batch, size_t row,
                       struct tk_bill_reading *reading)
{
    int64_t user = tk_batch_i64(batch, row, TK_PROC_METRICS_UTIME, -1);
    int64_t system = tk_batch_i64(batch, row, TK_PROC_METRICS_STIME, -1);
    if (reading->known >> TK_BILL_CPU & 1 || user < 0 || system < 0)
        return;
    double tick_ns = (double)TK_NS_PER_S / (double)join->processes.clk_tck;
    reading->counters[TK_BILL_CPU] = (double)(user + system) * tick_ns;
    reading->known |= 1U << TK_BILL_CPU;
}

/* A process that began in the recording had used nothing at its birth. */
static bool find_birth(const struct tk_join *join, uint32_t process,
                       const struct tk_bill_reading *reading, struct tk_bill_reading *ret)
{
    int64_t born_ns = join->processes.items[process].start_ns;
    if (born_ns == INT64_MIN || born_ns < join->start_ns || born_ns >= reading->time_ns)
        return false;
    *ret = (struct tk_bill_reading){.time_ns = born_ns, .rss_bytes = -1, .known = reading->known};
    return true;
}

static int put_reading(struct metering *metering, uint32_t process,
                       const struct tk_bill_reading *reading, struct tk_err *err)
{
    struct tk_bill_meter **meter = &metering->meters[process];
    const struct tk_bill_schedule *schedule = metering->schedules[metering->class_of[process]];
    struct tk_bill_reading birth;
    if (!*meter) {
        bool is_born = find_birth(metering->join, process, reading, &birth);
        int rc = tk_bill_meter_new(schedule, is_born ? &birth : reading, meter, err);
        if (rc < 0)
            return rc;
    }
    return tk_bill_meter_add(*meter, reading, metering->join->bills) < 0 ? fail_memory(err) : 0;
}

static bool is_metered(const struct metering *metering, uint32_t process)
{
    return process != TK_BILL_NONE && metering->class_of[process] != TK_BILL_NONE;
}

static int take_sample(void *context, const struct tk_batch *batch, size_t row, struct tk_err *err)
{
    struct metering *metering = context;
    uint32_t process = tk_bill_processes_find_sample(&metering->join->processes, batch, row);
    int64_t rss_kb = tk_batch_i64(batch, row, TK_PROC_METRICS_RSS_KB, -1);
    if (!is_metered(metering, process))
        return 0;
    struct tk_bill_reading reading = {
        .time_ns = tk_bill_stamp_ns(batch, row, TK_PROC_METRICS_TS_US, TK_PROC_METRICS_TS_MS),
        .rss_bytes = rss_kb >= 0 ? rss_kb * 1024 : -1,
    };
    read_counters(batch, row, sample_columns, TK_COUNTOF(sample_columns), &reading);
    read_ticks(metering->join, batch, row, &reading);
    return put_reading(metering, process, &reading, err);
}

/* The largest resident set of its life is that of a span only where no sample was taken. */
static int take_exit(void *context, const struct tk_batch *batch, size_t row, struct tk_err *err)
{
    struct metering *metering = context;
    uint32_t process = tk_bill_processes_find_exit(&metering->join->processes, batch, row);
    int64_t rss_kb = tk_batch_i64(batch, row, TK_PROC_EXIT_MAX_RSS_KB, -1);
    if (!is_metered(metering, process))
        return 0;
    bool is_first = !metering->meters[process];
    struct tk_bill_reading reading = {
        .time_ns = tk_bill_stamp_ns(batch, row, TK_PROC_EXIT_TS_US, TK_PROC_EXIT_TS_MS),
        .rss_bytes = is_first && rss_kb >= 0 ? rss_kb * 1024 : -1,
    };
    read_counters(batch, row, exit_columns, TK_COUNTOF(exit_columns), &reading);
    return put_reading(metering, process, &reading, err);
}

static void release(struct metering *metering)
{
    for (uint32_t i = 0; metering->meters && i < metering->join->processes.count; i++)
        tk_bill_meter_free(metering->meters[i]);
    for (uint32_t i = 0; i < metering->class_count; i++)
        tk_bill_schedule_free(metering->schedules[i]);
    tk_map_release(&metering->classes);
    free(metering->first_span);
    free(metering->spans);
    free(metering->first_target);
    free(metering->targets);
    free(metering->class_of);
    free(metering->example);
    free(metering->schedules);
    free(metering->meters);
    free(metering->position);
}

int tk_join_meter(struct tk_join *join, struct tk_err *err)
{
    struct metering metering = {.join = join};
    int rc = list_spans(&metering, err);
    rc = rc < 0 ? rc : list_targets(&metering, err);
    rc = rc < 0 ? rc : make_classes(&metering, err);
    uint64_t rows = join->totals.rows;
    uint64_t bad_rows = join->totals.bad_rows;
    if (rc == 0)
        rc = tk_join_each(join, TK_TABLE_PROC_METRICS, take_sample, &metering, err);
    if (rc == 0)
        rc = tk_join_each(join, TK_TABLE_PROC_EXIT, take_exit, &metering, err);
    join->totals.rows = rows; /* they were counted the first time */
    join->totals.bad_rows = bad_rows;
    for (uint32_t i = 0; rc == 0 && i < join->processes.count; i++) {
        if (metering.meters[i])
            tk_bill_meter_finish(metering.meters[i], join->bills);
    }
    release(&metering);
    return rc;
}
