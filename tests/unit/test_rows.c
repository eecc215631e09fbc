/* SPDX-License-Identifier: Apache-2.0 */
#include "run/rows.h"

#include <errno.h>

#include "tk_test.h"

/* A sink that counts, and refuses a table when told. */
struct counting {
    size_t rows[TK_TABLE_COUNT];
    size_t calls;
    size_t refused; /* rows */
    int64_t last_ms;
    bool refuses[TK_TABLE_COUNT];
};

static int count(void *context, enum tk_table table, const struct tk_batch *batch,
                 struct tk_err *err)
{
    struct counting *counting = context;
    counting->calls++;
    if (counting->refuses[table]) {
        counting->refused += batch->rows;
        return tk_fail(err, -ENOSPC, "%s: no room", tk_tables[table].raw);
    }
    assert_ptr_equal(batch->schema, tk_tables[table].schema);
    counting->rows[table] += batch->rows;
    if (table == TK_TABLE_PROC_METRICS)
        counting->last_ms = tk_batch_i64(batch, batch->rows - 1, TK_PROC_METRICS_TS_MS, -1);
    return 0;
}

static void put_rows(struct tk_rows *rows, enum tk_table table, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        struct tk_batch *batch = tk_rows_begin(rows, table);
        assert_non_null(batch);
        tk_batch_set_i64(batch, 0, i);
    }
}

static void every_row_reaches_the_sink_once(void **state)
{
    (void)state;
    struct counting counting = {0};
    struct tk_rows *rows;
    struct tk_err err;
    assert_int_equal(tk_rows_new((struct tk_sink){count, &counting}, &rows, &err), 0);
    put_rows(rows, TK_TABLE_PROC_METRICS, 1000);
    put_rows(rows, TK_TABLE_HOST_METRICS, 1);
    assert_int_equal(counting.rows[TK_TABLE_HOST_METRICS], 0);
    assert_int_equal(tk_rows_flush(rows, &err), 0);
    assert_int_equal(counting.rows[TK_TABLE_PROC_METRICS], 1000);
    assert_int_equal(counting.rows[TK_TABLE_HOST_METRICS], 1);
    assert_int_equal(counting.last_ms, 999);
    size_t calls = counting.calls;
    assert_int_equal(tk_rows_flush(rows, &err), 0);
    assert_int_equal(counting.calls, calls);
    tk_rows_free(rows);
}

static void a_sink_that_refuses_is_told_of_every_row_and_we_of_it_once(void **state)
{
    (void)state;
    struct counting counting = {0};
    struct tk_rows *rows;
    struct tk_err err;
    assert_int_equal(tk_rows_new((struct tk_sink){count, &counting}, &rows, &err), 0);
    counting.refuses[TK_TABLE_PROC_METRICS] = true;
    put_rows(rows, TK_TABLE_PROC_METRICS, 1000);
    put_rows(rows, TK_TABLE_HOST_METRICS, 100);
    assert_int_equal(tk_rows_flush(rows, &err), -ENOSPC);
    assert_string_equal(err.msg, "proc_metrics.jsonl: no room");
    assert_int_equal(counting.refused, 1000);
    assert_int_equal(counting.rows[TK_TABLE_HOST_METRICS], 100);

    counting.refuses[TK_TABLE_PROC_METRICS] = false;
    put_rows(rows, TK_TABLE_PROC_METRICS, 10);
    assert_int_equal(tk_rows_flush(rows, &err), 0);
    assert_int_equal(counting.rows[TK_TABLE_PROC_METRICS], 10);
    tk_rows_free(rows);
}

static void a_text_that_no_batch_holds_is_told(void **state)
{
    (void)state;
    static char text[1024 * 1024];
    struct counting counting = {0};
    struct tk_rows *rows;
    struct tk_err err;
    memset(text, 'x', sizeof(text));
    assert_int_equal(tk_rows_new((struct tk_sink){count, &counting}, &rows, &err), 0);
    tk_batch_set_text(tk_rows_begin(rows, TK_TABLE_PROC_METRICS), TK_PROC_METRICS_CGROUP,
                      (tk_str){text, sizeof(text)});
    assert_int_equal(tk_rows_flush(rows, &err), -EMSGSIZE);
    assert_string_equal(err.msg, "proc_metrics: a text of more than 262144 bytes was left out");
    assert_int_equal(counting.rows[TK_TABLE_PROC_METRICS], 1);
    tk_rows_free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_reaches_the_sink_once),
        cmocka_unit_test(a_sink_that_refuses_is_told_of_every_row_and_we_of_it_once),
        cmocka_unit_test(a_text_that_no_batch_holds_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
