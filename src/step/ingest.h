/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a Packer build as steps of a job: records that the virtual machine wrote into it
 * (marked.h) are taken out of it, and what Packer itself says that it does becomes a step each:
 * boot, wait for SSH, every provisioner, upload and post-processor. Packer's output is no
 * interface: a line that nobody knows is passed on and means nothing. One thread at a time. */
#ifndef TK_STEP_INGEST_H
#define TK_STEP_INGEST_H

#include "step/session.h"

/* In the folder of the job: a line a step of the virtual machine, as the original's CSV. */
#define TK_PACKER_STEPS "packer_steps.txt"

struct tk_ingest_options {
    struct tk_session *session; /* with its job; the ingest's alone */
    const char *parent;         /* span that the steps lie in; NULL or "" = none */

    /* The log comes as it is written: records are stamped with the time of this host. Otherwise
     * with that of the virtual machine, or of Packer's -timestamp-ui. */
    bool live;

    /* Called with all that is not ours, as it came. */
    void (*pass)(void *into, tk_str text);
    void *into;
};

struct tk_ingest;

TK_MUST_USE int tk_ingest_new(const struct tk_ingest_options *options,
                              struct tk_ingest **ret_ingest, struct tk_err *err);

/* Accepts NULL. */
void tk_ingest_free(struct tk_ingest *ingest);

/* For TK_CLEANUP. */
void tk_ingest_freep(struct tk_ingest **ingest);

/* Take the next bytes of the log. */
void tk_ingest_feed(struct tk_ingest *ingest, tk_str bytes);

/* The log rests: pass on what is held back. */
void tk_ingest_flush(struct tk_ingest *ingest);

/* The log has ended: so have Packer's own steps. Fails with the first trouble that the journal had.
 */
TK_MUST_USE int tk_ingest_end(struct tk_ingest *ingest, struct tk_err *err);

/* Records that were taken. */
size_t tk_ingest_count(const struct tk_ingest *ingest);

#endif
