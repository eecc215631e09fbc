/* SPDX-License-Identifier: Apache-2.0 */
#include "span/bill_process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "run/schemas.h"

#define TEXTS_MAX ((size_t)256 << 20)
#define FIRST_CAP 256
/* Generations that a context is handed down: a cycle of parents ends there. */
#define CHAIN_MAX 64
/* A child's birth may be told some ticks before its parent's last row, or the other way round. */
#define SLACK_NS (50 * TK_NS_PER_MS)

int64_t tk_bill_stamp_ns(const struct tk_batch *batch, size_t row, size_t us_column,
                         size_t ms_column)
{
    int64_t us = tk_batch_i64(batch, row, us_column, -1);
    if (us >= 0)
        return us < INT64_MAX / TK_NS_PER_US ? us * TK_NS_PER_US : -1;
    int64_t ms = tk_batch_i64(batch, row, ms_column, -1);
    return ms >= 0 && ms < INT64_MAX / TK_NS_PER_MS ? ms * TK_NS_PER_MS : -1;
}

int tk_bill_processes_init(struct tk_bill_processes *processes, int64_t boot_ns, int64_t clk_tck,
                           struct tk_err *err)
{
    *processes =
        (struct tk_bill_processes){.boot_ns = boot_ns, .clk_tck = clk_tck > 0 ? clk_tck : 100};
    return tk_texts_init(&processes->texts, TEXTS_MAX, err);
}

void tk_bill_processes_release(struct tk_bill_processes *processes)
{
    free(processes->items);
    free(processes->by_pid);
    tk_map_release(&processes->by_key);
    tk_texts_release(&processes->texts);
    *processes = (struct tk_bill_processes){0};
}

/* Adding ------------------------------------------------------------------------------ */

/* Which columns tell the identity. */
struct identity {
    tk_str host;
    int64_t pid, start_ticks;
};

static struct identity identity_of(const struct tk_batch *batch, size_t row, size_t host_column,
                                   size_t pid_column, size_t ticks_column)
{
    return (struct identity){tk_batch_text(batch, row, host_column),
                             tk_batch_i64(batch, row, pid_column, -1),
                             tk_batch_i64(batch, row, ticks_column, -1)};
}

static struct identity of_sample(const struct tk_batch *batch, size_t row)
{
    return identity_of(batch, row, TK_PROC_METRICS_HOST, TK_PROC_METRICS_PID,
                       TK_PROC_METRICS_START_TICKS);
}

static struct identity of_exit(const struct tk_batch *batch, size_t row)
{
    return identity_of(batch, row, TK_PROC_EXIT_HOST, TK_PROC_EXIT_PID, TK_PROC_EXIT_START_TICKS);
}

static struct identity of_context(const struct tk_batch *batch, size_t row)
{
    return identity_of(batch, row, TK_PROC_CONTEXT_HOST, TK_PROC_CONTEXT_PID,
                       TK_PROC_CONTEXT_START_TICKS);
}

/* Tables of one node need no host, and not all have one: it tells merged nodes apart, whose rows
 * all have it. Two with the same pid and start are the same unless both say another host. */
static uint64_t key_of(const struct identity *identity, bool with_host)
{
    uint64_t key = tk_hash_mix((uint64_t)identity->pid, (uint64_t)identity->start_ticks);
    return with_host && identity->host.n > 0 ? tk_hash_mix(key, tk_hash_text(identity->host)) : key;
}

static uint32_t find(const struct tk_bill_processes *processes, const struct identity *identity)
{
    uint32_t i;
    if (identity->pid < 0)
        return TK_BILL_NONE;
    if (tk_map_find(&processes->by_key, key_of(identity, true), &i))
        return i;
    /* Known by rows with a host, asked for without, or the other way round. */
    if (!tk_map_find(&processes->by_key, key_of(identity, false), &i))
        return TK_BILL_NONE;
    return identity->host.n == 0 || processes->items[i].host == 0 ? i : TK_BILL_NONE;
}

static int64_t birth_by_ticks(const struct tk_bill_processes *processes, int64_t start_ticks)
{
    if (processes->boot_ns == 0 || start_ticks < 0)
        return INT64_MIN;
    return processes->boot_ns + start_ticks * (TK_NS_PER_S / processes->clk_tck);
}

static bool grow(struct tk_bill_processes *processes)
{
    if (processes->count < processes->cap)
        return true;
    uint32_t cap = processes->cap ? processes->cap * 2 : FIRST_CAP;
    struct tk_bill_process *items = realloc(processes->items, cap * sizeof(*items));
    if (!items)
        return false;
    processes->items = items;
    processes->cap = cap;
    return true;
}

/* The process of this identity, made when it is new; TK_BILL_NONE without memory. */
static uint32_t add(struct tk_bill_processes *processes, const struct identity *identity)
{
    uint32_t i = find(processes, identity);
    if (i != TK_BILL_NONE)
        return i;
    i = processes->count;
    uint32_t other;
    bool is_first = !tk_map_find(&processes->by_key, key_of(identity, false), &other);
    if (!grow(processes) || tk_map_add(&processes->by_key, key_of(identity, true), i) < 0 ||
        (is_first && tk_map_add(&processes->by_key, key_of(identity, false), i) < 0))
        return TK_BILL_NONE;
    processes->count++;
    processes->items[i] = (struct tk_bill_process){
        .pid = identity->pid,
        .start_ticks = identity->start_ticks,
        .start_ns = birth_by_ticks(processes, identity->start_ticks),
        .end_ns = INT64_MAX,
        .seen_ns = INT64_MAX,
        .ppid = -1,
        .ns_pid = -1,
        .host = tk_texts_add(&processes->texts, identity->host),
        .parent = TK_BILL_NONE,
    };
    return i;
}

/* A text id, unless the texts are full: not known then. */
static uint32_t text_of(struct tk_bill_processes *processes, const struct tk_batch *batch,
                        size_t row, size_t column)
{
    uint32_t id = tk_texts_add(&processes->texts, tk_batch_text(batch, row, column));
    return id == TK_TEXTS_NONE ? 0 : id;
}

int tk_bill_processes_add_sample(struct tk_bill_processes *processes, const struct tk_batch *batch,
                                 size_t row)
{
    const struct identity identity = of_sample(batch, row);
    int64_t stamp_ns = tk_bill_stamp_ns(batch, row, TK_PROC_METRICS_TS_US, TK_PROC_METRICS_TS_MS);
    if (identity.pid < 0 || stamp_ns < 0)
        return 0;
    uint32_t i = add(processes, &identity);
    if (i == TK_BILL_NONE)
        return -ENOMEM;
    struct tk_bill_process *process = &processes->items[i];
    if (process->comm == 0)
        process->comm = text_of(processes, batch, row, TK_PROC_METRICS_COMM);
    if (process->ppid < 0)
        process->ppid = tk_batch_i64(batch, row, TK_PROC_METRICS_PPID, -1);
    process->ns_pid = tk_batch_i64(batch, row, TK_PROC_METRICS_NS_PID, process->ns_pid);
    if (stamp_ns < process->seen_ns)
        process->seen_ns = stamp_ns;
    return 0;
}

int tk_bill_processes_add_exit(struct tk_bill_processes *processes, const struct tk_batch *batch,
                               size_t row)
{
    const struct identity identity = of_exit(batch, row);
    int64_t stamp_ns = tk_bill_stamp_ns(batch, row, TK_PROC_EXIT_TS_US, TK_PROC_EXIT_TS_MS);
    if (identity.pid < 0 || stamp_ns < 0)
        return 0;
    uint32_t i = add(processes, &identity);
    if (i == TK_BILL_NONE)
        return -ENOMEM;
    struct tk_bill_process *process = &processes->items[i];
    int64_t start_us = tk_batch_i64(batch, row, TK_PROC_EXIT_START_US, -1);
    if (start_us > 0)
        process->start_ns = start_us * TK_NS_PER_US;
    if (process->comm == 0)
        process->comm = text_of(processes, batch, row, TK_PROC_EXIT_COMM);
    if (process->ppid < 0)
        process->ppid = tk_batch_i64(batch, row, TK_PROC_EXIT_PPID, -1);
    process->end_ns = stamp_ns;
    return 0;
}

/* A later row knows better, where it says something. */
static void update(uint32_t *text, uint32_t told)
{
    if (told != 0)
        *text = told;
}

int tk_bill_processes_add_context(struct tk_bill_processes *processes, const struct tk_batch *batch,
                                  size_t row)
{
    const struct identity identity = of_context(batch, row);
    if (identity.pid < 0)
        return 0;
    uint32_t i = add(processes, &identity);
    if (i == TK_BILL_NONE)
        return -ENOMEM;
    struct tk_bill_process *process = &processes->items[i];
    int64_t start_us = tk_batch_i64(batch, row, TK_PROC_CONTEXT_START_US, -1);
    if (start_us > 0 && process->end_ns == INT64_MAX)
        process->start_ns = start_us * TK_NS_PER_US;
    update(&process->container_id, text_of(processes, batch, row, TK_PROC_CONTEXT_CONTAINER_ID));
    update(&process->pod_uid, text_of(processes, batch, row, TK_PROC_CONTEXT_POD_UID));
    update(&process->resource, text_of(processes, batch, row, TK_PROC_CONTEXT_RESOURCE));
    process->has_trace |= tk_traceparent_parse(
        tk_batch_text(batch, row, TK_PROC_CONTEXT_TRACEPARENT), &process->trace);
    return 0;
}

/* Families ---------------------------------------------------------------------------- */

static int compare(const void *a, const void *b, void *context)
{
    const struct tk_bill_process *items = context;
    const struct tk_bill_process *first = &items[*(const uint32_t *)a];
    const struct tk_bill_process *second = &items[*(const uint32_t *)b];
    if (first->pid != second->pid)
        return first->pid < second->pid ? -1 : 1;
    return (first->start_ns > second->start_ns) - (first->start_ns < second->start_ns);
}

uint32_t tk_bill_processes_at(const struct tk_bill_processes *processes, uint32_t host, int64_t pid,
                              int64_t time_ns)
{
    uint32_t low = 0;
    uint32_t high = processes->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (processes->items[processes->by_pid[middle]].pid < pid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    uint32_t found = TK_BILL_NONE;
    for (; low < processes->count; low++) {
        uint32_t i = processes->by_pid[low];
        const struct tk_bill_process *process = &processes->items[i];
        if (process->pid != pid)
            break;
        bool is_there = host == 0 || process->host == 0 || process->host == host;
        if (is_there && process->start_ns <= time_ns && process->end_ns >= time_ns - SLACK_NS)
            found = i; /* the one that began last */
    }
    return found;
}

static void find_parent(struct tk_bill_processes *processes, uint32_t i)
{
    struct tk_bill_process *process = &processes->items[i];
    int64_t born_ns = process->start_ns != INT64_MIN ? process->start_ns : process->seen_ns;
    if (process->ppid <= 0)
        return;
    uint32_t parent = tk_bill_processes_at(processes, process->host, process->ppid, born_ns);
    process->parent = parent != i ? parent : TK_BILL_NONE;
}

/* An environment and a control group are inherited: a process that nobody could read in time has
 * those of its next ancestor that was. A published Resource is not. */
static void inherit(struct tk_bill_processes *processes, uint32_t i)
{
    struct tk_bill_process *process = &processes->items[i];
    uint32_t from = process->parent;
    for (int n = 0; n < CHAIN_MAX && from != TK_BILL_NONE; n++) {
        const struct tk_bill_process *ancestor = &processes->items[from];
        if (!process->has_trace && ancestor->has_trace) {
            process->trace = ancestor->trace;
            process->has_trace = true;
        }
        if (process->container_id == 0 && process->pod_uid == 0) {
            process->container_id = ancestor->container_id;
            process->pod_uid = ancestor->pod_uid;
        }
        from = ancestor->parent;
    }
}

int tk_bill_processes_finish(struct tk_bill_processes *processes, struct tk_err *err)
{
    processes->by_pid = malloc((processes->count + 1U) * sizeof(*processes->by_pid));
    if (!processes->by_pid)
        return tk_fail(err, -ENOMEM, "processes: out of memory");
    for (uint32_t i = 0; i < processes->count; i++)
        processes->by_pid[i] = i;
    qsort_r(processes->by_pid, processes->count, sizeof(*processes->by_pid), compare,
            processes->items);
    for (uint32_t i = 0; i < processes->count; i++)
        find_parent(processes, i);
    for (uint32_t i = 0; i < processes->count; i++)
        inherit(processes, i);
    return 0;
}

/* Finding ----------------------------------------------------------------------------- */

uint32_t tk_bill_processes_find_sample(const struct tk_bill_processes *processes,
                                       const struct tk_batch *batch, size_t row)
{
    const struct identity identity = of_sample(batch, row);
    return find(processes, &identity);
}

uint32_t tk_bill_processes_find_exit(const struct tk_bill_processes *processes,
                                     const struct tk_batch *batch, size_t row)
{
    const struct identity identity = of_exit(batch, row);
    return find(processes, &identity);
}
