/* SPDX-License-Identifier: Apache-2.0 */
/* Ids that the two halves of a call share, the client's span and the server's, as Zipkin's tracers
 * give them: in a batch each span has an id of its own. */
#ifndef TK_SPAN_SHARED_H
#define TK_SPAN_SHARED_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

/* Make a row that has the client's id the child of it, with an id made from that one. */
void tk_shared_split(struct tk_span_batch *batch, size_t row);

/* Of the rows from `first` on: spans below a shared id that are of the server's service were begun
 * there. They become children of the server's half. -ENOMEM; they are then the client's. */
TK_MUST_USE int tk_shared_adopt(struct tk_span_batch *batch, size_t first, struct tk_err *err);

#endif
