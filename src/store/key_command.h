/* SPDX-License-Identifier: Apache-2.0 */
/* Keys from a command, as the AWS tools' credential_process has it (object-store.md section 11;
 * "Sourcing credentials with an external process" of the AWS SDKs' guide). It prints
 *
 *     {"Version": 1, "AccessKeyId": "...", "SecretAccessKey": "...",
 *      "SessionToken": "...", "Expiration": "2026-11-23T07:00:00Z"}
 *
 * of which the last two may be missing. */
#ifndef TK_STORE_KEY_COMMAND_H
#define TK_STORE_KEY_COMMAND_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

/* A pair of keys, and the token that goes with it; empty = there is none. Wipe it after use. */
struct tk_keys {
    char access_key[256], secret_key[256], session_token[4096];
};

#define TK_KEY_COMMAND_MAX 2048

/* Run a command without a shell: its words stand between blanks, quotes and backslashes keep those,
 * and nothing is expanded. Its input is empty, what it says on standard error is seen. It is killed
 * after `patience_ns`. -EINVAL when the text is no command, -ETIMEDOUT, -EMSGSIZE when it prints
 * 16 KiB or more, -EBADMSG when that is not as above, -EACCES when it fails or the keys have
 * expired. No message holds what it printed. Not while the caller ignores SIGCHLD. */
TK_MUST_USE int tk_key_command_run(const char *command, int64_t patience_ns,
                                   struct tk_keys *ret_keys, struct tk_err *err);

#endif
