/* SPDX-License-Identifier: Apache-2.0 */
/* DELTA_BINARY_PACKED (Encodings.md of parquet-format): a header
 *
 *     varint values of a block, varint miniblocks of a block, varint values, zigzag first value
 *
 * and blocks: zigzag least delta, one byte of width for each miniblock, and per miniblock the
 * deltas less the least, packed. The last miniblock that holds a value is filled up, those after it
 * have a width only. Sums wrap around. */
#include "table/parquet_internal.h"
#include "table/varint.h"

#define PER_MINI_MAX (1U << 20)

bool tk_delta_init(struct tk_delta *delta, tk_str text)
{
    uint64_t per_block;
    uint64_t minis;
    uint64_t n;
    uint64_t first;
    if (!tk_varint_read(&text, &per_block) || !tk_varint_read(&text, &minis) ||
        !tk_varint_read(&text, &n) || !tk_varint_read(&text, &first))
        return false;
    if (minis == 0 || per_block % minis != 0 || per_block / minis % 8 != 0 || per_block == 0 ||
        per_block / minis > PER_MINI_MAX)
        return false;
    *delta = (struct tk_delta){
        .rest = text,
        .left = n,
        .per_mini = per_block / minis,
        .minis = minis,
        .value = tk_unzigzag(first),
    };
    return true;
}

/* Stand at the first delta of the next miniblock. */
static bool next_mini(struct tk_delta *delta)
{
    if (delta->minis_left == 0) {
        uint64_t least;
        if (!tk_varint_read(&delta->rest, &least) || delta->rest.n < delta->minis)
            return false;
        delta->least = tk_unzigzag(least);
        delta->widths = delta->rest.p;
        delta->minis_left = delta->minis;
        delta->rest = (tk_str){delta->rest.p + delta->minis, delta->rest.n - delta->minis};
    }
    delta->width = (uint8_t)*delta->widths++;
    delta->minis_left--;
    uint64_t bytes = delta->per_mini * delta->width / 8;
    if (delta->width > 64 || bytes > delta->rest.n)
        return false;
    delta->bits = delta->rest.p;
    delta->bits_end = delta->rest.p + bytes;
    delta->bit = 0;
    delta->mini = delta->per_mini;
    delta->rest = (tk_str){delta->rest.p + bytes, delta->rest.n - (size_t)bytes};
    return true;
}

static inline bool take_delta(struct tk_delta *delta, void *values, bool wide, size_t n)
{
    if (n > delta->left)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (values && wide) {
            ((int64_t *)values)[i] = delta->value;
        } else if (values) {
            ((int32_t *)values)[i] = (int32_t)delta->value;
        }
        if (--delta->left == 0)
            continue;
        if (delta->mini == 0 && !next_mini(delta))
            return false;
        uint64_t packed = tk_bits_read(delta->bits, delta->bits_end, delta->bit, delta->width);
        delta->bit += delta->width;
        delta->mini--;
        delta->value = tk_wrap_add(delta->value, tk_wrap_add(delta->least, (int64_t)packed));
    }
    return true;
}

bool tk_delta_take_i32(struct tk_delta *delta, int32_t *values, size_t n)
{
    return take_delta(delta, values, false, n);
}

bool tk_delta_take_i64(struct tk_delta *delta, int64_t *values, size_t n)
{
    return take_delta(delta, values, true, n);
}

/* Writing ---------------------------------------------------------------------------------- */

#define PER_BLOCK 128U
#define MINIS     4U
#define PER_MINI  (PER_BLOCK / MINIS)

/* Append PER_MINI values of `width` bits. */
static void put_packed(struct tk_buf *out, const uint64_t *values, unsigned width)
{
    size_t bytes = (size_t)PER_MINI * width / 8;
    char *to = tk_buf_reserve(out, bytes + sizeof(uint64_t));
    if (!to)
        return;
    uint64_t bits = 0;
    unsigned used = 0;
    for (size_t i = 0; i < PER_MINI; i++) {
        bits |= values[i] << used;
        used += width;
        if (used < 64)
            continue;
        memcpy(to, &bits, sizeof(bits));
        to += sizeof(bits);
        used -= 64;
        bits = used > 0 ? values[i] >> (width - used) : 0;
    }
    memcpy(to, &bits, sizeof(bits));
    out->n += bytes;
}

/* Append a block of 1..PER_BLOCK deltas; those up to PER_BLOCK are scratch. */
static void put_block(struct tk_buf *out, int64_t *deltas, size_t n, bool wide)
{
    uint64_t packed[PER_BLOCK] = {0};
    char widths[MINIS] = {0};
    int64_t least = deltas[0];
    for (size_t i = 1; i < n; i++)
        least = deltas[i] < least ? deltas[i] : least;
    for (size_t i = 0; i < n; i++) {
        packed[i] = (uint64_t)tk_wrap_sub(deltas[i], least);
        packed[i] = wide ? packed[i] : (uint32_t)packed[i];
    }
    for (size_t m = 0; m < MINIS; m++) {
        uint64_t all = 0;
        for (size_t i = 0; i < PER_MINI; i++)
            all |= packed[m * PER_MINI + i];
        widths[m] = (char)tk_bit_width(all);
    }
    tk_varint_put(out, tk_zigzag(least));
    tk_buf_put(out, (tk_str){widths, MINIS});
    for (size_t m = 0; m * PER_MINI < n; m++)
        put_packed(out, packed + m * PER_MINI, (unsigned)widths[m]);
}

static inline int64_t value_at(const void *values, bool wide, size_t i)
{
    return wide ? ((const int64_t *)values)[i] : ((const int32_t *)values)[i];
}

static inline void put_delta(struct tk_buf *out, const void *values, bool wide, size_t n)
{
    tk_varint_put(out, PER_BLOCK);
    tk_varint_put(out, MINIS);
    tk_varint_put(out, n);
    tk_varint_put(out, tk_zigzag(n > 0 ? value_at(values, wide, 0) : 0));
    for (size_t i = 1; i < n; i += PER_BLOCK) {
        int64_t deltas[PER_BLOCK];
        size_t k = n - i < PER_BLOCK ? n - i : PER_BLOCK;
        for (size_t j = 0; j < k; j++) {
            int64_t delta =
                tk_wrap_sub(value_at(values, wide, i + j), value_at(values, wide, i + j - 1));
            /* Of 32 bits they wrap at 32: no packed value is wider. */
            deltas[j] = wide ? delta : (int32_t)delta;
        }
        put_block(out, deltas, k, wide);
    }
}

void tk_delta_put_i32(struct tk_buf *out, const int32_t *values, size_t n)
{
    put_delta(out, values, false, n);
}

void tk_delta_put_i64(struct tk_buf *out, const int64_t *values, size_t n)
{
    put_delta(out, values, true, n);
}
