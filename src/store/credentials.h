/* SPDX-License-Identifier: Apache-2.0 */
/* Where an S3 store is and whose it is, object-store.md section 11: the options, then MINIO_*, then
 * AWS_*, then the profile of the AWS tools (aws_profile.h), whose region counts with its keys. They
 * are read once for each store. A secret is wiped when it is released; it stands in no message. */
#ifndef TK_STORE_CREDENTIALS_H
#define TK_STORE_CREDENTIALS_H

#include "store/store.h"

struct tk_access {
    char *endpoint, *region; /* owned, as all others */
    char *access_key, *secret_key;
    char *session_token; /* NULL = none */
    char origin[256];    /* where the keys were found, for people */
};

/* Collect them. -EACCES when there are no keys, or others may read their file; -EINVAL when one of
 * a pair is missing; what tk_aws_profile_read() and tk_key_command_run() say. Release it in any
 * case.
 */
TK_MUST_USE int tk_access_read(const struct tk_store_options *options, struct tk_access *ret_access,
                               struct tk_err *err);

/* Wipe and free; a zeroed struct is fine. */
void tk_access_release(struct tk_access *access);

#endif
