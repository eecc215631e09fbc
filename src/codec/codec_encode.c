/* SPDX-License-Identifier: Apache-2.0 */
/* Spans into a file: assembled into blocks, coded by several threads a block each, fitted to the
 * budget and written in their order. */
#include <errno.h>

#include "codec/assemble.h"
#include "codec/block.h"
#include "codec/block_budget.h"
#include "codec/block_lanes.h"
#include "codec/block_writer.h"

#define ALL_PLANES    8
#define WORTH_KEEPING 512 /* bytes that the exact tier is worth the trouble for */

struct encoding {
    struct tk_codec_options options; /* with a budget: as fine as the block may become */
    bool has_budget;
    struct tk_assembly *assembly;
    struct tk_block_writer writer;
    struct tk_block_budget budget;
    uint64_t number; /* of the first block of the round */
};

/* A block between coding and writing. */
struct coded {
    struct tk_block_head head;
    struct tk_section_set set;
    struct tk_section sections[TK_SECTION_COUNT];
    size_t count;
    uint64_t bytes; /* as a block of these sections */
};

static void reset_set(struct tk_section_set *set)
{
    for (size_t i = 0; i < TK_SECTION_COUNT; i++)
        tk_buf_reset(&set->bytes[i]);
}

/* Budgets -------------------------------------------------------------------------------------- */

/* Where the budget is below what the block takes with its coarsest times, these become
 * distributions: they answer nearly as much, and most bytes are theirs. Then attributes are Gen-T's
 * alone, then distributions are those that ever more spans share (at last there are none), then the
 * same without attributes, and at last starts are counts of some seconds. */
static const uint32_t table_concessions[] = {0,   60,  100,  160,   240,
                                             400, 800, 3200, 12800, UINT32_MAX};

#define TABLE_STEPS TK_COUNTOF(table_concessions)
#define CONCESSIONS (2 + 2 * TABLE_STEPS)

static void concede(size_t n, struct tk_codec_options *options)
{
    bool is_last = n + 1 == CONCESSIONS;
    options->mode = TK_CODEC_GENERATIVE;
    options->arrivals = is_last ? TK_CODEC_ARRIVALS_WINDOWS : options->arrivals;
    options->attrs = n == 0             ? TK_CODEC_ATTRS_ALL
                     : n <= TABLE_STEPS ? TK_CODEC_ATTRS_GENT
                                        : TK_CODEC_ATTRS_NONE;
    options->table_least = n == 0    ? 0
                           : is_last ? UINT32_MAX
                                     : table_concessions[(n - 1) % TABLE_STEPS];
}

/* Whether what fits the limit still has times. */
static bool fit(struct coded *coded, uint64_t limit)
{
    struct tk_block_head head = coded->head;
    coded->count = tk_section_set_list(&coded->set, coded->sections);
    bool fits =
        tk_block_budget_fit(limit, &coded->head, coded->sections, &coded->count, &coded->bytes);
    return fits && (head.planes == 0 || coded->head.planes > 0);
}

/* Whether all of the block fits the limit. */
static bool fit_whole(struct coded *coded, uint64_t limit)
{
    struct tk_section all[TK_SECTION_COUNT];
    return fit(coded, limit) && coded->count == tk_section_set_list(&coded->set, all);
}

static int fit_budget(struct encoding *encoding, const struct tk_span_rows *rows,
                      struct coded *coded, uint64_t limit, struct tk_err *err)
{
    struct tk_codec_options options = encoding->options;
    struct tk_block_head first = coded->head;
    bool fits = fit(coded, limit);
    for (size_t i = 0; i < CONCESSIONS && !fits; i++) {
        concede(i, &options);
        if (options.attrs < encoding->options.attrs)
            continue;
        reset_set(&coded->set);
        int rc = tk_block_encode(&options, rows, &coded->head, &coded->set, err);
        if (rc < 0)
            return rc;
        coded->head.number = first.number;
        coded->head.late = first.late;
        fits = fit_whole(coded, limit);
    }
    if (coded->bytes > limit) {
        return tk_fail(err, -EMSGSIZE,
                       "block %llu: trees and starts of %u traces take %llu bytes, and the budget "
                       "leaves %llu",
                       (unsigned long long)first.number, first.traces,
                       (unsigned long long)coded->bytes, (unsigned long long)limit);
    }
    return 0;
}

/* What is left goes to traces that are kept whole, unless the options say how many. */
static int spend_rest(const struct encoding *encoding, const struct tk_span_rows *rows,
                      struct coded *coded, uint64_t limit, struct tk_err *err)
{
    const uint64_t of_section = 16; /* in the head */
    struct tk_buf *kept = &coded->set.bytes[TK_SECTION_EXACT];
    bool has_kept = kept->n > 0 && encoding->options.kept_per_mille > 0;
    if (coded->head.mode != TK_CODEC_NEAR || has_kept ||
        coded->bytes + of_section + WORTH_KEEPING > limit)
        return 0;
    uint32_t per_mille = 0;
    tk_buf_reset(kept);
    int rc = tk_block_keep(&encoding->options, rows, limit - coded->bytes - of_section, kept,
                           &per_mille, err);
    if (rc < 0 || kept->n == 0)
        return rc;
    coded->head.kept_per_mille = per_mille;
    coded->sections[coded->count++] =
        (struct tk_section){.type = TK_SECTION_EXACT, .bytes = tk_buf_str(kept), .size = kept->n};
    coded->bytes = tk_block_bytes(&coded->head, coded->sections, coded->count);
    return 0;
}

static int spend_budget(struct encoding *encoding, const struct tk_span_rows *rows,
                        struct coded *coded, struct tk_err *err)
{
    uint64_t limit = tk_block_budget_open(&encoding->budget, &coded->head);
    int rc = fit_budget(encoding, rows, coded, limit, err);
    rc = rc < 0 ? rc : spend_rest(encoding, rows, coded, limit, err);
    tk_block_budget_pay(&encoding->budget, coded->bytes);
    return rc;
}

/* Blocks --------------------------------------------------------------------------------------- */

static int encode_one(struct tk_block_lanes *lanes, void *user, void *own, size_t index,
                      struct tk_err *err)
{
    struct encoding *encoding = user;
    struct tk_assembly_block block;
    struct coded coded = {0};
    (void)own;
    tk_assembly_block(encoding->assembly, index, &block);
    tk_section_set_init(&coded.set);
    int rc = tk_block_encode(&encoding->options, &block.rows, &coded.head, &coded.set, err);
    if (rc == 0)
        rc = tk_block_lanes_wait(lanes, index);
    coded.head.number = encoding->number + index;
    coded.head.late = block.late;
    coded.count = tk_section_set_list(&coded.set, coded.sections);
    if (rc == 0 && encoding->has_budget)
        rc = spend_budget(encoding, &block.rows, &coded, err);
    if (rc == 0) {
        rc = tk_block_writer_add(&encoding->writer, &coded.head, coded.sections, coded.count, err);
    }
    tk_section_set_release(&coded.set);
    return rc;
}

static int encode_rounds(struct encoding *encoding, const struct tk_span_source *source,
                         struct tk_err *err)
{
    int rc;
    while ((rc = tk_assembly_fill(encoding->assembly, source, err)) == 0) {
        const struct tk_block_job job = {.count = tk_assembly_count(encoding->assembly),
                                         .threads = encoding->options.threads,
                                         .user = encoding,
                                         .work = encode_one};
        rc = tk_block_lanes_run(&job, err);
        rc = rc < 0 ? rc : tk_assembly_drop(encoding->assembly, err);
        if (rc < 0)
            return rc;
        encoding->number += job.count;
    }
    return rc < 0 ? rc : 0;
}

int tk_codec_encode(const struct tk_codec_options *options, const struct tk_span_source *source,
                    const struct tk_codec_output *output, struct tk_codec_info *ret_info,
                    struct tk_err *err)
{
    const struct tk_assembly_options assembling = {.max_spans = options->max_spans,
                                                   .block_traces = options->block_traces,
                                                   .block_ns = options->block_ns};
    struct encoding encoding = {.options = *options};
    encoding.has_budget = options->trace_budget_bytes > 0 || options->span_budget_bytes > 0;
    if (encoding.has_budget && options->planes == 0)
        encoding.options.planes = ALL_PLANES;
    tk_block_budget_init(&encoding.budget, options->trace_budget_bytes, options->span_budget_bytes);
    tk_block_writer_init(&encoding.writer, output);
    int rc = tk_assembly_new(&assembling, &encoding.assembly, err);
    rc = rc < 0 ? rc : encode_rounds(&encoding, source, err);
    rc = rc < 0 ? rc : tk_block_writer_close(&encoding.writer, ret_info, err);
    tk_assembly_free(encoding.assembly);
    tk_block_writer_release(&encoding.writer);
    return rc;
}
