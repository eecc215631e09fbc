/* SPDX-License-Identifier: Apache-2.0 */
/* Samples as metrics: those of which the semantic conventions have a name. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/number.h"
#include "run/schemas.h"
#include "span/otlp_internal.h"

enum shape {
    GAUGE,
    LEVEL,   /* a sum that goes up and down */
    COUNTER, /* that only grows, since the process began */
    DELTA,   /* what came within the interval, from a rate */
};

/* One figure. Those with one name follow each other. */
static const struct metric {
    const struct tk_schema *schema;
    size_t column;
    size_t unless; /* left out where this column is there; the column itself = never */
    const char *name, *unit;
    enum shape shape;
    double times, by;        /* from the column's unit */
    const char *key, *value; /* an attribute; NULL = none */
} metrics[] = {
    {&tk_schema_host_metrics, TK_HOST_METRICS_CPU_UTIL, TK_HOST_METRICS_CPU_UTIL,
     "system.cpu.utilization", "1", GAUGE, 1, 100, NULL, NULL},
    {&tk_schema_host_metrics, TK_HOST_METRICS_MEM_FREE_BYTES, TK_HOST_METRICS_MEM_FREE_BYTES,
     "system.memory.usage", "By", LEVEL, 1, 1, "system.memory.state", "free"},
    {&tk_schema_host_metrics, TK_HOST_METRICS_MEM_FREE_MB, TK_HOST_METRICS_MEM_FREE_BYTES,
     "system.memory.usage", "By", LEVEL, 1e6, 1, "system.memory.state", "free"},
    {&tk_schema_host_metrics, TK_HOST_METRICS_MEM_CACHED_BYTES, TK_HOST_METRICS_MEM_CACHED_BYTES,
     "system.memory.usage", "By", LEVEL, 1, 1, "system.memory.state", "cached"},
    {&tk_schema_link_metrics, TK_LINK_METRICS_RX_BPS, TK_LINK_METRICS_RX_BPS, "system.network.io",
     "By", DELTA, 1, 1, "network.io.direction", "receive"},
    {&tk_schema_link_metrics, TK_LINK_METRICS_TX_BPS, TK_LINK_METRICS_TX_BPS, "system.network.io",
     "By", DELTA, 1, 1, "network.io.direction", "transmit"},
    {&tk_schema_proc_metrics, TK_PROC_METRICS_CPU_NS, TK_PROC_METRICS_CPU_NS, "process.cpu.time",
     "s", COUNTER, 1, 1e9, NULL, NULL},
    {&tk_schema_proc_metrics, TK_PROC_METRICS_RSS_KB, TK_PROC_METRICS_RSS_KB,
     "process.memory.usage", "By", LEVEL, 1024, 1, NULL, NULL},
};

/* Where the rows of a table tell their time; the same names in all of them. */
struct columns {
    size_t ts_us, ts_ms, dt_ms, iface, link;
};

struct writing {
    struct tk_otlp_writing common;
    struct columns columns;
};

bool tk_otlp_has_metrics(const struct tk_schema *schema)
{
    for (size_t i = 0; i < TK_COUNTOF(metrics); i++) {
        if (metrics[i].schema == schema)
            return true;
    }
    return false;
}

static void find_columns(const struct tk_schema *schema, struct columns *ret)
{
    *ret = (struct columns){
        .ts_us = tk_schema_find(schema, TK_STR("ts_us"), 0),
        .ts_ms = tk_schema_find(schema, TK_STR("ts_ms"), 0),
        .dt_ms = tk_schema_find(schema, TK_STR("dt_ms"), 0),
        .iface = tk_schema_find(schema, TK_STR("iface"), 0),
        .link = tk_schema_find(schema, TK_STR("link"), 0),
    };
}

static int64_t cell(const struct tk_batch *batch, size_t row, size_t column)
{
    return column < batch->schema->column_count ? tk_batch_i64(batch, row, column, 0) : 0;
}

/* 0 = the row has none that a clock can show. */
static int64_t time_ns(const struct writing *writing, size_t row)
{
    int64_t us = cell(writing->common.batch, row, writing->columns.ts_us);
    int64_t ms = cell(writing->common.batch, row, writing->columns.ts_ms);
    if (us > 0 && us < INT64_MAX / TK_NS_PER_US)
        return us * TK_NS_PER_US;
    return ms > 0 && ms < INT64_MAX / TK_NS_PER_MS ? ms * TK_NS_PER_MS : 0;
}

/* Whether a row has the figure. */
static bool is_there(const struct writing *writing, const struct metric *metric, size_t row)
{
    const struct tk_batch *batch = writing->common.batch;
    if (!tk_batch_has(batch, row, metric->column) || time_ns(writing, row) == 0)
        return false;
    if (metric->unless != metric->column && tk_batch_has(batch, row, metric->unless))
        return false;
    return metric->shape != DELTA || cell(batch, row, writing->columns.dt_ms) > 0;
}

static double value_of(const struct writing *writing, const struct metric *metric, size_t row)
{
    const struct tk_batch *batch = writing->common.batch;
    const union tk_value *value = tk_batch_at(batch, row, metric->column);
    bool is_f64 = batch->schema->columns[metric->column].type == TK_F64;
    double figure = (is_f64 ? value->f64 : (double)value->i64) * metric->times / metric->by;
    if (metric->shape == DELTA)
        figure = figure * (double)cell(batch, row, writing->columns.dt_ms) / 1000;
    return figure;
}

static void put_point(const struct writing *writing, const struct metric *metric, size_t row)
{
    struct tk_buf *out = writing->common.out;
    const struct tk_batch *batch = writing->common.batch;
    const struct columns *columns = &writing->columns;
    int64_t at_ns = time_ns(writing, row);
    tk_json_put_comma(out);
    tk_buf_lit(out, "{\"attributes\":[");
    if (metric->key)
        tk_otlp_put_text(out, metric->key, tk_str_from(metric->value));
    if (columns->iface < batch->schema->column_count) {
        tk_str iface = tk_batch_text(batch, row, columns->iface);
        tk_otlp_put_text(out, "network.interface.name",
                         iface.n > 0 ? iface : tk_batch_text(batch, row, columns->link));
    }
    tk_buf_putc(out, ']');
    if (metric->shape == DELTA) {
        tk_otlp_put_time(out, "startTimeUnixNano",
                         at_ns - cell(batch, row, columns->dt_ms) * TK_NS_PER_MS);
    }
    tk_otlp_put_time(out, "timeUnixNano", at_ns);
    tk_json_put_key(out, "asDouble");
    tk_buf_put_f64(out, value_of(writing, metric, row), TK_SHORTEST);
    tk_buf_putc(out, '}');
}

static void begin_metric(struct tk_buf *out, const struct metric *metric)
{
    tk_json_put_comma(out);
    tk_buf_printf(out, "{\"name\":\"%s\",\"unit\":\"%s\",\"%s\":{", metric->name, metric->unit,
                  metric->shape == GAUGE ? "gauge" : "sum");
    if (metric->shape != GAUGE) {
        tk_buf_printf(out, "\"aggregationTemporality\":%d,\"isMonotonic\":%s,",
                      metric->shape == DELTA ? 1 : 2, metric->shape == LEVEL ? "false" : "true");
    }
    tk_buf_lit(out, "\"dataPoints\":[");
}

/* The points of a figure of one resource; true when there are any. */
static bool put_points(const struct writing *writing, const struct metric *metric, size_t first,
                       bool is_begun)
{
    for (size_t row = first; row < writing->common.batch->rows; row++) {
        if (!tk_otlp_is_same(&writing->common, first, row) || !is_there(writing, metric, row))
            continue;
        if (!is_begun)
            begin_metric(writing->common.out, metric);
        is_begun = true;
        put_point(writing, metric, row);
        writing->common.otlp->points++;
    }
    return is_begun;
}

/* All figures of the resource that the row `first` has. */
static void put_resource(const struct writing *writing, size_t first)
{
    struct tk_buf *out = writing->common.out;
    bool is_begun = false;
    tk_otlp_begin_resource(&writing->common, first, "scopeMetrics", "metrics");
    for (size_t i = 0; i < TK_COUNTOF(metrics); i++) {
        if (metrics[i].schema != writing->common.batch->schema)
            continue;
        is_begun = put_points(writing, &metrics[i], first, is_begun);
        bool goes_on =
            i + 1 < TK_COUNTOF(metrics) && strcmp(metrics[i].name, metrics[i + 1].name) == 0;
        if (!is_begun || goes_on)
            continue;
        tk_buf_lit(out, "]}}");
        is_begun = false;
    }
    tk_buf_lit(out, "]}]}");
    for (size_t row = first; row < writing->common.batch->rows; row++) {
        writing->common.done[row] =
            writing->common.done[row] || tk_otlp_is_same(&writing->common, first, row);
    }
}

/* Whether a row has any figure. */
static bool has_any(const struct writing *writing, size_t row)
{
    for (size_t i = 0; i < TK_COUNTOF(metrics); i++) {
        if (metrics[i].schema == writing->common.batch->schema &&
            is_there(writing, &metrics[i], row))
            return true;
    }
    return false;
}

int tk_otlp_encode_metrics(struct tk_otlp *otlp, const struct tk_batch *batch, struct tk_buf *out,
                           struct tk_err *err)
{
    struct writing writing;
    uint64_t before = otlp->points;
    int rc = tk_otlp_writing_init(&writing.common, otlp, batch, out, err);
    find_columns(batch->schema, &writing.columns);
    for (size_t row = 0; rc == 0 && row < batch->rows; row++) {
        if (writing.common.done[row] || !has_any(&writing, row))
            continue;
        if (otlp->points == before)
            tk_buf_lit(out, "{\"resourceMetrics\":[");
        put_resource(&writing, row);
    }
    if (otlp->points > before)
        tk_buf_lit(out, "]}\n");
    tk_otlp_writing_release(&writing.common);
    return rc;
}
