/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/samplers.h"

#include <stdlib.h>

#include "suite_fixture.h"

#define TRACES 2000

/* A choice of a table; release() it. */
struct choice {
    struct tk_span_table *table;
    struct tk_trace_pick *picks;
    size_t count;
};

static struct choice choose(const struct tk_sampler *sampler, double n, uint64_t seed)
{
    struct tk_err err;
    struct choice choice = {.table = shop_table(TRACES)};
    choice.picks = calloc(choice.table->traces, sizeof(*choice.picks));
    assert_int_equal(sampler->pick(choice.table, n, seed, choice.picks, &choice.count, &err), 0);
    return choice;
}

static void release(struct choice *choice)
{
    tk_span_table_free(choice->table);
    free(choice->picks);
}

static bool has(const struct choice *choice, uint32_t trace)
{
    for (size_t i = 0; i < choice->count; i++) {
        if (choice->picks[i].trace == trace)
            return true;
    }
    return false;
}

static bool has_issue(const struct tk_span_table *table, uint32_t trace)
{
    bool has_one = false;
    for (uint32_t r = tk_span_table_begin(table, trace); r < table->trace_ends[trace]; r++)
        has_one = has_one || table->issues[r];
    return has_one;
}

static double weight_of(const struct choice *choice)
{
    double sum = 0;
    for (size_t i = 0; i < choice->count; i++)
        sum += choice->picks[i].weight;
    return sum;
}

static void head_keeps_one_of_n_and_each_stands_for_n(void **state)
{
    (void)state;
    struct choice choice = choose(&tk_sampler_head, 10, 1);
    assert_in_range(choice.count, 150, 250);
    for (size_t i = 0; i < choice.count; i++)
        assert_near(choice.picks[i].weight, 10, 0);
    release(&choice);
}

static void a_seed_gives_the_same_choice_again_and_another_seed_another(void **state)
{
    (void)state;
    for (size_t s = 0; tk_samplers[s]; s++) {
        struct choice a = choose(tk_samplers[s], 5, 7);
        struct choice b = choose(tk_samplers[s], 5, 7);
        assert_int_equal(a.count, b.count);
        assert_memory_equal(a.picks, b.picks, a.count * sizeof(*a.picks));
        release(&a);
        release(&b);
    }
    struct choice a = choose(&tk_sampler_head, 5, 7);
    struct choice b = choose(&tk_sampler_head, 5, 8);
    assert_true(a.count != b.count || memcmp(a.picks, b.picks, a.count * sizeof(*a.picks)) != 0);
    release(&a);
    release(&b);
}

static void a_denser_sample_holds_the_sparser_one(void **state)
{
    (void)state;
    static const struct tk_sampler *const nested[] = {&tk_sampler_head, &tk_sampler_tail,
                                                      &tk_sampler_errors, &tk_sampler_stratified};
    for (size_t s = 0; s < TK_COUNTOF(nested); s++) {
        struct choice sparse = choose(nested[s], 20, 3);
        struct choice dense = choose(nested[s], 4, 3);
        assert_true(sparse.count < dense.count);
        for (size_t i = 0; i < sparse.count; i++)
            assert_true(has(&dense, sparse.picks[i].trace));
        release(&sparse);
        release(&dense);
    }
}

static void one_of_one_is_all(void **state)
{
    (void)state;
    struct choice head = choose(&tk_sampler_head, 1, 1);
    struct choice tail = choose(&tk_sampler_tail, 1, 1);
    struct choice shapes = choose(&tk_sampler_stratified, 1, 1);
    assert_int_equal(head.count, TRACES);
    assert_int_equal(tail.count, TRACES);
    assert_int_equal(shapes.count, TRACES);
    release(&head);
    release(&tail);
    release(&shapes);
}

static void weights_add_up_to_the_whole_set_on_average(void **state)
{
    (void)state;
    static const struct tk_sampler *const unbiased[] = {&tk_sampler_head, &tk_sampler_tail,
                                                        &tk_sampler_stratified};
    enum { SEEDS = 12 };
    for (size_t s = 0; s < TK_COUNTOF(unbiased); s++) {
        double sum = 0;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct choice choice = choose(unbiased[s], 8, seed);
            sum += weight_of(&choice);
            release(&choice);
        }
        assert_near(sum / SEEDS, TRACES, TRACES * 0.05);
    }
}

static void tail_keeps_every_error_and_the_slowest(void **state)
{
    (void)state;
    struct choice choice = choose(&tk_sampler_tail, 1000, 1);
    size_t slow = 0;
    for (uint32_t t = 0; t < choice.table->traces; t++) {
        uint32_t begin = tk_span_table_begin(choice.table, t);
        if (has_issue(choice.table, t))
            assert_true(has(&choice, t));
        slow += has(&choice, t) && choice.table->duration_ns[begin] > 600000000;
    }
    assert_in_range(slow, TRACES / 100 - 1, TRACES / 50);
    assert_true(choice.count < TRACES / 4);
    release(&choice);
}

static void errors_keeps_nothing_else(void **state)
{
    (void)state;
    struct choice choice = choose(&tk_sampler_errors, 1, 1);
    assert_int_equal(choice.count, TRACES / 10);
    for (size_t i = 0; i < choice.count; i++)
        assert_true(has_issue(choice.table, choice.picks[i].trace));
    release(&choice);
}

static void slow_keeps_what_gen_t_calls_slow(void **state)
{
    (void)state;
    struct choice choice = choose(&tk_sampler_slow, 1, 1); /* above 190 ms on a clock of us */
    assert_int_equal(choice.count, TRACES / 50);
    release(&choice);
}

static void first_keeps_the_earliest_each_for_itself(void **state)
{
    (void)state;
    struct choice choice = choose(&tk_sampler_first, 30, 1);
    assert_int_equal(choice.count, 30);
    for (uint32_t i = 0; i < 30; i++) {
        assert_int_equal(choice.picks[i].trace, i);
        assert_near(choice.picks[i].weight, 1, 0);
    }
    release(&choice);
}

static void stratified_keeps_one_of_each_shape_at_least(void **state)
{
    (void)state;
    struct tk_err err;
    struct choice choice = choose(&tk_sampler_stratified, 1e6, 1);
    uint64_t *shapes = calloc(TRACES, sizeof(*shapes));
    assert_int_equal(tk_shapes_find(choice.table, shapes, &err), 0);
    for (uint32_t t = 0; t < TRACES; t++) {
        bool is_there = false;
        for (size_t i = 0; i < choice.count && !is_there; i++)
            is_there = shapes[choice.picks[i].trace] == shapes[t];
        assert_true(is_there);
    }
    assert_in_range(choice.count, 6, 12); /* error or not x second child or not x orphan or not */
    assert_near(weight_of(&choice), TRACES, 1e-6);
    release(&choice);
    free(shapes);
}

static void shapes_see_the_tree_and_errors_but_not_the_order_of_siblings(void **state)
{
    (void)state;
    struct tk_err err;
    uint64_t shapes[5];
    struct tk_span_table *table = table_of("a 1 - f x 0 9\na 2 1 g y 1 1\na 3 1 h z 2 1\n"
                                           "b 1 - f x 10 9\nb 2 1 h z 11 1\nb 3 1 g y 12 1\n"
                                           "c 1 - f x 20 9\nc 2 1 g y 21 1\nc 3 2 h z 22 1\n"
                                           "d 1 - f x 30 9\nd 2 1 g y 31 1\nd 3 1 h z 32 1 error\n"
                                           "e 1 - f x 40 9\ne 2 1 g y 41 1\n");
    assert_int_equal(tk_shapes_find(table, shapes, &err), 0);
    assert_true(shapes[0] == shapes[1]);
    for (int i = 2; i < 5; i++)
        assert_true(shapes[0] != shapes[i]);
    assert_true(shapes[2] != shapes[3] && shapes[3] != shapes[4]);
    tk_span_table_free(table);
}

static void an_empty_set_gives_an_empty_sample(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_span_table *empty = shop_table(0);
    for (size_t s = 0; tk_samplers[s]; s++) {
        struct tk_span_table *sample = NULL;
        assert_int_equal(tk_sampler_take(tk_samplers[s], empty, 2, 1, &sample, &err), 0);
        assert_int_equal(sample->traces, 0);
        tk_span_table_free(sample);
    }
    tk_span_table_free(empty);
}

static void samplers_are_found_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(tk_sampler_find("stratified"), &tk_sampler_stratified);
    assert_null(tk_sampler_find("best"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_keeps_one_of_n_and_each_stands_for_n),
        cmocka_unit_test(a_seed_gives_the_same_choice_again_and_another_seed_another),
        cmocka_unit_test(a_denser_sample_holds_the_sparser_one),
        cmocka_unit_test(one_of_one_is_all),
        cmocka_unit_test(weights_add_up_to_the_whole_set_on_average),
        cmocka_unit_test(tail_keeps_every_error_and_the_slowest),
        cmocka_unit_test(errors_keeps_nothing_else),
        cmocka_unit_test(slow_keeps_what_gen_t_calls_slow),
        cmocka_unit_test(first_keeps_the_earliest_each_for_itself),
        cmocka_unit_test(stratified_keeps_one_of_each_shape_at_least),
        cmocka_unit_test(shapes_see_the_tree_and_errors_but_not_the_order_of_siblings),
        cmocka_unit_test(an_empty_set_gives_an_empty_sample),
        cmocka_unit_test(samplers_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
