/* SPDX-License-Identifier: Apache-2.0 */
/* Records with named values, as objects (JSON Lines) or as columns (CSV): what json, csv and jobs
 * share. One thread at a time. */
#ifndef TK_SPAN_RECORDS_H
#define TK_SPAN_RECORDS_H

#include "span/ingest.h"
#include "span/keys.h"

#define TK_RECORDS_COLUMNS_MAX 512

/* The names that logs of requests commonly have. */
extern const struct tk_key tk_keys_requests[];
extern const size_t tk_keys_requests_count;

struct tk_records {
    struct tk_keys keys;
    struct tk_arena scratch; /* decoded texts of one record */
    char wanted_delimiter;   /* as in the options */
    char delimiter;
    size_t columns;                       /* of the header; 0 = not read yet */
    tk_str names[TK_RECORDS_COLUMNS_MAX]; /* in header */
    bool is_known[TK_RECORDS_COLUMNS_MAX];
    struct tk_arena header;
};

/* With the maps of the options before the names of the table. Release it also after a failure. */
TK_MUST_USE int tk_records_init(struct tk_records *records, const struct tk_key *table,
                                size_t table_count, const struct tk_ingest_options *options,
                                struct tk_err *err);

/* Forget the header. */
void tk_records_begin(struct tk_records *records);

/* The number of quotes in the line is odd. */
bool tk_records_has_odd_quotes(tk_str line);

/* Read one record; results as of an ingest. The first record with columns is the header: -EINVAL
 * when it has no name that is known. */
TK_MUST_USE int tk_records_read_object(struct tk_records *records, tk_str record,
                                       struct tk_call *call, struct tk_err *err);
TK_MUST_USE int tk_records_read_columns(struct tk_records *records, tk_str record,
                                        struct tk_call *call, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_records_release(struct tk_records *records);

#endif
