/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups on the running kernel, by the walk and by their files: both must say the same.
 * Skipped where BPF or making groups is refused. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"
#include "collect/bpf.h"
#include "collect/cgroup_folders.h"
#include "collect/cgroups_internal.h"
#include "tk_test.h"

#define V1                                                                                         \
    (1U << TK_CGROUP_CPU | 1U << TK_CGROUP_CPUACCT | 1U << TK_CGROUP_MEMORY |                      \
     1U << TK_CGROUP_BLKIO | 1U << TK_CGROUP_PIDS)
#define V2 (1U << TK_CGROUP_V2)

#define TRIES         50
#define MEMORY_BYTES  (4U << 20)
#define BUSY_NS       (60 * TK_NS_PER_MS)
#define BUSY_CHILDREN 2

static struct live {
    struct tk_kernel kernel;
    struct tk_cgroup_mounts mounts;
    struct tk_rows *rows;
    struct tk_procs *procs;
    struct tk_group_walker walker;
    char name[32]; /* of the group that is made */
    unsigned made; /* bit per hierarchy */
    pid_t children[BUSY_CHILDREN];
    size_t child_count;
    bool has_row;
    int64_t values[TK_CGROUP_METRICS_COUNT]; /* of its last row; -1 = not in it */
} live;

static int take_row(void *context, enum tk_table table, const struct tk_batch *batch,
                    struct tk_err *err)
{
    (void)context;
    (void)err;
    for (size_t row = 0; row < batch->rows && table == TK_TABLE_CGROUP_METRICS; row++) {
        tk_str path = tk_batch_text(batch, row, TK_CGROUP_METRICS_CGROUP);
        if (!tk_str_ends_with(path, tk_str_from(live.name)))
            continue;
        live.has_row = true;
        for (size_t i = 0; i < TK_CGROUP_METRICS_COUNT; i++) {
            if (tk_schema_cgroup_metrics.columns[i].type == TK_I64)
                live.values[i] = tk_batch_i64(batch, row, i, -1);
            else if (tk_schema_cgroup_metrics.columns[i].type == TK_F64)
                live.values[i] = (int64_t)(1e6 * tk_batch_f64(batch, row, i, -1));
        }
    }
    return 0;
}

static int live_open(void **state)
{
    (void)state;
    struct tk_err err;
    live = (struct live){0};
    (void)snprintf(live.name, sizeof(live.name), "/tk-live-%d", getpid());
    assert_int_equal(tk_kernel_open(&live.kernel, "/", &err), 0);
    assert_int_equal(tk_rows_new((struct tk_sink){take_row, NULL}, &live.rows, &err), 0);
    const struct tk_procs_options options = {.node = "n",
                                             .host = "h",
                                             .tree_root = getpid(),
                                             .tree_only = true,
                                             .no_events = true,
                                             .bpf_parts = TK_BPF_ALL_CGROUPS};
    assert_int_equal(tk_procs_new(&live.kernel, &options, &live.procs, &err), 0);
    return 0;
}

static int live_close(void **state)
{
    (void)state;
    for (size_t i = 0; i < live.child_count; i++) {
        (void)kill(live.children[i], SIGKILL);
        (void)waitpid(live.children[i], NULL, 0);
    }
    for (size_t i = 0; i < TK_CGROUP_HIERARCHIES; i++) {
        char at[TK_CGROUP_PATH_MAX + 1];
        (void)snprintf(at, sizeof(at), "/%s", live.mounts.mounts[i].at);
        TK_CLEANUP(tk_fd_close) int fd = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (live.made >> i & 1)
            (void)tk_cgroup_remove(fd, live.name + 1);
    }
    tk_procs_free(live.procs);
    tk_rows_free(live.rows);
    tk_kernel_close(&live.kernel);
    return 0;
}

static void path_of(size_t hierarchy, const char *file, char *ret, size_t cap)
{
    (void)snprintf(ret, cap, "/%s%s%s", live.mounts.mounts[hierarchy].at, live.name, file);
}

/* Make the group in the hierarchies of `wanted` that are there, all of them. */
static void make_group(unsigned wanted)
{
    struct tk_err err;
    struct tk_bpf *bpf = tk_procs_bpf(live.procs);
    if (!bpf || tk_bpf_group_walker(bpf, &live.walker, &err) < 0) {
        print_message("# skipped: control groups cannot be walked here: %s\n",
                      bpf ? err.msg : "no BPF");
        skip();
    }
    if (tk_cgroup_mounts_read(&live.kernel, &live.mounts, &err) < 0) {
        print_message("# skipped: %s\n", err.msg);
        skip();
    }
    for (size_t i = 0; i < TK_CGROUP_HIERARCHIES; i++) {
        char path[2 * TK_CGROUP_PATH_MAX];
        path_of(i, "", path, sizeof(path));
        if ((wanted >> i & 1) && live.mounts.mounts[i].at[0] &&
            (mkdir(path, 0755) == 0 || errno == EEXIST))
            live.made |= 1U << i;
    }
    if (!(live.made & (1U << TK_CGROUP_CPUACCT | V2))) {
        print_message("# skipped: no control group can be made here\n");
        skip();
    }
}

static void write_file(size_t hierarchy, const char *file, const char *text)
{
    char path[2 * TK_CGROUP_PATH_MAX];
    struct tk_err err;
    if (!(live.made >> hierarchy & 1))
        return;
    path_of(hierarchy, file, path, sizeof(path));
    TK_CLEANUP(tk_fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(tk_fd_write(fd, tk_str_from(text), path, &err), 0);
}

static int64_t own_cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * TK_NS_PER_S + t.tv_nsec;
}

/* A child in the group that runs for so much CPU time, and then stops. */
static pid_t start_child(int64_t busy_ns)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) {
        assert_true(live.child_count < BUSY_CHILDREN);
        live.children[live.child_count++] = child;
        return child;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < TK_CGROUP_HIERARCHIES; i++)
        write_file(i, "/cgroup.procs", "0");
    char *touched = malloc(MEMORY_BYTES);
    if (touched)
        memset(touched, 1, MEMORY_BYTES);
    for (int64_t end_ns = own_cpu_ns() + busy_ns; own_cpu_ns() < end_ns;)
        ;
    (void)raise(SIGSTOP);
    _exit(0);
}

/* The row of the group by a new set of groups; all classes. */
static void read_group(const struct tk_group_walker *walker, int64_t ret[TK_CGROUP_METRICS_COUNT])
{
    struct tk_cgroups *groups;
    struct tk_cgroups_stats stats;
    struct tk_err err;
    const struct tk_cgroups_options options = {.node = "n", .host = "h", .walker = walker};
    live.has_row = false;
    for (size_t i = 0; i < TK_CGROUP_METRICS_COUNT; i++)
        live.values[i] = -1;
    assert_int_equal(tk_cgroups_new(&live.kernel, &options, &groups, &err), 0);
    tk_cgroups_finish(groups, live.rows);
    assert_int_equal(tk_rows_flush(live.rows, &err), 0);
    tk_cgroups_read_stats(groups, &stats);
    assert_string_equal(stats.why_not, "");
    assert_int_equal(stats.by_walk, walker != NULL);
    tk_cgroups_free(groups);
    assert_true(live.has_row);
    memcpy(ret, live.values, sizeof(live.values));
    ret[TK_CGROUP_METRICS_TS_MS] = ret[TK_CGROUP_METRICS_TS_US] = 0;
}

/* What the files say at two times may differ: memory that is kept in stock is handed back. Then
 * there is nothing to compare with, and it is looked again. */
static void compare_group(void)
{
    int64_t before[TK_CGROUP_METRICS_COUNT];
    int64_t walked[TK_CGROUP_METRICS_COUNT];
    int64_t after[TK_CGROUP_METRICS_COUNT];
    for (int i = 0; i < TRIES; i++) {
        read_group(NULL, before);
        read_group(&live.walker, walked);
        read_group(NULL, after);
        if (memcmp(before, after, sizeof(before)) != 0)
            continue;
        for (size_t j = 0; j < TK_CGROUP_METRICS_COUNT; j++) {
            if (walked[j] != before[j])
                print_error("%s: %lld by the walk, %lld by files\n",
                            tk_schema_cgroup_metrics.columns[j].name, (long long)walked[j],
                            (long long)before[j]);
            assert_int_equal(walked[j], before[j]);
        }
        assert_in_range(walked[TK_CGROUP_METRICS_CPU_NS], BUSY_NS, INT64_MAX);
        return;
    }
    fail_msg("the group does not hold still");
}

static void check_stopped(unsigned wanted)
{
    make_group(wanted);
    write_file(TK_CGROUP_CPU, "/cpu.cfs_quota_us", "30000");
    write_file(TK_CGROUP_MEMORY, "/memory.limit_in_bytes", "64M");
    int status;
    pid_t child = start_child(BUSY_NS);
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    compare_group();
}

static void walk_and_files_say_the_same_of_a_stopped_group_of_version_1(void **state)
{
    (void)state;
    check_stopped(V1);
}

static void walk_and_files_say_the_same_of_a_stopped_group_of_version_2(void **state)
{
    (void)state;
    check_stopped(V2);
}

static void walk_and_files_say_the_same_of_a_group_in_both_versions(void **state)
{
    (void)state;
    check_stopped(V1 | V2);
}

/* Sums ---------------------------------------------------------------------------------- */

static void add_child(void *context, const struct tk_proc *proc)
{
    for (size_t i = 0; i < live.child_count; i++) {
        if (proc->pid == live.children[i])
            *(int64_t *)context += proc->cpu_ns;
    }
}

static int64_t children_cpu_ns(void)
{
    int64_t sum_ns = 0;
    tk_procs_tick(live.procs, -1, live.rows);
    tk_procs_each(live.procs, add_child, &sum_ns);
    return sum_ns;
}

static int64_t group_cpu_ns(struct tk_cgroups *groups)
{
    struct tk_err err;
    tk_cgroups_tick(groups, live.rows);
    assert_int_equal(tk_rows_flush(live.rows, &err), 0);
    return live.values[TK_CGROUP_METRICS_CPU_NS];
}

static void check_sum(unsigned wanted)
{
    struct tk_cgroups *groups;
    struct tk_err err;
    make_group(wanted);
    for (int i = 0; i < BUSY_CHILDREN; i++)
        (void)start_child(60 * TK_NS_PER_S);
    const struct tk_cgroups_options options = {.node = "n", .host = "h", .walker = &live.walker};
    assert_int_equal(tk_cgroups_new(&live.kernel, &options, &groups, &err), 0);
    int64_t group_ns = 0;
    while (group_ns < BUSY_NS) { /* until both are in */
        (void)usleep(20000);
        group_ns = group_cpu_ns(groups);
    }
    (void)children_cpu_ns(); /* to meet them takes longer than to read them */
    /* The group is read before and after the tasks: on a busy machine time passes in between. */
    int64_t first_ns = group_cpu_ns(groups);
    int64_t first_tasks_ns = children_cpu_ns();
    int64_t first_after_ns = group_cpu_ns(groups);
    while (group_ns - first_ns < 10 * TK_NS_PER_S) {
        (void)usleep(100000);
        group_ns = group_cpu_ns(groups);
    }
    double tasks = (double)(children_cpu_ns() - first_tasks_ns);
    double least = (double)(group_ns - first_after_ns);
    double most = (double)(group_cpu_ns(groups) - first_ns);
    tk_cgroups_free(groups);
    print_message("# tasks %.1f ms, group %.1f to %.1f ms\n", tasks / 1e6, least / 1e6, most / 1e6);
    assert_true(tasks > 0.99 * least && tasks < 1.01 * most);
}

static void the_tasks_of_a_busy_group_of_version_1_add_up_to_its_time(void **state)
{
    (void)state;
    check_sum(V1);
}

static void the_tasks_of_a_busy_group_of_version_2_add_up_to_its_time(void **state)
{
    (void)state;
    check_sum(V2);
}

/* Cost: counts, never time --------------------------------------------------------------- */

static int64_t calls_of_ticks(struct tk_cgroups *groups, int ticks)
{
    struct tk_cgroups_stats before;
    struct tk_cgroups_stats after;
    tk_cgroups_read_stats(groups, &before);
    for (int i = 0; i < ticks; i++)
        tk_cgroups_tick(groups, live.rows);
    tk_cgroups_read_stats(groups, &after);
    return after.syscalls - before.syscalls;
}

static void a_tick_takes_as_many_system_calls_for_100_groups_as_for_few(void **state)
{
    (void)state;
    return_under_tsan();
    struct tk_cgroups *groups;
    struct tk_cgroups_stats stats;
    struct tk_err err;
    make_group(V1 | V2);
    const struct tk_cgroups_options options = {.node = "n", .host = "h", .walker = &live.walker};
    assert_int_equal(tk_cgroups_new(&live.kernel, &options, &groups, &err), 0);
    tk_cgroups_finish(groups, live.rows);
    int64_t few = calls_of_ticks(groups, 10);
    size_t top = live.made & V2 ? TK_CGROUP_V2 : TK_CGROUP_CPUACCT;
    for (int i = 0; i < 100; i++) {
        char path[2 * TK_CGROUP_PATH_MAX];
        char child[32];
        (void)snprintf(child, sizeof(child), "/g%d", i);
        path_of(top, child, path, sizeof(path));
        assert_int_equal(mkdir(path, 0755), 0);
    }
    tk_cgroups_finish(groups, live.rows); /* finds them */
    tk_cgroups_read_stats(groups, &stats);
    assert_in_range(stats.groups, 101, INT64_MAX);
    int64_t many = calls_of_ticks(groups, 10);
    print_message("# %lld and %lld calls\n", (long long)few, (long long)many);
    assert_int_equal(many, few);
    assert_in_range(few, 10, 40);
    tk_cgroups_free(groups);
}

static int64_t count_groups(const struct tk_cgroups *groups)
{
    struct tk_cgroups_stats stats;
    tk_cgroups_read_stats(groups, &stats);
    return stats.groups;
}

/* Others may make groups meanwhile: ours is looked for by its name. */
static bool has_group(const struct tk_cgroups *groups, const char *name)
{
    for (size_t i = 0; i < groups->count; i++) {
        if (!groups->groups[i].gone && strcmp(groups->groups[i].path, name) == 0)
            return true;
    }
    return false;
}

static void new_groups_are_met_at_once_renamed_ones_followed_and_removed_ones_let_go(void **state)
{
    (void)state;
    struct tk_cgroups *groups;
    struct tk_err err;
    char path[2 * TK_CGROUP_PATH_MAX];
    char renamed[2 * TK_CGROUP_PATH_MAX];
    char name[64];
    make_group(1U << TK_CGROUP_CPUACCT);
    if (!live.made) {
        print_message("# skipped: no hierarchy of version 1\n");
        skip();
    }
    const struct tk_cgroups_options options = {.node = "n", .host = "h", .walker = &live.walker};
    assert_int_equal(tk_cgroups_new(&live.kernel, &options, &groups, &err), 0);
    tk_cgroups_finish(groups, live.rows);
    assert_true(has_group(groups, live.name));

    path_of(TK_CGROUP_CPUACCT, "/a", path, sizeof(path));
    assert_int_equal(mkdir(path, 0755), 0);
    tk_cgroups_tick(groups, live.rows);
    (void)snprintf(name, sizeof(name), "%s/a", live.name);
    assert_true(has_group(groups, name));
    assert_in_range(count_groups(groups), 2, INT64_MAX);

    path_of(TK_CGROUP_CPUACCT, "/b", renamed, sizeof(renamed));
    assert_int_equal(rename(path, renamed), 0);
    tk_cgroups_finish(groups, live.rows);
    assert_false(has_group(groups, name));
    (void)snprintf(name, sizeof(name), "%s/b", live.name);
    assert_true(has_group(groups, name));

    assert_int_equal(rmdir(renamed), 0);
    tk_cgroups_tick(groups, live.rows);
    assert_false(has_group(groups, name));
    tk_cgroups_free(groups);
}

#define LIVE_TEST(name) cmocka_unit_test_setup_teardown(name, live_open, live_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(walk_and_files_say_the_same_of_a_stopped_group_of_version_1),
        LIVE_TEST(walk_and_files_say_the_same_of_a_stopped_group_of_version_2),
        LIVE_TEST(walk_and_files_say_the_same_of_a_group_in_both_versions),
        LIVE_TEST(the_tasks_of_a_busy_group_of_version_1_add_up_to_its_time),
        LIVE_TEST(the_tasks_of_a_busy_group_of_version_2_add_up_to_its_time),
        LIVE_TEST(a_tick_takes_as_many_system_calls_for_100_groups_as_for_few),
        LIVE_TEST(new_groups_are_met_at_once_renamed_ones_followed_and_removed_ones_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
