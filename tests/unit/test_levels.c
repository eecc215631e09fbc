/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/levels.h"

#include "base/compiler.h"
#include "codec/draw.h"
#include "tk_test.h"

static int setup(void **state)
{
    static struct tk_levels levels;
    tk_levels_init(&levels);
    *state = &levels;
    return 0;
}

static void where_cells_end_is_the_same_everywhere(void **state)
{
    const struct tk_levels *levels = *state;
    static const struct {
        uint32_t cell;
        uint64_t bound;
    } table[] = {
        {0, 1},
        {1, 2},
        {116, 2},
        {117, 3},
        {128, 3},                              /* 1.1^8 = 2.14 */
        {16 * 24, 10},                         /* 1.1^24 = 9.85 */
        {16 * 100, 13781},                     /* 1.1^100 = 13780.6 */
        {16 * 200, 189905277},                 /* 1.1^200 = 189905276.5 */
        {16 * 400, 36064014027524439},         /* 1.1^400 is ...436: the procedure counts */
        {7330, UINT64_C(9183831102156793438)}, /* the last below 2^63 */
        {7331, UINT64_C(1) << 63},
        {TK_LEVEL_FINE, UINT64_C(1) << 63},
    };
    for (size_t i = 0; i < TK_COUNTOF(table); i++)
        assert_int_equal(levels->bounds[table[i].cell], table[i].bound);
    uint64_t sum = 0;
    for (uint32_t k = 0; k <= TK_LEVEL_FINE; k++)
        sum = tk_draw_round(sum ^ levels->bounds[k]);
    assert_int_equal(sum, UINT64_C(14519866377816794309));
}

static void every_number_is_in_the_cell_that_is_found(void **state)
{
    const struct tk_levels *levels = *state;
    for (uint64_t i = 1; i < 400000; i++) {
        uint64_t value = i < 100000 ? i : (tk_draw_round(i) >> (1 + i % 62)) | 1;
        uint32_t cell = tk_levels_find(levels, value);
        assert_true(levels->bounds[cell] <= value && value < levels->bounds[cell + 1]);
    }
    uint32_t cell = tk_levels_find(levels, INT64_MAX);
    assert_true(levels->bounds[cell] <= INT64_MAX);
    assert_int_equal(levels->bounds[cell + 1], UINT64_C(1) << 63);
}

static void a_cell_without_two_halves_has_no_bit(void **state)
{
    const struct tk_levels *levels = *state;
    for (uint64_t value = 1; value < 3000; value++) {
        uint32_t fine = tk_levels_find(levels, value);
        for (unsigned depth = 0; depth < TK_LEVEL_DEPTH; depth++) {
            uint32_t cell = fine >> (TK_LEVEL_DEPTH - depth);
            uint64_t n =
                tk_levels_low(levels, depth, cell + 1) - tk_levels_low(levels, depth, cell);
            assert_true(n > 0);
            uint32_t half;
            bool splits = tk_levels_splits(levels, depth, cell, &half);
            if (n == 1)
                assert_false(splits);
            if (!splits)
                assert_int_equal(half, fine >> (TK_LEVEL_DEPTH - depth - 1) & 1);
        }
    }
}

static void the_centre_is_within_the_error_of_the_plane(void **state)
{
    const struct tk_levels *levels = *state;
    static const double q[] = {0.58, 0.233, 0.1051, 0.0501, 0.0245, 0.0121, 0.00601, 0.00301};
    for (uint64_t i = 1; i < 100000; i++) {
        uint64_t value = (tk_draw_round(i) >> (1 + i % 62)) | 1;
        for (unsigned depth = 0; depth <= TK_LEVEL_DEPTH; depth++) {
            uint32_t cell = tk_levels_find(levels, value) >> (TK_LEVEL_DEPTH - depth);
            uint64_t centre = tk_levels_centre(tk_levels_low(levels, depth, cell),
                                               tk_levels_low(levels, depth, cell + 1) - 1);
            double error = (double)centre - (double)value;
            double most = q[depth] * (double)value + 1; /* and the tick that rounding may cost */
            assert_true(error <= most && error >= -most);
        }
    }
}

static void draws_stay_in_their_bounds_and_fill_them(void **state)
{
    const struct tk_levels *levels = *state;
    for (uint64_t i = 1; i < 100000; i++) {
        uint64_t low = (tk_draw_round(i) >> (1 + i % 62)) | 1;
        uint64_t high = low + (tk_draw_round(~i) >> (1 + i % 61)) % (INT64_MAX - low + 1);
        uint64_t drawn = tk_levels_draw(levels, low, high, tk_draw_round(i * 3));
        assert_true(drawn >= low && drawn <= high);
    }
    uint32_t seen = 0;
    for (uint64_t i = 0; i < 1000; i++)
        seen |= 1U << tk_levels_draw(levels, 5, 9, tk_draw_round(i));
    assert_int_equal(seen, 0x3E0);
}

static void draws_are_even_on_the_logarithmic_scale(void **state)
{
    const struct tk_levels *levels = *state;
    int below = 0;
    for (uint64_t i = 0; i < 40000; i++)
        below += tk_levels_draw(levels, 10000, 1000000, tk_draw_round(i)) < 100000;
    assert_in_range(below, 19500, 20500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_cells_end_is_the_same_everywhere),
        cmocka_unit_test(every_number_is_in_the_cell_that_is_found),
        cmocka_unit_test(a_cell_without_two_halves_has_no_bit),
        cmocka_unit_test(the_centre_is_within_the_error_of_the_plane),
        cmocka_unit_test(draws_stay_in_their_bounds_and_fill_them),
        cmocka_unit_test(draws_are_even_on_the_logarithmic_scale),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
