/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: their rows ascend, and whose rows there are. */
#include "base/hash.h"
#include "run/verify_internal.h"

#define US_PER_MS 1000

/* A pid and the start of its process; -1 = unknown. */
static uint64_t identity(uint64_t node, int64_t pid, int64_t start_ticks)
{
    return tk_hash_mix(node, tk_hash_mix((uint64_t)pid, (uint64_t)start_ticks));
}

static uint64_t pid_key(uint64_t node, int64_t pid)
{
    return node == 0 ? (uint64_t)pid : tk_hash_mix(node, (uint64_t)pid);
}

uint64_t tk_verify_node(const struct tk_verify *verify, tk_str node)
{
    return verify->nodes > 1 ? tk_hash_text(node) : 0;
}

struct tk_verify_pid *tk_verify_pid(struct tk_verify *verify, tk_str node, int64_t pid)
{
    uint64_t key = pid_key(tk_verify_node(verify, node), pid);
    struct tk_verify_pid *entry = tk_verify_item(verify, &verify->procs.pids, key);
    if (entry)
        entry->pid = pid;
    return entry;
}

static void remember(struct tk_verify *verify, tk_str node, int64_t pid, int64_t start_ticks)
{
    if (start_ticks < 0)
        return;
    uint64_t key = identity(tk_verify_node(verify, node), pid, start_ticks);
    tk_verify_put(verify, &verify->procs.started, key, 0);
}

bool tk_verify_has_process(const struct tk_verify *verify, uint64_t node, int64_t pid,
                           int64_t start_ticks)
{
    const struct tk_verify_procs *procs = &verify->procs;
    uint32_t index;
    if (start_ticks >= 0 && procs->started.count > 0)
        return tk_map_find(&procs->started, identity(node, pid, start_ticks), &index);
    if (!tk_map_find(&procs->pids.map, pid_key(node, pid), &index))
        return false;
    const struct tk_verify_pid *entry = tk_verify_at(&procs->pids.list, index);
    return entry->sampled || entry->ended;
}

static tk_str text_of(const struct tk_row *row, size_t column)
{
    return column == SIZE_MAX ? (tk_str){NULL, 0} : tk_row_text(row, column);
}

/* Whether there was a row of the same thing in this file. Each one is later than the one before. */
static bool follow(struct tk_verify *verify, const struct tk_row *row,
                   struct tk_verify_process *last, enum tk_verify_rule rule, int64_t id, int64_t us)
{
    bool is_next = last->file == verify->file_number;
    if (is_next && us <= last->last_us &&
        !tk_verify_stepped_back(verify, tk_verify_clock_key(row), row->line, last->last_us - us)) {
        tk_verify_add(verify, rule, row->line,
                      "%s %lld at %lld.%03lld ms, not after line %llu at %lld.%03lld ms",
                      rule == TK_VERIFY_THREAD ? "tid" : "pid", (long long)id,
                      (long long)(us / US_PER_MS), (long long)(us % US_PER_MS),
                      (unsigned long long)last->last_line, (long long)(last->last_us / US_PER_MS),
                      (long long)(last->last_us % US_PER_MS));
    }
    *last = (struct tk_verify_process){us, row->line, verify->file_number};
    return is_next;
}

void tk_verify_process_row(struct tk_verify *verify, const struct tk_row *row,
                           const struct tk_verify_process_columns *columns, int64_t us)
{
    if (!tk_row_has(row, columns->pid) || us == INT64_MIN)
        return;
    int64_t pid = row->values[columns->pid].i64;
    int64_t start_ticks = tk_row_i64(row, columns->start_ticks, -1);
    tk_str node = text_of(row, columns->node);
    remember(verify, node, pid, start_ticks);

    uint64_t place = tk_hash_mix(tk_hash_text(node), tk_hash_text(text_of(row, columns->host)));
    struct tk_verify_process *process =
        tk_verify_item(verify, &verify->procs.processes, identity(place, pid, start_ticks));
    if (process)
        (void)follow(verify, row, process, TK_VERIFY_PROCESS_ORDER, pid, us);
}

static const size_t thread_counters[TK_VERIFY_THREAD_COUNTERS] = {
    TK_THREAD_METRICS_CPU_NS, TK_THREAD_METRICS_UTIME,        TK_THREAD_METRICS_STIME,
    TK_THREAD_METRICS_MINFLT, TK_THREAD_METRICS_MAJFLT,       TK_THREAD_METRICS_NVCSW,
    TK_THREAD_METRICS_NIVCSW, TK_THREAD_METRICS_RUN_DELAY_US,
};

static void check_counters(struct tk_verify *verify, const struct tk_row *row,
                           const struct tk_verify_thread *thread, uint64_t last_line)
{
    for (size_t i = 0; i < TK_VERIFY_THREAD_COUNTERS; i++) {
        size_t column = thread_counters[i];
        int64_t before = thread->counters[i];
        if (tk_row_i64(row, column, before) >= before)
            continue;
        tk_verify_add(
            verify, TK_VERIFY_THREAD, row->line, "%s of tid %lld is %lld, after %lld in line %llu",
            row->schema->columns[column].name, (long long)row->values[TK_THREAD_METRICS_TID].i64,
            (long long)row->values[column].i64, (long long)before, (unsigned long long)last_line);
    }
}

/* A thread is known by its process, its id and its start. */
static struct tk_verify_thread *find_thread(struct tk_verify *verify, const struct tk_row *row)
{
    uint64_t place = tk_hash_mix(tk_hash_text(tk_row_text(row, TK_THREAD_METRICS_NODE)),
                                 tk_hash_text(tk_row_text(row, TK_THREAD_METRICS_HOST)));
    uint64_t process = identity(place, tk_row_i64(row, TK_THREAD_METRICS_PID, -1),
                                tk_row_i64(row, TK_THREAD_METRICS_START_TICKS, -1));
    return tk_verify_item(verify, &verify->procs.threads,
                          identity(process, tk_row_i64(row, TK_THREAD_METRICS_TID, -1),
                                   tk_row_i64(row, TK_THREAD_METRICS_THREAD_START_TICKS, -1)));
}

void tk_verify_thread_row(struct tk_verify *verify, const struct tk_row *row, int64_t us)
{
    if (!tk_row_has(row, TK_THREAD_METRICS_PID) || !tk_row_has(row, TK_THREAD_METRICS_TID) ||
        us == INT64_MIN)
        return;
    struct tk_verify_thread *thread = find_thread(verify, row);
    if (!thread)
        return;
    int64_t pid = row->values[TK_THREAD_METRICS_PID].i64;
    int64_t tid = row->values[TK_THREAD_METRICS_TID].i64;
    int64_t start_ticks = tk_row_i64(row, TK_THREAD_METRICS_START_TICKS, -1);
    uint64_t node = tk_verify_node(verify, tk_row_text(row, TK_THREAD_METRICS_NODE));
    uint64_t last_line = thread->last.last_line;
    if (follow(verify, row, &thread->last, TK_VERIFY_THREAD, tid, us)) {
        check_counters(verify, row, thread, last_line);
    } else if (!tk_verify_has_process(verify, node, pid, start_ticks)) {
        tk_verify_add(verify, TK_VERIFY_COVERAGE, row->line,
                      "tid %lld: no rows of its process, pid %lld", (long long)tid, (long long)pid);
    }
    for (size_t i = 0; i < TK_VERIFY_THREAD_COUNTERS; i++)
        thread->counters[i] = tk_row_i64(row, thread_counters[i], INT64_MIN);
}

void tk_verify_exit_row(struct tk_verify *verify, const struct tk_row *row)
{
    if (!tk_row_has(row, TK_PROC_EXIT_PID))
        return;
    int64_t pid = row->values[TK_PROC_EXIT_PID].i64;
    tk_str node = tk_row_text(row, TK_PROC_EXIT_NODE);
    remember(verify, node, pid, tk_row_i64(row, TK_PROC_EXIT_START_TICKS, -1));
    struct tk_verify_pid *entry = tk_verify_pid(verify, node, pid);
    if (entry)
        entry->ended = true;
}
