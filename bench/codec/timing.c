/* SPDX-License-Identifier: Apache-2.0 */
/* What gaps and durations cost: bytes a trace of each section of the timing layer and of all up to
 * it, CPU time a span to encode and to decode (best of several rounds), and how far decoded
 * durations are off at worst.
 *
 *     meson setup build-bench -Dbench=true -Dbuildtype=release && ninja -C build-bench
 *     build-bench/timing --data ../shared/data/traces
 */
#include "bench.h"

#include <stdio.h>

#include "codec/draw.h"
#include "codec/timing.h"
#include "traces.h"

struct opts {
    const char *data;
    const char *set;
    int64_t rounds;
    int64_t planes;
    bool lossless;
    bool generative;
};

static const struct tk_opt options[] = {
    {"data", TK_OPT_STRING, offsetof(struct opts, data), "DIR", "where the files are"},
    {"set", TK_OPT_STRING, offsetof(struct opts, set), "NAME", "only this one"},
    {"rounds", TK_OPT_INT, offsetof(struct opts, rounds), "N", "rounds per figure, the best counts",
     .min = 1, .max = 1000},
    {"planes", TK_OPT_INT, offsetof(struct opts, planes), "N", "planes + 1", .min = 1, .max = 8},
    {"lossless", TK_OPT_FLAG, offsetof(struct opts, lossless), NULL, "every tick"},
    {"generative", TK_OPT_FLAG, offsetof(struct opts, generative), NULL, "tables alone"},
    {0},
};

static const char *const section_names[TK_SECTION_COUNT] = {
    [TK_SECTION_TIME_TABLES] = "tables",    [TK_SECTION_TIME_BASE] = "base  57 %",
    [TK_SECTION_TIME_PLANE] = "plane 23 %", [TK_SECTION_TIME_PLANE + 1] = "10.5 %",
    [TK_SECTION_TIME_PLANE + 2] = "5.0 %",  [TK_SECTION_TIME_PLANE + 3] = "2.4 %",
    [TK_SECTION_TIME_PLANE + 4] = "1.2 %",  [TK_SECTION_TIME_PLANE + 5] = "0.60 %",
    [TK_SECTION_TIME_PLANE + 6] = "0.30 %", [TK_SECTION_TIME_REST] = "rest",
};

/* One run of the layer both ways. */
struct figures {
    struct tk_section_set sections;
    int64_t encode_ns, decode_ns;
    double worst; /* ratio of a duration to its own, or the other way round */
    double durations_ks, shares_ks;
};

/* Of one symbol: durations, or their shares of the first root's. */
struct sample {
    uint32_t symbol;
    double value;
};

static struct tk_block block_of(const struct tk_section_set *sections)
{
    struct tk_block block = {0};
    for (uint32_t type = 1; type < TK_SECTION_COUNT; type++) {
        if (sections->bytes[type].n > 0) {
            block.sections[block.section_count++] =
                (struct tk_section){.type = type, .bytes = tk_buf_str(&sections->bytes[type])};
        }
    }
    return block;
}

static double find_worst(const struct tk_forest *forest, const int64_t *decoded)
{
    double worst = 1;
    for (uint32_t i = 0; i < forest->node_count; i++) {
        double ratio = (double)(forest->durations[i] + 1) / (double)(decoded[i] + 1);
        ratio = ratio < 1 ? 1 / ratio : ratio;
        worst = ratio > worst ? ratio : worst;
    }
    return worst;
}

static int compare_samples(const void *a, const void *b)
{
    const struct sample *x = a;
    const struct sample *y = b;
    if (x->symbol != y->symbol)
        return x->symbol < y->symbol ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static void fill_samples(const struct tk_forest *forest, const int64_t *durations, bool is_share,
                         struct sample *samples)
{
    for (uint32_t t = 0; t < forest->trace_count; t++) {
        uint32_t begin = tk_forest_begin(forest, t);
        for (uint32_t i = begin; i < forest->trace_ends[t]; i++) {
            double whole = is_share ? (double)durations[begin] + 1 : 1;
            samples[i] = (struct sample){forest->node_symbols[i], (double)durations[i] / whole};
        }
    }
    qsort(samples, forest->node_count, sizeof(*samples), compare_samples);
}

/* The greatest difference of two distributions of n values, mean over symbols by spans
 * (Kolmogorov and Smirnov). */
static double find_ks(const struct sample *a, const struct sample *b, uint32_t n)
{
    double sum = 0;
    for (uint32_t begin = 0, end = 0; begin < n; begin = end) {
        double most = 0;
        while (end < n && a[end].symbol == a[begin].symbol)
            end++;
        for (uint32_t i = begin, k = begin; i < end && k < end;) {
            double at = a[i].value < b[k].value ? a[i].value : b[k].value;
            while (i < end && a[i].value <= at)
                i++;
            while (k < end && b[k].value <= at)
                k++;
            double apart = (double)i - (double)k;
            most = apart > most ? apart : -apart > most ? -apart : most;
        }
        sum += most;
    }
    return sum / n;
}

/* How far the distributions of decoded durations are from the true ones. */
static int compare_distributions(const struct tk_forest *forest, const int64_t *decoded,
                                 struct figures *figures, struct tk_err *err)
{
    uint32_t n = forest->node_count;
    struct sample *samples = calloc(n, 2 * sizeof(*samples));
    if (!samples)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (int is_share = 0; is_share < 2; is_share++) {
        fill_samples(forest, forest->durations, is_share, samples);
        fill_samples(forest, decoded, is_share, samples + n);
        double ks = find_ks(samples, samples + n, n);
        *(is_share ? &figures->shares_ks : &figures->durations_ks) = ks;
    }
    free(samples);
    return 0;
}

/* Decode into a copy of the forest whose times are `times` and those behind them. */
static int decode(const struct tk_forest *forest, struct figures *figures, int64_t *times,
                  struct tk_err *err)
{
    struct tk_timing_report report;
    struct tk_block block = block_of(&figures->sections);
    struct tk_forest copy = *forest;
    copy.starts = times;
    copy.durations = times + forest->node_count;
    int64_t begin = tk_bench_cpu_ns();
    int rc = tk_timing_decode(&block, tk_draw_block(1, 0), false, &copy, &report, err);
    int64_t took = tk_bench_cpu_ns() - begin;
    figures->decode_ns = took < figures->decode_ns ? took : figures->decode_ns;
    figures->worst = find_worst(forest, copy.durations);
    return rc < 0 ? rc : compare_distributions(forest, copy.durations, figures, err);
}

static int run(const struct tk_forest *forest, const struct opts *opts, struct figures *figures,
               struct tk_err *err)
{
    const struct tk_codec_options codec = {
        .planes = (uint32_t)opts->planes,
        .mode = opts->lossless     ? TK_CODEC_LOSSLESS
                : opts->generative ? TK_CODEC_GENERATIVE
                                   : TK_CODEC_NEAR,
    };
    tk_section_set_release(&figures->sections);
    tk_section_set_init(&figures->sections);
    int64_t begin = tk_bench_cpu_ns();
    int rc = tk_timing_encode(forest, &codec, &figures->sections, err);
    int64_t took = tk_bench_cpu_ns() - begin;
    figures->encode_ns = took < figures->encode_ns ? took : figures->encode_ns;
    int64_t *times = calloc(forest->node_count, 2 * sizeof(*times));
    if (!times)
        return tk_fail(err, -ENOMEM, "out of memory");
    rc = rc < 0 ? rc : decode(forest, figures, times, err);
    free(times);
    return rc;
}

static void print(const struct tk_forest *forest, const struct tk_bench_set *set,
                  const struct figures *figures)
{
    double traces = forest->trace_count;
    double spans = forest->node_count;
    double sum = 0;
    printf("%s: %.0f traces, %.0f spans; encode %.0f, decode %.0f ns a span; worst duration off "
           "by %.3f; mean KS of durations %.4f, of shares of their roots %.4f\n",
           set->name, traces, spans, (double)figures->encode_ns / spans,
           (double)figures->decode_ns / spans, figures->worst, figures->durations_ks,
           figures->shares_ks);
    for (uint32_t type = 1; type < TK_SECTION_COUNT; type++) {
        double bytes = (double)figures->sections.bytes[type].n;
        sum += bytes;
        if (bytes > 0) {
            printf("  %-10s %9.3f   up to it %9.3f B/trace %7.3f B/span\n", section_names[type],
                   bytes / traces, sum / traces, sum / spans);
        }
    }
}

static int measure(const struct opts *opts, const struct tk_bench_set *set, struct tk_err *err)
{
    struct tk_bench_traces traces;
    struct tk_forest forest = {0};
    struct figures figures = {.encode_ns = INT64_MAX, .decode_ns = INT64_MAX};
    int rc = tk_bench_traces_init(&traces, opts->data, set, err);
    rc = rc < 0 ? rc : tk_forest_build(&forest, &traces.rows, err);
    for (int64_t i = 0; rc == 0 && i < opts->rounds; i++)
        rc = run(&forest, opts, &figures, err);
    if (rc == 0)
        print(&forest, set, &figures);
    tk_section_set_release(&figures.sections);
    tk_forest_release(&forest);
    tk_bench_traces_release(&traces);
    return rc;
}

int main(int argc, char **argv)
{
    struct opts opts = {.data = "../shared/data/traces", .rounds = 3, .planes = 4};
    struct tk_err err;
    int status;
    if (!tk_bench_parse("timing", options, &opts, argc, argv, &status))
        return status;
    for (size_t i = 0; i < TK_COUNTOF(tk_bench_sets); i++) {
        if (opts.set && strcmp(opts.set, tk_bench_sets[i].name) != 0)
            continue;
        if (measure(&opts, &tk_bench_sets[i], &err) < 0)
            return tk_bench_fail("timing", &err);
    }
    return 0;
}
