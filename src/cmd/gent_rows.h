/* SPDX-License-Identifier: Apache-2.0 */
/* Traces as the rows that Gen-T trains with (trace-compression.md section 15.3): each trace as
 * chains of so many nodes, a chain a line, with the attributes of section 15.6. An encoder like
 * those of span/span_format.h, but that it knows the projection of attributes. */
#ifndef TK_CMD_GENT_ROWS_H
#define TK_CMD_GENT_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

struct tk_gent_rows_options {
    uint32_t chain_length; /* 2 or more; 0 = 2 */
    bool compat;           /* gaps from 0 to 5000, durations of 5000 and more are 0 */
    bool reversed;         /* edges from child to parent, as Gen-T makes them of Jaeger's */
};

struct tk_gent_rows;

/* -ENOMEM. */
TK_MUST_USE int tk_gent_rows_new(const struct tk_gent_rows_options *options,
                                 struct tk_gent_rows **ret_rows, struct tk_err *err);

/* Accepts NULL. */
void tk_gent_rows_free(struct tk_gent_rows *rows);

/* Append the line of names. */
void tk_gent_rows_head(const struct tk_gent_rows *rows, struct tk_buf *out);

/* Append the chains of whole traces, one after the other. -ENOMEM. */
TK_MUST_USE int tk_gent_rows_put(struct tk_gent_rows *rows, const struct tk_span_rows *traces,
                                 struct tk_buf *out, struct tk_err *err);

#endif
