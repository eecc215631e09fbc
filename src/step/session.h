/* SPDX-License-Identifier: Apache-2.0 */
/* What a shell or wrapper does to a job: begin it, begin and end steps, note something, finalise.
 * Each process opens a session, finds its job, and leaves records (record.h) in the journal.
 *
 *     tk_session_open(&session, &options, &err);
 *     tk_session_find(session, &err);
 *     tk_session_start(session, &wanted, span, &err);
 *
 * A step that a shell starts gets a control group of its own where this host gives one, and the
 * shell is moved into it until the step ends, so that all it runs is accounted for together. One
 * thread at a time. */
#ifndef TK_STEP_SESSION_H
#define TK_STEP_SESSION_H

#include "step/curve.h"
#include "step/ending.h"
#include "step/journal.h"
#include "step/state.h"

#define TK_STEP_SPAN_MAX 40

struct tk_session;

/* Open the state folder and the sources of the host. `options` is borrowed. Fails as
 * tk_state_open(). */
TK_MUST_USE int tk_session_open(const struct tk_state_options *options,
                                struct tk_session **ret_session, struct tk_err *err);

/* Accepts NULL. */
void tk_session_free(struct tk_session *session);

/* For TK_CLEANUP. */
void tk_session_freep(struct tk_session **session);

/* Folder of the job at hand, as $TRACEKIT_JOB has it; valid as long as the session. */
const char *tk_session_path(struct tk_session *session);

/* What the session is made of; all borrowed. */
const struct tk_kernel *tk_session_kernel(const struct tk_session *session);
struct tk_state *tk_session_state(struct tk_session *session);
struct tk_arena *tk_session_arena(struct tk_session *session);
struct tk_host_viewer *tk_session_viewer(struct tk_session *session);
const struct tk_journal *tk_session_journal(const struct tk_session *session);
const struct tk_step_spans *tk_session_spans(const struct tk_session *session);

/* Find the job that is meant and read of its journal what tells of the job and its open steps, anew
 * when called again. Fails with -ENOENT when there is none, -EALREADY when it is finalised. */
TK_MUST_USE int tk_session_find(struct tk_session *session, struct tk_err *err);

/* Likewise, and keep others who ask for it out until the session is freed: who ends a step chooses
 * it by what the journal says, and two at once would choose the same. Does without where somebody
 * keeps the others out for seconds. */
TK_MUST_USE int tk_session_find_alone(struct tk_session *session, struct tk_err *err);

/* Begin a job: its folder, its first record. `job` has name, version and what the caller knows of
 * its origin; id, host and system are filled in here. `private` = it is made for one command. */
TK_MUST_USE int tk_session_begin(struct tk_session *session, struct tk_job *job, bool private,
                                 struct tk_err *err);

struct tk_session_step {
    tk_str name;
    const char *kind;   /* "shell", "exec" */
    pid_t owner;        /* shell, or ourselves; 0 = nobody */
    const char *parent; /* span that it lies in; NULL or "" = as found from `owner` */
    const struct tk_step_usage *usage; /* of the owner so far; NULL = not read yet */
    bool move_owner;                   /* into a control group of the step */
    tk_str cgroup;                     /* ... that the caller made himself */
    struct tk_job_trace trace;
    struct tk_job_attrs attrs;
    struct tk_job_texts argv;
};

/* Begin a step; its span goes to `ret_span`. The counters of the host are read last. */
TK_MUST_USE int tk_session_start(struct tk_session *session, const struct tk_session_step *wanted,
                                 char ret_span[TK_STEP_SPAN_MAX], struct tk_err *err);

/* End the last open step of that name as a shell does. `known` has what else is known: status, exit
 * code. The counters of the host are read first. Fails with -ENOENT when no such step is open. */
TK_MUST_USE int tk_session_end(struct tk_session *session, tk_str name, pid_t shell,
                               const struct tk_job_step *known, struct tk_err *err);

/* Note that the owner of an open step ended without saying so, and what its control group had used.
 * `boot_ns` is when it was last seen, of which the counters of the host are then not known; 0 = it
 * ended just now. `ending` may be NULL: it is not known how. */
TK_MUST_USE int tk_session_tell_gone(struct tk_session *session, const struct tk_step_span *span,
                                     int64_t boot_ns, const struct tk_ending *ending,
                                     struct tk_err *err);

/* Read the counters of the host into a record, now. */
void tk_session_read_host(struct tk_session *session, struct tk_step_record *record);

/* Append a record. */
TK_MUST_USE int tk_session_append(struct tk_session *session, const struct tk_step_record *record,
                                  struct tk_err *err);

/* Put the job together from what is on disk, read anew; open steps are incomplete. The document
 * borrows from the session. */
TK_MUST_USE int tk_session_build(struct tk_session *session, struct tk_job *ret_job,
                                 struct tk_err *err);

/* One step, by its span, for the line that is printed at its end: its id and attempt are not known,
 * as they follow from the steps before it. It was open when the job was found, or began since then.
 */
TK_MUST_USE int tk_session_build_step(struct tk_session *session, tk_str span,
                                      struct tk_job_step *ret_step, struct tk_err *err);

/* Likewise as it was when it was last heard of: nothing ran since then. */
TK_MUST_USE int tk_session_build_lost(struct tk_session *session, struct tk_job *ret_job,
                                      struct tk_err *err);

/* Write the document of the job as its file, and close the job. For that of a job made for one
 * command nobody waits until it is on disk, which takes longer than many a command. */
TK_MUST_USE int tk_session_finalize(struct tk_session *session, const struct tk_job *job,
                                    struct tk_err *err);

#endif
