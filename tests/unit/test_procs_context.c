/* SPDX-License-Identifier: Apache-2.0 */
/* Where processes belong, on a made-up /proc: what looking costs, and who is asked. */
#include "collect/procs_internal.h"
#include "tk_root.h"

#define FIRST_PID  100
#define MAPPING_AT 0x7f0000001000
#define PAYLOAD_AT 0x5000
#define ENV_AT     0x7000

/* ProcessContext { Resource { service.name = "shop" } } */
static const char payload[] = "\x0a\x18\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04shop";

static const char environment[] = "HOME=/\0TRACEPARENT=00-from-memory\0A=B";

static struct world {
    struct tk_root root; /* first: the kernel's `world` is both */
    struct tk_procs *procs;
    int64_t step_ns; /* that passes whenever somebody looks at the clock */
    int asked;       /* calls of the kernel ... */
    int asked_about; /* ... and processes in them */
    int answer;      /* 0, or why the kernel does not tell */
    bool tells_env;  /* the kernel does */
    uint32_t mark;   /* that it was asked with last */
} world;

static int64_t stepping_clock(void *context)
{
    struct world *w = context;
    w->root.now_ns += w->step_ns;
    return w->root.now_ns;
}

static int idle_clock(void *context, pid_t pid, int64_t *ret_ns)
{
    (void)context;
    (void)pid;
    *ret_ns = TK_NS_PER_MS;
    return 0;
}

/* The mapping of a process: its header, and what that points to. */
static int read_memory(void *context, pid_t pid, uint64_t address, void *to, size_t n)
{
    (void)context;
    (void)pid;
    const uint64_t header[4] = {0x5854435f4c45544f, 2 | (uint64_t)(sizeof(payload) - 1) << 32, 1,
                                PAYLOAD_AT};
    const void *from = NULL;
    if (address == MAPPING_AT && n == sizeof(header))
        from = header;
    if (address == PAYLOAD_AT && n == sizeof(payload) - 1)
        from = payload;
    if (address == ENV_AT && n == sizeof(environment))
        from = environment;
    if (!from)
        return -EFAULT;
    memcpy(to, from, n);
    return 0;
}

/* The program in the kernel: the first process publishes. */
static int find_mappings(void *context, struct tk_bpf_mapping *mappings, uint32_t count)
{
    struct world *w = context;
    w->asked++;
    w->asked_about += (int)count;
    for (uint32_t i = 0; i < count; i++) {
        w->mark = mappings[i].mark;
        mappings[i].mark = 77;
        mappings[i].env = w->tells_env ? ENV_AT : 0;
        mappings[i].env_bytes = mappings[i].pid == FIRST_PID ? sizeof(environment) : 1;
        mappings[i].rc = w->answer;
        mappings[i].address = mappings[i].pid == FIRST_PID ? MAPPING_AT : 0;
    }
    return 0;
}

static void put_file(pid_t pid, const char *name, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "proc/%d/%s", pid, name);
    tk_root_write(&world.root, path, text);
}

/* Processes of which each knows the span that started it. */
static void put_processes(int count)
{
    for (pid_t pid = FIRST_PID; pid < FIRST_PID + count; pid++) {
        char stat[128];
        (void)snprintf(stat, sizeof(stat),
                       "%d (worker) S 1 1 1 0 -1 0 11 0 12 0 7 5 0 0 20 0 1 0 99999 0 100 0\n",
                       pid);
        put_file(pid, "stat", stat);
        put_file(pid, "statm", "900 250 0 0 0 0 0\n");
        put_file(pid, "cgroup", "0::/user.slice\n");
        put_file(pid, "maps", "");
        char path[64];
        char full[160];
        (void)snprintf(path, sizeof(path), "proc/%d/environ", pid);
        (void)snprintf(full, sizeof(full), "%s/%s", world.root.path, path);
        FILE *file = fopen(full, "w");
        assert_non_null(file);
        (void)fputs("HOME=/", file);
        (void)fputc('\0', file);
        (void)fprintf(file, "TRACEPARENT=00-%032d-00000000000000aa-01", pid);
        (void)fputc('\0', file);
        assert_int_equal(fclose(file), 0);
    }
}

static int begin(void **state)
{
    (void)state;
    world = (struct world){0};
    tk_root_init(&world.root, NULL);
    world.root.kernel.cpu_clock = idle_clock;
    world.root.kernel.mono_ns = stepping_clock;
    world.root.kernel.read_memory = read_memory;
    tk_root_write(&world.root, "proc/loadavg", "0.1 0.2 0.3 1/80 50\n");
    return 0;
}

static int end(void **state)
{
    (void)state;
    tk_procs_free(world.procs);
    tk_root_release(&world.root);
    return 0;
}

static void start(bool asks_kernel)
{
    struct tk_err err;
    const struct tk_procs_options options = {
        .node = "n0", .host = "h0", .no_events = true, .tier = TK_TIER_P, .contexts = true};
    assert_int_equal(tk_procs_new(&world.root.kernel, &options, &world.procs, &err), 0);
    if (asks_kernel) {
        world.procs->walker.find_mappings = find_mappings;
        world.procs->walker.context = &world;
    }
}

static const char *tick(int64_t ns)
{
    world.root.now_ns += ns;
    tk_procs_tick(world.procs, -1, world.root.rows);
    return tk_root_take_rows(&world.root);
}

static int count_contexts(const char *rows)
{
    return tk_root_count_rows(rows, "proc_context", "\"traceparent\":");
}

static void files_say_where_a_process_belongs(void **state)
{
    (void)state;
    put_processes(1);
    put_file(FIRST_PID, "maps",
             "400000-401000 r-xp 00000000 08:01 99 /bin/worker\n"
             "7f0000001000-7f0000002000 rw-p 00000000 00:01 7 /memfd:OTEL_CTX (deleted)\n");
    start(false);
    assert_rows(tick(0), "proc_context",
                "\"traceparent\":\"00-00000000000000000000000000000100-00000000000000aa-01\","
                "\"resource\":\"{\\\"service.name\\\":\\\"shop\\\"}\"",
                1);
    assert_int_equal(world.asked, 0);
}

static void the_kernel_is_asked_for_many_at_once(void **state)
{
    (void)state;
    put_processes(400);
    start(true);
    const char *rows = tick(0);
    assert_rows(rows, "proc_context", "\"traceparent\":", 400);
    assert_rows(rows, "proc_context", "\"resource\":\"{\\\"service.name\\\":\\\"shop\\\"}\"", 1);
    assert_int_equal(world.asked_about, 400);
    assert_in_range(world.asked, 2, 5);
    /* A second later again, but for the one that was found. */
    (void)tick(TK_NS_PER_S + TK_NS_PER_MS);
    assert_int_equal(world.asked_about, 799);
}

static void an_environment_is_read_from_memory_where_that_may_be_read(void **state)
{
    (void)state;
    put_processes(2);
    world.tells_env = true;
    start(true);
    const char *rows = tick(0);
    assert_rows(rows, "proc_context", "\"traceparent\":\"00-from-memory\"", 1);
    assert_rows(rows, "proc_context", "00000101-00000000000000aa-01\"", 1); /* from its file */
}

static void the_kernel_learns_what_it_told_before(void **state)
{
    (void)state;
    put_processes(2);
    start(true);
    (void)tick(0);
    assert_int_equal(world.mark, 0);
    (void)tick(TK_NS_PER_S + TK_NS_PER_MS);
    assert_int_equal(world.mark, 77);
}

static void memory_that_is_being_changed_is_read_from_its_file(void **state)
{
    (void)state;
    put_processes(2);
    put_file(FIRST_PID + 1, "maps", "7f0000001000-7f0000002000 rw-p 0 00:00 0 [anon:OTEL_CTX]\n");
    world.answer = -EBUSY;
    start(true);
    const char *rows = tick(0);
    assert_rows(rows, "proc_context", "\"pid\":101,", 1);
    assert_rows(rows, "proc_context", "\"resource\":", 1);
}

static void who_has_gone_is_counted(void **state)
{
    (void)state;
    put_processes(3);
    world.answer = -ESRCH;
    start(true);
    (void)tick(0);
    struct tk_procs_stats stats;
    tk_procs_read_stats(world.procs, &stats);
    assert_int_equal(stats.contexts_left_out, 3);
    assert_int_equal(stats.contexts_refused, 0);
}

/* By a clock that goes on by 100 us at each look at it, a look takes more than that. */
static void looks_take_2_percent_of_the_time_at_most(void **state)
{
    (void)state;
    put_processes(600);
    start(false);
    world.step_ns = 100 * TK_NS_PER_US;
    assert_in_range(count_contexts(tick(0)), 1, 21); /* 1 ms, if they took 50 us each */
    int looks = 0;
    for (int i = 0; i < 50; i++) {
        world.root.now_ns += 10 * TK_NS_PER_MS;
        int64_t start_ns = world.root.now_ns;
        tk_procs_read_contexts(world.procs, world.root.rows);
        assert_true(world.root.now_ns - start_ns < 2 * TK_NS_PER_MS);
        looks += count_contexts(tk_root_take_rows(&world.root));
    }
    assert_in_range(looks, 1, 500 / 5); /* 2 % of 500 ms, and what looking took of the clock */
    /* A long pause earns no more than 20 ms. */
    world.root.now_ns += 60 * TK_NS_PER_S;
    int64_t start_ns = world.root.now_ns;
    tk_procs_read_contexts(world.procs, world.root.rows);
    assert_in_range(world.root.now_ns - start_ns, 20 * TK_NS_PER_MS, 22 * TK_NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_say_where_a_process_belongs, begin, end),
        cmocka_unit_test_setup_teardown(the_kernel_is_asked_for_many_at_once, begin, end),
        cmocka_unit_test_setup_teardown(an_environment_is_read_from_memory_where_that_may_be_read,
                                        begin, end),
        cmocka_unit_test_setup_teardown(the_kernel_learns_what_it_told_before, begin, end),
        cmocka_unit_test_setup_teardown(memory_that_is_being_changed_is_read_from_its_file, begin,
                                        end),
        cmocka_unit_test_setup_teardown(who_has_gone_is_counted, begin, end),
        cmocka_unit_test_setup_teardown(looks_take_2_percent_of_the_time_at_most, begin, end),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
