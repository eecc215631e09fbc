/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "cmd/cmd.h"
#include "cmd/member.h"
#include "cmd/sweep.h"
#include "opendc/compare.h"

#define OUT_MAX ((size_t)64 << 20)

struct compare_opts {
    const char *measured;
    const char *simulated;
    const char *export;
    struct tk_compare_limits limits;
    int service_mode;
    double assumed_mhz;
    bool per_node;
    bool sweep;
    struct tk_sweep_opts sweeping;
};

static const char *const modes[] = {"auto", "split", "service", "request", "node", NULL};

#define LIMIT(name) offsetof(struct compare_opts, limits.name)

static const struct tk_opt options[] = {
    {"measured", TK_OPT_STRING, offsetof(struct compare_opts, measured), "DIR",
     "run folder, or the folder of an export", .letter = 'm'},
    {"simulated", TK_OPT_STRING, offsetof(struct compare_opts, simulated), "DIR",
     "what OpenDC wrote: a folder with task.parquet, or one that holds one such", .letter = 's'},
    {"per-node", TK_OPT_FLAG, offsetof(struct compare_opts, per_node), NULL,
     "each node with its own replay, from --simulated DIR/NODE or DIR/nodes/NODE"},
    {"service-mode", TK_OPT_CHOICE, offsetof(struct compare_opts, service_mode), "MODE",
     "of a run folder: what the export took as a task (auto)", .choices = modes},
    {"cpu-freq-mhz", TK_OPT_F64, offsetof(struct compare_opts, assumed_mhz), "MHZ",
     "of a run folder: frequency of nodes that do not tell theirs (an error)",
     .env = "CPU_FREQ_MHZ", .max = 1000000},
    {"export", TK_OPT_STRING, offsetof(struct compare_opts, export), "FILE",
     "write completions per minute as CSV"},
    {"sweep", TK_OPT_FLAG, offsetof(struct compare_opts, sweep), NULL,
     "rank the scenarios in OUT... instead, over their seeds"},
    {"rank", TK_OPT_CHOICE, offsetof(struct compare_opts, sweeping.order), "ORDER",
     "of a sweep: pareto = fronts that nothing beats in all criteria, sum = weighted sum of "
     "figures from 0 to 1, lex = by one criterion after the other (pareto)",
     .choices = tk_sweep_orders},
    {"by", TK_OPT_LIST, offsetof(struct compare_opts, sweeping.by), "CRITERION",
     "of a sweep: NAME[:asc|desc[:WEIGHT]], repeatable (turnaround_p95, makespan, "
     "energy_per_task)"},
    {"json", TK_OPT_FLAG, offsetof(struct compare_opts, sweeping.json), NULL, "one JSON object",
     .letter = 'j'},
    {"q50-th-pct", TK_OPT_F64, LIMIT(q50_percent), "%", "largest error of the median wait (5)"},
    {"q95-th-pct", TK_OPT_F64, LIMIT(q95_percent), "%", "of its 95th percentile (10)"},
    {"q99-th-pct", TK_OPT_F64, LIMIT(q99_percent), "%", "of its 99th percentile (20)"},
    {"ks-p", TK_OPT_F64, LIMIT(ks_p), "P", "least p of the test of distributions (0.05)"},
    {"completions-th-pct", TK_OPT_F64, LIMIT(completions_percent), "%",
     "largest RMSE of cumulative completions (3)"},
    {"makespan-th-pct", TK_OPT_F64, LIMIT(makespan_percent), "%",
     "largest error of the makespan (1)"},
    {"makespan-th-ms", TK_OPT_F64, LIMIT(makespan_ms), "MS",
     "the same where it is below ten minutes (6000)"},
    {"cpu-smape-th-pct", TK_OPT_F64, LIMIT(cpu_smape_percent), "%",
     "largest sMAPE of CPU of tasks and hosts (5)"},
    {"cpu-r", TK_OPT_F64, LIMIT(cpu_pearson), "R", "least correlation of it (0.95)"},
    {"cpu-rmse-th-pct", TK_OPT_F64, LIMIT(cpu_rmse_percent), "%",
     "largest RMSE of it, in per cent of the simulated median (10)"},
    {"power-r", TK_OPT_F64, LIMIT(power_pearson), "R", "least correlation of power (0.85)"},
    {"power-segment-r", TK_OPT_F64, LIMIT(power_segment_pearson), "R",
     "least mean correlation of its pieces of 300 s (0.9)"},
    {0},
};

static const char *const verdicts[] = {"PASS", "FAIL", "-"};

static void put_figure(struct tk_buf *out, double value)
{
    if (isnan(value)) {
        tk_buf_lit(out, " |");
    } else {
        tk_buf_printf(out, " %.6g |", value);
    }
}

static void put_markdown(struct tk_buf *out, const struct tk_compare_result *result)
{
    tk_buf_lit(out, "| metric | unit | measured | simulated | error | limit | |\n"
                    "|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < result->line_count; i++) {
        const struct tk_compare_line *line = &result->lines[i];
        tk_buf_printf(out, "| %s | %s |", line->name, line->unit);
        put_figure(out, line->measured);
        put_figure(out, line->simulated);
        if (isnan(line->error)) {
            tk_buf_lit(out, " |");
        } else {
            tk_buf_printf(out, " %.4g %s |", line->error, line->error_unit);
        }
        put_figure(out, line->limit);
        tk_buf_printf(out, " %s |\n", verdicts[line->verdict]);
    }
    tk_buf_printf(out,
                  "\n%s: %lld tasks compared; %lld only measured, %lld only simulated, %lld "
                  "terminated, %lld unfinished\n",
                  result->passed ? "PASS" : "FAIL", (long long)result->joined,
                  (long long)result->only_measured, (long long)result->only_simulated,
                  (long long)result->terminated, (long long)result->unfinished);
    for (size_t i = 0; i < result->note_count; i++)
        tk_buf_printf(out, "%s\n", result->notes[i]);
}

/* The members of the object of one comparison. */
static void put_members(struct tk_buf *out, const struct tk_compare_result *result)
{
    tk_member_put_bool(out, "passed", result->passed);
    tk_member_put_text(out, "simulated", tk_str_from(result->simulated));
    tk_member_put_i64(out, "tasks", result->joined);
    tk_member_put_i64(out, "only_measured", result->only_measured);
    tk_member_put_i64(out, "only_simulated", result->only_simulated);
    tk_member_put_i64(out, "terminated", result->terminated);
    tk_member_put_i64(out, "unfinished", result->unfinished);
    tk_member_open(out, "metrics", '[');
    for (size_t i = 0; i < result->line_count; i++) {
        const struct tk_compare_line *line = &result->lines[i];
        tk_element_open(out, '{');
        tk_member_put_text(out, "name", tk_str_from(line->name));
        tk_member_put_text(out, "unit", tk_str_from(line->unit));
        tk_member_put_f64(out, "measured", line->measured, TK_SHORTEST);
        tk_member_put_f64(out, "simulated", line->simulated, TK_SHORTEST);
        tk_member_put_f64(out, "error", line->error, TK_SHORTEST);
        tk_member_put_text(out, "error_unit", tk_str_from(line->error_unit));
        tk_member_put_f64(out, "limit", line->limit, TK_SHORTEST);
        tk_member_put_text(out, "verdict", tk_str_from(verdicts[line->verdict]));
        tk_buf_putc(out, '}');
    }
    tk_buf_putc(out, ']');
    tk_member_open(out, "notes", '[');
    for (size_t i = 0; i < result->note_count; i++) {
        tk_json_put_comma(out);
        tk_json_put_str(out, tk_str_from(result->notes[i]));
    }
    tk_buf_putc(out, ']');
}

/* Completions of each minute, and up to its end. */
static int write_csv(const char *path, const struct tk_compare_result *result, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    tk_buf_lit(&out, "time_ms,measured,simulated,measured_cumulative,simulated_cumulative\n");
    for (size_t i = 0; i < result->bin_count; i++) {
        double measured = result->measured_done[i] - (i > 0 ? result->measured_done[i - 1] : 0);
        double simulated = result->simulated_done[i] - (i > 0 ? result->simulated_done[i - 1] : 0);
        tk_buf_printf(&out, "%zu,%.0f,%.0f,%.0f,%.0f\n", (i + 1) * 60000, measured, simulated,
                      result->measured_done[i], result->simulated_done[i]);
    }
    int rc = tk_buf_check(&out, path, err);
    return rc < 0 ? rc : tk_file_write(AT_FDCWD, path, tk_buf_str(&out), 0644, err);
}

static struct tk_compare_options options_of(const struct compare_opts *opts)
{
    return (struct tk_compare_options){
        .measured = opts->measured,
        .simulated = opts->simulated,
        .workload = {.mode = (enum tk_service_mode)opts->service_mode,
                     .assumed_mhz = opts->assumed_mhz},
        .limits = opts->limits,
    };
}

static int compare_all(const struct compare_opts *opts, struct tk_buf *out, bool *ret_passed,
                       struct tk_err *err)
{
    const struct tk_compare_options given = options_of(opts);
    TK_CLEANUP(tk_compare_release) struct tk_compare_result result = {0};
    int rc = tk_opendc_compare(&given, &result, err);
    if (rc == 0 && opts->export)
        rc = write_csv(opts->export, &result, err);
    if (rc < 0)
        return rc;
    *ret_passed = result.passed;
    if (opts->sweeping.json) {
        tk_buf_putc(out, '{');
        put_members(out, &result);
        tk_buf_lit(out, "}\n");
    } else {
        put_markdown(out, &result);
    }
    return 0;
}

/* Nodes -------------------------------------------------------------------------------------- */

static int compare_node(const struct compare_opts *opts, const char *folder, const char *node,
                        struct tk_buf *out, struct tk_err *err)
{
    struct tk_compare_options given = options_of(opts);
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", folder, node) >= (int)sizeof(path))
        return tk_fail(err, -ENAMETOOLONG, "%s: too long a path", folder);
    given.simulated = path;
    given.node = node;
    TK_CLEANUP(tk_compare_release) struct tk_compare_result result = {0};
    int rc = tk_opendc_compare(&given, &result, err);
    if (rc < 0)
        return rc;
    if (opts->sweeping.json) {
        tk_element_open(out, '{');
        tk_member_put_text(out, "node", tk_str_from(node));
        put_members(out, &result);
        tk_buf_putc(out, '}');
    } else {
        tk_buf_printf(out, "## %s\n\n", node);
        put_markdown(out, &result);
        tk_buf_putc(out, '\n');
    }
    return result.passed;
}

static int is_node(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && entry->d_type == DT_DIR;
}

/* Each folder in DIR/nodes, or in DIR, is the replay of the node of its name. */
static int compare_nodes(const struct compare_opts *opts, struct tk_buf *out, bool *ret_passed,
                         struct tk_err *err)
{
    char folder[PATH_MAX];
    int n = snprintf(folder, sizeof(folder), "%s/nodes", opts->simulated);
    if (n >= (int)sizeof(folder) || access(folder, F_OK) < 0)
        (void)snprintf(folder, sizeof(folder), "%s", opts->simulated);
    struct dirent **entries;
    int count = scandir(folder, &entries, is_node, alphasort);
    if (count < 0)
        return tk_fail_errno(err, "%s", folder);
    int rc = count > 0 ? 1 : tk_fail(err, -ENOENT, "%s: no folder of a node", folder);
    *ret_passed = true;
    if (opts->sweeping.json)
        tk_buf_lit(out, "{\"nodes\":[");
    for (int i = 0; i < count; i++) {
        if (rc >= 0)
            rc = compare_node(opts, folder, entries[i]->d_name, out, err);
        *ret_passed = *ret_passed && rc == 1;
        free(entries[i]);
    }
    free((void *)entries);
    if (rc >= 0 && opts->sweeping.json) {
        tk_buf_putc(out, ']');
        tk_member_put_bool(out, "passed", *ret_passed);
        tk_buf_lit(out, "}\n");
    }
    return rc < 0 ? rc : 0;
}

static int compare(const struct compare_opts *opts, bool *ret_passed, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    int rc = opts->per_node ? compare_nodes(opts, &out, ret_passed, err)
                            : compare_all(opts, &out, ret_passed, err);
    rc = rc < 0 ? rc : tk_buf_check(&out, "comparison", err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
}

static int sweep(const struct tk_cmd *cmd, const struct compare_opts *opts, int argc, char **argv)
{
    struct tk_err err;
    if (argc == 0)
        return tk_cmd_usage(cmd, "--sweep: expected the output of OpenDC");
    if (opts->measured || opts->simulated)
        return tk_cmd_usage(cmd, "--sweep takes neither --measured nor --simulated");
    int rc = tk_sweep_show(&opts->sweeping, (const char *const *)argv, (size_t)argc, &err);
    if (rc == -EINVAL)
        return tk_cmd_usage(cmd, "option '--by': %s", err.msg);
    return rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct compare_opts opts = {.limits = tk_compare_defaults};
    struct tk_err err;
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (opts.sweep)
        return sweep(cmd, &opts, argc - first, argv + first);
    if (first < argc)
        return tk_cmd_usage(cmd, "'%s': arguments are for --sweep", argv[first]);
    if (!opts.measured || !opts.simulated)
        return tk_cmd_usage(cmd, "expected --measured DIR and --simulated DIR");
    if (opts.per_node && opts.export)
        return tk_cmd_usage(cmd, "--export is of one comparison: name a node's replay");
    bool passed = false;
    if (compare(&opts, &passed, &err) < 0)
        return tk_cmd_fail(cmd, &err);
    return passed ? TK_EXIT_OK : TK_EXIT_FAILED;
}

const struct tk_cmd tk_cmd_compare = {
    .name = "compare",
    .args = "[OUT...]",
    .help = "compare what OpenDC simulated with what was measured",
    .about = "Prints a Markdown table with PASS or FAIL per line: waits, completions,\n"
             "makespan, run times, CPU of tasks; with a run as --measured also CPU of hosts,\n"
             "power and energy. The status is 1 when a line fails.\n"
             "\n"
             "  tracekit compare -m opendc_traces -s output/run1/raw-output/0\n"
             "  tracekit compare -m logs/20261121T090229Z -s output/run1/raw-output/0\n"
             "  tracekit compare --sweep output/run1 --by makespan --by energy_per_task:asc:2",
    .options = options,
    .mixed = true,
    .run = run,
};
