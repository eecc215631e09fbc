/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the summary: what is only known while it is made. */
#ifndef TK_RUN_SUMMARY_INTERNAL_H
#define TK_RUN_SUMMARY_INTERNAL_H

#include "run/run.h"
#include "run/summary.h"

#define TK_SUMMARY_MAX_DISKS 64

struct tk_container_sums;
struct tk_thread_sums;

/* Columns of a CPU row that are read together, at a period of their own. */
enum tk_summary_source {
    TK_SOURCE_STALL,
    TK_SOURCE_DISK,
    TK_SOURCE_FORKS,
    TK_SOURCE_FAULTS,
    TK_SOURCE_TCP,
    TK_SOURCE_SWAP_IN,
    TK_SOURCE_SWAP_OUT,
    TK_SOURCE_COUNT
};

struct tk_disk_sums {
    tk_str name;
    double busy_ns, covered_ns;
    double await_weighted, requests;
};

struct tk_summary_maker {
    struct tk_summary *summary;
    int dirfd; /* borrowed */
    const struct tk_summary_options *options;
    struct tk_batch *nodes;    /* of a merged run: its nodes.json, owned; else NULL */
    size_t node;               /* row of it */
    bool has_span;             /* summary->start_ns is known */
    int64_t first_ns, last_ns; /* of invocations, which are the span where nothing else tells it */
    int64_t clk_tck;
    int64_t boot_ns; /* epoch time of the boot; 0 = unknown */
    int64_t root_pid, root_start_ticks;

    /* Sums of value times ns, and the ns that they cover. */
    double busy, full, iowait, steal;
    double covered_ns, parts_ns;
    int64_t cpu_prev_ns, memory_prev_ns, link_prev_ns; /* stamps of the rows before; 0 = none */
    double covered_before[TK_SOURCE_COUNT];            /* covered_ns at the last reading */
    double link_max_Bps;
    struct {
        int64_t ticks, syscalls, bytes, dt_ms, cpu_ns;
    } self; /* sums of self.jsonl */
    struct tk_disk_sums disks[TK_SUMMARY_MAX_DISKS];
    size_t disk_count;
    struct tk_container_sums *containers; /* while they are added */
    struct tk_thread_sums *threads;       /* likewise */
};

/* A summary of which nothing is known. */
void tk_summary_init(struct tk_summary *summary);

/* ns of a column in a smaller unit; -1 when absent, negative or absurd. */
int64_t tk_summary_ns(const struct tk_batch *batch, size_t row, size_t column, int64_t unit_ns);

/* Time of a row that has ts_us or ts_ms; -1 = neither. */
int64_t tk_summary_stamp(const struct tk_batch *batch, size_t row, size_t us_column,
                         size_t ms_column);

/* Note that a row lies at `stamp_ns`: the span of the run grows to it where it is open. `dt_ns` is
 * the time before the stamp that the row covers. */
void tk_summary_extend(struct tk_summary_maker *maker, int64_t stamp_ns, int64_t dt_ns);

/* A time of the run, ns, moved to the end of the range of time beside which it lies. */
int64_t tk_summary_clip(const struct tk_range *range, int64_t ns);

/* Which rows of a table are of the node at hand, and of its range of time: all, unless several
 * nodes were merged or a range was asked for. */
struct tk_row_filter {
    bool of_any_node;
    size_t node_column, host_column; /* the count of columns = rows do not say */
    tk_str node, host;               /* borrowed; "" = any */

    const struct tk_range *range; /* NULL = all times, or rows have no stamp */
    size_t us_column, ms_column;
};

struct tk_row_filter tk_summary_filter(const struct tk_summary_maker *maker,
                                       const struct tk_schema *schema);
bool tk_row_filter_takes(const struct tk_row_filter *filter, const struct tk_batch *batch,
                         size_t row);

/* Which node, and facts: run.json, node_meta.json or nodes.json, link_meta.json, clock.jsonl.
 * Missing files leave everything unknown. */
TK_MUST_USE int tk_summary_add_meta(struct tk_summary_maker *maker, struct tk_err *err);

/* Rows of host_metrics, link_metrics, disk_metrics. */
void tk_summary_add_host(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row);
void tk_summary_add_link(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row);
void tk_summary_add_disk(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row);

/* All control groups of containers. */
TK_MUST_USE int tk_summary_add_containers(struct tk_summary_maker *maker, struct tk_err *err);

/* All threads that have rows. */
TK_MUST_USE int tk_summary_add_threads(struct tk_summary_maker *maker, struct tk_err *err);

/* Turn the sums into figures, once all host rows are in. */
void tk_summary_finish_host(struct tk_summary_maker *maker);

/* All invocations of the run, and which of them is the command. */
TK_MUST_USE int tk_summary_add_invocations(struct tk_summary_maker *maker, struct tk_err *err);

/* Open a table wherever this folder has it, for rows of `range` (NULL = all); NULL in `*ret_reader`
 * when it has it nowhere. */
TK_MUST_USE int tk_summary_open(const struct tk_summary_maker *maker, enum tk_table table,
                                const struct tk_range *range, struct tk_run_reader **ret_reader,
                                struct tk_err *err);

/* Add what a reader met to the counts of the summary, and free it. */
void tk_summary_close(struct tk_summary_maker *maker, const char *name,
                      struct tk_run_reader *reader);

/* Read a table to its end and give each row to `take`. */
TK_MUST_USE int tk_summary_each(struct tk_summary_maker *maker, enum tk_table table,
                                void (*take)(struct tk_summary_maker *maker,
                                             const struct tk_batch *batch, size_t row),
                                struct tk_err *err);

#endif
