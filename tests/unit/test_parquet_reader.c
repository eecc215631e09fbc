/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer wrote comes back; what nobody wrote is an error. Files of other writers are for
 * tests/e2e/parquet.bats. */
#include "table/parquet_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parquet_memory.h"
#include "table/parquet_internal.h"
#include "table/parquet_rows.h"
#include "tk_test.h"

#define ROWS 10000

static const struct tk_parquet_node flat[] = {
    {"i", TK_PARQUET_I32},
    {"x", TK_PARQUET_F64, TK_PARQUET_OPTIONAL},
    {"s", TK_PARQUET_BYTES, TK_PARQUET_OPTIONAL, TK_PARQUET_STRING},
    {"b", TK_PARQUET_BOOL},
    {"l", TK_PARQUET_I64},
    {"f", TK_PARQUET_FIXED, .fixed_bytes = 3},
};

enum { I, X, S, B, L, F };

static struct tk_parquet_writer *new_writer(struct memory_file *file,
                                            const struct tk_parquet_node *nodes, size_t n,
                                            const struct tk_parquet_opts *opts)
{
    struct tk_err err = {0};
    struct tk_parquet_writer *writer = NULL;
    struct tk_parquet_sink sink = {memory_file_write, file};
    if (tk_parquet_writer_new(nodes, n, opts, &sink, &writer, &err) < 0)
        print_error("%s\n", err.msg);
    assert_non_null(writer);
    return writer;
}

static void close_writer(struct tk_parquet_writer *writer)
{
    struct tk_err err = {0};
    if (tk_parquet_writer_close(writer, &err) < 0)
        print_error("%s\n", err.msg);
    assert_int_equal(err.code, 0);
    tk_parquet_writer_free(writer);
}

static int open_bytes(tk_str bytes, struct tk_parquet_file **ret_file, struct tk_err *err)
{
    struct tk_parquet_source source = {bytes.n, memory_file_read, NULL};
    memcpy(&source.user, &bytes.p, sizeof(bytes.p));
    return tk_parquet_file_new(&source, ret_file, err);
}

static double x_of(int i)
{
    return i % 2 ? i / 3.0 : i % 10;
}

static void write_flat(struct memory_file *file, const struct tk_parquet_node *nodes,
                       const struct tk_parquet_opts *opts)
{
    struct tk_err err;
    struct tk_parquet_writer *writer = new_writer(file, nodes, TK_COUNTOF(flat), opts);
    for (int i = 0; i < ROWS; i++) {
        char text[32];
        int n = snprintf(text, sizeof(text), "text %d", i * i % 300);
        tk_parquet_add_i32(writer, I, &(int32_t){i - 5000}, 1);
        tk_parquet_add_bools(writer, B, &(bool){i / 30 % 2 == 0}, 1);
        tk_parquet_add_i64(writer, L, &(int64_t){(int64_t)i * 1000003 * (i % 2 ? -1 : 1)}, 1);
        tk_parquet_add_texts(writer, F, &(tk_str){text + (i % 3), 3}, 1);
        if (i % 4 == 0) {
            tk_parquet_add_nulls(writer, X, 1);
        } else {
            tk_parquet_add_f64(writer, X, &(double){x_of(i)}, 1);
        }
        if (i % 7 == 0) {
            tk_parquet_add_nulls(writer, S, 1);
        } else {
            tk_parquet_add_texts(writer, S, &(tk_str){text, (size_t)n}, 1);
        }
        assert_int_equal(tk_parquet_writer_write(writer, &err), 0);
    }
    close_writer(writer);
}

/* Compare one slice of a column with what write_flat() put there; returns the next row. */
static int check_slice(size_t column, const struct tk_parquet_entries *entries, int row)
{
    size_t value = 0;
    for (size_t e = 0; e < entries->n; e++, row++) {
        char text[32];
        int n = snprintf(text, sizeof(text), "text %d", row * row % 300);
        bool null = (column == X && row % 4 == 0) || (column == S && row % 7 == 0);
        assert_int_equal(entries->def ? entries->def[e] == 0 : 0, null);
        if (null)
            continue;
        if (column == I)
            assert_int_equal(((const int32_t *)entries->values)[value], row - 5000);
        if (column == X)
            assert_true(((const double *)entries->values)[value] == x_of(row));
        if (column == B)
            assert_int_equal(((const bool *)entries->values)[value], row / 30 % 2 == 0);
        if (column == L) {
            assert_int_equal(((const int64_t *)entries->values)[value],
                             (int64_t)row * 1000003 * (row % 2 ? -1 : 1));
        }
        if (column == S) {
            assert_true(
                tk_str_eq(((const tk_str *)entries->values)[value], (tk_str){text, (size_t)n}));
        }
        if (column == F) {
            assert_true(
                tk_str_eq(((const tk_str *)entries->values)[value], (tk_str){text + row % 3, 3}));
        }
        value++;
    }
    assert_int_equal(value, entries->value_count);
    return row;
}

static void check_flat(const struct memory_file *file)
{
    struct tk_err err = {0};
    TK_CLEANUP(tk_parquet_file_freep) struct tk_parquet_file *read = NULL;
    if (open_bytes(tk_buf_str(&file->bytes), &read, &err) < 0)
        print_error("%s\n", err.msg);
    assert_non_null(read);
    const struct tk_parquet_file_meta *meta = tk_parquet_file_meta(read);
    assert_int_equal(meta->num_rows, ROWS);
    TK_CLEANUP(tk_parquet_cursor_freep) struct tk_parquet_cursor *cursor = NULL;
    assert_int_equal(tk_parquet_cursor_new(read, 0, 0, &cursor, &err), 0);
    for (size_t column = 0; column < TK_COUNTOF(flat); column++) {
        int row = 0;
        for (size_t group = 0; group < meta->row_group_count; group++) {
            struct tk_parquet_entries entries;
            assert_int_equal(tk_parquet_cursor_move(cursor, read, group, column, &err), 0);
            int rc;
            while ((rc = tk_parquet_cursor_next(cursor, &entries, &err)) == 0)
                row = check_slice(column, &entries, row);
            if (rc < 0)
                print_error("%s\n", err.msg);
            assert_int_equal(rc, 1);
        }
        assert_int_equal(row, ROWS);
    }
}

static void every_codec_comes_back(void **state)
{
    (void)state;
    static const char *const names[] = {"none", "snappy", "gzip", "zstd", "lz4_raw"};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        struct tk_err err;
        struct memory_file file;
        struct tk_parquet_opts opts = {.row_group_rows = 3000, .page_rows = 700};
        int rc = tk_parquet_codec_parse(tk_str_from(names[i]), &opts.codec, &err);
        print_message("# %s%s\n", names[i], rc < 0 ? ": not in this build" : "");
        if (rc < 0)
            continue;
        memory_file_init(&file);
        write_flat(&file, flat, &opts);
        check_flat(&file);
        memory_file_release(&file);
    }
}

static void every_encoding_comes_back(void **state)
{
    (void)state;
    static const struct {
        enum tk_parquet_encoding encoding;
        unsigned types; /* that have it */
        int32_t written;
    } cases[] = {
        {TK_PARQUET_ENCODE_PLAIN, 0xFF, TK_PARQUET_ENC_PLAIN},
        {TK_PARQUET_ENCODE_DICTIONARY, 0xFE, TK_PARQUET_ENC_RLE_DICTIONARY},
        {TK_PARQUET_ENCODE_DELTA, 1U << TK_PARQUET_I32 | 1U << TK_PARQUET_I64,
         TK_PARQUET_ENC_DELTA_BINARY_PACKED},
        {TK_PARQUET_ENCODE_DELTA, 1U << TK_PARQUET_BYTES, TK_PARQUET_ENC_DELTA_LENGTH_BYTE_ARRAY},
        {TK_PARQUET_ENCODE_SPLIT, 1U << TK_PARQUET_F64, TK_PARQUET_ENC_BYTE_STREAM_SPLIT},
        {TK_PARQUET_ENCODE_RLE, 1U << TK_PARQUET_BOOL, TK_PARQUET_ENC_RLE},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_parquet_node nodes[TK_COUNTOF(flat)];
        struct memory_file file;
        struct tk_err err;
        for (size_t c = 0; c < TK_COUNTOF(flat); c++) {
            nodes[c] = flat[c];
            nodes[c].encoding =
                cases[i].types >> flat[c].type & 1 ? cases[i].encoding : TK_PARQUET_ENCODE_AUTO;
        }
        memory_file_init(&file);
        write_flat(&file, nodes, &(struct tk_parquet_opts){.row_group_rows = 4000});
        check_flat(&file);
        TK_CLEANUP(tk_parquet_file_freep) struct tk_parquet_file *read = NULL;
        assert_int_equal(open_bytes(tk_buf_str(&file.bytes), &read, &err), 0);
        for (size_t c = 0; c < TK_COUNTOF(flat); c++) {
            const struct tk_parquet_column_meta *meta =
                &tk_parquet_file_meta(read)->row_groups[0].columns[c].meta;
            bool has = false;
            for (size_t e = 0; e < meta->encoding_count; e++)
                has = has || meta->encodings[e] == cases[i].written;
            assert_true(has || !(cases[i].types >> flat[c].type & 1));
        }
        memory_file_release(&file);
    }
}

static void a_dictionary_that_is_full_gives_way(void **state)
{
    (void)state;
    static const struct tk_parquet_node nodes[] = {
        {"n", TK_PARQUET_I64, .encoding = TK_PARQUET_ENCODE_DICTIONARY}};
    struct memory_file file;
    struct tk_err err;
    memory_file_init(&file);
    struct tk_parquet_writer *writer =
        new_writer(&file, nodes, 1, &(struct tk_parquet_opts){.page_rows = 10000});
    for (int64_t i = 0; i < 200000; i++)
        tk_parquet_add_i64(writer, 0, &(int64_t){i * i}, 1);
    close_writer(writer);
    TK_CLEANUP(tk_parquet_file_freep) struct tk_parquet_file *read = NULL;
    TK_CLEANUP(tk_parquet_cursor_freep) struct tk_parquet_cursor *cursor = NULL;
    assert_int_equal(open_bytes(tk_buf_str(&file.bytes), &read, &err), 0);
    assert_int_equal(tk_parquet_cursor_new(read, 0, 0, &cursor, &err), 0);
    struct tk_parquet_entries entries;
    int64_t i = 0;
    while (tk_parquet_cursor_next(cursor, &entries, &err) == 0) {
        for (size_t k = 0; k < entries.n; k++, i++)
            assert_int_equal(((const int64_t *)entries.values)[k], i * i);
    }
    assert_int_equal(i, 200000);
    const struct tk_parquet_column_meta *meta =
        &tk_parquet_file_meta(read)->row_groups[0].columns[0].meta;
    assert_int_equal(meta->encoding_stats_count, 3);
    assert_int_equal(meta->encoding_stats[0].page_type, TK_PARQUET_PAGE_DICTIONARY);
    memory_file_release(&file);
}

/* Rows as text ------------------------------------------------------------------------------- */

static const struct tk_parquet_node nested[] = {
    {"id", TK_PARQUET_I32},
    {"list", TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL, TK_PARQUET_LIST, .children = 1},
    {"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1},
    {"element", TK_PARQUET_BYTES, TK_PARQUET_OPTIONAL, TK_PARQUET_STRING},
    {"map", TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL, TK_PARQUET_MAP, .children = 1},
    {"key_value", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 2},
    {"key", TK_PARQUET_BYTES, TK_PARQUET_REQUIRED, TK_PARQUET_STRING},
    {"value", TK_PARQUET_I64, TK_PARQUET_OPTIONAL},
    {"pair", TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL, .children = 2},
    {"a", TK_PARQUET_F64, TK_PARQUET_OPTIONAL},
    {"many", TK_PARQUET_I32, TK_PARQUET_REPEATED},
};

static void write_nested(struct memory_file *file)
{
    static const tk_str words[] = {{"x", 1}, {"a,\"b\"", 5}};
    struct tk_parquet_writer *writer =
        new_writer(file, nested, TK_COUNTOF(nested), &(struct tk_parquet_opts){0});
    tk_parquet_add_i32(writer, 0, (int32_t[]){1, 2, 3}, 3);
    /* ["x", null, "a,\"b\""]; []; null */
    tk_parquet_add_levels(writer, 1, words, (uint8_t[]){3, 2, 3, 1, 0}, (uint8_t[]){0, 1, 1, 0, 0},
                          5);
    /* null; {"x": 5, "a,\"b\"": null}; {} */
    tk_parquet_add_levels(writer, 2, words, (uint8_t[]){0, 2, 2, 1}, (uint8_t[]){0, 0, 1, 0}, 4);
    tk_parquet_add_levels(writer, 3, &(int64_t){5}, (uint8_t[]){0, 3, 2, 1},
                          (uint8_t[]){0, 0, 1, 0}, 4);
    /* {"a": 1.5, "many": [7, 8]}; {"a": null, "many": []}; null */
    tk_parquet_add_levels(writer, 4, &(double){1.5}, (uint8_t[]){2, 1, 0}, NULL, 3);
    tk_parquet_add_levels(writer, 5, (int32_t[]){7, 8}, (uint8_t[]){2, 2, 1, 0},
                          (uint8_t[]){0, 1, 0, 0}, 4);
    close_writer(writer);
}

static void assert_rows(const struct memory_file *file, const struct tk_parquet_rows_opts *opts,
                        const char *expected)
{
    struct tk_err err = {0};
    TK_CLEANUP(tk_parquet_file_freep) struct tk_parquet_file *read = NULL;
    TK_CLEANUP(tk_parquet_rows_freep) struct tk_parquet_rows *rows = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    assert_int_equal(open_bytes(tk_buf_str(&file->bytes), &read, &err), 0);
    assert_int_equal(tk_parquet_rows_new(read, opts, &rows, &err), 0);
    if (opts->csv)
        tk_parquet_rows_put_header(rows, &out);
    int rc;
    while ((rc = tk_parquet_rows_next(rows, &out, &err)) == 0)
        ;
    if (rc < 0)
        print_error("%s\n", err.msg);
    assert_str_equal(tk_buf_str(&out), expected);
}

static void nested_rows_are_put_together(void **state)
{
    (void)state;
    struct memory_file file;
    memory_file_init(&file);
    write_nested(&file);
    assert_rows(&file, &(struct tk_parquet_rows_opts){0},
                "{\"id\":1,\"list\":[\"x\",null,\"a,\\\"b\\\"\"],\"map\":null,"
                "\"pair\":{\"a\":1.5,\"many\":[7,8]}}\n"
                "{\"id\":2,\"list\":[],\"map\":{\"x\":5,\"a,\\\"b\\\"\":null},"
                "\"pair\":{\"a\":null,\"many\":[]}}\n"
                "{\"id\":3,\"list\":null,\"map\":{},\"pair\":null}\n");
    assert_rows(&file, &(struct tk_parquet_rows_opts){.csv = true, .max_rows = 2},
                "id,list,map,pair\n"
                "1,\"[\"\"x\"\",null,\"\"a,\\\"\"b\\\"\"\"\"]\",,"
                "\"{\"\"a\"\":1.5,\"\"many\"\":[7,8]}\"\n"
                "2,[],\"{\"\"x\"\":5,\"\"a,\\\"\"b\\\"\"\"\":null}\","
                "\"{\"\"a\"\":null,\"\"many\"\":[]}\"\n");
    const bool wanted[6] = {[0] = true, [5] = true};
    assert_rows(&file, &(struct tk_parquet_rows_opts){.wanted = wanted},
                "{\"id\":1,\"pair\":{\"many\":[7,8]}}\n"
                "{\"id\":2,\"pair\":{\"many\":[]}}\n"
                "{\"id\":3,\"pair\":null}\n");
    memory_file_release(&file);
}

static const int32_t day = -719162;
static const int64_t us = -1;
static const int64_t first_ns = INT64_MIN;
static const int64_t last_ns = INT64_MAX;
static const int64_t cents = -5;
static const float third = 1.0F / 3;
static const double no_number = __builtin_nan("");
static const tk_str uuid = {"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\xFF", 16};
static const tk_str odd_bytes = {"\xFF\x00", 2};
static const tk_str big = {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00", 10};
static const tk_str int96 = {"\0\0\0\0\0\0\0\0\x8C\x3D\x25\x00", 12};
static const struct {
    struct tk_parquet_node node;
    const void *value;
    const char *text, *json, *raw;
} texts[] = {
    {{"", TK_PARQUET_I32, .logical = TK_PARQUET_DATE},
     &day,
     "0001-01-01",
     "\"0001-01-01\"",
     "-719162"},
    {{"", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_US},
     &us,
     "1969-12-31T23:59:59.999999Z",
     "\"1969-12-31T23:59:59.999999Z\"",
     "-1"},
    {{"", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_US, .local = true},
     &us,
     "1969-12-31T23:59:59.999999",
     "\"1969-12-31T23:59:59.999999\"",
     "-1"},
    {{"", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_NS},
     &first_ns,
     "1677-09-21T00:12:43.145224192Z",
     "\"1677-09-21T00:12:43.145224192Z\"",
     "-9223372036854775808"},
    {{"", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_NS},
     &last_ns,
     "2262-04-11T23:47:16.854775807Z",
     "\"2262-04-11T23:47:16.854775807Z\"",
     "9223372036854775807"},
    {{"", TK_PARQUET_I64, .logical = TK_PARQUET_UINT64},
     &us,
     "18446744073709551615",
     "18446744073709551615",
     "18446744073709551615"},
    {{"", TK_PARQUET_I64, .logical = TK_PARQUET_DECIMAL, .scale = 2},
     &cents,
     "-0.05",
     "-0.05",
     "-5"},
    {{"", TK_PARQUET_BYTES, .logical = TK_PARQUET_DECIMAL, .scale = 1},
     &big,
     "-25.6",
     "-25.6",
     "-256"},
    {{"", TK_PARQUET_F32}, &third, "0.33333334", "0.33333334", "0.33333334"},
    {{"", TK_PARQUET_F64}, &no_number, "nan", "null", "nan"},
    {{"", TK_PARQUET_FIXED, .logical = TK_PARQUET_UUID, .fixed_bytes = 16},
     &uuid,
     "01020304-0506-0708-090a-0b0c0d0e0fff",
     "\"01020304-0506-0708-090a-0b0c0d0e0fff\"",
     "01020304-0506-0708-090a-0b0c0d0e0fff"},
    {{"", TK_PARQUET_BYTES}, &odd_bytes, "0xff00", "\"0xff00\"", "0xff00"},
    {{"", TK_PARQUET_I96},
     &int96,
     "1970-01-01T00:00:00.000000000Z",
     "\"1970-01-01T00:00:00.000000000Z\"",
     "0x00000000000000008c3d2500"},
};

static void put_all_forms(size_t i, struct tk_buf *out)
{
    tk_parquet_put_text(&texts[i].node, texts[i].value, false, out);
    tk_buf_putc(out, ' ');
    tk_parquet_put_json(&texts[i].node, texts[i].value, false, out);
    tk_buf_putc(out, ' ');
    tk_parquet_put_text(&texts[i].node, texts[i].value, true, out);
    tk_buf_putc(out, '\n');
}

static void values_are_written_as_people_read_them(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    TK_CLEANUP(tk_buf_release) struct tk_buf expected;
    tk_buf_init(&out, 1 << 16);
    tk_buf_init(&expected, 1 << 16);
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        put_all_forms(i, &out);
        tk_buf_printf(&expected, "%s %s %s\n", texts[i].text, texts[i].json, texts[i].raw);
    }
    tk_buf_putc(&expected, 0);
    assert_str_equal(tk_buf_str(&out), expected.p);
}

/* Differences of neighbours do not fit, and the first moment of a timestamp in ns has no opposite.
 */
static void the_ends_of_time_come_back(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MIN, INT64_MAX, -1, INT64_MIN, INT64_MIN + 1};
    static const enum tk_parquet_encoding encodings[] = {
        TK_PARQUET_ENCODE_AUTO, TK_PARQUET_ENCODE_PLAIN, TK_PARQUET_ENCODE_DICTIONARY,
        TK_PARQUET_ENCODE_DELTA};
    for (size_t i = 0; i < TK_COUNTOF(encodings); i++) {
        const struct tk_parquet_node node = {
            "at", TK_PARQUET_I64, .logical = TK_PARQUET_TIMESTAMP_NS, .encoding = encodings[i]};
        struct memory_file file;
        struct tk_err err;
        memory_file_init(&file);
        struct tk_parquet_writer *writer =
            new_writer(&file, &node, 1, &(struct tk_parquet_opts){0});
        tk_parquet_add_i64(writer, 0, times, TK_COUNTOF(times));
        assert_int_equal(tk_parquet_writer_write(writer, &err), 0);
        close_writer(writer);
        assert_rows(&file, &(struct tk_parquet_rows_opts){.raw = true},
                    "{\"at\":-9223372036854775808}\n{\"at\":9223372036854775807}\n{\"at\":-1}\n"
                    "{\"at\":-9223372036854775808}\n{\"at\":-9223372036854775807}\n");
        TK_CLEANUP(tk_parquet_file_freep) struct tk_parquet_file *read = NULL;
        assert_int_equal(open_bytes(tk_buf_str(&file.bytes), &read, &err), 0);
        const struct tk_parquet_statistics *statistics =
            &tk_parquet_file_meta(read)->row_groups[0].columns[0].meta.statistics;
        assert_memory_equal(statistics->min_value.p, (int64_t[]){INT64_MIN}, 8);
        assert_memory_equal(statistics->max_value.p, (int64_t[]){INT64_MAX}, 8);
        memory_file_release(&file);
    }
}

/* Damage -------------------------------------------------------------------------------------- */

/* Read all rows of exactly these bytes; 1 when they have all been read. */
static int read_all(tk_str bytes, struct tk_err *err)
{
    TK_CLEANUP(tk_parquet_file_freep) struct tk_parquet_file *read = NULL;
    TK_CLEANUP(tk_parquet_rows_freep) struct tk_parquet_rows *rows = NULL;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    int rc = open_bytes(bytes, &read, err);
    if (rc == 0) {
        rc =
            tk_parquet_rows_new(read, &(struct tk_parquet_rows_opts){.max_rows = 1000}, &rows, err);
    }
    while (rc == 0) {
        rc = tk_parquet_rows_next(rows, &out, err);
        tk_buf_reset(&out);
    }
    return rc;
}

static void a_file_that_is_cut_off_is_an_error(void **state)
{
    (void)state;
    struct memory_file file;
    memory_file_init(&file);
    write_nested(&file);
    for (size_t n = 0; n < file.bytes.n; n++) {
        struct tk_err err = {0};
        char *copy = malloc(n + 1);
        assert_non_null(copy);
        memcpy(copy, file.bytes.p, n);
        assert_int_equal(read_all((tk_str){copy, n}, &err), -EBADMSG);
        free(copy);
    }
    memory_file_release(&file);
}

static void any_damage_is_an_error_or_other_rows(void **state)
{
    (void)state;
    struct memory_file file;
    struct tk_err err;
    memory_file_init(&file);
    write_nested(&file);
    assert_int_equal(read_all(tk_buf_str(&file.bytes), &err), 1);
    size_t refused = 0;
    for (size_t i = 0; i < file.bytes.n * 8; i++) {
        char *byte = &file.bytes.p[i / 8];
        *byte = (char)(*byte ^ 1 << i % 8);
        int rc = read_all(tk_buf_str(&file.bytes), &err);
        assert_true(rc == 1 || rc == -EBADMSG || rc == -EMSGSIZE || rc == -EOPNOTSUPP);
        refused += rc < 0;
        *byte = (char)(*byte ^ 1 << i % 8);
    }
    assert_true(refused > file.bytes.n);
    memory_file_release(&file);
}

static void messages_name_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        tk_str bytes;
        int rc;
        const char *message;
    } cases[] = {
        {{"PAR1", 4}, -EBADMSG, "4 bytes are no Parquet file"},
        {{"PAR1----\4\0\0\0PARX", 16}, -EBADMSG, "no Parquet file: it does not end with PAR1"},
        {{"PARE----\4\0\0\0PARE", 16}, -EOPNOTSUPP, "the footer is encrypted"},
        {{"PAR1----\5\0\0\0PAR1", 16}, -EBADMSG, "a footer of 5 bytes in a file of 16"},
        {{"PAR1\x15\x02\x00\x00\4\0\0\0PAR1", 16}, -EBADMSG, "a schema without a root"},
        {{"PAR1\x19\x1C\x15\x15\4\0\0\0PAR1", 16},
         -EBADMSG,
         "footer: FileMetaData: field 1: wire type 9, not 5"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_err err = {0};
        assert_int_equal(read_all(cases[i].bytes, &err), cases[i].rc);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void deltas_that_go_on_for_ever_end(void **state)
{
    (void)state;
    struct tk_delta delta;
    int64_t values[8];
    /* 128 values a block, 4 miniblocks, 2^32 values, no bits: but only one block. */
    assert_true(tk_delta_init(&delta, TK_STR("\x80\x01\x04\x80\x80\x80\x80\x10\x00"
                                             "\x02\x00\x00\x00\x00")));
    for (int i = 0; i < 16; i++)
        assert_true(tk_delta_take_i64(&delta, values, 8));
    assert_int_equal(values[7], 127);
    assert_false(tk_delta_take_i64(&delta, values, 1));
    assert_false(tk_delta_init(&delta, TK_STR("\x00\x04\x01\x00")));
    assert_false(tk_delta_init(&delta, TK_STR("\x80\x01\x03\x01\x00")));
    assert_false(tk_delta_init(&delta, TK_STR("\x80\x01\x04")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_codec_comes_back),
        cmocka_unit_test(every_encoding_comes_back),
        cmocka_unit_test(a_dictionary_that_is_full_gives_way),
        cmocka_unit_test(nested_rows_are_put_together),
        cmocka_unit_test(values_are_written_as_people_read_them),
        cmocka_unit_test(the_ends_of_time_come_back),
        cmocka_unit_test(a_file_that_is_cut_off_is_an_error),
        cmocka_unit_test(any_damage_is_an_error_or_other_rows),
        cmocka_unit_test(messages_name_what_is_wrong),
        cmocka_unit_test(deltas_that_go_on_for_ever_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
