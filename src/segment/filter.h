/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows of a row group may be what a query asks for, from the columns that it names and no
 * others. A row that is left out is not asked for; one that stays may still be none, where an
 * attribute stands in several places, so that tk_span_query_matches() has the last word. */
#ifndef TK_SEGMENT_FILTER_H
#define TK_SEGMENT_FILTER_H

#include "segment/segment_file.h"
#include "segment/span_query.h"

/* Whether the file may have such rows at all, from what is known without reading. */
bool tk_filter_file_may_match(const struct tk_segment_file *file,
                              const struct tk_span_query *query);

/* Rows of the group that may match, ascending, in the arena. */
TK_MUST_USE int tk_filter_rows(struct tk_segment_file *file, size_t group,
                               const struct tk_span_query *query, struct tk_arena *arena,
                               struct tk_segment_rows *ret_rows, struct tk_err *err);

#endif
