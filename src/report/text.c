/* SPDX-License-Identifier: Apache-2.0 */
#include "report/text.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

/* Marks that show nothing themselves but hide or reorder their neighbours. */
static bool is_invisible(wchar_t c)
{
    return (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

/* One character at the front of `text`: its bytes and its columns. Bytes that are no character
 * of the current locale give one byte and -1 columns, as do characters that are not printable. */
static size_t take_char(tk_str text, int *ret_columns)
{
    mbstate_t state = {0};
    wchar_t c;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the state is our own */
    size_t n = mbrtowc(&c, text.p, text.n, &state);
    if (n == 0 || n > text.n) {
        *ret_columns = -1;
        return 1;
    }
    *ret_columns = is_invisible(c) ? -1 : wcwidth(c);
    return n;
}

/* Bytes of a style sequence "ESC [ ... m" at the front; 0 = none. */
static size_t sequence_length(tk_str text)
{
    if (text.n < 2 || text.p[0] != '\033' || text.p[1] != '[')
        return 0;
    size_t end = tk_str_find(text, 'm');
    return end < text.n ? end + 1 : 0;
}

/* One character or one style sequence. */
static size_t take_cell(tk_str text, int *ret_columns)
{
    size_t sequence = sequence_length(text);
    if (sequence == 0)
        return take_char(text, ret_columns);
    *ret_columns = 0;
    return sequence;
}

static bool is_printable_ascii(char c)
{
    return c >= ' ' && c <= '~';
}

/* Most text is: it is as wide as it is long, and no character types need be loaded for it. */
static bool is_plain(tk_str text)
{
    size_t i = 0;
    while (i < text.n && is_printable_ascii(text.p[i]))
        i++;
    return i == text.n;
}

int tk_text_width(const struct tk_look *look, tk_str text)
{
    if (is_plain(text))
        return (int)text.n;
    locale_t before = tk_look_enter(look);
    int width = 0;
    while (text.n > 0) {
        int columns;
        size_t n = take_cell(text, &columns);
        width += columns > 0 ? columns : 0;
        text.p += n;
        text.n -= n;
    }
    tk_look_leave(before);
    return width;
}

static bool is_space(char c)
{
    return c == '\t' || c == '\n' || c == '\r' || c == ' ';
}

void tk_text_put_clean(struct tk_buf *out, const struct tk_look *look, tk_str text)
{
    if (is_plain(text)) {
        tk_buf_put(out, text);
        return;
    }
    locale_t before = tk_look_enter(look);
    while (text.n > 0) {
        int columns = -1;
        size_t n = 1;
        if (look->utf8) {
            n = take_char(text, &columns);
        } else if (is_printable_ascii(text.p[0])) {
            columns = 1;
        }
        if (columns >= 0) {
            tk_buf_put(out, (tk_str){text.p, n});
        } else {
            tk_buf_putc(out, is_space(text.p[0]) ? ' ' : '?');
        }
        text.p += n;
        text.n -= n;
    }
    tk_look_leave(before);
}

/* Bytes of the longest front of `text` that takes at most `width` columns. */
static size_t fitting(const struct tk_look *look, tk_str text, int width)
{
    if (is_plain(text)) {
        size_t columns = width > 0 ? (size_t)width : 0;
        return text.n < columns ? text.n : columns;
    }
    locale_t before = tk_look_enter(look);
    size_t used = 0;
    while (used < text.n) {
        int columns;
        size_t n = take_cell((tk_str){text.p + used, text.n - used}, &columns);
        width -= columns > 0 ? columns : 0;
        if (width < 0)
            break;
        used += n;
    }
    tk_look_leave(before);
    return used;
}

/* The style sequences of `text` without what they are for: those that end a style count. */
static void put_sequences(struct tk_buf *out, tk_str text)
{
    while (text.n > 0) {
        size_t n = sequence_length(text);
        tk_buf_put(out, (tk_str){text.p, n});
        n = n > 0 ? n : 1;
        text = (tk_str){text.p + n, text.n - n};
    }
}

void tk_text_put_cut(struct tk_buf *out, const struct tk_look *look, tk_str text, int width)
{
    if (fitting(look, text, width) == text.n) {
        tk_buf_put(out, text);
        return;
    }
    tk_str ellipsis = look->utf8 ? TK_STR("\u2026") : TK_STR("...");
    int kept = width - (look->utf8 ? 1 : 3);
    size_t fit = fitting(look, text, kept > 0 ? kept : 0);
    tk_buf_put(out, (tk_str){text.p, fit});
    tk_buf_put(out, ellipsis);
    put_sequences(out, (tk_str){text.p + fit, text.n - fit});
}

void tk_text_put_wrapped(struct tk_buf *out, const struct tk_look *look, tk_str text, int column,
                         int indent)
{
    bool at_start = true; /* of a line: no space before the word */
    tk_str word;
    while (tk_str_take_until(&text, ' ', &word)) {
        if (word.n == 0)
            continue;
        int width = tk_text_width(look, word);
        if (!at_start && column + 1 + width > look->width) {
            tk_buf_printf(out, "\n%*s", indent, "");
            column = indent;
            at_start = true;
        }
        if (!at_start)
            tk_buf_putc(out, ' ');
        tk_buf_put(out, word);
        column += width + !at_start;
        at_start = false;
    }
    tk_buf_putc(out, '\n');
}
