/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the machine: CPU, memory, pressure, disks, links. Rates are turned back into totals by
 * the length of their interval; rows of old files do not say it, for them it is the distance to the
 * row before. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "run/summary_internal.h"

/* A row without dt covers no more than this: after a gap nobody knows. */
#define MAX_GAP_NS     (5 * TK_NS_PER_S)
#define MAX_DT_NS      (86400 * TK_NS_PER_S) /* a row that says more is damaged */
#define DEFAULT_GAP_NS TK_NS_PER_S

/* All cores count as busy from here. */
#define FULL_UTIL 90.0

/* Length of the interval that ends at `stamp_ns`. The stamps have microseconds, so where they agree
 * with a dt in milliseconds they are better. */
static int64_t interval_of(int64_t dt_ns, int64_t stamp_ns, int64_t *prev_ns)
{
    int64_t gap = *prev_ns > 0 ? stamp_ns - *prev_ns : 0;
    *prev_ns = stamp_ns;
    if (dt_ns > 0 && dt_ns <= MAX_DT_NS)
        return llabs(gap - dt_ns) <= TK_NS_PER_MS ? gap : dt_ns;
    return gap > 0 && gap <= MAX_GAP_NS ? gap : DEFAULT_GAP_NS;
}

/* The same for columns that stand only in some CPU rows, because their source is read less often:
 * they hold the time of all rows since they stood there last. */
static int64_t source_interval(struct tk_summary_maker *maker, enum tk_summary_source source)
{
    double before = maker->covered_before[source];
    maker->covered_before[source] = maker->covered_ns;
    return llround(maker->covered_ns - before);
}

static double amount(const struct tk_batch *batch, size_t row, size_t column, int64_t dt_ns)
{
    enum tk_type type = batch->schema->columns[column].type;
    double rate = type == TK_F64 ? tk_batch_f64(batch, row, column, -1)
                                 : (double)tk_batch_i64(batch, row, column, -1);
    return rate < 0 ? -1 : rate * (double)dt_ns / 1e9;
}

/* Add to a sum that is -1 as long as nothing was known. */
static void add_rounded(int64_t *sum, double more)
{
    if (more < 0 || !(more < 9e18))
        return;
    double total = (double)(*sum < 0 ? 0 : *sum) + more;
    *sum = total < 9e18 ? llround(total) : INT64_MAX;
}

/* Where the stall times of a row stand, and which line of the course shows them. */
static const struct {
    size_t total_us, average;
    enum tk_resource resource; /* TK_RESOURCE_COUNT = none */
} stalls[TK_STALL_COUNT] = {
    [TK_STALL_CPU] = {TK_HOST_METRICS_PSI_CPU_SOME_US, TK_HOST_METRICS_PSI_CPU_SOME,
                      TK_RESOURCE_CPU_STALL},
    [TK_STALL_IO] = {TK_HOST_METRICS_PSI_IO_SOME_US, TK_HOST_METRICS_PSI_IO_SOME,
                     TK_RESOURCE_IO_STALL},
    [TK_STALL_IO_FULL] = {TK_HOST_METRICS_PSI_IO_FULL_US, TK_HOST_METRICS_PSI_IO_FULL,
                          TK_RESOURCE_COUNT},
    [TK_STALL_MEMORY] = {TK_HOST_METRICS_PSI_MEM_SOME_US, TK_HOST_METRICS_PSI_MEM_SOME,
                         TK_RESOURCE_MEMORY_STALL},
    [TK_STALL_MEMORY_FULL] = {TK_HOST_METRICS_PSI_MEM_FULL_US, TK_HOST_METRICS_PSI_MEM_FULL,
                              TK_RESOURCE_COUNT},
};

/* Stall time of an interval: exact where the totals were read, else by the average of the kernel.
 * -1 when not known. */
static double stall_of(enum tk_stall stall, const struct tk_batch *batch, size_t row, int64_t dt_ns)
{
    double stall_ns = (double)tk_summary_ns(batch, row, stalls[stall].total_us, TK_NS_PER_US);
    if (stall_ns >= 0)
        return fmin(stall_ns, (double)dt_ns);
    return tk_batch_f64(batch, row, stalls[stall].average, -1) / 100 * (double)dt_ns;
}

static void add_stalls(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row,
                       int64_t stamp_ns)
{
    struct tk_summary_host *host = &maker->summary->host;
    if (!tk_batch_has(batch, row, TK_HOST_METRICS_PSI_CPU_SOME_US) &&
        !tk_batch_has(batch, row, TK_HOST_METRICS_PSI_CPU_SOME))
        return;
    int64_t dt_ns = source_interval(maker, TK_SOURCE_STALL);
    host->stall_covered_ns += dt_ns;
    for (int stall = 0; stall < TK_STALL_COUNT; stall++) {
        double stall_ns = stall_of((enum tk_stall)stall, batch, row, dt_ns);
        if (stall_ns < 0)
            continue;
        add_rounded(&host->stall_ns[stall], stall_ns);
        if (stalls[stall].resource != TK_RESOURCE_COUNT) {
            tk_timeline_add(&maker->summary->timeline, stalls[stall].resource, stamp_ns, dt_ns,
                            stall_ns / (double)dt_ns);
        }
    }
}

static void add_disk_rates(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row,
                           int64_t stamp_ns)
{
    struct tk_summary_host *host = &maker->summary->host;
    if (!tk_batch_has(batch, row, TK_HOST_METRICS_DISK_RD_BPS))
        return;
    int64_t dt_ns = source_interval(maker, TK_SOURCE_DISK);
    double read = amount(batch, row, TK_HOST_METRICS_DISK_RD_BPS, dt_ns);
    double written = amount(batch, row, TK_HOST_METRICS_DISK_WR_BPS, dt_ns);
    add_rounded(&host->disk_rd_bytes, read);
    add_rounded(&host->disk_wr_bytes, written);
    if (read >= 0 && written >= 0) {
        tk_timeline_add(&maker->summary->timeline, TK_RESOURCE_DISK, stamp_ns, dt_ns,
                        (read + written) * 1e9 / (double)dt_ns);
    }
}

static void add_events(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row)
{
    struct tk_summary_host *host = &maker->summary->host;
    const struct {
        int64_t *sum;
        size_t column;
        enum tk_summary_source source;
    } rates[] = {
        {&host->forks, TK_HOST_METRICS_PROCESSES_PS, TK_SOURCE_FORKS},
        {&host->major_faults, TK_HOST_METRICS_PGMAJFAULT_PS, TK_SOURCE_FAULTS},
        {&host->tcp_retransmits, TK_HOST_METRICS_TCP_RETRANS_PS, TK_SOURCE_TCP},
        {&host->swap_in_bytes, TK_HOST_METRICS_SWAP_IN_BPS, TK_SOURCE_SWAP_IN},
        {&host->swap_out_bytes, TK_HOST_METRICS_SWAP_OUT_BPS, TK_SOURCE_SWAP_OUT},
    };
    for (size_t i = 0; i < TK_COUNTOF(rates); i++) {
        if (!tk_batch_has(batch, row, rates[i].column))
            continue;
        int64_t dt_ns = source_interval(maker, rates[i].source);
        add_rounded(rates[i].sum, amount(batch, row, rates[i].column, dt_ns));
    }
    add_rounded(&host->oom_kills, (double)tk_batch_i64(batch, row, TK_HOST_METRICS_OOM_KILLS, -1));
    add_rounded(&host->throttled_ns,
                (double)tk_summary_ns(batch, row, TK_HOST_METRICS_THROTTLED_US, TK_NS_PER_US));
}

static void add_cpu_row(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row,
                        int64_t stamp_ns)
{
    struct tk_summary *summary = maker->summary;
    int64_t dt_ns = interval_of(tk_summary_ns(batch, row, TK_HOST_METRICS_DT_MS, TK_NS_PER_MS),
                                stamp_ns, &maker->cpu_prev_ns);
    tk_summary_extend(maker, stamp_ns, dt_ns);
    double util = tk_batch_f64(batch, row, TK_HOST_METRICS_CPU_UTIL, 0);
    double weight = (double)dt_ns;
    summary->host.cpu_rows++;
    maker->covered_ns += weight;
    maker->busy += util / 100 * weight;
    if (util >= FULL_UTIL)
        maker->full += weight;
    if (tk_batch_has(batch, row, TK_HOST_METRICS_IOWAIT)) {
        maker->parts_ns += weight;
        maker->iowait += tk_batch_f64(batch, row, TK_HOST_METRICS_IOWAIT, 0) / 100 * weight;
        maker->steal += tk_batch_f64(batch, row, TK_HOST_METRICS_STEAL, 0) / 100 * weight;
    }
    tk_timeline_add(&summary->timeline, TK_RESOURCE_CPU, stamp_ns, dt_ns, util / 100);
    add_stalls(maker, batch, row, stamp_ns);
    add_disk_rates(maker, batch, row, stamp_ns);
    add_events(maker, batch, row);
}

/* Free memory in bytes, and whether it is what programs can get or only what nobody uses. */
static int64_t free_memory(const struct tk_batch *batch, size_t row, bool *ret_is_available)
{
    int64_t bytes = tk_batch_i64(batch, row, TK_HOST_METRICS_MEM_AVAILABLE_BYTES, -1);
    *ret_is_available = bytes >= 0;
    if (bytes >= 0)
        return bytes;
    bytes = tk_batch_i64(batch, row, TK_HOST_METRICS_MEM_FREE_BYTES, -1);
    return bytes >= 0 ? bytes : tk_summary_ns(batch, row, TK_HOST_METRICS_MEM_FREE_MB, 1000000);
}

static void add_memory_row(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row,
                           int64_t stamp_ns)
{
    struct tk_summary_host *host = &maker->summary->host;
    int64_t dt_ns = interval_of(tk_summary_ns(batch, row, TK_HOST_METRICS_DT_MS, TK_NS_PER_MS),
                                stamp_ns, &maker->memory_prev_ns);
    tk_summary_extend(maker, stamp_ns, dt_ns);
    bool is_available;
    int64_t free_bytes = free_memory(batch, row, &is_available);
    if (free_bytes < 0 || host->mem_total_bytes < free_bytes)
        return;
    host->mem_used_is_not_free |= !is_available;
    int64_t used = host->mem_total_bytes - free_bytes;
    if (used > host->mem_used_peak_bytes)
        host->mem_used_peak_bytes = used;
    tk_timeline_add(&maker->summary->timeline, TK_RESOURCE_MEMORY, stamp_ns, dt_ns, (double)used);
}

void tk_summary_add_host(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row)
{
    int64_t stamp_ns = tk_summary_stamp(batch, row, TK_HOST_METRICS_TS_US, TK_HOST_METRICS_TS_MS);
    if (stamp_ns < 0)
        return;
    if (tk_batch_has(batch, row, TK_HOST_METRICS_CPU_UTIL)) {
        add_cpu_row(maker, batch, row, stamp_ns);
    } else {
        add_memory_row(maker, batch, row, stamp_ns);
    }
}

void tk_summary_add_link(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row)
{
    struct tk_summary_host *host = &maker->summary->host;
    int64_t stamp_ns = tk_summary_stamp(batch, row, TK_LINK_METRICS_TS_US, TK_LINK_METRICS_TS_MS);
    tk_str link = tk_batch_text(batch, row, TK_LINK_METRICS_LINK);
    if (stamp_ns < 0 || !tk_str_ends_with(link, TK_STR(".nic")))
        return;
    int64_t dt_ns = interval_of(tk_summary_ns(batch, row, TK_LINK_METRICS_DT_MS, TK_NS_PER_MS),
                                stamp_ns, &maker->link_prev_ns);
    tk_summary_extend(maker, stamp_ns, dt_ns);
    double received = amount(batch, row, TK_LINK_METRICS_RX_BPS, dt_ns);
    double sent = amount(batch, row, TK_LINK_METRICS_TX_BPS, dt_ns);
    add_rounded(&host->net_rx_bytes, received);
    add_rounded(&host->net_tx_bytes, sent);
    double per_s = 1e9 / (double)dt_ns;
    maker->link_max_Bps = fmax(maker->link_max_Bps, fmax(received, sent) * per_s);
    if (received >= 0 && sent >= 0) {
        tk_timeline_add(&maker->summary->timeline, TK_RESOURCE_NETWORK, stamp_ns, dt_ns,
                        (received + sent) * per_s);
    }
}

static struct tk_disk_sums *disk_find(struct tk_summary_maker *maker, tk_str name)
{
    for (size_t i = 0; i < maker->disk_count; i++) {
        if (tk_str_eq(maker->disks[i].name, name))
            return &maker->disks[i];
    }
    if (maker->disk_count == TK_SUMMARY_MAX_DISKS)
        return NULL;
    struct tk_disk_sums *disk = &maker->disks[maker->disk_count++];
    *disk = (struct tk_disk_sums){.name = tk_arena_copy(&maker->summary->text, name)};
    return disk;
}

void tk_summary_add_disk(struct tk_summary_maker *maker, const struct tk_batch *batch, size_t row)
{
    struct tk_disk_sums *disk = disk_find(maker, tk_batch_text(batch, row, TK_DISK_METRICS_DISK));
    int64_t dt_ns = tk_summary_ns(batch, row, TK_DISK_METRICS_DT_MS, TK_NS_PER_MS);
    if (!disk || dt_ns <= 0)
        return;
    disk->covered_ns += (double)dt_ns;
    disk->busy_ns += tk_batch_f64(batch, row, TK_DISK_METRICS_UTIL, 0) / 100 * (double)dt_ns;
    double requests = fmax(amount(batch, row, TK_DISK_METRICS_RD_IOPS, dt_ns), 0) +
                      fmax(amount(batch, row, TK_DISK_METRICS_WR_IOPS, dt_ns), 0);
    disk->requests += requests;
    disk->await_weighted += requests * tk_batch_f64(batch, row, TK_DISK_METRICS_AWAIT_MS, 0);
}

static double share(double sum, double whole)
{
    return whole > 0 ? sum / whole : (double)NAN;
}

static void finish_disks(struct tk_summary_maker *maker)
{
    struct tk_summary_host *host = &maker->summary->host;
    const struct tk_disk_sums *busiest = NULL;
    for (size_t i = 0; i < maker->disk_count; i++) {
        if (!busiest || maker->disks[i].busy_ns > busiest->busy_ns)
            busiest = &maker->disks[i];
    }
    if (!busiest)
        return;
    host->busiest_disk = busiest->name;
    /* Idle disks write no row, so the share is of the whole time, not of the rows. */
    host->disk_busy = share(busiest->busy_ns, fmax(maker->covered_ns, busiest->covered_ns));
    host->disk_await_ms = share(busiest->await_weighted, busiest->requests);
}

void tk_summary_finish_host(struct tk_summary_maker *maker)
{
    struct tk_summary_host *host = &maker->summary->host;
    host->covered_ns = llround(maker->covered_ns);
    host->busy = share(maker->busy, maker->covered_ns);
    host->full_share = share(maker->full, maker->covered_ns);
    host->iowait = share(maker->iowait, maker->parts_ns);
    host->steal = share(maker->steal, maker->parts_ns);
    host->link_busy = share(maker->link_max_Bps, host->link_Bps);
    finish_disks(maker);
}
