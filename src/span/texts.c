/* SPDX-License-Identifier: Apache-2.0 */
#include "span/texts.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/hash.h"
#include "base/scan.h"

#define FIRST_SLOTS    1024
#define BYTES_PER_TEXT 4 /* on average, at least */
#define IS_UTF8        1U

/* Who cannot see the seed cannot make texts that collide. Early in a boot it may be the constant.
 */
int tk_texts_init(struct tk_texts *texts, size_t max_bytes, struct tk_err *err)
{
    *texts = (struct tk_texts){.mask = FIRST_SLOTS - 1, .seed = 0x589965CC75374CC3ULL};
    (void)!getrandom(&texts->seed, sizeof(texts->seed), GRND_NONBLOCK);
    texts->slots = calloc(FIRST_SLOTS, sizeof(*texts->slots));
    if (!texts->slots)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = tk_arena_init(&texts->bytes, max_bytes, err);
    if (rc == 0) {
        size_t items = max_bytes / BYTES_PER_TEXT + 1;
        rc = tk_arena_init(&texts->items, items * sizeof(struct tk_text_item), err);
    }
    if (rc < 0) {
        tk_texts_release(texts);
        return rc;
    }
    tk_texts_reset(texts);
    return 0;
}

void tk_texts_release(struct tk_texts *texts)
{
    tk_arena_release(&texts->bytes);
    tk_arena_release(&texts->items);
    free(texts->slots);
    *texts = (struct tk_texts){0};
}

/* A table that was hardly used halves, so that one large batch does not make all later resets
 * slow. */
static void shrink(struct tk_texts *texts)
{
    if (texts->mask < FIRST_SLOTS || texts->used > texts->mask / 16)
        return;
    size_t slots = ((size_t)texts->mask + 1) / 2;
    struct tk_text_slot *smaller = realloc(texts->slots, slots * sizeof(*smaller));
    if (!smaller)
        return;
    texts->slots = smaller;
    texts->mask = (uint32_t)(slots - 1);
}

void tk_texts_reset(struct tk_texts *texts)
{
    shrink(texts);
    memset(texts->slots, 0, ((size_t)texts->mask + 1) * sizeof(*texts->slots));
    tk_arena_reset(&texts->bytes);
    tk_arena_reset(&texts->items);
    texts->count = 0;
    texts->used = 0;
    texts->full = false;
    (void)tk_texts_append(texts, (tk_str){NULL, 0});
}

uint32_t tk_texts_append(struct tk_texts *texts, tk_str text)
{
    struct tk_arena *items = &texts->items;
    if (texts->bytes.max - texts->bytes.n < text.n ||
        items->max - items->n < sizeof(struct tk_text_item)) {
        texts->full = true;
        return TK_TEXTS_NONE;
    }
    const struct tk_text_item item = {(uint32_t)texts->bytes.n, (uint32_t)text.n};
    if (text.n > 0)
        memcpy(texts->bytes.p + item.offset, text.p, text.n);
    memcpy(items->p + items->n, &item, sizeof(item));
    texts->bytes.n += text.n;
    items->n += sizeof(item);
    return texts->count++;
}

static uint32_t home_of(uint64_t hash, uint32_t mask)
{
    return (uint32_t)(hash >> 32) & mask;
}

/* Twice the slots; nothing changes without memory. */
static void grow(struct tk_texts *texts)
{
    size_t slots = ((size_t)texts->mask + 1) * 2;
    struct tk_text_slot *more = slots <= UINT32_MAX ? calloc(slots, sizeof(*more)) : NULL;
    if (!more)
        return;
    uint32_t mask = (uint32_t)(slots - 1);
    for (size_t i = 0; i <= texts->mask; i++) {
        struct tk_text_slot slot = texts->slots[i];
        if (slot.id == 0)
            continue;
        uint32_t at = home_of(tk_hash_bytes(tk_texts_get(texts, slot.id - 1), texts->seed), mask);
        while (more[at].id != 0)
            at = (at + 1) & mask;
        more[at] = slot;
    }
    free(texts->slots);
    texts->slots = more;
    texts->mask = mask;
}

static bool is_text(const struct tk_texts *texts, uint32_t id, tk_str text)
{
    tk_str own = tk_texts_get(texts, id);
    return own.n == text.n && tk_texts_same(own.p, text.p, text.n);
}

/* The slot of a text, or the free one where it belongs. */
static uint32_t slot_of(const struct tk_texts *texts, tk_str text, uint64_t hash)
{
    uint32_t tag = (uint32_t)hash & ~IS_UTF8;
    uint32_t at = home_of(hash, texts->mask);
    for (; texts->slots[at].id != 0; at = (at + 1) & texts->mask) {
        struct tk_text_slot slot = texts->slots[at];
        if ((slot.tag & ~IS_UTF8) == tag && is_text(texts, slot.id - 1, text))
            break;
    }
    return at;
}

uint32_t tk_texts_find(const struct tk_texts *texts, tk_str text)
{
    if (text.n == 0)
        return 0;
    uint32_t at = slot_of(texts, text, tk_hash_bytes(text, texts->seed));
    return texts->slots[at].id == 0 ? TK_TEXTS_NONE : texts->slots[at].id - 1;
}

uint64_t tk_texts_hash(const struct tk_texts *texts, tk_str text)
{
    uint64_t hash = tk_hash_bytes(text, texts->seed);
    __builtin_prefetch(&texts->slots[home_of(hash, texts->mask)]);
    return hash;
}

uint32_t tk_texts_add_utf8(struct tk_texts *texts, tk_str text, bool *ret_is_utf8)
{
    return tk_texts_add_hashed(texts, text, tk_hash_bytes(text, texts->seed), ret_is_utf8);
}

uint32_t tk_texts_add_hashed(struct tk_texts *texts, tk_str text, uint64_t hash, bool *ret_is_utf8)
{
    *ret_is_utf8 = true;
    if (text.n == 0)
        return 0;
    uint32_t tag = (uint32_t)hash & ~IS_UTF8;
    uint32_t at = slot_of(texts, text, hash);
    if (texts->slots[at].id != 0) {
        *ret_is_utf8 = texts->slots[at].tag & IS_UTF8;
        return texts->slots[at].id - 1;
    }
    *ret_is_utf8 = tk_utf8_ok(text);
    uint32_t id = tk_texts_append(texts, text);
    if (id == TK_TEXTS_NONE)
        return id;
    if (*ret_is_utf8)
        tag |= IS_UTF8;
    /* Without memory to grow, the table fills up to one free slot, where searches end; what comes
     * then is not found again. */
    if (texts->used < texts->mask) {
        texts->slots[at] = (struct tk_text_slot){id + 1, tag};
        texts->used++;
    }
    if (texts->used > texts->mask / 2)
        grow(texts);
    return id;
}
