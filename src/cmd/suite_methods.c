/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cmd/suite.h"

const struct tk_suite_method tk_suite_methods[] = {
    {.name = "tkz",
     .help = "tracekit compress: every trace",
     .codec = &tk_suite_codec_tkz,
     .settings = "a quality such as 5%, generative, or lossless",
     .colour = 0},
    {.name = "head",
     .help = "head sampling, columns with ids",
     .sampler = &tk_sampler_head,
     .baseline = &tk_baseline_columns,
     .colour = 1},
    {.name = "head-bare",
     .help = "head sampling, columns without ids",
     .sampler = &tk_sampler_head,
     .baseline = &tk_baseline_columns_bare,
     .colour = 5},
    {.name = "tail",
     .help = "tail sampling: errors, slow ones, one of N of the rest; columns with ids",
     .sampler = &tk_sampler_tail,
     .baseline = &tk_baseline_columns,
     .colour = 2},
    {.name = "errors",
     .help = "error-biased sampling: only traces with errors; columns with ids",
     .sampler = &tk_sampler_errors,
     .baseline = &tk_baseline_columns,
     .colour = 9},
    {.name = "slow",
     .help = "duration-biased sampling: only slow traces; columns with ids",
     .sampler = &tk_sampler_slow,
     .baseline = &tk_baseline_columns,
     .colour = 8},
    {.name = "first",
     .help = "the first traces by start, columns with ids",
     .sampler = &tk_sampler_first,
     .baseline = &tk_baseline_columns,
     .colour = 8},
    {.name = "stratified",
     .help = "one of N of each shape, columns with ids",
     .sampler = &tk_sampler_stratified,
     .baseline = &tk_baseline_columns,
     .colour = 3},
    {.name = "otlp",
     .help = "head sampling, OTLP + zstd",
     .sampler = &tk_sampler_head,
     .baseline = &tk_baseline_otlp,
     .colour = 4},
    {.name = "otap",
     .help = "all traces with all they hold, as sorted columns after OTel-Arrow",
     .baseline = &tk_baseline_otap,
     .colour = 4},
    {.name = "markov",
     .help = "per-minute Markov tables",
     .baseline = &tk_baseline_markov,
     .colour = 6},
    {.name = "columns",
     .help = "all traces as columns with ids",
     .baseline = &tk_baseline_columns,
     .colour = 7},
    {.name = "columns-bare",
     .help = "all traces as columns without ids",
     .baseline = &tk_baseline_columns_bare,
     .colour = 7},
    {.name = ""},
};

const struct tk_suite_method *tk_suite_method_find(tk_str name)
{
    for (const struct tk_suite_method *method = tk_suite_methods; method->name[0]; method++) {
        if (tk_str_eq(tk_str_from(method->name), name))
            return method;
    }
    return NULL;
}
