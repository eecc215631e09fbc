/* SPDX-License-Identifier: Apache-2.0 */
/* Values from JSON: scalars as they are, lists into the messages of protobuf. */
#include <errno.h>
#include <math.h>

#include "base/base64.h"
#include "base/number.h"
#include "span/any_value_internal.h"

#define MAX_BYTES ((size_t)64 << 20) /* of a list, or of bytes */

/* One value on its way. */
struct reading {
    struct tk_json *json;
    struct tk_arena *scratch;
    struct tk_buf wire; /* owned: the list so far */
    int depth;          /* lists that are open */
    bool is_otlp;       /* members of AnyValue, not plain JSON */
    struct tk_err *err;
};

static int read_value(struct reading *reading, struct tk_any *any);

static int fail_here(struct reading *reading, const char *expected)
{
    return tk_fail(reading->err, -EBADMSG, "byte %zu: expected %s", tk_json_offset(reading->json),
                   expected);
}

/* Base64 into the scratch memory. */
static int read_bytes(struct reading *reading, struct tk_any *any)
{
    tk_str text = {NULL, 0};
    int rc = tk_json_read_str(reading->json, reading->scratch, &text, reading->err);
    if (rc < 0)
        return rc;
    TK_CLEANUP(tk_buf_release) struct tk_buf bytes;
    tk_buf_init(&bytes, MAX_BYTES);
    if (!tk_base64_decode(text, &bytes))
        return fail_here(reading, "base64 before it");
    any->type = TK_ATTR_BYTES;
    any->text = tk_arena_copy(reading->scratch, tk_buf_str(&bytes));
    if (!tk_buf_ok(&bytes) || any->text.n != bytes.n)
        return tk_fail(reading->err, -EMSGSIZE, "bytes that do not fit");
    return 0;
}

static int read_string(struct reading *reading, struct tk_any *any)
{
    any->type = TK_ATTR_STRING;
    return tk_json_read_str(reading->json, reading->scratch, &any->text, reading->err);
}

static int read_bool(struct reading *reading, struct tk_any *any)
{
    bool value = false;
    int rc = tk_json_read_bool(reading->json, &value, reading->err);
    any->type = TK_ATTR_BOOL;
    any->i64 = value;
    return rc;
}

static int read_int(struct reading *reading, struct tk_any *any)
{
    any->type = TK_ATTR_INT;
    int rc = tk_json_read_i64(reading->json, &any->i64, reading->err);
    return rc == -ERANGE ? -EBADMSG : rc;
}

static int read_double(struct reading *reading, struct tk_any *any)
{
    static const struct {
        tk_str name;
        double value;
    } others[] = {{{"NaN", 3}, (double)NAN},
                  {{"Infinity", 8}, (double)INFINITY},
                  {{"-Infinity", 9}, -(double)INFINITY}};
    any->type = TK_ATTR_DOUBLE;
    if (tk_json_peek(reading->json) == TK_JSON_STRING) {
        struct tk_json ahead = *reading->json;
        tk_str text = {NULL, 0};
        int rc = tk_json_read_str(&ahead, reading->scratch, &text, reading->err);
        for (size_t i = 0; rc == 0 && i < TK_COUNTOF(others); i++) {
            if (!tk_str_eq(text, others[i].name))
                continue;
            any->f64 = others[i].value;
            *reading->json = ahead;
            return 0;
        }
    }
    int rc = tk_json_read_f64(reading->json, &any->f64, reading->err);
    return rc == -ERANGE ? -EBADMSG : rc;
}

/* Lists ------------------------------------------------------------------------------------- */

/* Put bytes into the middle of a buffer. */
static void insert(struct tk_buf *out, size_t at, tk_str bytes)
{
    if (!tk_buf_reserve(out, bytes.n) || bytes.n == 0)
        return;
    memmove(out->p + at + bytes.n, out->p + at, out->n - at);
    memcpy(out->p + at, bytes.p, bytes.n);
    out->n += bytes.n;
}

/* Make a field of the `n` bytes from `at`. */
static void insert_head(struct tk_buf *out, size_t at, uint32_t tag, size_t n)
{
    char head[1 + TK_WIRE_VARINT_MAX];
    head[0] = (char)tag;
    size_t head_n = (size_t)(tk_wire_write_varint(head + 1, n) - head);
    insert(out, at, (tk_str){head, head_n});
}

/* Append the content of the AnyValue that stands next. */
static int put_value(struct reading *reading)
{
    struct tk_any any = {0};
    size_t at = reading->wire.n;
    int rc = read_value(reading, &any);
    if (rc < 0)
        return rc;
    if (any.type == TK_ATTR_ARRAY || any.type == TK_ATTR_MAP) {
        uint32_t tag = any.type == TK_ATTR_ARRAY ? TK_ANY_ARRAY : TK_ANY_MAP;
        insert_head(&reading->wire, at, tag, reading->wire.n - at);
    } else {
        tk_any_put_wire(&any, &reading->wire);
    }
    return 0;
}

/* Make an element of a map of the content of an AnyValue from `at`. */
static void end_pair(struct tk_buf *wire, size_t at, tk_str key)
{
    insert_head(wire, at, TK_PAIR_VALUE, wire->n - at);
    insert(wire, at, key);
    if (key.n > 0)
        insert_head(wire, at, TK_PAIR_KEY, key.n);
    insert_head(wire, at, TK_ANY_VALUES, wire->n - at);
}

static int put_element(struct reading *reading)
{
    size_t at = reading->wire.n;
    int rc = put_value(reading);
    if (rc == 0)
        insert_head(&reading->wire, at, TK_ANY_VALUES, reading->wire.n - at);
    return rc;
}

/* {"key":"a","value":{...}}, in any order. */
static int put_pair(struct reading *reading)
{
    tk_str key;
    tk_str name = {NULL, 0};
    size_t at = reading->wire.n;
    int rc = tk_json_enter_object(reading->json, reading->err);
    while (rc == 0 &&
           (rc = tk_json_next_key(reading->json, reading->scratch, &key, reading->err)) == 0) {
        bool is_null = tk_json_peek(reading->json) == TK_JSON_NULL;
        if (!is_null && tk_str_eq(key, TK_STR("key"))) {
            rc = tk_json_read_str(reading->json, reading->scratch, &name, reading->err);
        } else if (!is_null && tk_str_eq(key, TK_STR("value"))) {
            reading->wire.n = at;
            rc = put_value(reading);
        } else {
            rc = tk_json_skip(reading->json, NULL, reading->err);
        }
    }
    if (rc < 0)
        return rc;
    end_pair(&reading->wire, at, name);
    return 0;
}

static int open_list(struct reading *reading)
{
    if (reading->depth++ < TK_ANY_VALUE_MAX_DEPTH)
        return 0;
    return tk_fail(reading->err, -EMSGSIZE, "byte %zu: lists nest deeper than %d",
                   tk_json_offset(reading->json), TK_ANY_VALUE_MAX_DEPTH);
}

/* Append all elements of the array that stands next. */
static int put_array(struct reading *reading, int (*put)(struct reading *reading))
{
    int rc = open_list(reading);
    if (rc == 0)
        rc = tk_json_enter_array(reading->json, reading->err);
    while (rc == 0 && (rc = tk_json_next_element(reading->json, reading->err)) == 0)
        rc = put(reading);
    reading->depth--;
    return rc < 0 ? rc : 0;
}

/* {"values":[...]} */
static int put_values(struct reading *reading, int (*put)(struct reading *reading))
{
    tk_str key;
    int rc = tk_json_enter_object(reading->json, reading->err);
    while (rc == 0 &&
           (rc = tk_json_next_key(reading->json, reading->scratch, &key, reading->err)) == 0) {
        bool is_null = tk_json_peek(reading->json) == TK_JSON_NULL;
        rc = !is_null && tk_str_eq(key, TK_STR("values"))
                 ? put_array(reading, put)
                 : tk_json_skip(reading->json, NULL, reading->err);
    }
    return rc < 0 ? rc : 0;
}

static int read_array(struct reading *reading, struct tk_any *any)
{
    any->type = TK_ATTR_ARRAY;
    return reading->is_otlp ? put_values(reading, put_element) : put_array(reading, put_element);
}

/* {"a":1,"b":2} */
static int read_object(struct reading *reading, struct tk_any *any)
{
    tk_str key;
    any->type = TK_ATTR_MAP;
    int rc = open_list(reading);
    if (rc == 0)
        rc = tk_json_enter_object(reading->json, reading->err);
    while (rc == 0 &&
           (rc = tk_json_next_key(reading->json, reading->scratch, &key, reading->err)) == 0) {
        size_t at = reading->wire.n;
        rc = put_value(reading);
        if (rc == 0)
            end_pair(&reading->wire, at, key);
    }
    reading->depth--;
    return rc < 0 ? rc : 0;
}

static int read_map(struct reading *reading, struct tk_any *any)
{
    any->type = TK_ATTR_MAP;
    return put_values(reading, put_pair);
}

/* Values ------------------------------------------------------------------------------------ */

/* Members of AnyValue. */
static const struct member {
    tk_str name;
    int (*read)(struct reading *reading, struct tk_any *any);
} members[] = {
    {{"stringValue", 11}, read_string}, {{"intValue", 8}, read_int},
    {{"boolValue", 9}, read_bool},      {{"doubleValue", 11}, read_double},
    {{"arrayValue", 10}, read_array},   {{"kvlistValue", 11}, read_map},
    {{"bytesValue", 10}, read_bytes},
};

static const struct member *find_member(tk_str name)
{
    for (size_t i = 0; i < TK_COUNTOF(members); i++) {
        if (tk_str_eq(members[i].name, name))
            return &members[i];
    }
    return NULL;
}

/* Of the members the last counts; null is none. */
static int read_any(struct reading *reading, struct tk_any *any)
{
    tk_str key;
    size_t at = reading->wire.n;
    int rc = tk_json_enter_object(reading->json, reading->err);
    while (rc == 0 &&
           (rc = tk_json_next_key(reading->json, reading->scratch, &key, reading->err)) == 0) {
        const struct member *member = find_member(key);
        if (!member || tk_json_peek(reading->json) == TK_JSON_NULL) {
            rc = tk_json_skip(reading->json, NULL, reading->err);
        } else {
            reading->wire.n = at;
            *any = (struct tk_any){0};
            rc = member->read(reading, any);
        }
    }
    return rc < 0 ? rc : 0;
}

/* Whole numbers are INT where they fit, and have neither point nor exponent. */
static int read_number(struct reading *reading, struct tk_any *any)
{
    tk_str text = {NULL, 0};
    struct tk_json ahead = *reading->json;
    int rc = tk_json_skip(&ahead, &text, reading->err);
    if (rc == 0 && tk_parse_i64(text, &any->i64)) {
        *reading->json = ahead;
        any->type = TK_ATTR_INT;
        return 0;
    }
    return rc < 0 ? rc : read_double(reading, any);
}

static int read_plain(struct reading *reading, struct tk_any *any)
{
    switch (tk_json_peek(reading->json)) {
    case TK_JSON_STRING:
        return read_string(reading, any);
    case TK_JSON_NUMBER:
        return read_number(reading, any);
    case TK_JSON_BOOL:
        return read_bool(reading, any);
    case TK_JSON_ARRAY:
        return read_array(reading, any);
    case TK_JSON_OBJECT:
        return read_object(reading, any);
    case TK_JSON_NULL:
        return tk_json_read_null(reading->json, reading->err);
    case TK_JSON_END:
    case TK_JSON_BAD:
        break;
    }
    return fail_here(reading, "a value");
}

static int read_value(struct reading *reading, struct tk_any *any)
{
    return reading->is_otlp ? read_any(reading, any) : read_plain(reading, any);
}

/* Into an attribute, all but its key. */
static int read_attr(struct reading *reading, struct tk_texts *texts, struct tk_attr *ret)
{
    struct tk_any any = {0};
    tk_buf_init(&reading->wire, MAX_BYTES);
    int rc = read_value(reading, &any);
    if (rc == 0)
        rc = tk_buf_check(&reading->wire, "a list of attribute values", reading->err);
    if (rc == 0) {
        ret->type = any.type;
        ret->i64 = 0;
        if (any.type == TK_ATTR_ARRAY || any.type == TK_ATTR_MAP) {
            ret->text = tk_texts_add(texts, tk_buf_str(&reading->wire));
        } else if (tk_attr_is_text(any.type)) {
            ret->text = tk_texts_add(texts, any.text);
        } else if (any.type != TK_ATTR_EMPTY) {
            ret->i64 = any.i64;
        }
    }
    tk_buf_release(&reading->wire);
    return rc;
}

int tk_any_value_read_otlp(struct tk_json *json, struct tk_texts *texts, struct tk_arena *scratch,
                           struct tk_attr *ret, struct tk_err *err)
{
    struct reading reading = {.json = json, .scratch = scratch, .is_otlp = true, .err = err};
    return read_attr(&reading, texts, ret);
}

int tk_any_value_read_json(struct tk_json *json, struct tk_texts *texts, struct tk_arena *scratch,
                           struct tk_attr *ret, struct tk_err *err)
{
    struct reading reading = {.json = json, .scratch = scratch, .err = err};
    return read_attr(&reading, texts, ret);
}
