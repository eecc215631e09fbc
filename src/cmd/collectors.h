/* SPDX-License-Identifier: Apache-2.0 */
/* Background recorders that run now: how to find and to stop them by identity, never by a bare pid
 * (collect-and-cctf.md section 5). */
#ifndef TK_CMD_COLLECTORS_H
#define TK_CMD_COLLECTORS_H

#include "base/compiler.h"
#include "base/err.h"
#include "run/run.h"

/* Stop the collector of a run folder: SIGTERM, up to 5 s for its last rows, then SIGKILL. Stale
 * pid files and those of old collectors (mpstat.pid, ifstat.pid, vmstat.pid, procmon.pid) are
 * removed; their processes get SIGTERM when their command line names that tool and that folder.
 * Returns 1 when something was stopped, 0 when nothing ran or there is no such folder; -EBUSY when
 * the folder is recorded by `tracekit record`, which ends with its command, or by a process in
 * another pid namespace. */
TK_MUST_USE int tk_collector_stop(const char *folder, struct tk_err *err);

/* Call `visit` with the folder of each collector of this user, wherever it lies. */
void tk_collectors_each(void (*visit)(void *context, const char *folder), void *context);

/* Call `visit` with the folder of each run right below `parent` that is being recorded, in the
 * order of their names. A `parent` that does not exist has none. */
void tk_collectors_each_below(const char *parent, void (*visit)(void *context, const char *folder),
                              void *context);

#endif
