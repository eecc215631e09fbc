/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/controls.h"

#include <stdlib.h>

#include "suite_fixture.h"

#define TRACES 400

/* A control of the shop; release() it. */
struct made_control {
    struct tk_span_table *real, *a, *b;
};

static struct made_control make(const struct tk_control *control, uint64_t seed)
{
    struct tk_err err;
    struct made_control made = {.real = shop_table(TRACES)};
    assert_int_equal(control->make(made.real, seed, &made.a, &made.b, &err), 0);
    return made;
}

static void release(struct made_control *made)
{
    tk_span_table_free(made->real);
    tk_span_table_free(made->a);
    tk_span_table_free(made->b);
}

static int i64_cmp(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The same values, in whatever order. */
static void assert_same_values(const int64_t *a, const int64_t *b, size_t n)
{
    int64_t *x = calloc(n, sizeof(*x));
    int64_t *y = calloc(n, sizeof(*y));
    memcpy(x, a, n * sizeof(*x));
    memcpy(y, b, n * sizeof(*y));
    qsort(x, n, sizeof(*x), i64_cmp);
    qsort(y, n, sizeof(*y), i64_cmp);
    assert_memory_equal(x, y, n * sizeof(*x));
    free(x);
    free(y);
}

static void halves_share_no_trace_and_lack_none(void **state)
{
    (void)state;
    struct made_control made = make(&tk_control_halves, 1);
    assert_int_equal(made.a->traces + made.b->traces, TRACES);
    assert_in_range(made.a->traces, TRACES * 2 / 5, TRACES * 3 / 5);
    for (uint32_t i = 0; i < made.a->traces; i++) {
        for (uint32_t k = 0; k < made.b->traces; k++)
            assert_true(memcmp(made.a->trace_ids[i], made.b->trace_ids[k], 16) != 0);
    }
    release(&made);
}

static void uniform_starts_move_traces_as_a_whole_within_the_window(void **state)
{
    (void)state;
    struct made_control made = make(&tk_control_uniform_starts, 1);
    const struct tk_span_table *a = made.a;
    uint32_t moved = 0;
    assert_null(made.b);
    assert_same_values(a->duration_ns, made.real->duration_ns, a->rows);
    for (uint32_t t = 0; t < a->traces; t++) {
        uint32_t begin = tk_span_table_begin(a, t);
        int64_t last = made.real->start_ns[tk_span_table_begin(made.real, TRACES - 1)];
        assert_in_range(a->start_ns[begin] - made.real->start_ns[0], 0,
                        last - made.real->start_ns[0]);
        assert_true(t == 0 || a->start_ns[begin] >= a->start_ns[tk_span_table_begin(a, t - 1)]);
        moved += memcmp(a->trace_ids[t], made.real->trace_ids[t], 16) != 0;
        for (uint32_t r = begin; r < a->trace_ends[t]; r++) {
            if (a->parents[r] != TK_ROW_TOP)
                assert_in_range(a->start_ns[r] - a->start_ns[a->parents[r]] + 1000000, 0, 9000000);
        }
    }
    assert_true(moved > TRACES / 2);
    release(&made);
}

static void constant_starts_leave_one_moment(void **state)
{
    (void)state;
    struct made_control made = make(&tk_control_constant_starts, 1);
    assert_int_equal(made.a->rows, made.real->rows);
    for (uint32_t r = 0; r < made.a->rows; r++)
        assert_int_equal(made.a->start_ns[r], made.real->start_ns[0]);
    assert_same_values(made.a->duration_ns, made.real->duration_ns, made.a->rows);
    release(&made);
}

static void shuffled_attributes_keep_each_column_and_break_the_rows(void **state)
{
    (void)state;
    struct made_control made = make(&tk_control_shuffled_attributes, 1);
    uint32_t changed = 0;
    for (int f = 0; f < TK_INT_FEATURES; f++)
        assert_same_values(made.a->int_features[f], made.real->int_features[f], made.a->rows);
    for (uint32_t r = 0; r < made.a->rows; r++) {
        changed += !tk_str_eq(table_text(made.a, made.a->str_features[0][r]),
                              table_text(made.real, made.real->str_features[0][r]));
        assert_int_equal(made.a->start_ns[r], made.real->start_ns[r]);
        assert_int_equal(made.a->duration_ns[r], made.real->duration_ns[r]);
    }
    assert_true(changed > made.a->rows / 10);
    release(&made);
}

static void swapped_durations_change_places_between_two_services(void **state)
{
    (void)state;
    struct made_control made = make(&tk_control_swapped_durations, 1);
    int64_t front = 0;
    int64_t cart = 0;
    for (uint32_t r = 0; r < made.a->rows; r++) {
        tk_str service = table_text(made.a, made.a->services[r]);
        if (tk_str_eq(service, TK_STR("front")))
            front = made.a->duration_ns[r] > front ? made.a->duration_ns[r] : front;
        if (tk_str_eq(service, TK_STR("cart")))
            cart = made.a->duration_ns[r] > cart ? made.a->duration_ns[r] : cart;
        if (tk_str_eq(service, TK_STR("price")))
            assert_int_equal(made.a->duration_ns[r], made.real->duration_ns[r]);
    }
    assert_int_equal(front, 8000000);
    assert_int_equal(cart, 707000000);
    release(&made);
}

static void a_seed_gives_the_same_control_again(void **state)
{
    (void)state;
    for (size_t i = 0; tk_controls[i]; i++) {
        struct made_control x = make(tk_controls[i], 5);
        struct made_control y = make(tk_controls[i], 5);
        assert_same_tables(x.a, y.a, true);
        release(&x);
        release(&y);
    }
}

static void an_empty_set_has_empty_controls(void **state)
{
    (void)state;
    struct tk_err err;
    struct tk_span_table *empty = shop_table(0);
    for (size_t i = 0; tk_controls[i]; i++) {
        struct tk_span_table *a = NULL;
        struct tk_span_table *b = NULL;
        assert_int_equal(tk_controls[i]->make(empty, 1, &a, &b, &err), 0);
        assert_int_equal(a->traces, 0);
        tk_span_table_free(a);
        tk_span_table_free(b);
    }
    tk_span_table_free(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_share_no_trace_and_lack_none),
        cmocka_unit_test(uniform_starts_move_traces_as_a_whole_within_the_window),
        cmocka_unit_test(constant_starts_leave_one_moment),
        cmocka_unit_test(shuffled_attributes_keep_each_column_and_break_the_rows),
        cmocka_unit_test(swapped_durations_change_places_between_two_services),
        cmocka_unit_test(a_seed_gives_the_same_control_again),
        cmocka_unit_test(an_empty_set_has_empty_controls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
