/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/markov.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fidelity/draws.h"
#include "fidelity/span_columns.h"

#define ROWS_MAX   ((size_t)1 << 26)
#define TRACE_MORE 4                   /* times the longest trace that was seen */
#define LONGEST_NS 1000000000000000000 /* of what is made up */

/* A span that was made up. */
struct made {
    uint32_t trace;
    uint32_t parent; /* row, or TK_ROW_TOP */
    uint32_t symbol, label;
    int64_t children;
    int64_t start_ns, duration_ns;
    uint8_t error;
};

struct drawing {
    const struct tk_markov *model;
    uint64_t seed, draws;
    struct made *made;
    size_t rows, room;
    uint32_t traces;
    int failure;
};

static double next_unit(struct drawing *drawing)
{
    return tk_draw_unit(drawing->seed, drawing->draws++);
}

static struct made *add_made(struct drawing *drawing)
{
    if (drawing->rows == drawing->room) {
        size_t room = drawing->room > 0 ? drawing->room * 2 : 4096;
        struct made *more = room <= ROWS_MAX ? realloc(drawing->made, room * sizeof(*more)) : NULL;
        if (!more) {
            drawing->failure = -ENOMEM;
            return NULL;
        }
        drawing->made = more;
        drawing->room = room;
    }
    struct made *made = &drawing->made[drawing->rows++];
    *made = (struct made){.parent = TK_ROW_TOP};
    return made;
}

/* One of the rows whose first `n` numbers are the key, by the counts that stand last; NULL = there
 * is none. */
static const int64_t *draw_row(struct drawing *drawing, const struct tk_int_rows *records,
                               const int64_t *key, size_t n)
{
    size_t begin;
    size_t end;
    int64_t all = 0;
    size_t last = records->width - 1;
    tk_int_rows_find(records, key, n, &begin, &end);
    for (size_t i = begin; i < end; i++)
        all += tk_int_rows_at(records, i)[last];
    int64_t at = (int64_t)(next_unit(drawing) * (double)all);
    for (size_t i = begin; i < end; i++) {
        at -= tk_int_rows_at(records, i)[last];
        if (at < 0)
            return tk_int_rows_at(records, i);
    }
    return begin < end ? tk_int_rows_at(records, end - 1) : NULL;
}

/* A value between quantiles that stand as differences. */
static double draw_quantile(struct drawing *drawing, const int64_t *steps)
{
    double at = next_unit(drawing) * (TK_MARKOV_QUANTILES - 1);
    size_t below = (size_t)at;
    double value = 0;
    for (size_t i = 0; i <= below; i++)
        value += (double)steps[i];
    return value + (at - (double)below) * (double)steps[below + 1];
}

static int64_t time_of(double value)
{
    return isfinite(value) ? (int64_t)fmin(fmax(value, (double)-LONGEST_NS), (double)LONGEST_NS)
                           : 0;
}

/* A normal variate (Box and Muller). */
static double next_normal(struct drawing *drawing)
{
    double radius = sqrt(-2 * log(1 - next_unit(drawing)));
    return radius * cos(2 * M_PI * next_unit(drawing));
}

static int64_t draw_root_ns(struct drawing *drawing, int64_t symbol)
{
    size_t begin;
    size_t end;
    tk_int_rows_find(&drawing->model->mixtures, &symbol, 1, &begin, &end);
    if (begin == end)
        return 0;
    const int64_t *parts = tk_int_rows_at(&drawing->model->mixtures, begin) + 1;
    double at = next_unit(drawing) * 1000;
    size_t k = 0;
    while (k + 1 < TK_MARKOV_GAUSSIANS && at >= (double)parts[3 * k] && parts[3 * (k + 1)] > 0) {
        at -= (double)parts[3 * k];
        k++;
    }
    double logarithm =
        (double)parts[3 * k + 1] / 256 + next_normal(drawing) * (double)parts[3 * k + 2] / 256;
    double units = fmax(exp(logarithm) - 1, 0);
    return time_of(round(units) * (double)drawing->model->unit_ns);
}

static void draw_label(struct drawing *drawing, struct made *made)
{
    const int64_t key[] = {made->symbol, made->error};
    const int64_t *row = draw_row(drawing, &drawing->model->tags, key, 2);
    if (!row)
        row = draw_row(drawing, &drawing->model->tags, key, 1);
    if (row)
        made->label = (uint32_t)row[2];
}

/* Times and error of a child from those of its parent. */
static void draw_times(struct drawing *drawing, const struct made *parent, int64_t position,
                       struct made *made)
{
    size_t begin;
    size_t end;
    const struct tk_markov *model = drawing->model;
    double scale = fmax((double)parent->duration_ns, (double)model->unit_ns);
    int64_t key[] = {
        parent->symbol, made->symbol,
        tk_markov_cell(parent->duration_ns, model->unit_ns, position, parent->children)};
    tk_int_rows_find(&model->ratios, key, 3, &begin, &end);
    key[2] = TK_MARKOV_POOLED;
    if (begin == end)
        tk_int_rows_find(&model->ratios, key, 3, &begin, &end);
    made->start_ns = parent->start_ns;
    if (begin == end)
        return;
    const int64_t *row = tk_int_rows_at(&model->ratios, begin);
    double gap = tk_markov_ratio(draw_quantile(drawing, row + 4)) * scale;
    double duration =
        tk_markov_ratio(draw_quantile(drawing, row + 4 + TK_MARKOV_QUANTILES)) * scale;
    made->error = next_unit(drawing) * 1000 < (double)row[3];
    made->start_ns += time_of(gap) / model->unit_ns * model->unit_ns;
    made->duration_ns = time_of(fmax(duration, 0)) / model->unit_ns * model->unit_ns;
}

static void draw_child(struct drawing *drawing, uint32_t parent_row, int64_t position)
{
    struct made parent = drawing->made[parent_row];
    int64_t places = parent.children < TK_MARKOV_PLACES ? parent.children : TK_MARKOV_PLACES;
    const int64_t key[] = {parent.symbol, places,
                           position < TK_MARKOV_PLACES ? position : TK_MARKOV_PLACES};
    const int64_t *link = draw_row(drawing, &drawing->model->links, key, 3);
    struct made *made = link ? add_made(drawing) : NULL;
    if (!made)
        return;
    made->trace = parent.trace;
    made->parent = parent_row;
    made->symbol = (uint32_t)link[3];
    made->children = link[4];
    draw_times(drawing, &parent, position, made);
    draw_label(drawing, made);
}

static void draw_trace(struct drawing *drawing, const int64_t *root)
{
    size_t begin = drawing->rows;
    size_t most = (size_t)drawing->model->longest * TRACE_MORE;
    struct made *made = add_made(drawing);
    if (!made)
        return;
    double inside = next_unit(drawing) * (double)TK_MARKOV_MINUTE_NS;
    *made = (struct made){.trace = drawing->traces++,
                          .parent = TK_ROW_TOP,
                          .symbol = (uint32_t)root[1],
                          .children = root[2],
                          .error = (uint8_t)root[3]};
    made->start_ns = drawing->model->start_ns + root[0] * TK_MARKOV_MINUTE_NS +
                     (int64_t)inside / drawing->model->unit_ns * drawing->model->unit_ns;
    made->duration_ns = draw_root_ns(drawing, root[1]);
    draw_label(drawing, made);
    for (size_t r = begin; r < drawing->rows; r++) {
        for (int64_t p = 0; p < drawing->made[r].children && drawing->rows - begin < most; p++)
            draw_child(drawing, (uint32_t)r, p);
    }
}

/* The table ------------------------------------------------------------------------------------ */

static void fill_row(const struct tk_markov *model, const struct made *made, const uint32_t *texts,
                     uint32_t r, struct tk_span_table *table)
{
    const int64_t *symbol = tk_int_rows_at(&model->symbols, made->symbol);
    const int64_t *label = tk_int_rows_at(&model->labels, made->label);
    table->span_ids[r] = (uint64_t)r + 1;
    table->parents[r] = symbol[3] ? TK_ROW_TOP : made->parent;
    table->orphans[r] = symbol[3] != 0;
    table->services[r] = texts[symbol[0]];
    table->operations[r] = texts[symbol[1]];
    table->kinds[r] = (uint8_t)symbol[2];
    table->issues[r] = made->error;
    table->start_ns[r] = made->start_ns;
    table->duration_ns[r] = made->duration_ns;
    table->statuses[r] = (uint8_t)label[0];
    table->methods[r] = texts[label[1]];
    table->http_codes[r] = (uint16_t)label[2];
    for (int f = 0; f < TK_STR_FEATURES; f++)
        table->str_features[f][r] = texts[label[3 + f]];
    for (int f = 0; f < TK_INT_FEATURES; f++)
        table->int_features[f][r] = label[3 + TK_STR_FEATURES + f];
}

static int fill_table(const struct drawing *drawing, const uint32_t *texts,
                      struct tk_span_table *table, struct tk_err *err)
{
    table->unit_ns = drawing->model->unit_ns;
    for (uint32_t r = 0; drawing->made && r < table->rows; r++) {
        fill_row(drawing->model, &drawing->made[r], texts, r, table);
        table->trace_ends[drawing->made[r].trace] = r + 1;
    }
    for (uint32_t t = 0; t < table->traces; t++) {
        const uint64_t id[2] = {tk_draw_bits(drawing->seed, 2 * (uint64_t)t + 1),
                                tk_draw_bits(~drawing->seed, 2 * (uint64_t)t)};
        memcpy(table->trace_ids[t], id, sizeof(id));
    }
    return tk_span_table_sort(table, err);
}

static int make_table(const struct drawing *drawing, struct tk_span_table **ret_table,
                      struct tk_err *err)
{
    TK_CLEANUP(tk_span_table_freep) struct tk_span_table *table = NULL;
    const struct tk_texts *from = &drawing->model->texts;
    uint32_t *texts = calloc((size_t)from->count + 1, sizeof(*texts));
    int rc = texts ? tk_span_table_alloc((uint32_t)drawing->rows, drawing->traces, &table, err)
                   : tk_fail(err, -ENOMEM, "out of memory");
    for (uint32_t id = 0; rc == 0 && texts && table && id < from->count; id++) {
        texts[id] = tk_texts_add(&table->texts, tk_texts_get(from, id));
        if (texts[id] == TK_TEXTS_NONE)
            rc = tk_fail(err, -ENOMEM, "out of memory for texts");
    }
    if (rc == 0 && table)
        rc = fill_table(drawing, texts, table, err);
    free(texts);
    if (rc == 0) {
        *ret_table = table;
        table = NULL;
    }
    return rc;
}

int tk_markov_draw(const struct tk_markov *model, uint64_t seed, struct tk_span_table **ret_table,
                   struct tk_err *err)
{
    struct drawing drawing = {.model = model, .seed = seed};
    for (size_t i = 0; i < model->roots.count; i++) {
        const int64_t *root = tk_int_rows_at(&model->roots, i);
        for (int64_t n = 0; n < root[4] && drawing.failure == 0; n++)
            draw_trace(&drawing, root);
    }
    int rc = drawing.failure < 0 ? tk_fail(err, drawing.failure, "out of memory")
                                 : make_table(&drawing, ret_table, err);
    free(drawing.made);
    return rc;
}
