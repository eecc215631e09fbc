/* SPDX-License-Identifier: Apache-2.0 */
/* Texts as patterns and tokens (docs/format-tkz.md section "Tokens"): a run of letters and digits
 * that has a digit, or a UUID, is a token, all else of a text is its pattern,
 *
 *     /api/products/0PUK6V6EV0?n=12   =   /api/products/_?n=_   0PUK6V6EV0   12
 *
 * Patterns and tokens are numbered as they first come, and guessed (attr_values.h): tokens also
 * from what followed the two before when they came last, so that a text that repeats a part of
 * another costs little. A new pattern is a text of the block's dictionary; a new token is spelt, or
 * made up when what it is does not matter. Both directions by one function. Inside L3 only. One
 * thread at a time. */
#ifndef TK_CODEC_ATTR_TEXT_H
#define TK_CODEC_ATTR_TEXT_H

#include "base/buf.h"
#include "base/map.h"
#include "codec/attr_class.h"

#define TK_TOKEN_MAX 64 /* bytes; longer runs are several tokens */

/* What stands for a token, and before a byte that is one of these two itself. */
#define TK_TOKEN_SLOT   '\x01'
#define TK_TOKEN_ESCAPE '\x02'

/* The next token of a text, from `*at` on: what is before it belongs to the pattern. False at the
 * end. */
bool tk_token_next(tk_str text, size_t *at, size_t *ret_begin);

/* Append the pattern of a text to `out`, and its tokens, by offset and length, to `tokens`. */
struct tk_token_place {
    uint32_t offset;
    uint32_t n;
};
void tk_token_split(tk_str text, struct tk_buf *out, struct tk_buf *tokens);

/* Whether a token looks as if it were made for one use: a UUID, 16 or more digits of base 16, or
 * eight after "0x". */
bool tk_token_is_id(tk_str token);

/* The form of a token that is made up: like it, letter for letter and digit for digit. */
void tk_token_form(tk_str token, char *ret_form);

struct tk_token_coder {
    struct tk_guesser guesser;
    struct tk_texts *texts; /* of patterns and tokens; of the model */
    struct tk_buf tokens;   /* uint32_t [token_count] texts */
    struct tk_buf patterns; /* uint32_t [pattern_count] texts */
    uint32_t token_count, pattern_count;
    uint32_t max_tokens, max_patterns; /* in all; both sides know */
    struct tk_map known_tokens;        /* encoder: text -> token */
    struct tk_map known_patterns;

    /* What followed what. */
    uint32_t *history;   /* ring of tokens; owned */
    uint32_t *followers; /* by hash of two tokens: where in the history, + 1; owned */
    uint32_t history_n;
    uint32_t match; /* where in the history the guess stands; 0 = none */
    uint32_t run;   /* guesses that were right in a row */
    struct tk_bit is_match[16];

    struct tk_contexts letters;
    struct tk_mix_weights weights;
    struct tk_bit is_drawn;
    bool has_drawn; /* since the owner last set it to false */
    uint32_t last_pattern;
    uint64_t draw_key;     /* decoder: of what is made up */
    struct tk_buf scratch; /* pattern of the text at hand */
    struct tk_buf places;  /* struct tk_token_place of it */
};

/* -ENOMEM. Release it also after a failure. */
TK_MUST_USE int tk_token_coder_init(struct tk_token_coder *coder, struct tk_texts *texts,
                                    struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_token_coder_release(struct tk_token_coder *coder);

/* Code a text of column `column`. A decoder appends it to `out`. `is_drawn` says of an encoder's
 * tokens which are made up. -EBADMSG, -EMSGSIZE, -ENOMEM. */
typedef bool tk_token_test(const void *context, tk_str token);
struct tk_token_text {
    uint32_t column;
    tk_str text; /* encoder's */
    tk_token_test *is_drawn;
    const void *context;
};
TK_MUST_USE int tk_token_code(struct tk_token_coder *tokens, struct tk_coder *coder,
                              struct tk_attr_words *words, const struct tk_token_text *text,
                              struct tk_buf *out);

#endif
