/* SPDX-License-Identifier: Apache-2.0 */
/* Import: from the folder of an old run to a run folder of today (collect-and-cctf.md section 13).
 * Takes folders of generation 1, of generation 2 (CTS/, or a slim cctf/), and mpstat, vmstat and
 * ifstat logs alone. The old folder is only read. Streams, except for events. */
#ifndef TK_RUN_IMPORT_H
#define TK_RUN_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "run/parse.h"
#include "run/rawlog.h"

struct tk_import_options {
    const char *from; /* the old run folder */
    const char *to;   /* the new one: made here, or an empty folder; not within `from` */
    const char *node; /* used where the folder does not say; NULL = unknown */
    const char *stage;
    bool local_time; /* see tk_rawlog_options */

    /* Told what was guessed, skipped or repaired, one line each, as it is found; NULL = nobody. */
    void (*say)(void *context, const char *line);
    void *context;
};

/* Where node_meta.json of the new folder comes from. */
enum tk_import_node {
    TK_IMPORT_NODE_META,  /* node_meta.json */
    TK_IMPORT_NODES_JSON, /* nodes.json in cctf/ or CTS/, whose figures may be rounded */
    TK_IMPORT_NODE_MADE,  /* the logs, the options, the name of the folder */
};

struct tk_import_report {
    enum tk_import_node node_from;
    char run_id[TK_RAWLOG_NAME_MAX];
    char node[TK_RAWLOG_NAME_MAX];
    char stage[TK_RAWLOG_NAME_MAX];
    char host[TK_RAWLOG_NAME_MAX]; /* "" = unknown */
    int64_t cpu_cores;             /* 0 = unknown, so also below */
    int64_t mem_mb;
    int64_t rows[TK_TABLE_COUNT]; /* written */
    int64_t first_ms;             /* stamps of all rows and events; 0 = none */
    int64_t last_ms;
    struct tk_rawlog_stats logs[TK_RAWLOG_KINDS];
    struct tk_rawlog_notices times; /* of the logs */
    uint64_t bad_rows;              /* of other files: skipped */
    struct tk_parse_result parse;   /* of the new folder */
};

/* True when `path` is a folder with anything that tk_import() takes. */
bool tk_import_has_run(const char *path);

/* Import one run and parse it. On failure nothing of the new folder is left. -ENOENT when `from`
 * holds no run, -EEXIST when `to` is there and not empty, -EALREADY when `from` was written by a
 * tracekit of today. */
TK_MUST_USE int tk_import(const struct tk_import_options *options,
                          struct tk_import_report *ret_report, struct tk_err *err);

#endif
