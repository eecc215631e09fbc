/* SPDX-License-Identifier: Apache-2.0 */
/* What parents and children tell of the clocks of hosts: a call and what answers it on another host
 * overlap, so that each pair bounds by how much one clock is ahead of the other, and the median of
 * the middles of these bounds estimates it, as NTP does with its four stamps. Pure function of the
 * spans. */
#ifndef TK_SPAN_BILL_SKEW_H
#define TK_SPAN_BILL_SKEW_H

#include "span/bill_spans.h"

struct tk_host_skew {
    uint32_t from, to; /* texts of the spans: hosts of the callers and of the called */
    uint64_t calls;
    uint64_t outside;  /* calls whose answer began before them or ended after them */
    int64_t ahead_ns;  /* of the clock of `to`, the estimate */
    int64_t spread_ns; /* between the quartiles of the middles */
};

/* At most `cap` pairs of hosts, those with most calls first. -ENOMEM. */
TK_MUST_USE int tk_host_skew_read(const struct tk_bill_spans *spans, struct tk_host_skew *ret,
                                  size_t cap, size_t *ret_count, struct tk_err *err);

#endif
