/* SPDX-License-Identifier: Apache-2.0 */
/* The join of spans with samples (trace-storage-and-ui.md section 9): each span gets a bill of what
 * the processes that served it used meanwhile, with the rule that matched and an error bound.
 *
 *     proc_metrics ─┐
 *     proc_exit     ├─> processes ─> matcher ─┐
 *     proc_context ─┘                         ├─> who served what ─> schedules ─┐
 *     spans ─────────────────────────────────>┘                                 ├─> bills
 *     proc_metrics, proc_exit once more, as readings ─────────────> meters ────>┘
 *
 *   bill.h          this page: the join as a whole
 *   bill_process.h  the processes of a run
 *   bill_match.h    which processes served a span: the rules
 *   bill_spans.h    the spans, and which called which
 *   bill_meter.h    the arithmetic
 *   bill_table.h    bills as a table
 *   bill_skew.h     what parents and children tell of the clocks of hosts
 *   bill_spike.h    the reverse: what was open when the machine was busiest
 *
 * Samples are read twice as streams; memory follows the spans, some 250 bytes each, and the
 * processes that served any. One thread at a time. */
#ifndef TK_SPAN_BILL_H
#define TK_SPAN_BILL_H

#include "span/bill_meter.h"
#include "span/bill_spans.h"

/* What a span used itself, beside its children. */
struct tk_bill_self {
    double cpu_ns, runnable_ns, io_wait_ns;
};

struct tk_join_totals {
    uint64_t by_rule[TK_BILL_RULES];
    uint64_t bare_pids; /* of those that no rule matched: they tell a pid, but not whose */
    uint64_t metered;   /* spans with readings */
    uint64_t bounds;    /* of them, shorter than the time between two readings */
    double cpu_ns;      /* billed, of all spans */
    uint64_t rows;      /* of samples and exits */
    uint64_t bad_rows;
    int64_t
        contexts_refused; /* processes that could not be asked where they belong; -1 = unknown */
};

struct tk_join {
    int dirfd;           /* borrowed */
    int64_t start_ns;    /* of the recording; 0 = unknown */
    int64_t period_ns;   /* between readings, as achieved; 0 = unknown */
    int64_t wait_lag_ns; /* times of waiting may be so old: of shorter spans they tell nothing */
    bool has_samples;
    struct tk_bill_processes processes;
    struct tk_bill_matcher *matcher;
    struct tk_bill_spans spans;
    struct tk_bill *bills;      /* [spans.count], owned; after run */
    struct tk_bill_self *selfs; /* likewise */
    struct tk_join_totals totals;
};

/* Read who ran in the run folder, which stays the caller's. A run without samples is -ENOENT,
 * others fail with -EBADMSG or what reading failed with. Release it also after a failure. */
TK_MUST_USE int tk_join_open(int dirfd, struct tk_join *join, struct tk_err *err);

/* Add spans; may be called as tk_span_visit_fn. */
TK_MUST_USE int tk_join_add(struct tk_join *join, const struct tk_span_rows *rows,
                            struct tk_err *err);

/* All spans are in: match them and make their bills, which are those of spans.items[i]. */
TK_MUST_USE int tk_join_run(struct tk_join *join, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_join_release(struct tk_join *join);

/* How far off the bill of span `i` may be, as a share of the time: the period between readings over
 * its length; INFINITY for one of no length. */
double tk_join_error(const struct tk_join *join, uint32_t i);

#endif
