/* SPDX-License-Identifier: Apache-2.0 */
/* Mixed models code and decode alike, follow whichever of them is right, and rest on tables that
 * are the same everywhere. */
#include "codec/mix.h"

#include <string.h>

#include "codec/draw.h"
#include "tk_test.h"

#define GOLDEN_DRAW       UINT64_C(0x949104B71F1EE6BE)
#define GOLDEN_DRAW_BLOCK UINT64_C(0xE5FDC025E13EEED5)
#define GOLDEN_SQUASH     UINT64_C(0x96A0E877485FBE2B)
#define GOLDEN_STRETCH    UINT64_C(0x6516B08C21346C0A)
#define GOLDEN_TRUST      UINT64_C(0x1A024260A364628D)
#define GOLDEN_XOR        UINT64_C(0x13165838BDD4E6EB)
#define OUT_MAX           ((size_t)4 << 20)

static uint64_t hash_bytes(const void *bytes, size_t n)
{
    uint64_t hash = 0xCBF29CE484222325ULL;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3ULL;
    return hash;
}

static void tables_are_what_they_always_were(void **state)
{
    (void)state;
    struct tk_mix_tables tables;
    memset(&tables, 0, sizeof(tables));
    tk_mix_tables_init(&tables);
    assert_int_equal(hash_bytes(tables.squash, sizeof(tables.squash)), GOLDEN_SQUASH);
    assert_int_equal(hash_bytes(tables.stretch, sizeof(tables.stretch)), GOLDEN_STRETCH);
    assert_int_equal(hash_bytes(tables.trust, sizeof(tables.trust)), GOLDEN_TRUST);
}

static void squash_and_stretch_undo_each_other(void **state)
{
    (void)state;
    struct tk_mix_tables tables;
    tk_mix_tables_init(&tables);
    assert_int_equal(tables.squash[2048], 32768);
    assert_int_equal(tables.squash[2048 + 256], 47910); /* 65536 / (1 + 1 / e) */
    for (int i = 1; i < 4096; i++) {
        assert_true(i == 1 || tables.squash[i] >= tables.squash[i - 1]);
        assert_true(tables.stretch[i] >= tables.stretch[i - 1]);
        int p = tables.squash[tables.stretch[i] + 2048];
        assert_near(p, i * 16 + 8, 72);
    }
}

/* The answer is `a` xor `b`; a model that sees both knows it, one that sees one does not. */
static uint64_t code_xor(struct tk_coder *coder, struct tk_contexts *contexts, size_t count)
{
    struct tk_mix_tables tables;
    struct tk_mix_weights weights;
    uint64_t hash = 0;
    tk_mix_tables_init(&tables);
    tk_mix_weights_init(&weights, 1, 3);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t random = tk_draw(3, 0, i, 0);
        bool a = random & 1;
        bool b = random & 2;
        struct tk_bit *models[] = {
            &tk_contexts_find(contexts, tk_draw_round(1 + a))->bits[1],
            &tk_contexts_find(contexts, tk_draw_round(3 + b))->bits[1],
            &tk_contexts_find(contexts, tk_draw_round(5 + (random & 3)))->bits[1],
        };
        bool bit = tk_code_mixed(coder, &tables, &weights, models, 3, a != b);
        hash = (hash << 1 | hash >> 63) ^ (bit ? 1 : 0);
    }
    return hash;
}

static void the_mixer_follows_the_model_that_is_right(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_contexts contexts;
    struct tk_coder coder;
    struct tk_err err;
    tk_buf_init(&out, OUT_MAX);
    assert_int_equal(tk_contexts_init(&contexts, 8, &err), 0);
    tk_coder_begin_encode(&coder, &out);
    uint64_t coded = code_xor(&coder, &contexts, COUNT);
    tk_coder_end(&coder);
    tk_contexts_release(&contexts);
    assert_in_range(out.n, 1, COUNT / 8 / 20);
    assert_int_equal(hash_bytes(out.p, out.n), GOLDEN_XOR);

    assert_int_equal(tk_contexts_init(&contexts, 8, &err), 0);
    tk_coder_begin_decode(&coder, tk_buf_str(&out));
    assert_int_equal(code_xor(&coder, &contexts, COUNT), coded);
    assert_false(tk_coder_is_over(&coder));
    tk_contexts_release(&contexts);
}

static void a_context_keeps_its_models_until_its_place_is_needed(void **state)
{
    (void)state;
    struct tk_contexts contexts;
    struct tk_err err;
    assert_int_equal(tk_contexts_init(&contexts, 4, &err), 0);
    uint64_t often = UINT64_C(0x100000004);
    struct tk_bucket *bucket = tk_contexts_find(&contexts, often);
    for (int i = 0; i < 20; i++)
        tk_bit_update(&bucket->bits[1], true, 255);
    for (uint64_t i = 2; i < 50; i++) /* all at the same place */
        (void)tk_contexts_find(&contexts, i << 33 | 4);
    assert_ptr_equal(tk_contexts_find(&contexts, often), bucket);
    assert_int_equal(tk_bit_n(&bucket->bits[1]), 20);
    tk_contexts_release(&contexts);
    tk_contexts_release(&contexts);
}

static void draws_are_what_they_always_were(void **state)
{
    (void)state;
    assert_int_equal(tk_draw_block(1, 0), GOLDEN_DRAW_BLOCK);
    assert_int_equal(tk_draw(1, 2, 3, TK_DRAW_GAP), GOLDEN_DRAW);
    assert_int_equal(tk_draw_below(UINT64_MAX, 10), 9);
    assert_int_equal(tk_draw_below(0, 10), 0);
    size_t hits[10] = {0};
    for (uint32_t i = 0; i < 100000; i++)
        hits[tk_draw_below(tk_draw(1, 0, i, TK_DRAW_GAP), 10)]++;
    for (size_t i = 0; i < TK_COUNTOF(hits); i++)
        assert_in_range(hits[i], 9600, 10400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_what_they_always_were),
        cmocka_unit_test(squash_and_stretch_undo_each_other),
        cmocka_unit_test(the_mixer_follows_the_model_that_is_right),
        cmocka_unit_test(a_context_keeps_its_models_until_its_place_is_needed),
        cmocka_unit_test(draws_are_what_they_always_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
