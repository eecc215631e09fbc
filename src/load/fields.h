/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a message, one after the other, whatever they are: for looking through one. On top
 * of span/wire.h. Views only; safe from any thread. */
#ifndef TK_LOAD_FIELDS_H
#define TK_LOAD_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "span/wire.h"

struct tk_field {
    uint32_t tag;    /* as TK_WIRE_VARINT(1) */
    uint64_t number; /* of a varint */
    tk_str bytes;    /* of bytes, and the eight of a fixed64 */
};

/* A reader of a whole message. */
static inline struct tk_wire tk_fields_of(tk_str message, struct tk_wire_fault *fault)
{
    static const char nothing[1];
    const char *p = message.n > 0 ? message.p : nothing;
    *fault = (struct tk_wire_fault){0};
    return (struct tk_wire){p, p + message.n, fault};
}

/* Take the next field: 0, 1 at the end, or the failure of span/wire.h. */
TK_MUST_USE static inline int tk_field_next(struct tk_wire *in, struct tk_field *ret)
{
    uint64_t fixed;
    *ret = (struct tk_field){0};
    int rc = tk_wire_tag(in, &ret->tag);
    if (rc != 0)
        return rc;
    switch (ret->tag & 7) {
    case TK_WIRE_VARINT(0):
        return tk_wire_varint(in, &ret->number);
    case TK_WIRE_BYTES(0):
        return tk_wire_bytes(in, &ret->bytes);
    case TK_WIRE_FIXED64(0):
        ret->bytes = (tk_str){in->p, sizeof(fixed)};
        return tk_wire_fixed64(in, &fixed);
    default:
        return tk_wire_skip(in, ret->tag);
    }
}

#endif
