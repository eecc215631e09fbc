/* SPDX-License-Identifier: Apache-2.0 */
/* What `tracekit doctor` says of build steps: how well one is measured here, where jobs keep their
 * state and whether somebody watches, which store documents go to and whence its keys are. Nothing
 * is sent to the store, and no key is told. */
#ifndef TK_CMD_DOCTOR_STEPS_H
#define TK_CMD_DOCTOR_STEPS_H

#include "collect/probe.h"

enum { TK_STEP_MATTERS = 3 };

struct tk_step_finding {
    enum tk_probe_state state;
    char detail[1024];   /* what was found */
    const char *missing; /* what would give it; NULL = nothing is missing */
};

struct tk_step_matter {
    const char *name;  /* in JSON, "step_level" */
    const char *title; /* for people */
    const char *gives;
    void (*probe)(const struct tk_kernel *kernel, struct tk_step_finding *ret_finding);
};

extern const struct tk_step_matter tk_step_matters[TK_STEP_MATTERS];

#endif
