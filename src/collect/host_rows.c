/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of one interval from two readings of each source. A counter that went back or is missing
 * leaves its value absent; rates divide by the real time between the two stamps. */
#include "collect/host_internal.h"
#include "collect/host_values.h"

struct tk_host_span tk_host_span_of(const struct tk_host *host, enum tk_host_source_id id)
{
    const struct tk_host_state *state = &host->states[id];
    struct tk_host_span span = {0};
    if (!state->fresh)
        return span;
    span.now = &host->readings[state->latest];
    span.now_ns = state->stamp_ns[state->latest];
    if (state->readings < 2)
        return span;
    int64_t now = tk_anchor_from_mono(&host->kernel->anchor, span.now_ns);
    int64_t before = tk_anchor_from_mono(&host->kernel->anchor, state->stamp_ns[state->latest ^ 1]);
    span.dt_us = now / TK_NS_PER_US - before / TK_NS_PER_US;
    span.dt_ms = now / TK_NS_PER_MS - before / TK_NS_PER_MS;
    if (span.dt_us > 0)
        span.before = &host->readings[state->latest ^ 1];
    return span;
}

int64_t tk_host_epoch_ns(const struct tk_host *host, const struct tk_host_span *span)
{
    return tk_anchor_from_mono(&host->kernel->anchor, span->now_ns);
}

/* The host's CPU row ---------------------------------------------------------------- */

static void put_cpu(struct tk_batch *row, const struct tk_cpu_shares *shares)
{
    tk_batch_set_f64(row, TK_HOST_METRICS_CPU_UTIL, 100.0 - shares->idle);
    tk_batch_set_f64(row, TK_HOST_METRICS_USR, shares->usr);
    tk_batch_set_f64(row, TK_HOST_METRICS_NICE, shares->nice);
    tk_batch_set_f64(row, TK_HOST_METRICS_SYS, shares->sys);
    tk_batch_set_f64(row, TK_HOST_METRICS_IOWAIT, shares->iowait);
    tk_batch_set_f64(row, TK_HOST_METRICS_IRQ, shares->irq);
    tk_batch_set_f64(row, TK_HOST_METRICS_SOFT, shares->soft);
    tk_batch_set_f64(row, TK_HOST_METRICS_STEAL, shares->steal);
    tk_batch_set_f64(row, TK_HOST_METRICS_GUEST, shares->guest);
    tk_batch_set_f64(row, TK_HOST_METRICS_GNICE, shares->gnice);
    tk_batch_set_f64(row, TK_HOST_METRICS_IDLE, shares->idle);
}

static void put_stat(struct tk_host *host, struct tk_batch *row, const struct tk_host_span *span)
{
    const struct tk_host_stat *now = &span->now->stat;
    const struct tk_host_stat *before = &span->before->stat;
    tk_row_set_count(row, TK_HOST_METRICS_PROCS_RUNNING, now->procs_running);
    tk_row_set_count(row, TK_HOST_METRICS_PROCS_BLOCKED, now->procs_blocked);
    tk_row_set_rate(row, TK_HOST_METRICS_CTXT_PS, tk_host_delta(now->ctxt, before->ctxt),
                    span->dt_us);
    tk_row_set_rate(row, TK_HOST_METRICS_PROCESSES_PS,
                    tk_host_delta(now->processes, before->processes), span->dt_us);
    if (host->core_utils && tk_core_utils_of(now, before, host->core_utils)) {
        tk_batch_set_f64_list(row, TK_HOST_METRICS_PER_CORE_UTIL, host->core_utils,
                              now->core_count);
    }
}

/* Columns of one pressure file; TK_HOST_METRICS_COUNT = there is none. */
struct pressure_columns {
    size_t some, full, some_us, full_us;
};

static void put_pressure(struct tk_batch *row, const struct tk_host_pressure *now,
                         const struct tk_host_pressure *before,
                         const struct pressure_columns *columns)
{
    tk_row_set_gauge(row, columns->some, now->some_avg10);
    if (columns->full < TK_HOST_METRICS_COUNT)
        tk_row_set_gauge(row, columns->full, now->full_avg10);
    if (!before)
        return;
    tk_row_set_count(row, columns->some_us, tk_host_delta(now->some_us, before->some_us));
    if (columns->full_us < TK_HOST_METRICS_COUNT)
        tk_row_set_count(row, columns->full_us, tk_host_delta(now->full_us, before->full_us));
}

static void put_pressures(const struct tk_host *host, struct tk_batch *row)
{
    /* All tasks of a host cannot wait for its CPUs at once: "full" of cpu is always 0. */
    static const struct {
        enum tk_host_source_id id;
        size_t offset;
        struct pressure_columns columns;
    } files[] = {
        {TK_HOST_PRESSURE_CPU,
         offsetof(struct tk_host_reading, pressure_cpu),
         {TK_HOST_METRICS_PSI_CPU_SOME, TK_HOST_METRICS_COUNT, TK_HOST_METRICS_PSI_CPU_SOME_US,
          TK_HOST_METRICS_COUNT}},
        {TK_HOST_PRESSURE_IO,
         offsetof(struct tk_host_reading, pressure_io),
         {TK_HOST_METRICS_PSI_IO_SOME, TK_HOST_METRICS_PSI_IO_FULL, TK_HOST_METRICS_PSI_IO_SOME_US,
          TK_HOST_METRICS_PSI_IO_FULL_US}},
        {TK_HOST_PRESSURE_MEMORY,
         offsetof(struct tk_host_reading, pressure_memory),
         {TK_HOST_METRICS_PSI_MEM_SOME, TK_HOST_METRICS_PSI_MEM_FULL,
          TK_HOST_METRICS_PSI_MEM_SOME_US, TK_HOST_METRICS_PSI_MEM_FULL_US}},
    };
    for (size_t i = 0; i < TK_COUNTOF(files); i++) {
        struct tk_host_span span = tk_host_span_of(host, files[i].id);
        if (!span.now)
            continue;
        const char *now = (const char *)span.now + files[i].offset;
        const char *before = span.before ? (const char *)span.before + files[i].offset : NULL;
        put_pressure(row, (const struct tk_host_pressure *)(const void *)now,
                     (const struct tk_host_pressure *)(const void *)before, &files[i].columns);
    }
}

static void put_vmstat(const struct tk_host *host, struct tk_batch *row)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_VMSTAT);
    if (!span.before)
        return;
    const struct tk_host_vmstat *now = &span.now->vmstat;
    const struct tk_host_vmstat *before = &span.before->vmstat;
    int64_t page = host->kernel->page_bytes;
    int64_t in = tk_host_delta(now->pswpin, before->pswpin);
    int64_t out = tk_host_delta(now->pswpout, before->pswpout);
    tk_row_set_rate(row, TK_HOST_METRICS_PGMAJFAULT_PS,
                    tk_host_delta(now->pgmajfault, before->pgmajfault), span.dt_us);
    tk_row_set_count(row, TK_HOST_METRICS_OOM_KILLS,
                     tk_host_delta(now->oom_kill, before->oom_kill));
    if (in < INT64_MAX / page) {
        tk_row_set_whole_rate(row, TK_HOST_METRICS_SWAP_IN_BPS, in < 0 ? in : in * page,
                              span.dt_us);
    }
    if (out < INT64_MAX / page) {
        tk_row_set_whole_rate(row, TK_HOST_METRICS_SWAP_OUT_BPS, out < 0 ? out : out * page,
                              span.dt_us);
    }
}

static void put_tcp(const struct tk_host *host, struct tk_batch *row)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_NET_SNMP);
    if (span.before) {
        tk_row_set_rate(row, TK_HOST_METRICS_TCP_RETRANS_PS,
                        tk_host_delta(span.now->tcp_retrans, span.before->tcp_retrans), span.dt_us);
    }
    span = tk_host_span_of(host, TK_HOST_NET_NETSTAT);
    if (span.before) {
        tk_row_set_count(row, TK_HOST_METRICS_TCP_LISTEN_DROPS,
                         tk_host_delta(span.now->tcp_listen_drops, span.before->tcp_listen_drops));
    }
}

static void put_throttle(const struct tk_host *host, struct tk_batch *row)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_THROTTLE);
    if (!span.before)
        return;
    const struct tk_host_throttle *now = &span.now->throttle;
    const struct tk_host_throttle *before = &span.before->throttle;
    tk_row_set_count(row, TK_HOST_METRICS_NR_THROTTLED,
                     tk_host_delta(now->nr_throttled, before->nr_throttled));
    tk_row_set_count(row, TK_HOST_METRICS_THROTTLED_US,
                     tk_host_delta(now->throttled_us, before->throttled_us));
}

static void put_freq(const struct tk_host *host, struct tk_batch *row)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_CPUFREQ);
    if (!span.now)
        span = tk_host_span_of(host, TK_HOST_CPUINFO);
    if (span.now && span.now->freq.count > 0) {
        tk_batch_set_i64(row, TK_HOST_METRICS_FREQ_MHZ,
                         (int64_t)(span.now->freq.mhz / (double)span.now->freq.count + 0.5));
    }
}

/* They stand until they are read again: the kernel takes them anew each 5 s. */
static void put_load(const struct tk_host *host, struct tk_batch *row)
{
    const struct tk_host_state *state = &host->states[TK_HOST_LOADAVG];
    if (state->readings == 0)
        return;
    const struct tk_host_load *load = &host->readings[state->latest].load;
    tk_row_set_gauge(row, TK_HOST_METRICS_LOAD1, load->load1);
    tk_row_set_gauge(row, TK_HOST_METRICS_LOAD5, load->load5);
    tk_row_set_gauge(row, TK_HOST_METRICS_LOAD15, load->load15);
}

/* Host rows ------------------------------------------------------------------------- */

static struct tk_batch *begin_host_row(const struct tk_host *host, struct tk_rows *rows,
                                       const struct tk_host_span *span)
{
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_HOST_METRICS);
    int64_t ns = tk_host_epoch_ns(host, span);
    tk_batch_set_i64(row, TK_HOST_METRICS_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_HOST_METRICS_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_HOST_METRICS_NODE, tk_str_from(host->options.node));
    tk_batch_set_text(row, TK_HOST_METRICS_STAGE, tk_str_from(host->options.stage));
    tk_batch_set_text(row, TK_HOST_METRICS_HOST, tk_str_from(host->options.host));
    return row;
}

static void put_memory(const struct tk_host *host, struct tk_rows *rows)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_MEMINFO);
    if (!span.now)
        return;
    const struct tk_host_memory *memory = &span.now->memory;
    struct tk_batch *row = begin_host_row(host, rows, &span);
    tk_row_set_count(row, TK_HOST_METRICS_MEM_FREE_MB, memory->free / 1000000);
    tk_row_set_count(row, TK_HOST_METRICS_MEM_FREE_BYTES, memory->free);
    tk_row_set_count(row, TK_HOST_METRICS_MEM_AVAILABLE_BYTES, memory->available);
    tk_row_set_count(row, TK_HOST_METRICS_MEM_CACHED_BYTES, memory->cached);
    tk_row_set_count(row, TK_HOST_METRICS_SWAP_FREE_BYTES, memory->swap_free);
}

static void put_cpu_row(struct tk_host *host, struct tk_rows *rows,
                        const struct tk_disk_work *disks)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_STAT);
    struct tk_cpu_shares shares;
    if (!span.before || !tk_cpu_shares_of(&span.now->stat.cpu, &span.before->stat.cpu, &shares))
        return;
    struct tk_batch *row = begin_host_row(host, rows, &span);
    tk_batch_set_i64(row, TK_HOST_METRICS_DT_MS, span.dt_ms);
    put_cpu(row, &shares);
    put_stat(host, row, &span);
    put_pressures(host, row);
    put_vmstat(host, row);
    put_tcp(host, row);
    put_throttle(host, row);
    put_load(host, row);
    put_freq(host, row);
    if (host->states[TK_HOST_ENERGY].fresh)
        tk_row_set_count(row, TK_HOST_METRICS_ENERGY_UJ, host->energy_uj);
    if (disks) {
        int64_t dt_us = tk_host_span_of(host, TK_HOST_DISKSTATS).dt_us;
        tk_row_set_whole_rate(row, TK_HOST_METRICS_DISK_RD_BPS, disks->rd_bytes, dt_us);
        tk_row_set_whole_rate(row, TK_HOST_METRICS_DISK_WR_BPS, disks->wr_bytes, dt_us);
        tk_row_set_rate(row, TK_HOST_METRICS_DISK_RD_IOPS, disks->rd_ios, dt_us);
        tk_row_set_rate(row, TK_HOST_METRICS_DISK_WR_IOPS, disks->wr_ios, dt_us);
    }
}

void tk_host_put_rows(struct tk_host *host, struct tk_rows *rows)
{
    struct tk_disk_work disks;
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_DISKSTATS);
    bool has_disks = span.before && tk_host_put_disks(host, rows, &span, &disks);
    put_cpu_row(host, rows, has_disks ? &disks : NULL);
    put_memory(host, rows);
    tk_host_put_links(host, rows);
    tk_host_put_slow(host, rows);
}
