/* SPDX-License-Identifier: Apache-2.0 */
/* Variables of the environment. It is changed only by src/cmd and before there are threads, so they
 * are safe to read from any. */
#ifndef TK_BASE_ENV_H
#define TK_BASE_ENV_H

/* The value of a variable; NULL when it is not set, and as well when it is empty, which is how a
 * script takes one back. Valid until the variable changes. */
const char *tk_env_find(const char *name);

#endif
