/* SPDX-License-Identifier: Apache-2.0 */
/* Where spans come from and where they go, as two functions each: a run, a file of any format, a
 * .tkz, a generator; a file, a table, an encoder. */
#ifndef TK_SPAN_SPAN_SOURCE_H
#define TK_SPAN_SPAN_SOURCE_H

#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

struct tk_span_source {
    /* Append spans to `batch`: 0 = there may be more (hand the batch on, reset it, call again), 1 =
     * that was all. A span of a trace may stand anywhere. */
    TK_MUST_USE int (*read)(void *context, struct tk_span_batch *batch, struct tk_err *err);
    void *context; /* borrowed */
};

struct tk_span_sink {
    /* Take rows; they are borrowed for the call. */
    TK_MUST_USE int (*write)(void *context, const struct tk_span_rows *rows, struct tk_err *err);
    void *context; /* borrowed */
};

#endif
