/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as CSV: decode, encode, decode gives the same batch. */
#include "fuzz_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_round_trip(&tk_decoder_csv, &tk_encoder_csv, data, size);
    return 0;
}
