/* SPDX-License-Identifier: Apache-2.0 */
/* Any line as a row to be merged: what leaves is an object again, and reads back with the node that
 * it was given. */
#include <assert.h>

#include "run/merge_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tk_merge_node node = {
        .id = "new", .label = "old", .host = "h", .host_known = true};
    struct tk_merge_row row;
    struct tk_merge_row again;
    struct tk_buf out;
    struct tk_err err;
    if (size == 0)
        return 0;
    tk_str line = tk_str_trim((tk_str){(const char *)data + 1, size - 1});
    int64_t shift_us = (int8_t)data[0] * 1001;
    if (tk_merge_row_read(TK_TABLE_INVOCATIONS, line, &row, &err) < 0)
        return 0;
    tk_buf_init(&out, 1 << 20);
    tk_merge_row_put(&row, &node, shift_us, &out);
    if (tk_buf_ok(&out) && row.span_count < TK_MERGE_SPANS_MAX) {
        assert(tk_merge_row_read(TK_TABLE_INVOCATIONS, tk_buf_str(&out), &again, &err) == 0);
        assert(tk_str_eq(again.node, TK_STR("new")));
    }
    tk_buf_release(&out);
    return 0;
}
