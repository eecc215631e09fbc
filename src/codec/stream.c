/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/stream.h"

#include <endian.h>
#include <errno.h>
#include <libdeflate.h>

#include "codec/draw.h"
#include "codec/forest.h"
#include "table/varint.h"

/* A head or an index: magic, u32 bytes of the body, u32 CRC-32 of the body; body. */
#define MAGIC_BYTES   4
#define FRAME_BYTES   12
#define BODY_MAX      ((size_t)1 << 16) /* of a head */
#define SECTION_MAX   ((size_t)1 << 30)
#define TRAILER_MAGIC "tkz."
#define TRAILER_BYTES 8 /* u32 bytes of the index with its frame, magic */

static const char block_magic[] = "tkzB";
static const char kept_magic[] = "tkzK";
static const char index_magic[] = "tkzE";

/* By type. */
static const struct section_kind {
    const char *name;
    int layer;
    bool required; /* a block means nothing without it */
} kinds[TK_SECTION_COUNT] = {
    {"unknown", -1, false},     {"dictionary", 0, true},    {"symbols", 0, true},
    {"grammar", 1, true},       {"events", 2, true},        {"arrivals", 2, true},
    {"resources", 3, false},    {"templates", 3, false},    {"attributes", 3, false},
    {"time tables", 4, false},  {"time base", 4, false},    {"time plane 1", 4, false},
    {"time plane 2", 4, false}, {"time plane 3", 4, false}, {"time plane 4", 4, false},
    {"time plane 5", 4, false}, {"time plane 6", 4, false}, {"time plane 7", 4, false},
    {"time plane 8", 4, false}, {"time rest", 4, false},    {"arrival rest", 4, false},
    {"exact texts", 5, false},  {"exact traces", 5, false}, {"ids", 5, false},
    {"details", 5, false},      {"trace filter", 5, false}, {"time windows", 4, false},
};

const char *tk_section_name(uint32_t type)
{
    return kinds[type < TK_SECTION_COUNT ? type : 0].name;
}

int tk_section_layer(uint32_t type)
{
    return kinds[type < TK_SECTION_COUNT ? type : 0].layer;
}

uint64_t tk_block_draw_key(const struct tk_block_head *head, uint64_t seed)
{
    seed = seed > 0 ? seed : head->seed;
    return tk_draw_block(tk_draw_round(seed) ^ (uint64_t)head->origin_ns, head->number);
}

static uint32_t crc_of(tk_str text)
{
    return libdeflate_crc32(0, text.n > 0 ? text.p : "", text.n);
}

static void put_u32(struct tk_buf *out, uint32_t value)
{
    uint32_t stored = htole32(value);
    tk_buf_put(out, (tk_str){(const char *)&stored, sizeof(stored)});
}

static uint32_t get_u32(const char *from)
{
    uint32_t stored;
    memcpy(&stored, from, sizeof(stored));
    return le32toh(stored);
}

/* Writing -------------------------------------------------------------------------------------- */

/* Begin a frame; returns where its body begins in `out`. */
static size_t frame_begin(struct tk_buf *out, const char *magic)
{
    tk_buf_put(out, (tk_str){magic, MAGIC_BYTES});
    put_u32(out, 0);
    put_u32(out, 0);
    return out->n;
}

static void frame_end(struct tk_buf *out, size_t body)
{
    if (!tk_buf_ok(out))
        return;
    uint32_t n = htole32((uint32_t)(out->n - body));
    uint32_t crc = htole32(crc_of((tk_str){out->p + body, out->n - body}));
    memcpy(out->p + body - 8, &n, sizeof(n));
    memcpy(out->p + body - 4, &crc, sizeof(crc));
}

static void put_fields(struct tk_buf *out, const struct tk_block_head *head)
{
    const uint64_t fields[] = {
        TK_STREAM_VERSION,
        head->seed,
        head->number,
        head->mode,
        head->attrs,
        head->planes,
        head->min_count,
        head->kept_per_mille,
        head->no_ids,
        (uint64_t)head->tick_ns,
        tk_zigzag(head->origin_ns),
        tk_zigzag(tk_wrap_sub(head->end_ns, head->origin_ns)),
        head->traces,
        head->nodes,
        head->spans_in,
        head->duplicates,
        head->unequal_duplicates,
        head->orphans,
        head->cycles,
        head->late,
    };
    for (size_t i = 0; i < TK_COUNTOF(fields); i++)
        tk_varint_put(out, fields[i]);
}

/* The head, with checksums of the sections or without them. */
static void put_head(struct tk_buf *out, const struct tk_block_head *head,
                     const struct tk_section *sections, size_t count, bool with_crcs)
{
    size_t body = frame_begin(out, head->is_kept ? kept_magic : block_magic);
    put_fields(out, head);
    tk_varint_put(out, count);
    for (size_t i = 0; i < count; i++) {
        tk_varint_put(out, (uint64_t)sections[i].type << 1 | sections[i].required);
        tk_varint_put(out, sections[i].bytes.n);
        put_u32(out, with_crcs ? crc_of(sections[i].bytes) : 0);
    }
    frame_end(out, body);
}

void tk_block_put_head(struct tk_buf *out, const struct tk_block_head *head,
                       const struct tk_section *sections, size_t count)
{
    put_head(out, head, sections, count, true);
}

void tk_block_put(struct tk_buf *out, const struct tk_block_head *head,
                  const struct tk_section *sections, size_t count)
{
    tk_block_put_head(out, head, sections, count);
    for (size_t i = 0; i < count; i++)
        tk_buf_put(out, sections[i].bytes);
}

uint64_t tk_block_bytes(const struct tk_block_head *head, const struct tk_section *sections,
                        size_t count)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, BODY_MAX);
    put_head(&out, head, sections, count, false);
    uint64_t bytes = out.n;
    for (size_t i = 0; i < count; i++)
        bytes += sections[i].bytes.n;
    return bytes;
}

void tk_section_set_init(struct tk_section_set *set)
{
    for (size_t i = 0; i < TK_COUNTOF(set->bytes); i++)
        tk_buf_init(&set->bytes[i], SECTION_MAX);
}

void tk_section_set_release(struct tk_section_set *set)
{
    for (size_t i = 0; i < TK_COUNTOF(set->bytes); i++)
        tk_buf_release(&set->bytes[i]);
}

/* How many it is: 0 where it is empty. */
static size_t list_section(const struct tk_section_set *set, uint32_t type,
                           struct tk_section *ret_section)
{
    tk_str bytes = tk_buf_str(&set->bytes[type]);
    if (bytes.n == 0)
        return 0;
    *ret_section = (struct tk_section){
        .type = type, .required = kinds[type].required, .bytes = bytes, .size = bytes.n};
    return 1;
}

size_t tk_section_set_list(const struct tk_section_set *set,
                           struct tk_section ret_sections[TK_SECTION_COUNT])
{
    size_t count = 0;
    for (uint32_t type = 1; type < TK_SECTION_TIME_WINDOWS; type++) {
        count += list_section(set, type, &ret_sections[count]);
        if (type == TK_SECTION_ARRIVALS)
            count += list_section(set, TK_SECTION_TIME_WINDOWS, &ret_sections[count]);
    }
    return count;
}

/* Reading -------------------------------------------------------------------------------------- */

/* The body of the frame at the front of a text: false when there is none that is whole. */
static bool read_frame(tk_str text, const char *magic, size_t max, tk_str *ret_body)
{
    if (text.n < FRAME_BYTES || memcmp(text.p, magic, MAGIC_BYTES) != 0)
        return false;
    size_t n = get_u32(text.p + MAGIC_BYTES);
    if (n > max || n > text.n - FRAME_BYTES)
        return false;
    *ret_body = (tk_str){text.p + FRAME_BYTES, n};
    return crc_of(*ret_body) == get_u32(text.p + MAGIC_BYTES + 4);
}

/* A field that fits 32 bits. */
static bool take_u32(tk_str *body, uint32_t *ret)
{
    uint64_t value;
    if (!tk_varint_read(body, &value) || value > UINT32_MAX)
        return false;
    *ret = (uint32_t)value;
    return true;
}

static bool take_settings(tk_str *body, struct tk_block_head *head)
{
    uint32_t no_ids;
    bool ok = tk_varint_read(body, &head->seed) && tk_varint_read(body, &head->number) &&
              take_u32(body, &head->mode) && take_u32(body, &head->attrs) &&
              take_u32(body, &head->planes) && take_u32(body, &head->min_count) &&
              take_u32(body, &head->kept_per_mille) && take_u32(body, &no_ids);
    head->no_ids = ok && no_ids != 0;
    return ok;
}

static bool take_times(tk_str *body, struct tk_block_head *head)
{
    uint64_t tick = 0;
    uint64_t origin = 0;
    uint64_t length = 0;
    if (!tk_varint_read(body, &tick) || !tk_varint_read(body, &origin) ||
        !tk_varint_read(body, &length))
        return false;
    head->tick_ns = (int64_t)tick;
    head->origin_ns = tk_unzigzag(origin);
    head->end_ns = tk_wrap_add(head->origin_ns, tk_unzigzag(length));
    return tick == 1 || tick == 1000 || tick == 1000000;
}

static bool take_counts(tk_str *body, struct tk_block_head *head)
{
    return take_u32(body, &head->traces) && take_u32(body, &head->nodes) &&
           tk_varint_read(body, &head->spans_in) && tk_varint_read(body, &head->duplicates) &&
           tk_varint_read(body, &head->unequal_duplicates) &&
           tk_varint_read(body, &head->orphans) && tk_varint_read(body, &head->cycles) &&
           tk_varint_read(body, &head->late) && head->traces <= head->nodes &&
           head->traces <= TK_FOREST_MAX_TRACES && head->nodes <= TK_FOREST_MAX_NODES;
}

static bool take_sections(tk_str *body, struct tk_block *block, uint32_t *ret_crcs)
{
    uint64_t count = 0;
    if (!tk_varint_read(body, &count) || count > TK_BLOCK_MAX_SECTIONS)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint32_t type = 0;
        uint64_t size = 0;
        if (!take_u32(body, &type) || !tk_varint_read(body, &size) || size > SECTION_MAX ||
            body->n < 4)
            return false;
        block->sections[i] =
            (struct tk_section){.type = type >> 1, .required = type & 1, .size = size};
        ret_crcs[i] = get_u32(body->p);
        *body = (tk_str){body->p + 4, body->n - 4};
    }
    block->section_count = count;
    return true;
}

/* Find the bytes of the sections from `at` on; false when one of them is not whole. */
static bool find_bytes(tk_str file, uint64_t at, struct tk_block *block, const uint32_t *crcs)
{
    bool ok = true;
    for (size_t i = 0; i < block->section_count; i++) {
        struct tk_section *section = &block->sections[i];
        uint64_t left = file.n - at;
        size_t n = section->size < left ? (size_t)section->size : (size_t)left;
        section->offset = at;
        section->bytes = (tk_str){file.p + at, n};
        section->damaged = n < section->size || crc_of(section->bytes) != crcs[i];
        ok = ok && !section->damaged;
        at += n;
    }
    block->size = at - block->offset;
    return ok;
}

/* The place of the next frame at or behind `from`: file.n when there is none. */
static uint64_t find_frame(tk_str file, uint64_t from)
{
    while (from < file.n) {
        const char *at = memmem(file.p + from, file.n - from, "tkz", 3);
        if (!at)
            break;
        tk_str rest = {at, file.n - (size_t)(at - file.p)};
        tk_str body;
        if (read_frame(rest, block_magic, BODY_MAX, &body) ||
            read_frame(rest, index_magic, SIZE_MAX, &body))
            return file.n - rest.n;
        from = file.n - rest.n + 1;
    }
    return file.n;
}

/* Of a block with damage: the next block may begin before this one's end, where a cut file was
 * followed by another one. */
static void look_inside(tk_str file, struct tk_block *block)
{
    uint64_t end = block->offset + block->size;
    for (size_t i = 0; i < block->section_count; i++) {
        struct tk_section *section = &block->sections[i];
        if (!section->damaged)
            continue;
        uint64_t next = find_frame(file, section->offset);
        block->size = (next < end ? next : end) - block->offset;
        return;
    }
}

static int check_types(const struct tk_block *block, struct tk_block_walk *walk, struct tk_err *err)
{
    for (size_t i = 0; i < block->section_count; i++) {
        const struct tk_section *section = &block->sections[i];
        if (section->type > 0 && section->type < TK_SECTION_COUNT)
            continue;
        if (section->required) {
            return tk_fail(err, -EOPNOTSUPP,
                           "block at byte %llu: needs sections of type %u, which a newer tracekit "
                           "reads",
                           (unsigned long long)block->offset, section->type);
        }
        walk->unknown++;
    }
    return 0;
}

/* The block of a head that is whole: 0, 1 when it makes no sense. */
static int read_block(struct tk_block_walk *walk, tk_str body, struct tk_block *block,
                      struct tk_err *err)
{
    uint32_t crcs[TK_BLOCK_MAX_SECTIONS];
    uint64_t begin = walk->offset + FRAME_BYTES + body.n;
    *block = (struct tk_block){.offset = walk->offset, .head.is_kept = walk->is_kept};
    if (!take_u32(&body, &block->head.version))
        return 1;
    if (block->head.version != TK_STREAM_VERSION) {
        return tk_fail(err, -EOPNOTSUPP,
                       "block at byte %llu: version %u of the format, which a newer tracekit reads",
                       (unsigned long long)walk->offset, block->head.version);
    }
    if (!take_settings(&body, &block->head) || !take_times(&body, &block->head) ||
        !take_counts(&body, &block->head) || !take_sections(&body, block, crcs) || body.n > 0)
        return 1;
    int rc = check_types(block, walk, err);
    if (rc < 0)
        return rc;
    if (!find_bytes(walk->file, begin, block, crcs))
        look_inside(walk->file, block);
    walk->offset = block->offset + block->size;
    return 0;
}

/* An index that the file ends in: nothing of the blocks is missing. */
static bool is_cut_index(tk_str rest)
{
    if (rest.n < FRAME_BYTES)
        return memcmp(rest.p, index_magic, rest.n < MAGIC_BYTES ? rest.n : MAGIC_BYTES) == 0;
    return memcmp(rest.p, index_magic, MAGIC_BYTES) == 0 &&
           get_u32(rest.p + MAGIC_BYTES) > rest.n - FRAME_BYTES;
}

int tk_block_walk_next(struct tk_block_walk *walk, struct tk_block *ret_block, struct tk_err *err)
{
    while (walk->offset < walk->file.n) {
        tk_str rest = {walk->file.p + walk->offset, walk->file.n - walk->offset};
        tk_str body;
        walk->at_index = read_frame(rest, index_magic, SIZE_MAX, &body);
        if (walk->at_index) {
            size_t trailer = rest.n - FRAME_BYTES - body.n;
            walk->offset +=
                FRAME_BYTES + body.n + (trailer < TRAILER_BYTES ? trailer : TRAILER_BYTES);
            continue;
        }
        if (read_frame(rest, walk->is_kept ? kept_magic : block_magic, BODY_MAX, &body)) {
            int rc = read_block(walk, body, ret_block, err);
            if (rc <= 0)
                return rc;
        }
        uint64_t next = find_frame(walk->file, walk->offset + 1);
        if (next < walk->file.n || !is_cut_index(rest))
            walk->damaged_bytes += next - walk->offset;
        walk->offset = next;
    }
    return 1;
}

const struct tk_section *tk_block_find(const struct tk_block *block, uint32_t type)
{
    for (size_t i = 0; i < block->section_count; i++) {
        if (block->sections[i].type == type)
            return block->sections[i].damaged ? NULL : &block->sections[i];
    }
    return NULL;
}

/* The index ------------------------------------------------------------------------------------ */

void tk_block_index_put(struct tk_buf *out, const struct tk_block_entry *entries, size_t count)
{
    size_t begin = out->n;
    size_t body = frame_begin(out, index_magic);
    uint64_t at = 0;
    tk_varint_put(out, count);
    for (size_t i = 0; i < count; i++) {
        const struct tk_block_entry *entry = &entries[i];
        tk_varint_put(out, entry->offset - at);
        tk_varint_put(out, entry->size);
        tk_varint_put(out, tk_zigzag(entry->origin_ns));
        tk_varint_put(out, tk_zigzag(tk_wrap_sub(entry->end_ns, entry->origin_ns)));
        tk_varint_put(out, entry->traces);
        tk_varint_put(out, entry->nodes);
        at = entry->offset + entry->size;
    }
    frame_end(out, body);
    put_u32(out, (uint32_t)(out->n - begin));
    tk_buf_lit(out, TRAILER_MAGIC);
}

static bool take_entry(tk_str *body, uint64_t at, uint64_t end, struct tk_block_entry *ret_entry)
{
    uint64_t gap = 0;
    uint64_t origin = 0;
    uint64_t length = 0;
    if (!tk_varint_read(body, &gap) || !tk_varint_read(body, &ret_entry->size) ||
        !tk_varint_read(body, &origin) || !tk_varint_read(body, &length) ||
        !take_u32(body, &ret_entry->traces) || !take_u32(body, &ret_entry->nodes))
        return false;
    ret_entry->offset = at + gap;
    ret_entry->origin_ns = tk_unzigzag(origin);
    ret_entry->end_ns = tk_wrap_add(ret_entry->origin_ns, tk_unzigzag(length));
    return gap <= end - at && ret_entry->size <= end - ret_entry->offset;
}

bool tk_block_index_read(tk_str file, struct tk_block_entry *ret_entries, size_t max,
                         size_t *ret_count)
{
    if (file.n < FRAME_BYTES + TRAILER_BYTES ||
        memcmp(file.p + file.n - MAGIC_BYTES, TRAILER_MAGIC, MAGIC_BYTES) != 0)
        return false;
    size_t size = get_u32(file.p + file.n - TRAILER_BYTES);
    tk_str body;
    if (size > file.n - TRAILER_BYTES)
        return false;
    uint64_t end = file.n - TRAILER_BYTES - size; /* of the blocks */
    uint64_t count;
    if (!read_frame((tk_str){file.p + end, size}, index_magic, SIZE_MAX, &body) ||
        body.n + FRAME_BYTES != size || !tk_varint_read(&body, &count))
        return false;
    uint64_t at = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct tk_block_entry entry;
        if (!take_entry(&body, at, end, &entry))
            return false;
        at = entry.offset + entry.size;
        if (i < max)
            ret_entries[i] = entry;
    }
    *ret_count = (size_t)count;
    return at == end && body.n == 0;
}

bool tk_stream_detect(tk_str head)
{
    return tk_str_starts_with(head, TK_STR("tkzB")) || tk_str_starts_with(head, TK_STR("tkzE"));
}
