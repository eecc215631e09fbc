/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of each table, beyond its schema. */
#include "run/verify_internal.h"

#define NONE SIZE_MAX /* no such column */

#define US_PER_MS 1000

/* Collectors stamp a row when they read it and write it a little later, and several processes may
 * append to one file: so much may a raw file be out of order. `parse` sorts. */
#define SLACK_US 2000000

typedef void row_rule(struct tk_verify *verify, const struct tk_row *row, int64_t us);

static void host_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    tk_verify_host_row(verify, row, us);
}

static void link_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    tk_verify_link_row(verify, row, us);
}

static void count_interval(struct tk_verify_audit *audit, const struct tk_row *row, size_t dt_ms,
                           size_t cpu_ms)
{
    audit->intervals++;
    audit->intervals_without[0] += !tk_row_has(row, dt_ms);
    audit->intervals_without[1] += !tk_row_has(row, cpu_ms);
}

static void sample_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    static const struct tk_verify_process_columns columns = {
        TK_PROC_METRICS_PID, TK_PROC_METRICS_START_TICKS, TK_PROC_METRICS_NODE,
        TK_PROC_METRICS_HOST};
    struct tk_verify_audit *audit = &verify->audit;
    audit->samples++;
    audit->samples_without[0] += !tk_row_has(row, TK_PROC_METRICS_TS_MS);
    audit->samples_without[1] += !tk_row_has(row, TK_PROC_METRICS_PID);
    audit->samples_without[2] += !tk_row_has(row, TK_PROC_METRICS_RSS_KB);
    if (tk_row_has(row, TK_PROC_METRICS_DT_MS) || tk_row_has(row, TK_PROC_METRICS_CPU_MS)) {
        audit->is_generation2 = true;
        count_interval(audit, row, TK_PROC_METRICS_DT_MS, TK_PROC_METRICS_CPU_MS);
    }
    tk_verify_process_row(verify, row, &columns, us);
    if (!tk_row_has(row, TK_PROC_METRICS_PID))
        return;
    struct tk_verify_pid *entry = tk_verify_pid(verify, tk_row_text(row, TK_PROC_METRICS_NODE),
                                                row->values[TK_PROC_METRICS_PID].i64);
    if (entry)
        entry->sampled = true;
}

static void cpu_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    static const struct tk_verify_process_columns columns = {
        TK_PROC_CPU_PID, TK_PROC_CPU_START_TICKS, TK_PROC_CPU_NODE, NONE};
    if (!verify->audit.is_generation2)
        count_interval(&verify->audit, row, TK_PROC_CPU_DT_MS, TK_PROC_CPU_CPU_MS);
    tk_verify_process_row(verify, row, &columns, us);
}

static void rss_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    static const struct tk_verify_process_columns columns = {
        TK_PROC_RSS_PID, TK_PROC_RSS_START_TICKS, TK_PROC_RSS_NODE, NONE};
    tk_verify_process_row(verify, row, &columns, us);
}

static void thread_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    tk_verify_thread_row(verify, row, us);
}

static void exit_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    (void)us;
    tk_verify_exit_row(verify, row);
}

static void invocation_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    (void)us;
    tk_verify_invocation_row(verify, row);
}

static void clock_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    (void)us;
    tk_verify_clock_row(verify, row);
}

/* What the collector itself says that it missed. */
static void run_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    (void)us;
    static const size_t losses[] = {TK_RUN_DROPPED_ROWS, TK_RUN_DROPPED_EVENTS, TK_RUN_LOST_EXITS,
                                    TK_RUN_MISSED_TICKS};
    int64_t version = tk_row_i64(row, TK_RUN_SCHEMA_VERSION, 2);
    if (version != 2) {
        tk_verify_add(verify, TK_VERIFY_VERSION, row->line, "schema_version is %lld, expected 2",
                      (long long)version);
    }
    for (size_t i = 0; i < TK_COUNTOF(losses); i++) {
        int64_t lost = tk_row_i64(row, losses[i], 0);
        if (lost > 0) {
            tk_verify_add(verify, TK_VERIFY_LOSS, row->line, "%s is %lld",
                          row->schema->columns[losses[i]].name, (long long)lost);
        }
    }
    if (row->null >> TK_RUN_STOP_MS & 1) {
        tk_verify_add(verify, TK_VERIFY_LOSS, row->line,
                      "stop_ms is null: the recorder still runs, or was killed");
    }
    int64_t interval_ms = tk_row_i64(row, TK_RUN_HOST_INTERVAL_MS, 0);
    if (interval_ms > 0 && interval_ms < INT64_MAX / US_PER_MS / 2)
        verify->host_interval_us = interval_ms * US_PER_MS;
}

static void keep_name(struct tk_verify *verify, tk_str node, tk_str stage)
{
    if (verify->node[0]) /* the first of several */
        return;
    (void)tk_str_to_cstr(node, verify->node, sizeof(verify->node));
    (void)tk_str_to_cstr(stage, verify->stage, sizeof(verify->stage));
}

static void node_meta_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    (void)us;
    keep_name(verify, tk_row_text(row, TK_NODE_META_NODE), tk_row_text(row, TK_NODE_META_STAGE));
}

static void nodes_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    (void)us;
    verify->nodes++;
    keep_name(verify, tk_row_text(row, TK_NODES_NODE_ID), tk_row_text(row, TK_NODES_STAGE));
}

/* By table: where its time is, how much a raw file may be out of order, its intervals, and the rule
 * of its rows. */
static const struct {
    size_t us, ms; /* columns with the time: the first that a row has */
    int64_t raw_slack_us;
    size_t dt_ms, dt_us;
    row_rule *row; /* NULL = none */
} tables[TK_TABLE_COUNT] = {
    [TK_TABLE_HOST_METRICS] = {TK_HOST_METRICS_TS_US, TK_HOST_METRICS_TS_MS, 0,
                               TK_HOST_METRICS_DT_MS, NONE, host_row},
    [TK_TABLE_LINK_METRICS] = {TK_LINK_METRICS_TS_US, TK_LINK_METRICS_TS_MS, 0,
                               TK_LINK_METRICS_DT_MS, NONE, link_row},
    [TK_TABLE_DISK_METRICS] = {TK_DISK_METRICS_TS_US, TK_DISK_METRICS_TS_MS, 0,
                               TK_DISK_METRICS_DT_MS, NONE},
    [TK_TABLE_INTERRUPT_METRICS] = {TK_INTERRUPT_METRICS_TS_US, TK_INTERRUPT_METRICS_TS_MS, 0,
                                    TK_INTERRUPT_METRICS_DT_MS, NONE},
    [TK_TABLE_NUMA_METRICS] = {TK_NUMA_METRICS_TS_US, TK_NUMA_METRICS_TS_MS, 0, NONE, NONE},
    [TK_TABLE_FS_METRICS] = {TK_FS_METRICS_TS_US, TK_FS_METRICS_TS_MS, 0, NONE, NONE},
    [TK_TABLE_GPU_METRICS] = {TK_GPU_METRICS_TS_US, TK_GPU_METRICS_TS_MS, 0, NONE, NONE},
    [TK_TABLE_GPU_PROC_METRICS] = {TK_GPU_PROC_METRICS_TS_US, TK_GPU_PROC_METRICS_TS_MS, 0, NONE,
                                   NONE},
    [TK_TABLE_CGROUP_METRICS] = {TK_CGROUP_METRICS_TS_US, TK_CGROUP_METRICS_TS_MS, 0,
                                 TK_CGROUP_METRICS_DT_MS, NONE},
    [TK_TABLE_PROC_METRICS] = {TK_PROC_METRICS_TS_US, TK_PROC_METRICS_TS_MS, SLACK_US,
                               TK_PROC_METRICS_DT_MS, NONE, sample_row},
    [TK_TABLE_PROC_EVENTS] = {TK_PROC_EVENTS_TS_US, TK_PROC_EVENTS_TS_MS, SLACK_US, NONE, NONE},
    [TK_TABLE_PROC_EXIT] = {TK_PROC_EXIT_TS_US, TK_PROC_EXIT_TS_MS, SLACK_US, NONE, NONE, exit_row},
    [TK_TABLE_THREAD_METRICS] = {TK_THREAD_METRICS_TS_US, TK_THREAD_METRICS_TS_MS, SLACK_US, NONE,
                                 NONE, thread_row},
    [TK_TABLE_PROC_CONTEXT] = {TK_PROC_CONTEXT_TS_US, TK_PROC_CONTEXT_TS_MS, SLACK_US, NONE, NONE},
    [TK_TABLE_CLOCK] = {NONE, NONE, 0, NONE, NONE, clock_row},
    [TK_TABLE_SELF] = {TK_SELF_TS_US, TK_SELF_TS_MS, 0, TK_SELF_DT_MS, NONE},
    [TK_TABLE_INVOCATIONS] = {NONE, TK_INVOCATIONS_TS_ENQUEUE, INT64_MAX, NONE, NONE,
                              invocation_row},
    [TK_TABLE_PLACEMENT_EVENTS] = {NONE, TK_PLACEMENT_EVENTS_TS, SLACK_US, NONE, NONE},
    [TK_TABLE_SYSTEM_STATS] = {NONE, TK_SYSTEM_STATS_TS_MS, SLACK_US, NONE, NONE},
    [TK_TABLE_PROC_CPU] = {TK_PROC_CPU_TS_US, TK_PROC_CPU_TS_MS, 0, TK_PROC_CPU_DT_MS,
                           TK_PROC_CPU_DT_US, cpu_row},
    [TK_TABLE_PROC_RSS] = {NONE, TK_PROC_RSS_TS_MS, 0, NONE, NONE, rss_row},
    [TK_TABLE_NODE_META] = {NONE, NONE, 0, NONE, NONE, node_meta_row},
    [TK_TABLE_LINK_META] = {NONE, NONE, 0, NONE, NONE},
    [TK_TABLE_RUN_META] = {NONE, NONE, 0, NONE, NONE},
    [TK_TABLE_RUN] = {NONE, NONE, 0, NONE, NONE, run_row},
    [TK_TABLE_MODULE_INVENTORY] = {NONE, NONE, 0, NONE, NONE},
    [TK_TABLE_NODES] = {NONE, NONE, 0, NONE, NONE, nodes_row},
    [TK_TABLE_LINKS] = {NONE, NONE, 0, NONE, NONE},
};

/* Time of a row; INT64_MIN = none, as of a stamp of 0 or one that no clock shows. */
static int64_t row_time_us(enum tk_table table, const struct tk_row *row)
{
    static const int64_t limit_us = INT64_MAX / 4;
    size_t us = tables[table].us;
    size_t ms = tables[table].ms;
    int64_t stamp = 0;
    int64_t unit_us = 1;
    if (us != NONE && tk_row_has(row, us)) {
        stamp = row->values[us].i64;
    } else if (ms != NONE && tk_row_has(row, ms)) {
        stamp = row->values[ms].i64;
        unit_us = US_PER_MS;
    }
    bool known = stamp != 0 && stamp < limit_us / unit_us && stamp > -limit_us / unit_us;
    return known ? stamp * unit_us : INT64_MIN;
}

/* Rows of the next recording may lie before those of the last, by as much as the wall clock was set
 * back. */
static void check_order(struct tk_verify *verify, enum tk_table table, const struct tk_row *row,
                        int64_t us)
{
    int64_t slack_us = verify->in_cctf ? 0 : tables[table].raw_slack_us;
    if (us == INT64_MIN || slack_us == INT64_MAX)
        return;
    int64_t back_us = verify->newest_us == INT64_MIN ? 0 : verify->newest_us - us;
    if (back_us > slack_us &&
        !tk_verify_stepped_back(verify, tk_verify_clock_key(row), row->line, back_us)) {
        tk_verify_add(verify, TK_VERIFY_ORDER, row->line, "%.3f s before line %llu",
                      (double)back_us / 1e6, (unsigned long long)verify->newest_line);
    } else if (back_us > 0 && back_us <= slack_us) {
        return;
    }
    verify->newest_us = us;
    verify->newest_line = row->line;
}

static void check_dt(struct tk_verify *verify, const struct tk_row *row, size_t column)
{
    if (column == NONE || tk_row_i64(row, column, 0) >= 0)
        return;
    tk_verify_add(verify, TK_VERIFY_NEGATIVE_DT, row->line, "%s is %lld",
                  row->schema->columns[column].name, (long long)row->values[column].i64);
}

void tk_verify_rules_row(struct tk_verify *verify, enum tk_table table, const struct tk_row *row)
{
    int64_t us = row_time_us(table, row);
    check_order(verify, table, row, us);
    check_dt(verify, row, tables[table].dt_ms);
    check_dt(verify, row, tables[table].dt_us);
    if (tables[table].row)
        tables[table].row(verify, row, us);
}

void tk_verify_rules_end_file(struct tk_verify *verify, enum tk_table table)
{
    if (table == TK_TABLE_HOST_METRICS || table == TK_TABLE_LINK_METRICS)
        tk_verify_series_end(verify);
    if (table == TK_TABLE_CLOCK)
        tk_verify_clocks_end(verify);
}

void tk_verify_rules_end(struct tk_verify *verify)
{
    tk_verify_invocations_end(verify);
}
