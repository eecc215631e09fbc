/* SPDX-License-Identifier: Apache-2.0 */
#include "table/parquet_batch.h"

#include <stdlib.h>

#include "base/number.h"
#include "parquet_memory.h"
#include "table/parquet_rows.h"
#include "tk_test.h"

enum { TS, TS_MS, LOAD, UP, NAME, CORES, TAGS };

static const struct tk_column columns[] = {
    [TS] = {"ts_us", TK_I64, "us", "when", TK_STAMP, 0},
    [TS_MS] = {"ts_ms", TK_I64, "ms", "", TK_STAMP_MILLI, 0},
    [LOAD] = {"load", TK_F64, "%", "how \"busy\"", 0, 2},
    [UP] = {"up", TK_BOOL, "", "", 0, 0},
    [NAME] = {"name", TK_TEXT, "", "", TK_NULLABLE, 0},
    [CORES] = {"cores", TK_F64_LIST, "%", "", 0, TK_SHORTEST},
    [TAGS] = {"tags", TK_TEXT_LIST, "", "", 0, 0},
};
static const struct tk_schema schema = {"test", "", columns, TK_COUNTOF(columns)};

static void fill(struct tk_batch *batch)
{
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, TS, 1700000000123456);
    tk_batch_set_i64(batch, TS_MS, 1700000000123);
    tk_batch_set_f64(batch, LOAD, 1.25);
    tk_batch_set_bool(batch, UP, true);
    tk_batch_set_text(batch, NAME, TK_STR("é"));
    tk_batch_set_f64_list(batch, CORES, (double[]){1.5, 2}, 2);
    tk_batch_set_text_list(batch, TAGS, (tk_str[]){{"a", 1}, {"", 0}}, 2);
    tk_batch_begin(batch);
    tk_batch_begin(batch);
    tk_batch_set_bool(batch, UP, false);
    tk_batch_set_text(batch, NAME, TK_STR(""));
    tk_batch_set_f64_list(batch, CORES, NULL, 0);
}

static void write_batches(struct memory_file *file, int count)
{
    struct tk_err err;
    TK_CLEANUP(tk_batch_freep) struct tk_batch *batch = NULL;
    TK_CLEANUP(tk_parquet_table_freep) struct tk_parquet_table *table = NULL;
    struct tk_parquet_sink sink = {memory_file_write, file};
    assert_int_equal(tk_batch_new(&schema, 8, 4096, &batch, &err), 0);
    fill(batch);
    assert_int_equal(
        tk_parquet_table_new(&schema, &(struct tk_parquet_opts){0}, &sink, &table, &err), 0);
    for (int i = 0; i < count; i++)
        assert_int_equal(tk_parquet_table_write(table, batch, &err), 0);
    assert_int_equal(tk_parquet_table_close(table, &err), 0);
    assert_int_equal(tk_parquet_writer_rows(tk_parquet_table_writer(table)), 3 * count);
}

static struct tk_parquet_file *open_file(const struct memory_file *file)
{
    struct tk_err err;
    struct tk_parquet_file *read = NULL;
    struct tk_parquet_source source = {file->bytes.n, memory_file_read, file->bytes.p};
    assert_int_equal(tk_parquet_file_new(&source, &read, &err), 0);
    return read;
}

static void every_type_comes_back(void **state)
{
    (void)state;
    struct memory_file file;
    struct tk_err err;
    memory_file_init(&file);
    write_batches(&file, 2);
    TK_CLEANUP(tk_parquet_file_freep) struct tk_parquet_file *read = open_file(&file);
    TK_CLEANUP(tk_parquet_rows_freep) struct tk_parquet_rows *rows = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 16);
    assert_int_equal(
        tk_parquet_rows_new(read, &(struct tk_parquet_rows_opts){.max_rows = 4}, &rows, &err), 0);
    while (tk_parquet_rows_next(rows, &out, &err) == 0)
        ;
#define FIRST                                                                                      \
    "{\"ts_us\":\"2023-11-14T22:13:20.123456Z\",\"ts_ms\":\"2023-11-14T22:13:20.123Z\","           \
    "\"load\":1.25,\"up\":true,\"name\":\"é\",\"cores\":[1.5,2],\"tags\":[\"a\",\"\"]}\n"
    assert_str_equal(tk_buf_str(&out),
                     FIRST "{\"ts_us\":null,\"ts_ms\":null,\"load\":null,\"up\":null,"
                           "\"name\":null,\"cores\":null,\"tags\":null}\n"
                           "{\"ts_us\":null,\"ts_ms\":null,\"load\":null,\"up\":false,"
                           "\"name\":\"\",\"cores\":[],\"tags\":null}\n" FIRST);
    memory_file_release(&file);
}

static void the_metadata_has_units_and_meanings(void **state)
{
    (void)state;
    struct memory_file file;
    memory_file_init(&file);
    write_batches(&file, 0);
    TK_CLEANUP(tk_parquet_file_freep) struct tk_parquet_file *read = open_file(&file);
    const struct tk_parquet_file_meta *meta = tk_parquet_file_meta(read);
    assert_int_equal(meta->num_rows, 0);
    assert_int_equal(meta->key_value_count, 3);
    assert_str_equal(meta->key_value_metadata[0].value, "test");
    assert_str_equal(meta->key_value_metadata[1].key, "tracekit.units");
    assert_str_equal(meta->key_value_metadata[1].value,
                     "{\"ts_us\":\"us\",\"ts_ms\":\"ms\",\"load\":\"%\",\"cores\":\"%\"}");
    assert_str_equal(meta->key_value_metadata[2].value,
                     "{\"ts_us\":\"when\",\"load\":\"how \\\"busy\\\"\"}");
    memory_file_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back),
        cmocka_unit_test(the_metadata_has_units_and_meanings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
