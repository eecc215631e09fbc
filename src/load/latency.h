/* SPDX-License-Identifier: Apache-2.0 */
/* A histogram of durations: 64 buckets for each power of two, so that a quantile is at most 1.6 %
 * too high, from 1 ns to 292 years in 30 KiB. One thread at a time. */
#ifndef TK_LOAD_LATENCY_H
#define TK_LOAD_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define TK_LOAD_LATENCY_BITS    6
#define TK_LOAD_LATENCY_BUCKETS ((64 - TK_LOAD_LATENCY_BITS) << TK_LOAD_LATENCY_BITS)

/* Zeroed = empty. */
struct tk_load_latency {
    uint64_t counts[TK_LOAD_LATENCY_BUCKETS];
    uint64_t total;
    int64_t max_ns;
};

/* Count one duration; one below 0 counts as 0. */
void tk_load_latency_add(struct tk_load_latency *latency, int64_t ns);

/* The duration that a share of `ratio` (0..1) stays within, 0 of an empty histogram: the upper edge
 * of its bucket, at most the longest. */
int64_t tk_load_latency_quantile(const struct tk_load_latency *latency, double ratio);

#endif
