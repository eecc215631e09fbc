/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>

#include "tk_test.h"

static struct tk_arena make(size_t max)
{
    struct tk_arena arena;
    struct tk_err err;
    assert_int_equal(tk_arena_init(&arena, max, &err), 0);
    return arena;
}

static void allocations_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    TK_CLEANUP(tk_arena_release) struct tk_arena arena = make(4096);
    char *before = NULL;
    for (size_t n = 1; n < 40; n++) {
        char *p = tk_arena_alloc(&arena, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        assert_true(!before || p >= before + n - 1);
        memset(p, 0xFF, n);
        before = p;
    }
}

static void the_cap_holds_to_the_byte(void **state)
{
    (void)state;
    TK_CLEANUP(tk_arena_release) struct tk_arena arena = make(64);
    assert_null(tk_arena_alloc(&arena, 65));
    assert_non_null(tk_arena_alloc(&arena, 64));
    assert_null(tk_arena_alloc(&arena, 1));
    assert_null(tk_arena_copy(&arena, TK_STR("x")).p);
    assert_null(tk_arena_alloc(&arena, SIZE_MAX));
    tk_arena_reset(&arena);
    assert_int_equal(tk_arena_copy(&arena, TK_STR("x")).n, 1);
}

static void copies_are_packed_and_outlive_what_they_came_from(void **state)
{
    (void)state;
    TK_CLEANUP(tk_arena_release) struct tk_arena arena = make(64);
    char word[] = "word";
    tk_str first = tk_arena_copy(&arena, tk_str_from(word));
    tk_str second = tk_arena_copy(&arena, TK_STR("more"));
    memset(word, 'x', 4);
    assert_str_equal(first, "word");
    assert_str_equal(second, "more");
    assert_ptr_equal(second.p, first.p + 4);
    assert_int_equal(tk_arena_copy(&arena, TK_STR("")).n, 0);
    assert_int_equal(arena.n, 8);
}

static void it_knows_its_own_memory(void **state)
{
    (void)state;
    TK_CLEANUP(tk_arena_release) struct tk_arena arena = make(64);
    tk_str copy = tk_arena_copy(&arena, TK_STR("word"));
    assert_true(tk_arena_has(&arena, copy.p));
    assert_true(tk_arena_has(&arena, copy.p + 3));
    assert_false(tk_arena_has(&arena, copy.p + 4));
    assert_false(tk_arena_has(&arena, "word"));
    tk_arena_release(&arena);
    assert_false(tk_arena_has(&arena, NULL));
}

static void more_than_the_address_space_is_refused(void **state)
{
    (void)state;
    struct tk_arena arena = {0};
    struct tk_err err;
    assert_int_equal(tk_arena_init(&arena, SIZE_MAX / 2, &err), -ENOMEM);
    assert_string_equal(err.msg, "reserve 9223372036854775807 bytes: Cannot allocate memory");
    tk_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_do_not_overlap),
        cmocka_unit_test(the_cap_holds_to_the_byte),
        cmocka_unit_test(copies_are_packed_and_outlive_what_they_came_from),
        cmocka_unit_test(it_knows_its_own_memory),
        cmocka_unit_test(more_than_the_address_space_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
