/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: a thread that syncs a sink for all requests that wait for it, so that an fsync
 * costs latency and no throughput, and no worker ever waits for a disk (trace-storage-and-ui.md
 * section 7.2). The worker draws a ticket for each request, and looks which are done when its
 * eventfd tells.
 */
#ifndef TK_SERVE_SYNCER_H
#define TK_SERVE_SYNCER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "segment/segment_sink.h"

struct tk_syncer;

/* Start the thread. `event_fd` is written to after each sync. A sync begins at the earliest
 * `interval_ns` after the last one began. Both are the caller's and live longer. */
TK_MUST_USE int tk_syncer_new(struct tk_segment_sink *sink, int event_fd, int64_t interval_ns,
                              struct tk_syncer **ret_syncer, struct tk_err *err);

/* Wait for the sync that is under way, end the thread. Accepts NULL. */
void tk_syncer_free(struct tk_syncer *syncer);

/* A ticket for what was committed until now; tickets ascend from 1. */
uint64_t tk_syncer_add(struct tk_syncer *syncer);

struct tk_sync_state {
    uint64_t done;        /* tickets up to this one are decided */
    uint64_t failed_from; /* of these, tickets in (failed_from, failed] could not be synced */
    uint64_t failed;      /* 0 = all could */
    struct tk_err err;    /* of the last that failed */
};

/* Whether the sync that is under way takes longer than that. Any thread. */
bool tk_syncer_is_late(struct tk_syncer *syncer, int64_t limit_ns);

/* How far it is; failures are told once. */
void tk_syncer_read(struct tk_syncer *syncer, struct tk_sync_state *ret_state);

#endif
