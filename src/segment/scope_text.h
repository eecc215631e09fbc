/* SPDX-License-Identifier: Apache-2.0 */
/* Resources and scopes as JSON texts of columns, and back (docs/format-spans.md section 6):
 *
 *     resource          {"service.name":"cart","process.pid":12}
 *     more_of_resource {"schema_url":"...","dropped":1,"entity_refs":"<base64>","attributes":[...]}
 *     more_of_scope     {"schema_url":"...","dropped":1,"attributes":[...]}
 *
 * "more" has what plain JSON of attributes and the columns scope_name and scope_version leave out;
 * its attributes, as in OTLP/JSON, are there when the plain object would not be read back as the
 * same, and of a scope always. */
#ifndef TK_SEGMENT_SCOPE_TEXT_H
#define TK_SEGMENT_SCOPE_TEXT_H

#include "segment/attr_text.h"

/* Append the attributes of a resource as a plain object; false when a reader of it would miss
 * something. */
bool tk_resource_put(struct tk_attr_coder *coder, const struct tk_span_batch *batch, uint32_t index,
                     struct tk_buf *out);

/* Append the object of what is left to tell, or nothing. */
void tk_resource_put_more(const struct tk_span_batch *batch, uint32_t index, bool is_exact,
                          struct tk_buf *out);
void tk_scope_put_more(const struct tk_span_batch *batch, uint32_t index, struct tk_buf *out);

/* Read both texts of a resource, `more` with p == NULL for none, and add it to the batch. -EBADMSG,
 * -ENOBUFS. */
TK_MUST_USE int tk_resource_read(struct tk_attr_coder *coder, tk_str plain, tk_str more,
                                 struct tk_span_batch *batch, uint32_t *ret_index,
                                 struct tk_err *err);

/* Read what is left to tell of a scope into `scope`, whose other members stay. */
TK_MUST_USE int tk_scope_read_more(struct tk_attr_coder *coder, tk_str more,
                                   struct tk_span_batch *batch, struct tk_span_scope *scope,
                                   struct tk_err *err);

#endif
