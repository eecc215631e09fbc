/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/cgroup_mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tk_test.h"

static void parse(struct tk_cgroup_mounts *mounts, const char *mountinfo, const char *self_cgroup)
{
    tk_cgroup_mounts_parse(tk_str_from(mountinfo), mounts);
    tk_cgroup_own_parse(tk_str_from(self_cgroup), mounts);
}

static void versions_are_told_apart(void **state)
{
    (void)state;
    static const char v1[] = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup "
                             "rw,cpu,cpuacct\n"
                             "33 31 0:30 / /sys/fs/cgroup/memory rw shared:5 - cgroup none "
                             "rw,memory\n";
    static const char v2[] = "41 31 0:38 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 "
                             "rw,nsdelegate\n";
    struct tk_cgroup_mounts mounts;
    char both[512];
    (void)snprintf(both, sizeof(both), "%s%s", v1, v2);
    parse(&mounts, "", "");
    assert_int_equal(tk_cgroup_mounts_version(&mounts), 0);
    parse(&mounts, v1, "");
    assert_int_equal(tk_cgroup_mounts_version(&mounts), 1);
    assert_string_equal(mounts.mounts[TK_CGROUP_CPU].at, "sys/fs/cgroup/cpu,cpuacct");
    assert_string_equal(mounts.mounts[TK_CGROUP_CPUACCT].at, "sys/fs/cgroup/cpu,cpuacct");
    assert_string_equal(mounts.mounts[TK_CGROUP_MEMORY].at, "sys/fs/cgroup/memory");
    assert_string_equal(mounts.mounts[TK_CGROUP_PIDS].at, "");
    parse(&mounts, v2, "");
    assert_int_equal(tk_cgroup_mounts_version(&mounts), 2);
    parse(&mounts, both, "");
    assert_int_equal(tk_cgroup_mounts_version(&mounts), 3);
}

static void lines_that_are_no_mounts_of_groups_are_passed_over(void **state)
{
    (void)state;
    struct tk_cgroup_mounts mounts;
    parse(&mounts,
          "\n1 2 3\n20 1 254:0 / / rw - ext4 /dev/vda rw\n"
          "36 35 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
          "37 35 0:31 / /sys/fs/cgroup/misc rw shared:1 - cgroup cgroup rw,mymemory\n"
          "38 35 0:32 / /sys/fs/cgroup/memory rw\n",
          "nonsense\n5:memory\n6:memory:relative\n");
    assert_int_equal(tk_cgroup_mounts_version(&mounts), 0);
    assert_string_equal(mounts.own[TK_CGROUP_MEMORY], "");
}

static void escaped_mount_points_are_decoded_and_the_first_mount_counts(void **state)
{
    (void)state;
    struct tk_cgroup_mounts mounts;
    parse(&mounts,
          "41 31 0:38 /a\\040b /my\\134place rw - cgroup2 cgroup2 rw\n"
          "42 31 0:38 / /second rw - cgroup2 cgroup2 rw\n",
          "0::/a b/c\n");
    assert_string_equal(mounts.mounts[TK_CGROUP_V2].at, "my\\place");
    assert_string_equal(mounts.mounts[TK_CGROUP_V2].from, "/a b");
    assert_string_equal(mounts.own[TK_CGROUP_V2], "/a b/c");
}

static void files_of_a_group_are_found_below_what_the_mount_shows(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *group;
        const char *file;
        const char *path;
        int code;
    } cases[] = {
        {"/", "/", "cpu.stat", "cg/cpu.stat", 0},
        {"/", "/a/b", "cpu.stat", "cg/a/b/cpu.stat", 0},
        {"/", "/a/b", "", "cg/a/b", 0},
        {"/docker/x", "/docker/x", "cpu.stat", "cg/cpu.stat", 0},
        {"/docker/x", "/docker/x/in", "cpu.stat", "cg/in/cpu.stat", 0},
        {"/docker/x", "/docker/xy", "cpu.stat", NULL, -ENOENT},
        {"/docker/x", "/other", "cpu.stat", NULL, -ENOENT},
        {"/../..", "/a", "cpu.stat", "cg/a/cpu.stat", 0},
        {"/", "", "cpu.stat", NULL, -ENOENT},
        {"/", "/a-group-with-a-long-name-that-does-not-fit", "f", NULL, -ENAMETOOLONG},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_cgroup_mounts mounts = {0};
        char path[40];
        strcpy(mounts.mounts[TK_CGROUP_V2].at, "cg");
        strcpy(mounts.mounts[TK_CGROUP_V2].from, cases[i].from);
        assert_int_equal(tk_cgroup_file_path(&mounts, TK_CGROUP_V2, cases[i].group, cases[i].file,
                                             path, sizeof(path)),
                         cases[i].code);
        if (cases[i].path)
            assert_string_equal(path, cases[i].path);
    }
}

static void a_hierarchy_that_is_not_mounted_has_no_files(void **state)
{
    (void)state;
    struct tk_cgroup_mounts mounts = {0};
    char path[64];
    assert_int_equal(tk_cgroup_file_path(&mounts, TK_CGROUP_MEMORY, "/a", "x", path, sizeof(path)),
                     -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_told_apart),
        cmocka_unit_test(lines_that_are_no_mounts_of_groups_are_passed_over),
        cmocka_unit_test(escaped_mount_points_are_decoded_and_the_first_mount_counts),
        cmocka_unit_test(files_of_a_group_are_found_below_what_the_mount_shows),
        cmocka_unit_test(a_hierarchy_that_is_not_mounted_has_no_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
