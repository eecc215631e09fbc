/* SPDX-License-Identifier: Apache-2.0 */
/* Values as JSON and as text. What is printed was made canonical by a reader: it parses, and nests
 * no deeper than readers let it. */
#include "span/any_value.h"

#include <math.h>

#include "base/base64.h"
#include "base/number.h"
#include "base/scan.h"
#include "span/any_value_internal.h"

typedef void (*put_fn)(const struct tk_any *any, struct tk_buf *out);

struct tk_any tk_any_of(const struct tk_texts *texts, const struct tk_attr *attr)
{
    struct tk_any any = {.type = attr->type};
    if (tk_attr_is_text(attr->type)) {
        any.text = tk_texts_get(texts, attr->text);
    } else if (attr->type != TK_ATTR_EMPTY) {
        any.i64 = attr->i64;
    }
    return any;
}

/* The next element of a list; false at its end. */
static bool next_element(struct tk_wire *list, bool is_map, tk_str *ret_key, struct tk_any *ret)
{
    uint32_t tag;
    tk_str text;
    *ret = (struct tk_any){0};
    if (tk_wire_tag(list, &tag) != 0 || tag != TK_ANY_VALUES || tk_wire_bytes(list, &text) < 0)
        return false;
    struct tk_wire element = tk_wire_inner(list, text);
    return (is_map ? tk_any_scan_pair(&element, ret_key, ret) : tk_any_scan(&element, ret)) == 0;
}

static void put_bytes(tk_str bytes, struct tk_buf *out)
{
    tk_buf_putc(out, '"');
    tk_base64_put(out, bytes);
    tk_buf_putc(out, '"');
}

/* False, and nothing appended, for a number. */
static bool put_no_number(double value, struct tk_buf *out)
{
    if (isfinite(value))
        return false;
    tk_buf_puts(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    return true;
}

static void put_bool(int64_t value, struct tk_buf *out)
{
    tk_buf_puts(out, value ? "true" : "false");
}

/* Plain JSON -------------------------------------------------------------------------------- */

static void put_json(const struct tk_any *any, struct tk_buf *out);

/* Both lists, the elements by `put`; `key` and `value` stand around a key of a map. */
static void put_elements(const struct tk_any *any, const char *key, const char *value, put_fn put,
                         struct tk_buf *out)
{
    bool is_map = any->type == TK_ATTR_MAP;
    struct tk_wire_fault fault;
    struct tk_wire list = {any->text.p, any->text.p + any->text.n, &fault};
    struct tk_any element;
    tk_str name = {NULL, 0};
    const char *separator = "";
    while (next_element(&list, is_map, &name, &element)) {
        tk_buf_puts(out, separator);
        separator = ",";
        if (is_map) {
            tk_buf_puts(out, key);
            tk_json_put_str(out, name);
            tk_buf_puts(out, value);
        }
        put(&element, out);
        if (is_map && *key)
            tk_buf_putc(out, '}');
    }
}

static void put_double(double value, struct tk_buf *out)
{
    char text[TK_F64_MAX];
    size_t n = tk_f64_format(value, TK_SHORTEST, text);
    bool is_whole = true;
    for (size_t i = 0; i < n; i++)
        is_whole = is_whole && (tk_is_digit(text[i]) || text[i] == '-');
    tk_buf_put(out, (tk_str){text, n});
    if (is_whole)
        tk_buf_lit(out, ".0");
}

static void put_json(const struct tk_any *any, struct tk_buf *out)
{
    switch ((enum tk_attr_type)any->type) {
    case TK_ATTR_STRING:
        tk_json_put_str(out, any->text);
        break;
    case TK_ATTR_BOOL:
        put_bool(any->i64, out);
        break;
    case TK_ATTR_INT:
        tk_buf_put_i64(out, any->i64);
        break;
    case TK_ATTR_DOUBLE:
        if (!put_no_number(any->f64, out))
            put_double(any->f64, out);
        break;
    case TK_ATTR_BYTES:
        put_bytes(any->text, out);
        break;
    case TK_ATTR_ARRAY:
        tk_buf_putc(out, '[');
        put_elements(any, "", ":", put_json, out);
        tk_buf_putc(out, ']');
        break;
    case TK_ATTR_MAP:
        tk_buf_putc(out, '{');
        put_elements(any, "", ":", put_json, out);
        tk_buf_putc(out, '}');
        break;
    case TK_ATTR_EMPTY:
        tk_buf_lit(out, "null");
        break;
    }
}

void tk_any_value_put_json(const struct tk_texts *texts, const struct tk_attr *attr,
                           struct tk_buf *out)
{
    struct tk_any any = tk_any_of(texts, attr);
    put_json(&any, out);
}

void tk_any_value_put_text(const struct tk_texts *texts, const struct tk_attr *attr,
                           struct tk_buf *out)
{
    struct tk_any any = tk_any_of(texts, attr);
    if (any.type == TK_ATTR_STRING) {
        tk_buf_put(out, any.text);
    } else if (any.type == TK_ATTR_BYTES) {
        tk_base64_put(out, any.text);
    } else if (any.type == TK_ATTR_DOUBLE && isfinite(any.f64)) {
        tk_buf_put_f64(out, any.f64, TK_SHORTEST);
    } else if (any.type == TK_ATTR_DOUBLE) {
        tk_buf_puts(out, isnan(any.f64) ? "NaN" : any.f64 > 0 ? "Infinity" : "-Infinity");
    } else if (any.type != TK_ATTR_EMPTY) {
        put_json(&any, out);
    }
}

/* OTLP/JSON --------------------------------------------------------------------------------- */

static void put_otlp(const struct tk_any *any, struct tk_buf *out)
{
    switch ((enum tk_attr_type)any->type) {
    case TK_ATTR_STRING:
        tk_buf_lit(out, "{\"stringValue\":");
        tk_json_put_str(out, any->text);
        break;
    case TK_ATTR_BOOL:
        tk_buf_lit(out, "{\"boolValue\":");
        put_bool(any->i64, out);
        break;
    case TK_ATTR_INT:
        tk_buf_lit(out, "{\"intValue\":\"");
        tk_buf_put_i64(out, any->i64);
        tk_buf_putc(out, '"');
        break;
    case TK_ATTR_DOUBLE:
        tk_buf_lit(out, "{\"doubleValue\":");
        if (!put_no_number(any->f64, out))
            tk_buf_put_f64(out, any->f64, TK_SHORTEST);
        break;
    case TK_ATTR_BYTES:
        tk_buf_lit(out, "{\"bytesValue\":");
        put_bytes(any->text, out);
        break;
    case TK_ATTR_ARRAY:
        tk_buf_lit(out, "{\"arrayValue\":{\"values\":[");
        put_elements(any, "", "", put_otlp, out);
        tk_buf_lit(out, "]}");
        break;
    case TK_ATTR_MAP:
        tk_buf_lit(out, "{\"kvlistValue\":{\"values\":[");
        put_elements(any, "{\"key\":", ",\"value\":", put_otlp, out);
        tk_buf_lit(out, "]}");
        break;
    case TK_ATTR_EMPTY:
        tk_buf_putc(out, '{');
        break;
    }
    tk_buf_putc(out, '}');
}

void tk_any_value_put_otlp(const struct tk_texts *texts, const struct tk_attr *attr,
                           struct tk_buf *out)
{
    struct tk_any any = tk_any_of(texts, attr);
    put_otlp(&any, out);
}
