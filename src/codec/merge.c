/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of several files in one, by time. Each block holds all that decoding it needs, so merging
 * moves bytes. */
#include <errno.h>
#include <stdlib.h>

#include "codec/block_writer.h"

/* All blocks, and where they come from. */
struct blocks {
    struct tk_block *items; /* owned */
    size_t count, room;
};

static int gather(struct blocks *blocks, tk_str file, struct tk_err *err)
{
    struct tk_block_walk walk = {.file = file};
    for (;;) {
        if (blocks->count == blocks->room) {
            size_t room = blocks->room * 2 + 64;
            struct tk_block *grown = realloc(blocks->items, room * sizeof(*grown));
            if (!grown)
                return tk_fail(err, -ENOMEM, "merge: out of memory");
            blocks->items = grown;
            blocks->room = room;
        }
        int rc = tk_block_walk_next(&walk, &blocks->items[blocks->count], err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        blocks->count++;
    }
}

/* By what the blocks say alone, so that the order of the files does not matter. */
static int by_time(const void *a, const void *b)
{
    const struct tk_block_head *x = &((const struct tk_block *)a)->head;
    const struct tk_block_head *y = &((const struct tk_block *)b)->head;
    const int64_t keys[][2] = {
        {x->origin_ns, y->origin_ns},
        {x->end_ns, y->end_ns},
        {x->traces, y->traces},
        {x->nodes, y->nodes},
        {(int64_t)x->number, (int64_t)y->number},
        {(int64_t)x->seed, (int64_t)y->seed},
    };
    for (size_t i = 0; i < TK_COUNTOF(keys); i++) {
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    }
    return 0;
}

static int write_all(const struct blocks *blocks, struct tk_block_writer *writer,
                     struct tk_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < blocks->count && rc == 0; i++) {
        const struct tk_block *block = &blocks->items[i];
        struct tk_section sections[TK_BLOCK_MAX_SECTIONS];
        size_t count = 0;
        for (size_t k = 0; k < block->section_count; k++) {
            if (!block->sections[k].damaged)
                sections[count++] = block->sections[k];
        }
        rc = tk_block_writer_add(writer, &block->head, sections, count, err);
    }
    return rc;
}

int tk_codec_merge(const tk_str *files, size_t count, const struct tk_codec_output *output,
                   struct tk_codec_info *ret_info, struct tk_err *err)
{
    struct blocks blocks = {0};
    struct tk_block_writer writer;
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = gather(&blocks, files[i], err);
    tk_block_writer_init(&writer, output);
    if (rc == 0 && blocks.items) {
        qsort(blocks.items, blocks.count, sizeof(*blocks.items), by_time);
        rc = write_all(&blocks, &writer, err);
    }
    rc = rc < 0 ? rc : tk_block_writer_close(&writer, ret_info, err);
    tk_block_writer_release(&writer);
    free(blocks.items);
    return rc;
}
