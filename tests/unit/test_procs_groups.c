/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs_groups.h"

#include "base/compiler.h"
#include "tk_test.h"

static void a_group_has_one_number_for_all_its_users(void **state)
{
    (void)state;
    TK_CLEANUP(tk_groups_release) struct tk_groups groups = {0};
    uint32_t web = tk_groups_add(&groups, TK_STR("/web"), TK_STR("nginx"));
    uint32_t root = tk_groups_add(&groups, TK_STR("/"), TK_STR(""));
    assert_int_not_equal(web, 0);
    assert_int_not_equal(web, root);
    assert_int_equal(tk_groups_add(&groups, TK_STR("/web"), TK_STR("nginx")), web);
    assert_string_equal(tk_groups_path(&groups, web), "/web");
    assert_string_equal(tk_groups_container(&groups, web), "nginx");
    assert_string_equal(tk_groups_container(&groups, root), "");
    assert_string_equal(tk_groups_path(&groups, 0), "");
}

static void a_number_is_given_anew_after_its_last_user(void **state)
{
    (void)state;
    TK_CLEANUP(tk_groups_release) struct tk_groups groups = {0};
    uint32_t job = tk_groups_add(&groups, TK_STR("/job1"), TK_STR(""));
    tk_groups_hold(&groups, job);
    tk_groups_drop(&groups, job);
    assert_string_equal(tk_groups_path(&groups, job), "/job1");
    tk_groups_drop(&groups, job);
    assert_int_equal(tk_groups_add(&groups, TK_STR("/job2"), TK_STR("")), job);
    tk_groups_drop(&groups, 0); /* nobody's */
}

static void groups_that_come_and_go_all_day_take_no_more_room(void **state)
{
    (void)state;
    TK_CLEANUP(tk_groups_release) struct tk_groups groups = {0};
    for (int i = 0; i < 100000; i++) {
        char path[32];
        int n = snprintf(path, sizeof(path), "/job%d", i);
        uint32_t job = tk_groups_add(&groups, (tk_str){path, (size_t)n}, TK_STR("c"));
        assert_string_equal(tk_groups_path(&groups, job), path);
        tk_groups_drop(&groups, job);
    }
    assert_in_range(groups.count, 1, 2);
    assert_int_equal(groups.by_path.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_has_one_number_for_all_its_users),
        cmocka_unit_test(a_number_is_given_anew_after_its_last_user),
        cmocka_unit_test(groups_that_come_and_go_all_day_take_no_more_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
