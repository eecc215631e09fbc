/* SPDX-License-Identifier: Apache-2.0 */
/* The encoder's first look at the attributes of a block: what columns, templates and sites there
 * are, and which value of its column each attribute is. Inside L3 only. One thread at a time. */
#ifndef TK_CODEC_ATTRS_GATHER_H
#define TK_CODEC_ATTRS_GATHER_H

#include "base/map.h"
#include "codec/attr_template.h"
#include "codec/gent_projection.h"

/* An attribute as the model has it: texts by their id there. */
struct tk_attr_item {
    uint32_t key;
    uint32_t type;
    uint64_t raw; /* text id, integer, or bits of a double */
};

/* A site as it was found. */
struct tk_attr_found_site {
    uint32_t symbol;
    uint32_t attr_template;
    uint32_t slots; /* in the arrays of slots below */
    uint32_t uses;
};

struct tk_attr_gather {
    struct tk_attr_model *model;            /* borrowed; columns, templates and values come there */
    const struct tk_forest *forest;         /* borrowed */
    const struct tk_span_batch *batch;      /* borrowed */
    const struct tk_codec_options *options; /* borrowed */
    uint32_t *text_ids;                     /* [texts of the batch] text of the model + 1 */

    uint32_t *node_sites;  /* [nodes] */
    uint32_t *node_firsts; /* [nodes + 1] first of its attributes */
    uint32_t *values;      /* [attributes] value of the column, by node, in template order */
    uint32_t *orders;      /* [attributes] as tk_attr_code_order() has it */
    uint32_t attr_count;
    uint32_t most; /* attributes of a node; at least 1 */
    uint64_t left_out;

    /* What a first look found: values that are rare there are left out here. NULL = keep all. */
    const struct tk_attr_gather *first_look;
    uint8_t *record_is_rare; /* [values] of a first look */
    uint8_t *column_classes; /* [columns] likewise */
    uint32_t *column_uses;   /* [columns] spans that have it */

    struct tk_attr_found_site *sites;
    uint32_t *slot_values; /* [slots] the first value of the slot */
    uint8_t *slot_varies;  /* [slots] others came */
    uint32_t slot_count;
    uint32_t *symbol_last; /* [symbols] site + 1 that came last */

    struct tk_map column_map;   /* key and type -> column */
    struct tk_map value_map;    /* hash of column and raw value -> record */
    struct tk_map template_map; /* hash of a set of columns -> template */
    struct tk_map site_map;     /* symbol and template -> site */
    uint64_t *record_raws;      /* [values] in the order in which they came */
    uint32_t *record_columns;
    uint32_t *record_uses;      /* spans that have it */
    uint32_t *value_uses;       /* the same, indexed as values of the model */
    uint32_t *record_values;    /* number in the column */
    uint32_t *column_last;      /* [columns] record that came last */
    uint64_t *template_sorted;  /* [template columns] column << 32 | place, sorted */
    struct tk_attr_item *items; /* of the node at hand */
    uint32_t *columns;          /* of it */
    uint64_t *sorted;           /* of it: column << 32 | number of the item, sorted */
    struct tk_projector projector;
    uint32_t unknown; /* text that Gen-T has for a missing string */
    uint32_t gent_keys[TK_GENT_KINDS][TK_GENT_ATTRS];
    uint32_t gent_issue; /* key */
    struct tk_arena memory;
};

/* Attributes of all nodes; -ENOMEM, -EMSGSIZE. Release it also after a failure. */
struct tk_attr_gather_input {
    const struct tk_forest *forest;
    const struct tk_span_batch *batch;
    const struct tk_codec_options *options;
    const struct tk_attr_gather *first_look; /* NULL = none */
};
TK_MUST_USE int tk_attr_gather_run(struct tk_attr_gather *gather, struct tk_attr_model *model,
                                   const struct tk_attr_gather_input *input, struct tk_err *err);

/* End of a first look, when its classes are chosen: mark the values that fewer than `min_count`
 * spans have, and empty the model. Of ids that are drawn, and of texts in patterns that are not
 * rare, none is: what is rare in them is made up. */
void tk_attr_gather_mark(struct tk_attr_gather *gather, uint32_t min_count);

/* Columns of a second look are of the class that they were of in the first. */
void tk_attr_gather_classes(struct tk_attr_gather *gather);

/* Number sites by symbol, and find which slots are constant and which follow from others. -ENOMEM.
 */
TK_MUST_USE int tk_attr_gather_sites(struct tk_attr_gather *gather, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_attr_gather_release(struct tk_attr_gather *gather);

#endif
