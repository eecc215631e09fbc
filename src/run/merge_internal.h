/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `merge` share: one merge on its way.
 *
 *   merge.c         the steps
 *   merge_files.c   the result as two files instead of a folder
 *   merge_run.c     run.json of the whole, and merge.json, which tells how it came about
 *   merge_inputs.c  finds the runs and opens the CCTF folder of each, parsed if need be
 *   merge_nodes.c   who is who: nodes.json, links.json, new node ids
 *   merge_clocks.c  offsets between clocks, and how far to shift a time of a node
 *   merge_row.c     one row: its time, its node, its new text
 *   merge_tables.c  the rows of all inputs in the order of time
 *   merge_calls.c   calls between nodes against their clocks
 */
#ifndef TK_RUN_MERGE_INTERNAL_H
#define TK_RUN_MERGE_INTERNAL_H

#include <limits.h>

#include "base/map.h"
#include "run/lines.h"
#include "run/merge.h"
#include "run/out.h"
#include "run/run_internal.h"

#define TK_MERGE_POINTS_MAX 512

/* Below the result while a merge goes on: inputs that had to be parsed. */
#define TK_MERGE_SCRATCH ".parsed"

/* At node time `at_us` the reference's clock shows `at_us + add_us`, give or take `bound_us`. */
struct tk_merge_point {
    int64_t at_us, add_us, bound_us;
};

struct tk_merge_shift {
    struct tk_merge_point points[TK_MERGE_POINTS_MAX]; /* ascending; between them it is linear */
    size_t count;
};

struct tk_merge_input {
    char path[PATH_MAX]; /* as given or found, for messages */
    char name[TK_MERGE_NAME_MAX];
    int cctf;         /* owned: folder of its tables */
    size_t nodes[64]; /* of the merge; those of its nodes.json in its order */
    size_t node_count;
    bool shares_node; /* another input has one of its nodes too: rows may come twice */
};

struct tk_merge {
    const struct tk_merge_options *options;
    struct tk_merge_report *report;
    int out;        /* the result */
    size_t missing; /* tk_dir_missing() of the result, before it was made; 0 = not yet */
    bool is_new;    /* it was empty before */
    bool is_ours;   /* empty, or the result of an earlier merge */
    bool began;     /* what was in it is gone */
    struct tk_merge_input *inputs;
    size_t input_count;
    size_t found;                   /* runs in the folders, those that were given twice included */
    struct tk_merge_shift **shifts; /* by node; NULL = its times stay */
    struct tk_batch *nodes;         /* rows of nodes.json, by node */
    struct tk_merge_calls *calls;
    int64_t first_us, last_us; /* times of the rows that were written; 0 = none */
};

/* Tell the owner one line, printf-like. */
void tk_merge_say(const struct tk_merge *merge, const char *fmt, ...) TK_PRINTF(2, 3);

/* Steps, in this order. */
TK_MUST_USE int tk_merge_find_inputs(struct tk_merge *merge, struct tk_err *err);
TK_MUST_USE int tk_merge_find_nodes(struct tk_merge *merge, struct tk_err *err);
TK_MUST_USE int tk_merge_find_shifts(struct tk_merge *merge, struct tk_err *err);
TK_MUST_USE int tk_merge_write_nodes(struct tk_merge *merge, struct tk_err *err);
TK_MUST_USE int tk_merge_write_tables(struct tk_merge *merge, struct tk_err *err);
TK_MUST_USE int tk_merge_write_run(struct tk_merge *merge, struct tk_err *err);
TK_MUST_USE int tk_merge_write_manifest(struct tk_merge *merge, struct tk_err *err);

/* The file that marks the result of a merge. */
#define TK_MERGE_MANIFEST "merge.json"

/* The node of an input that a row is of, by what it says of itself; TK_MERGE_NODES_MAX = none that
 * we know. */
size_t tk_merge_node_of(const struct tk_merge *merge, const struct tk_merge_input *input,
                        tk_str node, tk_str host);

/* How far a time of a node is to be shifted. */
int64_t tk_merge_shift_us(const struct tk_merge *merge, size_t node, int64_t at_us);

/* Rows ------------------------------------------------------------------------------------- */

enum tk_merge_role {
    TK_MERGE_NODE, /* a label: replaced by the id */
    TK_MERGE_HOST,
    TK_MERGE_LINK, /* "LABEL.nic" */
    TK_MERGE_MS,   /* a stamp in ms, or in us: shifted */
    TK_MERGE_US,
    TK_MERGE_START, /* that of an invocation's start, in ms */
    TK_MERGE_SPAN,
    TK_MERGE_PARENT,
};

#define TK_MERGE_SPANS_MAX 24

/* What of a line matters here. Views borrow the line. */
struct tk_merge_row {
    tk_str text;
    int64_t time_us;   /* to sort by, in the clock of its node; INT64_MIN = none */
    uint8_t time_rank; /* of the stamp that it is from; 0 = none */
    int64_t start_us;  /* of an invocation; INT64_MIN = none */
    tk_str node, host, span, parent;
    struct {
        enum tk_merge_role role;
        tk_str raw; /* the value as written */
    } spans[TK_MERGE_SPANS_MAX];
    size_t span_count;
};

/* -EBADMSG when the line is no object. */
TK_MUST_USE int tk_merge_row_read(enum tk_table table, tk_str line, struct tk_merge_row *ret_row,
                                  struct tk_err *err);

/* Append the row with the id and host of `node` (label is what it called itself), and its stamps
 * shifted. */
void tk_merge_row_put(const struct tk_merge_row *row, const struct tk_merge_node *node,
                      int64_t shift_us, struct tk_buf *out);

/* Take the name of a node from the front of "LABEL.nic" or "LABEL.net"; false = it is not there. */
bool tk_merge_take_label(tk_str *text, const struct tk_merge_node *node);

/* Calls ------------------------------------------------------------------------------------ */

TK_MUST_USE int tk_merge_calls_new(struct tk_merge_calls **ret_calls, struct tk_err *err);

/* One invocation in the order of time: `start_us` is shifted already. */
void tk_merge_calls_add(struct tk_merge *merge, const struct tk_merge_row *row, size_t node,
                        int64_t start_us);

void tk_merge_calls_free(struct tk_merge_calls *calls);

#endif
