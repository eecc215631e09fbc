/* SPDX-License-Identifier: Apache-2.0 */
/* WfFormat 1.5 (wfcommons.org): a workflow per trace, in workflow-N.json by the order of their
 * first submission. Ids of tasks are theirs in the map; files are named by what wrote or read them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/number.h"
#include "opendc/simulators.h"
#include "run/out.h"

#define DOCUMENT_MAX ((size_t)1 << 30)

/* Tasks of one trace follow each other. */
struct order {
    uint32_t workflow, task;
};

static void put_time(struct tk_buf *out, const char *key, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[64] = "";
    if (gmtime_r(&seconds, &tm))
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+00:00", &tm);
    tk_json_put_member_str(out, key, tk_str_from(text));
}

static void put_ids(struct tk_buf *out, const char *key, const struct tk_workload *workload,
                    const uint32_t *tasks, uint32_t count)
{
    tk_json_put_key(out, key);
    tk_buf_putc(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (workload->tasks[tasks[i]].id == 0)
            continue;
        tk_json_put_comma(out);
        tk_buf_printf(out, "\"t%d\"", workload->tasks[tasks[i]].id);
    }
    tk_buf_putc(out, ']');
}

/* [0-9A-Za-z-_.]*: everything else becomes an underscore. */
static void put_file_id(struct tk_buf *out, tk_str name)
{
    tk_buf_putc(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_plain = tk_is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        c == '-' || c == '_' || c == '.';
        if (!is_plain)
            c = '_';
        tk_buf_putc(out, c);
    }
    tk_buf_putc(out, '"');
}

static void put_file_list(struct tk_buf *out, const char *key, tk_str name)
{
    tk_json_put_key(out, key);
    tk_buf_putc(out, '[');
    if (name.n > 0)
        put_file_id(out, name);
    tk_buf_putc(out, ']');
}

static void put_specified(struct tk_buf *out, const struct tk_workload *workload,
                          const struct tk_task *task)
{
    tk_json_put_comma(out);
    tk_buf_putc(out, '{');
    tk_json_put_member_str(out, "name", task->name);
    tk_buf_printf(out, ",\"id\":\"t%d\"", task->id);
    put_ids(out, "parents", workload, task->parents, task->parent_count);
    put_ids(out, "children", workload, task->children, task->child_count);
    put_file_list(out, "inputFiles", task->input);
    put_file_list(out, "outputFiles", task->output);
    tk_buf_putc(out, '}');
}

static void put_executed(struct tk_buf *out, const struct tk_simulation *simulation,
                         const struct tk_task *task)
{
    double run_ms = (double)(task->end_ms - task->start_ms);
    tk_json_put_comma(out);
    tk_buf_printf(out, "{\"id\":\"t%d\"", task->id);
    tk_json_put_member_f64(out, "runtimeInSeconds", run_ms / 1000);
    tk_json_put_key(out, "command");
    tk_buf_lit(out, "{\"program\":");
    tk_json_put_str(out, task->name);
    tk_buf_putc(out, '}');
    tk_json_put_member_i64(out, "coreCount", task->cpu_count);
    tk_json_put_member_f64(out, "avgCPU", 100 * (double)task->cpu_ns / 1e6 / run_ms);
    if (task->rd_bytes >= 0)
        tk_json_put_member_i64(out, "readBytes", task->rd_bytes);
    if (task->wr_bytes >= 0)
        tk_json_put_member_i64(out, "writtenBytes", task->wr_bytes);
    if (!task->mem_is_estimate)
        tk_json_put_member_i64(out, "memoryInBytes", task->mem_kb * 1024);
    tk_json_put_key(out, "machines");
    tk_buf_putc(out, '[');
    tk_json_put_str(out, tk_str_from(simulation->node_names[task->node]));
    tk_buf_lit(out, "]}");
}

static void put_machines(struct tk_buf *out, const struct tk_simulation *simulation)
{
    const struct tk_workload *workload = simulation->workload;
    tk_json_put_key(out, "machines");
    tk_buf_putc(out, '[');
    for (uint32_t i = 0; i < workload->node_count; i++) {
        const struct tk_node *node = &workload->nodes[i];
        tk_json_put_comma(out);
        tk_buf_putc(out, '{');
        tk_json_put_member_str(out, "nodeName", tk_str_from(simulation->node_names[i]));
        tk_json_put_member_str(out, "system", TK_STR("linux"));
        if (node->arch.n > 0)
            tk_json_put_member_str(out, "architecture", node->arch);
        if (node->kernel.n > 0)
            tk_json_put_member_str(out, "release", node->kernel);
        if (node->mem_bytes > 0)
            tk_json_put_member_i64(out, "memoryInBytes", node->mem_bytes);
        tk_json_put_key(out, "cpu");
        tk_buf_putc(out, '{');
        tk_json_put_member_i64(out, "coreCount", node->cores);
        tk_json_put_member_i64(out, "speedInMHz", (int64_t)node->mhz);
        if (node->cpu_model.n > 0)
            tk_json_put_member_str(out, "vendor", node->cpu_model);
        tk_buf_lit(out, "}}");
    }
    tk_buf_putc(out, ']');
}

static void put_files(struct tk_buf *out, const struct tk_workload *workload,
                      const struct order *orders, size_t count)
{
    TK_CLEANUP(tk_map_release) struct tk_map seen = {0};
    tk_json_put_key(out, "files");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < 2 * count; i++) {
        const struct tk_task *task = &workload->tasks[orders[i / 2].task];
        tk_str name = i % 2 == 0 ? task->input : task->output;
        int64_t bytes = i % 2 == 0 ? task->bytes_in : task->bytes_out;
        uint32_t unused;
        if (name.n == 0 || tk_map_find(&seen, tk_hash_text(name), &unused) ||
            tk_map_add(&seen, tk_hash_text(name), 0) < 0)
            continue;
        tk_json_put_comma(out);
        tk_buf_lit(out, "{\"id\":");
        put_file_id(out, name);
        tk_json_put_member_i64(out, "sizeInBytes", bytes >= 0 ? bytes : 0);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

static void put_workflow(struct tk_buf *out, const struct tk_simulation *simulation,
                         const struct order *orders, size_t count)
{
    const struct tk_workload *workload = simulation->workload;
    const struct tk_task *first = &workload->tasks[orders[0].task];
    int64_t end_ms = first->end_ms;
    for (size_t i = 0; i < count; i++) {
        const struct tk_task *task = &workload->tasks[orders[i].task];
        end_ms = task->end_ms > end_ms ? task->end_ms : end_ms;
    }
    tk_buf_putc(out, '{');
    tk_json_put_member_str(out, "name", first->trace.n > 0 ? first->trace : first->name);
    tk_json_put_member_str(out, "schemaVersion", TK_STR("1.5"));
    put_time(out, "createdAt", first->enqueue_ms);
    tk_buf_lit(out, ",\"runtimeSystem\":{\"name\":\"tracekit\",\"version\":\"" TK_VERSION
                    "\",\"url\":\"https://github.com/tracekit\"}"
                    ",\"workflow\":{\"specification\":{\"tasks\":[");
    for (size_t i = 0; i < count; i++)
        put_specified(out, workload, &workload->tasks[orders[i].task]);
    tk_buf_putc(out, ']');
    put_files(out, workload, orders, count);
    tk_buf_lit(out, "},\"execution\":{");
    tk_json_put_member_f64(out, "makespanInSeconds", (double)(end_ms - first->enqueue_ms) / 1000);
    put_time(out, "executedAt", first->enqueue_ms);
    tk_json_put_key(out, "tasks");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < count; i++)
        put_executed(out, simulation, &workload->tasks[orders[i].task]);
    tk_buf_putc(out, ']');
    put_machines(out, simulation);
    tk_buf_lit(out, "}}}\n");
}

static int compare_orders(const void *a, const void *b)
{
    const struct order *first = a;
    const struct order *second = b;
    if (first->workflow != second->workflow)
        return first->workflow < second->workflow ? -1 : 1;
    return 0;
}

/* Tasks by their traces, traces as they come; a task without one is a workflow of its own. */
static int set_orders(const struct tk_workload *workload, struct order *orders, size_t *ret_count,
                      struct tk_err *err)
{
    TK_CLEANUP(tk_map_release) struct tk_map traces = {0};
    uint32_t workflows = 0;
    size_t count = 0;
    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct tk_task *task = &workload->tasks[workload->sorted[i]];
        uint64_t key = task->trace.n > 0 ? tk_hash_text(task->trace) : tk_hash_mix(i, 1);
        uint32_t workflow;
        if (task->id == 0)
            continue;
        if (!tk_map_find(&traces, key, &workflow)) {
            workflow = ++workflows;
            if (tk_map_add(&traces, key, workflow) < 0)
                return tk_fail(err, -ENOMEM, "out of memory");
        }
        /* Stable: the place within the order of submission is kept by the sort below. */
        orders[count++] = (struct order){workflow, workload->sorted[i]};
    }
    *ret_count = count;
    return 0;
}

static int write_workflow(const struct tk_simulation *simulation, const struct order *orders,
                          size_t count, struct tk_err *err)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "workflow-%u.json", orders[0].workflow);
    TK_CLEANUP(tk_out_release) struct tk_out out = TK_OUT_NONE;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, DOCUMENT_MAX);
    put_workflow(&text, simulation, orders, count);
    int rc = tk_buf_check(&text, name, err);
    rc = rc < 0 ? rc : tk_out_open(&out, simulation->dirfd, name, NULL, err);
    for (size_t at = 0; rc == 0 && at < text.n; at += (size_t)1 << 20) {
        size_t n = text.n - at < (size_t)1 << 20 ? text.n - at : (size_t)1 << 20;
        tk_out_put(&out, (tk_str){text.p + at, n});
    }
    return rc < 0 ? rc : tk_out_close(&out, err);
}

static int write(const struct tk_simulation *simulation, struct tk_err *err)
{
    const struct tk_workload *workload = simulation->workload;
    struct order *orders = malloc(((size_t)workload->task_count + 1) * sizeof(*orders));
    if (!orders)
        return tk_fail(err, -ENOMEM, "out of memory");
    size_t count = 0;
    int rc = set_orders(workload, orders, &count, err);
    if (rc == 0 && count > 0)
        qsort(orders, count, sizeof(*orders), compare_orders);
    for (size_t i = 0, end; rc == 0 && i < count; i = end) {
        end = i + 1;
        while (end < count && orders[end].workflow == orders[i].workflow)
            end++;
        rc = write_workflow(simulation, &orders[i], end - i, err);
    }
    free(orders);
    return rc;
}

const struct tk_simulator tk_simulator_wfformat = {
    .name = "wfformat",
    .help = "workflows for WfCommons and its simulators, one per trace",
    .write = write,
};
