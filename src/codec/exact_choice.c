/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/exact_choice.h"

#include <errno.h>
#include <stdlib.h>

int tk_choices_init(struct tk_choices *choices, struct tk_err *err)
{
    *choices = (struct tk_choices){0};
    choices->guesses = calloc((size_t)1 << TK_CHOICE_GUESS_BITS, sizeof(*choices->guesses));
    if (!choices->guesses)
        return tk_fail(err, -ENOMEM, "out of memory");
    tk_mix_tables_init(&choices->tables);
    tk_bits_init(&choices->right[0][0], (size_t)TK_CHOICE_KIND_COUNT * 16);
    tk_mix_weights_init(&choices->weights[0][0], (size_t)TK_CHOICE_KIND_COUNT * 16,
                        TK_CHOICE_INPUTS);
    return tk_contexts_init(&choices->contexts, TK_CHOICE_BUCKET_BITS, err);
}

void tk_choices_release(struct tk_choices *choices)
{
    free(choices->guesses);
    tk_contexts_release(&choices->contexts);
    *choices = (struct tk_choices){0};
}

/* A nibble in three contexts: the strong one, the weak one, and none but the kind. */
static uint32_t code_nibble(struct tk_coder *coder, struct tk_choices *choices,
                            enum tk_choice_kind kind, const uint64_t hashes[TK_CHOICE_INPUTS],
                            uint32_t value)
{
    struct tk_bucket *buckets[TK_CHOICE_INPUTS];
    struct tk_bit *models[TK_CHOICE_INPUTS];
    uint32_t node = 1;
    for (size_t i = 0; i < TK_CHOICE_INPUTS; i++)
        buckets[i] = tk_contexts_find(&choices->contexts, hashes[i]);
    for (unsigned bit = 4; bit-- > 0;) {
        for (size_t i = 0; i < TK_CHOICE_INPUTS; i++)
            models[i] = &buckets[i]->bits[node];
        node = node << 1 | (uint32_t)tk_code_mixed(coder, &choices->tables,
                                                   &choices->weights[kind][node], models,
                                                   TK_CHOICE_INPUTS, value >> bit & 1);
    }
    return node - 16;
}

/* Below 8 as it is; else 7 + how many nibbles follow, and these. */
static uint32_t code_number(struct tk_coder *coder, struct tk_choices *choices,
                            enum tk_choice_kind kind, const uint64_t contexts[2], uint32_t value)
{
    uint64_t hashes[TK_CHOICE_INPUTS] = {
        tk_choice_mix(contexts[0], kind + 256),
        tk_choice_mix(contexts[1], kind + 512),
        tk_choice_mix(0, kind + 768),
    };
    uint32_t nibbles = value > 7 ? (35 - (uint32_t)__builtin_clz(value)) / 4 : 0;
    uint32_t first = code_nibble(coder, choices, kind, hashes, value > 7 ? 7 + nibbles : value);
    if (first < 8)
        return first;
    uint32_t result = 0;
    nibbles = first - 7 < 7 ? first - 7 : 7;
    for (uint32_t i = nibbles; i-- > 0;) {
        uint64_t prefix = (uint64_t)result << 8 | nibbles << 4 | (i + 1);
        const uint64_t inner[TK_CHOICE_INPUTS] = {tk_choice_mix(hashes[0], prefix),
                                                  tk_choice_mix(hashes[1], prefix),
                                                  tk_choice_mix(hashes[2], prefix)};
        result = result << 4 | code_nibble(coder, choices, kind, inner, value >> (4 * i) & 15);
    }
    return result;
}

static struct tk_choice_guess *find_guess(struct tk_choices *choices, uint64_t hash)
{
    return &choices->guesses[hash & ((1U << TK_CHOICE_GUESS_BITS) - 1)];
}

/* What stood there: a guess that was right often survives some misses. */
static void learn(struct tk_choice_guess *guess, uint32_t check, uint32_t value)
{
    if (guess->check == check && guess->value == value) {
        guess->hits = guess->hits < 15 ? guess->hits + 1U : 15U;
    } else if (guess->check == check && guess->hits > 1) {
        guess->hits /= 2;
    } else {
        *guess = (struct tk_choice_guess){.check = check, .value = value & TK_CHOICE_MAX};
    }
}

uint32_t tk_code_choice(struct tk_coder *coder, struct tk_choices *choices,
                        enum tk_choice_kind kind, const uint64_t contexts[2], uint32_t value)
{
    uint64_t strong_hash = tk_choice_mix(contexts[0], kind + 1);
    uint64_t weak_hash = tk_choice_mix(contexts[1], kind + 1024);
    struct tk_choice_guess *strong = find_guess(choices, strong_hash);
    struct tk_choice_guess *weak = find_guess(choices, weak_hash);
    uint32_t strong_check = (uint32_t)(strong_hash >> 32) | 1;
    uint32_t weak_check = (uint32_t)(weak_hash >> 32) | 1;
    struct tk_choice_guess guess = {0}; /* of an unseen place: 0, without a hit */
    if (strong->check == strong_check) {
        guess = *strong;
    } else if (weak->check == weak_check) {
        guess = (struct tk_choice_guess){.value = weak->value, .hits = weak->hits / 2};
    }
    bool right = tk_code_bit(coder, &choices->right[kind][guess.hits], value == guess.value);
    value = right ? guess.value : code_number(coder, choices, kind, contexts, value);
    learn(weak, weak_check, value);
    learn(strong, strong_check, value);
    return value;
}
