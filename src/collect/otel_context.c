/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/otel_context.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "base/scan.h"

#define VERSION   2
#define TRIES     3
#define DEPTH_MAX 8

/* As it lies in memory, in the byte order of the process, which is ours. */
struct header {
    char signature[8];
    uint32_t version;
    uint32_t payload_bytes;
    uint64_t published_ns;
    uint64_t payload;
};
_Static_assert(sizeof(struct header) == 32, "as OTEP 4719 lays it out");

/* Mapping -------------------------------------------------------------------------- */

bool tk_otel_mapping_parse(tk_str line, uint64_t *ret_address)
{
    static const tk_str names[] = {
        {"[anon_shmem:OTEL_CTX]", 21}, {"/memfd:OTEL_CTX", 15}, {"[anon:OTEL_CTX]", 15}};
    tk_str field = {NULL, 0};
    uint64_t address = 0;
    size_t digits = 0;
    for (; digits < line.n && tk_hex_value(line.p[digits]) >= 0 && digits < 16; digits++)
        address = address << 4 | (uint64_t)tk_hex_value(line.p[digits]);
    if (digits == 0 || digits == line.n || line.p[digits] != '-')
        return false;
    /* address perms offset dev inode name */
    for (int i = 0; i < 5; i++) {
        if (!tk_str_take_word(&line, &field))
            return false;
    }
    line = tk_str_trim(line);
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        if (tk_str_starts_with(line, names[i])) {
            *ret_address = address;
            return true;
        }
    }
    return false;
}

/* Memory --------------------------------------------------------------------------- */

static int check_header(const struct header *header)
{
    if (memcmp(header->signature, "OTEL_CTX", 8) != 0 || header->version != VERSION)
        return -ENOENT;
    if (header->published_ns == 0)
        return -EAGAIN;
    return header->payload_bytes <= TK_OTEL_PAYLOAD_MAX ? 0 : -EMSGSIZE;
}

/* One try: -EAGAIN when it changed meanwhile. */
static int read_once(tk_read_memory_fn read, void *world, pid_t pid, uint64_t address,
                     struct tk_buf *payload)
{
    struct header before;
    struct header after;
    tk_buf_reset(payload);
    int rc = read(world, pid, address, &before, sizeof(before));
    rc = rc < 0 ? rc : check_header(&before);
    if (rc < 0)
        return rc;
    char *to = tk_buf_reserve(payload, before.payload_bytes);
    if (!to)
        return -ENOMEM;
    rc = before.payload_bytes > 0 ? read(world, pid, before.payload, to, before.payload_bytes) : 0;
    rc = rc < 0 ? rc : read(world, pid, address, &after, sizeof(after));
    if (rc < 0)
        return rc;
    if (memcmp(&before, &after, sizeof(before)) != 0)
        return -EAGAIN;
    payload->n += before.payload_bytes;
    return 0;
}

int tk_otel_context_read(tk_read_memory_fn read, void *world, pid_t pid, uint64_t address,
                         struct tk_buf *payload)
{
    int rc = -EAGAIN;
    for (int i = 0; i < TRIES && rc == -EAGAIN; i++)
        rc = read_once(read, world, pid, address, payload);
    return rc;
}

/* Payload --------------------------------------------------------------------------- */

/* One field of a protobuf message. */
struct field {
    uint32_t number;
    uint32_t wire; /* 0 varint, 1 64 bits, 2 bytes, 5 32 bits */
    uint64_t value;
    tk_str bytes;
};

static bool take_varint(tk_str *text, uint64_t *ret)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 10 && i < text->n; i++) {
        unsigned char byte = (unsigned char)text->p[i];
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *ret = value;
            *text = (tk_str){text->p + i + 1, text->n - i - 1};
            return true;
        }
    }
    return false;
}

static bool take_fixed(tk_str *text, size_t n, uint64_t *ret)
{
    if (text->n < n)
        return false;
    uint64_t value = 0;
    memcpy(&value, text->p, n); /* little endian, as all that has OTEP 4719 */
    *ret = value;
    *text = (tk_str){text->p + n, text->n - n};
    return true;
}

static bool take_field(tk_str *text, struct field *ret)
{
    uint64_t key;
    uint64_t n = 0;
    *ret = (struct field){.number = 0};
    if (!take_varint(text, &key) || key >> 3 == 0 || key >> 3 > 0x1FFFFFFF)
        return false;
    ret->number = (uint32_t)(key >> 3);
    ret->wire = key & 7;
    switch (ret->wire) {
    case 0:
        return take_varint(text, &ret->value);
    case 1:
        return take_fixed(text, 8, &ret->value);
    case 2:
        if (!take_varint(text, &n) || n > text->n)
            return false;
        ret->bytes = (tk_str){text->p, (size_t)n};
        *text = (tk_str){text->p + n, text->n - (size_t)n};
        return true;
    case 5:
        return take_fixed(text, 4, &ret->value);
    default:
        return false;
    }
}

static bool put_value(tk_str message, int depth, struct tk_buf *out);
static bool put_pair(tk_str message, int depth, struct tk_buf *out);

/* ArrayValue { repeated AnyValue values = 1 }, KeyValueList { repeated KeyValue values = 1 }. */
static bool put_values(tk_str message, bool is_map, int depth, struct tk_buf *out)
{
    struct field field;
    if (depth == DEPTH_MAX)
        return false;
    tk_buf_putc(out, is_map ? '{' : '[');
    while (message.n > 0) {
        if (!take_field(&message, &field))
            return false;
        if (field.number != 1 || field.wire != 2)
            continue;
        if (!is_map)
            tk_json_put_comma(out);
        if (!(is_map ? put_pair(field.bytes, depth + 1, out)
                     : put_value(field.bytes, depth + 1, out)))
            return false;
    }
    tk_buf_putc(out, is_map ? '}' : ']');
    return true;
}

static void put_bytes(tk_str bytes, struct tk_buf *out)
{
    tk_buf_lit(out, "\"0x");
    for (size_t i = 0; i < bytes.n; i++)
        tk_buf_printf(out, "%02x", (unsigned char)bytes.p[i]);
    tk_buf_putc(out, '"');
}

static void put_double(uint64_t bits, struct tk_buf *out)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    if (__builtin_isfinite(value)) {
        tk_buf_put_f64(out, value, TK_SHORTEST);
    } else {
        tk_buf_lit(out, "null");
    }
}

/* A member of AnyValue: 1 string, 2 bool, 3 int, 4 double, 5 array, 6 map, 7 bytes. */
static bool put_member(const struct field *field, int depth, struct tk_buf *out)
{
    static const uint8_t wires[] = {[1] = 2, [2] = 0, [3] = 0, [4] = 1, [5] = 2, [6] = 2, [7] = 2};
    if (field->number >= sizeof(wires) || field->wire != wires[field->number])
        return false;
    switch (field->number) {
    case 1:
        tk_json_put_str(out, field->bytes);
        return true;
    case 2:
        tk_buf_puts(out, field->value ? "true" : "false");
        return true;
    case 3:
        tk_buf_put_i64(out, (int64_t)field->value);
        return true;
    case 4:
        put_double(field->value, out);
        return true;
    case 7:
        put_bytes(field->bytes, out);
        return true;
    default:
        return put_values(field->bytes, field->number == 6, depth, out);
    }
}

/* The last member counts, as protobuf has it; AnyValue without one is null. */
static bool put_value(tk_str message, int depth, struct tk_buf *out)
{
    struct field field;
    size_t before = out->n;
    tk_buf_lit(out, "null");
    while (message.n > 0) {
        if (!take_field(&message, &field))
            return false;
        out->n = tk_buf_ok(out) ? before : out->n;
        if (!put_member(&field, depth, out))
            return false;
    }
    return true;
}

/* KeyValue { string key = 1; AnyValue value = 2 }. */
static bool put_pair(tk_str message, int depth, struct tk_buf *out)
{
    struct field field;
    tk_str key = {NULL, 0};
    tk_str value = {NULL, 0};
    while (message.n > 0) {
        if (!take_field(&message, &field))
            return false;
        if (field.wire != 2)
            continue;
        if (field.number == 1)
            key = field.bytes;
        if (field.number == 2)
            value = field.bytes;
    }
    if (key.n == 0 || !tk_utf8_ok(key))
        return false;
    tk_json_put_comma(out);
    tk_json_put_str(out, key);
    tk_buf_putc(out, ':');
    return put_value(value, depth, out);
}

/* Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2 }: what has
 * bytes in field 2 is a ProcessContext. */
static bool put_resource(tk_str message, struct tk_buf *out)
{
    struct field field;
    while (message.n > 0) {
        if (!take_field(&message, &field) || (field.number == 2 && field.wire != 0))
            return false;
        if (field.number == 1 && (field.wire != 2 || !put_pair(field.bytes, 0, out)))
            return false;
    }
    return true;
}

/* ProcessContext { Resource resource = 1; repeated KeyValue attributes = 2 }. */
static bool put_context(tk_str message, struct tk_buf *out)
{
    struct field field;
    while (message.n > 0) {
        if (!take_field(&message, &field))
            return false;
        if (field.number > 2)
            continue;
        if (field.wire != 2 ||
            !(field.number == 1 ? put_resource(field.bytes, out) : put_pair(field.bytes, 0, out)))
            return false;
    }
    return true;
}

int tk_otel_context_format(tk_str payload, struct tk_buf *out, struct tk_err *err)
{
    static bool (*const forms[])(tk_str, struct tk_buf *) = {put_context, put_resource};
    size_t before = out->n;
    for (size_t i = 0; i < TK_COUNTOF(forms); i++) {
        tk_buf_putc(out, '{');
        if (forms[i](payload, out)) {
            tk_buf_putc(out, '}');
            return tk_buf_check(out, "process context", err);
        }
        if (tk_buf_ok(out))
            out->n = before;
    }
    return tk_fail(err, -EBADMSG, "process context: %zu bytes that are no Resource", payload.n);
}
