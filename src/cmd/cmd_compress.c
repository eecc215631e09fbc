/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "cmd/span_input.h"
#include "cmd/tkz_file.h"
#include "cmd/trace_slice.h"
#include "codec/keep_rules.h"

#define DEDUPE_SPANS   (1 << 19)   /* more than are held at once */
#define MMAP_THRESHOLD (128 << 10) /* what layers of a block take goes back at once */

static const char *const attrs[] = {"all", "gent", "none", NULL};

struct compress_opts {
    const char *output, *budget, *format, *slice;
    double quality, keep;
    int attrs;
    struct tk_opt_list keys, rules;
    int64_t seed, block_traces, block_ns, threads, min_count, window;
    bool has_quality, lossless, generative, no_ids, keep_duplicates, json;
};

#define FIELD(name) offsetof(struct compress_opts, name)

static const struct tk_opt options[] = {
    {"output", TK_OPT_STRING, FIELD(output), "FILE", "the file to write; - is standard output",
     .letter = 'o'},
    {"quality", TK_OPT_PERCENT, FIELD(quality), "PERCENT",
     "largest error of times: 57, 23, 10.5, 5, 2.4, 1.2, 0.6 or 0.3 (5)", .letter = 'q', .max = 100,
     .given = FIELD(has_quality)},
    {"budget", TK_OPT_STRING, FIELD(budget), "BYTES",
     "most bytes of the file, 20B/trace or 2B/span: as exact as fits", .letter = 'b'},
    {"lossless", TK_OPT_FLAG, FIELD(lossless), NULL, "every field of every span"},
    {"no-ids", TK_OPT_FLAG, FIELD(no_ids), NULL, "lossless, but for ids: they are made up"},
    {"generative", TK_OPT_FLAG, FIELD(generative), NULL,
     "trees and starts; times and attributes as distributions, nothing that is individual"},
    {"attributes", TK_OPT_CHOICE, FIELD(attrs), "WHICH",
     "all (default); gent: the five that Gen-T keeps; none", .choices = attrs},
    {"attribute", TK_OPT_LIST, FIELD(keys), "KEY=HOW",
     "of a key of spans: exact, drawn (made up, of the form that its values have), none"},
    {"keep", TK_OPT_PERCENT, FIELD(keep), "PERCENT",
     "traces that are kept whole besides, the oddest first (0; what a budget leaves)", .max = 100},
    {"exact", TK_OPT_LIST, FIELD(rules), "RULE",
     "keep these whole in any case: errors, slower=TIME, slowest=PERCENT, has=KEY[:VALUE], "
     "trace=ID"},
    {"min-count", TK_OPT_INT, FIELD(min_count), "N",
     "generative: leave out values that fewer spans have (5)", .min = 1, .max = 1000000},
    {"seed", TK_OPT_INT, FIELD(seed), "N", "of what is drawn when expanding (1)", .min = 1,
     .max = INT64_MAX},
    {"block-traces", TK_OPT_INT, FIELD(block_traces), "N", "traces of a block (10000)", .min = 1,
     .max = 1000000},
    {"block-time", TK_OPT_DURATION, FIELD(block_ns), "TIME",
     "from the first to the last start of a block (no limit)", .min = 1, .max = INT64_MAX,
     .needs_unit = true},
    {"traces", TK_OPT_STRING, FIELD(slice), "FIRST:END",
     "only these, counted from 0 by their start; FIRST: = to the last"},
    {"window", TK_OPT_INT, FIELD(window), "SPANS", "held in memory to make traces whole (458752)",
     .min = 1, .max = 1048576},
    {"threads", TK_OPT_INT, FIELD(threads), "N", "the bytes are the same for any (all CPUs)",
     .letter = 't', .min = 1, .max = TK_TKZ_MAX_THREADS},
    {"format", TK_OPT_STRING, FIELD(format), "NAME", "of files, as for import (detected)",
     .letter = 'f'},
    {"keep-duplicates", TK_OPT_FLAG, FIELD(keep_duplicates), NULL,
     "leave spans that come again to the codec, which counts them"},
    {"json", TK_OPT_FLAG, FIELD(json), NULL, "one JSON object instead of the receipt",
     .letter = 'j'},
    {0},
};

/* What contradicts each other or cannot be, as an exit status. */
static int check(const struct tk_cmd *cmd, const struct compress_opts *opts)
{
    if (!opts->output)
        return tk_cmd_usage(cmd, "expected --output FILE");
    if (opts->lossless && opts->generative)
        return tk_cmd_usage(cmd, "--lossless excludes --generative");
    if ((opts->lossless || opts->generative) && opts->has_quality)
        return tk_cmd_usage(cmd, "--quality is of no use for --lossless and --generative");
    if (opts->lossless && (opts->budget || opts->attrs > 0 || opts->keep > 0))
        return tk_cmd_usage(cmd, "--lossless excludes --budget, --attributes and --keep");
    if (opts->generative && opts->keep > 0)
        return tk_cmd_usage(cmd, "--generative excludes --keep: nothing individual is kept");
    if (opts->rules.count > 0 && (opts->lossless || opts->generative || opts->budget))
        return tk_cmd_usage(cmd, "--exact is of no use for --lossless, --generative and --budget");
    if (opts->keys.count > 0 && (opts->lossless || opts->attrs > 0))
        return tk_cmd_usage(cmd, "--attribute is of no use for --lossless and --attributes");
    if (opts->no_ids && !opts->lossless)
        return tk_cmd_usage(cmd, "--no-ids is of use for --lossless only");
    return TK_EXIT_OK;
}

/* What options that come several times say. */
struct wishes {
    struct tk_codec_key keys[TK_OPT_LIST_MAX];
    struct tk_keep_rule rules[TK_OPT_LIST_MAX];
};

/* "user.id=drawn"; keys may have a '=' themselves. */
static bool parse_key(const char *text, struct tk_codec_key *ret_key)
{
    static const struct {
        const char *word;
        enum tk_codec_key_wish wish;
    } words[] = {
        {"exact", TK_CODEC_KEY_EXACT}, {"drawn", TK_CODEC_KEY_DRAWN}, {"none", TK_CODEC_KEY_NONE}};
    const char *equals = strrchr(text, '=');
    for (size_t i = 0; equals && equals > text && i < TK_COUNTOF(words); i++) {
        if (strcmp(equals + 1, words[i].word) == 0) {
            *ret_key = (struct tk_codec_key){{text, (size_t)(equals - text)}, words[i].wish};
            return true;
        }
    }
    return false;
}

/* As an exit status. */
static int read_wishes(const struct tk_cmd *cmd, const struct compress_opts *opts,
                       struct wishes *ret_wishes)
{
    struct tk_err err;
    for (size_t i = 0; i < opts->keys.count; i++) {
        if (!parse_key(opts->keys.items[i], &ret_wishes->keys[i])) {
            return tk_cmd_usage(cmd,
                                "option '--attribute': '%s' is not KEY=exact, KEY=drawn or "
                                "KEY=none",
                                opts->keys.items[i]);
        }
    }
    for (size_t i = 0; i < opts->rules.count; i++) {
        if (tk_keep_rule_parse(opts->rules.items[i], &ret_wishes->rules[i], &err) < 0)
            return tk_cmd_usage(cmd, "option '--exact': %s", err.msg);
    }
    return TK_EXIT_OK;
}

static struct tk_codec_options codec_options(const struct compress_opts *opts,
                                             const struct tk_tkz_budget *budget,
                                             const struct wishes *wishes)
{
    return (struct tk_codec_options){
        .mode = opts->lossless     ? TK_CODEC_LOSSLESS
                : opts->generative ? TK_CODEC_GENERATIVE
                                   : TK_CODEC_NEAR,
        .attrs = (enum tk_codec_attrs)opts->attrs,
        .planes = opts->has_quality ? tk_codec_planes(opts->quality * 100) : 0,
        .trace_budget_bytes = budget->trace_bytes,
        .span_budget_bytes = budget->span_bytes,
        .block_traces = (uint32_t)opts->block_traces,
        .block_ns = opts->block_ns,
        .min_count = (uint32_t)opts->min_count,
        .kept_per_mille = (uint32_t)(opts->keep * 1000 + 0.999),
        .rules = wishes->rules,
        .rule_count = opts->rules.count,
        .keys = wishes->keys,
        .key_count = opts->keys.count,
        .seed = (uint64_t)opts->seed,
        .no_ids = opts->no_ids,
        .threads = tk_tkz_threads(opts->threads),
        .max_spans = (size_t)opts->window,
    };
}

/* What the budget did not leave room for. */
static void warn(const struct tk_cmd *cmd, const struct compress_opts *opts,
                 const struct tk_codec_info *info)
{
    bool lacks_attrs = info->without_attrs > 0 && opts->attrs != TK_CODEC_ATTRS_NONE;
    if (!opts->budget || (!lacks_attrs && info->coarse_starts == 0))
        return;
    (void)fprintf(
        stderr,
        "tracekit %s: the budget is small: %llu of %llu blocks are without attributes, "
        "of %llu times are drawn from distributions, of %llu starts are to some seconds\n",
        cmd->name, (unsigned long long)info->without_attrs, (unsigned long long)info->blocks,
        (unsigned long long)(opts->generative ? 0 : info->generative),
        (unsigned long long)info->coarse_starts);
}

/* What is read, and how. */
struct named_inputs {
    const char *const *names;
    size_t count;
    const struct tk_span_input_options *reading;
};

/* "10:20", "10:", ":20". */
static bool parse_slice(const char *text, uint64_t *ret_first, uint64_t *ret_end)
{
    tk_str rest = tk_str_from(text);
    tk_str first;
    *ret_first = 0;
    *ret_end = UINT64_MAX;
    if (tk_str_find(rest, ':') == rest.n)
        return false;
    first = (tk_str){rest.p, tk_str_find(rest, ':')};
    rest = (tk_str){rest.p + first.n + 1, rest.n - first.n - 1};
    return (first.n == 0 || tk_parse_u64(first, ret_first)) &&
           (rest.n == 0 || tk_parse_u64(rest, ret_end)) && *ret_first <= *ret_end;
}

/* The source is read twice then: once for the starts of its traces. */
static int read_slice(const struct tk_cmd *cmd, const struct compress_opts *opts,
                      const struct named_inputs *named, struct tk_trace_slice *slice,
                      struct tk_err *err)
{
    TK_CLEANUP(tk_span_inputs_freep) struct tk_span_inputs *inputs = NULL;
    uint64_t first;
    uint64_t end;
    (void)parse_slice(opts->slice, &first, &end);
    int rc = tk_span_inputs_new(cmd, named->names, named->count, named->reading, &inputs, err);
    if (rc < 0)
        return rc;
    const struct tk_span_source source = tk_span_inputs_source(inputs);
    rc = tk_trace_slice_init(slice, &source, first, end, err);
    if (rc == 0 && end != UINT64_MAX && slice->traces < end) {
        (void)fprintf(stderr, "tracekit %s: there are %llu traces, not %llu\n", cmd->name,
                      (unsigned long long)slice->traces, (unsigned long long)end);
    }
    return rc;
}

static int compress(const struct tk_cmd *cmd, const struct compress_opts *opts,
                    const struct tk_codec_options *codec, const char *const *names, size_t count,
                    struct tk_err *err)
{
    TK_CLEANUP(tk_trace_slice_release) struct tk_trace_slice slice = {0};
    TK_CLEANUP(tk_tkz_output_release) struct tk_tkz_output output = TK_TKZ_OUTPUT_NONE;
    TK_CLEANUP(tk_span_inputs_freep) struct tk_span_inputs *inputs = NULL;
    const struct tk_span_input_options reading = {
        .format = opts->format,
        .format_option = "--format",
        .keep_duplicates = opts->keep_duplicates,
        .dedupe_spans = opts->window > DEDUPE_SPANS ? (size_t)opts->window : DEDUPE_SPANS};
    struct tk_codec_info info;
    int rc = tk_span_inputs_new(cmd, names, count, &reading, &inputs, err);
    rc = rc < 0 ? rc : tk_tkz_output_open(&output, opts->output, err);
    if (rc < 0)
        return rc;
    const struct tk_span_source all = tk_span_inputs_source(inputs);
    const struct named_inputs named = {names, count, &reading};
    if (opts->slice)
        rc = read_slice(cmd, opts, &named, &slice, err);
    if (rc < 0)
        return rc;
    const struct tk_span_source source = opts->slice ? tk_trace_slice_source(&slice, &all) : all;
    rc = tk_codec_encode(codec, &source, &output.output, &info, err);
    tk_span_inputs_warn(inputs);
    rc = rc < 0 ? rc : tk_tkz_output_close(&output, err);
    if (rc < 0)
        return rc;
    info.duplicates += tk_span_inputs_tally(inputs)->by_reason[TK_SPAN_DUPLICATE];
    warn(cmd, opts, &info);
    if (opts->json)
        return tk_tkz_receipt_json(opts->output, &info, err);
    tk_tkz_receipt(opts->output, &info);
    return 0;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct compress_opts opts = {0};
    struct tk_tkz_budget budget = {0};
    struct wishes wishes;
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    int status = check(cmd, &opts);
    if (status != TK_EXIT_OK)
        return status;
    if (opts.budget && (!tk_tkz_budget_parse(opts.budget, &budget) || budget.bytes > 0)) {
        return tk_cmd_usage(
            cmd, "option '--budget': '%s' is no budget such as 20B/trace or 2B/span", opts.budget);
    }
    status = read_wishes(cmd, &opts, &wishes);
    if (status != TK_EXIT_OK)
        return status;
    uint64_t bounds[2];
    if (opts.slice && !parse_slice(opts.slice, &bounds[0], &bounds[1]))
        return tk_cmd_usage(cmd, "option '--traces': '%s' is no range such as 0:1000", opts.slice);
    for (int i = first; opts.slice && i < argc; i++) {
        if (strcmp(argv[i], "-") == 0)
            return tk_cmd_usage(cmd, "--traces reads its input twice: '-' cannot be");
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet */
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    const struct tk_codec_options codec = codec_options(&opts, &budget, &wishes);
    const char *const *names = (const char *const *)(argv + first);
    int rc = compress(cmd, &opts, &codec, names, (size_t)(argc - first), &err);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_compress = {
    .name = "compress",
    .args = "RUN|FILE...",
    .missing = "expected a run or a file of spans",
    .help = "compress traces to a few bytes each, keeping every one",
    .about = "Reads what `tracekit import` reads, and runs. Every trace is kept with its tree,\n"
             "errors, start and attributes; times within --quality. `tracekit expand` gives\n"
             "them back, from the file alone; `tracekit truncate` makes it smaller later.\n"
             "\n"
             "  tracekit compress shop.jsonl.zst -o shop.tkz\n"
             "  tracekit compress logs/night --budget 20B/trace -o night.tkz\n"
             "  tracekit compress traces/ --lossless -o all.tkz",
    .options = options,
    .mixed = true,
    .run = run,
};
