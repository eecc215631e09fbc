/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/block_writer.h"

#include <errno.h>
#include <stdlib.h>

#define HEAD_MAX ((size_t)1 << 30) /* of a head, and of the index */

void tk_block_writer_init(struct tk_block_writer *writer, const struct tk_codec_output *output)
{
    *writer = (struct tk_block_writer){.output = output, .info = {.first_ns = 1, .closed = true}};
    tk_buf_init(&writer->buf, HEAD_MAX);
}

void tk_block_writer_release(struct tk_block_writer *writer)
{
    free(writer->entries);
    tk_buf_release(&writer->buf);
    *writer = (struct tk_block_writer){0};
}

static int add_entry(struct tk_block_writer *writer, const struct tk_block *block,
                     struct tk_err *err)
{
    if (writer->count == writer->room) {
        size_t room = writer->room * 2 + 64;
        struct tk_block_entry *grown = realloc(writer->entries, room * sizeof(*grown));
        if (!grown)
            return tk_fail(err, -ENOMEM, "index of blocks: out of memory");
        writer->entries = grown;
        writer->room = room;
    }
    writer->entries[writer->count++] = (struct tk_block_entry){.offset = writer->info.bytes,
                                                               .size = block->size,
                                                               .origin_ns = block->head.origin_ns,
                                                               .end_ns = block->head.end_ns,
                                                               .traces = block->head.traces,
                                                               .nodes = block->head.nodes};
    return 0;
}

static int write_bytes(const struct tk_block_writer *writer, tk_str bytes, struct tk_err *err)
{
    return writer->output->write(writer->output->context, bytes, err);
}

int tk_block_writer_add(struct tk_block_writer *writer, const struct tk_block_head *head,
                        const struct tk_section *sections, size_t count, struct tk_err *err)
{
    struct tk_block block = {.head = *head, .section_count = count};
    tk_buf_reset(&writer->buf);
    tk_block_put_head(&writer->buf, head, sections, count);
    int rc = tk_buf_check(&writer->buf, "block of traces", err);
    block.size = writer->buf.n;
    for (size_t i = 0; i < count; i++) {
        block.sections[i] = sections[i];
        block.size += sections[i].bytes.n;
    }
    rc = rc < 0 ? rc : add_entry(writer, &block, err);
    rc = rc < 0 ? rc : write_bytes(writer, tk_buf_str(&writer->buf), err);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = write_bytes(writer, sections[i].bytes, err);
    if (rc == 0)
        tk_codec_info_add(&writer->info, &block);
    return rc;
}

int tk_block_writer_close(struct tk_block_writer *writer, struct tk_codec_info *ret_info,
                          struct tk_err *err)
{
    tk_buf_reset(&writer->buf);
    tk_block_index_put(&writer->buf, writer->entries, writer->count);
    int rc = tk_buf_check(&writer->buf, "index of blocks", err);
    if (rc < 0)
        return rc;
    writer->info.head_bytes += writer->buf.n;
    writer->info.bytes += writer->buf.n;
    *ret_info = writer->info;
    return write_bytes(writer, tk_buf_str(&writer->buf), err);
}
