/* SPDX-License-Identifier: Apache-2.0 */
/* What other readers make of our files is for tests/e2e/parquet.bats to say; here is the format
 * itself, byte by byte where that matters. */
#include "table/parquet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parquet_memory.h"
#include "table/parquet_internal.h"
#include "tk_test.h"

enum { ID, NAME, LOAD, UP, PARENTS };

static const struct tk_parquet_node nodes[] = {
    {"id", TK_PARQUET_I32},
    {"name", TK_PARQUET_BYTES, TK_PARQUET_OPTIONAL, TK_PARQUET_STRING},
    {"load", TK_PARQUET_F64, TK_PARQUET_OPTIONAL},
    {"up", TK_PARQUET_BOOL},
    {"parents", TK_PARQUET_GROUP, TK_PARQUET_OPTIONAL, TK_PARQUET_LIST, .children = 1},
    {"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1},
    {"element", TK_PARQUET_I32, TK_PARQUET_OPTIONAL},
};

/* A file in memory, and what its footer says. */
struct file {
    struct memory_file memory;
    struct tk_arena arena;
    struct tk_parquet_file_meta meta;
};

static void file_init(struct file *file)
{
    struct tk_err err;
    memory_file_init(&file->memory);
    assert_int_equal(tk_arena_init(&file->arena, 16 << 20, &err), 0);
}

static void file_release(struct file *file)
{
    memory_file_release(&file->memory);
    tk_arena_release(&file->arena);
}

static tk_str footer_of(const struct file *file)
{
    uint32_t n;
    const char *end = file->memory.bytes.p + file->memory.bytes.n;
    assert_memory_equal(file->memory.bytes.p, "PAR1", 4);
    assert_memory_equal(end - 4, "PAR1", 4);
    memcpy(&n, end - 8, sizeof(n));
    return (tk_str){end - 8 - n, n};
}

static void file_read_footer(struct file *file)
{
    struct tk_err err;
    tk_str footer = footer_of(file);
    assert_int_equal(
        tk_thrift_decode(&tk_parquet_spec_file_meta, &footer, &file->arena, &file->meta, &err), 0);
    assert_int_equal(footer.n, 0);
}

static struct tk_parquet_writer *new_writer(struct file *file, const struct tk_parquet_opts *opts)
{
    struct tk_err err = {0};
    struct tk_parquet_writer *writer = NULL;
    struct tk_parquet_sink sink = {memory_file_write, &file->memory};
    if (tk_parquet_writer_new(nodes, TK_COUNTOF(nodes), opts, &sink, &writer, &err) < 0)
        print_error("%s\n", err.msg);
    assert_non_null(writer);
    return writer;
}

static void add_row(struct tk_parquet_writer *writer, int32_t i)
{
    tk_parquet_add_i32(writer, ID, &i, 1);
    tk_parquet_add_texts(writer, NAME, &TK_STR("row"), 1);
    tk_parquet_add_f64(writer, LOAD, &(double){i / 2.0}, 1);
    tk_parquet_add_bools(writer, UP, &(bool){i % 2 == 0}, 1);
    tk_parquet_add_list(writer, PARENTS, (int32_t[]){i, i + 1}, 2);
}

static void the_footer_says_what_was_written(void **state)
{
    (void)state;
    struct file file;
    struct tk_err err;
    file_init(&file);
    struct tk_parquet_sorting sorting = {.column = ID};
    struct tk_parquet_writer *writer =
        new_writer(&file, &(struct tk_parquet_opts){
                              .codec = TK_PARQUET_ZSTD, .sorting = &sorting, .sorting_count = 1});
    tk_parquet_writer_add_pair(writer, "run", TK_STR("r1"));
    for (int32_t i = -5; i < 95; i++)
        add_row(writer, i);
    tk_parquet_add_nulls(writer, LOAD, 1);
    tk_parquet_add_nulls(writer, PARENTS, 1);
    tk_parquet_add_nulls(writer, NAME, 1);
    tk_parquet_add_i32(writer, ID, &(int32_t){95}, 1);
    tk_parquet_add_bools(writer, UP, &(bool){true}, 1);
    assert_int_equal(tk_parquet_writer_close(writer, &err), 0);
    assert_int_equal(tk_parquet_writer_rows(writer), 101);
    assert_int_equal(tk_parquet_writer_bytes(writer), file.memory.bytes.n);
    tk_parquet_writer_free(writer);

    file_read_footer(&file);
    assert_int_equal(file.meta.num_rows, 101);
    assert_int_equal(file.meta.schema_count, 8);
    assert_int_equal(file.meta.schema[0].num_children, 5);
    assert_str_equal(file.meta.key_value_metadata[0].value, "r1");
    assert_int_equal(file.meta.row_group_count, 1);
    const struct tk_parquet_row_group *group = &file.meta.row_groups[0];
    assert_int_equal(group->sorting_columns[0].column_idx, ID);
    const struct tk_parquet_statistics *ids = &group->columns[ID].meta.statistics;
    int32_t least;
    memcpy(&least, ids->min_value.p, sizeof(least));
    assert_int_equal(least, -5);
    assert_int_equal(ids->null_count, 0);
    assert_int_equal(group->columns[LOAD].meta.statistics.null_count, 1);
    assert_str_equal(group->columns[NAME].meta.statistics.max_value, "row");
    const struct tk_parquet_column_meta *parents = &group->columns[PARENTS].meta;
    assert_int_equal(parents->num_values, 201);
    assert_int_equal(parents->path_count, 3);
    assert_str_equal(parents->path_in_schema[1], "list");
    file_release(&file);
}

static void a_file_without_rows_has_a_schema(void **state)
{
    (void)state;
    struct file file;
    struct tk_err err;
    file_init(&file);
    struct tk_parquet_writer *writer = new_writer(&file, &(struct tk_parquet_opts){0});
    assert_int_equal(tk_parquet_writer_close(writer, &err), 0);
    tk_parquet_writer_free(writer);
    file_read_footer(&file);
    assert_int_equal(file.meta.num_rows, 0);
    assert_int_equal(file.meta.row_group_count, 0);
    assert_int_equal(file.meta.schema_count, 8);
    file_release(&file);
}

static void row_groups_never_pass_the_limit_of_rows(void **state)
{
    (void)state;
    struct file file;
    struct tk_err err;
    file_init(&file);
    struct tk_parquet_writer *writer =
        new_writer(&file, &(struct tk_parquet_opts){.row_group_rows = 25, .page_rows = 4});
    for (int32_t i = 0; i < 100; i++) {
        add_row(writer, i);
        if (i % 10 == 9)
            assert_int_equal(tk_parquet_writer_write(writer, &err), 0);
    }
    assert_int_equal(tk_parquet_writer_close(writer, &err), 0);
    tk_parquet_writer_free(writer);
    file_read_footer(&file);
    assert_int_equal(file.meta.row_group_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(file.meta.row_groups[i].num_rows, 20);
        assert_int_equal(file.meta.row_groups[i].ordinal, i);
    }

    struct tk_parquet_offset_index pages;
    const struct tk_parquet_chunk_meta *ids = &file.meta.row_groups[1].columns[ID];
    tk_str text = {file.memory.bytes.p + ids->offset_index_offset,
                   (size_t)ids->offset_index_length};
    assert_int_equal(
        tk_thrift_decode(&tk_parquet_spec_offset_index, &text, &file.arena, &pages, &err), 0);
    assert_int_equal(pages.page_count, 5);
    assert_int_equal(pages.page_locations[0].offset, ids->meta.data_page_offset);
    assert_int_equal(pages.page_locations[4].first_row_index, 16);
    struct tk_parquet_column_index bounds;
    text =
        (tk_str){file.memory.bytes.p + ids->column_index_offset, (size_t)ids->column_index_length};
    assert_int_equal(
        tk_thrift_decode(&tk_parquet_spec_column_index, &text, &file.arena, &bounds, &err), 0);
    assert_int_equal(bounds.min_count, 5);
    assert_int_equal(bounds.boundary_order, 1);
    assert_memory_equal(bounds.min_values[1].p, (int32_t[]){24}, 4);
    file_release(&file);
}

static void row_groups_close_at_the_limit_of_bytes(void **state)
{
    (void)state;
    struct file file;
    struct tk_err err;
    file_init(&file);
    struct tk_parquet_writer *writer =
        new_writer(&file, &(struct tk_parquet_opts){.row_group_bytes = 1000});
    for (int32_t i = 0; i < 100; i++) {
        add_row(writer, i);
        assert_int_equal(tk_parquet_writer_write(writer, &err), 0);
    }
    assert_int_equal(tk_parquet_writer_close(writer, &err), 0);
    tk_parquet_writer_free(writer);
    file_read_footer(&file);
    assert_in_range(file.meta.row_group_count, 3, 6);
    file_release(&file);
}

static void columns_of_different_length_are_named(void **state)
{
    (void)state;
    struct file file;
    struct tk_err err;
    file_init(&file);
    struct tk_parquet_writer *writer = new_writer(&file, &(struct tk_parquet_opts){0});
    add_row(writer, 0);
    tk_parquet_add_f64(writer, LOAD, &(double){1}, 1);
    assert_int_equal(tk_parquet_writer_write(writer, &err), -EINVAL);
    assert_string_equal(err.msg, "column id has 1 rows, column load 2");
    assert_int_equal(tk_parquet_writer_close(writer, &err), -EINVAL);
    tk_parquet_writer_free(writer);
    file_release(&file);
}

static void a_full_disk_is_told_wherever_it_strikes(void **state)
{
    (void)state;
    struct file file;
    struct tk_err err;
    size_t whole = SIZE_MAX;
    for (size_t room = 0; room < whole; room += 61) {
        file_init(&file);
        file.memory.room = room;
        struct tk_parquet_writer *writer =
            new_writer(&file, &(struct tk_parquet_opts){.row_group_rows = 10});
        int rc = 0;
        for (int32_t i = 0; i < 30 && rc == 0; i++) {
            add_row(writer, i);
            rc = tk_parquet_writer_write(writer, &err);
        }
        rc = tk_parquet_writer_close(writer, &err);
        if (rc == 0) {
            whole = room;
        } else {
            assert_string_equal(err.msg, "no room");
        }
        assert_true(rc == 0 || rc == -ENOSPC);
        tk_parquet_writer_free(writer);
        file_release(&file);
        assert_true(room < 100000);
    }
}

static void schemas_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct tk_parquet_node nodes[3];
        size_t n;
        const char *message;
    } cases[] = {
        {{{"a", TK_PARQUET_GROUP}}, 1, "column a: 0 children"},
        {{{"a", TK_PARQUET_GROUP, .children = 2}, {"b", TK_PARQUET_I32}},
         2,
         "the schema ends within a group"},
        {{{"a", TK_PARQUET_I32, .children = 1}}, 1, "column a: 1 children"},
        {{{"a", TK_PARQUET_FIXED}}, 1, "column a: its values have no length"},
        {{{"a", TK_PARQUET_I32, .logical = TK_PARQUET_STRING}},
         1,
         "column a: string of type int32"},
        {{{"a", TK_PARQUET_I96}}, 1, "column a: int96 is of old files only"},
        {{{"a", TK_PARQUET_BYTES, .bloom = true}},
         1,
         "column a: only strings and int64 may have a Bloom filter"},
        {{{"a", TK_PARQUET_F64, .encoding = TK_PARQUET_ENCODE_DELTA}},
         1,
         "column a: double has not the encoding that is asked for"},
        {{{NULL, TK_PARQUET_I32}}, 1, "a column without name or type"},
    };
    struct tk_parquet_sink sink = {memory_file_write, NULL};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_parquet_writer *writer = NULL;
        struct tk_err err;
        assert_int_equal(tk_parquet_writer_new(cases[i].nodes, cases[i].n,
                                               &(struct tk_parquet_opts){0}, &sink, &writer, &err),
                         -EINVAL);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void codecs_are_found_by_name(void **state)
{
    (void)state;
    enum tk_parquet_codec codec = TK_PARQUET_UNCOMPRESSED;
    struct tk_err err;
    assert_int_equal(tk_parquet_codec_parse(TK_STR("zstd"), &codec, &err), 0);
    assert_int_equal(codec, TK_PARQUET_ZSTD);
    assert_int_equal(tk_parquet_codec_parse(TK_STR("lzo"), &codec, &err), -EOPNOTSUPP);
    assert_string_equal(err.msg, "this build cannot write the codec lzo");
    assert_int_equal(tk_parquet_codec_parse(TK_STR("zip"), &codec, &err), -EINVAL);
    assert_non_null(strstr(err.msg, "'zip' is none of none, "));
    assert_non_null(strstr(err.msg, "gzip, zstd"));
}

/* Every footer that is cut off, or has a byte changed, is an error or another footer. */
static void damaged_footers_do_no_harm(void **state)
{
    (void)state;
    struct file file;
    struct tk_err err;
    file_init(&file);
    struct tk_parquet_writer *writer = new_writer(&file, &(struct tk_parquet_opts){0});
    add_row(writer, 1);
    assert_int_equal(tk_parquet_writer_close(writer, &err), 0);
    tk_parquet_writer_free(writer);
    tk_str footer = footer_of(&file);
    char *copy = malloc(footer.n);
    assert_non_null(copy);
    for (size_t n = 0; n < footer.n; n++) {
        memcpy(copy, footer.p, footer.n);
        tk_str text = {copy + (footer.n - n), n};
        memcpy(copy + (footer.n - n), footer.p, n);
        tk_arena_reset(&file.arena);
        assert_int_equal(
            tk_thrift_decode(&tk_parquet_spec_file_meta, &text, &file.arena, &file.meta, &err),
            -EBADMSG);
    }
    for (size_t i = 0; i < footer.n * 8; i++) {
        memcpy(copy, footer.p, footer.n);
        copy[i / 8] = (char)(copy[i / 8] ^ 1 << i % 8);
        tk_str text = {copy, footer.n};
        tk_arena_reset(&file.arena);
        int rc = tk_thrift_decode(&tk_parquet_spec_file_meta, &text, &file.arena, &file.meta, &err);
        assert_true(rc == 0 || rc == -EBADMSG || rc == -EMSGSIZE);
    }
    free(copy);
    file_release(&file);
}

static void runs_and_groups_are_laid_out_as_the_format_says(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint32_t values[24];
        size_t n;
        unsigned width;
        const char *bytes;
        size_t byte_count;
    } cases[] = {
        {"0 to 7 of the specification", {0, 1, 2, 3, 4, 5, 6, 7}, 8, 3, "\x03\x88\xC6\xFA", 4},
        {"a run", {4, 4, 4, 4, 4, 4, 4, 4, 4, 4}, 10, 3, "\x14\x04", 2},
        {"a run without bits", {0, 0, 0, 0, 0, 0, 0, 0}, 8, 0, "\x10", 1},
        {"a short group is filled up", {1, 1, 1}, 3, 1, "\x03\x07", 2},
        {"a run lends to the group before",
         {1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
         16,
         1,
         "\x03\xFD\x10\x01",
         4},
        {"too short a run to lend", {1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 12, 1, "\x05\xFD\x0F", 3},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        tk_buf_init(&out, 1024);
        tk_hybrid_put_u32(&out, cases[i].values, cases[i].n, cases[i].width);
        print_message("# %s\n", cases[i].what);
        assert_int_equal(out.n, cases[i].byte_count);
        assert_memory_equal(out.p, cases[i].bytes, out.n);
    }
}

static void empty_runs_are_read_over(void **state)
{
    (void)state;
    /* None, no groups, none, 1 0 1 0 0 0 0 0. */
    const tk_str text = TK_STR("\0\1\1\0\1\3\5");
    uint8_t levels[8];
    struct tk_hybrid hybrid;
    tk_hybrid_init(&hybrid, text, 1);
    assert_true(tk_hybrid_take_u8(&hybrid, levels, TK_COUNTOF(levels), 1));
    assert_memory_equal(levels, "\1\0\1\0\0\0\0\0", 8);
    assert_false(tk_hybrid_take_u8(&hybrid, levels, 1, 1));
}

static void long_texts_get_shorter_bounds(void **state)
{
    (void)state;
    static const struct tk_parquet_node text = {"t", TK_PARQUET_BYTES,
                                                .logical = TK_PARQUET_STRING};
    struct tk_parquet_bounds bounds;
    char long_text[100];
    memset(long_text, 'a', sizeof(long_text));
    long_text[62] = '~' + 1; /* DEL cannot become greater */
    long_text[63] = (char)0xC3;
    long_text[64] = (char)0xA9;
    uint32_t length = sizeof(long_text);
    struct tk_parquet_values values = {NULL, &length, long_text, length, 1};
    tk_parquet_bounds_find(&text, &values, &bounds);
    assert_true(bounds.has);
    assert_false(bounds.min.exact);
    assert_int_equal(bounds.min.n, 63); /* no half character */
    assert_int_equal(bounds.max.n, 62);
    assert_int_equal(bounds.max.bytes[61], 'b');

    memset(long_text, 0xFF, sizeof(long_text));
    tk_parquet_bounds_find(&text, &values, &bounds);
    assert_false(bounds.has);
    assert_true(bounds.lost);
}

static void bloom_filters_hold_every_value_and_few_others(void **state)
{
    (void)state;
    static const struct tk_parquet_node columns[] = {
        {"few", TK_PARQUET_BYTES, .logical = TK_PARQUET_STRING, .bloom = true},
        {"many", TK_PARQUET_I64, .bloom = true},
    };
    struct file file;
    struct tk_err err;
    file_init(&file);
    struct tk_parquet_writer *writer = NULL;
    struct tk_parquet_sink sink = {memory_file_write, &file.memory};
    assert_int_equal(
        tk_parquet_writer_new(columns, 2, &(struct tk_parquet_opts){0}, &sink, &writer, &err), 0);
    for (int64_t i = 0; i < 5000; i++) {
        tk_parquet_add_texts(writer, 0, &(tk_str){&"abcdefgh"[i % 8], 1}, 1);
        tk_parquet_add_i64(writer, 1, &(int64_t){i * 1000003}, 1);
    }
    assert_int_equal(tk_parquet_writer_close(writer, &err), 0);
    tk_parquet_writer_free(writer);
    file_read_footer(&file);
    int wrong = 0;
    for (size_t c = 0; c < 2; c++) {
        const struct tk_parquet_column_meta *meta = &file.meta.row_groups[0].columns[c].meta;
        struct tk_parquet_bloom_header header;
        tk_str bits = {file.memory.bytes.p + meta->bloom_filter_offset,
                       (size_t)meta->bloom_filter_length};
        assert_int_equal(
            tk_thrift_decode(&tk_parquet_spec_bloom_header, &bits, &file.arena, &header, &err), 0);
        assert_int_equal(bits.n, header.num_bytes);
        for (int64_t i = 0; i < 5000; i++) {
            int64_t there = i * 1000003;
            int64_t absent = there + 1;
            tk_str value = c == 0 ? (tk_str){&"abcdefgh"[i % 8], 1}
                                  : (tk_str){(const char *)&there, sizeof(there)};
            assert_true(tk_bloom_has(bits, tk_bloom_hash(value)));
            if (c == 1)
                wrong += tk_bloom_has(bits, tk_bloom_hash((tk_str){(const char *)&absent, 8}));
        }
    }
    assert_in_range(wrong, 0, 100);
    file_release(&file);
}

static void bounds_pass_nan_over_and_know_both_zeros(void **state)
{
    (void)state;
    static const struct tk_parquet_node node = {"x", TK_PARQUET_F64};
    struct tk_parquet_bounds bounds;
    double values[] = {__builtin_nan(""), 0.0, -3, __builtin_nan("")};
    struct tk_parquet_values view = {(const char *)values, NULL, NULL, 0, 4};
    tk_parquet_bounds_find(&node, &view, &bounds);
    assert_true(bounds.has);
    assert_memory_equal(bounds.min.bytes, (double[]){-3}, 8);
    assert_memory_equal(bounds.max.bytes, (double[]){0.0}, 8);
    values[1] = values[2] = __builtin_nan("");
    tk_parquet_bounds_find(&node, &view, &bounds);
    assert_false(bounds.has);
    values[3] = __builtin_inf();
    tk_parquet_bounds_find(&node, &view, &bounds);
    assert_memory_equal(bounds.min.bytes, (double[]){__builtin_inf()}, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_footer_says_what_was_written),
        cmocka_unit_test(a_file_without_rows_has_a_schema),
        cmocka_unit_test(row_groups_never_pass_the_limit_of_rows),
        cmocka_unit_test(row_groups_close_at_the_limit_of_bytes),
        cmocka_unit_test(columns_of_different_length_are_named),
        cmocka_unit_test(a_full_disk_is_told_wherever_it_strikes),
        cmocka_unit_test(schemas_that_are_none_are_refused),
        cmocka_unit_test(codecs_are_found_by_name),
        cmocka_unit_test(damaged_footers_do_no_harm),
        cmocka_unit_test(runs_and_groups_are_laid_out_as_the_format_says),
        cmocka_unit_test(empty_runs_are_read_over),
        cmocka_unit_test(long_texts_get_shorter_bounds),
        cmocka_unit_test(bloom_filters_hold_every_value_and_few_others),
        cmocka_unit_test(bounds_pass_nan_over_and_know_both_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
