/* SPDX-License-Identifier: Apache-2.0 */
/* What holds of every measure, whatever it measures. */
#include <stdlib.h>

#include "measure_fixture.h"

/* Three traces with an error that is alerted, and attributes. */
static const char real[] =
    "t1 a -  front GET/   1s    100ms http.method=GET component=web http.status_code:=200\n"
    "t1 b a  cart  get    1010ms 50ms server\n"
    "t1 c b  redis HGET   1020ms 10ms client error\n"
    "t1 d a  ads   list   1070ms 20ms\n"
    "t2 a -  front GET/   14s   200ms http.method=GET component=web http.status_code:=500 error\n"
    "t2 b a  cart  get    14010ms 150ms error\n"
    "t2 c b  redis HGET   14020ms 40ms error\n"
    "t2 d b  redis HGET   14060ms 40ms error\n"
    "t3 a -  front POST/  75s    30ms http.method=POST component=web http.status_code:=200\n"
    "t3 b a  cart  put    75001ms 25ms\n"
    "t3 c z  ads   list   75002ms  5ms\n";

/* The same spans in another order. */
static const char permuted[] =
    "t3 c z  ads   list   75002ms  5ms\n"
    "t2 d b  redis HGET   14060ms 40ms error\n"
    "t1 d a  ads   list   1070ms 20ms\n"
    "t1 c b  redis HGET   1020ms 10ms client error\n"
    "t2 a -  front GET/   14s   200ms http.method=GET component=web http.status_code:=500 error\n"
    "t3 b a  cart  put    75001ms 25ms\n"
    "t1 a -  front GET/   1s    100ms http.method=GET component=web http.status_code:=200\n"
    "t2 c b  redis HGET   14020ms 40ms error\n"
    "t1 b a  cart  get    1010ms 50ms server\n"
    "t3 a -  front POST/  75s    30ms http.method=POST component=web http.status_code:=200\n"
    "t2 b a  cart  get    14010ms 150ms error\n";

/* Without the service redis. */
static const char one_missing[] =
    "t1 a -  front GET/   1s    100ms http.method=GET component=web http.status_code:=200\n"
    "t1 b a  cart  get    1010ms 50ms server\n"
    "t1 d a  ads   list   1070ms 20ms\n"
    "t2 a -  front GET/   14s   200ms http.method=GET component=web http.status_code:=500 error\n"
    "t2 b a  cart  get    14010ms 150ms error\n"
    "t3 a -  front POST/  75s    30ms http.method=POST component=web http.status_code:=200\n"
    "t3 b a  cart  put    75001ms 25ms\n"
    "t3 c z  ads   list   75002ms  5ms\n";

/* The value of a sense that is best. */
static double best_of(enum tk_figure_sense sense)
{
    static const double best[] = {
        [TK_FIGURE_DISTANCE] = 0, [TK_FIGURE_SCORE] = 1, [TK_FIGURE_PERCENT] = 100};
    return best[sense];
}

static void fail_at(const struct tk_figure *figure, const char *why)
{
    fail_msg("%s %s %.*s: %.17g, %s", figure->group, figure->name, TK_STR_ARG(figure->detail),
             figure->value, why);
}

static void assert_explained(const struct tk_figures *figures)
{
    assert_true(figures->count > 0);
    for (size_t f = 0; f < figures->count; f++) {
        const struct tk_figure *figure = &figures->items[f];
        bool is_explained = isnan(figure->value) == (figure->reason != NULL);
        if (!is_explained || isinf(figure->value))
            fail_at(figure, figure->reason ? figure->reason : "without a reason");
    }
}

static void every_figure_has_a_value_or_a_reason(void **state)
{
    (void)state;
    static const char *const texts[] = {"", real, one_missing, "t1 a - s o 0 0\n"};
    for (size_t i = 0; tk_measures[i]; i++) {
        for (size_t k = 0; k < 16; k++) {
            struct tk_figures figures = figures_of(tk_measures[i], texts[k / 4], texts[k % 4]);
            assert_explained(&figures);
            tk_figures_release(&figures);
        }
    }
}

/* Figures that are the best there is; of the others all have a reason, but alerts of services that
 * have none are 0 in the original. */
static size_t count_best(const struct tk_figures *figures)
{
    size_t strict = 0;
    for (size_t f = 0; f < figures->count; f++) {
        const struct tk_figure *figure = &figures->items[f];
        bool is_alert = strcmp(figure->name, "monitor_errors") == 0;
        if (figure->reason || figure->sense == TK_FIGURE_COUNT ||
            (is_alert && figure->rule == TK_FIGURE_COMPAT))
            continue;
        if (fabs(figure->value - best_of(figure->sense)) > 1e-9)
            fail_at(figure, "not the best");
        strict += figure->rule == TK_FIGURE_STRICT;
    }
    return strict;
}

static void a_table_is_like_itself(void **state)
{
    (void)state;
    for (size_t i = 0; tk_measures[i]; i++) {
        struct tk_figures figures = figures_of(tk_measures[i], real, real);
        assert_true(count_best(&figures) > 0);
        tk_figures_release(&figures);
    }
}

static void assert_same_figures(const struct tk_figures *a, const struct tk_figures *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t f = 0; f < a->count; f++) {
        assert_string_equal(a->items[f].name, b->items[f].name);
        assert_true(tk_str_eq(a->items[f].detail, b->items[f].detail));
        double x = a->items[f].value;
        double y = b->items[f].value;
        if (!(x == y || (isnan(x) && isnan(y))))
            fail_at(&b->items[f], "not as of the other order");
    }
}

static void the_order_of_rows_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; tk_measures[i]; i++) {
        struct tk_figures first = figures_of(tk_measures[i], one_missing, real);
        struct tk_figures second = figures_of(tk_measures[i], one_missing, permuted);
        assert_same_figures(&first, &second);
        tk_figures_release(&second);
        second = figures_of(tk_measures[i], permuted, real);
        tk_figures_release(&first);
        first = figures_of(tk_measures[i], real, permuted);
        assert_same_figures(&first, &second);
        tk_figures_release(&first);
        tk_figures_release(&second);
    }
}

/* Of each measure some strict figure falls when a service is gone. */
static void a_missing_service_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; tk_measures[i]; i++) {
        struct tk_figures figures = figures_of(tk_measures[i], one_missing, real);
        size_t worse = 0;
        for (size_t f = 0; f < figures.count; f++) {
            const struct tk_figure *figure = &figures.items[f];
            if (figure->rule == TK_FIGURE_STRICT && !figure->reason &&
                figure->sense != TK_FIGURE_COUNT)
                worse += fabs(figure->value - best_of(figure->sense)) > 1e-6;
        }
        assert_true(worse > 0);
        tk_figures_release(&figures);
    }
}

static char *long_trace(bool is_chain, size_t spans)
{
    char *text = malloc(spans * 64);
    size_t n = 0;
    assert_non_null(text);
    for (size_t i = 0; i < spans; i++) {
        char parent[16] = "-";
        if (i > 0)
            (void)snprintf(parent, sizeof(parent), "%zx", is_chain ? i - 1 : 0);
        n += (size_t)snprintf(text + n, 64, "t1 %zx %s s%zu o %zu %zu\n", i, parent, i % 3, i,
                              2 * spans - i);
    }
    return text;
}

/* A chain and a star; a product of the spans of a trace would be ten thousand million. */
static void a_trace_of_a_hundred_thousand_spans_is_measured(void **state)
{
    (void)state;
    return_under_tsan();
    for (int is_chain = 0; is_chain < 2; is_chain++) {
        char *text = long_trace(is_chain, 100000);
        for (size_t i = 0; tk_measures[i]; i++) {
            struct tk_figures figures = figures_of(tk_measures[i], text, text);
            assert_true(figures.count > 0);
            tk_figures_release(&figures);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_has_a_value_or_a_reason),
        cmocka_unit_test(a_table_is_like_itself),
        cmocka_unit_test(the_order_of_rows_changes_nothing),
        cmocka_unit_test(a_missing_service_is_seen),
        cmocka_unit_test(a_trace_of_a_hundred_thousand_spans_is_measured),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
