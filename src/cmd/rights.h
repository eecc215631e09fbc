/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up the rights that a program does not need before it reads what strangers send. */
#ifndef TK_CMD_RIGHTS_H
#define TK_CMD_RIGHTS_H

#include "base/compiler.h"
#include "base/err.h"

/* Give up every capability of this thread and those that it starts, for good, but for what a writer
 * needs in the open folder `dirfd` when that is another user's. Fails with the kernel's code. */
TK_MUST_USE int tk_rights_drop(int dirfd, struct tk_err *err);

#endif
