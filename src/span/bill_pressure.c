/* SPDX-License-Identifier: Apache-2.0 */
#include "span/bill_pressure.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "run/run.h"
#include "span/bill_process.h"

struct point {
    uint64_t host; /* hash of its name */
    int64_t time_ns;
    int64_t stall_us[TK_BILL_STALLS]; /* cumulative */
};

struct tk_bill_pressure {
    struct point *points; /* [count], owned; by host, then time */
    size_t count, cap;
};

static const size_t columns[TK_BILL_STALLS] = {
    [TK_BILL_STALL_CPU] = TK_HOST_METRICS_PSI_CPU_SOME_US,
    [TK_BILL_STALL_IO] = TK_HOST_METRICS_PSI_IO_SOME_US,
    [TK_BILL_STALL_MEMORY] = TK_HOST_METRICS_PSI_MEM_SOME_US,
};

static int add(struct tk_bill_pressure *pressure, const struct tk_batch *batch, size_t row)
{
    int64_t time_ns = tk_bill_stamp_ns(batch, row, TK_HOST_METRICS_TS_US, TK_HOST_METRICS_TS_MS);
    if (time_ns < 0 || !tk_batch_has(batch, row, columns[TK_BILL_STALL_CPU]))
        return 0;
    if (pressure->count == pressure->cap) {
        size_t cap = pressure->cap ? pressure->cap * 2 : 1024;
        struct point *points = realloc(pressure->points, cap * sizeof(*points));
        if (!points)
            return -ENOMEM;
        pressure->points = points;
        pressure->cap = cap;
    }
    struct point *point = &pressure->points[pressure->count++];
    point->host = tk_hash_text(tk_batch_text(batch, row, TK_HOST_METRICS_HOST));
    point->time_ns = time_ns;
    for (size_t i = 0; i < TK_BILL_STALLS; i++)
        point->stall_us[i] = tk_batch_i64(batch, row, columns[i], 0);
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct point *first = a;
    const struct point *second = b;
    if (first->host != second->host)
        return first->host < second->host ? -1 : 1;
    return (first->time_ns > second->time_ns) - (first->time_ns < second->time_ns);
}

static int read_rows(struct tk_bill_pressure *pressure, int dirfd, struct tk_err *err)
{
    struct tk_run_reader *reader;
    const struct tk_batch *batch;
    int rc = tk_run_reader_open(dirfd, TK_TABLE_HOST_METRICS, &reader, err);
    if (rc < 0 || !reader)
        return rc;
    while ((rc = tk_run_reader_next(reader, &batch, err)) == 0) {
        for (size_t row = 0; rc == 0 && row < batch->rows; row++)
            rc = add(pressure, batch, row);
        if (rc < 0) {
            rc = tk_fail(err, rc, "pressure: out of memory");
            break;
        }
    }
    tk_run_reader_free(reader);
    return rc < 0 ? rc : 0;
}

int tk_bill_pressure_new(int dirfd, struct tk_bill_pressure **ret_pressure, struct tk_err *err)
{
    struct tk_bill_pressure *pressure = calloc(1, sizeof(*pressure));
    if (!pressure)
        return tk_fail(err, -ENOMEM, "pressure: out of memory");
    int rc = read_rows(pressure, dirfd, err);
    if (rc < 0) {
        tk_bill_pressure_free(pressure);
        return rc;
    }
    if (pressure->count > 0)
        qsort(pressure->points, pressure->count, sizeof(*pressure->points), compare);
    *ret_pressure = pressure;
    return 0;
}

void tk_bill_pressure_free(struct tk_bill_pressure *pressure)
{
    if (!pressure)
        return;
    free(pressure->points);
    free(pressure);
}

/* The first point of [begin, end) at or after a moment. */
static size_t lower_bound(const struct tk_bill_pressure *pressure, size_t begin, size_t end,
                          struct point wanted)
{
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (compare(&pressure->points[middle], &wanted) < 0) {
            begin = middle + 1;
        } else {
            end = middle;
        }
    }
    return begin;
}

/* The stall up to a moment within the points [begin, end), at its ends that of the outermost. */
static double stall_at(const struct tk_bill_pressure *pressure, size_t begin, size_t end,
                       struct point moment, size_t which)
{
    const struct point *points = pressure->points;
    size_t next = lower_bound(pressure, begin, end, moment);
    if (next == begin || next == end)
        return (double)points[next == end ? end - 1 : begin].stall_us[which];
    const struct point *before = &points[next - 1];
    double part = (double)(moment.time_ns - before->time_ns) /
                  (double)(points[next].time_ns - before->time_ns);
    return (double)before->stall_us[which] +
           part * (double)(points[next].stall_us[which] - before->stall_us[which]);
}

bool tk_bill_pressure_find(const struct tk_bill_pressure *pressure, tk_str host, int64_t from_ns,
                           int64_t to_ns, int64_t ret_ns[TK_BILL_STALLS])
{
    if (pressure->count == 0)
        return false;
    uint64_t key = host.n > 0 ? tk_hash_text(host) : pressure->points[0].host;
    size_t begin = lower_bound(pressure, 0, pressure->count,
                               (struct point){.host = key, .time_ns = INT64_MIN});
    size_t end = lower_bound(pressure, begin, pressure->count,
                             (struct point){.host = key, .time_ns = INT64_MAX});
    if (begin == end || to_ns < pressure->points[begin].time_ns ||
        from_ns > pressure->points[end - 1].time_ns)
        return false;
    const struct point from = {.host = key, .time_ns = from_ns};
    const struct point to = {.host = key, .time_ns = to_ns};
    for (size_t i = 0; i < TK_BILL_STALLS; i++) {
        double stall_us =
            stall_at(pressure, begin, end, to, i) - stall_at(pressure, begin, end, from, i);
        ret_ns[i] = stall_us > 0 ? (int64_t)(stall_us * (double)TK_NS_PER_US) : 0;
    }
    return true;
}
