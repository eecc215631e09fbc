/* SPDX-License-Identifier: Apache-2.0 */
/* What `tracekit join` prints. */
#ifndef TK_CMD_JOIN_PRINT_H
#define TK_CMD_JOIN_PRINT_H

#include "report/report.h"
#include "span/bill_skew.h"
#include "span/bill_spike.h"

#define TK_JOIN_HOSTS_MAX 16

/* All that there is to tell. */
struct tk_join_report {
    const struct tk_join *join;
    const char *run;  /* as the user named it */
    const char *file; /* that was written */
    size_t limit;     /* lines of a list */
    struct tk_host_skew skews[TK_JOIN_HOSTS_MAX];
    size_t skew_count;
};

/* Append shares of the rules, what was billed, the spans with most CPU, clocks. */
TK_MUST_USE int tk_join_put_text(const struct tk_join_report *report, const struct tk_look *look,
                                 struct tk_buf *out, struct tk_err *err);
void tk_join_put_json(const struct tk_join_report *report, struct tk_buf *out);

/* Append a spike with the spans that were open in it. `about` is what rose, "CPU". */
TK_MUST_USE int tk_join_put_spike(const struct tk_join_report *report, const char *about,
                                  const struct tk_spike *spike, const struct tk_look *look,
                                  struct tk_buf *out, struct tk_err *err);
void tk_join_put_spike_json(const struct tk_join_report *report, const char *about,
                            const struct tk_spike *spike, struct tk_buf *out);

#endif
