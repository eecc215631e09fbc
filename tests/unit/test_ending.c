/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a child that ended: as long as nobody waited for it, and after that. */
#include "step/ending.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "step/job.h"
#include "step/record.h"
#include "tk_test.h"

struct child {
    struct tk_kernel kernel;
    pid_t pid;
    int64_t born;
    int pidfd; /* -1 = this kernel has none */
};

/* A child that is about to end: by a signal, or with an exit status where that is 0. */
static void child_make(struct child *child, int signal, int status)
{
    struct tk_err err;
    pid_t above;
    int go[2];
    char byte;
    assert_int_equal(tk_kernel_open(&child->kernel, "/", &err), 0);
    assert_int_equal(pipe(go), 0);
    child->pid = fork();
    if (child->pid == 0) {
        (void)close(go[1]);
        (void)!read(go[0], &byte, 1);
        if (signal)
            (void)raise(signal);
        _exit(status);
    }
    assert_true(child->pid > 0);
    assert_true(tk_step_process_read(&child->kernel, child->pid, &above, &child->born));
    child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    assert_int_equal(close(go[0]), 0);
    assert_int_equal(close(go[1]), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), 0);
}

static struct tk_ending ending_of(const struct child *child)
{
    struct tk_ending ending;
    tk_ending_read(&child->kernel, child->pidfd, child->pid, child->born, &ending);
    return ending;
}

static void child_reap(struct child *child)
{
    assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
}

static void child_release(struct child *child)
{
    if (child->pidfd >= 0)
        (void)close(child->pidfd);
    tk_kernel_close(&child->kernel);
}

static void a_child_nobody_waited_for_tells_its_exit_status(void **state)
{
    (void)state;
    struct child child;
    child_make(&child, 0, 3);
    struct tk_ending ending = ending_of(&child);
    assert_int_equal(ending.exit_code, 3);
    assert_int_equal(ending.signal, TK_JOB_NONE);
    child_reap(&child);
    child_release(&child);
}

static void a_signal_is_told_with_the_status_of_a_shell(void **state)
{
    (void)state;
    struct child child;
    child_make(&child, SIGKILL, 0);
    struct tk_ending ending = ending_of(&child);
    assert_int_equal(ending.exit_code, 137);
    assert_int_equal(ending.signal, SIGKILL);
    child_reap(&child);
    child_release(&child);
}

/* Kernels before 6.15 forget. */
static void a_child_that_was_waited_for_tells_the_same_or_nothing(void **state)
{
    (void)state;
    struct child child;
    child_make(&child, SIGTERM, 0);
    child_reap(&child);
    struct tk_ending ending = ending_of(&child);
    if (ending.signal != TK_JOB_NONE)
        assert_int_equal(ending.signal, SIGTERM);
    assert_int_equal(ending.exit_code, ending.signal == TK_JOB_NONE ? TK_JOB_NONE : 143);
    child_release(&child);
}

static void another_process_of_that_number_is_not_taken_for_it(void **state)
{
    (void)state;
    struct child child;
    child_make(&child, 0, 3);
    struct tk_ending ending;
    tk_ending_read(&child.kernel, -1, child.pid, child.born + 1, &ending);
    assert_int_equal(ending.exit_code, TK_JOB_NONE);
    child_reap(&child);
    child_release(&child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_nobody_waited_for_tells_its_exit_status),
        cmocka_unit_test(a_signal_is_told_with_the_status_of_a_shell),
        cmocka_unit_test(a_child_that_was_waited_for_tells_the_same_or_nothing),
        cmocka_unit_test(another_process_of_that_number_is_not_taken_for_it),
    };
    return cmocka_run_group_tests_name("ending", tests, NULL, NULL);
}
