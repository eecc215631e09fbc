/* SPDX-License-Identifier: Apache-2.0 */
/* Values below 64 have a bucket each; above, the six bits behind the highest one choose it. */
#include "load/latency.h"

#include <math.h>

#define SUB (1U << TK_LOAD_LATENCY_BITS)

static size_t bucket_of(uint64_t ns)
{
    if (ns < SUB)
        return (size_t)ns;
    int shift = 63 - __builtin_clzll(ns) - TK_LOAD_LATENCY_BITS;
    return ((size_t)(shift + 1) << TK_LOAD_LATENCY_BITS) + ((size_t)(ns >> shift) - SUB);
}

/* The largest value of a bucket. */
static uint64_t edge_of(size_t bucket)
{
    if (bucket < SUB)
        return bucket;
    int shift = (int)(bucket >> TK_LOAD_LATENCY_BITS) - 1;
    uint64_t lead = SUB + (bucket & (SUB - 1));
    return ((lead + 1) << shift) - 1;
}

void tk_load_latency_add(struct tk_load_latency *latency, int64_t ns)
{
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    latency->counts[bucket_of(value)]++;
    latency->total++;
    if (ns > latency->max_ns)
        latency->max_ns = ns;
}

int64_t tk_load_latency_quantile(const struct tk_load_latency *latency, double ratio)
{
    uint64_t wanted = (uint64_t)ceil(ratio * (double)latency->total);
    uint64_t seen = 0;
    for (size_t i = 0; i < TK_LOAD_LATENCY_BUCKETS && latency->total > 0; i++) {
        seen += latency->counts[i];
        if (seen < wanted || seen == 0)
            continue;
        uint64_t edge = edge_of(i);
        return edge < (uint64_t)latency->max_ns ? (int64_t)edge : latency->max_ns;
    }
    return latency->max_ns;
}
