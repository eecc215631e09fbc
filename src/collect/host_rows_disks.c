/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of disk_metrics, and the sums of the host. */
#include <string.h>

#include "collect/host_internal.h"
#include "collect/host_values.h"

#define SECTOR_BYTES 512 /* of /proc/diskstats, whatever the disk has */

static struct tk_disk_work work_of(const struct tk_host_disk *now,
                                   const struct tk_host_disk *before)
{
    struct tk_disk_work work = {
        .rd_ios = tk_host_delta(now->rd_ios, before->rd_ios),
        .wr_ios = tk_host_delta(now->wr_ios, before->wr_ios),
        .rd_bytes = tk_host_delta(now->rd_sectors, before->rd_sectors),
        .wr_bytes = tk_host_delta(now->wr_sectors, before->wr_sectors),
        .busy_ms = tk_host_delta(now->busy_ms, before->busy_ms),
    };
    int64_t rd_ms = tk_host_delta(now->rd_ms, before->rd_ms);
    int64_t wr_ms = tk_host_delta(now->wr_ms, before->wr_ms);
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
                     const struct tk_host_disk *disk, const struct tk_disk_work *work)
{
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_DISK_METRICS);
    int64_t ns = tk_host_epoch_ns(host, span);
    tk_batch_set_i64(row, TK_DISK_METRICS_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_DISK_METRICS_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_DISK_METRICS_NODE, tk_str_from(host->options.node));
    tk_batch_set_text(row, TK_DISK_METRICS_HOST, tk_str_from(host->options.host));
    tk_batch_set_text(row, TK_DISK_METRICS_DISK, tk_str_from(disk->name));
    tk_batch_set_i64(row, TK_DISK_METRICS_DT_MS, span->dt_ms);
    tk_row_set_whole_rate(row, TK_DISK_METRICS_RD_BPS, work->rd_bytes, span->dt_us);
    tk_row_set_whole_rate(row, TK_DISK_METRICS_WR_BPS, work->wr_bytes, span->dt_us);
    tk_row_set_rate(row, TK_DISK_METRICS_RD_IOPS, work->rd_ios, span->dt_us);
    tk_row_set_rate(row, TK_DISK_METRICS_WR_IOPS, work->wr_ios, span->dt_us);
    if (work->busy_ms >= 0) {
        double util = 1e5 * (double)work->busy_ms / (double)span->dt_us;
        tk_batch_set_f64(row, TK_DISK_METRICS_UTIL, util > 100 ? 100 : util);
    }
    if (work->wait_ms >= 0 && work->rd_ios + work->wr_ios > 0) {
        tk_batch_set_f64(row, TK_DISK_METRICS_AWAIT_MS,
                         (double)work->wait_ms / (double)(work->rd_ios + work->wr_ios));
    }
    tk_row_set_count(row, TK_DISK_METRICS_IN_FLIGHT, disk->in_flight);
}

bool tk_host_put_disks(struct tk_host *host, struct tk_rows *rows, const struct tk_host_span *span,
                       struct tk_disk_work *ret_sum)
{
    bool any = false;
    *ret_sum = (struct tk_disk_work){0};
    const struct tk_host_disks *disks = &span->now->disks;
    for (size_t i = 0; i < disks->count; i++) {
        const struct tk_host_disk *now = &disks->items[i];
        enum tk_disk_kind kind = kind_of(host, now->name, i);
        if (kind == TK_DISK_PART)
            continue;
        const struct tk_host_disk *before = find_disk(&span->before->disks, now->name, i);
        struct tk_disk_work work = before ? work_of(now, before) : (struct tk_disk_work){-1};
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
