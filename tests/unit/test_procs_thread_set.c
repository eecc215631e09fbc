/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs_thread_set.h"

#include "tk_test.h"

/* Whether a thread lives is asked of this: ids from `first` on do. */
struct world {
    pid_t first;
    int64_t asked;
};

static bool is_alive(void *context, const struct tk_thread *thread)
{
    struct world *world = context;
    world->asked++;
    return thread->tid >= world->first;
}

static void holds_100_000_threads_that_live(void **state)
{
    (void)state;
    TK_CLEANUP(tk_thread_set_release) struct tk_thread_set set = {0};
    struct world world = {.first = 1};
    for (pid_t tid = 1; tid <= 100000; tid++) {
        struct tk_thread *thread = tk_thread_set_add(&set, tid, is_alive, &world);
        assert_non_null(thread);
        assert_int_equal(thread->cpu_ns, 0);
        thread->cpu_ns = tid * 7LL;
    }
    assert_int_equal(set.count, 100000);
    for (pid_t tid = 1; tid <= 100000; tid++)
        assert_int_equal(tk_thread_set_find(&set, tid)->cpu_ns, tid * 7LL);
    assert_null(tk_thread_set_find(&set, 100001));
}

static void a_thread_that_is_in_is_found_not_added(void **state)
{
    (void)state;
    TK_CLEANUP(tk_thread_set_release) struct tk_thread_set set = {0};
    struct world world = {.first = 1};
    assert_null(tk_thread_set_find(&set, 7));
    struct tk_thread *thread = tk_thread_set_add(&set, 7, is_alive, &world);
    thread->pid = 5;
    assert_ptr_equal(tk_thread_set_add(&set, 7, is_alive, &world), thread);
    assert_int_equal(thread->pid, 5);
    assert_int_equal(set.count, 1);
}

static void those_that_ended_make_room_for_those_that_come(void **state)
{
    (void)state;
    TK_CLEANUP(tk_thread_set_release) struct tk_thread_set set = {0};
    struct world world = {0};
    for (pid_t tid = 1; tid <= 1000000; tid++) {
        world.first = tid - 100; /* so many live at a time */
        assert_non_null(tk_thread_set_add(&set, tid, is_alive, &world));
    }
    assert_in_range(set.mask, 1, 1023);
    assert_in_range(world.asked, 1, 2000000);
    for (pid_t tid = 1000000 - 100; tid <= 1000000; tid++)
        assert_int_equal(tk_thread_set_find(&set, tid)->tid, tid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_100_000_threads_that_live),
        cmocka_unit_test(a_thread_that_is_in_is_found_not_added),
        cmocka_unit_test(those_that_ended_make_room_for_those_that_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
