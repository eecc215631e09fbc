/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/columns.h"

#include <errno.h>
#include <math.h>

#include "parquet_memory.h"
#include "segment/segment_file.h"
#include "span_mix.h"

static void make(size_t max_rows, struct tk_span_batch **ret)
{
    struct tk_err err;
    assert_int_equal(tk_span_batch_new(max_rows, ret, &err), 0);
}

/* Write a batch into memory and open it as a segment. */
static void write_batch(const struct tk_span_batch *batch, struct memory_file *memory,
                        struct tk_segment_file *ret_file)
{
    struct tk_err err = {0};
    struct tk_columns_opts opts = {0};
    struct tk_parquet_sink sink = {memory_file_write, memory};
    memory_file_init(memory);
    int rc = tk_columns_write(batch, &opts, &sink, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
    struct tk_parquet_source source = {memory->bytes.n, memory_file_read, memory->bytes.p};
    rc = tk_segment_file_init(&source, ret_file, &err);
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(rc, 0);
}

/* Read the rows that `step` leaves into batches, and note them. */
static void read_back(struct tk_segment_file *file, size_t step, size_t max_rows,
                      struct span_texts *texts)
{
    struct tk_err err = {0};
    struct tk_segment_reader *reader;
    struct tk_span_batch *batch;
    make(max_rows, &batch);
    assert_int_equal(tk_segment_reader_new(&reader, &err), 0);
    uint32_t *rows = calloc(file->rows + 1, sizeof(*rows));
    assert_non_null(rows);
    size_t n = 0;
    for (size_t row = 0; row < file->rows; row += step)
        rows[n++] = (uint32_t)row;
    for (size_t done = 0; done < n;) {
        size_t added = 0;
        struct tk_segment_rows wanted = {file, 0, rows + done, n - done, 0};
        int rc = tk_segment_reader_read(reader, &wanted, batch, &added, &err);
        if (rc < 0)
            print_error("%s\n", err.msg);
        assert_int_equal(rc, 0);
        assert_int_equal(batch->rows, added);
        span_texts_add_all(texts, batch);
        tk_span_batch_reset(batch);
        done += added;
    }
    free(rows);
    tk_segment_reader_free(reader);
    tk_span_batch_free(batch);
}

static void check_round_trip(uint64_t seed, size_t rows, size_t max_rows)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch;
    struct span_texts before = {0};
    struct span_texts after = {0};
    struct memory_file memory;
    struct tk_segment_file file;
    make(rows, &batch);
    mix_fill(batch, seed, rows);
    span_texts_add_all(&before, batch);
    write_batch(batch, &memory, &file);
    assert_int_equal(file.rows, rows);
    read_back(&file, 1, max_rows, &after);
    assert_same_spans(&before, &after);
    tk_segment_file_close(&file);
    memory_file_release(&memory);
    span_texts_release(&before);
    span_texts_release(&after);
}

static void spans_come_back_as_they_went(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        check_round_trip(seed, seed * seed * 7, 4096);
    check_round_trip(99, 20000, 20000); /* more than a page */
}

static void a_small_batch_takes_them_bit_by_bit(void **state)
{
    (void)state;
    check_round_trip(5, 300, 7);
}

static void any_rows_are_found_in_any_page(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch;
    struct span_texts all = {0};
    struct memory_file memory;
    struct tk_segment_file file;
    make(40000, &batch);
    mix_fill(batch, 3, 40000);
    write_batch(batch, &memory, &file);
    read_back(&file, 1, 40000, &all);
    static const size_t steps[] = {2, 7, 1000, 17000, 39999};
    for (size_t i = 0; i < TK_COUNTOF(steps); i++) {
        struct span_texts some = {0};
        read_back(&file, steps[i], 40000, &some);
        for (size_t k = 0; k < some.n; k++)
            assert_string_equal(some.items[k], all.items[k * steps[i]]);
        span_texts_release(&some);
    }
    tk_segment_file_close(&file);
    memory_file_release(&memory);
    span_texts_release(&all);
}

static void spans_of_a_trace_stand_together(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch;
    struct span_texts texts = {0};
    struct memory_file memory;
    struct tk_segment_file file;
    make(1000, &batch);
    mix_fill(batch, 4, 1000);
    write_batch(batch, &memory, &file);
    read_back(&file, 1, 1000, &texts);
    size_t changes = 0;
    for (size_t i = 1; i < texts.n; i++)
        changes += strncmp(texts.items[i], texts.items[i - 1], 32) != 0;
    assert_true(changes < 1000 / 5 + 1);
    tk_segment_file_close(&file);
    memory_file_release(&memory);
    span_texts_release(&texts);
}

static void add_keyed(struct tk_span_batch *batch, const char *key, enum tk_attr_type type)
{
    struct tk_attr attr = {.key = tk_texts_add(&batch->texts, tk_str_from(key)), .type = type};
    assert_int_equal(tk_span_batch_add_attr(batch, &attr), 0);
}

/* 100 spans: "often.Key" with each, of two types; "rare" with four; "five" with five. */
static void fill_keyed(struct tk_span_batch *batch)
{
    assert_int_equal(tk_span_batch_add_resource(batch, &(struct tk_span_resource){0}), 0);
    assert_int_equal(tk_span_batch_add_scope(batch, &(struct tk_span_scope){0}), 0);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(tk_span_batch_begin(batch), 0);
        batch->span_ids[i] = i + 1;
        add_keyed(batch, "often.Key", i % 3 == 0 ? TK_ATTR_STRING : TK_ATTR_INT);
        add_keyed(batch, "often-key", TK_ATTR_BOOL);
        add_keyed(batch, "listed", TK_ATTR_EMPTY);
        if (i < 4)
            add_keyed(batch, "rare", TK_ATTR_INT);
        if (i < 5)
            add_keyed(batch, "five", TK_ATTR_DOUBLE);
        assert_int_equal(tk_span_batch_end(batch), 0);
    }
}

static void frequent_keys_become_columns_of_their_type(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch;
    struct memory_file memory;
    struct tk_segment_file file;
    make(100, &batch);
    fill_keyed(batch);
    write_batch(batch, &memory, &file);
    static const struct {
        const char *key;
        const char *column;
        enum tk_attr_type type;
    } wanted[] = {
        {"five", "attr_five", TK_ATTR_DOUBLE},
        {"often-key", "attr_often_key", TK_ATTR_BOOL},
        {"often.Key", "attr_often_key_2", TK_ATTR_INT},
    };
    assert_int_equal(file.spans.count, TK_COUNTOF(wanted));
    for (size_t i = 0; i < TK_COUNTOF(wanted); i++) {
        const struct tk_segment_attr *attr = &file.spans.items[i];
        assert_true(tk_str_eq(attr->key, tk_str_from(wanted[i].key)));
        assert_int_equal(attr->type, wanted[i].type);
        assert_int_equal(attr->leaf,
                         tk_parquet_file_find(file.parquet, tk_str_from(wanted[i].column)));
    }
    tk_segment_file_close(&file);
    memory_file_release(&memory);
}

static void another_parquet_file_is_no_segment(void **state)
{
    (void)state;
    static const struct tk_parquet_node nodes[] = {{"id", TK_PARQUET_I32}};
    struct memory_file memory;
    struct tk_err err = {0};
    struct tk_parquet_writer *writer;
    struct tk_parquet_sink sink = {memory_file_write, &memory};
    memory_file_init(&memory);
    assert_int_equal(
        tk_parquet_writer_new(nodes, 1, &(struct tk_parquet_opts){0}, &sink, &writer, &err), 0);
    assert_int_equal(tk_parquet_writer_close(writer, &err), 0);
    tk_parquet_writer_free(writer);
    struct tk_segment_file file;
    struct tk_parquet_source source = {memory.bytes.n, memory_file_read, memory.bytes.p};
    assert_int_equal(tk_segment_file_init(&source, &file, &err), -EBADMSG);
    assert_string_equal(err.msg, "no file of spans: its metadata has no tracekit.spans");
    memory_file_release(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_come_back_as_they_went),
        cmocka_unit_test(a_small_batch_takes_them_bit_by_bit),
        cmocka_unit_test(any_rows_are_found_in_any_page),
        cmocka_unit_test(spans_of_a_trace_stand_together),
        cmocka_unit_test(frequent_keys_become_columns_of_their_type),
        cmocka_unit_test(another_parquet_file_is_no_segment),
    };
    return cmocka_run_group_tests_name("columns", tests, NULL, NULL);
}
