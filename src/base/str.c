/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int tk_str_cmp(tk_str a, tk_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order != 0)
        return order;
    return (a.n > b.n) - (a.n < b.n);
}

bool tk_str_starts_with(tk_str text, tk_str prefix)
{
    return text.n >= prefix.n && tk_str_eq((tk_str){text.p, prefix.n}, prefix);
}

bool tk_str_ends_with(tk_str text, tk_str suffix)
{
    return text.n >= suffix.n &&
           tk_str_eq((tk_str){text.p + (text.n - suffix.n), suffix.n}, suffix);
}

tk_str tk_str_trim(tk_str text)
{
    while (text.n > 0 && is_space(text.p[0])) {
        text.p++;
        text.n--;
    }
    while (text.n > 0 && is_space(text.p[text.n - 1]))
        text.n--;
    return text;
}

size_t tk_str_find(tk_str text, char c)
{
    const char *hit = text.n ? memchr(text.p, c, text.n) : NULL;
    return hit ? (size_t)(hit - text.p) : text.n;
}

size_t tk_str_find_last(tk_str text, char c)
{
    const char *hit = text.n ? memrchr(text.p, c, text.n) : NULL;
    return hit ? (size_t)(hit - text.p) : text.n;
}

tk_str tk_str_base_name(tk_str path)
{
    size_t slash = tk_str_find_last(path, '/');
    return slash < path.n ? (tk_str){path.p + slash + 1, path.n - slash - 1} : path;
}

bool tk_str_take_line(tk_str *text, tk_str *ret_line)
{
    return tk_str_take_until(text, '\n', ret_line);
}

bool tk_str_take_until(tk_str *text, char sep, tk_str *ret_part)
{
    if (text->n == 0)
        return false;
    size_t n = tk_str_find(*text, sep);
    *ret_part = (tk_str){text->p, n};
    size_t used = n < text->n ? n + 1 : n;
    text->p += used;
    text->n -= used;
    return true;
}

bool tk_str_take_word(tk_str *text, tk_str *ret_word)
{
    size_t start = 0;
    while (start < text->n && (text->p[start] == ' ' || text->p[start] == '\t'))
        start++;
    size_t end = start;
    while (end < text->n && !is_space(text->p[end]))
        end++;
    if (end == start)
        return false;
    *ret_word = (tk_str){text->p + start, end - start};
    text->p += end;
    text->n -= end;
    return true;
}

bool tk_str_take_prefix(tk_str *text, tk_str prefix)
{
    if (!tk_str_starts_with(*text, prefix))
        return false;
    text->p += prefix.n;
    text->n -= prefix.n;
    return true;
}

bool tk_str_to_cstr(tk_str text, char *buf, size_t cap)
{
    if (text.n >= cap || (text.n && memchr(text.p, '\0', text.n)))
        return false;
    if (text.n)
        memcpy(buf, text.p, text.n);
    buf[text.n] = '\0';
    return true;
}
