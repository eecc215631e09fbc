/* SPDX-License-Identifier: Apache-2.0 */
/* Chrome's trace event format, which Perfetto opens: a process per node, a thread per process that
 * served tasks, a slice per task, arrows from parents to children, counters of CPU and memory. */
#include <errno.h>

#include "base/json.h"
#include "base/number.h"
#include "opendc/simulators.h"
#include "run/out.h"

#define LINE_MAX_BYTES 65536

/* A file of events, one a line. */
struct events {
    struct tk_out out;
    struct tk_buf line;
    bool has_any;
};

static void begin(struct events *events, const char *phase, uint32_t node, int64_t thread,
                  tk_str name)
{
    struct tk_buf *line = &events->line;
    tk_buf_reset(line);
    tk_buf_puts(line, events->has_any ? ",\n" : "\n");
    events->has_any = true;
    tk_buf_printf(line, "{\"ph\":\"%s\",\"pid\":%u,\"tid\":%lld", phase, node + 1,
                  (long long)thread);
    tk_json_put_member_str(line, "name", name);
}

static void end(struct events *events)
{
    tk_buf_putc(&events->line, '}');
    tk_out_put(&events->out, tk_buf_str(&events->line));
}

static void put_i64(struct events *events, const char *key, int64_t value)
{
    tk_json_put_member_i64(&events->line, key, value);
}

/* What a person sees instead of a number. */
static void put_label(struct events *events, uint32_t node, int64_t thread, bool is_thread,
                      tk_str label)
{
    begin(events, "M", node, thread, is_thread ? TK_STR("thread_name") : TK_STR("process_name"));
    tk_buf_lit(&events->line, ",\"args\":{\"name\":");
    tk_json_put_str(&events->line, label);
    tk_buf_putc(&events->line, '}');
    end(events);
}

static int64_t thread_of(const struct tk_task *task)
{
    return task->pid > 0 ? task->pid : 0;
}

static void put_task(struct events *events, const struct tk_task *task)
{
    begin(events, "X", task->node, thread_of(task), task->name);
    put_i64(events, "ts", task->start_ms * 1000);
    put_i64(events, "dur", (task->end_ms - task->start_ms) * 1000);
    tk_json_put_key(&events->line, "args");
    tk_buf_putc(&events->line, '{');
    tk_json_put_member_str(&events->line, "trace_id", task->trace);
    tk_json_put_member_str(&events->line, "span_id", task->span);
    put_i64(events, "cpu_us", task->cpu_ns / 1000);
    put_i64(events, "wait_us", (task->start_ms - task->enqueue_ms) * 1000);
    put_i64(events, "status", task->status);
    tk_buf_putc(&events->line, '}');
    end(events);
}

/* Both ends of an arrow have the child's id. */
static void put_arrow(struct events *events, const struct tk_task *parent,
                      const struct tk_task *child)
{
    begin(events, "s", parent->node, thread_of(parent), TK_STR("parent"));
    tk_buf_lit(&events->line, ",\"cat\":\"span\"");
    put_i64(events, "id", child->id);
    put_i64(events, "ts", parent->end_ms * 1000 - 1);
    end(events);
    begin(events, "f", child->node, thread_of(child), TK_STR("parent"));
    tk_buf_lit(&events->line, ",\"cat\":\"span\",\"bp\":\"e\"");
    put_i64(events, "id", child->id);
    put_i64(events, "ts", child->start_ms * 1000);
    end(events);
}

static void put_counter(struct events *events, const struct tk_process *process, tk_str name,
                        const struct tk_point *before, const struct tk_point *at)
{
    begin(events, "C", process->node, process->pid, name);
    put_i64(events, "id", process->pid);
    put_i64(events, "ts", before->us);
    tk_buf_lit(&events->line, ",\"args\":{\"cores\":");
    tk_buf_put_f64(&events->line,
                   (double)(at->cpu_ns - before->cpu_ns) / 1000 / (double)(at->us - before->us), 3);
    if (at->rss_kb >= 0)
        put_i64(events, "rss_kb", at->rss_kb);
    tk_buf_putc(&events->line, '}');
    end(events);
}

/* Of an interval the counter holds from its begin on. */
static void put_counters(struct events *events, const struct tk_process *process)
{
    struct tk_point before = {.us = INT64_MIN};
    for (const struct tk_points *points = process->first; points; points = points->next) {
        for (uint32_t i = 0; i < points->count; i++) {
            if (before.us != INT64_MIN)
                put_counter(events, process, TK_STR("cpu"), &before, &points->items[i]);
            before = points->items[i];
        }
    }
}

static void put_all(struct events *events, const struct tk_simulation *simulation)
{
    const struct tk_workload *workload = simulation->workload;
    tk_out_put(&events->out, TK_STR("{\"displayTimeUnit\":\"ms\",\"traceEvents\":["));
    for (uint32_t i = 0; i < workload->node_count; i++)
        put_label(events, i, 0, false, tk_str_from(simulation->node_names[i]));
    for (uint32_t i = 0; i < workload->process_count; i++) {
        const struct tk_process *process = &workload->processes[i];
        if (process->tasks == 0 && process->tree == TK_NONE)
            continue;
        put_label(events, process->node, process->pid, true, process->comm);
        put_counters(events, process);
    }
    for (uint32_t i = 0; i < workload->task_count; i++) {
        const struct tk_task *task = &workload->tasks[workload->sorted[i]];
        if (task->id == 0)
            continue;
        put_task(events, task);
        for (uint32_t k = 0; k < task->parent_count; k++) {
            if (workload->tasks[task->parents[k]].id != 0)
                put_arrow(events, &workload->tasks[task->parents[k]], task);
        }
    }
    tk_out_put(&events->out, TK_STR("\n]}\n"));
}

static int write(const struct tk_simulation *simulation, struct tk_err *err)
{
    struct events events = {.out = TK_OUT_NONE};
    tk_buf_init(&events.line, LINE_MAX_BYTES);
    int rc = tk_out_open(&events.out, simulation->dirfd, "trace.json", NULL, err);
    if (rc == 0) {
        put_all(&events, simulation);
        rc = tk_out_close(&events.out, err);
    }
    tk_buf_release(&events.line);
    tk_out_release(&events.out);
    return rc;
}

const struct tk_simulator tk_simulator_chrome = {
    .name = "chrome",
    .help = "trace.json for Perfetto (ui.perfetto.dev) and chrome://tracing",
    .write = write,
};
