/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON Lines: decode, encode, decode gives the same batch; and the hot path, which
 * needs some bytes behind a row, reads what the pull scanner reads without them. */
#include "fuzz_table.h"

#define BLANKS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_and_encode(tk_str text, struct tk_buf *out)
{
    struct tk_decode_stats stats = {0};
    struct tk_batch *batch = fuzz_batch();
    fuzz_decode(&tk_decoder_jsonl, text, 0, batch, &stats);
    fuzz_encode(&tk_encoder_jsonl, batch, out);
    tk_batch_free(batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_round_trip(&tk_decoder_jsonl, &tk_encoder_jsonl, data, size);

    struct tk_buf slow;
    struct tk_buf hot;
    char *padded = malloc(size + BLANKS);
    if (size > 0)
        memcpy(padded, data, size);
    memset(padded + size, '\n', BLANKS);
    decode_and_encode((tk_str){(const char *)data, size}, &slow);
    decode_and_encode((tk_str){padded, size + BLANKS}, &hot);
    if (!tk_str_eq(tk_buf_str(&slow), tk_buf_str(&hot)))
        abort();
    tk_buf_release(&slow);
    tk_buf_release(&hot);
    free(padded);
    return 0;
}
