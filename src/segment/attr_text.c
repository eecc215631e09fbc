/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/attr_text.h"

#include <errno.h>
#include <math.h>

#include "base/base64.h"
#include "base/number.h"
#include "span/any_value.h"

#define AGAIN_BYTES ((size_t)1 << 20) /* longer values are kept as OTLP/JSON */
#define TEXT_MAX    ((size_t)1 << 30)

int tk_attr_coder_init(struct tk_attr_coder *coder, struct tk_err *err)
{
    *coder = (struct tk_attr_coder){0};
    tk_buf_init(&coder->plain, TEXT_MAX);
    tk_buf_init(&coder->first, TEXT_MAX);
    tk_buf_init(&coder->second, TEXT_MAX);
    int rc = tk_arena_init(&coder->strings, TEXT_MAX, err);
    return rc < 0 ? rc : tk_texts_init(&coder->again, AGAIN_BYTES, err);
}

void tk_attr_coder_release(struct tk_attr_coder *coder)
{
    tk_buf_release(&coder->plain);
    tk_buf_release(&coder->first);
    tk_buf_release(&coder->second);
    tk_texts_release(&coder->again);
    tk_arena_release(&coder->strings);
}

/* Writing ------------------------------------------------------------------------------------ */

static void put_double(double value, struct tk_buf *out)
{
    if (isnan(value)) {
        tk_buf_lit(out, "NaN");
    } else if (isinf(value)) {
        tk_buf_puts(out, value > 0 ? "Infinity" : "-Infinity");
    } else if (value == 0 && signbit(value)) {
        tk_buf_lit(out, "-0.0");
    } else {
        tk_buf_put_f64(out, value, TK_SHORTEST);
    }
}

bool tk_attr_is_plain(struct tk_attr_coder *coder, const struct tk_texts *texts,
                      const struct tk_attr *attr)
{
    struct tk_json json;
    struct tk_attr again = {0};
    struct tk_err err;
    tk_buf_reset(&coder->plain);
    tk_buf_reset(&coder->first);
    tk_buf_reset(&coder->second);
    tk_arena_reset(&coder->strings);
    tk_texts_reset(&coder->again);
    tk_any_value_put_json(texts, attr, &coder->plain);
    tk_any_value_put_otlp(texts, attr, &coder->first);
    tk_json_init(&json, tk_buf_str(&coder->plain));
    if (!tk_buf_ok(&coder->plain) ||
        tk_any_value_read_json(&json, &coder->again, &coder->strings, &again, &err) < 0 ||
        coder->again.full)
        return false;
    tk_any_value_put_otlp(&coder->again, &again, &coder->second);
    return tk_buf_ok(&coder->second) &&
           tk_str_eq(tk_buf_str(&coder->first), tk_buf_str(&coder->second));
}

static char put_nested(struct tk_attr_coder *coder, const struct tk_texts *texts,
                       const struct tk_attr *attr, struct tk_buf *out)
{
    bool is_plain = tk_attr_is_plain(coder, texts, attr);
    tk_buf_put(out, tk_buf_str(is_plain ? &coder->plain : &coder->first));
    return is_plain ? 'j' : 'o';
}

char tk_attr_text_put(struct tk_attr_coder *coder, const struct tk_texts *texts,
                      const struct tk_attr *attr, struct tk_buf *out)
{
    switch ((enum tk_attr_type)attr->type) {
    case TK_ATTR_STRING:
        tk_buf_put(out, tk_texts_get(texts, attr->text));
        return 's';
    case TK_ATTR_BOOL:
        tk_buf_puts(out, attr->i64 ? "true" : "false");
        return 'b';
    case TK_ATTR_INT:
        tk_buf_put_i64(out, attr->i64);
        return 'i';
    case TK_ATTR_DOUBLE:
        put_double(attr->f64, out);
        return 'd';
    case TK_ATTR_BYTES:
        tk_base64_put(out, tk_texts_get(texts, attr->text));
        return 'y';
    case TK_ATTR_ARRAY:
    case TK_ATTR_MAP:
        return put_nested(coder, texts, attr, out);
    case TK_ATTR_EMPTY:
        break;
    }
    return 'e';
}

/* Reading ------------------------------------------------------------------------------------ */

static bool read_bool(tk_str text, int64_t *ret)
{
    *ret = tk_str_eq(text, TK_STR("true"));
    return *ret || tk_str_eq(text, TK_STR("false"));
}

static bool read_double(tk_str text, double *ret)
{
    bool is_negative = tk_str_eq(text, TK_STR("-Infinity"));
    if (tk_str_eq(text, TK_STR("NaN"))) {
        *ret = (double)NAN;
    } else if (is_negative || tk_str_eq(text, TK_STR("Infinity"))) {
        *ret = is_negative ? -(double)INFINITY : (double)INFINITY;
    } else if (tk_str_eq(text, TK_STR("-0.0"))) {
        *ret = -0.0;
    } else {
        return tk_parse_f64(text, ret);
    }
    return true;
}

static int read_text(tk_str text, struct tk_texts *texts, struct tk_attr *ret, struct tk_err *err)
{
    ret->text = tk_texts_add(texts, text);
    return ret->text == TK_TEXTS_NONE ? tk_fail(err, -ENOBUFS, "no room for a text") : 0;
}

static int read_json(struct tk_attr_coder *coder, bool is_plain, tk_str text,
                     struct tk_texts *texts, struct tk_attr *ret, struct tk_err *err)
{
    struct tk_json json;
    tk_arena_reset(&coder->strings);
    tk_json_init(&json, text);
    int rc = is_plain ? tk_any_value_read_json(&json, texts, &coder->strings, ret, err)
                      : tk_any_value_read_otlp(&json, texts, &coder->strings, ret, err);
    if (rc == 0 && tk_attr_is_text(ret->type) && ret->text == TK_TEXTS_NONE)
        rc = tk_fail(err, -ENOBUFS, "no room for a text");
    return rc;
}

static int read_bytes(struct tk_attr_coder *coder, tk_str text, struct tk_texts *texts,
                      struct tk_attr *ret, struct tk_err *err)
{
    tk_buf_reset(&coder->first);
    if (!tk_base64_decode(text, &coder->first))
        return tk_fail(err, -EBADMSG, "a value of bytes is no base64");
    int rc = tk_buf_check(&coder->first, "a value of bytes", err);
    ret->type = TK_ATTR_BYTES;
    return rc < 0 ? rc : read_text(tk_buf_str(&coder->first), texts, ret, err);
}

int tk_attr_text_read(struct tk_attr_coder *coder, char letter, tk_str text, struct tk_texts *texts,
                      struct tk_attr *ret, struct tk_err *err)
{
    bool is_good = false;
    ret->i64 = 0;
    switch (letter) {
    case 's':
        ret->type = TK_ATTR_STRING;
        return read_text(text, texts, ret, err);
    case 'y':
        return read_bytes(coder, text, texts, ret, err);
    case 'j':
    case 'o':
        return read_json(coder, letter == 'j', text, texts, ret, err);
    case 'b':
        ret->type = TK_ATTR_BOOL;
        is_good = read_bool(text, &ret->i64);
        break;
    case 'i':
        ret->type = TK_ATTR_INT;
        is_good = tk_parse_i64(text, &ret->i64);
        break;
    case 'd':
        ret->type = TK_ATTR_DOUBLE;
        is_good = read_double(text, &ret->f64);
        break;
    case 'e':
        ret->type = TK_ATTR_EMPTY;
        is_good = text.n == 0;
        break;
    default:
        break;
    }
    return is_good ? 0
                   : tk_fail(err, -EBADMSG, "'%.*s' is no value of type '%c'", TK_STR_ARG(text),
                             letter >= ' ' && letter <= '~' ? letter : '?');
}
