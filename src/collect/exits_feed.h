/* SPDX-License-Identifier: Apache-2.0 */
/* The two kernel sources that see processes which no sampling can see: the proc connector tells of
 * forks, execs and exits as they happen, taskstats sends what each thread had used at its exit.
 * Whatever of the two this host allows is opened; what not, and why, can be asked.
 *
 *   proc connector  the initial pid and user namespaces; no privilege from Linux 6.6 on (tested on
 *                   6.18 as uid 65534), CAP_NET_ADMIN before. Elsewhere it accepts the request and
 *                   stays silent, or delivers pids of another namespace when somebody else
 *                   listens: only an answer to our own request counts.
 *   taskstats       CAP_NET_ADMIN in the initial namespaces. Records carry pids of these.
 *
 * Losses are never silent: a full socket buffer is reported by the kernel once, and the proc
 * connector's sequence numbers tell how many messages are missing. One thread at a time. */
#ifndef TK_COLLECT_EXITS_FEED_H
#define TK_COLLECT_EXITS_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "collect/exits_parse.h"
#include "collect/kernel.h"

struct tk_exit_feed;

struct tk_exit_feed_stats {
    bool connector; /* forks, execs and exits are told */
    bool taskstats; /* ... and exits with accounting */
    int version;    /* of the kernel's struct taskstats; 0 = not open */
    int sockets;    /* for taskstats, each for a part of the CPUs */
    const char *connector_why_not, *taskstats_why_not; /* "" when open */
    int64_t events;                                    /* messages of the connector */
    int64_t records;                                   /* of taskstats */
    int64_t dropped;  /* messages of the connector that are missing in its sequence */
    int64_t overruns; /* times that a socket buffer was full */
    int64_t bad;      /* messages that did not parse */
    int64_t syscalls; /* that reading took */
};

/* Opens what this host allows, possibly nothing. Fails only with -ENOMEM. */
TK_MUST_USE int tk_exit_feed_new(const struct tk_kernel *kernel, struct tk_exit_feed **ret_feed,
                                 struct tk_err *err);
void tk_exit_feed_free(struct tk_exit_feed *feed);

/* The descriptor that turns readable when a process forks, execs or exits, or, without the proc
 * connector, when one of the first part of the CPUs exits; -1 when nothing is open. */
int tk_exit_feed_fd(const struct tk_exit_feed *feed);

/* Take events of the connector that wait, at most `cap`, in their order. Returns how many; fewer
 * than `cap`: no more wait. */
size_t tk_exit_feed_read_events(struct tk_exit_feed *feed, struct tk_event *ret_events, size_t cap);

/* Take one message of exit records: 1 or 2 of them, or 0 when no more wait. */
int tk_exit_feed_read_records(struct tk_exit_feed *feed, struct tk_task_record ret_records[2]);

/* True when messages were lost since the last call: the owner has to look for itself. */
bool tk_exit_feed_lost(struct tk_exit_feed *feed);

/* Figures since it was opened. */
void tk_exit_feed_read_stats(const struct tk_exit_feed *feed, struct tk_exit_feed_stats *ret_stats);

#endif
