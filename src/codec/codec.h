/* SPDX-License-Identifier: Apache-2.0 */
/* The codec of traces (trace-compression.md; docs/format-tkz.md): many traces in a few bytes each,
 * every one of them kept. One embedded stream from models that only know distributions to every
 * field of every span; cutting it off moves from one end to the other.
 *
 *     spans -> assemble.h   whole traces, blocks of them
 *           -> forest.h     trees of numbered symbols
 *           -> layers       topology.h  shapes, trace events, arrivals   (L1, L2)
 *                           attrs.h     resources, templates, values     (L3)
 *                           timing.h    levels and planes, or tables     (L4)
 *                           exact.h     whole records of kept traces; ids and details of all (L5)
 *           -> stream.h     sections of blocks
 *
 * coder.h, mix.h and draw.h are what layers are made of: one function codes and decodes. The codec
 * knows no queries, and nothing of who judges it (src/fidelity). No I/O. */
#ifndef TK_CODEC_CODEC_H
#define TK_CODEC_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "codec/stream.h"
#include "span/span_source.h"

enum tk_codec_mode {
    TK_CODEC_NEAR = 0,   /* every trace; numbers within q */
    TK_CODEC_GENERATIVE, /* every trace's tree; timing and attributes by tables; nothing individual
                          */
    TK_CODEC_LOSSLESS,   /* every field */
};

/* Which attributes are kept of traces that are not kept whole, in the order of files: each keeps
 * less than the one before it. A budget takes the next one where bytes are short. */
enum tk_codec_attrs {
    TK_CODEC_ATTRS_ALL = 0,
    TK_CODEC_ATTRS_GENT, /* the two strings and three integers of Gen-T's projection (15.6) */
    TK_CODEC_ATTRS_NONE,
};

/* How exactly the start of a trace is kept. Lossless blocks keep it whole. */
enum tk_codec_arrivals {
    TK_CODEC_ARRIVALS_MS = 0,
    TK_CODEC_ARRIVALS_US,
    TK_CODEC_ARRIVALS_WINDOWS, /* how many in each 1 to 10 s, and in which order */
};

/* What the user says of a key of spans, over what its values look like. */
enum tk_codec_key_wish {
    TK_CODEC_KEY_ANY = 0, /* nothing: its values tell */
    TK_CODEC_KEY_EXACT,   /* all values come back, those that look like ids among them */
    TK_CODEC_KEY_DRAWN, /* values are made up: of their common form, equal inside a trace where they
                           were */
    TK_CODEC_KEY_NONE,  /* left out */
};

struct tk_codec_key {
    tk_str key;
    enum tk_codec_key_wish wish;
};

struct tk_keep_rule; /* keep_rules.h */

#define TK_CODEC_PLANES       4         /* of timing + 1, where nothing else is asked for: 5 % */
#define TK_CODEC_BLOCK_TRACES 10000     /* likewise of a block */
#define TK_CODEC_WINDOW_SPANS (7 << 16) /* likewise held to make traces whole */

/* Zero = the default of the page. */
struct tk_codec_options {
    enum tk_codec_mode mode;
    enum tk_codec_attrs attrs;
    enum tk_codec_arrivals arrivals;
    uint32_t planes;           /* of timing + 1: 1 = base only ... 8; 0 = TK_CODEC_PLANES */
    double trace_budget_bytes; /* most bytes of the file, a trace; 0 = none */
    double span_budget_bytes;  /* the same, a span; 0 = none */
    uint32_t block_traces;     /* 0 = TK_CODEC_BLOCK_TRACES */
    int64_t block_ns;          /* close a block after so long; 0 = never */
    uint32_t min_count;        /* generative: values that came less often are left out; 0 = 5 */
    uint32_t table_least;      /* generative: no table of times of fewer spans; 0 = min_count */
    uint32_t kept_per_mille;   /* exact tier: traces of the uniform reservoir */
    const struct tk_keep_rule *rules; /* near: traces that are kept whole in any case; borrowed */
    size_t rule_count;
    const struct tk_codec_key *keys; /* also of traces that are kept whole; borrowed */
    size_t key_count;
    uint64_t seed;    /* 0 = 1 */
    bool no_ids;      /* lossless: make ids up */
    bool filter;      /* lossless: hashes of the ids of traces, which find them (trace_filter.h) */
    uint32_t threads; /* 0 = 1 */
    size_t max_spans; /* held to make traces whole; 0 = TK_CODEC_WINDOW_SPANS */
};

/* How many spans have to share a value for it to be told: 0, so any, but of generative output. */
static inline uint32_t tk_codec_min_count(const struct tk_codec_options *options)
{
    if (options->mode != TK_CODEC_GENERATIVE)
        return 0;
    return options->min_count > 0 ? options->min_count : 5;
}

/* The relative error of a number, in per cent, that so many planes (+ 1, 1 to 8) leave: 57,
 * 23, 10.5, 5.0, 2.4, 1.2, 0.60, 0.30. */
double tk_codec_quality(uint32_t planes);

/* The fewest planes (+ 1) whose error is no larger; 8 when all are. For --quality. */
uint32_t tk_codec_planes(double quality_percent);

/* Where the bytes of a file go. */
struct tk_codec_output {
    TK_MUST_USE int (*write)(void *context, tk_str bytes, struct tk_err *err);
    void *context; /* borrowed */
};

/* What is in a file, or in what was written of it. */
struct tk_codec_info {
    uint64_t bytes; /* all that follows, frames and indexes among it */
    uint64_t blocks, traces, spans;
    uint64_t generative, lossless;      /* blocks of these modes */
    uint64_t without_attrs;             /* blocks that were coded without attributes */
    uint64_t with_gent_attrs;           /* ... with those of Gen-T's projection alone */
    uint64_t coarse_starts;             /* blocks whose starts are to some seconds */
    uint64_t without_ids;               /* lossless blocks that make ids up */
    uint64_t seed;                      /* of draws, of the first block */
    int64_t tick_ns;                    /* the finest clock of any block; 0 = there is none */
    uint32_t min_count;                 /* the least of generative blocks; 0 = none are */
    uint32_t kept_per_mille;            /* the most that any block asked for */
    uint32_t least_planes, most_planes; /* + 1, of blocks that are not generative; 0 = none are */
    int64_t first_ns, last_ns;          /* first > last: no spans */
    uint64_t kept_traces;               /* whole, in blocks that are not lossless */
    uint64_t spans_in, duplicates, unequal_duplicates, orphans, cycles, late;
    uint64_t section_bytes[TK_SECTION_COUNT];
    uint64_t head_bytes;    /* of heads of blocks, and of indexes */
    uint64_t unknown_bytes; /* of sections of types that are not known */
    uint64_t damaged_bytes; /* that belong to no block */
    uint64_t damaged_sections;
    bool closed; /* the file ends with an index: nothing was cut off */
};

/* Add what a block holds. */
void tk_codec_info_add(struct tk_codec_info *info, const struct tk_block *block);

/* Of a file, by its heads alone; starts anew. -EOPNOTSUPP, -EBADMSG when it has no block at all. */
TK_MUST_USE int tk_codec_info_read(tk_str file, struct tk_codec_info *ret_info, struct tk_err *err);

/* Read all spans of the source and write them as a file; `ret_info` is of that file. Any number of
 * threads gives the same bytes. What the source or the output fails with; -ENOMEM; -EMSGSIZE for a
 * trace that no block holds, or a budget that nothing fits; -EINVAL for values that cannot be made
 * up as `keys` wants. */
TK_MUST_USE int tk_codec_encode(const struct tk_codec_options *options,
                                const struct tk_span_source *source,
                                const struct tk_codec_output *output,
                                struct tk_codec_info *ret_info, struct tk_err *err);

/* Zero = default. */
struct tk_codec_decoding {
    uint64_t seed;    /* of draws; 0 = that of the file */
    bool centre;      /* the middle of each cell instead of a draw */
    uint32_t threads; /* 0 = 1 */
};

/* What could not be given back, for the user to know. */
struct tk_codec_losses {
    uint64_t damaged_bytes;                      /* that belong to no block */
    uint64_t lost_blocks;                        /* without what nothing goes without */
    uint64_t lost_traces;                        /* of those */
    uint64_t damaged_sections[TK_SECTION_COUNT]; /* blocks that lack them for damage */
    uint32_t planes;                             /* + 1: the fewest that numbers were read with */
    char first[200];                             /* "block 3: time base: ..."; "" = nothing */
    bool cut;                                    /* the file has no end: more may be missing */
};

/* Whether anything is missing that the file once had; a missing index alone is no loss, for there
 * may not have been one yet. */
bool tk_codec_losses_any(const struct tk_codec_losses *losses);

/* Give all spans of a file to the sink: traces by start within a block, a trace's spans together,
 * parents before children, whole traces in each call. The file alone is needed. What is damaged is
 * left out and told by `ret_losses`; a failure is what the sink fails with, -EOPNOTSUPP, -ENOMEM.
 */
TK_MUST_USE int tk_codec_decode(const struct tk_codec_decoding *options, tk_str file,
                                const struct tk_span_sink *sink, struct tk_codec_losses *ret_losses,
                                struct tk_err *err);

/* Make a file smaller: what is worth least goes, without decoding; but lossless blocks are coded
 * anew once their times are to lose digits. Zero = no limit. */
struct tk_codec_ceiling {
    uint32_t planes;           /* + 1, at most; also drops ids and details of all */
    double trace_budget_bytes; /* of the file, a trace */
    double span_budget_bytes;  /* the same, a span */
    uint64_t budget_bytes;     /* of the file */
    int64_t before_ns;         /* blocks that ended before; 0 = all */
    bool generative;           /* only distributions stay, which are learned from the blocks */
};

/* Write what stays; `ret_info` is of that. -EMSGSIZE when the budget is below what cannot go,
 * -EBADMSG when distributions cannot be learned from a block that is damaged. */
TK_MUST_USE int tk_codec_truncate(const struct tk_codec_ceiling *ceiling, tk_str file,
                                  const struct tk_codec_output *output,
                                  struct tk_codec_info *ret_info, struct tk_err *err);

/* Several files as one, blocks by time, each as it is. */
TK_MUST_USE int tk_codec_merge(const tk_str *files, size_t count,
                               const struct tk_codec_output *output, struct tk_codec_info *ret_info,
                               struct tk_err *err);

#endif
