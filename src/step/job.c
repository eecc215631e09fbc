/* SPDX-License-Identifier: Apache-2.0 */
#include "step/job.h"

#include <string.h>

#include "base/checked.h"

/* One field a line: its name in the file is the name of the member. */
#define FIELD(type, member, kind, unit)                                                            \
    {                                                                                              \
#member, kind, offsetof(struct type, member), unit, NULL                                   \
    }
#define TEXT(type, member)      FIELD(type, member, TK_JOB_TEXT, NULL)
#define F64(type, member, unit) FIELD(type, member, TK_JOB_F64, unit)
#define INT(type, member)       FIELD(type, member, TK_JOB_INT, NULL)
#define TRUTH(type, member)     FIELD(type, member, TK_JOB_TRUTH, NULL)
#define OBJECT(type, member, shape)                                                                \
    {                                                                                              \
#member, TK_JOB_OBJECT, offsetof(struct type, member), NULL, &(shape)                      \
    }
#define OBJECTS(type, member, shape)                                                               \
    {                                                                                              \
#member, TK_JOB_OBJECTS, offsetof(struct type, member), NULL, &(shape)                     \
    }
#define SHAPE(name, type, fields)                                                                  \
    {                                                                                              \
        name, sizeof(struct type), fields, TK_COUNTOF(fields)                                      \
    }

/* clang-format off */
static const struct tk_job_field cpu_fields[] = {
    F64(tk_job_cpu, user_s, "s"),
    F64(tk_job_cpu, system_s, "s"),
    F64(tk_job_cpu, total_s, "s"),
    F64(tk_job_cpu, cores_avg, "cores"),
    F64(tk_job_cpu, cores_peak, "cores"),
    F64(tk_job_cpu, machine_percent, "%"),
    F64(tk_job_cpu, throttled_s, "s"),
    INT(tk_job_cpu, ctx_voluntary),
    INT(tk_job_cpu, ctx_involuntary),
    INT(tk_job_cpu, processes),
    INT(tk_job_cpu, pids_peak),
};
static const struct tk_job_shape cpu_shape = SHAPE("cpu", tk_job_cpu, cpu_fields);

static const struct tk_job_field memory_fields[] = {
    F64(tk_job_memory, peak_mb, "MB"),
    TEXT(tk_job_memory, peak_source),
    F64(tk_job_memory, anon_peak_mb, "MB"),
    F64(tk_job_memory, file_peak_mb, "MB"),
    F64(tk_job_memory, shmem_peak_mb, "MB"),
    F64(tk_job_memory, largest_process_mb, "MB"),
    F64(tk_job_memory, limit_mb, "MB"),
    F64(tk_job_memory, swap_peak_mb, "MB"),
    F64(tk_job_memory, swap_out_mb, "MB"),
    INT(tk_job_memory, major_faults),
    F64(tk_job_memory, refault_mb, "MB"),
    INT(tk_job_memory, oom_kills),
};
static const struct tk_job_shape memory_shape = SHAPE("memory", tk_job_memory, memory_fields);

static const struct tk_job_field device_fields[] = {
    TEXT(tk_job_device, dev),
    TRUTH(tk_job_device, rotational),
    F64(tk_job_device, read_mb, "MB"),
    F64(tk_job_device, write_mb, "MB"),
    F64(tk_job_device, discard_mb, "MB"),
    INT(tk_job_device, read_ops),
    INT(tk_job_device, write_ops),
    INT(tk_job_device, flushes),
    F64(tk_job_device, util_percent, "%"),
    F64(tk_job_device, read_await_ms, "ms"),
    F64(tk_job_device, write_await_ms, "ms"),
    F64(tk_job_device, flush_ms, "ms"),
    F64(tk_job_device, queue, "requests"),
};
const struct tk_job_shape tk_job_device_shape = SHAPE("device", tk_job_device, device_fields);

static const struct tk_job_field filesystem_fields[] = {
    TEXT(tk_job_filesystem, path),
    F64(tk_job_filesystem, total_mb, "MB"),
    F64(tk_job_filesystem, free_start_mb, "MB"),
    F64(tk_job_filesystem, free_min_mb, "MB"),
    F64(tk_job_filesystem, free_end_mb, "MB"),
};
const struct tk_job_shape tk_job_filesystem_shape =
    SHAPE("filesystem", tk_job_filesystem, filesystem_fields);

static const struct tk_job_field io_fields[] = {
    F64(tk_job_io, read_mb, "MB"),
    F64(tk_job_io, write_mb, "MB"),
    F64(tk_job_io, cancelled_mb, "MB"),
    F64(tk_job_io, read_chars_mb, "MB"),
    F64(tk_job_io, write_chars_mb, "MB"),
    TEXT(tk_job_io, source),
    OBJECTS(tk_job_io, devices, tk_job_device_shape),
    OBJECTS(tk_job_io, filesystems, tk_job_filesystem_shape),
};
static const struct tk_job_shape io_shape = SHAPE("io", tk_job_io, io_fields);

static const struct tk_job_field net_fields[] = {
    F64(tk_job_net, rx_mb, "MB"),
    F64(tk_job_net, tx_mb, "MB"),
    TEXT(tk_job_net, source),
    F64(tk_job_net, peak_rx_mbs, "MB/s"),
    INT(tk_job_net, tcp_retrans),
    INT(tk_job_net, tcp_segments),
    F64(tk_job_net, link_mbps, "Mbit/s"),
};
static const struct tk_job_shape net_shape = SHAPE("net", tk_job_net, net_fields);

static const struct tk_job_field pressure_fields[] = {
    TEXT(tk_job_pressure, source),
    F64(tk_job_pressure, cpu_some_s, "s"),
    F64(tk_job_pressure, io_some_s, "s"),
    F64(tk_job_pressure, io_full_s, "s"),
    F64(tk_job_pressure, memory_some_s, "s"),
    F64(tk_job_pressure, memory_full_s, "s"),
};
static const struct tk_job_shape pressure_shape =
    SHAPE("pressure", tk_job_pressure, pressure_fields);

static const struct tk_job_field host_fields[] = {
    F64(tk_job_host, cpu_busy_percent, "%"),
    F64(tk_job_host, iowait_percent, "%"),
    F64(tk_job_host, steal_percent, "%"),
    F64(tk_job_host, other_cpu_percent, "%"),
    F64(tk_job_host, memory_available_min_mb, "MB"),
    F64(tk_job_host, load1_max, NULL),
};
static const struct tk_job_shape host_shape = SHAPE("host", tk_job_host, host_fields);

static const struct tk_job_field wall_fields[] = {
    F64(tk_job_wall, active_s, "s"),
    F64(tk_job_wall, io_stall_s, "s"),
    F64(tk_job_wall, memory_stall_s, "s"),
    F64(tk_job_wall, cpu_wait_s, "s"),
    F64(tk_job_wall, idle_s, "s"),
};
static const struct tk_job_shape wall_shape = SHAPE("wall", tk_job_wall, wall_fields);

static const struct tk_job_field process_fields[] = {
    TEXT(tk_job_process, comm),
    INT(tk_job_process, count),
    F64(tk_job_process, cpu_s, "s"),
    F64(tk_job_process, rss_peak_mb, "MB"),
    F64(tk_job_process, read_mb, "MB"),
    F64(tk_job_process, write_mb, "MB"),
};
const struct tk_job_shape tk_job_process_shape = SHAPE("process", tk_job_process, process_fields);

static const struct tk_job_field via_fields[] = {
    TEXT(tk_job_via, unit),
    F64(tk_job_via, cpu_s, "s"),
    F64(tk_job_via, read_mb, "MB"),
    F64(tk_job_via, write_mb, "MB"),
    F64(tk_job_via, memory_peak_mb, "MB"),
};
const struct tk_job_shape tk_job_via_shape = SHAPE("via", tk_job_via, via_fields);

static const struct tk_job_field trace_fields[] = {
    TEXT(tk_job_trace, trace_id),
    TEXT(tk_job_trace, span_id),
    TEXT(tk_job_trace, parent_span_id),
};
static const struct tk_job_shape trace_shape = SHAPE("trace", tk_job_trace, trace_fields);

static const struct tk_job_field samples_fields[] = {
    F64(tk_job_samples, t0, "s"),
    F64(tk_job_samples, dt_s, "s"),
    FIELD(tk_job_samples, cols, TK_JOB_TEXTS, NULL),
    FIELD(tk_job_samples, rows, TK_JOB_ROWS, NULL),
};
static const struct tk_job_shape samples_shape = SHAPE("samples", tk_job_samples, samples_fields);

static const struct tk_job_field mark_fields[] = {
    F64(tk_job_mark, time, "s"),
    TEXT(tk_job_mark, text),
};
const struct tk_job_shape tk_job_mark_shape = SHAPE("mark", tk_job_mark, mark_fields);

static const struct tk_job_field finding_fields[] = {
    TEXT(tk_job_finding, rule),
    TEXT(tk_job_finding, level),
    FIELD(tk_job_finding, evidence, TK_JOB_MEASURES, NULL),
    F64(tk_job_finding, saves_s, "s"),
    TEXT(tk_job_finding, text),
    TEXT(tk_job_finding, advice),
};
const struct tk_job_shape tk_job_finding_shape = SHAPE("finding", tk_job_finding, finding_fields);

static const struct tk_job_field step_fields[] = {
    TEXT(tk_job_step, name),
    F64(tk_job_step, start_time, "s"),
    F64(tk_job_step, end_time, "s"),
    F64(tk_job_step, duration_s, "s"),
    F64(tk_job_step, cpu_percent, "%"),
    F64(tk_job_step, memory_used_mb, "MB"),
    F64(tk_job_step, memory_delta_mb, "MB"),
    F64(tk_job_step, disk_read_mb, "MB"),
    F64(tk_job_step, disk_write_mb, "MB"),
    F64(tk_job_step, disk_read_ops, "ops"),
    F64(tk_job_step, disk_write_ops, "ops"),
    F64(tk_job_step, disk_read_rate_mbs, "MB/s"),
    F64(tk_job_step, disk_write_rate_mbs, "MB/s"),
    F64(tk_job_step, disk_util_percent, "%"),
    F64(tk_job_step, await_ms, "ms"),
    F64(tk_job_step, queue_depth, "requests"),
    F64(tk_job_step, net_rx_mb, "MB"),
    F64(tk_job_step, net_tx_mb, "MB"),
    F64(tk_job_step, net_rx_rate_mbs, "MB/s"),
    F64(tk_job_step, net_tx_rate_mbs, "MB/s"),
    TEXT(tk_job_step, id),
    TEXT(tk_job_step, parent),
    TEXT(tk_job_step, kind),
    INT(tk_job_step, attempt),
    TEXT(tk_job_step, status),
    INT(tk_job_step, exit_code),
    INT(tk_job_step, signal),
    TRUTH(tk_job_step, timed_out),
    TEXT(tk_job_step, scope),
    INT(tk_job_step, left_running),
    FIELD(tk_job_step, quality, TK_JOB_TEXTS, NULL),
    FIELD(tk_job_step, argv, TK_JOB_TEXTS, NULL),
    OBJECT(tk_job_step, trace, trace_shape),
    OBJECT(tk_job_step, cpu, cpu_shape),
    OBJECT(tk_job_step, memory, memory_shape),
    OBJECT(tk_job_step, io, io_shape),
    OBJECT(tk_job_step, net, net_shape),
    OBJECT(tk_job_step, pressure, pressure_shape),
    OBJECT(tk_job_step, host, host_shape),
    OBJECT(tk_job_step, wall, wall_shape),
    OBJECTS(tk_job_step, top, tk_job_process_shape),
    OBJECTS(tk_job_step, via, tk_job_via_shape),
    OBJECT(tk_job_step, samples, samples_shape),
    OBJECTS(tk_job_step, marks, tk_job_mark_shape),
    FIELD(tk_job_step, measures, TK_JOB_MEASURES, NULL),
    FIELD(tk_job_step, attrs, TK_JOB_ATTRS, NULL),
    OBJECTS(tk_job_step, diagnosis, tk_job_finding_shape),
};
const struct tk_job_shape tk_job_step_shape = SHAPE("step", tk_job_step, step_fields);

static const struct tk_job_field artifact_fields[] = {
    TEXT(tk_job_artifact, path),
    TEXT(tk_job_artifact, step),
    F64(tk_job_artifact, mb, "MB"),
};
const struct tk_job_shape tk_job_artifact_shape =
    SHAPE("artifact", tk_job_artifact, artifact_fields);

static const struct tk_job_field tool_fields[] = {
    TEXT(tk_job_tool, name),
    TEXT(tk_job_tool, version),
    TEXT(tk_job_tool, level),
};
static const struct tk_job_shape tool_shape = SHAPE("tool", tk_job_tool, tool_fields);

static const struct tk_job_field ci_fields[] = {
    TEXT(tk_job_ci, provider),
    TEXT(tk_job_ci, workflow),
    TEXT(tk_job_ci, job),
    TEXT(tk_job_ci, event),
    TEXT(tk_job_ci, url),
    TEXT(tk_job_ci, branch),
    TEXT(tk_job_ci, pr),
};
static const struct tk_job_shape ci_shape = SHAPE("ci", tk_job_ci, ci_fields);

static const struct tk_job_field clock_fields[] = {
    TEXT(tk_job_clock, boot_id),
    FIELD(tk_job_clock, start_boottime_ns, TK_JOB_INT, "ns"),
    F64(tk_job_clock, wall_drift_s, "s"),
};
static const struct tk_job_shape clock_shape = SHAPE("clock", tk_job_clock, clock_fields);

static const struct tk_job_field totals_fields[] = {
    F64(tk_job_totals, cpu_s, "s"),
    F64(tk_job_totals, cores_avg, "cores"),
    F64(tk_job_totals, memory_peak_mb, "MB"),
    F64(tk_job_totals, disk_read_mb, "MB"),
    F64(tk_job_totals, disk_write_mb, "MB"),
    F64(tk_job_totals, net_rx_mb, "MB"),
    F64(tk_job_totals, net_tx_mb, "MB"),
    F64(tk_job_totals, disk_free_min_mb, "MB"),
    INT(tk_job_totals, oom_kills),
    F64(tk_job_totals, untracked_s, "s"),
    INT(tk_job_totals, steps),
    INT(tk_job_totals, failed_steps),
};
static const struct tk_job_shape totals_shape = SHAPE("totals", tk_job_totals, totals_fields);

static const struct tk_job_field system_fields[] = {
    F64(tk_job_system, cpus, "cores"),
    F64(tk_job_system, memory_total_mb, "MB"),
    F64(tk_job_system, disk_total_gb, "GB"),
    F64(tk_job_system, cpus_effective, "cores"),
    TEXT(tk_job_system, cpu_model),
    TEXT(tk_job_system, kernel),
    TEXT(tk_job_system, arch),
    TEXT(tk_job_system, virt),
    TEXT(tk_job_system, cgroup),
    TRUTH(tk_job_system, psi),
    F64(tk_job_system, memory_limit_mb, "MB"),
    F64(tk_job_system, load1_start, NULL),
    TEXT(tk_job_system, fingerprint),
};
static const struct tk_job_shape system_shape = SHAPE("system", tk_job_system, system_fields);

static const struct tk_job_field baseline_fields[] = {
    TEXT(tk_job_baseline, key),
    INT(tk_job_baseline, n),
    F64(tk_job_baseline, median_s, "s"),
    F64(tk_job_baseline, mad_s, "s"),
    F64(tk_job_baseline, delta_percent, "%"),
    TEXT(tk_job_baseline, verdict),
};
static const struct tk_job_shape baseline_shape =
    SHAPE("baseline", tk_job_baseline, baseline_fields);

static const struct tk_job_field overhead_fields[] = {
    F64(tk_job_overhead, sampler_cpu_ms, "ms"),
    INT(tk_job_overhead, samples),
    INT(tk_job_overhead, dropped),
};
static const struct tk_job_shape overhead_shape =
    SHAPE("overhead", tk_job_overhead, overhead_fields);

static const struct tk_job_field job_fields[] = {
    TEXT(tk_job, schema),
    TEXT(tk_job, job),
    TEXT(tk_job, version),
    TEXT(tk_job, timestamp),
    TEXT(tk_job, runner),
    TEXT(tk_job, git_sha),
    TEXT(tk_job, git_ref),
    TEXT(tk_job, run_id),
    TEXT(tk_job, run_number),
    F64(tk_job, job_start, "s"),
    F64(tk_job, job_end, "s"),
    F64(tk_job, job_duration_s, "s"),
    TEXT(tk_job, id),
    INT(tk_job, attempt),
    TEXT(tk_job, status),
    INT(tk_job, exit_code),
    OBJECT(tk_job, tool, tool_shape),
    FIELD(tk_job, critical_path, TK_JOB_TEXTS, NULL),
    OBJECT(tk_job, ci, ci_shape),
    OBJECT(tk_job, trace, trace_shape),
    OBJECT(tk_job, clock, clock_shape),
    OBJECT(tk_job, totals, totals_shape),
    OBJECTS(tk_job, steps, tk_job_step_shape),
    OBJECTS(tk_job, artifacts, tk_job_artifact_shape),
    OBJECTS(tk_job, diagnosis, tk_job_finding_shape),
    OBJECT(tk_job, system, system_shape),
    OBJECT(tk_job, baseline, baseline_shape),
    OBJECT(tk_job, overhead, overhead_shape),
    TEXT(tk_job, key),
};
const struct tk_job_shape tk_job_shape = SHAPE("job", tk_job, job_fields);
/* clang-format on */

static void field_init(const struct tk_job_field *field, void *at)
{
    switch (field->type) {
    case TK_JOB_F64:
        *(double *)at = (double)NAN;
        break;
    case TK_JOB_INT:
    case TK_JOB_TRUTH:
        *(int64_t *)at = TK_JOB_NONE;
        break;
    case TK_JOB_OBJECT:
        tk_job_shape_init(field->of, at);
        break;
    case TK_JOB_TEXT:
    case TK_JOB_TEXTS:
    case TK_JOB_MEASURES:
    case TK_JOB_ATTRS:
    case TK_JOB_ROWS:
    case TK_JOB_OBJECTS:
        break; /* zero is empty */
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tables */
void tk_job_shape_init(const struct tk_job_shape *shape, void *object)
{
    memset(object, 0, shape->size);
    for (size_t i = 0; i < shape->count; i++)
        field_init(&shape->fields[i], (char *)object + shape->fields[i].offset);
}

void tk_job_init(struct tk_job *job)
{
    tk_job_shape_init(&tk_job_shape, job);
}

/* Lists -------------------------------------------------------------------------- */

/* Room for one more value of `size` bytes at the end of a list, whose memory doubles whenever its
 * count is a power of two; NULL when full. The value counts already. */
static void *list_extend(void *list, size_t size, struct tk_arena *arena)
{
    struct tk_job_list now;
    memcpy(&now, list, sizeof(now));
    if (now.count >= TK_JOB_ITEMS_MAX)
        return NULL;
    if ((now.count & (now.count - 1)) == 0) {
        size_t bytes;
        void *more = tk_mul_size(now.count ? 2 * now.count : 1, size, &bytes)
                         ? tk_arena_alloc(arena, bytes)
                         : NULL;
        if (!more)
            return NULL;
        if (now.count)
            memcpy(more, now.items, now.count * size);
        now.items = more;
    }
    void *item = (char *)now.items + now.count * size;
    now.count++;
    memcpy(list, &now, sizeof(now));
    return item;
}

void *tk_job_add(const struct tk_job_shape *shape, void *list, struct tk_arena *arena)
{
    void *item = list_extend(list, shape->size, arena);
    if (item)
        tk_job_shape_init(shape, item);
    return item;
}

bool tk_job_add_text(struct tk_job_texts *texts, tk_str text, struct tk_arena *arena)
{
    tk_str *item = list_extend(texts, sizeof(*item), arena);
    if (item)
        *item = text;
    return item;
}

bool tk_job_add_measure(struct tk_job_measures *measures, tk_str name, double value,
                        struct tk_arena *arena)
{
    struct tk_job_measure *item = list_extend(measures, sizeof(*item), arena);
    if (item)
        *item = (struct tk_job_measure){name, value};
    return item;
}

bool tk_job_add_attr(struct tk_job_attrs *attrs, tk_str name, tk_str value, struct tk_arena *arena)
{
    struct tk_job_attr *item = list_extend(attrs, sizeof(*item), arena);
    if (item)
        *item = (struct tk_job_attr){name, value};
    return item;
}

bool tk_job_add_row(struct tk_job_rows *rows, const double *values, size_t count,
                    struct tk_arena *arena)
{
    size_t bytes;
    double *copy = tk_mul_size(count, sizeof(*copy), &bytes) ? tk_arena_alloc(arena, bytes) : NULL;
    struct tk_job_row *item = copy ? list_extend(rows, sizeof(*item), arena) : NULL;
    if (!item)
        return false;
    if (count)
        memcpy(copy, values, bytes);
    *item = (struct tk_job_row){copy, count};
    return true;
}

bool tk_job_has_text(const struct tk_job_texts *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++) {
        if (tk_str_eq(texts->items[i], tk_str_from(text)))
            return true;
    }
    return false;
}

/* Paths -------------------------------------------------------------------------- */

const struct tk_job_field *tk_job_member_find(const struct tk_job_shape *shape, tk_str name)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (tk_str_eq(tk_str_from(shape->fields[i].name), name))
            return &shape->fields[i];
    }
    return NULL;
}

/* The field of the path and where it begins in the outermost struct; the part of the path behind
 * it stays in *path: the name of a measure. */
static const struct tk_job_field *path_take(const struct tk_job_shape *shape, tk_str *path,
                                            size_t *ret_offset)
{
    size_t offset = 0;
    tk_str name;
    while (shape && tk_str_take_until(path, '.', &name)) {
        const struct tk_job_field *field = tk_job_member_find(shape, name);
        if (!field)
            return NULL;
        offset += field->offset;
        if (field->type != TK_JOB_OBJECT) {
            *ret_offset = offset;
            return field;
        }
        shape = field->of;
    }
    return NULL;
}

const struct tk_job_field *tk_job_field_find(const struct tk_job_shape *shape, tk_str path)
{
    size_t offset;
    const struct tk_job_field *field = path_take(shape, &path, &offset);
    return field && path.n == 0 ? field : NULL;
}

static double measure_of(const struct tk_job_measures *measures, tk_str name)
{
    for (size_t i = 0; i < measures->count; i++) {
        if (tk_str_eq(measures->items[i].name, name))
            return measures->items[i].value;
    }
    return (double)NAN;
}

double tk_job_number(const struct tk_job_shape *shape, const void *object, tk_str path)
{
    size_t offset = 0;
    const struct tk_job_field *field = path_take(shape, &path, &offset);
    if (!field)
        return (double)NAN;
    const void *at = (const char *)object + offset;
    if (field->type == TK_JOB_MEASURES)
        return measure_of(at, path);
    if (path.n > 0)
        return (double)NAN;
    if (field->type == TK_JOB_F64)
        return *(const double *)at;
    bool whole = field->type == TK_JOB_INT || field->type == TK_JOB_TRUTH;
    if (!whole || *(const int64_t *)at == TK_JOB_NONE)
        return (double)NAN;
    return (double)*(const int64_t *)at;
}
