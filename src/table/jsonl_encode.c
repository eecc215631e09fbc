/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Lines, writing: {"ts_ms":1758499200000,"node":"c0","cpu_util":12.50}\n
 *
 * A hot path: the recorder writes thousands of rows a second. The keys that a batch needs are laid
 * out once, each as `,"name":` in a slot of fixed size, so that a key is one copy of constant size;
 * room for all keys, numbers and texts of a row is reserved at once. Only a text that needs escapes
 * and a list go through the buffer piece by piece. Measured cost: bench/RESULTS.md, section json.
 */
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "base/scan.h"
#include "table/format.h"
#include "table/format_internal.h"

#define KEY_BYTES   40
#define VALUE_BYTES TK_F64_MAX /* the longest of null, false, an integer, a double */

struct key {
    char text[KEY_BYTES]; /* `,"name":` */
    size_t n;
};

struct layout {
    struct key keys[64];
    uint64_t nullable; /* columns that are written as null when absent */
    uint64_t texts;
    size_t row_bytes; /* room for all of a row but its texts and lists */
};

static void key_init(struct key *key, const char *name)
{
    size_t n = strlen(name);
    assert(n > 0 && n + 4 <= KEY_BYTES);
    memcpy(key->text, ",\"", 2);
    memcpy(key->text + 2, name, n);
    memcpy(key->text + 2 + n, "\":", 2);
    key->n = n + 4;
}

static void layout_init(struct layout *layout, const struct tk_batch *batch)
{
    const struct tk_schema *schema = batch->schema;
    layout->nullable = 0;
    layout->texts = 0;
    layout->row_bytes = schema->column_count * (KEY_BYTES + VALUE_BYTES) + 4;
    for (size_t i = 0; i < schema->column_count; i++) {
        const struct tk_column *column = &schema->columns[i];
        if (column->flags & TK_NULLABLE)
            layout->nullable |= 1ULL << i;
        if (column->type == TK_TEXT)
            layout->texts |= 1ULL << i;
    }
    uint64_t used = layout->nullable;
    for (size_t row = 0; row < batch->rows; row++)
        used |= batch->present[row];
    for (; used; used &= used - 1) {
        size_t column = (size_t)__builtin_ctzll(used);
        key_init(&layout->keys[column], schema->columns[column].name);
    }
}

/* Write a text or a list through the buffer: `at` is the end of what the row has so far. Returns
 * where the row goes on, with room for all of it, or NULL. */
static char *put_slowly(const struct tk_column *column, const union tk_value *value, const char *at,
                        size_t room, struct tk_buf *out)
{
    out->n = (size_t)(at - out->p);
    if (column->type == TK_TEXT) {
        tk_json_put_str(out, value->text);
    } else {
        tk_list_put_json(out, column, value->list);
    }
    return tk_buf_reserve(out, room);
}

/* Write a text that needs no escapes: the end of it, or NULL when it does. */
static char *put_plain(tk_str text, char *at)
{
    if (text.n > 0 && tk_skip_plain(text.p, text.p + text.n) != text.p + text.n)
        return NULL;
    *at++ = '"';
    if (text.n > 0)
        memcpy(at, text.p, text.n);
    at[text.n] = '"';
    return at + text.n + 1;
}

static char *put_word(const char *word, size_t n, char *at)
{
    memcpy(at, word, n);
    return at + n;
}

/* Write a value that is there. Returns where the row goes on, or NULL when the buffer is full. */
static char *put_value(const struct tk_column *column, const union tk_value *value, char *at,
                       size_t room, struct tk_buf *out)
{
    char *end;
    switch (column->type) {
    case TK_I64:
        return at + tk_i64_format(value->i64, at);
    case TK_F64:
        return at + tk_f64_format(value->f64, column->decimals, at);
    case TK_BOOL:
        return value->i64 ? put_word("true", 4, at) : put_word("false", 5, at);
    case TK_TEXT:
        end = put_plain(value->text, at);
        return end ? end : put_slowly(column, value, at, room, out);
    case TK_F64_LIST:
    case TK_TEXT_LIST:
        break;
    }
    return put_slowly(column, value, at, room, out);
}

static void put_row(const struct layout *layout, const struct tk_batch *batch, size_t row,
                    struct tk_buf *out)
{
    uint64_t present = batch->present[row];
    size_t room = layout->row_bytes;
    for (uint64_t left = present & layout->texts; left; left &= left - 1)
        room += tk_batch_at(batch, row, (size_t)__builtin_ctzll(left))->text.n + 2;
    char *at = tk_buf_reserve(out, room);
    if (!at)
        return;

    size_t start = out->n;
    for (uint64_t left = present | layout->nullable; left; left &= left - 1) {
        size_t column = (size_t)__builtin_ctzll(left);
        const struct key *key = &layout->keys[column];
        memcpy(at, key->text, KEY_BYTES);
        at += key->n;
        at = (present >> column & 1) ? put_value(&batch->schema->columns[column],
                                                 tk_batch_at(batch, row, column), at, room, out)
                                     : put_word("null", 4, at);
        if (!at) {
            out->n = start; /* whole rows only */
            return;
        }
    }
    at += at == out->p + start; /* no column at all */
    out->p[start] = '{';        /* where the first key has its comma */
    *at++ = '}';
    *at++ = '\n';
    out->n = (size_t)(at - out->p);
}

static void jsonl_batch(const struct tk_batch *batch, struct tk_buf *out)
{
    struct layout layout;
    layout_init(&layout, batch);
    for (size_t row = 0; row < batch->rows; row++)
        put_row(&layout, batch, row, out);
}

const struct tk_encoder tk_encoder_jsonl = {
    .name = "jsonl",
    .help = "JSON Lines: one object a line",
    .batch = jsonl_batch,
};
