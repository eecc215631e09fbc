/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as a database of SQLite:
 *
 *     spans                    a row a span; texts in JSON where there are several values:
 *         trace_id, span_id, parent_span_id    hexadecimal digits; no parent is NULL
 *         service, name, kind                  kind as a word
 *         start_ns, duration_ns                start since 1970
 *         status, status_message               status as a word
 *         attributes, events, links            NULL = none
 *         resource                             id in `resources`
 *         has_issues, str_feature_1 ...        what Gen-T keeps of a span (projection.h)
 *     resources                id, attributes
 *     GentSpans, GentTraces    views: the table of 12 columns, as sql.h has it
 *
 * All is one transaction, into a file that is empty. One thread at a time. */
#ifndef TK_FIDELITY_DATABASE_H
#define TK_FIDELITY_DATABASE_H

#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

struct tk_span_database;

/* Begin a database in a file. -EOPNOTSUPP when this build has no SQLite, -ENOENT when this machine
 * has none, -EIO, -ENOMEM. */
TK_MUST_USE int tk_span_database_new(const char *path, struct tk_span_database **ret_database,
                                     struct tk_err *err);

/* Add a row of each. -EIO with what SQLite says, -EMSGSIZE, -ENOMEM. */
TK_MUST_USE int tk_span_database_add(struct tk_span_database *database,
                                     const struct tk_span_rows *rows, struct tk_err *err);

/* Make the index and commit; nothing can be added any more. Does not sync the file. */
TK_MUST_USE int tk_span_database_close(struct tk_span_database *database, struct tk_err *err);

/* Accepts NULL. What was not closed is no database. */
void tk_span_database_free(struct tk_span_database *database);

#endif
