/* SPDX-License-Identifier: Apache-2.0 */
/* What host.c (opening and reading) and host_rows*.c (rows of an interval) share. */
#ifndef TK_COLLECT_HOST_INTERNAL_H
#define TK_COLLECT_HOST_INTERNAL_H

#include "collect/host.h"
#include "collect/host_sources.h"

/* A source at run time. Readings are double buffered: the part of `source` in
 * host->readings[latest] is the newest, the one in the other is the reading before. */
struct tk_host_state {
    int *fds; /* owned */
    size_t fd_count;
    int64_t stamp_ns[2]; /* monotonic, by index of the reading */
    unsigned latest;
    unsigned readings; /* taken so far: 0, 1, 2 = two or more */
    size_t enough;     /* bytes that held all that is wanted, last time; 0 = not known */
    int64_t due_ns;
    bool fresh; /* read at this tick */
};

/* Of a disk: which rows and sums it belongs to. */
enum tk_disk_kind {
    TK_DISK_PART,    /* a partition: nowhere */
    TK_DISK_WHOLE,   /* a row, and part of the host's sums */
    TK_DISK_VIRTUAL, /* on other disks (dm, md, drbd, loop) or in memory (ram, zram): a row alone */
};

struct tk_known_disk {
    char name[TK_HOST_DISK_NAME];
    enum tk_disk_kind kind;
};

struct tk_known_link {
    char name[TK_HOST_LINK_NAME];
    bool active; /* carried traffic since recording began */
};

struct tk_host {
    const struct tk_kernel *kernel;
    struct tk_host_options options;

    struct tk_host_state states[TK_HOST_SOURCE_COUNT];
    struct tk_host_reading *readings; /* [2] */
    char *buf;                        /* of one file */
    size_t cap;
    double *core_utils; /* [TK_HOST_CORES_MAX]; NULL unless asked for */

    struct tk_known_disk disks[TK_HOST_DISKS_MAX];
    size_t disk_count;
    struct tk_known_link links[TK_HOST_LINKS_MAX];
    size_t link_count;

    int64_t energy_range_uj[TK_HOST_FILES_MAX];
    int64_t energy_uj; /* unwrapped sum; TK_HOST_ABSENT before the first reading */

    int64_t forks;    /* `processes` when it was last read; TK_HOST_ABSENT before */
    int64_t last_pid; /* of /proc/loadavg, just before that */

    int64_t syscalls;
    int64_t errors;
    char first_error[TK_ERR_MAX];
};

/* A source over one interval. */
struct tk_host_span {
    const struct tk_host_reading *now;    /* NULL: not read at this tick */
    const struct tk_host_reading *before; /* NULL: there is none yet */
    int64_t now_ns;                       /* monotonic */
    int64_t dt_us;                        /* between the two, as the stamps in files have it */
    int64_t dt_ms;
};

/* The span of a source at this tick. */
struct tk_host_span tk_host_span_of(const struct tk_host *host, enum tk_host_source_id id);

/* Epoch time of a span's end. */
int64_t tk_host_epoch_ns(const struct tk_host *host, const struct tk_host_span *span);

/* What a disk did in an interval; TK_HOST_ABSENT in `rd_ios` = a counter went back. */
struct tk_disk_work {
    int64_t rd_ios, rd_bytes, wr_ios, wr_bytes;
    int64_t wait_ms; /* sum over its requests */
    int64_t busy_ms;
};

/* Append the rows of everything that is fresh. */
void tk_host_put_rows(struct tk_host *host, struct tk_rows *rows);

/* Those of the disks; false when no disk counts for the host's sums. */
bool tk_host_put_disks(struct tk_host *host, struct tk_rows *rows, const struct tk_host_span *span,
                       struct tk_disk_work *ret_sum);

/* Those of the links. */
void tk_host_put_links(struct tk_host *host, struct tk_rows *rows);

/* Those of the slow class: interrupts, NUMA nodes, file systems. */
void tk_host_put_slow(struct tk_host *host, struct tk_rows *rows);

/* Shares of one interval in %, host_cpu.c. */
struct tk_cpu_shares {
    double usr, nice, sys, idle, iowait, irq, soft, steal, guest, gnice;
};

/* False when no tick passed, or a counter went back. */
bool tk_cpu_shares_of(const struct tk_host_cpu *now, const struct tk_host_cpu *before,
                      struct tk_cpu_shares *ret);

/* Utilisation per core in the order of the kernel. False when the set of cores changed. */
bool tk_core_utils_of(const struct tk_host_stat *now, const struct tk_host_stat *before,
                      double *ret_utils);

/* Kind of a disk by /sys/block, or by its name where that is missing; host_disk.c. */
enum tk_disk_kind tk_disk_kind_of(int rootfd, const char *name);

/* Wraps of the energy counters; host_energy.c. `ret_uj` is [cap], in the order of the files. */
void tk_host_energy_ranges(int rootfd, int64_t *ret_uj, size_t cap);

/* Open the files of a path with at most one '*', in the order of their numbers; host_files.c. */
size_t tk_host_files_open(int rootfd, const char *path, bool (*takes)(int dirfd), int *ret_fds,
                          size_t cap);

#endif
