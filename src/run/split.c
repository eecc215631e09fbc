/* SPDX-License-Identifier: Apache-2.0 */
#include "run/split.h"

#include "base/json.h"

static void advance(struct tk_split *split, size_t n)
{
    tk_str passed = {split->rest.p, n};
    tk_str line;
    while (tk_str_find(passed, '\n') < passed.n && tk_str_take_line(&passed, &line))
        split->line++;
    split->rest.p += n;
    split->rest.n -= n;
}

static void skip_space(struct tk_split *split)
{
    size_t n = 0;
    while (n < split->rest.n && strchr(" \t\r\n", split->rest.p[n]) && split->rest.p[n])
        n++;
    advance(split, n);
}

/* Length of what to skip after text that does not parse. The lines of a broken object that spread
 * over several are indented or start with its braces, so the next object is taken to start at the
 * first column; after anything else the next line is as good as any. */
static size_t bad_length(tk_str rest)
{
    size_t n = 0;
    do {
        tk_str tail = {rest.p + n, rest.n - n};
        n += tk_str_find(tail, '\n') + 1;
        if (n > rest.n)
            return rest.n;
    } while (rest.p[0] == '{' && n < rest.n && rest.p[n] != '{');
    return n;
}

enum tk_split_kind tk_split_next(struct tk_split *split, tk_str *ret_text, uint64_t *ret_line,
                                 struct tk_err *why)
{
    if (split->line == 0) {
        split->line = 1;
        (void)tk_str_take_prefix(&split->rest, TK_STR("\xef\xbb\xbf"));
    }
    skip_space(split);
    if (split->rest.n == 0)
        return TK_SPLIT_END;

    struct tk_json json;
    tk_json_init(&json, split->rest);
    enum tk_split_kind kind =
        tk_json_peek(&json) == TK_JSON_OBJECT ? TK_SPLIT_OBJECT : TK_SPLIT_OTHER;
    tk_str text = split->rest;
    *ret_line = split->line;
    if (tk_json_skip(&json, &text, why) < 0) {
        text.n = bad_length(split->rest);
        bool cut_off = json.p == json.end && text.p[text.n - 1] != '\n';
        kind = cut_off ? TK_SPLIT_TORN : TK_SPLIT_BAD;
    }
    advance(split, text.n);
    *ret_text = text;
    return kind;
}
