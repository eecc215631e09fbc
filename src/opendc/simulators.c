/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/simulators.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/file.h"
#include "opendc/cutter.h"
#include "opendc/names.h"
#include "opendc/warnings.h"

/* One format a line. */
/* clang-format off */
const struct tk_simulator *const tk_simulators[] = {
    &tk_simulator_batsim,
    &tk_simulator_chrome,
    &tk_simulator_planetlab,
    &tk_simulator_simgrid,
    &tk_simulator_swf,
    &tk_simulator_usage,
    &tk_simulator_wfformat,
    &tk_simulator_wta,
    NULL,
};
/* clang-format on */

static void note_task(struct tk_opendc_report *report, const struct tk_task *task)
{
    report->tasks++;
    report->cpu_ns += task->cpu_ns;
    report->estimated += task->known == TK_KNOWN_NOTHING;
    report->even += task->known == TK_KNOWN_TOTAL;
    report->mem_estimated += task->mem_is_estimate;
}

/* Size every task, and give ids to those that are wanted. */
static int cut_all(struct tk_simulation *simulation, const struct tk_opendc_options *options,
                   struct tk_opendc_report *report, struct tk_err *err)
{
    struct tk_workload *workload = simulation->workload;
    TK_CLEANUP(tk_cutter_release) struct tk_cutter cutter;
    tk_cutter_init(&cutter, workload, options, &report->sums);
    int64_t most = options->top > 0 ? options->top : INT64_MAX;
    simulation->first_ms = workload->tasks[workload->sorted[0]].submission_ms;
    for (uint32_t i = 0; i < workload->task_count; i++) {
        uint32_t index = workload->sorted[i];
        struct tk_task *task = &workload->tasks[index];
        int rc = tk_cutter_cut(&cutter, task, err);
        if (rc < 0)
            return rc;
        bool is_left_out =
            report->tasks >= most || (options->no_estimate && task->known == TK_KNOWN_NOTHING);
        task->id = is_left_out ? 0 : (int32_t)(report->tasks + 1);
        simulation->most_cores[index] = cutter.most_cores;
        if (!is_left_out)
            note_task(report, task);
    }
    return report->tasks > 0 ? 0 : tk_fail(err, -ENODATA, "no task is left");
}

static int write_folder(const struct tk_simulator *simulator, struct tk_simulation *simulation,
                        const char *path, struct tk_err *err)
{
    TK_CLEANUP(tk_fd_close) int dirfd = -1;
    int rc = tk_dir_make(AT_FDCWD, path, err);
    rc = rc < 0 ? rc : tk_dir_open(AT_FDCWD, path, &dirfd, err);
    if (rc < 0)
        return rc;
    simulation->dirfd = dirfd;
    rc = simulator->write(simulation, err);
    return rc < 0 ? tk_err_prefix(err, "%s", path) : 0;
}

int tk_simulator_export(const struct tk_simulator *simulator,
                        const struct tk_opendc_options *options,
                        struct tk_opendc_report *ret_report, struct tk_err *err)
{
    TK_CLEANUP(tk_workload_freep) struct tk_workload *workload = NULL;
    struct tk_opendc_report report = {0};
    const char **names = NULL;
    struct tk_workload_options wanted = options->workload;
    if (simulator->mode != TK_MODE_AUTO)
        wanted.mode = simulator->mode;
    int rc = tk_workload_new(&wanted, &workload, err);
    if (rc < 0)
        return rc;
    struct tk_simulation simulation = {.workload = workload, .options = options, .dirfd = -1};
    simulation.most_cores = calloc((size_t)workload->task_count + 1, sizeof(double));
    if (!simulation.most_cores)
        return tk_fail(err, -ENOMEM, "out of memory");
    if (options->anonymise)
        rc = tk_workload_hide_names(workload, err);
    rc = rc < 0 ? rc : tk_workload_name_nodes(workload, &names, err);
    simulation.node_names = names;
    rc = rc < 0 ? rc : cut_all(&simulation, options, &report, err);
    rc = rc < 0 ? rc : write_folder(simulator, &simulation, options->to, err);
    const struct tk_listener listener = {options->say, options->context};
    tk_workload_warn(workload, options->anonymise, &listener);
    report.counts = workload->counts;
    report.mode = workload->mode;
    free(simulation.most_cores);
    free((void *)names);
    if (rc == 0)
        *ret_report = report;
    return rc;
}
