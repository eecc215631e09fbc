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
    if (!process)
        return;
    if (process->file == verify->file_number && us <= process->last_us &&
        !tk_verify_stepped_back(verify, tk_verify_clock_key(row), row->line,
                                process->last_us - us)) {
        tk_verify_add(verify, TK_VERIFY_PROCESS_ORDER, row->line,
                      "pid %lld at %lld.%03lld ms, not after line %llu at %lld.%03lld ms",
                      (long long)pid, (long long)(us / US_PER_MS), (long long)(us % US_PER_MS),
                      (unsigned long long)process->last_line,
                      (long long)(process->last_us / US_PER_MS),
                      (long long)(process->last_us % US_PER_MS));
    }
    *process = (struct tk_verify_process){us, row->line, verify->file_number};
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
