/* SPDX-License-Identifier: Apache-2.0 */
#include "opendc/calibration.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/number.h"

#define MANIFEST_MAX ((size_t)64 << 20)
#define SCRATCH_MAX  ((size_t)1 << 20)
#define FACTOR_MAX   1e6
#define MS_MAX       1000000000000LL

const struct tk_calibration tk_calibration_none = {
    .core_speed = 1, .scale_cpu = 1, .scale_duration = 1};

void tk_calibration_release(struct tk_calibration *calibration)
{
    free(calibration->power);
    *calibration = (struct tk_calibration){0};
}

int tk_calibration_add_power(struct tk_calibration *calibration, const char *host,
                             const struct tk_power_model *model, struct tk_err *err)
{
    size_t count = calibration->power_count + 1;
    struct tk_host_power *power = realloc(calibration->power, count * sizeof(*power));
    if (!power)
        return tk_fail(err, -ENOMEM, "out of memory");
    calibration->power = power;
    calibration->power_count = count;
    struct tk_host_power *last = &power[count - 1];
    *last = (struct tk_host_power){.model = *model};
    (void)snprintf(last->host, sizeof(last->host), "%s", host);
    return 0;
}

const struct tk_power_model *tk_calibration_find_power(const struct tk_calibration *calibration,
                                                       const char *host)
{
    for (size_t i = 0; i < calibration->power_count; i++) {
        if (strcmp(calibration->power[i].host, host) == 0)
            return &calibration->power[i].model;
    }
    return NULL;
}

/* Writing -------------------------------------------------------------------------------------- */

void tk_calibration_put(struct tk_buf *out, const struct tk_calibration *calibration)
{
    tk_json_put_member_f64(out, "core_speed_factor", calibration->core_speed);
    tk_json_put_member_f64(out, "scale_cpu", calibration->scale_cpu);
    tk_json_put_member_f64(out, "scale_duration", calibration->scale_duration);
    tk_json_put_member_f64(out, "startup_overhead_ms", (double)calibration->startup_ms);
    tk_json_put_member_f64(out, "shift_ms", (double)calibration->shift_ms);
    tk_json_put_key(out, "power");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < calibration->power_count; i++) {
        const struct tk_host_power *power = &calibration->power[i];
        tk_json_put_comma(out);
        tk_buf_lit(out, "{\"host\":");
        tk_json_put_str(out, tk_str_from(power->host));
        tk_json_put_member_str(out, "model", tk_str_from(tk_power_kinds[power->model.kind]));
        tk_json_put_member_f64(out, "idle_watt", power->model.idle_watt);
        tk_json_put_member_f64(out, "max_watt", power->model.max_watt);
        tk_json_put_member_f64(out, "shape", power->model.shape);
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
}

/* Reading -------------------------------------------------------------------------------------- */

static int read_kind(struct tk_json *json, struct tk_arena *scratch, enum tk_power_kind *ret,
                     struct tk_err *err)
{
    tk_str text;
    int rc = tk_json_read_str(json, scratch, &text, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < TK_POWER_KINDS; i++) {
        if (!tk_str_eq(text, tk_str_from(tk_power_kinds[i])))
            continue;
        *ret = (enum tk_power_kind)i;
        return 0;
    }
    return tk_fail(err, -EBADMSG, "'%.*s' is no power model", TK_STR_ARG(text));
}

static int read_power_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                             struct tk_err *err)
{
    struct tk_host_power *power = into;
    if (tk_str_eq(key, TK_STR("idle_watt")))
        return tk_json_read_f64(json, &power->model.idle_watt, err);
    if (tk_str_eq(key, TK_STR("max_watt")))
        return tk_json_read_f64(json, &power->model.max_watt, err);
    if (tk_str_eq(key, TK_STR("shape")))
        return tk_json_read_f64(json, &power->model.shape, err);
    if (tk_str_eq(key, TK_STR("model")))
        return read_kind(json, scratch, &power->model.kind, err);
    if (!tk_str_eq(key, TK_STR("host")))
        return 1;
    tk_str host;
    int rc = tk_json_read_str(json, scratch, &host, err);
    if (rc == 0)
        (void)snprintf(power->host, sizeof(power->host), "%.*s", TK_STR_ARG(host));
    return rc;
}

static bool makes_sense(const struct tk_host_power *power)
{
    const struct tk_power_model *model = &power->model;
    bool has_shape = model->kind == TK_POWER_MSE || model->kind == TK_POWER_ASYMPTOTIC;
    return power->host[0] && model->idle_watt >= 0 && model->max_watt >= model->idle_watt &&
           isfinite(model->max_watt) && isfinite(model->shape) && (!has_shape || model->shape > 0);
}

static int read_power(struct tk_json *json, struct tk_arena *scratch,
                      struct tk_calibration *calibration, struct tk_err *err)
{
    int rc = tk_json_enter_array(json, err);
    while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0) {
        struct tk_host_power power = {0};
        rc = tk_json_read_members(json, scratch, read_power_member, &power, err);
        if (rc == 0 && !makes_sense(&power)) {
            return tk_fail(err, -EBADMSG,
                           "calibration: the power model of host '%s' makes no sense", power.host);
        }
        rc = rc < 0 ? rc : tk_calibration_add_power(calibration, power.host, &power.model, err);
    }
    return rc < 0 ? rc : 0;
}

static int read_factor(struct tk_json *json, tk_str key, double *ret, struct tk_err *err)
{
    double value;
    int rc = tk_json_read_f64(json, &value, err);
    if (rc < 0)
        return rc;
    if (!(value > 0) || value > FACTOR_MAX) {
        return tk_fail(err, -EBADMSG, "calibration: %.*s is %g, expected a factor above 0",
                       TK_STR_ARG(key), value);
    }
    *ret = value;
    return 0;
}

static int read_ms(struct tk_json *json, tk_str key, int64_t least, int64_t *ret,
                   struct tk_err *err)
{
    int64_t value;
    int rc = tk_json_read_i64(json, &value, err);
    if (rc < 0)
        return rc;
    if (value < least || value > MS_MAX) {
        return tk_fail(err, -EBADMSG, "calibration: %.*s is %lld ms", TK_STR_ARG(key),
                       (long long)value);
    }
    *ret = value;
    return 0;
}

static int read_member(struct tk_json *json, tk_str key, struct tk_arena *scratch, void *into,
                       struct tk_err *err)
{
    struct tk_calibration *calibration = into;
    const struct {
        const char *name;
        double *to;
    } factors[] = {{"core_speed_factor", &calibration->core_speed},
                   {"scale_cpu", &calibration->scale_cpu},
                   {"scale_duration", &calibration->scale_duration}};
    for (size_t i = 0; i < TK_COUNTOF(factors); i++) {
        if (tk_str_eq(key, tk_str_from(factors[i].name)))
            return read_factor(json, key, factors[i].to, err);
    }
    if (tk_str_eq(key, TK_STR("startup_overhead_ms")))
        return read_ms(json, key, 0, &calibration->startup_ms, err);
    if (tk_str_eq(key, TK_STR("shift_ms")))
        return read_ms(json, key, -MS_MAX, &calibration->shift_ms, err);
    if (tk_str_eq(key, TK_STR("power")))
        return read_power(json, scratch, calibration, err);
    return 1;
}

struct reading {
    struct tk_calibration calibration;
    bool is_there;
};

static int read_manifest_member(struct tk_json *json, tk_str key, struct tk_arena *scratch,
                                void *into, struct tk_err *err)
{
    struct reading *reading = into;
    if (!tk_str_eq(key, TK_STR("calibration")))
        return 1;
    reading->is_there = true;
    return tk_json_read_members(json, scratch, read_member, &reading->calibration, err);
}

int tk_calibration_parse(tk_str text, struct tk_calibration *ret_calibration, struct tk_err *err)
{
    TK_CLEANUP(tk_arena_release) struct tk_arena scratch = {0};
    int rc = tk_arena_init(&scratch, SCRATCH_MAX, err);
    if (rc < 0)
        return rc;
    struct tk_json json;
    struct reading reading = {.calibration = tk_calibration_none};
    tk_json_init(&json, text);
    rc = tk_json_read_members(&json, &scratch, read_manifest_member, &reading, err);
    rc = rc < 0 ? rc : tk_json_expect_end(&json, err);
    if (rc == 0 && !reading.is_there)
        rc = tk_fail(err, -EBADMSG, "no calibration in it: expected what tracekit calibrate wrote");
    if (rc < 0) {
        tk_calibration_release(&reading.calibration);
        return rc;
    }
    *ret_calibration = reading.calibration;
    return 0;
}

int tk_calibration_read(const char *path, struct tk_calibration *ret_calibration,
                        struct tk_err *err)
{
    char name[PATH_MAX];
    struct stat st;
    bool is_folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (snprintf(name, sizeof(name), "%s%s", path, is_folder ? "/manifest.json" : "") >=
        (int)sizeof(name))
        return tk_fail(err, -ENAMETOOLONG, "%s: too long a path", path);
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, MANIFEST_MAX);
    int rc = tk_file_load(AT_FDCWD, name, &text, err);
    if (rc < 0)
        return rc;
    rc = tk_calibration_parse(tk_buf_str(&text), ret_calibration, err);
    return rc < 0 ? tk_err_prefix(err, "%s", name) : 0;
}
