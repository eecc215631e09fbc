/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a run in memory: taken from texts, duplicates marked, sorted, written with what they
 * lack filled in (collect-and-cctf.md sections 10 and 12). An event keeps its fields, their order
 * and the text of their values. */
#ifndef TK_RUN_EVENTS_H
#define TK_RUN_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "run/exits.h"

struct tk_event {
    tk_str text;  /* the object as read; borrowed */
    tk_str trace; /* raw values without quotes; empty = absent or null */
    tk_str span;
    int64_t time_ms; /* to sort by: first of ts_ms, ts_enqueue, ts_start that is not 0; else 0 */
    int64_t pid;     /* INT64_MIN = absent, so all below */
    int64_t host_pid;
    int64_t start_ticks;
    int64_t enqueue_ms;
    int64_t start_ms;
    int64_t end_ms;
    uint32_t order;             /* of arrival */
    bool is_command;            /* one process did it, so that its exit record is the bill */
    bool is_duplicate;          /* of an event that arrived before */
    const struct tk_exit *exit; /* of that process; NULL = none, or it served several events */
};

struct tk_events {
    struct tk_event *items; /* owned; sorted by tk_events_sort() */
    size_t count;
    size_t cap;
};

/* Read one object. Its text must have passed the scanner and live as long as `events`. */
TK_MUST_USE int tk_events_add(struct tk_events *events, tk_str text, struct tk_err *err);

/* Mark exact duplicates: same trace, span, pid and three times. Events with neither trace nor span
 * are never duplicates: access logs hold many that look alike. Returns how many. */
TK_MUST_USE int tk_events_mark_duplicates(struct tk_events *events, uint64_t *ret_duplicates,
                                          struct tk_err *err);

/* Sort by time, then pid (absent = 0), then span, then arrival. */
void tk_events_sort(struct tk_events *events);

/* Find the exit record of each command whose process did nothing else. */
void tk_events_join(struct tk_events *events, const struct tk_exits *exits);

/* Append the object on one line: node and stage (JSON texts), the derived times and the bill of the
 * exit record, where they are absent or null; all else as it is. No newline. */
void tk_event_format(const struct tk_event *event, tk_str node, tk_str stage, struct tk_buf *out);

/* Accepts a zeroed struct. */
void tk_events_release(struct tk_events *events);

#endif
