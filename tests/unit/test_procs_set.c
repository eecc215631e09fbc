/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs_set.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/procs_files.h"
#include "collect/procs_internal.h"
#include "tk_test.h"

static void holds_100_000_processes_through_births_and_deaths(void **state)
{
    (void)state;
    TK_CLEANUP(tk_proc_set_release) struct tk_proc_set set = {0};
    uint32_t i;
    for (pid_t pid = 1; pid <= 100000; pid++) {
        assert_int_equal(tk_proc_set_add(&set, pid, &i), 0);
        set.facts[i].start_ticks = pid * 7;
    }
    for (pid_t pid = 1; pid <= 100000; pid += 3)
        tk_proc_set_remove(&set, tk_proc_set_find(&set, pid));
    assert_int_equal(set.count, 66666);
    for (pid_t pid = 1; pid <= 100000; pid++) {
        i = tk_proc_set_find(&set, pid);
        assert_int_equal(i == TK_PROC_NONE, pid % 3 == 1);
        if (i == TK_PROC_NONE)
            continue;
        assert_int_equal(set.clocks[i].pid, pid);
        assert_int_equal(set.facts[i].start_ticks, pid * 7);
    }
}

static void a_new_process_is_known_by_its_pid_alone(void **state)
{
    (void)state;
    TK_CLEANUP(tk_proc_set_release) struct tk_proc_set set = {0};
    uint32_t i;
    assert_int_equal(tk_proc_set_find(&set, 7), TK_PROC_NONE);
    assert_int_equal(tk_proc_set_add(&set, 7, &i), 0);
    assert_int_equal(tk_proc_set_find(&set, 7), i);
    assert_int_equal(set.clocks[i].cpu_ns, 0);
    assert_int_equal(set.clocks[i].flags, 0);
    assert_int_equal(set.facts[i].start_ticks, -1);
    assert_int_equal(set.facts[i].rss_pages, -1);
    assert_int_equal(set.facts[i].files, TK_NO_FILES);
    assert_string_equal(set.facts[i].comm, "");
    tk_proc_set_remove(&set, i);
    assert_int_equal(tk_proc_set_find(&set, 7), TK_PROC_NONE);
}

static void a_process_costs_less_than_0_2_kb(void **state)
{
    (void)state;
    /* Two to four places of the index, and the place among those touched in a tick. */
    size_t bytes = sizeof(struct tk_proc_clock) + sizeof(struct tk_proc_facts) + 16 +
                   sizeof(struct tk_touched);
    assert_in_range(bytes, 1, 204);
}

static void pages_grow_and_shrink_with_their_content(void **state)
{
    (void)state;
    char *pages = tk_pages_resize(NULL, 0, 5000);
    assert_non_null(pages);
    memset(pages, 7, 5000);
    pages = tk_pages_resize(pages, 5000, 5000000);
    assert_non_null(pages);
    assert_int_equal(pages[4999], 7);
    assert_int_equal(pages[4999999], 0);
    pages = tk_pages_resize(pages, 5000000, 5000);
    assert_int_equal(pages[4999], 7);
    assert_null(tk_pages_resize(pages, 5000, 0));
}

/* In a process of its own, without the right to lock what it likes. */
static void locked_pages_grow_beyond_what_may_be_locked(void **state)
{
    (void)state;
    size_t bytes = 65536;
    pid_t child = fork();
    if (child == 0) {
        (void)setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){bytes, bytes});
        (void)setresuid(65534, 65534, 65534);
        char *pages = tk_pages_resize(NULL, 0, bytes);
        if (!pages || mlock(pages, bytes) < 0)
            _exit(2);
        pages = tk_pages_resize(pages, bytes, 16 * bytes);
        _exit(pages ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_100_000_processes_through_births_and_deaths),
        cmocka_unit_test(a_new_process_is_known_by_its_pid_alone),
        cmocka_unit_test(a_process_costs_less_than_0_2_kb),
        cmocka_unit_test(pages_grow_and_shrink_with_their_content),
        cmocka_unit_test(locked_pages_grow_beyond_what_may_be_locked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
