/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a run that a user names by --from and --to. */
#ifndef TK_CMD_RANGE_H
#define TK_CMD_RANGE_H

#include "base/compiler.h"
#include "base/err.h"
#include "run/range.h"

/* What the options take, for their manual and for messages. */
#define TK_RANGE_HELP                                                                              \
    "2026-11-21T09:00:00Z, seconds or ms since 1970, or +90s after the run's start"

/* Read `from` and `to` (NULL = that end is open) for the run in `folder`. -EINVAL when one is no
 * time, when they hold nothing between them or lie beside the run, as far as its run.json tells. */
TK_MUST_USE int tk_range_read(const char *folder, const char *from, const char *to,
                              struct tk_range *ret_range, struct tk_err *err);

#endif
