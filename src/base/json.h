/* SPDX-License-Identifier: Apache-2.0 */
/* JSON (RFC 8259): a pull scanner without a document tree, and a writer.
 *
 * The scanner walks one text. The caller drives it by what it expects:
 *
 *     struct tk_json json;
 *     tk_json_init(&json, text);
 *     if (tk_json_enter_object(&json, err) < 0) ...
 *     while ((rc = tk_json_next_key(&json, NULL, &key, err)) == 0)
 *         if (tk_str_eq(key, TK_STR("pid"))) rc = tk_json_read_i64(&json, &pid, err);
 *         else rc = tk_json_skip(&json, &raw, err);
 *
 * Each error names the byte offset: "byte 17: expected ':'". Nesting deeper than TK_JSON_DEPTH is
 * -EMSGSIZE. After a failure the scanner stands at the byte to blame: at json.end when the text was
 * right as far as it went. A scanner belongs to one thread; nothing is allocated.
 */
#ifndef TK_BASE_JSON_H
#define TK_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TK_JSON_DEPTH 512

enum tk_json_kind {
    TK_JSON_END, /* nothing but white space is left */
    TK_JSON_NULL,
    TK_JSON_BOOL,
    TK_JSON_NUMBER,
    TK_JSON_STRING,
    TK_JSON_ARRAY,
    TK_JSON_OBJECT,
    TK_JSON_BAD, /* a byte that starts no value */
};

struct tk_json {
    const char *p; /* next byte */
    const char *end;
    const char *start; /* of the text, for offsets */
    int depth;
    bool first; /* no member of the innermost container was taken yet */
};

/* Scan `text`, which stays borrowed. It needs no padding and no NUL. */
void tk_json_init(struct tk_json *json, tk_str text);

/* What comes next, white space skipped; consumes nothing else. */
enum tk_json_kind tk_json_peek(struct tk_json *json);

/* Enter an object or array, and take the next key or stand before the next element: 0, or 1 when
 * the container ended (it is then left), or -EBADMSG. A key without escapes is a view of the text;
 * one with escapes is decoded into `scratch` when given (NULL: returned raw, as written). */
TK_MUST_USE int tk_json_enter_object(struct tk_json *json, struct tk_err *err);
TK_MUST_USE int tk_json_enter_array(struct tk_json *json, struct tk_err *err);
TK_MUST_USE int tk_json_next_key(struct tk_json *json, struct tk_arena *scratch, tk_str *ret_key,
                                 struct tk_err *err);
TK_MUST_USE int tk_json_next_element(struct tk_json *json, struct tk_err *err);

/* Read one value of a type. tk_json_read_i64() takes "12", "12.0", "1.2e1" and, as the old files
 * have it, the strings "12" and "12.0"; -ERANGE when it is no exact int64. tk_json_read_f64() takes
 * numbers and strings that hold one; -ERANGE when it is larger than a double. A value of another
 * type or range is not consumed, so that the caller may skip it. A string is a view of the text, or
 * decoded into `scratch` (must not be NULL) when it holds escapes; invalid UTF-8 or a lone
 * surrogate is -EBADMSG, one that does not fit -EMSGSIZE. */
TK_MUST_USE int tk_json_read_i64(struct tk_json *json, int64_t *ret, struct tk_err *err);
TK_MUST_USE int tk_json_read_f64(struct tk_json *json, double *ret, struct tk_err *err);
TK_MUST_USE int tk_json_read_bool(struct tk_json *json, bool *ret, struct tk_err *err);
TK_MUST_USE int tk_json_read_null(struct tk_json *json, struct tk_err *err);
TK_MUST_USE int tk_json_read_str(struct tk_json *json, struct tk_arena *scratch, tk_str *ret,
                                 struct tk_err *err);

/* Skip one value of any kind, fully validated; `ret_raw` (may be NULL) is its text. */
TK_MUST_USE int tk_json_skip(struct tk_json *json, tk_str *ret_raw, struct tk_err *err);

/* Skip one value, of which only brackets and strings are looked at: several times as fast, for what
 * somebody else has validated or will. */
TK_MUST_USE int tk_json_skip_unread(struct tk_json *json, struct tk_err *err);

/* Reads the value of one member into `into` and returns 0, or returns 1 to have it skipped. */
typedef int (*tk_json_member_fn)(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                                 void *into, struct tk_err *err);

/* Read an object, member by member. Strings with escapes are decoded into `scratch`. */
TK_MUST_USE int tk_json_read_members(struct tk_json *json, struct tk_arena *scratch,
                                     tk_json_member_fn read, void *into, struct tk_err *err);

/* Nothing but white space may follow. */
TK_MUST_USE int tk_json_expect_end(struct tk_json *json, struct tk_err *err);

/* Bytes consumed so far. */
size_t tk_json_offset(const struct tk_json *json);

/* Append a string in quotes, escaped; bytes that are no UTF-8 become U+FFFD, so that what we write
 * can always be read. */
void tk_json_put_str(struct tk_buf *out, tk_str text);

/* Append a key with quotes and colon, after a comma unless it is the first member (the byte before
 * is '{'). The same comma rule for elements of an array, with '['. */
void tk_json_put_key(struct tk_buf *out, const char *key);
void tk_json_put_comma(struct tk_buf *out);

/* Append a whole member. The number of a double is the shortest that reads back the same; it must
 * be finite. */
void tk_json_put_member_str(struct tk_buf *out, const char *key, tk_str value);
void tk_json_put_member_i64(struct tk_buf *out, const char *key, int64_t value);
void tk_json_put_member_f64(struct tk_buf *out, const char *key, double value);
void tk_json_put_member_bool(struct tk_buf *out, const char *key, bool value);

#endif
