/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP as protobuf: what is read is written in both forms, and read again as the same. */
#include "span_space.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span_space space;
    struct tk_span_tally tally = {0};
    struct tk_err err;
    span_space_init(&space);
    if (tk_otlp_decode(space.reader, (tk_str){(const char *)data, size}, &tally, &err) == 0) {
        assert(tally.spans == space.batch->rows);
        span_space_encode(&space);
        span_space_check(&space);
    } else {
        assert(space.batch->rows == 0);
    }
    span_space_release(&space);
    return 0;
}
