/* SPDX-License-Identifier: Apache-2.0 */
/* The ten queries as a measure: what must hold whatever the traces. That their rows are those of
 * SQL is tests/e2e/fidelity.bats' to show. */
#include "fidelity/queries.h"

#include <errno.h>
#include <math.h>

#include "base/clock.h"
#include "fidelity/figures.h"
#include "span_table_fixture.h"

static const char real_lines[] =
    "t1 a -  front GET     0s   100ms http.method=GET http.status_code:=200\n"
    "t1 b a  cart  get    10ms   50ms http.method=GET http.status_code:=500 error\n"
    "t1 c b  db    query  12ms    0ms\n"
    "t2 d -  front GET    12s    80ms http.method=GET http.status_code:=200\n"
    "t2 e d  cart  get  12.01s   40ms http.method=GET http.status_code:=200\n"
    "t3 f -  front PUT   301s   200ms http.method=PUT http.status_code:=302\n"
    "t3 g f  db    query 301.1s  20ms\n"
    "t3 h x  cart  late  301.2s   0ms\n";

/* The figures of a against b. */
static void measure(struct tk_figures *figures, struct tk_span_table *a, struct tk_span_table *b,
                    const struct tk_measure_options *options)
{
    struct tk_err err;
    assert_int_equal(tk_figures_init(figures, &err), 0);
    if (tk_measure_queries.measure(a, b, options, figures, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(tk_figures_check(figures, &err), 0);
}

static double value_of(const struct tk_figures *figures, const char *name, enum tk_figure_rule rule)
{
    const struct tk_figure *figure = tk_figures_find(figures, "queries", name, rule);
    assert_non_null(figure);
    return figure->value;
}

static void a_set_is_at_no_distance_from_itself(void **state)
{
    (void)state;
    struct tk_figures figures;
    struct tk_span_table *a = table_of(real_lines);
    struct tk_span_table *b = table_of(real_lines);
    measure(&figures, a, b, &(struct tk_measure_options){0});
    assert_true(figures.count > 30);
    for (size_t i = 0; i < figures.count; i++) {
        assert_null(figures.items[i].reason);
        assert_near(figures.items[i].value, 0, 0);
        assert_true(figures.items[i].samples > 0);
    }
    tk_figures_release(&figures);
    tk_span_table_free(a);
    tk_span_table_free(b);
}

static void the_order_in_which_rows_come_does_not_matter(void **state)
{
    (void)state;
    struct tk_figures figures;
    char lines[sizeof(real_lines)];
    size_t n = 0;
    /* The lines from the last to the first. */
    for (tk_str rest = tk_str_from(real_lines); rest.n > 0;) {
        size_t start = tk_str_find_last((tk_str){rest.p, rest.n - 1}, '\n');
        start = start == rest.n - 1 ? 0 : start + 1;
        memcpy(lines + n, rest.p + start, rest.n - start);
        n += rest.n - start;
        rest.n = start;
    }
    lines[n] = '\0';
    struct tk_span_table *a = table_of(lines);
    struct tk_span_table *b = table_of(real_lines);
    assert_int_equal(a->rows, b->rows);
    measure(&figures, a, b, &(struct tk_measure_options){0});
    assert_near(value_of(&figures, "mean", TK_FIGURE_COMPAT), 0, 0);
    assert_near(value_of(&figures, "mean", TK_FIGURE_STRICT), 0, 0);
    tk_figures_release(&figures);
    tk_span_table_free(a);
    tk_span_table_free(b);
}

static void no_traces_at_all_are_the_worst_and_nothing_to_compare(void **state)
{
    (void)state;
    struct tk_figures figures;
    struct tk_span_table *a = table_of("");
    struct tk_span_table *b = table_of(real_lines);
    measure(&figures, a, b, &(struct tk_measure_options){0});
    assert_near(value_of(&figures, "mean", TK_FIGURE_STRICT), 1, 0);
    assert_true(isnan(value_of(&figures, "mean", TK_FIGURE_COMPAT)));
    tk_figures_release(&figures);
    tk_span_table_free(a);
    tk_span_table_free(b);
}

static void figures_that_are_none_have_a_reason(void **state)
{
    (void)state;
    static const char *const sets[][2] = {{"", ""}, {"", real_lines}, {real_lines, ""}};
    for (size_t i = 0; i < TK_COUNTOF(sets); i++) {
        struct tk_figures figures;
        struct tk_span_table *a = table_of(sets[i][0]);
        struct tk_span_table *b = table_of(sets[i][1]);
        measure(&figures, a, b, &(struct tk_measure_options){0});
        for (size_t k = 0; k < figures.count; k++)
            assert_int_equal(isnan(figures.items[k].value), figures.items[k].reason != NULL);
        tk_figures_release(&figures);
        tk_span_table_free(a);
        tk_span_table_free(b);
    }
}

/* db is gone: PandoraTrace does not see it, strictly its combinations are the worst. */
static void a_service_that_is_missing_is_seen_strictly_only(void **state)
{
    (void)state;
    struct tk_figures figures;
    struct tk_span_table *b = table_of(real_lines);
    struct tk_span_table *a = table_of("t1 a - front GET 0s 100ms\nt1 b a cart get 10ms 50ms\n"
                                       "t2 d - front GET 12s 80ms\nt2 e d cart get 12.01s 40ms\n"
                                       "t3 f - front PUT 301s 200ms\n"
                                       "t3 h x cart late 301.2s 0ms\n");
    measure(&figures, a, b, &(struct tk_measure_options){0});
    assert_near(value_of(&figures, "red_rate", TK_FIGURE_COMPAT), 0, 0);
    assert_near(value_of(&figures, "red_rate", TK_FIGURE_STRICT), 1.0 / 3, 1e-12);
    const struct tk_figure *strict =
        tk_figures_find(&figures, "queries", "red_rate", TK_FIGURE_STRICT);
    const struct tk_figure *compat =
        tk_figures_find(&figures, "queries", "red_rate", TK_FIGURE_COMPAT);
    assert_int_equal(strict->samples, 3);
    assert_int_equal(compat->samples, 2);
    tk_figures_release(&figures);
    tk_span_table_free(a);
    tk_span_table_free(b);
}

static void weights_and_samples_scale_counts(void **state)
{
    (void)state;
    struct tk_figures figures;
    struct tk_span_table *a = table_of("t1 a - front GET 0s 9ms\n");
    struct tk_span_table *b = table_of("t1 a - front GET 0s 9ms\nt2 b - front GET 1s 9ms\n"
                                       "t3 c - front GET 2s 9ms\nt4 d - front GET 3s 9ms\n");
    measure(&figures, a, b, &(struct tk_measure_options){0});
    assert_near(value_of(&figures, "red_rate", TK_FIGURE_STRICT), 3.0 / 5, 1e-12);
    tk_figures_release(&figures);
    measure(&figures, a, b, &(struct tk_measure_options){.sample_of = 4});
    assert_near(value_of(&figures, "red_rate", TK_FIGURE_STRICT), 0, 0);
    tk_figures_release(&figures);
    a->weights[0] = 2;
    measure(&figures, a, b, &(struct tk_measure_options){0});
    assert_near(value_of(&figures, "red_rate", TK_FIGURE_STRICT), 2.0 / 6, 1e-12);
    tk_figures_release(&figures);
    tk_span_table_free(a);
    tk_span_table_free(b);
}

static void combinations_of_distance_zero_are_passed_over_where_that_is_asked_for(void **state)
{
    (void)state;
    struct tk_figures figures;
    struct tk_span_table *b =
        table_of("t1 a - s o 0 5\nt2 b - s o 0 5\nt3 c - s o 0 9\nt4 d - r o 0 1\n");
    struct tk_span_table *a =
        table_of("t1 a - s o 0 5\nt2 b - s o 0 5\nt3 c - s o 0 5\nt4 d - r o 0 1\n");
    measure(&figures, a, b, &(struct tk_measure_options){0});
    double all = value_of(&figures, "red_duration", TK_FIGURE_COMPAT);
    tk_figures_release(&figures);
    measure(&figures, a, b, &(struct tk_measure_options){.skip_zero = true});
    assert_true(all > 0);
    assert_near(value_of(&figures, "red_duration", TK_FIGURE_COMPAT), 2 * all, 1e-15);
    tk_figures_release(&figures);
    tk_span_table_free(a);
    tk_span_table_free(b);
}

static void windows_are_those_that_are_asked_for(void **state)
{
    (void)state;
    static const int64_t windows[] = {3600 * TK_NS_PER_S, TK_NS_PER_S};
    const struct tk_measure_options options = {.windows_ns = windows, .window_count = 2};
    struct tk_figures figures;
    struct tk_span_table *a = table_of("t a - s o 5s 1\n");
    struct tk_span_table *b = table_of("t a - s o 9s 1\n");
    measure(&figures, a, b, &options);
    assert_near(value_of(&figures, "red_rate", TK_FIGURE_STRICT), 0, 0);
    for (size_t i = 0; i < figures.count; i++) {
        const struct tk_figure *figure = &figures.items[i];
        if (figure->detail.n > 0 && strcmp(figure->name, "red_rate") == 0) {
            assert_str_equal(figure->detail, "window 1s");
            assert_near(figure->value, 1, 0);
        }
    }
    tk_figures_release(&figures);
    tk_span_table_free(a);
    tk_span_table_free(b);
}

/* One trace of very many spans: pairs are never walked one by one. */
static void a_trace_of_very_many_spans_is_no_product(void **state)
{
    (void)state;
    enum { ROWS = 60000 };
    struct tk_figures figures;
    struct tk_buf lines;
    tk_buf_init(&lines, (size_t)64 << 20);
    for (int i = 0; i < ROWS; i++)
        tk_buf_printf(&lines, "t s%d - %s o %d %dns\n", i, i % 2 ? "a" : "b", i, 1000 + 977 * i);
    tk_buf_putc(&lines, '\0');
    struct tk_span_table *a = table_of(lines.p);
    struct tk_span_table *b = table_of(lines.p);
    tk_buf_release(&lines);
    measure(&figures, a, b, &(struct tk_measure_options){0});
    assert_near(value_of(&figures, "mean", TK_FIGURE_STRICT), 0, 0);
    assert_near(value_of(&figures, "mean", TK_FIGURE_COMPAT), 0, 0);
    tk_figures_release(&figures);
    tk_span_table_free(a);
    tk_span_table_free(b);
}

static void a_query_or_a_column_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"nonsense"};
    static const tk_str values[] = {{"spanId", 6}, {"str_feature_1", 13}};
    static const struct tk_param_values params[] = {{TK_PARAM_ATTR, values, 1},
                                                    {TK_PARAM_INT_ATTR, values + 1, 1}};
    static const struct {
        struct tk_measure_options options;
        const char *message;
    } cases[] = {
        {{.queries = names, .query_count = 1}, "'nonsense' is none of the queries"},
        {{.params = params, .param_count = 1}, "attr_name: 'spanId' is no column"},
        {{.params = params + 1, .param_count = 1},
         "int_attr_name: 'str_feature_1' is no column of integers"},
    };
    struct tk_span_table *table = table_of(real_lines);
    for (size_t i = 0; i < TK_COUNTOF(cases); i++) {
        struct tk_figures figures;
        struct tk_err err;
        assert_int_equal(tk_figures_init(&figures, &err), 0);
        assert_int_equal(
            tk_measure_queries.measure(table, table, &cases[i].options, &figures, &err), -EINVAL);
        assert_string_equal(err.msg, cases[i].message);
        tk_figures_release(&figures);
    }
    tk_span_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_at_no_distance_from_itself),
        cmocka_unit_test(the_order_in_which_rows_come_does_not_matter),
        cmocka_unit_test(no_traces_at_all_are_the_worst_and_nothing_to_compare),
        cmocka_unit_test(figures_that_are_none_have_a_reason),
        cmocka_unit_test(a_service_that_is_missing_is_seen_strictly_only),
        cmocka_unit_test(weights_and_samples_scale_counts),
        cmocka_unit_test(combinations_of_distance_zero_are_passed_over_where_that_is_asked_for),
        cmocka_unit_test(windows_are_those_that_are_asked_for),
        cmocka_unit_test(a_trace_of_very_many_spans_is_no_product),
        cmocka_unit_test(a_query_or_a_column_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
