/* SPDX-License-Identifier: Apache-2.0 */
/* A file of OTLP records ([u32 big-endian length][TracesData], in zstd) through a batch, for
 * otlp_walker.py to compare: FOLDER/sent has the records, FOLDER/proto and FOLDER/json what a batch
 * made of each, framed alike.
 *
 *     otlp_tool FILE FOLDER */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "span/otlp.h"

#define MAX_BYTES ((size_t)1 << 30)

static int read_whole(const char *path, struct tk_buf *ret, struct tk_err *err)
{
    FILE *file = fopen(path, "re");
    size_t got = 1;
    if (!file)
        return tk_fail_errno(err, "%s", path);
    while (got > 0) {
        char *to = tk_buf_reserve(ret, 1 << 20);
        got = to ? fread(to, 1, 1 << 20, file) : 0;
        ret->n += got;
    }
    (void)fclose(file);
    return tk_buf_check(ret, path, err);
}

static int unpack(const struct tk_buf *packed, struct tk_buf *ret, struct tk_err *err)
{
    unsigned long long n = ZSTD_getFrameContentSize(packed->p, packed->n);
    char *to = n <= MAX_BYTES ? tk_buf_reserve(ret, (size_t)n) : NULL;
    if (!to || ZSTD_decompress(to, (size_t)n, packed->p, packed->n) != n)
        return tk_fail(err, -EBADMSG, "not one frame of zstd that tells its size");
    ret->n = (size_t)n;
    return 0;
}

static int write_file(const char *folder, const char *name, const struct tk_buf *bytes,
                      struct tk_err *err)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    bool ok = file && fwrite(bytes->p, 1, bytes->n, file) == bytes->n;
    ok = file && fclose(file) == 0 && ok && tk_buf_ok(bytes);
    return ok ? 0 : tk_fail_errno(err, "%s", path);
}

/* Append what `encode` makes of all rows, behind its length. */
static void put_record(const struct tk_span_batch *batch,
                       void (*encode)(const struct tk_span_rows *rows, struct tk_buf *out),
                       struct tk_buf *out)
{
    size_t at = out->n;
    uint32_t length = 0;
    tk_buf_put(out, (tk_str){(const char *)&length, sizeof(length)});
    encode(&(struct tk_span_rows){batch, NULL, batch->rows}, out);
    length = htobe32((uint32_t)(out->n - at - sizeof(length)));
    if (tk_buf_ok(out))
        memcpy(out->p + at, &length, sizeof(length));
}

static int convert(tk_str records, struct tk_span_batch *batch, struct tk_buf *proto,
                   struct tk_buf *json, struct tk_err *err)
{
    struct tk_otlp_reader *reader = NULL;
    struct tk_span_tally tally = {0};
    int rc = tk_otlp_reader_new(batch, &reader, err);
    while (rc == 0 && records.n >= sizeof(uint32_t)) {
        uint32_t n;
        memcpy(&n, records.p, sizeof(n));
        n = be32toh(n);
        records = (tk_str){records.p + sizeof(n), records.n - sizeof(n)};
        if (n > records.n) {
            rc = tk_fail(err, -EBADMSG, "the last record is cut off");
            break;
        }
        tk_span_batch_reset(batch);
        tk_otlp_reader_reset(reader, batch);
        rc = tk_otlp_decode(reader, (tk_str){records.p, n}, &tally, err);
        put_record(batch, tk_otlp_encode, proto);
        put_record(batch, tk_otlp_encode_json, json);
        records = (tk_str){records.p + n, records.n - n};
    }
    tk_otlp_reader_free(reader);
    return rc;
}

static int run(const char *path, const char *folder, struct tk_err *err)
{
    struct tk_buf packed, records, proto, json;
    struct tk_span_batch *batch = NULL;
    tk_buf_init(&packed, MAX_BYTES);
    tk_buf_init(&records, MAX_BYTES);
    tk_buf_init(&proto, MAX_BYTES);
    tk_buf_init(&json, MAX_BYTES);
    int rc = tk_span_batch_new(1 << 20, &batch, err);
    if (rc == 0)
        rc = read_whole(path, &packed, err);
    if (rc == 0)
        rc = unpack(&packed, &records, err);
    if (rc == 0)
        rc = convert(tk_buf_str(&records), batch, &proto, &json, err);
    if (rc == 0)
        rc = write_file(folder, "sent", &records, err);
    if (rc == 0)
        rc = write_file(folder, "proto", &proto, err);
    if (rc == 0)
        rc = write_file(folder, "json", &json, err);
    tk_span_batch_free(batch);
    tk_buf_release(&packed);
    tk_buf_release(&records);
    tk_buf_release(&proto);
    tk_buf_release(&json);
    return rc;
}

int main(int argc, char **argv)
{
    struct tk_err err;
    if (argc != 3) {
        (void)fputs("usage: otlp_tool FILE FOLDER\n", stderr);
        return 2;
    }
    if (run(argv[1], argv[2], &err) < 0) {
        (void)fprintf(stderr, "otlp_tool: %s\n", err.msg);
        return 1;
    }
    return 0;
}
