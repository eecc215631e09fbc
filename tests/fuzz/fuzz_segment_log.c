/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a log of spans, with checksums made right so that what is behind them is met: what
 * is taken must hold together. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "segment/segment_log.h"

#define HEAD  112 /* of a block; its checksum stands at 4, its length at 8 */
#define MAGIC 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_err err;
    struct tk_log_mark mark = {0};
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    char *bytes = malloc(size + 1);
    if (!bytes || tk_span_batch_new(64, &batch, &err) < 0)
        abort();
    memcpy(bytes, data, size);
    for (size_t at = MAGIC; at + HEAD <= size;) {
        uint64_t n;
        memcpy(&n, bytes + at + 8, sizeof(n));
        if (n > size - at - HEAD)
            break;
        uint32_t crc = libdeflate_crc32(0, bytes + at + 8, HEAD - 8 + (size_t)n);
        memcpy(bytes + at + 4, &crc, sizeof(crc));
        at += HEAD + (size_t)n;
    }
    if (tk_segment_log_decode((tk_str){bytes, size}, batch, &mark, &err) == 0) {
        for (size_t row = 0; row < batch->rows; row++) {
            if (tk_span_service(batch, row).n > size || tk_span_name(batch, row).n > size)
                abort();
        }
    }
    free(bytes);
    return 0;
}
