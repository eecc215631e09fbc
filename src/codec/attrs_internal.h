/* SPDX-License-Identifier: Apache-2.0 */
/* Between encoder and decoder of attributes. */
#ifndef TK_CODEC_ATTRS_INTERNAL_H
#define TK_CODEC_ATTRS_INTERNAL_H

#include "codec/attr_template.h"

/* The values begin with a byte, so that a section without a decision is one. */
#define TK_ATTRS_MARK 1

/* What a model measured; keys of an encoder's model are found in the dictionary. -ENOMEM. */
TK_MUST_USE int tk_attr_report_fill(struct tk_attrs_report *report,
                                    const struct tk_attr_model *model,
                                    const struct tk_texts *dictionary, struct tk_err *err);

/* The symbol of a node's first child + 1; 0 = it has none. */
static inline uint32_t tk_attr_child(const struct tk_forest *forest, uint32_t node)
{
    return forest->sizes[node] > 1 ? forest->node_symbols[node + 1] + 1 : 0;
}

/* Pass over a node: decode it and add nothing. -EBADMSG. */
TK_MUST_USE int tk_attrs_decoder_skip(struct tk_attrs_decoder *decoder, uint32_t trace,
                                      uint32_t node, struct tk_err *err);

/* Nodes of the largest trace; at least 1. */
uint32_t tk_attr_largest_trace(const struct tk_forest *forest);

#endif
