/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of `tracekit spans`. */
#ifndef TK_CMD_SPANS_H
#define TK_CMD_SPANS_H

#include "base/buf.h"
#include "base/opt.h"
#include "cmd/span_store.h"
#include "report/report.h"
#include "span/bill_lookup.h"

struct tk_spans_opts {
    bool json;
    const char *service;
    const char *operation;
    int64_t min_duration_ns;
    int64_t max_duration_ns;
    int64_t min_cpu_ns;
    const char *status;
    const char *kind;
    struct tk_opt_list attrs;
    const char *since;
    const char *until;
    bool roots;
    bool by_trace;
    bool operations;
    int sort;
    int64_t limit; /* 0 = all */
    bool limited;  /* the limit was given, likewise the order */
    bool sorted;
};

enum { TK_SPANS_BY_START, TK_SPANS_BY_DURATION, TK_SPANS_BY_CPU };

/* What all three lists work with. */
struct tk_spans {
    const struct tk_spans_opts *opts;
    const struct tk_span_store *store;
    struct tk_segment_set *set; /* the store's */
    struct tk_span_query query;
    const struct tk_look *look;
    struct tk_buf out; /* written by the caller, and from time to time by the lists */
};

/* Write `out` when it holds much, and empty it. */
TK_MUST_USE int tk_spans_flush(struct tk_spans *spans, struct tk_err *err);

/* A span a line; a trace a line; an operation a line. */
TK_MUST_USE int tk_spans_list(struct tk_spans *spans, struct tk_err *err);
TK_MUST_USE int tk_spans_list_traces(struct tk_spans *spans, struct tk_err *err);
TK_MUST_USE int tk_spans_list_operations(struct tk_spans *spans, struct tk_err *err);

/* Append "50 of 86,583 NOUNs (--limit 0 shows all)" where not all are shown; without the second
 * number when TK_SPANS_MANY were found. "no span fits (86,583 looked at)" when none was found. */
#define TK_SPANS_MANY UINT64_MAX
void tk_spans_put_rest(struct tk_spans *spans, uint64_t shown, uint64_t found, const char *noun);

#endif
