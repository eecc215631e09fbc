/* SPDX-License-Identifier: Apache-2.0 */
/* Readings and ends of processes, kept per identity: node, pid, start. Where the start is unknown,
 * counters that fall tell that another process has the pid. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/clock.h"
#include "base/hash.h"
#include "opendc/workload_internal.h"
#include "run/exits.h"

#define FIRST_POINTS 4
#define MOST_POINTS  256
#define RESTART_NS   100000000 /* no process loses so much CPU time */

/* A row of proc_metrics or proc_exit, as far as it counts here. */
struct reading {
    uint32_t node;
    int64_t pid;
    int64_t start_ticks; /* -1 = unknown, so below */
    int64_t ppid;
    int64_t ns_pid;
    int64_t us;
    int64_t cpu_ns; /* since birth */
    int64_t rss_kb;
    int64_t birth_us; /* INT64_MIN = unknown */
    tk_str comm;
    tk_str container;
};

/* Processes ------------------------------------------------------------------------------ */

static uint64_t pid_key(uint32_t node, int64_t pid)
{
    return tk_hash_mix(node, (uint64_t)pid);
}

/* The process of a reading; NULL when it is new, `*ret_key` is then its free key. */
static struct tk_process *find_process(const struct tk_loader *loader,
                                       const struct reading *reading, uint64_t *ret_key)
{
    uint64_t key =
        tk_hash_mix(pid_key(reading->node, reading->pid), (uint64_t)reading->start_ticks);
    uint32_t index;
    for (; tk_map_find(&loader->processes, key, &index); key++) {
        struct tk_process *process = &loader->workload->processes[index];
        if (process->pid == reading->pid && process->start_ticks == reading->start_ticks &&
            process->node == reading->node) {
            *ret_key = key;
            return process;
        }
    }
    *ret_key = key;
    return NULL;
}

static int add_process(struct tk_loader *loader, const struct reading *reading, uint64_t key,
                       struct tk_process **ret_process, struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    void *grown = tk_loader_grow(workload->processes, workload->process_count, &loader->process_cap,
                                 sizeof(*workload->processes));
    if (!grown)
        return tk_fail(err, -ENOMEM, "out of memory for %u processes", workload->process_count);
    workload->processes = grown;
    uint32_t index = workload->process_count;
    uint32_t before = TK_NONE;
    uint64_t by_pid = pid_key(reading->node, reading->pid);
    (void)tk_map_find(&loader->by_pid, by_pid, &before);
    workload->processes[index] = (struct tk_process){
        .node = reading->node,
        .same_pid = before,
        .pid = reading->pid,
        .start_ticks = reading->start_ticks,
        .ppid = reading->ppid,
        .ns_pid = reading->ns_pid,
        .birth_us = reading->birth_us,
        .first_us = reading->us,
        .last_us = INT64_MIN,
        .exit_us = INT64_MIN,
        .exit_cpu_ns = -1,
        .exit_rss_kb = -1,
        .comm = tk_loader_copy(loader, reading->comm),
        .container = tk_loader_copy(loader, reading->container),
        .first_task = TK_NONE,
        .tree = TK_NONE,
        .next_in_tree = TK_NONE,
    };
    int rc = tk_map_add(&loader->processes, key, index);
    rc = rc < 0 ? rc : tk_map_add(&loader->by_pid, by_pid, index);
    if (rc == 0 && reading->ns_pid >= 0) {
        uint64_t in_container = tk_hash_mix(pid_key(reading->node, reading->ns_pid), 1);
        rc = tk_map_add(&loader->by_pid, in_container, index);
    }
    if (rc < 0)
        return tk_fail(err, -ENOMEM, "out of memory for %u processes", index);
    workload->process_count++;
    workload->counts.processes++;
    *ret_process = &workload->processes[index];
    return 0;
}

static bool is_wanted(const struct tk_loader *loader, const struct reading *reading)
{
    uint32_t unused;
    const struct tk_folder *folder = &loader->workload->folders[loader->folder];
    return loader->keeps_all || folder->has_trees ||
           tk_map_find(&loader->wanted, pid_key(reading->node, reading->pid), &unused) ||
           (reading->ns_pid >= 0 &&
            tk_map_find(&loader->wanted, pid_key(reading->node, reading->ns_pid), &unused));
}

/* Readings -------------------------------------------------------------------------------- */

static int add_point(struct tk_loader *loader, struct tk_process *process, struct tk_point point,
                     struct tk_err *err)
{
    struct tk_points *last = process->last;
    if (!last || last->count == last->cap) {
        uint32_t cap = !last ? FIRST_POINTS : last->cap < MOST_POINTS ? last->cap * 2 : MOST_POINTS;
        struct tk_points *more =
            tk_arena_alloc(&loader->workload->points, sizeof(*more) + cap * sizeof(more->items[0]));
        if (!more)
            return tk_fail(err, -ENOMEM, "out of memory for readings of processes");
        *more = (struct tk_points){.cap = cap};
        if (last) {
            last->next = more;
        } else {
            process->first = more;
        }
        process->last = last = more;
    }
    last->items[last->count++] = point;
    process->point_count++;
    process->last_us = point.us;
    process->last_ns = point.cpu_ns;
    loader->workload->counts.samples++;
    return 0;
}

/* The reading goes on from the last one of its process. */
static int add_reading(struct tk_loader *loader, struct tk_process *process,
                       const struct reading *reading, struct tk_err *err)
{
    if (reading->cpu_ns < 0)
        return 0;
    if (process->last_us != INT64_MIN && reading->us < process->last_us) {
        loader->workload->counts.backward++;
        return 0;
    }
    if (reading->us < process->first_us)
        process->first_us = reading->us;
    struct tk_point point = {reading->us, reading->cpu_ns, reading->rss_kb};
    /* Two clocks of one process may differ by a tick; what was told stays told. */
    if (process->last_us != INT64_MIN && point.cpu_ns < process->last_ns)
        point.cpu_ns = process->last_ns;
    if (reading->us == process->last_us) {
        process->last->items[process->last->count - 1].cpu_ns = point.cpu_ns;
        process->last_ns = point.cpu_ns;
        return 0;
    }
    return add_point(loader, process, point, err);
}

/* The counters fell, so that another process has the pid: its start may be unknown, or the same
 * ticks after a reboot within the run. */
static bool is_another(const struct tk_process *process, const struct reading *reading)
{
    int64_t tolerance_ns = process->start_ticks < 0 ? 0 : RESTART_NS;
    return process->last_us != INT64_MIN && reading->cpu_ns >= 0 &&
           reading->us >= process->last_us && reading->cpu_ns < process->last_ns - tolerance_ns;
}

static int64_t ticks_to_ns(const struct tk_folder *folder, int64_t ticks)
{
    int64_t ns;
    return ticks >= 0 && tk_mul_i64(ticks, TK_NS_PER_S, &ns) ? ns / folder->clk_tck : -1;
}

/* CPU time of a row since the birth of its process: its clock, else its ticks; -1 = neither. */
static int64_t cpu_of(const struct tk_folder *folder, const struct tk_batch *batch, size_t row)
{
    int64_t cpu_ns = tk_batch_i64(batch, row, TK_PROC_METRICS_CPU_NS, -1);
    int64_t utime = tk_batch_i64(batch, row, TK_PROC_METRICS_UTIME, -1);
    int64_t stime = tk_batch_i64(batch, row, TK_PROC_METRICS_STIME, -1);
    int64_t ticks;
    if (cpu_ns >= 0)
        return cpu_ns;
    return utime >= 0 && stime >= 0 && tk_add_i64(utime, stime, &ticks) ? ticks_to_ns(folder, ticks)
                                                                        : -1;
}

/* Rows of generation 2 hold the difference to the row before. */
static int take_difference(struct tk_loader *loader, struct tk_process *process,
                           struct reading *reading, int64_t dt_ms, int64_t cpu_ms,
                           struct tk_err *err)
{
    int64_t cpu_ns;
    if (cpu_ms < 0 || dt_ms < 0 || dt_ms > reading->us / 1000 ||
        !tk_mul_i64(cpu_ms, TK_NS_PER_MS, &cpu_ns))
        return 0;
    if (process->last_us == INT64_MIN && dt_ms > 0) {
        struct reading before = *reading;
        before.us = reading->us - dt_ms * 1000;
        before.cpu_ns = 0;
        int rc = add_reading(loader, process, &before, err);
        if (rc < 0)
            return rc;
    }
    reading->cpu_ns = process->last_us == INT64_MIN ? 0 : process->last_ns + cpu_ns;
    return add_reading(loader, process, reading, err);
}

static int64_t birth_of(const struct tk_folder *folder, int64_t start_ticks)
{
    const struct tk_birth birth = {.clk_tck = folder->clk_tck, .boot_us = folder->boot_us};
    return start_ticks < 0 || folder->boot_us == INT64_MIN ? INT64_MIN
                                                           : tk_birth_us(&birth, start_ticks);
}

static int take_sample(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                       struct tk_err *err)
{
    const struct tk_folder *folder = &loader->workload->folders[loader->folder];
    struct reading reading = {
        .node = tk_loader_node(loader, batch, row, TK_PROC_METRICS_NODE, TK_PROC_METRICS_HOST),
        .pid = tk_batch_i64(batch, row, TK_PROC_METRICS_PID, -1),
        .start_ticks = tk_batch_i64(batch, row, TK_PROC_METRICS_START_TICKS, -1),
        .ppid = tk_batch_i64(batch, row, TK_PROC_METRICS_PPID, -1),
        .ns_pid = tk_batch_i64(batch, row, TK_PROC_METRICS_NS_PID, -1),
        .us = tk_loader_stamp(batch, row, TK_PROC_METRICS_TS_US, TK_PROC_METRICS_TS_MS),
        .rss_kb = tk_batch_i64(batch, row, TK_PROC_METRICS_RSS_KB, -1),
        .comm = tk_batch_text(batch, row, TK_PROC_METRICS_COMM),
        .container = tk_batch_text(batch, row, TK_PROC_METRICS_CONTAINER),
    };
    if (reading.node == TK_NONE || reading.pid < 0 || reading.us == INT64_MIN ||
        !is_wanted(loader, &reading))
        return 0;
    reading.cpu_ns = cpu_of(folder, batch, row);
    reading.birth_us = birth_of(folder, reading.start_ticks);
    uint64_t key;
    struct tk_process *process = find_process(loader, &reading, &key);
    int rc = 0;
    if (!process || is_another(process, &reading))
        rc = add_process(loader, &reading, key, &process, err);
    if (rc < 0)
        return rc;
    int64_t dt_ms = tk_batch_i64(batch, row, TK_PROC_METRICS_DT_MS, -1);
    int64_t cpu_ms = tk_batch_i64(batch, row, TK_PROC_METRICS_CPU_MS, -1);
    if (dt_ms >= 0 && reading.cpu_ns < 0)
        return take_difference(loader, process, &reading, dt_ms, cpu_ms, err);
    return add_reading(loader, process, &reading, err);
}

/* Ends -------------------------------------------------------------------------------------- */

/* The process that an exit record is of, if it was read: where the record does not tell its start,
 * the last with this pid, unless that was last read before the record's process was born. */
static struct tk_process *find_ended(const struct tk_loader *loader, const struct reading *reading,
                                     uint64_t *ret_key)
{
    struct tk_process *process = find_process(loader, reading, ret_key);
    uint32_t index;
    if (process || reading->start_ticks >= 0 ||
        !tk_map_find(&loader->by_pid, pid_key(reading->node, reading->pid), &index))
        return process;
    process = &loader->workload->processes[index];
    return process->last_us >= reading->birth_us ? process : NULL;
}

static int take_exit(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                     struct tk_err *err)
{
    const struct tk_folder *folder = &loader->workload->folders[loader->folder];
    struct reading reading = {
        .node = tk_loader_node(loader, batch, row, TK_PROC_EXIT_NODE, SIZE_MAX),
        .pid = tk_batch_i64(batch, row, TK_PROC_EXIT_PID, -1),
        .start_ticks = tk_batch_i64(batch, row, TK_PROC_EXIT_START_TICKS, -1),
        .ppid = tk_batch_i64(batch, row, TK_PROC_EXIT_PPID, -1),
        .ns_pid = -1,
        .us = tk_loader_stamp(batch, row, TK_PROC_EXIT_TS_US, TK_PROC_EXIT_TS_MS),
        .cpu_ns = tk_batch_i64(batch, row, TK_PROC_EXIT_CPU_NS, -1),
        .rss_kb = tk_batch_i64(batch, row, TK_PROC_EXIT_MAX_RSS_KB, -1),
        .birth_us = tk_batch_i64(batch, row, TK_PROC_EXIT_START_US, INT64_MIN),
        .comm = tk_batch_text(batch, row, TK_PROC_EXIT_COMM),
    };
    if (reading.node == TK_NONE || reading.pid < 0 || reading.us == INT64_MIN ||
        !is_wanted(loader, &reading))
        return 0;
    if (reading.birth_us == INT64_MIN)
        reading.birth_us = birth_of(folder, reading.start_ticks);
    uint64_t key;
    struct tk_process *process = find_ended(loader, &reading, &key);
    int rc = process ? 0 : add_process(loader, &reading, key, &process, err);
    if (rc < 0)
        return rc;
    if (tk_batch_has(batch, row, TK_PROC_EXIT_START_US))
        process->birth_us = reading.birth_us;
    if (process->ppid < 0)
        process->ppid = reading.ppid;
    process->exit_us = reading.us;
    process->exit_cpu_ns = reading.cpu_ns;
    process->exit_rss_kb = reading.rss_kb;
    return 0;
}

int tk_loader_read_processes(struct tk_loader *loader, struct tk_err *err)
{
    int rc = tk_loader_read_table(loader, TK_TABLE_PROC_METRICS, take_sample, err);
    rc = rc < 0 ? rc : tk_loader_read_table(loader, TK_TABLE_PROC_EXIT, take_exit, err);
    return rc < 0 ? rc : 0;
}

/* Load of hosts ------------------------------------------------------------------------------ */

/* A node's load goes on as if the machine were one process: cpu_util is of all cores. */
static int take_load(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                     uint32_t node_index, struct tk_err *err)
{
    const struct tk_node *node = &loader->workload->nodes[node_index];
    double util = tk_batch_f64(batch, row, TK_HOST_METRICS_CPU_UTIL, 0);
    struct reading reading = {
        .node = node_index,
        .start_ticks = -1,
        .ppid = -1,
        .ns_pid = -1,
        .us = tk_loader_stamp(batch, row, TK_HOST_METRICS_TS_US, TK_HOST_METRICS_TS_MS),
        .rss_kb = -1,
        .birth_us = INT64_MIN,
        .comm = node->host.n > 0 ? node->host : node->node,
    };
    uint64_t key;
    struct tk_process *process = find_process(loader, &reading, &key);
    int rc = process ? 0 : add_process(loader, &reading, key, &process, err);
    if (rc < 0 || !process)
        return rc;
    int64_t dt_ms = tk_batch_i64(batch, row, TK_HOST_METRICS_DT_MS, -1);
    if (dt_ms < 0)
        dt_ms = process->last_us == INT64_MIN ? 0 : (reading.us - process->last_us) / 1000;
    if (util < 0 || util > 100 || dt_ms < 0 || dt_ms > 86400000)
        return 0;
    /* Two decimals of a per cent, so that the product is whole. */
    int64_t cpu_ns = (int64_t)(util * 100 + 0.5) * node->cores * dt_ms * 100;
    return take_difference(loader, process, &reading, dt_ms, cpu_ns / TK_NS_PER_MS, err);
}

static int take_host(struct tk_loader *loader, const struct tk_batch *batch, size_t row,
                     struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    uint32_t index = tk_loader_node(loader, batch, row, TK_HOST_METRICS_NODE, TK_HOST_METRICS_HOST);
    if (index == TK_NONE)
        return 0;
    struct tk_node *node = &workload->nodes[index];
    double mhz = tk_batch_f64(batch, row, TK_HOST_METRICS_FREQ_MHZ, 0);
    if (mhz > 0) {
        node->measured_sum += mhz;
        node->measured_count++;
    }
    if (!loader->reads_load || !tk_batch_has(batch, row, TK_HOST_METRICS_CPU_UTIL) ||
        tk_loader_stamp(batch, row, TK_HOST_METRICS_TS_US, TK_HOST_METRICS_TS_MS) == INT64_MIN)
        return 0;
    return take_load(loader, batch, row, index, err);
}

int tk_loader_read_hosts(struct tk_loader *loader, struct tk_err *err)
{
    int rc = tk_loader_read_table(loader, TK_TABLE_HOST_METRICS, take_host, err);
    return rc < 0 ? rc : 0;
}

/* Tasks of processes ------------------------------------------------------------------------ */

static int add_service(struct tk_loader *loader, uint32_t index, struct tk_err *err)
{
    struct tk_workload *workload = loader->workload;
    struct tk_process *process = &workload->processes[index];
    const struct tk_folder *folder = &workload->folders[workload->nodes[process->node].folder];
    int64_t from_us = process->first_us;
    if (process->birth_us != INT64_MIN && process->birth_us < from_us &&
        (folder->start_us == INT64_MIN || process->birth_us >= folder->start_us))
        from_us = process->birth_us;
    int64_t to_us = process->exit_us != INT64_MIN ? process->exit_us : process->last_us;
    if (to_us <= from_us)
        return 0; /* one reading: nothing is known of its CPU time */
    void *grown = tk_loader_grow(workload->tasks, workload->task_count, &loader->task_cap,
                                 sizeof(*workload->tasks));
    if (!grown)
        return tk_fail(err, -ENOMEM, "out of memory for %u tasks", workload->task_count);
    workload->tasks = grown;
    int64_t start_ms = from_us / 1000;
    int64_t end_ms = (to_us + 999) / 1000;
    workload->tasks[workload->task_count] = (struct tk_task){
        .node = process->node,
        .process = index,
        .next = TK_NONE,
        .first_in_tree = TK_NONE,
        .order = workload->task_count,
        .name = process->comm,
        .pid = process->pid,
        .start_ticks = process->start_ticks,
        .birth_us = process->birth_us,
        .enqueue_ms = start_ms,
        .start_ms = start_ms,
        .end_ms = end_ms > start_ms ? end_ms : start_ms + 1,
        .submission_ms = start_ms,
        .tree_cpu_ns = -1,
        .thread_cpu_ns = -1,
        .rss_kb = process->exit_rss_kb,
        .bytes_in = -1,
        .bytes_out = -1,
        .rd_bytes = -1,
        .wr_bytes = -1,
        .status = -1,
        .req_cpu_units = -1,
        .req_mem_kb = -1,
    };
    process->tasks = 1;
    process->first_task = workload->task_count++;
    return 0;
}

int tk_loader_add_services(struct tk_loader *loader, struct tk_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < loader->workload->process_count; i++)
        rc = add_service(loader, i, err);
    return rc;
}
