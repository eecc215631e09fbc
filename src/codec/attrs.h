/* SPDX-License-Identifier: Apache-2.0 */
/* L3: the attributes of all spans of a block, their resources and scopes (trace-compression.md
 * section 9; docs/format-tkz.md section "Attributes").
 *
 *     column     a key with a type: its different values, numbered as they first come
 *     template   the columns of a span, a set; the order is that of the first span that had it
 *     site       a template of a symbol: what spans of one symbol have in common. A value that is
 *                the same at all spans of a site is told once, one that follows from another of the
 *                same span whenever that is new; the rest are choices (attr_values.h)
 *
 * How the different values of a column are told is its class, found by what the block shows. One
 * thread at a time per decoder. */
#ifndef TK_CODEC_ATTRS_H
#define TK_CODEC_ATTRS_H

#include "codec/codec.h"
#include "codec/forest.h"
#include "codec/stream.h"

enum tk_attr_class {
    TK_ATTR_CLASS_TEXT = 0, /* whole texts in the dictionary of the block */
    TK_ATTR_CLASS_NUMBER,   /* integers, booleans, bits of doubles */
    TK_ATTR_CLASS_TOKENS,   /* texts as patterns and what stands in their slots */
    TK_ATTR_CLASS_ID,       /* digits of a common form */
    TK_ATTR_CLASS_DRAWN,    /* the same, made up: equal inside a trace where they were */
    TK_ATTR_CLASS_COUNT
};

/* Names by enum tk_attr_class, as reports have them. */
extern const char *const tk_attr_class_names[TK_ATTR_CLASS_COUNT];

/* What became of a key: measured while coding. */
struct tk_attr_key_report {
    tk_str key;          /* of the forest's dictionary, or of `names` */
    uint8_t type;        /* enum tk_attr_type */
    uint8_t attr_class;  /* enum tk_attr_class */
    bool is_exact;       /* all values come back as they were */
    uint32_t distinct;   /* values */
    uint64_t uses;       /* spans that have it */
    uint64_t value_bits; /* of its different values, in 1/4096 bit; texts of the dictionary of the
                            block are not among them */
    uint64_t use_bits;   /* of which span has which, in 1/4096 bit */
};

struct tk_attrs_report {
    struct tk_attr_key_report *keys; /* [key_count]; owned */
    size_t key_count;
    uint64_t template_bits; /* which span has which template, in 1/4096 bit */
    uint64_t left_out;      /* attributes that the mode or `min_count` took away */
    struct tk_arena names;  /* of tk_attrs_file_report(): texts of keys */
};

/* Accepts a zeroed struct. */
void tk_attrs_report_release(struct tk_attrs_report *report);

/* Code attributes, resources and scopes of the rows that the forest was built of. Adds texts to the
 * forest's dictionary. `ret_report` may be NULL; its keys live as long as that dictionary.
 * -ENOMEM, -EMSGSIZE. */
TK_MUST_USE int tk_attrs_encode(struct tk_forest *forest, const struct tk_span_batch *batch,
                                const struct tk_codec_options *options,
                                struct tk_section_set *sections, struct tk_attrs_report *ret_report,
                                struct tk_err *err);

/* Reads the attributes of one block, node by node. */
struct tk_attrs_decoder;

/* The forest has its symbols, trees and the dictionary of the block by now, and stays. Where the
 * sections of attributes are missing or damaged, spans have none, and what is known of their
 * resource is the service of their symbol: `ret_missing` says so. -ENOMEM, -EBADMSG. */
TK_MUST_USE int tk_attrs_decoder_new(const struct tk_block *block, const struct tk_forest *forest,
                                     uint64_t draw_key, struct tk_attrs_decoder **ret_decoder,
                                     bool *ret_missing, struct tk_err *err);

/* Accepts NULL. */
void tk_attrs_decoder_free(struct tk_attrs_decoder *decoder);

/* For TK_CLEANUP. */
void tk_attrs_decoder_freep(struct tk_attrs_decoder **decoder);

/* Rows go to this batch next: a new one, or one that was reset. */
void tk_attrs_decoder_begin(struct tk_attrs_decoder *decoder, struct tk_span_batch *batch);

/* Add the scope and the attributes of a node to the last row of the batch. Nodes come in their
 * order, each once; but after -ENOBUFS (the batch is full: take the row back, hand the batch on,
 * reset it, and begin) the same once more. -EBADMSG when the section is damaged. */
TK_MUST_USE int tk_attrs_decode_node(struct tk_attrs_decoder *decoder, uint32_t trace,
                                     uint32_t node, struct tk_err *err);

/* What the block spends on which key, so far. Keys live as long as the forest's dictionary. */
TK_MUST_USE int tk_attrs_decoder_report(const struct tk_attrs_decoder *decoder,
                                        struct tk_attrs_report *ret_report, struct tk_err *err);

/* What a whole file spends on which key: all blocks are decoded, and their keys of one type and
 * class added up; distinct values too, as each block has its own. A block that is damaged is left
 * out. -EOPNOTSUPP, -EMSGSIZE, -ENOMEM. */
TK_MUST_USE int tk_attrs_file_report(tk_str file, struct tk_attrs_report *ret_report,
                                     struct tk_err *err);

#endif
