/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/cgroups.h"

#include <dirent.h>
#include <sys/resource.h>

#include "tk_root.h"

static struct tk_cgroups *open_groups(struct tk_root *root, int64_t max_groups)
{
    struct tk_cgroups *groups;
    struct tk_err err;
    const struct tk_cgroups_options options = {
        .node = "n1", .host = "worker-1", .max_groups = max_groups};
    assert_int_equal(tk_cgroups_new(&root->kernel, &options, &groups, &err), 0);
    return groups;
}

static int count(const char *rows, const char *part)
{
    int n = 0;
    for (const char *hit = strstr(rows, part); hit; hit = strstr(hit + 1, part))
        n++;
    return n;
}

static void check_golden(const char *name, const char *golden)
{
    struct tk_root root;
    tk_root_init(&root, name);
    struct tk_cgroups *groups = open_groups(&root, 0);
    tk_cgroups_tick(groups, root.rows);
    tk_root_advance(&root, TK_NS_PER_S, name, "1");
    tk_cgroups_tick(groups, root.rows);
    struct tk_cgroups_stats stats;
    tk_cgroups_read_stats(groups, &stats);
    assert_int_equal(stats.errors, 0);
    assert_int_equal(stats.skipped, 0);
    tk_root_assert_golden(&root, golden);
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

static void groups_of_version_2_make_the_golden_rows(void **state)
{
    (void)state;
    check_golden("root-v2", "root-v2/cgroups.jsonl");
}

static void groups_of_version_1_make_the_golden_rows(void **state)
{
    (void)state;
    check_golden("root-old", "root-old/cgroups.jsonl");
}

static void groups_of_a_hybrid_host_make_the_golden_rows(void **state)
{
    (void)state;
    check_golden("root-vm", "root-vm/cgroups.jsonl");
}

/* A host of version 2 with one group. */
static void write_group(struct tk_root *root, const char *group, int64_t cpu_us, int64_t memory)
{
    char path[320];
    char text[64];
    (void)snprintf(path, sizeof(path), "cg/%s/cpu.stat", group);
    (void)snprintf(text, sizeof(text), "usage_usec %lld\n", (long long)cpu_us);
    tk_root_write(root, path, text);
    (void)snprintf(path, sizeof(path), "cg/%s/memory.current", group);
    (void)snprintf(text, sizeof(text), "%lld\n", (long long)memory);
    tk_root_write(root, path, text);
}

static void init_v2(struct tk_root *root)
{
    tk_root_init(root, NULL);
    tk_root_write(root, "proc/self/mountinfo", "1 1 0:1 / /cg rw - cgroup2 cgroup2 rw\n");
    tk_root_write(root, "proc/self/cgroup", "0::/\n");
    write_group(root, "a", 1000, 4096);
}

static void a_row_is_written_only_when_something_changed(void **state)
{
    (void)state;
    struct tk_root root;
    init_v2(&root);
    struct tk_cgroups *groups = open_groups(&root, 0);
    tk_cgroups_tick(groups, root.rows);
    assert_string_equal(tk_root_take_rows(&root),
                        "cgroup_metrics {\"ts_ms\":1758059310000,\"ts_us\":1758059310000000,"
                        "\"node\":\"n1\",\"host\":\"worker-1\",\"cgroup\":\"/a\","
                        "\"cpu_ns\":1000000,\"mem_bytes\":4096}\n");
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    tk_cgroups_tick(groups, root.rows);
    assert_string_equal(tk_root_take_rows(&root), "");
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    write_group(&root, "a", 1500, 4096);
    tk_cgroups_tick(groups, root.rows);
    assert_string_equal(tk_root_take_rows(&root),
                        "cgroup_metrics {\"ts_ms\":1758059312000,\"ts_us\":1758059312000000,"
                        "\"node\":\"n1\",\"host\":\"worker-1\",\"cgroup\":\"/a\",\"dt_ms\":2000,"
                        "\"cpu_ns\":1500000,\"mem_bytes\":4096}\n");
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

static void memory_is_read_each_second_while_cpu_time_moves_and_else_every_ten(void **state)
{
    (void)state;
    struct tk_root root;
    init_v2(&root);
    struct tk_cgroups *groups = open_groups(&root, 0);
    for (int i = 0; i <= 25; i++) {
        write_group(&root, "a", 1000 + i, 4096 + i);
        tk_cgroups_tick(groups, root.rows);
        tk_root_advance(&root, 100 * TK_NS_PER_MS, NULL, NULL);
    }
    const char *rows = tk_root_take_rows(&root);
    assert_int_equal(count(rows, "cpu_ns"), 26);
    assert_int_equal(count(rows, "mem_bytes"), 3); /* at 0, 1 and 2 s */

    for (int i = 0; i < 200; i++) {
        write_group(&root, "a", 2000, 9000 + i);
        tk_cgroups_tick(groups, root.rows);
        tk_root_advance(&root, 100 * TK_NS_PER_MS, NULL, NULL);
    }
    rows = tk_root_take_rows(&root);
    assert_in_range(count(rows, "mem_bytes"), 3, 4); /* as CPU time stopped, then twice in 20 s */

    write_group(&root, "a", 2000, 5);
    tk_cgroups_finish(groups, root.rows);
    assert_int_equal(count(tk_root_take_rows(&root), "\"mem_bytes\":5}"), 1);
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

static void new_groups_are_found_and_lost_ones_forgotten(void **state)
{
    (void)state;
    struct tk_root root;
    char path[128];
    struct tk_cgroups_stats stats;
    init_v2(&root);
    struct tk_cgroups *groups = open_groups(&root, 0);
    tk_cgroups_tick(groups, root.rows);
    write_group(&root, "b", 7, 8);
    write_group(&root, "b/c", 7, 8);
    tk_root_advance(&root, 5 * TK_NS_PER_S, NULL, NULL);
    tk_cgroups_tick(groups, root.rows);
    assert_int_equal(count(tk_root_take_rows(&root), "\"/b"), 0);
    tk_root_advance(&root, 5 * TK_NS_PER_S, NULL, NULL);
    tk_cgroups_tick(groups, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_int_equal(count(rows, "\"/b\""), 1);
    assert_int_equal(count(rows, "\"/b/c\""), 1);
    tk_cgroups_read_stats(groups, &stats);
    assert_int_equal(stats.groups, 3);

    (void)snprintf(path, sizeof(path), "%s/cg/b", root.path);
    assert_int_equal(nftw(path, tk_root_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
    tk_root_advance(&root, 10 * TK_NS_PER_S, NULL, NULL);
    tk_cgroups_tick(groups, root.rows);
    tk_cgroups_read_stats(groups, &stats);
    assert_int_equal(stats.groups, 1);
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

static void a_change_of_their_number_is_seen_at_the_next_tick(void **state)
{
    (void)state;
    struct tk_root root;
    init_v2(&root);
    tk_root_write(&root, "cg/cgroup.stat", "nr_descendants 1\nnr_dying_descendants 0\n");
    struct tk_cgroups *groups = open_groups(&root, 0);
    tk_cgroups_tick(groups, root.rows);
    write_group(&root, "b", 7, 8);
    tk_root_write(&root, "cg/cgroup.stat", "nr_descendants 1\nnr_dying_descendants 5\n");
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    tk_cgroups_tick(groups, root.rows);
    assert_int_equal(count(tk_root_take_rows(&root), "\"/b\""), 0);
    tk_root_write(&root, "cg/cgroup.stat", "nr_descendants 2\nnr_dying_descendants 5\n");
    tk_root_advance(&root, 10 * TK_NS_PER_MS, NULL, NULL);
    tk_cgroups_tick(groups, root.rows);
    assert_int_equal(count(tk_root_take_rows(&root), "\"/b\""), 1);

    /* While they come and go the trees are walked four times a second at most. */
    write_group(&root, "c", 7, 8);
    tk_root_write(&root, "cg/cgroup.stat", "nr_descendants 3\nnr_dying_descendants 5\n");
    tk_root_advance(&root, 10 * TK_NS_PER_MS, NULL, NULL);
    tk_cgroups_tick(groups, root.rows);
    assert_int_equal(count(tk_root_take_rows(&root), "\"/c\""), 0);
    tk_root_advance(&root, 240 * TK_NS_PER_MS, NULL, NULL);
    tk_cgroups_tick(groups, root.rows);
    assert_int_equal(count(tk_root_take_rows(&root), "\"/c\""), 1);
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

static void containers_and_pods_have_the_names_that_their_runtime_left(void **state)
{
    (void)state;
    static const char id[] = "3f4c1a5b6d7e8f901234567890abcdef3f4c1a5b6d7e8f901234567890abcdef";
    char group[256];
    char file[256];
    struct tk_root root;
    init_v2(&root);
    (void)snprintf(group, sizeof(group), "kubepods/pod0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0/%s", id);
    write_group(&root, group, 5, 1);
    struct tk_cgroups *groups = open_groups(&root, 0);
    tk_cgroups_tick(groups, root.rows);
    assert_null(strstr(tk_root_take_rows(&root), "\"pod\""));

    /* A runtime that writes it late; looked up anew with the next walk. */
    (void)snprintf(file, sizeof(file),
                   "run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json", id);
    tk_root_write(&root, file,
                  "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"app\","
                  "\"io.kubernetes.cri.sandbox-name\":\"shop-7d9\","
                  "\"io.kubernetes.cri.sandbox-namespace\":\"prod\"}}");
    tk_root_advance(&root, 10 * TK_NS_PER_S, NULL, NULL);
    write_group(&root, group, 6, 1);
    tk_cgroups_tick(groups, root.rows);
    assert_non_null(strstr(tk_root_take_rows(&root),
                           "\"container\":\"3f4c1a5b6d7e\",\"container_name\":\"app\","
                           "\"pod\":\"shop-7d9\",\"namespace\":\"prod\""));
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

static void groups_past_the_limit_are_counted(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_cgroups_stats stats;
    init_v2(&root);
    for (char name[2] = "b"; name[0] <= 'f'; name[0]++)
        write_group(&root, name, 1, 1);
    struct tk_cgroups *groups = open_groups(&root, 4);
    tk_cgroups_tick(groups, root.rows);
    tk_cgroups_read_stats(groups, &stats);
    assert_int_equal(stats.groups, 4);
    assert_int_equal(stats.skipped, 2);
    assert_int_equal(count(tk_root_take_rows(&root), "cgroup_metrics"), 4);
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

static void files_that_do_not_parse_are_counted(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_cgroups_stats stats;
    init_v2(&root);
    tk_root_write(&root, "cg/a/io.stat", "nonsense\n");
    tk_root_write(&root, "cg/a/pids.current", "many\n");
    struct tk_cgroups *groups = open_groups(&root, 0);
    tk_cgroups_tick(groups, root.rows);
    tk_cgroups_read_stats(groups, &stats);
    assert_int_equal(stats.errors, 2);
    assert_int_equal(count(tk_root_take_rows(&root), "\"cpu_ns\":1000000,\"mem_bytes\":4096}"), 1);
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

static void inside_a_container_its_own_group_has_rows(void **state)
{
    (void)state;
    struct tk_root root;
    init_v2(&root);
    tk_root_write(&root, "cg/cpu.stat", "usage_usec 77\n");
    tk_root_write(&root, "cg/cgroup.events", "populated 1\n");
    struct tk_cgroups *groups = open_groups(&root, 0);
    tk_cgroups_tick(groups, root.rows);
    assert_int_equal(count(tk_root_take_rows(&root), "\"cgroup\":\"/\",\"cpu_ns\":77000}"), 1);
    tk_cgroups_free(groups);

    /* Version 1, where the mount shows a group below the root. */
    tk_root_write(&root, "proc/self/mountinfo", "1 1 0:1 /docker/x /v1 rw - cgroup c rw,cpuacct\n");
    tk_root_write(&root, "v1/cpuacct.usage", "99\n");
    tk_root_write(&root, "v1/in/cpuacct.usage", "9\n");
    groups = open_groups(&root, 0);
    tk_cgroups_tick(groups, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_int_equal(count(rows, "\"cgroup\":\"/docker/x\",\"cpu_ns\":99}"), 1);
    assert_int_equal(count(rows, "\"cgroup\":\"/docker/x/in\",\"cpu_ns\":9}"), 1);
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

/* How many descriptors of ours are open on files whose path ends with `path`. */
static int count_open(const char *path)
{
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    int n = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        char target[PATH_MAX];
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        target[len > 0 ? len : 0] = '\0';
        n += strstr(target, path) != NULL;
    }
    closedir(dir);
    return n;
}

static int count_held(const struct tk_root *root, const char *group)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/cg/%s", root->path, group);
    return count_open(path);
}

static void remove_file(const struct tk_root *root, const char *path)
{
    assert_int_equal(unlinkat(root->kernel.rootfd, path, 0), 0);
}

static void files_are_held_open_until_the_group_is_gone(void **state)
{
    (void)state;
    struct tk_root root;
    char path[128];
    init_v2(&root);
    tk_root_write(&root, "cg/a/memory.max", "max\n");
    struct tk_cgroups *groups = open_groups(&root, 0);
    tk_cgroups_tick(groups, root.rows);
    assert_int_equal(count_held(&root, "a/"), 3);
    tk_root_take_rows(&root);

    /* One that is held is not opened again: what takes its name is not seen. */
    remove_file(&root, "cg/a/memory.current");
    write_group(&root, "a", 2000, 8192);
    tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    tk_cgroups_tick(groups, root.rows);
    const char *rows = tk_root_take_rows(&root);
    assert_int_equal(count(rows, "\"cpu_ns\":2000000,\"mem_bytes\":4096}"), 1);
    assert_int_equal(count_held(&root, "a/"), 3);

    (void)snprintf(path, sizeof(path), "%s/cg/a", root.path);
    assert_int_equal(nftw(path, tk_root_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
    tk_root_advance(&root, 10 * TK_NS_PER_S, NULL, NULL);
    tk_cgroups_tick(groups, root.rows);
    assert_string_equal(tk_root_take_rows(&root), "");
    assert_int_equal(count_held(&root, "a/"), 0);
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

static void a_file_that_a_group_lacked_is_found_at_its_slow_turn(void **state)
{
    (void)state;
    struct tk_root root;
    init_v2(&root);
    remove_file(&root, "cg/a/memory.current");
    struct tk_cgroups *groups = open_groups(&root, 0);
    int with_memory = 0;
    for (int i = 0; i <= 10; i++) {
        tk_cgroups_tick(groups, root.rows);
        const char *rows = tk_root_take_rows(&root);
        assert_int_equal(count(rows, "cpu_ns"), 1);
        with_memory += count(rows, "mem_bytes");
        assert_int_equal(with_memory, i == 10);
        write_group(&root, "a", 2000 + i, 4096);
        tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    }
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

/* Groups "a" to `last` of a detail file each, where three descriptors may be held for such files
 * and six for those of CPU time. */
static struct tk_cgroups *open_few(struct tk_root *root, char last)
{
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = {24, before.rlim_max};
    init_v2(root);
    for (char name[2] = "b"; name[0] <= last; name[0]++)
        write_group(root, name, 1000, 4096);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct tk_cgroups *groups = open_groups(root, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    return groups;
}

static void groups_past_the_descriptors_are_read_all_the_same(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_cgroups *groups = open_few(&root, 'h');
    for (int i = 0; i < 3; i++) {
        for (char name[2] = "a"; name[0] <= 'h'; name[0]++)
            write_group(&root, name, 1001 + i, 4097 + i);
        tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
        tk_cgroups_tick(groups, root.rows);
        const char *rows = tk_root_take_rows(&root);
        assert_int_equal(count(rows, "cpu_ns"), 8);
        assert_int_equal(count(rows, "mem_bytes"), 8);
        assert_int_equal(count_open("/cpu.stat"), 6);
        assert_int_equal(count_open("/memory.current"), 3);
    }
    tk_cgroups_free(groups);
    assert_int_equal(count_open("/cpu.stat"), 0);
    assert_int_equal(count_open("/memory.current"), 0);
    tk_root_release(&root);
}

static void idle_groups_leave_descriptors_to_busy_ones(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_cgroups *groups = open_few(&root, 'f');
    for (int i = 0; i < 25; i++) { /* d, e and f run */
        for (char name[2] = "d"; name[0] <= 'f'; name[0]++)
            write_group(&root, name, 1001 + i, 4096);
        tk_cgroups_tick(groups, root.rows);
        tk_root_advance(&root, TK_NS_PER_S, NULL, NULL);
    }
    assert_int_equal(count_held(&root, "d/memory.current"), 1);
    assert_int_equal(count_held(&root, "e/memory.current"), 1);
    assert_int_equal(count_held(&root, "f/memory.current"), 1);
    assert_int_equal(count_open("/memory.current"), 3);
    tk_cgroups_free(groups);
    tk_root_release(&root);
}

/* On the groups of this machine; skipped where it gives us none. */
static void a_removed_group_is_let_go_at_once(void **state)
{
    (void)state;
    struct tk_root root = {.path = "/"};
    struct tk_err err;
    char name[64];
    struct tk_cgroup_leaf *leaf = NULL;
    (void)snprintf(name, sizeof(name), "tracekit-held-%d", (int)getpid());
    assert_int_equal(tk_kernel_open(&root.kernel, "/", &err), 0);
    tk_buf_init(&root.out, 1 << 20);
    assert_int_equal(tk_rows_new((struct tk_sink){tk_root_take, &root}, &root.rows, &err), 0);
    if (tk_cgroup_leaf_new(&root.kernel, NULL, name, &leaf, &err) == 0) {
        int of_leaf = count_open(name);
        struct tk_cgroups *groups = open_groups(&root, 0);
        tk_cgroups_tick(groups, root.rows);
        assert_true(count_open(name) > of_leaf);
        tk_cgroup_leaf_free(leaf);
        assert_true(count_open(name) > 0);
        tk_cgroups_finish(groups, root.rows);
        assert_int_equal(count_open(name), 0);
        tk_cgroups_free(groups);
    } else {
        print_message("# skipped, there is no group of our own: %s\n", err.msg);
    }
    tk_rows_free(root.rows);
    tk_buf_release(&root.out);
    tk_kernel_close(&root.kernel);
}

static void a_host_without_groups_is_told_so(void **state)
{
    (void)state;
    struct tk_root root;
    struct tk_cgroups *groups;
    struct tk_err err;
    tk_root_init(&root, NULL);
    tk_root_write(&root, "proc/self/mountinfo", "20 1 254:0 / / rw - ext4 /dev/vda rw\n");
    tk_root_write(&root, "proc/self/cgroup", "");
    assert_int_equal(
        tk_cgroups_new(&root.kernel, &(struct tk_cgroups_options){.node = ""}, &groups, &err),
        -ENOENT);
    assert_string_equal(err.msg, "no control groups are mounted");
    tk_root_release(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_of_version_2_make_the_golden_rows),
        cmocka_unit_test(groups_of_version_1_make_the_golden_rows),
        cmocka_unit_test(groups_of_a_hybrid_host_make_the_golden_rows),
        cmocka_unit_test(a_row_is_written_only_when_something_changed),
        cmocka_unit_test(memory_is_read_each_second_while_cpu_time_moves_and_else_every_ten),
        cmocka_unit_test(new_groups_are_found_and_lost_ones_forgotten),
        cmocka_unit_test(a_change_of_their_number_is_seen_at_the_next_tick),
        cmocka_unit_test(containers_and_pods_have_the_names_that_their_runtime_left),
        cmocka_unit_test(groups_past_the_limit_are_counted),
        cmocka_unit_test(files_that_do_not_parse_are_counted),
        cmocka_unit_test(inside_a_container_its_own_group_has_rows),
        cmocka_unit_test(files_are_held_open_until_the_group_is_gone),
        cmocka_unit_test(a_file_that_a_group_lacked_is_found_at_its_slow_turn),
        cmocka_unit_test(groups_past_the_descriptors_are_read_all_the_same),
        cmocka_unit_test(idle_groups_leave_descriptors_to_busy_ones),
        cmocka_unit_test(a_removed_group_is_let_go_at_once),
        cmocka_unit_test(a_host_without_groups_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
