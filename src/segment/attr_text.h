/* SPDX-License-Identifier: Apache-2.0 */
/* Attribute values as texts of a column, and back without loss: a letter beside the text says what
 * it was (docs/format-spans.md section 4).
 *
 *     s  string        as it is
 *     b  boolean       true, false
 *     i  integer       -12
 *     d  double        the shortest text that reads back as the same; NaN, Infinity, -Infinity
 *     y  bytes         base64
 *     e  no value      empty
 *     j  array or map  plain JSON, where that reads back as the same
 *     o  array or map  the AnyValue of OTLP/JSON, where plain JSON would lose a type
 */
#ifndef TK_SEGMENT_ATTR_TEXT_H
#define TK_SEGMENT_ATTR_TEXT_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

/* Scratch; one thread at a time. */
struct tk_attr_coder {
    struct tk_texts again; /* texts of a value that is read back */
    struct tk_buf plain, first, second;
    struct tk_arena strings; /* decoded from JSON */
};

TK_MUST_USE int tk_attr_coder_init(struct tk_attr_coder *coder, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_attr_coder_release(struct tk_attr_coder *coder);

/* Whether the plain JSON of a value, which is left in coder->plain, is read back as the same value.
 */
bool tk_attr_is_plain(struct tk_attr_coder *coder, const struct tk_texts *texts,
                      const struct tk_attr *attr);

/* Append the text of a value whose texts are in `texts`; returns the letter. */
char tk_attr_text_put(struct tk_attr_coder *coder, const struct tk_texts *texts,
                      const struct tk_attr *attr, struct tk_buf *out);

/* Read a text into all of `ret` but the key; its texts go to `texts`. -EBADMSG when it is none of
 * that letter, -ENOBUFS when `texts` is full. */
TK_MUST_USE int tk_attr_text_read(struct tk_attr_coder *coder, char letter, tk_str text,
                                  struct tk_texts *texts, struct tk_attr *ret, struct tk_err *err);

#endif
