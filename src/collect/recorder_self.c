/* SPDX-License-Identifier: Apache-2.0 */
/* The recorder's account of itself: a row of self.jsonl each time that rows are handed over, which
 * is each second at most (collector.md section 4). It costs one system call, for the CPU time, or
 * none where a walk over all processes has met us, too; all else is counted anyway. */
#include <time.h>

#include "collect/recorder_internal.h"

int64_t tk_recorder_cpu_ns(struct tk_recorder *recorder)
{
    struct timespec t;
    recorder->syscalls++;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) < 0)
        return 0;
    return (int64_t)t.tv_sec * TK_NS_PER_S + t.tv_nsec;
}

/* What one walk is late by comes with the next, but at the end there is none. */
static int64_t cpu_ns_for_row(struct tk_recorder *recorder)
{
    int64_t cpu_ns = recorder->procs ? tk_procs_own_cpu_ns(recorder->procs) : -1;
    if (cpu_ns < 0 || recorder->stop_ms > 0)
        return tk_recorder_cpu_ns(recorder);
    return cpu_ns > recorder->self.cpu_ns ? cpu_ns : recorder->self.cpu_ns;
}

/* Counters since the start. */
static struct tk_self_totals read_totals(struct tk_recorder *recorder,
                                         const struct tk_procs_stats *procs, int64_t cpu_ns)
{
    struct tk_run_writer_stats written;
    tk_relay_read_stats(recorder->relay, &written);
    struct tk_self_totals totals = {
        .cpu_ns = cpu_ns,
        .bytes = written.bytes,
        .lost_events = procs->dropped_events,
        .dropped_rows = written.dropped_rows,
        .syscalls = recorder->syscalls + tk_sampler_syscalls(recorder->sampler) +
                    tk_relay_syscalls(recorder->relay) + tk_host_syscalls(recorder->host) +
                    procs->all_syscalls,
    };
    if (recorder->cgroups) {
        struct tk_cgroups_stats cgroups;
        tk_cgroups_read_stats(recorder->cgroups, &cgroups);
        totals.syscalls += cgroups.syscalls;
    }
    return totals;
}

static void set_span(struct tk_recorder *recorder, struct tk_batch *row)
{
    struct tk_sampler_span span;
    tk_sampler_take_span(recorder->sampler, &span);
    tk_batch_set_i64(row, TK_SELF_TICKS, span.ticks);
    tk_batch_set_i64(row, TK_SELF_MISSED_TICKS, span.missed_ticks);
    if (span.ticks == 0)
        return;
    tk_batch_set_i64(row, TK_SELF_LATE_P50_US, span.late_p50_ns / TK_NS_PER_US);
    tk_batch_set_i64(row, TK_SELF_LATE_MAX_US, span.late_max_ns / TK_NS_PER_US);
}

static void set_totals(struct tk_batch *row, const struct tk_self_totals *now,
                       const struct tk_self_totals *before)
{
    tk_batch_set_i64(row, TK_SELF_CPU_NS, now->cpu_ns - before->cpu_ns);
    tk_batch_set_i64(row, TK_SELF_SYSCALLS, now->syscalls - before->syscalls);
    tk_batch_set_i64(row, TK_SELF_BYTES, now->bytes - before->bytes);
    tk_batch_set_i64(row, TK_SELF_LOST_EVENTS, now->lost_events - before->lost_events);
    tk_batch_set_i64(row, TK_SELF_DROPPED_ROWS, now->dropped_rows - before->dropped_rows);
}

static int64_t epoch_ns(const struct tk_recorder *recorder, int64_t mono_ns)
{
    return tk_anchor_from_mono(&recorder->kernel.anchor, mono_ns);
}

void tk_recorder_start_self(struct tk_recorder *recorder)
{
    struct tk_procs_stats procs = {0};
    struct tk_sampler_span ignored;
    if (recorder->procs)
        tk_procs_read_stats(recorder->procs, &procs);
    recorder->self = read_totals(recorder, &procs, tk_recorder_cpu_ns(recorder));
    recorder->self_ns = tk_clock_mono_ns();
    tk_sampler_take_span(recorder->sampler, &ignored);
}

void tk_recorder_put_self(struct tk_recorder *recorder, int64_t now)
{
    struct tk_procs_stats procs = {0};
    if (recorder->procs)
        tk_procs_read_stats(recorder->procs, &procs);
    struct tk_self_totals totals = read_totals(recorder, &procs, cpu_ns_for_row(recorder));
    int64_t ns = epoch_ns(recorder, now);
    int64_t before_ns = epoch_ns(recorder, recorder->self_ns);
    struct tk_batch *row = tk_rows_begin(recorder->rows, TK_TABLE_SELF);
    tk_batch_set_i64(row, TK_SELF_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_SELF_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_SELF_NODE, tk_str_from(recorder->options.node.node));
    tk_batch_set_text(row, TK_SELF_HOST, tk_str_from(recorder->host_name));
    tk_batch_set_i64(row, TK_SELF_DT_MS, ns / TK_NS_PER_MS - before_ns / TK_NS_PER_MS);
    if (recorder->procs) {
        tk_batch_set_text(row, TK_SELF_TIER, tk_str_from(tk_tier_names[procs.tier]));
        tk_batch_set_i64(row, TK_SELF_SWEEP_US, procs.sweep_ns / TK_NS_PER_US);
    }
    tk_batch_set_i64(row, TK_SELF_DETAIL_INTERVAL_MS, 1000 * recorder->budget.pace.detail);
    tk_batch_set_i64(row, TK_SELF_SLOW_INTERVAL_MS, 10000 * recorder->budget.pace.slow);
    set_span(recorder, row);
    set_totals(row, &totals, &recorder->self);
    recorder->self = totals;
    recorder->self_ns = now;
}
