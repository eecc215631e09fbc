/* SPDX-License-Identifier: Apache-2.0 */
/* A workload of Batsim (batsim.readthedocs.io): jobs and their profiles. A profile is a homogeneous
 * parallel task, whose work is CPU time by frequency, a cycle as a floating point operation. */
#include "base/json.h"
#include "base/number.h"
#include "opendc/simulators.h"
#include "run/out.h"

static void put_job(struct tk_buf *out, const struct tk_simulation *simulation,
                    const struct tk_task *task, bool is_first)
{
    tk_buf_puts(out, is_first ? "\n" : ",\n");
    tk_buf_printf(out, "{\"id\":\"%d\"", task->id);
    tk_json_put_member_f64(out, "subtime",
                           (double)(task->enqueue_ms - simulation->first_ms) / 1000);
    tk_buf_printf(out, ",\"res\":%d,\"profile\":\"p%d\"", task->cpu_count, task->id);
    tk_json_put_key(out, "extra_data");
    tk_buf_lit(out, "{\"name\":");
    tk_json_put_str(out, task->name);
    tk_json_put_member_f64(out, "runtime", (double)(task->end_ms - task->start_ms) / 1000);
    tk_buf_lit(out, "}}");
}

static void put_profile(struct tk_buf *out, const struct tk_simulation *simulation,
                        const struct tk_task *task, bool is_first)
{
    double mhz = simulation->workload->nodes[task->node].mhz;
    double flop = (double)task->cpu_ns / 1e9 * mhz * 1e6 / task->cpu_count;
    tk_buf_puts(out, is_first ? "\n" : ",\n");
    tk_buf_printf(out, "\"p%d\":{\"type\":\"parallel_homogeneous\"", task->id);
    tk_json_put_member_f64(out, "cpu", flop);
    tk_buf_lit(out, ",\"com\":0}");
}

/* One of the two lists, an entry per task. */
static void put_list(struct tk_out *out, const struct tk_simulation *simulation,
                     void (*put)(struct tk_buf *out, const struct tk_simulation *simulation,
                                 const struct tk_task *task, bool is_first))
{
    const struct tk_workload *workload = simulation->workload;
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    tk_buf_init(&line, 65536);
    bool is_first = true;
    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct tk_task *task = &workload->tasks[workload->sorted[i]];
        if (task->id == 0)
            continue;
        tk_buf_reset(&line);
        put(&line, simulation, task, is_first);
        tk_out_put(out, tk_buf_str(&line));
        is_first = false;
    }
}

static int write(const struct tk_simulation *simulation, struct tk_err *err)
{
    const struct tk_workload *workload = simulation->workload;
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    TK_CLEANUP(tk_buf_release) struct tk_buf head;
    tk_buf_init(&head, 4096);
    int64_t cores = 0;
    for (uint32_t i = 0; i < workload->node_count; i++)
        cores += workload->nodes[i].cores;
    int rc = tk_out_open(&out, simulation->dirfd, "workload.json", NULL, err);
    if (rc < 0)
        return rc;
    tk_buf_printf(&head, "{\"nb_res\":%lld,\"jobs\":[", (long long)cores);
    tk_out_put(&out, tk_buf_str(&head));
    put_list(&out, simulation, put_job);
    tk_out_put(&out, TK_STR("\n],\"profiles\":{"));
    put_list(&out, simulation, put_profile);
    tk_out_put(&out, TK_STR("\n}}\n"));
    return tk_out_close(&out, err);
}

const struct tk_simulator tk_simulator_batsim = {
    .name = "batsim",
    .help = "jobs and profiles for the simulator Batsim",
    .write = write,
};
