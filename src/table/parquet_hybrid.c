/* SPDX-License-Identifier: Apache-2.0 */
/* The RLE/bit-packed hybrid (Encodings.md of parquet-format, "RLE"): runs of one value
 *
 *     varint(count << 1), the value in whole bytes, least first
 *
 * and groups of eight values
 *
 *     varint(groups << 1 | 1), eight values a group, packed from the least significant bit
 *
 * in any order. The last group may hold more values than there are. */
#include <endian.h>
#include <string.h>

#include "table/parquet_internal.h"
#include "table/varint.h"

#define LEAST_RUN 8 /* shorter ones cost more as a run than packed */

/* Values of either width. Functions that take one are inlined with `wide` constant. */
struct input {
    const void *values;
    bool wide; /* uint32_t, else uint8_t */
};

static inline uint32_t value_at(struct input in, size_t i)
{
    return in.wide ? ((const uint32_t *)in.values)[i] : ((const uint8_t *)in.values)[i];
}

static inline size_t run_length(struct input in, size_t i, size_t n)
{
    uint32_t value = value_at(in, i);
    size_t j = i + 1;
    if (j < n && value_at(in, j) != value)
        return 1;
    size_t width = in.wide ? sizeof(uint32_t) : 1;
    uint64_t all = value * (in.wide ? 0x0000000100000001ULL : 0x0101010101010101ULL);
    for (uint64_t word = all; j + 8 / width <= n; j += 8 / width) {
        memcpy(&word, (const char *)in.values + j * width, sizeof(word));
        if (word != all)
            break;
    }
    while (j < n && value_at(in, j) == value)
        j++;
    return j - i;
}

static void put_run(struct tk_buf *out, uint32_t value, size_t n, unsigned width)
{
    tk_varint_put(out, (uint64_t)n << 1);
    for (unsigned bit = 0; bit < width; bit += 8)
        tk_buf_putc(out, (char)(value >> bit));
}

/* Values first..first + n, the last group filled up with zeros. */
static inline void put_groups(struct tk_buf *out, struct input in, size_t first, size_t n,
                              unsigned width)
{
    size_t groups = (n + 7) / 8;
    if (n == 0)
        return;
    tk_varint_put(out, (uint64_t)groups << 1 | 1);
    char *to = tk_buf_reserve(out, groups * width + 8);
    if (!to)
        return;
    uint64_t bits = 0;
    unsigned used = 0;
    for (size_t i = 0; i < groups * 8; i++) {
        bits |= (uint64_t)(i < n ? value_at(in, first + i) : 0) << used;
        used += width;
        if (used >= 32) {
            uint32_t low = (uint32_t)bits;
            memcpy(to, &low, sizeof(low));
            to += sizeof(low);
            bits >>= 32;
            used -= 32;
        }
    }
    memcpy(to, &bits, 8);
    out->n += groups * width;
}

static inline void put_hybrid(struct tk_buf *out, struct input in, size_t n, unsigned width)
{
    size_t start = 0; /* of values that wait to be packed */
    size_t i = 0;
    while (i < n) {
        size_t run = run_length(in, i, n);
        size_t lent = (8 - (i - start) % 8) % 8; /* values that fill up the last group */
        if (run < LEAST_RUN + lent) {
            i += run;
            continue;
        }
        put_groups(out, in, start, i + lent - start, width);
        put_run(out, value_at(in, i), run - lent, width);
        i += run;
        start = i;
    }
    put_groups(out, in, start, n - start, width);
}

void tk_hybrid_put_u8(struct tk_buf *out, const uint8_t *values, size_t n, unsigned width)
{
    put_hybrid(out, (struct input){values, false}, n, width);
}

void tk_hybrid_put_u32(struct tk_buf *out, const uint32_t *values, size_t n, unsigned width)
{
    put_hybrid(out, (struct input){values, true}, n, width);
}

void tk_parquet_put_levels(struct tk_buf *out, const uint8_t *levels, size_t n, uint8_t max)
{
    size_t at = out->n;
    if (max == 0)
        return;
    tk_buf_put(out, (tk_str){"\0\0\0\0", 4});
    tk_hybrid_put_u8(out, levels, n, tk_bit_width(max));
    uint32_t bytes = (uint32_t)(out->n - at - 4);
    if (tk_buf_ok(out))
        memcpy(out->p + at, &bytes, sizeof(bytes));
}

/* Reading ---------------------------------------------------------------------------------- */

void tk_hybrid_init(struct tk_hybrid *hybrid, tk_str text, unsigned width)
{
    *hybrid = (struct tk_hybrid){.rest = text, .width = width};
}

/* Stand at the next run or groups. */
static bool next_run(struct tk_hybrid *hybrid)
{
    uint64_t head;
    if (!tk_varint_read(&hybrid->rest, &head))
        return false;
    if (head & 1) {
        uint64_t groups = head >> 1;
        size_t bytes = hybrid->rest.n;
        if (hybrid->width > 0 && groups <= bytes / hybrid->width)
            bytes = (size_t)groups * hybrid->width;
        /* Some writers leave out what fills up the last group. */
        hybrid->packed = hybrid->width == 0 ? groups << 3 : bytes * 8 / hybrid->width;
        hybrid->bits = hybrid->rest.p;
        hybrid->bits_end = hybrid->rest.p + bytes;
        hybrid->bit = 0;
        if (hybrid->width > 0)
            hybrid->rest = (tk_str){hybrid->rest.p + bytes, hybrid->rest.n - bytes};
        return true;
    }
    size_t bytes = (hybrid->width + 7) / 8;
    if (bytes > hybrid->rest.n)
        return false;
    hybrid->run = head >> 1;
    hybrid->value = 0;
    if (bytes > 0)
        memcpy(&hybrid->value, hybrid->rest.p, bytes);
    hybrid->rest = (tk_str){hybrid->rest.p + bytes, hybrid->rest.n - bytes};
    return true;
}

static inline void set_values(void *values, bool wide, size_t at, uint32_t value, size_t n)
{
    if (!wide) {
        memset((uint8_t *)values + at, (int)value, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ((uint32_t *)values)[at + i] = value;
}

/* The eight bits of a byte, lowest first, as a byte each. */
static inline uint64_t spread_bits(uint8_t byte)
{
    const uint64_t low = (uint64_t)(byte & 0x7F) * UINT64_C(0x0002040810204081);
    return (low & UINT64_C(0x0101010101010101)) | (uint64_t)(byte >> 7) << 56;
}

/* Values of one bit, as levels mostly are, a byte of them at once: how many that were. The groups
 * must begin a byte. */
static inline size_t take_bytes_of_bits(struct tk_hybrid *hybrid, uint8_t *to, size_t n,
                                        uint32_t *most)
{
    const char *from = hybrid->bits + hybrid->bit / 8;
    uint8_t any = 0;
    size_t i = 0;
    for (; n - i >= 8; i += 8) {
        const uint8_t byte = (uint8_t)from[i / 8];
        const uint64_t eight = htole64(spread_bits(byte));
        memcpy(to + i, &eight, sizeof(eight));
        any |= byte;
    }
    hybrid->bit += i;
    *most = any != 0;
    return i;
}

static inline uint32_t take_packed(struct tk_hybrid *hybrid, void *values, bool wide, size_t at,
                                   size_t n)
{
    uint32_t most = 0;
    size_t i = 0;
    if (!wide && hybrid->width == 1 && hybrid->bit % 8 == 0)
        i = take_bytes_of_bits(hybrid, (uint8_t *)values + at, n, &most);
    for (; i < n; i++) {
        uint32_t value =
            (uint32_t)tk_bits_read(hybrid->bits, hybrid->bits_end, hybrid->bit, hybrid->width);
        hybrid->bit += hybrid->width;
        most = value > most ? value : most;
        if (wide) {
            ((uint32_t *)values)[at + i] = value;
        } else {
            ((uint8_t *)values)[at + i] = (uint8_t)value;
        }
    }
    hybrid->packed -= n;
    return most;
}

static inline bool take_hybrid(struct tk_hybrid *hybrid, void *values, bool wide, size_t n,
                               uint32_t max)
{
    for (size_t done = 0; done < n;) {
        while (hybrid->run == 0 && hybrid->packed == 0) { /* a run may be empty */
            if (!next_run(hybrid))
                return false;
        }
        uint64_t here = hybrid->run > 0 ? hybrid->run : hybrid->packed;
        size_t k = here < n - done ? (size_t)here : n - done;
        uint32_t most = hybrid->value;
        if (hybrid->run > 0) {
            set_values(values, wide, done, hybrid->value, k);
            hybrid->run -= k;
        } else {
            most = take_packed(hybrid, values, wide, done, k);
        }
        if (most > max)
            return false;
        done += k;
    }
    return true;
}

bool tk_hybrid_take_u8(struct tk_hybrid *hybrid, uint8_t *values, size_t n, uint8_t max)
{
    return take_hybrid(hybrid, values, false, n, max);
}

bool tk_hybrid_take_u32(struct tk_hybrid *hybrid, uint32_t *values, size_t n)
{
    return take_hybrid(hybrid, values, true, n, UINT32_MAX);
}
