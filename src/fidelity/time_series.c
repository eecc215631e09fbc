/* SPDX-License-Identifier: Apache-2.0 */
/* Rates, errors and quantiles of durations per group and window. A group is all spans, those of a
 * service, of an HTTP status code, or of both:
 *
 *     cell (group, window):  spans of A, of B;  their durations as samples of that cell
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "fidelity/time_internal.h"

enum kind { KIND_ALL, KIND_SERVICE, KIND_CODE, KIND_BOTH, KIND_COUNT };

static const char *const kind_names[KIND_COUNT] = {"all", "service", "http.status_code",
                                                   "service and http.status_code"};

#define QUANTILES 11 /* p0, p10, ..., p100 */

/* What is read of the spans. */
enum what { WHAT_RATE, WHAT_ERRORS };

struct series {
    const struct reading *reading;
    enum what what;
    struct tk_cells cells;
    struct tk_samples durations[TK_SIDES];
    struct tk_sample_run *runs[TK_SIDES]; /* [cells.count] */
    struct tk_cell *sorted;               /* [cells.count]; key.part[2] = index in `cells` */
};

static void series_release(struct series *series)
{
    tk_cells_release(&series->cells);
    for (int side = 0; side < TK_SIDES; side++) {
        tk_samples_release(&series->durations[side]);
        free(series->runs[side]);
    }
    free(series->sorted);
}

/* Add a span to its groups. */
static void add_span(const struct over_time *time, int side, uint32_t row, double weight,
                     struct series *series)
{
    const struct tk_span_table *table = time->sides.tables[side];
    int64_t code = table->http_codes[row];
    int64_t service = over_time_service(time, side, row);
    int64_t window = tk_floor_div(table->start_ns[row], series->reading->window_ns);
    const int64_t groups[KIND_COUNT] = {0, service << 16, code, service << 16 | code};
    for (int64_t kind = 0; kind < (code > 0 ? KIND_COUNT : KIND_CODE); kind++) {
        const struct tk_cell_key key = {{kind << 56 | groups[kind], window}};
        uint32_t cell = tk_cells_add(&series->cells, &key, side, weight);
        if (series->what == WHAT_RATE)
            tk_samples_add(&series->durations[side], cell, (double)table->duration_ns[row], weight);
    }
}

static void collect_side(const struct over_time *time, int side, struct series *series)
{
    const struct tk_span_table *table = time->sides.tables[side];
    uint32_t trace = 0;
    for (uint32_t row = 0; row < table->rows; row++) {
        trace += row == table->trace_ends[trace];
        if (series->what == WHAT_RATE || table->statuses[row] == TK_SPAN_ERROR) {
            add_span(time, side, row,
                     tk_sides_weight(&time->sides, side, trace, series->reading->rule), series);
        }
    }
    tk_samples_sort(&series->durations[side]);
}

static int collect(const struct over_time *time, struct series *series, struct tk_err *err)
{
    int rc = 0;
    for (int side = 0; rc == 0 && side < TK_SIDES; side++) {
        collect_side(time, side, series);
        rc = tk_samples_check(&series->durations[side], err);
    }
    return rc < 0 ? rc : tk_cells_check(&series->cells, err);
}

static int by_group(const void *a, const void *b)
{
    const struct tk_cell *x = a;
    const struct tk_cell *y = b;
    for (int i = 0; i < 2; i++) {
        if (x->key.part[i] != y->key.part[i])
            return x->key.part[i] < y->key.part[i] ? -1 : 1;
    }
    return 0;
}

/* Runs of each cell, and the cells by group and window. */
static int arrange(struct series *series, struct tk_err *err)
{
    uint32_t count = series->cells.count;
    series->sorted = calloc(count + (size_t)1, sizeof(*series->sorted));
    for (int side = 0; side < TK_SIDES; side++)
        series->runs[side] = calloc(count + (size_t)1, sizeof(*series->runs[side]));
    if (!series->sorted || !series->runs[TK_SIDE_A] || !series->runs[TK_SIDE_B])
        return tk_fail(err, -ENOMEM, "series over time: out of memory");
    size_t at[TK_SIDES] = {0, 0};
    for (uint32_t i = 0; i < count; i++) {
        series->sorted[i] = series->cells.items[i];
        series->sorted[i].key.part[2] = i;
        for (int side = 0; side < TK_SIDES; side++)
            series->runs[side][i] = tk_samples_of(&series->durations[side], i, &at[side]);
    }
    qsort(series->sorted, count, sizeof(*series->sorted), by_group);
    return 0;
}

/* Two series side by side, one pair of values at a time. */
struct likeness {
    uint64_t pairs;
    double errors;     /* of elements, in percent */
    double ab, aa, bb; /* products */
    double last_a, last_b;
};

static void likeness_add(struct likeness *likeness, double a, double b)
{
    double missing = a == 0 && b == 0 ? 0 : 100;
    likeness->errors += b > 0 ? 100 * fabs((b - a) / (b + a)) : missing;
    likeness->ab += a * b;
    likeness->aa += a * a;
    likeness->bb += b * b;
    likeness->last_a = a;
    likeness->last_b = b;
    likeness->pairs++;
}

/* max(0, 100 - "MAPE"), which is 0 to 100 in any case. */
static double fidelity_of(const struct likeness *likeness)
{
    return likeness->pairs > 0 ? fmax(0, 100 - likeness->errors / (double)likeness->pairs) : 0;
}

/* Without any length the angle is none: 0 in the original, and right when both are so here. */
static double cosine_of(const struct likeness *likeness, enum tk_figure_rule rule)
{
    if (likeness->pairs == 0)
        return 0;
    if (likeness->pairs == 1 && rule == TK_FIGURE_COMPAT)
        return likeness->last_a == likeness->last_b ? 100 : 0;
    double length = sqrt(likeness->aa) * sqrt(likeness->bb);
    bool both_zero = likeness->aa == 0 && likeness->bb == 0;
    double none = both_zero && rule == TK_FIGURE_STRICT ? 100 : 0;
    return length > 0 ? fmin(100, 100 * likeness->ab / length) : none;
}

/* Means of fidelities and cosines: of groups in the original, and of fidelities under the strict
 * rule of all windows of all groups, so that a group of few spans does not hide the others. */
struct score {
    struct tk_mean fidelity, cosine;
};

static void score_add(struct score *score, double fidelity, double cosine, uint64_t windows)
{
    score->fidelity.sum += fidelity * (double)windows;
    score->fidelity.count += windows;
    tk_mean_add(&score->cosine, cosine);
}

/* How often the fidelity of a group counts. */
static uint64_t group_weight(const struct likeness *likeness, enum tk_figure_rule rule)
{
    return rule == TK_FIGURE_COMPAT ? 1 : likeness->pairs;
}

/* Whether a window counts: in the original those that both have. */
static bool counts(const struct tk_cell *cell, enum tk_figure_rule rule)
{
    return rule == TK_FIGURE_STRICT || (cell->sums[TK_SIDE_A] > 0 && cell->sums[TK_SIDE_B] > 0);
}

static void score_rate(const struct tk_cell *cells, uint32_t count, enum tk_figure_rule rule,
                       struct score *score)
{
    struct likeness likeness = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (counts(&cells[i], rule))
            likeness_add(&likeness, cells[i].sums[TK_SIDE_A], cells[i].sums[TK_SIDE_B]);
    }
    score_add(score, fidelity_of(&likeness), cosine_of(&likeness, rule),
              group_weight(&likeness, rule));
}

static void score_durations(const struct series *series, const struct tk_cell *cells,
                            uint32_t count, enum tk_figure_rule rule, struct score *score)
{
    struct likeness likeness[QUANTILES] = {{0}};
    for (uint32_t i = 0; i < count; i++) {
        if (!counts(&cells[i], rule))
            continue;
        const struct tk_sample_run *a = &series->runs[TK_SIDE_A][cells[i].key.part[2]];
        const struct tk_sample_run *b = &series->runs[TK_SIDE_B][cells[i].key.part[2]];
        for (int p = 0; p < QUANTILES; p++) {
            double q = p / 10.0;
            likeness_add(&likeness[p], a->count > 0 ? tk_samples_quantile(a, q) : 0,
                         b->count > 0 ? tk_samples_quantile(b, q) : 0);
            /* A missing one is wrong even where the duration was 0. */
            if ((a->count == 0 || b->count == 0) && likeness[p].last_a == likeness[p].last_b)
                likeness[p].errors += 100;
        }
    }
    struct score all = {{0}, {0}};
    for (int p = 0; p < QUANTILES; p++)
        score_add(&all, fidelity_of(&likeness[p]), cosine_of(&likeness[p], rule), 1);
    score_add(score, tk_mean_of(&all.fidelity), tk_mean_of(&all.cosine),
              group_weight(&likeness[0], rule));
}

/* Append the fidelity and the cosine of one kind of groups. */
struct names {
    const char *fidelity, *cosine;
    const char *reason; /* when there is no group */
};

static void add_scores(const struct over_time *time, const struct reading *reading,
                       const struct names *names, const struct score scores[KIND_COUNT])
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        char detail[96];
        char window[TK_SECONDS_MAX];
        tk_str length = tk_seconds_text(reading->window_ns, window);
        int n = snprintf(detail, sizeof(detail), "%s, %.*s", kind_names[kind], TK_STR_ARG(length));
        struct tk_figure figure = {.sense = TK_FIGURE_PERCENT, .rule = reading->rule};
        for (int cosine = 0; cosine < 2; cosine++) {
            figure.name = cosine ? names->cosine : names->fidelity;
            const struct tk_mean *mean = cosine ? &scores[kind].cosine : &scores[kind].fidelity;
            figure.value = tk_mean_of(mean);
            figure.samples = mean->count;
            figure.reason = mean->count > 0 ? NULL : names->reason;
            over_time_add(time, &figure, (tk_str){detail, (size_t)n});
            if (reading->is_main && kind == KIND_SERVICE)
                over_time_add(time, &figure, (tk_str){0});
        }
    }
}

/* Score group after group: those of the original, and under the strict rule of both. */
static void score_groups(const struct over_time *time, const struct series *series)
{
    static const struct names rate = {"rate", "rate_cosine", "no spans"};
    static const struct names errors = {"errors", "errors_cosine", "no spans with an error"};
    static const struct names durations = {"durations", "durations_cosine", "no spans"};
    bool is_rate = series->what == WHAT_RATE;
    enum tk_figure_rule rule = series->reading->rule;
    struct score counted[KIND_COUNT] = {{{0}, {0}}};
    struct score timed[KIND_COUNT] = {{{0}, {0}}};
    uint32_t n = 0;
    for (uint32_t begin = 0; begin < series->cells.count; begin += n) {
        const struct tk_cell *cells = &series->sorted[begin];
        bool is_real = false;
        for (n = 0; begin + n < series->cells.count && cells[n].key.part[0] == cells[0].key.part[0];
             n++)
            is_real |= cells[n].sums[TK_SIDE_B] > 0;
        if (!is_real && rule == TK_FIGURE_COMPAT)
            continue;
        size_t kind = (size_t)(cells[0].key.part[0] >> 56);
        score_rate(cells, n, rule, &counted[kind]);
        if (is_rate)
            score_durations(series, cells, n, rule, &timed[kind]);
    }
    add_scores(time, series->reading, is_rate ? &rate : &errors, counted);
    if (is_rate)
        add_scores(time, series->reading, &durations, timed);
}

int over_time_series(struct over_time *time, const struct reading *reading, struct tk_err *err)
{
    static const enum what whats[] = {WHAT_RATE, WHAT_ERRORS};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < TK_COUNTOF(whats); i++) {
        struct series series = {.reading = reading, .what = whats[i]};
        rc = collect(time, &series, err);
        if (rc == 0)
            rc = arrange(&series, err);
        if (rc == 0)
            score_groups(time, &series);
        series_release(&series);
    }
    return rc;
}
