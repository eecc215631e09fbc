/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes for maps in memory; never written to a file. Pure functions, safe from any thread. */
#ifndef TK_BASE_HASH_H
#define TK_BASE_HASH_H

#include <stdint.h>
#include <string.h>

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

/* Both halves of a product of 128 bits. */
static inline uint64_t tk_hash_fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A hash of some bytes, 16 at a time, in the manner of wyhash: for tables that outsiders fill, who
 * do not know the seed. */
static inline uint64_t tk_hash_bytes(tk_str text, uint64_t seed)
{
    const char *p = text.p;
    uint64_t head = 0;
    uint64_t tail = 0;
    if (text.n >= 8) {
        for (size_t left = text.n; left > 16; left -= 16, p += 16) {
            memcpy(&head, p, 8);
            memcpy(&tail, p + 8, 8);
            seed = tk_hash_fold(head ^ 0xA0761D6478BD642FULL, tail ^ seed);
        }
        memcpy(&head, text.n > 16 ? text.p + text.n - 16 : text.p, 8);
        memcpy(&tail, text.p + text.n - 8, 8);
    } else if (text.n >= 4) {
        memcpy(&head, p, 4);
        memcpy(&tail, p + text.n - 4, 4);
    } else if (text.n > 0) {
        head = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[text.n / 2] << 8 |
               (unsigned char)p[text.n - 1];
    }
    head = tk_hash_fold(head ^ 0xE7037ED1A0B428DBULL, tail ^ seed);
    return tk_hash_fold(head ^ text.n, 0x8EBC6AF09C88C6E3ULL);
}

#endif
