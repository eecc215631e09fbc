/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/attr_values.h"

#include <errno.h>
#include <stdlib.h>

#include "codec/draw.h"

#define GUESS_BITS 16
#define PLACE_BITS 12
#define DIGIT_BITS 14
#define SUREST     255

int tk_guesser_init(struct tk_guesser *choices, struct tk_err *err)
{
    *choices = (struct tk_guesser){0};
    choices->guesses = calloc((size_t)1 << GUESS_BITS, sizeof(*choices->guesses));
    choices->places = calloc((size_t)1 << PLACE_BITS, sizeof(*choices->places));
    if (!choices->guesses || !choices->places) {
        tk_guesser_release(choices);
        return tk_fail(err, -ENOMEM, "models of attributes: out of memory");
    }
    tk_mix_tables_init(&choices->tables);
    tk_mix_weights_init(choices->weights, TK_COUNTOF(choices->weights), 2);
    int rc = tk_contexts_init(&choices->digits, DIGIT_BITS, err);
    if (rc < 0)
        tk_guesser_release(choices);
    return rc;
}

void tk_guesser_release(struct tk_guesser *choices)
{
    free(choices->guesses);
    free(choices->places);
    tk_contexts_release(&choices->digits);
    *choices = (struct tk_guesser){0};
}

/* Guesses ------------------------------------------------------------------------------------- */

static uint16_t check_of(uint64_t hash)
{
    return (uint16_t)(hash >> 48);
}

static struct tk_guess_memory *find_guess(struct tk_guesser *choices, uint64_t hash)
{
    return &choices->guesses[hash & ((1U << GUESS_BITS) - 1)];
}

/* 0 = none, 1 to 3 by how often it was right. */
static unsigned grade(const struct tk_guess_memory *guess, uint64_t hash)
{
    if (guess->check != check_of(hash) || guess->sure == 0)
        return 0;
    return guess->sure < 3 ? 1 : guess->sure < 12 ? 2 : 3;
}

static void learn_guess(struct tk_guess_memory *guess, uint64_t hash, uint32_t value)
{
    bool is_own = guess->check == check_of(hash);
    if (is_own && guess->value == value && guess->sure > 0) {
        guess->sure = (uint16_t)(guess->sure < SUREST ? guess->sure + 1 : SUREST);
        return;
    }
    guess->sure = (uint16_t)(guess->sure / 4);
    if (guess->sure == 0)
        *guess = (struct tk_guess_memory){check_of(hash), 1, value};
}

/* Digits --------------------------------------------------------------------------------------- */

/* The value by nibbles, the highest first. */
static uint32_t code_digits(struct tk_guesser *choices, struct tk_coder *coder,
                            const struct tk_guess *choice, uint32_t value)
{
    unsigned bits = choice->count > 1 ? 32 - (unsigned)__builtin_clz(choice->count - 1) : 0;
    uint32_t result = 0;
    for (unsigned left = (bits + 3) / 4; left-- > 0;) {
        uint64_t salt = (uint64_t)left << 32 | result;
        struct tk_bucket *near =
            tk_contexts_find(&choices->digits, tk_draw_round(choice->contexts[1] ^ salt));
        struct tk_bucket *far =
            tk_contexts_find(&choices->digits, tk_draw_round(choice->set ^ salt));
        uint32_t node = 1;
        for (int i = 3; i >= 0; i--) {
            struct tk_bit *models[2] = {&near->bits[node], &far->bits[node]};
            bool bit = value >> (left * 4 + (unsigned)i) & 1;
            bit = tk_code_mixed(coder, &choices->tables, &choices->weights[left], models, 2, bit);
            node = node << 1 | bit;
        }
        result = result << 4 | (node & 15);
    }
    return result < choice->count ? result : choice->count - 1;
}

static uint32_t code_unguessed(struct tk_guesser *choices, struct tk_coder *coder,
                               const struct tk_guess *choice, struct tk_guess_place *place,
                               uint32_t value)
{
    uint32_t seen = choice->seen;
    bool fresh = seen == 0;
    if (seen > 0 && seen < choice->count)
        fresh = tk_code_bit(coder, &place->fresh[seen < 4 ? 0 : 1], value == seen);
    value = fresh ? seen : code_digits(choices, coder, choice, value);
    return value < seen || seen == choice->count ? value : seen; /* above: of a damaged stream */
}

struct tk_guess tk_guess_of_node(uint64_t place, uint32_t above, uint32_t before, uint32_t count)
{
    return (struct tk_guess){
        .place = place,
        .set = tk_draw_round(place + 1),
        .contexts = {tk_draw_round(place ^ (uint64_t)above << 32 ^ before),
                     tk_draw_round(place ^ (uint64_t)above << 32 ^ UINT64_C(1) << 63),
                     tk_draw_round(place + 2)},
        .count = count,
        .seen = count,
    };
}

/* The place of a hash, made new when it is first asked for: most never are. */
static struct tk_guess_place *find_place(struct tk_guesser *choices, uint64_t hash)
{
    struct tk_guess_place *place = &choices->places[hash & ((1U << PLACE_BITS) - 1)];
    if (place->first[0].v == 0)
        tk_bits_init(place->first, sizeof(*place) / sizeof(struct tk_bit));
    return place;
}

uint32_t tk_code_guess(struct tk_guesser *choices, struct tk_coder *coder,
                       const struct tk_guess *choice, uint32_t value)
{
    struct tk_guess_place *place = find_place(choices, choice->place);
    struct tk_guess_memory *guesses[TK_GUESS_CONTEXTS];
    unsigned grades[TK_GUESS_CONTEXTS];
    for (int i = 0; i < TK_GUESS_CONTEXTS; i++) {
        guesses[i] = find_guess(choices, choice->contexts[i]);
        grades[i] = grade(guesses[i], choice->contexts[i]);
        if (guesses[i]->value >= choice->count)
            grades[i] = 0;
    }
    uint32_t a = grades[0] ? guesses[0]->value : UINT32_MAX;
    uint32_t b = grades[1] ? guesses[1]->value : UINT32_MAX;
    uint32_t c = grades[2] ? guesses[2]->value : UINT32_MAX;
    bool done = false;
    if (grades[0]) {
        unsigned agree = (unsigned)(a == b) | (unsigned)(a == c) << 1;
        done = tk_code_bit(coder, &place->first[grades[0] * 4 + agree], value == a);
        value = done ? a : value;
    }
    if (!done && grades[1] && b != a) {
        done = tk_code_bit(coder, &place->second[grades[1] * 2 + (b == c)], value == b);
        value = done ? b : value;
    }
    if (!done && grades[2] && c != a && c != b) {
        done = tk_code_bit(coder, &place->third[grades[2]], value == c);
        value = done ? c : value;
    }
    if (!done)
        value = code_unguessed(choices, coder, choice, place, value);
    for (int i = 0; i < TK_GUESS_CONTEXTS; i++)
        learn_guess(guesses[i], choice->contexts[i], value);
    return value;
}
