/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/suite.h"
#include "fidelity/queries.h"

const struct tk_suite_headline tk_suite_headlines[] = {
    {{"queries", "mean", TK_FIGURE_STRICT}, "ten queries, strict distance"},
    {{"queries", "mean", TK_FIGURE_COMPAT}, "ten queries, compatible distance"},
    {{"tasks", "trigger_correlation", TK_FIGURE_STRICT}, "trigger F1 in 10 s"},
    {{"tasks", "monitor_errors", TK_FIGURE_STRICT}, "monitoring F1"},
    {{"time", "rate", TK_FIGURE_STRICT}, "rate over time, %"},
    {{"time", "errors", TK_FIGURE_STRICT}, "errors over time, %"},
    {{"time", "durations", TK_FIGURE_STRICT}, "durations over time, %"},
    {{"joint", "correlation", TK_FIGURE_STRICT}, "error of parent/child correlation"},
    {{NULL, NULL, TK_FIGURE_STRICT}, NULL},
};

static const struct tk_suite_headline per_trace[] = {
    {{"trace", "same_tree", TK_FIGURE_STRICT}, "same tree, share of traces"},
    {{"trace", "same_errors", TK_FIGURE_STRICT}, "same error flags"},
    {{"trace", "same_attributes", TK_FIGURE_STRICT}, "same attributes"},
    {{"trace", "duration_error", TK_FIGURE_STRICT}, "largest error of a duration"},
    {{"trace", "gap_error", TK_FIGURE_STRICT}, "largest error of a gap"},
    {{"trace", "start_error_ms", TK_FIGURE_STRICT}, "largest error of a start, ms"},
    {{NULL, NULL, TK_FIGURE_STRICT}, NULL},
};

static const struct tk_suite_headline causes[] = {
    {{"rca", "tracerca_ac1", TK_FIGURE_STRICT}, "TraceRCA AC@1"},
    {{"rca", "tracerca_ac3", TK_FIGURE_STRICT}, "AC@3"},
    {{"rca", "tracerca_ac5", TK_FIGURE_STRICT}, "AC@5"},
    {{"rca", "tracerca_avg5", TK_FIGURE_STRICT}, "avg5"},
    {{"rca", "tracerca_avg5_lost", TK_FIGURE_STRICT}, "off the real set's"},
    {{"rca", "microrank_ac1", TK_FIGURE_STRICT}, "MicroRank AC@1"},
    {{"rca", "microrank_ac3", TK_FIGURE_STRICT}, "AC@3"},
    {{"rca", "microrank_ac5", TK_FIGURE_STRICT}, "AC@5"},
    {{"rca", "microrank_avg5", TK_FIGURE_STRICT}, "avg5"},
    {{"rca", "microrank_avg5_lost", TK_FIGURE_STRICT}, "off the real set's"},
    {{NULL, NULL, TK_FIGURE_STRICT}, NULL},
};

const struct tk_suite_topic tk_suite_topics[] = {
    {"Trace by trace",
     "Each trace of the file against the real one that it stands for, where it stands for one: 1 "
     "and 0 are perfect.",
     per_trace},
    {"Root causes",
     "How often the true service of an injected fault is among the first k that an algorithm "
     "blames; faults that the real set cannot tell are left out.",
     causes},
    {NULL, NULL, NULL},
};

static const struct tk_suite_key strict_mean = {"queries", "mean", TK_FIGURE_STRICT};

static bool has_figures(const struct tk_suite_point *point)
{
    return point->is_done && !point->failure[0] && !point->is_over;
}

double tk_suite_trace_bytes(const struct tk_suite_part *part, const struct tk_suite_item *item)
{
    double sum = 0;
    size_t count = 0;
    for (size_t s = 0; s < item->seeds; s++) {
        if (!has_figures(&item->points[s]))
            continue;
        sum += (double)item->points[s].bytes;
        count++;
    }
    return count > 0 ? sum / (double)count / fmax(part->data.real->traces, 1) : (double)NAN;
}

static const struct tk_figure *find(const struct tk_suite_point *point,
                                    const struct tk_suite_key *key, bool next)
{
    return has_figures(point) ? tk_figures_find(next ? &point->next : &point->figures, key->group,
                                                key->name, key->rule)
                              : NULL;
}

struct tk_spread tk_suite_spread(const struct tk_suite_item *item, const struct tk_suite_key *key,
                                 bool next)
{
    double values[TK_SUITE_SEEDS_MAX];
    for (size_t s = 0; s < item->seeds; s++) {
        const struct tk_figure *figure = find(&item->points[s], key, next);
        values[s] = figure ? figure->value : (double)NAN;
    }
    return tk_spread_of(values, item->seeds);
}

enum tk_figure_sense tk_suite_sense(const struct tk_suite_part *part,
                                    const struct tk_suite_key *key)
{
    for (size_t i = 0; i < part->count; i++) {
        for (size_t s = 0; s < part->items[i]->seeds; s++) {
            const struct tk_figure *figure = find(&part->items[i]->points[s], key, false);
            if (figure)
                return figure->sense;
        }
    }
    return TK_FIGURE_COUNT;
}

/* Keys ----------------------------------------------------------------------------------------- */

static bool is_same(const struct tk_suite_key *key, const struct tk_figure *figure)
{
    return key->rule == figure->rule && strcmp(key->group, figure->group) == 0 &&
           strcmp(key->name, figure->name) == 0;
}

/* Add what is new; 0, or -ENOMEM. */
static int add_keys(const struct tk_figures *figures, struct tk_suite_key **keys, size_t *count)
{
    for (size_t f = 0; f < figures->count; f++) {
        const struct tk_figure *figure = &figures->items[f];
        size_t k = 0;
        while (k < *count && !is_same(&(*keys)[k], figure))
            k++;
        if (k < *count)
            continue;
        struct tk_suite_key *more = realloc(*keys, (*count + 1) * sizeof(*more));
        if (!more)
            return -ENOMEM;
        *keys = more;
        more[(*count)++] = (struct tk_suite_key){figure->group, figure->name, figure->rule};
    }
    return 0;
}

int tk_suite_keys(const struct tk_suite_part *part, struct tk_suite_key **ret_keys,
                  size_t *ret_count, struct tk_err *err)
{
    struct tk_suite_key *keys = NULL;
    size_t count = 0;
    int rc = 0;
    for (size_t i = 0; i < part->count && rc == 0; i++) {
        for (size_t s = 0; s < part->items[i]->seeds && rc == 0; s++) {
            if (has_figures(&part->items[i]->points[s]))
                rc = add_keys(&part->items[i]->points[s].figures, &keys, &count);
        }
    }
    if (rc < 0) {
        free(keys);
        return tk_fail(err, rc, "out of memory");
    }
    *ret_keys = keys;
    *ret_count = count;
    return 0;
}

/* Controls ------------------------------------------------------------------------------------- */

/* Whether something was left out or made up. */
static bool is_reduced(const struct tk_suite_item *item)
{
    return item->method && !(item->points[0].share >= 1) &&
           (item->method->sampler || item->method->codec || item->method->baseline->is_generative);
}

/* What a control is held against: the main method, or without one the best that any reduced set
 * reaches. */
static double reference_of(const struct tk_suite_part *part, const struct tk_suite_key *key,
                           enum tk_figure_sense sense, const struct tk_suite_item **ret_item)
{
    const struct tk_suite_item *main = tk_suite_main(part);
    double best = (double)NAN;
    *ret_item = NULL;
    for (size_t i = 0; i < part->count; i++) {
        const struct tk_suite_item *item = part->items[i];
        bool is_asked = main && main->method->codec ? item == main : is_reduced(item);
        double mean = is_asked ? tk_suite_spread(item, key, false).mean : (double)NAN;
        if (isnan(mean) || (!isnan(best) && !tk_figure_is_better(sense, mean, best)))
            continue;
        best = mean;
        *ret_item = item;
    }
    return best;
}

/* A set without attributes is what it was when they are shuffled. */
static bool has_effect(const struct tk_suite_item *control)
{
    return tk_suite_spread(control, &strict_mean, false).mean > 0;
}

const struct tk_control *tk_suite_uninformative(const struct tk_suite_part *part,
                                                const struct tk_suite_key *key,
                                                const struct tk_suite_item **ret_item)
{
    const struct tk_suite_item *item = NULL;
    enum tk_figure_sense sense = tk_suite_sense(part, key);
    if (sense == TK_FIGURE_COUNT)
        return NULL;
    double best = reference_of(part, key, sense, &item);
    for (size_t i = 0; i < part->count && !isnan(best); i++) {
        const struct tk_control *control = part->items[i]->control;
        if (!control || !tk_control_breaks(control, key->group, key->name) ||
            !has_effect(part->items[i]))
            continue;
        double own = tk_suite_spread(part->items[i], key, false).mean;
        if (isnan(own) || !tk_figure_is_better(sense, own, best))
            continue;
        if (ret_item)
            *ret_item = item;
        return control;
    }
    return NULL;
}

/* The method that the report is about ---------------------------------------------------------- */

#define USUAL_BYTES 20 /* a trace */

/* How well an item serves: the more, the better; 0 = not at all. */
static double rank_of(const struct tk_suite_item *item)
{
    if (!item->method || item->equal_to)
        return 0;
    if (item->method->codec && item->setting)
        return strchr(item->setting, '%') ? 4 : 3;
    if (item->method->codec)
        return 2;
    return item->trace_bytes > 0 ? 1 / (1 + fabs(log(item->trace_bytes / USUAL_BYTES))) : 0.01;
}

const struct tk_suite_item *tk_suite_main(const struct tk_suite_part *part)
{
    const struct tk_suite_item *main = NULL;
    double best = 0;
    for (size_t i = 0; i < part->count; i++) {
        double rank = rank_of(part->items[i]);
        if (rank > best && !isnan(tk_suite_trace_bytes(part, part->items[i]))) {
            best = rank;
            main = part->items[i];
        }
    }
    return main;
}

/* Duels ---------------------------------------------------------------------------------------- */

static void count_queries(struct tk_suite_duel *duel)
{
    for (size_t q = 0; q < TK_QUERIES; q++) {
        const struct tk_suite_key key = {"queries", tk_queries[q].name, TK_FIGURE_STRICT};
        double own = tk_suite_spread(duel->own, &key, false).mean;
        double other = tk_suite_spread(duel->other, &key, false).mean;
        duel->better += own < other;
        duel->equal += own == other;
        duel->worse += own > other;
    }
}

/* Bytes of the smallest sample of a fixed ratio that is as large as this; NaN = none. */
static double next_ratio(const struct tk_suite_part *part, double bytes)
{
    double least = (double)NAN;
    for (size_t i = 0; i < part->count; i++) {
        double own = tk_suite_trace_bytes(part, part->items[i]);
        if (part->items[i]->one_of > 1 && own * TK_SUITE_WITHIN >= bytes)
            least = isnan(least) ? own : fmin(least, own);
    }
    return least;
}

/* Two of which one was given the bytes of the other, or the next sample of a fixed ratio that is no
 * smaller. */
static bool is_duel(const struct tk_suite_part *part, const struct tk_suite_duel *duel)
{
    if (isnan(duel->own_bytes) || isnan(duel->other_bytes))
        return false;
    if (duel->other->equal_to || duel->own->equal_to)
        return duel->other->equal_to == duel->own || duel->own->equal_to == duel->other;
    return duel->own->trace_bytes == 0 && duel->other->one_of > 1 &&
           duel->other_bytes * TK_SUITE_WITHIN >= duel->own_bytes &&
           duel->other_bytes <= next_ratio(part, duel->own_bytes);
}

/* Ours; where the codec is not asked for, what models all traces. */
static bool is_own(const struct tk_suite_part *part, const struct tk_suite_item *item)
{
    const struct tk_suite_item *main = tk_suite_main(part);
    if (!item->method)
        return false;
    if (main && main->method->codec)
        return item->method->codec != NULL;
    return !item->method->codec && item->method->baseline->is_generative;
}

size_t tk_suite_duels(const struct tk_suite_part *part, struct tk_suite_duel *ret_duels, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < part->count; i++) {
        const struct tk_suite_item *own = part->items[i];
        for (size_t k = 0; is_own(part, own) && k < part->count && count < max; k++) {
            const struct tk_suite_item *other = part->items[k];
            struct tk_suite_duel duel = {.own = own, .other = other};
            if (!other->method || other->method == own->method)
                continue;
            duel.own_bytes = tk_suite_trace_bytes(part, own);
            duel.other_bytes = tk_suite_trace_bytes(part, other);
            if (!is_duel(part, &duel))
                continue;
            duel.own_mean = tk_suite_spread(own, &strict_mean, false);
            duel.other_mean = tk_suite_spread(other, &strict_mean, false);
            count_queries(&duel);
            ret_duels[count++] = duel;
        }
    }
    return count;
}
