/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "tk_test.h"

static void holds_what_was_added_through_growth_and_removal(void **state)
{
    (void)state;
    TK_CLEANUP(tk_map_release) struct tk_map map = {0};
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(tk_map_add(&map, i * 64ULL, i), 0);
    for (uint32_t i = 0; i < 10000; i += 3)
        assert_true(tk_map_remove(&map, i * 64ULL));
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t value;
        bool found = tk_map_find(&map, i * 64ULL, &value);
        assert_int_equal(found, i % 3 != 0);
        if (found)
            assert_int_equal(value, i);
    }
    assert_int_equal(map.count, 6666);
}

static void replaces_the_value_of_a_key(void **state)
{
    (void)state;
    TK_CLEANUP(tk_map_release) struct tk_map map = {0};
    uint32_t value;
    assert_false(tk_map_find(&map, 0, &value));
    assert_false(tk_map_remove(&map, 0));
    assert_int_equal(tk_map_add(&map, 0, 1), 0);
    assert_int_equal(tk_map_add(&map, 0, 2), 0);
    assert_true(tk_map_find(&map, 0, &value));
    assert_int_equal(value, 2);
    assert_int_equal(map.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_was_added_through_growth_and_removal),
        cmocka_unit_test(replaces_the_value_of_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
