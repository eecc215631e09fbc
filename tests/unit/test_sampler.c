/* SPDX-License-Identifier: Apache-2.0 */
/* The machine that runs this may be busy: what is asserted are counts and their relations, never
 * how long something took. */
#include "collect/sampler.h"

#include <poll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tk_test.h"

#define INTERVAL_NS (2 * TK_NS_PER_MS)
#define PATIENCE_MS 20000

/* A sampler, its host, and the rows that came. */
struct fixture {
    struct tk_kernel kernel;
    struct tk_host *host;
    struct tk_rows *rows;
    struct tk_sampler *sampler;
    size_t counts[TK_TABLE_COUNT];
};

static int count_rows(void *context, enum tk_table table, const struct tk_batch *batch,
                      struct tk_err *err)
{
    (void)err;
    ((struct fixture *)context)->counts[table] += batch->rows;
    return 0;
}

static void fixture_open(struct fixture *fixture, bool with_host, int64_t host_interval_ns)
{
    struct tk_err err;
    *fixture = (struct fixture){.kernel = {.rootfd = -1, .procfd = -1}};
    assert_int_equal(tk_kernel_open(&fixture->kernel, "/", &err), 0);
    assert_int_equal(tk_rows_new((struct tk_sink){count_rows, fixture}, &fixture->rows, &err), 0);
    struct tk_host_options host = {.node = "n", .stage = "s", .host = "h", .iface = "lo"};
    if (with_host)
        assert_int_equal(tk_host_new(&fixture->kernel, &host, &fixture->host, &err), 0);
    struct tk_sampler_options options = {
        .interval_ns = INTERVAL_NS, .host_interval_ns = host_interval_ns, .host = fixture->host};
    assert_int_equal(tk_sampler_new(&options, &fixture->sampler, &err), 0);
}

static void fixture_close(struct fixture *fixture)
{
    tk_sampler_free(fixture->sampler);
    tk_host_free(fixture->host);
    tk_rows_free(fixture->rows);
    tk_kernel_close(&fixture->kernel);
}

/* Wait for the next deadline and step; returns the ticks so far. */
static int64_t step(struct fixture *fixture)
{
    struct tk_err err;
    struct tk_sampler_stats stats;
    struct pollfd fd = {.fd = tk_sampler_fd(fixture->sampler), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
    assert_int_equal(tk_sampler_step(fixture->sampler, fixture->rows, &err), 0);
    tk_sampler_read_stats(fixture->sampler, &stats);
    return stats.ticks;
}

static void the_first_tick_is_due_at_once_and_each_step_makes_one(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, false, INTERVAL_NS);
    for (int64_t n = 1; n <= 20; n++)
        assert_int_equal(step(&fixture), n);
    fixture_close(&fixture);
}

static void each_deadline_is_kept_or_counted_as_missed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_sampler_stats stats;
    int64_t before = tk_clock_mono_ns();
    fixture_open(&fixture, false, INTERVAL_NS);
    int64_t opened = tk_clock_mono_ns();
    int64_t last_wait = 0;
    for (int i = 0; i < 50; i++) {
        last_wait = tk_clock_mono_ns();
        (void)step(&fixture);
    }
    int64_t after = tk_clock_mono_ns();
    tk_sampler_read_stats(fixture.sampler, &stats);
    int64_t deadlines = stats.ticks + stats.missed_ticks;
    assert_int_equal(stats.ticks, 50);
    assert_int_equal(stats.drift_ns, 0);
    assert_true(deadlines <= (after - before) / INTERVAL_NS + 1);
    assert_true(deadlines >= (last_wait - opened) / INTERVAL_NS);
    assert_true(stats.achieved_ns >= INTERVAL_NS * 49 / 50);
    fixture_close(&fixture);
}

static void ticks_that_were_slept_through_are_not_replayed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_sampler_stats stats;
    fixture_open(&fixture, false, INTERVAL_NS);
    (void)step(&fixture);
    struct timespec nap = {.tv_nsec = 20 * INTERVAL_NS};
    for (int64_t n = 2; n <= 4; n++) {
        (void)nanosleep(&nap, NULL);
        assert_int_equal(step(&fixture), n);
    }
    tk_sampler_read_stats(fixture.sampler, &stats);
    assert_true(stats.missed_ticks >= 3 * 19);
    assert_int_equal(stats.drift_ns, 0);
    /* Ticks keep to the grid of deadlines: late by less than the nap. */
    assert_true(stats.late_max_ns >= 18 * INTERVAL_NS);
    assert_true(stats.late_p50_ns <= stats.late_p99_ns);
    assert_true(stats.late_p99_ns <= stats.late_max_ns);
    assert_true(stats.late_p50_ns > 0);
    fixture_close(&fixture);
}

static void a_span_is_of_the_ticks_since_the_last_one(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_sampler_span span;
    fixture_open(&fixture, false, INTERVAL_NS);
    (void)step(&fixture);
    struct timespec nap = {.tv_nsec = 20 * INTERVAL_NS};
    (void)nanosleep(&nap, NULL);
    (void)step(&fixture);
    tk_sampler_take_span(fixture.sampler, &span);
    assert_int_equal(span.ticks, 2);
    assert_true(span.missed_ticks >= 18);
    assert_true(span.late_max_ns >= 18 * INTERVAL_NS && span.late_p50_ns <= span.late_max_ns);
    tk_sampler_take_span(fixture.sampler, &span);
    assert_int_equal(span.ticks, 0);
    assert_int_equal(span.missed_ticks, 0);
    assert_int_equal(span.late_max_ns, 0);
    int64_t calls = tk_sampler_syscalls(fixture.sampler);
    (void)step(&fixture);
    assert_int_equal(tk_sampler_syscalls(fixture.sampler) - calls, 2);
    tk_sampler_take_span(fixture.sampler, &span);
    assert_int_equal(span.ticks, 1);
    fixture_close(&fixture);
}

static void the_host_has_an_interval_of_its_own(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_sampler_stats stats;
    /* An hour: one host tick at the start, none later. */
    fixture_open(&fixture, true, 3600 * TK_NS_PER_S);
    for (int i = 0; i < 10; i++)
        (void)step(&fixture);
    size_t first = fixture.counts[TK_TABLE_HOST_METRICS];
    assert_int_equal(first, 1); /* the memory row; the CPU row takes two readings */
    fixture_close(&fixture);

    fixture_open(&fixture, true, 5 * INTERVAL_NS / 2);
    int64_t steps = 0;
    while (fixture.counts[TK_TABLE_HOST_METRICS] < 9 && steps++ < 1000)
        (void)step(&fixture);
    tk_sampler_read_stats(fixture.sampler, &stats);
    assert_true(fixture.counts[TK_TABLE_HOST_METRICS] >= 9);
    assert_int_equal(stats.drift_ns, 0);
    fixture_close(&fixture);
}

static void finishing_reads_the_host_once_more(void **state)
{
    (void)state;
    struct fixture fixture;
    struct tk_err err;
    fixture_open(&fixture, true, 3600 * TK_NS_PER_S);
    (void)step(&fixture);
    struct timespec nap = {.tv_nsec = 30 * TK_NS_PER_MS};
    (void)nanosleep(&nap, NULL);
    assert_int_equal(tk_sampler_finish(fixture.sampler, fixture.rows, &err), 0);
    assert_int_equal(fixture.counts[TK_TABLE_HOST_METRICS], 3);
    fixture_close(&fixture);
}

/* Births, execs and ends fill a ring; the next tick is far. */
static void a_ring_that_is_half_full_wakes_before_the_tick(void **state)
{
    (void)state;
    return_under_tsan();
    struct tk_err err;
    struct fixture fixture;
    struct tk_procs *procs = NULL;
    struct tk_procs_stats stats;
    struct tk_procs_options wanted = {.node = "n", .host = "h"};
    fixture_open(&fixture, false, 0);
    tk_sampler_free(fixture.sampler);
    assert_int_equal(tk_procs_new(&fixture.kernel, &wanted, &procs, &err), 0);
    struct tk_sampler_options options = {.interval_ns = 3600 * TK_NS_PER_S, .procs = procs};
    assert_int_equal(tk_sampler_new(&options, &fixture.sampler, &err), 0);
    tk_procs_read_stats(procs, &stats);
    bool is_by_ring = tk_procs_drain_fd(procs) >= 0;
    struct pollfd fd = {.fd = tk_sampler_fd(fixture.sampler), .events = POLLIN};
    for (int i = 0; i < 3; i++) { /* the first tick, and what came until then */
        (void)poll(&fd, 1, 100);
        assert_int_equal(tk_sampler_step(fixture.sampler, fixture.rows, &err), 0);
    }
    for (int i = 0; is_by_ring && i < 3000; i++) {
        pid_t child = vfork();
        if (child == 0)
            _exit(0);
        (void)waitpid(child, NULL, 0);
    }
    if (is_by_ring) {
        assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
        assert_int_equal(tk_sampler_step(fixture.sampler, fixture.rows, &err), 0);
        assert_true(fixture.counts[TK_TABLE_PROC_EXIT] >= 2000);
        tk_procs_read_stats(procs, &stats);
        assert_int_equal(stats.dropped_events, 0);
    }
    fixture_close(&fixture);
    tk_procs_free(procs);
    if (!is_by_ring) {
        print_message("skipped: %s\n", stats.tier_why_not);
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_that_is_half_full_wakes_before_the_tick),
        cmocka_unit_test(the_first_tick_is_due_at_once_and_each_step_makes_one),
        cmocka_unit_test(each_deadline_is_kept_or_counted_as_missed),
        cmocka_unit_test(ticks_that_were_slept_through_are_not_replayed),
        cmocka_unit_test(a_span_is_of_the_ticks_since_the_last_one),
        cmocka_unit_test(the_host_has_an_interval_of_its_own),
        cmocka_unit_test(finishing_reads_the_host_once_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
