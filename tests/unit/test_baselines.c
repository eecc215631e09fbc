/* SPDX-License-Identifier: Apache-2.0 */
/* What baselines write, they read again: all of it, or they would be beaten too easily. */
#include "fidelity/baselines.h"

#include <errno.h>
#include <stdlib.h>

#include "fidelity/markov.h"
#include "fidelity/trace_filter.h"
#include "suite_fixture.h"

#define TRACES 300

static void encode(const struct tk_baseline *baseline, const struct tk_span_table *table,
                   struct tk_buf *out)
{
    struct tk_err err = {0};
    struct tk_table_spans spans = {.table = table};
    const struct tk_baseline_input input = {table, tk_table_spans_source(&spans)};
    tk_buf_init(out, (size_t)64 << 20);
    if (baseline->encode(&input, out, &err) < 0)
        fail_msg("%s", err.msg);
}

static struct tk_span_table *decode(const struct tk_baseline *baseline, tk_str file, uint64_t seed)
{
    struct tk_span_table *table = NULL;
    struct tk_err err = {0};
    if (baseline->decode(file, seed, &table, &err) < 0)
        fail_msg("%s", err.msg);
    return table;
}

static void assert_round_trip(const struct tk_baseline *baseline, const struct tk_span_table *table)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    encode(baseline, table, &file);
    struct tk_span_table *again = decode(baseline, tk_buf_str(&file), 1);
    assert_same_tables(table, again, baseline->has_ids);
    tk_span_table_free(again);
}

static void columns_give_back_every_row(void **state)
{
    (void)state;
    struct tk_span_table *table = shop_table(TRACES);
    assert_round_trip(&tk_baseline_columns, table);
    assert_round_trip(&tk_baseline_columns_bare, table);
    tk_span_table_free(table);
}

static void columns_keep_weights(void **state)
{
    (void)state;
    struct tk_span_table *table = shop_table(TRACES);
    for (uint32_t t = 0; t < table->traces; t++)
        table->weights[t] = t % 3 == 0 ? 1 : 12.5;
    assert_round_trip(&tk_baseline_columns, table);
    for (uint32_t t = 0; t < table->traces; t++)
        table->weights[t] = 7;
    assert_round_trip(&tk_baseline_columns, table);
    tk_span_table_free(table);
}

static void empty_sets_and_single_spans_come_back(void **state)
{
    (void)state;
    static const char *const sets[] = {"", "t a - s op 5 0\n", "t a a s op 5 7\n",
                                       "t a b s op 5 1\nt b a s op 6 1\n"};
    for (size_t i = 0; i < TK_COUNTOF(sets); i++) {
        struct tk_span_table *table = table_of(sets[i]);
        assert_round_trip(&tk_baseline_columns, table);
        assert_round_trip(&tk_baseline_columns_bare, table);
        tk_span_table_free(table);
    }
}

static void a_file_without_ids_is_smaller(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf with;
    TK_CLEANUP(tk_buf_release) struct tk_buf without;
    struct tk_span_table *table = shop_table(TRACES);
    encode(&tk_baseline_columns, table, &with);
    encode(&tk_baseline_columns_bare, table, &without);
    assert_true(without.n < with.n);
    assert_true(without.n < (size_t)TRACES * 12);
    tk_span_table_free(table);
}

/* Trees, times and names go through spans; what OTLP cannot know is set as the spans have it. */
static void otlp_gives_back_trees_times_and_names(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_span_table *table = shop_table(TRACES);
    for (uint32_t t = 0; t < table->traces; t++)
        table->weights[t] = 4;
    encode(&tk_baseline_otlp, table, &file);
    struct tk_span_table *again = decode(&tk_baseline_otlp, tk_buf_str(&file), 1);
    assert_int_equal(again->rows, table->rows);
    assert_same_tables(table, again, true);
    tk_span_table_free(again);
    tk_span_table_free(table);
}

static void otlp_refuses_weights_that_it_cannot_write(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    struct tk_err err;
    struct tk_span_table *table = shop_table(5);
    struct tk_table_spans spans = {.table = table};
    table->weights[3] = 2;
    tk_buf_init(&out, (size_t)1 << 20);
    const struct tk_baseline_input input = {table, tk_table_spans_source(&spans)};
    assert_int_equal(tk_baseline_otlp.encode(&input, &out, &err), -EOPNOTSUPP);
    tk_span_table_free(table);
}

/* Markov --------------------------------------------------------------------------------------- */

/* Roots of an operation in a minute. */
static uint32_t count_roots(const struct tk_span_table *table, int64_t start_ns, int64_t minute)
{
    uint32_t count = 0;
    for (uint32_t r = 0; r < table->rows; r++) {
        bool is_root = table->parents[r] == TK_ROW_TOP && !table->orphans[r];
        count += is_root && (table->start_ns[r] - start_ns) / TK_MARKOV_MINUTE_NS == minute;
    }
    return count;
}

static void markov_keeps_the_roots_of_each_minute(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_span_table *table = shop_table(5000); /* of 3 minutes */
    encode(&tk_baseline_markov, table, &file);
    struct tk_span_table *made = decode(&tk_baseline_markov, tk_buf_str(&file), 1);
    assert_int_equal(made->traces, table->traces);
    for (int64_t minute = 0; minute < 4; minute++)
        assert_int_equal(count_roots(made, 0, minute), count_roots(table, 0, minute));
    assert_true(file.n < 3000);
    tk_span_table_free(made);
    tk_span_table_free(table);
}

/* Spans of a service, and those with an error. */
static void count_service(const struct tk_span_table *table, const char *service, double ret[2])
{
    ret[0] = ret[1] = 0;
    for (uint32_t r = 0; r < table->rows; r++) {
        if (!tk_str_eq(table_text(table, table->services[r]), tk_str_from(service)))
            continue;
        ret[0]++;
        ret[1] += table->issues[r];
    }
}

static void markov_makes_up_much_the_same_traces(void **state)
{
    (void)state;
    static const char *const services[] = {"front", "cart", "price"};
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_span_table *table = shop_table(5000);
    encode(&tk_baseline_markov, table, &file);
    struct tk_span_table *made = decode(&tk_baseline_markov, tk_buf_str(&file), 1);
    for (size_t i = 0; i < TK_COUNTOF(services); i++) {
        double real[2];
        double own[2];
        count_service(table, services[i], real);
        count_service(made, services[i], own);
        assert_near(own[0], real[0], real[0] * 0.05);
        assert_near(own[1], real[1], real[1] * 0.25 + 2);
    }
    tk_span_table_free(made);
    tk_span_table_free(table);
}

static void markov_draws_the_same_with_the_same_seed_and_has_no_ids(void **state)
{
    (void)state;
    TK_CLEANUP(tk_buf_release) struct tk_buf file;
    struct tk_span_table *table = shop_table(TRACES);
    encode(&tk_baseline_markov, table, &file);
    struct tk_span_table *a = decode(&tk_baseline_markov, tk_buf_str(&file), 3);
    struct tk_span_table *b = decode(&tk_baseline_markov, tk_buf_str(&file), 3);
    assert_same_tables(a, b, true);
    for (uint32_t i = 0; i < a->traces; i++) {
        for (uint32_t k = 0; k < table->traces; k++)
            assert_true(memcmp(a->trace_ids[i], table->trace_ids[k], 16) != 0);
    }
    tk_span_table_free(a);
    tk_span_table_free(b);
    tk_span_table_free(table);
}

/* Damage --------------------------------------------------------------------------------------- */

static void a_file_that_is_cut_or_changed_is_refused_or_read_but_never_trusted(void **state)
{
    (void)state;
    struct tk_span_table *table = shop_table(20);
    for (size_t i = 0; tk_baselines[i]; i++) {
        TK_CLEANUP(tk_buf_release) struct tk_buf file;
        struct tk_err err;
        encode(tk_baselines[i], table, &file);
        for (size_t n = 0; n < file.n; n++) {
            struct tk_span_table *again = NULL;
            assert_true(tk_baselines[i]->decode((tk_str){file.p, n}, 1, &again, &err) < 0);
            assert_null(again);
            file.p[n] ^= 1;
            (void)!tk_baselines[i]->decode(tk_buf_str(&file), 1, &again, &err);
            tk_span_table_free(again);
            file.p[n] ^= 1;
        }
    }
    tk_span_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_give_back_every_row),
        cmocka_unit_test(columns_keep_weights),
        cmocka_unit_test(empty_sets_and_single_spans_come_back),
        cmocka_unit_test(a_file_without_ids_is_smaller),
        cmocka_unit_test(otlp_gives_back_trees_times_and_names),
        cmocka_unit_test(otlp_refuses_weights_that_it_cannot_write),
        cmocka_unit_test(markov_keeps_the_roots_of_each_minute),
        cmocka_unit_test(markov_makes_up_much_the_same_traces),
        cmocka_unit_test(markov_draws_the_same_with_the_same_seed_and_has_no_ids),
        cmocka_unit_test(a_file_that_is_cut_or_changed_is_refused_or_read_but_never_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
