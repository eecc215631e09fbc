/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests: memory for them under a budget, and what they hold once it is inflated.
 *
 * A body is assembled in one buffer, reserved at once where the sender tells its length. Buffers
 * are kept for the next request, so that a steady load allocates nothing. One thread at a time. */
#ifndef TK_SERVE_BODY_H
#define TK_SERVE_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* Budget ---------------------------------------------------------------------------------- */

struct tk_body {
    char *p; /* of the bodies' budget; NULL = none */
    size_t n;
    size_t cap;
};

#define TK_BODIES_SPARE 16

struct tk_bodies {
    size_t max_bytes;    /* of one body */
    size_t budget_bytes; /* of all at once */
    size_t used_bytes;
    size_t spare_bytes; /* of `spare` */
    size_t spare_count;
    struct tk_body spare[TK_BODIES_SPARE];
};

/* `budget_bytes` is at least `max_bytes`: one body always fits. */
void tk_bodies_init(struct tk_bodies *bodies, size_t max_bytes, size_t budget_bytes);

/* All bodies were given back. Accepts a zeroed struct. */
void tk_bodies_release(struct tk_bodies *bodies);

/* Make room for `total` bytes in all, what is there is kept. -EMSGSIZE when that is more than a
 * body may have, -ENOBUFS when the budget is used up, -ENOMEM; the body stays as it was then. */
TK_MUST_USE int tk_body_reserve(struct tk_bodies *bodies, struct tk_body *body, size_t total);

/* Append; failures as above. */
TK_MUST_USE int tk_body_add(struct tk_bodies *bodies, struct tk_body *body, tk_str bytes);

/* Give the memory back; the body is empty then. Accepts an empty one. */
void tk_body_release(struct tk_bodies *bodies, struct tk_body *body);

/* Codings --------------------------------------------------------------------------------- */

/* How a body may come: Content-Encoding of HTTP, grpc-encoding of gRPC. */
enum tk_coding { TK_CODING_IDENTITY = 0, TK_CODING_GZIP, TK_CODING_DEFLATE, TK_CODING_ZSTD };

/* The coding of a name, in any case; "" is identity, "x-gzip" and "zlib" are known too. */
bool tk_coding_find(tk_str name, enum tk_coding *ret_coding);

struct tk_inflater;

/* An inflater whose results have at most `max_bytes` bytes, and at most 500 times as many as what
 * they came from, where that is more than 1 MiB. -ENOMEM. */
TK_MUST_USE int tk_inflater_new(size_t max_bytes, struct tk_inflater **ret_inflater,
                                struct tk_err *err);

/* Accepts NULL. */
void tk_inflater_free(struct tk_inflater *inflater);

/* What a body holds: the body itself when it is not coded, else memory of the inflater until the
 * next call. Several gzip members or zstd frames are one text. -EBADMSG when the body is no such
 * stream or is cut off, -EMSGSIZE when it would be larger than allowed. */
TK_MUST_USE int tk_inflater_decode(struct tk_inflater *inflater, enum tk_coding coding, tk_str body,
                                   tk_str *ret_plain, struct tk_err *err);

#endif
