/* SPDX-License-Identifier: Apache-2.0 */
/* The gate of a pipeline (build-telemetry.md section 14): hard budgets are exact; relative ones
 * need a baseline and a second witness, so that noise does not fail a build. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"
#include "cmd/report.h"

enum gate_exit {
    GATE_OK = 0,
    GATE_BROKEN = 3,
    GATE_NO_DATA = 4,
};

enum outcome {
    OUTCOME_OK,
    OUTCOME_WARNING,
    OUTCOME_NO_DATA,
    OUTCOME_BROKEN,
};

static const char *const outcome_names[] = {"ok", "suspicious", "not enough data", "broken"};

struct check {
    char name[96];
    char text[256];
    enum outcome outcome;
};

struct gate {
    struct tk_report *report;
    const struct tk_job *job;
    struct tk_job as_baseline; /* the job as if it were of the baseline's branch */
    const struct tk_job *past;
    size_t past_count;
    struct check *checks; /* room for each that the options ask for */
    size_t count;
};

/* Budgets ---------------------------------------------------------------------------------- */

/* "+10%", "12GB", "35m", "90s": a share above the baseline, or a figure in the unit of `units`. */
struct budget {
    bool relative;
    double value; /* per cent, s or MB */
};

struct unit {
    const char *name;
    double factor;
};

static const struct unit seconds_units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"", 1}, {NULL, 0}};
static const struct unit mb_units[] = {
    {"MB", 1}, {"GB", 1024}, {"TB", 1048576}, {"", 1}, {NULL, 0}};

static bool budget_parse(const char *text, const struct unit *units, struct budget *ret)
{
    tk_str left = tk_str_from(text);
    double value;
    bool plus = tk_str_take_prefix(&left, TK_STR("+"));
    if (!tk_scan_f64(&left, &value) || value < 0)
        return false;
    left = tk_str_trim(left);
    if (plus || tk_str_eq(left, TK_STR("%"))) {
        *ret = (struct budget){true, value};
        return tk_str_eq(left, TK_STR("%"));
    }
    for (; units->name; units++) {
        if (tk_str_eq(left, tk_str_from(units->name))) {
            *ret = (struct budget){false, value * units->factor};
            return true;
        }
    }
    return false;
}

static struct check *check_add(struct gate *gate, const char *name)
{
    struct check *check = &gate->checks[gate->count++];
    *check = (struct check){0};
    (void)snprintf(check->name, sizeof(check->name), "%s", name);
    return check;
}

/* Neighbours or the hypervisor took the cores: its time alone says nothing. */
static bool is_noisy(const struct tk_job *job)
{
    for (size_t i = 0; i < job->steps.count; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        if (step->host.steal_percent >= 5)
            return true;
        for (size_t k = 0; k < step->diagnosis.count; k++) {
            if (tk_str_eq(step->diagnosis.items[k].rule, TK_STR("CPU_STARVED")))
                return true;
        }
    }
    return false;
}

static void judge_relative(struct gate *gate, struct check *check, tk_str step, double limit)
{
    struct tk_trend trend;
    char now[TK_FIGURE_MAX];
    char median[TK_FIGURE_MAX];
    bool known =
        step.p ? tk_trend_find_step(gate->past, gate->past_count, &gate->as_baseline, step, &trend)
               : tk_trend_find(gate->past, gate->past_count, &gate->as_baseline, &trend);
    if (!known) {
        check->outcome = OUTCOME_NO_DATA;
        (void)snprintf(check->text, sizeof(check->text),
                       "%zu comparable builds, at least %d needed", trend.n, TK_BASELINE_MIN);
        return;
    }
    double seconds = step.p ? tk_job_step_seconds(gate->job, step) : gate->job->job_duration_s;
    bool over = trend.verdict == TK_TREND_SLOWER && trend.delta_percent > limit;
    bool confirmed = trend.confirmed || gate->report->opts->confirm <= 1;
    bool noisy = over && is_noisy(gate->job) && !trend.witness;
    check->outcome = !over ? OUTCOME_OK : confirmed && !noisy ? OUTCOME_BROKEN : OUTCOME_WARNING;
    (void)snprintf(check->text, sizeof(check->text),
                   "%s, %+.1f %% on the median %s of %zu (limit +%.0f %%)%s",
                   tk_figure_seconds(seconds, now), trend.delta_percent,
                   tk_figure_seconds(trend.median_s, median), trend.n, limit,
                   noisy                                  ? "; on a noisy machine"
                   : over && !confirmed                   ? "; one run alone"
                   : !over && trend.delta_percent > limit ? "; within the noise"
                                                          : "");
}

/* An exact budget: `value` may not be over, or with `least` not under, the limit. */
static void judge_exact(struct check *check, double value, double limit, bool least,
                        const char *(*figure)(double, char *))
{
    char now[TK_FIGURE_MAX];
    char most[TK_FIGURE_MAX];
    if (!isfinite(value)) {
        check->outcome = OUTCOME_NO_DATA;
        (void)snprintf(check->text, sizeof(check->text), "was not measured");
        return;
    }
    bool broken = least ? value < limit : value > limit;
    check->outcome = broken ? OUTCOME_BROKEN : OUTCOME_OK;
    (void)snprintf(check->text, sizeof(check->text), "%s (limit %s)", figure(value, now),
                   figure(limit, most));
}

static int bad_budget(const char *option, const char *text, const char *units, struct tk_err *err)
{
    return tk_fail(err, -EINVAL, "option '--%s': '%s' is no budget, as %s", option, text, units);
}

static int check_time(struct gate *gate, const char *option, const char *text, tk_str step,
                      struct tk_err *err)
{
    struct budget budget;
    char name[96];
    if (!budget_parse(text, seconds_units, &budget))
        return bad_budget(option, text, "+10%, 90s, 35m", err);
    (void)snprintf(name, sizeof(name), "%.*s", TK_STR_ARG(step.p ? step : TK_STR("total")));
    struct check *check = check_add(gate, name);
    double seconds = step.p ? tk_job_step_seconds(gate->job, step) : gate->job->job_duration_s;
    if (budget.relative) {
        judge_relative(gate, check, step, budget.value);
    } else {
        judge_exact(check, seconds, budget.value, false, tk_figure_seconds);
    }
    return 0;
}

static int check_mb(struct gate *gate, const char *option, const char *text, double value,
                    struct tk_err *err)
{
    struct budget budget;
    if (!budget_parse(text, mb_units, &budget) || budget.relative)
        return bad_budget(option, text, "12GB, 800MB", err);
    bool least = strcmp(option, "min-free") == 0;
    judge_exact(check_add(gate, least ? "free disk" : "memory"), value, budget.value, least,
                tk_figure_mb);
    return 0;
}

/* "packer_build=+15%" */
static int check_step(struct gate *gate, const char *text, struct tk_err *err)
{
    tk_str all = tk_str_from(text);
    size_t at = tk_str_find_last(all, '=');
    if (at == all.n || at == 0)
        return bad_budget("max-step", text, "STEP=+15%, STEP=90s", err);
    return check_time(gate, "max-step", text + at + 1, (tk_str){text, at}, err);
}

static double memory_peak(const struct tk_job *job)
{
    double peak = job->totals.memory_peak_mb;
    for (size_t i = 0; i < job->steps.count && !isfinite(job->totals.memory_peak_mb); i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        double one = isfinite(step->memory.peak_mb) ? step->memory.peak_mb : step->memory_used_mb;
        if (isfinite(one) && !(one <= peak))
            peak = one;
    }
    return peak;
}

/* Those that are not of one step: total time, memory, free disk. */
#define OTHER_CHECKS 3

static int run_checks(struct gate *gate, struct tk_err *err)
{
    const struct tk_report_opts *opts = gate->report->opts;
    int rc = 0;
    bool none = !opts->max_total && !opts->max_memory && !opts->min_free && !opts->max_steps.count;
    if (opts->max_total || none)
        rc = check_time(gate, "max-total", none ? "+10%" : opts->max_total, (tk_str){0}, err);
    for (size_t i = 0; rc == 0 && i < opts->max_steps.count; i++)
        rc = check_step(gate, opts->max_steps.items[i], err);
    if (rc == 0 && opts->max_memory)
        rc = check_mb(gate, "max-memory", opts->max_memory, memory_peak(gate->job), err);
    if (rc == 0 && opts->min_free)
        rc = check_mb(gate, "min-free", opts->min_free, gate->job->totals.disk_free_min_mb, err);
    return rc;
}

/* Verdict ------------------------------------------------------------------------------------ */

static enum outcome worst_of(const struct gate *gate)
{
    enum outcome worst = OUTCOME_OK;
    for (size_t i = 0; i < gate->count; i++) {
        if (gate->checks[i].outcome > worst)
            worst = gate->checks[i].outcome;
    }
    return worst;
}

static void put_verdict_json(const struct gate *gate, struct tk_buf *out)
{
    char id[TK_JOB_ID_MAX];
    tk_buf_putc(out, '{');
    tk_json_put_key(out, "verdict");
    tk_json_put_str(out, tk_str_from(outcome_names[worst_of(gate)]));
    tk_json_put_key(out, "id");
    tk_json_put_str(out, tk_str_from(tk_job_id(gate->job, id)));
    tk_json_put_key(out, "checks");
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < gate->count; i++) {
        tk_json_put_comma(out);
        tk_buf_putc(out, '{');
        tk_json_put_key(out, "name");
        tk_json_put_str(out, tk_str_from(gate->checks[i].name));
        tk_json_put_key(out, "outcome");
        tk_json_put_str(out, tk_str_from(outcome_names[gate->checks[i].outcome]));
        tk_json_put_key(out, "text");
        tk_json_put_str(out, tk_str_from(gate->checks[i].text));
        tk_buf_putc(out, '}');
    }
    tk_buf_lit(out, "]}\n");
}

/* One line, with what is not fine. Under GitHub Actions it is an annotation. */
static void put_verdict(const struct gate *gate, struct tk_buf *out)
{
    char text[TK_CLEAN_MAX];
    enum outcome worst = worst_of(gate);
    if (tk_env_find("GITHUB_ACTIONS") && worst != OUTCOME_OK)
        tk_buf_puts(out, worst == OUTCOME_BROKEN ? "::error::" : "::warning::");
    tk_buf_printf(out, "gate %s", outcome_names[worst]);
    for (size_t i = 0; i < gate->count; i++) {
        const struct check *check = &gate->checks[i];
        tk_buf_printf(out, "; %s %s", tk_clean(gate->report, tk_str_from(check->name), 60, text),
                      check->text);
    }
    tk_buf_putc(out, '\n');
}

static int write_verdict(const struct gate *gate, struct tk_err *err)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_buf_init(&out, 1 << 20);
    put_verdict_json(gate, &out);
    int rc = tk_buf_check(&out, "verdict", err);
    return rc < 0
               ? rc
               : tk_file_write(AT_FDCWD, gate->report->opts->verdict, tk_buf_str(&out), 0666, err);
}

/* The builds of the baseline's branch, and the job as if it were one of them. */
static void choose_baseline(struct gate *gate)
{
    const char *branch = gate->report->opts->baseline;
    gate->past = tk_archive_past(gate->report->archive, gate->job, &gate->past_count);
    gate->as_baseline = *gate->job;
    if (!branch)
        return;
    gate->as_baseline.ci.branch = tk_str_from(branch);
    struct tk_job *kept = tk_arena_alloc(tk_archive_arena(gate->report->archive),
                                         (gate->past_count + 1) * sizeof(*kept));
    size_t n = 0;
    for (size_t i = 0; kept && i < gate->past_count; i++) {
        if (tk_str_eq(tk_job_branch(&gate->past[i]), tk_str_from(branch)))
            kept[n++] = gate->past[i];
    }
    gate->past = kept;
    gate->past_count = n;
}

int tk_report_gate(struct tk_report *report, struct tk_err *err)
{
    struct tk_job *job = NULL;
    int rc = tk_report_read(report, report->args[0], NULL, &job, err);
    if (rc < 0)
        return rc;
    struct tk_arena *arena = tk_archive_arena(report->archive);
    size_t most = report->opts->max_steps.count + OTHER_CHECKS;
    struct gate *gate = tk_arena_alloc(arena, sizeof(*gate));
    struct check *checks = tk_arena_alloc(arena, most * sizeof(*checks));
    if (!gate || !checks)
        return tk_fail(err, -EMSGSIZE, "gate: more builds than fit into memory");
    *gate = (struct gate){.report = report, .job = job, .checks = checks};
    choose_baseline(gate);
    rc = run_checks(gate, err);
    if (rc == 0 && report->opts->verdict)
        rc = write_verdict(gate, err);
    if (rc < 0)
        return rc;
    if (report->opts->json) {
        put_verdict_json(gate, &report->out);
    } else {
        put_verdict(gate, &report->out);
    }
    enum outcome worst = worst_of(gate);
    report->status = worst == OUTCOME_BROKEN                              ? GATE_BROKEN
                     : worst == OUTCOME_NO_DATA && !report->opts->lenient ? GATE_NO_DATA
                                                                          : GATE_OK;
    return 0;
}
