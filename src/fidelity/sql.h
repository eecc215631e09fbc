/* SPDX-License-Identifier: Apache-2.0 */
/* The table of 12 columns of trace-fidelity.md section 2 as SQL text that SQLite reads: table
 * NAMESpans, view NAMETraces, rows; or NAMESpans as a view of the table of database.h. No I/O; one
 * thread at a time. */
#ifndef TK_FIDELITY_SQL_H
#define TK_FIDELITY_SQL_H

#include "base/buf.h"
#include "fidelity/span_table.h"

/* Append CREATE TABLE and CREATE VIEW, and the begin of a transaction. `name` may be empty; quotes
 * in it are doubled. */
void tk_sql_put_head(tk_str name, struct tk_buf *out);

/* Append CREATE VIEW of both, NAMESpans out of the columns of table `spans` (database.h). Unlike
 * the table it has spans that come twice twice, and cycles of parents are not cut. */
void tk_sql_put_views(tk_str name, struct tk_buf *out);

/* Append the rows of a trace, or of none when it has none. */
void tk_sql_put_trace(const struct tk_span_table *table, uint32_t trace, tk_str name,
                      struct tk_buf *out);

/* Append the end of the transaction. */
void tk_sql_put_tail(struct tk_buf *out);

#endif
