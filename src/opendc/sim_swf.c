/* SPDX-License-Identifier: Apache-2.0 */
/* Standard Workload Format 2.2 (cs.huji.ac.il/labs/parallel/workload): a line of 18 figures per
 * job, -1 = unknown. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/number.h"
#include "opendc/simulators.h"
#include "run/out.h"

enum { FAILED = 0, COMPLETED = 1, UNKNOWN = -1 };

static int status_of(const struct tk_task *task)
{
    const int64_t first_http_error = 400;
    if (task->status < 0)
        return UNKNOWN;
    if (task->is_command)
        return task->status == 0 ? COMPLETED : FAILED;
    return task->status < first_http_error ? COMPLETED : FAILED;
}

static void put_header(struct tk_buf *out, const struct tk_simulation *simulation)
{
    const struct tk_workload *workload = simulation->workload;
    int64_t cores = 0;
    int64_t last_ms = simulation->first_ms;
    for (uint32_t i = 0; i < workload->node_count; i++)
        cores += workload->nodes[i].cores;
    for (uint32_t i = 0; i < workload->task_count; i++)
        last_ms = workload->tasks[i].end_ms > last_ms ? workload->tasks[i].end_ms : last_ms;
    tk_buf_printf(out,
                  "; Version: 2.2\n; Computer: %.*s\n; Installation: tracekit " TK_VERSION "\n"
                  "; MaxJobs: %u\n; MaxRecords: %u\n; UnixStartTime: %lld\n; TimeZoneString: UTC\n"
                  "; StartTime: %lld ms\n; EndTime: %lld ms\n; MaxNodes: %u\n; MaxProcs: %lld\n"
                  "; Note: submit, wait and run times have fractions of a second\n",
                  TK_STR_ARG(workload->nodes[0].cpu_model), workload->task_count,
                  workload->task_count, (long long)(simulation->first_ms / 1000),
                  (long long)simulation->first_ms, (long long)last_ms, workload->node_count,
                  (long long)cores);
}

static void put_seconds(struct tk_buf *out, int64_t ms)
{
    tk_buf_putc(out, ' ');
    tk_buf_put_f64(out, (double)ms / 1000, TK_SHORTEST);
}

static void put_count(struct tk_buf *out, int64_t value)
{
    tk_buf_putc(out, ' ');
    tk_buf_put_i64(out, value);
}

/* Programs are numbered as they come. */
static int program_of(struct tk_map *programs, tk_str name, uint32_t *ret, struct tk_err *err)
{
    uint64_t key = tk_hash_text(name);
    if (tk_map_find(programs, key, ret))
        return 0;
    *ret = (uint32_t)programs->count + 1;
    return tk_map_add(programs, key, *ret) < 0 ? tk_fail(err, -ENOMEM, "out of memory") : 0;
}

static void put_job(struct tk_buf *out, const struct tk_simulation *simulation,
                    const struct tk_task *task, uint32_t program)
{
    const struct tk_workload *workload = simulation->workload;
    double most = simulation->most_cores[task - workload->tasks];
    int64_t processors = (int64_t)fmax(1, ceil(most - 1e-9));
    tk_buf_put_i64(out, task->id);
    put_seconds(out, task->enqueue_ms - simulation->first_ms);
    put_seconds(out, task->start_ms - task->enqueue_ms);
    put_seconds(out, task->end_ms - task->start_ms);
    put_count(out, processors);
    tk_buf_putc(out, ' ');
    tk_buf_put_f64(out, (double)task->cpu_ns / 1e9 / (double)processors, TK_SHORTEST);
    put_count(out, task->mem_is_estimate ? -1 : task->mem_kb / processors);
    put_count(out, task->req_cpu_units);
    put_count(out, -1);
    put_count(out, task->req_mem_kb);
    put_count(out, status_of(task));
    put_count(out, -1);
    put_count(out, -1);
    put_count(out, program);
    put_count(out, (int64_t)task->node + 1);
    put_count(out, -1);
    put_count(out, task->parent_count > 0 ? workload->tasks[task->parents[0]].id : -1);
    put_count(out, -1);
}

static int write(const struct tk_simulation *simulation, struct tk_err *err)
{
    const struct tk_workload *workload = simulation->workload;
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    TK_CLEANUP(tk_buf_release) struct tk_buf line;
    TK_CLEANUP(tk_map_release) struct tk_map programs = {0};
    tk_buf_init(&line, 65536);
    int rc = tk_out_open(&out, simulation->dirfd, "workload.swf", NULL, err);
    put_header(&line, simulation);
    if (rc == 0)
        tk_out_put(&out, tk_buf_str(&line));
    for (uint32_t i = 0; rc == 0 && i < workload->task_count; i++) {
        const struct tk_task *task = &workload->tasks[workload->sorted[i]];
        uint32_t program;
        tk_buf_reset(&line);
        rc = program_of(&programs, task->name, &program, err);
        if (rc < 0 || task->id == 0)
            continue;
        put_job(&line, simulation, task, program);
        tk_out_put_line(&out, tk_buf_str(&line));
    }
    return rc < 0 ? rc : tk_out_close(&out, err);
}

const struct tk_simulator tk_simulator_swf = {
    .name = "swf",
    .help = "Standard Workload Format 2.2, of batch schedulers and their simulators",
    .write = write,
};
