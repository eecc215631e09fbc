/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of proc_metrics, thread_metrics, proc_context, proc_events and proc_exit. */
#include <sys/wait.h>

#include "base/clock.h"
#include "collect/procs_internal.h"

static void set_known(struct tk_batch *batch, size_t column, int64_t value)
{
    if (value >= 0)
        tk_batch_set_i64(batch, column, value);
}

static void set_text(struct tk_batch *batch, size_t column, const char *text)
{
    if (text && text[0])
        tk_batch_set_text(batch, column, tk_str_from(text));
}

static int64_t epoch_us(const struct tk_procs *procs, int64_t mono_ns)
{
    return tk_anchor_from_mono(&procs->kernel->anchor, mono_ns) / TK_NS_PER_US;
}

/* Proc_metrics ---------------------------------------------------------------------- */

static void put_memory(struct tk_batch *batch, const struct tk_proc_memory *memory)
{
    if (memory->pss_kb != TK_PROC_KB_NONE)
        tk_batch_set_i64(batch, TK_PROC_METRICS_PSS_KB, memory->pss_kb);
    if (memory->swap_kb != TK_PROC_KB_NONE)
        tk_batch_set_i64(batch, TK_PROC_METRICS_SWAP_KB, memory->swap_kb);
}

/* The same columns of another table. */
static void put_extra(struct tk_batch *batch, const struct tk_proc_extra *extra, size_t rx_column,
                      size_t tx_column, size_t io_column)
{
    set_known(batch, rx_column, extra->net_rx_bytes);
    set_known(batch, tx_column, extra->net_tx_bytes);
    if (extra->io_wait_ns >= 0)
        tk_batch_set_i64(batch, io_column, extra->io_wait_ns / TK_NS_PER_US);
}

static void put_counters(const struct tk_procs *procs, struct tk_batch *batch, uint32_t i)
{
    const struct tk_proc_facts *facts = &procs->set.facts[i];
    int64_t page_kb = procs->kernel->page_bytes / 1024;
    int64_t tick_ns = TK_NS_PER_S / procs->kernel->clk_tck;
    if (facts->utime_ns >= 0) {
        tk_batch_set_i64(batch, TK_PROC_METRICS_UTIME, facts->utime_ns / tick_ns);
        tk_batch_set_i64(batch, TK_PROC_METRICS_STIME, facts->stime_ns / tick_ns);
    }
    if (facts->rss_pages >= 0)
        tk_batch_set_i64(batch, TK_PROC_METRICS_RSS_KB, facts->rss_pages * page_kb);
    set_known(batch, TK_PROC_METRICS_THREADS, facts->threads);
    if (procs->tier != TK_TIER_P0)
        tk_batch_set_i64(batch, TK_PROC_METRICS_CPU_NS, procs->set.clocks[i].cpu_ns);
    set_known(batch, TK_PROC_METRICS_RD_BYTES, facts->rd_bytes);
    set_known(batch, TK_PROC_METRICS_WR_BYTES, facts->wr_bytes);
    set_known(batch, TK_PROC_METRICS_MINFLT, facts->minflt);
    set_known(batch, TK_PROC_METRICS_MAJFLT, facts->majflt);
    set_known(batch, TK_PROC_METRICS_NVCSW, facts->nvcsw);
    set_known(batch, TK_PROC_METRICS_NIVCSW, facts->nivcsw);
    set_known(batch, TK_PROC_METRICS_FDS, facts->fds);
    set_known(batch, TK_PROC_METRICS_FD_LIMIT, tk_procs_fd_limit(procs, i));
    if (procs->set.memory)
        put_memory(batch, &procs->set.memory[i]);
    if (procs->set.extra) {
        put_extra(batch, &procs->set.extra[i], TK_PROC_METRICS_NET_RX_BYTES,
                  TK_PROC_METRICS_NET_TX_BYTES, TK_PROC_METRICS_IO_WAIT_US);
    }
    if (facts->run_delay_ns >= 0)
        tk_batch_set_i64(batch, TK_PROC_METRICS_RUN_DELAY_US, facts->run_delay_ns / TK_NS_PER_US);
}

void tk_procs_put_metrics(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                          int64_t stamp_ns)
{
    const struct tk_proc_facts *facts = &procs->set.facts[i];
    struct tk_batch *batch = tk_rows_begin(rows, TK_TABLE_PROC_METRICS);
    int64_t us = epoch_us(procs, stamp_ns);
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_MS, us / 1000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_US, us);
    tk_batch_set_i64(batch, TK_PROC_METRICS_PID, procs->set.clocks[i].pid);
    put_counters(procs, batch, i);
    set_text(batch, TK_PROC_METRICS_NODE, procs->options.node);
    set_text(batch, TK_PROC_METRICS_HOST, procs->options.host);
    set_known(batch, TK_PROC_METRICS_START_TICKS, facts->start_ticks);
    set_known(batch, TK_PROC_METRICS_PPID, facts->ppid);
    if (facts->ns_pid > 0 && facts->ns_pid != procs->set.clocks[i].pid)
        tk_batch_set_i64(batch, TK_PROC_METRICS_NS_PID, facts->ns_pid);
    set_text(batch, TK_PROC_METRICS_COMM, facts->comm);
    tk_batch_set_text(batch, TK_PROC_METRICS_STATE, (tk_str){&facts->state, 1});
    set_known(batch, TK_PROC_METRICS_UID, facts->uid);
    set_text(batch, TK_PROC_METRICS_CGROUP, tk_groups_path(&procs->groups, facts->group));
    set_text(batch, TK_PROC_METRICS_CONTAINER, tk_groups_container(&procs->groups, facts->group));
}

void tk_procs_put_pause(struct tk_procs *procs, struct tk_rows *rows, uint32_t i)
{
    bool is_fresh = (procs->set.clocks[i].flags & TK_PROC_FRESH) != 0;
    bool is_said = procs->set.facts[i].row_tick >= procs->swept_tick; /* or in this very tick */
    if (procs->sweep_end_ns != 0 && !is_fresh && !is_said)
        tk_procs_put_metrics(procs, rows, i, procs->sweep_end_ns);
}

/* Thread_metrics -------------------------------------------------------------------- */

void tk_procs_put_thread(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                         const struct tk_thread_reading *reading, int64_t stamp_ns)
{
    struct tk_batch *batch = tk_rows_begin(rows, TK_TABLE_THREAD_METRICS);
    int64_t tick_ns = TK_NS_PER_S / procs->kernel->clk_tck;
    int64_t us = epoch_us(procs, stamp_ns);
    tk_batch_set_i64(batch, TK_THREAD_METRICS_TS_MS, us / 1000);
    tk_batch_set_i64(batch, TK_THREAD_METRICS_TS_US, us);
    set_text(batch, TK_THREAD_METRICS_NODE, procs->options.node);
    set_text(batch, TK_THREAD_METRICS_HOST, procs->options.host);
    tk_batch_set_i64(batch, TK_THREAD_METRICS_PID, procs->set.clocks[i].pid);
    set_known(batch, TK_THREAD_METRICS_START_TICKS, procs->set.facts[i].start_ticks);
    tk_batch_set_i64(batch, TK_THREAD_METRICS_TID, reading->tid);
    tk_batch_set_i64(batch, TK_THREAD_METRICS_THREAD_START_TICKS, reading->start_ticks);
    set_text(batch, TK_THREAD_METRICS_COMM, reading->comm);
    tk_batch_set_text(batch, TK_THREAD_METRICS_STATE, (tk_str){&reading->state, 1});
    set_known(batch, TK_THREAD_METRICS_CPU_NS, reading->cpu_ns);
    tk_batch_set_i64(batch, TK_THREAD_METRICS_UTIME, reading->utime_ns / tick_ns);
    tk_batch_set_i64(batch, TK_THREAD_METRICS_STIME, reading->stime_ns / tick_ns);
    set_known(batch, TK_THREAD_METRICS_MINFLT, reading->minflt);
    set_known(batch, TK_THREAD_METRICS_MAJFLT, reading->majflt);
    set_known(batch, TK_THREAD_METRICS_NVCSW, reading->nvcsw);
    set_known(batch, TK_THREAD_METRICS_NIVCSW, reading->nivcsw);
    if (reading->run_delay_ns >= 0) {
        tk_batch_set_i64(batch, TK_THREAD_METRICS_RUN_DELAY_US,
                         reading->run_delay_ns / TK_NS_PER_US);
    }
}

/* Proc_context ---------------------------------------------------------------------- */

void tk_procs_put_context(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                          const struct tk_proc_context *context, int64_t stamp_ns)
{
    struct tk_batch *batch = tk_rows_begin(rows, TK_TABLE_PROC_CONTEXT);
    int64_t us = epoch_us(procs, stamp_ns);
    int64_t birth_ns = tk_procs_birth_ns(procs, i);
    const struct {
        size_t column;
        tk_str text;
    } texts[] = {
        {TK_PROC_CONTEXT_NODE, tk_str_from(procs->options.node)},
        {TK_PROC_CONTEXT_HOST, tk_str_from(procs->options.host)},
        {TK_PROC_CONTEXT_TRACEPARENT, context->traceparent},
        {TK_PROC_CONTEXT_CONTAINER_ID, context->container_id},
        {TK_PROC_CONTEXT_POD_UID, context->pod_uid},
        {TK_PROC_CONTEXT_RESOURCE, context->resource},
    };
    tk_batch_set_i64(batch, TK_PROC_CONTEXT_TS_MS, us / 1000);
    tk_batch_set_i64(batch, TK_PROC_CONTEXT_TS_US, us);
    tk_batch_set_i64(batch, TK_PROC_CONTEXT_PID, procs->set.clocks[i].pid);
    set_known(batch, TK_PROC_CONTEXT_START_TICKS, procs->set.facts[i].start_ticks);
    if (birth_ns != 0)
        tk_batch_set_i64(batch, TK_PROC_CONTEXT_START_US, epoch_us(procs, birth_ns));
    for (size_t n = 0; n < TK_COUNTOF(texts); n++) {
        if (texts[n].text.n > 0)
            tk_batch_set_text(batch, texts[n].column, texts[n].text);
    }
}

/* Proc_events and proc_exit --------------------------------------------------------- */

/* Exit code and signal as a shell reports them. */
static void put_status(struct tk_batch *batch, size_t code_column, size_t signal_column, int status)
{
    if (status < 0)
        return;
    if (WIFSIGNALED(status)) {
        tk_batch_set_i64(batch, code_column, 128 + WTERMSIG(status));
        tk_batch_set_i64(batch, signal_column, WTERMSIG(status));
    } else {
        tk_batch_set_i64(batch, code_column, WEXITSTATUS(status));
    }
}

void tk_procs_put_event(struct tk_procs *procs, struct tk_rows *rows, enum tk_event_kind kind,
                        uint32_t i, int64_t stamp_ns, int status)
{
    const struct tk_proc_facts *facts = &procs->set.facts[i];
    struct tk_batch *batch = tk_rows_begin(rows, TK_TABLE_PROC_EVENTS);
    int64_t us = epoch_us(procs, stamp_ns);
    tk_batch_set_i64(batch, TK_PROC_EVENTS_TS_MS, us / 1000);
    tk_batch_set_i64(batch, TK_PROC_EVENTS_TS_US, us);
    set_text(batch, TK_PROC_EVENTS_NODE, procs->options.node);
    set_text(batch, TK_PROC_EVENTS_EVENT,
             kind == TK_EVENT_FORK   ? "fork"
             : kind == TK_EVENT_EXEC ? "exec"
                                     : "exit");
    tk_batch_set_i64(batch, TK_PROC_EVENTS_PID, procs->set.clocks[i].pid);
    set_known(batch, TK_PROC_EVENTS_START_TICKS, facts->start_ticks);
    set_known(batch, TK_PROC_EVENTS_PARENT_PID, facts->ppid);
    set_text(batch, TK_PROC_EVENTS_COMM, facts->comm);
    if (kind == TK_EVENT_EXIT)
        put_status(batch, TK_PROC_EVENTS_EXIT_CODE, TK_PROC_EVENTS_EXIT_SIGNAL, status);
}

/* User and system time of a total, scaled so that they add up to its CPU time, as /proc shows
 * them: by tick they are samples. */
static void put_split(struct tk_batch *batch, const struct tk_exit_total *total, int64_t cpu_ns)
{
    int64_t cpu_us = cpu_ns / TK_NS_PER_US;
    int64_t ticks_us = total->user_us + total->system_us;
    int64_t system_us = 0;
    if (ticks_us > 0) {
        system_us = (int64_t)((double)cpu_us * (double)total->system_us / (double)ticks_us);
        system_us = system_us < cpu_us ? system_us : cpu_us;
    }
    tk_batch_set_i64(batch, TK_PROC_EXIT_UTIME_US, cpu_us - system_us);
    tk_batch_set_i64(batch, TK_PROC_EXIT_STIME_US, system_us);
}

/* Fields that only a record has. */
static void put_total(struct tk_batch *batch, const struct tk_exit_total *total, int64_t cpu_ns)
{
    put_split(batch, total, cpu_ns);
    tk_batch_set_i64(batch, TK_PROC_EXIT_MAX_RSS_KB, total->max_rss_kb);
    tk_batch_set_i64(batch, TK_PROC_EXIT_RD_BYTES, total->rd_bytes);
    tk_batch_set_i64(batch, TK_PROC_EXIT_WR_BYTES, total->wr_bytes);
    tk_batch_set_i64(batch, TK_PROC_EXIT_MINFLT, total->minflt);
    tk_batch_set_i64(batch, TK_PROC_EXIT_MAJFLT, total->majflt);
    tk_batch_set_i64(batch, TK_PROC_EXIT_NVCSW, total->nvcsw);
    tk_batch_set_i64(batch, TK_PROC_EXIT_NIVCSW, total->nivcsw);
    tk_batch_set_i64(batch, TK_PROC_EXIT_THREADS, total->threads);
    tk_batch_set_i64(batch, TK_PROC_EXIT_RUN_DELAY_US, total->run_delay_ns / TK_NS_PER_US);
    if (total->blkio_delay_ns > 0)
        tk_batch_set_i64(batch, TK_PROC_EXIT_BLKIO_DELAY_US, total->blkio_delay_ns / TK_NS_PER_US);
}

/* The same as far as reading the process has shown them. */
static void put_last_seen(struct tk_batch *batch, const struct tk_proc_facts *facts)
{
    if (facts->utime_ns >= 0) {
        tk_batch_set_i64(batch, TK_PROC_EXIT_UTIME_US, facts->utime_ns / TK_NS_PER_US);
        tk_batch_set_i64(batch, TK_PROC_EXIT_STIME_US, facts->stime_ns / TK_NS_PER_US);
    }
    set_known(batch, TK_PROC_EXIT_RD_BYTES, facts->rd_bytes);
    set_known(batch, TK_PROC_EXIT_WR_BYTES, facts->wr_bytes);
    set_known(batch, TK_PROC_EXIT_MINFLT, facts->minflt);
    set_known(batch, TK_PROC_EXIT_MAJFLT, facts->majflt);
    set_known(batch, TK_PROC_EXIT_THREADS, facts->threads);
}

void tk_procs_put_exit(struct tk_procs *procs, struct tk_rows *rows, uint32_t i,
                       const struct tk_end *end, int64_t cpu_ns)
{
    const struct tk_proc_facts *facts = &procs->set.facts[i];
    struct tk_batch *batch = tk_rows_begin(rows, TK_TABLE_PROC_EXIT);
    int64_t us = epoch_us(procs, end->stamp_ns);
    int64_t birth_ns = tk_procs_birth_ns(procs, i);
    tk_batch_set_i64(batch, TK_PROC_EXIT_TS_MS, us / 1000);
    tk_batch_set_i64(batch, TK_PROC_EXIT_TS_US, us);
    set_text(batch, TK_PROC_EXIT_NODE, procs->options.node);
    tk_batch_set_i64(batch, TK_PROC_EXIT_PID, procs->set.clocks[i].pid);
    set_known(batch, TK_PROC_EXIT_START_TICKS, facts->start_ticks);
    set_text(batch, TK_PROC_EXIT_COMM, facts->comm);
    tk_batch_set_i64(batch, TK_PROC_EXIT_CPU_NS, cpu_ns);
    if (end->total) {
        put_total(batch, end->total, cpu_ns);
    } else {
        put_last_seen(batch, facts);
    }
    if (birth_ns != 0) {
        tk_batch_set_i64(batch, TK_PROC_EXIT_START_US, epoch_us(procs, birth_ns));
        tk_batch_set_i64(batch, TK_PROC_EXIT_ELAPSED_US, us - epoch_us(procs, birth_ns));
    }
    if (procs->set.extra) {
        put_extra(batch, &procs->set.extra[i], TK_PROC_EXIT_NET_RX_BYTES, TK_PROC_EXIT_NET_TX_BYTES,
                  TK_PROC_EXIT_IO_WAIT_US);
    }
    put_status(batch, TK_PROC_EXIT_EXIT_CODE, TK_PROC_EXIT_EXIT_SIGNAL, end->status);
    set_text(batch, TK_PROC_EXIT_SOURCE, end->total ? procs->source->name : "clock");
    set_known(batch, TK_PROC_EXIT_PPID, facts->ppid);
    tk_batch_set_bool(batch, TK_PROC_EXIT_IN_TREE,
                      (procs->set.clocks[i].flags & TK_PROC_IN_TREE) != 0);
}
