/* SPDX-License-Identifier: Apache-2.0 */
/* Gen-T's own tasks: each a walk over the traces of both sides (trace-fidelity.md section 6). */
#include "fidelity/tasks.h"

#include <errno.h>
#include <stdlib.h>

#include "fidelity/tasks_internal.h"

static const struct {
    int (*run)(struct tasks *tasks, struct tk_err *err);
} all_tasks[] = {
    {tasks_monitor_errors}, {tasks_trigger_correlation}, {tasks_bottlenecks}, {tasks_attributes},
    {tasks_training},       {tasks_child_ratios},        {tasks_alerts},
};

void tasks_add(const struct tasks *tasks, const struct tk_figure *figure, tk_str detail)
{
    struct tk_figure made = *figure;
    made.group = "tasks";
    made.detail = detail;
    tk_figures_add(tasks->figures, &made);
}

static int find_entries(struct tasks *tasks, int side)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    tasks->is_entry[side] = calloc(tasks->sides.texts + (size_t)1, 1);
    if (!tasks->is_entry[side])
        return -ENOMEM;
    for (uint32_t row = 0; row < table->rows; row++) {
        if (table->parents[row] == TK_ROW_TOP)
            tasks->is_entry[side][service_of(tasks, side, row)] = 1;
    }
    return 0;
}

static int run_tasks(struct tasks *tasks, struct tk_err *err)
{
    for (int side = 0; side < TK_SIDES; side++) {
        if (find_entries(tasks, side) < 0)
            return tk_fail(err, -ENOMEM, "tasks: out of memory");
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(all_tasks); i++)
        rc = all_tasks[i].run(tasks, err);
    const struct tk_figure left_out = {.name = "keys_left_out",
                                       .sense = TK_FIGURE_COUNT,
                                       .value = (double)tasks->left_out,
                                       .samples = (uint64_t)tasks->sides.tables[TK_SIDE_A]->traces +
                                                  tasks->sides.tables[TK_SIDE_B]->traces};
    if (rc == 0)
        tasks_add(tasks, &left_out, (tk_str){0});
    return rc;
}

static int tasks_measure(const struct tk_span_table *a, const struct tk_span_table *b,
                         const struct tk_measure_options *options, struct tk_figures *figures,
                         struct tk_err *err)
{
    struct tasks tasks = {.options = options, .figures = figures};
    int rc = tk_sides_init(&tasks.sides, a, b, options, err);
    if (rc == 0)
        rc = run_tasks(&tasks, err);
    tk_sides_release(&tasks.sides);
    for (int side = 0; side < TK_SIDES; side++)
        free(tasks.is_entry[side]);
    return rc < 0 ? rc : tk_figures_check(figures, err);
}

const struct tk_measure tk_measure_tasks = {
    .name = "tasks",
    .help = "Gen-T's own tasks: alerts, triggers, bottlenecks, attributes",
    .measure = tasks_measure,
};
