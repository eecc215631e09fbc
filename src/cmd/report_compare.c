/* SPDX-License-Identifier: Apache-2.0 */
/* Two builds, or all of two versions or branches, step by step: what changed, whether chance
 * explains it, and what caused it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "cmd/report.h"
#include "step/statistics.h"

#define ROWS_MAX 512

/* What a row compares. */
enum subject {
    SUBJECT_STEP,
    SUBJECT_UNTRACKED,
    SUBJECT_TOTAL,
};

struct side {
    double seconds[TK_GROUP_MAX];
    size_t count; /* of builds that have it */
    double median, cpu_s, moved_mb, stalled_s;
};

struct row {
    enum subject subject;
    tk_str name;
    struct side old, new;
    double noise_percent;  /* NaN = unknown */
    double p;              /* NaN = the groups are too small for any */
    struct tk_shift shift; /* NaN likewise */
    const char *cause;
};

struct comparison {
    struct tk_group old, new;
    struct row rows[ROWS_MAX];
    size_t count;
};

/* Figures of one build -------------------------------------------------------------------- */

static double stalled(const struct tk_job_step *step)
{
    const struct tk_job_pressure *pressure = &step->pressure;
    return pressure->cpu_some_s + pressure->io_full_s + pressure->memory_full_s;
}

/* What it wrote and received itself, where that is known: the whole machine's has its neighbours'.
 */
static double moved(const struct tk_job_step *step)
{
    double written = isfinite(step->io.write_mb) ? step->io.write_mb : step->disk_write_mb;
    double received = isfinite(step->net.rx_mb) ? step->net.rx_mb : step->net_rx_mb;
    return written + received;
}

struct figures {
    double seconds, cpu_s, moved_mb, stalled_s;
};

static double plus(double sum, double value)
{
    if (!isfinite(value))
        return sum;
    return isfinite(sum) ? sum + value : value;
}

/* Sums over the steps of that name, over all steps for the total. */
static struct figures figures_of(const struct tk_job *job, const struct row *row)
{
    const double none = (double)NAN;
    struct figures sum = {none, none, none, none};
    for (size_t i = 0; i < job->steps.count && row->subject != SUBJECT_UNTRACKED; i++) {
        const struct tk_job_step *step = &job->steps.items[i];
        bool outermost = row->subject == SUBJECT_TOTAL && !step->parent.p;
        if (!outermost && !(row->subject == SUBJECT_STEP && tk_str_eq(step->name, row->name)))
            continue;
        sum.seconds = plus(sum.seconds, step->duration_s);
        sum.cpu_s = plus(sum.cpu_s, step->cpu.total_s);
        sum.moved_mb = plus(sum.moved_mb, moved(step));
        sum.stalled_s = plus(sum.stalled_s, stalled(step));
    }
    if (row->subject == SUBJECT_TOTAL)
        sum.seconds = job->job_duration_s;
    if (row->subject == SUBJECT_UNTRACKED)
        sum.seconds = job->totals.untracked_s;
    return sum;
}

static void side_read(const struct tk_group *group, const struct row *row, struct side *side)
{
    double cpu[TK_GROUP_MAX];
    double moved[TK_GROUP_MAX];
    double stalls[TK_GROUP_MAX];
    size_t cpu_count = 0;
    size_t moved_count = 0;
    size_t stall_count = 0;
    side->count = 0;
    for (size_t i = 0; i < group->count; i++) {
        struct figures figures = figures_of(group->jobs[i], row);
        if (!isfinite(figures.seconds))
            continue;
        side->seconds[side->count++] = figures.seconds;
        if (isfinite(figures.cpu_s))
            cpu[cpu_count++] = figures.cpu_s;
        if (isfinite(figures.moved_mb))
            moved[moved_count++] = figures.moved_mb;
        if (isfinite(figures.stalled_s))
            stalls[stall_count++] = figures.stalled_s;
    }
    side->median = tk_median(side->seconds, side->count);
    side->cpu_s = tk_median(cpu, cpu_count);
    side->moved_mb = tk_median(moved, moved_count);
    side->stalled_s = tk_median(stalls, stall_count);
}

/* Judgement -------------------------------------------------------------------------------- */

static double percent_up(double old, double new)
{
    return 100 * (new / old - 1);
}

/* The test in the direction of the change; NaN when not even the clearest outcome of groups of this
 * size would mean anything. */
static double significance(const struct side *old, const struct side *new)
{
    double ways = 1; /* of choosing the ranks of one group */
    for (size_t i = 1; i <= new->count; i++)
        ways = ways * (double)(old->count + i) / (double)i;
    if (old->count == 0 || new->count == 0 || 1 / ways > 0.05)
        return (double)NAN;
    if (new->median >= old->median)
        return tk_mann_whitney(old->seconds, old->count, new->seconds, new->count);
    return tk_mann_whitney(new->seconds, new->count, old->seconds, old->count);
}

/* By how much the new group is slower, where there is a test. */
static struct tk_shift shift(const struct row *row)
{
    const struct side *old = &row->old;
    const struct side *new = &row->new;
    if (!isfinite(row->p))
        return (struct tk_shift){(double)NAN, (double)NAN, (double)NAN};
    return tk_shift_find(old->seconds, old->count, new->seconds, new->count);
}

/* Two robust standard deviations of this row among the builds before the old one. */
static double noise(struct tk_report *report, const struct tk_job *old, const struct row *row)
{
    size_t count;
    double values[TK_BASELINE_MAX];
    size_t n = 0;
    const struct tk_job *past = tk_archive_past(report->archive, old, &count);
    for (size_t i = 0; i < count && n < TK_BASELINE_MAX; i++) {
        double seconds = figures_of(&past[i], row).seconds;
        if (isfinite(seconds) && tk_job_is_comparable(old, &past[i]))
            values[n++] = seconds;
    }
    if (n < TK_BASELINE_MIN)
        return (double)NAN;
    double median = tk_median(values, n);
    return 100 * 2 * 1.4826 * tk_mad(values, n, median) / median;
}

#define CLEAR_PERCENT 5
#define CLEAR_MB      1 /* fewer bytes explain no time */

/* By the test where there is one; of groups that are too small, far outside of the noise. */
static bool is_clear(const struct row *row, double change)
{
    if (isfinite(row->p))
        return row->p <= 0.05 && fabs(change) >= 1;
    double band = isfinite(row->noise_percent) ? row->noise_percent : CLEAR_PERCENT;
    return fabs(change) > fmax(band, CLEAR_PERCENT);
}

static bool moved_more(const struct side *than, const struct side *side)
{
    return side->moved_mb - than->moved_mb > CLEAR_MB &&
           percent_up(than->moved_mb, side->moved_mb) > CLEAR_PERCENT;
}

static const char *cause_of(const struct row *row)
{
    const struct side *old = &row->old;
    const struct side *new = &row->new;
    double change = percent_up(old->median, new->median);
    if (old->count == 0)
        return "added";
    if (new->count == 0)
        return "removed";
    if (!is_clear(row, change))
        return "not significant";
    if (row->subject == SUBJECT_UNTRACKED)
        return "";
    bool slower = change > 0;
    double sign = slower ? 1 : -1;
    if (slower && moved_more(old, new))
        return "bytes up: data";
    if (!slower && moved_more(new, old))
        return "bytes down: data";
    if (sign * percent_up(old->cpu_s, new->cpu_s) > CLEAR_PERCENT)
        return slower ? "CPU up: code" : "CPU down: code";
    if (sign * (new->stalled_s - old->stalled_s) > 0.25 * fabs(new->median - old->median))
        return slower ? "stalls up: machine" : "stalls down: machine";
    return slower ? "suspicious" : "faster";
}

/* Rows --------------------------------------------------------------------------------------- */

static bool has_row(const struct comparison *comparison, tk_str name)
{
    for (size_t i = 0; i < comparison->count; i++) {
        if (tk_str_eq(comparison->rows[i].name, name))
            return true;
    }
    return false;
}

/* Room for the last two is kept. */
static void row_add(struct comparison *comparison, enum subject subject, tk_str name)
{
    size_t most = subject == SUBJECT_STEP ? ROWS_MAX - 2 : ROWS_MAX;
    if (comparison->count < most)
        comparison->rows[comparison->count++] = (struct row){.subject = subject, .name = name};
}

static void rows_add(struct comparison *comparison, const struct tk_job_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        if (!has_row(comparison, steps->items[i].name))
            row_add(comparison, SUBJECT_STEP, steps->items[i].name);
    }
}

/* Steps in the order of the newest build, those that only older ones have behind them. */
static void rows_find(struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->new.count; i++)
        rows_add(comparison, &comparison->new.jobs[i]->steps);
    for (size_t i = 0; i < comparison->old.count; i++)
        rows_add(comparison, &comparison->old.jobs[i]->steps);
    row_add(comparison, SUBJECT_UNTRACKED, TK_STR("(untracked)"));
    row_add(comparison, SUBJECT_TOTAL, TK_STR("total"));
}

/* Holm's correction over the steps; the total is one question of its own. */
static void correct(struct comparison *comparison)
{
    double p[ROWS_MAX];
    size_t place[ROWS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < comparison->count; i++) {
        if (comparison->rows[i].subject != SUBJECT_STEP || !isfinite(comparison->rows[i].p))
            continue;
        place[n] = i;
        p[n++] = comparison->rows[i].p;
    }
    tk_holm(p, n);
    for (size_t i = 0; i < n; i++)
        comparison->rows[place[i]].p = p[i];
}

static void judge(struct tk_report *report, struct comparison *comparison)
{
    rows_find(comparison);
    for (size_t i = 0; i < comparison->count; i++) {
        struct row *row = &comparison->rows[i];
        side_read(&comparison->old, row, &row->old);
        side_read(&comparison->new, row, &row->new);
        row->p = significance(&row->old, &row->new);
        row->shift = shift(row);
        row->noise_percent = noise(report, comparison->old.jobs[0], row);
    }
    correct(comparison);
    for (size_t i = 0; i < comparison->count; i++)
        comparison->rows[i].cause = cause_of(&comparison->rows[i]);
}

/* Output ------------------------------------------------------------------------------------- */

/* Either has it; of what is no step, both. */
static bool is_shown(const struct row *row)
{
    bool both = row->old.count && row->new.count;
    return both || (row->subject == SUBJECT_STEP && (row->old.count || row->new.count));
}

/* Whether there are enough builds for a test of any row. */
static bool is_tested(const struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++) {
        if (isfinite(comparison->rows[i].p))
            return true;
    }
    return false;
}

/* A step that came costs all its time, one that went saves it. */
static double delta_of(const struct row *row)
{
    return (row->new.count ? row->new.median : 0) - (row->old.count ? row->old.median : 0);
}

/* `tested`: there is a column for p. */
static void add_row(const struct tk_report *report, struct tk_grid *grid, const struct row *row,
                    bool tested)
{
    char text[TK_CLEAN_MAX];
    char named[TK_CLEAN_MAX + 4];
    char figure[TK_FIGURE_MAX];
    double delta = delta_of(row);
    const char *sign = row->old.count == 0 ? "+ " : row->new.count == 0 ? "- " : "";
    size_t column = 0;
    tk_grid_add(grid);
    (void)snprintf(named, sizeof(named), "%s%s", sign, tk_clean(report, row->name, 40, text));
    tk_grid_set(grid, column++, named);
    tk_grid_set(grid, column++, tk_figure_seconds(row->old.median, figure));
    tk_grid_set(grid, column++, tk_figure_seconds(row->new.median, figure));
    tk_grid_set(grid, column++, tk_figure_delta(delta, figure));
    tk_grid_set(grid, column++,
                tk_figure_percent(percent_up(row->old.median, row->new.median), figure));
    if (isfinite(row->noise_percent)) {
        (void)snprintf(figure, sizeof(figure), "%s%.0f %%", report->look.utf8 ? "±" : "+-",
                       row->noise_percent);
    }
    tk_grid_set(grid, column++, isfinite(row->noise_percent) ? figure : "-");
    (void)snprintf(figure, sizeof(figure), row->p < 0.001 ? "<.001" : "%.3f", row->p);
    if (tested)
        tk_grid_set(grid, column++, isfinite(row->p) ? figure : "n small");
    tk_grid_set(grid, column, row->cause);
    bool quiet = strcmp(row->cause, "not significant") == 0;
    tk_grid_set_style(grid, column,
                      quiet       ? TK_STYLE_DIM
                      : delta > 0 ? TK_STYLE_WARN
                                  : TK_STYLE_GOOD);
}

static int put_table(struct tk_report *report, const struct comparison *comparison,
                     struct tk_err *err)
{
    static const struct tk_grid_column plain[] = {
        {"step", .cut = true},
        {"old", .right = true},
        {"new", .right = true},
        {"delta", .right = true},
        {"%", .right = true},
        {"noise", .right = true},
        {"cause"},
    };
    static const struct tk_grid_column with_p[] = {
        {"step", .cut = true},  {"old", .right = true},
        {"new", .right = true}, {"delta", .right = true},
        {"%", .right = true},   {"noise", .right = true},
        {"p", .right = true},   {"cause"},
    };
    const struct tk_grid_options few = {plain, TK_COUNTOF(plain), .indent = 1};
    const struct tk_grid_options all = {with_p, TK_COUNTOF(with_p), .indent = 1};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    bool tested = is_tested(comparison);
    int rc = tk_grid_new(&report->look, tested ? &all : &few, &grid, err);
    for (size_t i = 0; rc == 0 && i < comparison->count; i++) {
        if (is_shown(&comparison->rows[i]))
            add_row(report, grid, &comparison->rows[i], tested);
    }
    return rc < 0 ? rc : tk_grid_write(grid, &report->out, err);
}

static void put_number(struct tk_buf *out, const char *key, double value)
{
    if (!isfinite(value))
        return;
    tk_json_put_key(out, key);
    tk_buf_put_f64(out, value, TK_SHORTEST);
}

static void put_json(const struct comparison *comparison, struct tk_buf *out)
{
    tk_buf_lit(out, "{\"rows\":[");
    for (size_t i = 0; i < comparison->count; i++) {
        const struct row *row = &comparison->rows[i];
        if (!is_shown(row))
            continue;
        tk_json_put_comma(out);
        tk_buf_putc(out, '{');
        tk_json_put_key(out, "name");
        tk_json_put_str(out, row->name);
        put_number(out, "old_s", row->old.median);
        put_number(out, "new_s", row->new.median);
        put_number(out, "delta_s", row->new.median - row->old.median);
        put_number(out, "delta_percent", percent_up(row->old.median, row->new.median));
        put_number(out, "noise_percent", row->noise_percent);
        put_number(out, "p", row->p);
        put_number(out, "shift_s", row->shift.middle);
        put_number(out, "shift_low_s", row->shift.low);
        put_number(out, "shift_high_s", row->shift.high);
        tk_json_put_key(out, "cause");
        tk_json_put_str(out, tk_str_from(row->cause));
        tk_buf_putc(out, '}');
    }
    tk_buf_printf(out, "],\"old_runs\":%zu,\"new_runs\":%zu}\n", comparison->old.count,
                  comparison->new.count);
}

static void put_title(struct tk_report *report, const struct comparison *comparison)
{
    char old[TK_CLEAN_MAX];
    char new[TK_CLEAN_MAX];
    char kind[TK_CLEAN_MAX];
    const struct tk_job *a = comparison->old.jobs[0];
    const struct tk_job *b = comparison->new.jobs[0];
    tk_style_printf(&report->out, &report->look, TK_STYLE_TITLE, "compare %s %s %s %s",
                    tk_clean(report, tk_job_kind(b->job), 24, kind),
                    tk_clean(report, a->version, 24, old), report->look.utf8 ? "→" : "->",
                    tk_clean(report, b->version, 24, new));
    tk_buf_printf(&report->out, "   (%zu run%s v %zu run%s%s)\n\n", comparison->old.count,
                  comparison->old.count == 1 ? "" : "s", comparison->new.count,
                  comparison->new.count == 1 ? "" : "s",
                  is_tested(comparison) ? "" : ": n too small for a test");
}

/* How sure the change of the total is, where there is a test of it. */
static void put_shift(struct tk_report *report, const struct comparison *comparison)
{
    char middle[TK_FIGURE_MAX];
    char low[TK_FIGURE_MAX];
    char high[TK_FIGURE_MAX];
    const struct row *total = &comparison->rows[comparison->count - 1];
    if (!isfinite(total->shift.middle))
        return;
    tk_style_printf(&report->out, &report->look, TK_STYLE_DIM,
                    "\nthe total moved by %s, with 95 %% certainty by %s to %s\n",
                    tk_figure_delta(total->shift.middle, middle),
                    tk_figure_delta(total->shift.low, low),
                    tk_figure_delta(total->shift.high, high));
}

int tk_report_compare(struct tk_report *report, struct tk_err *err)
{
    const char *a = report->args[0] ? report->args[0] : "latest~1";
    const char *b = report->args[1] ? report->args[1] : "latest";
    struct comparison *comparison =
        tk_arena_alloc(tk_archive_arena(report->archive), sizeof(*comparison));
    if (!comparison)
        return tk_fail(err, -EMSGSIZE, "compare: more builds than fit into memory");
    comparison->count = 0;
    int rc = tk_archive_find(report->archive, a, NULL, &comparison->old, err);
    rc = rc < 0 ? rc : tk_archive_find(report->archive, b, NULL, &comparison->new, err);
    if (rc < 0)
        return rc;
    judge(report, comparison);
    if (report->opts->json) {
        put_json(comparison, &report->out);
        return 0;
    }
    put_title(report, comparison);
    rc = put_table(report, comparison, err);
    put_shift(report, comparison);
    return rc;
}
