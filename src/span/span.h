/* SPDX-License-Identifier: Apache-2.0 */
/* Spans: what others wrote down about requests and jobs becomes rows of the invocations table
 * (collect-and-cctf.md section 14).
 *
 *     bytes -> records -> ingest -> struct tk_call -> row of invocations -> whoever asked
 *
 *   when.h     calendar times of logs
 *   call.h     one request or job: named fields, their units, what follows from what
 *   pattern.h  lines of text in a format such as nginx's log_format
 *   keys.h     fields of objects and columns, by a table from keys to fields
 *   ingest.h   the formats, as a const table; options
 *   adapt.h    this module's verb: a text of any of these formats to batches of rows, in bounded
 *              memory, every line that is no row counted
 *
 * Nothing here reads or writes files. To add a format: src/span/ingest_x.c with its `const struct
 * tk_ingest`, its line in ingests.c, its section in docs/man/tracekit-adapt.1.scd, its lines in
 * tests/unit/test_ingest.c and tests/data/adapt/.
 */
#ifndef TK_SPAN_SPAN_H
#define TK_SPAN_SPAN_H

#include "span/adapt.h"
#include "span/call.h"
#include "span/ingest.h"

#endif
