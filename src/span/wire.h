/* SPDX-License-Identifier: Apache-2.0 */
/* The wire format of protobuf (protobuf.dev, "Encoding"), read in place and written.
 *
 *     struct tk_wire in = {text.p, text.p + text.n, &fault};
 *     while ((rc = tk_wire_tag(&in, &tag)) == 0) {
 *         switch (tag) {
 *         case TK_WIRE_BYTES(5): rc = tk_wire_bytes(&in, &name); break;
 *         default: rc = tk_wire_skip(&in, tag);
 *         }
 *         if (rc < 0)
 *             return rc;
 *     }
 *     return rc < 0 ? rc : 0;
 *
 * All reads fail with -EBADMSG, or -EMSGSIZE for what nests too deep, and say why in `fault`, which
 * readers of inner messages share. A field whose wire type is not the expected one falls to
 * tk_wire_skip(), as an unknown one does. Nothing is allocated; one thread at a time per reader. */
#ifndef TK_SPAN_WIRE_H
#define TK_SPAN_WIRE_H

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TK_WIRE_MAX_DEPTH 100 /* of groups in an unknown field */

/* The first failure of a message and of those within it. */
struct tk_wire_fault {
    int code;
    const char *p;        /* the byte to blame */
    const char *expected; /* "a varint of at most 10 bytes" */
};

struct tk_wire {
    const char *p; /* next byte */
    const char *end;
    struct tk_wire_fault *fault;
};

/* Tags of field N by wire type. */
#define TK_WIRE_VARINT(number)  ((uint32_t)(number) << 3)
#define TK_WIRE_FIXED64(number) ((uint32_t)(number) << 3 | 1)
#define TK_WIRE_BYTES(number)   ((uint32_t)(number) << 3 | 2)
#define TK_WIRE_FIXED32(number) ((uint32_t)(number) << 3 | 5)

/* Remember a failure at `p`; returns `code`. */
int tk_wire_fail(struct tk_wire *in, int code, const char *p, const char *expected);

/* What a failure means for a person: "byte 17: expected ...", when it is in `message` and not in a
 * copy of parts. Returns its code. */
int tk_wire_tell(const struct tk_wire_fault *fault, tk_str message, struct tk_err *err);

/* The same for what is no message. */
static inline int tk_wire_bad(struct tk_wire *in, const char *expected)
{
    (void)tk_wire_fail(in, -EBADMSG, in->p, expected);
    return -EBADMSG;
}

/* The forms of tk_wire_tag() and tk_wire_varint() for numbers of more than one byte. */
TK_MUST_USE int tk_wire_long_varint(struct tk_wire *in, uint64_t *ret);
TK_MUST_USE int tk_wire_long_tag(struct tk_wire *in, uint32_t *ret_tag);

/* The next tag: 0, or 1 at the end. */
TK_MUST_USE static inline int tk_wire_tag(struct tk_wire *in, uint32_t *ret_tag)
{
    if (in->p == in->end)
        return 1;
    unsigned char first = (unsigned char)*in->p;
    if (first >= 0x80)
        return tk_wire_long_tag(in, ret_tag) < 0 ? -EBADMSG : 0;
    in->p++;
    *ret_tag = first;
    return 0;
}

/* Negative numbers of int32 and int64 are their two's complement. */
TK_MUST_USE static inline int tk_wire_varint(struct tk_wire *in, uint64_t *ret)
{
    if (in->p == in->end || (unsigned char)*in->p >= 0x80)
        return tk_wire_long_varint(in, ret) < 0 ? -EBADMSG : 0;
    *ret = (unsigned char)*in->p++;
    return 0;
}

/* A number of 32 bits; larger ones are cut off, as all parsers do. */
TK_MUST_USE static inline int tk_wire_u32(struct tk_wire *in, uint32_t *ret)
{
    uint64_t value;
    int rc = tk_wire_varint(in, &value);
    if (rc == 0)
        *ret = (uint32_t)value;
    return rc;
}

TK_MUST_USE static inline int tk_wire_fixed64(struct tk_wire *in, uint64_t *ret)
{
    if (in->end - in->p < 8)
        return tk_wire_bad(in, "8 bytes");
    memcpy(ret, in->p, 8);
    *ret = le64toh(*ret);
    in->p += 8;
    return 0;
}

TK_MUST_USE static inline int tk_wire_fixed32(struct tk_wire *in, uint32_t *ret)
{
    if (in->end - in->p < 4)
        return tk_wire_bad(in, "4 bytes");
    memcpy(ret, in->p, 4);
    *ret = le32toh(*ret);
    in->p += 4;
    return 0;
}

/* A text, bytes or a message: a view. */
TK_MUST_USE static inline int tk_wire_bytes(struct tk_wire *in, tk_str *ret)
{
    uint64_t n;
    int rc = tk_wire_varint(in, &n);
    if (rc < 0)
        return rc;
    if (n > (uint64_t)(in->end - in->p))
        return tk_wire_bad(in, "as many bytes as the length before says");
    *ret = (tk_str){in->p, (size_t)n};
    in->p += n;
    return 0;
}

/* A reader of a message in this one. */
static inline struct tk_wire tk_wire_inner(const struct tk_wire *in, tk_str message)
{
    const char *p = message.n > 0 ? message.p : in->p;
    return (struct tk_wire){p, p + message.n, in->fault};
}

/* Skip a field whose tag was taken; checks it, and groups to their ends. */
TK_MUST_USE int tk_wire_skip(struct tk_wire *in, uint32_t tag);

/* The next text, bytes or message of one field; others are skipped. False at the end, and at a
 * failure: for what was read before. */
static inline bool tk_wire_next(struct tk_wire *in, uint32_t wanted, tk_str *ret)
{
    uint32_t tag;
    while (tk_wire_tag(in, &tag) == 0) {
        if (tag == wanted)
            return tk_wire_bytes(in, ret) == 0;
        if (tk_wire_skip(in, tag) < 0)
            return false;
    }
    return false;
}

/* Writing -------------------------------------------------------------------------------- */

#define TK_WIRE_VARINT_MAX 10 /* bytes */

/* Bytes of a number as varint. */
static inline size_t tk_wire_varint_size(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    return (bits * 9 + 64) / 64;
}

/* Write a varint to `to`, which has room; returns where it ends. */
static inline char *tk_wire_write_varint(char *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (char)(value | 0x80);
        value >>= 7;
    }
    *to++ = (char)value;
    return to;
}

/* Append a varint, or a field. Tags as above. */
void tk_wire_put_varint(struct tk_buf *out, uint64_t value);
void tk_wire_put_number(struct tk_buf *out, uint32_t tag, uint64_t value);
void tk_wire_put_fixed64(struct tk_buf *out, uint32_t tag, uint64_t value);
void tk_wire_put_bytes(struct tk_buf *out, uint32_t tag, tk_str text);

/* Begin a message of about `expected` bytes; returns its place, for the end, where the length is
 * filled in. A good guess saves to move it. */
size_t tk_wire_begin(struct tk_buf *out, uint32_t tag, size_t expected);
void tk_wire_end(struct tk_buf *out, size_t place, size_t expected);

#endif
