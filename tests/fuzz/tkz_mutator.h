/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a `.tkz` file that checksums do not give away: a section or the numbers of a head are
 * changed, and the blocks are written again around them. One in eight is of any bytes. */
#ifndef TK_FUZZ_TKZ_MUTATOR_H
#define TK_FUZZ_TKZ_MUTATOR_H

#include <stddef.h>
#include <string.h>

#include "codec/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

#define FUZZ_TKZ_MAX 8192 /* of a section that is changed */

/* Of the head, from `traces` up to what is no number. */
static void fuzz_tkz_head(struct tk_block_head *head)
{
    size_t begin = offsetof(struct tk_block_head, traces);
    size_t n = offsetof(struct tk_block_head, no_ids) - begin;
    (void)LLVMFuzzerMutate((uint8_t *)head + begin, n, n);
}

static void fuzz_tkz_blocks(tk_str file, bool is_kept, unsigned seed, struct tk_buf *out);

/* A section; of an exact tier mostly the block in it, behind what stands before its magic. */
static void fuzz_tkz_section(struct tk_section *section, unsigned seed, struct tk_buf *bytes)
{
    static uint8_t copy[FUZZ_TKZ_MAX];
    tk_str old = section->bytes;
    const char *kept = memmem(old.p, old.n, "tkzK", 4);
    tk_buf_init(bytes, FUZZ_TKZ_MAX);
    if (section->type == TK_SECTION_EXACT && kept && seed % 8 > 0) {
        size_t before = (size_t)(kept - old.p);
        tk_buf_put(bytes, (tk_str){old.p, before});
        fuzz_tkz_blocks((tk_str){kept, old.n - before}, true, seed / 8, bytes);
    } else {
        size_t n = old.n < sizeof(copy) ? old.n : sizeof(copy);
        memcpy(copy, old.p, n);
        n = LLVMFuzzerMutate(copy, n, sizeof(copy));
        tk_buf_put(bytes, (tk_str){(const char *)copy, n});
    }
    section->bytes = tk_buf_str(bytes);
}

/* The blocks of a file, one part of each changed. */
static void fuzz_tkz_blocks(tk_str file, bool is_kept, unsigned seed, struct tk_buf *out)
{
    struct tk_block_walk walk = {.file = file, .is_kept = is_kept};
    struct tk_block block;
    struct tk_err err;
    while (tk_block_walk_next(&walk, &block, &err) == 0) {
        struct tk_buf bytes = {0};
        size_t part = seed % (block.section_count + 1);
        if (part == block.section_count) {
            fuzz_tkz_head(&block.head);
        } else {
            fuzz_tkz_section(&block.sections[part], seed / 64, &bytes);
        }
        tk_block_put(out, &block.head, block.sections, block.section_count);
        tk_buf_release(&bytes);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, max);
    if (seed % 8 > 0)
        fuzz_tkz_blocks((tk_str){(const char *)data, size}, false, seed / 8, &out);
    if (!tk_buf_ok(&out) || out.n == 0)
        return LLVMFuzzerMutate(data, size, max);
    memcpy(data, out.p, out.n);
    return out.n;
}

#endif
