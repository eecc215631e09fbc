/* SPDX-License-Identifier: Apache-2.0 */
#include "span/trace_order.h"

#include "tk_test.h"

/* Rows of the batch of a test: the last byte of their trace's id, and their starts. */
static const struct {
    uint8_t trace;
    int64_t start_ns;
} spans[] = {{3, 50}, {1, 70}, {2, 40}, {3, 20}, {1, 70}, {2, 60}};

enum { SPANS = TK_COUNTOF(spans) };

static struct tk_span_batch *new_batch(void)
{
    struct tk_err err;
    struct tk_span_batch *batch = NULL;
    assert_int_equal(tk_span_batch_new(SPANS, &batch, &err), 0);
    for (size_t i = 0; i < SPANS; i++) {
        assert_int_equal(tk_span_batch_begin(batch), 0);
        batch->trace_ids[i][15] = spans[i].trace;
        batch->start_ns[i] = spans[i].start_ns;
        assert_int_equal(tk_span_batch_end(batch), 0);
    }
    return batch;
}

static void rows_go_by_trace_then_start_then_row(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch();
    uint32_t rows[SPANS] = {5, 4, 3, 2, 1, 0};
    tk_rows_sort_by_trace(batch, rows, SPANS);
    const uint32_t sorted[SPANS] = {1, 4, 2, 5, 3, 0};
    assert_memory_equal(rows, sorted, sizeof(sorted));
}

static void traces_come_earliest_first_with_all_their_rows(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch();
    const uint32_t rows[SPANS] = {1, 4, 2, 5, 3, 0};
    struct tk_trace_place places[SPANS];
    assert_int_equal(tk_rows_find_traces(batch, rows, SPANS, places), 3);
    const struct tk_trace_place expected[] = {{20, 4, 2}, {40, 2, 2}, {70, 0, 2}};
    for (size_t i = 0; i < TK_COUNTOF(expected); i++) {
        assert_int_equal(places[i].start_ns, expected[i].start_ns);
        assert_int_equal(places[i].first, expected[i].first);
        assert_int_equal(places[i].n, expected[i].n);
    }
}

static void no_rows_are_no_traces(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch();
    struct tk_trace_place places[1];
    tk_rows_sort_by_trace(batch, NULL, 0);
    assert_int_equal(tk_rows_find_traces(batch, NULL, 0, places), 0);
}

static void a_list_has_whole_traces_one_behind_the_other(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch();
    TK_CLEANUP(tk_trace_list_release) struct tk_trace_list list;
    struct tk_err err;
    assert_int_equal(tk_trace_list_init(&list, batch, 1, &err), 0);
    const uint32_t rows[] = {3, 2, 5, 1, 4};
    const struct tk_trace_place places[] = {{20, 0, 1}, {40, 1, 2}, {70, 3, 2}};
    assert_int_equal(list.row_count, TK_COUNTOF(rows));
    assert_int_equal(list.count, TK_COUNTOF(places));
    assert_memory_equal(list.rows, rows, sizeof(rows));
    for (size_t i = 0; i < TK_COUNTOF(places); i++) {
        assert_int_equal(list.places[i].start_ns, places[i].start_ns);
        assert_int_equal(list.places[i].first, places[i].first);
        assert_int_equal(list.places[i].n, places[i].n);
    }
}

static void a_list_of_no_rows_is_empty(void **state)
{
    (void)state;
    TK_CLEANUP(tk_span_batch_freep) struct tk_span_batch *batch = new_batch();
    TK_CLEANUP(tk_trace_list_release) struct tk_trace_list list;
    struct tk_err err;
    assert_int_equal(tk_trace_list_init(&list, batch, SPANS, &err), 0);
    assert_int_equal(list.row_count, 0);
    assert_int_equal(list.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_go_by_trace_then_start_then_row),
        cmocka_unit_test(traces_come_earliest_first_with_all_their_rows),
        cmocka_unit_test(no_rows_are_no_traces),
        cmocka_unit_test(a_list_has_whole_traces_one_behind_the_other),
        cmocka_unit_test(a_list_of_no_rows_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
