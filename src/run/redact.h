/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines are kept in run folders, and people hand run folders on: secrets are taken out
 * before anything is written. */
#ifndef TK_RUN_REDACT_H
#define TK_RUN_REDACT_H

#include "base/buf.h"
#include "base/str.h"

/* Append argument after argument of one command line to `out`, each with its secrets as "***":
 *
 *   --password=S  --api-key S  DB_PASSWORD=S  "Authorization: Bearer S"
 *   scheme://user:S@host  ?token=S
 *
 * Words within an argument count too (sh -c "tool --token S"). `*carry` is false before the first
 * argument and goes from each to the next: the word that follows "--password" is a secret. Pure
 * function. */
void tk_redact_arg(tk_str arg, bool *carry, struct tk_buf *out);

#endif
