/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the user for the exact tier (trace-compression.md section 11): traces that one of them
 * matches are kept whole in any case, whatever the share that is kept besides.
 *
 *     errors           a span has the status error
 *     slower=TIME      it took longer from its first start to its last end, "slower=500ms"
 *     slowest=PERCENT  it is among so many of the longest of its block
 *     has=KEY          a span, or its resource, has the attribute
 *     has=KEY:VALUE    ... and its value, as text, is that
 *     trace=ID         its id is that, digits of base 16; zeros in front may be left out */
#ifndef TK_CODEC_KEEP_RULES_H
#define TK_CODEC_KEEP_RULES_H

#include "codec/codec.h"
#include "codec/forest.h"

struct tk_keep_rule_kind;

struct tk_keep_rule {
    const struct tk_keep_rule_kind *kind;
    int64_t limit_ns; /* slower */
    double share;     /* slowest */
    tk_str key;       /* has */
    tk_str value;     /* p NULL = any */
    uint8_t trace_id[16];
};

/* Parse a rule, whose texts it borrows. -EINVAL with a line that names what is expected. */
TK_MUST_USE int tk_keep_rule_parse(const char *text, struct tk_keep_rule *ret_rule,
                                   struct tk_err *err);

/* Mark the traces of a forest of rows of `batch` that any rule matches: ret_wanted[trace_count].
 * -ENOMEM. */
TK_MUST_USE int tk_keep_rules_match(const struct tk_keep_rule *rules, size_t count,
                                    const struct tk_forest *forest,
                                    const struct tk_span_batch *batch, bool *ret_wanted,
                                    struct tk_err *err);

#endif
