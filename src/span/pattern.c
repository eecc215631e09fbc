/* SPDX-License-Identifier: Apache-2.0 */
/* A hot path: each literal is found by memchr() of its first byte; nothing is copied but texts with
 * escapes. Measured cost: bench/RESULTS.md, section adapt. */
#include "span/pattern.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"

#define SHOWN_MAX 40 /* bytes of a literal or text in a message */

static int shown(tk_str text)
{
    return (int)(text.n < SHOWN_MAX ? text.n : SHOWN_MAX);
}

/* Formats --------------------------------------------------------------------------------- */

static bool is_name_byte(char c)
{
    return tk_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* $name or ${name} at the front of `text`: its length, and the name; 0 = none is there. */
static size_t nginx_variable(tk_str text, tk_str *ret_name)
{
    bool braces = text.n > 1 && text.p[1] == '{';
    size_t start = braces ? 2 : 1;
    size_t n = start;
    if (*text.p != '$')
        return 0;
    while (n < text.n && is_name_byte(text.p[n]))
        n++;
    *ret_name = (tk_str){text.p + start, n - start};
    if (n == start || (braces && (n == text.n || text.p[n] != '}')))
        return 0;
    return n + braces;
}

/* %NAME%, %NAME(ARG)% or %NAME(ARG):LENGTH% at the front. The name of those that look up a header
 * includes the argument; of others it is of no interest here. */
static size_t envoy_variable(tk_str text, tk_str *ret_name)
{
    size_t n = 1;
    if (*text.p != '%')
        return 0;
    while (n < text.n && is_name_byte(text.p[n]))
        n++;
    if (n == 1)
        return 0;
    *ret_name = (tk_str){text.p + 1, n - 1};
    if (n < text.n && text.p[n] == '(') {
        bool is_header = tk_str_starts_with(*ret_name, TK_STR("REQ")) ||
                         tk_str_starts_with(*ret_name, TK_STR("RESP"));
        size_t close = tk_str_find((tk_str){text.p + n, text.n - n}, ')');
        if (close == text.n - n)
            return 0;
        n += close + 1;
        if (is_header)
            ret_name->n = n - 1;
    }
    while (n < text.n && (text.p[n] == ':' || tk_is_digit(text.p[n])))
        n++;
    return n < text.n && text.p[n] == '%' ? n + 1 : 0;
}

/* What a variable tells: by its whole name, else "REQ(A?B)" by "REQ(A)" and then "REQ(B)". */
static size_t find_key(const struct tk_keys *keys, tk_str name)
{
    char one[128];
    size_t found = tk_keys_find(keys, name, 0);
    size_t open = tk_str_find(name, '(');
    size_t mark = tk_str_find(name, '?');
    if (found < keys->count || mark == name.n || open > mark || name.n > sizeof(one))
        return found;
    memcpy(one, name.p, mark);
    one[mark] = ')';
    found = tk_keys_find(keys, (tk_str){one, mark + 1}, 0);
    if (found < keys->count)
        return found;
    memcpy(one + open + 1, name.p + mark + 1, name.n - mark - 1);
    return tk_keys_find(keys, (tk_str){one, open + name.n - mark}, 0);
}

static int add_variable(struct tk_pattern *pattern, const struct tk_keys *keys, tk_str before,
                        tk_str source, tk_str name, struct tk_err *err)
{
    if (pattern->count == TK_PATTERN_MAX)
        return tk_fail(err, -EINVAL, "format: more than %d variables", TK_PATTERN_MAX);
    if (pattern->count > 0 && before.n == 0) {
        return tk_fail(err, -EINVAL, "format: %.*s follows %.*s with nothing in between",
                       TK_STR_ARG(source),
                       TK_STR_ARG(pattern->items[pattern->count - 1].source.name));
    }
    size_t key = find_key(keys, name);
    struct tk_pattern_item *item = &pattern->items[pattern->count++];
    item->before = before;
    item->source = (struct tk_source){.field = TK_FIELD_COUNT};
    if (key < keys->count)
        item->source = keys->items[key];
    item->source.name = source;
    return 0;
}

int tk_pattern_init(struct tk_pattern *pattern, enum tk_pattern_style style, tk_str format,
                    const struct tk_keys *keys, struct tk_err *err)
{
    char mark = style == TK_PATTERN_NGINX ? '$' : '%';
    size_t literal = 0; /* where it begins */
    size_t at = 0;
    pattern->count = 0;
    while (at < format.n) {
        tk_str rest = {format.p + at, format.n - at};
        tk_str name;
        size_t n = 0;
        if (*rest.p != mark) {
            at++;
            continue;
        }
        n = style == TK_PATTERN_NGINX ? nginx_variable(rest, &name) : envoy_variable(rest, &name);
        if (n == 0)
            return tk_fail(err, -EINVAL, "format: no variable at '%.*s'", shown(rest), rest.p);
        int rc = add_variable(pattern, keys, (tk_str){format.p + literal, at - literal},
                              (tk_str){rest.p, n}, name, err);
        if (rc < 0)
            return rc;
        at += n;
        literal = at;
    }
    pattern->after = (tk_str){format.p + literal, format.n - literal};
    pattern->required = pattern->count;
    return pattern->count > 0 ? 0 : tk_fail(err, -EINVAL, "format: has no variable");
}

/* Lines ------------------------------------------------------------------------------------ */

/* Where `literal`, which is not empty, next stands; NULL = nowhere. */
static const char *find_literal(tk_str text, tk_str literal)
{
    const char *end = text.p + text.n;
    for (const char *p = text.p; (size_t)(end - p) >= literal.n; p++) {
        p = memchr(p, *literal.p, (size_t)(end - p));
        if (!p || (size_t)(end - p) < literal.n)
            return NULL;
        if (memcmp(p, literal.p, literal.n) == 0)
            return p;
    }
    return NULL;
}

/* The text of item `i`, which the literal behind it ends; the last one is ended by the line. */
static bool take_text(const struct tk_pattern *pattern, size_t i, tk_str *rest, tk_str *ret_text)
{
    bool is_last = i + 1 == pattern->count;
    tk_str literal = is_last ? pattern->after : pattern->items[i + 1].before;
    if (is_last) {
        if (!tk_str_ends_with(*rest, literal))
            return false;
        *ret_text = (tk_str){rest->p, rest->n - literal.n};
        *rest = (tk_str){NULL, 0};
        return true;
    }
    const char *end = find_literal(*rest, literal);
    if (!end && i + 1 >= pattern->required)
        end = rest->p + rest->n;
    if (!end)
        return false;
    *ret_text = (tk_str){rest->p, (size_t)(end - rest->p)};
    *rest = (tk_str){end, rest->n - ret_text->n};
    return true;
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *at = memchr(digits, c, sizeof(digits) - 1);
    int value = at ? (int)(at - digits) : -1;
    return value >= 16 ? value - 6 : value;
}

/* "\x22" as the byte that it stands for; what is no escape stays. */
static tk_str unescape(tk_str text, struct tk_arena *scratch)
{
    if (!scratch || text.n < 4 || !memchr(text.p, '\\', text.n))
        return text;
    char *to = tk_arena_alloc(scratch, text.n);
    size_t n = 0;
    if (!to)
        return text;
    for (size_t i = 0; i < text.n; i++) {
        bool whole = text.n - i >= 4 && text.p[i] == '\\' && text.p[i + 1] == 'x';
        int high = whole ? hex_value(text.p[i + 2]) : -1;
        int low = whole ? hex_value(text.p[i + 3]) : -1;
        to[n] = text.p[i];
        if (high >= 0 && low >= 0) {
            to[n] = (char)(high * 16 + low);
            i += 3;
        }
        n++;
    }
    return (tk_str){to, n};
}

static int not_fitting(const struct tk_pattern *pattern, size_t i, struct tk_err *err)
{
    bool is_last = i + 1 == pattern->count;
    tk_str literal = is_last ? pattern->after : pattern->items[i + 1].before;
    return tk_fail(err, -EBADMSG, "does not fit the format: expected '%.*s' behind %.*s",
                   shown(literal), literal.p, TK_STR_ARG(pattern->items[i].source.name));
}

int tk_pattern_read(const struct tk_pattern *pattern, tk_str line, struct tk_arena *scratch,
                    struct tk_call *call, struct tk_err *err)
{
    tk_str rest = line;
    for (size_t i = 0; i < pattern->count; i++) {
        const struct tk_pattern_item *item = &pattern->items[i];
        tk_str text;
        if (!tk_str_take_prefix(&rest, item->before)) { /* of later items it was found before */
            if (i > 0 && i >= pattern->required && rest.n == 0)
                return 0;
            return tk_fail(err, -EBADMSG, "does not fit the format: expected '%.*s' at the front",
                           shown(item->before), item->before.p);
        }
        if (!take_text(pattern, i, &rest, &text))
            return not_fitting(pattern, i, err);
        if (item->source.field == TK_FIELD_COUNT)
            continue;
        enum tk_field_kind kind = tk_fields[item->source.field].kind;
        if (kind == TK_KIND_TEXT || kind == TK_KIND_REQUEST)
            text = unescape(text, scratch);
        int rc = tk_call_set(call, &item->source, text, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
