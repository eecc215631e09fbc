/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/number.h"
#include "cmd/cmd.h"
#include "cmd/member.h"
#include "opendc/compare.h"

#define OUT_MAX ((size_t)64 << 20)

struct compare_opts {
    const char *measured;
    const char *simulated;
    const char *export;
    struct tk_compare_limits limits;
    bool json;
};

#define LIMIT(name) offsetof(struct compare_opts, limits.name)

static const struct tk_opt options[] = {
    {"measured", TK_OPT_STRING, offsetof(struct compare_opts, measured), "DIR",
     "folder of the export, with its task_map.jsonl", .letter = 'm'},
    {"simulated", TK_OPT_STRING, offsetof(struct compare_opts, simulated), "DIR",
     "what OpenDC wrote: a folder with task.parquet, or one that holds one such", .letter = 's'},
    {"export", TK_OPT_STRING, offsetof(struct compare_opts, export), "FILE",
     "write completions per minute as CSV"},
    {"json", TK_OPT_FLAG, offsetof(struct compare_opts, json), NULL, "one JSON object",
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
}

static void put_json(struct tk_buf *out, const struct tk_compare_result *result)
{
    tk_buf_putc(out, '{');
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
    tk_buf_lit(out, "]}\n");
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

static int compare(const struct compare_opts *opts, bool *ret_passed, struct tk_err *err)
{
    const struct tk_compare_options given = {
        .measured = opts->measured, .simulated = opts->simulated, .limits = opts->limits};
    TK_CLEANUP(tk_compare_release) struct tk_compare_result result = {0};
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, OUT_MAX);
    int rc = tk_opendc_compare(&given, &result, err);
    if (rc == 0 && opts->export)
        rc = write_csv(opts->export, &result, err);
    if (rc < 0)
        return rc;
    *ret_passed = result.passed;
    if (opts->json) {
        put_json(&out, &result);
    } else {
        put_markdown(&out, &result);
    }
    rc = tk_buf_check(&out, "comparison", err);
    return rc < 0 ? rc : tk_fd_write(STDOUT_FILENO, tk_buf_str(&out), "stdout", err);
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct compare_opts opts = {.limits = tk_compare_defaults};
    struct tk_err err;
    int first;
    int status;
    if (!tk_cmd_parse(cmd, &opts, argc, argv, &first, &status))
        return status;
    if (first < argc)
        return tk_cmd_usage(cmd, "'%s': expected no argument", argv[first]);
    if (!opts.measured || !opts.simulated)
        return tk_cmd_usage(cmd, "expected --measured DIR and --simulated DIR");
    bool passed = false;
    if (compare(&opts, &passed, &err) < 0)
        return tk_cmd_fail(cmd, &err);
    return passed ? TK_EXIT_OK : TK_EXIT_FAILED;
}

const struct tk_cmd tk_cmd_compare = {
    .name = "compare",
    .args = "",
    .help = "compare what OpenDC simulated with what was measured",
    .about = "Prints a Markdown table with PASS or FAIL per line: waits, completions,\n"
             "makespan, run times. The status is 1 when a line fails.\n"
             "\n"
             "  tracekit compare --measured opendc_traces --simulated output/run1/raw-output/0",
    .options = options,
    .mixed = true,
    .run = run,
};
