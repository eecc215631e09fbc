/* SPDX-License-Identifier: Apache-2.0 */
/* The set of processes on the running kernel: children whose rusage we know tell what is right.
 * Compared are CPU times of the same processes, never wall time, so a busy machine does no harm. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"
#include "base/number.h"
#include "collect/procs_internal.h"
#include "tk_test.h"

#define MAX_CHILDREN 100
#define MAX_THREADS  1100

/* How far CPU times by the sources may be off what the kernel tells the parent. rusage lacks the
 * last stretch of threads other than the main one. Taskstats is completed by an estimate, which on
 * a busy machine is off by 1 to 2 %; programs sleep while they are loaded, see exits_sum.h. */
#define BPF_PERCENT       0.5
#define TASKSTATS_PERCENT 5

/* Of each process the work of exiting is not in its record; what interrupts that on a busy machine
 * makes the estimate short by so much. */
#define TASKSTATS_EXIT_NS (50 * TK_NS_PER_US)

#define TRIES 6

/* With a sanitizer the page tables of its shadow memory take a process up to 0.4 ms to free (with
 * ThreadSanitizer 2 ms), more than exits_sum.h counts as the work of exiting. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLACK 100
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLACK 100
#endif
#endif
#ifndef SLACK
#define SLACK 1
#endif

static struct live {
    const char *source; /* of exits, that is tested */
    struct tk_kernel kernel;
    struct tk_rows *rows;
    struct tk_procs *procs;
    int64_t exits, tree_exits, forks; /* rows */
    int64_t tree_cpu_ns;              /* of the exits */
    int64_t metrics_of, metrics;      /* rows of proc_metrics of that pid */
    int64_t exits_of, exits_of_pid;   /* rows of proc_exit of that pid */
    int64_t max_rss_kb;               /* in its row */
    int64_t largest_pid;              /* in proc_exit */
    struct {
        int64_t tid, start_ticks, cpu_ns, rows;
    } threads[MAX_THREADS]; /* with rows of thread_metrics, of the process metrics_of */
    size_t thread_count;
    pid_t children[MAX_CHILDREN]; /* killed at the end of a test */
    size_t child_count;
} live;

static void note_thread(const struct tk_batch *batch, size_t row)
{
    int64_t tid = tk_batch_i64(batch, row, TK_THREAD_METRICS_TID, 0);
    int64_t start_ticks = tk_batch_i64(batch, row, TK_THREAD_METRICS_THREAD_START_TICKS, -1);
    size_t i = 0;
    while (i < live.thread_count &&
           (live.threads[i].tid != tid || live.threads[i].start_ticks != start_ticks))
        i++;
    assert_true(i < MAX_THREADS);
    live.thread_count += i == live.thread_count;
    live.threads[i].tid = tid;
    live.threads[i].start_ticks = start_ticks;
    live.threads[i].cpu_ns = tk_batch_i64(batch, row, TK_THREAD_METRICS_CPU_NS, -1);
    live.threads[i].rows++;
}

static int count_row(void *context, enum tk_table table, const struct tk_batch *batch,
                     struct tk_err *err)
{
    (void)context;
    (void)err;
    for (size_t row = 0; row < batch->rows; row++) {
        if (table == TK_TABLE_PROC_METRICS) {
            live.metrics += tk_batch_i64(batch, row, TK_PROC_METRICS_PID, 0) == live.metrics_of;
        } else if (table == TK_TABLE_THREAD_METRICS) {
            if (tk_batch_i64(batch, row, TK_THREAD_METRICS_PID, 0) == live.metrics_of)
                note_thread(batch, row);
        } else if (table == TK_TABLE_PROC_EVENTS) {
            live.forks +=
                tk_str_eq(tk_batch_text(batch, row, TK_PROC_EVENTS_EVENT), TK_STR("fork"));
        } else if (table == TK_TABLE_PROC_EXIT) {
            int64_t pid = tk_batch_i64(batch, row, TK_PROC_EXIT_PID, 0);
            live.exits++;
            if (pid == live.exits_of) {
                live.exits_of_pid++;
                live.max_rss_kb = tk_batch_i64(batch, row, TK_PROC_EXIT_MAX_RSS_KB, -1);
            }
            live.largest_pid = pid > live.largest_pid ? pid : live.largest_pid;
            if (tk_batch_i64(batch, row, TK_PROC_EXIT_IN_TREE, 0)) {
                live.tree_exits++;
                live.tree_cpu_ns += tk_batch_i64(batch, row, TK_PROC_EXIT_CPU_NS, 0);
            }
        }
    }
    return 0;
}

static int live_open(void **state)
{
    (void)state;
    struct tk_err err;
    live = (struct live){0};
    assert_int_equal(tk_kernel_open(&live.kernel, "/", &err), 0);
    assert_int_equal(tk_rows_new((struct tk_sink){count_row, NULL}, &live.rows, &err), 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    return 0;
}

static int bpf_open(void **state)
{
    int rc = live_open(state);
    live.source = "bpf";
    return rc;
}

static int taskstats_open(void **state)
{
    int rc = live_open(state);
    live.source = "taskstats";
    return rc;
}

static int live_close(void **state)
{
    (void)state;
    tk_procs_free(live.procs);
    tk_rows_free(live.rows);
    tk_kernel_close(&live.kernel);
    for (size_t i = 0; i < live.child_count; i++) {
        (void)kill(live.children[i], SIGKILL);
        (void)waitpid(live.children[i], NULL, 0);
    }
    return 0;
}

/* Fork a child that does not outlive the test. */
static pid_t fork_child(void)
{
    pid_t parent = getpid();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        return 0;
    }
    assert_true(live.child_count < MAX_CHILDREN);
    live.children[live.child_count++] = child;
    return child;
}

static void start(struct tk_procs_options options)
{
    struct tk_err err;
    assert_int_equal(tk_procs_new(&live.kernel, &options, &live.procs, &err), 0);
    tk_procs_tick(live.procs, -1, live.rows);
}

static struct tk_procs_stats stats_now(void)
{
    struct tk_procs_stats stats;
    tk_procs_read_stats(live.procs, &stats);
    return stats;
}

static bool is_by_bpf(void)
{
    return strcmp(live.source, "bpf") == 0;
}

/* Start with the source of exits that is tested, or skip the test with the reason. */
static void start_with_source(struct tk_procs_options options)
{
    tk_procs_free(live.procs);
    live.procs = NULL;
    live.tree_exits = live.tree_cpu_ns = 0;
    options.tier = is_by_bpf() ? TK_TIER_AUTO : TK_TIER_P;
    start(options);
    struct tk_procs_stats stats = stats_now();
    if (strcmp(stats.exit_source, live.source) != 0 || !tk_procs_has_events(live.procs)) {
        print_message("skipped: %s %s\n", stats.tier_why_not, stats.why_not);
        skip();
    }
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return t.tv_sec * TK_NS_PER_S + t.tv_nsec;
}

static int64_t loops_per_ms(void)
{
    static volatile uint64_t sink;
    int64_t best_ns = INT64_MAX;
    for (int try = 0; try < 5; try++) {
        int64_t before_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        for (int i = 0; i < 1000000; i++)
            sink = sink + (uint64_t)i;
        int64_t ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before_ns;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return 1000000 * TK_NS_PER_MS / best_ns;
}

/* Burn CPU time without looking at a clock: that would bring the scheduler's books up to date. */
static void burn(int64_t loops)
{
    volatile uint64_t sink = 0;
    for (int64_t i = 0; i < loops; i++)
        sink = sink + (uint64_t)i;
}

/* Run `work` in a child that is the tree's root, tick until it ends, and compare the tree's CPU
 * time with what the kernel tells its parent. Returns the rusage. */
static int64_t run_tree(void (*work)(int64_t loops_per_ms), int64_t interval_ms)
{
    int64_t per_ms = loops_per_ms();
    struct rusage before;
    struct rusage after;
    (void)getrusage(RUSAGE_CHILDREN, &before);
    pid_t child = fork();
    if (child == 0) {
        work(per_ms);
        _exit(0);
    }
    tk_procs_set_tree_root(live.procs, child);
    for (;;) {
        siginfo_t info = {0};
        (void)usleep((useconds_t)interval_ms * 1000);
        tk_procs_tick(live.procs, -1, live.rows);
        /* All descendants: orphans come to us. */
        while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0)
            info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
            break;
    }
    tk_procs_finish(live.procs, live.rows);
    struct tk_err err;
    assert_int_equal(tk_rows_flush(live.rows, &err), 0);
    (void)getrusage(RUSAGE_CHILDREN, &after);
    int64_t us = (after.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_utime.tv_sec -
                  before.ru_stime.tv_sec) *
                     1000000 +
                 after.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_utime.tv_usec -
                 before.ru_stime.tv_usec;
    return us * TK_NS_PER_US;
}

/* When who else forks here filled a buffer, the total is said to be inexact and the loss is told;
 * what was seen is no more than there was. */
static void assert_loss_is_told(int64_t processes)
{
    struct tk_procs_stats stats = stats_now();
    print_message("# %lld events lost, %lld exits\n", (long long)stats.dropped_events,
                  (long long)stats.lost_exits);
    assert_true(stats.dropped_events + stats.lost_exits > 0);
    assert_true(live.tree_exits <= processes);
}

/* The tree's CPU time is that of rusage, every exit was seen, and the rows add up. What else runs
 * on the machine can make the first worse, by interrupting what is estimated, and can fill the
 * buffers of the kernel: so of some tries one must do. */
static void assert_exact_tree(void (*work)(int64_t loops_per_ms), int64_t interval_ms,
                              int64_t processes)
{
    bool good = false;
    for (int try = 0; try < TRIES && !good; try++) {
        bool exact;
        start_with_source((struct tk_procs_options){.match = "^$"});
        int64_t rusage_ns = run_tree(work, interval_ms);
        int64_t cpu_ns = tk_procs_tree_cpu_ns(live.procs, &exact);
        if (!exact) {
            assert_loss_is_told(processes);
            continue;
        }
        assert_int_equal(tk_procs_tree_count(live.procs), processes);
        assert_int_equal(live.tree_exits, processes);
        assert_int_equal(live.tree_cpu_ns, cpu_ns);
        assert_int_equal(stats_now().lost_exits, 0);
        double off_ns = (double)(cpu_ns - rusage_ns);
        double limit_ns = (double)rusage_ns * BPF_PERCENT / 100;
        if (!is_by_bpf())
            limit_ns = ((double)rusage_ns * TASKSTATS_PERCENT / 100 +
                        (double)(processes * TASKSTATS_EXIT_NS)) *
                       SLACK;
        good = off_ns < limit_ns && off_ns > -limit_ns;
        print_message("# %.3f ms, rusage %.3f ms: %+.2f %%\n", (double)cpu_ns / 1e6,
                      (double)rusage_ns / 1e6, 100.0 * off_ns / (double)rusage_ns);
    }
    assert_true(good);
}

/* Exact totals ------------------------------------------------------------------------------- */

static void work_one_loop(int64_t per_ms)
{
    burn(300 * per_ms);
}

static void a_busy_loop_is_accounted(void **state)
{
    (void)state;
    assert_exact_tree(work_one_loop, 20, 1);
}

/* `n` children one after the other. */
static void run_children(int n, int64_t loops)
{
    for (int i = 0; i < n; i++) {
        pid_t child = fork();
        if (child == 0) {
            burn(loops);
            _exit(0);
        }
        (void)waitpid(child, NULL, 0);
    }
}

static void work_short_lives(int64_t per_ms)
{
    run_children(1000, per_ms);
}

static void a_thousand_lives_of_1_ms_are_all_seen_at_1_hz(void **state)
{
    (void)state;
    return_under_tsan();
    assert_exact_tree(work_short_lives, 1000, 1001);
}

static void work_fork_storm(int64_t per_ms)
{
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 100; i++) {
            if (fork() == 0) {
                burn(per_ms / 2);
                _exit(0);
            }
        }
        while (wait(NULL) > 0)
            continue;
    }
}

static void a_fork_storm_is_accounted(void **state)
{
    (void)state;
    assert_exact_tree(work_fork_storm, 100, 2001);
}

static void *thread_burn(void *loops)
{
    burn(*(int64_t *)loops);
    return NULL;
}

static void work_threads(int64_t per_ms)
{
    int64_t loops = 10 * per_ms;
    for (int round = 0; round < 5; round++) {
        pthread_t threads[10];
        for (size_t i = 0; i < TK_COUNTOF(threads); i++)
            (void)pthread_create(&threads[i], NULL, thread_burn, &loops);
        for (size_t i = 0; i < TK_COUNTOF(threads); i++)
            (void)pthread_join(threads[i], NULL);
    }
}

static void threads_are_accounted(void **state)
{
    (void)state;
    assert_exact_tree(work_threads, 20, 1);
}

/* Three generations, of which the last detaches and outlives the others. */
static void work_daemons(int64_t per_ms)
{
    for (int i = 0; i < 30; i++) {
        if (fork() == 0) {
            if (fork() == 0) {
                (void)setsid();
                if (fork() == 0)
                    burn(5 * per_ms);
                _exit(0);
            }
            _exit(0);
        }
        (void)wait(NULL);
    }
}

static void daemonised_grandchildren_are_accounted(void **state)
{
    (void)state;
    assert_exact_tree(work_daemons, 50, 91);
}

static void work_programs(int64_t per_ms)
{
    (void)per_ms;
    for (int i = 0; i < 200; i++) {
        if (fork() == 0) {
            (void)execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        (void)wait(NULL);
    }
}

static void programs_are_accounted(void **state)
{
    (void)state;
    assert_exact_tree(work_programs, 100, 201);
}

/* At least a millisecond of CPU time, however fast the CPU is just now. */
static void burn_1_ms(int64_t per_ms)
{
    struct timespec used;
    do {
        burn(per_ms / 20);
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    } while (used.tv_sec == 0 && used.tv_nsec < TK_NS_PER_MS);
}

/* Their parent does not want to know of them: they vanish before they leave their CPU. */
static void work_unwanted(int64_t per_ms)
{
    (void)signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 100; i++) {
        if (fork() == 0) {
            burn_1_ms(per_ms);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        continue;
}

static void the_unwanted_are_accounted(void **state)
{
    (void)state;
    bool exact;
    start_with_source((struct tk_procs_options){.match = "^$"});
    (void)run_tree(work_unwanted, 20); /* rusage has them not */
    assert_int_equal(live.tree_exits, 101);
    int64_t cpu_ns = tk_procs_tree_cpu_ns(live.procs, &exact);
    assert_true(exact);
    print_message("# %.3f ms\n", (double)cpu_ns / 1e6);
    assert_in_range(cpu_ns, 80 * TK_NS_PER_MS, 400 * SLACK * TK_NS_PER_MS);
}

static void *thread_exec(void *unused)
{
    (void)execl("/bin/true", "true", (char *)NULL);
    return unused;
}

/* The main thread ends first, or another one becomes it: exit records of taskstats lack some 15 %
 * then. */
static void work_odd_threads(int64_t per_ms)
{
    int64_t loops = 5 * per_ms;
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        if (fork() == 0) {
            (void)pthread_create(&thread, NULL, i % 2 ? thread_exec : thread_burn, &loops);
            burn(per_ms);
            if (i % 2)
                (void)pause();
            pthread_exit(NULL);
        }
        (void)wait(NULL);
    }
}

static void odd_threads_are_accounted(void **state)
{
    (void)state;
    if (SLACK > 1) /* a sanitizer's thread that looks for leaks at the end is one more */
        return_without("process with its own threads alone under a sanitizer");
    assert_exact_tree(work_odd_threads, 20, 21);
}

static void peak_memory_is_that_of_rusage(void **state)
{
    (void)state;
    const size_t bytes = 48UL * 1024 * 1024;
    struct rusage usage;
    struct tk_err err;
    start_with_source((struct tk_procs_options){0});
    pid_t child = fork();
    if (child == 0) {
        int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
        _exit(mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED);
    }
    live.exits_of = child;
    assert_int_equal(wait4(child, NULL, 0, &usage), child);
    for (int i = 0; i < 2000 && live.exits_of_pid == 0; i++) {
        (void)usleep(10000);
        tk_procs_tick(live.procs, -1, live.rows);
        assert_int_equal(tk_rows_flush(live.rows, &err), 0);
    }
    assert_int_equal(live.exits_of_pid, 1);
    print_message("# %lld KiB, rusage %ld KiB\n", (long long)live.max_rss_kb, usage.ru_maxrss);
    assert_near((double)live.max_rss_kb, (double)usage.ru_maxrss, (double)usage.ru_maxrss / 50);
}

/* Losses ------------------------------------------------------------------------------------- */

static int64_t read_forks(void)
{
    char buf[65536];
    tk_str text;
    struct tk_err err;
    int64_t forks;
    assert_int_equal(tk_file_read(live.kernel.procfd, "stat", buf, sizeof(buf), &text, &err), 0);
    const char *at = memmem(text.p, text.n, "\nprocesses ", 11);
    assert_non_null(at);
    tk_str number = {at + 11, text.n - (size_t)(at + 11 - text.p)};
    assert_true(tk_scan_i64(&number, &forks));
    return forks;
}

static void without_events_what_was_missed_is_counted(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_procs_options options = {.no_events = true};
    assert_int_equal(tk_procs_new(&live.kernel, &options, &live.procs, &err), 0);
    int64_t before = read_forks();
    tk_procs_tick(live.procs, before, live.rows);
    run_children(300, 1);
    int64_t after = read_forks();
    tk_procs_tick(live.procs, after, live.rows);
    assert_int_equal(tk_rows_flush(live.rows, &err), 0);
    struct tk_procs_stats stats = stats_now();
    assert_string_equal(stats.exit_source, "none");
    /* All 300 are gone; others of this machine may have come and stayed. */
    assert_in_range(stats.lost_exits, 300, after - before);
    assert_int_equal(stats.lost_exits, after - before - live.procs->seen_forks);
}

static void a_full_socket_is_counted_and_made_good_by_looking(void **state)
{
    (void)state;
    start((struct tk_procs_options){.tier = TK_TIER_P});
    if (!tk_procs_has_events(live.procs)) {
        print_message("skipped: %s\n", stats_now().why_not);
        skip();
    }
    int tiny = 1; /* the kernel makes it a few messages */
    int fd = tk_exit_feed_fd(live.procs->feed);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny));
    run_children(200, 1);
    pid_t survivor = fork_child();
    if (survivor == 0) {
        burn(1000000);
        (void)pause();
    }
    (void)usleep(20000);
    live.metrics_of = survivor;
    struct tk_err err;
    for (int i = 0; i < 1000 && live.metrics == 0; i++) {
        (void)usleep(20000); /* looking waits until it may take its 2 % of the time */
        tk_procs_tick(live.procs, -1, live.rows);
        assert_int_equal(tk_rows_flush(live.rows, &err), 0);
    }
    assert_int_equal(live.metrics, 1); /* its birth was lost, but it was found */
    assert_true(stats_now().dropped_events > 0);

    /* The next message tells how many are missing. */
    for (int i = 0; i < 50 && stats_now().dropped_events < 100; i++) {
        run_children(2, 1);
        tk_procs_tick(live.procs, -1, live.rows);
    }
    assert_true(stats_now().dropped_events >= 100);
}

/* Processes that the machine has begun since it started. */
static int64_t begun_processes(void)
{
    char line[256];
    int64_t count = -1;
    FILE *stat = fopen("/proc/stat", "re");
    assert_non_null(stat);
    while (count < 0 && fgets(line, sizeof(line), stat)) {
        if (strncmp(line, "processes ", strlen("processes ")) == 0)
            count = strtoll(line + strlen("processes "), NULL, 10);
    }
    (void)fclose(stat);
    assert_true(count > 0);
    return count;
}

/* More lives than the ring holds, within one tick. */
static void a_full_ring_is_counted_and_made_good_by_looking(void **state)
{
    (void)state;
    live.source = "bpf";
    start_with_source((struct tk_procs_options){0});
    assert_int_equal(stats_now().dropped_events, 0);
    int64_t begun = begun_processes();
    for (int i = 0; i < 7000; i++) {
        pid_t child = vfork();
        if (child == 0)
            _exit(0);
        (void)waitpid(child, NULL, 0);
    }
    pid_t survivor = fork_child();
    if (survivor == 0)
        (void)pause();
    live.metrics_of = survivor;
    struct tk_err err;
    for (int i = 0; i < 1000 && live.metrics == 0; i++) {
        tk_procs_tick(live.procs, -1, live.rows);
        assert_int_equal(tk_rows_flush(live.rows, &err), 0);
        (void)usleep(20000); /* looking waits until it may take its 2 % of the time */
    }
    assert_true(live.metrics > 0); /* its birth was lost, but it was found */
    struct tk_procs_stats stats = stats_now();
    assert_true(stats.dropped_events > 1000);
    /* At most all that ended: what began since, and some that were there. */
    assert_in_range(stats.lost_exits, 1000, begun_processes() - begun + 1000);
    assert_true(live.exits + stats.lost_exits >= 7000);
}

/* Pids given anew ------------------------------------------------------------------------------ */

/* In a pid namespace of its own, with pids so few that they come again: each life of pid 3 is a
 * process of its own. Runs as pid 1 there. */
static int reuse_pids(void)
{
    struct tk_err err;
    struct tk_procs_options options = {.no_events = true};
    char start_of_last[64] = "";
    int lives = 0;
    if (tk_kernel_open(&live.kernel, "/", &err) < 0 || !live.kernel.cpu_clock ||
        tk_procs_new(&live.kernel, &options, &live.procs, &err) < 0)
        return 2;
    tk_procs_tick(live.procs, -1, live.rows);
    for (int i = 0; i < 3; i++) {
        int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "2", 1) != 1)
            return 2;
        (void)close(fd);
        pid_t child = fork();
        if (child == 0)
            (void)pause();
        if (child != 3)
            return 3;
        int64_t cpu_ns = 0;
        while (cpu_ns == 0) /* two clocks at 0 look the same */
            (void)live.kernel.cpu_clock(NULL, child, &cpu_ns);
        char stat[512];
        tk_str text;
        struct tk_pid_stat parsed;
        if (tk_file_read(live.kernel.procfd, "3/stat", stat, sizeof(stat), &text, &err) < 0 ||
            tk_pid_stat_parse(text, &parsed) < 0)
            return 4;
        (void)snprintf(start_of_last, sizeof(start_of_last), "%lld", (long long)parsed.start_ticks);
        tk_procs_tick(live.procs, -1, live.rows);
        uint32_t at = tk_proc_set_find(&live.procs->set, 3);
        if (at == TK_PROC_NONE || live.procs->set.facts[at].start_ticks != parsed.start_ticks)
            return 5;
        lives++;
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        (void)usleep(20000); /* another tick of the start time */
    }
    tk_procs_tick(live.procs, -1, live.rows);
    if (tk_rows_flush(live.rows, &err) < 0)
        return 6;
    return live.exits == 3 && lives == 3 ? 0 : 7;
}

/* By BPF in such a namespace: three lives of one pid between two ticks are three ends, and nobody
 * from outside is told of. Runs as pid 1 there. */
static int follow_in_namespace(void)
{
    struct tk_err err;
    struct tk_procs_options options = {0};
    if (tk_kernel_open(&live.kernel, "/", &err) < 0 ||
        tk_procs_new(&live.kernel, &options, &live.procs, &err) < 0)
        return 3;
    tk_procs_tick(live.procs, -1, live.rows);
    if (strcmp(stats_now().exit_source, "bpf") != 0)
        return 2;
    live.exits_of = 3;
    for (int i = 0; i < 3; i++) {
        int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "2", 1) != 1)
            return 2;
        (void)close(fd);
        run_children(2, 1);
    }
    tk_procs_tick(live.procs, -1, live.rows);
    if (tk_rows_flush(live.rows, &err) < 0)
        return 4;
    return live.exits == 6 && live.exits_of_pid == 3 && live.largest_pid == 4 ? 0 : 5;
}

/* Run a function as pid 1 of a pid namespace; skips the test when it returns 2. */
static void assert_in_namespace(int (*run)(void))
{
    int status = 0;
    pid_t outer = fork();
    if (outer == 0) {
        if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
            _exit(2);
        pid_t init = fork();
        if (init == 0)
            _exit(mount("proc", "/proc", "proc", 0, NULL) < 0 ? 2 : run());
        (void)waitpid(init, &status, 0);
        _exit(WEXITSTATUS(status));
    }
    (void)waitpid(outer, &status, 0);
    if (WEXITSTATUS(status) == 2) {
        print_message("skipped: no pid namespace of our own here, or no BPF in it\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_pid_given_anew_on_a_real_kernel_is_another_process(void **state)
{
    (void)state;
    assert_in_namespace(reuse_pids);
}

static void a_pid_namespace_sees_its_own_and_each_life_of_a_pid(void **state)
{
    (void)state;
    return_under_tsan(); /* which has a thread of its own there, with a pid */
    assert_in_namespace(follow_in_namespace);
}

/* Refusals ------------------------------------------------------------------------------------- */

static int drop_to_nobody(void)
{
    return setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ? -1 : 0;
}

/* As another user, on a /proc that hides what is not ours: what cannot be read is counted, our own
 * processes are sampled. */
static int sample_hidden(void)
{
    struct tk_err err;
    struct tk_procs_options options = {0};
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("proc", "/proc", "proc", 0, "hidepid=1") < 0 || drop_to_nobody() < 0)
        return 2;
    if (tk_kernel_open(&live.kernel, "/", &err) < 0 ||
        tk_procs_new(&live.kernel, &options, &live.procs, &err) < 0)
        return 3;
    live.metrics_of = getpid();
    tk_procs_tick(live.procs, -1, live.rows);
    struct tk_procs_probe probe;
    tk_procs_try(&live.kernel, &probe);
    if (tk_rows_flush(live.rows, &err) < 0 || live.metrics != 1)
        return 4;
    struct tk_procs_stats stats = stats_now();
    if (stats.unreadable < 1 || strcmp(stats.rung, "C") != 0 || stats.why_not[0] == '\0')
        return 5;
    return probe.hidepid && !probe.taskstats && probe.taskstats_why_not[0] != '\0' ? 0 : 6;
}

static void what_may_not_be_read_is_counted(void **state)
{
    (void)state;
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(sample_hidden());
    (void)waitpid(child, &status, 0);
    if (WEXITSTATUS(status) == 2) {
        print_message("skipped: no mount namespace of our own here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* As another user: the kernel from 6.6 on tells of every process all the same. */
static int follow_unprivileged(void)
{
    struct tk_err err;
    struct tk_procs_options options = {.tree_root = getpid()};
    if (drop_to_nobody() < 0 || tk_kernel_open(&live.kernel, "/", &err) < 0 ||
        tk_procs_new(&live.kernel, &options, &live.procs, &err) < 0)
        return 3;
    tk_procs_tick(live.procs, -1, live.rows);
    if (strcmp(stats_now().exit_source, "proc_connector") != 0)
        return 2;
    for (int i = 0; i < 10; i++) {
        run_children(20, 1);
        tk_procs_drain(live.procs, live.rows);
    }
    tk_procs_tick(live.procs, -1, live.rows);
    struct tk_procs_stats stats = stats_now();
    bool exact;
    (void)tk_procs_tree_cpu_ns(live.procs, &exact);
    if (tk_rows_flush(live.rows, &err) < 0 || exact || stats.rung[0] != 'C')
        return 4;
    /* Whoever else forks may fill the small buffer; then it is said. */
    return stats.dropped_events > 0 || live.tree_exits == 200 ? 0 : 5;
}

static void without_privilege_every_exit_is_seen_but_not_its_account(void **state)
{
    (void)state;
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(follow_unprivileged());
    (void)waitpid(child, &status, 0);
    if (WEXITSTATUS(status) == 2) {
        print_message("skipped: no proc connector without privilege here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void never_uses_more_descriptors_than_it_may(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = {40, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    pid_t child = 0;
    for (int i = 0; i < MAX_CHILDREN; i++) {
        child = fork_child();
        if (child == 0) {
            for (;;) {
                burn(1000);
                (void)usleep(5000);
            }
        }
    }
    start((struct tk_procs_options){.no_events = true});
    live.metrics_of = child;
    for (int i = 0; i < 5; i++) {
        (void)usleep(20000);
        tk_procs_tick(live.procs, -1, live.rows);
        assert_true(live.procs->files.open <= 20);
    }
    struct tk_err err;
    assert_int_equal(tk_rows_flush(live.rows, &err), 0);
    assert_in_range(live.metrics, 2, 12);
    uint32_t at = tk_proc_set_find(&live.procs->set, child);
    assert_true(at != TK_PROC_NONE && live.procs->set.facts[at].rss_pages > 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void a_kept_file_fails_after_the_end_of_its_process(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_proc_files files;
    tk_str text;
    uint16_t slot = TK_NO_FILES;
    assert_int_equal(tk_proc_files_init(&files, live.kernel.procfd, &err), 0);
    pid_t child = fork_child();
    if (child == 0)
        (void)pause();
    for (enum tk_proc_file file = 0; file < TK_FILE_KEPT; file++) {
        assert_int_equal(tk_proc_files_read(&files, child, &slot, file, TK_KEEP, &text), 0);
        assert_int_equal(tk_proc_files_read(&files, child, &slot, file, TK_KEEP, &text), 0);
    }
    assert_int_equal(files.open, TK_FILE_KEPT);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    for (enum tk_proc_file file = 0; file < TK_FILE_KEPT; file++)
        assert_int_equal(tk_proc_files_read(&files, child, &slot, file, TK_KEEP, &text), -ESRCH);
    tk_proc_files_close(&files, child, slot);
    assert_int_equal(files.open, 0);
    tk_proc_files_release(&files);
}

/* Threads -------------------------------------------------------------------------------------- */

/* Start with a tier and rows of threads; false when it is not to be had. */
static bool start_with_threads(enum tk_tier tier, pid_t pid)
{
    struct tk_err err;
    const struct tk_procs_options options = {
        .tier = tier, .threads = true, .no_events = true, .tree_root = pid, .tree_only = true};
    tk_procs_free(live.procs);
    live.procs = NULL;
    live.metrics_of = pid;
    live.thread_count = 0;
    memset(live.threads, 0, sizeof(live.threads));
    if (tk_procs_new(&live.kernel, &options, &live.procs, &err) < 0) {
        print_message("# %s\n", err.msg);
        return false;
    }
    tk_procs_tick(live.procs, -1, live.rows);
    return true;
}

/* How a child works. */
struct toil {
    int64_t loops;
    bool naps;
    atomic_bool begins;
};

static void *thread_toil(void *context)
{
    struct toil *toil = context;
    while (!atomic_load(&toil->begins))
        (void)usleep(1000);
    for (;;) {
        burn(toil->loops);
        if (toil->naps)
            (void)usleep(100000);
    }
    return NULL;
}

static void *thread_rest(void *unused)
{
    (void)pause();
    return unused;
}

/* Does not return. */
static void be_threads(int count, int toiling, struct toil *toil, int ready)
{
    pthread_t thread;
    pthread_attr_t small;
    (void)pthread_attr_init(&small);
    (void)pthread_attr_setstacksize(&small, 128 << 10);
    for (int i = 0; i < count; i++) {
        if (pthread_create(&thread, &small, i < toiling ? thread_toil : thread_rest, toil))
            _exit(1);
    }
    (void)usleep(200000); /* until those that rest do */
    atomic_store(&toil->begins, true);
    if (write(ready, "", 1) == 1) {
        for (;;)
            (void)pause();
    }
    _exit(1);
}

/* A child with so many threads besides the main one, of which some run. */
static pid_t fork_threads(int count, int toiling, struct toil toil)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t child = fork_child();
    if (child == 0)
        be_threads(count, toiling, &toil, ready[1]);
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return child;
}

/* Until no thread of it is on a CPU. */
static void stop(pid_t pid)
{
    siginfo_t info;
    (void)kill(pid, SIGSTOP);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
    (void)usleep(100000);
}

static int64_t threads_cpu_ns(void)
{
    int64_t cpu_ns = 0;
    for (size_t i = 0; i < live.thread_count; i++)
        cpu_ns += live.threads[i].cpu_ns;
    return cpu_ns;
}

static const enum tk_tier all_tiers[] = {TK_TIER_B2, TK_TIER_B1, TK_TIER_P, TK_TIER_P0};

static void threads_add_up_to_their_process_and_the_idle_are_silent(void **state)
{
    (void)state;
    return_under_tsan(); /* which has a thread of its own in each process */
    for (size_t t = 0; t < TK_COUNTOF(all_tiers); t++) {
        struct tk_err err;
        pid_t child = fork_threads(3, 2, (struct toil){.loops = 100000});
        if (!start_with_threads(all_tiers[t], child))
            continue;
        for (int i = 0; i < 5; i++) {
            (void)usleep(50000);
            tk_procs_tick(live.procs, -1, live.rows);
        }
        stop(child);
        tk_procs_tick(live.procs, -1, live.rows);
        assert_int_equal(tk_rows_flush(live.rows, &err), 0);
        assert_int_equal(live.thread_count, 4);
        int64_t quiet = 0;
        for (size_t i = 0; i < live.thread_count; i++)
            quiet += live.threads[i].rows <= 3; /* the first, going to rest, being stopped */
        assert_int_equal(quiet, 2);
        uint32_t i = tk_proc_set_find(&live.procs->set, child);
        assert_int_not_equal(i, TK_PROC_NONE);
        int64_t off_ns = threads_cpu_ns() - live.procs->set.clocks[i].cpu_ns;
        /* Tier P0 reads the process in ticks, each of its two times cut off. */
        int64_t limit_ns = all_tiers[t] == TK_TIER_P0 ? 20 * TK_NS_PER_MS : 0;
        print_message("# tier %s: %.3f ms, off by %lld ns\n", tk_tier_names[all_tiers[t]],
                      (double)threads_cpu_ns() / 1e6, (long long)off_ns);
        assert_true(off_ns >= 0 && off_ns <= limit_ns);
        (void)kill(child, SIGKILL);
    }
}

static void a_thousand_threads_of_one_process_are_all_told(void **state)
{
    (void)state;
    return_under_tsan(); /* which has a thread of its own in each process */
    for (size_t t = 0; t < TK_COUNTOF(all_tiers); t++) {
        struct tk_err err;
        pid_t child = fork_threads(1000, 1000, (struct toil){.loops = 100, .naps = true});
        if (!start_with_threads(all_tiers[t], child))
            continue;
        for (int i = 0; i < 5; i++) {
            (void)usleep(50000);
            tk_procs_tick(live.procs, -1, live.rows);
        }
        stop(child);
        tk_procs_finish(live.procs, live.rows);
        assert_int_equal(tk_rows_flush(live.rows, &err), 0);
        assert_int_equal(live.thread_count, 1001);
        if (all_tiers[t] == TK_TIER_B2)
            assert_int_equal(stats_now().threads_left_out, 0);
        for (size_t i = 0; i < live.thread_count; i++) {
            assert_true(live.threads[i].cpu_ns > 0);
            assert_true(live.threads[i].rows >= 2);
        }
        uint32_t i = tk_proc_set_find(&live.procs->set, child);
        assert_int_not_equal(i, TK_PROC_NONE);
        if (all_tiers[t] == TK_TIER_B2 || all_tiers[t] == TK_TIER_P)
            assert_int_equal(threads_cpu_ns(), live.procs->set.clocks[i].cpu_ns);
        (void)kill(child, SIGKILL);
    }
}

/* Cost: counts, never time --------------------------------------------------------------------- */

static void a_tick_stays_within_its_system_calls(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        if (fork_child() == 0) {
            for (;;) {
                burn(i % 10 == 0 ? 10000 : 0);
                (void)usleep(i % 10 == 0 ? 5000 : 10000000);
            }
        }
    }
    /* Without events the better tiers ask everybody when anybody ended. */
    start((struct tk_procs_options){
        .tier = TK_TIER_P, .no_events = true, .tree_root = getpid(), .tree_only = true});
    int64_t last_ns = tk_clock_mono_ns();
    for (int i = 0; i < 20; i++) {
        (void)usleep(20000);
        int64_t now_ns = tk_clock_mono_ns();
        double turn_share = (double)(now_ns - last_ns) / (10.0 * TK_NS_PER_S);
        last_ns = now_ns;
        struct tk_procs_stats before = stats_now();
        int64_t kept = live.procs->files.open;
        tk_procs_tick(live.procs, -1, live.rows);
        struct tk_procs_stats after = stats_now();
        int64_t opened = live.procs->files.open - kept; /* once, to be kept */
        int64_t calls = after.syscalls - before.syscalls;
        /* Statm, io, cgroup and status or schedstat of those whose turn it is, once in 10 s: many
         * after a tick that was late. */
        int64_t turns = (int64_t)((double)after.alive * turn_share * 2);
        int64_t limit = after.alive + 3 * after.ran + 8 * turns + opened + 16;
        if (calls > limit) {
            print_error("%lld calls, limit %lld: %lld processes, %lld read, %lld opened\n",
                        (long long)calls, (long long)limit, (long long)after.alive,
                        (long long)after.ran, (long long)opened);
        }
        assert_true(calls <= limit);
    }
}

#define LIVE_TEST(name) cmocka_unit_test_setup_teardown(name, live_open, live_close)

/* The same by each source of exits. */
#define SOURCE_TEST(name)                                                                          \
    {"bpf_" #name, name, bpf_open, live_close, NULL},                                              \
    {                                                                                              \
        "taskstats_" #name, name, taskstats_open, live_close, NULL                                 \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE_TEST(a_busy_loop_is_accounted),
        SOURCE_TEST(a_thousand_lives_of_1_ms_are_all_seen_at_1_hz),
        SOURCE_TEST(a_fork_storm_is_accounted),
        SOURCE_TEST(threads_are_accounted),
        SOURCE_TEST(daemonised_grandchildren_are_accounted),
        SOURCE_TEST(programs_are_accounted),
        SOURCE_TEST(the_unwanted_are_accounted),
        cmocka_unit_test_setup_teardown(odd_threads_are_accounted, bpf_open, live_close),
        SOURCE_TEST(peak_memory_is_that_of_rusage),
        LIVE_TEST(without_events_what_was_missed_is_counted),
        LIVE_TEST(a_full_socket_is_counted_and_made_good_by_looking),
        LIVE_TEST(a_full_ring_is_counted_and_made_good_by_looking),
        LIVE_TEST(a_pid_namespace_sees_its_own_and_each_life_of_a_pid),
        LIVE_TEST(a_pid_given_anew_on_a_real_kernel_is_another_process),
        LIVE_TEST(what_may_not_be_read_is_counted),
        LIVE_TEST(without_privilege_every_exit_is_seen_but_not_its_account),
        LIVE_TEST(never_uses_more_descriptors_than_it_may),
        LIVE_TEST(a_kept_file_fails_after_the_end_of_its_process),
        LIVE_TEST(threads_add_up_to_their_process_and_the_idle_are_silent),
        LIVE_TEST(a_thousand_threads_of_one_process_are_all_told),
        LIVE_TEST(a_tick_stays_within_its_system_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
