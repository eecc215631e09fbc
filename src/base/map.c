/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

/* Finaliser of MurmurHash3: every input bit reaches every output bit. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    x ^= x >> 33;
    return x;
}

/* The slot that holds `key`, or the free slot where it would go. */
static size_t slot_of(const struct tk_map *map, uint64_t key)
{
    size_t i = (size_t)mix(key) & map->mask;
    while (map->slots[i].used && map->slots[i].key != key)
        i = (i + 1) & map->mask;
    return i;
}

void tk_map_release(struct tk_map *map)
{
    free(map->slots);
    *map = (struct tk_map){0};
}

void tk_map_reset(struct tk_map *map)
{
    if (map->slots)
        memset(map->slots, 0, (map->mask + 1) * sizeof(*map->slots));
    map->count = 0;
}

bool tk_map_find(const struct tk_map *map, uint64_t key, uint32_t *ret_value)
{
    if (!map->slots)
        return false;
    const struct tk_map_slot *slot = &map->slots[slot_of(map, key)];
    if (!slot->used)
        return false;
    *ret_value = slot->value;
    return true;
}

static int grow(struct tk_map *map)
{
    size_t slots = map->slots ? (map->mask + 1) * 2 : FIRST_SLOTS;
    struct tk_map bigger = {.slots = calloc(slots, sizeof(*bigger.slots)), .mask = slots - 1};
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; map->slots && i <= map->mask; i++) {
        if (map->slots[i].used)
            bigger.slots[slot_of(&bigger, map->slots[i].key)] = map->slots[i];
    }
    bigger.count = map->count;
    free(map->slots);
    *map = bigger;
    return 0;
}

int tk_map_add(struct tk_map *map, uint64_t key, uint32_t value)
{
    if (!map->slots || (map->count + 1) * 2 > map->mask + 1) {
        int rc = grow(map);
        if (rc < 0)
            return rc;
    }
    struct tk_map_slot *slot = &map->slots[slot_of(map, key)];
    if (!slot->used)
        map->count++;
    *slot = (struct tk_map_slot){.key = key, .value = value, .used = true};
    return 0;
}

bool tk_map_remove(struct tk_map *map, uint64_t key)
{
    if (!map->slots)
        return false;
    size_t hole = slot_of(map, key);
    if (!map->slots[hole].used)
        return false;
    map->count--;
    /* Shift back each following entry of the probe run that may live in the hole. */
    for (size_t i = (hole + 1) & map->mask; map->slots[i].used; i = (i + 1) & map->mask) {
        size_t home = (size_t)mix(map->slots[i].key) & map->mask;
        if (((i - home) & map->mask) < ((i - hole) & map->mask))
            continue;
        map->slots[hole] = map->slots[i];
        hole = i;
    }
    map->slots[hole].used = false;
    return true;
}
