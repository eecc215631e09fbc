/* SPDX-License-Identifier: Apache-2.0 */
/* How the different values of a column are told: its class, chosen by what the values look like,
 * never by the name of the key; and columns as bytes, both ways. Inside L3 only. One thread at a
 * time. */
#ifndef TK_CODEC_ATTR_CLASS_H
#define TK_CODEC_ATTR_CLASS_H

#include "codec/attr_template.h"

/* What stands for a digit in the form of an id. */
#define TK_ATTR_FORM_LOWER   1 /* 0-9a-f */
#define TK_ATTR_FORM_UPPER   2 /* 0-9A-F */
#define TK_ATTR_FORM_DECIMAL 3
#define TK_ATTR_FORM_SMALL   4   /* a-z */
#define TK_ATTR_FORM_CAPITAL 5   /* A-Z */
#define TK_ATTR_FORM_MAX     256 /* bytes */

/* Choose the class of every column, by its values and `uses`, how many spans have each (indexed as
 * model->values). A class that was chosen before stays (`is_chosen`). Ids are drawn unless `exact`,
 * or as the user wishes. Forms are texts of the model. -EMSGSIZE, -ENOMEM; -EINVAL for a wish that
 * cannot be. */
TK_MUST_USE int tk_attr_choose_classes(struct tk_attr_model *model, const uint32_t *uses,
                                       bool exact, struct tk_err *err);

/* How many spans have a value of the pattern of this text, in all columns of class TOKENS. */
uint32_t tk_attr_pattern_uses(const struct tk_attr_model *model, tk_str text);

/* The texts of a block's dictionary as a coder knows them: those that follow each other, and those
 * that were there before. */
struct tk_attr_words {
    struct tk_texts *texts;       /* when encoding: it grows; NULL when decoding */
    const struct tk_texts *known; /* the same, to read */
    uint32_t next;                /* the text that comes next if it is a new one */
    struct tk_bit is_next;
};
void tk_attr_words_init(struct tk_attr_words *words, struct tk_texts *texts,
                        const struct tk_texts *known, uint32_t next);

/* Code a text by its number in the dictionary, where the encoder adds it; returns the number.
 * Of a damaged stream a number that is no text may come: callers check. */
uint32_t tk_attr_code_word(struct tk_attr_words *words, struct tk_coder *coder, tk_str text);

/* Code columns with their values, both ways: fills columns and values of a decoder's model.
 * -EBADMSG, -EMSGSIZE. */
TK_MUST_USE int tk_attr_code_columns(struct tk_attr_model *model, struct tk_coder *coder,
                                     struct tk_attr_words *words,
                                     const struct tk_attr_limits *limits, struct tk_err *err);

/* Write an id of this form, its digits from random bits; `ret` has room for form.n bytes. */
void tk_attr_draw_id(tk_str form, uint64_t bits, char *ret);

#endif
