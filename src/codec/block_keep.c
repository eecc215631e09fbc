/* SPDX-License-Identifier: Apache-2.0 */
/* The exact tier of a block: traces that are kept whole, as a block within it (keep.h). */
#include <errno.h>
#include <stdlib.h>

#include "codec/block.h"
#include "codec/forest.h"
#include "codec/keep.h"
#include "codec/keep_rules.h"

struct chosen {
    struct tk_kept *kept; /* owned */
    size_t count;
};

/* The rows of the chosen traces. */
static size_t gather_kept(const struct tk_forest *forest, const struct tk_kept *kept, size_t count,
                          uint32_t *ret_rows)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t end = forest->trace_ends[kept[i].trace];
        for (uint32_t node = tk_forest_begin(forest, kept[i].trace); node < end; node++)
            ret_rows[n++] = forest->rows[node];
    }
    return n;
}

/* A lossless block of some rows. */
static int put_block(const struct tk_codec_options *options, const struct tk_span_rows *rows,
                     struct tk_buf *out, struct tk_err *err)
{
    struct tk_codec_options lossless = {.mode = TK_CODEC_LOSSLESS,
                                        .seed = options->seed,
                                        .no_ids = options->no_ids,
                                        .keys = options->keys,
                                        .key_count = options->key_count};
    struct tk_block_head head = {0};
    struct tk_section_set set;
    struct tk_section sections[TK_SECTION_COUNT];
    tk_section_set_init(&set);
    int rc = tk_block_encode(&lossless, rows, &head, &set, err);
    head.is_kept = true;
    if (rc == 0)
        tk_block_put(out, &head, sections, tk_section_set_list(&set, sections));
    tk_section_set_release(&set);
    return rc < 0 ? rc : tk_buf_check(out, "exact traces", err);
}

/* The block of those that stay. */
static int put_block_of(const struct tk_codec_options *options, const struct tk_span_rows *rows,
                        const struct tk_forest *forest, const struct chosen *chosen,
                        struct tk_buf *out, struct tk_err *err)
{
    uint32_t *of_kept = calloc((size_t)forest->node_count + 1, sizeof(*of_kept));
    if (!of_kept)
        return tk_fail(err, -ENOMEM, "exact traces: out of memory");
    size_t n = gather_kept(forest, chosen->kept, chosen->count, of_kept);
    int rc = put_block(options, &(struct tk_span_rows){rows->batch, of_kept, n}, out, err);
    free(of_kept);
    return rc;
}

/* Which traces stay; `kept` is the caller's to free. */
static int choose(const struct tk_codec_options *options, const struct tk_span_rows *rows,
                  const struct tk_forest *forest, struct chosen *ret_chosen, struct tk_err *err)
{
    bool *wanted = calloc((size_t)forest->trace_count + 1, sizeof(*wanted));
    const struct tk_keep_options keep = {.per_mille = options->kept_per_mille,
                                         .seed = options->seed > 0 ? options->seed : 1,
                                         .wanted = wanted};
    if (!wanted)
        return tk_fail(err, -ENOMEM, "exact traces: out of memory");
    int rc =
        tk_keep_rules_match(options->rules, options->rule_count, forest, rows->batch, wanted, err);
    if (rc == 0)
        rc = tk_keep_choose(forest, &keep, &ret_chosen->kept, &ret_chosen->count, err);
    free(wanted);
    return rc;
}

int tk_block_put_kept(const struct tk_codec_options *options, const struct tk_span_rows *rows,
                      const struct tk_forest *forest, struct tk_buf *out, struct tk_err *err)
{
    struct chosen chosen = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf block;
    tk_buf_init(&block, out->max);
    int rc = choose(options, rows, forest, &chosen, err);
    if (rc == 0 && chosen.count > 0) {
        rc = put_block_of(options, rows, forest, &chosen, &block, err);
        if (rc == 0)
            tk_keep_put(chosen.kept, chosen.count, tk_buf_str(&block), out);
    }
    free(chosen.kept);
    return rc;
}

/* A first guess, which the tries that follow correct. */
#define TRACE_BYTES 60
#define SPAN_BYTES  25
#define TRIES       4
#define MARGIN      95 /* per cent of the limit that a try aims at */
#define ENOUGH      80 /* per cent that is not worth another try */

static uint32_t scale(uint32_t per_mille, uint64_t bytes, uint64_t limit)
{
    uint64_t scaled = (uint64_t)per_mille * limit * MARGIN / (100 * (bytes > 0 ? bytes : 1));
    return scaled < 1000 ? (uint32_t)scaled : 1000;
}

int tk_block_keep(const struct tk_codec_options *options, const struct tk_span_rows *rows,
                  uint64_t limit, struct tk_buf *out, uint32_t *ret_per_mille, struct tk_err *err)
{
    struct tk_forest forest = {0};
    struct tk_codec_options own = *options;
    size_t begin = out->n;
    int rc = tk_forest_build(&forest, rows, err);
    uint64_t all = (uint64_t)forest.trace_count * TRACE_BYTES + rows->n * SPAN_BYTES;
    own.kept_per_mille = scale(1000, all, limit);
    *ret_per_mille = 0;
    for (int i = 0; i < TRIES && rc == 0 && own.kept_per_mille > 0; i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf one;
        tk_buf_init(&one, out->max);
        rc = tk_block_put_kept(&own, rows, &forest, &one, err);
        if (rc == 0 && one.n <= limit && one.n > out->n - begin) {
            out->n = begin;
            tk_buf_put(out, tk_buf_str(&one));
            *ret_per_mille = own.kept_per_mille;
        }
        uint32_t next = scale(own.kept_per_mille, one.n, limit);
        if ((one.n <= limit && one.n * 100 >= limit * ENOUGH) || next == own.kept_per_mille)
            break;
        own.kept_per_mille = next;
    }
    tk_forest_release(&forest);
    return rc;
}
