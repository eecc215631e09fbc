/* SPDX-License-Identifier: Apache-2.0 */
/* Use of CPU as Google's Borg traces have it: a row per task and window of five minutes, with
 * average, maximum and percentiles. usage.parquet; windows begin with the first submission. */
#include "base/number.h"
#include "opendc/cutter.h"
#include "opendc/parquet_out.h"
#include "opendc/simulators.h"
#include "opendc/windows.h"

#define WINDOW_MS      300000
#define ROWS_PER_WRITE 4096

/* Percentiles, as Borg's: 0, 10, ..., 100 and of the tail 91, ..., 99. */
enum { SPREAD = 11, TAIL = 9 };

enum { TASK_ID, NAME, NODE, START, END, AVERAGE, MAXIMUM, PERCENTILES, TAILS, MEMORY };

#define F64_LIST(name)                                                                             \
    {name, TK_PARQUET_GROUP, TK_PARQUET_REQUIRED, TK_PARQUET_LIST, .children = 1},                 \
        {"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1},                            \
    {                                                                                              \
        "element", TK_PARQUET_F64                                                                  \
    }

static const struct tk_parquet_node nodes[] = {
    {"task_id", TK_PARQUET_I64},
    {"name", TK_PARQUET_BYTES, .logical = TK_PARQUET_STRING},
    {"node", TK_PARQUET_BYTES, .logical = TK_PARQUET_STRING},
    {"start_time", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_MS},
    {"end_time", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_MS},
    {"average_cores", TK_PARQUET_F64},
    {"maximum_cores", TK_PARQUET_F64},
    F64_LIST("cores_percentiles"),
    F64_LIST("cores_tail_percentiles"),
    {"maximum_memory_kb", TK_PARQUET_I64, TK_PARQUET_OPTIONAL},
};

static const struct tk_parquet_layout layout = {"usage.parquet", nodes, TK_COUNTOF(nodes)};

struct usage {
    const struct tk_simulation *simulation;
    struct tk_parquet_out file;
    struct tk_cutter cutter;
    struct tk_windows windows;
    size_t rows; /* since the last write */
};

static void usage_release(struct usage *usage)
{
    tk_windows_release(&usage->windows);
    tk_cutter_release(&usage->cutter);
    tk_parquet_out_release(&usage->file);
}

static void put_percentiles(struct tk_parquet_writer *writer, const struct tk_window *window)
{
    double spread[SPREAD];
    double tail[TAIL];
    for (int i = 0; i < SPREAD; i++)
        spread[i] = tk_window_quantile(window, i / 10.0);
    for (int i = 0; i < TAIL; i++)
        tail[i] = tk_window_quantile(window, (91 + i) / 100.0);
    tk_parquet_add_list(writer, PERCENTILES, spread, SPREAD);
    tk_parquet_add_list(writer, TAILS, tail, TAIL);
}

static int put_row(struct usage *usage, const struct tk_task *task, const struct tk_window *window,
                   struct tk_err *err)
{
    struct tk_parquet_writer *writer = usage->file.writer;
    tk_str node = tk_str_from(usage->simulation->node_names[task->node]);
    tk_parquet_add_i64(writer, TASK_ID, &(int64_t){task->id}, 1);
    tk_parquet_add_texts(writer, NAME, &task->name, 1);
    tk_parquet_add_texts(writer, NODE, &node, 1);
    tk_parquet_add_i64(writer, START, &window->start_ms, 1);
    tk_parquet_add_i64(writer, END, &window->end_ms, 1);
    tk_parquet_add_f64(writer, AVERAGE, &window->average, 1);
    tk_parquet_add_f64(writer, MAXIMUM, &window->most, 1);
    put_percentiles(writer, window);
    if (task->mem_is_estimate) {
        tk_parquet_add_nulls(writer, MEMORY, 1);
    } else {
        tk_parquet_add_i64(writer, MEMORY, &task->mem_kb, 1);
    }
    if (++usage->rows < ROWS_PER_WRITE)
        return 0;
    usage->rows = 0;
    return tk_parquet_writer_write(writer, err);
}

static int put_task(struct usage *usage, struct tk_task *task, struct tk_err *err)
{
    struct tk_window window;
    int rc = tk_cutter_cut(&usage->cutter, task, err);
    if (rc < 0)
        return rc;
    tk_windows_begin(&usage->windows, &usage->cutter.made, task->start_ms,
                     usage->simulation->first_ms, WINDOW_MS);
    while ((rc = tk_windows_next(&usage->windows, &window, err)) == 0) {
        rc = put_row(usage, task, &window, err);
        if (rc < 0)
            break;
    }
    return rc < 0 ? rc : 0;
}

static int write(const struct tk_simulation *simulation, struct tk_err *err)
{
    struct tk_workload *workload = simulation->workload;
    struct tk_fragment_sums ignored = {0};
    TK_CLEANUP(usage_release)
    struct usage usage = {.simulation = simulation, .file = TK_PARQUET_OUT_NONE};
    tk_cutter_init(&usage.cutter, workload, simulation->options, &ignored);
    int rc = tk_parquet_out_open(&usage.file, simulation->dirfd, &layout,
                                 simulation->options->codec, err);
    for (uint32_t i = 0; rc == 0 && i < workload->task_count; i++) {
        struct tk_task *task = &workload->tasks[workload->sorted[i]];
        if (task->id != 0)
            rc = put_task(&usage, task, err);
    }
    rc = rc < 0 ? rc : tk_parquet_writer_write(usage.file.writer, err);
    return rc < 0 ? rc : tk_parquet_out_close(&usage.file, err);
}

const struct tk_simulator tk_simulator_usage = {
    .name = "usage",
    .help = "use of CPU per task and five minutes, with percentiles, as Borg's traces",
    .write = write,
};
