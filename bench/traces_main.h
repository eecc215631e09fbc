/* SPDX-License-Identifier: Apache-2.0 */
/* The main function of benchmarks that do one thing with each of the codec's data sets. */
#ifndef TK_BENCH_TRACES_MAIN_H
#define TK_BENCH_TRACES_MAIN_H

#include "bench.h"
#include "traces.h"

struct tk_bench_traces_opts {
    const char *data;
    int64_t rounds;
};

typedef int (*tk_bench_traces_fn)(const struct tk_bench_traces_opts *opts,
                                  const struct tk_bench_set *set, struct tk_err *err);

/* Parse the options and measure each set; returns the exit status. */
static inline int tk_bench_traces_main(const char *name, int argc, char **argv,
                                       tk_bench_traces_fn measure)
{
    static const struct tk_opt options[] = {
        {"data", TK_OPT_STRING, offsetof(struct tk_bench_traces_opts, data), "DIR",
         "where the files are"},
        {"rounds", TK_OPT_INT, offsetof(struct tk_bench_traces_opts, rounds), "N",
         "rounds per figure, the best counts", .min = 1, .max = 1000},
        {0},
    };
    struct tk_bench_traces_opts opts = {.data = "../shared/data/traces", .rounds = 3};
    struct tk_err err;
    int status;
    if (!tk_bench_parse(name, options, &opts, argc, argv, &status))
        return status;
    for (size_t i = 0; i < TK_COUNTOF(tk_bench_sets); i++) {
        if (measure(&opts, &tk_bench_sets[i], &err) < 0)
            return tk_bench_fail(name, &err);
    }
    return 0;
}

#endif
