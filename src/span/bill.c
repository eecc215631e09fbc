/* SPDX-License-Identifier: Apache-2.0 */
#include "span/bill.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "run/run.h"
#include "span/bill_internal.h"

/* /proc tells times of waiting in turns of up to 20 s; a walk in the kernel with each reading. */
#define PROC_WAIT_LAG_NS (20 * TK_NS_PER_S)
#define ABOVE_MAX        256 /* spans of others between two that the same processes served */

/* The run -------------------------------------------------------------------------------- */

static void take_run(struct tk_join *join, const struct tk_batch *run)
{
    tk_str tier = tk_batch_text(run, 0, TK_RUN_TIER);
    bool walks = tk_str_starts_with(tier, TK_STR("B"));
    double achieved_ms = tk_batch_f64(run, 0, TK_RUN_INTERVAL_ACHIEVED_MS, 0);
    join->start_ns = tk_batch_i64(run, 0, TK_RUN_START_MS, 0) * TK_NS_PER_MS;
    join->period_ns = (int64_t)(achieved_ms * (double)TK_NS_PER_MS);
    join->wait_lag_ns = walks ? 0 : PROC_WAIT_LAG_NS;
    join->processes.clk_tck = tk_batch_i64(run, 0, TK_RUN_CLK_TCK, join->processes.clk_tck);
    join->totals.contexts_refused = tk_batch_i64(run, 0, TK_RUN_CONTEXTS_REFUSED, -1);
}

/* A folder of another tool or of an old version has no run.json, or an incomplete one. */
static int read_run(struct tk_join *join, struct tk_err *err)
{
    static const char *const names[] = {"run.json", "cctf/run.json"};
    TK_CLEANUP(tk_batch_freep) struct tk_batch *run = NULL;
    int rc = -ENOENT;
    for (size_t i = 0; i < TK_COUNTOF(names) && rc == -ENOENT; i++)
        rc = tk_object_read(join->dirfd, names[i], &tk_schema_run, &run, err);
    if (rc == 0)
        take_run(join, run);
    return rc == -ENOENT ? 0 : rc;
}

int tk_join_each(struct tk_join *join, enum tk_table table, tk_join_row_fn take, void *context,
                 struct tk_err *err)
{
    struct tk_run_reader *reader;
    const struct tk_batch *batch;
    int rc = tk_run_reader_open(join->dirfd, table, &reader, err);
    if (rc < 0 || !reader)
        return rc;
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; rc == 0 && row < batch->rows; row++)
            rc = take(context, batch, row, err);
        if (rc < 0)
            break;
    }
    join->totals.rows += tk_run_reader_stats(reader)->rows;
    join->totals.bad_rows += tk_run_reader_stats(reader)->bad_rows;
    tk_run_reader_free(reader);
    return rc < 0 ? rc : 0;
}

/* Births are told since boot: the first row of clocks tells when that was. */
static int take_clock(void *context, const struct tk_batch *batch, size_t row, struct tk_err *err)
{
    struct tk_join *join = context;
    (void)err;
    int64_t real_us = tk_batch_i64(batch, row, TK_CLOCK_REALTIME_US, -1);
    int64_t boot_us = tk_batch_i64(batch, row, TK_CLOCK_BOOTTIME_US, -1);
    if (join->processes.boot_ns == 0 && real_us > 0 && boot_us >= 0)
        join->processes.boot_ns = (real_us - boot_us) * TK_NS_PER_US;
    return 0;
}

static int check_memory(int rc, struct tk_err *err)
{
    return rc < 0 ? tk_fail(err, rc, "processes: out of memory") : 0;
}

static int take_sample(void *context, const struct tk_batch *batch, size_t row, struct tk_err *err)
{
    struct tk_join *join = context;
    join->has_samples = true;
    return check_memory(tk_bill_processes_add_sample(&join->processes, batch, row), err);
}

static int take_exit(void *context, const struct tk_batch *batch, size_t row, struct tk_err *err)
{
    struct tk_join *join = context;
    join->has_samples = true;
    return check_memory(tk_bill_processes_add_exit(&join->processes, batch, row), err);
}

static int take_context(void *context, const struct tk_batch *batch, size_t row, struct tk_err *err)
{
    struct tk_join *join = context;
    return check_memory(tk_bill_processes_add_context(&join->processes, batch, row), err);
}

int tk_join_open(int dirfd, struct tk_join *join, struct tk_err *err)
{
    *join = (struct tk_join){.dirfd = dirfd, .totals.contexts_refused = -1};
    int rc = tk_bill_processes_init(&join->processes, 0, 0, err);
    rc = rc < 0 ? rc : tk_bill_spans_init(&join->spans, err);
    rc = rc < 0 ? rc : read_run(join, err);
    rc = rc < 0 ? rc : tk_join_each(join, TK_TABLE_CLOCK, take_clock, join, err);
    join->totals.rows = 0;
    rc = rc < 0 ? rc : tk_join_each(join, TK_TABLE_PROC_METRICS, take_sample, join, err);
    rc = rc < 0 ? rc : tk_join_each(join, TK_TABLE_PROC_EXIT, take_exit, join, err);
    rc = rc < 0 ? rc : tk_join_each(join, TK_TABLE_PROC_CONTEXT, take_context, join, err);
    if (rc == 0 && !join->has_samples)
        return tk_fail(err, -ENOENT, "no samples of processes: neither proc_metrics nor proc_exit");
    rc = rc < 0 ? rc : tk_bill_processes_finish(&join->processes, err);
    return rc < 0 ? rc : tk_bill_matcher_new(&join->processes, &join->matcher, err);
}

int tk_join_add(struct tk_join *join, const struct tk_span_rows *rows, struct tk_err *err)
{
    return tk_bill_spans_add(&join->spans, join->matcher, rows, err);
}

void tk_join_release(struct tk_join *join)
{
    tk_bill_matcher_free(join->matcher);
    tk_bill_spans_release(&join->spans);
    tk_bill_processes_release(&join->processes);
    free(join->bills);
    free(join->selfs);
    *join = (struct tk_join){.dirfd = -1};
}

/* Matching ------------------------------------------------------------------------------- */

/* What called the first span of a Resource above span `i`: it passed the context on, be it by the
 * environment. `tops` has the first ones of the parents already. */
static uint64_t find_caller(const struct tk_bill_spans *spans, uint32_t *tops, uint32_t i)
{
    const struct tk_bill_span *span = &spans->items[i];
    bool goes_on =
        span->parent != TK_BILL_NONE && spans->items[span->parent].resource == span->resource;
    tops[i] = goes_on ? tops[span->parent] : i;
    return spans->items[tops[i]].parent_id;
}

static int match_spans(struct tk_join *join, uint32_t *tops, struct tk_err *err)
{
    struct tk_bill_spans *spans = &join->spans;
    for (uint32_t n = 0; n < spans->count; n++) {
        uint32_t i = spans->order[n];
        struct tk_bill_span *span = &spans->items[i];
        const struct tk_bill_question question = {
            .resource = &spans->senders[span->resource].who,
            .trace_id = span->trace_id,
            .span_id = span->span_id,
            .caller_id = find_caller(spans, tops, i),
            .start_ns = span->start_ns,
            .end_ns = span->end_ns,
        };
        int rc = tk_bill_matcher_ask(join->matcher, &question, &span->answer, err);
        if (rc < 0)
            return rc;
        join->totals.by_rule[span->answer.rule]++;
        join->totals.bare_pids += span->answer.rule == TK_BILL_NO_RULE &&
                                  question.resource->pid >= 0 &&
                                  question.resource->creation_ns == 0;
    }
    return 0;
}

static void find_above(struct tk_join *join, uint32_t i)
{
    struct tk_bill_span *items = join->spans.items;
    uint32_t target = items[i].answer.target;
    uint32_t at = target != TK_BILL_NONE ? items[i].parent : TK_BILL_NONE;
    for (int n = 0; n < ABOVE_MAX && at != TK_BILL_NONE; n++) {
        uint32_t other = items[at].answer.target;
        if (other != TK_BILL_NONE && tk_bill_matcher_meet(join->matcher, target, other)) {
            items[i].above = at;
            return;
        }
        at = items[at].parent;
    }
}

static int match(struct tk_join *join, struct tk_err *err)
{
    uint32_t *tops = malloc((join->spans.count + 1U) * sizeof(*tops));
    if (!tops)
        return tk_fail(err, -ENOMEM, "join: out of memory");
    int rc = match_spans(join, tops, err);
    free(tops);
    for (uint32_t i = 0; rc == 0 && i < join->spans.count; i++)
        find_above(join, i);
    return rc;
}

/* Bills ---------------------------------------------------------------------------------- */

static int make_bills(struct tk_join *join, struct tk_err *err)
{
    join->bills = calloc(join->spans.count + 1U, sizeof(*join->bills));
    join->selfs = calloc(join->spans.count + 1U, sizeof(*join->selfs));
    if (!join->bills || !join->selfs)
        return tk_fail(err, -ENOMEM, "join: out of memory");
    for (uint32_t i = 0; i < join->spans.count; i++)
        join->bills[i].max_rss_bytes = -1;
    return 0;
}

static int add_up(struct tk_join *join, struct tk_err *err)
{
    uint32_t count = join->spans.count;
    uint32_t *above = malloc((count + 1U) * sizeof(*above));
    if (!above)
        return tk_fail(err, -ENOMEM, "join: out of memory");
    for (uint32_t i = 0; i < count; i++) {
        const double *used = join->bills[i].used;
        join->selfs[i] =
            (struct tk_bill_self){used[TK_BILL_CPU], used[TK_BILL_RUNNABLE], used[TK_BILL_IO_WAIT]};
        join->totals.cpu_ns += used[TK_BILL_CPU];
        above[i] = join->spans.items[i].above;
    }
    int rc = tk_bill_add_children(join->bills, above, count, err);
    free(above);
    return rc;
}

double tk_join_error(const struct tk_join *join, uint32_t i)
{
    const struct tk_bill_span *span = &join->spans.items[i];
    int64_t length_ns = span->end_ns - span->start_ns;
    int64_t period_ns = join->bills[i].period_ns;
    if (period_ns == 0)
        period_ns = join->period_ns;
    return length_ns > 0 ? (double)period_ns / (double)length_ns : (double)INFINITY;
}

static void count_bounds(struct tk_join *join)
{
    for (uint32_t i = 0; i < join->spans.count; i++) {
        bool is_metered = join->bills[i].is_metered;
        join->totals.metered += is_metered;
        join->totals.bounds += is_metered && tk_join_error(join, i) > 1;
    }
}

int tk_join_run(struct tk_join *join, struct tk_err *err)
{
    int rc = tk_bill_spans_finish(&join->spans, err);
    rc = rc < 0 ? rc : match(join, err);
    rc = rc < 0 ? rc : make_bills(join, err);
    rc = rc < 0 ? rc : tk_join_meter(join, err);
    rc = rc < 0 ? rc : add_up(join, err);
    if (rc == 0)
        count_bounds(join);
    return rc;
}
