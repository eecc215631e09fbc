/* SPDX-License-Identifier: Apache-2.0 */
/* A format in the first line (its first byte selects the style), lines in it behind. */
#include <assert.h>

#include "span/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tk_key table[] = {
        {"a", TK_FIELD_TRACE_ID},       {"r", TK_FIELD_REQUEST},
        {"t", TK_FIELD_END, TK_UNIT_S}, {"REQ(X)", TK_FIELD_EXIT},
        {"REQ(Y)", TK_FIELD_PATH},      {"u", TK_FIELD_UPSTREAM_TIME, TK_UNIT_S},
    };
    struct tk_keys keys;
    struct tk_pattern pattern;
    struct tk_arena scratch;
    struct tk_err err;
    tk_str text = {(const char *)data, size};
    tk_str line;
    if (!tk_str_take_line(&text, &line) || line.n == 0)
        return 0;
    enum tk_pattern_style style = line.p[0] & 1 ? TK_PATTERN_ENVOY : TK_PATTERN_NGINX;
    assert(tk_keys_init(&keys, table, TK_COUNTOF(table), NULL, 0, &err) == 0);
    keys.any_case = style == TK_PATTERN_ENVOY;
    if (tk_pattern_init(&pattern, style, (tk_str){line.p + 1, line.n - 1}, &keys, &err) < 0)
        return 0;
    assert(tk_arena_init(&scratch, 1 << 20, &err) == 0);
    while (tk_str_take_line(&text, &line)) {
        struct tk_call call = {0};
        tk_arena_reset(&scratch);
        (void)!tk_pattern_read(&pattern, line, &scratch, &call, &err);
    }
    tk_arena_release(&scratch);
    return 0;
}
