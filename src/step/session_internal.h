/* SPDX-License-Identifier: Apache-2.0 */
/* What session.c (records), build.c (the document) and system.c (the machine) share. */
#ifndef TK_STEP_SESSION_INTERNAL_H
#define TK_STEP_SESSION_INTERNAL_H

#include "collect/cgroup_mounts.h"
#include "collect/collect.h"
#include "step/journal_text.h"
#include "step/measure.h"
#include "step/session.h"

struct tk_session {
    const struct tk_state_options *options;
    struct tk_kernel kernel;
    struct tk_state state;
    char path[PATH_MAX + NAME_MAX + 2]; /* of the job */
    struct tk_host_viewer *viewer;
    struct tk_host_view view; /* the last that went into a record */
    bool view_is_new;         /* ... of a job made for one command: its step may have it too */
    struct tk_cgroup_mounts mounts; /* once asked for */
    bool has_mounts;
    struct tk_arena arena;
    struct tk_journal_text text;
    struct tk_journal journal;
    struct tk_step_spans spans;
};

/* Where the control groups of this host are, looked up once; NULL = there are none. */
const struct tk_cgroup_mounts *tk_session_mounts(struct tk_session *session);

/* Read the journal of the job at hand, all of it. */
TK_MUST_USE int tk_session_load(struct tk_session *session, struct tk_err *err);

/* Take records out of what was read of it. */
TK_MUST_USE int tk_session_parse(struct tk_session *session, const struct tk_journal_filter *filter,
                                 struct tk_err *err);

/* When the job was last heard of, by its records and samples; CLOCK_BOOTTIME. */
int64_t tk_session_last_ns(const struct tk_session *session, const struct tk_curve *curve);

/* Facts of the machine for the document, after the host was read. What cannot be read is absent. */
void tk_step_system_read(struct tk_session *session, struct tk_job_system *ret);

/* Mbit/s of the fastest link to the outside; NaN where none tells, as virtual ones do. */
double tk_step_link_mbps(const struct tk_kernel *kernel);

/* Cores that the job may use: fewer than there are where a control group limits it. */
double tk_step_cores(const struct tk_job_system *system);

#endif
