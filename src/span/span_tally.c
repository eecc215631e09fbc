/* SPDX-License-Identifier: Apache-2.0 */
#include "span/span_tally.h"

#include "base/number.h"

const struct tk_span_reason_about tk_span_reasons[TK_SPAN_REASON_COUNT] = {
    [TK_SPAN_BAD_TRACE_ID] = {"bad_trace_id", "with a trace id that is not 16 bytes, or zero",
                              true},
    [TK_SPAN_BAD_SPAN_ID] = {"bad_span_id", "with a span id that is not 8 bytes, or zero", true},
    [TK_SPAN_BAD_PARENT_ID] = {"bad_parent_id",
                               "with a parent id that is neither empty nor 8 bytes", true},
    [TK_SPAN_BAD_TIME] = {"bad_time", "without a start time, or with a time beyond the year 2262",
                          true},
    [TK_SPAN_TOO_LARGE] = {"too_large", "too large for a batch", true},
    [TK_SPAN_BAD_RECORD] = {"bad_record", "that could not be read", true},
    [TK_SPAN_DUPLICATE] = {"duplicate", "that came before", true},
    [TK_SPAN_NO_START] = {"no_start",
                          "without a timestamp, taken at the first one of their annotations or "
                          "trace, else at arrival",
                          false},
    [TK_SPAN_ENDS_EARLY] = {"ends_early", "that ended before the start, taken with a duration of 0",
                            false},
    [TK_SPAN_NO_UTF8] = {"no_utf8", "with text that is no UTF-8", false},
    [TK_SPAN_MADE_ID] = {"made_id", "without a trace or span id, which got one", false},
    [TK_SPAN_CUT_ATTRS] = {"cut_attrs", "with more attributes than are kept", false},
};

uint64_t tk_span_tally_refused(const struct tk_span_tally *tally)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < TK_SPAN_REASON_COUNT; i++)
        sum += tk_span_reasons[i].refused ? tally->by_reason[i] : 0;
    return sum;
}

void tk_span_tally_add(struct tk_span_tally *sum, const struct tk_span_tally *tally)
{
    sum->spans += tally->spans;
    for (size_t i = 0; i < TK_SPAN_REASON_COUNT; i++)
        sum->by_reason[i] += tally->by_reason[i];
}

void tk_span_tally_format(const struct tk_span_tally *tally, bool refused, struct tk_buf *out)
{
    const char *separator = "";
    for (size_t i = 0; i < TK_SPAN_REASON_COUNT; i++) {
        uint64_t n = tally->by_reason[i];
        if (n == 0 || tk_span_reasons[i].refused != refused)
            continue;
        tk_buf_puts(out, separator);
        tk_buf_put_u64(out, n);
        tk_buf_puts(out, n == 1 ? " span " : " spans ");
        tk_buf_puts(out, tk_span_reasons[i].text);
        separator = ", ";
    }
}
