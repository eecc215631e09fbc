/* SPDX-License-Identifier: Apache-2.0 */
/* The profile $AWS_PROFILE, or "default", in the two files of the AWS tools (object-store.md
 * section 11; "Configuration and credential file settings" of the AWS CLI's guide):
 *
 *     $AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials: [NAME], keys or a credential_process;
 *         nobody else may read it
 *     $AWS_CONFIG_FILE or ~/.aws/config: [profile NAME] or [default], a credential_process, the
 *         region; nobody else may write it where it names a command */
#ifndef TK_STORE_AWS_PROFILE_H
#define TK_STORE_AWS_PROFILE_H

#include <limits.h>

#include "store/key_command.h"

/* What stands in neither file is empty. */
struct tk_aws_profile {
    struct tk_keys keys;
    char command[TK_KEY_COMMAND_MAX]; /* credential_process; where there are no keys */
    char region[64];
    char origin[PATH_MAX]; /* the file of the keys or the command */
};

/* Read it; files that are missing hold nothing. -EACCES when others may read or write what they may
 * not, -EMSGSIZE when a file has 256 KiB or more, or a value is too long. Wipe it after use, after
 * a failure as well. */
TK_MUST_USE int tk_aws_profile_read(struct tk_aws_profile *ret_profile, struct tk_err *err);

#endif
