/* SPDX-License-Identifier: Apache-2.0 */
/* The course of a run in a fixed number of buckets, whatever its length, which need not be known:
 * when a reading lies beyond the last bucket, neighbours are joined and each bucket covers twice
 * the time. Memory is constant, adding is O(buckets that the reading covers). One thread at a time.
 */
#ifndef TK_RUN_TIMELINE_H
#define TK_RUN_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#define TK_TIMELINE_BUCKETS 256

/* What is followed; each has its own line over the same buckets. */
enum tk_resource {
    TK_RESOURCE_CPU,       /* share of all cores that was busy, 0..1 */
    TK_RESOURCE_MEMORY,    /* bytes in use */
    TK_RESOURCE_DISK,      /* bytes/s, read and written */
    TK_RESOURCE_NETWORK,   /* bytes/s, received and sent */
    TK_RESOURCE_CPU_STALL, /* share of time in which some task waited for a CPU, 0..1 */
    TK_RESOURCE_IO_STALL,
    TK_RESOURCE_MEMORY_STALL,
    TK_RESOURCE_COUNT
};

struct tk_timeline_bucket {
    double sum;       /* of value times the ns that it held */
    double weight_ns; /* time covered; 0 = no reading */
    double max;       /* of the readings */
};

struct tk_timeline {
    int64_t start_ns;  /* epoch */
    int64_t bucket_ns; /* time that a bucket covers */
    size_t used;       /* buckets up to the last reading */
    struct tk_timeline_bucket buckets[TK_RESOURCE_COUNT][TK_TIMELINE_BUCKETS];
};

/* Empty, beginning at `start_ns`. */
void tk_timeline_init(struct tk_timeline *timeline, int64_t start_ns);

/* Add a value that held over the `dt_ns` before `end_ns`. What lies before the start is cut off;
 * a dt of 0 or less and a value that is not finite are left out. */
void tk_timeline_add(struct tk_timeline *timeline, enum tk_resource resource, int64_t end_ns,
                     int64_t dt_ns, double value);

/* Write the mean and the largest reading of each bucket up to `used`; NaN where there is none.
 * Either array may be NULL. Returns the count. */
size_t tk_timeline_read(const struct tk_timeline *timeline, enum tk_resource resource,
                        double ret_mean[TK_TIMELINE_BUCKETS], double ret_max[TK_TIMELINE_BUCKETS]);

#endif
