/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/export.h"
#include "opendc/opendc.h"
#include "opendc/simulators.h"

static void say(void *context, const char *line)
{
    (void)context;
    (void)fprintf(stderr, "tracekit export: %s\n", line);
}

static void show(const char *to, const struct tk_opendc_report *report)
{
    printf("%s: %lld task%s, %lld fragment%s, %.3f s of CPU time", to, (long long)report->tasks,
           report->tasks == 1 ? "" : "s", (long long)report->fragments,
           report->fragments == 1 ? "" : "s", (double)report->cpu_ns / (double)TK_NS_PER_S);
    if (report->counts.unattributed_ns != 0) {
        printf(" (%.3f s more while no task was active)",
               (double)report->counts.unattributed_ns / (double)TK_NS_PER_S);
    }
    printf("\nduration %.0f to %.0f ms, capacity %.6g to %.6g MHz, memory %.0f to %.0f kB (%.0f to "
           "%.0f MB)\n",
           report->duration_ms.low, report->duration_ms.high, report->capacity_mhz.low,
           report->capacity_mhz.high, report->mem_kb.low, report->mem_kb.high,
           report->mem_kb.low / 1000, report->mem_kb.high / 1000);
    if (report->even > 0) {
        printf("%lld task%s without samples: the total is known, its course taken as even\n",
               (long long)report->even, report->even == 1 ? "" : "s");
    }
    if (report->sums.floored > 0) {
        printf("%lld idle fragments raised to the floor: %.6g MHz s of work in all\n",
               (long long)report->sums.floored, report->sums.floor_mhz_ms / 1000);
    }
}

static struct tk_opendc_options options_of(const struct tk_export_opts *opts,
                                           const char *const *folders, size_t count)
{
    /* The second generation took an unknown frequency for this one. */
    const double assumed_by_gen2 = 2400;
    struct tk_opendc_options options = {
        .workload = {.folders = folders,
                     .folder_count = count,
                     .mode = (enum tk_service_mode)opts->service_mode,
                     .cpu_unit = (enum tk_cpu_unit)opts->cpu_unit,
                     .reference_mhz = opts->reference_mhz,
                     .assumed_mhz = opts->assumed_mhz,
                     .smt_factor = opts->smt_factor},
        .to = opts->output,
        .profile = (enum tk_opendc_profile)opts->profile,
        .compat = (enum tk_compat)opts->compat,
        .exact_compat = opts->exact,
        .ids = (enum tk_task_ids)opts->ids,
        .count_method = (enum tk_count_method)opts->count_method,
        .floor_mhz = opts->floor_mhz,
        .scale_cpu = opts->scale_cpu,
        .scale_duration = opts->scale_duration,
        .startup_ms = opts->startup_ns / TK_NS_PER_MS,
        .shift_ms = opts->shift_ms,
        .headroom = opts->headroom,
        .core_speed = opts->core_speed,
        .cpu_ratio = opts->cpu_ratio,
        .per_node = opts->per_node,
        .no_estimate = opts->no_estimate,
        .anonymise = opts->anonymise,
        .top = opts->top,
        .environment =
            {[TK_ENVIRONMENT_CARBON] = opts->carbon, [TK_ENVIRONMENT_FAILURES] = opts->failures},
        .say = say,
    };
    if (options.compat == TK_COMPAT_GEN2 && options.workload.assumed_mhz <= 0)
        options.workload.assumed_mhz = assumed_by_gen2;
    return options;
}

static int take_codec(const struct tk_export_opts *opts, struct tk_opendc_options *options,
                      struct tk_err *err)
{
    const char *name = opts->compression ? opts->compression : "snappy";
    return tk_parquet_codec_parse(tk_str_from(name), &options->codec, err);
}

static int run(const struct tk_export_format *format, const struct tk_export_opts *opts,
               const char *const *folders, size_t count, struct tk_err *err)
{
    (void)format;
    struct tk_opendc_options options = options_of(opts, folders, count);
    struct tk_opendc_report report = {0};
    TK_CLEANUP(tk_calibration_release) struct tk_calibration calibration = {0};
    int rc = take_codec(opts, &options, err);
    if (rc == 0 && opts->calibration) {
        rc = tk_calibration_read(opts->calibration, &calibration, err);
        options.calibration = &calibration;
    }
    rc = rc < 0 ? rc : tk_opendc_export(&options, &report, err);
    if (rc == 0)
        show(opts->output, &report);
    return rc;
}

static const struct tk_simulator *simulator_of(const struct tk_export_format *format)
{
    size_t i = 0;
    while (strcmp(tk_simulators[i]->name, format->name) != 0)
        i++;
    return tk_simulators[i];
}

static int run_simulator(const struct tk_export_format *format, const struct tk_export_opts *opts,
                         const char *const *folders, size_t count, struct tk_err *err)
{
    struct tk_opendc_options options = options_of(opts, folders, count);
    struct tk_opendc_report report = {0};
    int rc = take_codec(opts, &options, err);
    rc = rc < 0 ? rc : tk_simulator_export(simulator_of(format), &options, &report, err);
    if (rc < 0)
        return rc;
    printf("%s: %lld task%s, %.3f s of CPU time\n", opts->output, (long long)report.tasks,
           report.tasks == 1 ? "" : "s", (double)report.cpu_ns / (double)TK_NS_PER_S);
    if (report.estimated > 0) {
        (void)fprintf(stderr,
                      "tracekit export: %lld of %lld tasks have no samples: half a core is an "
                      "estimate\n",
                      (long long)report.estimated, (long long)report.tasks);
    }
    return 0;
}

const struct tk_export_format tk_export_opendc = {
    .name = "opendc",
    .run = run,
};

/* NOLINTBEGIN(bugprone-macro-parentheses): a name, as it is */
#define SIMULATOR(format)                                                                          \
    const struct tk_export_format tk_export_##format = {.name = #format, .run = run_simulator}
/* NOLINTEND(bugprone-macro-parentheses) */

SIMULATOR(batsim);
SIMULATOR(planetlab);
SIMULATOR(simgrid);
SIMULATOR(swf);
SIMULATOR(usage);
SIMULATOR(wfformat);
SIMULATOR(wta);

const struct tk_export_format tk_export_chrome = {
    .name = "chrome",
    .has_spans = true,
    .spans_instead = true,
    .spans = &tk_span_encoder_chrome,
    .run = run_simulator,
};
