/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the number of threads, results are handed on in order, and the first failure is told. */
#include "codec/block_lanes.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "tk_test.h"

struct work {
    size_t handed[200]; /* in the order in which they were */
    size_t count;
    size_t failing; /* index; SIZE_MAX = none */
};

static int work(struct tk_block_lanes *lanes, void *user, void *own, size_t index,
                struct tk_err *err)
{
    struct work *all = user;
    /* Some take longer, so that their followers have to wait. */
    (void)nanosleep(&(struct timespec){.tv_nsec = index % 7 == 0 ? 300000 : 1000}, NULL);
    if (index >= all->failing)
        return tk_fail(err, -EBADMSG, "index %zu", index);
    if (own)
        ++*(size_t *)own;
    int rc = tk_block_lanes_wait(lanes, index);
    if (rc == 0)
        all->handed[all->count++] = index;
    return rc;
}

static int open_lane(void *user, void **ret_own, struct tk_err *err)
{
    (void)user;
    *ret_own = calloc(1, sizeof(size_t));
    return *ret_own ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

static int open_fails(void *user, void **ret_own, struct tk_err *err)
{
    (void)user;
    (void)ret_own;
    return tk_fail(err, -ENOMEM, "out of memory");
}

static void results_are_handed_on_in_order(void **state)
{
    (void)state;
    for (uint32_t threads = 0; threads <= 5; threads++) {
        struct work all = {.failing = SIZE_MAX};
        struct tk_err err;
        const struct tk_block_job job = {.count = 200,
                                         .threads = threads,
                                         .user = &all,
                                         .open = open_lane,
                                         .close = free,
                                         .work = work};
        assert_int_equal(tk_block_lanes_run(&job, &err), 0);
        assert_int_equal(all.count, 200);
        for (size_t i = 0; i < all.count; i++)
            assert_int_equal(all.handed[i], i);
    }
}

static void the_first_failure_is_told_and_nothing_behind_it_is_handed_on(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= 5; threads++) {
        struct work all = {.failing = 63};
        struct tk_err err;
        const struct tk_block_job job = {
            .count = 200, .threads = threads, .user = &all, .work = work};
        assert_int_equal(tk_block_lanes_run(&job, &err), -EBADMSG);
        assert_string_equal(err.msg, "index 63");
        assert_int_equal(all.count, 63);
    }
}

static void a_lane_that_cannot_begin_fails_the_work(void **state)
{
    (void)state;
    struct work all = {.failing = SIZE_MAX};
    struct tk_err err;
    const struct tk_block_job job = {
        .count = 3, .threads = 2, .user = &all, .open = open_fails, .close = free, .work = work};
    assert_int_equal(tk_block_lanes_run(&job, &err), -ENOMEM);
    assert_int_equal(all.count, 0);
}

static void nothing_to_do_is_done(void **state)
{
    (void)state;
    struct tk_err err;
    const struct tk_block_job job = {.threads = 4, .work = work};
    assert_int_equal(tk_block_lanes_run(&job, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_handed_on_in_order),
        cmocka_unit_test(the_first_failure_is_told_and_nothing_behind_it_is_handed_on),
        cmocka_unit_test(a_lane_that_cannot_begin_fails_the_work),
        cmocka_unit_test(nothing_to_do_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
