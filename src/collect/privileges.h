/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities of the calling thread: what raises the quality of a recording, and how to give up
 * the rest (capabilities(7)). Kernel calls without libcap: two of them. */
#ifndef TK_COLLECT_PRIVILEGES_H
#define TK_COLLECT_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* A capability that the recorder can make use of. */
struct tk_privilege {
    const char *name;  /* "CAP_SYS_PTRACE" */
    const char *gives; /* what it adds, one line */
    int number;
    bool at_start; /* needed only to open sources, not afterwards */
};

/* Ends with a NULL name. */
extern const struct tk_privilege tk_privileges[];

/* Names of all of them that are in effect. Returns how many; room for `max` names. */
size_t tk_privileges_read(tk_str *ret_names, size_t max);

/* Give up, for good, every capability but those of the table that are needed after the start, and
 * those that a writer needs in the folder of another user when `foreign_folder`. What a later
 * exec could give back is refused as well. Fails with the kernel's code. */
TK_MUST_USE int tk_privileges_drop(bool foreign_folder, struct tk_err *err);

#endif
