/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `import` share: one folder on its way.
 *
 *   import.c       the steps, and what happens to the new folder
 *   import_meta.c  who recorded the run: node_meta.json, link_meta.json, run.json
 *   import_rows.c  tables and events
 */
#ifndef TK_RUN_IMPORT_INTERNAL_H
#define TK_RUN_IMPORT_INTERNAL_H

#include "base/arena.h"
#include "run/import.h"
#include "run/run.h"

#define TK_IMPORT_NOTICES 64

struct tk_import {
    const struct tk_import_options *options;
    struct tk_import_report report;
    int in;                       /* the old folder */
    int out;                      /* the new one */
    struct tk_rawlog *rawlog;     /* NULL = no logs */
    struct tk_batch *node_meta;   /* one row */
    struct tk_run_writer *writer; /* of the new folder */
    struct tk_rows *rows;
    tk_str notices[TK_IMPORT_NOTICES];
    size_t notice_count;
    struct tk_arena text; /* of the notices */
};

/* Tell a line, and keep it for run.json. */
void tk_import_say(struct tk_import *import, const char *fmt, ...) TK_PRINTF(2, 3);

/* Widen the range of time by a stamp. */
void tk_import_add_time(struct tk_import *import, int64_t ms);

/* Find the node: fills import->node_meta and the names in the report. Writes both documents. */
TK_MUST_USE int tk_import_find_node(struct tk_import *import, struct tk_err *err);
TK_MUST_USE int tk_import_write_meta(struct tk_import *import, struct tk_err *err);

/* Write run.json, when all rows are known. */
TK_MUST_USE int tk_import_write_run(struct tk_import *import, struct tk_err *err);

/* Bring over every table, and the events. */
TK_MUST_USE int tk_import_rows(struct tk_import *import, struct tk_err *err);
TK_MUST_USE int tk_import_events(struct tk_import *import, struct tk_err *err);

#endif
