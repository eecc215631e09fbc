/* SPDX-License-Identifier: Apache-2.0 */
/* Strings are views: pointer and length, not terminated, borrowed. Print them with
 * `"%.*s", TK_STR_ARG(s)`. The `tk_str_take_*` functions consume from the front of `*text` and
 * leave both arguments untouched when they return false. Safe from any thread. */
#ifndef TK_BASE_STR_H
#define TK_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct {
    const char *p; /* may be NULL when n is 0 */
    size_t n;      /* bytes */
} tk_str;

/* A view of a string literal. */
#define TK_STR(literal) ((tk_str){"" literal, sizeof(literal) - 1})

/* The two arguments of "%.*s". */
#define TK_STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

/* A view of a terminated string; NULL gives the empty view. */
static inline tk_str tk_str_from(const char *text)
{
    return (tk_str){text, text ? strlen(text) : 0};
}

/* The same bytes. */
static inline bool tk_str_eq(tk_str a, tk_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Order by bytes, as memcmp; a prefix comes first. */
int tk_str_cmp(tk_str a, tk_str b);

/* The first or last bytes of `text` are those of `prefix` or `suffix`; both may be empty. */
bool tk_str_starts_with(tk_str text, tk_str prefix);
bool tk_str_ends_with(tk_str text, tk_str suffix);

/* Without white space (space, tab, CR, LF) at both ends. */
tk_str tk_str_trim(tk_str text);

/* Index of the first or last `c`; text.n when there is none. */
size_t tk_str_find(tk_str text, char c);
size_t tk_str_find_last(tk_str text, char c);

/* What stands behind the last slash of a path; all of it when there is none. */
tk_str tk_str_base_name(tk_str path);

/* Take one line: all before '\n', which is consumed; a last line may lack it. False at the end. */
bool tk_str_take_line(tk_str *text, tk_str *ret_line);

/* Take all before `sep`, or the rest when there is none. False when nothing is left. */
bool tk_str_take_until(tk_str *text, char sep, tk_str *ret_part);

/* Skip spaces and tabs, then take the run of other bytes up to the next white space. */
bool tk_str_take_word(tk_str *text, tk_str *ret_word);

/* Take `prefix` away from the front. */
bool tk_str_take_prefix(tk_str *text, tk_str prefix);

/* Copy with a terminating NUL into `buf`; false (buf untouched) when it does not fit or the text
 * holds a NUL itself. */
bool tk_str_to_cstr(tk_str text, char *buf, size_t cap);

#endif
