/* SPDX-License-Identifier: Apache-2.0 */
/* A file into spans: blocks by several threads, handed on in their order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/block.h"
#include "codec/block_lanes.h"

/* Blocks that are found at once. */
#define ROUND 64

struct decoding {
    const struct tk_codec_decoding *options;
    const struct tk_span_sink *sink;
    struct tk_codec_losses *losses; /* of all blocks, by whose turn it is */
    struct tk_block blocks[ROUND];
    size_t count;
};

bool tk_codec_losses_any(const struct tk_codec_losses *losses)
{
    bool any = losses->damaged_bytes > 0 || losses->lost_blocks > 0;
    for (size_t i = 0; i < TK_COUNTOF(losses->damaged_sections); i++)
        any = any || losses->damaged_sections[i] > 0;
    return any;
}

static void add_losses(struct tk_codec_losses *sum, const struct tk_codec_losses *losses)
{
    sum->lost_blocks += losses->lost_blocks;
    sum->lost_traces += losses->lost_traces;
    for (size_t i = 0; i < TK_COUNTOF(sum->damaged_sections); i++)
        sum->damaged_sections[i] += losses->damaged_sections[i];
    if (losses->lost_blocks == 0 && losses->planes < sum->planes)
        sum->planes = losses->planes;
    if (sum->first[0] == '\0')
        (void)snprintf(sum->first, sizeof(sum->first), "%s", losses->first);
}

/* Whose turn a block waits for. */
struct turn {
    struct tk_block_lanes *lanes;
    size_t index;
};

static int wait_turn(void *user)
{
    const struct turn *turn = user;
    return tk_block_lanes_wait(turn->lanes, turn->index);
}

static int decode_one(struct tk_block_lanes *lanes, void *user, void *own, size_t index,
                      struct tk_err *err)
{
    struct decoding *decoding = user;
    struct turn turn = {lanes, index};
    const struct tk_block_sink sink = {wait_turn, &turn, decoding->sink};
    struct tk_codec_losses losses = {0};
    (void)own;
    int rc = tk_block_decode(&decoding->blocks[index], decoding->options, &sink, &losses, err);
    if (rc == -EBADMSG)
        rc = 0; /* told by the losses */
    rc = rc < 0 ? rc : tk_block_lanes_wait(lanes, index);
    if (rc == 0)
        add_losses(decoding->losses, &losses);
    return rc;
}

static int decode_round(struct decoding *decoding, struct tk_err *err)
{
    const struct tk_block_job job = {.count = decoding->count,
                                     .threads = decoding->options->threads,
                                     .user = decoding,
                                     .work = decode_one};
    decoding->count = 0;
    return tk_block_lanes_run(&job, err);
}

int tk_codec_decode(const struct tk_codec_decoding *options, tk_str file,
                    const struct tk_span_sink *sink, struct tk_codec_losses *ret_losses,
                    struct tk_err *err)
{
    struct tk_block_walk walk = {.file = file};
    struct decoding *decoding = calloc(1, sizeof(*decoding));
    if (!decoding)
        return tk_fail(err, -ENOMEM, "traces: out of memory");
    decoding->options = options;
    decoding->sink = sink;
    decoding->losses = ret_losses;
    *ret_losses = (struct tk_codec_losses){.planes = UINT32_MAX};
    int rc = 0;
    while (rc == 0) {
        rc = tk_block_walk_next(&walk, &decoding->blocks[decoding->count], err);
        decoding->count += rc == 0;
        if (rc == 0 && decoding->count == ROUND)
            rc = decode_round(decoding, err);
    }
    if (rc == 1)
        rc = decode_round(decoding, err);
    ret_losses->damaged_bytes = walk.damaged_bytes;
    ret_losses->cut = !walk.at_index;
    free(decoding);
    return rc;
}
