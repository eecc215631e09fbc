/* SPDX-License-Identifier: Apache-2.0 */
/* Texts by number: each distinct text is kept once and known by its id, so that rows hold four
 * bytes and columns of a file find their dictionary made. Id 0 is the empty text. Views stay valid
 * until the reset: memory is reserved at once and never moves. One thread at a time.
 *
 *     slots: hash -> id          items: id -> place          bytes: all texts, without a gap */
#ifndef TK_SPAN_TEXTS_H
#define TK_SPAN_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TK_TEXTS_NONE UINT32_MAX /* no id: the texts are full */

struct tk_text_item {
    uint32_t offset; /* in `bytes` */
    uint32_t n;
};

struct tk_text_slot {
    uint32_t id;  /* + 1; 0 = free */
    uint32_t tag; /* bits of the hash; the lowest says that the text is UTF-8 */
};

struct tk_texts {
    struct tk_arena bytes;
    struct tk_arena items; /* struct tk_text_item [count] */
    uint32_t count;
    bool full;                  /* a text did not fit since the reset */
    struct tk_text_slot *slots; /* owned; open addressing, at most half full */
    uint32_t mask;
    uint32_t used; /* slots */
    uint64_t seed; /* of the hash */
};

/* Room for `max_bytes` bytes of text, 16 to 4 GiB - 1, and a quarter as many texts. -ENOMEM. */
TK_MUST_USE int tk_texts_init(struct tk_texts *texts, size_t max_bytes, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_texts_release(struct tk_texts *texts);

/* Forget all but the empty text, keep the memory. */
void tk_texts_reset(struct tk_texts *texts);

/* The id of a text, which is copied when it is new; TK_TEXTS_NONE when it does not fit. And whether
 * the text is UTF-8: looked at once, when it is new. */
uint32_t tk_texts_add_utf8(struct tk_texts *texts, tk_str text, bool *ret_is_utf8);

/* The same in two steps, so that the memory of several searches is waited for at once: the hash,
 * for which the table is asked for at once, and the search. */
uint64_t tk_texts_hash(const struct tk_texts *texts, tk_str text);
uint32_t tk_texts_add_hashed(struct tk_texts *texts, tk_str text, uint64_t hash, bool *ret_is_utf8);

/* The same, for those who know that it is UTF-8. */
static inline uint32_t tk_texts_add(struct tk_texts *texts, tk_str text)
{
    bool is_utf8;
    return tk_texts_add_utf8(texts, text, &is_utf8);
}

/* As tk_texts_add(), without looking for an equal one: for values that hardly ever come twice. */
uint32_t tk_texts_append(struct tk_texts *texts, tk_str text);

/* The id of a text that is there; TK_TEXTS_NONE when it is not. */
uint32_t tk_texts_find(const struct tk_texts *texts, tk_str text);

/* The text of an id below `count`. */
static inline tk_str tk_texts_get(const struct tk_texts *texts, uint32_t id)
{
    const struct tk_text_item *item = &((const struct tk_text_item *)(void *)texts->items.p)[id];
    return (tk_str){texts->bytes.p + item->offset, item->n};
}

/* The same `n` bytes: for short texts, without a call. */
static inline bool tk_texts_same(const char *a, const char *b, size_t n)
{
    uint64_t x = 0;
    uint64_t y = 0;
    if (n < 8) {
        for (size_t i = 0; i < n; i++)
            x |= (uint64_t)(a[i] ^ b[i]);
        return x == 0;
    }
    for (size_t i = 0; i + 8 < n; i += 8) {
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        if (x != y)
            return false;
    }
    memcpy(&x, a + n - 8, 8);
    memcpy(&y, b + n - 8, 8);
    return x == y;
}

#endif
