/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON Lines: decode, encode, decode gives the same batch. */
#include "fuzz_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_round_trip(&tk_decoder_jsonl, &tk_encoder_jsonl, data, size);
    return 0;
}
