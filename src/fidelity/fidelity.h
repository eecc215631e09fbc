/* SPDX-License-Identifier: Apache-2.0 */
/* How well a set of traces (sampled, compressed, made up) stands for the real one
 * (trace-fidelity.md).
 *
 *     spans -> span_table.h   one row a span, by column, rows grouped by trace
 *           -> sides.h        both tables with one numbering of texts
 *           -> figures.h      measures, each a constant: what differs, as figures
 *
 *   queries.h        PandoraTrace's ten queries; distances.h what they are compared by
 *   tasks.h, rca.h   the tasks of Gen-T, causes of faults (faults.h) by two published algorithms
 *   templates.h      queries of a user's own, in SQL (sql.h, database.h, sqlite.h)
 *   samplers.h       whole traces that are kept; trace_filter.h their spans
 *   baselines.h      other encoders; controls.h sets that are wrong in a known way
 *   frontier.h       all of them at equal bytes; profile.h curves for a page
 *
 * It does not know the codec that it judges (src/codec), and does no output. */
#ifndef TK_FIDELITY_FIDELITY_H
#define TK_FIDELITY_FIDELITY_H

#include "fidelity/figures.h"
#include "fidelity/span_table.h"

#endif
