/* SPDX-License-Identifier: Apache-2.0 */
/* Which attribute keys get a column of their own: those that one span of TK_PROMOTED_SHARE carries
 * with one type, which is a string, an integer, a double or a boolean. The most frequent win where
 * there are more than TK_PROMOTED_MAX; columns stand in the order of their keys. */
#ifndef TK_SEGMENT_PROMOTE_H
#define TK_SEGMENT_PROMOTE_H

#include "base/arena.h"
#include "base/buf.h"
#include "segment/columns.h"

#define TK_NOT_PROMOTED UINT32_MAX

struct tk_promoted {
    uint32_t key; /* text of the batch */
    enum tk_attr_type type;
    const char *name; /* of the column; in the arena */
    size_t count;     /* attributes of that key and type, some of them twice in a span maybe */
};

/* What is known of a key: numbered in the order in which keys came. */
struct tk_key_plan {
    uint32_t key;
    enum tk_attr_type type;         /* that is promoted */
    uint32_t promoted;              /* index, or TK_NOT_PROMOTED */
    size_t counts[TK_ATTR_MAP + 1]; /* attributes by type */
};

struct tk_promotion {
    struct tk_promoted *columns; /* in the arena */
    size_t count;
    uint32_t *numbers;  /* [texts] number of a key + 1; 0 = no key; in the arena */
    struct tk_buf keys; /* struct tk_key_plan[] */
};

/* Decide about the attributes of the spans. -ENOMEM. Names begin with "attr_". */
TK_MUST_USE int tk_promotion_of_spans(const struct tk_span_batch *batch, struct tk_arena *arena,
                                      struct tk_promotion *ret_promotion, struct tk_err *err);

/* About those of the resources but service.name, where `weights[i]` spans have resource i. Names
 * begin with "resource_". */
TK_MUST_USE int tk_promotion_of_resources(const struct tk_span_batch *batch,
                                          const uint32_t *weights, struct tk_arena *arena,
                                          struct tk_promotion *ret_promotion, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_promotion_release(struct tk_promotion *promotion);

/* What is known of a key of which there are attributes. */
static inline const struct tk_key_plan *tk_promotion_plan(const struct tk_promotion *promotion,
                                                          uint32_t key)
{
    const struct tk_key_plan *plans = (const struct tk_key_plan *)(const void *)promotion->keys.p;
    return &plans[promotion->numbers[key] - 1];
}

/* Append the list that the file's metadata has: [{"column":"attr_http_route","key":"http.route",
 * "type":"string"},...]. */
void tk_promotion_put(const struct tk_promotion *promotion, const struct tk_texts *texts,
                      struct tk_buf *out);

/* "string", "int", "double", "bool". */
const char *tk_promoted_type_name(enum tk_attr_type type);

#endif
