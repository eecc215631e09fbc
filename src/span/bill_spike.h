/* SPDX-License-Identifier: Apache-2.0 */
/* The reverse of the join: when was the machine busiest, and which spans were open then. One thread
 * at a time. */
#ifndef TK_SPAN_BILL_SPIKE_H
#define TK_SPAN_BILL_SPIKE_H

#include "span/bill.h"

enum tk_spike_kind {
    TK_SPIKE_CPU,    /* share of all cores, 0..1 */
    TK_SPIKE_MEMORY, /* bytes that processes could not have had more: of the memory available */
};

struct tk_spike {
    int64_t from_ns, to_ns; /* the reading */
    double value;           /* NaN = a moment that somebody named */
};

/* At most `cap` spikes of the host rows of a run, the highest first, each at least a second from
 * the others. No rows, no spikes. -ENOMEM. */
TK_MUST_USE int tk_spikes_find(int dirfd, enum tk_spike_kind kind, struct tk_spike *ret, size_t cap,
                               size_t *ret_count, struct tk_err *err);

struct tk_open_span {
    uint32_t span;
    int64_t overlap_ns;
    double cpu_ns; /* its own within the spike: an even share of its bill */
};

/* Spans that were open in it, most CPU first, then longest; at most `cap`. Returns how many there
 * were. */
size_t tk_spike_read_open(const struct tk_join *join, const struct tk_spike *spike,
                          struct tk_open_span *ret, size_t cap);

#endif
