/* SPDX-License-Identifier: Apache-2.0 */
/* What the formats share. */
#ifndef TK_TABLE_FORMAT_INTERNAL_H
#define TK_TABLE_FORMAT_INTERNAL_H

#include "base/buf.h"
#include "base/json.h"
#include "table/batch.h"

/* Append a list of `column` as a JSON array. */
void tk_list_put_json(struct tk_buf *out, const struct tk_column *column, struct tk_list list);

/* Read a JSON value of `column`'s type; texts and lists go into the arena of `out`. Fails as the
 * scanner does; -EMSGSIZE also when the arena is full. */
TK_MUST_USE int tk_value_read_json(struct tk_json *json, struct tk_batch *out, enum tk_type type,
                                   union tk_value *ret, struct tk_err *err);

#endif
