/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TK_SPAN_ANY_VALUE_INTERNAL_H
#define TK_SPAN_ANY_VALUE_INTERNAL_H

#include "span/any_value.h"

/* Fields of the messages, opentelemetry/proto/common/v1/common.proto. */
enum {
    TK_ANY_STRING = TK_WIRE_BYTES(1),
    TK_ANY_BOOL = TK_WIRE_VARINT(2),
    TK_ANY_INT = TK_WIRE_VARINT(3),
    TK_ANY_DOUBLE = TK_WIRE_FIXED64(4),
    TK_ANY_ARRAY = TK_WIRE_BYTES(5),
    TK_ANY_MAP = TK_WIRE_BYTES(6),
    TK_ANY_BYTES = TK_WIRE_BYTES(7),
    TK_ANY_VALUES = TK_WIRE_BYTES(1), /* of ArrayValue and KeyValueList */
    TK_PAIR_KEY = TK_WIRE_BYTES(1),   /* of KeyValue */
    TK_PAIR_VALUE = TK_WIRE_BYTES(2),
};

/* A value in place. A oneof that is set again: the last counts, but lists that follow each other
 * are one list; it begins at `from`, and `text` is its last piece. */
struct tk_any {
    uint32_t type; /* enum tk_attr_type */
    const char *from;
    union {
        tk_str text;
        int64_t i64;
        double f64;
    };
};

/* Read an AnyValue, on top of what `any` is already. */
TK_MUST_USE int tk_any_scan(struct tk_wire *in, struct tk_any *any);

/* Read a KeyValue. */
TK_MUST_USE int tk_any_scan_pair(struct tk_wire *in, tk_str *ret_key, struct tk_any *any);

/* The value of an attribute. */
struct tk_any tk_any_of(const struct tk_texts *texts, const struct tk_attr *attr);

/* Append the field of an AnyValue; nothing for EMPTY. Lists as they are. */
void tk_any_put_wire(const struct tk_any *any, struct tk_buf *out);

#endif
