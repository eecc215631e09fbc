/* SPDX-License-Identifier: Apache-2.0 */
#include "span/bill_spike.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "run/run.h"

#define APART_NS TK_NS_PER_S

struct readings {
    struct tk_spike *items; /* owned */
    size_t count, cap;
};

/* What a row says of the kind; false when it says nothing. */
static bool read_value(enum tk_spike_kind kind, const struct tk_batch *batch, size_t row,
                       double *ret)
{
    if (kind == TK_SPIKE_CPU) {
        if (!tk_batch_has(batch, row, TK_HOST_METRICS_CPU_UTIL))
            return false;
        *ret = tk_batch_f64(batch, row, TK_HOST_METRICS_CPU_UTIL, 0) / 100;
        return true;
    }
    if (!tk_batch_has(batch, row, TK_HOST_METRICS_MEM_AVAILABLE_BYTES))
        return false;
    *ret = (double)tk_batch_i64(batch, row, TK_HOST_METRICS_MEM_AVAILABLE_BYTES, 0);
    return true;
}

static int add(struct readings *readings, enum tk_spike_kind kind, const struct tk_batch *batch,
               size_t row)
{
    double value;
    int64_t to_ns = tk_bill_stamp_ns(batch, row, TK_HOST_METRICS_TS_US, TK_HOST_METRICS_TS_MS);
    int64_t dt_ms = tk_batch_i64(batch, row, TK_HOST_METRICS_DT_MS, 0);
    if (to_ns < 0 || dt_ms < 0 || !read_value(kind, batch, row, &value))
        return 0;
    if (readings->count == readings->cap) {
        size_t cap = readings->cap ? readings->cap * 2 : 1024;
        struct tk_spike *items = realloc(readings->items, cap * sizeof(*items));
        if (!items)
            return -ENOMEM;
        readings->items = items;
        readings->cap = cap;
    }
    readings->items[readings->count++] =
        (struct tk_spike){to_ns - dt_ms * TK_NS_PER_MS, to_ns, value};
    return 0;
}

static int read_rows(struct readings *readings, int dirfd, enum tk_spike_kind kind,
                     struct tk_err *err)
{
    struct tk_run_reader *reader;
    const struct tk_batch *batch;
    int rc = tk_run_reader_open(dirfd, TK_TABLE_HOST_METRICS, &reader, err);
    if (rc < 0 || !reader)
        return rc;
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; rc == 0 && row < batch->rows; row++)
            rc = add(readings, kind, batch, row);
        if (rc < 0) {
            rc = tk_fail(err, rc, "spikes: out of memory");
            break;
        }
    }
    tk_run_reader_free(reader);
    return rc < 0 ? rc : 0;
}

static int compare_highest(const void *a, const void *b)
{
    double first = ((const struct tk_spike *)a)->value;
    double second = ((const struct tk_spike *)b)->value;
    return (first < second) - (first > second);
}

static int compare_lowest(const void *a, const void *b)
{
    return compare_highest(b, a);
}

static bool is_apart(const struct tk_spike *spikes, size_t count, const struct tk_spike *spike)
{
    for (size_t i = 0; i < count; i++) {
        if (spike->from_ns < spikes[i].to_ns + APART_NS &&
            spikes[i].from_ns < spike->to_ns + APART_NS)
            return false;
    }
    return true;
}

int tk_spikes_find(int dirfd, enum tk_spike_kind kind, struct tk_spike *ret, size_t cap,
                   size_t *ret_count, struct tk_err *err)
{
    struct readings readings = {.items = NULL};
    size_t count = 0;
    int rc = read_rows(&readings, dirfd, kind, err);
    if (rc == 0 && readings.count > 0) {
        qsort(readings.items, readings.count, sizeof(*readings.items),
              kind == TK_SPIKE_CPU ? compare_highest : compare_lowest);
    }
    for (size_t i = 0; rc == 0 && i < readings.count && count < cap; i++) {
        if (is_apart(ret, count, &readings.items[i]))
            ret[count++] = readings.items[i];
    }
    free(readings.items);
    if (rc == 0)
        *ret_count = count;
    return rc;
}

static struct tk_open_span to_open(const struct tk_join *join, const struct tk_spike *spike,
                                   uint32_t i)
{
    const struct tk_bill_span *span = &join->spans.items[i];
    int64_t from_ns = span->start_ns > spike->from_ns ? span->start_ns : spike->from_ns;
    int64_t to_ns = span->end_ns < spike->to_ns ? span->end_ns : spike->to_ns;
    double length_ns = (double)(span->end_ns - span->start_ns);
    double part = length_ns > 0 ? (double)(to_ns - from_ns) / length_ns : 1;
    return (struct tk_open_span){i, to_ns - from_ns, join->selfs[i].cpu_ns * part};
}

static bool is_before(const struct tk_open_span *a, const struct tk_open_span *b)
{
    return a->cpu_ns != b->cpu_ns ? a->cpu_ns > b->cpu_ns : a->overlap_ns > b->overlap_ns;
}

size_t tk_spike_read_open(const struct tk_join *join, const struct tk_spike *spike,
                          struct tk_open_span *ret, size_t cap)
{
    size_t count = 0;
    for (uint32_t i = 0; i < join->spans.count; i++) {
        const struct tk_bill_span *span = &join->spans.items[i];
        if (span->start_ns > spike->to_ns)
            break; /* they come by start */
        if (span->end_ns < spike->from_ns)
            continue;
        const struct tk_open_span open = to_open(join, spike, i);
        size_t at = count < cap ? count : cap;
        for (; at > 0 && is_before(&open, &ret[at - 1]); at--) {
            if (at < cap)
                ret[at] = ret[at - 1];
        }
        if (at < cap)
            ret[at] = open;
        count++;
    }
    return count;
}
