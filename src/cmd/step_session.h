/* SPDX-License-Identifier: Apache-2.0 */
/* What step, exec and report have in common: the environment that tells where a job's state is and
 * what CI service runs it (build-telemetry.md section 10). */
#ifndef TK_CMD_STEP_SESSION_H
#define TK_CMD_STEP_SESSION_H

#include "base/opt.h"
#include "step/session.h"

/* Value of $TRACEKIT_STORE where a log is the only way out. */
#define TK_STORE_STDOUT "stdout"

/* What the environment says; valid as long as it is not changed. */
struct tk_step_env {
    struct tk_state_options state;
    char run[256]; /* of state.run */
    bool verbose;  /* TRACEKIT_VERBOSE=original */
    bool in_vm;    /* within a machine that Packer builds, or TRACEKIT_STORE=stdout: records go to
                      stdout, and state to memory */
};

/* Read $TELEMETRY_DIR, $TRACEKIT_JOB, $TRACEKIT_VERBOSE and what names a run of a CI service. */
void tk_step_env_read(struct tk_step_env *env);

/* The job as the environment describes it: version control, run, CI service; texts are borrowed, or
 * in the arena. A name of "" becomes "build", a version of "" "unknown". */
void tk_step_env_job(struct tk_job *job, const char *name, const char *version,
                     struct tk_arena *arena);

/* Take texts "NAME=VALUE" as attributes; false when one is no such text, or the arena is full. */
TK_MUST_USE bool tk_step_take_attrs(const struct tk_opt_list *list, struct tk_job_attrs *attrs,
                                    struct tk_arena *arena);

struct tk_cmd;

/* Run a command as a step, as `tracekit exec -n NAME -- ARGV...`; returns the exit status. With
 * `is_packer` what it prints is read as a log of Packer, see cmd/step_packer.h. */
int tk_exec_command(const struct tk_cmd *cmd, const char *name, bool is_packer, char **argv);

/* $GITHUB_OUTPUT gets a line "TELEMETRY_FILE=PATH". */
void tk_step_env_tell(const char *file);

#endif
