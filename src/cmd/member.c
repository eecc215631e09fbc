/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/member.h"

#include "base/json.h"
#include "base/number.h"

void tk_member_put_i64(struct tk_buf *out, const char *key, int64_t value)
{
    tk_json_put_key(out, key);
    if (value < 0) {
        tk_buf_lit(out, "null");
    } else {
        tk_buf_put_i64(out, value);
    }
}

void tk_member_put_f64(struct tk_buf *out, const char *key, double value, int decimals)
{
    tk_json_put_key(out, key);
    tk_buf_put_f64(out, value, decimals);
}

void tk_member_put_bool(struct tk_buf *out, const char *key, bool value)
{
    tk_json_put_key(out, key);
    tk_buf_puts(out, value ? "true" : "false");
}

void tk_member_put_text(struct tk_buf *out, const char *key, tk_str text)
{
    tk_json_put_key(out, key);
    if (text.n == 0) {
        tk_buf_lit(out, "null");
    } else {
        tk_json_put_str(out, text);
    }
}

void tk_member_put_texts(struct tk_buf *out, const char *key, const tk_str *texts, size_t count)
{
    tk_member_open(out, key, '[');
    for (size_t i = 0; i < count; i++) {
        tk_json_put_comma(out);
        tk_json_put_str(out, texts[i]);
    }
    tk_buf_putc(out, ']');
}

void tk_member_open(struct tk_buf *out, const char *key, char bracket)
{
    tk_json_put_key(out, key);
    tk_buf_putc(out, bracket);
}

void tk_element_open(struct tk_buf *out, char bracket)
{
    tk_json_put_comma(out);
    tk_buf_putc(out, bracket);
}
