/* SPDX-License-Identifier: Apache-2.0 */
/* Expected results of opendc.md section 18, and planted models that must be found again. */
#include "tk_test.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "opendc/power.h"

static void models_are_those_of_opendc(void **state)
{
    (void)state;
    static const struct {
        struct tk_power_model model;
        double watt;
    } rows[] = {
        {{TK_POWER_LINEAR, 200, 400, 0, false}, 300},
        {{TK_POWER_SQRT, 200, 400, 0, false}, 341.421},
        {{TK_POWER_SQUARE, 200, 400, 0, false}, 250},
        {{TK_POWER_CUBIC, 200, 400, 0, false}, 225},
        {{TK_POWER_MSE, 200, 400, 1.4, false}, 324.214},
        {{TK_POWER_ASYMPTOTIC, 200, 400, 0.3, false}, 331.112},
        {{TK_POWER_ASYMPTOTIC, 200, 400, 0.3, true}, 246.576},
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++)
        assert_near(tk_power_at(&rows[i].model, 0.5), rows[i].watt, 5e-4);
}

#define SAMPLES 200

/* Loads all over the range, and a share of readings that are off. */
static void plant(const struct tk_power_model *model, double noise,
                  struct tk_power_sample samples[SAMPLES])
{
    for (size_t i = 0; i < SAMPLES; i++) {
        double load = (double)(i * 37 % 101) / 100;
        double off = noise * ((double)(i * 53 % 19) - 9) / 9;
        samples[i] = (struct tk_power_sample){load, tk_power_at(model, load) * (1 + off)};
    }
}

static void planted_models_are_found_again(void **state)
{
    (void)state;
    static const struct tk_power_model models[] = {
        {TK_POWER_LINEAR, 60, 140, 0, false},        {TK_POWER_SQRT, 80, 300, 0, false},
        {TK_POWER_SQUARE, 0, 90, 0, false},          {TK_POWER_CUBIC, 12.5, 400, 0, false},
        {TK_POWER_MSE, 100, 350, 1.7, false},        {TK_POWER_MSE, 20, 45, 0.6, false},
        {TK_POWER_ASYMPTOTIC, 70, 210, 0.25, false},
    };
    for (size_t i = 0; i < TK_COUNTOF(models); i++) {
        struct tk_power_sample samples[SAMPLES];
        struct tk_power_model found;
        struct tk_err err;
        plant(&models[i], 0, samples);
        if (models[i].idle_watt == 0)
            samples[0].watt = 1e-3; /* no reading is zero */
        for (size_t k = 0; k < SAMPLES; k++)
            samples[k].watt = fmax(samples[k].watt, 1e-3);
        /* By its kind, and among all. */
        for (int any = 0; any < 2; any++) {
            enum tk_power_kind kind = any ? TK_POWER_KINDS : models[i].kind;
            assert_int_equal(tk_power_fit("h", kind, samples, SAMPLES, &found, &err), 0);
            assert_int_equal(found.kind, models[i].kind);
            assert_near(found.idle_watt, models[i].idle_watt, 0.05);
            assert_near(found.max_watt, models[i].max_watt, 0.05);
            assert_near(found.shape, models[i].shape, 2e-3);
        }
    }
}

static void noise_and_outliers_move_the_powers_little(void **state)
{
    (void)state;
    const struct tk_power_model model = {TK_POWER_LINEAR, 60, 140, 0, false};
    struct tk_power_sample samples[SAMPLES];
    struct tk_power_model found;
    struct tk_err err;
    plant(&model, 0.02, samples);
    samples[17].watt = 5000; /* a counter that went wrong */
    assert_int_equal(tk_power_fit("h", TK_POWER_LINEAR, samples, SAMPLES, &found, &err), 0);
    assert_near(found.idle_watt, 60, 1);
    assert_near(found.max_watt, 140, 2);
    samples[17].watt = tk_power_at(&model, samples[17].load);
    assert_true(tk_power_error(&found, samples, SAMPLES) < 2);
    assert_true(tk_power_error(&tk_power_default, samples, SAMPLES) > 100);
}

static void what_the_samples_cannot_tell_is_an_error(void **state)
{
    (void)state;
    static const struct {
        double loads[2];
        size_t count;
        enum tk_power_kind kind;
        const char *message;
    } rows[] = {
        {{0.1, 0.9}, 9, TK_POWER_KINDS, "h: 9 readings of power, expected 10 or more"},
        {{0.42, 0.5},
         20,
         TK_POWER_KINDS,
         "h: its load stays within 42 to 50 %: idle and maximum power cannot be told apart"},
        {{0.2, 0.8},
         20,
         TK_POWER_MSE,
         "h: its load has two levels, 20 and 80 %: they do not tell the shape of model mse"},
    };
    for (size_t i = 0; i < TK_COUNTOF(rows); i++) {
        struct tk_power_sample samples[20];
        struct tk_power_model found;
        struct tk_err err;
        for (size_t k = 0; k < rows[i].count; k++)
            samples[k] = (struct tk_power_sample){rows[i].loads[k % 2], 100 + (double)(k % 2)};
        assert_int_equal(tk_power_fit("h", rows[i].kind, samples, rows[i].count, &found, &err),
                         -ENODATA);
        assert_string_equal(err.msg, rows[i].message);
    }
}

static void two_levels_tell_a_line_and_no_more(void **state)
{
    (void)state;
    struct tk_power_sample samples[20];
    struct tk_power_model found;
    struct tk_err err;
    for (size_t k = 0; k < 20; k++)
        samples[k] = (struct tk_power_sample){k % 2 ? 0.75 : 0.25, k % 2 ? 120 : 80};
    assert_int_equal(tk_power_fit("h", TK_POWER_KINDS, samples, 20, &found, &err), 0);
    assert_int_equal(found.kind, TK_POWER_LINEAR);
    assert_near(found.idle_watt, 60, 1e-6);
    assert_near(found.max_watt, 140, 1e-6);
}

static void power_that_falls_with_the_load_fits_no_model(void **state)
{
    (void)state;
    struct tk_power_sample samples[SAMPLES];
    struct tk_power_model found;
    struct tk_err err;
    for (size_t k = 0; k < SAMPLES; k++) {
        double load = (double)k / SAMPLES;
        samples[k] = (struct tk_power_sample){load, 200 - 100 * load};
    }
    assert_int_equal(tk_power_fit("h", TK_POWER_LINEAR, samples, SAMPLES, &found, &err), -ENODATA);
    assert_string_equal(err.msg, "h: its power does not rise with its load: no model fits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_those_of_opendc),
        cmocka_unit_test(planted_models_are_found_again),
        cmocka_unit_test(noise_and_outliers_move_the_powers_little),
        cmocka_unit_test(what_the_samples_cannot_tell_is_an_error),
        cmocka_unit_test(two_levels_tell_a_line_and_no_more),
        cmocka_unit_test(power_that_falls_with_the_load_fits_no_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
