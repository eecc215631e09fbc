/* SPDX-License-Identifier: Apache-2.0 */
/* `collect status`: what recorders do now, from their pid files and run.json. */
#ifndef TK_CMD_COLLECTOR_STATUS_H
#define TK_CMD_COLLECTOR_STATUS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"

/* Print the status of the run in `folder`, running or not, or of all that run below logs/ when it
 * is NULL: a table, or JSON Lines. -ENOENT when there is no such folder. */
TK_MUST_USE int tk_collector_show_status(const char *folder, bool json, struct tk_err *err);

#endif
