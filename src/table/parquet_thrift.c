/* SPDX-License-Identifier: Apache-2.0 */
/* A field is a byte (distance to the id before << 4 | wire type) and its value; a struct ends with
 * a zero byte; integers are zigzag varints; a list is (count << 4 | wire type), or 0xF0 | wire type
 * and the count as a varint. */
#include "table/parquet_thrift_internal.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "table/varint.h"

#define SKIP_DEPTH 16 /* of structs in fields that we do not know */

/* Wire types of fields; in lists either of the first two stands for a bool. */
enum wire {
    WIRE_STOP = 0,
    WIRE_TRUE = 1,
    WIRE_FALSE = 2,
    WIRE_I8 = 3,
    WIRE_I16 = 4,
    WIRE_I32 = 5,
    WIRE_I64 = 6,
    WIRE_DOUBLE = 7,
    WIRE_BINARY = 8,
    WIRE_LIST = 9,
    WIRE_SET = 10,
    WIRE_MAP = 11,
    WIRE_STRUCT = 12,
    WIRE_UUID = 13,
};

static const struct {
    uint8_t wire;
    uint8_t size; /* of a list's item in memory; a struct says its own */
} kinds[] = {
    [TK_THRIFT_BOOL] = {WIRE_TRUE, sizeof(bool)},  [TK_THRIFT_I8] = {WIRE_I8, sizeof(int32_t)},
    [TK_THRIFT_I16] = {WIRE_I16, sizeof(int32_t)}, [TK_THRIFT_I32] = {WIRE_I32, sizeof(int32_t)},
    [TK_THRIFT_I64] = {WIRE_I64, sizeof(int64_t)}, [TK_THRIFT_TEXT] = {WIRE_BINARY, sizeof(tk_str)},
    [TK_THRIFT_STRUCT] = {WIRE_STRUCT, 0},         [TK_THRIFT_LIST] = {WIRE_LIST, 0},
};

static size_t item_size(const struct tk_thrift_field *field)
{
    return field->item == TK_THRIFT_STRUCT ? field->of->size : kinds[field->item].size;
}

/* Encoding ------------------------------------------------------------------------ */

/* A value that is no bool of a field and no list. */
static void put_value(enum tk_thrift_kind kind, const struct tk_thrift_spec *of, const char *at,
                      struct tk_buf *out)
{
    switch (kind) {
    case TK_THRIFT_BOOL:
        tk_buf_putc(out, *(const bool *)(const void *)at ? WIRE_TRUE : WIRE_FALSE);
        break;
    case TK_THRIFT_I8:
        tk_buf_putc(out, (char)*(const int32_t *)(const void *)at);
        break;
    case TK_THRIFT_I16:
    case TK_THRIFT_I32:
        tk_varint_put(out, tk_zigzag(*(const int32_t *)(const void *)at));
        break;
    case TK_THRIFT_I64:
        tk_varint_put(out, tk_zigzag(*(const int64_t *)(const void *)at));
        break;
    case TK_THRIFT_TEXT: {
        tk_str text = *(const tk_str *)(const void *)at;
        tk_varint_put(out, text.n);
        tk_buf_put(out, text);
        break;
    }
    case TK_THRIFT_STRUCT:
        tk_thrift_encode(of, at, out);
        break;
    case TK_THRIFT_LIST:
        break;
    }
}

static void put_list(const struct tk_thrift_field *field, const char *object, struct tk_buf *out)
{
    const char *item = *(const char *const *)(const void *)(object + field->at);
    size_t n = *(const size_t *)(const void *)(object + field->count_at);
    uint8_t wire = kinds[field->item].wire;
    if (n < 15) {
        tk_buf_putc(out, (char)(n << 4 | wire));
    } else {
        tk_buf_putc(out, (char)(0xF0 | wire));
        tk_varint_put(out, n);
    }
    for (size_t i = 0; i < n; i++, item += item_size(field))
        put_value(field->item, field->of, item, out);
}

void tk_thrift_encode(const struct tk_thrift_spec *spec, const void *object, struct tk_buf *out)
{
    uint64_t set = *(const uint64_t *)object;
    unsigned before = 0;
    for (size_t i = 0; i < spec->field_count; i++) {
        const struct tk_thrift_field *field = &spec->fields[i];
        const char *at = (const char *)object + field->at;
        if (!(set >> field->id & 1))
            continue;
        unsigned wire = kinds[field->kind].wire;
        if (field->kind == TK_THRIFT_BOOL && !*(const bool *)(const void *)at)
            wire = WIRE_FALSE;
        tk_buf_putc(out, (char)((field->id - before) << 4 | wire));
        before = field->id;
        if (field->kind == TK_THRIFT_LIST) {
            put_list(field, object, out);
        } else if (field->kind != TK_THRIFT_BOOL) {
            put_value(field->kind, field->of, at, out);
        }
    }
    tk_buf_putc(out, WIRE_STOP);
}

/* Decoding ------------------------------------------------------------------------ */

struct decoding {
    tk_str rest;
    struct tk_arena *arena;
    struct tk_err *err;
};

static int cut_off(const struct decoding *in, const struct tk_thrift_spec *spec)
{
    return tk_fail(in->err, -EBADMSG, "%s: cut off or damaged", spec->name);
}

static bool take_byte(struct decoding *in, uint8_t *ret)
{
    if (in->rest.n == 0)
        return false;
    *ret = (uint8_t)*in->rest.p;
    in->rest = (tk_str){in->rest.p + 1, in->rest.n - 1};
    return true;
}

static bool take_bytes(struct decoding *in, size_t n, tk_str *ret)
{
    if (n > in->rest.n)
        return false;
    *ret = (tk_str){in->rest.p, n};
    in->rest = (tk_str){in->rest.p + n, in->rest.n - n};
    return true;
}

static bool take_integer(struct decoding *in, int64_t *ret)
{
    uint64_t coded;
    if (!tk_varint_read(&in->rest, &coded))
        return false;
    *ret = tk_unzigzag(coded);
    return true;
}

static bool take_text(struct decoding *in, tk_str *ret)
{
    uint64_t n;
    return tk_varint_read(&in->rest, &n) && n <= in->rest.n && take_bytes(in, (size_t)n, ret);
}

static bool take_list_header(struct decoding *in, uint8_t *ret_wire, size_t *ret_n)
{
    uint8_t head;
    if (!take_byte(in, &head))
        return false;
    uint64_t n = head >> 4;
    if (n == 15 && !tk_varint_read(&in->rest, &n))
        return false;
    *ret_wire = head & 15;
    *ret_n = (size_t)n;
    return n <= in->rest.n; /* an item takes a byte at least */
}

/* The next field of a struct: 0, 1 at its end, -1 when the text is cut off. */
static int take_field(struct decoding *in, int64_t *id, uint8_t *ret_wire)
{
    uint8_t head;
    if (!take_byte(in, &head))
        return -1;
    *ret_wire = head & 15;
    if (*ret_wire == WIRE_STOP)
        return 1;
    if (head >> 4 != 0) {
        *id = tk_wrap_add(*id, head >> 4);
        return 0;
    }
    return take_integer(in, id) ? 0 : -1;
}

static bool skip_value(struct decoding *in, uint8_t wire, int depth);

static bool skip_list(struct decoding *in, int depth)
{
    uint8_t wire;
    size_t n;
    uint8_t byte;
    if (!take_list_header(in, &wire, &n))
        return false;
    bool is_bool = wire == WIRE_TRUE || wire == WIRE_FALSE;
    for (size_t i = 0; i < n; i++) {
        if (is_bool ? !take_byte(in, &byte) : !skip_value(in, wire, depth))
            return false;
    }
    return true;
}

static bool skip_map(struct decoding *in, int depth)
{
    uint64_t n;
    uint8_t wires;
    if (!tk_varint_read(&in->rest, &n) || n > in->rest.n)
        return false;
    if (n == 0)
        return true;
    if (!take_byte(in, &wires))
        return false;
    for (uint64_t i = 0; i < n; i++) {
        if (!skip_value(in, wires >> 4, depth) || !skip_value(in, wires & 15, depth))
            return false;
    }
    return true;
}

static bool skip_struct(struct decoding *in, int depth)
{
    int64_t id = 0;
    uint8_t wire;
    int rc;
    while ((rc = take_field(in, &id, &wire)) == 0) {
        if (!skip_value(in, wire, depth))
            return false;
    }
    return rc == 1;
}

static bool skip_value(struct decoding *in, uint8_t wire, int depth) /* NOLINT(misc-no-recursion) */
{
    int64_t number;
    tk_str bytes;
    if (depth >= SKIP_DEPTH)
        return false;
    switch (wire) {
    case WIRE_TRUE:
    case WIRE_FALSE:
        return true;
    case WIRE_I8:
        return take_bytes(in, 1, &bytes);
    case WIRE_I16:
    case WIRE_I32:
    case WIRE_I64:
        return take_integer(in, &number);
    case WIRE_DOUBLE:
        return take_bytes(in, 8, &bytes);
    case WIRE_BINARY:
        return take_text(in, &bytes);
    case WIRE_LIST:
    case WIRE_SET:
        return skip_list(in, depth + 1);
    case WIRE_MAP:
        return skip_map(in, depth + 1);
    case WIRE_STRUCT:
        return skip_struct(in, depth + 1);
    case WIRE_UUID:
        return take_bytes(in, 16, &bytes);
    default:
        return false;
    }
}

static int decode_struct(struct decoding *in, const struct tk_thrift_spec *spec, char *object);

static bool take_number(struct decoding *in, enum tk_thrift_kind kind, char *at)
{
    int64_t number;
    uint8_t byte;
    if (kind == TK_THRIFT_I8) {
        if (!take_byte(in, &byte))
            return false;
        *(int32_t *)(void *)at = byte < 0x80 ? byte : byte - 0x100;
        return true;
    }
    if (!take_integer(in, &number))
        return false;
    if (kind == TK_THRIFT_I64) {
        *(int64_t *)(void *)at = number;
        return true;
    }
    *(int32_t *)(void *)at = (int32_t)number;
    return number == (int32_t)number;
}

/* A value of the kind that the spec says, into memory. */
static int decode_value(struct decoding *in, const struct tk_thrift_spec *spec,
                        enum tk_thrift_kind kind, const struct tk_thrift_spec *of, char *at)
{
    uint8_t byte;
    bool good = true;
    switch (kind) {
    case TK_THRIFT_BOOL:
        good = take_byte(in, &byte);
        *(bool *)(void *)at = good && byte == WIRE_TRUE;
        break;
    case TK_THRIFT_TEXT:
        good = take_text(in, (tk_str *)(void *)at);
        break;
    case TK_THRIFT_STRUCT:
        return decode_struct(in, of, at);
    case TK_THRIFT_I8:
    case TK_THRIFT_I16:
    case TK_THRIFT_I32:
    case TK_THRIFT_I64:
        good = take_number(in, kind, at);
        break;
    case TK_THRIFT_LIST:
        good = false;
        break;
    }
    return good ? 0 : cut_off(in, spec);
}

static int decode_list(struct decoding *in, const struct tk_thrift_spec *spec,
                       const struct tk_thrift_field *field, char *object)
{
    uint8_t wire;
    size_t n;
    if (!take_list_header(in, &wire, &n))
        return cut_off(in, spec);
    bool is_bool = field->item == TK_THRIFT_BOOL && (wire == WIRE_TRUE || wire == WIRE_FALSE);
    if (n > 0 && wire != kinds[field->item].wire && !is_bool) {
        return tk_fail(in->err, -EBADMSG, "%s: field %u: a list of wire type %u, not %u",
                       spec->name, field->id, wire, kinds[field->item].wire);
    }
    size_t size = item_size(field);
    char *items = n > SIZE_MAX / 2 / size ? NULL : tk_arena_alloc(in->arena, n * size);
    if (!items) {
        return tk_fail(in->err, -EMSGSIZE, "%s: field %u: a list of %zu items is too large",
                       spec->name, field->id, n);
    }
    for (size_t i = 0; i < n; i++) {
        int rc = decode_value(in, spec, field->item, field->of, items + i * size);
        if (rc < 0)
            return rc;
    }
    memcpy(object + field->at, &items, sizeof(items));
    memcpy(object + field->count_at, &n, sizeof(n));
    return 0;
}

static const struct tk_thrift_field *find_field(const struct tk_thrift_spec *spec, int64_t id)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        if (spec->fields[i].id == id)
            return &spec->fields[i];
    }
    return NULL;
}

static int decode_field(struct decoding *in, const struct tk_thrift_spec *spec,
                        const struct tk_thrift_field *field, uint8_t wire, char *object)
{
    if (field->kind == TK_THRIFT_BOOL && (wire == WIRE_TRUE || wire == WIRE_FALSE)) {
        *(bool *)(void *)(object + field->at) = wire == WIRE_TRUE;
        return 0;
    }
    if (wire != kinds[field->kind].wire) {
        return tk_fail(in->err, -EBADMSG, "%s: field %u: wire type %u, not %u", spec->name,
                       field->id, wire, kinds[field->kind].wire);
    }
    if (field->kind == TK_THRIFT_LIST)
        return decode_list(in, spec, field, object);
    return decode_value(in, spec, field->kind, field->of, object + field->at);
}

/* Specs nest a few levels, whatever the input: no limit is needed. */
static int decode_struct(struct decoding *in, const struct tk_thrift_spec *spec,
                         char *object) /* NOLINT(misc-no-recursion) */
{
    int64_t id = 0;
    uint8_t wire;
    int end;
    memset(object, 0, spec->size);
    while ((end = take_field(in, &id, &wire)) == 0) {
        const struct tk_thrift_field *field = find_field(spec, id);
        if (!field && !skip_value(in, wire, 0))
            return cut_off(in, spec);
        int rc = field ? decode_field(in, spec, field, wire, object) : 0;
        if (rc < 0)
            return rc;
        if (field)
            *(uint64_t *)(void *)object |= 1ULL << field->id;
    }
    return end < 0 ? cut_off(in, spec) : 0;
}

int tk_thrift_decode(const struct tk_thrift_spec *spec, tk_str *text, struct tk_arena *arena,
                     void *object, struct tk_err *err)
{
    struct decoding in = {*text, arena, err};
    int rc = decode_struct(&in, spec, object);
    if (rc < 0)
        return rc;
    *text = in.rest;
    return 0;
}
