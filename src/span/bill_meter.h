/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of bills: what a process used, divided among the spans that it served
 * (trace-storage-and-ui.md section 9.2).
 *
 * Between two readings a process is taken to use everything at an even rate. At each moment its use
 * belongs to the innermost open spans, to all of them alike: a span that waits for a child within
 * the same process uses nothing itself. So whatever the spans, what they are billed never adds up
 * to more than the process used.
 *
 *     spans      a  |-----------------|
 *                b      |------|              child of a
 *     innermost  a  |--|        |-----|
 *                b      |------|
 *     readings      |    |    |    |    |     C(t), linear between them
 *
 * A schedule has the moments at which spans begin and cease to be innermost; it is made once for
 * all processes that serve the same spans. A meter is one process on its way along a schedule. It
 * carries for each counter P(t), the integral of dC / (innermost spans open): a span's bill is P at
 * its end less P at its beginning, so that a reading costs the same however many spans are open,
 * and each span costs the same however many readings there are.
 *
 * One thread at a time. */
#ifndef TK_SPAN_BILL_METER_H
#define TK_SPAN_BILL_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

#define TK_BILL_NONE UINT32_MAX

enum tk_bill_counter {
    TK_BILL_CPU,      /* ns */
    TK_BILL_RUNNABLE, /* ns: waited for a CPU */
    TK_BILL_IO_WAIT,  /* ns: waited for block I/O */
    TK_BILL_READ,     /* bytes, of block devices */
    TK_BILL_WRITTEN,
    TK_BILL_MINOR_FAULTS,
    TK_BILL_MAJOR_FAULTS,
    TK_BILL_COUNTERS
};

/* What a span is billed: first itself alone, after tk_bill_add_children() with the spans below it
 * that the same processes served. */
struct tk_bill {
    double used[TK_BILL_COUNTERS];
    int64_t innermost_ns;  /* time in which it was innermost, of all its processes; not added up */
    int64_t max_rss_bytes; /* largest reading of one process; -1 = none. Not divided */
    int64_t period_ns;     /* the longest between two readings in which it began or ended */
    uint8_t known;         /* bit c: a process that served it told counter c */
    bool is_metered;       /* a process that served it was read while it was open */
};

/* A span on the time line. */
struct tk_bill_interval {
    int64_t start_ns, end_ns;
    uint32_t span;   /* index in the bills */
    uint32_t parent; /* index in this list of the next span above that is in it; TK_BILL_NONE */
};

struct tk_bill_schedule;

/* `intervals` are sorted by start; those of no length are never innermost. -ENOMEM. */
TK_MUST_USE int tk_bill_schedule_new(const struct tk_bill_interval *intervals, uint32_t count,
                                     struct tk_bill_schedule **ret_schedule, struct tk_err *err);

/* Accepts NULL. */
void tk_bill_schedule_free(struct tk_bill_schedule *schedule);

/* One reading. Counters are cumulative; `known` has the bit of each that was read, others stay as
 * they were. */
struct tk_bill_reading {
    int64_t time_ns;
    double counters[TK_BILL_COUNTERS];
    int64_t rss_bytes; /* -1 = not read */
    uint8_t known;
};

struct tk_bill_meter;

/* A process along a schedule, which is borrowed, at its first reading: what it had used by then is
 * nobody's. */
TK_MUST_USE int tk_bill_meter_new(const struct tk_bill_schedule *schedule,
                                  const struct tk_bill_reading *first,
                                  struct tk_bill_meter **ret_meter, struct tk_err *err);

/* The next reading; one that is not later than the last is left out. Bills of spans that cease to
 * be innermost are added to. -ENOMEM. */
TK_MUST_USE int tk_bill_meter_add(struct tk_bill_meter *meter,
                                  const struct tk_bill_reading *reading, struct tk_bill *bills);

/* The process has ended, or the recording: add to the bills of those that are open. */
void tk_bill_meter_finish(struct tk_bill_meter *meter, struct tk_bill *bills);

/* Accepts NULL. */
void tk_bill_meter_free(struct tk_bill_meter *meter);

/* Add the bill of each span to that of the one above it: `parents[count]` are indexes of bills or
 * TK_BILL_NONE, without a cycle. -ENOMEM. */
TK_MUST_USE int tk_bill_add_children(struct tk_bill *bills, const uint32_t *parents, uint32_t count,
                                     struct tk_err *err);

#endif
