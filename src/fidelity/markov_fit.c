/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/markov.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/number.h"

#define CELL_MIN    20 /* observations of a cell that gets quantiles of its own */
#define ROUNDS      30 /* of fitting Gaussians */
#define DEVIATION   0.01
#define RATIO_STEPS 24 /* of a factor of two */
#define RATIO_UNIT  4096

static const size_t widths[] = {
    TK_MARKOV_SYMBOL_WIDTH,      TK_MARKOV_LABEL_WIDTH,       5, 6,
    1 + 3 * TK_MARKOV_GAUSSIANS, 4 + 2 * TK_MARKOV_QUANTILES, 4,
};

static void tables_of(struct tk_markov *model, struct tk_int_rows *ret_tables[TK_COUNTOF(widths)])
{
    struct tk_int_rows *const tables[] = {&model->symbols, &model->labels,   &model->roots,
                                          &model->links,   &model->mixtures, &model->ratios,
                                          &model->tags};
    for (size_t i = 0; i < TK_COUNTOF(widths); i++)
        ret_tables[i] = tables[i];
}

int tk_markov_init(struct tk_markov *model, struct tk_err *err)
{
    struct tk_int_rows *tables[TK_COUNTOF(widths)];
    *model = (struct tk_markov){.unit_ns = 1000};
    tables_of(model, tables);
    for (size_t i = 0; i < TK_COUNTOF(widths); i++)
        tk_int_rows_init(tables[i], widths[i]);
    return tk_texts_init(&model->texts, (size_t)1 << 30, err);
}

void tk_markov_release(struct tk_markov *model)
{
    struct tk_int_rows *tables[TK_COUNTOF(widths)];
    tables_of(model, tables);
    for (size_t i = 0; i < TK_COUNTOF(widths); i++)
        tk_int_rows_release(tables[i]);
    tk_texts_release(&model->texts);
}

int64_t tk_markov_cell(int64_t parent_ns, int64_t unit_ns, int64_t position, int64_t children)
{
    enum { QUARTERS = 4, OCTAVES = 2 };
    int64_t units = parent_ns / unit_ns;
    int64_t level = (int64_t)(log2((double)units + 1) / OCTAVES);
    return level * QUARTERS + (children > 0 ? position * QUARTERS / children : 0);
}

int64_t tk_markov_ratio_code(double ratio)
{
    double code = RATIO_STEPS * log2(1 + fabs(ratio) * RATIO_UNIT);
    return llround(ratio < 0 ? -code : code);
}

double tk_markov_ratio(double code)
{
    double ratio = (exp2(fabs(code) / RATIO_STEPS) - 1) / RATIO_UNIT;
    return code < 0 ? -ratio : ratio;
}

/* A table on its way into a model. */
struct fit {
    const struct tk_span_table *table;
    struct tk_markov *model;
    struct tk_map symbols, labels;
    uint32_t *symbol_of;        /* [rows] */
    uint32_t *label_of;         /* [rows] */
    uint32_t *parent_of;        /* [rows] the root of its trace for those that are cut */
    uint32_t *children;         /* [rows] */
    uint32_t *position;         /* [rows] among its siblings, by start */
    struct tk_int_rows seen;    /* parent, child, cell, gap, duration, error */
    struct tk_int_rows lengths; /* of roots: symbol, duration */
    int failure;
};

static int64_t text_of(struct fit *fit, uint32_t id)
{
    uint32_t own = tk_texts_add(&fit->model->texts, tk_texts_get(&fit->table->texts, id));
    if (own == TK_TEXTS_NONE)
        fit->failure = -ENOMEM;
    return own;
}

/* The number of a row of numbers, which is added when it is new. */
static uint32_t number_of(struct fit *fit, struct tk_map *map, struct tk_int_rows *records,
                          const int64_t *row)
{
    uint64_t key = records->width;
    uint32_t id = (uint32_t)records->count;
    for (size_t i = 0; i < records->width; i++)
        key = tk_hash_mix(key, (uint64_t)row[i]);
    if (tk_map_find(map, key, &id))
        return id;
    if (tk_map_add(map, key, id) < 0)
        fit->failure = -ENOMEM;
    tk_int_rows_add(records, row);
    return id;
}

/* What follows from the rows of a trace alone. */
static void read_tree(struct fit *fit, uint32_t begin, uint32_t end)
{
    const struct tk_span_table *table = fit->table;
    uint32_t root = begin;
    while (root + 1 < end && table->parents[root] != TK_ROW_TOP)
        root++;
    for (uint32_t r = begin; r < end; r++) {
        bool is_cut = table->parents[r] == TK_ROW_TOP && r != root;
        fit->parent_of[r] = is_cut ? root : table->parents[r];
        const int64_t symbol[] = {text_of(fit, table->services[r]),
                                  text_of(fit, table->operations[r]), table->kinds[r], is_cut};
        const int64_t label[] = {table->statuses[r],
                                 text_of(fit, table->methods[r]),
                                 table->http_codes[r],
                                 text_of(fit, table->str_features[0][r]),
                                 text_of(fit, table->str_features[1][r]),
                                 table->int_features[0][r],
                                 table->int_features[1][r],
                                 table->int_features[2][r]};
        fit->symbol_of[r] = number_of(fit, &fit->symbols, &fit->model->symbols, symbol);
        fit->label_of[r] = number_of(fit, &fit->labels, &fit->model->labels, label);
        if (r != root)
            fit->position[r] = fit->children[fit->parent_of[r]]++;
    }
    if ((int64_t)(end - begin) > fit->model->longest)
        fit->model->longest = end - begin;
}

static int64_t at_most(int64_t value, int64_t max)
{
    return value < max ? value : max;
}

static void add_root(struct fit *fit, uint32_t r)
{
    const struct tk_span_table *table = fit->table;
    int64_t minute = (table->start_ns[r] - fit->model->start_ns) / TK_MARKOV_MINUTE_NS;
    const int64_t root[] = {minute, fit->symbol_of[r], fit->children[r], table->issues[r], 1};
    const int64_t length[] = {fit->symbol_of[r], table->duration_ns[r] / table->unit_ns};
    tk_int_rows_add(&fit->model->roots, root);
    tk_int_rows_add(&fit->lengths, length);
}

static void add_child(struct fit *fit, uint32_t r)
{
    const struct tk_span_table *table = fit->table;
    uint32_t parent = fit->parent_of[r];
    int64_t children = fit->children[parent];
    int64_t position = fit->position[r];
    int64_t parent_ns = table->duration_ns[parent];
    double scale = fmax((double)parent_ns, (double)table->unit_ns);
    int64_t cell = tk_markov_cell(parent_ns, table->unit_ns, position, children);
    double gap = (double)(table->start_ns[r] - table->start_ns[parent]) / scale;
    double duration = (double)table->duration_ns[r] / scale;
    const int64_t link[] = {fit->symbol_of[parent],
                            at_most(children, TK_MARKOV_PLACES),
                            at_most(position, TK_MARKOV_PLACES),
                            fit->symbol_of[r],
                            fit->children[r],
                            1};
    int64_t seen[] = {
        fit->symbol_of[parent],         fit->symbol_of[r], cell, tk_markov_ratio_code(gap),
        tk_markov_ratio_code(duration), table->issues[r]};
    tk_int_rows_add(&fit->model->links, link);
    tk_int_rows_add(&fit->seen, seen);
    seen[2] = TK_MARKOV_POOLED;
    tk_int_rows_add(&fit->seen, seen);
}

static void read_rows(struct fit *fit)
{
    const struct tk_span_table *table = fit->table;
    for (uint32_t t = 0; t < table->traces; t++)
        read_tree(fit, tk_span_table_begin(table, t), table->trace_ends[t]);
    for (uint32_t r = 0; r < table->rows; r++) {
        const int64_t tag[] = {fit->symbol_of[r], table->issues[r], fit->label_of[r], 1};
        tk_int_rows_add(&fit->model->tags, tag);
        if (fit->parent_of[r] == TK_ROW_TOP) {
            add_root(fit, r);
        } else {
            add_child(fit, r);
        }
    }
    tk_int_rows_count(&fit->model->tags);
    tk_int_rows_count(&fit->model->roots);
    tk_int_rows_count(&fit->model->links);
    tk_int_rows_sort(&fit->seen);
    tk_int_rows_sort(&fit->lengths);
}

/* Durations of roots --------------------------------------------------------------------------- */

struct gaussian {
    double weight, mean, deviation;
};

static double density(const struct gaussian *gaussian, double x)
{
    double z = (x - gaussian->mean) / gaussian->deviation;
    return gaussian->weight * exp(-z * z / 2) / gaussian->deviation;
}

/* One round of expectation and maximisation. */
static void improve(const double *values, size_t n, struct gaussian *parts, size_t count)
{
    double sums[TK_MARKOV_GAUSSIANS] = {0};
    double means[TK_MARKOV_GAUSSIANS] = {0};
    double squares[TK_MARKOV_GAUSSIANS] = {0};
    for (size_t i = 0; i < n; i++) {
        double all = 0;
        double each[TK_MARKOV_GAUSSIANS];
        for (size_t k = 0; k < count; k++)
            all += each[k] = density(&parts[k], values[i]) + 1e-300;
        for (size_t k = 0; k < count; k++) {
            sums[k] += each[k] / all;
            means[k] += each[k] / all * values[i];
            squares[k] += each[k] / all * values[i] * values[i];
        }
    }
    for (size_t k = 0; k < count; k++) {
        if (sums[k] < 1e-6)
            continue;
        double mean = means[k] / sums[k];
        double variance = fmax(squares[k] / sums[k] - mean * mean, 0);
        parts[k] = (struct gaussian){sums[k] / (double)n, mean, fmax(sqrt(variance), DEVIATION)};
    }
}

/* `values` are sorted logarithms. Two samples at least carry a part. */
static void add_mixture(struct fit *fit, int64_t symbol, const double *values, size_t n)
{
    struct gaussian parts[TK_MARKOV_GAUSSIANS] = {{0}};
    int64_t row[1 + 3 * TK_MARKOV_GAUSSIANS] = {symbol};
    size_t count = n / 2 < TK_MARKOV_GAUSSIANS ? n / 2 : TK_MARKOV_GAUSSIANS;
    if (count == 0)
        count = 1;
    double spread = fmax((values[n - 1] - values[0]) / (double)(2 * count), DEVIATION);
    for (size_t k = 0; k < count; k++) {
        double middle = values[(2 * k + 1) * n / (2 * count)];
        parts[k] = (struct gaussian){1 / (double)count, middle, spread};
    }
    for (int round = 0; round < ROUNDS && n > 1; round++)
        improve(values, n, parts, count);
    for (size_t k = 0; k < count; k++) {
        row[1 + 3 * k] = llround(parts[k].weight * 1000);
        row[2 + 3 * k] = llround(parts[k].mean * 256);
        row[3 + 3 * k] = n > 1 ? llround(parts[k].deviation * 256) : 0;
    }
    tk_int_rows_add(&fit->model->mixtures, row);
}

static void fit_roots(struct fit *fit, double *values)
{
    const struct tk_int_rows *lengths = &fit->lengths;
    for (size_t begin = 0, end; begin < lengths->count; begin = end) {
        int64_t symbol = tk_int_rows_at(lengths, begin)[0];
        for (end = begin; end < lengths->count && tk_int_rows_at(lengths, end)[0] == symbol; end++)
            values[end - begin] = log((double)tk_int_rows_at(lengths, end)[1] + 1);
        add_mixture(fit, symbol, values, end - begin);
    }
}

/* Ratios --------------------------------------------------------------------------------------- */

/* Differences of the quantiles of sorted values. */
static void put_quantiles(const double *values, size_t n, int64_t *to)
{
    int64_t before = 0;
    for (size_t i = 0; i < TK_MARKOV_QUANTILES; i++) {
        double at = values[i * (n - 1) / (TK_MARKOV_QUANTILES - 1)];
        to[i] = (int64_t)at - before;
        before = (int64_t)at;
    }
}

static void fit_cell(struct fit *fit, size_t begin, size_t end, double *values)
{
    size_t n = end - begin;
    int64_t errors = 0;
    const int64_t *first = tk_int_rows_at(&fit->seen, begin);
    int64_t row[4 + 2 * TK_MARKOV_QUANTILES] = {first[0], first[1], first[2]};
    for (size_t field = 0; field < 2; field++) {
        for (size_t i = 0; i < n; i++)
            values[i] = (double)tk_int_rows_at(&fit->seen, begin + i)[3 + field];
        qsort(values, n, sizeof(*values), tk_f64_cmp);
        put_quantiles(values, n, row + 4 + field * TK_MARKOV_QUANTILES);
    }
    for (size_t i = begin; i < end; i++)
        errors += tk_int_rows_at(&fit->seen, i)[5];
    row[3] = n > 0 ? errors * 1000 / (int64_t)n : 0;
    tk_int_rows_add(&fit->model->ratios, row);
}

static void fit_ratios(struct fit *fit, double *values)
{
    const struct tk_int_rows *seen = &fit->seen;
    for (size_t begin = 0, end; begin < seen->count; begin = end) {
        const int64_t *first = tk_int_rows_at(seen, begin);
        for (end = begin; end < seen->count; end++) {
            const int64_t *row = tk_int_rows_at(seen, end);
            if (row[0] != first[0] || row[1] != first[1] || row[2] != first[2])
                break;
        }
        if (end - begin >= CELL_MIN || first[2] == TK_MARKOV_POOLED)
            fit_cell(fit, begin, end, values);
    }
}

static int fit_all(struct fit *fit, struct tk_err *err)
{
    const struct tk_span_table *table = fit->table;
    double *values = calloc(2 * (size_t)table->rows + 1, sizeof(*values));
    bool ok = values && fit->symbol_of && fit->label_of && fit->parent_of && fit->children &&
              fit->position;
    if (ok) {
        read_rows(fit);
        fit_roots(fit, values);
        fit_ratios(fit, values);
        ok = fit->failure == 0 && fit->seen.failure == 0 && fit->lengths.failure == 0;
    }
    free(values);
    return ok ? 0 : tk_fail(err, -ENOMEM, "out of memory");
}

int tk_markov_fit(struct tk_markov *model, const struct tk_span_table *table, struct tk_err *err)
{
    size_t rows = (size_t)table->rows + 1;
    struct tk_int_rows *tables[TK_COUNTOF(widths)];
    struct fit fit = {.table = table, .model = model};
    if (table->traces > 0) {
        int64_t first_ns = table->start_ns[0];
        model->start_ns = first_ns - ((first_ns % TK_MARKOV_MINUTE_NS) + TK_MARKOV_MINUTE_NS) %
                                         TK_MARKOV_MINUTE_NS;
    }
    model->unit_ns = table->unit_ns;
    fit.symbol_of = calloc(rows, sizeof(uint32_t));
    fit.label_of = calloc(rows, sizeof(uint32_t));
    fit.parent_of = calloc(rows, sizeof(uint32_t));
    fit.children = calloc(rows, sizeof(uint32_t));
    fit.position = calloc(rows, sizeof(uint32_t));
    tk_int_rows_init(&fit.seen, 6);
    tk_int_rows_init(&fit.lengths, 2);
    int rc = fit_all(&fit, err);
    tables_of(model, tables);
    for (size_t i = 0; i < TK_COUNTOF(widths) && rc == 0; i++)
        rc = tk_int_rows_check(tables[i], err);
    tk_int_rows_release(&fit.seen);
    tk_int_rows_release(&fit.lengths);
    tk_map_release(&fit.symbols);
    tk_map_release(&fit.labels);
    free(fit.symbol_of);
    free(fit.label_of);
    free(fit.parent_of);
    free(fit.children);
    free(fit.position);
    return rc;
}
