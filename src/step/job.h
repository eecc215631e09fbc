/* SPDX-License-Identifier: Apache-2.0 */
/* The job document of build telemetry, `build-telemetry/2` (build-telemetry.md section 8): one job,
 * its steps and what was measured of them. It is a superset of the file that the original scripts
 * wrote, so whoever read those reads these; tk_job_parse() reads both.
 *
 *     struct tk_job job;
 *     tk_job_init(&job);
 *     job.job = TK_STR("build");
 *     struct tk_job_step *step = tk_job_add(&tk_job_step_shape, &job.steps, &arena);
 *     step->name = TK_STR("compile");
 *     step->duration_s = 12.5;
 *     tk_job_format(&job, &out);
 *
 * What was not measured is absent, never 0: a number is NaN then, an integer or a truth
 * TK_JOB_NONE, a text has p == NULL, a list no items. The init functions set all of that. An object
 * without any member is not written. A field's name, place, type and unit stand in one table
 * (job.c) that drives reader, writer, rules and exports; to add one, add the member here under the
 * name that it has in the file, and its line there.
 *
 * Texts and items are borrowed: from the arena and, after tk_job_parse(), from the text. One thread
 * at a time.
 */
#ifndef TK_STEP_JOB_H
#define TK_STEP_JOB_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TK_JOB_SCHEMA "build-telemetry/2"

/* An integer or truth that was not measured. */
#define TK_JOB_NONE INT64_MIN

/* Largest document, most items of one list, most memory that a parsed one takes. */
#define TK_JOB_TEXT_MAX  ((size_t)8 * 1024 * 1024)
#define TK_JOB_ITEMS_MAX 65536
#define TK_JOB_ARENA_MAX ((size_t)64 * 1024 * 1024)

/* Values of `status` (job and step) and of `scope` (step). */
#define TK_JOB_SUCCESS      "success"
#define TK_JOB_FAILED       "failed"     /* the exit code is not 0 */
#define TK_JOB_INCOMPLETE   "incomplete" /* it never said that it ended */
#define TK_JOB_SCOPE_CGROUP "cgroup"
#define TK_JOB_SCOPE_TREE   "tree" /* the process and its descendants */
#define TK_JOB_SCOPE_HOST   "host"

/* Flags of `quality`: why figures of a step are worth less than others. */
#define TK_JOB_QUALITY_V1         "v1"         /* measured by the original's scripts */
#define TK_JOB_QUALITY_SHORT      "short"      /* below 100 ms */
#define TK_JOB_QUALITY_CLOCK      "clock_step" /* the wall clock was set meanwhile */
#define TK_JOB_QUALITY_NEIGHBOURS "neighbours" /* others used the machine */

/* A list: `items` points to `count` values. All lists below have this layout. */
struct tk_job_list {
    void *items;
    size_t count;
};

struct tk_job_texts {
    tk_str *items;
    size_t count;
};

struct tk_job_measure {
    tk_str name;
    double value;
};

struct tk_job_measures {
    struct tk_job_measure *items;
    size_t count;
};

struct tk_job_attr {
    tk_str name;
    tk_str value;
};

struct tk_job_attrs {
    struct tk_job_attr *items;
    size_t count;
};

struct tk_job_row {
    double *items; /* one value a column; NaN = null */
    size_t count;
};

struct tk_job_rows {
    struct tk_job_row *items;
    size_t count;
};

/* Of a step: attributed to its control group or tree of processes, unless `scope` is host. */
struct tk_job_cpu {
    double user_s, system_s, total_s;
    double cores_avg, cores_peak;
    double machine_percent; /* of all effective cores */
    double throttled_s;
    int64_t ctx_voluntary, ctx_involuntary, processes, pids_peak;
};

struct tk_job_memory {
    double peak_mb;
    tk_str peak_source; /* "memory.peak" */
    double anon_peak_mb, file_peak_mb, largest_process_mb, limit_mb, swap_peak_mb;
    double shmem_peak_mb; /* of the file pages: tmpfs and shared memory */
    double swap_out_mb;   /* written to swap while it ran */
    int64_t major_faults;
    double refault_mb;
    int64_t oom_kills;
};

struct tk_job_device {
    tk_str dev;
    int64_t rotational; /* truth */
    double read_mb, write_mb, discard_mb;
    int64_t read_ops, write_ops, flushes;
    double util_percent, read_await_ms, write_await_ms, flush_ms, queue;
};

struct tk_job_devices {
    struct tk_job_device *items;
    size_t count;
};

struct tk_job_filesystem {
    tk_str path;
    double total_mb, free_start_mb, free_min_mb, free_end_mb;
};

struct tk_job_filesystems {
    struct tk_job_filesystem *items;
    size_t count;
};

struct tk_job_io {
    double read_mb, write_mb, cancelled_mb, read_chars_mb, write_chars_mb;
    tk_str source; /* "io.stat" */
    struct tk_job_devices devices;
    struct tk_job_filesystems filesystems;
};

struct tk_job_net {
    double rx_mb, tx_mb;
    tk_str source;
    double peak_rx_mbs;
    int64_t tcp_retrans, tcp_segments; /* sent again, sent in all */
    double link_mbps;
};

struct tk_job_pressure {
    tk_str source; /* "cgroup", "host" */
    double cpu_some_s, io_some_s, io_full_s, memory_some_s, memory_full_s;
};

struct tk_job_host {
    double cpu_busy_percent, iowait_percent, steal_percent;
    double other_cpu_percent; /* of all cores, used by others than the step */
    double memory_available_min_mb, load1_max;
};

struct tk_job_wall {
    double active_s, io_stall_s, memory_stall_s, cpu_wait_s, idle_s;
};

struct tk_job_process {
    tk_str comm;
    int64_t count;
    double cpu_s, rss_peak_mb, read_mb, write_mb;
};

struct tk_job_processes {
    struct tk_job_process *items;
    size_t count;
};

/* A control group beside the step that worked for it ("docker.service"). */
struct tk_job_via {
    tk_str unit;
    double cpu_s, read_mb, write_mb, memory_peak_mb;
};

struct tk_job_vias {
    struct tk_job_via *items;
    size_t count;
};

struct tk_job_samples {
    double t0, dt_s; /* epoch; distance of rows */
    struct tk_job_texts cols;
    struct tk_job_rows rows;
};

struct tk_job_mark {
    double time; /* epoch */
    tk_str text;
};

struct tk_job_marks {
    struct tk_job_mark *items;
    size_t count;
};

struct tk_job_finding {
    tk_str rule, level; /* "IO_STALL"; "critical", "warn", "info" */
    struct tk_job_measures evidence;
    double saves_s;
    tk_str text, advice;
};

struct tk_job_findings {
    struct tk_job_finding *items;
    size_t count;
};

/* Its place in a trace: W3C ids, lower-case hexadecimal digits. */
struct tk_job_trace {
    tk_str trace_id;                /* 32 digits; of a step absent: that of the job */
    tk_str span_id, parent_span_id; /* 16 digits */
};

struct tk_job_step {
    /* The original's twenty: of the whole machine. */
    tk_str name;
    double start_time, end_time; /* epoch */
    double duration_s;
    double cpu_percent;
    double memory_used_mb, memory_delta_mb;
    double disk_read_mb, disk_write_mb, disk_read_ops, disk_write_ops;
    double disk_read_rate_mbs, disk_write_rate_mbs, disk_util_percent, await_ms, queue_depth;
    double net_rx_mb, net_tx_mb, net_rx_rate_mbs, net_tx_rate_mbs;

    tk_str id, parent; /* spans: "s3" */
    tk_str kind;       /* "exec", "shell" */
    int64_t attempt;
    tk_str status;
    int64_t exit_code, signal, timed_out; /* the last is a truth */
    tk_str scope;
    int64_t left_running; /* processes that outlived the step */
    struct tk_job_texts quality;
    struct tk_job_texts argv; /* only with --record-args; redacted */

    struct tk_job_trace trace;
    struct tk_job_cpu cpu;
    struct tk_job_memory memory;
    struct tk_job_io io;
    struct tk_job_net net;
    struct tk_job_pressure pressure;
    struct tk_job_host host;
    struct tk_job_wall wall;
    struct tk_job_processes top;
    struct tk_job_vias via;
    struct tk_job_samples samples;
    struct tk_job_marks marks;
    struct tk_job_measures measures;
    struct tk_job_attrs attrs;
    struct tk_job_findings diagnosis;
};

struct tk_job_steps {
    struct tk_job_step *items;
    size_t count;
};

struct tk_job_artifact {
    tk_str path, step; /* name of the step that was open */
    double mb;
};

struct tk_job_artifacts {
    struct tk_job_artifact *items;
    size_t count;
};

struct tk_job_tool {
    tk_str name, version, level; /* "L1" .. "L4" */
};

struct tk_job_ci {
    tk_str provider, workflow, job, event, url, branch, pr;
};

struct tk_job_clock {
    tk_str boot_id;
    int64_t start_boottime_ns;
    double wall_drift_s;
};

struct tk_job_totals {
    double cpu_s, cores_avg, memory_peak_mb;
    double disk_read_mb, disk_write_mb, net_rx_mb, net_tx_mb, disk_free_min_mb;
    int64_t oom_kills;
    double untracked_s; /* time of the job in which no step ran */
    int64_t steps, failed_steps;
};

struct tk_job_system {
    double cpus, memory_total_mb, disk_total_gb, cpus_effective;
    tk_str cpu_model, kernel, arch, virt, cgroup;
    int64_t psi; /* truth */
    double memory_limit_mb;
    double load1_start; /* load average of a minute when the job began */
    tk_str fingerprint; /* of machines whose durations may be compared */
};

struct tk_job_baseline {
    tk_str key;
    int64_t n;
    double median_s, mad_s, delta_percent;
    tk_str verdict;
};

struct tk_job_overhead {
    double sampler_cpu_ms;
    int64_t samples, dropped;
};

struct tk_job {
    tk_str job, version, timestamp, runner, git_sha, git_ref, run_id, run_number;
    double job_start, job_end; /* epoch */
    double job_duration_s;

    tk_str schema; /* absent: the original's */
    struct tk_job_tool tool;
    tk_str id; /* "20260124T120000Z-7f3a9c" */
    int64_t attempt;
    tk_str status;
    int64_t exit_code;
    struct tk_job_texts critical_path;
    struct tk_job_ci ci;
    struct tk_job_trace trace;
    struct tk_job_clock clock;
    struct tk_job_totals totals;
    struct tk_job_steps steps;
    struct tk_job_artifacts artifacts;
    struct tk_job_findings diagnosis; /* of the job as a whole */
    struct tk_job_system system;
    struct tk_job_baseline baseline;
    struct tk_job_overhead overhead;
    tk_str key; /* in a store's history/: of the whole document */
};

/* The table of fields ------------------------------------------------------------ */

enum tk_job_type {
    TK_JOB_TEXT,     /* tk_str */
    TK_JOB_F64,      /* double */
    TK_JOB_INT,      /* int64_t */
    TK_JOB_TRUTH,    /* int64_t: 0 or 1 */
    TK_JOB_TEXTS,    /* struct tk_job_texts */
    TK_JOB_MEASURES, /* struct tk_job_measures: an object name -> number */
    TK_JOB_ATTRS,    /* struct tk_job_attrs: an object name -> text */
    TK_JOB_ROWS,     /* struct tk_job_rows */
    TK_JOB_OBJECT,   /* a struct of the shape `of` */
    TK_JOB_OBJECTS,  /* a list of them */
};

struct tk_job_shape;

struct tk_job_field {
    const char *name; /* in the file */
    enum tk_job_type type;
    size_t offset;    /* in the struct */
    const char *unit; /* "s", "MB", "%"; NULL = none */
    const struct tk_job_shape *of;
};

struct tk_job_shape {
    const char *name; /* "step", for messages and the reference */
    size_t size;      /* of the struct */
    const struct tk_job_field *fields;
    size_t count;
};

extern const struct tk_job_shape tk_job_shape, tk_job_step_shape, tk_job_device_shape,
    tk_job_filesystem_shape, tk_job_process_shape, tk_job_via_shape, tk_job_mark_shape,
    tk_job_finding_shape, tk_job_artifact_shape;

/* Make every field of a job, or of any struct of a shape, absent. */
void tk_job_init(struct tk_job *job);
void tk_job_shape_init(const struct tk_job_shape *shape, void *object);

/* Append an item of `shape`, all of it absent, to a list of this header (as &job.steps) and return
 * it; NULL when arena or TK_JOB_ITEMS_MAX is full. Earlier items may move: hold no pointer to
 * them. */
void *tk_job_add(const struct tk_job_shape *shape, void *list, struct tk_arena *arena);

/* Append to the simple lists; false when full. The texts stay borrowed. */
TK_MUST_USE bool tk_job_add_text(struct tk_job_texts *texts, tk_str text, struct tk_arena *arena);
TK_MUST_USE bool tk_job_add_measure(struct tk_job_measures *measures, tk_str name, double value,
                                    struct tk_arena *arena);
TK_MUST_USE bool tk_job_add_attr(struct tk_job_attrs *attrs, tk_str name, tk_str value,
                                 struct tk_arena *arena);

/* Append a row of `count` values, which are copied. */
TK_MUST_USE bool tk_job_add_row(struct tk_job_rows *rows, const double *values, size_t count,
                                struct tk_arena *arena);

/* True when the list holds the text. */
bool tk_job_has_text(const struct tk_job_texts *texts, const char *text);

/* The number at a path of member names ("cpu.cores_avg", "measures.image_bytes") below an object
 * of `shape`; NaN when it is absent or no number. A truth is 0 or 1. */
double tk_job_number(const struct tk_job_shape *shape, const void *object, tk_str path);

/* The field of that name in `shape`; NULL when there is none. */
const struct tk_job_field *tk_job_member_find(const struct tk_job_shape *shape, tk_str name);

/* The field of that path, which goes through objects only; NULL when there is none. */
const struct tk_job_field *tk_job_field_find(const struct tk_job_shape *shape, tk_str path);

/* Take over every field of `from` that is there; lists whole. Both are of `shape`. */
void tk_job_shape_merge(const struct tk_job_shape *shape, void *into, const void *from);

/* Reading and writing ------------------------------------------------------------ */

/* Append the document, one line with its newline. `schema` is written as TK_JOB_SCHEMA whatever
 * stands in the struct. Text that is no UTF-8 is mended, see base/json.h. `decimals` as of
 * tk_buf_put_f64(): TK_SHORTEST keeps values as they are. */
void tk_job_format(const struct tk_job *job, int decimals, struct tk_buf *out);

/* Append one object of any shape, as tk_job_format() writes it, without a newline. */
void tk_job_shape_format(const struct tk_job_shape *shape, const void *object, int decimals,
                         struct tk_buf *out);

/* Read a document, ours or the original's. Members that are not in the table are skipped, null is
 * absent. Of the original's, each step gets the quality "v1". Fails with -EBADMSG on what is no
 * JSON object of this kind, with the path and byte ("steps.cpu.total_s: byte 512: expected a
 * number"), and with -EMSGSIZE over a limit. The texts are borrowed from `text` and `arena`. */
TK_MUST_USE int tk_job_parse(tk_str text, struct tk_arena *arena, struct tk_job *ret_job,
                             struct tk_err *err);

/* Likewise, but without the rows of samples: most of a document, and nothing that series need. The
 * rows are not validated either. The texts are in the arena: `text` may go. */
TK_MUST_USE int tk_job_parse_brief(tk_str text, struct tk_arena *arena, struct tk_job *ret_job,
                                   struct tk_err *err);

/* Name and start (epoch s) of the job out of the first bytes of a document. False when they do not
 * tell both; the name is a view of them. */
bool tk_job_find_start(tk_str head, tk_str *ret_job, double *ret_start);

/* Read one object of any shape, all of it absent before. Limits and errors as above. */
TK_MUST_USE int tk_job_shape_parse(tk_str text, const struct tk_job_shape *shape,
                                   struct tk_arena *arena, void *ret_object, struct tk_err *err);

/* True when it was read from a file of the original scripts. */
static inline bool tk_job_is_v1(const struct tk_job *job)
{
    return !job->schema.p;
}

#endif
