/* SPDX-License-Identifier: Apache-2.0 */
/* What writing tables and drawing from them share. */
#ifndef TK_CODEC_TIME_TABLES_INTERNAL_H
#define TK_CODEC_TIME_TABLES_INTERNAL_H

#include "codec/coder.h"
#include "codec/time_context.h"

#define TK_TABLE_DEPTH 2  /* of the cells that quantiles are: +-10.5 % */
#define TK_TABLE_LEAST 40 /* spans that a key of its own needs */
#define TK_TABLE_MOST  32 /* quantiles */
#define TK_TABLE_RANKS 100

/* Bins of ranks: which hundredths they begin with. */
#define TK_TABLE_BINS 12
extern const uint8_t tk_table_begins[TK_TABLE_BINS + 1];

enum tk_table_type {
    TK_TABLE_SEQUENTIAL = 0, /* gaps by edge; bins of the parent's rank */
    TK_TABLE_PARALLEL,
    TK_TABLE_AFTER,
    TK_TABLE_BEFORE,
    TK_TABLE_RANK,  /* ranks, by bins of the parent's */
    TK_TABLE_OWN,   /* duration beyond the end of the last child inside, by bins of the own rank */
    TK_TABLE_ALONE, /* duration of a span without children inside, by bins of the own rank; of
                       leaves there is one table, and the rank is the place in it */
    TK_TABLE_TYPES
};
#define TK_TABLE_EDGES  4
#define TK_TABLE_SHARES 16

/* Quantiles i + 1/2 of `count` (0 = no table): 0 = zero, else cell + 1 of TK_TABLE_DEPTH; of ranks
 * rank + 1. */
struct tk_time_table {
    uint8_t count;
    uint8_t quantiles[TK_TABLE_MOST];
};

struct tk_table_key {
    uint32_t spans;    /* of this key */
    uint32_t gaps;     /* spans that have a gap */
    uint32_t children; /* spans that have a parent */
    bool is_leaf;
    uint8_t shares[TK_TABLE_EDGES]; /* of edges, in sixteenths */
    uint8_t alone;                  /* share of those without children inside */
    struct tk_time_table tables[TK_TABLE_TYPES][TK_TABLE_BINS];
};

/* Keys of all nodes of a forest. */
struct tk_table_keys {
    uint32_t *of_node;         /* owned */
    struct tk_table_key *keys; /* owned; in the order in which nodes first have them */
    uint32_t count;
    uint32_t enough; /* nodes for a key of their own */
};

/* Keys of which nothing is told that fewer than `min_count` spans share. -ENOMEM. */
TK_MUST_USE int tk_table_keys_init(struct tk_table_keys *keys, const struct tk_forest *forest,
                                   struct tk_time_trace *trace, uint32_t min_count,
                                   struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_table_keys_release(struct tk_table_keys *keys);

/* How many values of a type a key has, by what both sides know. */
uint64_t tk_table_values(const struct tk_table_key *key, enum tk_table_type type);

/* How many bins these are told apart by (1, 3, 6 or 12), and which one a rank is in. */
uint32_t tk_table_bins(const struct tk_table_key *key, enum tk_table_type type);
uint32_t tk_table_bin(uint32_t bins, uint32_t rank);

/* How many quantiles the table of a bin has. */
uint32_t tk_table_quantiles(const struct tk_table_key *key, enum tk_table_type type, uint32_t bin);

/* Code all keys' shares and tables. */
void tk_tables_code(struct tk_coder *coder, struct tk_table_keys *keys, uint32_t min_count);

static inline enum tk_table_type tk_table_of_edge(uint8_t edge)
{
    return edge <= TK_TIME_PARALLEL ? (enum tk_table_type)edge
           : edge < TK_TIME_BEFORE  ? TK_TABLE_AFTER
                                    : TK_TABLE_BEFORE;
}

#endif
