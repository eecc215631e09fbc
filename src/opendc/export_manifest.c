/* SPDX-License-Identifier: Apache-2.0 */
/* task_map.jsonl, from the ids of OpenDC back to what was recorded, and manifest.json: from what,
 * how and how well the folder was made. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/file_digest.h"
#include "base/json.h"
#include "base/number.h"
#include "opendc/export_internal.h"
#include "opendc/task_map.h"
#include "run/out.h"
#include "run/recording.h"

#define MANIFEST_MAX ((size_t)64 << 20)

/* Map ----------------------------------------------------------------------------------------- */

static const struct tk_column task_map[TK_TASK_MAP_COUNT] = {
    [TK_TASK_MAP_ID] = {"id", TK_I64, "", "id of the task in tasks.parquet", TK_REQUIRED},
    [TK_TASK_MAP_RUN_ID] = {"run_id", TK_TEXT, "", "run that it was recorded in"},
    [TK_TASK_MAP_NODE] = {"node", TK_TEXT, "", "node label"},
    [TK_TASK_MAP_HOST] = {"host", TK_TEXT, "", "name of the host in the topology"},
    [TK_TASK_MAP_PID] = {"pid", TK_I64, "", "process id on the node"},
    [TK_TASK_MAP_START_TICKS] = {"start_ticks", TK_I64, "ticks", "start of the process"},
    [TK_TASK_MAP_TRACE_ID] = {"trace_id", TK_TEXT, "", "trace of the invocation"},
    [TK_TASK_MAP_SPAN_ID] = {"span_id", TK_TEXT, "", "span of the invocation"},
    [TK_TASK_MAP_NAME] = {"name", TK_TEXT, "", "module and path, or command"},
    [TK_TASK_MAP_TS_ENQUEUE] = {"ts_enqueue", TK_I64, "ms", "measured submission, epoch"},
    [TK_TASK_MAP_TS_START] = {"ts_start", TK_I64, "ms", "measured start, epoch"},
    [TK_TASK_MAP_TS_END] = {"ts_end", TK_I64, "ms", "measured end, epoch"},
};

const struct tk_schema tk_schema_task_map = {"task_map", "a task of the export and what it was",
                                             task_map, TK_TASK_MAP_COUNT};

static void put_text(struct tk_batch *batch, size_t column, tk_str text)
{
    if (text.n > 0)
        tk_batch_set_text(batch, column, text);
}

static void put_known(struct tk_batch *batch, size_t column, int64_t value)
{
    if (value >= 0)
        tk_batch_set_i64(batch, column, value);
}

static void put_task(struct tk_out *out, const struct tk_export *export, const struct tk_task *task)
{
    const struct tk_node *node = &export->workload->nodes[task->node];
    struct tk_batch *batch = tk_out_begin(out);
    tk_batch_set_i64(batch, TK_TASK_MAP_ID, task->id);
    put_text(batch, TK_TASK_MAP_RUN_ID, export->workload->folders[node->folder].run_id);
    put_text(batch, TK_TASK_MAP_NODE, node->node);
    put_text(batch, TK_TASK_MAP_HOST, tk_str_from(export->node_names[task->node]));
    put_known(batch, TK_TASK_MAP_PID, task->pid);
    put_known(batch, TK_TASK_MAP_START_TICKS, task->start_ticks);
    put_text(batch, TK_TASK_MAP_TRACE_ID, task->trace);
    put_text(batch, TK_TASK_MAP_SPAN_ID, task->span);
    put_text(batch, TK_TASK_MAP_NAME, task->name);
    tk_batch_set_i64(batch, TK_TASK_MAP_TS_ENQUEUE, task->enqueue_ms);
    tk_batch_set_i64(batch, TK_TASK_MAP_TS_START, task->start_ms);
    tk_batch_set_i64(batch, TK_TASK_MAP_TS_END, task->end_ms);
}

int tk_export_write_map(struct tk_export *export, struct tk_err *err)
{
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    int rc = tk_out_open(&out, export->dirfd, TK_TASK_MAP_FILE, &tk_schema_task_map, err);
    for (uint32_t i = 0; rc == 0 && i < export->workload->task_count; i++) {
        const struct tk_task *task = &export->workload->tasks[export->order[i]];
        if (task->id != 0)
            put_task(&out, export, task);
    }
    return rc < 0 ? rc : tk_out_close(&out, err);
}

/* Manifest ----------------------------------------------------------------------------------- */

/* Of a file that was given, its name: null = none. */
static void put_path(struct tk_buf *out, const char *key, const char *path)
{
    tk_json_put_key(out, key);
    if (!path) {
        tk_buf_lit(out, "null");
        return;
    }
    tk_json_put_str(out, tk_str_base_name(tk_str_from(path)));
}

static void open(struct tk_buf *out, const char *key, char bracket)
{
    tk_json_put_key(out, key);
    tk_buf_putc(out, bracket);
}

static void put_parameters(struct tk_buf *out, const struct tk_export *export)
{
    static const char *const modes[] = {"auto", "split", "service", "request", "node"};
    static const char *const units[] = {"max", "base", "measured"};
    static const char *const compats[] = {"off", "gen1", "gen2"};
    static const char *const ids[] = {"sequential", "pid", "auto"};
    static const char *const methods[] = {"request, else p95", "p95", "max", "request", "gen1"};
    const struct tk_opendc_options *options = export->options;
    open(out, "parameters", '{');
    tk_json_put_member_str(out, "profile", tk_str_from(tk_opendc_profiles[options->profile]));
    tk_json_put_member_str(out, "compat", tk_str_from(compats[options->compat]));
    tk_json_put_member_bool(out, "exact", options->exact_compat);
    tk_json_put_member_str(out, "service_mode", tk_str_from(modes[export->workload->mode]));
    tk_json_put_member_str(out, "task_id_mode", tk_str_from(ids[options->ids]));
    tk_json_put_member_str(out, "cpu_count_method", tk_str_from(methods[options->count_method]));
    tk_json_put_member_str(out, "cpu_unit", tk_str_from(units[options->workload.cpu_unit]));
    tk_json_put_member_f64(out, "reference_mhz", options->workload.reference_mhz);
    tk_json_put_member_f64(out, "smt_factor", options->workload.smt_factor);
    tk_json_put_member_f64(out, "idle_floor_mhz", options->floor_mhz);
    tk_json_put_member_f64(out, "epsilon_cores", TK_EPSILON);
    tk_json_put_member_f64(out, "scale_cpu", options->scale_cpu);
    tk_json_put_member_f64(out, "scale_duration", options->scale_duration);
    tk_json_put_member_i64(out, "startup_overhead_ms", options->startup_ms);
    tk_json_put_member_i64(out, "shift_ms", options->shift_ms);
    tk_json_put_member_f64(out, "mem_headroom", options->headroom);
    tk_json_put_member_f64(out, "core_speed_factor", options->core_speed);
    tk_json_put_member_f64(out, "allocation_ratio", options->cpu_ratio);
    tk_json_put_member_i64(out, "top", options->top);
    tk_json_put_member_bool(out, "no_estimate", options->no_estimate);
    tk_json_put_member_bool(out, "anonymise", options->anonymise);
    put_path(out, "carbon", options->environment[TK_ENVIRONMENT_CARBON]);
    put_path(out, "failures", options->environment[TK_ENVIRONMENT_FAILURES]);
    tk_json_put_member_str(out, "compression",
                           tk_str_from(tk_parquet_codec_name((int32_t)options->codec)));
    tk_buf_putc(out, '}');
}

static void put_calibration(struct tk_buf *out, const struct tk_opendc_options *options)
{
    if (!options->calibration)
        return;
    open(out, "calibration", '{');
    if (options->calibration_json.n > 0) {
        tk_buf_put(out, options->calibration_json);
    } else {
        tk_calibration_put(out, options->calibration);
    }
    tk_buf_putc(out, '}');
}

static void put_counts(struct tk_buf *out, const struct tk_export *export)
{
    const struct tk_opendc_report *report = &export->report;
    const struct tk_workload_counts *counts = &export->workload->counts;
    open(out, "counts", '{');
    tk_json_put_member_i64(out, "tasks", report->tasks);
    tk_json_put_member_i64(out, "fragments", report->fragments);
    tk_json_put_member_i64(out, "invocations", counts->invocations);
    tk_json_put_member_i64(out, "invocations_without_times", counts->no_times);
    tk_json_put_member_i64(out, "invocations_of_negative_duration", counts->negative);
    tk_json_put_member_i64(out, "invocations_told_twice", counts->duplicates);
    tk_json_put_member_i64(out, "invocations_enqueued_after_start", counts->late_enqueue);
    tk_json_put_member_i64(out, "processes", counts->processes);
    tk_json_put_member_i64(out, "samples", counts->samples);
    tk_json_put_member_i64(out, "samples_out_of_order", counts->backward);
    tk_json_put_member_i64(out, "rows_of_unknown_node", counts->unknown_node);
    tk_json_put_member_i64(out, "bad_rows", counts->bad_rows);
    tk_json_put_member_i64(out, "edges", counts->edges);
    tk_json_put_member_i64(out, "submissions_moved_to_parent", counts->moved);
    tk_json_put_member_i64(out, "tasks_left_out_without_samples", report->dropped);
    tk_buf_putc(out, '}');
    open(out, "estimates", '{');
    tk_json_put_member_i64(out, "tasks_at_half_a_core", report->estimated);
    tk_json_put_member_i64(out, "tasks_with_even_course", report->even);
    tk_json_put_member_i64(out, "tasks_with_assumed_memory", report->mem_estimated);
    tk_buf_putc(out, '}');
}

static void put_sums(struct tk_buf *out, const struct tk_export *export)
{
    const struct tk_fragment_sums *sums = &export->report.sums;
    open(out, "sums", '{');
    tk_json_put_member_i64(out, "cpu_ns", export->report.cpu_ns);
    tk_json_put_member_i64(out, "unattributed_cpu_ns", export->workload->counts.unattributed_ns);
    tk_json_put_member_i64(out, "clamped_fragments", sums->clamped);
    tk_json_put_member_i64(out, "clamped_cpu_ns", sums->clamped_ns);
    tk_json_put_member_i64(out, "joined_fragments", sums->joined);
    tk_json_put_member_i64(out, "split_fragments", sums->split);
    tk_json_put_member_i64(out, "floored_fragments", sums->floored);
    tk_json_put_member_f64(out, "floor_mhz_ms", sums->floor_mhz_ms);
    tk_json_put_member_i64(out, "nudged_fragments", sums->nudged);
    tk_json_put_member_f64(out, "nudge_mhz_ms", sums->nudge_mhz_ms);
    tk_buf_putc(out, '}');
}

static void put_nodes(struct tk_buf *out, const struct tk_export *export)
{
    open(out, "nodes", '[');
    for (uint32_t i = 0; i < export->workload->node_count; i++) {
        const struct tk_node *node = &export->workload->nodes[i];
        tk_json_put_comma(out);
        tk_buf_putc(out, '{');
        tk_json_put_member_str(out, "name", tk_str_from(export->node_names[i]));
        tk_json_put_member_i64(out, "cores", node->cores);
        tk_json_put_member_f64(out, "mhz", node->mhz);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

/* A table that has no file of its own is in the recording. */
static const char *file_of(const struct tk_workload *workload, const struct tk_input *input,
                           char name[256])
{
    const struct tk_folder *folder = &workload->folders[input->folder];
    (void)snprintf(name, 256, "%.*s", TK_STR_ARG(input->name));
    return faccessat(folder->dirfd, name, F_OK, 0) == 0 ? name : TK_RECORDING_FILE;
}

static int put_input(struct tk_buf *out, const struct tk_export *export,
                     const struct tk_input *input, struct tk_err *err)
{
    const struct tk_workload *workload = export->workload;
    char name[256];
    char hex[TK_DIGEST_MAX];
    uint64_t bytes;
    const char *file = file_of(workload, input, name);
    const struct tk_folder *folder = &workload->folders[input->folder];
    int rc = input->digest ? tk_file_digest_read(input->digest, hex, &bytes, err)
                           : tk_digest_file(folder->dirfd, file, hex, &bytes, err);
    if (rc < 0)
        return rc;
    tk_json_put_comma(out);
    tk_buf_putc(out, '{');
    tk_json_put_member_str(out, "folder", folder->path);
    /* Files of events are named after programs. */
    bool is_named =
        export->options->anonymise && tk_str_starts_with(input->name, TK_STR("events."));
    tk_json_put_member_str(out, "table", is_named ? TK_STR("events") : input->name);
    tk_json_put_member_str(out, "file", is_named ? TK_STR("events") : tk_str_from(file));
    tk_json_put_member_str(out, "sha256", tk_str_from(hex));
    tk_json_put_member_i64(out, "bytes", (int64_t)bytes);
    tk_json_put_member_i64(out, "rows", (int64_t)input->rows);
    tk_json_put_member_i64(out, "bad_rows", (int64_t)input->bad_rows);
    if (input->first_bad.n > 0)
        tk_json_put_member_str(out, "first_bad", input->first_bad);
    tk_buf_putc(out, '}');
    return 0;
}

static int put_inputs(struct tk_buf *out, const struct tk_export *export, struct tk_err *err)
{
    const struct tk_workload *workload = export->workload;
    int rc = 0;
    open(out, "inputs", '[');
    for (uint32_t i = 0; rc == 0 && i < workload->input_count; i++)
        rc = put_input(out, export, &workload->inputs[i], err);
    tk_buf_putc(out, ']');
    return rc;
}

int tk_export_write_manifest(struct tk_export *export, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, MANIFEST_MAX);
    tk_buf_putc(&out, '{');
    tk_json_put_member_str(&out, "format", TK_STR("opendc"));
    tk_json_put_member_str(&out, "tool_version", TK_STR(TK_VERSION));
    put_parameters(&out, export);
    put_calibration(&out, export->options);
    put_counts(&out, export);
    put_sums(&out, export);
    put_nodes(&out, export);
    open(&out, "warnings", '[');
    for (size_t i = 0; i < export->warning_count; i++) {
        tk_json_put_comma(&out);
        tk_json_put_str(&out, tk_str_from(export->warnings[i]));
    }
    tk_buf_putc(&out, ']');
    int rc = put_inputs(&out, export, err);
    tk_buf_lit(&out, "}\n");
    rc = rc < 0 ? rc : tk_buf_check(&out, "manifest.json", err);
    return rc < 0 ? rc : tk_file_write(export->dirfd, "manifest.json", tk_buf_str(&out), 0644, err);
}
