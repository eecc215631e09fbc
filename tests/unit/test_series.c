/* SPDX-License-Identifier: Apache-2.0 */
#include "tk_test.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "opendc/series.h"

static void add(struct tk_series *series, int64_t us, int64_t ns)
{
    struct tk_err err;
    struct tk_knot knot = {.us = us, .ns = ns, .rss_kb = -1, .is_reading = true};
    assert_int_equal(tk_series_add(series, knot, &err), 0);
}

static void values_lie_on_the_line_between_knots(void **state)
{
    (void)state;
    TK_CLEANUP(tk_series_release) struct tk_series series = {0};
    add(&series, 1000, 50);
    add(&series, 2000, 150);
    add(&series, 3000, 150);
    const struct {
        int64_t us, ns;
    } rows[] = {{0, 50},     {1000, 50},  {1500, 100}, {1999, 149},
                {2000, 150}, {2500, 150}, {3000, 150}, {9000, 150}};
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        for (size_t near = 0; near <= series.count; near++)
            assert_int_equal(tk_series_at(&series, rows[i].us, near), rows[i].ns);
    }
}

static void a_value_that_falls_stays_where_it_was(void **state)
{
    (void)state;
    TK_CLEANUP(tk_series_release) struct tk_series series = {0};
    add(&series, 1000, 100);
    add(&series, 2000, 90);
    add(&series, 2000, 120);
    assert_int_equal(series.count, 2);
    assert_int_equal(series.items[1].ns, 120);
}

static int64_t part(const struct tk_series *share, const struct tk_turn *turn)
{
    return tk_series_at(share, turn->end_us, 0) - tk_series_at(share, turn->start_us, 0);
}

/* Specification, section 18: A 750, B 250 ms; unattributed 0. */
static void two_that_overlap_share_alike(void **state)
{
    (void)state;
    TK_CLEANUP(tk_series_release) struct tk_series whole = {0};
    TK_CLEANUP(tk_series_release) struct tk_series share = {0};
    add(&whole, 0, 0);
    add(&whole, 1000000, 1000000000);
    struct tk_turn turns[] = {{.start_us = 0, .end_us = 1000000},
                              {.start_us = 500000, .end_us = 1000000}};
    int64_t nobodys;
    struct tk_err err;
    assert_int_equal(tk_series_share(&whole, turns, 2, &share, &nobodys, &err), 0);
    assert_int_equal(part(&share, &turns[0]), 750000000);
    assert_int_equal(part(&share, &turns[1]), 250000000);
    assert_int_equal(nobodys, 0);
}

static int compare_turns(const void *a, const void *b)
{
    const struct tk_turn *first = a;
    const struct tk_turn *second = b;
    return (first->start_us > second->start_us) - (first->start_us < second->start_us);
}

/* I7: a thousand requests that overlap take, with what nobody took, all of it and no more. */
static void a_thousand_requests_add_up_to_their_process(void **state)
{
    (void)state;
    enum { TURNS = 1000, KNOTS = 500 };
    TK_CLEANUP(tk_series_release) struct tk_series whole = {0};
    TK_CLEANUP(tk_series_release) struct tk_series share = {0};
    static struct tk_turn turns[TURNS];
    uint64_t seed = 7;
    int64_t ns = 0;
    for (int i = 0; i < KNOTS; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        add(&whole, 1000000 + i * 10000, ns);
        ns += (int64_t)(seed >> 40);
    }
    for (int i = 0; i < TURNS; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        turns[i].start_us = 1100000 + (int64_t)(seed >> 33) % 4000000;
        turns[i].end_us = turns[i].start_us + 1000 + (int64_t)(seed >> 50) % 500000;
    }
    qsort(turns, TURNS, sizeof(turns[0]), compare_turns);
    int64_t nobodys;
    struct tk_err err;
    assert_int_equal(tk_series_share(&whole, turns, TURNS, &share, &nobodys, &err), 0);
    int64_t sum = nobodys;
    for (int i = 0; i < TURNS; i++)
        sum += part(&share, &turns[i]);
    assert_int_equal(sum, whole.items[KNOTS - 1].ns);
    assert_true(nobodys > 0);
}

static void time_of_nobody_is_told(void **state)
{
    (void)state;
    TK_CLEANUP(tk_series_release) struct tk_series whole = {0};
    TK_CLEANUP(tk_series_release) struct tk_series share = {0};
    add(&whole, 0, 0);
    add(&whole, 3000, 3000);
    struct tk_turn turns[] = {{.start_us = 1000, .end_us = 2000, .says_own = true}};
    int64_t nobodys;
    struct tk_err err;
    assert_int_equal(tk_series_share(&whole, turns, 1, &share, &nobodys, &err), 0);
    assert_int_equal(part(&share, &turns[0]), 1000);
    assert_int_equal(nobodys, 2000);
    assert_true(turns[0].ret_all_say);
}

static void one_that_does_not_say_spoils_all_that_overlap(void **state)
{
    (void)state;
    TK_CLEANUP(tk_series_release) struct tk_series whole = {0};
    TK_CLEANUP(tk_series_release) struct tk_series share = {0};
    add(&whole, 0, 0);
    add(&whole, 9000, 9000);
    struct tk_turn turns[] = {
        {.start_us = 0, .end_us = 2000, .says_own = true},
        {.start_us = 1000, .end_us = 3000, .says_own = false},
        {.start_us = 3000, .end_us = 4000, .says_own = true}, /* begins when the others end */
    };
    int64_t nobodys;
    struct tk_err err;
    assert_int_equal(tk_series_share(&whole, turns, 3, &share, &nobodys, &err), 0);
    assert_false(turns[0].ret_all_say);
    assert_false(turns[1].ret_all_say);
    assert_true(turns[2].ret_all_say);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_lie_on_the_line_between_knots),
        cmocka_unit_test(a_value_that_falls_stays_where_it_was),
        cmocka_unit_test(two_that_overlap_share_alike),
        cmocka_unit_test(a_thousand_requests_add_up_to_their_process),
        cmocka_unit_test(time_of_nobody_is_told),
        cmocka_unit_test(one_that_does_not_say_spoils_all_that_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
