/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a suite's report. A cell of a figure is its mean over the seeds, with half the 95 %
 * interval behind it where there are several. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "cmd/suite_sheets.h"
#include "fidelity/queries.h"

#define DUELS_MAX  64
#define OTHERS_MAX 8 /* methods beside the main one in a table by query */

/* Digits as many as matter: three, or what a per cent needs. */
static void format(char to[TK_SHEET_CELL], double value)
{
    if (isnan(value)) {
        (void)snprintf(to, TK_SHEET_CELL, "-");
    } else if (value != 0 && fabs(value) < 0.0001) {
        (void)snprintf(to, TK_SHEET_CELL, "%.1e", value);
    } else if (fabs(value) < 1) {
        (void)snprintf(to, TK_SHEET_CELL, "%.4f", value);
    } else {
        (void)snprintf(to, TK_SHEET_CELL, fabs(value) < 10 ? "%.3f" : "%.1f", value);
    }
}

static void set_spread(struct tk_sheet *sheet, size_t column, enum tk_sheet_mark mark,
                       const struct tk_spread *spread)
{
    char mean[TK_SHEET_CELL];
    char half[TK_SHEET_CELL];
    format(mean, spread->mean);
    if (spread->runs > 1 && spread->high > spread->low) {
        format(half, (spread->high - spread->low) / 2);
        tk_sheet_set(sheet, column, mark, "%s ± %s", mean, half);
    } else {
        tk_sheet_set(sheet, column, isnan(spread->mean) ? TK_SHEET_DIM : mark, "%s", mean);
    }
}

static void set_bytes(struct tk_sheet *sheet, size_t column, double bytes)
{
    tk_sheet_set(sheet, column, TK_SHEET_PLAIN, isnan(bytes) ? "-" : "%.2f", bytes);
}

static void set_item(struct tk_sheet *sheet, const struct tk_suite_item *item)
{
    tk_sheet_set(sheet, 0, item->method && item->method->codec ? TK_SHEET_BEST : TK_SHEET_PLAIN,
                 "%s %s", item->method ? item->method->name : "control:", item->label);
}

static double span_bytes(const struct tk_suite_part *part, double trace_bytes)
{
    return trace_bytes * fmax(part->data.real->traces, 1) / fmax(part->data.real->rows, 1);
}

/* Duels ---------------------------------------------------------------------------------------- */

void tk_suite_sheet_duels(const struct tk_suite_part *part, struct tk_sheet *sheet)
{
    static const char *const heads[] = {"",
                                        "B/trace",
                                        "against",
                                        "B/trace",
                                        "strict",
                                        "strict of the other",
                                        "times better",
                                        "queries better / equal / worse"};
    struct tk_suite_duel duels[DUELS_MAX];
    size_t count = tk_suite_duels(part, duels, DUELS_MAX);
    tk_sheet_init(sheet, TK_COUNTOF(heads));
    tk_sheet_add(sheet);
    for (size_t c = 0; c < TK_COUNTOF(heads); c++)
        tk_sheet_set(sheet, c, TK_SHEET_PLAIN, "%s", heads[c]);
    for (size_t d = 0; d < count; d++) {
        const struct tk_suite_duel *duel = &duels[d];
        bool is_won = duel->own_mean.mean < duel->other_mean.mean;
        tk_sheet_add(sheet);
        set_item(sheet, duel->own);
        set_bytes(sheet, 1, duel->own_bytes);
        tk_sheet_set(sheet, 2, TK_SHEET_PLAIN, "%s %s", duel->other->method->name,
                     duel->other->equal_to ? "" : duel->other->label);
        set_bytes(sheet, 3, duel->other_bytes);
        set_spread(sheet, 4, is_won ? TK_SHEET_BEST : TK_SHEET_PLAIN, &duel->own_mean);
        set_spread(sheet, 5, is_won ? TK_SHEET_PLAIN : TK_SHEET_BEST, &duel->other_mean);
        tk_sheet_set(sheet, 6, is_won ? TK_SHEET_BEST : TK_SHEET_BAD, "%.3g",
                     duel->other_mean.mean / duel->own_mean.mean);
        tk_sheet_set(sheet, 7, TK_SHEET_PLAIN, "%d / %d / %d", duel->better, duel->equal,
                     duel->worse);
    }
}

/* Whether one of some figures is nearer to perfect than another. */
static bool differ(const struct tk_spread *spreads, size_t count)
{
    double first = (double)NAN;
    for (size_t i = 0; i < count; i++) {
        if (!isnan(first) && !isnan(spreads[i].mean) && spreads[i].mean != first)
            return true;
        first = isnan(first) ? spreads[i].mean : first;
    }
    return false;
}

/* Budgets -------------------------------------------------------------------------------------- */

/* The item of a method at a budget of the list. */
static const struct tk_suite_item *at_budget(const struct tk_suite_part *part,
                                             const struct tk_suite_method *method, double budget)
{
    for (size_t i = 0; i < part->count; i++) {
        const struct tk_suite_item *item = part->items[i];
        if (item->method == method && !item->equal_to && item->trace_bytes > 0 &&
            item->trace_bytes >= budget && item->trace_bytes <= budget)
            return item;
    }
    return NULL;
}

/* Methods that have items at budgets of the list. */
static size_t budget_methods(const struct tk_suite *suite, const struct tk_suite_part *part,
                             const struct tk_suite_method **ret_methods, size_t max)
{
    size_t count = 0;
    for (const struct tk_suite_method *method = tk_suite_methods; method->name[0]; method++) {
        bool has_one = false;
        for (size_t b = 0; b < suite->budget_count; b++)
            has_one = has_one || at_budget(part, method, suite->budgets[b]);
        if (has_one && count < max)
            ret_methods[count++] = method;
    }
    return count;
}

bool tk_suite_has_budgets(const struct tk_suite *suite, const struct tk_suite_part *part)
{
    const struct tk_suite_method *methods[TK_SUITE_PARTS_MAX];
    return budget_methods(suite, part, methods, TK_SUITE_PARTS_MAX) > 0;
}

void tk_suite_sheet_budgets(const struct tk_suite *suite, const struct tk_suite_part *part,
                            const struct tk_suite_key *key, struct tk_sheet *sheet)
{
    const struct tk_suite_method *methods[TK_SUITE_PARTS_MAX];
    enum tk_figure_sense sense = tk_suite_sense(part, key);
    size_t count = budget_methods(suite, part, methods, TK_SUITE_PARTS_MAX);
    tk_sheet_init(sheet, count + 2);
    tk_sheet_add(sheet);
    tk_sheet_set(sheet, 0, TK_SHEET_PLAIN, "B/trace");
    tk_sheet_set(sheet, 1, TK_SHEET_PLAIN, "B/span");
    for (size_t m = 0; m < count; m++)
        tk_sheet_set(sheet, m + 2, TK_SHEET_PLAIN, "%s", methods[m]->name);
    for (size_t b = 0; b < suite->budget_count; b++) {
        struct tk_spread spreads[TK_SUITE_PARTS_MAX];
        size_t best = 0;
        tk_sheet_add(sheet);
        tk_sheet_set(sheet, 0, TK_SHEET_PLAIN, "%.4g", suite->budgets[b]);
        set_bytes(sheet, 1, span_bytes(part, suite->budgets[b]));
        for (size_t m = 0; m < count; m++) {
            const struct tk_suite_item *item = at_budget(part, methods[m], suite->budgets[b]);
            spreads[m] = item ? tk_suite_spread(item, key, false) : tk_spread_of(NULL, 0);
            if (isnan(spreads[best].mean) ||
                tk_figure_is_better(sense, spreads[m].mean, spreads[best].mean))
                best = m;
        }
        bool has_best = differ(spreads, count);
        for (size_t m = 0; m < count; m++) {
            bool is_best = has_best && m == best;
            set_spread(sheet, m + 2, is_best ? TK_SHEET_BEST : TK_SHEET_PLAIN, &spreads[m]);
        }
    }
}

/* Points --------------------------------------------------------------------------------------- */

static size_t count_headlines(void)
{
    size_t count = 0;
    while (tk_suite_headlines[count].title)
        count++;
    return count;
}

/* A row: an item, and its headline figures from `column` on. */
static void add_headlines(const struct tk_suite_item *item, size_t column, bool next,
                          struct tk_sheet *sheet)
{
    for (size_t h = 0; h < count_headlines(); h++) {
        struct tk_spread spread = tk_suite_spread(item, &tk_suite_headlines[h].key, next);
        set_spread(sheet, column + h, TK_SHEET_PLAIN, &spread);
    }
}

static void head_headlines(size_t column, struct tk_sheet *sheet)
{
    for (size_t h = 0; h < count_headlines(); h++)
        tk_sheet_set(sheet, column + h, TK_SHEET_PLAIN, "%s", tk_suite_headlines[h].title);
}

void tk_suite_sheet_points(const struct tk_suite_part *part, bool next, struct tk_sheet *sheet)
{
    tk_sheet_init(sheet, count_headlines() + 3);
    tk_sheet_add(sheet);
    tk_sheet_set(sheet, 1, TK_SHEET_PLAIN, "B/trace");
    tk_sheet_set(sheet, 2, TK_SHEET_PLAIN, "B/span");
    head_headlines(3, sheet);
    for (size_t i = 0; i < part->count; i++) {
        const struct tk_suite_item *item = part->items[i];
        if (!item->method || item->trace_bytes > 0)
            continue;
        double bytes = tk_suite_trace_bytes(part, item);
        tk_sheet_add(sheet);
        set_item(sheet, item);
        set_bytes(sheet, 1, bytes);
        set_bytes(sheet, 2, span_bytes(part, bytes));
        add_headlines(item, 3, next, sheet);
    }
}

static bool has_topic(const struct tk_suite_item *item, const struct tk_suite_topic *topic)
{
    for (const struct tk_suite_headline *line = topic->lines; line->title; line++) {
        if (!isnan(tk_suite_spread(item, &line->key, false).mean))
            return true;
    }
    return false;
}

bool tk_suite_has_topic(const struct tk_suite_part *part, const struct tk_suite_topic *topic)
{
    for (size_t i = 0; i < part->count; i++) {
        if (has_topic(part->items[i], topic))
            return true;
    }
    return false;
}

void tk_suite_sheet_topic(const struct tk_suite_part *part, const struct tk_suite_topic *topic,
                          struct tk_sheet *sheet)
{
    size_t columns = 2;
    for (const struct tk_suite_headline *line = topic->lines; line->title; line++)
        columns++;
    tk_sheet_init(sheet, columns);
    tk_sheet_add(sheet);
    tk_sheet_set(sheet, 1, TK_SHEET_PLAIN, "B/trace");
    for (size_t c = 2; c < columns; c++)
        tk_sheet_set(sheet, c, TK_SHEET_PLAIN, "%s", topic->lines[c - 2].title);
    for (size_t i = 0; i < part->count; i++) {
        const struct tk_suite_item *item = part->items[i];
        if (!item->method || item->trace_bytes > 0 || !has_topic(item, topic))
            continue;
        tk_sheet_add(sheet);
        set_item(sheet, item);
        set_bytes(sheet, 1, tk_suite_trace_bytes(part, item));
        for (size_t c = 2; c < columns; c++) {
            struct tk_spread spread = tk_suite_spread(item, &topic->lines[c - 2].key, false);
            set_spread(sheet, c, TK_SHEET_PLAIN, &spread);
        }
    }
}

void tk_suite_sheet_controls(const struct tk_suite_part *part, struct tk_sheet *sheet)
{
    tk_sheet_init(sheet, count_headlines() + 2);
    tk_sheet_add(sheet);
    tk_sheet_set(sheet, 1, TK_SHEET_PLAIN, "shows");
    head_headlines(2, sheet);
    for (size_t i = 0; i < part->count; i++) {
        const struct tk_suite_item *item = part->items[i];
        if (!item->control)
            continue;
        tk_sheet_add(sheet);
        tk_sheet_set(sheet, 0, TK_SHEET_PLAIN, "%s", item->control->name);
        tk_sheet_set(sheet, 1, TK_SHEET_DIM, "%s", item->control->shows);
        add_headlines(item, 2, false, sheet);
    }
}

/* Figures -------------------------------------------------------------------------------------- */

/* The main item and those that it is compared with, at its own size. */
static size_t compared(const struct tk_suite_part *part, const struct tk_suite_item **ret_items)
{
    struct tk_suite_duel duels[DUELS_MAX];
    size_t duel_count = tk_suite_duels(part, duels, DUELS_MAX);
    const struct tk_suite_item *main = tk_suite_main(part);
    size_t count = 0;
    if (!main)
        return 0;
    ret_items[count++] = main;
    for (size_t d = 0; d < duel_count && count < OTHERS_MAX; d++) {
        if (duels[d].own == main)
            ret_items[count++] = duels[d].other;
    }
    for (size_t i = 0; !main->method->codec && i < part->count && count < OTHERS_MAX; i++) {
        const struct tk_suite_item *item = part->items[i];
        bool is_beside = item != main && item->method && !item->equal_to && item->trace_bytes > 0;
        if (is_beside && fabs(item->trace_bytes - main->trace_bytes) < 1e-9)
            ret_items[count++] = item;
    }
    return count;
}

static void add_figure(const struct tk_suite_part *part, const struct tk_suite_key *key,
                       const struct tk_suite_item *const *items, size_t count,
                       struct tk_sheet *sheet)
{
    enum tk_figure_sense sense = tk_suite_sense(part, key);
    struct tk_spread spreads[OTHERS_MAX];
    size_t best = 0;
    bool is_blind = tk_suite_uninformative(part, key, NULL) != NULL;
    for (size_t i = 0; i < count; i++) {
        spreads[i] = tk_suite_spread(items[i], key, false);
        if (isnan(spreads[best].mean) ||
            tk_figure_is_better(sense, spreads[i].mean, spreads[best].mean))
            best = i;
    }
    tk_sheet_add(sheet);
    tk_sheet_set(sheet, 0, is_blind ? TK_SHEET_DIM : TK_SHEET_PLAIN, "%s %s %s%s", key->group,
                 key->name, key->rule == TK_FIGURE_COMPAT ? "compat" : "strict",
                 is_blind ? " (uninformative)" : "");
    for (size_t i = 0; i < count; i++) {
        bool is_best = i == best && sense != TK_FIGURE_COUNT && !is_blind && differ(spreads, count);
        set_spread(sheet, i + 1,
                   is_best    ? TK_SHEET_BEST
                   : is_blind ? TK_SHEET_DIM
                              : TK_SHEET_PLAIN,
                   &spreads[i]);
    }
}

static void begin_figures(const struct tk_suite_part *part,
                          const struct tk_suite_item *const *items, size_t count,
                          struct tk_sheet *sheet)
{
    tk_sheet_init(sheet, count + 1);
    tk_sheet_add(sheet);
    for (size_t i = 0; i < count; i++) {
        tk_sheet_set(sheet, i + 1, TK_SHEET_PLAIN, "%s %s (%.1f B)", items[i]->method->name,
                     items[i]->equal_to ? "" : items[i]->label,
                     tk_suite_trace_bytes(part, items[i]));
    }
}

void tk_suite_sheet_queries(const struct tk_suite_part *part, struct tk_sheet *sheet)
{
    const struct tk_suite_item *items[OTHERS_MAX];
    size_t count = compared(part, items);
    begin_figures(part, items, count, sheet);
    for (int rule = 0; rule < TK_FIGURE_RULE_COUNT; rule++) {
        for (size_t q = 0; q < TK_QUERIES; q++) {
            const struct tk_suite_key key = {"queries", tk_queries[q].name,
                                             (enum tk_figure_rule)rule};
            add_figure(part, &key, items, count, sheet);
        }
    }
}

int tk_suite_sheet_all(const struct tk_suite_part *part, struct tk_sheet *sheet, struct tk_err *err)
{
    const struct tk_suite_item *items[OTHERS_MAX];
    struct tk_suite_key *keys = NULL;
    size_t key_count = 0;
    size_t count = compared(part, items);
    begin_figures(part, items, count, sheet);
    int rc = tk_suite_keys(part, &keys, &key_count, err);
    for (size_t k = 0; k < key_count; k++)
        add_figure(part, &keys[k], items, count, sheet);
    free(keys);
    return rc;
}

/* Costs ---------------------------------------------------------------------------------------- */

void tk_suite_sheet_costs(const struct tk_suite_part *part, struct tk_sheet *sheet)
{
    static const char *const heads[] = {"",
                                        "B/trace",
                                        "encode, CPU s",
                                        "decode, CPU s",
                                        "memory, MiB",
                                        "A: $ per million traces",
                                        "B: $ per million spans"};
    tk_sheet_init(sheet, TK_COUNTOF(heads));
    tk_sheet_add(sheet);
    for (size_t c = 0; c < TK_COUNTOF(heads); c++)
        tk_sheet_set(sheet, c, TK_SHEET_PLAIN, "%s", heads[c]);
    for (size_t i = 0; i < part->count; i++) {
        const struct tk_suite_item *item = part->items[i];
        if (!item->method || item->equal_to)
            continue;
        struct tk_suite_cost cost = tk_suite_cost_of(part, item);
        tk_sheet_add(sheet);
        set_item(sheet, item);
        set_bytes(sheet, 1, tk_suite_trace_bytes(part, item));
        tk_sheet_set(sheet, 2, TK_SHEET_PLAIN, "%.2f", cost.encode_s);
        tk_sheet_set(sheet, 3, TK_SHEET_PLAIN, "%.2f", cost.decode_s);
        tk_sheet_set(sheet, 4, TK_SHEET_PLAIN, "%.0f", cost.rss_bytes / (1 << 20));
        tk_sheet_set(sheet, 5, TK_SHEET_PLAIN, "%.4f", cost.dollars[0]);
        tk_sheet_set(sheet, 6, TK_SHEET_PLAIN, "%.4f", cost.dollars[1]);
    }
}
