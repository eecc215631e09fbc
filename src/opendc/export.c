/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/map.h"
#include "opendc/export_internal.h"
#include "opendc/names.h"
#include "opendc/warnings.h"

void tk_export_warn(struct tk_export *export, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    for (size_t i = 0; i < export->warning_count; i++) {
        if (strcmp(export->warnings[i], line) == 0)
            return;
    }
    if (export->warning_count < TK_WARNINGS_MAX) {
        char *copy = strdup(line);
        if (copy)
            export->warnings[export->warning_count++] = copy;
    }
    if (export->options->say)
        export->options->say(export->options->context, line);
}

bool tk_export_has_node(const struct tk_export *export, uint32_t node)
{
    return export->only_node == TK_NONE || export->only_node == node;
}

/* Order and ids ---------------------------------------------------------------------------- */

/* By submission; the old exporters took tasks as they read them. */
static void set_order(struct tk_export *export)
{
    struct tk_workload *workload = export->workload;
    for (uint32_t i = 0; i < workload->task_count; i++)
        export->order[i] = export->options->compat == TK_COMPAT_OFF ? workload->sorted[i] : i;
}

/* The first two tasks that have one pid; false when none have, and every task has one. */
static bool find_collision(const struct tk_workload *workload, struct tk_map *seen,
                           uint32_t ret_tasks[2], struct tk_err *err)
{
    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct tk_task *task = &workload->tasks[i];
        ret_tasks[0] = ret_tasks[1] = i;
        if (task->pid <= 0 || task->pid > INT32_MAX)
            return true;
        if (tk_map_find(seen, (uint64_t)task->pid, &ret_tasks[0]))
            return true;
        if (tk_map_add(seen, (uint64_t)task->pid, i) < 0) {
            (void)tk_fail(err, -ENOMEM, "out of memory");
            return true;
        }
    }
    return false;
}

static int set_ids_by_pid(struct tk_export *export, struct tk_opendc_options *options,
                          struct tk_err *err)
{
    struct tk_workload *workload = export->workload;
    TK_CLEANUP(tk_map_release) struct tk_map seen = {0};
    uint32_t two[2];
    err->code = 0;
    bool collides = find_collision(workload, &seen, two, err);
    if (err->code < 0)
        return err->code;
    if (!collides) {
        options->ids = TK_IDS_PID;
        for (uint32_t i = 0; i < workload->task_count; i++)
            workload->tasks[i].id = (int32_t)workload->tasks[i].pid;
        return 0;
    }
    const struct tk_task *second = &workload->tasks[two[1]];
    if (options->ids == TK_IDS_AUTO) {
        options->ids = TK_IDS_SEQUENTIAL;
        return 0;
    }
    if (two[0] == two[1]) {
        return tk_fail(err, -EEXIST, "ids by pid: task %.*s (span %.*s) has no pid",
                       TK_STR_ARG(second->name), TK_STR_ARG(second->span));
    }
    return tk_fail(err, -EEXIST,
                   "ids by pid: tasks %.*s (span %.*s) and %.*s (span %.*s) both "
                   "have pid %lld",
                   TK_STR_ARG(workload->tasks[two[0]].name),
                   TK_STR_ARG(workload->tasks[two[0]].span), TK_STR_ARG(second->name),
                   TK_STR_ARG(second->span), (long long)second->pid);
}

/* Warnings ----------------------------------------------------------------------------------- */

static void warn(void *context, const char *line)
{
    tk_export_warn(context, "%s", line);
}

static void warn_of_tasks(struct tk_export *export)
{
    const struct tk_opendc_report *report = &export->report;
    if (report->estimated > 0) {
        tk_export_warn(export, "%lld of %lld tasks have no samples: half a core is an estimate",
                       (long long)report->estimated, (long long)report->tasks);
    }
    if (report->dropped > 0) {
        tk_export_warn(export, "%lld tasks without samples were left out",
                       (long long)report->dropped);
    }
    if (report->sums.clamped > 0) {
        tk_export_warn(export,
                       "%lld fragments asked for more than all cores: %.3f s of CPU time "
                       "were cut off",
                       (long long)report->sums.clamped, (double)report->sums.clamped_ns / 1e9);
    }
}

/* The whole ----------------------------------------------------------------------------------- */

/* First of all: a file of others may be bad. */
static int write_environment(struct tk_export *export, struct tk_err *err)
{
    int rc = 0;
    for (enum tk_environment kind = 0; rc == 0 && kind < TK_ENVIRONMENT_COUNT; kind++) {
        const char *path = export->options->environment[kind];
        if (path)
            rc = tk_environment_convert(kind, path, export->dirfd, export->options->codec, err);
    }
    return rc;
}

static int write_folder(struct tk_export *export, const char *path, struct tk_err *err)
{
    int rc = tk_dir_make(AT_FDCWD, path, err);
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    rc = rc < 0 ? rc : tk_dir_open(AT_FDCWD, path, &dirfd, err);
    if (rc < 0)
        return rc;
    export->dirfd = dirfd;
    rc = write_environment(export, err);
    rc = rc < 0 ? rc : tk_export_write_trace(export, err);
    rc = rc < 0 ? rc : tk_export_write_topology(export, err);
    rc = rc < 0 ? rc : tk_export_write_experiment(export, err);
    rc = rc < 0 ? rc : tk_export_write_map(export, err);
    if (rc == 0 && export->only_node == TK_NONE) {
        warn_of_tasks(export);
        rc = tk_export_write_manifest(export, err);
    }
    return rc < 0 ? tk_err_prefix(err, "%s", path) : 0;
}

/* A trace and a topology of one host for each node that has a task, as nothing pins a task to its
 * host. */
static int write_nodes(struct tk_export *export, struct tk_err *err)
{
    const struct tk_opendc_report whole = export->report;
    const struct tk_workload *workload = export->workload;
    int rc = 0;
    for (uint32_t node = 0; rc == 0 && node < workload->node_count; node++) {
        char path[PATH_MAX];
        bool has_task = false;
        for (uint32_t i = 0; i < workload->task_count && !has_task; i++)
            has_task = workload->tasks[i].node == node;
        if (!has_task)
            continue;
        (void)snprintf(path, sizeof(path), "%s/nodes/%s", export->options->to,
                       export->node_names[node]);
        export->only_node = node;
        export->report = (struct tk_opendc_report){0};
        rc = write_folder(export, path, err);
    }
    export->report = whole;
    return rc;
}

static int export_workload(struct tk_export *export, struct tk_opendc_options *options,
                           struct tk_err *err)
{
    struct tk_workload *workload = export->workload;
    int rc = options->anonymise ? tk_workload_hide_names(workload, err) : 0;
    rc = rc < 0 ? rc : tk_workload_name_nodes(workload, &export->node_names, err);
    if (rc == 0 && options->ids != TK_IDS_SEQUENTIAL)
        rc = set_ids_by_pid(export, options, err);
    export->order = malloc(((size_t)workload->task_count + 1) * sizeof(*export->order));
    if (rc == 0 && !export->order)
        rc = tk_fail(err, -ENOMEM, "out of memory");
    if (rc < 0 || !export->order)
        return rc;
    set_order(export);
    for (uint32_t i = 0; i < workload->task_count; i++)
        workload->tasks[i].submission_ms += options->shift_ms;
    tk_workload_warn(workload, options->anonymise, &(struct tk_listener){warn, export});
    rc = write_folder(export, options->to, err);
    export->report.counts = workload->counts;
    export->report.mode = workload->mode;
    return rc == 0 && options->per_node ? write_nodes(export, err) : rc;
}

static void calibrate(struct tk_opendc_options *options)
{
    const struct tk_calibration *calibration = options->calibration;
    if (!calibration)
        return;
    options->core_speed *= calibration->core_speed;
    options->scale_cpu *= calibration->scale_cpu;
    options->scale_duration *= calibration->scale_duration;
    options->startup_ms += calibration->startup_ms;
    options->shift_ms += calibration->shift_ms;
}

int tk_opendc_export(const struct tk_opendc_options *options, struct tk_opendc_report *ret_report,
                     struct tk_err *err)
{
    struct tk_opendc_options chosen = *options;
    struct tk_export export = {.options = &chosen, .only_node = TK_NONE, .dirfd = -1};
    chosen.workload.takes_digests = true;
    calibrate(&chosen);
    chosen.workload.pid_joins = options->compat != TK_COMPAT_OFF && options->exact_compat;
    int rc = tk_workload_new(&chosen.workload, &export.workload, err);
    rc = rc < 0 ? rc : export_workload(&export, &chosen, err);
    if (rc == 0)
        *ret_report = export.report;
    for (size_t i = 0; i < export.warning_count; i++)
        free(export.warnings[i]);
    free(export.order);
    free((void *)export.node_names);
    tk_workload_free(export.workload);
    return rc;
}
