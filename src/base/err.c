/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Append formatted text at `used`; returns the new length and marks what did not fit. */
TK_PRINTF(3, 0)
static size_t append(char *msg, size_t used, const char *fmt, va_list args)
{
    int n = vsnprintf(msg + used, TK_ERR_MAX - used, fmt, args);
    if (n < 0)
        return used;
    if (used + (size_t)n < TK_ERR_MAX)
        return used + (size_t)n;
    memcpy(msg + TK_ERR_MAX - 4, "...", 4);
    return TK_ERR_MAX - 1;
}

TK_PRINTF(3, 4)
static size_t append_text(char *msg, size_t used, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    used = append(msg, used, fmt, args);
    va_end(args);
    return used;
}

int tk_fail(struct tk_err *err, int code, const char *fmt, ...)
{
    assert(code < 0);
    va_list args;
    va_start(args, fmt);
    append(err->msg, 0, fmt, args);
    va_end(args);
    err->code = code;
    return code;
}

TK_PRINTF(3, 0)
static int fail_with_reason(struct tk_err *err, int code, const char *fmt, va_list args)
{
    size_t used = append(err->msg, 0, fmt, args);
    const char *reason = strerrordesc_np(-code);
    append_text(err->msg, used, ": %s", reason ? reason : "unknown error");
    err->code = code;
    return code;
}

int tk_fail_errno(struct tk_err *err, const char *fmt, ...)
{
    int code = errno ? -errno : -EIO;
    va_list args;
    va_start(args, fmt);
    fail_with_reason(err, code, fmt, args);
    va_end(args);
    return code;
}

int tk_fail_code(struct tk_err *err, int code, const char *fmt, ...)
{
    assert(code < 0);
    va_list args;
    va_start(args, fmt);
    fail_with_reason(err, code, fmt, args);
    va_end(args);
    return code;
}

int tk_err_prefix(struct tk_err *err, const char *fmt, ...)
{
    char old[TK_ERR_MAX];
    memcpy(old, err->msg, sizeof(old));
    va_list args;
    va_start(args, fmt);
    size_t used = append(err->msg, 0, fmt, args);
    va_end(args);
    append_text(err->msg, used, ": %s", old);
    return err->code;
}
