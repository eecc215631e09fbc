/* SPDX-License-Identifier: Apache-2.0 */
/* What ids and details cost when every field is kept: bytes of each section and a span, CPU time a
 * span to encode and to decode, best of several rounds.
 *
 *     meson setup build-bench -Dbench=true -Dbuildtype=release && ninja -C build-bench
 *     build-bench/exact --data ../shared/data/traces
 */
#include <stdio.h>

#include "codec/exact.h"
#include "traces_main.h"

static int decode(const struct tk_forest *forest, const struct tk_section_set *set,
                  struct tk_span_batch *batch, struct tk_err *err)
{
    struct tk_exact_decoder *decoder = NULL;
    struct tk_block block;
    block = (struct tk_block){0};
    block.section_count = tk_section_set_list(set, block.sections);
    int rc = tk_exact_decoder_new(&block, forest, &decoder, err);
    for (uint32_t trace = 0, node = 0; rc == 0 && trace < forest->trace_count; trace++) {
        for (; rc == 0 && node < forest->trace_ends[trace]; node++) {
            rc = tk_span_batch_begin(batch);
            rc = rc < 0 ? rc : tk_exact_decode_node(decoder, trace, node, batch, err);
        }
    }
    tk_exact_decoder_free(decoder);
    return rc;
}

struct figures {
    int64_t encode_ns, decode_ns;
};

static int round_trip(const struct tk_forest *forest, const struct tk_span_batch *from,
                      struct tk_section_set *set, struct figures *best, struct tk_err *err)
{
    const struct tk_codec_options options_of_codec = {.mode = TK_CODEC_LOSSLESS};
    struct tk_span_batch *batch = NULL;
    for (size_t i = 0; i < TK_COUNTOF(set->bytes); i++)
        tk_buf_reset(&set->bytes[i]);
    int64_t begin = tk_bench_cpu_ns();
    int rc = tk_exact_encode(forest, from, &options_of_codec, set, err);
    int64_t encode_ns = tk_bench_cpu_ns() - begin;
    rc = rc < 0 ? rc : tk_span_batch_new(1 << 20, &batch, err);
    begin = tk_bench_cpu_ns();
    rc = rc < 0 ? rc : decode(forest, set, batch, err);
    int64_t decode_ns = tk_bench_cpu_ns() - begin;
    best->encode_ns = encode_ns < best->encode_ns ? encode_ns : best->encode_ns;
    best->decode_ns = decode_ns < best->decode_ns ? decode_ns : best->decode_ns;
    tk_span_batch_free(batch);
    return rc;
}

static int measure(const struct tk_bench_traces_opts *opts, const struct tk_bench_set *input,
                   struct tk_err *err)
{
    struct tk_bench_traces traces;
    struct tk_forest forest = {0};
    struct tk_section_set set = {0};
    struct figures best = {INT64_MAX, INT64_MAX};
    tk_section_set_init(&set);
    int rc = tk_bench_traces_init(&traces, opts->data, input, err);
    rc = rc < 0 ? rc : tk_forest_build(&forest, &traces.rows, err);
    for (int64_t i = 0; rc == 0 && i < opts->rounds; i++)
        rc = round_trip(&forest, traces.rows.batch, &set, &best, err);
    if (rc == 0) {
        double n = forest.node_count;
        size_t texts = set.bytes[TK_SECTION_EXACT_TEXTS].n;
        size_t ids = set.bytes[TK_SECTION_IDS].n;
        size_t details = set.bytes[TK_SECTION_DETAILS].n;
        printf("%-6s %7u spans  ids %8zu (%.3f B/span)  details %7zu (%.3f)  texts %6zu (%.3f)  "
               "encode %.0f ns/span  decode %.0f\n",
               input->name, forest.node_count, ids, (double)ids / n, details, (double)details / n,
               texts, (double)texts / n, (double)best.encode_ns / n, (double)best.decode_ns / n);
    }
    tk_section_set_release(&set);
    tk_forest_release(&forest);
    tk_bench_traces_release(&traces);
    return rc;
}

int main(int argc, char **argv)
{
    return tk_bench_traces_main("exact", argc, argv, measure);
}
