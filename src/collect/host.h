/* SPDX-License-Identifier: Apache-2.0 */
/* The host: CPU in all and per core, memory, disks, links, pressure, load. A const table of
 * sources, each a kernel file that is kept open and a parser; sources run at the period of their
 * class (collector.md section 3). Two readings make the rows of one interval. */
#ifndef TK_COLLECT_HOST_H
#define TK_COLLECT_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/budget.h"
#include "collect/kernel.h"
#include "run/rows.h"

struct tk_host;

struct tk_host_options {
    const char *node, *stage, *host; /* identity of each row; borrowed for the host's life */
    const char *iface;               /* NIC of the link rows `NODE.nic`; "" = none */
    bool per_core;                   /* add per_core_util */
    const struct tk_pace *pace;      /* borrowed; NULL = as specified */
};

/* Opens the sources that this kernel has; one that is missing is left out for good. */
TK_MUST_USE int tk_host_new(const struct tk_kernel *kernel, const struct tk_host_options *options,
                            struct tk_host **ret_host, struct tk_err *err);
void tk_host_free(struct tk_host *host);

/* Take one reading of each source that is due and append the rows of what was read: host_metrics
 * (one CPU row, one memory row), link_metrics per link, disk_metrics per disk. All but the memory
 * row cover an interval, so they come from the second reading on. Any distance of ticks is fine:
 * columns of a slower class are present in the rows at which their source was read, and hold its
 * own interval. A source that fails to parse is counted and its columns are absent; no row is ever
 * made up.
 *
 * Links: the NIC of the options always, others once they carried traffic. Disks: whole ones that
 * had I/O since boot, also dm, md, loop and the like; the host's sums hold what reached a disk,
 * once. */
void tk_host_tick(struct tk_host *host, struct tk_rows *rows);

/* The last tick: every source is due. */
void tk_host_finish(struct tk_host *host, struct tk_rows *rows);

/* Forks since boot, read now (`processes` of /proc/stat, only when the last pid of /proc/loadavg
 * moved: 0.4 us where nothing was born, whatever the number of CPUs); -1 = unknown, as in a pid
 * namespace, whose forks nobody counts. */
int64_t tk_host_forks(struct tk_host *host);

/* Times that a source did not parse, and the first message ("" = none). */
int64_t tk_host_errors(const struct tk_host *host, const char **ret_first);

/* File systems that were not asked for their space: those of other machines, since one whose server
 * is dead may never answer. */
int64_t tk_host_remote_mounts(const struct tk_host *host);

/* System calls of all ticks so far. */
int64_t tk_host_syscalls(const struct tk_host *host);

#endif
