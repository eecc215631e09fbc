/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"

int tk_arena_init(struct tk_arena *arena, size_t max, struct tk_err *err)
{
    void *p =
        mmap(NULL, max, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return tk_fail_code(err, -ENOMEM, "reserve %zu bytes", max);
    *arena = (struct tk_arena){.p = p, .max = max};
    return 0;
}

void tk_arena_release(struct tk_arena *arena)
{
    if (arena->p)
        munmap(arena->p, arena->max);
    *arena = (struct tk_arena){0};
}

void tk_arena_reset(struct tk_arena *arena)
{
    arena->n = 0;
}

void *tk_arena_alloc(struct tk_arena *arena, size_t n)
{
    size_t align = alignof(max_align_t);
    size_t end;
    size_t start = (arena->n + align - 1) & ~(align - 1);
    if (!tk_add_size(start, n, &end) || end > arena->max)
        return NULL;
    arena->n = end;
    return arena->p + start;
}

tk_str tk_arena_copy(struct tk_arena *arena, tk_str text)
{
    /* Bytes need no alignment: pack strings densely. */
    size_t end;
    if (text.n == 0 || !tk_add_size(arena->n, text.n, &end) || end > arena->max)
        return (tk_str){NULL, 0};
    char *to = arena->p + arena->n;
    memcpy(to, text.p, text.n);
    arena->n = end;
    return (tk_str){to, text.n};
}
