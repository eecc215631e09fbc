/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of a Packer build: `tracekit step packer`, which reads what packer prints while it prints
 * it, `ingest`, which reads a log, and `packer-clean` for the inside of the virtual machine. */
#ifndef TK_CMD_STEP_PACKER_H
#define TK_CMD_STEP_PACKER_H

#include "step/session.h"

struct tk_relay;

/* From now on read what this process and its children write to stdout, make steps below `span` of
 * the job of `session` out of it, and pass the rest on. A thread does it; it leaves the session
 * alone. */
TK_MUST_USE int tk_relay_start(struct tk_session *session, const char *span,
                               struct tk_relay **ret_relay, struct tk_err *err);

/* Everything up to now is passed on; stdout is again what it was. Accepts NULL. Fails with the
 * first trouble that the journal had. */
TK_MUST_USE int tk_relay_stop(struct tk_relay *relay, struct tk_err *err);

/* Read a log from a descriptor into the job of `session`, and write the rest of it to stdout. A
 * file bears its own times, anything else is taken to happen now. */
TK_MUST_USE int tk_packer_ingest(struct tk_session *session, int fd, struct tk_err *err);

/* Remove what the steps of a virtual machine would leave in its image: the state folder, files and
 * folders that are named, and the program with the functions beside it where they lie in memory
 * (/run, /dev/shm). */
void tk_packer_clean(const char *state_folder, char *const *files, int count);

#endif
