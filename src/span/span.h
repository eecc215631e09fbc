/* SPDX-License-Identifier: Apache-2.0 */
/* Spans: what others wrote down about requests and jobs. Two ways lead in:
 *
 *     access logs, job exports   bytes -> records -> ingest -> struct tk_call -> row of invocations
 *                                (collect-and-cctf.md section 14)
 *     OTLP, Jaeger, Zipkin, ...  bytes -> reader -> batch of spans -> encoder or segment
 *                                (trace-protocols.md)
 *
 *   when.h     calendar times of logs
 *   call.h     one request or job: named fields, their units, what follows from what
 *   pattern.h  lines of text in a format such as nginx's log_format
 *   keys.h     fields of objects and columns, by a table from keys to fields
 *   ingest.h   the formats of logs, as a const table; options
 *   adapt.h    a text of any of these formats to batches of rows, in bounded memory, every line
 *              that is no row counted
 *   otlp_write.h  rows of a run as OTLP/JSON
 *
 *   texts.h        texts by number
 *   span_batch.h   spans by column, without loss
 *   span_tally.h   what was taken, refused, repaired, and why
 *   any_value.h    attribute values as text
 *   otlp.h         OTLP as protobuf and JSON, both ways
 *   span_format.h  readers of files and encoders, as const tables
 *
 *   trace_tree.h   one trace as a tree: self time, critical path, odd traces
 *   trace_summary.h  a trace in a line
 *   projection.h   the two strings and three integers that Gen-T keeps of a span
 *   operation_times.h, service_links.h  figures over many traces, by span_join.h
 *
 * Nothing here reads or writes files. To add a log format: src/span/ingest_x.c with its `const
 * struct tk_ingest`, its line in ingests.c, its section in docs/man/tracekit-adapt.1.scd, its lines
 * in tests/unit/test_ingest.c and tests/data/adapt/. To add a format of spans: see span_format.h.
 */
#ifndef TK_SPAN_SPAN_H
#define TK_SPAN_SPAN_H

#include "span/adapt.h"
#include "span/any_value.h"
#include "span/call.h"
#include "span/ingest.h"
#include "span/operation_times.h"
#include "span/otlp.h"
#include "span/otlp_write.h"
#include "span/service_links.h"
#include "span/span_batch.h"
#include "span/span_format.h"
#include "span/span_join.h"
#include "span/span_tally.h"
#include "span/trace_summary.h"
#include "span/trace_tree.h"

#endif
