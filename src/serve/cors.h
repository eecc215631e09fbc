/* SPDX-License-Identifier: Apache-2.0 */
/* Which web pages may send spans and ask (CORS, the Fetch standard): none unless told otherwise. A
 * pure function, safe from any thread. */
#ifndef TK_SERVE_CORS_H
#define TK_SERVE_CORS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* Check an option's text: "*", or origins as "https://shop.example:8443" with commas between them.
 * -EINVAL names what is none. */
TK_MUST_USE int tk_cors_check(const char *allowed, struct tk_err *err);

/* Whether pages of an origin may; `allowed` was checked, NULL = none may. */
bool tk_cors_allows(const char *allowed, tk_str origin);

#endif
