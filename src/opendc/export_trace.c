/* SPDX-License-Identifier: Apache-2.0 */
/* tasks.parquet and fragments.parquet (opendc.md sections 2, 3 and 5): a table per profile says
 * which columns there are; what goes into each kind of column stands here once. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/number.h"
#include "opendc/cutter.h"
#include "opendc/export_internal.h"
#include "opendc/parquet_out.h"
#include "opendc/profiles.h"

#define ROWS_PER_WRITE 4096
#define ID_TEXT_MAX    12

/* A file on its way ------------------------------------------------------------------------ */

static int file_open(struct tk_parquet_out *file, const struct tk_export *export, const char *name,
                     const struct tk_parquet_node *nodes, size_t node_count, struct tk_err *err)
{
    const struct tk_parquet_layout layout = {name, nodes, node_count};
    int rc = tk_parquet_out_open(file, export->dirfd, &layout, export->options->codec, err);
    if (rc < 0)
        return rc;
    tk_parquet_writer_add_pair(file->writer, "tracekit.profile",
                               tk_str_from(tk_opendc_profiles[export->options->profile]));
    tk_parquet_writer_add_pair(file->writer, "tracekit.units",
                               TK_STR("usage and capacity MHz, duration ms, submission_time epoch "
                                      "ms, mem_capacity kB"));
    return 0;
}

/* Fragments -------------------------------------------------------------------------------- */

/* Rows that wait for the writer, by column. */
struct fragment_rows {
    size_t count;
    int32_t id[ROWS_PER_WRITE];
    char id_text[ROWS_PER_WRITE][ID_TEXT_MAX];
    tk_str id_view[ROWS_PER_WRITE];
    int64_t end_ms[ROWS_PER_WRITE];
    int64_t duration_ms[ROWS_PER_WRITE];
    int32_t cpu_count[ROWS_PER_WRITE];
    double mhz[ROWS_PER_WRITE];
};

static int write_fragments(struct tk_parquet_out *file, const struct tk_profile *profile,
                           struct fragment_rows *rows, struct tk_err *err)
{
    for (size_t i = 0; i < profile->fragment_column_count; i++) {
        switch (profile->fragment_columns[i]) {
        case TK_FRAGMENT_ID:
            tk_parquet_add_i32(file->writer, i, rows->id, rows->count);
            break;
        case TK_FRAGMENT_ID_TEXT:
            tk_parquet_add_texts(file->writer, i, rows->id_view, rows->count);
            break;
        case TK_FRAGMENT_END:
            tk_parquet_add_i64(file->writer, i, rows->end_ms, rows->count);
            break;
        case TK_FRAGMENT_DURATION:
            tk_parquet_add_i64(file->writer, i, rows->duration_ms, rows->count);
            break;
        case TK_FRAGMENT_COUNT:
            tk_parquet_add_i32(file->writer, i, rows->cpu_count, rows->count);
            break;
        case TK_FRAGMENT_USAGE:
            tk_parquet_add_f64(file->writer, i, rows->mhz, rows->count);
            break;
        }
    }
    rows->count = 0;
    return tk_parquet_writer_write(file->writer, err);
}

static int add_fragments(struct tk_parquet_out *file, const struct tk_profile *profile,
                         struct fragment_rows *rows, const struct tk_task *task,
                         const struct tk_fragments *made, struct tk_err *err)
{
    int64_t end_ms = task->submission_ms;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < made->count; i++) {
        size_t at = rows->count++;
        end_ms += made->items[i].duration_ms;
        rows->id[at] = task->id;
        rows->id_view[at] = (tk_str){rows->id_text[at], tk_i64_format(task->id, rows->id_text[at])};
        rows->end_ms[at] = end_ms;
        rows->duration_ms[at] = made->items[i].duration_ms;
        rows->cpu_count[at] = task->cpu_count;
        rows->mhz[at] = made->items[i].mhz;
        if (rows->count == ROWS_PER_WRITE)
            rc = write_fragments(file, profile, rows, err);
    }
    return rc;
}

/* One task --------------------------------------------------------------------------------- */

static void widen(struct tk_range *range, double value, bool is_first)
{
    range->low = is_first || value < range->low ? value : range->low;
    range->high = is_first || value > range->high ? value : range->high;
}

static void note_task(struct tk_opendc_report *report, const struct tk_task *task,
                      const struct tk_fragments *made)
{
    bool is_first = report->tasks == 0;
    report->tasks++;
    report->fragments += (int64_t)made->count;
    report->estimated += task->known == TK_KNOWN_NOTHING;
    report->even += task->known == TK_KNOWN_TOTAL;
    report->mem_estimated += task->mem_is_estimate;
    report->cpu_ns += task->cpu_ns;
    widen(&report->duration_ms, (double)task->duration_ms, is_first);
    widen(&report->capacity_mhz, task->cpu_capacity_mhz, is_first);
    widen(&report->mem_kb, (double)task->mem_kb, is_first);
}

/* Tasks ------------------------------------------------------------------------------------ */

struct task_rows {
    size_t count;
    const struct tk_task *task[ROWS_PER_WRITE];
    int32_t i32[ROWS_PER_WRITE];
    int64_t i64[ROWS_PER_WRITE];
    double f64[ROWS_PER_WRITE];
    char id_text[ROWS_PER_WRITE][ID_TEXT_MAX];
    tk_str text[ROWS_PER_WRITE];
    uint8_t def[ROWS_PER_WRITE];
};

static void add_texts(struct tk_parquet_writer *writer, size_t column, struct task_rows *rows,
                      enum tk_task_column kind)
{
    size_t there = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const struct tk_task *task = rows->task[i];
        tk_str text = task->name;
        if (kind == TK_TASK_ID_TEXT)
            text = (tk_str){rows->id_text[i], tk_i64_format(task->id, rows->id_text[i])};
        rows->def[i] = text.n > 0;
        if (text.n > 0)
            rows->text[there++] = text;
    }
    if (kind == TK_TASK_ID_TEXT) {
        tk_parquet_add_texts(writer, column, rows->text, there);
    } else {
        tk_parquet_add_levels(writer, column, rows->text, rows->def, NULL, rows->count);
    }
}

static void add_i32s(struct tk_parquet_writer *writer, size_t column, struct task_rows *rows,
                     enum tk_task_column kind)
{
    for (size_t i = 0; i < rows->count; i++)
        rows->i32[i] = kind == TK_TASK_ID ? rows->task[i]->id : rows->task[i]->cpu_count;
    tk_parquet_add_i32(writer, column, rows->i32, rows->count);
}

static void add_i64s(struct tk_parquet_writer *writer, size_t column, struct task_rows *rows,
                     enum tk_task_column kind)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct tk_task *task = rows->task[i];
        rows->i64[i] = kind == TK_TASK_SUBMISSION ? task->submission_ms
                       : kind == TK_TASK_END      ? task->submission_ms + task->duration_ms
                       : kind == TK_TASK_DURATION ? task->duration_ms
                                                  : task->mem_kb;
    }
    tk_parquet_add_i64(writer, column, rows->i64, rows->count);
}

/* Ids of the tasks at the other ends of edges; those that were left out have none. */
static int add_edges(struct tk_parquet_writer *writer, size_t column,
                     const struct tk_workload *workload, const struct tk_task *task,
                     enum tk_task_column kind, struct tk_err *err)
{
    bool parents = kind == TK_TASK_PARENTS;
    const uint32_t *others = parents ? task->parents : task->children;
    uint32_t count = parents ? task->parent_count : task->child_count;
    int32_t *ids = malloc(((size_t)count + 1) * sizeof(*ids));
    if (!ids)
        return tk_fail(err, -ENOMEM, "out of memory for %u edges", count);
    size_t there = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (workload->tasks[others[i]].id != 0)
            ids[there++] = workload->tasks[others[i]].id;
    }
    if (there > 0) {
        tk_parquet_add_list(writer, column, ids, there);
    } else {
        tk_parquet_add_nulls(writer, column, 1);
    }
    free(ids);
    return 0;
}

/* A column with one value a row. */
static void add_flat(struct tk_parquet_writer *writer, size_t column, struct task_rows *rows,
                     enum tk_task_column kind)
{
    switch (kind) {
    case TK_TASK_ID:
    case TK_TASK_COUNT:
        add_i32s(writer, column, rows, kind);
        break;
    case TK_TASK_ID_TEXT:
    case TK_TASK_NAME:
        add_texts(writer, column, rows, kind);
        break;
    case TK_TASK_SUBMISSION:
    case TK_TASK_END:
    case TK_TASK_DURATION:
    case TK_TASK_MEM:
        add_i64s(writer, column, rows, kind);
        break;
    case TK_TASK_CAPACITY:
        for (size_t i = 0; i < rows->count; i++)
            rows->f64[i] = rows->task[i]->cpu_capacity_mhz;
        tk_parquet_add_f64(writer, column, rows->f64, rows->count);
        break;
    case TK_TASK_PARENTS:
    case TK_TASK_CHILDREN:
        break;
    }
}

/* Write the rows that wait; `columns` of the profile's, the lists at the end of it or not. */
static int write_tasks(struct tk_parquet_out *file, const struct tk_export *export, size_t columns,
                       struct task_rows *rows, struct tk_err *err)
{
    const enum tk_task_column *kinds = tk_profiles[export->options->profile].task_columns;
    int rc = 0;
    for (size_t c = 0; rc == 0 && c < columns; c++) {
        bool is_list = kinds[c] == TK_TASK_PARENTS || kinds[c] == TK_TASK_CHILDREN;
        if (!is_list)
            add_flat(file->writer, c, rows, kinds[c]);
        for (size_t i = 0; rc == 0 && is_list && i < rows->count; i++)
            rc = add_edges(file->writer, c, export->workload, rows->task[i], kinds[c], err);
    }
    rows->count = 0;
    return rc < 0 ? rc : tk_parquet_writer_write(file->writer, err);
}

/* Columns that would be null throughout are left out. */
static bool has_edges(const struct tk_export *export)
{
    const struct tk_workload *workload = export->workload;
    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct tk_task *task = &workload->tasks[i];
        for (uint32_t k = 0; task->id != 0 && k < task->parent_count; k++) {
            if (workload->tasks[task->parents[k]].id != 0)
                return true;
        }
    }
    return false;
}

static int write_task_file(struct tk_export *export, const struct tk_profile *profile,
                           struct tk_err *err)
{
    bool has_lists = profile->has_lists && has_edges(export);
    size_t nodes = profile->task_nodes;
    size_t columns = profile->task_column_count;
    if (profile->has_lists && !has_lists) {
        nodes -= 2 * (size_t)TK_PROFILE_LIST_NODES;
        columns -= 2;
    }
    struct task_rows *rows = malloc(sizeof(*rows));
    if (!rows)
        return tk_fail(err, -ENOMEM, "out of memory");
    rows->count = 0;
    TK_CLEANUP(tk_parquet_out_release) struct tk_parquet_out file = TK_PARQUET_OUT_NONE;
    int rc = file_open(&file, export, profile->tasks_name, profile->tasks, nodes, err);
    for (uint32_t i = 0; rc == 0 && i < export->workload->task_count; i++) {
        const struct tk_task *task = &export->workload->tasks[export->order[i]];
        if (task->id == 0)
            continue;
        rows->task[rows->count++] = task;
        if (rows->count == ROWS_PER_WRITE)
            rc = write_tasks(&file, export, columns, rows, err);
    }
    if (rc == 0 && rows->count > 0)
        rc = write_tasks(&file, export, columns, rows, err);
    free(rows);
    return rc < 0 ? rc : tk_parquet_out_close(&file, err);
}

/* The whole --------------------------------------------------------------------------------- */

/* Cut a task and give it its id, unless it is to be left out. */
static int cut(struct tk_export *export, struct tk_cutter *cutter, struct tk_task *task,
               struct tk_err *err)
{
    const struct tk_opendc_options *options = export->options;
    int rc = tk_cutter_cut(cutter, task, err);
    if (rc < 0)
        return rc;
    if (options->no_estimate && task->known == TK_KNOWN_NOTHING) {
        export->report.dropped++;
        task->id = 0;
        return 0;
    }
    if (options->ids == TK_IDS_SEQUENTIAL)
        task->id = (int32_t)(export->report.tasks + 1);
    note_task(&export->report, task, &cutter->made);
    return 0;
}

static int write_fragment_file(struct tk_export *export, struct tk_cutter *cutter,
                               const struct tk_profile *profile, struct tk_err *err)
{
    const struct tk_workload *workload = export->workload;
    struct fragment_rows *rows = malloc(sizeof(*rows));
    if (!rows)
        return tk_fail(err, -ENOMEM, "out of memory");
    rows->count = 0;
    TK_CLEANUP(tk_parquet_out_release) struct tk_parquet_out file = TK_PARQUET_OUT_NONE;
    int rc = file_open(&file, export, profile->fragments_name, profile->fragments,
                       profile->fragment_column_count, err);
    int64_t left = export->options->top > 0 ? export->options->top : INT64_MAX;
    for (uint32_t i = 0; rc == 0 && i < workload->task_count; i++) {
        struct tk_task *task = &workload->tasks[export->order[i]];
        bool is_wanted =
            left > 0 && (export->only_node == TK_NONE || export->only_node == task->node);
        if (!is_wanted) {
            task->id = 0;
            continue;
        }
        rc = cut(export, cutter, task, err);
        if (rc == 0 && task->id != 0)
            rc = add_fragments(&file, profile, rows, task, &cutter->made, err);
        left -= task->id != 0;
    }
    if (rc == 0 && rows->count > 0)
        rc = write_fragments(&file, profile, rows, err);
    free(rows);
    return rc < 0 ? rc : tk_parquet_out_close(&file, err);
}

int tk_export_write_trace(struct tk_export *export, struct tk_err *err)
{
    const struct tk_profile *profile = &tk_profiles[export->options->profile];
    TK_CLEANUP(tk_cutter_release) struct tk_cutter cutter;
    tk_cutter_init(&cutter, export->workload, export->options, &export->report.sums);
    int rc = write_fragment_file(export, &cutter, profile, err);
    if (rc == 0 && export->report.tasks == 0 && export->only_node == TK_NONE)
        rc = tk_fail(err, -ENODATA, "no task is left: of none is its CPU time known");
    return rc < 0 ? rc : write_task_file(export, profile, err);
}
