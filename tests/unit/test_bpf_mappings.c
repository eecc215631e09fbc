/* SPDX-License-Identifier: Apache-2.0 */
/* Where processes publish their Resource, on the running kernel: this process and a child of its.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/scan.h"
#include "collect/bpf.h"
#include "collect/otel_context.h"
#include "tk_test.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA           0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define PAGE_BYTES ((size_t)4096)

static struct published {
    struct tk_bpf *bpf; /* NULL = not to be had */
    struct tk_walker walker;
    void *area; /* MAP_FAILED = none */
    pid_t child;
} published;

static int begin(void **state)
{
    (void)state;
    struct tk_err err;
    published = (struct published){.area = MAP_FAILED};
    if (tk_bpf_new(TK_TIER_AUTO, TK_BPF_TASKS | TK_BPF_MAPPINGS, &published.bpf, &err) == 0)
        published.walker = tk_bpf_walker(published.bpf);
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (published.child > 0) {
        (void)kill(published.child, SIGKILL);
        (void)waitpid(published.child, NULL, 0);
    }
    if (published.area != MAP_FAILED)
        (void)munmap(published.area, PAGE_BYTES);
    tk_bpf_free(published.bpf);
    return 0;
}

static struct tk_bpf_mapping ask(pid_t pid)
{
    struct tk_bpf_mapping mapping = {.pid = pid};
    for (int i = 0; i < 100; i++) {
        assert_int_equal(published.walker.find_mappings(published.walker.context, &mapping, 1), 0);
        if (mapping.rc != -EBUSY)
            break;
    }
    return mapping;
}

static void publish_file(const char *name)
{
    TK_CLEANUP(tk_fd_close) int fd = memfd_create(name, MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, PAGE_BYTES), 0);
    published.area = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(published.area, MAP_FAILED);
}

/* What /proc/self/maps says; 0 = none. */
static uint64_t published_by_maps(void)
{
    static char text[1 << 20];
    struct tk_err err;
    tk_str rest;
    tk_str line;
    uint64_t address = 0;
    assert_int_equal(tk_file_read(AT_FDCWD, "/proc/self/maps", text, sizeof(text), &rest, &err), 0);
    while (tk_str_take_line(&rest, &line) && !tk_otel_mapping_parse(line, &address))
        continue;
    return address;
}

static void a_mapping_is_found_as_its_file_tells(void **state)
{
    (void)state;
    if (!published.walker.find_mappings)
        skip();
    assert_true(ask(getpid()).address == 0);
    publish_file("OTEL_CTX");
    struct tk_bpf_mapping mapping = ask(getpid());
    assert_int_equal(mapping.rc, 0);
    assert_true(mapping.address == (uint64_t)(uintptr_t)published.area);
    assert_true(mapping.address == published_by_maps());
}

static void other_names_are_none(void **state)
{
    (void)state;
    static const char *const names[] = {"OTEL_CT", "otel_ctx", "memfd:OTEL_CTX"};
    if (!published.walker.find_mappings)
        skip();
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        publish_file(names[i]);
        assert_true(ask(getpid()).address == 0);
        assert_int_equal(munmap(published.area, PAGE_BYTES), 0);
        published.area = MAP_FAILED;
    }
}

/* Not every kernel keeps such names (CONFIG_ANON_VMA_NAME). */
static void an_anonymous_mapping_is_found_where_it_has_its_name(void **state)
{
    (void)state;
    published.area =
        mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(published.area, MAP_FAILED);
    if (!published.walker.find_mappings ||
        prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, published.area, PAGE_BYTES, "OTEL_CTX") != 0)
        skip();
    assert_true(ask(getpid()).address == (uint64_t)(uintptr_t)published.area);
}

static void processes_are_told_apart(void **state)
{
    (void)state;
    if (!published.walker.find_mappings)
        skip();
    published.child = fork();
    assert_true(published.child >= 0);
    if (published.child == 0) {
        for (;;)
            (void)pause();
    }
    publish_file("OTEL_CTX");
    struct tk_bpf_mapping mappings[TK_BPF_MAPPINGS_MAX];
    for (uint32_t i = 0; i < TK_BPF_MAPPINGS_MAX; i++)
        mappings[i].pid = i % 2 == 0 ? published.child : getpid();
    assert_int_equal(
        published.walker.find_mappings(published.walker.context, mappings, TK_BPF_MAPPINGS_MAX), 0);
    for (uint32_t i = 0; i < TK_BPF_MAPPINGS_MAX; i++) {
        bool is_ours = i % 2 != 0 && mappings[i].rc == 0;
        assert_true(mappings[i].address == (is_ours ? (uint64_t)(uintptr_t)published.area : 0));
        assert_true(mappings[i].rc == 0 || mappings[i].rc == -EBUSY);
    }
}

/* A child of which nothing moves. */
static void who_has_changed_nothing_is_not_gone_through_again(void **state)
{
    (void)state;
    if (!published.walker.find_mappings)
        skip();
    publish_file("OTEL_CTX");
    published.child = fork();
    assert_true(published.child >= 0);
    if (published.child == 0) {
        for (;;)
            (void)pause();
    }
    struct tk_bpf_mapping mapping = ask(published.child);
    if (mapping.mark == 0)
        skip();                     /* this kernel does not tell */
    for (int i = 0; i < 100; i++) { /* it may have been on its way to pause() */
        struct tk_bpf_mapping again = mapping;
        assert_true(mapping.address == (uint64_t)(uintptr_t)published.area);
        assert_int_equal(published.walker.find_mappings(published.walker.context, &again, 1), 0);
        if (again.address == 0 && again.mark == mapping.mark)
            return;
        (void)usleep(10000);
        mapping = ask(published.child);
    }
    fail_msg("it is gone through each time");
}

static void an_environment_is_where_its_file_has_it(void **state)
{
    (void)state;
    static char text[1 << 20];
    struct tk_err err;
    tk_str file;
    if (!published.walker.find_mappings)
        skip();
    struct tk_bpf_mapping mapping = ask(getpid());
    assert_int_equal(tk_file_read(AT_FDCWD, "/proc/self/environ", text, sizeof(text), &file, &err),
                     0);
    assert_int_equal(mapping.env_bytes, file.n);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): it is an address of ours */
    assert_memory_equal((const void *)(uintptr_t)mapping.env, file.p, file.n);
}

static void who_has_ended_has_none(void **state)
{
    (void)state;
    if (!published.walker.find_mappings)
        skip();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(ask(child).rc, -ENOENT); /* it has no memory any more */
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(ask(child).rc, -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mapping_is_found_as_its_file_tells, begin, end),
        cmocka_unit_test_setup_teardown(other_names_are_none, begin, end),
        cmocka_unit_test_setup_teardown(an_anonymous_mapping_is_found_where_it_has_its_name, begin,
                                        end),
        cmocka_unit_test_setup_teardown(processes_are_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(who_has_changed_nothing_is_not_gone_through_again, begin,
                                        end),
        cmocka_unit_test_setup_teardown(an_environment_is_where_its_file_has_it, begin, end),
        cmocka_unit_test_setup_teardown(who_has_ended_has_none, begin, end),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
