/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of text in a format: literal text and variables. A variable reaches to the next place where
 * the literal behind it stands. One thread at a time. */
#ifndef TK_SPAN_PATTERN_H
#define TK_SPAN_PATTERN_H

#include "base/arena.h"
#include "span/keys.h"

#define TK_PATTERN_MAX 64 /* variables */

struct tk_pattern {
    struct tk_pattern_item {
        tk_str before;           /* literal in front */
        struct tk_source source; /* field TK_FIELD_COUNT = of no interest */
    } items[TK_PATTERN_MAX];
    size_t count;
    tk_str after;    /* the last one */
    size_t required; /* a line may end where the item of this index would begin */
};

/* How a format writes its variables. */
enum tk_pattern_style {
    TK_PATTERN_NGINX, /* $name, ${name} */
    TK_PATTERN_ENVOY, /* %NAME%, %NAME(ARG?OTHER):LENGTH%; %% is a per cent sign */
};

/* Read a format, which stays borrowed. Variables that `keys` does not have are passed over. -EINVAL
 * when two variables touch, one does not end, or there is none. */
TK_MUST_USE int tk_pattern_init(struct tk_pattern *pattern, enum tk_pattern_style style,
                                tk_str format, const struct tk_keys *keys, struct tk_err *err);

/* Set the fields that one line tells. With `scratch`, "\x22" in a text is decoded into it. -EBADMSG
 * when the line does not fit. */
TK_MUST_USE int tk_pattern_read(const struct tk_pattern *pattern, tk_str line,
                                struct tk_arena *scratch, struct tk_call *call, struct tk_err *err);

#endif
