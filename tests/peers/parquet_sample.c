/* SPDX-License-Identifier: Apache-2.0 */
/* Files of every type, encoding and codec that the writer has, for other readers to judge:
 *
 *     parquet_sample DIR */
#include <stdio.h>
#include <stdlib.h>

#include "table/parquet.h"

#define ROWS 6000

enum {
    I32,
    I64,
    EXTREME,
    U64,
    F32,
    F64,
    ODD,
    FLAG,
    NAME,
    UNIQUE,
    RAW,
    UUID,
    TIME,
    DAY,
    NONE,
    LIST,
    TEXTS,
    KEY,
    VALUE,
    COLUMNS
};

#define OPTIONAL TK_PARQUET_OPTIONAL

static const struct tk_parquet_node nodes[] = {
    {"i32", TK_PARQUET_I32},
    {"i64", TK_PARQUET_I64, OPTIONAL, .bloom = true},
    {"extreme", TK_PARQUET_I64},
    {"u64", TK_PARQUET_I64, TK_PARQUET_REQUIRED, TK_PARQUET_UINT64},
    {"f32", TK_PARQUET_F32},
    {"f64", TK_PARQUET_F64, OPTIONAL},
    {"odd", TK_PARQUET_F64},
    {"flag", TK_PARQUET_BOOL, OPTIONAL},
    {"name", TK_PARQUET_BYTES, OPTIONAL, TK_PARQUET_STRING, .bloom = true},
    {"unique", TK_PARQUET_BYTES, TK_PARQUET_REQUIRED, TK_PARQUET_STRING, .bloom = true},
    {"raw", TK_PARQUET_BYTES},
    {"uuid", TK_PARQUET_FIXED, OPTIONAL, TK_PARQUET_UUID, .fixed_bytes = 16},
    {"time", TK_PARQUET_I64, TK_PARQUET_REQUIRED, TK_PARQUET_TIMESTAMP_US},
    {"day", TK_PARQUET_I32, OPTIONAL, TK_PARQUET_DATE},
    {"none", TK_PARQUET_I32, OPTIONAL},
    {"list", TK_PARQUET_GROUP, OPTIONAL, TK_PARQUET_LIST, .children = 1},
    {"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1},
    {"element", TK_PARQUET_I32, OPTIONAL},
    {"texts", TK_PARQUET_GROUP, OPTIONAL, TK_PARQUET_LIST, .children = 1},
    {"list", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 1},
    {"element", TK_PARQUET_BYTES, TK_PARQUET_REQUIRED, TK_PARQUET_STRING},
    {"attrs", TK_PARQUET_GROUP, OPTIONAL, TK_PARQUET_MAP, .children = 1},
    {"key_value", TK_PARQUET_GROUP, TK_PARQUET_REPEATED, .children = 2},
    {"key", TK_PARQUET_BYTES, TK_PARQUET_REQUIRED, TK_PARQUET_STRING},
    {"value", TK_PARQUET_BYTES, OPTIONAL, TK_PARQUET_STRING},
};

static void add_numbers(struct tk_parquet_writer *writer, int i)
{
    static const int64_t extremes[] = {INT64_MAX, INT64_MIN, 0};
    const double odd[] = {__builtin_nan(""), __builtin_inf(), -0.0, 1e300};
    tk_parquet_add_i32(writer, I32, &(int32_t){i * 7919 % 100003 - 50000}, 1);
    if (i % 5 == 0) {
        tk_parquet_add_nulls(writer, I64, 1);
    } else {
        tk_parquet_add_i64(writer, I64, &(int64_t){(int64_t)i * i * i * i}, 1);
    }
    tk_parquet_add_i64(writer, EXTREME, &extremes[i % 3], 1);
    tk_parquet_add_i64(writer, U64, &(int64_t){-1 - i}, 1);
    tk_parquet_add_f32(writer, F32, &(float){(float)i / 7}, 1);
    if (i % 7 == 0) {
        tk_parquet_add_nulls(writer, F64, 1);
    } else {
        tk_parquet_add_f64(writer, F64, &(double){(double)(i * 31 % 1000) / 8}, 1);
    }
    tk_parquet_add_f64(writer, ODD, &odd[i % 4], 1);
    if (i % 11 == 0) {
        tk_parquet_add_nulls(writer, FLAG, 1);
    } else {
        tk_parquet_add_bools(writer, FLAG, &(bool){i / 50 % 2 == 0}, 1);
    }
    tk_parquet_add_i64(writer, TIME, &(int64_t){1700000000000000 + i * 1000LL}, 1);
    if (i % 3 == 0) {
        tk_parquet_add_nulls(writer, DAY, 1);
    } else {
        tk_parquet_add_i32(writer, DAY, &(int32_t){i - 3000}, 1);
    }
    tk_parquet_add_nulls(writer, NONE, 1);
}

static void add_texts(struct tk_parquet_writer *writer, int i)
{
    char name[32];
    char unique[200];
    char raw[4] = {(char)(i % 256), (char)255, 0, 'x'};
    char uuid[16] = {(char)(i >> 8), (char)i, 15};
    int n = snprintf(name, sizeof(name), "n\xC3\xA4me %d", i % 50);
    if (i % 3 == 0) {
        tk_parquet_add_nulls(writer, NAME, 1);
    } else {
        tk_parquet_add_texts(writer, NAME, &(tk_str){name, (size_t)n}, 1);
    }
    n = snprintf(unique, sizeof(unique), "key-%0*d", i % 100 ? 8 : 150, i);
    tk_parquet_add_texts(writer, UNIQUE, &(tk_str){unique, (size_t)n}, 1);
    tk_parquet_add_texts(writer, RAW, &(tk_str){raw, (size_t)(i % 5 % 4)}, 1);
    if (i % 13 == 0) {
        tk_parquet_add_nulls(writer, UUID, 1);
    } else {
        tk_parquet_add_texts(writer, UUID, &(tk_str){uuid, sizeof(uuid)}, 1);
    }
}

static void add_nested(struct tk_parquet_writer *writer, int i)
{
    const tk_str words[] = {TK_STR("one"), TK_STR(""), TK_STR("three")};
    const int32_t numbers[] = {i, -i, 0, 7};
    if (i % 5 == 4) {
        tk_parquet_add_nulls(writer, LIST, 1);
        tk_parquet_add_nulls(writer, TEXTS, 1);
        tk_parquet_add_nulls(writer, KEY, 1);
        tk_parquet_add_nulls(writer, VALUE, 1);
        return;
    }
    tk_parquet_add_list(writer, LIST, numbers, (size_t)(i % 5));
    tk_parquet_add_list(writer, TEXTS, words, (size_t)(i % 4));
    /* {"one": value, "": null}, or nothing in it. */
    static const uint8_t rep[] = {0, 1};
    bool empty = i % 2 == 0;
    tk_parquet_add_levels(writer, KEY, words, empty ? (uint8_t[]){1} : (uint8_t[]){2, 2}, rep,
                          empty ? 1 : 2);
    tk_parquet_add_levels(writer, VALUE, words + 2, empty ? (uint8_t[]){1} : (uint8_t[]){3, 2}, rep,
                          empty ? 1 : 2);
}

static int file_write(void *user, tk_str bytes, struct tk_err *err)
{
    return fwrite(bytes.p, 1, bytes.n, user) == bytes.n ? 0 : tk_fail_errno(err, "write");
}

static int write_file(const char *path, const struct tk_parquet_opts *opts,
                      const struct tk_parquet_node *schema, int rows, struct tk_err *err)
{
    FILE *file = fopen(path, "w");
    TK_CLEANUP(tk_parquet_writer_freep) struct tk_parquet_writer *writer = NULL;
    struct tk_parquet_sink sink = {file_write, file};
    if (!file)
        return tk_fail_errno(err, "%s", path);
    int rc = tk_parquet_writer_new(schema, TK_COUNTOF(nodes), opts, &sink, &writer, err);
    for (int i = 0; rc == 0 && i < rows; i++) {
        add_numbers(writer, i);
        add_texts(writer, i);
        add_nested(writer, i);
        rc = tk_parquet_writer_write(writer, err);
    }
    if (rc == 0)
        rc = tk_parquet_writer_close(writer, err);
    if (fclose(file) != 0 && rc == 0)
        rc = tk_fail_errno(err, "%s", path);
    return rc;
}

/* Which of the encodings each column has; AUTO where it has not the one that is asked for. */
static void ask_for(struct tk_parquet_node *schema, enum tk_parquet_encoding encoding)
{
    for (size_t i = 0; i < TK_COUNTOF(nodes); i++) {
        enum tk_parquet_type type = schema[i].type;
        bool integer = type == TK_PARQUET_I32 || type == TK_PARQUET_I64;
        bool has =
            type != TK_PARQUET_GROUP &&
            (encoding == TK_PARQUET_ENCODE_PLAIN ||
             (encoding == TK_PARQUET_ENCODE_DICTIONARY && type != TK_PARQUET_BOOL) ||
             (encoding == TK_PARQUET_ENCODE_DELTA && (integer || type == TK_PARQUET_BYTES)) ||
             (encoding == TK_PARQUET_ENCODE_SPLIT &&
              (type == TK_PARQUET_F32 || type == TK_PARQUET_F64)) ||
             (encoding == TK_PARQUET_ENCODE_RLE && type == TK_PARQUET_BOOL));
        schema[i].encoding = has ? encoding : TK_PARQUET_ENCODE_AUTO;
    }
}

int main(int argc, char **argv)
{
    static const char *const codecs[] = {"none", "snappy", "gzip", "zstd", "lz4_raw"};
    static const char *const encodings[] = {"auto", "plain", "dictionary", "delta", "split", "rle"};
    struct tk_parquet_node schema[TK_COUNTOF(nodes)];
    char path[4096];
    struct tk_err err = {0};
    int rc = argc == 2 ? 0 : tk_fail(&err, -1, "usage: parquet_sample DIR");
    for (size_t i = 0; i < TK_COUNTOF(nodes); i++)
        schema[i] = nodes[i];
    struct tk_parquet_opts opts = {.row_group_rows = 2500, .page_rows = 900, .page_bytes = 8192};
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(codecs); i++) {
        if (tk_parquet_codec_parse(tk_str_from(codecs[i]), &opts.codec, &err) < 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s/codec-%s.parquet", argv[1], codecs[i]);
        rc = write_file(path, &opts, schema, ROWS, &err);
    }
    opts.codec = TK_PARQUET_ZSTD;
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(encodings); i++) {
        ask_for(schema, (enum tk_parquet_encoding)i);
        (void)snprintf(path, sizeof(path), "%s/encoding-%s.parquet", argv[1], encodings[i]);
        rc = write_file(path, &opts, schema, ROWS, &err);
    }
    opts.classic = true;
    (void)snprintf(path, sizeof(path), "%s/classic.parquet", argv[1]);
    rc = rc < 0 ? rc : write_file(path, &opts, nodes, ROWS, &err);
    (void)snprintf(path, sizeof(path), "%s/empty.parquet", argv[1]);
    rc = rc < 0 ? rc : write_file(path, &opts, nodes, 0, &err);
    if (rc < 0)
        (void)fprintf(stderr, "parquet_sample: %s\n", err.msg);
    return rc < 0;
}
