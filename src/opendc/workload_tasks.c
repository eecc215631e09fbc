/* SPDX-License-Identifier: Apache-2.0 */
/* Invocations become tasks, are joined to their processes, linked to each other and sorted. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/hash.h"
#include "opendc/workload_internal.h"
#include "run/exits.h"

#define TIME_MAX_MS 4102444800000 /* 2100: what lies beyond is a mistake of units */

/* Invocations --------------------------------------------------------------------------- */

/* module/path, the path or the command: whatever there is of the two. */
static tk_str name_of(struct tk_loader *loader, const struct tk_batch *batch, size_t row)
{
    tk_str module = tk_batch_text(batch, row, TK_INVOCATIONS_MODULE_ID);
    tk_str path = tk_batch_text(batch, row, TK_INVOCATIONS_PATH);
    bool is_cli = tk_str_eq(tk_batch_text(batch, row, TK_INVOCATIONS_METHOD), TK_STR("CLI"));
    if (is_cli && path.n > 0)
        return tk_loader_copy(loader, tk_str_base_name(path));
    if (module.n == 0 || path.n == 0)
        return tk_loader_copy(loader, path.n > 0 ? path : module);
    char *to = tk_arena_alloc(&loader->workload->text, module.n + 1 + path.n);
    if (!to)
        return (tk_str){NULL, 0};
    bool has_slash = path.p[0] == '/';
    memcpy(to, module.p, module.n);
    to[module.n] = '/';
    memcpy(to + module.n + !has_slash, path.p, path.n);
    return (tk_str){to, module.n + !has_slash + path.n};
}

/* The same trace, span, process and three times: told twice. */
static uint64_t hash_of(const struct tk_batch *batch, size_t row, uint32_t node)
{
    static const size_t texts[] = {TK_INVOCATIONS_TRACE_ID, TK_INVOCATIONS_SPAN_ID};
    static const size_t numbers[] = {TK_INVOCATIONS_PID, TK_INVOCATIONS_TS_ENQUEUE,
                                     TK_INVOCATIONS_TS_START, TK_INVOCATIONS_TS_END};
    uint64_t hash = node;
    for (size_t i = 0; i < TK_COUNTOF(texts); i++)
        hash = tk_hash_mix(hash, tk_hash_text(tk_batch_text(batch, row, texts[i])));
    for (size_t i = 0; i < TK_COUNTOF(numbers); i++)
        hash = tk_hash_mix(hash, (uint64_t)tk_batch_i64(batch, row, numbers[i], INT64_MIN));
    return hash;
}

/* 1 when it was there before. Those with neither trace nor span are never duplicates: access logs
 * hold many that look alike. */
static int is_duplicate(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                        uint32_t node, struct tk_err *err)
{
    uint32_t before;
    if (tk_batch_text(batch, row, TK_INVOCATIONS_TRACE_ID).n == 0 &&
        tk_batch_text(batch, row, TK_INVOCATIONS_SPAN_ID).n == 0)
        return 0;
    uint64_t hash = hash_of(batch, row, node);
    if (tk_map_find(&loader->seen, hash, &before))
        return 1;
    if (tk_map_add(&loader->seen, hash, 0) < 0)
        return tk_fail(err, -ENOMEM, "out of memory");
    return 0;
}

/* Note the first that is left out, by what a person would look for. */
static void note_skipped(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                         const char *why)
{
    char *to = loader->workload->counts.first_skipped;
    if (to[0])
        return;
    tk_str span = tk_batch_text(batch, row, TK_INVOCATIONS_SPAN_ID);
    tk_str trace = tk_batch_text(batch, row, TK_INVOCATIONS_TRACE_ID);
    (void)snprintf(to, sizeof(loader->workload->counts.first_skipped),
                   "trace %.*s, span %.*s, pid %lld: %s", TK_STR_ARG(trace), TK_STR_ARG(span),
                   (long long)tk_batch_i64(batch, row, TK_INVOCATIONS_PID, -1), why);
}

/* The three times as far as they make sense. */
static bool times_ok(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                     struct tk_task *task)
{
    struct tk_workload_counts *counts = &loader->workload->counts;
    task->start_ms = tk_batch_i64(batch, row, TK_INVOCATIONS_TS_START, 0);
    task->end_ms = tk_batch_i64(batch, row, TK_INVOCATIONS_TS_END, 0);
    task->enqueue_ms = tk_batch_i64(batch, row, TK_INVOCATIONS_TS_ENQUEUE, task->start_ms);
    if (task->start_ms <= 0 || task->end_ms <= 0 || task->end_ms > TIME_MAX_MS) {
        counts->no_times++;
        note_skipped(loader, batch, row, "ts_start or ts_end is missing, or no time in ms");
        return false;
    }
    if (task->end_ms < task->start_ms) {
        counts->negative++;
        note_skipped(loader, batch, row, "ts_end is before ts_start");
        return false;
    }
    if (task->enqueue_ms <= 0)
        task->enqueue_ms = task->start_ms;
    if (task->enqueue_ms > task->start_ms) {
        counts->late_enqueue++;
        task->enqueue_ms = task->start_ms;
    }
    if (task->end_ms == task->start_ms)
        task->end_ms++;
    task->submission_ms = task->enqueue_ms;
    return true;
}

static int64_t ms_to_ns(int64_t ms)
{
    int64_t ns;
    return ms >= 0 && tk_mul_i64(ms, 1000000, &ns) ? ns : -1;
}

static void set_texts(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                      struct tk_task *task)
{
    const struct {
        tk_str *text;
        size_t column;
    } texts[] = {
        {&task->trace, TK_INVOCATIONS_TRACE_ID},       {&task->span, TK_INVOCATIONS_SPAN_ID},
        {&task->parent, TK_INVOCATIONS_PARENT_ID},     {&task->module, TK_INVOCATIONS_MODULE_ID},
        {&task->method, TK_INVOCATIONS_METHOD},        {&task->path, TK_INVOCATIONS_PATH},
        {&task->input, TK_INVOCATIONS_INPUT},          {&task->output, TK_INVOCATIONS_OUTPUT},
        {&task->instance, TK_INVOCATIONS_INSTANCE_ID}, {&task->queue, TK_INVOCATIONS_QUEUE},
    };
    for (size_t i = 0; i < TK_COUNTOF(texts); i++)
        *texts[i].text = tk_loader_copy(loader, tk_batch_text(batch, row, texts[i].column));
    task->name = name_of(loader, batch, row);
}

static void set_figures(const struct tk_batch *batch, size_t row, struct tk_task *task)
{
    const struct {
        int64_t *figure;
        size_t column;
    } figures[] = {
        {&task->start_ticks, TK_INVOCATIONS_START_TICKS},
        {&task->tree_cpu_ns, TK_INVOCATIONS_CPU_NS},
        {&task->rss_kb, TK_INVOCATIONS_MAX_RSS_KB},
        {&task->bytes_in, TK_INVOCATIONS_BYTES_IN},
        {&task->bytes_out, TK_INVOCATIONS_BYTES_OUT},
        {&task->rd_bytes, TK_INVOCATIONS_RD_BYTES},
        {&task->wr_bytes, TK_INVOCATIONS_WR_BYTES},
        {&task->status, TK_INVOCATIONS_STATUS},
        {&task->req_cpu_units, TK_INVOCATIONS_REQ_CPU_UNITS},
        {&task->req_mem_kb, TK_INVOCATIONS_REQ_MEM_KB},
    };
    for (size_t i = 0; i < TK_COUNTOF(figures); i++) {
        int64_t value = tk_batch_i64(batch, row, figures[i].column, -1);
        *figures[i].figure = value >= 0 ? value : -1;
    }
    int64_t peak_bytes = tk_batch_i64(batch, row, TK_INVOCATIONS_MEM_PEAK_BYTES, -1);
    if (peak_bytes > 0)
        task->rss_kb = (peak_bytes + 1023) / 1024;
    task->pid = tk_batch_i64(batch, row, TK_INVOCATIONS_HOST_PID,
                             tk_batch_i64(batch, row, TK_INVOCATIONS_PID, -1));
    task->thread_cpu_ns = ms_to_ns(tk_batch_i64(batch, row, TK_INVOCATIONS_CPU_TIME_MS, -1));
    int64_t birth_ms = tk_batch_i64(batch, row, TK_INVOCATIONS_PID_START_MS, 0);
    task->birth_us = birth_ms > 0 && birth_ms < TIME_MAX_MS ? birth_ms * 1000 : INT64_MIN;
    task->is_command = task->tree_cpu_ns >= 0 ||
                       tk_str_eq(tk_batch_text(batch, row, TK_INVOCATIONS_METHOD), TK_STR("CLI"));
}

/* Rows of this process are to be kept; by the pid of its namespace too, which may be all that the
 * invocation knows. */
static int want(struct tk_loader *loader, uint32_t node, int64_t pid, struct tk_err *err)
{
    if (pid < 0)
        return 0;
    return tk_map_add(&loader->wanted, tk_hash_mix(node, (uint64_t)pid), 0) < 0
               ? tk_fail(err, -ENOMEM, "out of memory")
               : 0;
}

static int take_invocation(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                           struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    struct tk_task task = {.process = TK_NONE, .next = TK_NONE, .first_in_tree = TK_NONE};
    workload->counts.invocations++;
    task.node = tk_loader_node(loader, batch, row, TK_INVOCATIONS_NODE, TK_INVOCATIONS_HOST);
    if (task.node == TK_NONE || !times_ok(loader, batch, row, &task))
        return 0;
    int rc = is_duplicate(loader, batch, row, task.node, err);
    if (rc != 0) {
        workload->counts.duplicates += rc > 0;
        return rc < 0 ? rc : 0;
    }
    void *grown = tk_loader_grow(workload->tasks, workload->task_count, &loader->task_cap,
                                 sizeof(*workload->tasks));
    if (!grown)
        return tk_fail(err, -ENOMEM, "out of memory for %u tasks", workload->task_count);
    workload->tasks = grown;
    set_texts(loader, batch, row, &task);
    set_figures(batch, row, &task);
    task.order = workload->task_count;
    if (task.tree_cpu_ns >= 0)
        workload->folders[loader->folder].has_trees = true;
    workload->tasks[workload->task_count++] = task;
    return want(loader, task.node, task.pid, err);
}

static int is_wanted_entry(const struct dirent *entry)
{
    return tk_run_is_events_file(tk_str_from(entry->d_name));
}

/* Every events.*.jsonl of the folder in the order of names; the number of files, or an error. */
static int read_event_files(struct tk_loader *loader, struct tk_err *err)
{
    struct dirent **entries;
    int dirfd = loader->workload->folders[loader->folder].dirfd;
    int count = scandirat(dirfd, ".", &entries, is_wanted_entry, alphasort);
    if (count < 0)
        return tk_fail_errno(err, "run folder");
    int rc = 0;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (rc >= 0)
            rc = tk_loader_read(loader, name, &tk_schema_invocations, take_invocation, err);
        free(entries[i]);
    }
    free((void *)entries);
    return rc < 0 ? rc : count;
}

/* Raw files are the source; what parse made of them is read only where they are not. */
int tk_loader_read_invocations(struct tk_loader *loader, struct tk_err *err)
{
    int files = read_event_files(loader, err);
    if (files < 0)
        return files;
    int rc =
        tk_loader_read(loader, "invocations.jsonl", &tk_schema_invocations, take_invocation, err);
    static const char *const derived[] = {"cctf/invocations.jsonl", "CTS/invocations.jsonl"};
    for (size_t i = 0; i < TK_COUNTOF(derived) && rc == 1 && files == 0; i++)
        rc = tk_loader_read(loader, derived[i], &tk_schema_invocations, take_invocation, err);
    return rc < 0 ? rc : 0;
}

/* Processes of tasks ------------------------------------------------------------------------ */

#define BIRTH_TOLERANCE_US 50000

static const struct tk_folder *folder_of(const struct tk_workload *workload, uint32_t node)
{
    return &workload->folders[workload->nodes[node].folder];
}

/* When a process was there for sure: its birth, else its first reading less an interval. */
static int64_t born_us(const struct tk_workload *workload, const struct tk_process *process)
{
    const struct tk_folder *folder = folder_of(workload, process->node);
    if (process->birth_us != INT64_MIN)
        return process->birth_us - BIRTH_TOLERANCE_US;
    int64_t interval_us = folder->interval_us > 0 ? folder->interval_us : 1000000;
    return process->first_us - interval_us - BIRTH_TOLERANCE_US;
}

/* Of the processes that had the pid the one that was alive at the start of the task, else the first
 * that was born while the task went on. */
static uint32_t alive_at(const struct tk_workload *workload, uint32_t last,
                         const struct tk_task *task)
{
    uint32_t born_within = TK_NONE;
    for (uint32_t i = last; i != TK_NONE; i = workload->processes[i].same_pid) {
        const struct tk_process *process = &workload->processes[i];
        int64_t from_us = born_us(workload, process);
        if (from_us <= task->start_ms * 1000) {
            bool is_gone = process->exit_us != INT64_MIN &&
                           process->exit_us + BIRTH_TOLERANCE_US < task->start_ms * 1000;
            return is_gone ? born_within : i;
        }
        if (from_us <= task->end_ms * 1000)
            born_within = i;
    }
    return born_within;
}

static uint32_t find_process(const struct tk_loader *loader, const struct tk_task *task)
{
    const struct tk_workload *workload = loader->workload;
    uint32_t last;
    if (task->pid < 0 ||
        !tk_map_find(&loader->by_pid, tk_hash_mix(task->node, (uint64_t)task->pid), &last))
        return TK_NONE;
    if (loader->options->pid_joins)
        return last;
    if (task->start_ticks < 0)
        return alive_at(workload, last, task);
    bool all_tell = true;
    for (uint32_t i = last; i != TK_NONE; i = workload->processes[i].same_pid) {
        if (workload->processes[i].start_ticks == task->start_ticks)
            return i;
        all_tell = all_tell && workload->processes[i].start_ticks >= 0;
    }
    return all_tell ? TK_NONE : alive_at(workload, last, task);
}

/* A pid of a container's namespace, where the container is the task's instance. */
static bool is_in_container(const struct tk_process *process, const struct tk_task *task)
{
    return process->ns_pid == task->pid && process->container.n > 0 && task->instance.n > 0 &&
           (tk_str_starts_with(process->container, task->instance) ||
            tk_str_starts_with(task->instance, process->container));
}

static uint32_t find_in_container(const struct tk_loader *loader, const struct tk_task *task)
{
    const struct tk_workload *workload = loader->workload;
    uint32_t at;
    uint64_t key = tk_hash_mix(tk_hash_mix(task->node, (uint64_t)task->pid), 1);
    if (task->pid < 0 || !tk_map_find(&loader->by_pid, key, &at))
        return TK_NONE;
    return is_in_container(&workload->processes[at], task) ? at : TK_NONE;
}

static void join(struct tk_loader *loader, uint32_t index)
{
    struct tk_workload *workload = loader->workload;
    struct tk_task *task = &workload->tasks[index];
    uint32_t found = find_in_container(loader, task);
    if (found == TK_NONE)
        found = find_process(loader, task);
    task->process = found;
    if (found == TK_NONE) {
        workload->counts.not_sampled++;
        return;
    }
    struct tk_process *process = &workload->processes[found];
    if (process->birth_us == INT64_MIN)
        process->birth_us = task->birth_us;
    if (task->tree_cpu_ns >= 0) {
        process->tree = index;
        return;
    }
    task->next = process->first_task;
    process->first_task = index;
    process->tasks++;
}

/* Trees --------------------------------------------------------------------------------------- */

/* The parent of a process: of those with that pid the last that was born before it. */
static uint32_t parent_of(const struct tk_loader *loader, const struct tk_process *process)
{
    const struct tk_workload *workload = loader->workload;
    uint32_t at;
    if (process->ppid <= 0 ||
        !tk_map_find(&loader->by_pid, tk_hash_mix(process->node, (uint64_t)process->ppid), &at))
        return TK_NONE;
    int64_t born = born_us(workload, process);
    while (at != TK_NONE && born_us(workload, &workload->processes[at]) > born)
        at = workload->processes[at].same_pid;
    return at;
}

/* Up from a process to the first ancestor whose tree is known. The way is marked, so that no part
 * of it is gone twice, and a circle of parents (pids that were used again) ends. */
static uint32_t tree_of(const struct tk_loader *loader, uint32_t index, uint8_t *visited)
{
    struct tk_process *processes = loader->workload->processes;
    uint32_t at = index;
    while (at != TK_NONE && processes[at].tree == TK_NONE && !visited[at]) {
        visited[at] = 1;
        at = parent_of(loader, &processes[at]);
    }
    uint32_t tree = at == TK_NONE ? TK_NONE : processes[at].tree;
    for (at = index; at != TK_NONE && processes[at].tree != tree && tree != TK_NONE;
         at = parent_of(loader, &processes[at]))
        processes[at].tree = tree;
    return tree;
}

static int set_trees(struct tk_loader *loader, struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    uint8_t *visited = calloc((size_t)workload->process_count + 1, 1);
    if (!visited)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < workload->process_count; i++) {
        struct tk_process *process = &workload->processes[i];
        if (!folder_of(workload, process->node)->has_trees)
            continue;
        uint32_t tree = process->tree != TK_NONE ? process->tree : tree_of(loader, i, visited);
        if (tree == TK_NONE)
            continue;
        process->next_in_tree = workload->tasks[tree].first_in_tree;
        workload->tasks[tree].first_in_tree = i;
    }
    free(visited);
    return 0;
}

int tk_loader_join(struct tk_loader *loader, struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    if (workload->mode != TK_MODE_SPLIT)
        return 0;
    for (uint32_t i = 0; i < workload->task_count; i++)
        join(loader, i);
    return set_trees(loader, err);
}

/* Sorting -------------------------------------------------------------------------------------- */

static int compare_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* By submission, node, start, span, then arrival. */
static int compare_tasks(const void *a, const void *b, void *context)
{
    const struct tk_workload *workload = context;
    const struct tk_task *first = &workload->tasks[*(const uint32_t *)a];
    const struct tk_task *second = &workload->tasks[*(const uint32_t *)b];
    int rc = compare_i64(first->submission_ms, second->submission_ms);
    const struct tk_node *nodes = workload->nodes;
    rc = rc ? rc : tk_str_cmp(nodes[first->node].node, nodes[second->node].node);
    rc = rc ? rc : compare_i64(first->node, second->node);
    rc = rc ? rc : compare_i64(first->start_ms, second->start_ms);
    rc = rc ? rc : tk_str_cmp(first->span, second->span);
    return rc ? rc : compare_i64(first->order, second->order);
}

int tk_loader_sort(struct tk_loader *loader, struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    workload->sorted = malloc(((size_t)workload->task_count + 1) * sizeof(*workload->sorted));
    if (!workload->sorted)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < workload->task_count; i++)
        workload->sorted[i] = i;
    qsort_r(workload->sorted, workload->task_count, sizeof(*workload->sorted), compare_tasks,
            workload);
    if (workload->task_count > INT32_MAX)
        return tk_fail(err, -EMSGSIZE, "more tasks than OpenDC has ids");
    for (uint32_t i = 0; i < workload->task_count; i++)
        workload->tasks[workload->sorted[i]].id = (int32_t)(i + 1);
    return 0;
}
