/* SPDX-License-Identifier: Apache-2.0 */
#include "step/overview.h"

#include "tk_test.h"

enum { ROWS_MAX = 8 };

/* A step whose samples, `dt_s` apart from `t0`, tell of one column. */
struct sketch {
    const char *kind, *id, *parent, *column;
    double t0, dt_s;
    double values[ROWS_MAX]; /* up to the first 0 */
};

struct drawn {
    struct tk_job_step step;
    tk_str column;
    struct tk_job_row rows[ROWS_MAX];
    double values[ROWS_MAX];
};

static void draw(const struct sketch *sketch, struct drawn *drawn)
{
    size_t count = 0;
    drawn->column = tk_str_from(sketch->column);
    for (; count < ROWS_MAX && sketch->values[count] != 0; count++) {
        drawn->values[count] = sketch->values[count];
        drawn->rows[count] = (struct tk_job_row){&drawn->values[count], 1};
    }
    drawn->step = (struct tk_job_step){
        .kind = tk_str_from(sketch->kind),
        .id = tk_str_from(sketch->id),
        .parent = tk_str_from(sketch->parent),
        .samples = {sketch->t0, sketch->dt_s, {&drawn->column, 1}, {drawn->rows, count}},
    };
}

static void overview_of(const struct sketch *sketches, size_t count, double span_s,
                        struct tk_overview *ret)
{
    struct drawn drawn[4];
    struct tk_job_step steps[4];
    assert_true(count <= TK_COUNTOF(steps));
    for (size_t i = 0; i < count; i++) {
        draw(&sketches[i], &drawn[i]);
        steps[i] = drawn[i].step;
    }
    const struct tk_job job = {.steps = {steps, count}};
    tk_overview_of(&job, 1000, span_s, ret);
}

/* At a second of an overview of 60 s. */
static double at(const struct tk_overview *overview, double second, enum tk_band band)
{
    return overview->values[(size_t)(second * TK_OVERVIEW_CELLS / 60)][band];
}

static void a_machine_seen_by_two_steps_is_drawn_once(void **state)
{
    (void)state;
    static const struct sketch steps[] = {
        {"shell", "s1", "", "cores", 1000, 10, {1, 2, 1}},
        {"shell", "s2", "", "cores", 1010, 5, {1.5, 2.5, 1}}, /* finer: it knows better */
    };
    struct tk_overview overview;
    overview_of(steps, 2, 60, &overview);
    assert_near(at(&overview, 5, TK_BAND_CPU), 1, 0);
    assert_near(at(&overview, 12, TK_BAND_CPU), 1.5, 0);
    assert_near(at(&overview, 17, TK_BAND_CPU), 2.5, 0);
    assert_near(at(&overview, 22, TK_BAND_CPU), 1, 0);
    assert_near(at(&overview, 29, TK_BAND_CPU), 1, 0);
    assert_true(isnan(at(&overview, 31, TK_BAND_CPU))); /* no step ran */
    assert_true(isnan(at(&overview, 5, TK_BAND_DISK)));
    assert_near(overview.max[TK_BAND_CPU], 2.5, 0);
    assert_near(overview.max[TK_BAND_DISK], 0, 0);
}

static void commands_side_by_side_add_up_but_not_those_within(void **state)
{
    (void)state;
    static const struct sketch steps[] = {
        {"exec", "s1", "", "cores", 1000, 10, {2, 2}},
        {"exec", "s2", "", "cores", 1010, 10, {1, 1}},
        {"shell", "s3", "s1", "psi_io", 1000, 10, {30, 30}},
        {"exec", "s4", "s3", "cores", 1000, 10, {1.9, 1.9}},
    };
    struct tk_overview overview;
    overview_of(steps, 4, 60, &overview);
    assert_near(at(&overview, 5, TK_BAND_OWN_CPU), 2, 0);
    assert_near(at(&overview, 15, TK_BAND_OWN_CPU), 3, 0);
    assert_near(at(&overview, 25, TK_BAND_OWN_CPU), 1, 0);
    assert_true(isnan(at(&overview, 5, TK_BAND_CPU))); /* nobody looked at the machine */
    assert_near(at(&overview, 5, TK_BAND_STALL), 30, 0);
}

static void what_commands_see_of_the_machine_is_not_added_up(void **state)
{
    (void)state;
    static const struct sketch steps[] = {
        {"exec", "s1", "", "read_mbs", 1000, 10, {100}},
        {"exec", "s2", "", "read_mbs", 1000, 10, {100}},
    };
    struct tk_overview overview;
    overview_of(steps, 2, 60, &overview);
    assert_near(at(&overview, 5, TK_BAND_DISK), 100, 0);
}

static void a_peak_shorter_than_a_cell_is_kept(void **state)
{
    (void)state;
    static const struct sketch step = {"shell", "s1", "", "mem_mb", 1000, 1, {1, 9, 1, 1}};
    struct tk_overview overview;
    overview_of(&step, 1, 3.0 * TK_OVERVIEW_CELLS, &overview);
    assert_near(overview.values[0][TK_BAND_MEMORY], 9, 0);
    assert_near(overview.values[1][TK_BAND_MEMORY], 1, 0);
    assert_true(isnan(overview.values[2][TK_BAND_MEMORY]));
}

static void samples_outside_of_the_time_do_no_harm(void **state)
{
    (void)state;
    static const struct sketch steps[] = {
        {"shell", "s1", "", "cores", 900, 10, {5, 5}},
        {"shell", "s2", "", "cores", 1060, 10, {5, 5}},
        {"shell", "s3", "s3", "cores", (double)NAN, 10, {5, 5}},
        {"exec", "s4", "s3", "cores", 1055, 1e300, {1, 1}},
    };
    struct tk_overview overview;
    overview_of(steps, 4, 60, &overview);
    assert_true(isnan(at(&overview, 0, TK_BAND_CPU)));
    assert_near(at(&overview, 59, TK_BAND_OWN_CPU), 1, 0);
    assert_near(overview.max[TK_BAND_CPU], 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_seen_by_two_steps_is_drawn_once),
        cmocka_unit_test(commands_side_by_side_add_up_but_not_those_within),
        cmocka_unit_test(what_commands_see_of_the_machine_is_not_added_up),
        cmocka_unit_test(a_peak_shorter_than_a_cell_is_kept),
        cmocka_unit_test(samples_outside_of_the_time_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
