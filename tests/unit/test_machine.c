/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "step/machine.h"
#include "tk_folder.h"
#include "tk_root.h"

FOLDER_OF_EACH_TEST

static void set_namespace(struct tk_root *root, const char *name, const char *link)
{
    char path[32];
    (void)snprintf(path, sizeof(path), "proc/self/ns/%s", name);
    (void)unlinkat(root->kernel.rootfd, path, 0);
    assert_int_equal(symlinkat(link, root->kernel.rootfd, path), 0);
}

static void set_boot(struct tk_root *root, const char *id)
{
    (void)snprintf(root->kernel.boot_id, sizeof(root->kernel.boot_id), "%s", id);
}

static void set_model(struct tk_root *root, const char *model)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "processor\t: 0\nmodel name\t: %s\nflags\t\t: fpu\n", model);
    tk_root_write(root, "proc/cpuinfo", text);
}

/* A machine of one CPU called "A", whose facts are kept. */
static void root_init(struct tk_root *root)
{
    static const char *const names[] = {"pid", "mnt", "ipc", "uts", "cgroup"};
    tk_root_init(root, NULL);
    tk_root_write(root, "proc/self/ns/.keep", "");
    tk_root_write(root, "proc/sys/kernel/osrelease", "6.1.0\n");
    tk_root_write(root, "proc/sys/kernel/arch", "x86_64\n");
    for (size_t i = 0; i < TK_COUNTOF(names); i++)
        set_namespace(root, names[i], "x:[1]");
    set_boot(root, "one");
    set_model(root, "A");
}

static void expect_model(struct tk_root *root, const char *model)
{
    struct tk_machine machine;
    tk_step_machine_read(&root->kernel, dirfd_of_folder, &machine);
    assert_string_equal(machine.model, model);
    assert_string_equal(machine.kernel, "6.1.0");
    assert_string_equal(machine.arch, "x86_64");
    assert_string_equal(machine.virt, "none");
}

static void facts_are_found_out_once(void **state)
{
    (void)state;
    struct tk_root root;
    root_init(&root);
    expect_model(&root, "A");
    set_model(&root, "B");
    expect_model(&root, "A");
    tk_root_release(&root);
}

static void another_boot_namespace_or_damage_makes_them_new(void **state)
{
    (void)state;
    struct tk_root root;
    root_init(&root);
    expect_model(&root, "A");
    set_model(&root, "B");
    set_boot(&root, "two");
    expect_model(&root, "B");

    set_model(&root, "C");
    set_namespace(&root, "mnt", "x:[2]");
    expect_model(&root, "C");

    /* One letter of the model. */
    set_model(&root, "D");
    char *text = folder_get(folder, TK_STEP_MACHINE_NAME);
    assert_non_null(text);
    char *at = strstr(text, "\tC\t");
    assert_non_null(at);
    at[1] = 'X';
    folder_put(folder, TK_STEP_MACHINE_NAME, text);
    expect_model(&root, "D");

    set_model(&root, "E");
    at[1] = '\0';
    folder_put(folder, TK_STEP_MACHINE_NAME, text);
    expect_model(&root, "E");
    set_model(&root, "F");
    folder_put(folder, TK_STEP_MACHINE_NAME, "");
    expect_model(&root, "F");
    set_model(&root, "G");
    expect_model(&root, "F"); /* kept again */
    free(text);
    tk_root_release(&root);
}

/* Nothing that could tell one boot from the next. */
static void nothing_is_kept_without_a_key(void **state)
{
    (void)state;
    struct tk_root root;
    root_init(&root);
    set_boot(&root, "");
    expect_model(&root, "A");
    assert_null(folder_get(folder, TK_STEP_MACHINE_NAME));
    set_boot(&root, "one");
    (void)unlinkat(root.kernel.rootfd, "proc/self/ns/mnt", 0);
    expect_model(&root, "A");
    assert_null(folder_get(folder, TK_STEP_MACHINE_NAME));
    tk_root_release(&root);
}

/* A folder that no file can be made in: the fact is right all the same. */
static void facts_need_no_file(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_machine machine;
    root_init(&root);
    TK_CLEANUP(tk_fd_close) int gone = -1;
    struct tk_err err;
    char path[PATH_MAX + 8];
    (void)snprintf(path, sizeof(path), "%s/gone", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(tk_dir_open(AT_FDCWD, path, &gone, &err), 0);
    assert_int_equal(rmdir(path), 0);
    tk_step_machine_read(&root.kernel, gone, &machine);
    assert_string_equal(machine.model, "A");
    assert_string_equal(machine.virt, "none");
    tk_root_release(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(facts_are_found_out_once, open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(another_boot_namespace_or_damage_makes_them_new,
                                        open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(nothing_is_kept_without_a_key, open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(facts_need_no_file, open_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
