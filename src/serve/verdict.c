/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/verdict.h"

const struct tk_outcome_about tk_outcomes[TK_OUTCOME_COUNT] = {
    [TK_OUTCOME_TAKEN] = {"taken", 200, 0, false},
    [TK_OUTCOME_BAD] = {"bad", 400, 3, false},
    [TK_OUTCOME_TOO_LARGE] = {"too_large", 413, 8, false},
    [TK_OUTCOME_OVERLOADED] = {"overloaded", 429, 14, true},
    [TK_OUTCOME_FAILED] = {"failed", 503, 14, true},
};
