/* SPDX-License-Identifier: Apache-2.0 */
/* On the real kernel, under a clock that the test moves on: turns come every 10 s. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/file.h"
#include "collect/procs_internal.h"
#include "tk_test.h"

#define MEMORY_BYTES ((size_t)32 << 20)

static struct world {
    struct tk_kernel kernel;
    struct tk_rows *rows;
    struct tk_procs *procs;
    pid_t child;
    int64_t ahead_ns; /* of the real clock */
} world;

static int64_t moved_clock(void *context)
{
    (void)context;
    return tk_clock_mono_ns() + world.ahead_ns;
}

/* A child with files and memory of its own that does nothing more. */
static void child_begin(void)
{
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    world.child = fork();
    assert_true(world.child >= 0);
    if (world.child == 0) {
        struct rlimit limit = {777, 777};
        char *memory = malloc(MEMORY_BYTES);
        for (int i = 0; i < 100; i++)
            (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (memory)
            memset(memory, 1, MEMORY_BYTES);
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && write(ready[1], &byte, 1) == 1)
            for (;;)
                (void)pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static int begin(void **state)
{
    (void)state;
    struct tk_err err;
    world = (struct world){0};
    assert_int_equal(tk_kernel_open(&world.kernel, "/", &err), 0);
    world.kernel.mono_ns = moved_clock;
    assert_int_equal(tk_rows_new(tk_sink_none, &world.rows, &err), 0);
    child_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    (void)kill(world.child, SIGKILL);
    (void)waitpid(world.child, NULL, 0);
    tk_procs_free(world.procs);
    tk_rows_free(world.rows);
    tk_kernel_close(&world.kernel);
    return 0;
}

static void start(enum tk_tier tier, int64_t pss_budget_ns)
{
    struct tk_err err;
    struct tk_procs_options options = {.tier = tier,
                                       .tree_root = world.child,
                                       .tree_only = true,
                                       .no_events = true,
                                       .pss_budget_ns = pss_budget_ns};
    assert_int_equal(tk_procs_new(&world.kernel, &options, &world.procs, &err), 0);
    tk_procs_tick(world.procs, -1, world.rows);
}

static uint32_t index_of_child(void)
{
    uint32_t i = tk_proc_set_find(&world.procs->set, world.child);
    assert_int_not_equal(i, TK_PROC_NONE);
    return i;
}

static const struct tk_proc_memory *memory_of_child(void)
{
    return &world.procs->set.memory[index_of_child()];
}

static int64_t pss_left_out(void)
{
    struct tk_procs_stats stats;
    tk_procs_read_stats(world.procs, &stats);
    return stats.pss_left_out;
}

static struct tk_pid_rollup read_rollup(void)
{
    char path[64];
    char buf[4096];
    tk_str text;
    struct tk_err err;
    struct tk_pid_rollup rollup;
    (void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)world.child);
    assert_int_equal(tk_file_read(AT_FDCWD, path, buf, sizeof(buf), &text, &err), 0);
    assert_int_equal(tk_pid_rollup_parse(text, &rollup), 0);
    return rollup;
}

/* The folder itself, as the child has it open. */
static int64_t list_fds(void)
{
    char path[64];
    int64_t n = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)world.child);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n - 2;
}

static void open_files_are_counted_and_their_limit_is_read(void **state)
{
    (void)state;
    static const enum tk_tier tiers[] = {TK_TIER_P, TK_TIER_P0, TK_TIER_AUTO};
    for (size_t i = 0; i < TK_COUNTOF(tiers); i++) {
        start(tiers[i], 0);
        if (!world.procs->counts_fds) {
            print_message("skipped: this kernel does not tell how many files are open\n");
            skip();
        }
        assert_true(list_fds() > 100);
        assert_int_equal(world.procs->set.facts[index_of_child()].fds, list_fds());
        assert_int_equal(tk_procs_fd_limit(world.procs, index_of_child()), 777);
        tk_procs_free(world.procs);
        world.procs = NULL;
    }
}

static void pss_is_not_read_unless_asked_for(void **state)
{
    (void)state;
    start(TK_TIER_AUTO, 0);
    world.ahead_ns += 11 * TK_NS_PER_S;
    tk_procs_tick(world.procs, -1, world.rows);
    assert_null(world.procs->set.memory);
    assert_int_equal(pss_left_out(), 0);
}

static void pss_is_what_the_kernel_says(void **state)
{
    (void)state;
    return_under_tsan();
    start(TK_TIER_AUTO, 10 * TK_NS_PER_S);
    struct tk_pid_rollup now = read_rollup();
    assert_true(now.pss_kb >= (int64_t)(MEMORY_BYTES / 1024));
    /* Shared pages are divided among those who have them: others come and go. */
    int64_t off_by = now.pss_kb - (int64_t)memory_of_child()->pss_kb;
    assert_true(off_by > -2048 && off_by < 2048);
    assert_int_equal(memory_of_child()->swap_kb, now.swap_kb);
    assert_int_equal(pss_left_out(), 0);
}

static void who_would_take_the_whole_budget_is_left_out_and_counted(void **state)
{
    (void)state;
    start(TK_TIER_AUTO, 1000);
    assert_true(memory_of_child()->pss_kb == TK_PROC_KB_NONE);
    assert_int_equal(pss_left_out(), 1);
    tk_procs_tick(world.procs, -1, world.rows); /* not its turn */
    assert_int_equal(pss_left_out(), 1);
    world.ahead_ns += 11 * TK_NS_PER_S;
    tk_procs_tick(world.procs, -1, world.rows);
    assert_int_equal(pss_left_out(), 2);
}

static void a_budget_that_is_used_up_goes_on_at_the_next_tick(void **state)
{
    (void)state;
    struct tk_err err;
    /* All processes of this host: each reading takes more than 0.5 us, none of these is large. */
    struct tk_procs_options options = {
        .tier = TK_TIER_P, .no_events = true, .pss_budget_ns = 50 * TK_NS_PER_US};
    assert_int_equal(tk_procs_new(&world.kernel, &options, &world.procs, &err), 0);
    tk_procs_tick(world.procs, -1, world.rows);
    uint32_t at = world.procs->pss.next;
    if (world.procs->set.count < 20) {
        print_message("skipped: fewer than 20 processes here\n");
        skip();
    }
    assert_true(pss_left_out() > 0);
    tk_procs_tick(world.procs, -1, world.rows);
    assert_true(world.procs->pss.next != at);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(open_files_are_counted_and_their_limit_is_read, begin, end),
        cmocka_unit_test_setup_teardown(pss_is_not_read_unless_asked_for, begin, end),
        cmocka_unit_test_setup_teardown(pss_is_what_the_kernel_says, begin, end),
        cmocka_unit_test_setup_teardown(who_would_take_the_whole_budget_is_left_out_and_counted,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_budget_that_is_used_up_goes_on_at_the_next_tick, begin,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
