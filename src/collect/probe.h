/* SPDX-License-Identifier: Apache-2.0 */
/* What this host lets us measure, found by trying: a const table of capabilities, each with what it
 * adds to a recording, and for each the answer with what was found and what is missing. Nothing
 * stays open, nothing of the host is changed (a control group is made and removed again).
 *
 * To add a capability: its function and its line in probe.c; doctor and its test follow. */
#ifndef TK_COLLECT_PROBE_H
#define TK_COLLECT_PROBE_H

#include <stddef.h>

#include "collect/kernel.h"
#include "collect/procs.h"

enum tk_probe_state {
    TK_PROBE_YES,
    TK_PROBE_PARTLY, /* works, less well than it could */
    TK_PROBE_NO,
};

/* "yes", "partly", "no". */
extern const char *const tk_probe_state_names[];

struct tk_finding {
    enum tk_probe_state state;
    char detail[160];  /* what was found, one clause; "" = nothing to add */
    char missing[200]; /* what would give it, one clause; "" = nothing is missing */
};

struct tk_prober;

struct tk_capability {
    const char *name;  /* in JSON and for tests, "exit_records" */
    const char *title; /* for people, "exit records" */
    const char *gives; /* what a recording has by it, one line */
    void (*probe)(const struct tk_prober *prober, struct tk_finding *ret_finding);
};

extern const struct tk_capability tk_capabilities[];
extern const size_t tk_capability_count;

/* Try all of them: `ret_findings` is [tk_capability_count], in the order of the table. Takes some
 * 0.1 s: programs are loaded into the kernel, and leave it again. */
void tk_probe_read(const struct tk_kernel *kernel, struct tk_finding *ret_findings);

/* The finding for a name; NULL when there is no such capability. */
const struct tk_finding *tk_probe_find(const struct tk_finding *findings, const char *name);

/* A rung of the privilege ladder (collect-and-cctf.md section 8). */
struct tk_rung {
    const char *name;  /* "A" */
    const char *title; /* "exact" */
    const char *gives;
    const char *needs;
};

/* Best first; ends with a NULL name. */
extern const struct tk_rung tk_rungs[];

/* Where findings put this host. */
struct tk_probe_verdict {
    enum tk_tier tier;          /* of the process sweep */
    const struct tk_rung *rung; /* the one in force */
    const struct tk_rung *next; /* the one above; NULL = it is the best */
};
struct tk_probe_verdict tk_probe_judge(const struct tk_finding *findings);

#endif
