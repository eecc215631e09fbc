/* SPDX-License-Identifier: Apache-2.0 */
/* What the two paths of the JSON Lines decoder share. */
#ifndef TK_TABLE_JSONL_INTERNAL_H
#define TK_TABLE_JSONL_INTERNAL_H

#include "table/format_internal.h"

#define TK_JSONL_KEY_BYTES 40 /* a column's name with quotes and colon is no longer */

/* `"name":` of one column. */
struct tk_jsonl_key {
    uint64_t words[TK_JSONL_KEY_BYTES / 8];
    uint64_t masks[TK_JSONL_KEY_BYTES / 8]; /* the bits of each word that belong to the key */
    size_t n;
};

struct tk_jsonl_state {
    const struct tk_schema *schema; /* whose keys are laid out; NULL = none yet */
    /* Which column followed which in the rows so far: next[c + 1] is 1 + the column that came after
     * c, next[0] of the first; 0 = not seen yet. */
    uint8_t next[65];
    struct tk_jsonl_key keys[64];
};

/* The column to expect after the one whose entry is *next. */
static inline size_t tk_jsonl_expected(const struct tk_jsonl_state *state, const uint8_t *next)
{
    return *next > 0 ? *next - 1U : (size_t)(next - state->next);
}

/* Lay out the keys of `schema` and forget the order of earlier rows. */
void tk_jsonl_state_init(struct tk_jsonl_state *state, const struct tk_schema *schema);

/* The hot path: read the object at in->p into the last row of the batch, which is empty so far.
 * Returns where it ends, in the same line; NULL when it is anything but plain, and then the row is
 * unspecified. */
const char *tk_jsonl_take_row(const struct tk_decoding *in, struct tk_jsonl_state *state);

/* Read a value of `column` into the last row; null makes it absent. */
TK_MUST_USE int tk_jsonl_read_value(struct tk_json *json, struct tk_batch *out, size_t column,
                                    struct tk_err *err);

#endif
