/* SPDX-License-Identifier: Apache-2.0 */
/* Spans, one a line. What is to be shown is chosen in a first scan, which keeps 24 bytes a span;
 * a second one takes those spans out. Where all are shown in the order of the store, one will do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/human.h"
#include "cmd/screen_internal.h"
#include "cmd/spans.h"
#include "span/span_format.h"
#include "span/trace_summary.h"

#define SHOWN_MAX ((size_t)1 << 20) /* spans that can be sorted */

struct chosen {
    int64_t key;     /* the largest come first */
    uint64_t number; /* in the order of the scan */
};

struct selection {
    struct tk_spans *spans;
    struct tk_buf chosen; /* struct chosen each */
    uint64_t next;        /* number of the next span */
    size_t taken;         /* of the chosen ones, by number */
    struct tk_span_batch *batch;
    void *state; /* of the encoder */
};

static struct chosen *chosen_of(const struct selection *selection, size_t *ret_n)
{
    *ret_n = selection->chosen.n / sizeof(struct chosen);
    return (struct chosen *)(void *)selection->chosen.p;
}

static int by_key(const void *a, const void *b)
{
    const struct chosen *x = a;
    const struct chosen *y = b;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static int by_number(const void *a, const void *b)
{
    const struct chosen *x = a;
    const struct chosen *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* Choosing ---------------------------------------------------------------------------- */

/* Of twice as many as are wanted, forget the second half. */
static void prune(struct selection *selection, size_t limit, size_t most)
{
    size_t n;
    struct chosen *chosen = chosen_of(selection, &n);
    if (limit == 0 || n < most)
        return;
    qsort(chosen, n, sizeof(*chosen), by_key);
    selection->chosen.n = limit * sizeof(*chosen);
}

static int choose(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct selection *selection = user;
    const struct tk_spans_opts *opts = selection->spans->opts;
    const struct tk_span_batch *batch = rows->batch;
    size_t limit = (size_t)opts->limit;
    for (size_t i = 0; i < rows->n; i++) {
        uint32_t row = tk_span_row(rows, i);
        const struct chosen chosen = {opts->sort == TK_SPANS_BY_DURATION ? batch->duration_ns[row]
                                                                         : batch->start_ns[row],
                                      selection->next++};
        tk_buf_put(&selection->chosen, (tk_str){(const char *)&chosen, sizeof(chosen)});
        prune(selection, limit, 2 * limit + 1024);
    }
    return tk_buf_check(&selection->chosen, "spans", err);
}

/* Copy the chosen ones of these rows. */
static int take(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    size_t n;
    struct selection *selection = user;
    const struct chosen *chosen = chosen_of(selection, &n);
    struct tk_span_copy *copy = NULL;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < rows->n && selection->taken < n; i++) {
        if (selection->next++ != chosen[selection->taken].number)
            continue;
        selection->taken++;
        if (!copy)
            rc = tk_span_copy_new(selection->batch, rows->batch, &copy, err);
        if (rc == 0 && tk_span_copy_row(copy, tk_span_row(rows, i)) < 0)
            rc = tk_fail(err, -EMSGSIZE, "too much to sort: use --limit");
    }
    tk_span_copy_free(copy);
    return rc == 0 && selection->taken == n ? 1 : rc;
}

/* The chosen spans are in the batch, rows[i] is the i-th to show. */
static int select_rows(struct selection *selection, uint32_t **ret_rows, size_t *ret_n,
                       struct tk_err *err)
{
    size_t n;
    struct tk_spans *spans = selection->spans;
    prune(selection, (size_t)spans->opts->limit, (size_t)spans->opts->limit);
    struct chosen *chosen = chosen_of(selection, &n);
    if (n > SHOWN_MAX)
        return tk_fail(err, -EMSGSIZE, "%zu spans are too many to sort: use --limit", n);
    if (n > 1)
        qsort(chosen, n, sizeof(*chosen), by_number);
    selection->next = 0;
    int rc = tk_span_batch_new(n ? n : 1, &selection->batch, err);
    rc = rc < 0 ? rc : tk_segment_set_scan(spans->set, &spans->query, take, selection, err);
    if (rc < 0)
        return rc;
    uint32_t *rows = malloc((n + 1) * sizeof(*rows));
    if (!rows)
        return tk_fail(err, -ENOMEM, "spans: out of memory");
    /* Row i of the batch is the i-th by number: the number becomes the row. */
    for (size_t i = 0; i < n; i++)
        chosen[i].number = i;
    if (n > 1)
        qsort(chosen, n, sizeof(*chosen), by_key);
    for (size_t i = 0; i < n; i++)
        rows[i] = (uint32_t)chosen[i].number;
    *ret_rows = rows;
    *ret_n = n;
    return 0;
}

/* Table ------------------------------------------------------------------------------- */

enum { START, DURATION, SERVICE, OPERATION, STATUS, TRACE, COLUMNS };

static void add_row(struct tk_grid *grid, const struct tk_look *look,
                    const struct tk_span_batch *batch, uint32_t row, bool with_date)
{
    char text[TK_TIME_MAX];
    char figure[TK_HUMAN_MAX];
    char id[TK_TRACE_ID_MAX];
    struct tk_cell cell;
    tk_grid_add(grid);
    tk_grid_set(grid, START, tk_span_time_format(batch->start_ns[row], with_date, text));
    tk_grid_set(grid, DURATION, tk_duration_format(batch->duration_ns[row], figure));
    tk_grid_set(grid, SERVICE, tk_cell_clean(look, tk_span_service(batch, row), &cell));
    tk_grid_set(grid, OPERATION, tk_cell_clean(look, tk_span_name(batch, row), &cell));
    if (batch->statuses[row] == TK_SPAN_ERROR) {
        tk_grid_set(grid, STATUS, "error");
        tk_grid_set_style(grid, STATUS, TK_STYLE_BAD);
    } else if (batch->statuses[row] == TK_SPAN_OK) {
        tk_grid_set(grid, STATUS, "ok");
    }
    tk_grid_set(grid, TRACE, tk_trace_id_cut(batch->trace_ids[row], id));
}

static int put_table(struct tk_spans *spans, const struct tk_span_rows *rows, struct tk_err *err)
{
    static const struct tk_grid_column columns[COLUMNS] = {
        [START] = {"start (UTC)"},
        [DURATION] = {"duration", .right = true},
        [SERVICE] = {"service", .cut = true, .style = TK_STYLE_TITLE},
        [OPERATION] = {"operation", .cut = true},
        [STATUS] = {"status"},
        [TRACE] = {"trace", .style = TK_STYLE_DIM},
    };
    const struct tk_grid_options options = {columns, COLUMNS};
    TK_CLEANUP(tk_grid_freep) struct tk_grid *grid = NULL;
    bool with_date = !tk_span_store_on_one_day(spans->set);
    int rc = tk_grid_new(spans->look, &options, &grid, err);
    for (size_t i = 0; rc == 0 && i < rows->n; i++)
        add_row(grid, spans->look, rows->batch, rows->rows[i], with_date);
    return rc < 0 ? rc : tk_grid_write(grid, &spans->out, err);
}

/* JSON -------------------------------------------------------------------------------- */

static int put_json(struct selection *selection, const struct tk_span_rows *rows,
                    struct tk_err *err)
{
    struct tk_spans *spans = selection->spans;
    int rc = tk_span_encoder_jsonl.spans(selection->state, rows, &spans->out, err);
    return rc < 0 ? rc : tk_spans_flush(spans, err);
}

static int put_json_rows(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    return put_json(user, rows, err);
}

/* The list ---------------------------------------------------------------------------- */

static int list_chosen(struct selection *selection, struct tk_err *err)
{
    size_t n = 0;
    uint32_t *numbers = NULL;
    struct tk_spans *spans = selection->spans;
    int rc = tk_segment_set_scan(spans->set, &spans->query, choose, selection, err);
    uint64_t found = selection->next;
    rc = rc < 0 ? rc : select_rows(selection, &numbers, &n, err);
    if (rc < 0)
        return rc;
    const struct tk_span_rows rows = {selection->batch, numbers, n};
    if (spans->opts->json) {
        rc = put_json(selection, &rows, err);
    } else {
        rc = put_table(spans, &rows, err);
        tk_spans_put_rest(spans, n, found, "span");
    }
    free(numbers);
    return rc;
}

int tk_spans_list(struct tk_spans *spans, struct tk_err *err)
{
    struct selection selection = {.spans = spans};
    bool in_order = spans->opts->json && spans->opts->limit == 0;
    tk_buf_init(&selection.chosen, SIZE_MAX / 2);
    selection.state = calloc(1, tk_span_encoder_jsonl.state_size + 1);
    int rc = selection.state ? 0 : tk_fail(err, -ENOMEM, "spans: out of memory");
    if (rc == 0 && in_order && !spans->opts->sorted) {
        rc = tk_segment_set_scan(spans->set, &spans->query, put_json_rows, &selection, err);
    } else if (rc == 0) {
        rc = list_chosen(&selection, err);
    }
    free(selection.state);
    tk_buf_release(&selection.chosen);
    tk_span_batch_free(selection.batch);
    return rc;
}
