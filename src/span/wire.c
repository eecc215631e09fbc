/* SPDX-License-Identifier: Apache-2.0 */
#include "span/wire.h"

enum wire_type { VARINT = 0, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 };

int tk_wire_fail(struct tk_wire *in, int code, const char *p, const char *expected)
{
    *in->fault = (struct tk_wire_fault){code, p, expected};
    return code;
}

int tk_wire_tell(const struct tk_wire_fault *fault, tk_str message, struct tk_err *err)
{
    uintptr_t offset = (uintptr_t)fault->p - (uintptr_t)message.p;
    if (offset > message.n)
        return tk_fail(err, fault->code, "a message in pieces: expected %s", fault->expected);
    return tk_fail(err, fault->code, "byte %zu: expected %s", (size_t)offset, fault->expected);
}

int tk_wire_long_varint(struct tk_wire *in, uint64_t *ret)
{
    uint64_t value = 0;
    const char *p = in->p;
    for (unsigned shift = 0; shift < 7 * TK_WIRE_VARINT_MAX; shift += 7) {
        if (p == in->end)
            return tk_wire_bad(in, "a varint, not the end");
        uint64_t byte = (unsigned char)*p++;
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            in->p = p;
            *ret = value;
            return 0;
        }
    }
    return tk_wire_bad(in, "a varint of at most 10 bytes");
}

int tk_wire_long_tag(struct tk_wire *in, uint32_t *ret_tag)
{
    uint64_t tag;
    const char *p = in->p;
    int rc = tk_wire_long_varint(in, &tag);
    if (rc < 0)
        return rc;
    if (tag > UINT32_MAX)
        return tk_wire_fail(in, -EBADMSG, p, "the number of a field, at most 2^29 - 1");
    *ret_tag = (uint32_t)tag;
    return 0;
}

/* Skip the value of a field that is no group. */
static int skip_value(struct tk_wire *in, uint32_t tag)
{
    uint64_t number;
    uint32_t word;
    tk_str text;
    switch (tag & 7) {
    case VARINT:
        return tk_wire_varint(in, &number);
    case FIXED64:
        return tk_wire_fixed64(in, &number);
    case BYTES:
        return tk_wire_bytes(in, &text);
    case FIXED32:
        return tk_wire_fixed32(in, &word);
    default:
        return tk_wire_bad(in, "a wire type of 0 to 5");
    }
}

int tk_wire_skip(struct tk_wire *in, uint32_t tag)
{
    uint32_t open[TK_WIRE_MAX_DEPTH]; /* numbers of the groups that are open */
    size_t depth = 0;
    for (;;) {
        uint32_t number = tag >> 3;
        int rc = 0;
        if (number == 0)
            return tk_wire_bad(in, "a field number above 0 before it");
        if ((tag & 7) == GROUP) {
            if (depth == TK_WIRE_MAX_DEPTH)
                return tk_wire_fail(in, -EMSGSIZE, in->p, "groups that nest at most 100 deep");
            open[depth++] = number;
        } else if ((tag & 7) != GROUP_END) {
            rc = skip_value(in, tag);
        } else if (depth == 0 || open[--depth] != number) {
            return tk_wire_bad(in, "no end of a group that is not open");
        }
        if (rc < 0 || depth == 0)
            return rc;
        rc = tk_wire_tag(in, &tag);
        if (rc == 1)
            return tk_wire_bad(in, "the end of a group");
        if (rc < 0)
            return rc;
    }
}

/* Writing -------------------------------------------------------------------------------- */

void tk_wire_put_varint(struct tk_buf *out, uint64_t value)
{
    char *to = tk_buf_reserve(out, TK_WIRE_VARINT_MAX);
    if (to)
        out->n += (size_t)(tk_wire_write_varint(to, value) - to);
}

void tk_wire_put_number(struct tk_buf *out, uint32_t tag, uint64_t value)
{
    tk_wire_put_varint(out, tag);
    tk_wire_put_varint(out, value);
}

void tk_wire_put_fixed64(struct tk_buf *out, uint32_t tag, uint64_t value)
{
    tk_wire_put_varint(out, tag);
    uint64_t bytes = htole64(value);
    tk_buf_put(out, (tk_str){(const char *)&bytes, sizeof(bytes)});
}

void tk_wire_put_bytes(struct tk_buf *out, uint32_t tag, tk_str text)
{
    tk_wire_put_number(out, tag, text.n);
    tk_buf_put(out, text);
}

size_t tk_wire_begin(struct tk_buf *out, uint32_t tag, size_t expected)
{
    tk_wire_put_varint(out, tag);
    size_t place = out->n;
    size_t room = tk_wire_varint_size(expected);
    if (tk_buf_reserve(out, room))
        out->n += room;
    return place;
}

void tk_wire_end(struct tk_buf *out, size_t place, size_t expected)
{
    size_t room = tk_wire_varint_size(expected);
    if (!tk_buf_ok(out))
        return;
    size_t n = out->n - place - room;
    size_t wanted = tk_wire_varint_size(n);
    if (wanted > room && !tk_buf_reserve(out, wanted - room))
        return;
    char *at = out->p + place;
    if (wanted != room)
        memmove(at + wanted, at + room, n);
    (void)tk_wire_write_varint(at, n);
    out->n = place + wanted + n;
}
