/* SPDX-License-Identifier: Apache-2.0 */
/* What is spoken on one connection, in memory: requests become bytes to send, bytes that came
 * become answers. The sender owns the socket and knows no protocol; a protocol knows no socket, so
 * that a test feeds it byte by byte. One thread at a time.
 *
 * To add a protocol: its file, its line in sender.c's choice. */
#ifndef TK_LOAD_EXCHANGE_INTERNAL_H
#define TK_LOAD_EXCHANGE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "load/answer.h"
#include "load/target.h"

#define TK_EXCHANGE_STREAMS_MAX 128

/* The answer to the request of `slot`. Its texts are valid during the call. */
typedef void (*tk_exchange_answer_fn)(void *user, size_t slot, const struct tk_load_answer *answer);

struct tk_exchange_opts {
    const struct tk_load_target *target; /* borrowed */
    bool json;                           /* else protobuf */
    bool gzip;                           /* bodies are */
    size_t streams;                      /* of gRPC; 1..TK_EXCHANGE_STREAMS_MAX */
    tk_exchange_answer_fn on_answer;     /* called from input(), end() and output() */
    void *user;
};

struct tk_exchange {
    const char *name;

    TK_MUST_USE int (*open)(const struct tk_exchange_opts *opts, void **ret_state,
                            struct tk_err *err);
    void (*close)(void *state); /* accepts NULL */

    /* Begin a request. The body stays as it is until its answer, or the close. -ENOMEM. */
    TK_MUST_USE int (*submit)(void *state, size_t slot, tk_str body, struct tk_err *err);

    /* The next bytes to send, in up to two pieces, "" when there are none; then how many of them
     * were sent. -EBADMSG: the connection is over, by what either side has said. */
    TK_MUST_USE int (*output)(void *state, tk_str ret_pieces[2], struct tk_err *err);
    void (*sent)(void *state, size_t n);

    /* Bytes that came. -EBADMSG: the connection is of no use any more. */
    TK_MUST_USE int (*input)(void *state, tk_str bytes, struct tk_err *err);

    /* The receiver has closed; that may complete an answer. -EPIPE in the middle of one. */
    TK_MUST_USE int (*end)(void *state, struct tk_err *err);

    /* No further request on this connection: the receiver wants it closed. */
    bool (*is_closing)(const void *state);
};

extern const struct tk_exchange tk_exchange_http;
#ifdef TK_HAVE_NGHTTP2
extern const struct tk_exchange tk_exchange_grpc;
#endif

#endif
