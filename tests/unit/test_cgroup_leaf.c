/* SPDX-License-Identifier: Apache-2.0 */
/* On the groups of this machine; skipped where it gives us none. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"
#include "collect/cgroup_mounts.h"
#include "collect/cgroups.h"
#include "collect/launch.h"
#include "tk_test.h"

struct fixture {
    struct tk_kernel kernel;
    struct tk_cgroup_mounts mounts;
    char name[64];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct tk_err err;
    *state = fixture;
    if (!fixture || tk_kernel_open(&fixture->kernel, "/", &err) < 0)
        return -1;
    (void)snprintf(fixture->name, sizeof(fixture->name), "tracekit-test-%d", (int)getpid());
    (void)(tk_cgroup_mounts_read(&fixture->kernel, &fixture->mounts, &err) == 0);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    tk_kernel_close(&fixture->kernel);
    free(fixture);
    return 0;
}

/* A leaf; NULL, after saying why, where this host gives us none. */
static struct tk_cgroup_leaf *make_leaf(struct fixture *fixture)
{
    struct tk_cgroup_leaf *leaf = NULL;
    struct tk_err err;
    if (tk_cgroup_leaf_new(&fixture->kernel, NULL, fixture->name, &leaf, &err) < 0) {
        print_message("# skipped, there is no group of our own: %s\n", err.msg);
        return NULL;
    }
    return leaf;
}

/* The folder of the leaf in a hierarchy; false when the hierarchy is not there. */
static bool folder_of(const struct fixture *fixture, int hierarchy, char *path, size_t cap)
{
    char own[TK_CGROUP_PATH_MAX - 1];
    if (tk_cgroup_file_path(&fixture->mounts, hierarchy, fixture->mounts.own[hierarchy],
                            fixture->name, own, sizeof(own)) < 0)
        return false;
    (void)snprintf(path, cap, "/%s", own);
    return true;
}

static int count_folders(const struct fixture *fixture)
{
    int n = 0;
    for (int hierarchy = 0; hierarchy < TK_CGROUP_HIERARCHIES; hierarchy++) {
        char path[TK_CGROUP_PATH_MAX + 8];
        n += folder_of(fixture, hierarchy, path, sizeof(path)) && access(path, F_OK) == 0;
    }
    return n;
}

static void spin_ms(int ms)
{
    struct timespec t;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < ms);
}

/* A child that goes into the leaf, runs `work` and waits to be killed when that returns true. */
static pid_t start(const struct tk_cgroup_leaf *leaf, bool (*work)(void), int *ret_ready)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        char result = tk_cgroup_leaf_enter(leaf, false) == 0 ? 'y' : 'n';
        bool stay = work();
        (void)!write(ready[1], &result, 1);
        if (stay)
            pause();
        _exit(0);
    }
    close(ready[1]);
    *ret_ready = ready[0];
    return child;
}

static void wait_ready(int fd)
{
    char result = 0;
    assert_int_equal(read(fd, &result, 1), 1);
    close(fd);
    assert_int_equal(result, 'y');
}

/* 60 ms of CPU in a grandchild that is gone, and 32 MiB of memory in one that stays. */
static bool work_in_a_tree(void)
{
    pid_t child = fork();
    if (child == 0) {
        spin_ms(60);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    size_t n = (size_t)32 << 20;
    char *p = malloc(n);
    if (p)
        memset(p, 1, n);
    TK_OPAQUE(p); /* or the compiler leaves all of it out */
    free(p);
    return true;
}

/* Two grandchildren that never rest, until their parent ends. */
static bool work_on_and_on(void)
{
    pid_t parent = getpid();
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            while (getppid() == parent) /* it may have ended before */
                continue;
            _exit(0);
        }
    }
    return true;
}

static bool work_nothing(void)
{
    return true;
}

struct entering {
    const struct tk_cgroup_leaf *leaf;
};

static int enter(void *context, bool in_group)
{
    const struct entering *entering = context;
    return tk_cgroup_leaf_enter(entering->leaf, in_group);
}

/* How many folders of the leaf a command is in that is launched with `group_fd`. */
static int launch_and_count(const struct fixture *fixture, const struct tk_cgroup_leaf *leaf,
                            int group_fd)
{
    char script[128];
    struct entering entering = {leaf};
    struct tk_launch *launch;
    struct tk_launch_result result;
    struct tk_err err;
    (void)snprintf(script, sizeof(script), "exit $(grep -c %s /proc/self/cgroup)", fixture->name);
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, script, NULL};
    const struct tk_launch_options options = {
        .argv = argv, .group_fd = group_fd, .prepare = enter, .context = &entering};
    assert_int_equal(tk_launch_start(&options, &launch, &err), 0);
    while (tk_launch_step(launch) == 0)
        (void)poll(&(struct pollfd){.fd = tk_launch_fd(launch), .events = POLLIN}, 1, -1);
    tk_launch_read_result(launch, &result);
    tk_launch_free(launch);
    assert_int_equal(result.prepare_error, 0);
    return result.exit_code;
}

static void a_command_is_in_all_folders_born_there_or_moved(void **state)
{
    struct fixture *fixture = *state;
    struct tk_cgroup_leaf *leaf = make_leaf(fixture);
    if (!leaf)
        return;
    int group = tk_cgroup_leaf_open(leaf);
    assert_int_equal(launch_and_count(fixture, leaf, group), count_folders(fixture));
    assert_int_equal(launch_and_count(fixture, leaf, -1), count_folders(fixture));
    tk_fd_close(&group);
    tk_cgroup_leaf_free(leaf);
}

static void totals_hold_what_the_whole_tree_used(void **state)
{
    struct fixture *fixture = *state;
    struct tk_cgroup_leaf *leaf = make_leaf(fixture);
    if (!leaf)
        return;
    int ready;
    pid_t child = start(leaf, work_in_a_tree, &ready);
    wait_ready(ready);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    struct tk_cgroup_reading reading;
    struct tk_err err;
    assert_int_equal(tk_cgroup_leaf_read(leaf, &reading, &err), 0);
    if (reading.cpu_ns >= 0)
        assert_in_range(reading.cpu_ns, 60 * TK_NS_PER_MS, 5 * TK_NS_PER_S);
    if (reading.memory_peak_bytes >= 0)
        assert_in_range(reading.memory_peak_bytes, 32 << 20, 256 << 20);
    assert_true(reading.cpu_ns >= 0 || reading.memory_peak_bytes >= 0);
    tk_cgroup_leaf_free(leaf);
    assert_int_equal(count_folders(fixture), 0);
}

static void its_path_is_what_the_command_sees(void **state)
{
    struct fixture *fixture = *state;
    struct tk_cgroup_leaf *leaf = make_leaf(fixture);
    if (!leaf)
        return;
    int ready;
    pid_t child = start(leaf, work_nothing, &ready);
    wait_ready(ready);
    char file[64];
    char buf[4096];
    char path[TK_CGROUP_PATH_MAX];
    char container[128];
    tk_str text;
    struct tk_err err;
    (void)snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)child);
    assert_int_equal(tk_file_read(AT_FDCWD, file, buf, sizeof(buf), &text, &err), 0);
    assert_int_equal(tk_cgroup_parse(text, path, sizeof(path), container, sizeof(container), &err),
                     0);
    assert_string_equal(path, tk_cgroup_leaf_path(leaf));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    tk_cgroup_leaf_free(leaf);
}

static void what_still_runs_moves_up_and_nothing_is_left_behind(void **state)
{
    struct fixture *fixture = *state;
    struct tk_cgroup_leaf *leaf = make_leaf(fixture);
    if (!leaf)
        return;
    int ready;
    pid_t child = start(leaf, work_nothing, &ready);
    wait_ready(ready);

    /* The command may have made groups of its own, with processes in them. */
    char path[TK_CGROUP_PATH_MAX + 64];
    char pid[16];
    int made = 0;
    (void)snprintf(pid, sizeof(pid), "%d", (int)child);
    for (int hierarchy = 0; hierarchy < TK_CGROUP_HIERARCHIES; hierarchy++) {
        if (!folder_of(fixture, hierarchy, path, TK_CGROUP_PATH_MAX) || access(path, F_OK) < 0)
            continue;
        size_t n = strlen(path);
        (void)snprintf(path + n, sizeof(path) - n, "/inner");
        assert_int_equal(mkdir(path, 0755), 0);
        (void)snprintf(path + n, sizeof(path) - n, "/inner/cgroup.procs");
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(write(fd, pid, strlen(pid)), (ssize_t)strlen(pid));
        close(fd);
        made++;
    }
    assert_true(made > 0);
    tk_cgroup_leaf_free(leaf);
    assert_int_equal(count_folders(fixture), 0);
    assert_int_equal(kill(child, 0), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void a_leaf_of_a_recorder_that_died_is_removed_by_the_next(void **state)
{
    struct fixture *fixture = *state;
    struct fixture other = *fixture;
    pid_t recorder = fork();
    if (recorder == 0) {
        struct tk_cgroup_leaf *leaf;
        struct tk_err err;
        (void)snprintf(other.name, sizeof(other.name), "tracekit-test-%d", (int)getpid());
        _exit(tk_cgroup_leaf_new(&other.kernel, NULL, other.name, &leaf, &err) < 0);
    }
    int status;
    waitpid(recorder, &status, 0);
    struct tk_cgroup_leaf *leaf = make_leaf(fixture);
    if (!leaf)
        return;
    assert_int_equal(status, 0);
    (void)snprintf(other.name, sizeof(other.name), "tracekit-test-%d", (int)recorder);
    assert_int_equal(count_folders(&other), 0);
    tk_cgroup_leaf_free(leaf);
}

static void a_name_in_use_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct tk_cgroup_leaf *leaf = make_leaf(fixture);
    if (!leaf)
        return;
    int ready;
    pid_t child = start(leaf, work_nothing, &ready);
    wait_ready(ready);
    struct tk_cgroup_leaf *second = NULL;
    struct tk_err err;
    assert_int_equal(tk_cgroup_leaf_new(&fixture->kernel, NULL, fixture->name, &second, &err),
                     -EBUSY);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    tk_cgroup_leaf_free(leaf);
}

static void names_that_are_no_file_names_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"", "a/b", "..", ".hidden"};
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        struct tk_cgroup_leaf *leaf = NULL;
        struct tk_err err;
        assert_int_equal(tk_cgroup_leaf_new(&fixture->kernel, NULL, names[i], &leaf, &err),
                         -EINVAL);
    }
}

static void a_quota_throttles_the_command(void **state)
{
    struct fixture *fixture = *state;
    struct tk_cgroup_leaf *leaf = make_leaf(fixture);
    if (!leaf)
        return;
    struct tk_err err;
    struct tk_cgroup_limits limits = {.cpu_percent = 20, .cpu_weight = 200};
    if (tk_cgroup_leaf_limit(leaf, &limits, &err) < 0) {
        tk_cgroup_leaf_free(leaf);
        return_without(err.msg);
    }
    int ready;
    pid_t child = start(leaf, work_on_and_on, &ready);
    wait_ready(ready);
    struct tk_cgroup_reading reading = {0};
    /* Others may want the CPUs, too. */
    for (int i = 0; i < 2000 && reading.throttled_ns <= 0; i++) {
        (void)usleep(10000);
        assert_int_equal(tk_cgroup_leaf_read(leaf, &reading, &err), 0);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_near(reading.cpu_limit_cores, 0.2, 1e-9);
    assert_true(reading.nr_throttled > 0);
    assert_true(reading.throttled_ns > 0);
    tk_cgroup_leaf_free(leaf);
    assert_int_equal(count_folders(fixture), 0);
}

static void limits_that_make_no_sense_are_refused_and_leave_no_trace(void **state)
{
    struct fixture *fixture = *state;
    struct tk_cgroup_leaf *leaf = make_leaf(fixture);
    if (!leaf)
        return;
    struct tk_err err;
    int before = count_folders(fixture);
    assert_true(tk_cgroup_leaf_limit(leaf, &(struct tk_cgroup_limits){.cpuset = "many"}, &err) < 0);
    assert_int_equal(count_folders(fixture), before);
    int ready;
    pid_t child = start(leaf, work_nothing, &ready);
    wait_ready(ready);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    tk_cgroup_leaf_free(leaf);
    assert_int_equal(count_folders(fixture), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_in_all_folders_born_there_or_moved),
        cmocka_unit_test(totals_hold_what_the_whole_tree_used),
        cmocka_unit_test(its_path_is_what_the_command_sees),
        cmocka_unit_test(what_still_runs_moves_up_and_nothing_is_left_behind),
        cmocka_unit_test(a_leaf_of_a_recorder_that_died_is_removed_by_the_next),
        cmocka_unit_test(a_name_in_use_is_refused),
        cmocka_unit_test(names_that_are_no_file_names_are_refused),
        cmocka_unit_test(a_quota_throttles_the_command),
        cmocka_unit_test(limits_that_make_no_sense_are_refused_and_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
