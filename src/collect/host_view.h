/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of the whole host at one moment, for those who compare two moments and make no rows:
 * build steps. What counts for the host is chosen here: whole disks (nothing stacked on others,
 * nothing in memory) and links to the outside (no loopback, bridge, tunnel or end of a container's
 * pair), so that no byte is counted twice. */
#ifndef TK_COLLECT_HOST_VIEW_H
#define TK_COLLECT_HOST_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "collect/host_sources.h"
#include "collect/kernel.h"

#define TK_HOST_VIEW_DISKS 24

/* What is not told by this host is TK_HOST_ABSENT. */
struct tk_host_view {
    int64_t boot_ns; /* CLOCK_BOOTTIME */
    struct tk_host_cpu cpu;
    int64_t cores;
    struct tk_host_memory memory;
    struct tk_host_vmstat vmstat;
    struct tk_host_pressure pressure_cpu, pressure_io, pressure_memory;
    double load1;
    struct tk_host_disk disks[TK_HOST_VIEW_DISKS]; /* that had any I/O */
    size_t disk_count;
    int64_t rx_bytes, tx_bytes;        /* of all links that count */
    int64_t tcp_retrans, tcp_segments; /* sent again, sent in all */
};

struct tk_host_viewer;

/* Open the files, to be kept open. Fails with -ENOMEM; a file that is missing is left out.
 * `kernel` is borrowed. */
TK_MUST_USE int tk_host_viewer_new(const struct tk_kernel *kernel,
                                   struct tk_host_viewer **ret_viewer, struct tk_err *err);

/* Accepts NULL. */
void tk_host_viewer_free(struct tk_host_viewer *viewer);

/* For TK_CLEANUP. */
void tk_host_viewer_freep(struct tk_host_viewer **viewer);

/* Read all of it: 25 us with the files hot. */
void tk_host_viewer_read(struct tk_host_viewer *viewer, struct tk_host_view *ret_view);

/* Whether a disk has turning parts: 1, 0, or TK_HOST_ABSENT when this host does not tell. */
int64_t tk_host_disk_rotational(const struct tk_kernel *kernel, const char *name);

#endif
