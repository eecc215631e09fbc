/* SPDX-License-Identifier: Apache-2.0 */
/* Parse: from the raw files of a run folder to events.jsonl and cctf/ (collect-and-cctf.md section
 * 12). What is large is streamed; only events and exit records are held in memory. Parsing twice
 * gives the same bytes. A table whose raw file is missing, but which lies in cctf/ or CTS/ already,
 * is taken from there and never replaced by an empty one. */
#ifndef TK_RUN_PARSE_H
#define TK_RUN_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "run/range.h"

enum tk_parse_note {
    TK_PARSE_PROGRESS, /* a line of section 9, such as "[parse] links → logs/R/links.jsonl" */
    TK_PARSE_WARNING,  /* what was skipped, repaired or assumed, with file and line */
    TK_PARSE_ARTEFACT, /* a line of the list of files at the end */
};

struct tk_parse_options {
    const char *folder; /* of the run */
    const char *output; /* folder for events.jsonl, cctf/ and CTS/; NULL = `folder` */
    bool cts;           /* write CTS/, the layout of generation 2, besides */

    /* Only rows of this time, and events that touch it; NULL = the whole run. It takes an `output`
     * other than the run folder. */
    const struct tk_range *range;

    /* Used where node_meta.json does not say; NULL = unknown. */
    const char *node;
    const char *stage;

    /* For a missing module_inventory.json; NULL = "app", "svc", the module's id, "MODULE". */
    const char *app_id;
    const char *module_id;
    const char *service_name;
    const char *module_type;

    /* Told each line as it comes, without its end; NULL = nobody. */
    void (*say)(void *context, enum tk_parse_note note, const char *line);
    void *context;
};

struct tk_parse_result {
    uint64_t events;           /* written */
    uint64_t bad_events;       /* texts that did not parse */
    uint64_t non_objects;      /* JSON values that are no object */
    uint64_t duplicate_events; /* same trace, span, pid and times: dropped */
    uint64_t bad_rows;         /* lines of all other tables that did not parse */
    uint64_t rows;             /* with a range: copied to cctf/, and events written */
    uint64_t outside;          /* with a range: rows and events read that are not of it */
    uint64_t torn;             /* files whose last line or object was cut short */
};

/* Fails when a folder cannot be read or written, never because of bad rows; -EINVAL for a range
 * that would go to the run folder itself, -EOPNOTSUPP for one of raw logs. */
TK_MUST_USE int tk_parse(const struct tk_parse_options *options, struct tk_parse_result *ret_result,
                         struct tk_err *err);

#endif
