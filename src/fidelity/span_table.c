/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of a table as one const table, so that room, order and choice of rows are one loop each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/span_table_internal.h"

#define TEXT_BYTES ((size_t)2 << 30) /* of address space */

struct column {
    size_t offset; /* of the pointer */
    size_t size;   /* of a value */
};

#define COLUMN(name)                                                                               \
    {                                                                                              \
        offsetof(struct tk_span_table, name), sizeof(*((struct tk_span_table *)NULL)->name)        \
    }

static const struct column columns[] = {
    COLUMN(span_ids),        COLUMN(parents),         COLUMN(services),
    COLUMN(operations),      COLUMN(methods),         COLUMN(http_codes),
    COLUMN(kinds),           COLUMN(statuses),        COLUMN(issues),
    COLUMN(orphans),         COLUMN(start_ns),        COLUMN(duration_ns),
    COLUMN(str_features[0]), COLUMN(str_features[1]), COLUMN(int_features[0]),
    COLUMN(int_features[1]), COLUMN(int_features[2]),
};

static void *column_of(const struct tk_span_table *table, const struct column *column)
{
    void *values;
    memcpy(&values, (const char *)table + column->offset, sizeof(values));
    return values;
}

static void column_set(struct tk_span_table *table, const struct column *column, void *values)
{
    memcpy((char *)table + column->offset, &values, sizeof(values));
}

/* Memory --------------------------------------------------------------------------------------- */

int tk_span_table_init(struct tk_span_table **ret_table, struct tk_err *err)
{
    struct tk_span_table *table = calloc(1, sizeof(*table));
    if (!table)
        return tk_fail(err, -ENOMEM, "table of spans: out of memory");
    int rc = tk_texts_init(&table->texts, TEXT_BYTES, err);
    if (rc < 0) {
        free(table);
        return rc;
    }
    *ret_table = table;
    return 0;
}

void tk_span_table_free(struct tk_span_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < TK_COUNTOF(columns); i++)
        free(column_of(table, &columns[i]));
    free(table->trace_ends);
    free(table->trace_ids);
    free(table->weights);
    tk_texts_release(&table->texts);
    free(table);
}

void tk_span_table_freep(struct tk_span_table **table)
{
    tk_span_table_free(*table);
}

int tk_span_table_reserve(struct tk_span_table *table, uint32_t room, struct tk_err *err)
{
    for (size_t i = 0; i < TK_COUNTOF(columns); i++) {
        void *more = realloc(column_of(table, &columns[i]), ((size_t)room + 1) * columns[i].size);
        if (!more)
            return tk_fail(err, -ENOMEM, "table of %u spans: out of memory", room);
        column_set(table, &columns[i], more);
    }
    return 0;
}

/* Rows ----------------------------------------------------------------------------------------- */

/* to[i] = from[order[i]] for values of one size. */
static void gather(void *to, const void *from, size_t size, const uint32_t *order, uint32_t count)
{
    if (size == sizeof(uint64_t)) {
        for (uint32_t i = 0; i < count; i++)
            ((uint64_t *)to)[i] = ((const uint64_t *)from)[order[i]];
    } else if (size == sizeof(uint32_t)) {
        for (uint32_t i = 0; i < count; i++)
            ((uint32_t *)to)[i] = ((const uint32_t *)from)[order[i]];
    } else if (size == sizeof(uint16_t)) {
        for (uint32_t i = 0; i < count; i++)
            ((uint16_t *)to)[i] = ((const uint16_t *)from)[order[i]];
    } else {
        for (uint32_t i = 0; i < count; i++)
            ((uint8_t *)to)[i] = ((const uint8_t *)from)[order[i]];
    }
}

int tk_span_table_gather(struct tk_span_table *table, const struct tk_span_table *from,
                         const uint32_t *order, uint32_t count, struct tk_err *err)
{
    for (size_t i = 0; i < TK_COUNTOF(columns); i++) {
        void *values = malloc(((size_t)count + 1) * columns[i].size);
        if (!values)
            return tk_fail(err, -ENOMEM, "table of %u spans: out of memory", count);
        gather(values, column_of(from, &columns[i]), columns[i].size, order, count);
        free(column_of(table, &columns[i]));
        column_set(table, &columns[i], values);
    }
    table->rows = count;
    return 0;
}

uint32_t tk_span_table_longest(const struct tk_span_table *table)
{
    uint32_t most = 0;
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        uint32_t rows = table->trace_ends[trace] - tk_span_table_begin(table, trace);
        most = rows > most ? rows : most;
    }
    return most;
}

/* Picks ---------------------------------------------------------------------------------------- */

static int by_trace(const void *a, const void *b)
{
    uint32_t x = ((const struct tk_trace_pick *)a)->trace;
    uint32_t y = ((const struct tk_trace_pick *)b)->trace;
    return (x > y) - (x < y);
}

static int copy_texts(struct tk_span_table *table, const struct tk_span_table *from,
                      struct tk_err *err)
{
    for (uint32_t id = 1; id < from->texts.count; id++) {
        if (tk_texts_add(&table->texts, tk_texts_get(&from->texts, id)) != id)
            return tk_fail(err, -ENOMEM, "texts of a table: out of memory");
    }
    return 0;
}

/* Which rows of `from` become rows, and where their parents are then. */
static void order_picks(struct tk_span_table *table, const struct tk_span_table *from,
                        const struct tk_trace_pick *picks, uint32_t *order)
{
    uint32_t rows = 0;
    for (uint32_t t = 0; t < table->traces; t++) {
        uint32_t trace = picks[t].trace;
        for (uint32_t row = tk_span_table_begin(from, trace); row < from->trace_ends[trace]; row++)
            order[rows++] = row;
        table->trace_ends[t] = rows;
        table->weights[t] = picks[t].weight;
        memcpy(table->trace_ids[t], from->trace_ids[trace], sizeof(table->trace_ids[t]));
    }
}

static void move_parents(struct tk_span_table *table, const struct tk_span_table *from,
                         const struct tk_trace_pick *picks)
{
    for (uint32_t t = 0; t < table->traces; t++) {
        uint32_t begin = tk_span_table_begin(table, t);
        uint32_t moved = begin - tk_span_table_begin(from, picks[t].trace);
        for (uint32_t row = begin; row < table->trace_ends[t]; row++) {
            if (table->parents[row] != TK_ROW_TOP)
                table->parents[row] += moved;
        }
    }
}

static int pick(struct tk_span_table *table, const struct tk_span_table *from,
                const struct tk_trace_pick *picks, struct tk_err *err)
{
    uint64_t rows = 0;
    for (uint32_t t = 0; t < table->traces; t++)
        rows += from->trace_ends[picks[t].trace] - tk_span_table_begin(from, picks[t].trace);
    if (rows >= TK_ROW_TOP)
        return tk_fail(err, -EMSGSIZE, "a table of more than %u spans", TK_ROW_TOP - 1);
    uint32_t *order = calloc(rows + 1, sizeof(*order));
    table->trace_ends = calloc((size_t)table->traces + 1, sizeof(*table->trace_ends));
    table->trace_ids = calloc((size_t)table->traces + 1, sizeof(*table->trace_ids));
    table->weights = calloc((size_t)table->traces + 1, sizeof(*table->weights));
    int rc = order && table->trace_ends && table->trace_ids && table->weights
                 ? 0
                 : tk_fail(err, -ENOMEM, "table of spans: out of memory");
    if (rc == 0) {
        order_picks(table, from, picks, order);
        rc = tk_span_table_gather(table, from, order, (uint32_t)rows, err);
    }
    if (rc == 0)
        move_parents(table, from, picks);
    free(order);
    return rc;
}

int tk_span_table_pick(const struct tk_span_table *from, const struct tk_trace_pick *picks,
                       size_t count, struct tk_span_table **ret_table, struct tk_err *err)
{
    struct tk_span_table *table = NULL;
    if (count >= TK_ROW_TOP)
        return tk_fail(err, -EMSGSIZE, "a table of %zu traces is too large", count);
    int rc = tk_span_table_init(&table, err);
    if (rc < 0 || !table)
        return rc;
    struct tk_trace_pick *ordered = calloc(count + 1, sizeof(*ordered));
    rc = ordered ? copy_texts(table, from, err)
                 : tk_fail(err, -ENOMEM, "table of spans: out of memory");
    if (rc == 0 && ordered) {
        for (size_t i = 0; i < count; i++)
            ordered[i] = picks[i];
        qsort(ordered, count, sizeof(*ordered), by_trace);
        table->traces = (uint32_t)count;
        table->unit_ns = from->unit_ns;
        rc = pick(table, from, ordered, err);
    }
    free(ordered);
    if (rc < 0) {
        tk_span_table_free(table);
    } else {
        *ret_table = table;
    }
    return rc;
}
