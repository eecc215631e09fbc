/* SPDX-License-Identifier: Apache-2.0 */
/* Minimum and maximum of values, as parquet.thrift's ColumnOrder wants them: integers by value,
 * signed or not; doubles without NaN; bytes as memcmp. */
#include <string.h>

#include "table/parquet_internal.h"

enum order {
    ORDER_NONE,
    ORDER_BOOL,
    ORDER_I32,
    ORDER_U32,
    ORDER_I64,
    ORDER_U64,
    ORDER_F32,
    ORDER_F64,
    ORDER_BYTES
};

static enum order order_of(const struct tk_parquet_node *node)
{
    bool is_unsigned = node->logical >= TK_PARQUET_UINT8 && node->logical <= TK_PARQUET_UINT64;
    bool has_none = node->logical == TK_PARQUET_DECIMAL || node->logical == TK_PARQUET_INTERVAL ||
                    node->logical == TK_PARQUET_FLOAT16 || node->fixed_bytes > TK_BOUND_BYTES;
    switch (node->type) {
    case TK_PARQUET_BOOL:
        return ORDER_BOOL;
    case TK_PARQUET_I32:
        return is_unsigned ? ORDER_U32 : ORDER_I32;
    case TK_PARQUET_I64:
        return is_unsigned ? ORDER_U64 : ORDER_I64;
    case TK_PARQUET_F32:
        return ORDER_F32;
    case TK_PARQUET_F64:
        return ORDER_F64;
    case TK_PARQUET_BYTES:
    case TK_PARQUET_FIXED:
        return has_none ? ORDER_NONE : ORDER_BYTES;
    case TK_PARQUET_I96:
    case TK_PARQUET_GROUP:
        break;
    }
    return ORDER_NONE;
}

static void set_bound(struct tk_parquet_bound *bound, const void *bytes, size_t n)
{
    bound->n = (uint8_t)n;
    bound->exact = true;
    memcpy(bound->bytes, bytes, n);
}

/* Numbers ------------------------------------------------------------------------------ */

/* Loops that the compiler turns into vector instructions. */
#define FIND_RANGE(name, type)                                                                     \
    static void name(const struct tk_parquet_values *values, struct tk_parquet_bounds *ret)        \
    {                                                                                              \
        const type *value = (const type *)(const void *)values->fixed;                             \
        type min = value[0];                                                                       \
        type max = value[0];                                                                       \
        for (size_t i = 1; i < values->n; i++) {                                                   \
            min = value[i] < min ? value[i] : min;                                                 \
            max = value[i] > max ? value[i] : max;                                                 \
        }                                                                                          \
        ret->has = true;                                                                           \
        set_bound(&ret->min, &min, sizeof(min));                                                   \
        set_bound(&ret->max, &max, sizeof(max));                                                   \
    }

FIND_RANGE(find_bool, uint8_t)
FIND_RANGE(find_i32, int32_t)
FIND_RANGE(find_u32, uint32_t)
FIND_RANGE(find_i64, int64_t)
FIND_RANGE(find_u64, uint64_t)

/* A comparison with NaN is false, so that it never gets in; with nothing else min stays above max.
 */
#define FIND_FLOAT_RANGE(name, type)                                                               \
    static void name(const struct tk_parquet_values *values, struct tk_parquet_bounds *ret)        \
    {                                                                                              \
        const type *value = (const type *)(const void *)values->fixed;                             \
        type min = (type)__builtin_inf();                                                          \
        type max = (type)-__builtin_inf();                                                         \
        for (size_t i = 0; i < values->n; i++) {                                                   \
            min = value[i] < min ? value[i] : min;                                                 \
            max = value[i] > max ? value[i] : max;                                                 \
        }                                                                                          \
        min = min == 0 ? (type)-0.0 : min;                                                         \
        max = max == 0 ? (type)0.0 : max;                                                          \
        ret->has = min <= max;                                                                     \
        set_bound(&ret->min, &min, sizeof(min));                                                   \
        set_bound(&ret->max, &max, sizeof(max));                                                   \
    }

FIND_FLOAT_RANGE(find_f32, float)
FIND_FLOAT_RANGE(find_f64, double)

/* Bytes ---------------------------------------------------------------------------------- */

/* The least text of that many bytes that is greater than all that begin as `bound`: the last byte
 * that can be is one greater, what follows it goes. ASCII stays ASCII, so that UTF-8 stays UTF-8.
 * False when there is none. */
static bool round_up(struct tk_parquet_bound *bound, bool is_text)
{
    unsigned char most = is_text ? 0x7E : 0xFE;
    while (bound->n > 0 && (unsigned char)bound->bytes[bound->n - 1] > most)
        bound->n--;
    if (bound->n == 0)
        return false;
    bound->bytes[bound->n - 1]++;
    return true;
}

static bool set_text_bounds(const struct tk_parquet_node *node, tk_str min, tk_str max,
                            struct tk_parquet_bounds *ret)
{
    bool is_text = node->logical != TK_PARQUET_RAW && node->logical != TK_PARQUET_BSON;
    size_t n = min.n < TK_BOUND_BYTES ? min.n : TK_BOUND_BYTES;
    while (is_text && n > 0 && n < min.n && ((unsigned char)min.p[n] & 0xC0) == 0x80)
        n--;
    set_bound(&ret->min, n > 0 ? min.p : "", n);
    ret->min.exact = n == min.n;
    n = max.n < TK_BOUND_BYTES ? max.n : TK_BOUND_BYTES;
    set_bound(&ret->max, n > 0 ? max.p : "", n);
    ret->max.exact = n == max.n;
    return ret->max.exact || round_up(&ret->max, is_text);
}

static void find_texts(const struct tk_parquet_node *node, const struct tk_parquet_values *values,
                       struct tk_parquet_bounds *ret)
{
    const char *p = values->fixed ? values->fixed : values->text;
    struct tk_text_ends ends = {.min_head = 0};
    for (size_t i = 0; i < values->n; i++) {
        tk_str text = {p, values->fixed ? node->fixed_bytes : values->lengths[i]};
        p += text.n;
        tk_text_ends_add(&ends, text);
    }
    tk_parquet_bounds_set(node, ends.min, ends.max, ret);
}

void tk_parquet_bounds_set(const struct tk_parquet_node *node, tk_str min, tk_str max,
                           struct tk_parquet_bounds *ret_bounds)
{
    ret_bounds->has = set_text_bounds(node, min, max, ret_bounds);
    ret_bounds->lost = !ret_bounds->has;
}

void tk_parquet_bounds_find(const struct tk_parquet_node *node,
                            const struct tk_parquet_values *values,
                            struct tk_parquet_bounds *ret_bounds)
{
    static void (*const finders[])(const struct tk_parquet_values *, struct tk_parquet_bounds *) = {
        [ORDER_BOOL] = find_bool, [ORDER_I32] = find_i32, [ORDER_U32] = find_u32,
        [ORDER_I64] = find_i64,   [ORDER_U64] = find_u64, [ORDER_F32] = find_f32,
        [ORDER_F64] = find_f64,
    };
    enum order order = order_of(node);
    ret_bounds->has = false;
    ret_bounds->lost = false;
    if (order == ORDER_NONE || values->n == 0)
        return;
    if (order == ORDER_BYTES) {
        find_texts(node, values, ret_bounds);
    } else {
        finders[order](values, ret_bounds);
    }
}

#define COMPARE(type)                                                                              \
    do {                                                                                           \
        type x, y;                                                                                 \
        memcpy(&x, a->bytes, sizeof(x));                                                           \
        memcpy(&y, b->bytes, sizeof(y));                                                           \
        return (x > y) - (x < y);                                                                  \
    } while (0)

int tk_parquet_bound_cmp(const struct tk_parquet_node *node, const struct tk_parquet_bound *a,
                         const struct tk_parquet_bound *b)
{
    switch (order_of(node)) {
    case ORDER_BOOL:
        COMPARE(uint8_t);
    case ORDER_I32:
        COMPARE(int32_t);
    case ORDER_U32:
        COMPARE(uint32_t);
    case ORDER_I64:
        COMPARE(int64_t);
    case ORDER_U64:
        COMPARE(uint64_t);
    case ORDER_F32:
        COMPARE(float);
    case ORDER_F64:
        COMPARE(double);
    case ORDER_BYTES:
    case ORDER_NONE:
        break;
    }
    return tk_str_cmp((tk_str){a->bytes, a->n}, (tk_str){b->bytes, b->n});
}

/* Of two bounds that look the same, one that is a value is better. */
static void widen(const struct tk_parquet_node *node, struct tk_parquet_bound *into,
                  const struct tk_parquet_bound *more, int sign)
{
    int order = tk_parquet_bound_cmp(node, more, into) * sign;
    if (order > 0 || (order == 0 && more->exact))
        *into = *more;
}

void tk_parquet_bounds_add(const struct tk_parquet_node *node, struct tk_parquet_bounds *into,
                           const struct tk_parquet_bounds *more)
{
    into->lost = into->lost || more->lost;
    if (!more->has)
        return;
    if (!into->has) {
        into->has = true;
        into->min = more->min;
        into->max = more->max;
        return;
    }
    widen(node, &into->min, &more->min, -1);
    widen(node, &into->max, &more->max, 1);
}
