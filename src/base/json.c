/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "base/scan.h"

void tk_json_init(struct tk_json *json, tk_str text)
{
    const char *p = text.p ? text.p : "";
    *json = (struct tk_json){.p = p, .end = p + text.n, .start = p};
}

size_t tk_json_offset(const struct tk_json *json)
{
    return (size_t)(json->p - json->start);
}

/* Fail at json->p, which stays there: at the end it tells the caller that more text may help. */
static int fail_here(const struct tk_json *json, const char *expected, struct tk_err *err)
{
    return tk_fail(err, -EBADMSG, "byte %zu: expected %s%s", tk_json_offset(json), expected,
                   json->p == json->end ? ", not the end" : "");
}

static void skip_space(struct tk_json *json)
{
    const char *p = json->p;
    while (p < json->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    json->p = p;
}

static bool take(struct tk_json *json, char c)
{
    if (json->p == json->end || *json->p != c)
        return false;
    json->p++;
    return true;
}

enum tk_json_kind tk_json_peek(struct tk_json *json)
{
    skip_space(json);
    if (json->p == json->end)
        return TK_JSON_END;
    switch (*json->p) {
    case '{':
        return TK_JSON_OBJECT;
    case '[':
        return TK_JSON_ARRAY;
    case '"':
        return TK_JSON_STRING;
    case 't':
    case 'f':
        return TK_JSON_BOOL;
    case 'n':
        return TK_JSON_NULL;
    default:
        return tk_is_digit(*json->p) || *json->p == '-' ? TK_JSON_NUMBER : TK_JSON_BAD;
    }
}

int tk_json_read_members(struct tk_json *json, struct tk_arena *scratch, tk_json_member_fn read,
                         void *into, struct tk_err *err)
{
    tk_str key;
    int rc = tk_json_enter_object(json, err);
    if (rc < 0)
        return rc;
    while ((rc = tk_json_next_key(json, scratch, &key, err)) == 0) {
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): with 0 there is a key */
        rc = read(json, key, scratch, into, err);
        if (rc > 0)
            rc = tk_json_skip(json, NULL, err);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

int tk_json_expect_end(struct tk_json *json, struct tk_err *err)
{
    return tk_json_peek(json) == TK_JSON_END ? 0 : fail_here(json, "the end", err);
}

/* Strings ------------------------------------------------------------------------ */

/* Take "uXXXX". */
static bool take_unit(struct tk_json *json, uint32_t *ret_unit)
{
    if (!take(json, 'u'))
        return false;
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = json->p < json->end ? tk_hex_value(*json->p) : -1;
        if (digit < 0)
            return false;
        unit = unit << 4 | (uint32_t)digit;
        json->p++;
    }
    *ret_unit = unit;
    return true;
}

/* Take what follows a backslash: one character, or two units that are a surrogate pair. On failure
 * json->p is at the byte to blame. */
static bool take_escape(struct tk_json *json, uint32_t *ret_code)
{
    static const char names[] = "\"\\/bfnrt";
    static const char codes[] = "\"\\/\b\f\n\r\t";
    const char *hit = json->p < json->end ? memchr(names, *json->p, sizeof(names) - 1) : NULL;
    if (hit) {
        *ret_code = (uint32_t)codes[hit - names];
        json->p++;
        return true;
    }
    uint32_t unit;
    if (!take_unit(json, &unit))
        return false;
    if (unit < 0xD800 || unit > 0xDFFF) {
        *ret_code = unit;
        return true;
    }
    uint32_t low = 0;
    if (unit > 0xDBFF || !take(json, '\\') || !take_unit(json, &low) || low < 0xDC00 ||
        low > 0xDFFF)
        return false;
    *ret_code = 0x10000 + ((unit & 0x3FF) << 10) + (low & 0x3FF);
    return true;
}

/* Take a string, validated: its bytes between the quotes, as written. */
static int take_string(struct tk_json *json, tk_str *ret_raw, bool *ret_escaped, struct tk_err *err)
{
    if (!take(json, '"'))
        return fail_here(json, "a string", err);
    const char *start = json->p;
    *ret_escaped = false;
    for (;;) {
        json->p = tk_skip_plain(json->p, json->end);
        if (take(json, '"'))
            break;
        if (take(json, '\\')) {
            uint32_t code;
            *ret_escaped = true;
            if (!take_escape(json, &code))
                return fail_here(json, "an escape", err);
            continue;
        }
        int n = json->p == json->end || (unsigned char)*json->p < 0x20
                    ? 0
                    : tk_utf8_length(json->p, json->end);
        if (n < 0)
            json->p = json->end;
        if (n <= 0)
            return fail_here(json, "a character of UTF-8 or a quote", err);
        json->p += n;
    }
    *ret_raw = (tk_str){start, (size_t)(json->p - 1 - start)};
    return 0;
}

static size_t put_utf8(uint32_t code, char *to)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3F));
    to[0] = (char)(leads[n] | code);
    return n;
}

/* Replace the escapes of a validated string. The result is never longer than the raw text. */
static int decode(tk_str raw, struct tk_arena *scratch, tk_str *ret, struct tk_err *err)
{
    char *to = tk_arena_alloc(scratch, raw.n);
    if (!to)
        return tk_fail(err, -EMSGSIZE, "a string of %zu bytes does not fit", raw.n);
    size_t n = 0;
    struct tk_json in;
    tk_json_init(&in, raw);
    while (in.p < in.end) {
        uint32_t code;
        if (*in.p != '\\') {
            to[n++] = *in.p++;
            continue;
        }
        in.p++;
        if (take_escape(&in, &code))
            n += put_utf8(code, to + n);
    }
    scratch->n -= raw.n - n;
    *ret = (tk_str){to, n};
    return 0;
}

/* Take a string; escapes are decoded when there is a scratch arena. */
static int take_text(struct tk_json *json, struct tk_arena *scratch, tk_str *ret,
                     struct tk_err *err)
{
    tk_str raw = {NULL, 0};
    bool escaped = false;
    int rc = take_string(json, &raw, &escaped, err);
    if (rc < 0)
        return rc;
    if (escaped && scratch)
        return decode(raw, scratch, ret, err);
    *ret = raw;
    return 0;
}

/* Numbers and words ------------------------------------------------------------------ */

/* Where the digits at `p` end. */
static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && tk_is_digit(*p))
        p++;
    return p;
}

/* The number at `start` by the grammar of RFC 8259: true and its end, or false and the byte where a
 * digit is missing. */
static bool skip_number(const char *start, const char *end, const char **ret_p)
{
    const char *p = start + (*start == '-');
    const char *digits = p;
    p = p < end && *p == '0' ? p + 1 : skip_digits(p, end);
    *ret_p = p;
    if (p == digits)
        return false;
    if (p < end && *p == '.') {
        digits = p + 1;
        *ret_p = p = skip_digits(digits, end);
        if (p == digits)
            return false;
    }
    if (p < end && (*p | 0x20) == 'e') {
        digits = p + 1;
        digits += digits < end && (*digits == '-' || *digits == '+');
        *ret_p = p = skip_digits(digits, end);
    }
    return p > digits;
}

static int take_number(struct tk_json *json, tk_str *ret_text, struct tk_err *err)
{
    const char *start = json->p;
    if (!skip_number(start, json->end, &json->p))
        return fail_here(json, "a digit", err);
    *ret_text = (tk_str){start, (size_t)(json->p - start)};
    return 0;
}

static int take_word(struct tk_json *json, const char *word, struct tk_err *err)
{
    for (const char *c = word; *c; c++) {
        if (!take(json, *c))
            return fail_here(json, word, err);
    }
    return 0;
}

/* Containers -------------------------------------------------------------------------- */

static int enter(struct tk_json *json, char open, const char *what, struct tk_err *err)
{
    skip_space(json);
    if (json->p == json->end || *json->p != open)
        return fail_here(json, what, err);
    if (json->depth == TK_JSON_DEPTH) {
        return tk_fail(err, -EMSGSIZE, "byte %zu: nested deeper than %d", tk_json_offset(json),
                       TK_JSON_DEPTH);
    }
    json->p++;
    json->depth++;
    json->first = true;
    return 0;
}

int tk_json_enter_object(struct tk_json *json, struct tk_err *err)
{
    return enter(json, '{', "an object", err);
}

int tk_json_enter_array(struct tk_json *json, struct tk_err *err)
{
    return enter(json, '[', "an array", err);
}

/* Stand before the next member: 0, or 1 when `close` was taken instead. */
static int next(struct tk_json *json, char close, const char *comma_or_close, struct tk_err *err)
{
    skip_space(json);
    if (take(json, close)) {
        json->depth--;
        json->first = false;
        return 1;
    }
    if (!json->first && !take(json, ','))
        return fail_here(json, comma_or_close, err);
    json->first = false;
    skip_space(json);
    return 0;
}

/* Take `,"key":` or `"key":` as compact writers make it; false, and nothing taken, for anything
 * else. */
static bool take_plain_key(struct tk_json *json, tk_str *ret_key)
{
    const char *p = json->p;
    if (!json->first && p < json->end && *p == ',') {
        p++;
    } else if (!json->first) {
        return false;
    }
    if (p == json->end || *p != '"')
        return false;
    const char *end = tk_skip_plain(p + 1, json->end);
    if (json->end - end < 2 || end[0] != '"' || end[1] != ':')
        return false;
    *ret_key = (tk_str){p + 1, (size_t)(end - p - 1)};
    json->p = end + 2;
    json->first = false;
    return true;
}

int tk_json_next_key(struct tk_json *json, struct tk_arena *scratch, tk_str *ret_key,
                     struct tk_err *err)
{
    if (take_plain_key(json, ret_key))
        return 0;
    int rc = next(json, '}', "',' or '}'", err);
    if (rc != 0)
        return rc;
    if (json->p == json->end || *json->p != '"')
        return fail_here(json, "a key", err);
    tk_str key;
    rc = take_text(json, scratch, &key, err);
    if (rc < 0)
        return rc;
    skip_space(json);
    if (!take(json, ':'))
        return fail_here(json, "':'", err);
    *ret_key = key;
    return 0;
}

int tk_json_next_element(struct tk_json *json, struct tk_err *err)
{
    return next(json, ']', "',' or ']'", err);
}

/* Take a value that holds no others, or enter one that does. */
static int take_or_enter(struct tk_json *json, enum tk_json_kind kind, struct tk_err *err)
{
    tk_str text;
    bool escaped;
    switch (kind) {
    case TK_JSON_OBJECT:
        return tk_json_enter_object(json, err);
    case TK_JSON_ARRAY:
        return tk_json_enter_array(json, err);
    case TK_JSON_STRING:
        return take_string(json, &text, &escaped, err);
    case TK_JSON_NUMBER:
        return take_number(json, &text, err);
    case TK_JSON_BOOL:
        return take_word(json, *json->p == 't' ? "true" : "false", err);
    case TK_JSON_NULL:
        return take_word(json, "null", err);
    case TK_JSON_END:
    case TK_JSON_BAD:
        break;
    }
    return fail_here(json, "a value", err);
}

int tk_json_skip(struct tk_json *json, tk_str *ret_raw, struct tk_err *err)
{
    bool is_object[TK_JSON_DEPTH]; /* of the containers that were entered, by depth - 1 */
    int outside = json->depth;
    skip_space(json);
    const char *start = json->p;
    do {
        enum tk_json_kind kind = tk_json_peek(json);
        int rc = take_or_enter(json, kind, err);
        if (rc < 0)
            return rc;
        if (kind == TK_JSON_OBJECT || kind == TK_JSON_ARRAY)
            is_object[json->depth - 1] = kind == TK_JSON_OBJECT;

        /* On to the next value, out of all containers that end here. */
        rc = 1;
        while (rc == 1 && json->depth > outside) {
            tk_str key;
            rc = is_object[json->depth - 1] ? tk_json_next_key(json, NULL, &key, err)
                                            : tk_json_next_element(json, err);
        }
        if (rc < 0)
            return rc;
    } while (json->depth > outside);
    if (ret_raw)
        *ret_raw = (tk_str){start, (size_t)(json->p - start)};
    return 0;
}

int tk_json_skip_unread(struct tk_json *json, struct tk_err *err)
{
    enum tk_json_kind kind = tk_json_peek(json);
    size_t depth = 0;
    tk_str text;
    bool escaped;
    if (kind != TK_JSON_OBJECT && kind != TK_JSON_ARRAY)
        return tk_json_skip(json, NULL, err);
    do {
        int rc = 0;
        json->p = tk_skip_to_bracket(json->p, json->end);
        if (json->p == json->end)
            return fail_here(json, "the end of a container", err);
        if (*json->p == '"') {
            rc = take_string(json, &text, &escaped, err);
        } else {
            depth += *json->p == '[' || *json->p == '{';
            depth -= *json->p == ']' || *json->p == '}';
            json->p++;
        }
        if (rc < 0)
            return rc;
    } while (depth > 0);
    return 0;
}

/* Values of a type ---------------------------------------------------------------------- */

/* Take the text of a number, also of one in a string, and say where it starts. */
static int take_numeric(struct tk_json *json, const char **ret_start, tk_str *ret_text,
                        struct tk_err *err)
{
    enum tk_json_kind kind = tk_json_peek(json);
    *ret_start = json->p;
    bool escaped;
    if (kind == TK_JSON_STRING)
        return take_string(json, ret_text, &escaped, err);
    if (kind == TK_JSON_NUMBER)
        return take_number(json, ret_text, err);
    return fail_here(json, "a number", err);
}

/* The value at `start` is none of ours: back to it, so that the caller may skip it. */
static int refuse(struct tk_json *json, const char *start, const char *expected, struct tk_err *err)
{
    json->p = start;
    return fail_here(json, expected, err);
}

int tk_json_read_i64(struct tk_json *json, int64_t *ret, struct tk_err *err)
{
    const char *start;
    tk_str text = {NULL, 0};
    double ignored;
    int rc = take_numeric(json, &start, &text, err);
    if (rc < 0)
        return rc;
    if (tk_parse_i64(text, ret) || tk_parse_whole(text, ret))
        return 0;
    if (*start == '"' && !tk_parse_f64(text, &ignored))
        return refuse(json, start, "a number", err);
    (void)refuse(json, start, "a whole number of 64 bits", err);
    err->code = -ERANGE;
    return -ERANGE;
}

int tk_json_read_f64(struct tk_json *json, double *ret, struct tk_err *err)
{
    const char *start;
    tk_str text = {NULL, 0};
    int rc = take_numeric(json, &start, &text, err);
    if (rc < 0)
        return rc;
    if (tk_parse_f64(text, ret))
        return 0;
    if (*start == '"')
        return refuse(json, start, "a number", err);
    (void)refuse(json, start, "a number in the range of a double", err);
    err->code = -ERANGE;
    return -ERANGE;
}

int tk_json_read_bool(struct tk_json *json, bool *ret, struct tk_err *err)
{
    if (tk_json_peek(json) != TK_JSON_BOOL)
        return fail_here(json, "true or false", err);
    bool value = *json->p == 't';
    int rc = take_word(json, value ? "true" : "false", err);
    if (rc == 0)
        *ret = value;
    return rc;
}

int tk_json_read_null(struct tk_json *json, struct tk_err *err)
{
    skip_space(json);
    return take_word(json, "null", err);
}

int tk_json_read_str(struct tk_json *json, struct tk_arena *scratch, tk_str *ret,
                     struct tk_err *err)
{
    skip_space(json);
    return take_text(json, scratch, ret, err);
}

/* Writing --------------------------------------------------------------------------------- */

static void put_escaped(struct tk_buf *out, unsigned char c)
{
    static const char names[] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n',  ['\r'] = 'r',
        ['\t'] = 't', ['"'] = '"',  ['\\'] = '\\',
    };
    static const char hex[] = "0123456789abcdef";
    if (c < sizeof(names) && names[c]) {
        tk_buf_put(out, (tk_str){(char[]){'\\', names[c]}, 2});
    } else {
        tk_buf_put(out, (tk_str){(char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6});
    }
}

/* Append a text that may need escapes. */
static void put_quoted(struct tk_buf *out, const char *p, const char *end)
{
    tk_buf_putc(out, '"');
    while (p < end) {
        const char *stop = tk_skip_plain(p, end);
        tk_buf_put(out, (tk_str){p, (size_t)(stop - p)});
        if (stop == end)
            break;
        int n = tk_utf8_length(stop, end);
        if ((unsigned char)*stop < 0x80) {
            put_escaped(out, (unsigned char)*stop);
        } else if (n > 0) {
            tk_buf_put(out, (tk_str){stop, (size_t)n});
        } else {
            tk_buf_lit(out, "\xEF\xBF\xBD"); /* U+FFFD */
        }
        p = stop + (n > 0 ? n : 1);
    }
    tk_buf_putc(out, '"');
}

void tk_json_put_str(struct tk_buf *out, tk_str text)
{
    const char *end = text.n > 0 ? text.p + text.n : text.p;
    if (text.n > 0 && tk_skip_plain(text.p, end) < end) {
        put_quoted(out, text.p, end);
        return;
    }
    char *to = tk_buf_reserve(out, text.n + 2);
    if (!to)
        return;
    *to = '"';
    if (text.n > 0)
        memcpy(to + 1, text.p, text.n);
    to[text.n + 1] = '"';
    out->n += text.n + 2;
}

void tk_json_put_comma(struct tk_buf *out)
{
    char before = '{';
    if (out->n > 0)
        before = out->p[out->n - 1];
    if (before != '{' && before != '[')
        tk_buf_putc(out, ',');
}

void tk_json_put_key(struct tk_buf *out, const char *key)
{
    tk_json_put_comma(out);
    tk_json_put_str(out, tk_str_from(key));
    tk_buf_putc(out, ':');
}

void tk_json_put_member_str(struct tk_buf *out, const char *key, tk_str value)
{
    tk_json_put_key(out, key);
    tk_json_put_str(out, value);
}

void tk_json_put_member_i64(struct tk_buf *out, const char *key, int64_t value)
{
    tk_json_put_key(out, key);
    tk_buf_put_i64(out, value);
}

void tk_json_put_member_f64(struct tk_buf *out, const char *key, double value)
{
    tk_json_put_key(out, key);
    tk_buf_put_f64(out, value, TK_SHORTEST);
}

void tk_json_put_member_bool(struct tk_buf *out, const char *key, bool value)
{
    tk_json_put_key(out, key);
    tk_buf_puts(out, value ? "true" : "false");
}
