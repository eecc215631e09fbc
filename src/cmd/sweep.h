/* SPDX-License-Identifier: Apache-2.0 */
/* `tracekit compare --sweep`: scenarios of OpenDC side by side. */
#ifndef TK_CMD_SWEEP_H
#define TK_CMD_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/opt.h"

struct tk_sweep_opts {
    int order;             /* index in tk_sweep_orders */
    struct tk_opt_list by; /* criteria; none = those of the manual */
    bool json;
};

/* By enum tk_sweep_order, ends with NULL. */
extern const char *const tk_sweep_orders[];

/* Rank the scenarios in these folders [1 or more] and tell on stdout. -EINVAL for a criterion that
 * is none. */
TK_MUST_USE int tk_sweep_show(const struct tk_sweep_opts *opts, const char *const *folders,
                              size_t count, struct tk_err *err);

#endif
