/* SPDX-License-Identifier: Apache-2.0 */
/* One timerfd, armed one-shot at the earliest deadline of the rate classes. A deadline is always
 * start + n * interval, so that lateness never adds up:
 *
 *   class    interval        runs
 *   events   by the source   drains fork and exit events, if ticks are further apart
 *   host     host interval   host, links, disks
 *   procs    interval        processes; this one is "the tick" of the statistics
 *   groups   host interval   control groups
 *
 * Classes that are due together run in this order: the sweep wants to know what was forked, and may
 * walk over control groups, too. A tick costs one system call here (timerfd_settime(), which also
 * makes the descriptor unreadable) and allocates nothing; 45 to 70 us of CPU at 1 to 10 Hz are the
 * wake-up itself.
 *
 * Where events come by a ring that is only half full in a fork storm, its descriptor and the timer
 * are waited for together, by an epoll. */
#include "collect/sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/file.h"

/* /proc/stat counts in ticks of 10 ms: shares over less are noise. */
#define MIN_HOST_NS (20 * TK_NS_PER_MS)

/* Lateness, in buckets of 1/8 of a power of two: 1 us, 1.125 us, ... */
#define LATE_STEPS   8
#define LATE_BUCKETS ((size_t)40 * LATE_STEPS)

enum { CLASS_EVENTS, CLASS_HOST, CLASS_PROCS, CLASS_GROUPS, CLASS_COUNT };

struct rate_class {
    int64_t interval_ns; /* 0 = there is nothing to run */
    int64_t deadline_ns;
    int64_t last_ns; /* when it ran last */
    void (*run)(struct tk_sampler *sampler, struct tk_rows *rows);
};

/* Of some ticks. */
struct lateness {
    int64_t ticks, missed, max_ns;
    uint32_t buckets[LATE_BUCKETS];
};

struct tk_sampler {
    struct tk_sampler_options options;
    int timer_fd;
    int wait_fd; /* epoll of the timer and the ring of events; -1 = the timer alone */
    int64_t start_ns;
    struct rate_class classes[CLASS_COUNT];
    struct lateness all, span; /* since the start; since it was last asked for */
    int64_t last_deadline_ns, last_tick_ns;
    int64_t steps;
};

/* Lateness ---------------------------------------------------------------------- */

static size_t late_bucket(int64_t late_ns)
{
    uint64_t units = (uint64_t)late_ns * LATE_STEPS / TK_NS_PER_US;
    if (units < LATE_STEPS)
        return 0;
    unsigned power = 63 - (unsigned)__builtin_clzll(units) - 3; /* of two, in us; 3 = lb 8 */
    size_t bucket = (size_t)power * LATE_STEPS + (units >> power) - LATE_STEPS + 1;
    return bucket < LATE_BUCKETS ? bucket : LATE_BUCKETS - 1;
}

/* Upper end of a bucket. */
static int64_t late_bucket_ns(size_t bucket)
{
    if (bucket == 0)
        return TK_NS_PER_US;
    size_t power = (bucket - 1) / LATE_STEPS;
    int64_t units = (int64_t)((bucket - 1) % LATE_STEPS + LATE_STEPS + 1) << power;
    return units * TK_NS_PER_US / LATE_STEPS;
}

/* A tick that was so late, and the deadlines that passed meanwhile. */
static void add_lateness(struct lateness *lateness, int64_t late_ns, int64_t missed)
{
    lateness->ticks++;
    lateness->missed += missed;
    lateness->buckets[late_bucket(late_ns)]++;
    if (late_ns > lateness->max_ns)
        lateness->max_ns = late_ns;
}

static int64_t late_percentile(const struct lateness *lateness, int64_t percent)
{
    int64_t below = 0;
    for (size_t i = 0; i < LATE_BUCKETS; i++) {
        below += lateness->buckets[i];
        if (lateness->buckets[i] > 0 && below * 100 >= lateness->ticks * percent) {
            int64_t end = late_bucket_ns(i);
            return end < lateness->max_ns ? end : lateness->max_ns;
        }
    }
    return 0;
}

/* Rate classes ------------------------------------------------------------------ */

static void run_events(struct tk_sampler *sampler, struct tk_rows *rows)
{
    tk_procs_drain(sampler->options.procs, rows);
}

static void run_host(struct tk_sampler *sampler, struct tk_rows *rows)
{
    tk_host_tick(sampler->options.host, rows);
}

/* Readings of the slow classes too, so that a short run has them. */
static void finish_host(struct tk_sampler *sampler, struct tk_rows *rows)
{
    if (sampler->options.host)
        tk_host_finish(sampler->options.host, rows);
    if (sampler->options.cgroups)
        tk_cgroups_finish(sampler->options.cgroups, rows);
}

static void run_procs(struct tk_sampler *sampler, struct tk_rows *rows)
{
    struct tk_procs *procs = sampler->options.procs;
    struct tk_host *host = sampler->options.host;
    if (procs)
        tk_procs_tick(procs, host && tk_procs_wants_forks(procs) ? tk_host_forks(host) : -1, rows);
}

static void run_groups(struct tk_sampler *sampler, struct tk_rows *rows)
{
    tk_cgroups_tick(sampler->options.cgroups, rows);
}

static void set_classes(struct tk_sampler *sampler)
{
    const struct tk_sampler_options *options = &sampler->options;
    struct rate_class *classes = sampler->classes;
    classes[CLASS_PROCS] =
        (struct rate_class){.interval_ns = options->interval_ns, .run = run_procs};
    classes[CLASS_HOST] = (struct rate_class){.run = run_host};
    if (options->host)
        classes[CLASS_HOST].interval_ns = options->host_interval_ns;
    classes[CLASS_GROUPS] = (struct rate_class){.run = run_groups};
    if (options->cgroups)
        classes[CLASS_GROUPS].interval_ns = options->host_interval_ns;
    classes[CLASS_EVENTS] = (struct rate_class){.run = run_events};
    if (options->procs && options->interval_ns > tk_procs_drain_interval_ns(options->procs))
        classes[CLASS_EVENTS].interval_ns = tk_procs_drain_interval_ns(options->procs);
    for (size_t i = 0; i < CLASS_COUNT; i++)
        classes[i].deadline_ns = sampler->start_ns;
}

static int arm(const struct tk_sampler *sampler, struct tk_err *err)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        if (sampler->classes[i].interval_ns > 0 && sampler->classes[i].deadline_ns < next)
            next = sampler->classes[i].deadline_ns;
    }
    struct itimerspec at = {
        .it_value = {.tv_sec = next / TK_NS_PER_S, .tv_nsec = next % TK_NS_PER_S}};
    if (timerfd_settime(sampler->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
        return tk_fail_errno(err, "timer of the sampler");
    return 0;
}

/* Account for one tick that begins at `now`; `passed` deadlines lie behind it, its own included. */
static void count_tick(struct tk_sampler *sampler, int64_t deadline_ns, int64_t now, int64_t passed)
{
    add_lateness(&sampler->all, now - deadline_ns, passed - 1);
    add_lateness(&sampler->span, now - deadline_ns, passed - 1);
    sampler->last_tick_ns = now;
    sampler->last_deadline_ns = deadline_ns + (passed - 1) * sampler->options.interval_ns;
}

static bool is_due(const struct tk_sampler *sampler, size_t index, int64_t now)
{
    const struct rate_class *class = &sampler->classes[index];
    return class->interval_ns > 0 && class->deadline_ns <= now;
}

static void run_class(struct tk_sampler *sampler, size_t index, int64_t now, struct tk_rows *rows)
{
    struct rate_class *class = &sampler->classes[index];
    int64_t passed = (now - class->deadline_ns) / class->interval_ns + 1;
    if (index == CLASS_PROCS)
        count_tick(sampler, class->deadline_ns, now, passed);
    class->deadline_ns += passed * class->interval_ns;
    class->last_ns = now;
    class->run(sampler, rows);
}

/* The step is not for a deadline: the ring of events has woken us. */
static void empty_ring(struct tk_sampler *sampler, struct tk_rows *rows)
{
    struct epoll_event event;
    sampler->steps++;
    while (epoll_wait(sampler->wait_fd, &event, 1, 0) < 0 && errno == EINTR)
        continue;
    run_events(sampler, rows);
}

int tk_sampler_step(struct tk_sampler *sampler, struct tk_rows *rows, struct tk_err *err)
{
    int64_t now = tk_clock_mono_ns();
    bool ran = false;
    sampler->steps++;
    if (is_due(sampler, CLASS_PROCS, now) && is_due(sampler, CLASS_GROUPS, now))
        tk_cgroups_announce(sampler->options.cgroups);
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        if (!is_due(sampler, i, now))
            continue;
        run_class(sampler, i, now, rows);
        ran = true;
    }
    if (!ran && sampler->wait_fd >= 0) {
        empty_ring(sampler, rows);
        ran = true;
    }
    int rc = arm(sampler, err);
    return rc == 0 && ran ? tk_rows_flush(rows, err) : rc;
}

int tk_sampler_finish(struct tk_sampler *sampler, struct tk_rows *rows, struct tk_err *err)
{
    int64_t now = tk_clock_mono_ns();
    if (now - sampler->classes[CLASS_HOST].last_ns >= MIN_HOST_NS)
        finish_host(sampler, rows);
    run_procs(sampler, rows);
    if (sampler->options.procs)
        tk_procs_finish(sampler->options.procs, rows);
    return tk_rows_flush(rows, err);
}

/* Life -------------------------------------------------------------------------- */

static int watch(int epoll_fd, int fd, uint32_t events, struct tk_err *err)
{
    struct epoll_event event = {.events = events};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? tk_fail_errno(err, "epoll") : 0;
}

/* The ring tells that it has anything, unless it is watched by edges: those of its wake-ups. */
static int open_wait(struct tk_sampler *sampler, struct tk_err *err)
{
    const struct tk_procs *procs = sampler->options.procs;
    int ring_fd = procs ? tk_procs_drain_fd(procs) : -1;
    if (ring_fd < 0)
        return 0;
    sampler->wait_fd = epoll_create1(EPOLL_CLOEXEC);
    if (sampler->wait_fd < 0)
        return tk_fail_errno(err, "epoll");
    int rc = watch(sampler->wait_fd, sampler->timer_fd, EPOLLIN, err);
    return rc < 0 ? rc : watch(sampler->wait_fd, ring_fd, EPOLLIN | EPOLLET, err);
}

int tk_sampler_new(const struct tk_sampler_options *options, struct tk_sampler **ret_sampler,
                   struct tk_err *err)
{
    struct tk_sampler *sampler = calloc(1, sizeof(*sampler));
    if (!sampler)
        return tk_fail(err, -ENOMEM, "sampler: out of memory");
    sampler->options = *options;
    sampler->wait_fd = -1;
    sampler->start_ns = tk_clock_mono_ns();
    set_classes(sampler);
    sampler->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    int rc = sampler->timer_fd < 0 ? tk_fail_errno(err, "timer of the sampler") : arm(sampler, err);
    if (rc == 0)
        rc = open_wait(sampler, err);
    if (rc < 0)
        goto fail;
    *ret_sampler = sampler;
    return 0;

fail:
    tk_sampler_free(sampler);
    return rc;
}

void tk_sampler_free(struct tk_sampler *sampler)
{
    if (!sampler)
        return;
    tk_fd_close(&sampler->wait_fd);
    tk_fd_close(&sampler->timer_fd);
    free(sampler);
}

int tk_sampler_fd(const struct tk_sampler *sampler)
{
    return sampler->wait_fd >= 0 ? sampler->wait_fd : sampler->timer_fd;
}

int64_t tk_sampler_wake_ns(const struct tk_sampler *sampler)
{
    int64_t shortest = INT64_MAX;
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        if (sampler->classes[i].interval_ns > 0 && sampler->classes[i].interval_ns < shortest)
            shortest = sampler->classes[i].interval_ns;
    }
    return shortest;
}

void tk_sampler_read_stats(const struct tk_sampler *sampler, struct tk_sampler_stats *ret_stats)
{
    int64_t interval = sampler->options.interval_ns;
    int64_t ticks = sampler->all.ticks;
    *ret_stats = (struct tk_sampler_stats){
        .ticks = ticks,
        .missed_ticks = sampler->all.missed,
        .late_max_ns = sampler->all.max_ns,
        .late_p50_ns = late_percentile(&sampler->all, 50),
        .late_p99_ns = late_percentile(&sampler->all, 99),
    };
    if (ticks == 0)
        return;
    if (ticks > 1)
        ret_stats->achieved_ns = (sampler->last_tick_ns - sampler->start_ns) / (ticks - 1);
    ret_stats->drift_ns = sampler->last_deadline_ns - sampler->start_ns -
                          (ticks + sampler->all.missed - 1) * interval;
}

void tk_sampler_take_span(struct tk_sampler *sampler, struct tk_sampler_span *ret_span)
{
    *ret_span = (struct tk_sampler_span){
        .ticks = sampler->span.ticks,
        .missed_ticks = sampler->span.missed,
        .late_max_ns = sampler->span.max_ns,
        .late_p50_ns = late_percentile(&sampler->span, 50),
    };
    sampler->span = (struct lateness){0};
}

int64_t tk_sampler_syscalls(const struct tk_sampler *sampler)
{
    return 2 * sampler->steps;
}
