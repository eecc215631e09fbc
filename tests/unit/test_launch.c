/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "tk_test.h"

/* Of a command that hangs. */
#define PATIENCE_MS 20000

static char *const *words(char *const *argv)
{
    return argv;
}

/* Literals are what a caller's argv is not: constant. execvp() does not write to them. */
#define ARGV(...)  words((char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV((char[]){"sh"}, (char[]){"-c"}, (char[]){script})

/* Step until the command ended. */
static void wait_for_end(struct tk_launch *launch)
{
    for (int tries = 0; tk_launch_step(launch) == 0; tries++) {
        struct pollfd fd = {.fd = tk_launch_fd(launch), .events = POLLIN};
        assert_int_not_equal(poll(&fd, 1, PATIENCE_MS), 0);
        assert_true(tries < 10000);
    }
}

static struct tk_launch_result run(const struct tk_launch_options *options)
{
    struct tk_launch *launch = NULL;
    struct tk_launch_result result = {0};
    struct tk_err err = {0};
    assert_int_equal(tk_launch_start(options, &launch, &err), 0);
    wait_for_end(launch);
    tk_launch_read_result(launch, &result);
    tk_launch_free(launch);
    return result;
}

static int check(const char *program, struct tk_err *err)
{
    char name[PATH_MAX];
    (void)snprintf(name, sizeof(name), "%s", program);
    return tk_launch_check(&(struct tk_launch_options){.argv = ARGV(name)}, err);
}

static struct tk_launch_result run_shell(char *const *argv)
{
    return run(&(struct tk_launch_options){.argv = argv});
}

static void the_exit_code_or_signal_of_the_command_is_reported(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        int code, signal;
    } cases[] = {
        {"exit 0", 0, 0},
        {"exit 7", 7, 0},
        {"exit 255", 255, 0},
        {"kill -TERM $$", 128 + SIGTERM, SIGTERM},
        {"kill -KILL $$", 128 + SIGKILL, SIGKILL},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char script[64];
        (void)snprintf(script, sizeof(script), "%s", cases[i].script);
        struct tk_launch_result result = run_shell(ARGV((char[]){"sh"}, (char[]){"-c"}, script));
        assert_int_equal(result.exit_code, cases[i].code);
        assert_int_equal(result.exit_signal, cases[i].signal);
        assert_true(result.end_mono_ns > result.start_mono_ns);
        assert_int_equal(result.reaped, 1);
        assert_int_equal(result.left, 0);
    }
}

static void a_command_that_cannot_be_executed_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int code;
        const char *message;
    } cases[] = {
        {"/nonexistent/tool", -ENOENT, "cannot run '/nonexistent/tool': No such file or directory"},
        {"no-such-tool-anywhere", -ENOENT,
         "cannot run 'no-such-tool-anywhere': No such file or directory"},
        {"/", -EACCES, "cannot run '/': Permission denied"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%s", cases[i].name);
        struct tk_launch *launch = NULL;
        struct tk_err err = {0};
        struct tk_launch_options options = {.argv = ARGV(name)};
        assert_int_equal(tk_launch_start(&options, &launch, &err), cases[i].code);
        assert_string_equal(err.msg, cases[i].message);
        assert_null(launch);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        /* Asked before, the answer is the same. */
        err = (struct tk_err){0};
        assert_int_equal(check(name, &err), cases[i].code);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void a_program_is_looked_for_as_exec_does(void **state)
{
    (void)state;
    struct tk_err err;
    const char *path = getenv("PATH");
    char before[4096];
    (void)snprintf(before, sizeof(before), "%s", path ? path : "");
    assert_int_equal(check("sh", &err), 0);
    assert_int_equal(check("/bin/sh", &err), 0);
    assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
    assert_int_equal(check("sh", &err), -ENOENT);
    assert_int_equal(setenv("PATH", "/etc:/nonexistent", 1), 0);
    assert_int_equal(check("passwd", &err), -EACCES);
    assert_int_equal(unsetenv("PATH"), 0);
    assert_int_equal(check("sh", &err), 0);
    assert_int_equal(setenv("PATH", before, 1), 0);
}

static void usage_of_children_and_of_orphans_is_counted(void **state)
{
    (void)state;
    /* The inner shell spins as an orphan: its parent ends first, and the outer one waits for it
     * through a pipe. */
    struct tk_launch_result result = run_shell(
        SH("{ (trap '' PIPE; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done) & } | cat; "
           "sleep 0.05"));
    int64_t cpu_ns = result.user_ns + result.system_ns;
    assert_true(cpu_ns > 20 * TK_NS_PER_MS);
    assert_true(result.reaped >= 2);
    assert_true(result.max_rss_bytes > 100000);
    assert_true(result.minflt > 0);
}

static void descendants_that_outlive_the_command_are_counted(void **state)
{
    (void)state;
    /* The command ends when the inner shell has started its sleep: both live on. */
    struct tk_launch_result result =
        run_shell(SH("{ sh -c 'sleep 2 & echo x; exec >/dev/null; wait' & } | read x; exit 3"));
    assert_int_equal(result.exit_code, 3);
    assert_int_equal(result.left, 2);
    while (waitpid(-1, NULL, 0) > 0)
        continue;
}

static void wait_for_word(int fd)
{
    char byte;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
    assert_int_equal(read(fd, &byte, 1), 1);
}

static void signals_sent_to_us_are_passed_on(void **state)
{
    (void)state;
    static const struct {
        int signal;
        const char *name;
    } cases[] = {
        {SIGTERM, "TERM"}, {SIGHUP, "HUP"},   {SIGINT, "INT"},
        {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"}, {SIGQUIT, "QUIT"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        /* What is ignored when a shell starts cannot be trapped, as in the jobs of a script. */
        assert_ptr_not_equal(signal(cases[i].signal, SIG_DFL), SIG_ERR);
        int ready[2];
        assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
        char script[160];
        int inherited = dup(ready[1]);
        (void)snprintf(script, sizeof(script),
                       "trap 'exit 42' %s; echo x >&%d; while :; do sleep 0.01; done",
                       cases[i].name, inherited);
        struct tk_launch *launch = NULL;
        struct tk_err err = {0};
        struct tk_launch_options options = {.argv = ARGV((char[]){"sh"}, (char[]){"-c"}, script)};
        assert_int_equal(tk_launch_start(&options, &launch, &err), 0);
        wait_for_word(ready[0]);
        assert_int_equal(kill(getpid(), cases[i].signal), 0);
        wait_for_end(launch);
        struct tk_launch_result result;
        tk_launch_read_result(launch, &result);
        assert_int_equal(result.exit_code, 42);
        tk_launch_free(launch);
        (void)close(inherited);
        (void)close(ready[0]);
        (void)close(ready[1]);
    }
}

/* A field of /proc/self/status as the command sees it, in hexadecimal. */
static uint64_t status_of_command(const char *field)
{
    char pattern[32];
    (void)snprintf(pattern, sizeof(pattern), "^%s:", field);
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    int saved = dup(STDOUT_FILENO);
    assert_int_equal(dup2(out[1], STDOUT_FILENO), STDOUT_FILENO);
    struct tk_launch_result result =
        run_shell(ARGV((char[]){"grep"}, pattern, (char[]){"/proc/self/status"}));
    assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
    assert_int_equal(result.exit_code, 0);
    char text[128] = "";
    assert_true(read(out[0], text, sizeof(text) - 1) > 0);
    (void)close(saved);
    (void)close(out[0]);
    (void)close(out[1]);
    return strtoull(strchr(text, ':') + 1, NULL, 16);
}

static void the_command_gets_the_signal_state_that_we_were_given(void **state)
{
    (void)state;
    assert_int_equal(status_of_command("SigBlk"), 0);
    assert_ptr_not_equal(signal(SIGHUP, SIG_IGN), SIG_ERR);
    assert_ptr_not_equal(signal(SIGCHLD, SIG_IGN), SIG_ERR);
    assert_int_equal(status_of_command("SigIgn"), 1ULL << (SIGHUP - 1) | 1ULL << (SIGCHLD - 1));
    assert_ptr_equal(signal(SIGCHLD, SIG_DFL), SIG_IGN);
    assert_ptr_equal(signal(SIGHUP, SIG_DFL), SIG_IGN);
}

static void our_own_signal_state_is_restored(void **state)
{
    (void)state;
    sigset_t before, after;
    sigprocmask(SIG_SETMASK, NULL, &before);
    struct tk_launch_result result = run_shell(SH("exit 0"));
    sigprocmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(result.exit_code, 0);
    for (int signal_number = 1; signal_number < SIGRTMIN; signal_number++)
        assert_int_equal(sigismember(&before, signal_number), sigismember(&after, signal_number));
    assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL);
}

static void note_pid(void *context, pid_t pid)
{
    *(pid_t *)context = pid;
}

static int refuse(void *context, bool in_group)
{
    (void)context;
    (void)in_group;
    return -EROFS;
}

static void hooks_run_before_the_command_and_cannot_stop_it(void **state)
{
    (void)state;
    pid_t pid = 0;
    struct tk_launch_result result = run(&(struct tk_launch_options){
        .argv = SH("exit 5"), .on_fork = note_pid, .prepare = refuse, .context = &pid});
    assert_true(pid > 0);
    assert_int_equal(result.exit_code, 5);
    assert_int_equal(result.prepare_error, -EROFS);
}

static void the_command_runs_on_the_cpus_that_were_given(void **state)
{
    (void)state;
    struct tk_launch_result result = run(&(struct tk_launch_options){
        .argv = SH("grep -q 'Cpus_allowed_list:.0$' /proc/self/status"), .cpuset = "0"});
    assert_int_equal(result.exit_code, 0);
}

static void cpus_that_the_machine_lacks_are_an_error(void **state)
{
    (void)state;
    static const char *const cases[] = {"1023", "0-1023", "0,1023"};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_launch *launch = NULL;
        struct tk_err err = {0};
        struct tk_launch_options options = {.argv = SH("exit 0"), .cpuset = cases[i]};
        char message[96];
        int n = snprintf(message, sizeof(message),
                         "CPU set '%s': expected CPUs of this machine, which has 0", cases[i]);
        assert_int_equal(tk_launch_check(&options, &err), -EINVAL);
        assert_memory_equal(err.msg, message, (size_t)n);
        assert_int_equal(tk_launch_start(&options, &launch, &err), -EINVAL);
    }
}

static void a_preparation_that_must_succeed_stops_the_command(void **state)
{
    (void)state;
    struct tk_launch *launch = NULL;
    struct tk_err err = {0};
    struct tk_launch_options options = {
        .argv = SH("exit 0"), .prepare = refuse, .must_prepare = true};
    assert_int_equal(tk_launch_start(&options, &launch, &err), -EROFS);
    assert_string_equal(err.msg, "cannot prepare 'sh': Read-only file system");
}

static void a_bad_cpu_set_is_an_error(void **state)
{
    (void)state;
    static const char *const cases[] = {"x", "3-1", "0-", "-1", "99999", "0;1", ","};
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_launch *launch = NULL;
        struct tk_err err = {0};
        struct tk_launch_options options = {.argv = SH("exit 0"), .cpuset = cases[i]};
        char message[96];
        (void)snprintf(message, sizeof(message), "CPU set '%s': expected CPUs such as 0-3,6",
                       cases[i]);
        assert_int_equal(tk_launch_start(&options, &launch, &err), -EINVAL);
        assert_string_equal(err.msg, message);
    }
}

static void the_figures_are_those_of_wait4(void **state)
{
    (void)state;
    struct rusage before, after;
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &before), 0);
    struct tk_launch_result result =
        run_shell(SH("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; /bin/true; /bin/true"));
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &after), 0);
    int64_t user_us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
                      (after.ru_utime.tv_usec - before.ru_utime.tv_usec);
    assert_near((double)result.user_ns / 1000, (double)user_us, 2);
    assert_int_equal(result.minflt, after.ru_minflt - before.ru_minflt);
    assert_int_equal(result.nvcsw, after.ru_nvcsw - before.ru_nvcsw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exit_code_or_signal_of_the_command_is_reported),
        cmocka_unit_test(a_command_that_cannot_be_executed_is_named),
        cmocka_unit_test(a_program_is_looked_for_as_exec_does),
        cmocka_unit_test(usage_of_children_and_of_orphans_is_counted),
        cmocka_unit_test(descendants_that_outlive_the_command_are_counted),
        cmocka_unit_test(signals_sent_to_us_are_passed_on),
        cmocka_unit_test(the_command_gets_the_signal_state_that_we_were_given),
        cmocka_unit_test(our_own_signal_state_is_restored),
        cmocka_unit_test(hooks_run_before_the_command_and_cannot_stop_it),
        cmocka_unit_test(the_command_runs_on_the_cpus_that_were_given),
        cmocka_unit_test(cpus_that_the_machine_lacks_are_an_error),
        cmocka_unit_test(a_preparation_that_must_succeed_stops_the_command),
        cmocka_unit_test(a_bad_cpu_set_is_an_error),
        cmocka_unit_test(the_figures_are_those_of_wait4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
