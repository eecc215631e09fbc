/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar times as logs write them. */
#ifndef TK_SPAN_WHEN_H
#define TK_SPAN_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Read a time, all of `text`:
 *
 *   2025-10-10T13:55:36.123+02:00   RFC 3339 and ISO 8601: 'T' or a blank, up to 9 digits of a
 *                                   second after '.' or ',', zone Z, +HH:MM, +HHMM, +HH or none
 *   10/Oct/2025:13:55:36 +0200      common log format
 *
 * Without a zone it is UTC, or with `local` a time of the zone that TZ names. False when it is no
 * time that exists; *ret_ns (since the epoch) is then untouched. Safe from any thread. */
bool tk_when_parse(tk_str text, bool local, int64_t *ret_ns);

/* Read a time as it is given on a command line: as above (without a zone UTC), seconds or
 * milliseconds since the epoch (from 100,000,000,000 on they are milliseconds), or "+90s" (with its
 * unit), so long after `start_ns`. False when it is none of these. */
bool tk_when_parse_point(const char *text, int64_t start_ns, int64_t *ret_ns);

#endif
