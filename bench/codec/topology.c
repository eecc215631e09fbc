/* SPDX-License-Identifier: Apache-2.0 */
/* What trees and arrivals of traces cost: the forest of each data set, its topology sections in
 * bytes a trace, and CPU time a span, best of several rounds.
 *
 *     meson setup build-bench -Dbench=true -Dbuildtype=release && ninja -C build-bench
 *     build-bench/topology --data ../shared/data/traces
 */
#include <stdio.h>

#include "codec/shape_counts.h"
#include "codec/topology.h"
#include "traces_main.h"

/* Sections of the layer. */
static const uint32_t sections[] = {TK_SECTION_DICTIONARY, TK_SECTION_SYMBOLS, TK_SECTION_GRAMMAR,
                                    TK_SECTION_EVENTS, TK_SECTION_ARRIVALS};

struct figures {
    int64_t build_ns, encode_ns, decode_ns; /* the best of all rounds */
};

static void keep_least(int64_t *least_ns, int64_t begin_ns)
{
    int64_t took_ns = tk_bench_cpu_ns() - begin_ns;
    *least_ns = *least_ns == 0 || took_ns < *least_ns ? took_ns : *least_ns;
}

/* Build, encode and decode once. */
static int run(const struct tk_bench_traces *traces, struct tk_forest *forest,
               struct tk_section_set *set, struct figures *figures, struct tk_err *err)
{
    struct tk_forest back = {0};
    struct tk_block block = {0};
    int64_t begin_ns = tk_bench_cpu_ns();
    int rc = tk_forest_build(forest, &traces->rows, err);
    keep_least(&figures->build_ns, begin_ns);
    begin_ns = tk_bench_cpu_ns();
    rc = rc < 0 ? rc : tk_topology_encode(forest, &(struct tk_codec_options){0}, set, err);
    rc = rc < 0 ? rc : tk_block_dictionary_encode(forest, set, err);
    keep_least(&figures->encode_ns, begin_ns);
    block.section_count = tk_section_set_list(set, block.sections);
    block.head = (struct tk_block_head){.traces = forest->trace_count,
                                        .nodes = forest->node_count,
                                        .tick_ns = forest->tick_ns,
                                        .origin_ns = forest->origin_ns};
    begin_ns = tk_bench_cpu_ns();
    rc = rc < 0 ? rc : tk_topology_decode(&block, 1, &back, err);
    keep_least(&figures->decode_ns, begin_ns);
    if (rc == 0 && memcmp(back.node_symbols, forest->node_symbols,
                          forest->node_count * sizeof(*forest->node_symbols)) != 0)
        rc = tk_fail(err, -EBADMSG, "%s: does not come back", traces->name);
    tk_forest_release(&back);
    return rc;
}

static int print(const struct tk_bench_traces *traces, const struct tk_forest *forest,
                 const struct tk_section_set *set, const struct figures *figures,
                 struct tk_err *err)
{
    double sum = 0;
    double spans = forest->node_count;
    struct tk_shape_counts shapes;
    struct tk_shape_counts_info info;
    tk_shape_counts_init(&shapes);
    int rc = tk_shape_counts_add(&shapes, forest, err);
    tk_shape_counts_describe(&shapes, &info);
    tk_shape_counts_release(&shapes);
    if (rc < 0)
        return rc;
    printf("%-6s %6u traces %6u spans %4u symbols %4llu shapes (%llu once) %4llu subtrees "
           "%.2f bits a shape; clock %lld ns, %llu orphans, %llu cycles, %llu duplicates\n",
           traces->name, forest->trace_count, forest->node_count, forest->symbol_count,
           (unsigned long long)info.shapes, (unsigned long long)info.once,
           (unsigned long long)info.subtrees, info.entropy_bits, (long long)forest->tick_ns,
           (unsigned long long)forest->orphans, (unsigned long long)forest->cycles,
           (unsigned long long)forest->duplicates);
    for (size_t i = 0; i < TK_COUNTOF(sections); i++) {
        double each = (double)set->bytes[sections[i]].n / forest->trace_count;
        sum += each;
        printf("       %s %.3f", tk_section_name(sections[i]), each);
    }
    printf("       all %.3f bytes a trace\n", sum);
    printf("       build %.1f   encode %.1f   decode %.1f ns a span\n",
           (double)figures->build_ns / spans, (double)figures->encode_ns / spans,
           (double)figures->decode_ns / spans);
    return 0;
}

static int measure(const struct tk_bench_traces_opts *opts, const struct tk_bench_set *bench_set,
                   struct tk_err *err)
{
    struct tk_bench_traces traces;
    struct tk_forest forest = {0};
    struct tk_section_set set;
    struct figures figures = {0};
    tk_section_set_init(&set);
    int rc = tk_bench_traces_init(&traces, opts->data, bench_set, err);
    for (int64_t i = 0; rc == 0 && i < opts->rounds; i++) {
        tk_section_set_release(&set);
        tk_section_set_init(&set);
        rc = run(&traces, &forest, &set, &figures, err);
    }
    rc = rc < 0 ? rc : print(&traces, &forest, &set, &figures, err);
    tk_section_set_release(&set);
    tk_forest_release(&forest);
    tk_bench_traces_release(&traces);
    return rc;
}

int main(int argc, char **argv)
{
    return tk_bench_traces_main("topology", argc, argv, measure);
}
