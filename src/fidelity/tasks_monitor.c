/* SPDX-License-Identifier: Apache-2.0 */
/* monitor_errors and trigger_correlation. The pairs (S1 of a service, S2 with an error) of a trace
 * are counted per service and group of errors, not one by one. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/tasks.h"
#include "fidelity/tasks_internal.h"

#define ALERT_ABOVE    10
#define FIRST_SERVICES 4
#define MOST_HOURS     5

/* Spans of one trace by service, and its errors by (window, service). */
struct trace_counts {
    struct tk_cells services; /* key: service */
    struct tk_cells errors;   /* key: window, service */
};

static void count_trace(const struct tasks *tasks, int side, uint32_t trace,
                        enum tk_figure_rule rule, struct trace_counts *counts)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    tk_cells_reset(&counts->services);
    tk_cells_reset(&counts->errors);
    for (uint32_t row = tk_span_table_begin(table, trace); row < table->trace_ends[trace]; row++) {
        uint32_t service = service_of(tasks, side, row);
        tk_cells_add(&counts->services, &(struct tk_cell_key){{service}}, 0, 1);
        if (table->issues[row]) {
            tk_cells_add(
                &counts->errors,
                &(struct tk_cell_key){{window_of(table, table->start_ns[row], 1, rule), service}},
                0, 1);
        }
    }
}

static bool has_errors(const struct tk_span_table *table, uint32_t trace)
{
    uint32_t begin = tk_span_table_begin(table, trace);
    return memchr(table->issues + begin, 1, table->trace_ends[trace] - begin) != NULL;
}

/* Cells (service of S1, window, service of S2). */
static int count_errors(struct tasks *tasks, int side, enum tk_figure_rule rule,
                        struct tk_cells *cells, struct tk_err *err)
{
    const struct tk_span_table *table = tasks->sides.tables[side];
    struct trace_counts counts = {0};
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        if (!has_errors(table, trace))
            continue;
        count_trace(tasks, side, trace, rule, &counts);
        double weight = tk_sides_weight(&tasks->sides, side, trace, rule);
        uint64_t keys = (uint64_t)counts.services.count * counts.errors.count;
        uint64_t most = keys < TRACE_KEYS_MAX ? keys : TRACE_KEYS_MAX;
        for (uint64_t i = 0; i < most; i++) {
            const struct tk_cell *s1 = &counts.services.items[i / counts.errors.count];
            const struct tk_cell *s2 = &counts.errors.items[i % counts.errors.count];
            tk_cells_add(cells,
                         &(struct tk_cell_key){{s1->key.part[0], s2->key.part[0], s2->key.part[1]}},
                         side, s1->sums[0] * s2->sums[0] * weight);
        }
        tasks->left_out += keys - most;
    }
    int failure = counts.services.failure ? counts.services.failure : counts.errors.failure;
    tk_cells_release(&counts.services);
    tk_cells_release(&counts.errors);
    return failure < 0 ? tk_fail(err, failure, "monitor_errors: out of memory")
                       : tk_cells_check(cells, err);
}

/* The first services of A in the order in which it lists them; how many. */
static size_t first_services(const struct tasks *tasks, int64_t first[FIRST_SERVICES])
{
    const struct tk_span_table *table = tasks->sides.tables[TK_SIDE_A];
    size_t count = 0;
    for (uint32_t row = 0; row < table->rows && count < FIRST_SERVICES; row++) {
        int64_t service = service_of(tasks, TK_SIDE_A, row);
        size_t i = 0;
        while (i < count && first[i] != service)
            i++;
        if (i == count)
            first[count++] = service;
    }
    return count;
}

struct confusion {
    uint64_t both, one;
};

static double f1_of(const struct confusion *confusion)
{
    uint64_t all = 2 * confusion->both + confusion->one;
    return all > 0 ? 2.0 * (double)confusion->both / (double)all : 0;
}

static void confuse(struct confusion *confusion, const struct tk_cell *cell)
{
    bool alerted = cell->sums[TK_SIDE_A] > ALERT_ABOVE;
    bool real = cell->sums[TK_SIDE_B] > ALERT_ABOVE;
    confusion->both += alerted && real;
    confusion->one += alerted != real;
}

/* As the original: services of A, keys of B. */
static struct tk_mean monitor_compat(const struct tasks *tasks, const struct tk_cells *cells)
{
    int64_t first[FIRST_SERVICES];
    size_t count = first_services(tasks, first);
    struct tk_mean mean = {0};
    for (size_t i = 0; i < count; i++) {
        struct confusion confusion = {0};
        for (uint32_t k = 0; k < cells->count; k++) {
            if (cells->items[k].key.part[0] == first[i] && cells->items[k].sums[TK_SIDE_B] > 0)
                confuse(&confusion, &cells->items[k]);
        }
        tk_mean_add(&mean, f1_of(&confusion));
    }
    return mean;
}

/* All services that alert on either side; the cells get sorted. */
static struct tk_mean monitor_strict(struct tk_cells *cells)
{
    struct tk_mean mean = {0};
    tk_cells_sort(cells);
    for (uint32_t i = 0; i < cells->count;) {
        struct confusion confusion = {0};
        int64_t service = cells->items[i].key.part[0];
        for (; i < cells->count && cells->items[i].key.part[0] == service; i++)
            confuse(&confusion, &cells->items[i]);
        if (confusion.both + confusion.one > 0)
            tk_mean_add(&mean, f1_of(&confusion));
    }
    return mean;
}

int tasks_monitor_errors(struct tasks *tasks, struct tk_err *err)
{
    for (int rule = 0; rule < TK_FIGURE_RULE_COUNT; rule++) {
        bool compat = rule == TK_FIGURE_COMPAT;
        struct tk_cells cells = {0};
        int rc = 0;
        for (int side = 0; rc == 0 && side < TK_SIDES; side++)
            rc = count_errors(tasks, side, (enum tk_figure_rule)rule, &cells, err);
        if (rc == 0) {
            struct tk_mean mean = compat ? monitor_compat(tasks, &cells) : monitor_strict(&cells);
            tasks_add(tasks,
                      &(struct tk_figure){.name = "monitor_errors",
                                          .sense = TK_FIGURE_SCORE,
                                          .rule = (enum tk_figure_rule)rule,
                                          .value = tk_mean_of(&mean),
                                          .reason = mean.count > 0 ? NULL
                                                    : compat       ? "no service in A"
                                                                   : "no alert on either side",
                                          .samples = mean.count},
                      (tk_str){0});
        }
        tk_cells_release(&cells);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Windows of a trigger: Gen-T's hours, or ns of real time. */
struct trigger_window {
    enum tk_figure_rule rule;
    int64_t length; /* hours; ns */
};

static int trigger_f1(const struct tk_sides *sides, const struct trigger_window *window,
                      double *ret_f1, uint64_t *ret_keys, struct tk_err *err)
{
    struct tk_cells cells = {0};
    for (int side = 0; side < TK_SIDES; side++) {
        const struct tk_span_table *table = sides->tables[side];
        for (uint32_t row = 0; row < table->rows; row++) {
            uint32_t parent = table->parents[row];
            if (parent == TK_ROW_TOP)
                continue;
            int64_t at =
                window->rule == TK_FIGURE_COMPAT
                    ? window_of(table, table->start_ns[parent], window->length, TK_FIGURE_COMPAT)
                    : tk_floor_div(table->start_ns[parent], window->length);
            int64_t from = tk_sides_text(sides, side, table->services[parent]);
            int64_t to = tk_sides_text(sides, side, table->services[row]);
            tk_cells_add(&cells, &(struct tk_cell_key){{at, from, to}}, side, 1);
        }
    }
    *ret_f1 = tk_cells_f1(&cells);
    *ret_keys = cells.count;
    int rc = tk_cells_check(&cells, err);
    tk_cells_release(&cells);
    return rc;
}

int tk_trigger_f1(const struct tk_sides *sides, int64_t window_ns, double *ret_f1,
                  uint64_t *ret_keys, struct tk_err *err)
{
    return trigger_f1(sides, &(struct trigger_window){TK_FIGURE_STRICT, window_ns}, ret_f1,
                      ret_keys, err);
}

/* One hour is trigger_correlation, the mean over one to five hours trigger_correlation_many. */
static int trigger_compat(struct tasks *tasks, struct tk_err *err)
{
    struct tk_mean mean = {0};
    struct tk_figure figure = {.sense = TK_FIGURE_SCORE, .rule = TK_FIGURE_COMPAT};
    for (int64_t hours = 1; hours <= MOST_HOURS; hours++) {
        uint64_t keys;
        double f1;
        int rc = trigger_f1(&tasks->sides, &(struct trigger_window){TK_FIGURE_COMPAT, hours}, &f1,
                            &keys, err);
        if (rc < 0)
            return rc;
        tk_mean_add(&mean, keys > 0 ? f1 : 0); /* empty is 0 there */
        if (hours == 1) {
            figure.name = "trigger_correlation";
            figure.value = mean.sum;
            figure.samples = keys;
            tasks_add(tasks, &figure, (tk_str){0});
        }
    }
    figure.name = "trigger_correlation_many";
    figure.value = tk_mean_of(&mean);
    figure.samples = mean.count;
    tasks_add(tasks, &figure, (tk_str){0});
    return 0;
}

int tasks_trigger_correlation(struct tasks *tasks, struct tk_err *err)
{
    static const int64_t usual_ns[] = {10 * 1000000000LL, 300 * 1000000000LL};
    const int64_t *windows = tasks->options->windows_ns ? tasks->options->windows_ns : usual_ns;
    size_t count = tasks->options->windows_ns ? tasks->options->window_count : TK_COUNTOF(usual_ns);
    int rc = trigger_compat(tasks, err);
    struct tk_mean mean = {0};
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct tk_figure figure = {.name = "trigger_correlation", .sense = TK_FIGURE_SCORE};
        char detail[TK_SECONDS_MAX];
        rc = tk_trigger_f1(&tasks->sides, windows[i], &figure.value, &figure.samples, err);
        if (rc < 0)
            return rc;
        figure.reason = figure.samples > 0 ? NULL : "no edge on either side";
        tk_mean_add(&mean, figure.value);
        if (i == 0)
            tasks_add(tasks, &figure, (tk_str){0});
        tasks_add(tasks, &figure, tk_seconds_text(windows[i], detail));
    }
    struct tk_figure many = {.name = "trigger_correlation_many",
                             .sense = TK_FIGURE_SCORE,
                             .value = tk_mean_of(&mean),
                             .samples = mean.count};
    many.reason = isnan(many.value) ? "no edge on either side" : NULL;
    tasks_add(tasks, &many, (tk_str){0});
    return rc;
}
