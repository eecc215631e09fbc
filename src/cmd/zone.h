/* SPDX-License-Identifier: Apache-2.0 */
/* The time zone that a user names. */
#ifndef TK_CMD_ZONE_H
#define TK_CMD_ZONE_H

#include "base/compiler.h"
#include "base/err.h"

/* Make `text` the zone of mktime(3), through the environment variable TZ: "UTC", "Z", an offset as
 * "+02:00", "-0530" or "+2", or a name of the zone database as "Europe/Berlin". -EINVAL for
 * anything else. Before any thread starts. */
TK_MUST_USE int tk_zone_set(const char *text, struct tk_err *err);

#endif
