/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings, closing a block: its streams laid end to end, compressed, behind a header.
 * docs/format-recording.md section 4. */
#include <errno.h>

#include "table/recording_encoder_internal.h"

#define ALONE_BYTES 1024 /* of a plane: from there on it is compressed by itself */

/* What the table is, so that the group can be read by itself. */
static void put_schema(const struct tk_recorded_table *table, struct tk_buf *out)
{
    tk_recorded_text_put(out, tk_str_from(table->schema->name));
    tk_varint_put(out, table->schema->column_count);
    for (size_t i = 0; i < table->schema->column_count; i++) {
        const struct tk_column *column = &table->schema->columns[i];
        bool decimal = column->type == TK_F64 || column->type == TK_F64_LIST;
        tk_buf_putc(out, (char)column->type);
        tk_buf_putc(out, (char)tk_recorded_coding(table, i));
        tk_buf_putc(out, (char)(decimal ? column->decimals + 1 : 0));
        tk_recorded_text_put(out, tk_str_from(column->name));
    }
}

static void put_lengths(const struct tk_recorded_table *table, struct tk_buf *out)
{
    for (size_t i = 0; i < tk_recorded_stream_count(table) * TK_PLANES; i++)
        tk_varint_put(out, table->streams[i / TK_PLANES].planes[i % TK_PLANES].n);
}

/* Append `raw` to `out` as one frame of zstd. */
static int compress(struct tk_recording_encoder *encoder, struct tk_buf *raw, struct tk_buf *out)
{
    size_t bound = ZSTD_compressBound(raw->n);
    char *to = tk_buf_reserve(out, bound);
    if (!to || !tk_buf_ok(raw))
        return -EMSGSIZE;
    size_t n = ZSTD_compress2(encoder->zstd, to, bound, raw->p, raw->n);
    if (ZSTD_isError(n))
        return -ENOMEM;
    out->n += n;
    encoder->raw_bytes += raw->n;
    tk_buf_reset(raw);
    return 0;
}

/* Append the payload. Planes that are long enough are compressed by themselves, with frequencies of
 * their own; what lies before them goes first. */
static int put_payload(struct tk_recording_encoder *encoder, const struct tk_recorded_table *table,
                       struct tk_buf *out)
{
    struct tk_buf *raw = &encoder->raw;
    int rc = 0;
    encoder->raw_bytes = 0;
    tk_buf_reset(raw);
    tk_buf_putc(raw, (char)(table->before == 0));
    if (table->before == 0)
        put_schema(table, raw);
    put_lengths(table, raw);
    for (size_t i = 0; i < tk_recorded_stream_count(table) && rc == 0; i++) {
        for (size_t plane = 0; plane < TK_PLANES && rc == 0; plane++) {
            tk_str bytes = tk_buf_str(&table->streams[i].planes[plane]);
            bool alone = bytes.n >= ALONE_BYTES;
            if (alone && raw->n > 0)
                rc = compress(encoder, raw, out);
            tk_buf_put(raw, bytes);
            if (alone && rc == 0)
                rc = compress(encoder, raw, out);
        }
    }
    return rc == 0 && raw->n > 0 ? compress(encoder, raw, out) : rc;
}

/* The payload goes behind room for the header. */
int tk_recorded_frame_put(struct tk_recording_encoder *encoder, struct tk_recorded_table *table,
                          struct tk_buf *out, struct tk_err *err)
{
    size_t start = out->n;
    if (tk_buf_reserve(out, TK_RECORDING_HEADER_BYTES))
        out->n += TK_RECORDING_HEADER_BYTES;
    int rc = put_payload(encoder, table, out);
    if (rc < 0 || !tk_buf_ok(out)) {
        out->n = start;
        return tk_fail(err, rc < 0 ? rc : out->failure, "recording of %s: no room for a block",
                       table->schema->name);
    }
    struct tk_recording_frame frame = {
        .kind = TK_RECORDING_BLOCK,
        .table = table->id,
        .raw_bytes = (uint32_t)encoder->raw_bytes,
        .rows = table->rows,
        .before = table->before,
        .first = table->first_stamp,
        .last = table->last_stamp,
    };
    size_t payload = start + TK_RECORDING_HEADER_BYTES;
    tk_recording_frame_encode(&frame, (tk_str){out->p + payload, out->n - payload}, out->p + start);
    table->before = frame.id;
    return 0;
}
