/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of HTTP/1.1 as they arrive, in pieces of any size (RFC 9112): status line, the headers
 * that a client of OTLP wants, a body by Content-Length, chunked, or up to the end of the
 * connection. Interim answers (1xx) are passed over. Strict where leniency would let two answers
 * run together: a header without a colon, two different lengths, or a length beside chunks end the
 * connection. No I/O; one thread at a time. */
#ifndef TK_LOAD_HTTP_READER_H
#define TK_LOAD_HTTP_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TK_HTTP_HEAD_MAX  32768 /* bytes of status line and headers, likewise of a chunk's line */
#define TK_HTTP_BODY_KEPT 65536 /* of a longer body the rest is dropped */

enum tk_http_state {
    TK_HTTP_HEAD = 0,
    TK_HTTP_LENGTH,     /* body of `left` more bytes */
    TK_HTTP_CHUNK_LINE, /* size of the next chunk */
    TK_HTTP_CHUNK,      /* `left` more bytes of it */
    TK_HTTP_CHUNK_END,  /* the line behind it */
    TK_HTTP_TRAILER,    /* lines up to an empty one */
    TK_HTTP_UNTIL_CLOSE,
    TK_HTTP_DONE,
};

/* Of an answer that is complete. */
struct tk_http_reader {
    enum tk_http_state state;
    int status;
    bool keep_alive; /* the connection may be used again */
    bool json;       /* Content-Type is application/json */
    char retry_after[64];
    struct tk_buf body;

    struct tk_buf head; /* what came of the head or of a line */
    uint64_t left;
};

/* Ready for the first answer; allocates nothing. */
void tk_http_reader_init(struct tk_http_reader *reader);

/* Free the memory. Accepts a zeroed struct. */
void tk_http_reader_release(struct tk_http_reader *reader);

/* Ready for the next answer. */
void tk_http_reader_reset(struct tk_http_reader *reader);

/* Take bytes from the front of `*bytes`: 1 when an answer is complete (what follows is left), 0
 * when all were taken and more is to come, -EBADMSG when this is no HTTP/1.1. */
TK_MUST_USE int tk_http_reader_put(struct tk_http_reader *reader, tk_str *bytes,
                                   struct tk_err *err);

/* The connection has ended: 1 when that completes an answer, 0 when none had begun, -EPIPE in the
 * middle of one. */
TK_MUST_USE int tk_http_reader_end(struct tk_http_reader *reader, struct tk_err *err);

#endif
