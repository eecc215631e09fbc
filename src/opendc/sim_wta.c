/* SPDX-License-Identifier: Apache-2.0 */
/* The Workflow Trace Archive (wta.atlarge-research.com): Parquet files in folders by the names and
 * columns of its tools, schema 1.0. A workflow is a trace, a resource is a node, and a state of a
 * task is one of its fragments. Every column may be null; what is not known is -1. */
#include "opendc/sim_wta.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "opendc/cutter.h"
#include "opendc/parquet_out.h"
#include "opendc/stats.h"

#define ROWS_PER_WRITE 4096
#define SCHEMA         "schema-1.0"
#define PART           "part.0.parquet"
#define INFORMATION    "generic_information.json"

static const double unknown = -1;

/* One column of a table a line: its node, and of which row what it holds. */
#define I32(name)                                                                                  \
    {                                                                                              \
        name, TK_PARQUET_I32, TK_PARQUET_OPTIONAL                                                  \
    }
#define I64(name)                                                                                  \
    {                                                                                              \
        name, TK_PARQUET_I64, TK_PARQUET_OPTIONAL                                                  \
    }
#define F64(name)                                                                                  \
    {                                                                                              \
        name, TK_PARQUET_F64, TK_PARQUET_OPTIONAL                                                  \
    }
#define TEXT(name)                                                                                 \
    {                                                                                              \
        name, TK_PARQUET_BYTES, TK_PARQUET_OPTIONAL, TK_PARQUET_STRING                             \
    }
#define LIST(name)                                                                                 \
    {name, TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL, TK_PARQUET_LIST, .children = 1},                 \
        {"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1},                            \
    {                                                                                              \
        "item", TK_PARQUET_I64, TK_PARQUET_OPTIONAL                                                \
    }

/* A file, and the column whose turn it is in the row at hand. */
struct table {
    int dirfd;
    struct tk_parquet_out file;
    size_t column;
    size_t rows; /* since the last write */
};

#define TABLE_NONE                                                                                 \
    {                                                                                              \
        .dirfd = -1, .file = TK_PARQUET_OUT_NONE                                                   \
    }

static void put_i32(struct table *table, int32_t value)
{
    tk_parquet_add_i32(table->file.writer, table->column++, &value, 1);
}

static void put_i64(struct table *table, int64_t value)
{
    tk_parquet_add_i64(table->file.writer, table->column++, &value, 1);
}

static void put_f64(struct table *table, double value)
{
    tk_parquet_add_f64(table->file.writer, table->column++, &value, 1);
}

static void put_text(struct table *table, tk_str text)
{
    tk_parquet_add_texts(table->file.writer, table->column++, &text, 1);
}

static void put_f64s(struct table *table, double value, size_t columns)
{
    for (size_t i = 0; i < columns; i++)
        put_f64(table, value);
}

static int end_row(struct table *table, struct tk_err *err)
{
    table->column = 0;
    if (++table->rows < ROWS_PER_WRITE)
        return 0;
    table->rows = 0;
    return tk_parquet_writer_write(table->file.writer, err);
}

/* Make FOLDER/schema-1.0 and open it. */
static int open_folder(int dirfd, const char *folder, int *ret_fd, struct tk_err *err)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "%s/" SCHEMA, folder);
    int rc = tk_dir_make(dirfd, folder, err);
    rc = rc < 0 ? rc : tk_dir_make(dirfd, path, err);
    return rc < 0 ? rc : tk_dir_open(dirfd, path, ret_fd, err);
}

static int table_open(struct table *table, const struct tk_simulation *simulation,
                      const char *folder, const struct tk_parquet_layout *layout,
                      struct tk_err *err)
{
    int rc = open_folder(simulation->dirfd, folder, &table->dirfd, err);
    return rc < 0 ? rc
                  : tk_parquet_out_open(&table->file, table->dirfd, layout,
                                        simulation->options->codec, err);
}

static int table_close(struct table *table, struct tk_err *err)
{
    int rc = tk_parquet_writer_write(table->file.writer, err);
    return rc < 0 ? rc : tk_parquet_out_close(&table->file, err);
}

static void table_release(struct table *table)
{
    tk_parquet_out_release(&table->file);
    tk_fd_close(&table->dirfd);
}

/* Ids in files count from 1. */
static int64_t id_of(uint32_t index)
{
    return (int64_t)index + 1;
}

/* Tasks -------------------------------------------------------------------------------------- */

static const struct tk_parquet_node task_nodes[] = {
    I64("id"),
    TEXT("type"),
    I64("ts_submit"),
    I32("submission_site"),
    I64("runtime"),
    TEXT("resource_type"),
    F64("resource_amount_requested"),
    LIST("parents"),
    LIST("children"),
    I32("user_id"),
    I32("group_id"),
    TEXT("nfrs"),
    I64("workflow_id"),
    I64("wait_time"),
    TEXT("params"),
    F64("memory_requested"),
    I64("network_io_time"),
    I64("disk_io_time"),
    F64("disk_space_requested"),
    I64("energy_consumption"),
    I64("resource_used"),
};

static const struct tk_parquet_layout task_layout = {PART, task_nodes, TK_COUNTOF(task_nodes)};

static int put_edges(struct table *table, const struct tk_wta *wta, uint32_t task, bool parents,
                     struct tk_err *err)
{
    const struct tk_task *tasks = wta->simulation->workload->tasks;
    const uint32_t *others = parents ? tasks[task].parents : tasks[task].children;
    uint32_t count = parents ? tasks[task].parent_count : tasks[task].child_count;
    int64_t *ids = malloc(((size_t)count + 1) * sizeof(*ids));
    if (!ids)
        return tk_fail(err, -ENOMEM, "out of memory for %u edges", count);
    size_t there = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (tk_wta_is_edge(wta, task, others[i]))
            ids[there++] = tasks[others[i]].id;
    }
    tk_parquet_add_list(table->file.writer, table->column++, ids, there);
    free(ids);
    return 0;
}

static void put_params(struct table *table, tk_str name)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 1 << 20);
    tk_buf_lit(&text, "{\"name\":");
    tk_json_put_str(&text, name);
    tk_buf_putc(&text, '}');
    put_text(table, tk_buf_str(&text));
}

static int put_task(struct table *table, const struct tk_wta *wta, uint32_t index,
                    struct tk_err *err)
{
    const struct tk_task *task = &wta->simulation->workload->tasks[index];
    put_i64(table, task->id);
    put_text(table, task->is_command ? TK_STR("command") : TK_STR("request"));
    put_i64(table, task->enqueue_ms);
    put_i32(table, (int32_t)unknown);
    put_i64(table, task->end_ms - task->start_ms);
    put_text(table, TK_STR("core"));
    put_f64(table, task->cpu_count);
    int rc = put_edges(table, wta, index, true, err);
    rc = rc < 0 ? rc : put_edges(table, wta, index, false, err);
    if (rc < 0)
        return rc;
    put_i32(table, (int32_t)unknown);
    put_i32(table, (int32_t)unknown);
    put_text(table, TK_STR("{}"));
    put_i64(table, id_of(wta->workflow_of[index]));
    put_i64(table, task->start_ms - task->enqueue_ms);
    put_params(table, task->name);
    put_f64(table, tk_wta_mem_mb(task));
    put_i64(table, (int64_t)unknown);
    put_i64(table, (int64_t)unknown);
    put_f64(table, unknown);
    put_i64(table, (int64_t)unknown);
    put_i64(table, id_of(task->node));
    return end_row(table, err);
}

static int write_tasks(const struct tk_wta *wta, struct tk_err *err)
{
    const struct tk_workload *workload = wta->simulation->workload;
    TK_CLEANUP(table_release) struct table table = TABLE_NONE;
    int rc = table_open(&table, wta->simulation, "tasks", &task_layout, err);
    for (uint32_t i = 0; rc == 0 && i < workload->task_count; i++) {
        if (workload->tasks[workload->sorted[i]].id != 0)
            rc = put_task(&table, wta, workload->sorted[i], err);
    }
    return rc < 0 ? rc : table_close(&table, err);
}

/* Workflows ---------------------------------------------------------------------------------- */

static const struct tk_parquet_node workflow_nodes[] = {
    I64("id"),
    I64("ts_submit"),
    I32("task_count"),
    I64("critical_path_length"),
    I32("critical_path_task_count"),
    I32("approx_max_concurrent_tasks"),
    TEXT("nfrs"),
    TEXT("scheduler"),
    F64("total_resources"),
    F64("total_memory_usage"),
    I64("total_network_usage"),
    I64("total_disk_space_usage"),
    I64("total_energy_consumption"),
};

static const struct tk_parquet_layout workflow_layout = {PART, workflow_nodes,
                                                         TK_COUNTOF(workflow_nodes)};

static int write_workflows(const struct tk_wta *wta, struct tk_err *err)
{
    TK_CLEANUP(table_release) struct table table = TABLE_NONE;
    int rc = table_open(&table, wta->simulation, "workflows", &workflow_layout, err);
    for (uint32_t i = 0; rc == 0 && i < wta->workflow_count; i++) {
        const struct tk_wta_workflow *workflow = &wta->workflows[i];
        put_i64(&table, id_of(i));
        put_i64(&table, workflow->first_ms);
        put_i32(&table, (int32_t)workflow->tasks);
        put_i64(&table, workflow->last_ms - workflow->first_ms);
        put_i32(&table, (int32_t)workflow->path_tasks);
        put_i32(&table, (int32_t)workflow->widest);
        put_text(&table, TK_STR("{}"));
        put_text(&table, TK_STR(""));
        put_f64(&table, workflow->cores);
        put_f64(&table, workflow->mem_mb > 0 ? workflow->mem_mb : unknown);
        put_i64(&table, (int64_t)unknown);
        put_i64(&table, (int64_t)unknown);
        put_i64(&table, (int64_t)unknown);
        rc = end_row(&table, err);
    }
    return rc < 0 ? rc : table_close(&table, err);
}

/* Resources ---------------------------------------------------------------------------------- */

static const struct tk_parquet_node resource_nodes[] = {
    I64("id"),         TEXT("type"),   F64("num_resources"), TEXT("proc_model"), I64("memory"),
    I64("disk_space"), I64("network"), TEXT("os"),           TEXT("details"),
};

static const struct tk_parquet_layout resource_layout = {PART, resource_nodes,
                                                         TK_COUNTOF(resource_nodes)};

static void put_details(struct table *table, const struct tk_node *node, const char *name)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 1 << 20);
    tk_buf_lit(&text, "{\"name\":");
    tk_json_put_str(&text, tk_str_from(name));
    tk_json_put_member_f64(&text, "mhz", node->mhz);
    tk_json_put_member_str(&text, "architecture", node->arch);
    tk_buf_putc(&text, '}');
    put_text(table, tk_buf_str(&text));
}

static int write_resources(const struct tk_wta *wta, struct tk_err *err)
{
    static const int64_t bytes_per_gb = 1000000000;
    const struct tk_workload *workload = wta->simulation->workload;
    TK_CLEANUP(table_release) struct table table = TABLE_NONE;
    int rc = table_open(&table, wta->simulation, "resources", &resource_layout, err);
    for (uint32_t i = 0; rc == 0 && i < workload->node_count; i++) {
        const struct tk_node *node = &workload->nodes[i];
        put_i64(&table, id_of(i));
        put_text(&table, TK_STR("node"));
        put_f64(&table, (double)node->cores);
        put_text(&table, node->cpu_model);
        put_i64(&table, node->mem_bytes > 0 ? (node->mem_bytes + bytes_per_gb / 2) / bytes_per_gb
                                            : (int64_t)unknown);
        put_i64(&table, (int64_t)unknown);
        put_i64(&table, (int64_t)unknown);
        put_text(&table, node->kernel);
        put_details(&table, node, wta->simulation->node_names[i]);
        rc = end_row(&table, err);
    }
    return rc < 0 ? rc : table_close(&table, err);
}

/* States ------------------------------------------------------------------------------------- */

static const struct tk_parquet_node state_nodes[] = {
    I64("ts_start"),
    I64("ts_end"),
    I64("workflow_id"),
    I64("task_id"),
    I64("resource_id"),
    F64("cpu_rate"),
    F64("canonical_memory_usage"),
    F64("assigned_memory"),
    F64("minimum_memory_usage"),
    F64("maximum_memory_usage"),
    I64("disk_io_time"),
    F64("maximum_disk_bandwidth"),
    F64("local_disk_space_usage"),
    F64("maximum_cpu_rate"),
    I64("maximum_disk_io_time"),
    F64("sample_rate"),
    F64("sample_portion"),
    F64("sampled_cpu_usage"),
    F64("network_io_time"),
    F64("maximum_network_bandwidth"),
    I64("network_in"),
    I64("network_out"),
    TEXT("version"),
};

static const struct tk_parquet_layout state_layout = {PART, state_nodes, TK_COUNTOF(state_nodes)};

static int put_state(struct table *table, const struct tk_wta *wta, uint32_t index,
                     int64_t start_ms, const struct tk_fragment *fragment, struct tk_err *err)
{
    const struct tk_task *task = &wta->simulation->workload->tasks[index];
    put_i64(table, start_ms);
    put_i64(table, start_ms + fragment->duration_ms);
    put_i64(table, id_of(wta->workflow_of[index]));
    put_i64(table, task->id);
    put_i64(table, id_of(task->node));
    put_f64(table, (double)fragment->cpu_ns / 1e6 / (double)fragment->duration_ms);
    put_f64s(table, unknown, 4);
    put_i64(table, (int64_t)unknown);
    put_f64s(table, unknown, 3);
    put_i64(table, (int64_t)unknown);
    put_f64s(table, unknown, 5);
    put_i64(table, (int64_t)unknown);
    put_i64(table, (int64_t)unknown);
    put_text(table, TK_STR("1.0"));
    return end_row(table, err);
}

static int put_states(struct table *table, const struct tk_wta *wta, struct tk_cutter *cutter,
                      uint32_t index, struct tk_err *err)
{
    struct tk_task *task = &wta->simulation->workload->tasks[index];
    int64_t at_ms = task->start_ms;
    int rc = tk_cutter_cut(cutter, task, err);
    for (size_t i = 0; rc == 0 && i < cutter->made.count; i++) {
        rc = put_state(table, wta, index, at_ms, &cutter->made.items[i], err);
        at_ms += cutter->made.items[i].duration_ms;
    }
    return rc;
}

/* The fragments of all tasks whose course is known. */
static int write_states(const struct tk_wta *wta, struct tk_err *err)
{
    struct tk_workload *workload = wta->simulation->workload;
    struct tk_fragment_sums ignored = {0};
    TK_CLEANUP(tk_cutter_release) struct tk_cutter cutter;
    TK_CLEANUP(table_release) struct table table = TABLE_NONE;
    tk_cutter_init(&cutter, workload, wta->simulation->options, &ignored);
    int rc = table_open(&table, wta->simulation, "task_state", &state_layout, err);
    for (uint32_t i = 0; rc == 0 && i < workload->task_count; i++) {
        const struct tk_task *task = &workload->tasks[workload->sorted[i]];
        if (task->id != 0 && task->known != TK_KNOWN_NOTHING)
            rc = put_states(&table, wta, &cutter, workload->sorted[i], err);
    }
    return rc < 0 ? rc : table_close(&table, err);
}

/* The workload ------------------------------------------------------------------------------- */

static void put_member(struct tk_buf *out, const char *what, const char *of, double value)
{
    char key[64];
    (void)snprintf(key, sizeof(key), "%s%s", what, of);
    tk_json_put_member_f64(out, key, isfinite(value) ? value : unknown);
}

/* Of values that need not be there: all -1 then, as the archive's tools do. */
static void put_figures(struct tk_buf *out, const char *of, double *values, size_t count)
{
    double sum = 0;
    double squares = 0;
    tk_stats_sort(values, count);
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    double mean = count > 0 ? sum / (double)count : unknown;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    double deviation = count > 1 ? sqrt(squares / (double)(count - 1)) : unknown;
    put_member(out, "min_", of, count > 0 ? values[0] : unknown);
    put_member(out, "max_", of, count > 0 ? values[count - 1] : unknown);
    put_member(out, "std_", of, deviation);
    put_member(out, "mean_", of, mean);
    put_member(out, "median_", of, count > 0 ? tk_stats_quantile(values, count, 0.5) : unknown);
    put_member(out, "first_quartile_", of,
               count > 0 ? tk_stats_quantile(values, count, 0.25) : unknown);
    put_member(out, "third_quartile_", of,
               count > 0 ? tk_stats_quantile(values, count, 0.75) : unknown);
    put_member(out, "cov_", of, count > 1 && mean > 0 ? deviation / mean : unknown);
}

static void put_time(struct tk_buf *out, const char *key, int64_t ms)
{
    char text[64] = "";
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (gmtime_r(&seconds, &tm))
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    tk_json_put_member_str(out, key, tk_str_from(text));
}

static void put_information(struct tk_buf *out, const struct tk_wta *wta, double *values)
{
    static const char *const not_measured[] = {"network_io_time", "disk_space_usage", "energy"};
    const struct tk_workload *workload = wta->simulation->workload;
    double cores = 0;
    double core_seconds = 0;
    int64_t last_ms = wta->simulation->first_ms;
    size_t tasks = 0;
    size_t known = 0;
    double *mem_mb = values + workload->task_count;
    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct tk_task *task = &workload->tasks[i];
        if (task->id == 0)
            continue;
        values[tasks++] = task->cpu_count;
        cores += task->cpu_count;
        core_seconds += task->cpu_count * (double)(task->end_ms - task->start_ms) / 1000;
        last_ms = task->end_ms > last_ms ? task->end_ms : last_ms;
        if (tk_wta_mem_mb(task) >= 0)
            mem_mb[known++] = tk_wta_mem_mb(task);
    }
    tk_buf_printf(out, "{\"total_workflows\":%u,\"total_tasks\":%zu,\"domain\":\"\"",
                  wta->workflow_count, tasks);
    put_time(out, "date_start", wta->simulation->first_ms);
    put_time(out, "date_end", last_ms);
    put_member(out, "num_sites", "", unknown);
    put_member(out, "num_resources", "", cores);
    put_member(out, "num_users", "", unknown);
    put_member(out, "num_groups", "", unknown);
    put_member(out, "total_resource_seconds", "", core_seconds);
    tk_buf_lit(out, ",\"authors\":[]");
    put_figures(out, "resource_task", values, tasks);
    put_figures(out, "memory", mem_mb, known);
    for (size_t i = 0; i < TK_COUNTOF(not_measured); i++)
        put_figures(out, not_measured[i], values, 0);
    tk_buf_lit(out, ",\"workload_description\":\"recorded by tracekit " TK_VERSION "\"}\n");
}

static int write_information(const struct tk_wta *wta, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    double *values = calloc(2 * (size_t)wta->simulation->workload->task_count, sizeof(*values));
    if (!values)
        return tk_fail(err, -ENOMEM, "out of memory");
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 1 << 20);
    put_information(&text, wta, values);
    free(values);
    int rc = tk_buf_check(&text, INFORMATION, err);
    rc = rc < 0 ? rc : open_folder(wta->simulation->dirfd, "workload", &dirfd, err);
    return rc < 0 ? rc : tk_file_write(dirfd, INFORMATION, tk_buf_str(&text), 0644, err);
}

static int write(const struct tk_simulation *simulation, struct tk_err *err)
{
    static int (*const steps[])(const struct tk_wta *wta, struct tk_err *err) = {
        write_tasks, write_workflows, write_resources, write_states, write_information,
    };
    TK_CLEANUP(tk_wta_release) struct tk_wta wta;
    int rc = tk_wta_init(&wta, simulation, err);
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(steps); i++)
        rc = steps[i](&wta, err);
    return rc;
}

const struct tk_simulator tk_simulator_wta = {
    .name = "wta",
    .help = "Parquet files of the Workflow Trace Archive, a workflow per trace",
    .write = write,
};
