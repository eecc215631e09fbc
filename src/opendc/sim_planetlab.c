/* SPDX-License-Identifier: Apache-2.0 */
/* The load of machines as PlanetLab's monitoring kept it, which CloudSim and others replay: a file
 * per node, a line per five minutes, each a whole percentage of all its cores. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "opendc/cutter.h"
#include "opendc/simulators.h"
#include "opendc/windows.h"
#include "run/out.h"

#define WINDOW_MS 300000

static void put_line(struct tk_out *out, double share)
{
    char line[32];
    int percent = (int)lround(100 * fmin(fmax(share, 0), 1));
    int n = snprintf(line, sizeof(line), "%d", percent);
    tk_out_put_line(out, (tk_str){line, (size_t)n});
}

/* The name of a node as that of a file. */
static void name_file(const char *node, char ret_name[128])
{
    size_t n = 0;
    for (; node[n] && n < 127; n++) {
        char c = node[n];
        if (c == '/' || (n == 0 && c == '.'))
            c = '_';
        ret_name[n] = c;
    }
    ret_name[n] = '\0';
}

static int write_node(const struct tk_simulation *simulation, struct tk_cutter *cutter,
                      struct tk_task *task, struct tk_err *err)
{
    const struct tk_node *node = &simulation->workload->nodes[task->node];
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    TK_CLEANUP(tk_windows_release) struct tk_windows windows = {0};
    struct tk_window window;
    char name[128];
    name_file(simulation->node_names[task->node], name);
    int rc = tk_out_open(&out, simulation->dirfd, name, NULL, err);
    rc = rc < 0 ? rc : tk_cutter_cut(cutter, task, err);
    if (rc < 0)
        return rc;
    tk_windows_begin(&windows, &cutter->made, task->start_ms, task->start_ms, WINDOW_MS);
    while ((rc = tk_windows_next(&windows, &window, err)) == 0)
        put_line(&out, window.average / (double)node->cores);
    return rc < 0 ? rc : tk_out_close(&out, err);
}

static int write(const struct tk_simulation *simulation, struct tk_err *err)
{
    struct tk_workload *workload = simulation->workload;
    struct tk_fragment_sums ignored = {0};
    TK_CLEANUP(tk_cutter_release) struct tk_cutter cutter;
    size_t written = 0;
    int rc = 0;
    tk_cutter_init(&cutter, workload, simulation->options, &ignored);
    for (uint32_t i = 0; rc == 0 && i < workload->task_count; i++) {
        struct tk_task *task = &workload->tasks[workload->sorted[i]];
        if (task->id == 0 || task->known == TK_KNOWN_NOTHING)
            continue;
        rc = write_node(simulation, &cutter, task, err);
        written++;
    }
    if (rc == 0 && written == 0)
        return tk_fail(err, -ENODATA, "no node has readings of its load");
    return rc;
}

const struct tk_simulator tk_simulator_planetlab = {
    .name = "planetlab",
    .help = "load of each node, a whole percentage per five minutes, for CloudSim",
    .mode = TK_MODE_NODE,
    .write = write,
};
