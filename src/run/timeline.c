/* SPDX-License-Identifier: Apache-2.0 */
#include "run/timeline.h"

#include <math.h>
#include <stdbool.h>

#include "base/clock.h"

/* Fine enough for the shortest command, doubled 36 times for a year. */
#define FIRST_BUCKET_NS TK_NS_PER_MS

void tk_timeline_init(struct tk_timeline *timeline, int64_t start_ns)
{
    *timeline = (struct tk_timeline){.start_ns = start_ns, .bucket_ns = FIRST_BUCKET_NS};
}

static void bucket_join(struct tk_timeline_bucket *into, const struct tk_timeline_bucket *from)
{
    if (from->weight_ns <= 0)
        return;
    into->max = into->weight_ns > 0 ? fmax(into->max, from->max) : from->max;
    into->sum += from->sum;
    into->weight_ns += from->weight_ns;
}

/* Let each bucket cover twice the time. */
static void coarsen(struct tk_timeline *timeline)
{
    for (int r = 0; r < TK_RESOURCE_COUNT; r++) {
        struct tk_timeline_bucket *buckets = timeline->buckets[r];
        for (size_t i = 0; i < TK_TIMELINE_BUCKETS; i++) {
            struct tk_timeline_bucket taken = buckets[i];
            buckets[i] = (struct tk_timeline_bucket){0};
            bucket_join(&buckets[i / 2], &taken);
        }
    }
    timeline->bucket_ns *= 2;
    timeline->used = (timeline->used + 1) / 2;
}

/* The interval (begin, end] in ns since the start; false when nothing of it is left. */
static bool clip(const struct tk_timeline *timeline, int64_t end_ns, int64_t dt_ns, int64_t *begin,
                 int64_t *end)
{
    *end = end_ns - timeline->start_ns;
    *begin = *end > dt_ns ? *end - dt_ns : 0;
    return dt_ns > 0 && *end > *begin;
}

void tk_timeline_add(struct tk_timeline *timeline, enum tk_resource resource, int64_t end_ns,
                     int64_t dt_ns, double value)
{
    int64_t begin;
    int64_t end;
    if (!isfinite(value) || !clip(timeline, end_ns, dt_ns, &begin, &end))
        return;
    while ((end - 1) / timeline->bucket_ns >= TK_TIMELINE_BUCKETS)
        coarsen(timeline);
    size_t last = (size_t)((end - 1) / timeline->bucket_ns);
    for (size_t i = (size_t)(begin / timeline->bucket_ns); i <= last; i++) {
        int64_t from = (int64_t)i * timeline->bucket_ns;
        int64_t to = from + timeline->bucket_ns;
        double held = (double)((to < end ? to : end) - (from > begin ? from : begin));
        const struct tk_timeline_bucket part = {value * held, held, value};
        bucket_join(&timeline->buckets[resource][i], &part);
    }
    if (last + 1 > timeline->used)
        timeline->used = last + 1;
}

size_t tk_timeline_read(const struct tk_timeline *timeline, enum tk_resource resource,
                        double ret_mean[TK_TIMELINE_BUCKETS], double ret_max[TK_TIMELINE_BUCKETS])
{
    for (size_t i = 0; i < timeline->used; i++) {
        const struct tk_timeline_bucket *bucket = &timeline->buckets[resource][i];
        bool any = bucket->weight_ns > 0;
        if (ret_mean)
            ret_mean[i] = any ? bucket->sum / bucket->weight_ns : (double)NAN;
        if (ret_max)
            ret_max[i] = any ? bucket->max : (double)NAN;
    }
    return timeline->used;
}
