/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a `.tkz` file: blocks of substreams (docs/format-tkz.md). A file is any number of
 * blocks, one after the other; two files in a row are a file. A block is
 *
 *     head      magic "tkzB", length, CRC-32; version, counts, settings, and of each section its
 *               type, length and CRC-32
 *     sections  their bytes, one after the other, in the order of enum tk_section_type
 *
 * so that cutting it off keeps what is worth most, and damage to a section costs that section
 * alone. A section of a type that the reader does not know is passed over, unless its flag says
 * that nothing can be understood without it (-EOPNOTSUPP). An index of the blocks (magic "tkzE")
 * ends a file that was closed; without it readers scan all the same, and find the next block by its
 * magic and checksum after damage. No I/O here: slices and buffers. Safe from any thread. */
#ifndef TK_CODEC_STREAM_H
#define TK_CODEC_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TK_STREAM_VERSION 1

/* Substreams in the order of their worth (section 5.1). */
enum tk_section_type {
    TK_SECTION_DICTIONARY = 1, /* L0 */
    TK_SECTION_SYMBOLS,
    TK_SECTION_GRAMMAR,                               /* L1 */
    TK_SECTION_EVENTS,                                /* L2: shape of each trace */
    TK_SECTION_ARRIVALS,                              /* L2: start of each trace */
    TK_SECTION_RESOURCES,                             /* L3: resources and scopes */
    TK_SECTION_TEMPLATES,                             /* L3: keys of each symbol */
    TK_SECTION_ATTRS,                                 /* L3: values */
    TK_SECTION_TIME_TABLES,                           /* L4: histograms */
    TK_SECTION_TIME_BASE,                             /* L4: level of each number */
    TK_SECTION_TIME_PLANE,                            /* L4: + 0 to 7, one section a plane */
    TK_SECTION_TIME_REST = TK_SECTION_TIME_PLANE + 8, /* L4: ticks inside the last cell */
    TK_SECTION_ARRIVAL_REST,                          /* L4: ticks inside the unit of arrivals */
    TK_SECTION_EXACT_TEXTS,                           /* L5 */
    TK_SECTION_EXACT,                                 /* L5: records of kept traces */
    TK_SECTION_IDS,                                   /* lossless: ids of all */
    TK_SECTION_DETAILS,      /* lossless: events, links, messages, states, flags, dropped counts */
    TK_SECTION_TRACE_FILTER, /* hashes of ids of traces: for finding them */
    TK_SECTION_TIME_WINDOWS, /* L4: 10 s in which spans start; stands behind arrivals */
    TK_SECTION_COUNT
};

/* "dictionary", "plane 3", ...; "unknown" for others. */
const char *tk_section_name(uint32_t type);

/* Its layer, 0 to 5 (section 5.1); -1 for unknown ones. */
int tk_section_layer(uint32_t type);

struct tk_section {
    uint32_t type;
    bool required;
    bool damaged;    /* its checksum fails, or the file ends inside it */
    uint64_t offset; /* of its bytes in the file */
    tk_str bytes;    /* borrowed; what is there of it */
    uint64_t size;   /* as the head says */
};

#define TK_BLOCK_MAX_SECTIONS 64

/* What stands in the head of a block. */
struct tk_block_head {
    uint32_t version;
    uint32_t traces, nodes;
    uint64_t number; /* of the block in the file that it was written to: part of its draws */
    uint64_t seed;
    int64_t origin_ns; /* starts count from here */
    int64_t tick_ns;   /* 1, 1000 or 1000000 */
    int64_t end_ns;    /* latest end of a span, for retention and for finding */
    uint32_t mode;     /* enum tk_codec_mode */
    uint32_t attrs;    /* enum tk_codec_attrs */
    uint32_t planes;   /* of timing + 1; 0 = no numbers but tables */
    uint32_t min_count;
    uint32_t kept_per_mille;
    bool no_ids;  /* lossless, but for ids */
    bool is_kept; /* the exact tier of another block: it has a magic of its own, so that nobody who
                     looks for blocks takes it for one */

    /* What the encoder met. */
    uint64_t spans_in; /* that it read, duplicates among them */
    uint64_t duplicates, unequal_duplicates, orphans, cycles, late;
};

struct tk_block {
    struct tk_block_head head;
    struct tk_section sections[TK_BLOCK_MAX_SECTIONS];
    size_t section_count;
    uint64_t offset; /* in the file */
    uint64_t size;   /* with its head, as far as it is there */
};

/* What draws of a block are keyed by (draw.h); `seed` 0 = that of its head. */
uint64_t tk_block_draw_key(const struct tk_block_head *head, uint64_t seed);

/* Append the head of a block, which its sections follow: of each type, required and bytes are read.
 */
void tk_block_put_head(struct tk_buf *out, const struct tk_block_head *head,
                       const struct tk_section *sections, size_t count);

/* Append a block with all its sections. */
void tk_block_put(struct tk_buf *out, const struct tk_block_head *head,
                  const struct tk_section *sections, size_t count);

/* The bytes of such a block. */
uint64_t tk_block_bytes(const struct tk_block_head *head, const struct tk_section *sections,
                        size_t count);

/* What the layers of one block wrote, by type; empty ones are not written. Caller's buffers, which
 * tk_section_set_init() begins (zeroed struct) and caps. */
struct tk_section_set {
    struct tk_buf bytes[TK_SECTION_COUNT];
};
void tk_section_set_init(struct tk_section_set *set);
void tk_section_set_release(struct tk_section_set *set);
/* The sections that are not empty, for tk_block_put(); borrowed from the set. */
size_t tk_section_set_list(const struct tk_section_set *set,
                           struct tk_section ret_sections[TK_SECTION_COUNT]);

/* Walk the blocks of a file that is in memory or mapped. */
struct tk_block_walk {
    tk_str file;
    uint64_t offset;
    uint64_t damaged_bytes; /* passed over to find the next block */
    uint64_t unknown;       /* sections of unknown type */
    bool at_index;          /* the last that was read is an index: the file was closed */
    bool is_kept;           /* what is walked is an exact tier */
};

/* The next block: 0, 1 at the end; -EOPNOTSUPP for a version or a required section that is not
 * known. Damage is no failure: it is counted, and marked in the sections. */
TK_MUST_USE int tk_block_walk_next(struct tk_block_walk *walk, struct tk_block *ret_block,
                                   struct tk_err *err);

/* The section of a type; NULL = absent or damaged. */
const struct tk_section *tk_block_find(const struct tk_block *block, uint32_t type);

/* The index: where blocks are, and when. An accelerator only. */
struct tk_block_entry {
    uint64_t offset, size;
    int64_t origin_ns, end_ns;
    uint32_t traces, nodes;
};

/* Append the index of the blocks that were written since the file, or the part of it that this
 * index is of, began at offset 0. */
void tk_block_index_put(struct tk_buf *out, const struct tk_block_entry *entries, size_t count);

/* Read the index that ends a file: its entries, offsets in the file, into `ret_entries` (room for
 * `max`); `ret_count` is how many there are in all. False when the file ends without one, or when
 * it is of a part of the file only (files in a row): scan then. */
bool tk_block_index_read(tk_str file, struct tk_block_entry *ret_entries, size_t max,
                         size_t *ret_count);

/* Whether a text begins as a `.tkz` file does. */
bool tk_stream_detect(tk_str head);

#endif
