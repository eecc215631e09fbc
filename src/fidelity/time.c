/* SPDX-License-Identifier: Apache-2.0 */
/* Over time: what GenTEval measures (trace-fidelity.md section 8), and its strict versions, in
 * which what is missing counts. */
#include "fidelity/time_internal.h"

void over_time_add(const struct over_time *time, const struct tk_figure *figure, tk_str detail)
{
    struct tk_figure made = *figure;
    made.group = "time";
    made.detail = detail;
    tk_figures_add(time->figures, &made);
}

static int read_window(struct over_time *time, const struct reading *reading, struct tk_err *err)
{
    int rc = over_time_series(time, reading, err);
    return rc < 0 ? rc : over_time_graph(time, reading, err);
}

static int time_measure(const struct tk_span_table *a, const struct tk_span_table *b,
                        const struct tk_measure_options *options, struct tk_figures *figures,
                        struct tk_err *err)
{
    static const int64_t usual_ns[] = {10 * 1000000000LL, BUCKET_NS};
    const int64_t *windows;
    size_t count = tk_measure_windows(options, usual_ns, TK_COUNTOF(usual_ns), &windows);
    TK_CLEANUP(tk_sides_release) struct tk_sides sides = {.texts = 0};
    int rc = tk_sides_init(&sides, a, b, options, err);
    if (rc < 0)
        return rc;
    struct over_time time = {.sides = sides, .figures = figures};
    rc = read_window(&time, &(struct reading){TK_FIGURE_COMPAT, BUCKET_NS, true}, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = read_window(&time, &(struct reading){TK_FIGURE_STRICT, windows[i], i == 0}, err);
    if (rc == 0)
        rc = over_time_sets(&time, err);
    return rc < 0 ? rc : tk_figures_check(figures, err);
}

const struct tk_measure tk_measure_time = {
    .name = "time",
    .help = "rates, errors and durations over time, calls between services",
    .measure = time_measure,
};
