/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

enum {
    HELP_MAX = 16384,
    HELP_WIDTH = 100,
};

static int show_help(const char *program, const struct tk_opt *options)
{
    struct tk_buf help;
    tk_buf_init(&help, HELP_MAX);
    tk_buf_printf(&help, "usage: %s [OPTIONS]\n", program);
    tk_opt_help(options, HELP_WIDTH, &help);
    bool ok = tk_buf_ok(&help) && fwrite(help.p, 1, help.n, stdout) == help.n;
    tk_buf_release(&help);
    return ok ? 0 : 1;
}

bool tk_bench_parse(const char *program, const struct tk_opt *options, void *opts, int argc,
                    char **argv, int *ret_status)
{
    struct tk_err err = {0};
    int first;
    int rc = tk_opt_parse(options, opts, argc, argv, &first, &err);
    if (rc == 1) {
        *ret_status = show_help(program, options);
        return false;
    }
    if (rc == 0 && first < argc)
        rc = tk_fail(&err, -EINVAL, "'%s' is one argument too many", argv[first]);
    if (rc < 0) {
        (void)tk_bench_fail(program, &err);
        *ret_status = 2;
        return false;
    }
    return true;
}

int tk_bench_fail(const char *program, const struct tk_err *err)
{
    (void)fprintf(stderr, "%s: %s\n", program, err->msg);
    return 1;
}

uint64_t tk_bench_noise(uint64_t i)
{
    uint64_t z = i * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

int64_t tk_bench_cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * TK_NS_PER_S + now.tv_nsec;
}

void tk_bench_ticker_init(struct tk_bench_ticker *ticker, int64_t interval_ns)
{
    *ticker = (struct tk_bench_ticker){.interval_ns = interval_ns, .start_ns = tk_clock_mono_ns()};
    sigemptyset(&ticker->stop);
    sigaddset(&ticker->stop, SIGTERM);
    sigaddset(&ticker->stop, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &ticker->stop, NULL);
}

bool tk_bench_ticker_next(struct tk_bench_ticker *ticker)
{
    int64_t due_ns = ticker->start_ns + ++ticker->ticks * ticker->interval_ns;
    struct timespec due = {due_ns / TK_NS_PER_S, due_ns % TK_NS_PER_S};
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    return sigtimedwait(&ticker->stop, NULL, &(struct timespec){0}) < 0;
}
