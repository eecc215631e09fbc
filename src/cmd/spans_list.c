/* SPDX-License-Identifier: Apache-2.0 */
/* Spans, one a line. What is to be shown is chosen in a first scan, which keeps 24 bytes a span;
 * a second one takes those spans out. Where all are shown in the order of the store, one will do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/human.h"
#include "base/json.h"
#include "cmd/bill_text.h"
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
    struct tk_bill_lookup bills;
    bool has_bills;
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

/* Bills ------------------------------------------------------------------------------- */

static const struct tk_bill_row *find_bill(const struct selection *selection,
                                           const struct tk_span_batch *batch, size_t row)
{
    return tk_bill_lookup_find(&selection->bills, batch->trace_ids[row], batch->span_ids[row]);
}

/* CPU time of a span; -1 when it is not known. */
static int64_t cpu_of(const struct selection *selection, const struct tk_span_batch *batch,
                      size_t row)
{
    const struct tk_bill_row *bill = find_bill(selection, batch, row);
    return bill ? bill->values[TK_BILLS_CPU_NS] : -1;
}

static bool passes(const struct selection *selection, const struct tk_span_batch *batch, size_t row)
{
    int64_t least_ns = selection->spans->opts->min_cpu_ns;
    return least_ns == 0 || cpu_of(selection, batch, row) >= least_ns;
}

/* The bills of all spans, where the list cannot do without. */
static int open_bills(struct selection *selection, bool in_order, struct tk_err *err)
{
    const struct tk_spans *spans = selection->spans;
    bool by_bill = spans->opts->min_cpu_ns > 0 || spans->opts->sort == TK_SPANS_BY_CPU;
    if (!by_bill && !in_order)
        return 0;
    int rc = tk_bill_lookup_open(spans->store->dirfd, NULL, &selection->bills,
                                 &selection->has_bills, err);
    if (rc == 0 && by_bill && !selection->has_bills) {
        return tk_fail(err, -ENOENT, "%s: no bills of spans: `tracekit join` makes them",
                       spans->store->path);
    }
    return rc;
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

static int64_t key_of(const struct selection *selection, const struct tk_span_batch *batch,
                      size_t row)
{
    switch (selection->spans->opts->sort) {
    case TK_SPANS_BY_DURATION:
        return batch->duration_ns[row];
    case TK_SPANS_BY_CPU:
        return cpu_of(selection, batch, row);
    default:
        return batch->start_ns[row];
    }
}

static int choose(void *user, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct selection *selection = user;
    const struct tk_spans_opts *opts = selection->spans->opts;
    const struct tk_span_batch *batch = rows->batch;
    size_t limit = (size_t)opts->limit;
    for (size_t i = 0; i < rows->n; i++) {
        uint32_t row = tk_span_row(rows, i);
        if (!passes(selection, batch, row))
            continue;
        const struct chosen chosen = {key_of(selection, batch, row), selection->next++};
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
        if (!passes(selection, rows->batch, tk_span_row(rows, i)) ||
            selection->next++ != chosen[selection->taken].number)
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

enum { START, DURATION, SERVICE, OPERATION, STATUS, CPU, ERROR, MEMORY, IO, RULE, TRACE, COLUMNS };

struct list_column {
    struct tk_grid_column column;
    bool of_bills;
    int from_width; /* of the terminal */
};

static const struct list_column list_columns[COLUMNS] = {
    [START] = {{"start (UTC)"}},
    [DURATION] = {{"duration", .right = true}},
    [SERVICE] = {{"service", .cut = true, .style = TK_STYLE_TITLE}},
    [OPERATION] = {{"operation", .cut = true}},
    [STATUS] = {{"status"}},
    [CPU] = {{"CPU", .right = true}, true, 0},
    [ERROR] = {{"+-", .right = true}, true, 0},
    [MEMORY] = {{"memory", .right = true}, true, 100},
    [IO] = {{"I/O", .right = true}, true, 120},
    [RULE] = {{"rule"}, true, 120},
    [TRACE] = {{"trace", .style = TK_STYLE_DIM}},
};

/* A table in which a column may have no place. */
struct list_table {
    struct tk_grid *grid;
    size_t places[COLUMNS]; /* COLUMNS = none */
};

static void set(struct list_table *table, size_t column, const char *text)
{
    if (table->places[column] < COLUMNS)
        tk_grid_set(table->grid, table->places[column], text);
}

static void set_bill(struct list_table *table, const struct tk_bill_row *bill)
{
    char text[TK_HUMAN_MAX];
    bool is_bound = bill->values[TK_BILLS_IS_BOUND] > 0;
    int64_t rule = bill->values[TK_BILLS_RULE];
    set(table, CPU, tk_bill_cpu_format(bill->values[TK_BILLS_CPU_NS], is_bound, text));
    set(table, ERROR, tk_bill_error_format(bill, text));
    set(table, MEMORY, tk_bill_bytes_format(bill->values[TK_BILLS_MAX_RSS_BYTES], text));
    set(table, IO, tk_bill_bytes_format(tk_bill_io_bytes(bill), text));
    set(table, RULE, rule < 0 ? "" : tk_bill_rules[rule].name);
}

static void add_row(struct list_table *table, const struct tk_look *look,
                    const struct tk_span_batch *batch, uint32_t row, bool with_date)
{
    char text[TK_TIME_MAX];
    char figure[TK_HUMAN_MAX];
    char id[TK_TRACE_ID_MAX];
    struct tk_cell cell;
    tk_grid_add(table->grid);
    set(table, START, tk_span_time_format(batch->start_ns[row], with_date, text));
    set(table, DURATION, tk_duration_format(batch->duration_ns[row], figure));
    set(table, SERVICE, tk_cell_clean(look, tk_span_service(batch, row), &cell));
    set(table, OPERATION, tk_cell_clean(look, tk_span_name(batch, row), &cell));
    if (batch->statuses[row] == TK_SPAN_ERROR) {
        set(table, STATUS, "error");
        tk_grid_set_style(table->grid, table->places[STATUS], TK_STYLE_BAD);
    } else if (batch->statuses[row] == TK_SPAN_OK) {
        set(table, STATUS, "ok");
    }
    set(table, TRACE, tk_trace_id_cut(batch->trace_ids[row], id));
}

static int make_table(const struct selection *selection, struct list_table *table,
                      struct tk_err *err)
{
    struct tk_grid_column columns[COLUMNS];
    const struct tk_look *look = selection->spans->look;
    struct tk_grid_options options = {columns, 0};
    for (size_t c = 0; c < COLUMNS; c++) {
        bool is_shown = (!list_columns[c].of_bills || selection->has_bills) &&
                        look->width >= list_columns[c].from_width;
        table->places[c] = is_shown ? options.column_count : COLUMNS;
        if (is_shown)
            columns[options.column_count++] = list_columns[c].column;
    }
    return tk_grid_new(look, &options, &table->grid, err);
}

static int put_table(const struct selection *selection, const struct tk_span_rows *rows,
                     struct tk_err *err)
{
    struct tk_spans *spans = selection->spans;
    struct list_table table = {0};
    bool with_date = !tk_span_store_on_one_day(spans->set);
    int rc = make_table(selection, &table, err);
    for (size_t i = 0; rc == 0 && i < rows->n; i++) {
        add_row(&table, spans->look, rows->batch, rows->rows[i], with_date);
        const struct tk_bill_row *bill = find_bill(selection, rows->batch, rows->rows[i]);
        if (bill)
            set_bill(&table, bill);
    }
    rc = rc < 0 ? rc : tk_grid_write(table.grid, &spans->out, err);
    tk_grid_free(table.grid);
    return rc;
}

/* JSON -------------------------------------------------------------------------------- */

/* The line of a span; its bill goes inside, as the last member. */
static int put_line(struct selection *selection, const struct tk_span_batch *batch, uint32_t row,
                    struct tk_err *err)
{
    struct tk_buf *out = &selection->spans->out;
    const struct tk_span_rows one = {batch, &row, 1};
    int rc = tk_span_encoder_jsonl.spans(selection->state, &one, out, err);
    const struct tk_bill_row *bill = find_bill(selection, batch, row);
    if (rc < 0 || !bill)
        return rc;
    out->n -= strlen("}\n");
    tk_json_put_key(out, "bill");
    tk_bill_row_put_json(bill, out);
    tk_buf_lit(out, "}\n");
    return 0;
}

static int put_json(struct selection *selection, const struct tk_span_rows *rows,
                    struct tk_err *err)
{
    struct tk_spans *spans = selection->spans;
    int rc = 0;
    if (!selection->has_bills)
        rc = tk_span_encoder_jsonl.spans(selection->state, rows, &spans->out, err);
    for (size_t i = 0; rc == 0 && selection->has_bills && i < rows->n; i++)
        rc = put_line(selection, rows->batch, tk_span_row(rows, i), err);
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
    if (!selection->has_bills) {
        rc = tk_bill_lookup_open(spans->store->dirfd, &rows, &selection->bills,
                                 &selection->has_bills, err);
    }
    if (rc == 0 && spans->opts->json) {
        rc = put_json(selection, &rows, err);
    } else if (rc == 0) {
        rc = put_table(selection, &rows, err);
        tk_spans_put_rest(spans, n, found, "span");
    }
    free(numbers);
    return rc;
}

int tk_spans_list(struct tk_spans *spans, struct tk_err *err)
{
    struct selection selection = {.spans = spans};
    bool in_order = spans->opts->json && spans->opts->limit == 0 && !spans->opts->sorted &&
                    spans->opts->min_cpu_ns == 0;
    tk_buf_init(&selection.chosen, SIZE_MAX / 2);
    selection.state = calloc(1, tk_span_encoder_jsonl.state_size + 1);
    int rc = selection.state ? 0 : tk_fail(err, -ENOMEM, "spans: out of memory");
    rc = rc < 0 ? rc : open_bills(&selection, in_order, err);
    if (rc == 0 && in_order) {
        rc = tk_segment_set_scan(spans->set, &spans->query, put_json_rows, &selection, err);
    } else if (rc == 0) {
        rc = list_chosen(&selection, err);
    }
    free(selection.state);
    tk_buf_release(&selection.chosen);
    tk_bill_lookup_release(&selection.bills);
    tk_span_batch_free(selection.batch);
    return rc;
}
