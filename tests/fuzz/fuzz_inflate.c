/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed bodies of requests, bombs among them: the first byte is the coding. */
#include <stdint.h>
#include <stdlib.h>

#include "serve/body.h"

#define MAX_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tk_inflater *inflater;
    struct tk_err err;
    tk_str plain = {NULL, 0};
    if (size < 1 || (!inflater && tk_inflater_new(MAX_BYTES, &inflater, &err) < 0))
        return 0;
    tk_str body = {(const char *)data + 1, size - 1};
    if (tk_inflater_decode(inflater, (enum tk_coding)(data[0] & 3), body, &plain, &err) == 0 &&
        plain.n > MAX_BYTES && (data[0] & 3) != TK_CODING_IDENTITY)
        abort();
    return 0;
}
