/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/recode.h"

#include <errno.h>

#include "codec/block.h"

#define ROWS_MAX ((size_t)1 << 20)
#define ROWS_MIN ((size_t)1 << 16) /* room in a batch for few spans with many attributes */

bool tk_block_is_exact(const struct tk_block *block)
{
    return block->head.mode == TK_CODEC_LOSSLESS || tk_block_find(block, TK_SECTION_TIME_REST);
}

static int take_rows(void *context, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct tk_span_copy *copy = NULL;
    int rc = tk_span_copy_new(context, rows->batch, &copy, err);
    for (size_t i = 0; rc == 0 && i < rows->n; i++)
        rc = tk_span_copy_row(copy, tk_span_rows_at(rows, i));
    tk_span_copy_free(copy);
    return rc == -ENOBUFS ? tk_fail(err, rc, "no room for the spans of a block") : rc;
}

/* All spans of a block, in a batch with room for so many. */
static int decode(const struct tk_block *block, size_t room, struct tk_span_batch **ret_batch,
                  struct tk_err *err)
{
    const struct tk_codec_decoding decoding = {0};
    struct tk_codec_losses losses = {0};
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    int rc = tk_span_batch_new(room, &batch, err);
    if (rc < 0)
        return rc;
    const struct tk_span_sink sink = {take_rows, batch};
    rc = tk_block_decode(block, &decoding, &(struct tk_block_sink){.sink = &sink}, &losses, err);
    if (rc == 0 && tk_codec_losses_any(&losses))
        rc = tk_fail(err, -EBADMSG, "%s", losses.first);
    if (rc < 0)
        return rc;
    *ret_batch = batch;
    batch = NULL;
    return 0;
}

/* What an encoder met stays as it is told. */
static void keep_story(const struct tk_block_head *from, struct tk_block_head *to)
{
    to->number = from->number;
    to->spans_in = from->spans_in;
    to->duplicates = from->duplicates;
    to->unequal_duplicates = from->unequal_duplicates;
    to->orphans = from->orphans;
    to->cycles = from->cycles;
    to->late = from->late;
}

int tk_block_recode(const struct tk_block *block, const struct tk_codec_options *options,
                    struct tk_block_head *ret_head, struct tk_section_set *set, struct tk_err *err)
{
    struct tk_codec_options own = *options;
    own.attrs = (enum tk_codec_attrs)block->head.attrs;
    own.seed = block->head.seed;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    int rc =
        decode(block, block->head.nodes > ROWS_MIN ? block->head.nodes : ROWS_MIN, &batch, err);
    if (rc == -ENOBUFS)
        rc = decode(block, ROWS_MAX, &batch, err);
    if (rc < 0)
        return rc;
    rc =
        tk_block_encode(&own, &(struct tk_span_rows){batch, NULL, batch->rows}, ret_head, set, err);
    if (rc == 0)
        keep_story(&block->head, ret_head);
    return rc;
}
