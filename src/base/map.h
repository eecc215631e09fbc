/* SPDX-License-Identifier: Apache-2.0 */
/* A hash map from a 64-bit key to a 32-bit value (an index into the owner's array). Open
 * addressing with linear probing and backward-shift deletion, at most half full, so a lookup
 * touches one cache line as a rule. One thread at a time. */
#ifndef TK_BASE_MAP_H
#define TK_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct tk_map_slot {
    uint64_t key;
    uint32_t value;
    bool used;
};

struct tk_map {
    struct tk_map_slot *slots; /* owned; NULL while empty */
    size_t count;              /* keys that are in */
    size_t mask;               /* slots - 1 */
};

/* Free the memory; the map is then empty and usable again. A zeroed struct is an empty map. */
void tk_map_release(struct tk_map *map);

/* Take all keys out, keep the memory. */
void tk_map_reset(struct tk_map *map);

/* True and the value when `key` is in. */
bool tk_map_find(const struct tk_map *map, uint64_t key, uint32_t *ret_value);

/* Put `value` under `key`, replacing what was there. Returns 0 or -ENOMEM. */
TK_MUST_USE int tk_map_add(struct tk_map *map, uint64_t key, uint32_t value);

/* Take `key` out; false when it was not in. */
bool tk_map_remove(struct tk_map *map, uint64_t key);

#endif
