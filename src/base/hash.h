/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes for maps in memory; never written to a file. Pure functions, safe from any thread. */
#ifndef TK_BASE_HASH_H
#define TK_BASE_HASH_H

#include <stdint.h>

#include "base/str.h"

/* A hash of some bytes: FNV-1a. */
static inline uint64_t tk_hash_text(tk_str text)
{
    uint64_t hash = 0xCBF29CE484222325ULL;
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * 0x100000001B3ULL;
    return hash;
}

/* A hash of two hashes or numbers, in this order: the finaliser of MurmurHash3. */
static inline uint64_t tk_hash_mix(uint64_t a, uint64_t b)
{
    uint64_t hash = a * 0x9E3779B97F4A7C15ULL + b;
    hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDULL;
    hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53ULL;
    return hash ^ (hash >> 33);
}

#endif
