/* SPDX-License-Identifier: Apache-2.0 */
/* Attribute values: printed, read, and in the wire format of protobuf. Arrays and maps are kept as
 * the message ArrayValue or KeyValueList, which readers here make canonical: known fields in order,
 * each once, strings UTF-8, at most TK_ANY_VALUE_MAX_DEPTH lists in each other. One thread at a
 * time per dictionary of texts. */
#ifndef TK_SPAN_ANY_VALUE_H
#define TK_SPAN_ANY_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/json.h"
#include "span/span_batch.h"
#include "span/wire.h"

#define TK_ANY_VALUE_MAX_DEPTH 100

/* Append as the AnyValue of OTLP/JSON: {"intValue":"12"}, {"arrayValue":{"values":[...]}}. */
void tk_any_value_put_otlp(const struct tk_texts *texts, const struct tk_attr *attr,
                           struct tk_buf *out);

/* Append as plain JSON: 12, 1.0, "x", [1,2], {"a":1}, null for EMPTY; bytes as base64, NaN and
 * infinities as strings. Doubles have a point or an exponent, so that they are read as such. */
void tk_any_value_put_json(const struct tk_texts *texts, const struct tk_attr *attr,
                           struct tk_buf *out);

/* Append as the text that people and columns of text see: strings as they are, doubles without a
 * point when they are whole, all else as plain JSON; nothing for EMPTY. */
void tk_any_value_put_text(const struct tk_texts *texts, const struct tk_attr *attr,
                           struct tk_buf *out);

/* Append the content of the message AnyValue. */
void tk_any_value_put_wire(const struct tk_texts *texts, const struct tk_attr *attr,
                           struct tk_buf *out);

/* Read an AnyValue of OTLP/JSON, or a plain JSON value, into `ret` (all but the key). Texts with
 * escapes are decoded into `scratch`. -EBADMSG, -EMSGSIZE (depth, or scratch is full); a text of
 * the value is TK_TEXTS_NONE when it does not fit. */
TK_MUST_USE int tk_any_value_read_otlp(struct tk_json *json, struct tk_texts *texts,
                                       struct tk_arena *scratch, struct tk_attr *ret,
                                       struct tk_err *err);
TK_MUST_USE int tk_any_value_read_json(struct tk_json *json, struct tk_texts *texts,
                                       struct tk_arena *scratch, struct tk_attr *ret,
                                       struct tk_err *err);

/* Read the message KeyValue into `ret`, all but the key, which is a view of the message ("" when it
 * has none). `scratch` is overwritten. `ret_not_utf8` is set when a string was none and became
 * BYTES; it stays as it is else. -EBADMSG, -EMSGSIZE (depth), -ENOMEM. */
TK_MUST_USE int tk_any_value_read_pair(struct tk_wire *pair, struct tk_texts *texts,
                                       struct tk_buf *scratch, tk_str *ret_key, struct tk_attr *ret,
                                       bool *ret_not_utf8);

/* `text` with U+FFFD for what is no UTF-8, appended. */
void tk_any_value_put_utf8(struct tk_buf *out, tk_str text);

#endif
