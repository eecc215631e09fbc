/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "cmd/cmd.h"
#include "opendc/calibrate.h"
#include "opendc/opendc.h"

#define OUT_MAX ((size_t)16 << 20)

struct calibrate_opts {
    const char *measured;
    const char *simulated;
    const char *output;
    int what;
    int factor;
    int power_kind; /* 0 = the best, else one more than enum tk_power_kind */
    int64_t startup_ns;
    int service_mode;
    int profile;
    double assumed_mhz;
    bool json;
};

static const char *const whats[] = {"all", "run-times", "power", NULL};
static const char *const factors[] = {"core-speed", "durations", NULL};
static const char *const kinds[] = {"auto",  "linear", "sqrt",       "square",
                                    "cubic", "mse",    "asymptotic", NULL};
static const char *const modes[] = {"auto", "split", "service", "request", "node", NULL};

#define FIELD(name) offsetof(struct calibrate_opts, name)

static const struct tk_opt options[] = {
    {"measured", TK_OPT_STRING, FIELD(measured), "DIR", "run folder, or a folder that holds some",
     .letter = 'm'},
    {"simulated", TK_OPT_STRING, FIELD(simulated), "DIR",
     "what OpenDC wrote of its export: a folder with task.parquet, or one that holds one such",
     .letter = 's'},
    {"output", TK_OPT_STRING, FIELD(output), "DIR",
     "where to write the calibrated export: a new folder", .letter = 'o'},
    {"fit", TK_OPT_CHOICE, FIELD(what), "WHAT",
     "run-times, power, or all that the data can tell (all)", .choices = whats},
    {"apply", TK_OPT_CHOICE, FIELD(factor), "WHERE",
     "what the factor of run times changes: core-speed of the topology, or durations of fragments "
     "(core-speed)",
     .choices = factors},
    {"power-model", TK_OPT_CHOICE, FIELD(power_kind), "MODEL",
     "linear, sqrt, square, cubic, mse, asymptotic; auto = the one of the least error (auto)",
     .choices = kinds},
    {"startup-overhead-ms", TK_OPT_DURATION, FIELD(startup_ns), "MS",
     "start-up overhead of a task, where it is known (it is fitted)"},
    {"service-mode", TK_OPT_CHOICE, FIELD(service_mode), "MODE",
     "what the export took as a task (auto)", .choices = modes},
    {"cpu-freq-mhz", TK_OPT_F64, FIELD(assumed_mhz), "MHZ",
     "frequency of nodes that do not tell theirs (an error)", .env = "CPU_FREQ_MHZ",
     .max = 1000000},
    {"profile", TK_OPT_CHOICE, FIELD(profile), "PROFILE",
     "files for opendc (v2.4g and later), opendc-2.4f, opendc-2.4e or opendc-2.1 (opendc)",
     .choices = tk_opendc_profiles},
    {"json", TK_OPT_FLAG, FIELD(json), NULL, "one JSON object", .letter = 'j'},
    {0},
};

/* Table ---------------------------------------------------------------------------------------- */

static void put_percent(struct tk_buf *out, double value)
{
    if (isnan(value)) {
        tk_buf_lit(out, " |");
    } else {
        tk_buf_printf(out, " %.4g %% |", value);
    }
}

static void put_errors(struct tk_buf *out, const struct tk_fit_errors *errors)
{
    tk_buf_printf(out, " %zu |", errors->count);
    put_percent(out, errors->before);
    put_percent(out, errors->after);
    tk_buf_printf(out, " %zu |", errors->held_count);
    put_percent(out, errors->held_before);
    put_percent(out, errors->held_after);
    tk_buf_putc(out, '\n');
}

static void put_run_times(struct tk_buf *out, const struct tk_calibrate_result *result)
{
    const struct tk_calibration *calibration = &result->calibration;
    tk_buf_lit(out, "| run times | ");
    if (calibration->scale_duration != 1) {
        tk_buf_printf(out, "durations x %.6g", calibration->scale_duration);
    } else {
        tk_buf_printf(out, "core speed x %.6g", calibration->core_speed);
    }
    tk_buf_printf(out, ", start-up %lld ms |", (long long)calibration->startup_ms);
    put_errors(out, &result->run_times);
}

static void put_power(struct tk_buf *out, const struct tk_calibrate_result *result, size_t i)
{
    const struct tk_power_model *model = &result->calibration.power[i].model;
    tk_buf_printf(out, "| power of %s | %s, %.6g to %.6g W", result->power[i].host,
                  tk_power_kinds[model->kind], model->idle_watt, model->max_watt);
    if (model->kind == TK_POWER_MSE)
        tk_buf_printf(out, ", r %.4g", model->shape);
    if (model->kind == TK_POWER_ASYMPTOTIC)
        tk_buf_printf(out, ", a %.4g", model->shape);
    tk_buf_lit(out, " |");
    put_errors(out, &result->power[i].errors);
}

static void put_table(struct tk_buf *out, const struct tk_calibrate_result *result)
{
    tk_buf_lit(out, "| | found | of | error before | after | held out | before | after |\n"
                    "|---|---|---|---|---|---|---|---|\n");
    if (result->has_run_times)
        put_run_times(out, result);
    for (size_t i = 0; i < result->calibration.power_count; i++)
        put_power(out, result, i);
    tk_buf_putc(out, '\n');
    for (size_t i = 0; i < result->note_count; i++)
        tk_buf_printf(out, "left out: %s\n", result->notes[i]);
}

/* The export ----------------------------------------------------------------------------------- */

static void say(void *context, const char *line)
{
    (void)context;
    (void)fprintf(stderr, "tracekit calibrate: %s\n", line);
}

static int write_export(const struct calibrate_opts *opts, const struct tk_calibrate_result *result,
                        struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf members;
    tk_buf_init(&members, OUT_MAX);
    /* A comma goes before each member but one that follows a bracket. */
    tk_buf_putc(&members, '{');
    tk_calibrate_put(&members, result);
    int rc = tk_buf_check(&members, "calibration", err);
    if (rc < 0)
        return rc;
    const struct tk_opendc_options export = {
        .workload = {.folders = &opts->measured,
                     .folder_count = 1,
                     .mode = (enum tk_service_mode)opts->service_mode,
                     .assumed_mhz = opts->assumed_mhz,
                     .smt_factor = 1},
        .to = opts->output,
        .profile = (enum tk_opendc_profile)opts->profile,
        .floor_mhz = TK_FLOOR_MHZ,
        .scale_cpu = 1,
        .scale_duration = 1,
        .headroom = 1,
        .core_speed = 1,
        .calibration = &result->calibration,
        .calibration_json = {members.p + 1, members.n - 1},
        .codec = TK_PARQUET_SNAPPY,
        .say = say,
    };
    struct tk_opendc_report report = {0};
    return tk_opendc_export(&export, &report, err);
}

static int calibrate(const struct calibrate_opts *opts, struct tk_err *err)
{
    const struct tk_calibrate_options given = {
        .measured = opts->measured,
        .simulated = opts->simulated,
        .workload = {.mode = (enum tk_service_mode)opts->service_mode,
                     .assumed_mhz = opts->assumed_mhz},
        .what = (enum tk_fit_what)opts->what,
        .factor = (enum tk_fit_factor)opts->factor,
        .power_kind =
            opts->power_kind == 0 ? TK_POWER_KINDS : (enum tk_power_kind)(opts->power_kind - 1),
        .startup_ms = opts->startup_ns < 0 ? -1 : opts->startup_ns / TK_NS_PER_MS,
    };
    TK_CLEANUP(tk_calibrate_release) struct tk_calibrate_result result = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    int rc = tk_calibrate(&given, &result, err);
    rc = rc < 0 ? rc : write_export(opts, &result, err);
    if (rc < 0)
        return rc;
    if (opts->json) {
        tk_buf_putc(&out, '{');
        tk_calibrate_put(&out, &result);
        tk_buf_lit(&out, "}\n");
    } else {
        put_table(&out, &result);
        tk_buf_printf(&out, "%s: the run as an export with this calibration\n", opts->output);
    }
    rc = tk_buf_check(&out, "calibration", err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
}

/* What is there is never changed. */
static int check_output(const char *output, struct tk_err *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/manifest.json", output);
    if (n < (int)sizeof(path) && access(path, F_OK) == 0)
        return tk_fail(err, -EEXIST, "%s: an export is there already: name a new folder", output);
    return 0;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct calibrate_opts opts = {.startup_ns = -1};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (!opts.measured || !opts.output)
        return tk_cmd_usage(cmd, "expected --measured DIR and --output DIR");
    if (!opts.simulated && opts.what == TK_FIT_RUN_TIMES)
        return tk_cmd_usage(cmd, "run times need a simulation: expected --simulated DIR");
    if (check_output(opts.output, &err) < 0 || calibrate(&opts, &err) < 0)
        return tk_cmd_fail(cmd, &err);
    return TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_calibrate = {
    .name = "calibrate",
    .args = "",
    .help = "fit an export to what was measured: speed, overhead, power",
    .about = "Fits the factor and the start-up overhead of run times to a simulation of the\n"
             "run, and a power model to the load and energy of each host; writes an export\n"
             "that has them. The last third of the time is held out: its error tells what\n"
             "they are worth.\n"
             "\n"
             "  tracekit calibrate -m night -s night-opendc/output/*/raw-output/0 -o better\n"
             "  tracekit export opendc other-night -o other --calibration better",
    .options = options,
    .mixed = true,
    .run = run,
};
