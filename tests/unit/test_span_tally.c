/* SPDX-License-Identifier: Apache-2.0 */
#include "span/span_tally.h"

#include "base/compiler.h"
#include "tk_test.h"

static void refused_and_repaired_are_told_apart(void **state)
{
    (void)state;
    struct tk_span_tally tally = {.spans = 7};
    tally.by_reason[TK_SPAN_BAD_TRACE_ID] = 3;
    tally.by_reason[TK_SPAN_BAD_TIME] = 1;
    tally.by_reason[TK_SPAN_ENDS_EARLY] = 2;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1000);
    tk_span_tally_format(&tally, true, &out);
    assert_str_equal(tk_buf_str(&out),
                     "3 spans with a trace id that is not 16 bytes, or zero, "
                     "1 span without a start time, or with a time beyond the year 2262");
    tk_buf_reset(&out);
    tk_span_tally_format(&tally, false, &out);
    assert_str_equal(tk_buf_str(&out),
                     "2 spans that ended before the start, taken with a duration of 0");
    assert_int_equal(tk_span_tally_refused(&tally), 4);
}

static void nothing_is_said_of_nothing(void **state)
{
    (void)state;
    struct tk_span_tally tally = {.spans = 7};
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1000);
    tk_span_tally_format(&tally, true, &out);
    assert_int_equal(out.n, 0);
}

static void tallies_add_up(void **state)
{
    (void)state;
    struct tk_span_tally sum = {.spans = 1};
    struct tk_span_tally more = {.spans = 2};
    sum.by_reason[TK_SPAN_DUPLICATE] = 3;
    more.by_reason[TK_SPAN_DUPLICATE] = 4;
    tk_span_tally_add(&sum, &more);
    assert_int_equal(sum.spans, 3);
    assert_int_equal(sum.by_reason[TK_SPAN_DUPLICATE], 7);
}

static void each_reason_has_a_name_and_a_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < TK_SPAN_REASON_COUNT; i++) {
        assert_non_null(tk_span_reasons[i].name);
        assert_non_null(tk_span_reasons[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_and_repaired_are_told_apart),
        cmocka_unit_test(nothing_is_said_of_nothing),
        cmocka_unit_test(tallies_add_up),
        cmocka_unit_test(each_reason_has_a_name_and_a_text),
    };
    return cmocka_run_group_tests_name("span_tally", tests, NULL, NULL);
}
