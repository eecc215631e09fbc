/* SPDX-License-Identifier: Apache-2.0 */
/* Spans in any order become blocks of whole traces, each span once. */
#include "codec/assemble.h"

#include <errno.h>

#include "span_maker.h"

/* A source of `count` spans: that of row i is made by `make`. */
struct made_source {
    void (*make)(uint32_t row, struct made_span *ret_span);
    uint32_t count, next;
    uint32_t at_once; /* most spans that one call gives */
};

static int read_made(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct made_source *source = context;
    (void)err;
    for (uint32_t i = 0; i < source->at_once && source->next < source->count; i++) {
        struct made_span span = {0};
        source->make(source->next, &span);
        if (batch->rows == batch->max_rows)
            return 0;
        made_add(batch, &span, 1);
        source->next++;
    }
    return source->next == source->count;
}

/* What came out: per trace how many spans, in how many blocks. */
#define TRACES_MAX 5000
struct seen {
    uint32_t spans[TRACES_MAX], blocks[TRACES_MAX];
    size_t block_count, rounds;
    uint64_t late, total;
    uint32_t traces_of_block[TRACES_MAX], spans_of_block[TRACES_MAX];
};

static void see_block(struct seen *seen, const struct tk_assembly_block *block)
{
    const struct tk_span_batch *batch = block->rows.batch;
    uint64_t last = 0;
    uint32_t traces = 0;
    for (size_t i = 0; i < block->rows.n; i++) {
        size_t row = tk_span_rows_at(&block->rows, i);
        uint64_t id;
        memcpy(&id, batch->trace_ids[row] + 8, sizeof(id));
        id = be64toh(id);
        assert_in_range(id, 1, TRACES_MAX - 1);
        seen->spans[id]++;
        if (id == last)
            continue;
        traces++;
        seen->blocks[id]++;
        last = id;
    }
    assert_int_equal(traces, block->traces);
    seen->traces_of_block[seen->block_count] = traces;
    seen->spans_of_block[seen->block_count++] = (uint32_t)block->rows.n;
    seen->total += block->rows.n;
    seen->late += block->late;
}

static void assemble(const struct tk_assembly_options *options, struct made_source *made,
                     struct seen *ret_seen)
{
    struct tk_err err;
    struct tk_assembly *assembly;
    const struct tk_span_source source = {read_made, made};
    int rc;
    memset(ret_seen, 0, sizeof(*ret_seen));
    assert_int_equal(tk_assembly_new(options, &assembly, &err), 0);
    while ((rc = tk_assembly_fill(assembly, &source, &err)) == 0) {
        ret_seen->rounds++;
        for (size_t i = 0; i < tk_assembly_count(assembly); i++) {
            struct tk_assembly_block block;
            tk_assembly_block(assembly, i, &block);
            see_block(ret_seen, &block);
        }
        assert_int_equal(tk_assembly_drop(assembly, &err), 0);
    }
    assert_int_equal(rc, 1);
    assert_int_equal(ret_seen->total, made->count);
    tk_assembly_free(assembly);
}

/* 1,000 traces of 5 spans each, as a file of spans by service: the k-th spans of all traces, then
 * the next ones. */
#define SCATTERED_TRACES 1000
static void make_scattered(uint32_t row, struct made_span *ret_span)
{
    uint32_t trace = row % SCATTERED_TRACES;
    *ret_span = (struct made_span){.trace = trace + 1,
                                   .id = row + 1,
                                   .start_ns = (int64_t)trace * 1000 + row / SCATTERED_TRACES,
                                   .duration_ns = 20};
}

/* Traces one after the other, their spans late by up to 30 rows. */
static void make_shuffled(uint32_t row, struct made_span *ret_span)
{
    uint32_t at = row - row % 30 + (row % 30 * 7 + 3) % 30;
    uint32_t trace = at / 4;
    *ret_span = (struct made_span){.trace = trace + 1,
                                   .id = at + 1,
                                   .start_ns = (int64_t)trace * 10 + at % 4,
                                   .duration_ns = 40};
}

/* As shuffled, but the last span of the first trace is the last row. */
static void make_straggler(uint32_t row, struct made_span *ret_span)
{
    make_shuffled(row, ret_span);
    if (row == 3999)
        *ret_span = (struct made_span){.trace = 1, .id = 70000, .start_ns = 9, .duration_ns = 1};
}

static void make_one_trace(uint32_t row, struct made_span *ret_span)
{
    *ret_span = (struct made_span){.trace = 1, .id = row + 1, .start_ns = row, .duration_ns = 1};
}

static void rows_of_a_file_that_fits_may_stand_in_any_order(void **state)
{
    (void)state;
    struct made_source made = {make_scattered, SCATTERED_TRACES * 5, 0, 777};
    struct seen seen;
    assemble(&(struct tk_assembly_options){.block_traces = 300}, &made, &seen);
    assert_int_equal(seen.block_count, 4);
    assert_int_equal(seen.traces_of_block[0], 300);
    assert_int_equal(seen.traces_of_block[3], 100);
    assert_int_equal(seen.late, 0);
    for (uint32_t i = 1; i <= SCATTERED_TRACES; i++) {
        assert_int_equal(seen.spans[i], 5);
        assert_int_equal(seen.blocks[i], 1);
    }
}

static void a_stream_that_does_not_fit_is_cut_where_traces_are_complete(void **state)
{
    (void)state;
    struct made_source made = {make_shuffled, 12000, 0, 100};
    struct seen seen;
    assemble(&(struct tk_assembly_options){.max_spans = 500, .block_traces = 50}, &made, &seen);
    assert_true(seen.rounds > 20);
    assert_int_equal(seen.late, 0);
    for (uint32_t i = 1; i <= 3000; i++) {
        assert_int_equal(seen.spans[i], 4);
        assert_int_equal(seen.blocks[i], 1);
    }
}

static void a_span_that_comes_after_its_trace_is_counted_as_late(void **state)
{
    (void)state;
    struct made_source made = {make_straggler, 4000, 0, 100};
    struct seen seen;
    assemble(&(struct tk_assembly_options){.max_spans = 500, .block_traces = 50}, &made, &seen);
    assert_int_equal(seen.late, 1);
    assert_int_equal(seen.spans[1], 5);
    assert_int_equal(seen.blocks[1], 2);
}

static void blocks_end_by_spans_and_by_time_too(void **state)
{
    (void)state;
    struct made_source made = {make_shuffled, 1200, 0, 100};
    struct seen seen;
    assemble(&(struct tk_assembly_options){.block_spans = 40}, &made, &seen);
    assert_int_equal(seen.block_count, 30);
    assert_int_equal(seen.spans_of_block[0], 40);
    made.next = 0;
    assemble(&(struct tk_assembly_options){.block_ns = 100}, &made, &seen);
    assert_int_equal(seen.block_count, 30);
    assert_int_equal(seen.traces_of_block[0], 10);
}

static void a_trace_larger_than_a_block_has_one_of_its_own(void **state)
{
    (void)state;
    struct made_source made = {make_one_trace, 3000, 0, 100};
    struct seen seen;
    assemble(&(struct tk_assembly_options){.block_spans = 100}, &made, &seen);
    assert_int_equal(seen.block_count, 1);
    made.next = 0; /* and one larger than memory comes in parts */
    assemble(&(struct tk_assembly_options){.max_spans = 1000}, &made, &seen);
    assert_int_equal(seen.block_count, 3);
    assert_int_equal(seen.late, 2000);
}

static void a_source_without_spans_gives_no_block(void **state)
{
    (void)state;
    struct made_source made = {make_one_trace, 0, 0, 100};
    struct seen seen;
    assemble(&(struct tk_assembly_options){0}, &made, &seen);
    assert_int_equal(seen.block_count, 0);
}

static int read_fault(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    (void)batch;
    return context ? tk_fail(err, -EBADMSG, "byte 7: no span") : 0;
}

static void a_source_that_fails_or_gives_nothing_ends_it(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_assembly *assembly;
    struct tk_span_source source = {read_fault, &err};
    assert_int_equal(tk_assembly_new(&(struct tk_assembly_options){0}, &assembly, &err), 0);
    assert_int_equal(tk_assembly_fill(assembly, &source, &err), -EBADMSG);
    assert_string_equal(err.msg, "byte 7: no span");
    source.context = NULL;
    assert_int_equal(tk_assembly_fill(assembly, &source, &err), -EMSGSIZE);
    tk_assembly_free(assembly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_a_file_that_fits_may_stand_in_any_order),
        cmocka_unit_test(a_stream_that_does_not_fit_is_cut_where_traces_are_complete),
        cmocka_unit_test(a_span_that_comes_after_its_trace_is_counted_as_late),
        cmocka_unit_test(blocks_end_by_spans_and_by_time_too),
        cmocka_unit_test(a_trace_larger_than_a_block_has_one_of_its_own),
        cmocka_unit_test(a_source_without_spans_gives_no_block),
        cmocka_unit_test(a_source_that_fails_or_gives_nothing_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
