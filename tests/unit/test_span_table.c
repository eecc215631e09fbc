/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/span_table.h"

#include <errno.h>

#include "span_table_fixture.h"

/* "t1: a b(a) c! | t2: ..." of a table: traces and rows in their order, parents in brackets, ! =
 * orphan. */
static void assert_shape(const struct tk_span_table *table, const char *expected)
{
    struct tk_buf out;
    tk_buf_init(&out, 65536);
    for (uint32_t t = 0; t < table->traces; t++) {
        const char *id = (const char *)table->trace_ids[t];
        tk_buf_printf(&out, "%s%.*s:", t > 0 ? " | " : "", (int)strnlen(id, 16), id);
        for (uint32_t row = tk_span_table_begin(table, t); row < table->trace_ends[t]; row++) {
            tk_buf_printf(&out, " %.*s", TK_STR_ARG(table_span(table, row)));
            if (table->parents[row] != TK_ROW_TOP) {
                tk_buf_printf(&out, "(%.*s)", TK_STR_ARG(table_span(table, table->parents[row])));
            }
            if (table->orphans[row])
                tk_buf_putc(&out, '!');
        }
    }
    assert_str_equal(tk_buf_str(&out), expected);
    tk_buf_release(&out);
}

static void rows_are_grouped_and_ordered_wherever_batches_end(void **state)
{
    (void)state;
    static const char lines[] = "t2 x -  front GET  50 10\n"
                                "t1 b a  cart  get  10  5\n"
                                "t2 y x  cart  get  55  2\n"
                                "t1 c a  cart  put   5  5\n"
                                "t1 a -  front GET   0 20\n";
    for (size_t rows = 0; rows < 6; rows++) {
        struct tk_span_table *table = table_with(lines, rows, &(struct tk_span_table_options){0});
        assert_shape(table, "t1: a c(a) b(a) | t2: x y(x)");
        assert_int_equal(table->start_ns[0], 0);
        assert_int_equal(table->duration_ns[2], 5000);
        assert_str_equal(table_text(table, table->services[1]), "cart");
        assert_str_equal(table_text(table, table->operations[1]), "put");
        assert_near(table->weights[1], 1, 0);
        tk_span_table_free(table);
    }
}

static void equal_starts_go_by_id(void **state)
{
    (void)state;
    struct tk_span_table *table = table_of("t2 b - s o 1 1\n"
                                           "t1 d - s o 1 1\n"
                                           "t1 c - s o 1 1\n");
    assert_shape(table, "t1: c d | t2: b");
    tk_span_table_free(table);
}

static void what_is_no_tree_is_mended_and_counted(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *shape;
        uint64_t duplicates, cycles;
    } cases[] = {
        {"t a z s o 1 1\nt b a s o 2 1\n", "t: a! b(a)", 0, 0},
        {"t a a s o 1 1\n", "t: a", 0, 1},
        {"t a b s o 2 1\nt b a s o 1 1\n", "t: b a(b)", 0, 1},
        {"t a c s o 3 1\nt b a s o 2 1\nt c b s o 1 1\nt d a s o 9 1\n", "t: c b(a) a(c) d(a)", 0,
         1},
        {"t a - s o 1 1\nt a - s o 1 1\n", "t: a", 1, 0},
        {"t a - s o 5 1\nt a - s o 1 1\nt b a s o 6 1\n", "t: a b(a)", 1, 0},
        {"t a - s o 1 1\nu a - s o 1 1\n", "t: a | u: a", 0, 0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_span_table *table = table_of(cases[i].lines);
        assert_shape(table, cases[i].shape);
        assert_int_equal(table->duplicates, cases[i].duplicates);
        assert_int_equal(table->cycles, cases[i].cycles);
        tk_span_table_free(table);
    }
}

static void the_first_of_unequal_duplicates_stays(void **state)
{
    (void)state;
    struct tk_span_table *table = table_of("t a - s first 5 1\nt a - s second 1 1\n");
    assert_int_equal(table->rows, 1);
    assert_str_equal(table_text(table, table->operations[0]), "first");
    tk_span_table_free(table);
}

static void halves_of_a_call_that_share_an_id_are_parent_and_child(void **state)
{
    (void)state;
    static const char *const orders[] = {
        "t r - front GET 0 9\nt a r front call 1 5 client\nt a r cart get 2 3 server\n"
        "t b a db q 3 1\n",
        "t b a db q 3 1\nt a r cart get 2 3 server\nt a r front call 1 5 client\n"
        "t r - front GET 0 9\n",
    };
    for (size_t i = 0; i < TK_COUNTOF(orders); i++) {
        struct tk_span_table *table = table_of(orders[i]);
        assert_int_equal(table->rows, 4);
        assert_int_equal(table->duplicates, 0);
        assert_str_equal(table_text(table, table->operations[1]), "call");
        assert_str_equal(table_text(table, table->operations[2]), "get");
        assert_int_equal(table->parents[1], 0);
        assert_int_equal(table->parents[2], 1);
        assert_int_equal(table->parents[3], 2);
        assert_true(table->span_ids[1] != table->span_ids[2]);
        tk_span_table_free(table);
    }
}

static void a_third_copy_of_a_half_is_a_duplicate(void **state)
{
    (void)state;
    struct tk_span_table *table = table_of("t a - s o 1 5 client\nt a - s o 2 3 server\n"
                                           "t a - s o 1 5 client\nt a - s o 2 3 server\n");
    assert_int_equal(table->rows, 2);
    assert_int_equal(table->duplicates, 2);
    tk_span_table_free(table);
}

static void traces_without_an_edge_are_left_out_where_that_is_asked_for(void **state)
{
    (void)state;
    const struct tk_span_table_options options = {.drop_edgeless = true};
    struct tk_span_table *table = table_with("t a - s o 1 1\nu b - s o 2 1\nu c b s o 3 1\n"
                                             "v d z s o 4 1\nv e - s o 5 1\n",
                                             0, &options);
    assert_shape(table, "u: b c(b)");
    assert_int_equal(table->edgeless, 2);
    tk_span_table_free(table);
}

static void no_spans_are_an_empty_table(void **state)
{
    (void)state;
    struct tk_span_table *table = table_of("");
    assert_int_equal(table->rows, 0);
    assert_int_equal(table->traces, 0);
    assert_int_equal(table->unit_ns, 1000);
    tk_span_table_free(table);
}

/* Projection ----------------------------------------------------------------------------------- */

static void attributes_are_kept_as_gen_t_projects_them(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        const char *strings[2];
        int64_t integers[3];
        const char *method;
        int code, has_issues;
    } cases[] = {
        {"", {"Unknown", "Unknown"}, {0, 0, 0}, "", 0, 0},
        {"error", {"Unknown", "Unknown"}, {0, 0, 0}, "", 0, 1},
        {"error?=true", {"Unknown", "Unknown"}, {0, 0, 0}, "", 0, 1},
        {"error=true", {"Unknown", "Unknown"}, {0, 0, 0}, "", 0, 0},
        {"http.method=GET", {"Unknown", "GET"}, {0, 0, 0}, "GET", 0, 0},
        {"component=net http.method=GET http.status_code:=302 http.url=/?a=1&b=2&c=3",
         {"net", "GET"},
         {302, 2, 0},
         "GET",
         302,
         1},
        {"http.method=PUT http.status_code=300", {"Unknown", "PUT"}, {300, 0, 0}, "PUT", 300, 0},
        {"http.method=GET http.method=PUT", {"Unknown", "PUT"}, {0, 0, 0}, "PUT", 0, 0},
        {"http.request.method=GET http.response.status_code:=500",
         {"Unknown", "Unknown"},
         {0, 0, 0},
         "GET",
         500,
         0},
        {"a=x b:=1 c?=true d=y e:=7", {"x", "y"}, {1, 1, 7}, "", 0, 0},
        {"a=x b=y c=z d=u http.method=GET", {"x", "y"}, {0, 0, 0}, "GET", 0, 0},
        {"a=x b:=1 c:=2 d:=3 e:=4", {"x", ""}, {1, 2, 3}, "", 0, 0},
        {"a=x b=y a=z c=u d=v e=w", {"z", "y"}, {0, 0, 0}, "", 0, 0},
        {"gent.service_type=http http.status_code:=404",
         {"Unknown", "Unknown"},
         {0, 0, 0},
         "",
         404,
         0},
    };
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        char line[256];
        (void)snprintf(line, sizeof(line), "t a - s o 1 1 %s\n", cases[i].words);
        struct tk_span_table *table = table_of(line);
        for (size_t k = 0; k < 2; k++)
            assert_str_equal(table_text(table, table->str_features[k][0]), cases[i].strings[k]);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(table->int_features[k][0], cases[i].integers[k]);
        assert_str_equal(table_text(table, table->methods[0]), cases[i].method);
        assert_int_equal(table->http_codes[0], cases[i].code);
        assert_int_equal(table->issues[0], cases[i].has_issues);
        tk_span_table_free(table);
    }
}

/* Picks and order ------------------------------------------------------------------------------ */

static void picked_traces_keep_their_rows_and_get_weights(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_span_table *picked = NULL;
    struct tk_span_table *table = table_of("t a - s o 1 1\nt b a s p 2 1\nu c - s o 3 1\n"
                                           "v d - s o 4 1\nv e d s q 5 1\nv f e s q 6 1\n");
    const struct tk_trace_pick picks[] = {{2, 10}, {0, 2}};
    assert_int_equal(tk_span_table_pick(table, picks, 2, &picked, &err), 0);
    tk_span_table_free(table);
    assert_shape(picked, "t: a b(a) | v: d e(d) f(e)");
    assert_near(picked->weights[0], 2, 0);
    assert_near(picked->weights[1], 10, 0);
    assert_str_equal(table_text(picked, picked->operations[4]), "q");
    assert_int_equal(picked->unit_ns, 1000);
    tk_span_table_free(picked);
}

static void no_picks_are_an_empty_table(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_span_table *picked = NULL;
    struct tk_span_table *table = table_of("t a - s o 1 1\n");
    assert_int_equal(tk_span_table_pick(table, NULL, 0, &picked, &err), 0);
    assert_int_equal(picked->traces, 0);
    tk_span_table_free(table);
    tk_span_table_free(picked);
}

static void changed_starts_are_brought_into_order(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_span_table *table = table_of("t a - s o 1 1\nt b a s o 2 1\nt c b s o 3 1\n"
                                           "u d - s o 4 1\n");
    table->weights[0] = 7;
    table->start_ns[table_row(table, "a")] = 9000;
    table->start_ns[table_row(table, "b")] = 8000;
    table->start_ns[table_row(table, "c")] = 7000;
    assert_int_equal(tk_span_table_sort(table, &err), 0);
    assert_shape(table, "u: d | t: c(b) b(a) a");
    assert_near(table->weights[1], 7, 0);
    tk_span_table_free(table);
}

/* Much ----------------------------------------------------------------------------------------- */

struct many {
    uint64_t next, traces, rows; /* rows of a trace */
};

/* Spans of all traces in turn: neighbours are of other traces. */
static int read_many(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    (void)err;
    struct many *many = context;
    for (; many->next < many->traces * many->rows && batch->rows < batch->max_rows; many->next++) {
        uint64_t trace = many->next % many->traces;
        uint64_t span = many->next / many->traces;
        const struct made_span made = {.trace = trace + 1,
                                       .id = span + 1,
                                       .parent = (span + 1) / 2,
                                       .service = span % 2 ? "a" : "b",
                                       .start_ns = (int64_t)(trace * 1000000 + span)};
        made_add(batch, &made, 1);
    }
    return many->next < many->traces * many->rows ? 0 : 1;
}

static struct tk_span_table *table_of_many(uint64_t traces, uint64_t rows)
{
    struct many many = {0, traces, rows};
    struct tk_err err;
    struct tk_span_table *table = NULL;
    const struct tk_span_source source = {read_many, &many};
    assert_int_equal(tk_span_table_new(source, &(struct tk_span_table_options){0}, &table, &err),
                     0);
    return table;
}

static void many_traces_that_come_interleaved_are_all_there(void **state)
{
    (void)state;
    enum { TRACES = 5000, ROWS = 37 };
    struct tk_span_table *table = table_of_many(TRACES, ROWS);
    assert_int_equal(table->traces, TRACES);
    assert_int_equal(table->rows, TRACES * ROWS);
    for (uint32_t t = 0; t < TRACES; t++) {
        uint32_t begin = tk_span_table_begin(table, t);
        assert_int_equal(table->trace_ends[t] - begin, ROWS);
        for (uint32_t i = 0; i < ROWS; i++) {
            uint32_t parent = i == 0 ? TK_ROW_TOP : begin + (i + 1) / 2 - 1;
            assert_int_equal(table->parents[begin + i], parent);
            assert_int_equal(table->start_ns[begin + i], (int64_t)t * 1000000 + i);
        }
    }
    tk_span_table_free(table);
}

static void a_trace_of_very_many_spans_is_one(void **state)
{
    (void)state;
    enum { ROWS = 200000 };
    struct tk_span_table *table = table_of_many(1, ROWS);
    assert_int_equal(table->traces, 1);
    assert_int_equal(table->rows, ROWS);
    assert_int_equal(table->parents[ROWS - 1], ROWS / 2 - 1);
    tk_span_table_free(table);
}

struct failing {
    int calls;
};

static int read_failing(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct failing *failing = context;
    const struct made_span made = {.id = 1};
    made_add(batch, &made, 1);
    return failing->calls++ < 2 ? 0 : tk_fail(err, -EBADMSG, "line 3: no span");
}

static void a_source_that_fails_gives_no_table(void **state)
{
    (void)state;
    struct failing failing = {0};
    struct tk_err err;
    struct tk_span_table *table = NULL;
    const struct tk_span_source source = {read_failing, &failing};
    assert_int_equal(tk_span_table_new(source, &(struct tk_span_table_options){0}, &table, &err),
                     -EBADMSG);
    assert_string_equal(err.msg, "line 3: no span");
    assert_null(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_grouped_and_ordered_wherever_batches_end),
        cmocka_unit_test(equal_starts_go_by_id),
        cmocka_unit_test(what_is_no_tree_is_mended_and_counted),
        cmocka_unit_test(the_first_of_unequal_duplicates_stays),
        cmocka_unit_test(halves_of_a_call_that_share_an_id_are_parent_and_child),
        cmocka_unit_test(a_third_copy_of_a_half_is_a_duplicate),
        cmocka_unit_test(traces_without_an_edge_are_left_out_where_that_is_asked_for),
        cmocka_unit_test(no_spans_are_an_empty_table),
        cmocka_unit_test(attributes_are_kept_as_gen_t_projects_them),
        cmocka_unit_test(picked_traces_keep_their_rows_and_get_weights),
        cmocka_unit_test(no_picks_are_an_empty_table),
        cmocka_unit_test(changed_starts_are_brought_into_order),
        cmocka_unit_test(many_traces_that_come_interleaved_are_all_there),
        cmocka_unit_test(a_trace_of_very_many_spans_is_one),
        cmocka_unit_test(a_source_that_fails_gives_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
