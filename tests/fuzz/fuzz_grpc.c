/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of gRPC in pieces: the first byte tells how long they are. */
#include <stdint.h>
#include <stdlib.h>

#include "serve/grpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_bodies bodies;
    struct tk_grpc_message message = {.prefix_n = 0};
    if (size < 1)
        return 0;
    tk_bodies_init(&bodies, 100000, 150000);
    size_t step = data[0] % 7 + 1U;
    int rc = 0;
    for (size_t i = 1; i < size && rc == 0; i += step) {
        size_t n = size - i < step ? size - i : step;
        rc = tk_grpc_message_add(&message, &bodies, (tk_str){(const char *)data + i, n});
    }
    if (rc == 0 && tk_grpc_message_ok(&message) &&
        message.body.n + TK_GRPC_PREFIX_BYTES != size - 1)
        abort();
    tk_grpc_message_release(&message, &bodies);
    if (bodies.used_bytes != 0)
        abort();
    tk_bodies_release(&bodies);
    return 0;
}
