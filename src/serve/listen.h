/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses to listen at. */
#ifndef TK_SERVE_LISTEN_H
#define TK_SERVE_LISTEN_H

#include "base/compiler.h"
#include "base/err.h"

#define TK_ADDRESS_MAX 128

struct tk_listener {
    int fd;                       /* -1 = none */
    char address[TK_ADDRESS_MAX]; /* numeric, with the port that it has: "127.0.0.1:4318" */
};

/* Listen at "HOST:PORT", "[ADDRESS]:PORT", ":PORT" (all addresses) or "PORT" (127.0.0.1); port 0 is
 * any that is free. Close the descriptor with tk_fd_close(). -EINVAL when the text is no address,
 * -EADDRINUSE, or what the kernel says; `err` names the address. */
TK_MUST_USE int tk_listener_open(const char *text, struct tk_listener *ret_listener,
                                 struct tk_err *err);

#endif
