/* SPDX-License-Identifier: Apache-2.0 */
/* The latest build: a row a step, what each waited for, and why it took as long. */
#include <stdio.h>
#include <string.h>

#include "cmd/report.h"

/* Below this width the columns that repeat others are left out. */
#define WIDE 100

enum column {
    COLUMN_STEP,
    COLUMN_TIME,
    COLUMN_SHARE,
    COLUMN_CORES,
    COLUMN_CPU,
    COLUMN_MEMORY,
    COLUMN_DISK,
    COLUMN_NET,
    COLUMN_WAITS,
    COLUMN_VERDICT,
    COLUMN_COUNT,
};

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order that tables want */
static const struct {
    struct tk_grid_column column;
    bool wide_only;
    const char *narrow; /* a shorter name where there is little room */
} columns[COLUMN_COUNT] = {
    [COLUMN_STEP] = {{"step", .cut = true}},
    [COLUMN_TIME] = {{"time", .right = true}},
    [COLUMN_SHARE] = {{"share", .right = true}, .wide_only = true},
    [COLUMN_CORES] = {{"cores", .right = true}},
    [COLUMN_CPU] = {{"cpu", .style = TK_STYLE_CHART}},
    [COLUMN_MEMORY] = {{"peak mem", .right = true}, .narrow = "memory"},
    [COLUMN_DISK] = {{"disk r/w", .right = true}},
    [COLUMN_NET] = {{"net rx", .right = true}},
    [COLUMN_WAITS] = {{"waits", .right = true}, .wide_only = true},
    [COLUMN_VERDICT] = {{"verdict"}},
};

/* Which columns this width has, and where. */
struct layout {
    struct tk_grid_column columns[COLUMN_COUNT];
    int place[COLUMN_COUNT]; /* -1 = left out */
    size_t count;
    int spark_width;
};

static void layout_init(struct layout *layout, int width)
{
    layout->count = 0;
    layout->spark_width = width < WIDE ? 6 : 10;
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        bool shown = width >= WIDE || !columns[i].wide_only;
        layout->place[i] = shown ? (int)layout->count : -1;
        if (!shown)
            continue;
        struct tk_grid_column *column = &layout->columns[layout->count++];
        *column = columns[i].column;
        if (width < WIDE && columns[i].narrow)
            column->name = columns[i].narrow;
    }
}

static void set(struct tk_grid *grid, const struct layout *layout, enum column column,
                const char *text)
{
    if (layout->place[column] >= 0)
        tk_grid_set(grid, (size_t)layout->place[column], text);
}

/* The curve of busy cores; nothing without samples. */
static void put_curve(const struct tk_report *report, const struct tk_job_step *step, double cores,
                      int width, char text[TK_CLEAN_MAX])
{
    enum { POINTS = 1024 };
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    const struct tk_job_samples *samples = &step->samples;
    double values[POINTS];
    size_t count = 0;
    text[0] = '\0';
    bool known = samples->cols.count > 0 && tk_str_eq(samples->cols.items[0], TK_STR("cores"));
    for (size_t i = 0; known && i < samples->rows.count && count < POINTS; i++) {
        const struct tk_job_row *row = &samples->rows.items[i];
        values[count++] = row->count ? row->items[0] : (double)NAN;
    }
    tk_buf_init(&out, 4096);
    if (count == 0)
        return;
    tk_spark_put(&out, &report->look,
                 &(struct tk_spark){values, count, .full = fmax(1, isfinite(cores) ? cores : 1)},
                 width);
    (void)snprintf(text, TK_CLEAN_MAX, "%.*s", TK_STR_ARG(tk_buf_str(&out)));
}

/* "31/58 GB": both in the unit of the larger; a "-" where nothing moved. */
static void format_disk(double read_mb, double write_mb, char text[TK_FIGURE_MAX])
{
    double most = fmax(read_mb, write_mb);
    if (!isfinite(read_mb) || !isfinite(write_mb) || most < 0.5) {
        (void)snprintf(text, TK_FIGURE_MAX, "-");
    } else if (most < 1000) {
        (void)snprintf(text, TK_FIGURE_MAX, "%.0f/%.0f MB", read_mb, write_mb);
    } else {
        (void)snprintf(text, TK_FIGURE_MAX, "%.*f/%.*f GB", read_mb < 9950 && read_mb > 51,
                       read_mb / 1024, write_mb < 9950 && write_mb > 51, write_mb / 1024);
    }
}

/* What it waited for most. */
static void format_waits(const struct tk_job_step *step, char text[TK_FIGURE_MAX])
{
    const struct {
        const char *name;
        double seconds;
    } waits[] = {
        {"io", step->pressure.io_full_s},
        {"mem", step->pressure.memory_full_s},
        {"cpu", step->wall.cpu_wait_s},
        {"idle", step->wall.idle_s},
    };
    size_t most = 0;
    for (size_t i = 1; i < TK_COUNTOF(waits); i++) {
        if (!(waits[i].seconds <= waits[most].seconds) && isfinite(waits[i].seconds))
            most = i;
    }
    double percent = 100 * waits[most].seconds / step->duration_s;
    if (!(percent >= 1)) {
        (void)snprintf(text, TK_FIGURE_MAX, "-");
    } else {
        (void)snprintf(text, TK_FIGURE_MAX, "%s %.0f %%", waits[most].name, percent);
    }
}

static double machine_cores(const struct tk_job *job)
{
    return isfinite(job->system.cpus_effective) ? job->system.cpus_effective : job->system.cpus;
}

/* Its own cores; else the machine's, with the sign for "about". */
static void format_cores(const struct tk_job *job, const struct tk_job_step *step,
                         char text[TK_FIGURE_MAX])
{
    double of_machine = step->cpu_percent / 100 * machine_cores(job);
    if (isfinite(step->cpu.cores_avg)) {
        (void)snprintf(text, TK_FIGURE_MAX, "%.1f", step->cpu.cores_avg);
    } else if (isfinite(of_machine)) {
        (void)snprintf(text, TK_FIGURE_MAX, "~%.1f", of_machine);
    } else {
        (void)snprintf(text, TK_FIGURE_MAX, "-");
    }
}

static enum tk_style style_of_level(enum tk_level level)
{
    switch (level) {
    case TK_LEVEL_CRITICAL:
        return TK_STYLE_BAD;
    case TK_LEVEL_WARN:
        return TK_STYLE_WARN;
    case TK_LEVEL_INFO:
    case TK_LEVEL_NONE:
        return TK_STYLE_DIM;
    }
    return TK_STYLE_PLAIN;
}

/* A step that did not succeed has that for a verdict. */
static void set_verdict(const struct tk_report *report, struct tk_grid *grid,
                        const struct layout *layout, const struct tk_job_step *step)
{
    char text[TK_CLEAN_MAX] = "";
    enum tk_style style = TK_STYLE_PLAIN;
    const struct tk_job_finding *verdict = tk_diagnosis_verdict(&step->diagnosis);
    enum tk_level level = verdict ? tk_level_find(verdict->level) : TK_LEVEL_NONE;
    bool judged = tk_str_eq(step->status, TK_STR(TK_JOB_SUCCESS)) ||
                  (level >= TK_LEVEL_INFO && tk_str_eq(step->status, TK_STR(TK_REPORT_RUNNING)));
    if (step->status.p && !judged) {
        (void)tk_step_outcome(step, &style, text);
    } else if (level >= TK_LEVEL_INFO) {
        (void)tk_clean(report, tk_diagnosis_label(verdict), 20, text);
        style = style_of_level(level);
    }
    tk_grid_set(grid, (size_t)layout->place[COLUMN_VERDICT], text);
    tk_grid_set_style(grid, (size_t)layout->place[COLUMN_VERDICT], style);
}

static void add_row(struct tk_report *report, struct tk_grid *grid, const struct layout *layout,
                    const struct tk_job *job, const struct tk_job_step *step)
{
    char text[TK_CLEAN_MAX];
    char named[TK_CLEAN_MAX + 32];
    char figure[TK_FIGURE_MAX];
    tk_grid_add(grid);
    (void)snprintf(named, sizeof(named), "%*s%s", 2 * tk_step_depth(job, step), "",
                   tk_clean(report, step->name, 48, text));
    set(grid, layout, COLUMN_STEP, named);
    set(grid, layout, COLUMN_TIME, tk_figure_seconds(step->duration_s, figure));
    double share = 100 * step->duration_s / job->job_duration_s;
    (void)snprintf(figure, sizeof(figure), isfinite(share) ? "%.0f %%" : "-", share);
    set(grid, layout, COLUMN_SHARE, figure);
    format_cores(job, step, figure);
    set(grid, layout, COLUMN_CORES, figure);
    put_curve(report, step, machine_cores(job), layout->spark_width, text);
    set(grid, layout, COLUMN_CPU, text);
    bool own = isfinite(step->memory.peak_mb);
    set(grid, layout, COLUMN_MEMORY,
        tk_figure_mb(own ? step->memory.peak_mb : step->memory_used_mb, figure));
    bool own_io = isfinite(step->io.read_mb) && isfinite(step->io.write_mb);
    format_disk(own_io ? step->io.read_mb : step->disk_read_mb,
                own_io ? step->io.write_mb : step->disk_write_mb, figure);
    set(grid, layout, COLUMN_DISK, figure);
    double rx = isfinite(step->net.rx_mb) ? step->net.rx_mb : step->net_rx_mb;
    set(grid, layout, COLUMN_NET, rx >= 0.05 ? tk_figure_mb(rx, figure) : "-");
    format_waits(step, figure);
    set(grid, layout, COLUMN_WAITS, figure);
    set_verdict(report, grid, layout, step);
}

int tk_report_put_steps(struct tk_report *report, const struct tk_job *job, struct tk_err *err)
{
    struct layout layout;
    layout_init(&layout, report->look.width);
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    int rc = tk_grid_new(&report->look,
                         &(struct tk_grid_options){layout.columns, layout.count, .indent = 1},
                         &grid, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < job->steps.count; i++)
        add_row(report, grid, &layout, job, &job->steps.items[i]);
    return tk_grid_write(grid, &report->out, err);
}

static void put_notes(struct tk_report *report, const struct tk_job *job)
{
    bool about = false;
    for (size_t i = 0; i < job->steps.count; i++)
        about = about || !isfinite(job->steps.items[i].cpu.cores_avg);
    if (about && job->steps.count) {
        tk_style_printf(&report->out, &report->look, TK_STYLE_DIM,
                        "\n~ of the whole machine: nothing is known of the step alone\n");
    }
}

static void put_step_name(struct tk_report *report, tk_str name)
{
    char clean[TK_CLEAN_MAX];
    tk_buf_puts(&report->out, tk_clean(report, name, 40, clean));
}

static const struct tk_bad_steps_form bad_steps = {.title = "\nwhat is not ok?",
                                                   .begin = "\n",
                                                   .item = "  ",
                                                   .between = ": ",
                                                   .item_end = "\n",
                                                   .more = "  and ",
                                                   .more_end = "\n",
                                                   .end = "",
                                                   .put_name = put_step_name};

int tk_report_latest(struct tk_report *report, struct tk_err *err)
{
    struct tk_job *job = NULL;
    const char *kind = report->args[0] ? report->args[0] : "build";
    int rc = tk_report_begin(report, "latest", kind, &job, err);
    if (rc < 0 || !job)
        return rc;
    tk_buf_putc(&report->out, '\n');
    if (job->steps.count == 0)
        tk_buf_lit(&report->out, "no steps recorded: none was started between init and finalize\n");
    rc = tk_report_put_steps(report, job, err);
    put_notes(report, job);
    tk_report_put_bad_steps(report, job, &bad_steps);
    tk_report_put_reasons(report, job);
    return rc;
}
