/* SPDX-License-Identifier: Apache-2.0 */
#include "span/host_counters.h"

#include <math.h>

#include "base/clock.h"
#include "run/schemas.h"

#define DT_MAX_MS ((int64_t)86400 * 1000) /* a row that says more is damaged */

const struct tk_host_counter tk_host_counters[TK_HOST_COUNTERS] = {
    {TK_HOST_METRICS_CPU_UTIL, {"CPU busy", 8}, "%", true},
    {TK_HOST_METRICS_MEM_AVAILABLE_BYTES, {"memory available", 16}, "bytes", false},
    {TK_HOST_METRICS_DISK_RD_BPS, {"disks read", 10}, "bytes/s", true},
    {TK_HOST_METRICS_DISK_WR_BPS, {"disks written", 13}, "bytes/s", true},
};

tk_str tk_host_counter_machine(const struct tk_batch *batch, size_t row)
{
    tk_str node = tk_batch_text(batch, row, TK_HOST_METRICS_NODE);
    return node.n > 0 ? node : TK_STR("machine");
}

/* 0 = none. */
static int64_t time_of(const struct tk_batch *batch, size_t row, bool is_mean)
{
    int64_t us = tk_batch_i64(batch, row, TK_HOST_METRICS_TS_US, 0);
    int64_t ms = tk_batch_i64(batch, row, TK_HOST_METRICS_TS_MS, 0);
    int64_t dt_ms = tk_batch_i64(batch, row, TK_HOST_METRICS_DT_MS, 0);
    int64_t ns = 0;
    if (us > 0 && us < INT64_MAX / TK_NS_PER_US) {
        ns = us * TK_NS_PER_US;
    } else if (ms > 0 && ms < INT64_MAX / TK_NS_PER_MS) {
        ns = ms * TK_NS_PER_MS;
    }
    if (is_mean && dt_ms > 0 && dt_ms <= DT_MAX_MS)
        ns -= dt_ms * TK_NS_PER_MS;
    return ns > 0 ? ns : 0;
}

bool tk_host_counter_read(const struct tk_host_counter *counter, const struct tk_batch *batch,
                          size_t row, int64_t *ret_ns, double *ret_value)
{
    size_t column = counter->column;
    int64_t ns = time_of(batch, row, counter->is_mean);
    if (ns == 0 || !tk_batch_has(batch, row, column))
        return false;
    bool is_f64 = batch->schema->columns[column].type == TK_F64;
    double value =
        is_f64 ? tk_batch_f64(batch, row, column, 0) : (double)tk_batch_i64(batch, row, column, 0);
    if (!isfinite(value))
        return false;
    *ret_ns = ns;
    *ret_value = value;
    return true;
}
