/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmark programs share: the command line, the CPU clock and the tick. They are
 * programs of their own, built with -Dbench=true, and never part of tracekit. */
#ifndef TK_BENCH_H
#define TK_BENCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/opt.h"

/* Parse options into `opts`. True to go on; false when the program is to end with *ret_status:
 * help was printed to stdout, or a usage error to stderr. No positional arguments are taken. */
TK_MUST_USE bool tk_bench_parse(const char *program, const struct tk_opt *options, void *opts,
                                int argc, char **argv, int *ret_status);

/* Print "PROGRAM: MESSAGE" to stderr; returns 1, the exit status of failure. */
int tk_bench_fail(const char *program, const struct tk_err *err);

/* CPU time of this process, all threads, in ns. */
int64_t tk_bench_cpu_ns(void);

/* A number that follows from `i` and looks as if it did not (SplitMix64). */
uint64_t tk_bench_noise(uint64_t i);

/* Deadlines `interval_ns` apart, 0 = back to back, until SIGTERM or SIGINT. */
struct tk_bench_ticker {
    int64_t interval_ns;
    int64_t start_ns;
    int64_t ticks; /* that came so far */
    sigset_t stop;
};

/* Blocks the two signals in the calling thread. */
void tk_bench_ticker_init(struct tk_bench_ticker *ticker, int64_t interval_ns);

/* Sleep until the next deadline; false when one of the signals came meanwhile. */
bool tk_bench_ticker_next(struct tk_bench_ticker *ticker);

#endif
