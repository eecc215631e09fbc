/* SPDX-License-Identifier: Apache-2.0 */
/* What the formats share: values as JSON, and the decoders' way through a text. */
#ifndef TK_TABLE_FORMAT_INTERNAL_H
#define TK_TABLE_FORMAT_INTERNAL_H

#include "base/buf.h"
#include "base/json.h"
#include "table/batch.h"
#include "table/format.h"

/* Append a list of `column` as a JSON array. */
void tk_list_put_json(struct tk_buf *out, const struct tk_column *column, struct tk_list list);

/* Read a JSON value of `column`'s type; texts and lists go into the arena of `out`. Fails as the
 * scanner does; -EMSGSIZE also when the arena is full. */
TK_MUST_USE int tk_value_read_json(struct tk_json *json, struct tk_batch *out, enum tk_type type,
                                   union tk_value *ret, struct tk_err *err);

/* One call of a decoder. */
struct tk_decoding {
    struct tk_batch *out;
    struct tk_decode_stats *stats;
    const char *p; /* next byte */
    const char *end;
    const char *line_start;
    bool last;
};

/* Stand at the front of `text`, which stays borrowed as the batch and the counts do. */
struct tk_decoding tk_decoding_begin(tk_str text, bool last, struct tk_batch *out,
                                     struct tk_decode_stats *stats);

/* Take all up to `to`, counting lines. */
void tk_decoding_take(struct tk_decoding *in, const char *to);

/* What at in->p did not become a row, as `why` tells.
 *
 *   record_end  where the record ends when it is well-formed but no row; else NULL
 *   cut_off     it is right as far as it goes, up to in->end
 *
 * Skip it, counted, and return 0; 1 when decoding stops before it: more text is needed, or a batch
 * with more room; -EMSGSIZE when it does not fit into an empty batch. */
TK_MUST_USE int tk_decoding_recover(struct tk_decoding *in, const char *record_end, bool cut_off,
                                    const struct tk_err *why, struct tk_err *err);

/* Hand back what is left of the text; counts a last line without newline. */
void tk_decoding_finish(struct tk_decoding *in, tk_str *ret_text);

#endif
