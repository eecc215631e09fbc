/* SPDX-License-Identifier: Apache-2.0 */
/* Spans that come again are known by trace, id and kind; no others are taken for them. */
#include "span/dedupe.h"

#include "span_maker.h"

static void spans_that_come_again_go_and_all_others_stay(void **state)
{
    (void)state;
    enum { IDS = 64 };
    struct tk_err err;
    struct tk_span_batch *batch;
    struct tk_dedupe *dedupe;
    struct tk_span_tally tally = {.spans = (size_t)IDS * TK_SPAN_KIND_COUNT * 2};
    assert_int_equal(tk_span_batch_new(tally.spans, &batch, &err), 0);
    assert_int_equal(tk_dedupe_new(&dedupe, &err), 0);
    /* Small ids of every kind: an id and a kind must not be taken for another id and kind. */
    for (uint64_t i = 0; i < tally.spans; i++) {
        const struct made_span span = {.id = 1 + i / TK_SPAN_KIND_COUNT % IDS,
                                       .kind = (uint8_t)(i % TK_SPAN_KIND_COUNT)};
        made_add(batch, &span, 1);
    }
    assert_int_equal(tk_dedupe_filter(dedupe, batch, 0, &tally, &err), 0);
    assert_int_equal(batch->rows, IDS * TK_SPAN_KIND_COUNT);
    assert_int_equal(tally.by_reason[TK_SPAN_DUPLICATE], IDS * TK_SPAN_KIND_COUNT);
    assert_int_equal(tally.spans, IDS * TK_SPAN_KIND_COUNT);
    tk_dedupe_free(dedupe);
    tk_span_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_that_come_again_go_and_all_others_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
