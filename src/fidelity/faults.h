/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of injected faults as Nezha has them (trace-fidelity.md section 17.3):
 *
 *     {"03": [{"inject_time": "2022-08-22 03:53:54", "inject_pod": "frontend-579b9bff58-t2dbm",
 *              "inject_type": "cpu_contention", "inject_timestamp": "1661140434"}, ...], ...}
 *
 * `inject_time` is read as UTC, which the clocks of spans agree with; `inject_timestamp` is not
 * read: it is hours off in one of the data sets. */
#ifndef TK_FIDELITY_FAULTS_H
#define TK_FIDELITY_FAULTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct tk_fault {
    int64_t inject_ns;   /* since 1970, whole seconds */
    tk_str time;         /* as written */
    tk_str pod, service; /* the true cause; the service is the pod without its endings */
    tk_str type;         /* "cpu_contention"; empty = not told */
};

struct tk_faults {
    struct tk_fault *items; /* in `texts`, in the order of the file */
    size_t count;
    struct tk_arena texts; /* all texts */
};

/* Read a list. -EBADMSG names the hour and the number of the fault that is wrong, -ENOMEM. Release
 * also after a failure. */
TK_MUST_USE int tk_faults_parse(tk_str json, struct tk_faults *ret_faults, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_faults_release(struct tk_faults *faults);

#endif
