/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/exact_values.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

static struct tk_value *items_of(const struct tk_values *values)
{
    return (struct tk_value *)(void *)values->items.p;
}

int tk_values_init(struct tk_values *values, struct tk_err *err)
{
    *values = (struct tk_values){0};
    for (size_t i = 0; i < TK_VALUE_COLUMNS; i++)
        tk_exp_models_init(&values->numbers[i]);
    tk_buf_init(&values->items, (size_t)1 << 30);
    tk_buf_init(&values->new_texts, (size_t)1 << 30);
    return tk_choices_init(&values->choices, err);
}

void tk_values_release(struct tk_values *values)
{
    tk_choices_release(&values->choices);
    tk_buf_release(&values->items);
    tk_map_release(&values->known);
    tk_buf_release(&values->new_texts);
    tk_arena_release(&values->bytes);
    tk_map_release(&values->columns);
    free(values->texts);
    free(values->runs);
    *values = (struct tk_values){0};
}

/* Two values may share a hash: the later one is new each time then. */
static uint32_t find_known(const struct tk_values *values, const struct tk_value *value)
{
    uint32_t number;
    if (!tk_map_find(&values->known, tk_hash_mix(value->bits, value->type), &number))
        return 0;
    const struct tk_value *item = &items_of(values)[number - 1];
    return item->type == value->type && item->bits == value->bits ? number : 0;
}

static uint32_t add_item(struct tk_coder *coder, struct tk_values *values,
                         const struct tk_value *value)
{
    if (values->count == TK_CHOICE_MAX)
        values->failure = -EMSGSIZE;
    tk_buf_put(&values->items, (tk_str){(const char *)value, sizeof(*value)});
    if (!tk_buf_ok(&values->items) || values->failure != 0) {
        values->failure = values->failure != 0 ? values->failure : values->items.failure;
        values->bad = true;
        return 1; /* what it means no longer matters */
    }
    values->count++;
    if (coder->mode != TK_CODER_DECODE &&
        tk_map_add(&values->known, tk_hash_mix(value->bits, value->type), values->count) < 0)
        values->failure = -ENOMEM;
    return values->count;
}

/* The next text of a column. */
static uint64_t take_text(struct tk_values *values, uint32_t column)
{
    uint32_t at;
    if (tk_map_find(&values->columns, column, &at) && values->runs[at].next < values->runs[at].end)
        return values->runs[at].next++;
    values->bad = true;
    return UINT64_MAX;
}

static void code_text(struct tk_coder *coder, struct tk_values *values, uint32_t column,
                      struct tk_value *value)
{
    const struct tk_value_text text = {column, (uint32_t)value->bits, values->count};
    if (coder->mode == TK_CODER_DECODE) {
        value->bits = take_text(values, column);
    } else {
        tk_buf_put(&values->new_texts, (tk_str){(const char *)&text, sizeof(text)});
    }
}

/* The distance from the last new number of the column: its sign is the lowest bit. */
static void code_distance(struct tk_coder *coder, struct tk_values *values, uint32_t column,
                          struct tk_value *value)
{
    uint64_t *last = &values->last[column % TK_VALUE_COLUMNS];
    uint64_t distance = value->bits - *last;
    uint64_t folded = distance << 1 ^ (distance >> 63 ? UINT64_MAX : 0);
    folded = tk_code_exp(coder, &values->numbers[column % TK_VALUE_COLUMNS], folded);
    value->bits = *last + (folded >> 1 ^ (folded & 1 ? UINT64_MAX : 0));
    *last = value->bits;
}

static void code_new(struct tk_coder *coder, struct tk_values *values,
                     const struct tk_value_place *place, struct tk_value *value)
{
    const uint64_t contexts[2] = {place->column, place->kind};
    value->type =
        tk_code_choice(coder, &values->choices, TK_CHOICE_TYPE, contexts, value->type) & 7;
    if (tk_attr_is_text(value->type)) {
        code_text(coder, values, place->column, value);
    } else if (value->type == TK_ATTR_INT || value->type == TK_ATTR_BOOL) {
        code_distance(coder, values, place->column, value);
    } else if (value->type == TK_ATTR_DOUBLE) {
        uint32_t upper = tk_code_raw(coder, (uint32_t)(value->bits >> 32), 32);
        value->bits = (uint64_t)upper << 32 | tk_code_raw(coder, (uint32_t)value->bits, 32);
    } else {
        value->bits = 0;
    }
}

uint32_t tk_code_value(struct tk_coder *coder, struct tk_values *values,
                       const struct tk_value_place *place, struct tk_value *value)
{
    uint32_t number = coder->mode == TK_CODER_DECODE ? 0 : find_known(values, value);
    number = tk_code_choice(coder, &values->choices, place->kind, place->contexts, number);
    if (number == 0) {
        code_new(coder, values, place, value);
        return add_item(coder, values, value);
    }
    if (number > values->count) {
        values->bad = true;
        *value = (struct tk_value){.type = TK_ATTR_EMPTY};
        return 1;
    }
    *value = items_of(values)[number - 1];
    return number;
}
