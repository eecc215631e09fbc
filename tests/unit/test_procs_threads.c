/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of threads, on a made-up /proc with made-up clocks, and by a made-up walk. */
#include <sys/stat.h>

#include "collect/procs_internal.h"
#include "tk_root.h"

#define MAX_THREADS 2000
#define WORKERS     20 /* a process with several threads */
#define ALONE       30
#define START_NS    (5000 * TK_NS_PER_MS) /* of both processes since boot: 500 ticks */

static struct world {
    struct tk_root root; /* first: the kernel's `world` is both */
    struct tk_procs *procs;
    struct thread {
        pid_t tid, pid; /* tid 0 = it has ended */
        int64_t start_ticks;
        int64_t cpu_ns, utime_ticks, stime_ticks;
        int64_t told_ns; /* by the walk; -1 = never */
    } threads[MAX_THREADS];
    size_t count;
    bool has_schedstat;

    /* Tier B2 */
    bool walks;
    uint32_t room; /* for records of threads */
    struct tk_bpf_task tasks[2];
    struct tk_bpf_thread records[MAX_THREADS];
} world;

static const pid_t pids[] = {WORKERS, ALONE};

static int64_t cpu_ns_of(pid_t pid, int *ret_threads)
{
    int64_t cpu_ns = 0;
    *ret_threads = 0;
    for (size_t i = 0; i < world.count; i++) {
        if (world.threads[i].pid == pid) {
            cpu_ns += world.threads[i].cpu_ns;
            *ret_threads += world.threads[i].tid != 0;
        }
    }
    return cpu_ns;
}

static int world_cpu_clock(void *context, pid_t pid, int64_t *ret_ns)
{
    (void)context;
    int threads;
    *ret_ns = cpu_ns_of(pid, &threads);
    return threads > 0 ? 0 : -ESRCH;
}

/* /proc ---------------------------------------------------------------------------------------- */

static void put_stat(const char *path, pid_t id, int64_t start_ticks, int64_t utime, int threads)
{
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "%d (worker) S 1 1 1 0 -1 0 11 0 12 0 %lld 5 0 0 20 0 %d 0 %lld 0 100 0\n", id,
                   (long long)utime, threads, (long long)start_ticks);
    tk_root_write(&world.root, path, text);
}

static void put_process(pid_t pid)
{
    char path[64];
    int threads;
    int64_t cpu_ns = cpu_ns_of(pid, &threads);
    (void)snprintf(path, sizeof(path), "proc/%d/stat", pid);
    put_stat(path, pid, 500, cpu_ns / (10 * TK_NS_PER_MS), threads);
    (void)snprintf(path, sizeof(path), "proc/%d/statm", pid);
    tk_root_write(&world.root, path, "900 250 0 0 0 0 0\n");
}

static void put_thread_files(const struct thread *thread)
{
    char path[80];
    char text[64];
    (void)snprintf(path, sizeof(path), "proc/%d/task/%d/stat", thread->pid, thread->tid);
    put_stat(path, thread->tid, thread->start_ticks, thread->utime_ticks, 1);
    if (!world.has_schedstat)
        return;
    (void)snprintf(path, sizeof(path), "proc/%d/task/%d/schedstat", thread->pid, thread->tid);
    (void)snprintf(text, sizeof(text), "%lld 77000 3\n", (long long)thread->cpu_ns);
    tk_root_write(&world.root, path, text);
}

static struct thread *find_thread(pid_t tid)
{
    size_t i = 0;
    while (i < world.count && world.threads[i].tid != tid)
        i++;
    assert_true(i < world.count);
    return &world.threads[i];
}

static void add_thread(pid_t pid, pid_t tid, int64_t start_ticks, int64_t cpu_ms)
{
    assert_true(world.count < MAX_THREADS);
    struct thread *thread = &world.threads[world.count++];
    *thread = (struct thread){.tid = tid,
                              .pid = pid,
                              .start_ticks = start_ticks,
                              .cpu_ns = cpu_ms * TK_NS_PER_MS,
                              .utime_ticks = cpu_ms / 10,
                              .told_ns = -1};
    put_thread_files(thread);
    put_process(pid);
}

static void run_thread(pid_t tid, int64_t ms)
{
    struct thread *thread = find_thread(tid);
    thread->cpu_ns += ms * TK_NS_PER_MS;
    thread->utime_ticks += ms / 10;
    put_thread_files(thread);
    put_process(thread->pid);
}

/* What it used stays with its process. */
static void end_thread(pid_t tid)
{
    static const char *const names[] = {"stat", "schedstat", ""};
    struct thread *thread = find_thread(tid);
    for (size_t i = 0; i < TK_COUNTOF(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/proc/%d/task/%d/%s", world.root.path, thread->pid,
                       tid, names[i]);
        (void)remove(path);
    }
    thread->tid = 0;
    put_process(thread->pid);
}

/* A walk --------------------------------------------------------------------------------------- */

static void tell_thread(struct tk_walk *walk, struct thread *thread, enum tk_bpf_threads wanted)
{
    if (thread->tid == 0 || (wanted != TK_BPF_THREADS_ALL && thread->told_ns == thread->cpu_ns))
        return;
    if (walk->thread_count == world.room) {
        walk->threads_left_out++;
        return;
    }
    thread->told_ns = thread->cpu_ns;
    world.records[walk->thread_count++] = (struct tk_bpf_thread){
        .pid = thread->pid,
        .tid = thread->tid,
        .process_start_boot_ns = START_NS,
        .start_boot_ns = (uint64_t)(thread->start_ticks * 10 * TK_NS_PER_MS),
        .runtime_ns = (uint64_t)thread->cpu_ns,
        .utime_ns = (uint64_t)(thread->utime_ticks * 10 * TK_NS_PER_MS),
        .stime_ns = (uint64_t)(thread->stime_ticks * 10 * TK_NS_PER_MS),
        .minflt = 11,
        .majflt = 12,
        .nvcsw = 13,
        .nivcsw = 14,
        .run_delay_ns = 77000,
        .state = 1,
        .comm = "worker",
    };
}

static void tell_process(struct tk_walk *walk, pid_t pid, enum tk_bpf_threads wanted)
{
    int threads;
    int64_t cpu_ns = cpu_ns_of(pid, &threads);
    if (threads == 0)
        return;
    walk->processes++;
    world.tasks[walk->count++] = (struct tk_bpf_task){
        .pid = pid,
        .is_whole = 1,
        .ppid = 1,
        .ns_pid = pid,
        .start_boot_ns = START_NS,
        .runtime_ns = (uint64_t)cpu_ns,
        .group = 16,
        .threads = threads,
        .comm = "worker",
    };
    for (size_t i = 0; i < world.count && threads > 1 && wanted != TK_BPF_THREADS_NONE; i++) {
        if (world.threads[i].pid == pid)
            tell_thread(walk, &world.threads[i], wanted);
    }
}

static int world_walk(void *context, const struct tk_walk_order *order, struct tk_walk *ret)
{
    struct world *w = context;
    *ret = (struct tk_walk){.tasks = w->tasks,
                            .threads = w->records,
                            .start_ns = w->root.now_ns,
                            .end_ns = w->root.now_ns};
    for (size_t i = 0; i < TK_COUNTOF(pids); i++)
        tell_process(ret, pids[i], order->threads);
    return 0;
}

/* Set-up --------------------------------------------------------------------------------------- */

static int world_open(void **state)
{
    (void)state;
    world = (struct world){.has_schedstat = true, .room = MAX_THREADS};
    tk_root_init(&world.root, NULL);
    world.root.kernel.cpu_clock = world_cpu_clock;
    tk_root_write(&world.root, "proc/loadavg", "0.1 0.2 0.3 1/80 50\n");
    add_thread(WORKERS, 20, 500, 10);
    add_thread(WORKERS, 21, 510, 20);
    add_thread(WORKERS, 22, 520, 30);
    add_thread(ALONE, 30, 500, 40);
    return 0;
}

static int walked_open(void **state)
{
    int rc = world_open(state);
    world.walks = true;
    return rc;
}

static int world_close(void **state)
{
    (void)state;
    tk_procs_free(world.procs);
    tk_root_release(&world.root);
    return 0;
}

static void open_procs(struct tk_procs_options options)
{
    struct tk_err err;
    const struct tk_walker walker = {.walk = world_walk, .context = &world, .rss_exact = true};
    options.node = "n0";
    options.no_events = true;
    if (world.walks) {
        options.tier = TK_TIER_B2;
        options.walker = &walker;
    }
    assert_int_equal(tk_procs_new(&world.root.kernel, &options, &world.procs, &err), 0);
}

static const char *tick(void)
{
    world.root.now_ns += 100 * TK_NS_PER_MS;
    tk_procs_tick(world.procs, -1, world.root.rows);
    return tk_root_take_rows(&world.root);
}

static int64_t left_out(void)
{
    struct tk_procs_stats stats;
    tk_procs_read_stats(world.procs, &stats);
    return stats.threads_left_out;
}

/* Tests ---------------------------------------------------------------------------------------- */

static void the_first_tick_tells_every_thread_of_who_has_several(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.threads = true, .host = "h0"});
    const char *rows = tick();
    assert_rows(rows, "proc_metrics", "", 2);
    assert_rows(rows, "thread_metrics", "", 3);
    assert_rows(rows, "thread_metrics", "\"pid\":20,", 3);
    assert_rows(rows, "thread_metrics",
                "{\"ts_ms\":1758059310100,\"ts_us\":1758059310100000,\"node\":\"n0\","
                "\"host\":\"h0\",\"pid\":20,\"start_ticks\":500,\"tid\":21,"
                "\"thread_start_ticks\":510,\"comm\":\"worker\",\"state\":\"S\","
                "\"cpu_ns\":20000000,\"utime\":2,",
                1);
    assert_rows(rows, "thread_metrics", "\"minflt\":11,\"majflt\":12,", 3);
    assert_rows(rows, "thread_metrics", "\"run_delay_us\":77", 3);
}

static void then_those_that_ran_alone(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.threads = true});
    (void)tick();
    assert_rows(tick(), "thread_metrics", "", 0);
    run_thread(22, 50);
    run_thread(30, 50);
    const char *rows = tick();
    assert_rows(rows, "thread_metrics", "", 1);
    assert_rows(rows, "thread_metrics", "1758059310300,", 1);
    assert_rows(rows, "thread_metrics", "\"tid\":22,", 1);
    assert_rows(rows, "thread_metrics", "\"cpu_ns\":80000000,\"utime\":8,", 1);
}

static void nobody_is_told_of_unless_asked(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){0});
    assert_rows(tick(), "thread_metrics", "", 0);
    run_thread(22, 50);
    assert_rows(tick(), "thread_metrics", "", 0);
}

static void threads_of_who_is_not_sampled_are_not_told(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.threads = true, .match = "^nobody$"});
    assert_rows(tick(), "thread_metrics", "", 0);
    run_thread(22, 50);
    assert_rows(tick(), "thread_metrics", "", 0);
}

static void every_tick_and_the_last_one_tell_all(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.threads = true, .every_tick = true});
    assert_rows(tick(), "thread_metrics", "", 3);
    assert_rows(tick(), "thread_metrics", "", 3);
    world.root.now_ns += 100 * TK_NS_PER_MS;
    tk_procs_finish(world.procs, world.root.rows);
    assert_rows(tk_root_take_rows(&world.root), "thread_metrics", "", 3);
}

static void a_tid_given_anew_is_another_thread(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.threads = true});
    (void)tick();
    end_thread(22);
    assert_rows(tick(), "thread_metrics", "", 0);
    add_thread(WORKERS, 22, 900, 10);
    const char *rows = tick();
    assert_rows(rows, "thread_metrics", "", 1);
    assert_rows(rows, "thread_metrics", "\"tid\":22,\"thread_start_ticks\":900,", 1);
    assert_rows(rows, "thread_metrics", "\"cpu_ns\":10000000,\"utime\":1,", 1);
}

static void a_second_thread_brings_the_main_one(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.threads = true});
    (void)tick();
    add_thread(ALONE, 31, 910, 10);
    const char *rows = tick();
    assert_rows(rows, "thread_metrics", "\"pid\":30,", 2);
    end_thread(31);
    run_thread(30, 10);
    rows = tick();
    assert_rows(rows, "proc_metrics", "\"pid\":30,", 1);
    assert_rows(rows, "thread_metrics", "", 0);
}

static void user_and_system_time_never_step_back(void **state)
{
    (void)state;
    open_procs((struct tk_procs_options){.threads = true});
    (void)tick();
    run_thread(22, 50); /* 80 ms by then, all of them user time */
    assert_rows(tick(), "thread_metrics", "\"utime\":8,\"stime\":0,", 1);
    find_thread(22)->stime_ticks = 8; /* by the ticks, half of it is system time now */
    run_thread(22, 10);
    const char *rows = tick();
    assert_rows(rows, "thread_metrics", "\"cpu_ns\":90000000,\"utime\":8,\"stime\":1,", 1);
}

static void what_finds_no_room_in_a_walk_is_counted(void **state)
{
    (void)state;
    world.room = 2;
    open_procs((struct tk_procs_options){.threads = true});
    assert_rows(tick(), "thread_metrics", "", 2);
    assert_int_equal(left_out(), 1);
    assert_rows(tick(), "thread_metrics", "\"tid\":22,", 1);
    assert_int_equal(left_out(), 1);
}

static void many_that_run_are_read_in_turn(void **state)
{
    (void)state;
    for (pid_t tid = 1000; tid < 2497; tid++) /* 1,500 with those that are there */
        add_thread(WORKERS, tid, 600, 10);
    open_procs((struct tk_procs_options){.threads = true});
    assert_rows(tick(), "thread_metrics", "", 1500);
    assert_int_equal(left_out(), 0);
    for (pid_t tid = 1000; tid < 2497; tid++)
        run_thread(tid, 10);
    int told = tk_root_count_rows(tick(), "thread_metrics", "");
    assert_in_range(told, 997, 1000);
    assert_int_equal(left_out(), 500);
    /* The process does not run again, and yet nothing is kept back. */
    told += tk_root_count_rows(tick(), "thread_metrics", "");
    assert_int_equal(told, 1497);
    assert_int_equal(left_out(), 500);
    assert_rows(tick(), "thread_metrics", "", 0);
}

static void the_last_tick_tells_all_though_many_wait(void **state)
{
    (void)state;
    for (pid_t tid = 1000; tid < 2497; tid++)
        add_thread(WORKERS, tid, 600, 10);
    open_procs((struct tk_procs_options){.threads = true});
    (void)tick();
    for (pid_t tid = 1000; tid < 2497; tid++)
        run_thread(tid, 10);
    (void)tick();
    world.root.now_ns += 100 * TK_NS_PER_MS;
    tk_procs_finish(world.procs, world.root.rows);
    assert_rows(tk_root_take_rows(&world.root), "thread_metrics", "", 1500);
}

static void without_schedstat_ticks_are_the_clock(void **state)
{
    (void)state;
    world.has_schedstat = false;
    for (pid_t tid = 20; tid <= 22; tid++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/proc/20/task/%d/schedstat", world.root.path, tid);
        assert_int_equal(remove(path), 0);
    }
    open_procs((struct tk_procs_options){.threads = true, .tier = TK_TIER_P0});
    const char *rows = tick();
    assert_rows(rows, "thread_metrics", "\"utime\":", 3);
    assert_rows(rows, "thread_metrics", "cpu_ns", 0);
    run_thread(22, 50);
    rows = tick();
    assert_rows(rows, "thread_metrics", "", 1);
    assert_rows(rows, "thread_metrics", "\"tid\":22,", 1);
}

#define WORLD_TEST(name)  cmocka_unit_test_setup_teardown(name, world_open, world_close)
#define WALKED_TEST(name) cmocka_unit_test_setup_teardown(name, walked_open, world_close)

/* The same in tiers P and B2. */
#define BOTH_TEST(name)                                                                            \
    WORLD_TEST(name),                                                                              \
    {                                                                                              \
        "walked_" #name, name, walked_open, world_close, NULL                                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_TEST(the_first_tick_tells_every_thread_of_who_has_several),
        BOTH_TEST(then_those_that_ran_alone),
        BOTH_TEST(nobody_is_told_of_unless_asked),
        BOTH_TEST(threads_of_who_is_not_sampled_are_not_told),
        BOTH_TEST(every_tick_and_the_last_one_tell_all),
        BOTH_TEST(a_tid_given_anew_is_another_thread),
        BOTH_TEST(a_second_thread_brings_the_main_one),
        WALKED_TEST(user_and_system_time_never_step_back),
        WALKED_TEST(what_finds_no_room_in_a_walk_is_counted),
        WORLD_TEST(many_that_run_are_read_in_turn),
        WORLD_TEST(the_last_tick_tells_all_though_many_wait),
        WORLD_TEST(without_schedstat_ticks_are_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
