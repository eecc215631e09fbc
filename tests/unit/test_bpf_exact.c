/* SPDX-License-Identifier: Apache-2.0 */
/* Exact mode on the running kernel. Children keep a journal of their own CPU time, which a thread
 * can always read of itself to the moment; what a walk tells must lie between the entries before
 * and after it. So nothing here depends on how busy the machine is. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "collect/bpf.h"
#include "tk_test.h"

#define READINGS     500
#define READINGS_MIN 100 /* of each child; on a busy machine that takes more rounds */
#define ROUNDS_MAX   4000
#define ENTRIES_MAX  800000 /* 4 s of CPU time: a busy machine lets us read seldom */
#define THREADS_MAX  3
#define CHILDREN_MAX 200
#define ENTRY_NS     5000
#define SLACK_NS     10000 /* 1 % of the interval */

struct entry {
    int64_t mono_ns, cpu_ns;
};

/* Of one thread, in memory that parent and child share. */
struct journal {
    atomic_size_t count;
    struct entry entries[ENTRIES_MAX];
};

/* A walk tells of each task a moment of its own, between these two. */
struct reading {
    int64_t start_ns, end_ns, cpu_ns;
};

struct child {
    pid_t pid;
    size_t threads;
    struct journal *journals; /* [THREADS_MAX] */
    size_t count;
    struct reading readings[READINGS];
};

static struct exact {
    struct tk_bpf *bpf;
    pid_t pids[CHILDREN_MAX + 2];
    size_t pid_count;
    struct child children[2];
} exact;

/* Children --------------------------------------------------------------------------- */

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return t.tv_sec * TK_NS_PER_S + t.tv_nsec;
}

static void nap(int64_t ns)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

/* Keep the journal; naps of `nap_ns` between bursts of 2 ms, 0 = none. */
static void keep_journal(struct journal *journal, int64_t nap_ns)
{
    int64_t rest_ns = 0;
    for (size_t n = 0; n < ENTRIES_MAX;) {
        struct entry entry = {.mono_ns = tk_clock_mono_ns()};
        if (n > 0 && entry.mono_ns - journal->entries[n - 1].mono_ns < ENTRY_NS)
            continue;
        entry.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        journal->entries[n++] = entry;
        atomic_store(&journal->count, n); /* after the entry it counts */
        if (nap_ns > 0 && entry.cpu_ns - rest_ns > 2 * TK_NS_PER_MS) {
            nap(nap_ns);
            rest_ns = entry.cpu_ns;
        }
    }
}

static void *run_thread(void *journal)
{
    keep_journal(journal, 0);
    return NULL;
}

/* Returns 0 in the child, which does not outlive the test. */
static pid_t fork_child(void)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        exact.pids[exact.pid_count++] = pid;
    } else {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return pid;
}

static void start_child(struct child *child, size_t threads, int64_t nap_ns)
{
    child->threads = threads;
    child->journals = mmap(NULL, THREADS_MAX * sizeof(*child->journals), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(child->journals != MAP_FAILED);
    child->pid = fork_child();
    if (child->pid == 0) {
        for (size_t t = 1; t < threads; t++) {
            pthread_t thread;
            (void)pthread_create(&thread, NULL, run_thread, &child->journals[t]);
        }
        keep_journal(&child->journals[0], nap_ns);
        _exit(0);
    }
    for (size_t t = 0; t < threads; t++) {
        while (atomic_load(&child->journals[t].count) < 100)
            nap(TK_NS_PER_MS);
    }
}

static void pin_to_one_cpu(pid_t pid)
{
    cpu_set_t all;
    cpu_set_t one;
    size_t cpu = 0;
    CPU_ZERO(&one);
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(pid, sizeof(one), &one), 0);
}

/* Reading ---------------------------------------------------------------------------- */

static void open_tier(enum tk_tier tier)
{
    struct tk_err err;
    exact = (struct exact){0};
    int rc = tk_bpf_new(tier, TK_BPF_TASKS | TK_BPF_EXACT, &exact.bpf, &err);
    if (rc == 0 && !(tk_bpf_parts(exact.bpf) & TK_BPF_EXACT)) {
        tk_bpf_free(exact.bpf);
        exact.bpf = NULL;
    }
}

static int exact_open(void **state)
{
    (void)state;
    open_tier(TK_TIER_AUTO);
    return 0;
}

static int exact_open_b1(void **state)
{
    (void)state;
    open_tier(TK_TIER_B1);
    return 0;
}

static int exact_close(void **state)
{
    (void)state;
    tk_bpf_free(exact.bpf);
    for (size_t i = 0; i < exact.pid_count; i++) {
        (void)kill(exact.pids[i], SIGKILL);
        (void)waitpid(exact.pids[i], NULL, 0);
    }
    for (size_t i = 0; i < TK_COUNTOF(exact.children); i++) {
        if (exact.children[i].journals)
            (void)munmap(exact.children[i].journals, THREADS_MAX * sizeof(struct journal));
    }
    return 0;
}

static struct tk_walk take_walk(void)
{
    struct tk_walk walk;
    struct tk_walker walker = tk_bpf_walker(exact.bpf);
    assert_int_equal(walker.walk(walker.context, &(struct tk_walk_order){0}, &walk), 0);
    return walk;
}

static const struct tk_bpf_task *find(const struct tk_walk *walk, pid_t pid)
{
    for (uint32_t i = 0; i < walk->count; i++) {
        if (walk->tasks[i].pid == pid)
            return &walk->tasks[i];
    }
    return NULL;
}

static bool has_enough(size_t count)
{
    size_t enough = 0;
    for (size_t c = 0; c < count; c++)
        enough += exact.children[c].count >= READINGS_MIN;
    return enough == count;
}

/* Whether a journal is about to end. */
static bool is_almost_full(const struct child *child)
{
    size_t most = 0;
    for (size_t t = 0; t < child->threads; t++) {
        size_t n = atomic_load(&child->journals[t].count);
        most = n > most ? n : most;
    }
    return most > ENTRIES_MAX - ENTRIES_MAX / 5;
}

/* One walk each millisecond; who did not run is not told anew. */
static void read_children(size_t count)
{
    int64_t at_ns = tk_clock_mono_ns();
    for (int i = 0; i < READINGS || (i < ROUNDS_MAX && !has_enough(count)); i++) {
        at_ns += TK_NS_PER_MS;
        struct timespec until = {at_ns / TK_NS_PER_S, at_ns % TK_NS_PER_S};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        struct tk_walk walk = take_walk();
        for (size_t c = 0; c < count; c++) {
            struct child *child = &exact.children[c];
            const struct tk_bpf_task *task = find(&walk, child->pid);
            if (task && child->count < READINGS && !is_almost_full(child)) {
                child->readings[child->count++] =
                    (struct reading){walk.start_ns, walk.end_ns, (int64_t)task->runtime_ns};
            }
        }
    }
    nap(10 * TK_NS_PER_MS); /* so that all journals go on beyond the last reading */
}

/* Judging ---------------------------------------------------------------------------- */

/* CPU time of all threads at the last entries before a moment, or the first ones after it. */
static int64_t journal_ns(const struct child *child, int64_t mono_ns, bool is_after)
{
    int64_t sum_ns = 0;
    for (size_t t = 0; t < child->threads; t++) {
        const struct journal *journal = &child->journals[t];
        size_t low = 0;
        size_t high = atomic_load(&journal->count) - 1;
        while (high - low > 1) {
            size_t middle = (low + high) / 2;
            bool is_before = journal->entries[middle].mono_ns <= mono_ns;
            low = is_before ? middle : low;
            high = is_before ? high : middle;
        }
        sum_ns += journal->entries[is_after ? high : low].cpu_ns;
    }
    return sum_ns;
}

/* Of the readings, at most one in 20 may be wrong, which is when the hypervisor takes the CPU away,
 * and one in 50 the same as before though the child ran; and from first to last they make the time
 * that it ran. */
static void assert_exact(const struct child *child)
{
    size_t wrong = 0;
    size_t stuck = 0;
    int64_t first_low_ns = 0;
    int64_t first_high_ns = 0;
    int64_t low_ns = 0;
    int64_t high_ns = 0;
    assert_true(child->count > READINGS_MIN / 2);
    for (size_t i = 0; i < child->count; i++) {
        const struct reading *reading = &child->readings[i];
        low_ns = journal_ns(child, reading->start_ns, false);
        stuck += i > 0 && reading->cpu_ns <= child->readings[i - 1].cpu_ns &&
                 low_ns - high_ns > SLACK_NS;
        high_ns = journal_ns(child, reading->end_ns, true);
        wrong += reading->cpu_ns < low_ns - SLACK_NS || reading->cpu_ns > high_ns + SLACK_NS;
        first_low_ns = i == 0 ? low_ns : first_low_ns;
        first_high_ns = i == 0 ? high_ns : first_high_ns;
    }
    print_message("# %zu readings, %zu wrong, %zu without a change\n", child->count, wrong, stuck);
    assert_true(wrong * 20 <= child->count);
    assert_true(stuck * 50 <= child->count);
    int64_t read_ns = child->readings[child->count - 1].cpu_ns - child->readings[0].cpu_ns;
    assert_true(read_ns * 100 >= (low_ns - first_high_ns) * 99);
    assert_true(read_ns * 100 <= (high_ns - first_low_ns) * 101);
}

/* Tests ------------------------------------------------------------------------------ */

static void tells_a_busy_loop_to_the_moment(void **state)
{
    (void)state;
    return_under_tsan();
    if (!exact.bpf)
        return_without("BPF");
    start_child(&exact.children[0], 1, 0);
    read_children(1);
    assert_exact(&exact.children[0]);
}

static void tells_it_in_tier_b1_too(void **state)
{
    return_under_tsan();
    tells_a_busy_loop_to_the_moment(state);
}

static void tells_two_loops_on_one_cpu_apart(void **state)
{
    (void)state;
    return_under_tsan();
    if (!exact.bpf)
        return_without("BPF");
    for (int i = 0; i < 2; i++) {
        start_child(&exact.children[i], 1, 0);
        pin_to_one_cpu(exact.children[i].pid);
    }
    read_children(2);
    assert_exact(&exact.children[0]);
    assert_exact(&exact.children[1]);
}

static void adds_up_the_threads_of_a_process(void **state)
{
    (void)state;
    return_under_tsan();
    if (!exact.bpf)
        return_without("BPF");
    start_child(&exact.children[0], THREADS_MAX, 0);
    read_children(1);
    assert_exact(&exact.children[0]);
}

static void does_not_credit_sleep(void **state)
{
    (void)state;
    return_under_tsan();
    if (!exact.bpf)
        return_without("BPF");
    start_child(&exact.children[0], 1, 3 * TK_NS_PER_MS);
    read_children(1);
    assert_exact(&exact.children[0]);
}

static void stays_exact_among_200_processes(void **state)
{
    (void)state;
    return_under_tsan();
    if (!exact.bpf)
        return_without("BPF");
    for (int i = 0; i < CHILDREN_MAX; i++) {
        if (fork_child() == 0) {
            for (;;)
                nap(20 * TK_NS_PER_MS);
        }
    }
    start_child(&exact.children[0], 1, 0);
    read_children(1);
    assert_exact(&exact.children[0]);
}

/* In some walks, one each millisecond: how often the clock of a process went on. */
static int count_growth(pid_t pid, int walks)
{
    int64_t last_ns = 0;
    int grown = 0;
    for (int i = 0; i < walks; i++) {
        nap(TK_NS_PER_MS);
        struct tk_walk walk = take_walk();
        const struct tk_bpf_task *task = find(&walk, pid);
        if (!task)
            continue;
        grown += last_ns > 0 && (int64_t)task->runtime_ns > last_ns;
        last_ns = (int64_t)task->runtime_ns;
    }
    return grown;
}

/* Who reads clocks has the scheduler bring its own up to date; others get that once a tick. Judged
 * are the rounds in which the machine let us walk in time, and the process run. */
static void tells_who_reads_no_clock_at_each_walk(void **state)
{
    (void)state;
    return_under_tsan();
    if (!exact.bpf)
        return_without("BPF");
    enum { WALKS = 25, ROUND_MS = 50, RAN_MS = 5, ROUNDS = 20, TRIES = 400 };
    clockid_t clock;
    pid_t pid = fork_child();
    while (pid == 0)
        __asm__ volatile("" ::: "memory"); /* runs, and asks the kernel nothing */
    assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
    while (clock_ns(clock) < 10 * TK_NS_PER_MS)
        nap(TK_NS_PER_MS);
    int grown = 0;
    int rounds = 0;
    int64_t ran_ns = 0;
    for (int i = 0; i < TRIES && rounds < ROUNDS; i++) {
        int64_t start_ns = tk_clock_mono_ns();
        int64_t before_ns = clock_ns(clock);
        int more = count_growth(pid, WALKS);
        int64_t after_ns = clock_ns(clock);
        if (tk_clock_mono_ns() - start_ns > ROUND_MS * TK_NS_PER_MS ||
            after_ns - before_ns < RAN_MS * TK_NS_PER_MS)
            continue;
        grown += more;
        ran_ns += after_ns - before_ns;
        rounds++;
    }
    int64_t ran_ms = ran_ns / TK_NS_PER_MS;
    print_message("# %d rounds, %d times in %lld ms\n", rounds, grown, (long long)ran_ms);
    if (rounds < ROUNDS)
        return_without("time to walk each millisecond");
    assert_true(grown * 2 >= ran_ms);
}

static void ends_up_where_the_scheduler_does(void **state)
{
    (void)state;
    if (!exact.bpf)
        return_without("BPF");
    struct child *child = &exact.children[0];
    clockid_t clock;
    start_child(child, 1, 0);
    read_children(1);
    assert_int_equal(kill(child->pid, SIGSTOP), 0);
    assert_int_equal(waitpid(child->pid, NULL, WUNTRACED), child->pid);
    assert_int_equal(clock_getcpuclockid(child->pid, &clock), 0);
    /* The parent hears of the stop a little before the child leaves its CPU. */
    for (int64_t before_ns = -1; before_ns != clock_ns(clock); nap(TK_NS_PER_MS))
        before_ns = clock_ns(clock);
    struct tk_walk walk = take_walk();
    const struct tk_bpf_task *task = find(&walk, child->pid);
    assert_true(task && (int64_t)task->runtime_ns == clock_ns(clock));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_a_busy_loop_to_the_moment, exact_open, exact_close),
        cmocka_unit_test_setup_teardown(tells_it_in_tier_b1_too, exact_open_b1, exact_close),
        cmocka_unit_test_setup_teardown(tells_two_loops_on_one_cpu_apart, exact_open, exact_close),
        cmocka_unit_test_setup_teardown(adds_up_the_threads_of_a_process, exact_open, exact_close),
        cmocka_unit_test_setup_teardown(does_not_credit_sleep, exact_open, exact_close),
        cmocka_unit_test_setup_teardown(stays_exact_among_200_processes, exact_open, exact_close),
        cmocka_unit_test_setup_teardown(tells_who_reads_no_clock_at_each_walk, exact_open,
                                        exact_close),
        cmocka_unit_test_setup_teardown(ends_up_where_the_scheduler_does, exact_open, exact_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
