/* SPDX-License-Identifier: Apache-2.0 */
/* The exact tier (trace-compression.md section 11): some traces of a block that is not lossless are
 * kept whole, as a lossless block within the section EXACT. Every trace may be taken: one of each
 * kind of candidate just much more likely. The choice is a weighted reservoir (Efraimidis and
 * Spirakis, "Weighted random sampling with a reservoir", 2006) whose draws follow from the seed,
 * and each kept trace knows how likely it was: 1 / probability is how many it stands for
 * (Cohen and Kaplan, "Summarizing data using bottom-k sketches", 2007).
 *
 *     section   varint count; each: varint distance from the trace before, 2 bytes probability;
 *               a block of these traces, in this order */
#ifndef TK_CODEC_KEEP_H
#define TK_CODEC_KEEP_H

#include "codec/codec.h"
#include "codec/forest.h"
#include "codec/stream.h"

/* Why a trace is likely to be kept: each has its weight. */
enum tk_keep_reason {
    TK_KEEP_ANY = 0,  /* the uniform part */
    TK_KEEP_SURPRISE, /* took much longer or shorter than others of its entry */
    TK_KEEP_SHAPE,    /* one of the first three of its shape */
    TK_KEEP_ERROR,    /* an error in a shape that is rare */
    TK_KEEP_RULE,     /* the user asked for it: always */
    TK_KEEP_REASON_COUNT
};

struct tk_keep_options {
    uint32_t per_mille; /* of the traces, rounded up; without those of rules */
    uint64_t seed;
    const bool *wanted; /* [trace_count] by rules of the user (keep_rules.h); NULL = none is */
};

#define TK_KEPT_ALWAYS UINT32_C(65536)

struct tk_kept {
    uint32_t trace;       /* of the block */
    uint32_t probability; /* 1 to TK_KEPT_ALWAYS */
    enum tk_keep_reason reason;
};

/* Choose; `ret_kept` is the caller's to free, by trace. -ENOMEM. */
TK_MUST_USE int tk_keep_choose(const struct tk_forest *forest,
                               const struct tk_keep_options *options, struct tk_kept **ret_kept,
                               size_t *ret_count, struct tk_err *err);

/* Append the section: the list, then `block`, which holds these traces in their order. */
void tk_keep_put(const struct tk_kept *kept, size_t count, tk_str block, struct tk_buf *out);

/* How many traces a section holds; false when it is damaged. */
bool tk_keep_count(tk_str section, uint64_t *ret_count);

/* Read a section: `ret_kept` is the caller's to free, `ret_block` is borrowed from the section.
 * -EBADMSG when it does not fit a block of so many traces; -ENOMEM. */
TK_MUST_USE int tk_keep_read(tk_str section, uint32_t traces, struct tk_kept **ret_kept,
                             size_t *ret_count, tk_str *ret_block, struct tk_err *err);

#endif
