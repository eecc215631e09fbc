/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/rca.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "fidelity/rca_internal.h"

#define NS_PER_US   1000
#define MINUTE_NS   (60LL * 1000000000)
#define UNSEEN      1e9 /* mean and deviation, in us, of an operation without normal spans */
#define DEVIATIONS  3
#define MOST_PLACES 5 /* AC@1 to AC@5 */

const char *const tk_rca_names[TK_RCA_COUNT] = {
    [TK_RCA_TRACE] = "TraceRCA",
    [TK_RCA_MICRORANK] = "MicroRank",
};

/* The first trace that starts at `ns` or later. */
static uint32_t first_from(const struct tk_span_table *table, int64_t ns)
{
    uint32_t low = 0;
    uint32_t high = table->traces;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->start_ns[tk_span_table_begin(table, middle)] < ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int64_t duration_us(const struct tk_span_table *table, uint32_t row)
{
    return table->duration_ns[row] / NS_PER_US;
}

/* Durations of an operation's normal spans. */
struct usual {
    double weight, mean, squares;
    uint64_t count;
};

static void add_usual(struct usual *usual, double value, double weight)
{
    usual->count++;
    usual->weight += weight;
    double before = value - usual->mean;
    usual->mean += before * weight / usual->weight;
    usual->squares += weight * before * (value - usual->mean);
}

/* As pandas and numpy: two decimals, halves to even. */
static double round_cents(double value)
{
    return rint(value * 100) / 100;
}

static enum verdict verdict_of(const struct usual *usual, int64_t duration)
{
    double mean = UNSEEN;
    double deviation = UNSEEN;
    if (usual->count == 1 || (usual->count > 1 && usual->weight <= 1))
        return VERDICT_NONE;
    if (usual->count > 1) {
        mean = round_cents(usual->mean);
        deviation = round_cents(sqrt(fmax(usual->squares, 0) / (usual->weight - 1)));
    }
    return (double)duration >= mean + DEVIATIONS * deviation ? VERDICT_ABNORMAL : VERDICT_USUAL;
}

/* Rows by operation and side of the injection. */
static int read_rows(struct rca_window *window, int64_t inject_us)
{
    const struct tk_span_table *table = window->table;
    uint32_t trace = window->first_trace;
    for (uint32_t row = window->begin; row < window->end; row++) {
        trace += row == table->trace_ends[trace];
        int64_t end_us = table->start_ns[row] / NS_PER_US + duration_us(table, row);
        const struct tk_cell_key key = {
            {table->services[row], table->methods[row], table->operations[row]}};
        struct rca_row *made = &window->rows[row - window->begin];
        *made = (struct rca_row){tk_cells_add(&window->operations, &key, 0, 1), trace,
                                 end_us >= inject_us, VERDICT_NONE};
        window->normal += !made->is_anomalous;
        window->anomalous += made->is_anomalous;
    }
    return window->operations.failure;
}

static int judge_rows(struct rca_window *window)
{
    struct usual *usual = calloc(window->operations.count + (size_t)1, sizeof(*usual));
    if (!usual)
        return -ENOMEM;
    uint32_t count = window->end - window->begin;
    for (uint32_t i = 0; i < count; i++) {
        const struct rca_row *row = &window->rows[i];
        if (!row->is_anomalous) {
            add_usual(&usual[row->operation], (double)duration_us(window->table, window->begin + i),
                      rca_weight(window, row->trace));
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        struct rca_row *row = &window->rows[i];
        row->verdict = (uint8_t)verdict_of(&usual[row->operation],
                                           duration_us(window->table, window->begin + i));
    }
    free(usual);
    return 0;
}

static int window_init(struct rca_window *window, const struct tk_span_table *table,
                       int64_t inject_ns, enum tk_figure_rule rule)
{
    int64_t minute = inject_ns - inject_ns % MINUTE_NS;
    *window = (struct rca_window){.table = table, .rule = rule};
    window->first_trace = first_from(table, minute - MINUTE_NS);
    window->last_trace = first_from(table, minute + 2 * MINUTE_NS);
    if (window->first_trace == window->last_trace)
        return 0;
    window->begin = tk_span_table_begin(table, window->first_trace);
    window->end = tk_span_table_begin(table, window->last_trace);
    window->rows = calloc(window->end - window->begin, sizeof(*window->rows));
    int rc = window->rows ? read_rows(window, inject_ns / NS_PER_US) : -ENOMEM;
    return rc < 0 ? rc : judge_rows(window);
}

static void window_release(struct rca_window *window)
{
    free(window->rows);
    tk_cells_release(&window->operations);
}

/* Why there is nothing to tell normal from anomalous; NULL = there is. */
static const char *reason_of(const struct rca_window *window)
{
    if (window->normal + window->anomalous == 0)
        return "no spans around the injection";
    if (window->normal == 0)
        return "no spans before the injection";
    return window->anomalous == 0 ? "no spans after the injection" : NULL;
}

static int by_score(const void *a, const void *b)
{
    const struct rca_score *x = a;
    const struct rca_score *y = b;
    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static const struct {
    int (*scores)(const struct rca_window *window, struct rca_score *scores, size_t *ret_count);
} algorithms[TK_RCA_COUNT] = {
    [TK_RCA_TRACE] = {rca_trace_scores},
    [TK_RCA_MICRORANK] = {rca_microrank_scores},
};

/* Services in the order in which the ranked operations name them first. */
static size_t services_of(const struct rca_window *window, const struct rca_score *scores,
                          size_t count, uint32_t *services)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t service = (uint32_t)window->operations.items[scores[i].operation].key.part[0];
        size_t k = 0;
        while (k < found && services[k] != service)
            k++;
        services[k] = service;
        found += k == found;
    }
    return found;
}

static int rank_window(const struct rca_window *window, enum tk_rca_algorithm algorithm,
                       uint32_t **ret_services, size_t *ret_count)
{
    size_t room = window->operations.count + (size_t)1;
    struct rca_score *scores = malloc(room * sizeof(*scores));
    uint32_t *services = malloc(room * sizeof(*services));
    size_t count = 0;
    int rc = scores && services ? algorithms[algorithm].scores(window, scores, &count) : -ENOMEM;
    if (rc == 0) {
        for (size_t i = 0; i < count; i++)
            scores[i].order = (uint32_t)i;
        qsort(scores, count, sizeof(*scores), by_score);
        *ret_count = services_of(window, scores, count, services);
        *ret_services = services;
    }
    if (rc < 0)
        free(services);
    free(scores);
    return rc;
}

int tk_rca_rank(const struct tk_span_table *table, const struct tk_rca_question *question,
                uint32_t **ret_services, size_t *ret_count, struct tk_err *err)
{
    struct rca_window window;
    int rc = window_init(&window, table, question->inject_ns, question->rule);
    const char *reason = rc == 0 ? reason_of(&window) : NULL;
    if (rc == 0 && !reason)
        rc = rank_window(&window, question->algorithm, ret_services, ret_count);
    window_release(&window);
    if (reason)
        return tk_fail(err, -ENODATA, "%s", reason);
    return rc < 0 ? tk_fail(err, rc, "root causes: out of memory") : 0;
}

/* The place of a service by name, from 1; 0 = none. */
static uint32_t place_of(const struct tk_span_table *table, const uint32_t *services, size_t count,
                         tk_str service)
{
    for (size_t i = 0; i < count; i++) {
        if (tk_str_eq(tk_texts_get(&table->texts, services[i]), service))
            return (uint32_t)i + 1;
    }
    return 0;
}

static int run_fault(const struct tk_span_table *table, const struct tk_fault *fault,
                     enum tk_figure_rule rule, struct tk_rca_result *result)
{
    struct rca_window window;
    int rc = window_init(&window, table, fault->inject_ns, rule);
    result->normal = window.normal;
    result->anomalous = window.anomalous;
    result->reason = reason_of(&window);
    for (int i = 0; rc == 0 && !result->reason && i < TK_RCA_COUNT; i++) {
        uint32_t *services = NULL;
        size_t count = 0;
        rc = rank_window(&window, (enum tk_rca_algorithm)i, &services, &count);
        result->ranks[i][rule] = place_of(table, services, count, fault->service);
        free(services);
    }
    window_release(&window);
    return rc;
}

int tk_rca_run(const struct tk_span_table *table, const struct tk_faults *faults,
               struct tk_rca_result *ret_results, struct tk_err *err)
{
    for (size_t i = 0; i < faults->count; i++) {
        ret_results[i] = (struct tk_rca_result){0};
        for (int rule = 0; rule < TK_FIGURE_RULE_COUNT; rule++) {
            int rc =
                run_fault(table, &faults->items[i], (enum tk_figure_rule)rule, &ret_results[i]);
            if (rc < 0)
                return tk_fail(err, rc, "root causes: out of memory");
        }
    }
    return 0;
}

static bool is_hit(const struct tk_rca_result *result, size_t algorithm, size_t rule, uint32_t k)
{
    uint32_t rank = result->ranks[algorithm][rule];
    return !result->reason && rank > 0 && rank <= k;
}

/* AC@k over the faults that `scorable` (the real set, or the one itself) can score. */
static struct tk_mean accuracy(const struct tk_rca_result *results,
                               const struct tk_rca_result *scorable, size_t count,
                               const size_t which[2], uint32_t k)
{
    struct tk_mean mean = {0};
    for (size_t i = 0; i < count; i++) {
        if (!scorable[i].reason)
            tk_mean_add(&mean, is_hit(&results[i], which[0], which[1], k));
    }
    return mean;
}

#define PLACE_NAMES(algorithm)                                                                     \
    {                                                                                              \
        {algorithm "_ac1", algorithm "_ac1_lost"}, {algorithm "_ac2", algorithm "_ac2_lost"},      \
            {algorithm "_ac3", algorithm "_ac3_lost"}, {algorithm "_ac4", algorithm "_ac4_lost"},  \
            {algorithm "_ac5", algorithm "_ac5_lost"},                                             \
            {algorithm "_avg5", algorithm "_avg5_lost"},                                           \
    }

/* Names of figures: the accuracy, and how far it is from that of the real set. */
static const char *const figure_names[TK_RCA_COUNT][MOST_PLACES + 1][2] = {
    [TK_RCA_TRACE] = PLACE_NAMES("tracerca"),
    [TK_RCA_MICRORANK] = PLACE_NAMES("microrank"),
};

static void add_figure(struct tk_figures *figures, const char *name, enum tk_figure_sense sense,
                       const struct tk_mean *mean, size_t rule)
{
    tk_figures_add(figures,
                   &(struct tk_figure){.group = "rca",
                                       .name = name,
                                       .sense = sense,
                                       .rule = (enum tk_figure_rule)rule,
                                       .value = tk_mean_of(mean),
                                       .reason = mean->count > 0 ? NULL : "no fault to score",
                                       .samples = mean->count});
}

/* AC@1 to AC@5, and avg5, their mean. */
static void add_accuracy(const struct tk_rca_result *results, const struct tk_rca_result *real,
                         size_t count, const size_t which[2], struct tk_figures *figures)
{
    const char *const(*names)[2] = figure_names[which[0]];
    struct tk_mean all[2] = {{0}, {0}};
    for (uint32_t k = 0; k <= MOST_PLACES; k++) {
        bool is_mean = k == MOST_PLACES;
        struct tk_mean found = accuracy(results, real ? real : results, count, which, k + 1);
        struct tk_mean lost = {0};
        if (is_mean) {
            found = all[0];
        } else if (found.count > 0) {
            tk_mean_add(&all[0], tk_mean_of(&found));
        }
        add_figure(figures, names[k][0], TK_FIGURE_SCORE, &found, which[1]);
        if (!real)
            continue;
        lost = accuracy(real, real, count, which, k + 1);
        lost.sum = fabs(lost.sum - found.sum);
        if (is_mean) {
            lost = all[1];
        } else if (lost.count > 0) {
            tk_mean_add(&all[1], tk_mean_of(&lost));
        }
        add_figure(figures, names[k][1], TK_FIGURE_DISTANCE, &lost, which[1]);
    }
}

void tk_rca_add(const struct tk_rca_result *results, const struct tk_rca_result *real, size_t count,
                struct tk_figures *figures)
{
    for (size_t algorithm = 0; algorithm < TK_RCA_COUNT; algorithm++) {
        for (size_t rule = 0; rule < TK_FIGURE_RULE_COUNT; rule++)
            add_accuracy(results, real, count, (size_t[]){algorithm, rule}, figures);
    }
}
