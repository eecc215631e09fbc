/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "cmd/cmd.h"
#include "cmd/export.h"
#include "cmd/runs.h"
#include "opendc/opendc.h"

/* One format a line, by name. */
/* clang-format off */
static const struct tk_export_format *const formats[] = {
    &tk_export_batsim,
    &tk_export_chrome,
    &tk_export_csv,
    &tk_export_gent,
    &tk_export_jaeger,
    &tk_export_jsonl,
    &tk_export_opendc,
    &tk_export_otlp,
    &tk_export_otlp_proto,
    &tk_export_parquet,
    &tk_export_perfetto,
    &tk_export_planetlab,
    &tk_export_simgrid,
    &tk_export_swf,
    &tk_export_usage,
    &tk_export_wfformat,
    &tk_export_wta,
    &tk_export_zipkin,
};
/* clang-format on */

/* Their names: the verbs of the command. */
static const char *const verbs[] = {"batsim",   "chrome",    "csv",     "gent",       "jaeger",
                                    "jsonl",    "opendc",    "otlp",    "otlp-proto", "parquet",
                                    "perfetto", "planetlab", "simgrid", "swf",        "usage",
                                    "wfformat", "wta",       "zipkin",  NULL};

static const char *const modes[] = {"auto", "split", "service", "request", "node", NULL};
static const char *const units[] = {"max", "base", "measured", NULL};
static const char *const methods[] = {"auto", "p95", "max", "request", "gen1", NULL};
static const char *const compats[] = {"off", "gen1", "gen2", NULL};
static const char *const ids[] = {"sequential", "pid", "auto", NULL};

#define FIELD(name) offsetof(struct tk_export_opts, name)

static const struct tk_opt options[] = {
    {"input", TK_OPT_STRING, FIELD(input), "DIR",
     "run folder, or a folder that holds some; the same as the argument RUN", .letter = 'i'},
    {"output", TK_OPT_STRING, FIELD(output), "DIR", "where to write; made if missing",
     .letter = 'o'},
    {"compression", TK_OPT_STRING, FIELD(compression), "CODEC",
     "of Parquet files: none, snappy, gzip, lz4_raw, zstd (opendc, wta: snappy; parquet: zstd)"},
    {"service-mode", TK_OPT_CHOICE, FIELD(service_mode), "MODE",
     "what is a task: split = an invocation, with its share of its process; service = a process; "
     "request = an invocation with the CPU time that it says itself; node = the load of a node; "
     "auto = the first of split, service, node that the run has (auto)",
     .choices = modes},
    {"cpu-unit", TK_OPT_CHOICE, FIELD(cpu_unit), "WHICH",
     "frequency that CPU time is multiplied by: max, base or measured (max)", .choices = units},
    {"cpu-count-method", TK_OPT_CHOICE, FIELD(count_method), "WHICH",
     "cores of a task: request = as it asked for; p95 or max of those in use; gen1; auto = request "
     "where known, else p95 (auto)",
     .choices = methods},
    {"reference-mhz", TK_OPT_F64, FIELD(reference_mhz), "MHZ",
     "take all nodes as so fast (each as it is)", .max = 1000000},
    {"cpu-freq-mhz", TK_OPT_F64, FIELD(assumed_mhz), "MHZ",
     "frequency of nodes that do not tell theirs (an error)", .env = "CPU_FREQ_MHZ",
     .max = 1000000},
    {"smt-factor", TK_OPT_F64, FIELD(smt_factor), "X",
     "capacity of a hardware thread beyond the first of its core (1)", .max = 1},
    {"top", TK_OPT_INT, FIELD(top), "N", "only the N earliest tasks (all)", .min = 1,
     .max = INT64_MAX},
    {"anonymise", TK_OPT_FLAG, FIELD(anonymise), NULL,
     "hash names, hosts, paths and ids: the same gives the same"},
    {"no-estimate", TK_OPT_FLAG, FIELD(no_estimate), NULL,
     "leave out tasks of whose CPU time nothing is known (they count as half a core)"},
    {"profile", TK_OPT_CHOICE, FIELD(profile), "PROFILE",
     "opendc: files for opendc (v2.4g and later), opendc-2.4f, opendc-2.4e or opendc-2.1 (opendc)",
     .choices = tk_opendc_profiles},
    {"compat", TK_OPT_CHOICE, FIELD(compat), "GEN",
     "opendc: formulas of the old exporters, gen1 or gen2, flaws included (off)",
     .choices = compats},
    {"exact", TK_OPT_FLAG, FIELD(exact), NULL,
     "opendc: with --compat also joins by the pid alone and the cap of 2400 MHz"},
    {"task-id-mode", TK_OPT_CHOICE, FIELD(ids), "MODE",
     "opendc: sequential, pid, or auto = pid where unique (sequential)", .choices = ids},
    {"idle-floor", TK_OPT_F64, FIELD(floor_mhz), "MHZ",
     "opendc: least usage of a fragment; 0 = no floor, for policy NoDelay only (0.1)",
     .max = 1000000},
    {"scale-cpu", TK_OPT_F64, FIELD(scale_cpu), "X", "opendc: usage by this factor (1)",
     .max = 1000000},
    {"scale-duration", TK_OPT_F64, FIELD(scale_duration), "X",
     "opendc: durations by this factor (1)", .max = 1000000},
    {"startup-overhead-ms", TK_OPT_DURATION, FIELD(startup_ns), "MS",
     "opendc: added to each task's first fragment (0)"},
    {"shift-ms", TK_OPT_INT, FIELD(shift_ms), "MS", "opendc: added to each submission (0)",
     .min = INT64_MIN / 4, .max = INT64_MAX / 4},
    {"mem-headroom", TK_OPT_F64, FIELD(headroom), "X", "opendc: memory by this factor (1)",
     .max = 1000000},
    {"scale-core-speed", TK_OPT_F64, FIELD(core_speed), "X",
     "opendc: speed of cores in the topology by this factor (1)", .max = 1000000},
    {"allocation-ratio", TK_OPT_F64, FIELD(cpu_ratio), "X",
     "opendc: a host takes tasks of so many times its cores (policy Mem of OpenDC)",
     .max = 1000000},
    {"calibration", TK_OPT_STRING, FIELD(calibration), "FILE",
     "opendc: what tracekit calibrate found: its folder or manifest.json; factors multiply, times "
     "add up"},
    {"per-node", TK_OPT_FLAG, FIELD(per_node), NULL,
     "opendc: besides a trace and a topology of one host for each node, in nodes/"},
    {"carbon", TK_OPT_STRING, FIELD(carbon), "FILE",
     "opendc: intensity of the grid, CSV or Parquet: timestamp (ms since 1970), carbon_intensity "
     "(gCO2/kWh)"},
    {"failures", TK_OPT_STRING, FIELD(failures), "FILE",
     "opendc: failures of hosts, CSV or Parquet: failure_interval, failure_duration (ms), "
     "failure_intensity (share of hosts)"},
    {0},
};

static const struct tk_export_format *find_format(const char *name)
{
    for (size_t i = 0; i < TK_COUNTOF(formats); i++) {
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    }
    return NULL;
}

static int unknown_format(const struct tk_cmd *cmd, const char *name)
{
    const char *meant = tk_nearest_find(name, verbs, TK_COUNTOF(verbs) - 1);
    if (meant)
        return tk_cmd_usage(cmd, "'%s' is no format: did you mean '%s'?", name, meant);
    return tk_cmd_usage(cmd, "'%s' is no format", name);
}

/* The runs of the arguments, or of --input, or the last one. */
static int find_runs(struct tk_runs *runs, const struct tk_export_opts *opts, int argc, char **argv,
                     struct tk_err *err)
{
    char path[4096];
    if (!opts->input)
        return tk_runs_find(runs, argc, argv, err);
    char *given[] = {path};
    (void)snprintf(path, sizeof(path), "%s", opts->input);
    return tk_runs_find(runs, 1, given, err);
}

/* Runs and their spans ------------------------------------------------------------------------- */

static bool has_spans(const char *folder)
{
    char path[PATH_MAX + 8];
    (void)snprintf(path, sizeof(path), "%s/spans", folder);
    return access(path, F_OK) == 0;
}

/* One run: its spans, and its tables where the format has both. */
static int export_one(const struct tk_export_format *format, const struct tk_export_opts *opts,
                      const char *folder, struct tk_err *err)
{
    int rc = tk_export_spans(format, folder, opts->output, err);
    if (rc < 0)
        return rc;
    if (rc == 1 && !format->run)
        return tk_fail(err, -ENOENT, "%s: holds no spans", folder);
    if (rc == 0 && (!format->run || format->spans_instead))
        return 0;
    bool has_written = rc == 0;
    rc = format->run(format, opts, &folder, 1, err);
    return has_written && rc == -ENOENT ? 0 : rc; /* a run of spans may have no tables */
}

/* Runs of which some hold spans: each in its folder when there are several. */
static int export_each(const struct tk_export_format *format, const struct tk_export_opts *opts,
                       const struct tk_runs *runs, struct tk_err *err)
{
    int rc = 0;
    if (opts->anonymise)
        return tk_fail(err, -EINVAL, "--anonymise is of no use here: spans keep names and ids");
    for (size_t i = 0; rc == 0 && i < runs->count; i++) {
        struct tk_export_opts own = *opts;
        char path[PATH_MAX];
        tk_str name = tk_str_base_name(tk_str_from(runs->paths[i]));
        (void)snprintf(path, sizeof(path), "%s%s%.*s", opts->output, runs->count > 1 ? "/" : "",
                       runs->count > 1 ? (int)name.n : 0, name.p);
        own.output = path;
        rc = export_one(format, &own, runs->paths[i], err);
    }
    return rc;
}

static int export_runs(const struct tk_export_format *format, const struct tk_export_opts *opts,
                       const struct tk_runs *runs, struct tk_err *err)
{
    bool any = !format->run;
    for (size_t i = 0; i < runs->count && format->has_spans; i++)
        any = any || has_spans(runs->paths[i]);
    return any ? export_each(format, opts, runs, err)
               : format->run(format, opts, runs->paths, runs->count, err);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct tk_export_opts opts = {.floor_mhz = TK_FLOOR_MHZ,
                                  .scale_cpu = 1,
                                  .scale_duration = 1,
                                  .smt_factor = 1,
                                  .headroom = 1,
                                  .core_speed = 1};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    const struct tk_export_format *format = find_format(argv[first]);
    if (!format)
        return unknown_format(cmd, argv[first]);
    first++;
    if (opts.input && first < argc)
        return tk_cmd_usage(cmd, "'%s': the run is given by --input already", argv[first]);
    if (!opts.output)
        return tk_cmd_usage(cmd, "expected --output DIR");
    TK_CLEANUP(tk_runs_release) struct tk_runs runs = {0};
    int rc = find_runs(&runs, &opts, argc - first, argv + first, &err);
    rc = rc < 0 ? rc : export_runs(format, &opts, &runs, &err);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

const struct tk_cmd tk_cmd_export = {
    .name = "export",
    .args = "FORMAT [RUN...]",
    .missing = "expected a format, such as opendc",
    .help = "write a run in the format of another tool",
    .about = "FORMAT is one of\n"
             "  opendc    a folder that the simulator OpenDC loads\n"
             "  batsim    jobs and profiles for the simulator Batsim\n"
             "  parquet   every table of the run as a Parquet file, and its spans\n"
             "  csv       every table of the run as a CSV file, and its spans\n"
             "  jsonl     every table of the run as JSON Lines, and its spans\n"
             "  otlp      invocations, figures and spans as OTLP/JSON, for OpenTelemetry\n"
             "  chrome    spans, or else tasks, for Perfetto (ui.perfetto.dev), speedscope\n"
             "  otlp-proto, jaeger, zipkin, perfetto, gent\n"
             "            spans alone, one file each\n"
             "  planetlab load of each node per five minutes, for CloudSim\n"
             "  simgrid   platform.xml, nodes and links, for SimGrid\n"
             "  swf       Standard Workload Format 2.2, of batch schedulers\n"
             "  usage     CPU of tasks per five minutes with percentiles, as Borg's traces\n"
             "  wfformat  workflows for WfCommons, one per trace\n"
             "  wta       tables of the Workflow Trace Archive\n"
             "RUN is a run folder, merged or not, a folder that holds some, or the name of a\n"
             "run in logs/.\n"
             "\n"
             "  tracekit export opendc logs/20261121T090229Z -o opendc_traces\n"
             "  tracekit export parquet logs/20261121T090229Z -o tables",
    .options = options,
    .verbs = verbs,
    .mixed = true,
    .reads_run_env = true,
    .run = run,
};
