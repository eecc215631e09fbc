/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of frames, docs/format-recording.md section 3. */
#include <libdeflate.h>
#include <string.h>

#include "base/compiler.h"
#include "table/recording_internal.h"

/* Where the fields are. */
enum {
    AT_SYNC = 0,
    AT_TABLE = 4,
    AT_STORED = 8,
    AT_RAW = 12,
    AT_ROWS = 16,
    AT_BEFORE = 20,
    AT_FIRST = 24,
    AT_LAST = 32,
    AT_PAYLOAD_CRC = 40,
    AT_ID = 44,
};

static const struct {
    enum tk_recording_kind kind;
    char sync[4];
} kinds[] = {
    {TK_RECORDING_BLOCK, {'T', 'K', 'B', '1'}},
    {TK_RECORDING_INDEX, {'T', 'K', 'I', '1'}},
};

static uint32_t crc32(tk_str text)
{
    return libdeflate_crc32(0, text.n > 0 ? text.p : "", text.n);
}

static void write_le(char *to, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(value >> 8 * i);
}

static uint64_t read_le(const char *from, size_t n)
{
    uint64_t value = 0;
    for (size_t i = n; i-- > 0;)
        value = value << 8 | (unsigned char)from[i];
    return value;
}

uint32_t tk_recording_table_id(const char *name)
{
    return crc32(tk_str_from(name));
}

void tk_recording_frame_encode(struct tk_recording_frame *frame, tk_str payload,
                               char ret_header[TK_RECORDING_HEADER_BYTES])
{
    frame->stored_bytes = (uint32_t)payload.n;
    frame->payload_crc = crc32(payload);
    for (size_t i = 0; i < TK_COUNTOF(kinds); i++) {
        if (kinds[i].kind == frame->kind)
            memcpy(ret_header + AT_SYNC, kinds[i].sync, sizeof(kinds[i].sync));
    }
    write_le(ret_header + AT_TABLE, frame->table, 4);
    write_le(ret_header + AT_STORED, frame->stored_bytes, 4);
    write_le(ret_header + AT_RAW, frame->raw_bytes, 4);
    write_le(ret_header + AT_ROWS, frame->rows, 4);
    write_le(ret_header + AT_BEFORE, frame->before, 4);
    write_le(ret_header + AT_FIRST, (uint64_t)frame->first, 8);
    write_le(ret_header + AT_LAST, (uint64_t)frame->last, 8);
    write_le(ret_header + AT_PAYLOAD_CRC, frame->payload_crc, 4);
    frame->id = crc32((tk_str){ret_header, AT_ID});
    write_le(ret_header + AT_ID, frame->id, 4);
}

bool tk_recording_frame_decode(const char header[TK_RECORDING_HEADER_BYTES],
                               struct tk_recording_frame *ret_frame)
{
    size_t i = 0;
    while (i < TK_COUNTOF(kinds) && memcmp(header, kinds[i].sync, sizeof(kinds[i].sync)) != 0)
        i++;
    uint32_t id = (uint32_t)read_le(header + AT_ID, 4);
    if (i == TK_COUNTOF(kinds) || id != crc32((tk_str){header, AT_ID}))
        return false;
    struct tk_recording_frame frame = {
        .kind = kinds[i].kind,
        .table = (uint32_t)read_le(header + AT_TABLE, 4),
        .stored_bytes = (uint32_t)read_le(header + AT_STORED, 4),
        .raw_bytes = (uint32_t)read_le(header + AT_RAW, 4),
        .rows = (uint32_t)read_le(header + AT_ROWS, 4),
        .before = (uint32_t)read_le(header + AT_BEFORE, 4),
        .first = (int64_t)read_le(header + AT_FIRST, 8),
        .last = (int64_t)read_le(header + AT_LAST, 8),
        .payload_crc = (uint32_t)read_le(header + AT_PAYLOAD_CRC, 4),
        .id = id,
    };
    if (frame.stored_bytes > TK_RECORDING_STORED_MAX)
        return false;
    *ret_frame = frame;
    return true;
}

bool tk_recording_payload_ok(const struct tk_recording_frame *frame, tk_str payload)
{
    return payload.n == frame->stored_bytes && crc32(payload) == frame->payload_crc;
}
