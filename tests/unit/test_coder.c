/* SPDX-License-Identifier: Apache-2.0 */
/* The coder gives back what it coded, in hardly more bits than there is to say; its tables are the
 * same everywhere. */
#include "codec/coder.h"

#include <string.h>

#include "codec/draw.h"
#include "tk_test.h"

#define GOLDEN_BYTES UINT64_C(0x2058)
#define GOLDEN_HASH  UINT64_C(0x360A573F1F279742)
#define GOLDEN_RATES UINT64_C(0xA3FD12CAB85B96E9)
#define OUT_MAX      ((size_t)16 << 20)

static uint64_t random_at(uint64_t i)
{
    return tk_draw(7, (uint32_t)(i >> 32), (uint32_t)i, 1);
}

static uint64_t hash_bytes(const void *bytes, size_t n)
{
    uint64_t hash = 0xCBF29CE484222325ULL;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3ULL;
    return hash;
}

/* Numbers of all sizes, around powers of two. */
static uint64_t value_at(uint64_t i)
{
    unsigned bits = (unsigned)(random_at(i) % 65);
    uint64_t value = bits > 0 ? UINT64_MAX >> (64 - bits) : 0;
    return i % 3 == 0 ? value : value & random_at(i + (UINT64_C(1) << 40));
}

/* A bit of every kind of call; `count` times. Returns how many values differ from what is coded. */
static size_t code_all(struct tk_coder *coder, size_t count)
{
    static const unsigned sizes[] = {0, 1, 2, 7, 15, 16, 17, 31, 32};
    struct tk_exp_models exp;
    struct tk_bit tree[256];
    struct tk_bit bit = TK_BIT_NEW;
    size_t wrong = 0;
    tk_exp_models_init(&exp);
    tk_bits_init(tree, TK_COUNTOF(tree));
    for (size_t i = 0; i < count; i++) {
        uint64_t value = value_at(i);
        unsigned n = sizes[i % TK_COUNTOF(sizes)];
        uint32_t raw = (uint32_t)(random_at(i) & ((UINT64_C(1) << n) - 1));
        wrong += tk_code_exp(coder, &exp, value) != value;
        wrong += tk_code_raw(coder, raw, n) != raw;
        wrong += tk_code_tree(coder, tree, 8, (uint32_t)(i % 200)) != i % 200;
        wrong += tk_code_bit(coder, &bit, i % 50 == 0) != (i % 50 == 0);
        wrong += tk_code_decision(coder, i % 2 ? 65535 : 1, i % 9 == 0) != (i % 9 == 0);
    }
    return wrong;
}

static void what_was_coded_comes_back(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 50, 20000};
    for (size_t i = 0; i < TK_COUNTOF(counts); i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf out;
        struct tk_coder coder;
        tk_buf_init(&out, OUT_MAX);
        tk_coder_begin_encode(&coder, &out);
        assert_int_equal(code_all(&coder, counts[i]), 0);
        tk_coder_end(&coder);
        assert_true(tk_buf_ok(&out));
        tk_coder_begin_decode(&coder, tk_buf_str(&out));
        struct tk_exp_models exp;
        struct tk_bit tree[256];
        struct tk_bit bit = TK_BIT_NEW;
        tk_exp_models_init(&exp);
        tk_bits_init(tree, TK_COUNTOF(tree));
        for (size_t k = 0; k < counts[i]; k++) {
            static const unsigned sizes[] = {0, 1, 2, 7, 15, 16, 17, 31, 32};
            unsigned n = sizes[k % TK_COUNTOF(sizes)];
            assert_int_equal(tk_code_exp(&coder, &exp, 0), value_at(k));
            assert_int_equal(tk_code_raw(&coder, 0, n), random_at(k) & ((UINT64_C(1) << n) - 1));
            assert_int_equal(tk_code_tree(&coder, tree, 8, 0), k % 200);
            assert_int_equal(tk_code_bit(&coder, &bit, false), k % 50 == 0);
            assert_int_equal(tk_code_decision(&coder, k % 2 ? 65535 : 1, false), k % 9 == 0);
        }
        assert_false(tk_coder_is_over(&coder));
    }
}

static void the_bytes_are_what_they_always_were(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_coder coder;
    tk_buf_init(&out, OUT_MAX);
    tk_coder_begin_encode(&coder, &out);
    assert_int_equal(code_all(&coder, 1000), 0);
    tk_coder_end(&coder);
    assert_int_equal(out.n, GOLDEN_BYTES);
    assert_int_equal(hash_bytes(out.p, out.n), GOLDEN_HASH);
    assert_int_equal(hash_bytes(tk_bit_rates, sizeof(tk_bit_rates)), GOLDEN_RATES);
}

/* Measuring says what coding takes, and both are near the entropy. */
static void coding_takes_hardly_more_than_the_entropy(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    const double entropy = 0.4689955935892812; /* of 1 : 9, in bits */
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_coder coders[2];
    tk_buf_init(&out, OUT_MAX);
    tk_coder_begin_encode(&coders[0], &out);
    tk_coder_begin_measure(&coders[1]);
    for (size_t i = 0; i < 2; i++) {
        struct tk_bit bit = TK_BIT_NEW;
        for (uint64_t k = 0; k < COUNT; k++)
            (void)tk_code_bit(&coders[i], &bit, random_at(k) % 10 == 0);
        tk_coder_end(&coders[i]);
    }
    double bits = (double)out.n * 8;
    assert_near(bits / COUNT, entropy, 0.006);
    assert_near((double)coders[1].cost / 4096, bits, bits / 200);
}

static void the_cost_of_a_decision_is_its_logarithm(void **state)
{
    (void)state;
    assert_int_equal(tk_coder_cost(32768), 4096);
    assert_int_equal(tk_coder_cost(16384), 2 * 4096);
    assert_int_equal(tk_coder_cost(1), 16 * 4096);
    assert_near((double)tk_coder_cost(65535), 0, 1);
    assert_near((double)tk_coder_cost(49152) / 4096, 0.4150374992788438, 0.001);
}

/* Whatever the cut, the decoder goes on with zeros and says in the end that it did. */
static void a_stream_that_was_cut_is_noticed(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_coder coder;
    tk_buf_init(&out, OUT_MAX);
    tk_coder_begin_encode(&coder, &out);
    assert_int_equal(code_all(&coder, 300), 0);
    tk_coder_end(&coder);
    for (size_t n = 0; n + 40 < out.n; n += 7) {
        struct tk_exp_models exp;
        tk_exp_models_init(&exp);
        tk_coder_begin_decode(&coder, (tk_str){out.p, n});
        for (size_t i = 0; i < out.n; i++)
            (void)tk_code_raw(&coder, 0, 8);
        assert_true(tk_coder_is_over(&coder));
        assert_in_range(tk_code_exp(&coder, &exp, 0), 0, UINT64_MAX);
    }
}

/* Any bytes decode to something, within the ranges. */
static void any_bytes_decode_within_ranges(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint64_t bytes[32];
        struct tk_coder coder;
        struct tk_exp_models exp;
        struct tk_bit tree[32];
        for (size_t i = 0; i < TK_COUNTOF(bytes); i++)
            bytes[i] = seed % 5 == 0 ? UINT64_MAX : random_at(seed << 8 | i);
        tk_exp_models_init(&exp);
        tk_bits_init(tree, TK_COUNTOF(tree));
        tk_coder_begin_decode(&coder, (tk_str){(const char *)bytes, sizeof(bytes)});
        while (!tk_coder_is_over(&coder)) {
            assert_in_range(tk_code_tree(&coder, tree, 5, 0), 0, 31);
            assert_in_range(tk_code_raw(&coder, 0, 3), 0, 7);
            (void)tk_code_exp(&coder, &exp, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_coded_comes_back),
        cmocka_unit_test(the_bytes_are_what_they_always_were),
        cmocka_unit_test(coding_takes_hardly_more_than_the_entropy),
        cmocka_unit_test(the_cost_of_a_decision_is_its_logarithm),
        cmocka_unit_test(a_stream_that_was_cut_is_noticed),
        cmocka_unit_test(any_bytes_decode_within_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
