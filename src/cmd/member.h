/* SPDX-License-Identifier: Apache-2.0 */
/* Members of the JSON objects that commands print. What is not known is null: a negative number,
 * NaN, an empty text. Safe from any thread. */
#ifndef TK_CMD_MEMBER_H
#define TK_CMD_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* Append one member. `decimals` as for tk_buf_put_f64(). */
void tk_member_put_i64(struct tk_buf *out, const char *key, int64_t value);
void tk_member_put_f64(struct tk_buf *out, const char *key, double value, int decimals);
void tk_member_put_bool(struct tk_buf *out, const char *key, bool value);
void tk_member_put_text(struct tk_buf *out, const char *key, tk_str text);
void tk_member_put_texts(struct tk_buf *out, const char *key, const tk_str *texts, size_t count);

/* Begin a member, or an element of an array, that is an object or array itself: `bracket` is '{' or
 * '['. The caller ends it. */
void tk_member_open(struct tk_buf *out, const char *key, char bracket);
void tk_element_open(struct tk_buf *out, char bracket);

#endif
