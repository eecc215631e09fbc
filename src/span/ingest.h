/* SPDX-License-Identifier: Apache-2.0 */
/* Ingests: each reads the records of one foreign format. One thread at a time per state. */
#ifndef TK_SPAN_INGEST_H
#define TK_SPAN_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span/call.h"

#define TK_INGEST_RECORD_MAX ((size_t)1 << 20) /* bytes of a record */

/* All borrowed as long as the state lives. */
struct tk_ingest_options {
    const char *format;       /* of a line of text; NULL = the format's usual one */
    const char *trace_header; /* header with the trace id; NULL = "X-Trace-Id" */
    const char *const *maps;  /* "FIELD=NAME:UNIT" (keys.h), before the built-in names */
    size_t map_count;
    char delimiter; /* between columns; 0 = found in the header */
};

enum tk_ingest_result {
    TK_INGEST_CALL,   /* the call has fields */
    TK_INGEST_OTHER,  /* belongs to the format, but is no call: a header, a blank line */
    TK_INGEST_PASSED, /* a call that is none yet, or part of another: counted as passed over */
};

struct tk_ingest {
    const char *name; /* as in `tracekit adapt NAME` */
    const char *help; /* one line, lower case */
    bool has_format;  /* obeys options.format; likewise the two below */
    bool has_maps;
    bool has_delimiter;

    /* Make the state. -EINVAL when the options cannot be obeyed. */
    int (*open)(const struct tk_ingest_options *options, void **ret_state, struct tk_err *err);

    /* A new text begins: a header may follow. NULL = nothing to do. */
    void (*begin)(void *state);

    /* A line that opens a quote and does not close it, or closes one and opens none: the record
     * then goes on in the next line, or ends. NULL = each line is a record. */
    bool (*has_odd_quotes)(const void *state, tk_str line);

    /* Set the fields of `call`, which is empty, from one record. They borrow from the record and
     * from the state, until the next call. Returns an enum tk_ingest_result; -EBADMSG for a bad
     * record; any other failure ends the reading. */
    int (*read)(void *state, tk_str record, struct tk_call *call, struct tk_err *err);

    /* Calls that began and whose end was not read yet. NULL = none ever. */
    uint64_t (*count_open)(const void *state);

    void (*close)(void *state);
};

extern const struct tk_ingest tk_ingest_nginx;
extern const struct tk_ingest tk_ingest_envoy;
extern const struct tk_ingest tk_ingest_json;
extern const struct tk_ingest tk_ingest_csv;
extern const struct tk_ingest tk_ingest_jobs;

/* In the order of the manual; ends with NULL. */
extern const struct tk_ingest *const tk_ingests[];

/* The ingest of that name, or NULL. */
const struct tk_ingest *tk_ingest_find(const char *name);

#endif
