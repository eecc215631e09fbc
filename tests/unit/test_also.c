/* SPDX-License-Identifier: Apache-2.0 */
/* Groups as container runtimes name them, below a root of its own: version 2 with systemd, version
 * 1 as docker without it, kubepods. */
#include "step/also.h"

#include <errno.h>

#include "tk_root.h"
#include "tk_test.h"

#define V2 "1 1 0:1 / /cg rw - cgroup2 cgroup2 rw\n"
#define V1                                                                                         \
    "1 1 0:1 / /v1/cpuacct rw - cgroup c rw,cpuacct\n2 1 0:2 / /v1/memory rw - cgroup c "          \
    "rw,memory\n"
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PODS                                                                                       \
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-" ID    \
    ".scope"

static const struct {
    const char *unit, *mountinfo, *file, *before, *after;
} cases[] = {
    {"docker-" ID ".scope", V2, "cg/system.slice/docker-" ID ".scope/cpu.stat",
     "usage_usec 1000000\n", "usage_usec 3500000\n"},
    {"/docker/" ID, V1, "v1/cpuacct/docker/" ID "/cpuacct.usage", "1000000000\n", "3500000000\n"},
    {PODS, V2, "cg" PODS "/cpu.stat", "usage_usec 0\n", "usage_usec 2500000\n"},
    {"machine.slice", V2, "cg/machine.slice/cpu.stat", "usage_usec 1\n", "usage_usec 2500001\n"},
};

static void what_a_container_used_meanwhile_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_root root;
        struct tk_arena arena;
        struct tk_also *also = NULL;
        struct tk_job_vias vias = {0};
        struct tk_err err = {0};
        tk_root_init(&root, NULL);
        tk_root_write(&root, "proc/self/mountinfo", cases[i].mountinfo);
        tk_root_write(&root, "proc/self/cgroup", "0::/\n");
        tk_root_write(&root, cases[i].file, cases[i].before);
        assert_int_equal(tk_arena_init(&arena, TK_JOB_ARENA_MAX, &err), 0);
        int rc = tk_also_new(&root.kernel, NULL, tk_str_from(cases[i].unit), &also, &err);
        if (rc < 0)
            print_error("%s: %s\n", cases[i].unit, err.msg);
        assert_int_equal(rc, 0);
        tk_root_write(&root, cases[i].file, cases[i].after);
        tk_also_take(also, &vias, &arena);
        assert_int_equal(vias.count, 1);
        assert_str_equal(vias.items[0].unit, cases[i].unit);
        assert_true(fabs(vias.items[0].cpu_s - 2.5) < 1e-9);
        tk_also_free(also);
        tk_arena_release(&arena);
        tk_root_release(&root);
    }
}

static void groups_that_work_for_builds_are_told_unless_we_are_in_them(void **state)
{
    (void)state;
    static const struct {
        const char *own;
        size_t told;
    } groups[] = {{"0::/user.slice\n", 1}, {"0::/docker/" ID "\n", 0}, {"0::/docker-1\n", 1}};
    for (size_t i = 0; i < TK_COUNTOF(groups); i++) {
        struct tk_root root;
        struct tk_arena arena;
        struct tk_also *also = NULL;
        struct tk_job_vias vias = {0};
        struct tk_err err = {0};
        tk_root_init(&root, NULL);
        tk_root_write(&root, "proc/self/mountinfo", V2);
        tk_root_write(&root, "proc/self/cgroup", groups[i].own);
        tk_root_write(&root, "cg/docker/cpu.stat", "usage_usec 1\n");
        assert_int_equal(tk_arena_init(&arena, TK_JOB_ARENA_MAX, &err), 0);
        assert_int_equal(tk_also_new(&root.kernel, NULL, TK_STR(""), &also, &err), 0);
        tk_root_write(&root, "cg/docker/cpu.stat", "usage_usec 500001\n");
        tk_also_take(also, &vias, &arena);
        assert_int_equal(vias.count, groups[i].told);
        tk_also_free(also);
        tk_arena_release(&arena);
        tk_root_release(&root);
    }
}

static void a_container_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_also *also = NULL;
    struct tk_err err = {0};
    tk_root_init(&root, NULL);
    tk_root_write(&root, "proc/self/mountinfo", V2);
    tk_root_write(&root, "proc/self/cgroup", "0::/\n");
    tk_root_write(&root, "cg/cpu.stat", "usage_usec 1\n");
    assert_int_equal(tk_also_new(&root.kernel, NULL, TK_STR("docker-1.scope"), &also, &err),
                     -ENOENT);
    assert_string_equal(err.msg, "there is no control group /system.slice/docker-1.scope");
    tk_root_release(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_container_used_meanwhile_is_told),
        cmocka_unit_test(groups_that_work_for_builds_are_told_unless_we_are_in_them),
        cmocka_unit_test(a_container_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests_name("also", tests, NULL, NULL);
}
