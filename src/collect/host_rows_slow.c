/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the slow class: interrupts, memory of each NUMA node, space of file systems. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "collect/host_internal.h"
#include "collect/host_values.h"

#define IRQ_ROWS_MAX 32 /* per reading; all others make one row */

/* Interrupts ------------------------------------------------------------------------ */

/* One that counted within the span. */
struct fired {
    const struct tk_host_interrupt *interrupt;
    int64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct fired *x = a;
    const struct fired *y = b;
    return (x->count < y->count) - (x->count > y->count);
}

static int64_t count_before(const struct tk_host_interrupts *before,
                            const struct tk_host_interrupt *now, size_t hint)
{
    if (hint < before->count && strcmp(before->items[hint].id, now->id) == 0)
        return before->items[hint].count;
    for (size_t i = 0; i < before->count; i++) {
        if (strcmp(before->items[i].id, now->id) == 0)
            return before->items[i].count;
    }
    return 0;
}

static struct tk_batch *begin_irq(const struct tk_host *host, struct tk_rows *rows,
                                  const struct tk_host_span *span, const char *id, int64_t count)
{
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_INTERRUPT_METRICS);
    int64_t ns = tk_host_epoch_ns(host, span);
    tk_batch_set_i64(row, TK_INTERRUPT_METRICS_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_INTERRUPT_METRICS_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_INTERRUPT_METRICS_NODE, tk_str_from(host->options.node));
    tk_batch_set_text(row, TK_INTERRUPT_METRICS_HOST, tk_str_from(host->options.host));
    tk_batch_set_text(row, TK_INTERRUPT_METRICS_IRQ, tk_str_from(id));
    tk_batch_set_i64(row, TK_INTERRUPT_METRICS_DT_MS, span->dt_ms);
    tk_batch_set_i64(row, TK_INTERRUPT_METRICS_COUNT_DT, count);
    return row;
}

static void put_interrupts(const struct tk_host *host, struct tk_rows *rows)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_INTERRUPTS);
    if (!span.before)
        return;
    struct fired fired[TK_HOST_IRQS_MAX];
    size_t n = 0;
    const struct tk_host_interrupts *now = &span.now->interrupts;
    for (size_t i = 0; i < now->count; i++) {
        int64_t before = count_before(&span.before->interrupts, &now->items[i], i);
        int64_t count = tk_host_delta(now->items[i].count, before);
        if (count > 0)
            fired[n++] = (struct fired){&now->items[i], count};
    }
    qsort(fired, n, sizeof(*fired), by_count);
    int64_t others = 0;
    for (size_t i = 0; i < n; i++) {
        if (i >= IRQ_ROWS_MAX) {
            others += fired[i].count;
            continue;
        }
        const struct tk_host_interrupt *interrupt = fired[i].interrupt;
        struct tk_batch *row = begin_irq(host, rows, &span, interrupt->id, fired[i].count);
        if (interrupt->device[0])
            tk_batch_set_text(row, TK_INTERRUPT_METRICS_DEVICE, tk_str_from(interrupt->device));
    }
    if (others > 0)
        (void)begin_irq(host, rows, &span, "other", others);
}

/* Memory of the nodes ---------------------------------------------------------------- */

static void put_node(const struct tk_host *host, struct tk_rows *rows,
                     const struct tk_host_span *span, const struct tk_host_memory_node *node)
{
    const struct {
        size_t column;
        int64_t pages;
    } values[] = {
        {TK_NUMA_METRICS_FREE_BYTES, node->free_pages},
        {TK_NUMA_METRICS_MIN_BYTES, node->min_pages},
        {TK_NUMA_METRICS_LOW_BYTES, node->low_pages},
        {TK_NUMA_METRICS_HIGH_BYTES, node->high_pages},
        {TK_NUMA_METRICS_MANAGED_BYTES, node->managed_pages},
    };
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_NUMA_METRICS);
    int64_t ns = tk_host_epoch_ns(host, span);
    tk_batch_set_i64(row, TK_NUMA_METRICS_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_NUMA_METRICS_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_NUMA_METRICS_NODE, tk_str_from(host->options.node));
    tk_batch_set_text(row, TK_NUMA_METRICS_HOST, tk_str_from(host->options.host));
    tk_batch_set_i64(row, TK_NUMA_METRICS_NUMA_NODE, node->id);
    for (size_t i = 0; i < TK_COUNTOF(values); i++) {
        int64_t bytes;
        if (tk_mul_i64(values[i].pages, host->kernel->page_bytes, &bytes))
            tk_batch_set_i64(row, values[i].column, bytes);
    }
}

static void put_nodes(const struct tk_host *host, struct tk_rows *rows)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_ZONEINFO);
    for (size_t i = 0; span.now && i < span.now->nodes.count; i++)
        put_node(host, rows, &span, &span.now->nodes.items[i]);
}

/* File systems ------------------------------------------------------------------------ */

/* Without holding the mount: it could not be unmounted. */
static bool ask_space(struct tk_host *host, const char *path, struct statvfs *ret)
{
    if (host->kernel->live) {
        host->syscalls++;
        return statvfs(path, ret) == 0 && ret->f_blocks > 0;
    }
    path += strspn(path, "/");
    TK_CLEANUP(tk_fd_close)
    int fd = openat(host->kernel->rootfd, *path ? path : ".", O_PATH | O_CLOEXEC | O_NOFOLLOW);
    host->syscalls += 3;
    return fd >= 0 && fstatvfs(fd, ret) == 0 && ret->f_blocks > 0;
}

static void set_blocks(struct tk_batch *row, size_t column, fsblkcnt_t blocks, unsigned long size)
{
    int64_t bytes;
    if (blocks <= INT64_MAX && tk_mul_i64((int64_t)blocks, (int64_t)size, &bytes))
        tk_batch_set_i64(row, column, bytes);
}

static void put_mount(struct tk_host *host, struct tk_rows *rows, const struct tk_host_span *span,
                      const struct tk_host_mount *mount)
{
    struct statvfs space;
    if (!ask_space(host, mount->path, &space))
        return;
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_FS_METRICS);
    int64_t ns = tk_host_epoch_ns(host, span);
    tk_batch_set_i64(row, TK_FS_METRICS_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_FS_METRICS_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_FS_METRICS_NODE, tk_str_from(host->options.node));
    tk_batch_set_text(row, TK_FS_METRICS_HOST, tk_str_from(host->options.host));
    tk_batch_set_text(row, TK_FS_METRICS_MOUNT, tk_str_from(mount->path));
    tk_batch_set_text(row, TK_FS_METRICS_DEVICE, tk_str_from(mount->device));
    tk_batch_set_text(row, TK_FS_METRICS_TYPE, tk_str_from(mount->type));
    set_blocks(row, TK_FS_METRICS_SIZE_BYTES, space.f_blocks, space.f_frsize);
    set_blocks(row, TK_FS_METRICS_FREE_BYTES, space.f_bfree, space.f_frsize);
    set_blocks(row, TK_FS_METRICS_AVAIL_BYTES, space.f_bavail, space.f_frsize);
    if (space.f_files > 0) {
        set_blocks(row, TK_FS_METRICS_FILES, space.f_files, 1);
        set_blocks(row, TK_FS_METRICS_FILES_FREE, space.f_ffree, 1);
    }
    tk_batch_set_bool(row, TK_FS_METRICS_READ_ONLY, (space.f_flag & ST_RDONLY) != 0);
}

static void put_mounts(struct tk_host *host, struct tk_rows *rows)
{
    struct tk_host_span span = tk_host_span_of(host, TK_HOST_MOUNTINFO);
    for (size_t i = 0; span.now && i < span.now->mounts.count; i++)
        put_mount(host, rows, &span, &span.now->mounts.items[i]);
}

void tk_host_put_slow(struct tk_host *host, struct tk_rows *rows)
{
    put_interrupts(host, rows);
    put_nodes(host, rows);
    put_mounts(host, rows);
}
