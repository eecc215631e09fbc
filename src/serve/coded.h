/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in the coding that a client asks for (RFC 9110 section 12.5.3). Pure functions, safe from
 * any thread. */
#ifndef TK_SERVE_CODED_H
#define TK_SERVE_CODED_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "serve/body.h"

/* Answers that are shorter stay as they are. */
#define TK_CODED_MIN_BYTES 1024

/* The coding for a client whose Accept-Encoding this is ("" = no such header): of zstd, gzip and
 * none what he likes best, of equals the one that comes first here. */
enum tk_coding tk_coding_choose(tk_str accept_encoding);

/* Replace the body by itself in gzip or zstd; false = it stays as it was, for want of memory or
 * because it would be no shorter. */
TK_MUST_USE bool tk_coded_make(enum tk_coding coding, struct tk_buf *body);

/* Of Content-Encoding, "gzip". */
const char *tk_coding_name(enum tk_coding coding);

#endif
