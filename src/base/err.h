/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: a fallible function returns 0 or a negative errno. If a person will read why it failed,
 * it also takes `struct tk_err *err` last, never NULL, and the first function that knows sets it:
 *
 *     return tk_fail(err, -EBADMSG, "proc/loadavg: field %zu is not a number", i + 1);
 *
 * -EBADMSG is bad input, -EMSGSIZE over a limit, -EOPNOTSUPP not supported. Callers add context
 * only at a boundary (a file name, a peer) with tk_err_prefix(); all others pass the code on.
 * A struct tk_err belongs to one thread.
 */
#ifndef TK_BASE_ERR_H
#define TK_BASE_ERR_H

#include "base/compiler.h"

#define TK_ERR_MAX 512

struct tk_err {
    int code;             /* negative errno; 0 = nothing failed */
    char msg[TK_ERR_MAX]; /* one line without the trailing newline; longer text ends in "..." */
};

/* Set code and message; returns `code`, which must be negative. */
int tk_fail(struct tk_err *err, int code, const char *fmt, ...) TK_PRINTF(3, 4);

/* Set message and code from errno: "MESSAGE: No such file or directory". Returns -errno. */
int tk_fail_errno(struct tk_err *err, const char *fmt, ...) TK_PRINTF(2, 3);

/* Same, for a negative errno at hand. */
int tk_fail_code(struct tk_err *err, int code, const char *fmt, ...) TK_PRINTF(3, 4);

/* Put "PREFIX: " before the message that is there; returns err->code. */
int tk_err_prefix(struct tk_err *err, const char *fmt, ...) TK_PRINTF(2, 3);

#endif
