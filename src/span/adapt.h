/* SPDX-License-Identifier: Apache-2.0 */
/* Adapt: the lines of a foreign log to rows of invocations, in bounded memory. The caller has the
 * lines (of a file, a pipe, a test) and takes the rows; nothing is lost in silence: what is no row
 * is counted, and told with its line. One thread at a time.
 *
 *     tk_adapt_new(&options, sink, &adapt, &err);
 *     tk_adapt_begin(adapt);
 *     for each line: tk_adapt_put(adapt, line, number, &err);
 *     tk_adapt_end(adapt, &err);
 */
#ifndef TK_SPAN_ADAPT_H
#define TK_SPAN_ADAPT_H

#include "run/rows.h"
#include "span/ingest.h"

struct tk_adapt_options {
    const struct tk_ingest *ingest;
    struct tk_ingest_options format;
    struct tk_call_place place; /* of calls that do not say where they were */
    bool local_time;            /* times without a zone are of the zone that TZ names; else UTC */

    /* Told of each line that is no row though it should be one; NULL = nobody. */
    void (*bad)(void *context, uint64_t line, const char *why);
    void *context;
};

struct tk_adapt_stats {
    uint64_t lines;
    uint64_t rows;
    uint64_t bad;    /* records that are none of the format, or whose values cannot be */
    uint64_t passed; /* jobs without an end, parts of jobs */
};

struct tk_adapt;

/* -EINVAL when the options of the format cannot be obeyed. `sink` gets batches of
 * TK_TABLE_INVOCATIONS. What the options point to must live as long. */
TK_MUST_USE int tk_adapt_new(const struct tk_adapt_options *options, struct tk_sink sink,
                             struct tk_adapt **ret_adapt, struct tk_err *err);

/* A new text begins. */
void tk_adapt_begin(struct tk_adapt *adapt);

/* One line, without its newline, and its number in the text, from 1. Fails when the sink does, or
 * when nothing that follows can be read; never because of a bad line. */
TK_MUST_USE int tk_adapt_put(struct tk_adapt *adapt, tk_str line, uint64_t number,
                             struct tk_err *err);

/* The text ends: a record that is not whole is bad. Drains all rows. */
TK_MUST_USE int tk_adapt_end(struct tk_adapt *adapt, struct tk_err *err);

/* Drain the rows so far. */
TK_MUST_USE int tk_adapt_flush(struct tk_adapt *adapt, struct tk_err *err);

/* Count, and tell, a line that the caller could not hand over. */
void tk_adapt_add_bad(struct tk_adapt *adapt, uint64_t line, const char *why);

/* Borrowed. */
const struct tk_adapt_stats *tk_adapt_stats(const struct tk_adapt *adapt);

/* Tasks that began and whose end was not read. */
uint64_t tk_adapt_count_open(const struct tk_adapt *adapt);

/* Accepts NULL. */
void tk_adapt_free(struct tk_adapt *adapt);

/* For TK_CLEANUP. */
void tk_adapt_freep(struct tk_adapt **adapt);

#endif
