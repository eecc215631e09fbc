/* SPDX-License-Identifier: Apache-2.0 */
/* Formats: each turns batches of one schema into bytes, or bytes into batches. They do no I/O; a
 * file, an object part and a test differ only in who moves the bytes. */
#ifndef TK_TABLE_FORMAT_H
#define TK_TABLE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "table/batch.h"

struct tk_encoder {
    const char *name; /* as in --format and as file name ending, "jsonl" */
    const char *help; /* one line */

    /* Append to `out`: head once, then batch any number of times. NULL = nothing to write there.
     * `out` is sticky: the caller asks tk_buf_ok() before it drains; it then holds whole rows only.
     * Its cap should leave 8 KiB more than the longest row needs. */
    void (*head)(const struct tk_schema *schema, struct tk_buf *out);
    void (*batch)(const struct tk_batch *batch, struct tk_buf *out);
};

extern const struct tk_encoder tk_encoder_jsonl; /* one object a line */
extern const struct tk_encoder tk_encoder_csv;   /* RFC 4180 with LF, header line, absent = empty */

/* Ends with NULL. */
extern const struct tk_encoder *const tk_encoders[];

/* What a decoder met, counted over all calls with the same struct. */
struct tk_decode_stats {
    uint64_t rows;
    uint64_t bad_rows;       /* lines that did not parse, or were no object: skipped */
    uint64_t unknown_fields; /* values of columns that the schema lacks: skipped */
    uint64_t torn_rows;      /* 0 or 1: a last line without newline that does not parse */
    uint64_t line;           /* lines seen, so that messages can name them */
    char first_bad[160];     /* "line 17: byte 4: expected ':'", of the first bad row; "" = none */
};

struct tk_decoder {
    const char *name;
    size_t state_size; /* bytes of private state, zeroed by the caller; 0 = none */

    /* Consume whole lines from the front of `*text` and append their rows to `out`, until the
     * text or the batch is used up. An incomplete last line stays in `*text`, unless `last` says
     * that nothing follows: then it is decoded, or counted as torn. A value of the wrong type is
     * a bad row. Fails with -EMSGSIZE when one row is larger than the empty batch can hold, and
     * with -EBADMSG when a header does not fit the schema; what is left in `*text` starts there. */
    int (*batch)(void *state, tk_str *text, bool last, struct tk_batch *out,
                 struct tk_decode_stats *stats, struct tk_err *err);
};

/* Takes numbers in strings, whole numbers in float form, null for absent, fields in any order; also
 * objects over several lines or several on one line. Of a key that repeats the last value counts.
 */
extern const struct tk_decoder tk_decoder_jsonl;

/* Takes LF and CRLF, a byte order mark, columns in any order, found by the header's names. */
extern const struct tk_decoder tk_decoder_csv;

/* Append a text as a cell of CSV, in quotes where it needs them. */
void tk_csv_put_text(struct tk_buf *out, tk_str text);

#endif
