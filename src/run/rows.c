/* SPDX-License-Identifier: Apache-2.0 */
#include "run/rows.h"

#include <errno.h>
#include <stdlib.h>

/* 32 rows of the widest table are 27 KB: a batch stays in the cache, and a table with one row per
 * tick touches little memory. */
#define ROWS_PER_BATCH 32
#define TEXT_PER_BATCH ((size_t)256 << 10)

struct tk_rows {
    struct tk_sink sink;
    struct tk_batch *batches[TK_TABLE_COUNT]; /* NULL until the first row */
    struct tk_batch *nobody;                  /* one row, as wide as the widest table */
    struct tk_err failure;                    /* the first since the last flush; code 0 = none */
};

static int take_none(void *context, enum tk_table table, const struct tk_batch *batch,
                     struct tk_err *err)
{
    (void)context;
    (void)table;
    (void)batch;
    (void)err;
    return 0;
}

const struct tk_sink tk_sink_none = {take_none, NULL};

static const struct tk_schema *widest_schema(void)
{
    const struct tk_schema *widest = tk_tables[0].schema;
    for (size_t i = 1; i < TK_TABLE_COUNT; i++) {
        if (tk_tables[i].schema->column_count > widest->column_count)
            widest = tk_tables[i].schema;
    }
    return widest;
}

int tk_rows_new(struct tk_sink sink, struct tk_rows **ret_rows, struct tk_err *err)
{
    struct tk_rows *rows = calloc(1, sizeof(*rows));
    if (!rows)
        return tk_fail(err, -ENOMEM, "rows: out of memory");
    rows->sink = sink;
    int rc = tk_batch_new(widest_schema(), 1, TEXT_PER_BATCH, &rows->nobody, err);
    if (rc < 0) {
        tk_rows_free(rows);
        return rc;
    }
    *ret_rows = rows;
    return 0;
}

void tk_rows_free(struct tk_rows *rows)
{
    if (!rows)
        return;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++)
        tk_batch_free(rows->batches[i]);
    tk_batch_free(rows->nobody);
    free(rows);
}

static void remember(struct tk_rows *rows, const struct tk_err *failure)
{
    if (rows->failure.code == 0)
        rows->failure = *failure;
}

static void drain(struct tk_rows *rows, enum tk_table table)
{
    struct tk_batch *batch = rows->batches[table];
    struct tk_err failure;
    if (batch->overflow) {
        tk_fail(&failure, -EMSGSIZE, "%s: a text of more than %zu bytes was left out",
                batch->schema->name, TEXT_PER_BATCH);
        remember(rows, &failure);
    }
    if (batch->rows > 0 && rows->sink.take(rows->sink.context, table, batch, &failure) < 0)
        remember(rows, &failure);
    tk_batch_reset(batch);
}

static struct tk_batch *begin_for_nobody(struct tk_rows *rows, enum tk_table table)
{
    rows->nobody->schema = tk_tables[table].schema;
    tk_batch_reset(rows->nobody);
    tk_batch_begin(rows->nobody);
    return rows->nobody;
}

struct tk_batch *tk_rows_begin(struct tk_rows *rows, enum tk_table table)
{
    struct tk_batch *batch = rows->batches[table];
    if (!batch) {
        struct tk_err failure;
        if (tk_batch_new(tk_tables[table].schema, ROWS_PER_BATCH, TEXT_PER_BATCH, &batch,
                         &failure) < 0) {
            remember(rows, &failure);
            return begin_for_nobody(rows, table);
        }
        rows->batches[table] = batch;
    }
    if (!tk_batch_has_room(batch))
        drain(rows, table);
    tk_batch_begin(batch);
    return batch;
}

int tk_rows_flush(struct tk_rows *rows, struct tk_err *err)
{
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (rows->batches[i])
            drain(rows, (enum tk_table)i);
    }
    if (rows->failure.code == 0)
        return 0;
    *err = rows->failure;
    rows->failure = (struct tk_err){0};
    return err->code;
}
