/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit tkz verify: whether a file can be read to its end, and holds the spans of an input. */
#ifndef TK_CMD_TKZ_VERIFY_H
#define TK_CMD_TKZ_VERIFY_H

#include <stdbool.h>

#include "cmd/cmd.h"

/* Verify one file, and print what was found: 1 = it is damaged or differs. `against` may be NULL.
 */
TK_MUST_USE int tk_tkz_verify(const struct tk_cmd *cmd, const char *path, const char *against,
                              bool json, struct tk_err *err);

#endif
