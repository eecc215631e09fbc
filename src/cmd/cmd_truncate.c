/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"
#include "cmd/tkz_file.h"

struct truncate_opts {
    const char *output;
    const char *budget;
    double quality;
    int64_t older_than_ns;
    bool has_quality, generative;
};

static const struct tk_opt options[] = {
    {"output", TK_OPT_STRING, offsetof(struct truncate_opts, output), "FILE",
     "where to write what stays; - is standard output", .letter = 'o'},
    {"quality", TK_OPT_PERCENT, offsetof(struct truncate_opts, quality), "PERCENT",
     "largest error of times that is fine: 57, 23, 10.5, 5, 2.4, 1.2, 0.6 or 0.3; lossless files "
     "become what compress --quality makes",
     .letter = 'q', .max = 100, .given = offsetof(struct truncate_opts, has_quality)},
    {"budget", TK_OPT_STRING, offsetof(struct truncate_opts, budget), "BYTES",
     "most bytes of the file: 10B/trace, 1.5B/span, 64kB, 2MiB", .letter = 'b'},
    {"older-than", TK_OPT_DURATION, offsetof(struct truncate_opts, older_than_ns), "TIME",
     "only blocks that ended so long ago, such as 7d", .min = 1, .max = INT64_MAX,
     .needs_unit = true},
    {"generative", TK_OPT_FLAG, offsetof(struct truncate_opts, generative), NULL,
     "only distributions stay, as of compress --generative; they are learned from the file"},
    {0},
};

/* The ceiling of the options; -1 after a usage error was told. */
static int find_ceiling(const struct tk_cmd *cmd, const struct truncate_opts *opts,
                        struct tk_codec_ceiling *ret_ceiling)
{
    struct tk_tkz_budget budget = {0};
    if (opts->generative && opts->has_quality)
        return tk_cmd_usage(cmd, "--generative leaves no times to have a --quality: choose one");
    if (!opts->output)
        return tk_cmd_usage(cmd, "expected --output FILE");
    if (!opts->has_quality && !opts->budget && !opts->generative)
        return tk_cmd_usage(cmd, "expected --quality, --budget or --generative");
    if (opts->budget && !tk_tkz_budget_parse(opts->budget, &budget)) {
        return tk_cmd_usage(cmd, "option '--budget': '%s' is no budget such as 10B/trace",
                            opts->budget);
    }
    *ret_ceiling = (struct tk_codec_ceiling){
        .planes = opts->has_quality ? tk_codec_planes(opts->quality * 100) : 0,
        .trace_budget_bytes = budget.trace_bytes,
        .span_budget_bytes = budget.span_bytes,
        .budget_bytes = (uint64_t)budget.bytes,
        .generative = opts->generative,
        .before_ns = opts->older_than_ns > 0 ? tk_clock_real_ns() - opts->older_than_ns : 0};
    return TK_EXIT_OK;
}

static int truncate_file(const struct tk_cmd *cmd, const struct truncate_opts *opts,
                         const struct tk_codec_ceiling *ceiling, const char *path,
                         struct tk_err *err)
{
    TK_CLEANUP(tk_import_text_release) struct tk_import_text text = {0};
    TK_CLEANUP(tk_tkz_output_release) struct tk_tkz_output output = TK_TKZ_OUTPUT_NONE;
    struct tk_codec_info before;
    struct tk_codec_info after;
    int rc = tk_tkz_open(path, &text, err);
    if (rc < 0)
        return rc;
    rc = tk_codec_info_read(text.text, &before, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", path);
    tk_tkz_warn(cmd, path, &before);
    rc = tk_tkz_output_open(&output, opts->output, err);
    if (rc < 0)
        return rc;
    rc = tk_codec_truncate(ceiling, text.text, &output.output, &after, err);
    if (rc < 0)
        return tk_err_prefix(err, "%s", path);
    rc = tk_tkz_output_close(&output, err);
    if (rc == 0)
        tk_tkz_receipt(opts->output, &after);
    return rc;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct truncate_opts opts = {0};
    struct tk_codec_ceiling ceiling;
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (first + 1 < argc)
        return tk_cmd_usage(cmd, "'%s' is one argument too many", argv[first + 1]);
    int status = find_ceiling(cmd, &opts, &ceiling);
    if (status != TK_EXIT_OK)
        return status;
    int rc = truncate_file(cmd, &opts, &ceiling, argv[first], &err);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_truncate = {
    .name = "truncate",
    .args = "FILE.tkz",
    .missing = "expected a file of compressed traces",
    .help = "make a file of compressed traces smaller, without decoding it",
    .about = "What is worth least goes first: exact records, then the finer digits of times.\n"
             "Every trace stays, with its tree, errors and start.\n"
             "\n"
             "  tracekit truncate day.tkz --quality 25% -o day25.tkz\n"
             "  tracekit truncate all.tkz --older-than 7d --budget 10B/trace -o all.tkz\n"
             "  tracekit truncate all.tkz --older-than 90d --generative -o all.tkz",
    .options = options,
    .mixed = true,
    .run = run,
};
