/* SPDX-License-Identifier: Apache-2.0 */
/* Our scanner against jansson: both accept a text or both refuse it. Used by the unit test and the
 * fuzz target. The differences that are meant:
 *
 *   nesting      we stop at TK_JSON_DEPTH, jansson at 2048
 *   numbers      we check the grammar only, jansson refuses what int64 or double cannot hold
 *   \u0000       in a key it is fine for us; jansson's keys are C strings
 *   NUL bytes    we refuse all; jansson 2.14 overlooks one behind a word or a number
 */
#ifndef TK_JSON_ORACLE_H
#define TK_JSON_ORACLE_H

#include <errno.h>
#include <jansson.h>

#include "base/json.h"

static inline int oracle_skip(tk_str text, size_t *ret_offset, struct tk_err *err)
{
    struct tk_json json;
    tk_json_init(&json, text);
    int rc = tk_json_skip(&json, NULL, err);
    if (rc == 0)
        rc = tk_json_expect_end(&json, err);
    *ret_offset = tk_json_offset(&json);
    return rc;
}

/* True when both agree on `text`, or differ in one of the ways above. */
static inline bool oracle_agrees(tk_str text)
{
    struct tk_err err;
    json_error_t why;
    size_t offset;
    int ours = oracle_skip(text, &offset, &err);
    json_t *theirs = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    json_decref(theirs);
    if ((ours == 0) == (theirs != NULL) || ours == -EMSGSIZE)
        return true;
    if (ours < 0)
        return offset < text.n && text.p[offset] == '\0';
    enum json_error_code code = json_error_code(&why);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           code == json_error_stack_overflow;
}

#endif
