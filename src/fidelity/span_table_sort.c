/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a table: rows of a trace by start and id, traces by their first start and id. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/span_table_internal.h"

#define FEW_ROWS 24 /* that are put in order by insertion */

struct row_key {
    int64_t start_ns;
    uint64_t id;
    uint32_t row;
};

struct trace_key {
    int64_t start_ns;
    uint8_t id[16];
    uint32_t trace;
};

struct sorting {
    struct tk_span_table *table;
    struct row_key *rows; /* [rows of the longest trace] */
    struct trace_key *traces;
    uint32_t *order; /* [rows] old rows in their new order */
};

static int by_start(const void *a, const void *b)
{
    const struct row_key *x = a;
    const struct row_key *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    return memcmp(&x->id, &y->id, sizeof(x->id));
}

static int by_first_start(const void *a, const void *b)
{
    const struct trace_key *x = a;
    const struct trace_key *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns < y->start_ns ? -1 : 1;
    int order = memcmp(x->id, y->id, sizeof(x->id));
    return order != 0 ? order : (x->trace > y->trace) - (x->trace < y->trace);
}

static void sort_rows(struct row_key *rows, uint32_t count)
{
    if (count > FEW_ROWS) {
        qsort(rows, count, sizeof(*rows), by_start);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct row_key key = rows[i];
        uint32_t at = i;
        for (; at > 0 && by_start(&key, &rows[at - 1]) < 0; at--)
            rows[at] = rows[at - 1];
        rows[at] = key;
    }
}

/* Rows [begin, end) into `order` from `begin` on. */
static void order_trace(const struct sorting *sorting, uint32_t begin, uint32_t end)
{
    const struct tk_span_table *table = sorting->table;
    for (uint32_t row = begin; row < end; row++) {
        const struct row_key key = {table->start_ns[row], table->span_ids[row], row};
        sorting->rows[row - begin] = key;
    }
    sort_rows(sorting->rows, end - begin);
    for (uint32_t row = begin; row < end; row++)
        sorting->order[row] = sorting->rows[row - begin].row;
}

/* Rows in order inside their traces, and the traces in theirs. */
static void order_traces(const struct sorting *sorting)
{
    const struct tk_span_table *table = sorting->table;
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        uint32_t begin = tk_span_table_begin(table, trace);
        struct trace_key *key = &sorting->traces[trace];
        order_trace(sorting, begin, table->trace_ends[trace]);
        *key =
            (struct trace_key){.start_ns = table->start_ns[sorting->order[begin]], .trace = trace};
        memcpy(key->id, table->trace_ids[trace], sizeof(key->id));
    }
    qsort(sorting->traces, table->traces, sizeof(*sorting->traces), by_first_start);
}

/* Put the traces in order: `to` becomes the order of rows, `ends`, `ids` and `weights` those of the
 * traces. */
static void place_traces(const struct sorting *sorting, uint32_t *to, uint32_t *ends,
                         double *weights)
{
    struct tk_span_table *table = sorting->table;
    uint32_t at = 0;
    for (uint32_t t = 0; t < table->traces; t++) {
        uint32_t trace = sorting->traces[t].trace;
        uint32_t begin = tk_span_table_begin(table, trace);
        uint32_t count = table->trace_ends[trace] - begin;
        memcpy(to + at, sorting->order + begin, count * sizeof(*to));
        at += count;
        ends[t] = at;
        weights[t] = table->weights[trace];
    }
    for (uint32_t t = 0; t < table->traces; t++)
        memcpy(table->trace_ids[t], sorting->traces[t].id, sizeof(table->trace_ids[t]));
}

/* Parents of rows that were gathered by `order`; `places` is room for all. */
static void move_parents(struct tk_span_table *table, const uint32_t *order, uint32_t *places)
{
    for (uint32_t row = 0; row < table->rows; row++)
        places[order[row]] = row;
    for (uint32_t row = 0; row < table->rows; row++) {
        if (table->parents[row] != TK_ROW_TOP)
            table->parents[row] = places[table->parents[row]];
    }
}

static int sort(struct sorting *sorting, uint32_t *order, struct tk_err *err)
{
    struct tk_span_table *table = sorting->table;
    uint32_t *ends = calloc((size_t)table->traces + 1, sizeof(*ends));
    double *weights = calloc((size_t)table->traces + 1, sizeof(*weights));
    if (!ends || !weights) {
        free(ends);
        free(weights);
        return tk_fail(err, -ENOMEM, "table of spans: out of memory");
    }
    order_traces(sorting);
    place_traces(sorting, order, ends, weights);
    free(table->trace_ends);
    free(table->weights);
    table->trace_ends = ends;
    table->weights = weights;
    int rc = tk_span_table_gather(table, table, order, table->rows, err);
    if (rc == 0)
        move_parents(table, order, sorting->order);
    return rc;
}

int tk_span_table_sort(struct tk_span_table *table, struct tk_err *err)
{
    size_t rows = table->rows;
    struct sorting sorting = {
        .table = table,
        .rows = calloc((size_t)tk_span_table_longest(table) + 1, sizeof(*sorting.rows)),
        .traces = calloc((size_t)table->traces + 1, sizeof(*sorting.traces)),
        .order = calloc(rows + 1, sizeof(*sorting.order)),
    };
    uint32_t *order = calloc(rows + 1, sizeof(*order));
    bool ok = sorting.rows && sorting.traces && sorting.order && order;
    int rc =
        ok ? sort(&sorting, order, err) : tk_fail(err, -ENOMEM, "table of spans: out of memory");
    free(order);
    free(sorting.rows);
    free(sorting.traces);
    free(sorting.order);
    return rc;
}
