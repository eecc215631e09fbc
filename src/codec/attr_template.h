/* SPDX-License-Identifier: Apache-2.0 */
/* What encoder and decoder of attributes share: columns with their values, templates, sites, and
 * the one function that codes the attributes of a node under them (attrs.h says what these are).
 * All arrays are reserved as address space and touched as they are used. One thread at a time. */
#ifndef TK_CODEC_ATTR_TEMPLATE_H
#define TK_CODEC_ATTR_TEMPLATE_H

#include "base/map.h"
#include "codec/attr_values.h"
#include "codec/attrs.h"

#define TK_ATTR_MAX       ((uint32_t)1 << 26) /* of anything below */
#define TK_ATTR_MAX_LINKS ((uint32_t)1 << 24)
#define TK_ATTR_NO_SITE   UINT32_MAX

/* A key with a type. */
struct tk_attr_column {
    uint32_t key;  /* text of an encoder's model */
    uint32_t word; /* the same, text of the dictionary */
    uint8_t type;  /* enum tk_attr_type */
    uint8_t attr_class;
    uint8_t wish;    /* enum tk_codec_key_wish */
    bool is_chosen;  /* the class is not to be looked for */
    bool is_inexact; /* TOKENS: some of them are made up */
    bool is_delta;   /* NUMBER: each is told by its distance from the one before */
    uint32_t first;  /* values[first .. first + count] */
    uint32_t count;
    uint32_t seen;       /* values that came so far: [0, seen) */
    uint32_t seen_trace; /* DRAWN: the trace that `seen` is of */
    uint32_t last;       /* value that came last in trace `last_trace` */
    uint32_t last_trace;
    uint64_t uses, value_bits, use_bits; /* for the report */
    tk_str form; /* ID, DRAWN: digits are x, X and 0, all else is as it is */
};

enum tk_attr_slot_mode {
    TK_ATTR_SLOT_CODED = 0,
    TK_ATTR_SLOT_CONSTANT,   /* is value `arg` */
    TK_ATTR_SLOT_DETERMINED, /* follows from the slot `arg` of the same site, one before it */
    TK_ATTR_SLOT_MODES
};

struct tk_attr_slot {
    uint32_t column;
    uint32_t mode; /* enum tk_attr_slot_mode */
    uint32_t arg;
    uint32_t links; /* DETERMINED: links[links + value of the other] = own value + 1; 0 = not yet */
};

struct tk_attr_template {
    uint32_t first; /* columns template_columns[first .. first + n] */
    uint32_t n;
};

struct tk_attr_site {
    uint32_t attr_template;
    uint32_t slots; /* slots[slots .. slots + n] */
    uint32_t n;
    uint32_t parent; /* site for which `above` holds; TK_ATTR_NO_SITE = none yet */
};

struct tk_attr_model {
    struct tk_attr_column *columns;
    struct tk_attr_template *templates;
    uint32_t *template_columns;
    struct tk_attr_site *sites; /* by symbol */
    struct tk_attr_slot *slots;
    uint32_t *above; /* [slots] place of the slot of the same column in the site `parent`, + 1 */
    uint32_t *symbol_sites; /* [symbols + 1] sites of symbol s: [s, s + 1) */
    uint32_t *after; /* [site.slots + site + 1 + place] the place that came after that one last,
                        [site.slots + site] the first place; when ordered */
    uint32_t *links;
    uint64_t *values; /* text id, integer, or bits of a double */
    uint32_t column_count, template_count, template_columns_n, site_count, slot_count;
    uint32_t symbol_count, link_count, value_count;
    bool is_ordered; /* the order of a span's attributes is coded, too */
    bool is_decoded; /* text ids of class TEXT are those of the dictionary */

    /* Class TOKENS. */
    uint32_t max_tokens, max_patterns; /* of all columns */
    struct tk_map token_uses;          /* encoder: text of a token -> spans whose value has it */
    struct tk_map pattern_uses;        /* encoder: text of a pattern -> spans, likewise */
    uint32_t min_uses;                 /* encoder: tokens with fewer are made up; 0 = none */
    uint32_t min_id_uses;              /* the same of tokens that look like ids */
    uint64_t draw_key;                 /* decoder */

    struct tk_texts texts;
    struct tk_guesser choices;
    struct tk_bit order_bits[64][3];

    /* The trace at hand: by node - its first node. */
    uint32_t *node_sites;
    uint32_t *node_values; /* where in trace_values */
    uint32_t *trace_values;
    uint32_t trace_value_n;
    uint32_t max_values, max_trace_values, max_links;

    uint64_t template_bits;
    struct tk_arena memory;
};

/* How many there are of what; written before all else, so that the decoder knows. */
struct tk_attr_limits {
    uint32_t columns, values, templates, template_columns, sites, slots;
    uint32_t links;        /* of the slots that follow from others, all together */
    uint32_t trace_values; /* attributes of a trace */
};
#define TK_ATTR_LIMIT_COUNT (sizeof(struct tk_attr_limits) / sizeof(uint32_t))

/* Room for so much; `nodes` is the most of a trace. -ENOMEM. */
TK_MUST_USE int tk_attr_model_init(struct tk_attr_model *model, const struct tk_attr_limits *limits,
                                   uint32_t symbols, uint32_t nodes, struct tk_err *err);

/* Empty it but for its texts. */
void tk_attr_model_forget(struct tk_attr_model *model);

/* Accepts a zeroed struct. */
void tk_attr_model_release(struct tk_attr_model *model);

/* Whether values of a column are texts. */
static inline bool tk_attr_column_is_text(const struct tk_attr_column *column)
{
    return tk_attr_is_text(column->type);
}

/* The text of a value; `dictionary` is the block's. */
static inline tk_str tk_attr_model_text(const struct tk_attr_model *model,
                                        const struct tk_texts *dictionary,
                                        const struct tk_attr_column *column, uint32_t value)
{
    uint32_t id = (uint32_t)model->values[column->first + value];
    bool is_own = !model->is_decoded || column->attr_class != TK_ATTR_CLASS_TEXT;
    return tk_texts_get(is_own ? &model->texts : dictionary, id);
}

/* Where a coder stands, in 1/4096 bit: differences are what was coded between. */
uint64_t tk_attr_position(const struct tk_coder *coder);

/* Templates and sites with their slots, after the columns are known, both ways. -EBADMSG. */
TK_MUST_USE int tk_attr_code_sites(struct tk_attr_model *model, struct tk_coder *coder,
                                   const struct tk_attr_limits *limits, struct tk_err *err);

/* What is known of a node. */
struct tk_attr_node {
    uint32_t trace;
    uint32_t index;  /* of the node in its trace; the first one begins the trace */
    uint32_t parent; /* index of its parent there, TK_FOREST_TOP = none */
    uint32_t symbol;
    uint32_t child; /* symbol of its first child + 1; 0 = it has none */
};

/* Code the site of a node, and the values of its slots: `*site` and model->trace_values[model->
 * node_values[node->index] ..]. When encoding both are given. -EBADMSG. */
TK_MUST_USE int tk_attr_code_node(struct tk_attr_model *model, struct tk_coder *coder,
                                  const struct tk_attr_node *node, uint32_t *site,
                                  const uint32_t *values, struct tk_err *err);

/* The order in which the attributes of a node stood: order[i] = place of the i-th in its template.
 * `order` has room for twice as many. */
void tk_attr_code_order(struct tk_attr_model *model, struct tk_coder *coder, uint32_t site,
                        uint32_t *order);

#endif
