/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer with a cap. It is sticky: an append returns nothing and remembers failure
 * (over the cap, or out of memory), later appends do nothing, and the owner asks tk_buf_ok() once
 * before it uses the bytes. One thread at a time. */
#ifndef TK_BASE_BUF_H
#define TK_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct tk_buf {
    char *p;  /* the bytes; owned; NULL until the first append */
    size_t n; /* bytes in use */
    size_t cap;
    size_t max;  /* most bytes that it may ever hold */
    int failure; /* 0, -EMSGSIZE or -ENOMEM */
};

/* An empty buffer that may grow to `max` bytes; allocates nothing. */
void tk_buf_init(struct tk_buf *buf, size_t max);

/* Free the memory; the buffer is then empty and usable again. Accepts a zeroed struct. */
void tk_buf_release(struct tk_buf *buf);

/* Empty it, forget a failure, keep the memory. */
void tk_buf_reset(struct tk_buf *buf);

/* False after the first append that failed. */
static inline bool tk_buf_ok(const struct tk_buf *buf)
{
    return buf->failure == 0;
}

/* 0, or the failure with a message that names `what`. */
TK_MUST_USE int tk_buf_check(const struct tk_buf *buf, const char *what, struct tk_err *err);

/* A view of the bytes, valid until the next append. */
static inline tk_str tk_buf_str(const struct tk_buf *buf)
{
    return (tk_str){buf->p, buf->n};
}

/* What follows where there is no room yet. */
char *tk_buf_make_room(struct tk_buf *buf, size_t more);

/* Make room for `more` bytes and return where they go; NULL after a failure. The caller writes at
 * most `more` bytes there and then adds what it wrote to `n`. */
static inline char *tk_buf_reserve(struct tk_buf *buf, size_t more)
{
    if (buf->p && buf->failure == 0 && more <= buf->cap - buf->n)
        return buf->p + buf->n;
    return tk_buf_make_room(buf, more);
}

/* Append bytes. */
static inline void tk_buf_put(struct tk_buf *buf, tk_str text)
{
    char *to = tk_buf_reserve(buf, text.n);
    if (!to || text.n == 0)
        return;
    memcpy(to, text.p, text.n);
    buf->n += text.n;
}

/* Append one byte. */
static inline void tk_buf_putc(struct tk_buf *buf, char c)
{
    char *to = tk_buf_reserve(buf, 1);
    if (!to)
        return;
    *to = c;
    buf->n++;
}

/* Append a string literal. */
#define tk_buf_lit(buf, literal) tk_buf_put((buf), TK_STR(literal))

/* Append a terminated string. */
void tk_buf_puts(struct tk_buf *buf, const char *text);

/* Append formatted text. Not for hot paths. */
void tk_buf_printf(struct tk_buf *buf, const char *fmt, ...) TK_PRINTF(2, 3);

/* Drop `n` bytes (at most all) from the front. */
void tk_buf_consume(struct tk_buf *buf, size_t n);

#endif
