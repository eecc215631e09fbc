/* SPDX-License-Identifier: Apache-2.0 */
/* Check a run: its raw tables, and its cctf/ when there is one, or a cctf/ alone
 * (collect-and-cctf.md section 20). Types and required fields come from the const tables of
 * schemas.h, all other rules are listed in tk_verify_rules. Files are streamed; what is held in
 * memory is one entry per process, per invocation and per series. One thread at a time. */
#ifndef TK_RUN_VERIFY_H
#define TK_RUN_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "run/schemas.h"

enum tk_verify_rule {
    TK_VERIFY_JSON,
    TK_VERIFY_TYPE,
    TK_VERIFY_REQUIRED,
    TK_VERIFY_ROW_KIND,
    TK_VERIFY_ORDER,
    TK_VERIFY_PROCESS_ORDER,
    TK_VERIFY_THREAD,
    TK_VERIFY_EVENT_ORDER,
    TK_VERIFY_NEGATIVE_DT,
    TK_VERIFY_CAUSALITY,
    TK_VERIFY_VERSION,
    TK_VERIFY_MISSING,
    TK_VERIFY_BLOCKS,
    TK_VERIFY_TORN,
    TK_VERIFY_GAP,
    TK_VERIFY_COVERAGE,
    TK_VERIFY_CLOCK,
    TK_VERIFY_LOSS,
    TK_VERIFY_RULES
};

struct tk_verify_rule_about {
    const char *name; /* as printed, "order" */
    bool is_error;    /* the run is broken; else a warning: the run is right, but lacks something */
    const char *help; /* one line */
};

/* By enum tk_verify_rule. */
extern const struct tk_verify_rule_about tk_verify_rules[TK_VERIFY_RULES];

struct tk_verify_finding {
    enum tk_verify_rule rule;
    const char *file; /* below the folder, "cctf/invocations.jsonl" */
    uint64_t line;    /* from 1; 0 = the file as a whole */
    const char *text; /* one line; borrowed for the call */
};

struct tk_verify_options {
    const char *folder;
    uint64_t max_findings; /* told per rule and file, the rest is summed up in one; 0 = all */
    bool write_report;     /* write cctf/audit_report.md where that folder can be written */

    /* Told each finding as it comes; NULL = nobody. */
    void (*found)(void *context, const struct tk_verify_finding *finding);
    void *context;
};

struct tk_verify_result {
    uint64_t files;
    uint64_t rows;
    uint64_t counts[TK_VERIFY_RULES]; /* findings, told or not */
    uint64_t errors;
    uint64_t warnings;
    bool report_written;
};

/* Check a folder. 0 also when there are findings; -ENOENT when it holds nothing of a run; fails
 * when a file or the folder cannot be read, or the report not be written. */
TK_MUST_USE int tk_verify(const struct tk_verify_options *options,
                          struct tk_verify_result *ret_result, struct tk_err *err);

#endif
