/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a file, by the heads of its blocks. */
#include <errno.h>

#include "base/clock.h"
#include "codec/codec.h"
#include "codec/keep.h"
#include "span/wire.h"

/* Of planes + 1, in per cent: (1.1^(8 / 2^planes) - 1) / 2. */
static const double qualities[] = {57.2, 23.2, 10.5, 5.0, 2.44, 1.205, 0.599, 0.298};

/* People write 2.4 where it is 2.44. */
#define TOLERANCE 1.02

double tk_codec_quality(uint32_t planes)
{
    size_t last = TK_COUNTOF(qualities) - 1;
    return qualities[planes == 0 ? 0 : planes - 1 < last ? planes - 1 : last];
}

uint32_t tk_codec_planes(double quality_percent)
{
    uint32_t planes = 1;
    while (planes < TK_COUNTOF(qualities) && qualities[planes - 1] > quality_percent * TOLERANCE)
        planes++;
    return planes;
}

static void add_times(struct tk_codec_info *info, const struct tk_block_head *head)
{
    if (info->blocks == 0 || head->origin_ns < info->first_ns)
        info->first_ns = head->origin_ns;
    if (info->blocks == 0 || head->end_ns > info->last_ns)
        info->last_ns = head->end_ns;
}

static void add_planes(struct tk_codec_info *info, const struct tk_block_head *head)
{
    info->lossless += head->mode == TK_CODEC_LOSSLESS;
    info->generative += head->mode == TK_CODEC_GENERATIVE;
    if (head->mode == TK_CODEC_GENERATIVE)
        return;
    if (info->least_planes == 0 || head->planes < info->least_planes)
        info->least_planes = head->planes;
    if (head->planes > info->most_planes)
        info->most_planes = head->planes;
}

/* How the encoder was set. */
static void add_settings(struct tk_codec_info *info, const struct tk_block_head *head)
{
    bool is_generative = head->mode == TK_CODEC_GENERATIVE;
    info->without_attrs += head->attrs == TK_CODEC_ATTRS_NONE;
    info->with_gent_attrs += head->attrs == TK_CODEC_ATTRS_GENT;
    info->without_ids += head->no_ids;
    if (info->blocks == 0)
        info->seed = head->seed;
    if (info->tick_ns == 0 || head->tick_ns < info->tick_ns)
        info->tick_ns = head->tick_ns;
    if (is_generative && (info->min_count == 0 || head->min_count < info->min_count))
        info->min_count = head->min_count;
    if (head->kept_per_mille > info->kept_per_mille)
        info->kept_per_mille = head->kept_per_mille;
}

/* The unit of starts, which stands first in their section. */
static void add_starts(struct tk_codec_info *info, const struct tk_block *block)
{
    const struct tk_section *section = tk_block_find(block, TK_SECTION_ARRIVALS);
    struct tk_wire_fault fault = {0};
    uint64_t unit;
    if (!section)
        return;
    struct tk_wire in = {section->bytes.p, section->bytes.p + section->bytes.n, &fault};
    if (tk_wire_varint(&in, &unit) == 0)
        info->coarse_starts += unit >= (uint64_t)(TK_NS_PER_S / block->head.tick_ns);
}

static void add_kept(struct tk_codec_info *info, const struct tk_block *block)
{
    const struct tk_section *section = tk_block_find(block, TK_SECTION_EXACT);
    uint64_t count;
    if (section && tk_keep_count(section->bytes, &count))
        info->kept_traces += count;
}

void tk_codec_info_add(struct tk_codec_info *info, const struct tk_block *block)
{
    const struct tk_block_head *head = &block->head;
    uint64_t in_sections = 0;
    add_times(info, head);
    add_planes(info, head);
    add_settings(info, head);
    add_starts(info, block);
    add_kept(info, block);
    info->blocks++;
    info->traces += head->traces;
    info->spans += head->nodes;
    info->spans_in += head->spans_in;
    info->duplicates += head->duplicates;
    info->unequal_duplicates += head->unequal_duplicates;
    info->orphans += head->orphans;
    info->cycles += head->cycles;
    info->late += head->late;
    for (size_t i = 0; i < block->section_count; i++) {
        const struct tk_section *section = &block->sections[i];
        bool known = section->type < TK_SECTION_COUNT;
        *(known ? &info->section_bytes[section->type] : &info->unknown_bytes) += section->bytes.n;
        info->damaged_sections += section->damaged;
        in_sections += section->bytes.n;
    }
    info->head_bytes += block->size > in_sections ? block->size - in_sections : 0;
    info->bytes += block->size;
}

int tk_codec_info_read(tk_str file, struct tk_codec_info *ret_info, struct tk_err *err)
{
    struct tk_block_walk walk = {.file = file};
    struct tk_block block;
    int rc;
    *ret_info = (struct tk_codec_info){.first_ns = 1};
    while ((rc = tk_block_walk_next(&walk, &block, err)) == 0)
        tk_codec_info_add(ret_info, &block);
    if (rc < 0)
        return rc;
    if (ret_info->blocks == 0 && !walk.at_index)
        return tk_fail(err, -EBADMSG, "holds no block of traces that is whole");
    ret_info->damaged_bytes = walk.damaged_bytes;
    ret_info->closed = walk.at_index;
    ret_info->head_bytes += file.n - ret_info->bytes - walk.damaged_bytes;
    ret_info->bytes = file.n;
    return 0;
}
