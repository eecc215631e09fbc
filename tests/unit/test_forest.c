/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of spans become forests of numbered symbols. */
#include "codec/forest.h"

#include <errno.h>

#include "forest_fixture.h"

#define TEXT_MAX 65536

/* The forest of some rows as text. */
static void assert_rows(const struct made_span *spans, size_t n, const char *expected)
{
    static char text[TEXT_MAX];
    struct fixture fixture;
    fixture_init(&fixture, n + 1);
    made_add(fixture.batch, spans, n);
    fixture_build(&fixture);
    fixture_format(&fixture.forest, text, sizeof(text));
    assert_string_equal(text, expected);
    fixture_release(&fixture);
}

static void reads_back_what_was_written(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0 web/get@0+90",
        "0 web/get@0+90(cart/add@5+41!(db/put@6+20) db/put@50+10)",
        "0 web/get@0+90 late/job@95+5?\n17 web/get@0+3(a/b@1+1(a/b@1+1(a/b@1+1)) c/d@2+1)",
    };
    for (size_t i = 0; i < TK_COUNTOF(texts); i++) {
        char text[512];
        struct fixture fixture;
        fixture_plant(&fixture, texts[i]);
        fixture_format(&fixture.forest, text, sizeof(text));
        assert_string_equal(text, texts[i]);
        fixture_release(&fixture);
    }
}

static void puts_traces_together_by_start_and_id(void **state)
{
    (void)state;
    static const struct made_span spans[] = {
        {"s", "late", 1, 0, 9000, 1000, .trace = 3},  {"s", "b", 2, 0, 5000, 1000, .trace = 2},
        {"s", "child", 3, 1, 9000, 500, .trace = 3},  {"s", "a", 4, 0, 5000, 1000, .trace = 1},
        {"s", "child", 5, 2, 6000, 1000, .trace = 2},
    };
    assert_rows(spans, TK_COUNTOF(spans),
                "0 s/a@0+1000\n"
                "0 s/b@0+1000(s/child@1000+1000)\n"
                "4000 s/late@0+1000(s/child@0+500)");
}

static void sorts_siblings_by_start_symbol_duration_and_id(void **state)
{
    (void)state;
    static const struct made_span spans[] = {
        {"s", "root", 1, 0, 0, 99}, {"s", "z", 2, 1, 5, 1}, {"s", "b", 3, 1, 5, 2},
        {"s", "b", 4, 1, 5, 1},     {"a", "z", 5, 1, 5, 9}, {"s", "z", 6, 1, 1, 1},
    };
    assert_rows(spans, TK_COUNTOF(spans), "0 s/root@0+99(s/z@1+1 a/z@5+9 s/b@5+1 s/b@5+2 s/z@5+1)");
}

static void orphans_and_several_roots_hang_below_the_virtual_root(void **state)
{
    (void)state;
    struct tk_err err;
    static const struct made_span spans[] = {
        {"s", "root", 1, 0, 0, 9},
        {"s", "lost", 2, 77, 2, 1},
        {"s", "root", 3, 0, 1, 1},
        {"s", "child", 4, 2, 3, 1},
    };
    struct fixture fixture;
    uint32_t parents[4];
    static const uint32_t expected[] = {TK_FOREST_TOP, TK_FOREST_TOP, TK_FOREST_TOP, 2};
    assert_rows(spans, TK_COUNTOF(spans), "0 s/root@0+9 s/root@1+1 s/lost@2+1?(s/child@3+1)");
    fixture_init(&fixture, 4);
    made_add(fixture.batch, spans, 4);
    const struct tk_span_rows rows = {fixture.batch, NULL, 4};
    assert_int_equal(tk_forest_build(&fixture.forest, &rows, &err), 0);
    assert_int_equal(fixture.forest.orphans, 1);
    tk_forest_parents(&fixture.forest, parents);
    assert_memory_equal(parents, expected, sizeof(expected));
    fixture_release(&fixture);
}

static void cuts_cycles_at_the_span_that_starts_first(void **state)
{
    (void)state;
    static const struct made_span spans[] = {
        {"s", "a", 1, 3, 7, 1},    {"s", "b", 2, 1, 5, 1},     {"s", "c", 3, 2, 6, 1},
        {"s", "self", 4, 4, 8, 1}, {"s", "below", 5, 3, 9, 1},
    };
    struct fixture fixture;
    assert_rows(spans, TK_COUNTOF(spans), "0 s/b@0+1?(s/c@1+1(s/a@2+1 s/below@4+1)) s/self@3+1?");
    fixture_init(&fixture, 8);
    made_add(fixture.batch, spans, TK_COUNTOF(spans));
    fixture_build(&fixture);
    assert_int_equal(fixture.forest.cycles, 2);
    assert_int_equal(fixture.forest.orphans, 0);
    fixture_release(&fixture);
}

static void spans_that_came_twice_are_counted_and_left_out(void **state)
{
    (void)state;
    static const struct made_span spans[] = {
        {"s", "root", 1, 0, 0, 9},
        {"s", "child", 2, 1, 3, 2},
        {"s", "child", 2, 1, 3, 2},
        {"s", "child", 2, 1, 2, 2},
        {"s", "other", 3, 0, 0, 9, .trace = 2},
        {"s", "other", 2, 3, 3, 2, .trace = 2}, /* ids are of a trace */
    };
    struct fixture fixture;
    assert_rows(spans, TK_COUNTOF(spans), "0 s/root@0+9(s/child@2+2)\n0 s/other@0+9(s/other@3+2)");
    fixture_init(&fixture, 8);
    made_add(fixture.batch, spans, TK_COUNTOF(spans));
    fixture_build(&fixture);
    assert_int_equal(fixture.forest.duplicates, 2);
    assert_int_equal(fixture.forest.unequal_duplicates, 2);
    fixture_release(&fixture);
}

static void spans_without_an_id_are_all_kept(void **state)
{
    (void)state;
    static const struct made_span spans[] = {
        {"s", "a", 0, 0, 0, 9}, {"s", "a", 0, 0, 0, 9}, {"s", "b", 1, 0, 0, 9}};
    assert_rows(spans, TK_COUNTOF(spans), "0 s/a@0+9 s/a@0+9 s/b@0+9");
}

static void the_server_half_of_a_shared_id_is_the_child(void **state)
{
    (void)state;
    static const struct made_span spans[] = {
        {"back", "get", 2, 1, 4, 2, TK_SPAN_SERVER},
        {"front", "call", 2, 1, 3, 4, TK_SPAN_CLIENT},
        {"front", "root", 1, 0, 0, 9, TK_SPAN_SERVER},
        {"back", "query", 3, 2, 5, 1, TK_SPAN_CLIENT},
    };
    assert_rows(spans, TK_COUNTOF(spans),
                "0 front/root@0+9(front/call@3+4(back/get@4+2(back/query@5+1)))");
    /* Skew: the server seems to start first, and still is the child. */
    static const struct made_span skewed[] = {
        {"back", "get", 2, 1, 2, 2, TK_SPAN_SERVER},
        {"front", "call", 2, 1, 3, 4, TK_SPAN_CLIENT},
        {"front", "root", 1, 0, 0, 9, TK_SPAN_SERVER},
    };
    assert_rows(skewed, TK_COUNTOF(skewed), "0 front/root@0+9(front/call@3+4(back/get@2+2))");
}

static void a_trace_starts_with_its_earliest_span(void **state)
{
    (void)state;
    static const struct made_span spans[] = {{"s", "root", 1, 0, 1000, 9},
                                             {"s", "early", 2, 1, 400, 2}};
    assert_rows(spans, TK_COUNTOF(spans), "0 s/root@600+9(s/early@0+2)");
}

static void the_clock_is_the_coarsest_that_holds_all_times(void **state)
{
    (void)state;
    static const struct {
        int64_t start_ns, duration_ns, tick_ns;
    } cases[] = {
        {5000000, 3000000, 1000000}, {5000000, 3000, 1000}, {5001000, 3000000, 1000},
        {5000001, 3000000, 1},       {5000000, 1, 1},       {-7000000, 0, 1000000},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        const struct made_span spans[] = {
            {"s", "a", 1, 0, 1000000, 0},
            {"s", "b", 2, 1, cases[i].start_ns, cases[i].duration_ns}};
        struct fixture fixture;
        fixture_init(&fixture, 2);
        made_add(fixture.batch, spans, 2);
        fixture_build(&fixture);
        const struct tk_forest *forest = &fixture.forest;
        assert_int_equal(forest->tick_ns, cases[i].tick_ns);
        for (uint32_t node = 0; node < 2; node++) {
            int64_t start = forest->trace_starts[0] + forest->starts[node];
            uint32_t row = forest->rows[node];
            assert_int_equal(forest->origin_ns + start * forest->tick_ns,
                             fixture.batch->start_ns[row]);
            assert_int_equal(forest->durations[node] * forest->tick_ns,
                             fixture.batch->duration_ns[row]);
        }
        fixture_release(&fixture);
    }
}

static void codes_of_answers_are_part_of_the_symbol(void **state)
{
    (void)state;
    static const struct {
        const char *key, *text;
        int64_t number;
        uint8_t code_class;
    } cases[] = {
        {"http.status_code", NULL, 200, 2},
        {"http.status_code", "404", 0, 4},
        {"http.response.status_code", NULL, 503, 5},
        {"http.status_code", NULL, 77, 0},
        {"http.status_code", "2x0", 0, 0},
        {"rpc.grpc.status_code", NULL, 0, 8},
        {"rpc.grpc.status_code", NULL, 14, 9},
        {"rpc.grpc.status_code", "0", 0, 8},
        {"code", NULL, 200, 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct fixture fixture;
        fixture_init(&fixture, 1);
        made_begin(fixture.batch, &(struct made_span){"s", "a", 1, 0, 0, 0});
        if (cases[i].text)
            made_attr(fixture.batch, cases[i].key, cases[i].text);
        else
            made_attr_i64(fixture.batch, cases[i].key, cases[i].number);
        assert_int_equal(tk_span_batch_end(fixture.batch), 0);
        fixture_build(&fixture);
        assert_int_equal(fixture.forest.symbols[0].code_class, cases[i].code_class);
        fixture_release(&fixture);
    }
}

static void symbols_are_numbered_by_their_texts(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_plant(&fixture, "0 web/get@0+9(db/put@1+1! cart/add@2+1 db/put@3+1 db/put@4+1?)");
    const struct tk_forest *forest = &fixture.forest;
    static const char *const services[] = {"cart", "db", "db", "db", "web"};
    assert_int_equal(forest->symbol_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_str_equal(tk_texts_get(&forest->dictionary, forest->symbols[i].service),
                         services[i]);
    assert_int_equal(forest->symbols[1].orphan, 0);
    assert_int_equal(forest->symbols[2].orphan, 1);
    assert_int_equal(forest->symbols[3].status, TK_SPAN_ERROR);
    fixture_release(&fixture);
}

/* All arrays of two forests are the same. */
static void assert_same(const struct tk_forest *a, const struct tk_forest *b)
{
    assert_int_equal(a->node_count, b->node_count);
    assert_int_equal(a->trace_count, b->trace_count);
    assert_int_equal(a->symbol_count, b->symbol_count);
    assert_memory_equal(a->symbols, b->symbols, a->symbol_count * sizeof(*a->symbols));
    assert_memory_equal(a->trace_ends, b->trace_ends, a->trace_count * sizeof(*a->trace_ends));
    assert_memory_equal(a->trace_starts, b->trace_starts,
                        a->trace_count * sizeof(*a->trace_starts));
    assert_memory_equal(a->node_symbols, b->node_symbols, a->node_count * sizeof(uint32_t));
    assert_memory_equal(a->sizes, b->sizes, a->node_count * sizeof(uint32_t));
    assert_memory_equal(a->starts, b->starts, a->node_count * sizeof(int64_t));
    assert_memory_equal(a->durations, b->durations, a->node_count * sizeof(int64_t));
    assert_memory_equal(a->rows, b->rows, a->node_count * sizeof(uint32_t));
    assert_int_equal(a->dictionary.count, b->dictionary.count);
    for (uint32_t i = 0; i < a->dictionary.count; i++) {
        assert_true(tk_str_eq(tk_texts_get(&a->dictionary, i), tk_texts_get(&b->dictionary, i)));
    }
}

static void rows_in_another_order_give_the_same_forest(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct tk_err err;
        struct fixture fixture;
        struct tk_forest other = {0};
        fixture_grow(&fixture,
                     &(struct fixture_random){.seed = seed, .traces = 50, .is_skewed = seed % 2});
        size_t n = fixture.batch->rows;
        uint32_t *rows = calloc(n, sizeof(*rows));
        for (size_t i = 0; i < n; i++) {
            size_t k = tk_draw_below(tk_draw_round(seed * 1000 + i), i + 1);
            rows[i] = rows[k];
            rows[k] = (uint32_t)i;
        }
        const struct tk_span_rows mixed = {fixture.batch, rows, n};
        assert_int_equal(tk_forest_build(&other, &mixed, &err), 0);
        assert_same(&fixture.forest, &other);
        tk_forest_release(&other);
        free(rows);
        fixture_release(&fixture);
    }
}

static void every_span_is_below_the_one_that_it_names(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_grow(&fixture, &(struct fixture_random){.seed = 7, .traces = 300, .is_skewed = true});
    const struct tk_forest *forest = &fixture.forest;
    const struct tk_span_batch *batch = fixture.batch;
    uint32_t *parents = calloc(forest->node_count, sizeof(*parents));
    assert_int_equal(forest->node_count, batch->rows);
    tk_forest_parents(forest, parents);
    for (uint32_t i = 0; i < forest->node_count; i++) {
        uint64_t named = batch->parent_ids[forest->rows[i]];
        bool is_top = parents[i] == TK_FOREST_TOP;
        bool is_orphan = forest->symbols[forest->node_symbols[i]].orphan;
        assert_int_equal(is_top, named == 0 || is_orphan);
        if (!is_top)
            assert_true(batch->span_ids[forest->rows[parents[i]]] == named);
    }
    free(parents);
    fixture_release(&fixture);
}

/* A chain, or as many children of one. */
static void deep_and_wide_traces_are_walked_without_recursion(void **state)
{
    (void)state;
    const uint32_t n = 100000;
    for (int is_wide = 0; is_wide < 2; is_wide++) {
        struct fixture fixture;
        fixture_init(&fixture, n);
        for (uint32_t i = 0; i < n; i++) {
            uint64_t parent = i == 0 ? 0 : is_wide ? 1 : i;
            made_add(fixture.batch,
                     &(struct made_span){"s", "op", i + 1, parent, (int64_t)i * 1000, 1000}, 1);
        }
        fixture_build(&fixture);
        assert_int_equal(fixture.forest.node_count, n);
        assert_int_equal(fixture.forest.sizes[0], n);
        assert_int_equal(fixture.forest.sizes[1], is_wide ? 1 : n - 1);
        assert_int_equal(fixture.forest.sizes[n - 1], 1);
        fixture_release(&fixture);
    }
}

static void no_rows_are_an_empty_forest(void **state)
{
    (void)state;
    assert_rows(NULL, 0, "");
}

static void times_that_do_not_fit_are_refused_with_the_span(void **state)
{
    (void)state;
    static const struct {
        struct made_span span;
        const char *message;
    } cases[] = {
        {{"s", "a", 0xAB, 0, INT64_MAX - 1, 5},
         "trace 00000000000000000000000000000001: span 00000000000000ab: ends before it starts or "
         "after all time"},
        {{"s", "a", 0xAB, 0, INT64_MAX - 100, 5},
         "trace 00000000000000000000000000000001: span 00000000000000ab: starts more than 292 "
         "years after the first"},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_err err;
        struct fixture fixture;
        fixture_init(&fixture, 2);
        made_add(fixture.batch, &(struct made_span){"s", "a", 1, 0, -1000, 5}, 1);
        made_add(fixture.batch, &cases[i].span, 1);
        const struct tk_span_rows rows = {fixture.batch, NULL, 2};
        assert_int_equal(tk_forest_build(&fixture.forest, &rows, &err), -EBADMSG);
        assert_string_equal(err.msg, cases[i].message);
        fixture_release(&fixture);
    }
}

static void more_than_a_block_holds_is_refused(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_forest forest = {0};
    assert_int_equal(tk_forest_init(&forest, 1, TK_FOREST_MAX_NODES + 1, &err), -EMSGSIZE);
    assert_string_equal(
        err.msg, "block of 1 traces and 1048577 spans: at most 1048576 and 1048576 are allowed");
    tk_forest_release(&forest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_was_written),
        cmocka_unit_test(puts_traces_together_by_start_and_id),
        cmocka_unit_test(sorts_siblings_by_start_symbol_duration_and_id),
        cmocka_unit_test(orphans_and_several_roots_hang_below_the_virtual_root),
        cmocka_unit_test(cuts_cycles_at_the_span_that_starts_first),
        cmocka_unit_test(spans_that_came_twice_are_counted_and_left_out),
        cmocka_unit_test(spans_without_an_id_are_all_kept),
        cmocka_unit_test(the_server_half_of_a_shared_id_is_the_child),
        cmocka_unit_test(a_trace_starts_with_its_earliest_span),
        cmocka_unit_test(the_clock_is_the_coarsest_that_holds_all_times),
        cmocka_unit_test(codes_of_answers_are_part_of_the_symbol),
        cmocka_unit_test(symbols_are_numbered_by_their_texts),
        cmocka_unit_test(rows_in_another_order_give_the_same_forest),
        cmocka_unit_test(every_span_is_below_the_one_that_it_names),
        cmocka_unit_test(deep_and_wide_traces_are_walked_without_recursion),
        cmocka_unit_test(no_rows_are_an_empty_forest),
        cmocka_unit_test(times_that_do_not_fit_are_refused_with_the_span),
        cmocka_unit_test(more_than_a_block_holds_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
