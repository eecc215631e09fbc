/* SPDX-License-Identifier: Apache-2.0 */
/* An arena: memory for data that dies together (one batch, one request, one file footer).
 * The address range is reserved at once and pages are taken as they are touched, so allocations
 * never move and cost a few instructions. Over the cap an allocation returns NULL. One thread at
 * a time. */
#ifndef TK_BASE_ARENA_H
#define TK_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct tk_arena {
    char *p;    /* the reserved range; NULL before init */
    size_t n;   /* bytes handed out */
    size_t max; /* bytes reserved */
};

/* Reserve address space for `max` bytes (rounded up to pages). Fails with -ENOMEM. */
TK_MUST_USE int tk_arena_init(struct tk_arena *arena, size_t max, struct tk_err *err);

/* Give the range back; all pointers into it die. Accepts a zeroed struct. */
void tk_arena_release(struct tk_arena *arena);

/* Empty it and keep the pages; all pointers into it die. */
void tk_arena_reset(struct tk_arena *arena);

/* `n` uninitialised bytes aligned for any type; NULL when the cap is reached. */
void *tk_arena_alloc(struct tk_arena *arena, size_t n);

/* A copy of `text` that lives as long as the arena; p is NULL when the cap is reached and
 * text.n > 0. */
tk_str tk_arena_copy(struct tk_arena *arena, tk_str text);

/* True when `p` points into what the arena has handed out. */
static inline bool tk_arena_has(const struct tk_arena *arena, const void *p)
{
    uintptr_t start = (uintptr_t)arena->p;
    return arena->p && (uintptr_t)p - start < arena->n;
}

#endif
