/* SPDX-License-Identifier: Apache-2.0 */
/* What is a secret is told by the word before it. A word names a secret when a part of it (parts
 * end at anything but letters and digits) ends in one of `secret_names`, or is "key" after one of
 * `key_kinds`: so DB_PASSWORD and --api-key do, --tokenizer and --keyboard do not. */
#include "run/redact.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define STARS TK_STR("***")

static const char *const secret_names[] = {
    "password", "passwd", "passphrase", "pwd",         "secret",        "secrets", "token",
    "tokens",   "apikey", "bearer",     "credentials", "authorization", NULL,
};

static const char *const key_kinds[] = {
    "api", "access", "secret", "private", "account", "encryption", NULL,
};

static bool ends_with_any(tk_str part, const char *const *names)
{
    for (; *names; names++) {
        size_t n = strlen(*names);
        if (part.n >= n && strncasecmp(part.p + part.n - n, *names, n) == 0)
            return true;
    }
    return false;
}

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool names_secret(tk_str word)
{
    tk_str before = {NULL, 0};
    for (size_t i = 0; i < word.n;) {
        size_t end = i;
        while (end < word.n && is_name_byte(word.p[end]))
            end++;
        tk_str part = {word.p + i, end - i};
        if (ends_with_any(part, secret_names))
            return true;
        if (part.n == 3 && strncasecmp(part.p, "key", 3) == 0 && ends_with_any(before, key_kinds))
            return true;
        if (part.n > 0)
            before = part;
        i = end + 1;
    }
    return false;
}

/* "scheme://user:secret@host/...": the secret, or nothing. */
static tk_str url_secret(tk_str word)
{
    tk_str rest = word;
    tk_str scheme;
    if (!tk_str_take_until(&rest, ':', &scheme) || !tk_str_take_prefix(&rest, TK_STR("//")))
        return (tk_str){NULL, 0};
    tk_str authority = {rest.p, tk_str_find(rest, '/')};
    size_t at = tk_str_find_last(authority, '@');
    size_t colon = tk_str_find(authority, ':');
    if (at == authority.n || colon >= at)
        return (tk_str){NULL, 0};
    return (tk_str){authority.p + colon + 1, at - colon - 1};
}

/* One piece of a word: "name=value" with a name that tells of a secret loses its value. */
static void redact_piece(tk_str piece, struct tk_buf *out)
{
    size_t equals = tk_str_find(piece, '=');
    if (equals < piece.n && names_secret((tk_str){piece.p, equals})) {
        tk_buf_put(out, (tk_str){piece.p, equals + 1});
        tk_buf_put(out, STARS);
        return;
    }
    tk_str secret = url_secret(piece);
    if (secret.n == 0) {
        tk_buf_put(out, piece);
        return;
    }
    tk_buf_put(out, (tk_str){piece.p, (size_t)(secret.p - piece.p)});
    tk_buf_put(out, STARS);
    const char *after = secret.p + secret.n;
    tk_buf_put(out, (tk_str){after, (size_t)(piece.p + piece.n - after)});
}

/* Parameters of a URL ("?a=b&token=S") are pieces of their own. */
static void redact_word(tk_str word, struct tk_buf *out)
{
    size_t start = 0;
    for (size_t i = 0; i <= word.n; i++) {
        if (i < word.n && word.p[i] != '?' && word.p[i] != '&')
            continue;
        redact_piece((tk_str){word.p + start, i - start}, out);
        if (i < word.n)
            tk_buf_putc(out, word.p[i]);
        start = i + 1;
    }
}

/* True when the next word is the secret that `word` announces: "--password", "Authorization:",
 * and "Bearer" after that. */
static bool announces_secret(tk_str word)
{
    if (tk_str_find(word, '=') < word.n || !names_secret(word))
        return false;
    bool is_option = word.p[0] == '-';
    bool is_header = word.p[word.n - 1] == ':';
    bool is_scheme = word.n == 6 && strncasecmp(word.p, "bearer", 6) == 0;
    return is_option || is_header || is_scheme;
}

/* One word of an argument; `*carry` says that the one before announced a secret. */
static void redact_next(tk_str word, bool *carry, struct tk_buf *out)
{
    if (word.n == 0)
        return;
    bool announces = announces_secret(word);
    if (*carry && !announces) {
        tk_buf_put(out, STARS);
    } else {
        redact_word(word, out);
    }
    *carry = announces;
}

void tk_redact_arg(tk_str arg, bool *carry, struct tk_buf *out)
{
    for (size_t i = 0; i < arg.n;) {
        size_t end = i;
        while (end < arg.n && !isspace((unsigned char)arg.p[end]))
            end++;
        redact_next((tk_str){arg.p + i, end - i}, carry, out);
        if (end < arg.n)
            tk_buf_putc(out, arg.p[end]);
        i = end + 1;
    }
}
