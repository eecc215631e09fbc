/* SPDX-License-Identifier: Apache-2.0 */
/* GET of a URL, for those who read from servers that are no object stores. One thread at a time; a
 * fetch keeps its connection for the next call. */
#ifndef TK_STORE_FETCH_H
#define TK_STORE_FETCH_H

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"

struct tk_fetch;

/* `token` goes along as a bearer token, NULL = none; it is copied, stands in no message and is not
 * sent to another host that an answer redirects to. -EOPNOTSUPP without libcurl. */
TK_MUST_USE int tk_fetch_new(const char *token, struct tk_fetch **ret_fetch, struct tk_err *err);

/* Append the body of a 200 to `out`. Fails with -ENOENT for 404, -EACCES for 401 and 403, -EIO for
 * all else that is none, -EMSGSIZE when `out` is full; messages name the URL. */
TK_MUST_USE int tk_fetch_get(struct tk_fetch *fetch, const char *url, struct tk_buf *out,
                             struct tk_err *err);

/* Accepts NULL. */
void tk_fetch_free(struct tk_fetch *fetch);

#endif
