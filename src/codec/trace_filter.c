/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/trace_filter.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/coder.h"
#include "codec/draw.h"

#define HASH_BITS 26

uint32_t tk_trace_filter_hash(const uint8_t id[16])
{
    uint64_t halves[2];
    memcpy(halves, id, sizeof(halves));
    uint64_t mixed = tk_draw_round(tk_draw_round(le64toh(halves[0])) ^ le64toh(halves[1]));
    return (uint32_t)(mixed >> (64 - HASH_BITS));
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

int tk_trace_filter_encode(const struct tk_forest *forest, const struct tk_span_batch *batch,
                           struct tk_buf *out, struct tk_err *err)
{
    struct tk_coder coder;
    struct tk_exp_models gaps;
    uint32_t count = forest->trace_count;
    uint32_t *hashes = calloc((size_t)count + 1, sizeof(*hashes));
    if (!hashes)
        return tk_fail(err, -ENOMEM, "filter of traces: out of memory");
    for (uint32_t trace = 0; trace < count; trace++) {
        uint32_t row = forest->rows[tk_forest_begin(forest, trace)];
        hashes[trace] = tk_trace_filter_hash(batch->trace_ids[row]);
    }
    qsort(hashes, count, sizeof(*hashes), by_value);
    tk_exp_models_init(&gaps);
    tk_coder_begin_encode(&coder, out);
    for (uint32_t i = 0; i < count; i++)
        (void)tk_code_exp(&coder, &gaps, hashes[i] - (i > 0 ? hashes[i - 1] : 0));
    tk_coder_end(&coder);
    free(hashes);
    return tk_buf_check(out, "filter of traces", err);
}

static bool read_section(tk_str section, uint32_t traces, uint32_t *ret_hashes)
{
    struct tk_coder coder;
    struct tk_exp_models gaps;
    uint64_t hash = 0;
    tk_exp_models_init(&gaps);
    tk_coder_begin_decode(&coder, section);
    for (uint32_t i = 0; i < traces; i++) {
        uint64_t gap = tk_code_exp(&coder, &gaps, 0);
        if (gap >= UINT64_C(1) << HASH_BITS || hash + gap >= UINT64_C(1) << HASH_BITS ||
            tk_coder_is_over(&coder))
            return false;
        hash += gap;
        ret_hashes[i] = (uint32_t)hash;
    }
    return true;
}

/* Ids of a block that has none follow from its head. */
static void draw_hashes(const struct tk_block *block, uint32_t *ret_hashes)
{
    uint64_t key = tk_block_draw_key(&block->head, 0);
    for (uint32_t trace = 0; trace < block->head.traces; trace++) {
        uint8_t id[16];
        tk_draw_trace_id(key, trace, id);
        ret_hashes[trace] = tk_trace_filter_hash(id);
    }
    qsort(ret_hashes, block->head.traces, sizeof(*ret_hashes), by_value);
}

/* The section, also where its checksum is wrong. */
static bool lists(const struct tk_block *block, uint32_t type)
{
    for (size_t i = 0; i < block->section_count; i++) {
        if (block->sections[i].type == type)
            return true;
    }
    return false;
}

bool tk_trace_filter_read(const struct tk_block *block, uint32_t *ret_hashes)
{
    const struct tk_section *filter = tk_block_find(block, TK_SECTION_TRACE_FILTER);
    if (lists(block, TK_SECTION_IDS)) {
        return tk_block_find(block, TK_SECTION_IDS) && filter &&
               read_section(filter->bytes, block->head.traces, ret_hashes);
    }
    if (lists(block, TK_SECTION_EXACT))
        return false;
    draw_hashes(block, ret_hashes);
    return true;
}
