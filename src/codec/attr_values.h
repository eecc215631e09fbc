/* SPDX-License-Identifier: Apache-2.0 */
/* One of a set of numbered values, coded after what stood in the same contexts before
 * (docs/format-tkz.md section "Guesses"). Each of three contexts guesses the value that it saw
 * last, the surest context of all being the first; a decision each says whether a guess is right,
 * and most values need no more than one. What nobody guessed is either the next value that nobody
 * has seen (values are numbered as they first come), or told by its digits of four bits under two
 * mixed contexts. Both directions by one function, in memory of fixed size. One thread at a time.
 */
#ifndef TK_CODEC_ATTR_VALUES_H
#define TK_CODEC_ATTR_VALUES_H

#include "codec/mix.h"

#define TK_GUESS_CONTEXTS 3

/* What one context saw last. */
struct tk_guess_memory {
    uint16_t check;
    uint16_t sure; /* how often in a row, roughly; 0 = nothing */
    uint32_t value;
};

/* How good guesses were at one place. */
struct tk_guess_place {
    struct tk_bit first[16]; /* the first four are of no use but to tell that all are made */
    struct tk_bit second[8];
    struct tk_bit third[4];
    struct tk_bit fresh[2];
};

struct tk_guesser {
    struct tk_guess_memory *guesses; /* owned */
    struct tk_guess_place *places;   /* owned */
    struct tk_contexts digits;
    struct tk_mix_tables tables;
    struct tk_mix_weights weights[8]; /* by digit */
};

/* Up to 2 MiB, by what is asked for. -ENOMEM. */
TK_MUST_USE int tk_guesser_init(struct tk_guesser *choices, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_guesser_release(struct tk_guesser *choices);

/* What is known of a value before it is coded. */
struct tk_guess {
    uint64_t place;                       /* hash of what is chosen, where */
    uint64_t set;                         /* hash of the set of values alone */
    uint64_t contexts[TK_GUESS_CONTEXTS]; /* hashes; the first says most. `place` is part of each
                                              of them */
    uint32_t count;                       /* values of the set; 1 or more */
    uint32_t seen;                        /* of them have come before: [0, seen) */
};

/* Of a node's value, one of `count` that are known from the start: what the node above it and the
 * one before it have says most. */
struct tk_guess tk_guess_of_node(uint64_t place, uint32_t above, uint32_t before, uint32_t count);

/* Code a value below count, at most `seen`. Also of a damaged stream no other comes. */
uint32_t tk_code_guess(struct tk_guesser *choices, struct tk_coder *coder,
                       const struct tk_guess *choice, uint32_t value);

#endif
