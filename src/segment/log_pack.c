/* SPDX-License-Identifier: Apache-2.0 */
/* Of 541 bytes of a span with 10 attributes, which are 262 in a batch, 85 are written: 12 ns of
 * packing for 60 of the kernel's. */
#include "segment/log_pack.h"

#include <string.h>

#include "base/hash.h"
#include "span/span_batch.h"

enum form { PLAIN = 0, SAME, STEP, NEAR, RUNS, SHAPED };

static bool take(tk_str *rest, void *to, size_t n)
{
    if (rest->n < n)
        return false;
    if (n > 0)
        memcpy(to, rest->p, n);
    *rest = (tk_str){rest->p + n, rest->n - n};
    return true;
}

static char *put(char *to, const void *from, size_t n)
{
    memcpy(to, from, n);
    return to + n;
}

/* Numbers ------------------------------------------------------------------------------------ */

static bool is_same(const char *from, size_t width, size_t n)
{
    return memcmp(from, from + width, (n - 1) * width) == 0;
}

static bool is_stepped(const uint32_t *from, size_t n)
{
    size_t i = 1;
    while (i < n && from[i] - from[i - 1] == from[1] - from[0])
        i++;
    return i == n;
}

/* Whether all lie within four bytes of the least of them. */
static bool is_near(const uint64_t *from, size_t n, uint64_t *ret_least)
{
    uint64_t least = from[0];
    uint64_t most = from[0];
    if (from[n / 2] - from[0] + UINT32_MAX > (uint64_t)2 * UINT32_MAX)
        return false;
    for (size_t i = 1; i < n; i++) {
        least = from[i] < least ? from[i] : least;
        most = from[i] > most ? from[i] : most;
    }
    *ret_least = least;
    return most - least <= UINT32_MAX;
}

static char *put_near(const uint64_t *from, size_t n, uint64_t least, char *to)
{
    to = put(to, &least, sizeof(least));
    for (size_t i = 0; i < n; i++) {
        uint32_t above = (uint32_t)(from[i] - least);
        memcpy(to + i * sizeof(above), &above, sizeof(above));
    }
    return to + n * sizeof(uint32_t);
}

static char *pack_numbers(const struct tk_log_items *items, const void *from, char *to,
                          uint8_t *ret_form)
{
    uint64_t least;
    size_t width = items->width;
    *ret_form = PLAIN;
    if (is_same(from, width, items->n)) {
        *ret_form = SAME;
        return put(to, from, width);
    }
    if (width == sizeof(uint32_t) && is_stepped(from, items->n)) {
        *ret_form = STEP;
        return put(to, from, 2 * sizeof(uint32_t)); /* the second tells the step */
    }
    if (width == sizeof(uint64_t) && is_near(from, items->n, &least)) {
        *ret_form = NEAR;
        return put_near(from, items->n, least, to);
    }
    return put(to, from, items->n * width);
}

/* Zero is not written over zero: a column that nobody fills takes no memory (span_batch.h). */
static bool take_same(const struct tk_log_items *items, tk_str *rest, char *to)
{
    static const char zeros[sizeof(uint64_t)];
    char item[sizeof(uint64_t)];
    if (!take(rest, item, items->width))
        return false;
    bool is_zero = memcmp(item, zeros, items->width) == 0;
    for (size_t i = 0; i < items->n; i++, to += items->width) {
        if (!is_zero || memcmp(to, zeros, items->width) != 0)
            memcpy(to, item, items->width);
    }
    return true;
}

static bool take_steps(size_t n, tk_str *rest, uint32_t *to)
{
    uint32_t first[2];
    if (n < 2 || !take(rest, first, sizeof(first)))
        return false;
    for (size_t i = 0; i < n; i++)
        to[i] = first[0] + (uint32_t)i * (first[1] - first[0]);
    return true;
}

static bool take_near(size_t n, tk_str *rest, uint64_t *to)
{
    uint64_t least;
    if (!take(rest, &least, sizeof(least)) || rest->n / sizeof(uint32_t) < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint32_t above;
        memcpy(&above, rest->p + i * sizeof(above), sizeof(above));
        to[i] = least + above;
    }
    n *= sizeof(uint32_t);
    *rest = (tk_str){rest->p + n, rest->n - n};
    return true;
}

static bool unpack_numbers(const struct tk_log_items *items, uint8_t form, tk_str *rest, void *to)
{
    switch (form) {
    case SAME:
        return take_same(items, rest, to);
    case STEP:
        return items->width == sizeof(uint32_t) && take_steps(items->n, rest, to);
    case NEAR:
        return items->width == sizeof(uint64_t) && take_near(items->n, rest, to);
    default:
        return false;
    }
}

/* Ids ---------------------------------------------------------------------------------------- */

#define ID_BYTES 16

static char *pack_ids(const struct tk_log_items *items, const char *from, char *to)
{
    uint8_t *bits = (uint8_t *)to;
    memset(bits, 0, (items->n + 7) / 8);
    to += (items->n + 7) / 8;
    for (size_t i = 0; i < items->n; i++, from += ID_BYTES) {
        if (i > 0 && memcmp(from, from - ID_BYTES, ID_BYTES) == 0) {
            bits[i / 8] |= (uint8_t)(1U << i % 8);
        } else {
            to = put(to, from, ID_BYTES);
        }
    }
    return to;
}

static bool unpack_ids(const struct tk_log_items *items, tk_str *rest, char *to)
{
    size_t bytes = (items->n + 7) / 8;
    if (rest->n < bytes)
        return false;
    const uint8_t *bits = (const uint8_t *)rest->p;
    *rest = (tk_str){rest->p + bytes, rest->n - bytes};
    for (size_t i = 0; i < items->n; i++, to += ID_BYTES) {
        if (i > 0 && (bits[i / 8] >> i % 8 & 1)) {
            memcpy(to, to - ID_BYTES, ID_BYTES);
        } else if (!take(rest, to, ID_BYTES)) {
            return false;
        }
    }
    return true;
}

/* Attributes --------------------------------------------------------------------------------- */

#define SHAPES 255 /* of a block that have a number; also the number of all others */

/* Key and type, the first eight bytes of an attribute. */
#define HEAD_BYTES sizeof(uint64_t)
_Static_assert(sizeof(struct tk_attr) == 2 * HEAD_BYTES, "key, type, value");

static uint64_t head_of(const struct tk_attr *attr)
{
    return attr->key | (uint64_t)attr->type << 32;
}

/* Rows of which each was the first of its shape. */
struct shapes {
    unsigned count;
    struct shape {
        const struct tk_attr *attrs;
        size_t n;
    } items[SHAPES];
};

/* And how a shape is found. */
struct shape_finder {
    struct shapes shapes;
    unsigned last;        /* that was found */
    uint8_t by_hash[256]; /* one that has this hash; SHAPES = none */
};

static bool is_shape(const struct shape *shape, const struct tk_attr *attrs, size_t n)
{
    uint64_t differs = shape->n ^ n;
    for (size_t i = 0; differs == 0 && i < n; i++)
        differs = head_of(&attrs[i]) ^ head_of(&shape->attrs[i]);
    return differs == 0;
}

/* The number of the row's shape, count when it has become one, SHAPES when it is none. */
static unsigned find_shape(struct shape_finder *finder, const struct tk_attr *attrs, size_t n)
{
    struct shapes *shapes = &finder->shapes;
    if (shapes->count > 0 && is_shape(&shapes->items[finder->last], attrs, n))
        return finder->last;
    uint64_t hash = n;
    for (size_t i = 0; i < n; i++)
        hash = tk_hash_fold(hash ^ head_of(&attrs[i]), 0x9E3779B97F4A7C15ULL);
    uint8_t *known = &finder->by_hash[hash & 255];
    if (*known != SHAPES && is_shape(&shapes->items[*known], attrs, n)) {
        finder->last = *known;
        return *known;
    }
    if (shapes->count == SHAPES)
        return SHAPES;
    shapes->items[shapes->count] = (struct shape){attrs, n};
    finder->last = shapes->count;
    *known = (uint8_t)shapes->count;
    return shapes->count++;
}

/* A value takes eight bytes, of which the next one takes four when it is the number of a text. */
static char *put_values(const struct tk_attr *attrs, size_t n, char *to)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(to, &attrs[i].i64, sizeof(int64_t));
        to += tk_attr_is_text(attrs[i].type) ? sizeof(uint32_t) : sizeof(int64_t);
    }
    return to;
}

static char *pack_attrs(const struct tk_log_items *items, const struct tk_attr *from, char *to)
{
    struct shape_finder finder;
    uint32_t begin = items->begin;
    finder.last = finder.shapes.count = 0;
    memset(finder.by_hash, SHAPES, sizeof(finder.by_hash));
    for (size_t row = 0; row < items->rows; row++) {
        size_t n = items->ends[row] - begin;
        unsigned known = finder.shapes.count;
        unsigned shape = find_shape(&finder, from, n);
        *to++ = (char)shape;
        for (size_t i = 0; shape >= known && i < n; i++, to += HEAD_BYTES) {
            uint64_t head = head_of(&from[i]);
            memcpy(to, &head, HEAD_BYTES);
        }
        to = put_values(from, n, to);
        from += n;
        begin = items->ends[row];
    }
    return to;
}

static bool take_heads(tk_str *rest, struct tk_attr *attrs, size_t n)
{
    if (rest->n / HEAD_BYTES < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint64_t head;
        memcpy(&head, rest->p + i * HEAD_BYTES, HEAD_BYTES);
        attrs[i] = (struct tk_attr){.key = (uint32_t)head, .type = (uint32_t)(head >> 32)};
    }
    *rest = (tk_str){rest->p + n * HEAD_BYTES, rest->n - n * HEAD_BYTES};
    return true;
}

static bool take_row(struct shapes *shapes, tk_str *rest, struct tk_attr *attrs, size_t n)
{
    uint8_t number;
    bool ok = take(rest, &number, 1);
    if (ok && number < shapes->count) {
        const struct shape *shape = &shapes->items[number];
        ok = shape->n == n;
        for (size_t i = 0; ok && i < n; i++)
            attrs[i] = (struct tk_attr){.key = shape->attrs[i].key, .type = shape->attrs[i].type};
    } else if (ok) {
        ok = (number == shapes->count || number == SHAPES) && take_heads(rest, attrs, n);
        if (ok && number < SHAPES)
            shapes->items[shapes->count++] = (struct shape){attrs, n};
    }
    for (size_t i = 0; ok && i < n; i++) {
        attrs[i].i64 = 0;
        ok = take(rest, &attrs[i].i64,
                  tk_attr_is_text(attrs[i].type) ? sizeof(uint32_t) : sizeof(int64_t));
    }
    return ok;
}

static bool unpack_attrs(const struct tk_log_items *items, tk_str *rest, struct tk_attr *to)
{
    struct shapes shapes;
    uint32_t begin = items->begin;
    size_t left = items->n;
    shapes.count = 0;
    for (size_t row = 0; row < items->rows; row++) {
        size_t n = items->ends[row] - begin;
        if (items->ends[row] < begin || n > left || !take_row(&shapes, rest, to, n))
            return false;
        to += n;
        left -= n;
        begin = items->ends[row];
    }
    return left == 0;
}

/* All ---------------------------------------------------------------------------------------- */

size_t tk_log_pack_bound(const struct tk_log_items *items)
{
    return items->n * items->width + items->n + items->rows + 2 * sizeof(uint64_t);
}

char *tk_log_pack(const struct tk_log_items *items, const void *from, char *to, uint8_t *ret_form)
{
    *ret_form = PLAIN;
    if (items->n == 0 && items->kind != TK_LOG_ATTRS)
        return to;
    switch (items->kind) {
    case TK_LOG_NUMBERS:
        return pack_numbers(items, from, to, ret_form);
    case TK_LOG_IDS:
        *ret_form = RUNS;
        return pack_ids(items, from, to);
    case TK_LOG_ATTRS:
        *ret_form = SHAPED;
        return pack_attrs(items, from, to);
    case TK_LOG_ITEMS:
        break;
    }
    return put(to, from, items->n * items->width);
}

bool tk_log_unpack(const struct tk_log_items *items, uint8_t form, tk_str *rest, void *to)
{
    if (form == PLAIN && items->kind != TK_LOG_ATTRS)
        return take(rest, to, items->n * items->width);
    switch (items->kind) {
    case TK_LOG_NUMBERS:
        return unpack_numbers(items, form, rest, to);
    case TK_LOG_IDS:
        return form == RUNS && unpack_ids(items, rest, to);
    case TK_LOG_ATTRS:
        return form == SHAPED && unpack_attrs(items, rest, to);
    case TK_LOG_ITEMS:
        break;
    }
    return false;
}
