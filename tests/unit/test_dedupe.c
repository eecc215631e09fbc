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
    assert_int_equal(tk_dedupe_new(0, &dedupe, &err), 0);
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

/* Give ids [first, end) to the filter; how many of them were new. */
static uint64_t filter_ids(struct tk_dedupe *dedupe, uint64_t first, uint64_t end)
{
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = NULL;
    struct tk_span_tally tally = {.spans = end - first};
    struct tk_err err;
    assert_int_equal(tk_span_batch_new(end - first, &batch, &err), 0);
    for (uint64_t id = first; id < end; id++)
        made_add(batch, &(struct made_span){.id = id}, 1);
    assert_int_equal(tk_dedupe_filter(dedupe, batch, 0, &tally, &err), 0);
    assert_int_equal(tally.spans + tally.by_reason[TK_SPAN_DUPLICATE], end - first);
    assert_int_equal(batch->rows, tally.spans);
    return tally.spans;
}

static void as_many_are_known_as_was_asked_for(void **state)
{
    (void)state;
    enum { SPANS = 50000 };
    struct tk_err err;
    struct tk_dedupe *dedupe;
    assert_int_equal(tk_dedupe_new(SPANS, &dedupe, &err), 0);
    assert_int_equal(filter_ids(dedupe, 1, 1 + 3 * SPANS), 3 * SPANS);
    assert_int_equal(filter_ids(dedupe, 1 + 2 * SPANS, 1 + 3 * SPANS), 0);
    assert_int_equal(filter_ids(dedupe, 1, 1 + SPANS), SPANS);
    tk_dedupe_free(dedupe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_that_come_again_go_and_all_others_stay),
        cmocka_unit_test(as_many_are_known_as_was_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
