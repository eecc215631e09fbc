/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "codec/attrs.h"
#include "codec/block.h"
#include "codec/dictionary.h"
#include "codec/exact.h"
#include "codec/forest.h"
#include "codec/time_windows.h"
#include "codec/timing.h"
#include "codec/topology.h"
#include "codec/trace_filter.h"

/* The latest end of a span. */
static int64_t find_end(const struct tk_span_rows *rows)
{
    int64_t last = INT64_MIN;
    for (size_t i = 0; i < rows->n; i++) {
        size_t row = tk_span_rows_at(rows, i);
        int64_t end;
        if (__builtin_add_overflow(rows->batch->start_ns[row], rows->batch->duration_ns[row], &end))
            end = INT64_MAX;
        last = end > last ? end : last;
    }
    return last;
}

static void describe(const struct tk_codec_options *options, const struct tk_forest *forest,
                     const struct tk_span_rows *rows, struct tk_block_head *ret_head)
{
    uint32_t planes = options->planes > 0 ? options->planes : TK_CODEC_PLANES;
    bool is_generative = options->mode == TK_CODEC_GENERATIVE;
    *ret_head = (struct tk_block_head){
        .traces = forest->trace_count,
        .nodes = forest->node_count,
        .seed = options->seed > 0 ? options->seed : 1,
        .origin_ns = forest->origin_ns,
        .tick_ns = forest->tick_ns,
        .end_ns = find_end(rows),
        .mode = options->mode,
        .attrs = options->attrs,
        .planes = is_generative                        ? 0
                  : options->mode == TK_CODEC_LOSSLESS ? 8
                                                       : planes,
        .min_count = tk_codec_min_count(options),
        .kept_per_mille = options->mode == TK_CODEC_NEAR ? options->kept_per_mille : 0,
        .no_ids = options->mode == TK_CODEC_LOSSLESS && options->no_ids,
        .spans_in = rows->n,
        .duplicates = forest->duplicates,
        .unequal_duplicates = forest->unequal_duplicates,
        .orphans = forest->orphans,
        .cycles = forest->cycles,
    };
}

/* Layers that add texts come first, the dictionary last. */
static int encode_layers(const struct tk_codec_options *options, const struct tk_span_rows *rows,
                         struct tk_forest *forest, struct tk_section_set *set, struct tk_err *err)
{
    int rc = tk_topology_encode(forest, options, set, err);
    rc = rc < 0 ? rc : tk_attrs_encode(forest, rows->batch, options, set, NULL, err);
    rc = rc < 0 ? rc : tk_timing_encode(forest, options, set, err);
    if (rc == 0 && options->mode != TK_CODEC_LOSSLESS)
        rc = tk_time_windows_encode(forest, set, err);
    rc = rc < 0 ? rc : tk_exact_encode(forest, rows->batch, options, set, err);
    if (rc == 0 && options->filter && options->mode == TK_CODEC_LOSSLESS && !options->no_ids) {
        rc = tk_trace_filter_encode(forest, rows->batch, &set->bytes[TK_SECTION_TRACE_FILTER], err);
    }
    return rc < 0 ? rc : tk_block_dictionary_encode(forest, set, err);
}

int tk_block_encode(const struct tk_codec_options *options, const struct tk_span_rows *rows,
                    struct tk_block_head *ret_head, struct tk_section_set *set, struct tk_err *err)
{
    struct tk_forest forest = {0};
    bool has_kept =
        options->mode == TK_CODEC_NEAR && (options->kept_per_mille > 0 || options->rule_count > 0);
    int rc = tk_forest_build_common(&forest, rows, tk_codec_min_count(options), err);
    rc = rc < 0 ? rc : encode_layers(options, rows, &forest, set, err);
    if (rc == 0 && has_kept)
        rc = tk_block_put_kept(options, rows, &forest, &set->bytes[TK_SECTION_EXACT], err);
    for (uint32_t type = 1; type < TK_SECTION_COUNT && rc == 0; type++)
        rc = tk_buf_check(&set->bytes[type], tk_section_name(type), err);
    if (rc == 0)
        describe(options, &forest, rows, ret_head);
    tk_forest_release(&forest);
    return rc;
}
