/* SPDX-License-Identifier: Apache-2.0 */
/* The ten queries as a measure: distances of all combinations of parameters, their means, and how
 * far the totals are apart. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/human.h"
#include "fidelity/distances.h"
#include "fidelity/figures.h"
#include "fidelity/queries.h"

#define GROUP  "queries"
#define TOTALS "totals"

static const int64_t default_windows_ns[] = {10 * TK_NS_PER_S, 300 * TK_NS_PER_S};

/* Sums over combinations, and how many. */
struct mean {
    double sum;
    uint64_t count;
};

struct asking {
    const struct tk_query_space *space;
    const struct tk_measure_options *options;
    struct tk_pair_counts counts;
    struct tk_figures *figures;
    bool has_weights;
    struct mean all[TK_FIGURE_RULE_COUNT]; /* of the queries */
};

/* What is asked of the results of a walk. */
struct question {
    const struct tk_query *query;
    bool is_compat, is_strict;
    struct mean compat, strict;
    double totals[2];
};

static double strict_distance(const struct tk_query *query, const struct tk_results *results)
{
    if (query->is_max)
        return tk_distance_relative(results);
    switch (query->key) {
    case TK_QUERY_BY_TIME:
        return tk_distance_counts(results);
    case TK_QUERY_BY_COLUMN:
        return tk_distance_shares(results);
    case TK_QUERY_BY_RATIO:
        return tk_distance_ratios(results);
    case TK_QUERY_BY_DURATION:
        break;
    }
    return tk_distance_durations(results);
}

/* A side without rows: PandoraTrace passes the combination over, strictly it is the worst. */
static void add_combination(const struct asking *asking, struct question *question,
                            const struct tk_results *results)
{
    enum { BOTH = 3 };
    bool is_whole = tk_results_sides(results) == BOTH;
    if (results->n == 0)
        return;
    if (question->is_compat && is_whole) {
        double distance = tk_distance_compat(results, question->query->key == TK_QUERY_BY_RATIO);
        bool is_skipped = asking->options->skip_zero && distance == 0;
        question->compat.sum += distance;
        question->compat.count += !is_skipped;
    }
    if (question->is_strict) {
        question->strict.sum += is_whole ? strict_distance(question->query, results) : 1;
        question->strict.count++;
    }
    for (size_t i = 0; i < results->n; i++) {
        question->totals[0] += results->pairs[i].values[0];
        question->totals[1] += results->pairs[i].values[1];
    }
}

static int answer(struct asking *asking, struct question *question,
                  const struct tk_query_keys *keys, struct tk_err *err)
{
    struct tk_pair *pairs = NULL;
    size_t *ends = NULL;
    size_t most = 0;
    int rc = tk_query_count(asking->space, question->query, keys, 2, &asking->counts, err);
    size_t combinations = (size_t)tk_query_combinations(asking->space, question->query);
    rc = rc < 0 ? rc : tk_pair_counts_take(&asking->counts, combinations, &pairs, &ends, err);
    if (rc < 0 || !ends)
        return rc;
    for (size_t c = 0, from = 0; c < combinations; from = ends[c++])
        most = ends[c] - from > most ? ends[c] - from : most;
    double *scratch = calloc(4 * (most + 1), sizeof(*scratch));
    if (!scratch)
        rc = tk_fail(err, -ENOMEM, "queries: out of memory");
    for (size_t c = 0, from = 0; scratch && c < combinations; from = ends[c++]) {
        const struct tk_results results = {pairs + from, ends[c] - from, scratch};
        add_combination(asking, question, &results);
    }
    free(scratch);
    free(pairs);
    free(ends);
    return rc;
}

/* Figures -------------------------------------------------------------------------------------- */

static double mean_of(const struct mean *mean)
{
    return mean->count > 0 ? mean->sum / (double)mean->count : (double)NAN;
}

static void add_mean(struct asking *asking, const struct tk_query *query, enum tk_figure_rule rule,
                     const struct mean *mean, tk_str detail)
{
    static const char *const reasons[TK_FIGURE_RULE_COUNT] = {
        [TK_FIGURE_STRICT] = "no rows on either side",
        [TK_FIGURE_COMPAT] = "no combination has rows on both sides",
    };
    tk_figures_add(asking->figures,
                   &(struct tk_figure){.group = GROUP,
                                       .name = query->name,
                                       .detail = detail,
                                       .rule = rule,
                                       .value = mean_of(mean),
                                       .reason = mean->count > 0 ? NULL : reasons[rule],
                                       .samples = mean->count});
    if (mean->count > 0 && !detail.p) {
        asking->all[rule].sum += mean_of(mean);
        asking->all[rule].count++;
    }
}

static void add_total(struct asking *asking, const struct question *question)
{
    double b = question->totals[1];
    if (question->query->is_max)
        return;
    tk_figures_add(
        asking->figures,
        &(struct tk_figure){.group = TOTALS,
                            .name = question->query->name,
                            .value = b > 0 ? fabs(question->totals[0] - b) / b : (double)NAN,
                            .reason = b > 0 ? NULL : "no rows in the real set",
                            .samples = (uint64_t)b});
}

/* "window 5m". */
static void name_window(int64_t window_ns, char to[TK_HUMAN_MAX])
{
    static const struct {
        int64_t ns;
        const char *name;
    } units[] = {{3600 * TK_NS_PER_S, "h"},
                 {60 * TK_NS_PER_S, "m"},
                 {TK_NS_PER_S, "s"},
                 {TK_NS_PER_MS, "ms"},
                 {1, "ns"}};
    size_t i = 0;
    while (window_ns % units[i].ns != 0)
        i++;
    (void)snprintf(to, TK_HUMAN_MAX, "window %lld%s", (long long)(window_ns / units[i].ns),
                   units[i].name);
}

/* Strict answers per window: the first one is the query's. */
static int ask_windows(struct asking *asking, const struct tk_query *query, struct tk_err *err)
{
    const struct tk_measure_options *options = asking->options;
    const int64_t *windows = options->windows_ns ? options->windows_ns : default_windows_ns;
    size_t count = options->windows_ns ? options->window_count : TK_COUNTOF(default_windows_ns);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        char detail[TK_HUMAN_MAX];
        struct question question = {.query = query, .is_strict = true};
        const struct tk_query_keys keys = {.is_strict = true, .window_ns = windows[i]};
        name_window(windows[i], detail);
        rc = answer(asking, &question, &keys, err);
        tk_str name = i > 0 ? tk_str_from(detail) : (tk_str){NULL, 0};
        if (rc == 0)
            add_mean(asking, query, TK_FIGURE_STRICT, &question.strict, name);
        if (rc == 0 && i == 0)
            add_total(asking, &question);
    }
    return rc;
}

static int ask(struct asking *asking, const struct tk_query *query, struct tk_err *err)
{
    /* One walk answers both where keys are values and all traces count the same. */
    bool is_shared = query->key == TK_QUERY_BY_COLUMN && !asking->has_weights;
    struct question question = {.query = query, .is_compat = true, .is_strict = is_shared};
    int rc = answer(asking, &question, &(struct tk_query_keys){0}, err);
    if (rc < 0)
        return rc;
    add_mean(asking, query, TK_FIGURE_COMPAT, &question.compat, (tk_str){NULL, 0});
    if (query->key == TK_QUERY_BY_TIME)
        return ask_windows(asking, query, err);
    if (!is_shared) {
        question = (struct question){.query = query, .is_strict = true};
        rc = answer(asking, &question, &(struct tk_query_keys){.is_strict = true}, err);
    }
    if (rc == 0) {
        add_mean(asking, query, TK_FIGURE_STRICT, &question.strict, (tk_str){NULL, 0});
        add_total(asking, &question);
    }
    return rc;
}

static bool has_weights(const struct tk_span_table *table)
{
    for (uint32_t trace = 0; trace < table->traces; trace++) {
        if (table->weights[trace] != 1)
            return true;
    }
    return false;
}

static bool is_asked(const struct tk_query *query, const struct tk_measure_options *options)
{
    for (size_t i = 0; i < options->query_count; i++) {
        if (strcmp(options->queries[i], query->name) == 0)
            return true;
    }
    return options->query_count == 0;
}

static void add_overall(struct asking *asking, enum tk_figure_rule rule)
{
    const struct mean *mean = &asking->all[rule];
    tk_figures_add(asking->figures,
                   &(struct tk_figure){.group = GROUP,
                                       .name = "mean",
                                       .rule = rule,
                                       .value = mean_of(mean),
                                       .reason = mean->count > 0 ? NULL : "no query has a figure",
                                       .samples = mean->count});
}

static int measure(const struct tk_span_table *a, const struct tk_span_table *b,
                   const struct tk_measure_options *options, struct tk_figures *figures,
                   struct tk_err *err)
{
    TK_CLEANUP(tk_query_space_freep) struct tk_query_space *space = NULL;
    const struct tk_query_options asked = {options->params, options->param_count,
                                           options->sample_of};
    for (size_t i = 0; i < options->query_count; i++) {
        if (!tk_query_find(options->queries[i]))
            return tk_fail(err, -EINVAL, "'%s' is none of the queries", options->queries[i]);
    }
    int rc = tk_query_space_new(a, b, &asked, &space, err);
    if (rc < 0)
        return rc;
    struct asking asking = {.space = space,
                            .options = options,
                            .figures = figures,
                            .has_weights = has_weights(a) || has_weights(b)};
    for (size_t i = 0; i < TK_QUERIES && rc == 0; i++) {
        if (is_asked(&tk_queries[i], options))
            rc = ask(&asking, &tk_queries[i], err);
    }
    tk_pair_counts_release(&asking.counts);
    if (rc == 0) {
        add_overall(&asking, TK_FIGURE_COMPAT);
        add_overall(&asking, TK_FIGURE_STRICT);
    }
    return rc;
}

const struct tk_measure tk_measure_queries = {
    .name = GROUP,
    .help = "the ten queries of PandoraTrace, all combinations of their parameters",
    .measure = measure,
};
