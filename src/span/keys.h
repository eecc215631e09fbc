/* SPDX-License-Identifier: Apache-2.0 */
/* From the names that a log uses (keys of objects, columns, variables) to the fields of a call. One
 * thread at a time. */
#ifndef TK_SPAN_KEYS_H
#define TK_SPAN_KEYS_H

#include "base/arena.h"
#include "span/call.h"

/* A line of a built-in table. Where several names tell one field, the first counts. */
struct tk_key {
    const char *name; /* of a nested key, with dots: "http.request.method" */
    enum tk_field field;
    enum tk_unit unit;
};

#define TK_KEYS_MAX 128

#define TK_KEYS_BUCKETS 64

struct tk_keys {
    struct tk_source items[TK_KEYS_MAX];
    size_t count;
    uint8_t
        heads[TK_KEYS_BUCKETS]; /* by length and first letter: index + 1 of the first; 0 = none */
    uint8_t nexts[TK_KEYS_MAX]; /* likewise of the next of the same bucket */
    bool any_case;
};

/* Take the maps of a user, "FIELD=NAME[:UNIT]", and then those of the built-in table whose field no
 * map names; both stay borrowed. -EINVAL names a map that is none. */
TK_MUST_USE int tk_keys_init(struct tk_keys *keys, const struct tk_key *table, size_t table_count,
                             const char *const *maps, size_t map_count, struct tk_err *err);

/* Index of the first name from `from` on that is `name`; keys->count when there is none. */
size_t tk_keys_find(const struct tk_keys *keys, tk_str name, size_t from);

/* Set every field that `name` tells. */
TK_MUST_USE int tk_keys_set(const struct tk_keys *keys, tk_str name, tk_str text,
                            struct tk_call *call, struct tk_err *err);

/* Set the fields that one JSON object tells. Strings with escapes are decoded into `scratch`, from
 * which the call then borrows. -EBADMSG when it is no object, or a value is none of its field. */
TK_MUST_USE int tk_keys_read_object(const struct tk_keys *keys, tk_str text,
                                    struct tk_arena *scratch, struct tk_call *call,
                                    struct tk_err *err);

#endif
