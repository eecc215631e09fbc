/* SPDX-License-Identifier: Apache-2.0 */
/* Values that come as numbers of texts. A table of slots, shared by all columns, says which index a
 * number has in the dictionary of the column at hand:
 *
 *     id of a text  ->  slots[id] = {call, index}  ->  index
 *
 * A slot of another call is empty, so that nothing has to be cleared between columns. Each distinct
 * text is hashed once a call; a value costs one load from a table of eight bytes a text. */
#include <errno.h>

#include "table/parquet_internal.h"

#define SLICE 512  /* values between two looks at how many are distinct */
#define FEW   4096 /* distinct texts that may be a dictionary whatever the number of values */

struct slot {
    uint32_t call;
    uint32_t index;
};

/* Slots for all ids of this call, all empty. False when there is no room. */
static bool begin_call(struct tk_parquet_slots *slots, uint32_t count)
{
    size_t have = slots->slots.n;
    size_t need = count * sizeof(struct slot);
    if (need > have) {
        char *room = tk_buf_reserve(&slots->slots, need - have);
        if (!room)
            return false;
        memset(room, 0, need - have);
        slots->slots.n = need;
    }
    slots->call++;
    if (slots->call == 0) { /* all numbers are used up */
        memset(slots->slots.p, 0, slots->slots.n);
        slots->call = 1;
    }
    return true;
}

/* Look for a text in the dictionary; false when there is no room for it. */
static bool fill_slot(struct tk_dictionary *dictionary, const struct tk_parquet_ids *ids,
                      uint32_t id, uint32_t call, struct slot *ret_slot)
{
    int64_t index = tk_dictionary_add_text(dictionary, ids->get(ids->user, id), UINT32_MAX);
    if (index < 0)
        return false;
    *ret_slot = (struct slot){call, (uint32_t)index};
    return true;
}

/* Find the indices of `n` values. False when the dictionary would not pay: when more than half of
 * the values are distinct, or it became too large. */
static bool find_indices(struct tk_dictionary *dictionary, struct tk_parquet_slots *slots,
                         const struct tk_parquet_ids *ids, size_t n)
{
    struct slot *slot = (struct slot *)(void *)slots->slots.p;
    uint32_t *to = (uint32_t *)(void *)slots->indices.p;
    uint32_t before = dictionary->count;
    for (size_t begin = 0; begin < n; begin += SLICE) {
        size_t end = begin + SLICE < n ? begin + SLICE : n;
        for (size_t i = begin; i < end; i++) {
            if (slot[ids->ids[i]].call != slots->call &&
                !fill_slot(dictionary, ids, ids->ids[i], slots->call, &slot[ids->ids[i]]))
                return false;
            to[i] = slot[ids->ids[i]].index;
        }
        if (dictionary->count - before > FEW + end / 2)
            return false;
    }
    return true;
}

/* The values as texts, tk_str[n] in slots->indices. */
static bool find_texts(struct tk_parquet_slots *slots, const struct tk_parquet_ids *ids, size_t n)
{
    tk_buf_reset(&slots->indices);
    tk_str *views = (tk_str *)(void *)tk_buf_reserve(&slots->indices, (n + 1) * sizeof(*views));
    for (size_t i = 0; views && i < n; i++)
        views[i] = ids->get(ids->user, ids->ids[i]);
    return views != NULL;
}

void tk_parquet_column_add_ids(struct tk_parquet_column *column, struct tk_parquet_slots *slots,
                               const struct tk_parquet_ids *ids, const uint8_t *def,
                               const uint8_t *rep, size_t n)
{
    size_t values = def ? tk_parquet_count_level(def, n, column->leaf->max_def) : n;
    if (column->err->code < 0)
        return;
    if (!column->has_indices) /* what it begins with may need the dictionary */
        tk_parquet_column_end_page(column);
    tk_buf_reset(&slots->indices);
    if (!tk_buf_reserve(&slots->indices, (values + 1) * sizeof(uint32_t)) ||
        !begin_call(slots, ids->count)) {
        (void)tk_fail(column->err, -ENOMEM, "column %s: out of memory", column->node->name);
        return;
    }
    struct tk_dictionary_mark mark = tk_dictionary_mark(&column->dictionary);
    if (find_indices(&column->dictionary, slots, ids, values)) {
        const uint32_t *indices = (const uint32_t *)(const void *)slots->indices.p;
        tk_parquet_column_add_indices(column, indices, def, rep, n);
        return;
    }
    tk_dictionary_rewind(&column->dictionary, mark);
    if (find_texts(slots, ids, values)) {
        tk_parquet_column_add(column, slots->indices.p, def, rep, n);
    } else if (column->err->code == 0) {
        (void)tk_fail(column->err, -ENOMEM, "column %s: out of memory", column->node->name);
    }
}
