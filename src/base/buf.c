/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"

#define FIRST_CAP 256

void tk_buf_init(struct tk_buf *buf, size_t max)
{
    *buf = (struct tk_buf){.max = max};
}

void tk_buf_release(struct tk_buf *buf)
{
    free(buf->p);
    tk_buf_init(buf, buf->max);
}

void tk_buf_reset(struct tk_buf *buf)
{
    buf->n = 0;
    buf->failure = 0;
}

int tk_buf_check(const struct tk_buf *buf, const char *what, struct tk_err *err)
{
    if (buf->failure == -EMSGSIZE)
        return tk_fail(err, -EMSGSIZE, "%s: larger than %zu bytes", what, buf->max);
    if (buf->failure != 0)
        return tk_fail_code(err, buf->failure, "%s", what);
    return 0;
}

/* Grow to hold at least `need` bytes: double, but never past the cap. */
static int grow(struct tk_buf *buf, size_t need)
{
    if (need > buf->max)
        return -EMSGSIZE;
    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    while (cap < need)
        cap = cap > buf->max / 2 ? buf->max : cap * 2;
    if (cap > buf->max)
        cap = buf->max;
    char *p = realloc(buf->p, cap);
    if (!p)
        return -ENOMEM;
    buf->p = p;
    buf->cap = cap;
    return 0;
}

char *tk_buf_make_room(struct tk_buf *buf, size_t more)
{
    size_t need;
    if (buf->failure != 0)
        return NULL;
    if (!tk_add_size(buf->n, more, &need)) {
        buf->failure = -EMSGSIZE;
        return NULL;
    }
    if (need > buf->cap || !buf->p) {
        buf->failure = grow(buf, need);
        if (buf->failure != 0)
            return NULL;
    }
    return buf->p + buf->n;
}

void tk_buf_puts(struct tk_buf *buf, const char *text)
{
    tk_buf_put(buf, tk_str_from(text));
}

void tk_buf_printf(struct tk_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *to = n < 0 ? NULL : tk_buf_reserve(buf, (size_t)n + 1);
    if (to) {
        (void)vsnprintf(to, (size_t)n + 1, fmt, again);
        buf->n += (size_t)n;
    }
    va_end(again);
}

void tk_buf_consume(struct tk_buf *buf, size_t n)
{
    if (n > buf->n)
        n = buf->n;
    if (n == 0)
        return;
    memmove(buf->p, buf->p + n, buf->n - n);
    buf->n -= n;
}
