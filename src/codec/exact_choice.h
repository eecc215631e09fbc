/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that mostly follow from where they stand: the event that a span of that symbol has next,
 * the value that a key had there before (docs/format-tkz.md section "Choices"). One decision says
 * whether the number is the one that stood there last; else it is coded by nibbles, each mixed from
 * three contexts. One function for both directions; one thread at a time. */
#ifndef TK_CODEC_EXACT_CHOICE_H
#define TK_CODEC_EXACT_CHOICE_H

#include "codec/coder.h"
#include "codec/draw.h"
#include "codec/mix.h"

#define TK_CHOICE_MAX ((UINT32_C(1) << 28) - 1) /* the greatest number */

/* What is chosen: each kind has its own models. */
enum tk_choice_kind {
    TK_CHOICE_PROFILE = 0, /* flags, state, message and counts of a span */
    TK_CHOICE_MESSAGE,
    TK_CHOICE_TRACE_STATE,
    TK_CHOICE_FLAGS,
    TK_CHOICE_DROPPED,
    TK_CHOICE_EVENT_COUNT,
    TK_CHOICE_EVENT_NAME,
    TK_CHOICE_LINK_COUNT,
    TK_CHOICE_ATTR_COUNT,
    TK_CHOICE_KEY,
    TK_CHOICE_VALUE,
    TK_CHOICE_TYPE,
    TK_CHOICE_KIND_COUNT
};

struct tk_choice_guess {
    uint32_t check;
    uint32_t value : 28;
    uint32_t hits : 4; /* how often it was right */
};

#define TK_CHOICE_GUESS_BITS  14
#define TK_CHOICE_BUCKET_BITS 14
#define TK_CHOICE_INPUTS      3

struct tk_choices {
    struct tk_mix_tables tables;
    struct tk_contexts contexts;
    struct tk_choice_guess *guesses; /* owned; 1 << TK_CHOICE_GUESS_BITS */
    struct tk_bit right[TK_CHOICE_KIND_COUNT][16];
    struct tk_mix_weights weights[TK_CHOICE_KIND_COUNT][16]; /* by node of the nibble's tree */
};

/* -ENOMEM. Release it also after a failure. */
TK_MUST_USE int tk_choices_init(struct tk_choices *choices, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_choices_release(struct tk_choices *choices);

/* Two numbers as one context. */
static inline uint64_t tk_choice_mix(uint64_t a, uint64_t b)
{
    return tk_draw_round(a * 0x9E3779B97F4A7C15ULL + b);
}

/* Code a number up to TK_CHOICE_MAX, of which `strong` tells much and `weak` tells something. */
uint32_t tk_code_choice(struct tk_coder *coder, struct tk_choices *choices,
                        enum tk_choice_kind kind, const uint64_t contexts[2], uint32_t value);

#endif
