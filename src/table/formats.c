/* SPDX-License-Identifier: Apache-2.0 */
#include "table/format.h"

const struct tk_encoder *const tk_encoders[] = {
    &tk_encoder_jsonl,
    &tk_encoder_csv,
    NULL,
};
