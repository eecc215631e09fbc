/* SPDX-License-Identifier: Apache-2.0 */
#include "load/bodies.h"

#include <errno.h>
#include <libdeflate.h>
#include <string.h>

#include "base/compiler.h"
#include "load/synthetic.h"
#include "span/otlp.h"
#include "tk_test.h"

#define START_NS 1700000000000000000

static struct tk_span_batch *batch_new(size_t rows)
{
    struct tk_span_batch *batch;
    struct tk_err err;
    assert_int_equal(tk_span_batch_new(rows, &batch, &err), 0);
    return batch;
}

/* 95 spans of ten traces and two services, the first with an event, a link and no end of the
 * event's time. */
static struct tk_span_batch *sample_new(void)
{
    struct tk_span_batch *batch = batch_new(1024);
    struct tk_synthetic synthetic;
    struct tk_err err;
    const struct tk_synthetic_opts opts = {.spans = 95, .services = 2, .start_ns = START_NS};
    tk_synthetic_init(&synthetic, &opts);
    assert_int_equal(tk_synthetic_next(&synthetic, batch, &err), 1);
    tk_synthetic_release(&synthetic);
    assert_int_equal(tk_span_batch_begin(batch), 0);
    size_t row = batch->rows - 1;
    memcpy(batch->trace_ids[row], "0123456789abcdef", 16);
    memcpy(&batch->span_ids[row], "01234567", 8);
    batch->start_ns[row] = START_NS;
    batch->duration_ns[row] = 5;
    struct tk_span_event event = {.time_ns = START_NS + 1,
                                  .name = tk_texts_add(&batch->texts, TK_STR("e"))};
    struct tk_span_event timeless = {.name = event.name};
    struct tk_span_link link = {.span_id = batch->span_ids[0]};
    memcpy(link.trace_id, batch->trace_ids[0], 16);
    assert_int_equal(tk_span_batch_add_event(batch, &event), 0);
    assert_int_equal(tk_span_batch_add_event(batch, &timeless), 0);
    assert_int_equal(tk_span_batch_add_link(batch, &link), 0);
    assert_int_equal(tk_span_batch_end(batch), 0);
    return batch;
}

static struct tk_load_bodies *bodies_new(const struct tk_load_bodies_opts *opts,
                                         struct tk_span_batch *batch)
{
    struct tk_load_bodies *bodies;
    struct tk_err err;
    const struct tk_span_rows rows = {batch, NULL, batch->rows};
    assert_int_equal(tk_load_bodies_new(opts, &bodies, &err), 0);
    assert_int_equal(tk_load_bodies_add(bodies, &rows, &err), 0);
    assert_int_equal(tk_load_bodies_finish(bodies, &err), 0);
    return bodies;
}

/* Append the spans of a request to a batch. */
static void decode(struct tk_otlp_reader *reader, tk_str body, bool json)
{
    struct tk_span_tally tally = {0};
    struct tk_err err;
    int rc = json ? tk_otlp_decode_json(reader, body, &tally, &err)
                  : tk_otlp_decode(reader, body, &tally, &err);
    assert_int_equal(rc, 0);
    assert_int_equal(tk_span_tally_refused(&tally), 0);
}

/* All spans of the bodies, changed. */
static struct tk_span_batch *decode_copies(struct tk_load_bodies *bodies,
                                           const struct tk_load_body_change *change)
{
    struct tk_span_batch *batch = batch_new(1024);
    struct tk_otlp_reader *reader;
    struct tk_buf copy;
    struct tk_err err;
    tk_buf_init(&copy, 1 << 20);
    assert_int_equal(tk_otlp_reader_new(batch, &reader, &err), 0);
    for (size_t i = 0; i < bodies->count; i++) {
        assert_int_equal(tk_load_body_copy(bodies, i, change, &copy, &err), 0);
        decode(reader, tk_buf_str(&copy), bodies->opts.json);
    }
    tk_otlp_reader_free(reader);
    tk_buf_release(&copy);
    return batch;
}

static void bodies_hold_all_spans_in_the_order_of_their_ends(void **state)
{
    (void)state;
    struct tk_span_batch *batch = sample_new();
    struct tk_load_bodies *bodies =
        bodies_new(&(struct tk_load_bodies_opts){.batch_spans = 10}, batch);
    assert_int_equal(bodies->count, 10);
    assert_int_equal(bodies->spans, 96);
    for (size_t i = 1; i < bodies->count; i++)
        assert_true(bodies->items[i].end_ns >= bodies->items[i - 1].end_ns);
    assert_int_equal(bodies->items[9].spans, 6);
    tk_load_bodies_free(bodies);
    tk_span_batch_free(batch);
}

static void a_body_holds_no_more_time_than_wanted(void **state)
{
    (void)state;
    struct tk_span_batch *batch = sample_new();
    /* Children end 123 us apart. */
    struct tk_load_bodies *bodies =
        bodies_new(&(struct tk_load_bodies_opts){.batch_ns = 300000}, batch);
    assert_true(bodies->count > 25);
    for (size_t i = 0; i < bodies->count; i++)
        assert_in_range(bodies->items[i].spans, 1, 6);
    tk_load_bodies_free(bodies);
    tk_span_batch_free(batch);
}

static void a_limit_counts_what_it_leaves_out(void **state)
{
    (void)state;
    struct tk_span_batch *batch = sample_new();
    struct tk_load_bodies *bodies =
        bodies_new(&(struct tk_load_bodies_opts){.batch_spans = 8, .max_spans = 20}, batch);
    assert_int_equal(bodies->spans, 20);
    assert_int_equal(bodies->left_out, 76);
    tk_load_bodies_free(bodies);
    tk_span_batch_free(batch);
}

static void ids_of(const struct tk_span_batch *batch, size_t row, uint8_t to[24])
{
    memcpy(to, batch->trace_ids[row], 16);
    memcpy(to + 16, &batch->span_ids[row], 8);
}

/* What must hold of spans before and after a change, in the same order. */
static void check_change(const struct tk_span_batch *before, const struct tk_span_batch *after,
                         const struct tk_load_body_change *change)
{
    assert_int_equal(before->rows, after->rows);
    for (size_t i = 0; i < before->rows; i++) {
        assert_memory_not_equal(before->trace_ids[i], after->trace_ids[i], 16);
        assert_true(before->span_ids[i] != after->span_ids[i]);
        assert_int_equal(after->start_ns[i], before->start_ns[i] + change->shift_ns);
        assert_int_equal(after->duration_ns[i], before->duration_ns[i]);
        assert_int_equal(before->parent_ids[i] == 0, after->parent_ids[i] == 0);
        for (size_t j = 0; j < before->rows; j++) {
            bool same = memcmp(before->trace_ids[i], before->trace_ids[j], 16) == 0;
            assert_int_equal(memcmp(after->trace_ids[i], after->trace_ids[j], 16) == 0, same);
            assert_int_equal(after->parent_ids[i] == after->span_ids[j],
                             before->parent_ids[i] == before->span_ids[j]);
        }
    }
    assert_int_equal(after->event_count, 2);
    assert_int_equal(after->link_count, 1);
    assert_int_equal(after->events[0].time_ns, START_NS + 1 + change->shift_ns);
    assert_int_equal(after->events[1].time_ns, 0);
    bool found = false;
    for (size_t i = 0; i < after->rows; i++)
        found = found || (after->span_ids[i] == after->links[0].span_id &&
                          memcmp(after->trace_ids[i], after->links[0].trace_id, 16) == 0);
    assert_true(found);
}

static void other_ids_and_times_keep_traces_together(void **state)
{
    (void)state;
    for (int json = 0; json <= 1; json++) {
        struct tk_span_batch *batch = sample_new();
        struct tk_load_bodies *bodies = bodies_new(
            &(struct tk_load_bodies_opts){.batch_spans = 20, .changes = true, .json = json}, batch);
        const struct tk_load_body_change none = {0};
        struct tk_load_body_change change = tk_load_body_change_of(7, 3);
        change.shift_ns = 86400000000123;
        struct tk_span_batch *before = decode_copies(bodies, &none);
        struct tk_span_batch *after = decode_copies(bodies, &change);
        check_change(before, after, &change);
        tk_span_batch_free(before);
        tk_span_batch_free(after);
        tk_load_bodies_free(bodies);
        tk_span_batch_free(batch);
    }
}

static void json_and_protobuf_get_the_same_ids(void **state)
{
    (void)state;
    struct tk_span_batch *batch = sample_new();
    struct tk_span_batch *copies[2];
    const struct tk_load_body_change change = tk_load_body_change_of(1, 0);
    for (int json = 0; json <= 1; json++) {
        struct tk_load_bodies *bodies =
            bodies_new(&(struct tk_load_bodies_opts){.changes = true, .json = json}, batch);
        copies[json] = decode_copies(bodies, &change);
        tk_load_bodies_free(bodies);
    }
    for (size_t i = 0; i < copies[0]->rows; i++) {
        uint8_t ids[2][24];
        ids_of(copies[0], i, ids[0]);
        ids_of(copies[1], i, ids[1]);
        assert_memory_equal(ids[0], ids[1], 24);
    }
    tk_span_batch_free(copies[0]);
    tk_span_batch_free(copies[1]);
    tk_span_batch_free(batch);
}

static void passes_have_ids_of_their_own_and_the_first_has_the_recorded(void **state)
{
    (void)state;
    const struct tk_load_body_change first = tk_load_body_change_of(0, 0);
    const struct tk_load_body_change second = tk_load_body_change_of(0, 1);
    const struct tk_load_body_change third = tk_load_body_change_of(0, 2);
    assert_int_equal(first.trace_mask[0] | first.trace_mask[1] | first.span_mask, 0);
    assert_true(second.span_mask != 0 && second.span_mask != third.span_mask);
    assert_true(tk_load_body_change_of(1, 0).span_mask != 0);
    assert_true(tk_load_body_change_of(1, 0).span_mask != tk_load_body_change_of(2, 0).span_mask);
}

static void the_ids_of_a_request_are_those_that_it_was_sent_with(void **state)
{
    (void)state;
    for (int json = 0; json <= 1; json++) {
        struct tk_span_batch *batch = sample_new();
        struct tk_load_bodies *bodies =
            bodies_new(&(struct tk_load_bodies_opts){.changes = true, .json = json}, batch);
        const struct tk_load_body_change change = tk_load_body_change_of(5, 5);
        struct tk_span_batch *copies = decode_copies(bodies, &change);
        struct tk_buf ids;
        tk_buf_init(&ids, 1 << 20);
        tk_load_body_put_ids(bodies, 0, &change, &ids);
        assert_int_equal(ids.n, copies->rows * 24);
        for (size_t i = 0; i < copies->rows; i++) {
            uint8_t wanted[24];
            ids_of(copies, i, wanted);
            assert_memory_equal(ids.p + i * 24, wanted, 24);
        }
        tk_buf_release(&ids);
        tk_span_batch_free(copies);
        tk_load_bodies_free(bodies);
        tk_span_batch_free(batch);
    }
}

/* What gzip holds. */
static size_t inflate(tk_str packed, char *to, size_t cap)
{
    size_t n = 0;
    struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
    assert_non_null(inflater);
    assert_int_equal(libdeflate_gzip_decompress(inflater, packed.p, packed.n, to, cap, &n),
                     LIBDEFLATE_SUCCESS);
    libdeflate_free_decompressor(inflater);
    return n;
}

static void compressed_bodies_are_the_same_bodies(void **state)
{
    (void)state;
    static char plain[1 << 20];
    struct tk_span_batch *batch = sample_new();
    struct tk_load_bodies *bare = bodies_new(&(struct tk_load_bodies_opts){0}, batch);
    tk_str wanted = {bare->items[0].p, bare->items[0].n};
    for (int changes = 0; changes <= 1; changes++) {
        struct tk_load_bodies *packed =
            bodies_new(&(struct tk_load_bodies_opts){.gzip = true, .changes = changes}, batch);
        const struct tk_load_body_change none = {0};
        struct tk_buf copy;
        struct tk_err err;
        tk_buf_init(&copy, 1 << 20);
        tk_str sent = {packed->items[0].p, packed->items[0].n};
        if (changes) {
            assert_int_equal(tk_load_body_copy(packed, 0, &none, &copy, &err), 0);
            sent = tk_buf_str(&copy);
        }
        assert_true(sent.n < wanted.n);
        size_t n = inflate(sent, plain, sizeof(plain));
        assert_int_equal(n, wanted.n);
        assert_memory_equal(plain, wanted.p, n);
        tk_buf_release(&copy);
        tk_load_bodies_free(packed);
    }
    tk_load_bodies_free(bare);
    tk_span_batch_free(batch);
}

static void nothing_to_send_is_said(void **state)
{
    (void)state;
    struct tk_load_bodies *bodies;
    struct tk_err err;
    assert_int_equal(tk_load_bodies_new(&(struct tk_load_bodies_opts){0}, &bodies, &err), 0);
    assert_int_equal(tk_load_bodies_finish(bodies, &err), -ENODATA);
    assert_string_equal(err.msg, "there are no spans to send");
    tk_load_bodies_free(bodies);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    struct tk_span_batch *batch = sample_new();
    struct tk_load_bodies *bodies;
    struct tk_err err;
    const struct tk_span_rows rows = {batch, NULL, batch->rows};
    const struct tk_load_bodies_opts opts = {.batch_spans = 8, .max_bytes = 8192};
    assert_int_equal(tk_load_bodies_new(&opts, &bodies, &err), 0);
    assert_int_equal(tk_load_bodies_add(bodies, &rows, &err), -EMSGSIZE);
    tk_load_bodies_free(bodies);
    tk_span_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_hold_all_spans_in_the_order_of_their_ends),
        cmocka_unit_test(a_body_holds_no_more_time_than_wanted),
        cmocka_unit_test(a_limit_counts_what_it_leaves_out),
        cmocka_unit_test(other_ids_and_times_keep_traces_together),
        cmocka_unit_test(json_and_protobuf_get_the_same_ids),
        cmocka_unit_test(passes_have_ids_of_their_own_and_the_first_has_the_recorded),
        cmocka_unit_test(the_ids_of_a_request_are_those_that_it_was_sent_with),
        cmocka_unit_test(compressed_bodies_are_the_same_bodies),
        cmocka_unit_test(nothing_to_send_is_said),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
