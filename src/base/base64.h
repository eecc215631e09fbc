/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648 section 4). Pure functions, safe from any thread. */
#ifndef TK_BASE_BASE64_H
#define TK_BASE_BASE64_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* Append bytes as base64, padded. */
void tk_base64_put(struct tk_buf *out, tk_str bytes);

/* Append the bytes that base64 stands for: of the common or the URL-safe alphabet, padded or not.
 * False, and nothing appended, when it is none. */
bool tk_base64_decode(tk_str text, struct tk_buf *out);

#endif
