/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of one interval from two readings of each source. A counter that went back or is missing
 * leaves its value absent; rates divide by the real time between the two stamps. */
#include <string.h>

#include "base/checked.h"
#include "collect/host_internal.h"

#define SECTOR_BYTES 512 /* of /proc/diskstats, whatever the disk has */

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

/* now - before, or TK_HOST_ABSENT. */
static int64_t delta(int64_t now, int64_t before)
{
    return now < 0 || before < 0 || now < before ? TK_HOST_ABSENT : now - before;
}

static void put_count(struct tk_batch *batch, size_t column, int64_t value)
{
    if (value >= 0)
        tk_batch_set_i64(batch, column, value);
}

/* Whole units per second, cut off: exact, so that readers can compute it again from the stamps. */
static void put_whole_rate(struct tk_batch *batch, size_t column, int64_t change, int64_t dt_us)
{
    int64_t whole;
    if (change >= 0 && tk_mul_i64(change / dt_us, 1000000, &whole))
        tk_batch_set_i64(batch, column, whole + change % dt_us * 1000000 / dt_us);
}

static void put_rate(struct tk_batch *batch, size_t column, int64_t change, int64_t dt_us)
{
    if (change >= 0)
        tk_batch_set_f64(batch, column, (double)change * 1e6 / (double)dt_us);
}

static void put_gauge(struct tk_batch *batch, size_t column, double value)
{
    if (value >= 0)
        tk_batch_set_f64(batch, column, value);
}

static int64_t epoch_ns(const struct tk_host *host, const struct tk_host_span *span)
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
    put_count(row, TK_HOST_METRICS_PROCS_RUNNING, now->procs_running);
    put_count(row, TK_HOST_METRICS_PROCS_BLOCKED, now->procs_blocked);
    put_rate(row, TK_HOST_METRICS_CTXT_PS, delta(now->ctxt, before->ctxt), span->dt_us);
    put_rate(row, TK_HOST_METRICS_PROCESSES_PS, delta(now->processes, before->processes),
             span->dt_us);
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
    put_gauge(row, columns->some, now->some_avg10);
    if (columns->full < TK_HOST_METRICS_COUNT)
        put_gauge(row, columns->full, now->full_avg10);
    if (!before)
        return;
    put_count(row, columns->some_us, delta(now->some_us, before->some_us));
    if (columns->full_us < TK_HOST_METRICS_COUNT)
        put_count(row, columns->full_us, delta(now->full_us, before->full_us));
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
    int64_t in = delta(now->pswpin, before->pswpin);
    int64_t out = delta(now->pswpout, before->pswpout);
    put_rate(row, TK_HOST_METRICS_PGMAJFAULT_PS, delta(now->pgmajfault, before->pgmajfault),
             span.dt_us);
    put_count(row, TK_HOST_METRICS_OOM_KILLS, delta(now->oom_kill, before->oom_kill));
    if (in < INT64_MAX / page)
        put_whole_rate(row, TK_HOST_METRICS_SWAP_IN_BPS, in < 0 ? in : in * page, span.dt_us);
    if (out < INT64_MAX / page)
        put_whole_rate(row, TK_HOST_METRICS_SWAP_OUT_BPS, out < 0 ? out : out * page, span.dt_us);
}

static void put_tcp(const struct tk_host *host, struct tk_batch *row)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_NET_SNMP);
    if (span.before) {
        put_rate(row, TK_HOST_METRICS_TCP_RETRANS_PS,
                 delta(span.now->tcp_retrans, span.before->tcp_retrans), span.dt_us);
    }
    span = tk_host_span_of(host, TK_HOST_NET_NETSTAT);
    if (span.before) {
        put_count(row, TK_HOST_METRICS_TCP_LISTEN_DROPS,
                  delta(span.now->tcp_listen_drops, span.before->tcp_listen_drops));
    }
}

static void put_throttle(const struct tk_host *host, struct tk_batch *row)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_THROTTLE);
    if (!span.before)
        return;
    const struct tk_host_throttle *now = &span.now->throttle;
    const struct tk_host_throttle *before = &span.before->throttle;
    put_count(row, TK_HOST_METRICS_NR_THROTTLED, delta(now->nr_throttled, before->nr_throttled));
    put_count(row, TK_HOST_METRICS_THROTTLED_US, delta(now->throttled_us, before->throttled_us));
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

static void put_load(const struct tk_host *host, struct tk_batch *row)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_LOADAVG);
    if (!span.now)
        return;
    put_gauge(row, TK_HOST_METRICS_LOAD1, span.now->load.load1);
    put_gauge(row, TK_HOST_METRICS_LOAD5, span.now->load.load5);
    put_gauge(row, TK_HOST_METRICS_LOAD15, span.now->load.load15);
}

/* Disks ----------------------------------------------------------------------------- */

/* What a disk did in an interval; TK_HOST_ABSENT in `rd_ios` = a counter went back. */
struct disk_work {
    int64_t rd_ios, rd_bytes, wr_ios, wr_bytes;
    int64_t wait_ms; /* sum over its requests */
    int64_t busy_ms;
};

static struct disk_work work_of(const struct tk_host_disk *now, const struct tk_host_disk *before)
{
    struct disk_work work = {
        .rd_ios = delta(now->rd_ios, before->rd_ios),
        .wr_ios = delta(now->wr_ios, before->wr_ios),
        .rd_bytes = delta(now->rd_sectors, before->rd_sectors),
        .wr_bytes = delta(now->wr_sectors, before->wr_sectors),
        .busy_ms = delta(now->busy_ms, before->busy_ms),
    };
    int64_t rd_ms = delta(now->rd_ms, before->rd_ms);
    int64_t wr_ms = delta(now->wr_ms, before->wr_ms);
    work.wait_ms = rd_ms < 0 || wr_ms < 0 || rd_ms > INT64_MAX / 2 || wr_ms > INT64_MAX / 2
                       ? TK_HOST_ABSENT
                       : rd_ms + wr_ms;
    const int64_t most = INT64_MAX / SECTOR_BYTES / TK_HOST_DISKS_MAX;
    if (work.rd_ios < 0 || work.wr_ios < 0 || work.rd_bytes < 0 || work.wr_bytes < 0 ||
        work.rd_bytes > most || work.wr_bytes > most || work.rd_ios > most || work.wr_ios > most)
        work.rd_ios = TK_HOST_ABSENT;
    work.rd_bytes *= SECTOR_BYTES;
    work.wr_bytes *= SECTOR_BYTES;
    return work;
}

static enum tk_disk_kind kind_of(struct tk_host *host, const char *name, size_t hint)
{
    for (size_t i = 0; i < host->disk_count; i++) {
        size_t at = (hint + i) % host->disk_count;
        if (strcmp(host->disks[at].name, name) == 0)
            return host->disks[at].kind;
    }
    enum tk_disk_kind kind = tk_disk_kind_of(host->kernel->rootfd, name);
    if (host->disk_count < TK_COUNTOF(host->disks)) {
        struct tk_known_disk *known = &host->disks[host->disk_count++];
        memcpy(known->name, name, strlen(name) + 1);
        known->kind = kind;
    }
    return kind;
}

static const struct tk_host_disk *find_disk(const struct tk_host_disks *disks, const char *name,
                                            size_t hint)
{
    for (size_t i = 0; i < disks->count; i++) {
        const struct tk_host_disk *disk = &disks->items[(hint + i) % disks->count];
        if (strcmp(disk->name, name) == 0)
            return disk;
    }
    return NULL;
}

static void put_disk(struct tk_host *host, struct tk_rows *rows, const struct tk_host_span *span,
                     const struct tk_host_disk *disk, const struct disk_work *work)
{
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_DISK_METRICS);
    int64_t ns = epoch_ns(host, span);
    tk_batch_set_i64(row, TK_DISK_METRICS_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_DISK_METRICS_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_DISK_METRICS_NODE, tk_str_from(host->options.node));
    tk_batch_set_text(row, TK_DISK_METRICS_HOST, tk_str_from(host->options.host));
    tk_batch_set_text(row, TK_DISK_METRICS_DISK, tk_str_from(disk->name));
    tk_batch_set_i64(row, TK_DISK_METRICS_DT_MS, span->dt_ms);
    put_whole_rate(row, TK_DISK_METRICS_RD_BPS, work->rd_bytes, span->dt_us);
    put_whole_rate(row, TK_DISK_METRICS_WR_BPS, work->wr_bytes, span->dt_us);
    put_rate(row, TK_DISK_METRICS_RD_IOPS, work->rd_ios, span->dt_us);
    put_rate(row, TK_DISK_METRICS_WR_IOPS, work->wr_ios, span->dt_us);
    if (work->busy_ms >= 0) {
        double util = 1e5 * (double)work->busy_ms / (double)span->dt_us;
        tk_batch_set_f64(row, TK_DISK_METRICS_UTIL, util > 100 ? 100 : util);
    }
    if (work->wait_ms >= 0 && work->rd_ios + work->wr_ios > 0) {
        tk_batch_set_f64(row, TK_DISK_METRICS_AWAIT_MS,
                         (double)work->wait_ms / (double)(work->rd_ios + work->wr_ios));
    }
    put_count(row, TK_DISK_METRICS_IN_FLIGHT, disk->in_flight);
}

/* Rows of the disks; returns false when no disk counts for the host's sums. */
static bool put_disks(struct tk_host *host, struct tk_rows *rows, const struct tk_host_span *span,
                      struct disk_work *ret_sum)
{
    bool any = false;
    *ret_sum = (struct disk_work){0};
    const struct tk_host_disks *disks = &span->now->disks;
    for (size_t i = 0; i < disks->count; i++) {
        const struct tk_host_disk *now = &disks->items[i];
        enum tk_disk_kind kind = kind_of(host, now->name, i);
        if (kind == TK_DISK_PART)
            continue;
        const struct tk_host_disk *before = find_disk(&span->before->disks, now->name, i);
        struct disk_work work = before ? work_of(now, before) : (struct disk_work){-1};
        if (work.rd_ios < 0)
            continue;
        if (now->rd_ios > 0 || now->wr_ios > 0)
            put_disk(host, rows, span, now, &work);
        if (kind != TK_DISK_WHOLE)
            continue;
        any = true;
        ret_sum->rd_ios += work.rd_ios;
        ret_sum->rd_bytes += work.rd_bytes;
        ret_sum->wr_ios += work.wr_ios;
        ret_sum->wr_bytes += work.wr_bytes;
    }
    return any;
}

/* Links ----------------------------------------------------------------------------- */

static const struct tk_host_link *find_link(const struct tk_host_links *links, const char *name,
                                            size_t hint)
{
    for (size_t i = 0; i < links->count; i++) {
        const struct tk_host_link *link = &links->items[(hint + i) % links->count];
        if (strcmp(link->name, name) == 0)
            return link;
    }
    return NULL;
}

/* What is remembered of a link; NULL when there are too many. */
static struct tk_known_link *known_link(struct tk_host *host, const char *name, size_t hint)
{
    for (size_t i = 0; i < host->link_count; i++) {
        struct tk_known_link *known = &host->links[(hint + i) % host->link_count];
        if (strcmp(known->name, name) == 0)
            return known;
    }
    if (host->link_count == TK_COUNTOF(host->links))
        return NULL;
    struct tk_known_link *known = &host->links[host->link_count++];
    memcpy(known->name, name, strlen(name) + 1);
    return known;
}

static bool is_wanted(struct tk_host *host, const struct tk_host_link *now,
                      const struct tk_host_link *before, size_t hint)
{
    if (strcmp(now->name, host->options.iface) == 0)
        return true;
    struct tk_known_link *known = known_link(host, now->name, hint);
    if (!known)
        return false;
    known->active = known->active || now->rx_packets != before->rx_packets ||
                    now->tx_packets != before->tx_packets;
    return known->active;
}

/* "NODE.nic" for the NIC of the run, "NODE.IFACE" for others. */
static void put_link_name(const struct tk_host *host, struct tk_batch *row, const char *name)
{
    char text[256 + TK_HOST_LINK_NAME];
    tk_str tail = strcmp(name, host->options.iface) == 0 ? TK_STR("nic") : tk_str_from(name);
    size_t n = strnlen(host->options.node, 255);
    memcpy(text, host->options.node, n);
    text[n++] = '.';
    memcpy(text + n, tail.p, tail.n);
    tk_batch_set_text(row, TK_LINK_METRICS_LINK, (tk_str){text, n + tail.n});
}

static void put_link(struct tk_host *host, struct tk_rows *rows, const struct tk_host_span *span,
                     const struct tk_host_link *now, const struct tk_host_link *before)
{
    int64_t rx = delta(now->rx_bytes, before->rx_bytes);
    int64_t tx = delta(now->tx_bytes, before->tx_bytes);
    if (rx < 0 || tx < 0)
        return;
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_LINK_METRICS);
    int64_t ns = epoch_ns(host, span);
    tk_batch_set_i64(row, TK_LINK_METRICS_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_LINK_METRICS_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_LINK_METRICS_NODE, tk_str_from(host->options.node));
    tk_batch_set_text(row, TK_LINK_METRICS_STAGE, tk_str_from(host->options.stage));
    tk_batch_set_text(row, TK_LINK_METRICS_HOST, tk_str_from(host->options.host));
    tk_batch_set_text(row, TK_LINK_METRICS_IFACE, tk_str_from(now->name));
    put_link_name(host, row, now->name);
    tk_batch_set_i64(row, TK_LINK_METRICS_DT_MS, span->dt_ms);
    put_whole_rate(row, TK_LINK_METRICS_RX_BPS, rx, span->dt_us);
    put_whole_rate(row, TK_LINK_METRICS_TX_BPS, tx, span->dt_us);
    put_rate(row, TK_LINK_METRICS_RX_PPS, delta(now->rx_packets, before->rx_packets), span->dt_us);
    put_rate(row, TK_LINK_METRICS_TX_PPS, delta(now->tx_packets, before->tx_packets), span->dt_us);
    put_count(row, TK_LINK_METRICS_RX_DROP, delta(now->rx_drop, before->rx_drop));
    put_count(row, TK_LINK_METRICS_TX_DROP, delta(now->tx_drop, before->tx_drop));
}

static void put_links(struct tk_host *host, struct tk_rows *rows)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_NET_DEV);
    if (!span.before)
        return;
    const struct tk_host_links *links = &span.now->links;
    for (size_t i = 0; i < links->count; i++) {
        const struct tk_host_link *now = &links->items[i];
        const struct tk_host_link *before = find_link(&span.before->links, now->name, i);
        if (before && is_wanted(host, now, before, i))
            put_link(host, rows, &span, now, before);
    }
}

/* Host rows ------------------------------------------------------------------------- */

static struct tk_batch *begin_host_row(const struct tk_host *host, struct tk_rows *rows,
                                       const struct tk_host_span *span)
{
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_HOST_METRICS);
    int64_t ns = epoch_ns(host, span);
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
    put_count(row, TK_HOST_METRICS_MEM_FREE_MB, memory->free / 1000000);
    put_count(row, TK_HOST_METRICS_MEM_FREE_BYTES, memory->free);
    put_count(row, TK_HOST_METRICS_MEM_AVAILABLE_BYTES, memory->available);
    put_count(row, TK_HOST_METRICS_MEM_CACHED_BYTES, memory->cached);
    put_count(row, TK_HOST_METRICS_SWAP_FREE_BYTES, memory->swap_free);
}

static void put_cpu_row(struct tk_host *host, struct tk_rows *rows, const struct disk_work *disks)
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
        put_count(row, TK_HOST_METRICS_ENERGY_UJ, host->energy_uj);
    if (disks) {
        int64_t dt_us = tk_host_span_of(host, TK_HOST_DISKSTATS).dt_us;
        put_whole_rate(row, TK_HOST_METRICS_DISK_RD_BPS, disks->rd_bytes, dt_us);
        put_whole_rate(row, TK_HOST_METRICS_DISK_WR_BPS, disks->wr_bytes, dt_us);
        put_rate(row, TK_HOST_METRICS_DISK_RD_IOPS, disks->rd_ios, dt_us);
        put_rate(row, TK_HOST_METRICS_DISK_WR_IOPS, disks->wr_ios, dt_us);
    }
}

void tk_host_put_rows(struct tk_host *host, struct tk_rows *rows)
{
    struct disk_work disks;
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_DISKSTATS);
    bool has_disks = span.before && put_disks(host, rows, &span, &disks);
    put_cpu_row(host, rows, has_disks ? &disks : NULL);
    put_memory(host, rows);
    put_links(host, rows);
}
