/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces of a request's URL (object-store.md section 3.1). They are encoded once, and what is
 * sent is what was signed. Pure functions. */
#ifndef TK_STORE_URL_H
#define TK_STORE_URL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Append with every byte but A-Z a-z 0-9 - . _ ~ as %XX; a path keeps its '/'. */
void tk_url_put_value(struct tk_buf *out, tk_str raw);
void tk_url_put_path(struct tk_buf *out, tk_str raw);

struct tk_url_param {
    tk_str name, value; /* raw */
};

#define TK_URL_PARAMS_MAX 12

/* Append "name=value&...", encoded and in the order that signing wants; a value may be empty. At
 * most TK_URL_PARAMS_MAX of them. */
void tk_url_put_query(struct tk_buf *out, const struct tk_url_param *params, size_t count);

/* Append the bytes that "a%2Fb+c" stands for; false when a '%' has no two hexadecimal digits. */
bool tk_url_decode(tk_str encoded, struct tk_buf *out);

#define TK_ENDPOINT_MAX 264

/* Where a server is. */
struct tk_endpoint {
    bool is_tls;
    char
        host[TK_ENDPOINT_MAX]; /* as the Host header has it: with a port unless it is the default */
};

/* Parse "http://host[:port]" or "https://...", with at most a '/' behind it; -EINVAL otherwise. */
TK_MUST_USE int tk_endpoint_parse(tk_str text, struct tk_endpoint *ret_endpoint,
                                  struct tk_err *err);

#endif
