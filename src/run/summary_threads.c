/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of a run that was recorded with --threads: how many there were, and who used most CPU. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "run/summary_internal.h"

#define FIRST_CAP 1024

struct thread {
    int64_t pid, tid;
    int64_t first_ns, last_ns; /* CPU time: before the run, and in the last row */
    char comm[16];             /* as in its first row */
};

struct tk_thread_sums {
    struct tk_map map; /* identity to index */
    struct thread *threads;
    uint32_t count, cap;
    bool is_short_of_memory;
};

static uint64_t identity(const struct tk_batch *batch, size_t row)
{
    static const size_t columns[] = {TK_THREAD_METRICS_PID, TK_THREAD_METRICS_START_TICKS,
                                     TK_THREAD_METRICS_TID, TK_THREAD_METRICS_THREAD_START_TICKS};
    uint64_t key = 0;
    for (size_t i = 0; i < TK_COUNTOF(columns); i++)
        key = tk_hash_mix(key, (uint64_t)tk_batch_i64(batch, row, columns[i], -1));
    return key;
}

/* Tier P0 may know ticks alone. */
static int64_t cpu_ns_of(const struct tk_summary_maker *maker, const struct tk_batch *batch,
                         size_t row)
{
    int64_t cpu_ns = tk_batch_i64(batch, row, TK_THREAD_METRICS_CPU_NS, -1);
    int64_t ticks = tk_batch_i64(batch, row, TK_THREAD_METRICS_UTIME, 0) +
                    tk_batch_i64(batch, row, TK_THREAD_METRICS_STIME, 0);
    if (cpu_ns >= 0 || maker->clk_tck <= 0)
        return cpu_ns > 0 ? cpu_ns : 0;
    return ticks * (TK_NS_PER_S / maker->clk_tck);
}

/* All that it used is of the run. */
static bool is_born_in_run(const struct tk_summary_maker *maker, const struct tk_batch *batch,
                           size_t row)
{
    int64_t ticks = tk_batch_i64(batch, row, TK_THREAD_METRICS_THREAD_START_TICKS, -1);
    if (ticks < 0 || maker->boot_ns == 0 || maker->clk_tck <= 0)
        return false;
    return maker->boot_ns + ticks * (TK_NS_PER_S / maker->clk_tck) >= maker->summary->start_ns;
}

/* A new thread; NULL when there is no memory. */
static struct thread *add(struct tk_thread_sums *sums, uint64_t key)
{
    if (sums->count == sums->cap) {
        uint32_t cap = sums->cap ? 2 * sums->cap : FIRST_CAP;
        struct thread *threads = reallocarray(sums->threads, cap, sizeof(*threads));
        if (!threads)
            return NULL;
        sums->threads = threads;
        sums->cap = cap;
    }
    if (tk_map_add(&sums->map, key, sums->count) < 0)
        return NULL;
    return &sums->threads[sums->count++];
}

static void add_row(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row)
{
    struct tk_thread_sums *sums = maker->threads;
    uint64_t key = identity(batch, row);
    int64_t cpu_ns = cpu_ns_of(maker, batch, row);
    uint32_t at;
    if (tk_map_find(&sums->map, key, &at)) {
        sums->threads[at].last_ns = cpu_ns;
        return;
    }
    struct thread *thread = add(sums, key);
    if (!thread) {
        sums->is_short_of_memory = true;
        return;
    }
    *thread = (struct thread){
        .pid = tk_batch_i64(batch, row, TK_THREAD_METRICS_PID, -1),
        .tid = tk_batch_i64(batch, row, TK_THREAD_METRICS_TID, -1),
        .first_ns = is_born_in_run(maker, batch, row) ? 0 : cpu_ns,
        .last_ns = cpu_ns,
    };
    tk_str comm = tk_batch_text(batch, row, TK_THREAD_METRICS_COMM);
    size_t n = comm.n < sizeof(thread->comm) ? comm.n : sizeof(thread->comm) - 1;
    if (n > 0)
        memcpy(thread->comm, comm.p, n);
}

/* Put a thread in its place among the busiest. */
static void rank(struct tk_summary_threads *ranks, const struct thread *thread)
{
    int64_t cpu_ns = thread->last_ns - thread->first_ns;
    size_t at = ranks->busiest_count;
    while (at > 0 && ranks->busiest[at - 1].cpu_ns < cpu_ns)
        at--;
    if (at == TK_SUMMARY_BUSIEST)
        return;
    if (ranks->busiest_count < TK_SUMMARY_BUSIEST)
        ranks->busiest_count++;
    for (size_t i = ranks->busiest_count - 1; i > at; i--)
        ranks->busiest[i] = ranks->busiest[i - 1];
    struct tk_summary_thread *place = &ranks->busiest[at];
    *place = (struct tk_summary_thread){thread->pid, thread->tid, cpu_ns, ""};
    memcpy(place->comm, thread->comm, sizeof(place->comm));
}

int tk_summary_add_threads(struct tk_summary_maker *maker, struct tk_err *err)
{
    struct tk_thread_sums sums = {.count = 0};
    struct tk_summary_threads *ranks = &maker->summary->threads;
    maker->threads = &sums;
    int rc = tk_summary_each(maker, TK_TABLE_THREAD_METRICS, add_row, err);
    if (rc == 0 && sums.is_short_of_memory)
        rc = tk_fail(err, -ENOMEM, "threads: out of memory");
    ranks->count = sums.count;
    for (uint32_t i = 0; i < sums.count; i++)
        rank(ranks, &sums.threads[i]);
    maker->threads = NULL;
    free(sums.threads);
    tk_map_release(&sums.map);
    return rc;
}
