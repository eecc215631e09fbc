/* SPDX-License-Identifier: Apache-2.0 */
/* On the groups of version 2 of this machine; skipped where it gives us none, or none with
 * controllers. */
#include "collect/cgroup_folders.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "collect/cgroup_mounts.h"
#include "tk_test.h"

enum { PASSED, FAILED, NO_GROUP, NO_CONTROLLERS };

static bool read_file(int group, const char *name, char *buf, size_t cap)
{
    tk_str text;
    struct tk_err ignored;
    char raw[4096];
    return tk_file_read(group, name, raw, sizeof(raw), &text, &ignored) == 0 &&
           tk_str_to_cstr(tk_str_trim(text), buf, cap);
}

/* Our own group of version 2, or -1. */
static int open_own(void)
{
    struct tk_kernel kernel;
    struct tk_cgroup_mounts mounts;
    struct tk_err err;
    char path[TK_CGROUP_PATH_MAX];
    int fd = -1;
    if (tk_kernel_open(&kernel, "/", &err) < 0)
        return -1;
    if (tk_cgroup_mounts_read(&kernel, &mounts, &err) == 0 &&
        tk_cgroup_file_path(&mounts, TK_CGROUP_V2, mounts.own[TK_CGROUP_V2], "", path,
                            sizeof(path)) == 0)
        fd = openat(kernel.rootfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tk_kernel_close(&kernel);
    return fd;
}

/* Run `work` in a child alone in a new group; returns what it returned. */
static int run_alone(int (*work)(int group))
{
    char name[64];
    TK_CLEANUP(tk_fd_close) int own = open_own();
    (void)snprintf(name, sizeof(name), "tracekit-test-%d", (int)getpid());
    if (own < 0 || mkdirat(own, name, 0755) < 0)
        return NO_GROUP;
    pid_t child = fork();
    if (child == 0) {
        int group = openat(own, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _exit(tk_cgroup_write(group, "cgroup.procs", "0") == 0 ? work(group) : FAILED);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(tk_cgroup_remove(own, name));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool find_controller(int group, char *name, size_t cap)
{
    char list[256];
    if (!read_file(group, "cgroup.controllers", list, sizeof(list)))
        return false;
    tk_str text = tk_str_from(list);
    tk_str word;
    return tk_str_take_word(&text, &word) && tk_str_to_cstr(word, name, cap);
}

#define CHECK(condition)                                                                           \
    if (!(condition)) {                                                                            \
        print_error("# line %d: %s\n", __LINE__, #condition);                                      \
        return FAILED;                                                                             \
    }

static int step_aside_and_back(int group)
{
    char controller[32];
    char text[256];
    char expected[64];
    struct tk_cgroup_step step;
    if (!find_controller(group, controller, sizeof(controller)))
        return NO_CONTROLLERS;
    const char *const wanted[] = {controller, "no-such-controller", NULL};
    tk_cgroup_step_aside(&step, group, wanted);
    CHECK(step.aside);
    CHECK(read_file(group, "cgroup.subtree_control", text, sizeof(text)));
    CHECK(strcmp(text, controller) == 0);
    CHECK(read_file(group, "cgroup.procs", text, sizeof(text)));
    CHECK(strcmp(text, "") == 0);
    CHECK(mkdirat(group, "leaf", 0755) == 0);
    CHECK(read_file(group, "leaf/cgroup.controllers", text, sizeof(text)));
    CHECK(strcmp(text, controller) == 0);
    CHECK(tk_cgroup_remove(group, "leaf"));

    tk_cgroup_step_back(&step, group);
    CHECK(!step.aside);
    CHECK(read_file(group, "cgroup.subtree_control", text, sizeof(text)));
    CHECK(strcmp(text, "") == 0);
    (void)snprintf(expected, sizeof(expected), "%d", (int)getpid());
    CHECK(read_file(group, "cgroup.procs", text, sizeof(text)));
    CHECK(strcmp(text, expected) == 0);
    return PASSED;
}

static void the_only_process_of_a_group_steps_aside_and_back(void **state)
{
    (void)state;
    int result = run_alone(step_aside_and_back);
    if (result == NO_GROUP)
        return_without("group of version 2 of our own");
    if (result == NO_CONTROLLERS)
        return_without("controller in the groups of version 2");
    assert_int_equal(result, PASSED);
}

static int stay_in_company(int group)
{
    char controller[32];
    struct tk_cgroup_step step;
    bool has_controller = find_controller(group, controller, sizeof(controller));
    pid_t other = fork();
    if (other == 0) {
        pause();
        _exit(0);
    }
    const char *const wanted[] = {has_controller ? controller : "memory", NULL};
    tk_cgroup_step_aside(&step, group, wanted);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    CHECK(!step.aside);
    tk_cgroup_step_back(&step, group);
    return PASSED;
}

static void in_company_nothing_is_touched(void **state)
{
    (void)state;
    int result = run_alone(stay_in_company);
    if (result == NO_GROUP)
        return_without("group of version 2 of our own");
    assert_int_equal(result, PASSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_only_process_of_a_group_steps_aside_and_back),
        cmocka_unit_test(in_company_nothing_is_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
