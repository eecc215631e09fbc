/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "codec/attrs_internal.h"
#include "codec/topology.h"

#define NAME_BYTES ((size_t)64 << 20) /* reserved for the texts of keys, not taken */

struct adding {
    struct tk_attrs_report *sum;
    size_t max_keys;
    struct tk_map places; /* hash of key, type and class -> key of the sum */
};

static uint64_t hash_of(const struct tk_attr_key_report *key)
{
    return tk_hash_mix(tk_hash_text(key->key), (uint64_t)key->type << 8 | key->attr_class);
}

/* The entry of the sum that is of the same key; a new one when there is none. NULL = no memory. */
static struct tk_attr_key_report *find_key(struct adding *adding,
                                           const struct tk_attr_key_report *key)
{
    struct tk_attrs_report *sum = adding->sum;
    uint32_t place = 0;
    if (tk_map_find(&adding->places, hash_of(key), &place))
        return &sum->keys[place];
    if (sum->key_count == adding->max_keys) {
        size_t more = adding->max_keys * 2 + 64;
        struct tk_attr_key_report *keys = realloc(sum->keys, more * sizeof(*keys));
        if (!keys)
            return NULL;
        sum->keys = keys;
        adding->max_keys = more;
    }
    struct tk_attr_key_report *own = &sum->keys[sum->key_count];
    *own = (struct tk_attr_key_report){.key = tk_arena_copy(&sum->names, key->key),
                                       .type = key->type,
                                       .attr_class = key->attr_class,
                                       .is_exact = true};
    bool ok = own->key.p || own->key.n == 0;
    if (!ok || tk_map_add(&adding->places, hash_of(key), (uint32_t)sum->key_count) < 0)
        return NULL;
    sum->key_count++;
    return own;
}

static int add_report(struct adding *adding, const struct tk_attrs_report *report,
                      struct tk_err *err)
{
    adding->sum->template_bits += report->template_bits;
    for (size_t i = 0; i < report->key_count; i++) {
        const struct tk_attr_key_report *key = &report->keys[i];
        struct tk_attr_key_report *own = find_key(adding, key);
        if (!own)
            return tk_fail(err, -ENOMEM, "report on attributes: out of memory");
        own->is_exact = own->is_exact && key->is_exact;
        own->distinct += key->distinct;
        own->uses += key->uses;
        own->value_bits += key->value_bits;
        own->use_bits += key->use_bits;
    }
    return 0;
}

static int add_block(struct adding *adding, const struct tk_block *block, struct tk_err *err)
{
    TK_CLEANUP(tk_attrs_decoder_freep) struct tk_attrs_decoder *decoder = NULL;
    struct tk_forest forest = {0};
    struct tk_attrs_report report = {0};
    bool missing;
    int rc = tk_topology_decode(block, 0, &forest, err);
    rc = rc < 0 ? rc : tk_attrs_decoder_new(block, &forest, 0, &decoder, &missing, err);
    for (uint32_t t = 0; rc == 0 && t < forest.trace_count; t++) {
        for (uint32_t i = tk_forest_begin(&forest, t); rc == 0 && i < forest.trace_ends[t]; i++)
            rc = tk_attrs_decoder_skip(decoder, t, i, err);
    }
    rc = rc < 0 ? rc : tk_attrs_decoder_report(decoder, &report, err);
    rc = rc < 0 ? rc : add_report(adding, &report, err);
    tk_attrs_report_release(&report);
    tk_forest_release(&forest);
    return rc == -EBADMSG ? 0 : rc;
}

int tk_attrs_file_report(tk_str file, struct tk_attrs_report *ret_report, struct tk_err *err)
{
    struct tk_attrs_report sum = {0};
    struct adding adding = {.sum = &sum};
    struct tk_block_walk walk = {.file = file};
    struct tk_block block;
    int rc = tk_arena_init(&sum.names, NAME_BYTES, err);
    while (rc == 0 && (rc = tk_block_walk_next(&walk, &block, err)) == 0)
        rc = add_block(&adding, &block, err);
    tk_map_release(&adding.places);
    if (rc < 0) {
        tk_attrs_report_release(&sum);
        return rc;
    }
    *ret_report = sum;
    return 0;
}
