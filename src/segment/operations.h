/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of many files as one list, each once. */
#ifndef TK_SEGMENT_OPERATIONS_H
#define TK_SEGMENT_OPERATIONS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "segment/segment_set.h"

struct tk_operations {
    struct tk_arena *arena; /* of the texts */
    struct tk_buf items;    /* struct tk_span_operation[] */
    struct tk_map by_hash;
};

/* None yet; texts go to the arena, which stays the caller's. */
void tk_operations_init(struct tk_operations *operations, struct tk_arena *arena);

/* Accepts a zeroed struct. */
void tk_operations_release(struct tk_operations *operations);

/* Count spans of an operation. -ENOMEM. */
TK_MUST_USE int tk_operations_add(struct tk_operations *operations,
                                  const struct tk_span_operation *operation, struct tk_err *err);

/* Count those of a list as the metadata of a segment has it; of `service` only, unless p is NULL.
 */
TK_MUST_USE int tk_operations_add_json(struct tk_operations *operations, tk_str text,
                                       tk_str service, struct tk_err *err);

/* Those of rows of a batch. */
TK_MUST_USE int tk_operations_add_rows(struct tk_operations *operations,
                                       const struct tk_span_rows *rows, tk_str service,
                                       struct tk_err *err);

/* Sort by service, name and kind. */
void tk_operations_sort(struct tk_operations *operations);

#endif
