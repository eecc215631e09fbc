/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "codec/exact.h"
#include "forest_fixture.h"
#include "span_mix.h"
#include "tk_test.h"

static const struct tk_codec_options lossless = {.mode = TK_CODEC_LOSSLESS};

struct coded {
    struct tk_section_set set;
    struct tk_block block;
};

static void coded_make(struct coded *coded, const struct fixture *fixture,
                       const struct tk_codec_options *options)
{
    struct tk_err err;
    *coded = (struct coded){0};
    tk_section_set_init(&coded->set);
    if (tk_exact_encode(&fixture->forest, fixture->batch, options, &coded->set, &err) < 0)
        fail_msg("%s", err.msg);
    coded->block.section_count = tk_section_set_list(&coded->set, coded->block.sections);
}

static void coded_release(struct coded *coded)
{
    tk_section_set_release(&coded->set);
}

/* What others decode of a span: its name, times, attributes. */
static void copy_rest(const struct fixture *fixture, uint32_t row, struct tk_span_batch *batch)
{
    size_t last = batch->rows - 1;
    batch->kinds[last] = fixture->batch->kinds[row];
    batch->statuses[last] = fixture->batch->statuses[row];
    batch->start_ns[last] = fixture->batch->start_ns[row];
    batch->duration_ns[last] = fixture->batch->duration_ns[row];
}

/* Ids, message, states, flags, counts, events and links of a row as text. */
static void put_row(const struct tk_span_batch *batch, size_t row, struct tk_buf *out)
{
    for (size_t i = 0; i < 16; i++)
        tk_buf_printf(out, "%02x", batch->trace_ids[row][i]);
    tk_buf_printf(out, " %llx %llx flags %u dropped %u %u %u",
                  (unsigned long long)batch->span_ids[row],
                  (unsigned long long)batch->parent_ids[row], batch->flags[row],
                  batch->dropped_attrs[row], batch->dropped_events[row], batch->dropped_links[row]);
    span_put_text(batch, batch->messages[row], out);
    span_put_text(batch, batch->trace_states[row], out);
    span_put_items(batch, row, out);
}

static void assert_same_row(const struct tk_span_batch *a, size_t x, const struct tk_span_batch *b,
                            size_t y)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf left;
    TK_CLEANUP(tk_buf_release) struct tk_buf right;
    tk_buf_init(&left, 1 << 22);
    tk_buf_init(&right, 1 << 22);
    put_row(a, x, &left);
    put_row(b, y, &right);
    assert_true(tk_buf_ok(&left) && tk_buf_ok(&right));
    assert_int_equal(left.n, right.n);
    assert_memory_equal(left.p, right.p, left.n);
}

struct decoding {
    const struct fixture *fixture;
    struct tk_exact_decoder *decoder;
    struct tk_span_batch *batch;
};

/* Decode a node into the batch, which is emptied when it is full. */
static int decode_node(struct decoding *decoding, uint32_t trace, uint32_t node)
{
    struct tk_err err;
    uint32_t row = decoding->fixture->forest.rows[node];
    struct tk_span_batch *batch = decoding->batch;
    for (int attempt = 0; attempt < 2; attempt++) {
        int rc = tk_span_batch_begin(batch);
        if (rc == 0) {
            copy_rest(decoding->fixture, row, batch);
            rc = tk_exact_decode_node(decoding->decoder, trace, node, batch, &err);
            rc = rc < 0 ? rc : tk_span_batch_end(batch);
        }
        if (rc != -ENOBUFS)
            return rc;
        tk_span_batch_reset(batch);
    }
    return -ENOBUFS;
}

/* Decode all nodes into a batch of so many rows; what is whole is compared. Returns the first
 * failure, with the number of nodes that came before it. */
static int decode_all(const struct fixture *fixture, const struct tk_block *block, size_t max_rows,
                      uint32_t *ret_nodes)
{
    struct tk_err err;
    struct decoding decoding = {.fixture = fixture};
    const struct tk_forest *forest = &fixture->forest;
    *ret_nodes = 0;
    assert_int_equal(tk_span_batch_new(max_rows, &decoding.batch, &err), 0);
    int rc = tk_exact_decoder_new(block, forest, &decoding.decoder, &err);
    bool whole =
        rc == 0 && tk_exact_has_ids(decoding.decoder) && tk_exact_has_details(decoding.decoder);
    for (uint32_t trace = 0, node = 0; rc == 0 && node < forest->node_count; node++) {
        trace += node == forest->trace_ends[trace];
        rc = decode_node(&decoding, trace, node);
        *ret_nodes += rc == 0;
        if (rc == 0 && whole) {
            assert_same_row(decoding.batch, decoding.batch->rows - 1, fixture->batch,
                            forest->rows[node]);
        }
    }
    tk_exact_decoder_free(decoding.decoder);
    tk_span_batch_free(decoding.batch);
    return rc;
}

static void assert_round_trip(const struct fixture *fixture, size_t max_rows)
{
    struct coded coded;
    uint32_t nodes;
    coded_make(&coded, fixture, &lossless);
    assert_int_equal(decode_all(fixture, &coded.block, max_rows, &nodes), 0);
    assert_int_equal(nodes, fixture->forest.node_count);
    coded_release(&coded);
}

static void plant_mix(struct fixture *fixture, uint64_t seed, size_t rows)
{
    fixture_init(fixture, rows);
    mix_fill(fixture->batch, seed, rows);
    for (size_t i = 0; i < rows; i++) { /* ids that follow from others */
        if (i % 3 == 0 && i > 0)
            fixture->batch->parent_ids[i] = fixture->batch->span_ids[i - 1];
    }
    fixture_build(fixture);
}

static void everything_of_a_span_comes_back(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 6; seed++) {
        struct fixture fixture;
        plant_mix(&fixture, seed, 800);
        assert_round_trip(&fixture, 1024);
        fixture_release(&fixture);
    }
}

static void a_full_batch_asks_for_a_span_again(void **state)
{
    (void)state;
    struct fixture fixture;
    plant_mix(&fixture, 7, 500);
    assert_round_trip(&fixture, 3);
    fixture_release(&fixture);
}

static void trees_cost_no_ids_of_parents(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded coded;
    const struct fixture_random random = {.seed = 3, .traces = 2000};
    fixture_grow(&fixture, &random);
    coded_make(&coded, &fixture, &lossless);
    /* 8 bytes a span; ids of these traces count up */
    size_t most = (size_t)fixture.forest.node_count * 8 + fixture.forest.node_count / 8 + 4096;
    assert_true(coded.set.bytes[TK_SECTION_IDS].n < most);
    assert_true(coded.set.bytes[TK_SECTION_DETAILS].n < 200); /* there are none */
    assert_round_trip(&fixture, 1 << 16);
    coded_release(&coded);
    fixture_release(&fixture);
}

static void ids_that_follow_from_others_cost_little(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded coded;
    const struct fixture_random random = {.seed = 4, .traces = 3000, .max_spans = 1};
    fixture_init(&fixture, 3000);
    for (uint32_t i = 0; i < random.traces; i++) { /* 64-bit ids, the root's the same */
        struct made_span span = {.start_ns = (int64_t)1000 * i, .trace = fixture_id(i)};
        span.id = span.trace;
        made_add(fixture.batch, &span, 1);
    }
    fixture_build(&fixture);
    coded_make(&coded, &fixture, &lossless);
    assert_true(coded.set.bytes[TK_SECTION_IDS].n < 3000 * 8 + 300);
    assert_round_trip(&fixture, 4096);
    coded_release(&coded);
    fixture_release(&fixture);
}

static void times_that_are_not_of_this_world_come_back(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MIN, INT64_MAX, 0, -1, 1, 999, 1000000, INT64_MIN};
    struct fixture fixture;
    fixture_init(&fixture, 16);
    made_begin(fixture.batch, &(struct made_span){.id = 1, .start_ns = 5000, .duration_ns = 700});
    for (size_t i = 0; i < TK_COUNTOF(times); i++) {
        const struct tk_span_event event = {.time_ns = times[i],
                                            .name = made_text(fixture.batch, "tick")};
        assert_int_equal(tk_span_batch_add_event(fixture.batch, &event), 0);
    }
    assert_int_equal(tk_span_batch_end(fixture.batch), 0);
    fixture_build(&fixture);
    assert_round_trip(&fixture, 16);
    fixture_release(&fixture);
}

static void only_lossless_blocks_have_them(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded coded;
    plant_mix(&fixture, 9, 50);
    coded_make(&coded, &fixture, &(struct tk_codec_options){.mode = TK_CODEC_NEAR});
    assert_int_equal(coded.block.section_count, 0);
    coded_release(&coded);
    coded_make(&coded, &fixture,
               &(struct tk_codec_options){.mode = TK_CODEC_LOSSLESS, .no_ids = true});
    assert_int_equal(coded.set.bytes[TK_SECTION_IDS].n, 0);
    assert_true(coded.set.bytes[TK_SECTION_DETAILS].n > 0);
    coded_release(&coded);
    fixture_release(&fixture);
}

static void sections_that_are_cut_or_changed_are_refused_or_read(void **state)
{
    (void)state;
    struct fixture fixture;
    struct coded coded;
    uint32_t nodes;
    plant_mix(&fixture, 11, 60);
    coded_make(&coded, &fixture, &lossless);
    for (size_t i = 0; i < coded.block.section_count; i++) {
        struct tk_block block = coded.block;
        struct tk_section *section = &block.sections[i];
        size_t n = section->bytes.n;
        block.sections[i == 1 ? 2 : 1].damaged = true; /* what is left is not compared */
        for (section->bytes.n = 0; section->bytes.n < n; section->bytes.n++) {
            int rc = decode_all(&fixture, &block, 64, &nodes);
            assert_true(rc == 0 || rc == -EBADMSG || rc == -ENOMEM);
        }
    }
    coded_release(&coded);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_of_a_span_comes_back),
        cmocka_unit_test(a_full_batch_asks_for_a_span_again),
        cmocka_unit_test(trees_cost_no_ids_of_parents),
        cmocka_unit_test(ids_that_follow_from_others_cost_little),
        cmocka_unit_test(times_that_are_not_of_this_world_come_back),
        cmocka_unit_test(only_lossless_blocks_have_them),
        cmocka_unit_test(sections_that_are_cut_or_changed_are_refused_or_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
