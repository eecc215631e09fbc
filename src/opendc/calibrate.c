/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/calibrate.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "opendc/hosts.h"
#include "opendc/pairs.h"

#define FITTED        (2.0 / 3)
#define LEAST_TASKS   3
#define LEAST_SPREAD  1e-3 /* of run times, relative to their mean */
#define FACTOR_DIGITS 1e9

struct calibrating {
    const struct tk_calibrate_options *options;
    struct tk_calibrate_result *result;
    struct tk_pairs pairs;
};

void tk_calibrate_release(struct tk_calibrate_result *result)
{
    tk_calibration_release(&result->calibration);
    free(result->power);
    *result = (struct tk_calibrate_result){0};
}

/* What cannot be told is an error where it was asked for, and a note where it was not. */
static int cannot(struct calibrating *calibrating, bool is_asked, int rc, const struct tk_err *err)
{
    struct tk_calibrate_result *result = calibrating->result;
    if (is_asked || rc != -ENODATA)
        return rc;
    if (result->note_count < TK_CALIBRATE_NOTES_MAX) {
        (void)snprintf(result->notes[result->note_count++], sizeof(result->notes[0]), "%.299s",
                       err->msg);
    }
    return 0;
}

/* Run times ------------------------------------------------------------------------------------ */

struct run_time {
    double started_ms; /* measured, epoch */
    double measured_ms, simulated_ms;
};

struct run_times {
    struct run_time *items; /* owned; by start */
    size_t count, fitted;   /* the first `fitted` are of the first two thirds of the time */
};

static int compare_starts(const void *a, const void *b)
{
    const struct run_time *first = a;
    const struct run_time *second = b;
    return (first->started_ms > second->started_ms) - (first->started_ms < second->started_ms);
}

static int collect_run_times(const struct tk_pairs *pairs, struct run_times *times,
                             struct tk_err *err)
{
    times->items = malloc(((size_t)pairs->count + 1) * sizeof(*times->items));
    if (!times->items)
        return tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < pairs->count; i++) {
        const struct tk_pair *pair = &pairs->items[i];
        if (!tk_pair_is_joined(pair) || !(tk_pair_run(pair) > 0) || !(tk_pair_sim_run(pair) > 0))
            continue;
        times->items[times->count++] =
            (struct run_time){pair->started_ms, tk_pair_run(pair), tk_pair_sim_run(pair)};
    }
    qsort(times->items, times->count, sizeof(*times->items), compare_starts);
    if (times->count == 0)
        return 0;
    double from_ms = times->items[0].started_ms;
    double reach_ms = times->items[times->count - 1].started_ms - from_ms;
    while (times->fitted < times->count &&
           times->items[times->fitted].started_ms - from_ms <= FITTED * reach_ms)
        times->fitted++;
    return 0;
}

/* Mean relative error of slope x simulated + overhead. */
static double error_of(const struct run_time *items, size_t count, double slope, double overhead_ms)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double told_ms = slope * items[i].simulated_ms + overhead_ms;
        sum += fabs(told_ms - items[i].measured_ms) / items[i].measured_ms;
    }
    return count > 0 ? 100 * sum / (double)count : (double)NAN;
}

/* The slope alone, for an overhead that is known. */
static double slope_for(const struct run_times *times, double overhead_ms)
{
    double both = 0;
    double square = 0;
    for (size_t i = 0; i < times->fitted; i++) {
        const struct run_time *at = &times->items[i];
        both += at->simulated_ms * (at->measured_ms - overhead_ms);
        square += at->simulated_ms * at->simulated_ms;
    }
    return both / square;
}

/* Both by least squares. An overhead below zero is none: then the slope alone. */
static int fit_line(const struct run_times *times, double *ret_slope, double *ret_overhead_ms,
                    struct tk_err *err)
{
    double n = (double)times->fitted;
    double mean_sim = 0;
    double mean_measured = 0;
    for (size_t i = 0; i < times->fitted; i++) {
        mean_sim += times->items[i].simulated_ms / n;
        mean_measured += times->items[i].measured_ms / n;
    }
    double both = 0;
    double square = 0;
    for (size_t i = 0; i < times->fitted; i++) {
        double off_ms = times->items[i].simulated_ms - mean_sim;
        square += off_ms * off_ms;
        both += off_ms * (times->items[i].measured_ms - mean_measured);
    }
    if (sqrt(square / n) < LEAST_SPREAD * mean_sim) {
        return tk_fail(err, -ENODATA,
                       "run times: all tasks take %.0f ms in the simulation, so that a factor and "
                       "a start-up overhead cannot be told apart: give the overhead",
                       mean_sim);
    }
    *ret_slope = both / square;
    *ret_overhead_ms = round(mean_measured - *ret_slope * mean_sim);
    if (*ret_overhead_ms < 0)
        *ret_overhead_ms = 0;
    *ret_slope = slope_for(times, *ret_overhead_ms);
    return 0;
}

static int fit_times(struct calibrating *calibrating, const struct run_times *times,
                     struct tk_err *err)
{
    const struct tk_calibrate_options *options = calibrating->options;
    struct tk_calibrate_result *result = calibrating->result;
    if (times->fitted < LEAST_TASKS) {
        return tk_fail(err, -ENODATA,
                       "run times: %zu tasks were measured and completed in the first two thirds "
                       "of the time, expected %d or more",
                       times->fitted, LEAST_TASKS);
    }
    double slope = 1;
    double overhead_ms = (double)options->startup_ms;
    int rc = 0;
    if (options->startup_ms >= 0) {
        slope = slope_for(times, overhead_ms);
    } else {
        rc = fit_line(times, &slope, &overhead_ms, err);
    }
    if (rc < 0)
        return rc;
    if (!(slope > 0)) {
        return tk_fail(err, -ENODATA,
                       "run times: tasks that take longer in the simulation took less when "
                       "measured: no factor fits");
    }
    const struct run_time *held = times->items + times->fitted;
    size_t held_count = times->count - times->fitted;
    result->has_run_times = true;
    result->slope = slope;
    result->overhead_ms = overhead_ms;
    result->run_times = (struct tk_fit_errors){
        .before = error_of(times->items, times->fitted, 1, 0),
        .after = error_of(times->items, times->fitted, slope, overhead_ms),
        .held_before = error_of(held, held_count, 1, 0),
        .held_after = error_of(held, held_count, slope, overhead_ms),
        .count = times->fitted,
        .held_count = held_count,
    };
    result->calibration.startup_ms = (int64_t)overhead_ms;
    if (options->factor == TK_FACTOR_CORE_SPEED) {
        result->calibration.core_speed = round(FACTOR_DIGITS / slope) / FACTOR_DIGITS;
    } else {
        result->calibration.scale_duration = round(FACTOR_DIGITS * slope) / FACTOR_DIGITS;
    }
    return 0;
}

static int fit_run_times(struct calibrating *calibrating, struct tk_err *err)
{
    struct run_times times = {0};
    int rc = collect_run_times(&calibrating->pairs, &times, err);
    rc = rc < 0 ? rc : fit_times(calibrating, &times, err);
    free(times.items);
    return cannot(calibrating, calibrating->options->what == TK_FIT_RUN_TIMES, rc, err);
}

/* Power ---------------------------------------------------------------------------------------- */

/* Load and power between two changes of the energy counter, in the order of time. */
static int collect_power(const struct tk_host *host, struct tk_power_sample **ret_samples,
                         size_t *ret_count, size_t *ret_fitted, struct tk_err *err)
{
    struct tk_power_sample *samples = malloc((host->watt.count + 1) * sizeof(*samples));
    if (!samples)
        return tk_fail(err, -ENOMEM, "out of memory");
    double from_ms = host->watt.items[0].from_ms;
    double reach_ms = host->watt.items[host->watt.count - 1].to_ms - from_ms;
    size_t count = 0;
    *ret_fitted = 0;
    for (size_t i = 0; i < host->watt.count; i++) {
        const struct tk_interval *span = &host->watt.items[i];
        double load = tk_intervals_mean(&host->util, span->from_ms, span->to_ms);
        if (isnan(load) || !(span->value > 0))
            continue;
        samples[count++] = (struct tk_power_sample){fmin(fmax(load, 0), 1), span->value};
        *ret_fitted += span->to_ms - from_ms <= FITTED * reach_ms;
    }
    *ret_samples = samples;
    *ret_count = count;
    return 0;
}

static int keep_fit(struct tk_calibrate_result *result, const char *host,
                    const struct tk_power_model *model, const struct tk_fit_errors *errors,
                    struct tk_err *err)
{
    size_t count = result->calibration.power_count;
    struct tk_host_fit *power = realloc(result->power, (count + 1) * sizeof(*power));
    if (!power)
        return tk_fail(err, -ENOMEM, "out of memory");
    result->power = power;
    power[count] = (struct tk_host_fit){.errors = *errors};
    (void)snprintf(power[count].host, sizeof(power[count].host), "%s", host);
    return tk_calibration_add_power(&result->calibration, host, model, err);
}

static int fit_host(struct calibrating *calibrating, const struct tk_host *host, struct tk_err *err)
{
    if (host->watt.count == 0)
        return tk_fail(err, -ENODATA, "%s: no energy counter was recorded", host->name);
    struct tk_power_sample *samples = NULL;
    size_t count = 0;
    size_t fitted = 0;
    int rc = collect_power(host, &samples, &count, &fitted, err);
    if (rc < 0)
        return rc;
    struct tk_power_model model;
    rc = tk_power_fit(host->name, calibrating->options->power_kind, samples, fitted, &model, err);
    if (rc == 0) {
        const struct tk_power_sample *held = samples + fitted;
        const struct tk_fit_errors errors = {
            .before = tk_power_error(&tk_power_default, samples, fitted),
            .after = tk_power_error(&model, samples, fitted),
            .held_before = tk_power_error(&tk_power_default, held, count - fitted),
            .held_after = tk_power_error(&model, held, count - fitted),
            .count = fitted,
            .held_count = count - fitted,
        };
        rc = keep_fit(calibrating->result, host->name, &model, &errors, err);
    }
    free(samples);
    return rc;
}

static int fit_power(struct calibrating *calibrating, struct tk_err *err)
{
    bool is_asked = calibrating->options->what == TK_FIT_POWER;
    TK_CLEANUP(tk_hosts_release) struct tk_hosts hosts = {0};
    int rc = tk_hosts_read_measured(&hosts, calibrating->pairs.workload, NULL, 0, err);
    for (size_t i = 0; rc == 0 && i < hosts.count; i++) {
        rc = fit_host(calibrating, &hosts.items[i], err);
        rc = cannot(calibrating, is_asked, rc, err);
    }
    return rc;
}

/* The whole ------------------------------------------------------------------------------------ */

static int calibrate(struct calibrating *calibrating, struct tk_err *err)
{
    const struct tk_calibrate_options *options = calibrating->options;
    struct tk_calibrate_result *result = calibrating->result;
    const struct tk_pairs_options measured = {options->measured, NULL, options->workload};
    int rc = tk_pairs_read_measured(&calibrating->pairs, &measured, err);
    if (rc == 0 && !calibrating->pairs.workload) {
        return tk_fail(err, -EBADMSG, "%s: an export: name the run that it is of",
                       options->measured);
    }
    if (rc == 0 && options->simulated && options->what != TK_FIT_POWER) {
        rc = tk_pairs_find_output(options->simulated, result->simulated, err);
        rc = rc < 0 ? rc : tk_pairs_read_simulated(&calibrating->pairs, result->simulated, err);
        rc = rc < 0 ? rc : fit_run_times(calibrating, err);
    }
    if (rc == 0 && options->what != TK_FIT_RUN_TIMES)
        rc = fit_power(calibrating, err);
    if (rc == 0 && !result->has_run_times && result->calibration.power_count == 0) {
        return tk_fail(err, -ENODATA, "nothing to calibrate: %s",
                       result->note_count > 0 ? result->notes[0] : "no simulation is given");
    }
    return rc;
}

int tk_calibrate(const struct tk_calibrate_options *options, struct tk_calibrate_result *ret_result,
                 struct tk_err *err)
{
    struct tk_calibrate_result result = {.calibration = tk_calibration_none};
    struct calibrating calibrating = {.options = options, .result = &result};
    int rc = calibrate(&calibrating, err);
    tk_pairs_release(&calibrating.pairs);
    if (rc < 0) {
        tk_calibrate_release(&result);
        return rc;
    }
    *ret_result = result;
    return 0;
}

/* Telling -------------------------------------------------------------------------------------- */

static void put_f64(struct tk_buf *out, const char *key, double value)
{
    tk_json_put_key(out, key);
    if (isfinite(value)) {
        tk_buf_put_f64(out, value, TK_SHORTEST);
    } else {
        tk_buf_lit(out, "null");
    }
}

static void put_errors(struct tk_buf *out, const struct tk_fit_errors *errors)
{
    put_f64(out, "count", (double)errors->count);
    put_f64(out, "error_before_percent", errors->before);
    put_f64(out, "error_after_percent", errors->after);
    put_f64(out, "held_out", (double)errors->held_count);
    put_f64(out, "held_out_error_before_percent", errors->held_before);
    put_f64(out, "held_out_error_after_percent", errors->held_after);
}

static void put_power(struct tk_buf *out, const struct tk_calibrate_result *result)
{
    tk_json_put_key(out, "power");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < result->calibration.power_count; i++) {
        tk_json_put_comma(out);
        tk_buf_lit(out, "{\"host\":");
        tk_json_put_str(out, tk_str_from(result->power[i].host));
        put_errors(out, &result->power[i].errors);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

void tk_calibrate_put(struct tk_buf *out, const struct tk_calibrate_result *result)
{
    tk_calibration_put(out, &result->calibration);
    tk_json_put_key(out, "residuals");
    tk_buf_putc(out, '{');
    if (result->has_run_times) {
        tk_json_put_key(out, "run_times");
        tk_buf_lit(out, "{\"simulated\":");
        tk_json_put_str(out, tk_str_from(result->simulated));
        put_f64(out, "slope", result->slope);
        put_f64(out, "overhead_ms", result->overhead_ms);
        put_errors(out, &result->run_times);
        tk_buf_putc(out, '}');
    }
    put_power(out, result);
    tk_buf_putc(out, '}');
    tk_json_put_key(out, "notes");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < result->note_count; i++) {
        tk_json_put_comma(out);
        tk_json_put_str(out, tk_str_from(result->notes[i]));
    }
    tk_buf_putc(out, ']');
}
