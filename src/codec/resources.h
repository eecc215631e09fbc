/* SPDX-License-Identifier: Apache-2.0 */
/* Resources and scopes of a block: each different one is told once, then which of those of its
 * symbol a span has: nothing where there is only one (docs/format-tkz.md section "Resources").
 * Inside L3 only. One thread at a time. */
#ifndef TK_CODEC_RESOURCES_H
#define TK_CODEC_RESOURCES_H

#include "base/arena.h"
#include "codec/attr_class.h"
#include "codec/attr_values.h"
#include "codec/codec.h"
#include "codec/forest.h"

struct tk_scope_attr {
    uint32_t key;
    uint32_t type;
    uint64_t raw; /* text, integer, or bits of a double */
};

/* Texts are those of the batch until they are coded, of the dictionary from then on. */
enum tk_scope_text {
    TK_SCOPE_SERVICE, /* of resources */
    TK_SCOPE_ENTITY_REFS,
    TK_SCOPE_SCHEMA_URL, /* of both */
    TK_SCOPE_NAME,       /* of scopes */
    TK_SCOPE_VERSION,
    TK_SCOPE_TEXTS
};

/* A resource, or a scope. */
struct tk_scope_entry {
    uint32_t texts[TK_SCOPE_TEXTS];
    uint32_t attrs; /* attrs[attrs .. attrs + n] */
    uint32_t n;
    uint32_t dropped;
    uint32_t resource; /* of scopes */
};

struct tk_resources {
    struct tk_scope_entry *resources;
    struct tk_scope_entry *scopes;
    struct tk_scope_attr *attrs;
    uint32_t *symbol_ends;   /* [symbols] choices of symbol s end there, and begin where those of
                                s - 1 end */
    uint32_t *symbol_scopes; /* scopes */
    uint32_t *node_scopes;   /* [nodes of a trace] the trace at hand */
    uint32_t resource_count, scope_count, attr_count, choice_count;
    uint32_t symbol_count;
    struct tk_guesser choices;
    uint64_t bits; /* of choices, in 1/4096 bit */
    struct tk_arena memory;
};

/* Room for a table of `symbols`, and traces of `nodes`. -ENOMEM. */
struct tk_resources_limits {
    uint32_t resources, scopes, attrs, choices;
};
#define TK_RESOURCES_LIMIT_COUNT (sizeof(struct tk_resources_limits) / sizeof(uint32_t))
TK_MUST_USE int tk_resources_init(struct tk_resources *resources,
                                  const struct tk_resources_limits *limits, uint32_t symbols,
                                  uint32_t nodes, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_resources_release(struct tk_resources *resources);

/* The encoder's: all scopes of the rows of a forest. `ret_node_scopes` has room for its nodes.
 * Without `keep_attrs` what is left of a resource is its service. -ENOMEM. */
TK_MUST_USE int tk_resources_gather(struct tk_resources *resources, const struct tk_forest *forest,
                                    const struct tk_span_batch *batch,
                                    const struct tk_codec_options *options,
                                    uint32_t *ret_node_scopes, struct tk_err *err);

/* Code the table, both ways; `texts` are those of the batch when encoding. -EBADMSG, -EMSGSIZE. */
TK_MUST_USE int tk_resources_code(struct tk_resources *resources, struct tk_coder *coder,
                                  struct tk_attr_words *words, const struct tk_texts *texts,
                                  const struct tk_resources_limits *limits, struct tk_err *err);

/* Code the scope of a node, both ways; returns it, or UINT32_MAX where its symbol has none: the
 * stream is damaged. */
uint32_t tk_resources_code_node(struct tk_resources *resources, struct tk_coder *coder,
                                const struct tk_attr_node *node, uint32_t scope);

#endif
