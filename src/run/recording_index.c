/* SPDX-License-Identifier: Apache-2.0 */
/* The index of a recording, docs/format-recording.md section 6: a frame that tells where blocks
 * are, written after every TK_INDEX_MAX of them and at the end, each pointing at the one before.
 * A file that ends well ends with the place of its last index and a mark. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "run/recording_internal.h"
#include "table/varint.h"

#define MARK       "TKREND1\n"
#define MARK_BYTES 8
#define TAIL_BYTES (8 + MARK_BYTES) /* place and mark */

static void put_le(struct tk_buf *out, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tk_buf_putc(out, (char)(value >> 8 * i));
}

static uint64_t read_le(const char *from, size_t n)
{
    uint64_t value = 0;
    for (size_t i = n; i-- > 0;)
        value = value << 8 | (unsigned char)from[i];
    return value;
}

void tk_index_encode(const struct tk_index *index, uint64_t at, struct tk_buf *out)
{
    struct tk_recording_frame frame = {
        .kind = TK_RECORDING_INDEX,
        .rows = (uint32_t)index->count,
        .first = INT64_MAX,
        .last = INT64_MIN,
    };
    struct tk_index_entry before = {0};
    size_t start = out->n;
    if (tk_buf_reserve(out, TK_RECORDING_HEADER_BYTES))
        out->n += TK_RECORDING_HEADER_BYTES;
    tk_varint_put(out, index->before);
    for (size_t i = 0; i < index->count; i++) {
        const struct tk_index_entry *entry = &index->entries[i];
        tk_varint_put(out, entry->at - before.at);
        put_le(out, entry->table, 4);
        tk_buf_putc(out, (char)entry->begins);
        tk_varint_put(out, tk_zigzag(tk_wrap_sub(entry->first, before.first)));
        tk_varint_put(out, tk_zigzag(tk_wrap_sub(entry->last, entry->first)));
        frame.first = entry->first < frame.first ? entry->first : frame.first;
        frame.last = entry->last > frame.last ? entry->last : frame.last;
        before = *entry;
    }
    put_le(out, at, 8);
    tk_buf_put(out, (tk_str){MARK, MARK_BYTES});
    if (!tk_buf_ok(out))
        return;
    size_t payload = start + TK_RECORDING_HEADER_BYTES;
    tk_recording_frame_encode(&frame, (tk_str){out->p + payload, out->n - payload}, out->p + start);
}

static bool take_entry(tk_str *text, const struct tk_index_entry *before,
                       struct tk_index_entry *ret)
{
    uint64_t at;
    uint64_t first;
    uint64_t last;
    if (!tk_varint_read(text, &at) || text->n < 5)
        return false;
    ret->table = (uint32_t)read_le(text->p, 4);
    ret->begins = text->p[4] != 0;
    *text = (tk_str){text->p + 5, text->n - 5};
    if (!tk_varint_read(text, &first) || !tk_varint_read(text, &last))
        return false;
    ret->at = before->at + at;
    ret->first = tk_wrap_add(before->first, tk_unzigzag(first));
    ret->last = tk_wrap_add(ret->first, tk_unzigzag(last));
    return true;
}

static bool decode(tk_str text, size_t count, struct tk_index *index)
{
    struct tk_index_entry before = {0};
    if (count > TK_INDEX_MAX || !tk_varint_read(&text, &index->before))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!take_entry(&text, &before, &index->entries[i]))
            return false;
        before = index->entries[i];
    }
    index->count = count;
    return text.n == TAIL_BYTES;
}

int tk_index_read(struct tk_frames *frames, uint64_t at, struct tk_index *ret_index,
                  struct tk_err *err)
{
    frames->next = at;
    int rc = tk_frames_next(frames, err);
    if (rc == 0)
        rc = tk_frames_load(frames, err);
    if (rc < 0)
        return rc;
    if (rc == 1 || frames->at != at || frames->frame.kind != TK_RECORDING_INDEX ||
        !decode(tk_buf_str(&frames->payload), frames->frame.rows, ret_index)) {
        return tk_fail(err, -EBADMSG, "%s: no index at byte %llu", TK_RECORDING_FILE,
                       (unsigned long long)at);
    }
    return 0;
}

uint64_t tk_index_find(const struct tk_frames *frames)
{
    char tail[TAIL_BYTES];
    if (frames->size < TK_RECORDING_MAGIC_BYTES + TK_RECORDING_HEADER_BYTES + sizeof(tail) ||
        pread(frames->fd, tail, sizeof(tail), (off_t)(frames->size - sizeof(tail))) !=
            (ssize_t)sizeof(tail) ||
        memcmp(tail + 8, MARK, MARK_BYTES) != 0)
        return 0;
    uint64_t at = read_le(tail, 8);
    return at < frames->size ? at : 0;
}
