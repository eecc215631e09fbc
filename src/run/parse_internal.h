/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `parse` share: one run on its way. */
#ifndef TK_RUN_PARSE_INTERNAL_H
#define TK_RUN_PARSE_INTERNAL_H

#include <limits.h>

#include "run/exits.h"
#include "run/ordered.h"
#include "run/out.h"
#include "run/parse.h"
#include "run/rawlog.h"
#include "run/recording.h"
#include "run/run_internal.h"

struct tk_parse {
    const struct tk_parse_options *options;
    struct tk_parse_result result;
    const char *folder; /* the run, and where the results go: for messages */
    const char *target;
    int in;   /* the run folder */
    int out;  /* for events.jsonl and raw tables; same as `in` as a rule */
    int cctf; /* below out */
    int cts;  /* below out; -1 = not asked for */

    char node[256];
    char stage[256];
    struct tk_batch *node_meta; /* NULL = there is none */
    struct tk_batch *link_meta;
    struct tk_batch *run;
    struct tk_rawlog *rawlog; /* logs of an old run that was not recorded by us; NULL = none */

    struct tk_birth birth; /* clk_tck, and the anchor of boot time */
    int64_t start_us;      /* first tick; INT64_MIN = unknown */
    int64_t window_us;     /* rows may be that much out of order */
    struct tk_range range;
    struct tk_exits exits;
};

/* Tell the owner one line, printf-like. */
void tk_parse_say(struct tk_parse *parse, enum tk_parse_note note, const char *fmt, ...)
    TK_PRINTF(3, 4);

/* Where a table is to be read from, below parse->in: the raw file, which may be in the recording,
 * else cctf/, else CTS/ for the tables of generation 2. False when there is none. */
#define TK_SOURCE_MAX 64
bool tk_parse_find_source(const struct tk_parse *parse, enum tk_table table,
                          char ret_path[TK_SOURCE_MAX]);

/* Count what a reader met, and say what was bad. */
void tk_parse_note_stats(struct tk_parse *parse, const char *name,
                         const struct tk_decode_stats *stats);
void tk_parse_note_copy(struct tk_parse *parse, const char *name,
                        const struct tk_copy_stats *stats);

/* Copy a table, its rows of the range, to cctf/ in the order of time; an empty one when it has no
 * source. */
TK_MUST_USE int tk_parse_copy_lines(struct tk_parse *parse, enum tk_table table,
                                    struct tk_err *err);

/* Write cctf/run.json of a part: `source` with its times and a notice of what it is. */
TK_MUST_USE int tk_parse_write_part(struct tk_parse *parse, const char *source, struct tk_err *err);

/* Copy a document such as run.json to cctf/ as it is, unless it has no source or is no JSON. */
TK_MUST_USE int tk_parse_copy_document(struct tk_parse *parse, enum tk_table table,
                                       struct tk_err *err);

/* Steps, in this order. */
TK_MUST_USE int tk_parse_meta(struct tk_parse *parse, struct tk_err *err);
TK_MUST_USE int tk_parse_events(struct tk_parse *parse, struct tk_err *err);
TK_MUST_USE int tk_parse_hosts(struct tk_parse *parse, struct tk_err *err);
TK_MUST_USE int tk_parse_procs(struct tk_parse *parse, struct tk_err *err);
TK_MUST_USE int tk_parse_nodes(struct tk_parse *parse, struct tk_err *err);
TK_MUST_USE int tk_parse_copies(struct tk_parse *parse, struct tk_err *err);

#endif
