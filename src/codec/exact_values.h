/* SPDX-License-Identifier: Apache-2.0 */
/* The distinct names, messages, keys and attribute values of a section, by number in the order in
 * which they first come: known ones are choices (exact_choice.h), new ones are written out, texts
 * apart from the rest, by column, as one zstd frame (docs/format-tkz.md section "Exact values").
 * One function for both directions; one thread at a time. */
#ifndef TK_CODEC_EXACT_VALUES_H
#define TK_CODEC_EXACT_VALUES_H

#include "base/map.h"
#include "codec/exact_choice.h"
#include "span/span_batch.h"

#define TK_VALUES_TEXTS_MAX ((size_t)256 << 20) /* bytes of all texts of a section */
#define TK_VALUE_COLUMNS    64                  /* models of numbers; columns share them */

/* Columns of texts: texts of a column stand together. */
enum tk_value_column {
    TK_VALUE_MESSAGES = 0,
    TK_VALUE_TRACE_STATES,
    TK_VALUE_EVENT_NAMES,
    TK_VALUE_KEYS,
    TK_VALUE_NUMBERS,    /* flags and dropped counts: no texts */
    TK_VALUE_OF_KEY = 8, /* + the number of the key */
};

/* A value: of a text `bits` is its number in the batch (encoder) or among the texts read (decoder),
 * else the number, or the double's bits. */
struct tk_value {
    uint32_t type; /* enum tk_attr_type */
    uint64_t bits;
};

/* Where a value stands. */
struct tk_value_place {
    enum tk_choice_kind kind;
    uint32_t column;      /* enum tk_value_column */
    uint64_t contexts[2]; /* as of tk_code_choice() */
};

struct tk_value_text {
    uint32_t column;
    uint32_t text;
    uint32_t place; /* among all new ones */
};

struct tk_value_run {
    uint32_t next, end; /* of the texts read */
};

struct tk_values {
    struct tk_choices choices;
    struct tk_exp_models numbers[TK_VALUE_COLUMNS];
    uint64_t last[TK_VALUE_COLUMNS];
    struct tk_buf items;     /* struct tk_value [count] */
    uint32_t count;          /* number 0 = a new one; the first is 1 */
    struct tk_map known;     /* encoder: hash of the value -> its number */
    struct tk_buf new_texts; /* encoder: struct tk_value_text, as they come */
    struct tk_arena bytes;   /* decoder: all texts */
    tk_str *texts;           /* decoder: owned; [text_count] */
    uint32_t text_count;
    struct tk_map columns;     /* decoder: column -> place in `runs` */
    struct tk_value_run *runs; /* decoder: owned */
    bool bad;                  /* decoder: what was read cannot be */
    int failure;               /* encoder: -ENOMEM, -EMSGSIZE */
};

/* Begin; of a decoder with tk_values_read_texts() then. Release it also after a failure. -ENOMEM.
 */
TK_MUST_USE int tk_values_init(struct tk_values *values, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_values_release(struct tk_values *values);

/* Code a value that stands at `place`; returns its number. A decoder fills `value`. */
uint32_t tk_code_value(struct tk_coder *coder, struct tk_values *values,
                       const struct tk_value_place *place, struct tk_value *value);

/* Encoder: append the section with the texts that were new. -ENOMEM, -EMSGSIZE. */
TK_MUST_USE int tk_values_write_texts(struct tk_values *values, const struct tk_texts *source,
                                      struct tk_buf *out, struct tk_err *err);

/* Decoder: read that section; -EBADMSG. */
TK_MUST_USE int tk_values_read_texts(struct tk_values *values, tk_str section, struct tk_err *err);

/* The value of an attribute, and an attribute's value from one: `texts` of the batch. */
static inline struct tk_value tk_value_of(const struct tk_attr *attr)
{
    if (tk_attr_is_text(attr->type))
        return (struct tk_value){attr->type, attr->text};
    return (struct tk_value){attr->type, attr->type == TK_ATTR_EMPTY ? 0 : (uint64_t)attr->i64};
}

/* Decoder: the text of a value of text. */
static inline tk_str tk_value_text(const struct tk_values *values, const struct tk_value *value)
{
    return value->bits < values->text_count ? values->texts[value->bits] : (tk_str){NULL, 0};
}

#endif
