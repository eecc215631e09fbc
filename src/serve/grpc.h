/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC over HTTP/2 as far as one request with one answer needs it (grpc/doc/PROTOCOL-HTTP2.md):
 * the frame of messages, and texts in headers. Edges of DATA frames mean nothing: bytes come in any
 * pieces. No I/O; one thread at a time per message. */
#ifndef TK_SERVE_GRPC_H
#define TK_SERVE_GRPC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "serve/body.h"

#define TK_GRPC_PREFIX_BYTES 5 /* a flag, and the length, big-endian */

/* A message as it comes in. A zeroed struct is an empty one. */
struct tk_grpc_message {
    unsigned char prefix[TK_GRPC_PREFIX_BYTES];
    uint8_t prefix_n;
    bool is_compressed;
    uint32_t bytes; /* that it is to have; known once the prefix is whole */
    struct tk_body body;
};

/* Take the next bytes. -EBADMSG for a flag above 1 or bytes behind the message, -EMSGSIZE when it
 * is longer than a body may be, -ENOBUFS when the budget is used up, -ENOMEM. */
TK_MUST_USE int tk_grpc_message_add(struct tk_grpc_message *message, struct tk_bodies *bodies,
                                    tk_str bytes);

/* It is there to its last byte. */
bool tk_grpc_message_ok(const struct tk_grpc_message *message);

/* Accepts a zeroed struct. */
void tk_grpc_message_release(struct tk_grpc_message *message, struct tk_bodies *bodies);

/* The value of grpc-timeout: up to 8 digits and a unit, H, M, S, m, u or n. Times that no clock
 * reaches are INT64_MAX / 2. */
TK_MUST_USE bool tk_grpc_timeout_parse(tk_str text, int64_t *ret_ns);

/* Append the prefix of a message of so many bytes, not compressed. */
void tk_grpc_put_prefix(struct tk_buf *out, size_t bytes);

/* Append as the value of grpc-message: percent-encoded outside 0x20 to 0x7E, and '%'. */
void tk_grpc_put_text(struct tk_buf *out, tk_str text);

/* Append as the value of a header whose name ends in "-bin": base64 without padding. */
void tk_grpc_put_binary(struct tk_buf *out, tk_str bytes);

#endif
