/* SPDX-License-Identifier: Apache-2.0 */
/* Formats of spans, as two const tables: readers of files and encoders. To add one: its file in
 * src/span/, its line in span_formats.c, a golden file, a fuzz target for a reader, its line in
 * docs/man/tracekit-import.1.scd or tracekit-export.1.scd. No I/O; one thread at a time per state.
 */
#ifndef TK_SPAN_SPAN_FORMAT_H
#define TK_SPAN_SPAN_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"
#include "span/span_tally.h"

struct tk_batch;

/* What Jaeger calls the service of a Resource that has no service.name. */
#define TK_JAEGER_NO_SERVICE "OTLPResourceNoServiceName"

/* A reader takes a whole text (a mapped file) and fills batches from it, one call after the other.
 * Lines and records that are bad are counted, and the first of them is told by `first_bad`. */
struct tk_span_input {
    tk_str text;         /* borrowed */
    size_t offset;       /* of the next byte to read */
    char first_bad[200]; /* "line 12: ..." or "byte 120: ..."; "" = none */

    /* Of CSV and flat JSON: "FIELD=NAME" or "FIELD=NAME:UNIT" for columns and keys that have other
     * names than those that are known (span_fields.h). Borrowed. */
    const char *const *maps;
    size_t map_count;
    char delimiter; /* between columns; 0 = as the header tells */
};

struct tk_span_reader {
    const char *name; /* as in `tracekit import --format NAME` */
    const char *help; /* one line, lower case */

    /* Whether a text that begins so (some KiB of it) is of this format. */
    bool (*detect)(tk_str head);

    TK_MUST_USE int (*open)(void **ret_state, struct tk_err *err);

    /* Append spans until the batch is full (returns 0: hand it on, reset it, call again) or the
     * text ends (returns 1). -EBADMSG only where nothing behind the fault can be read any more. */
    TK_MUST_USE int (*read)(void *state, struct tk_span_input *input, struct tk_span_batch *batch,
                            struct tk_span_tally *tally, struct tk_err *err);
    void (*close)(void *state);
};

/* Duplicates are not a reader's business: see dedupe.h. */
extern const struct tk_span_reader tk_span_reader_otlp_proto; /* TracesData; also records of
                                                                 [u32 length][TracesData] */
extern const struct tk_span_reader tk_span_reader_otlp_json;  /* one, or one a line */
extern const struct tk_span_reader tk_span_reader_jaeger;     /* {"data":[...]}, one trace, lines */
extern const struct tk_span_reader tk_span_reader_zipkin;     /* JSON of v2: array, lines, traces */
extern const struct tk_span_reader tk_span_reader_zipkin_proto; /* ListOfSpans */
extern const struct tk_span_reader tk_span_reader_gent;         /* lines of Gen-T */
extern const struct tk_span_reader tk_span_reader_events;       /* event files of a run */
extern const struct tk_span_reader tk_span_reader_flat;         /* one span a line, as JSON */
extern const struct tk_span_reader tk_span_reader_csv;          /* columns by name */

/* In the order in which they are tried; ends with NULL. */
extern const struct tk_span_reader *const tk_span_readers[];

/* By name, or by the beginning of a text; NULL = none. */
const struct tk_span_reader *tk_span_reader_find(const char *name);
const struct tk_span_reader *tk_span_reader_detect(tk_str head);

/* An encoder turns rows into bytes of one format: head once, spans any number of times, tail once.
 * A call of `spans` holds whole traces, one after the other, and names its rows, where `by_trace`
 * says so. */
struct tk_span_encoder {
    const char *name; /* as in `tracekit export NAME` */
    const char *help;
    const char *ending; /* of a file, ".json" */
    size_t state_size;  /* zeroed by the caller; 0 = none */
    bool by_trace;
    void (*head)(void *state, struct tk_buf *out); /* NULL = nothing */
    TK_MUST_USE int (*spans)(void *state, const struct tk_span_rows *rows, struct tk_buf *out,
                             struct tk_err *err);

    /* Readings of the machines on which they ran, rows of host_metrics: behind the spans, any
     * number of times. NULL = the format has no place for them. */
    TK_MUST_USE int (*host)(void *state, const struct tk_batch *batch, struct tk_buf *out,
                            struct tk_err *err);
    void (*tail)(void *state, struct tk_buf *out); /* NULL = nothing */
    void (*release)(void *state);                  /* free what the state owns; NULL = nothing */
};

extern const struct tk_span_encoder tk_span_encoder_otlp; /* JSON, a request a line */
extern const struct tk_span_encoder
    tk_span_encoder_otlp_proto;                             /* [u32 big-endian length][request] */
extern const struct tk_span_encoder tk_span_encoder_jaeger; /* {"data":[...]} */
extern const struct tk_span_encoder tk_span_encoder_zipkin; /* [...] */
extern const struct tk_span_encoder tk_span_encoder_chrome;
extern const struct tk_span_encoder tk_span_encoder_perfetto;
extern const struct tk_span_encoder tk_span_encoder_csv;
extern const struct tk_span_encoder tk_span_encoder_jsonl; /* one span a line, flat */
extern const struct tk_span_encoder tk_span_encoder_gent;  /* a trace a line; write_gent.h */

/* In the order of the manual; ends with NULL. */
extern const struct tk_span_encoder *const tk_span_encoders[];

/* By name; NULL = none. */
const struct tk_span_encoder *tk_span_encoder_find(const char *name);

/* Append one trace as the object of Jaeger's query API: {"traceID","spans","processes","warnings"}
 * (trace-protocols.md section 7.1). All rows are of one trace. */
void tk_jaeger_put_trace(const struct tk_span_rows *rows, struct tk_buf *out);

#endif
