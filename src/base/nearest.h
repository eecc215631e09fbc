/* SPDX-License-Identifier: Apache-2.0 */
/* What a mistyped word was probably meant to be: "recrod" is "record". */
#ifndef TK_NEAREST_H
#define TK_NEAREST_H

#include <stddef.h>

/* The one of `words` [count] that is nearest to `given`: it begins with `given` (two letters at
 * least), or one edit (a letter too many, too few, another, or two exchanged) in each three letters
 * of `given` makes one of the other. NULL when none is that near. Words over 32 bytes are not
 * looked at; the result is one of `words`. Reads no shared state: safe from any thread. */
const char *tk_nearest_find(const char *given, const char *const *words, size_t count);

#endif
