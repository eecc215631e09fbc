/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/mix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)
#define LARGE      ((size_t)64 << 10) /* pages that nothing is in cost nothing from here on */

/* 2^62 / e^(1/256), rounded: powers of it are exact to 2^-50, so the table is that of real numbers.
 */
#define STEP UINT64_C(4593706758521714574)

/* 65536 / (1 + e^(-logit / 256)), by whole powers of STEP. */
static void fill_squash(struct tk_mix_tables *tables)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t power = UINT64_C(1) << 62; /* e^(-i / 256) */
    for (int i = 0; i < 2048; i++) {
        const uint64_t one = UINT64_C(1) << 62;
        /* (one << 16) / (one + power), logit i; by a division of 64 bits, at most one too much */
        uint64_t p = (UINT64_C(1) << 63) / ((one + power) >> 15);
        p -= (wide)p * (one + power) > (wide)one << 16;
        if (p > 65535)
            p = 65535;
        tables->squash[2048 + i] = (uint16_t)p;
        tables->squash[2048 - i] = (uint16_t)(65536 - p);
        power = (uint64_t)((wide)power * STEP >> 62);
    }
    tables->squash[0] = tables->squash[1];
}

static void fill_stretch(struct tk_mix_tables *tables)
{
    int logit = -2047;
    for (int i = 0; i < 4096; i++) {
        while (logit < 2047 && tables->squash[logit + 2048] < i * 16 + 8)
            logit++;
        tables->stretch[i] = (int16_t)logit;
    }
}

void tk_mix_tables_init(struct tk_mix_tables *tables)
{
    fill_squash(tables);
    fill_stretch(tables);
    for (uint32_t n = 0; n < 256; n++)
        tables->trust[n] = (uint16_t)(256 * 2 * n / (2 * n + 1));
}

void tk_mix_weights_init(struct tk_mix_weights *sets, size_t count, size_t inputs)
{
    int32_t weight = 65536 * 5 / (4 * (int32_t)inputs);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < TK_MIX_INPUTS; k++)
            sets[i].w[k] = k < inputs ? weight : 0;
    }
}

void *tk_mix_table_alloc(size_t bytes)
{
    if (bytes < LARGE) {
        size_t lines = (bytes + 127) / 128 * 128;
        void *small = aligned_alloc(128, lines);
        return small ? memset(small, 0, lines) : NULL;
    }
    void *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED)
        return NULL;
    if (bytes >= LARGE_PAGE)
        (void)madvise(table, bytes, MADV_HUGEPAGE); /* only faster: not every kernel has them */
    return table;
}

void tk_mix_table_free(void *table, size_t bytes)
{
    if (bytes < LARGE) {
        free(table);
    } else if (table) {
        (void)munmap(table, bytes);
    }
}

int tk_contexts_init(struct tk_contexts *contexts, unsigned bits, struct tk_err *err)
{
    size_t count = (size_t)1 << bits;
    contexts->buckets = tk_mix_table_alloc(count * sizeof(*contexts->buckets));
    if (!contexts->buckets)
        return tk_fail(err, -ENOMEM, "contexts of the codec: out of memory");
    contexts->mask = (uint32_t)count - 1;
    return 0;
}

void tk_contexts_release(struct tk_contexts *contexts)
{
    tk_mix_table_free(contexts->buckets, ((size_t)contexts->mask + 1) * sizeof(struct tk_bucket));
    *contexts = (struct tk_contexts){0};
}

struct tk_bucket *tk_contexts_find(struct tk_contexts *contexts, uint64_t hash)
{
    uint32_t check = (uint32_t)(hash >> 32) | 1; /* 0 = free */
    uint32_t place = (uint32_t)hash & contexts->mask;
    struct tk_bucket *first = &contexts->buckets[place];
    if (first->bits[0].v == check)
        return first;
    struct tk_bucket *second = &contexts->buckets[place ^ 1];
    if (second->bits[0].v == check)
        return second;
    bool second_is_worse =
        first->bits[0].v != 0 &&
        (second->bits[0].v == 0 || tk_bit_n(&second->bits[1]) < tk_bit_n(&first->bits[1]));
    struct tk_bucket *worse = second_is_worse ? second : first;
    tk_bits_init(worse->bits, TK_COUNTOF(worse->bits));
    worse->bits[0].v = check;
    return worse;
}
