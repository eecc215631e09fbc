/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as CSV (RFC 4180) with a header: columns by their names (span_fields.h), others are
 * attributes. Rows are cut by memchr() and quotes are looked for once a row; texts that neighbours
 * share cost a look at a hash. */
#include <errno.h>
#include <stdlib.h>

#include "span/span_fields.h"

#define COLUMNS_MAX 512

struct csv {
    struct tk_reading reading;
    struct tk_span_values values;
    struct tk_span_field fields[COLUMNS_MAX];
    tk_str names[COLUMNS_MAX]; /* in the input */
    size_t columns;            /* 0 = the header was not read yet */
    size_t extras;             /* columns that are attributes */
    tk_str texts[COLUMNS_MAX]; /* of the row at hand */
    char delimiter;
};

/* Rows ----------------------------------------------------------------------------------------- */

/* Take a record, which may hold line ends in quotes: false at the end. */
static bool take_record(tk_str *rest, tk_str *ret_record, bool *ret_quotes)
{
    const char *end = rest->p + rest->n;
    const char *stop = rest->p;
    bool is_open = false;
    if (rest->n == 0)
        return false;
    *ret_quotes = false;
    do {
        const char *start = stop;
        stop = memchr(start, '\n', (size_t)(end - start));
        stop = stop ? stop + 1 : end;
        for (const char *p = start; (p = memchr(p, '"', (size_t)(stop - p))); p++) {
            is_open = !is_open;
            *ret_quotes = true;
        }
    } while (is_open && stop < end);
    *ret_record = (tk_str){rest->p, (size_t)(stop - rest->p)};
    *rest = (tk_str){stop, (size_t)(end - stop)};
    while (ret_record->n > 0 &&
           (ret_record->p[ret_record->n - 1] == '\n' || ret_record->p[ret_record->n - 1] == '\r'))
        ret_record->n--;
    return true;
}

/* Cut a record without quotes; returns the number of columns. */
static size_t cut_plain(struct csv *csv, tk_str record)
{
    const char *p = record.p;
    const char *end = p + record.n;
    size_t n = 0;
    while (n < COLUMNS_MAX) {
        const char *stop = memchr(p, csv->delimiter, (size_t)(end - p));
        csv->texts[n++] = (tk_str){p, (size_t)((stop ? stop : end) - p)};
        if (!stop)
            return n;
        p = stop + 1;
    }
    return COLUMNS_MAX + 1;
}

/* The text between quotes, "" as one quote, into the scratch arena where it has to change. */
static tk_str unquote(struct csv *csv, tk_str text)
{
    if (!memchr(text.p, '"', text.n))
        return text;
    char *to = tk_arena_alloc(&csv->reading.scratch, text.n);
    size_t n = 0;
    if (!to)
        return text;
    for (size_t i = 0; i < text.n; i++) {
        to[n++] = text.p[i];
        i += text.p[i] == '"';
    }
    return (tk_str){to, n};
}

/* Cut a record that has quotes. */
static size_t cut_quoted(struct csv *csv, tk_str record)
{
    const char *p = record.p;
    const char *end = p + record.n;
    for (size_t n = 0; n < COLUMNS_MAX;) {
        const char *stop = p;
        bool is_open = false;
        for (; stop < end && (is_open || *stop != csv->delimiter); stop++)
            is_open = is_open != (*stop == '"');
        tk_str text = {p, (size_t)(stop - p)};
        bool has_quotes = text.n >= 2 && *p == '"' && stop[-1] == '"';
        csv->texts[n++] = has_quotes ? unquote(csv, (tk_str){p + 1, text.n - 2}) : text;
        if (stop == end)
            return n;
        p = stop + 1;
    }
    return COLUMNS_MAX + 1;
}

static size_t cut(struct csv *csv, tk_str record, bool has_quotes)
{
    return has_quotes ? cut_quoted(csv, record) : cut_plain(csv, record);
}

/* The header ----------------------------------------------------------------------------------- */

/* The one of the usual delimiters that the header has most of. */
static char find_delimiter(tk_str header)
{
    static const char usual[] = ",;\t|";
    char best = ',';
    size_t most = 0;
    for (size_t i = 0; usual[i]; i++) {
        size_t count = 0;
        for (size_t k = 0; k < header.n; k++)
            count += header.p[k] == usual[i];
        if (count > most) {
            most = count;
            best = usual[i];
        }
    }
    return best;
}

static int read_header(struct csv *csv, tk_str header, bool has_quotes, struct tk_err *err)
{
    static const enum tk_span_role needed[] = {TK_ROLE_TRACE_ID, TK_ROLE_SPAN_ID};
    static const char *const names[] = {"trace_id", "span_id"};
    const struct tk_span_input *input = csv->reading.input;
    uint64_t roles = 0;
    int rc = 0;
    (void)tk_str_take_prefix(&header, TK_STR("\xEF\xBB\xBF"));
    csv->delimiter = input->delimiter;
    if (!csv->delimiter)
        csv->delimiter = find_delimiter(header);
    size_t n = cut(csv, header, has_quotes);
    if (n > COLUMNS_MAX)
        return tk_fail(err, -EBADMSG, "line 1: more than %d columns", COLUMNS_MAX);
    for (size_t i = 0; i < n; i++) {
        csv->names[i] = tk_str_trim(csv->texts[i]);
        if (memchr(csv->names[i].p, '"', csv->names[i].n))
            return tk_fail(err, -EBADMSG, "line 1: column %zu has a quote in its name", i + 1);
        rc = tk_span_field_find(input, csv->names[i], &csv->fields[i], err);
        if (rc < 0)
            return rc;
        roles |= 1ULL << csv->fields[i].role;
        csv->extras += csv->fields[i].role == TK_ROLE_COUNT;
    }
    rc = tk_span_maps_check(input, csv->names, n, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < TK_COUNTOF(needed); i++) {
        if (!(roles >> needed[i] & 1)) {
            return tk_fail(err, -EBADMSG, "line 1: no column %s; name it by --map %s=COLUMN",
                           names[i], names[i]);
        }
    }
    csv->columns = n;
    return 0;
}

/* Spans ---------------------------------------------------------------------------------------- */

static int put_extras(struct csv *csv)
{
    int rc = 0;
    for (size_t i = 0; i < csv->columns && csv->extras > 0 && rc == 0; i++) {
        if (csv->fields[i].role == TK_ROLE_COUNT && csv->texts[i].n > 0)
            rc = tk_reading_add_text(&csv->reading, csv->names[i], csv->texts[i]);
    }
    return rc;
}

static int put_span(struct csv *csv, tk_str record, bool has_quotes, struct tk_err *err)
{
    size_t n = cut(csv, record, has_quotes);
    if (n != csv->columns)
        return tk_fail(err, -EBADMSG, "%zu columns, the header has %zu", n, csv->columns);
    for (size_t i = 0; i < n; i++) {
        enum tk_span_role role = csv->fields[i].role;
        if (role == TK_ROLE_COUNT)
            continue;
        csv->values.texts[role] = csv->texts[i];
        csv->values.units[role] = csv->fields[i].unit;
    }
    int rc = tk_span_values_put(&csv->reading, &csv->values, err);
    rc = rc < 0 ? rc : put_extras(csv);
    return rc < 0 ? rc : tk_span_batch_end(csv->reading.batch);
}

static int read(void *state, struct tk_span_input *input, struct tk_span_batch *batch,
                struct tk_span_tally *tally, struct tk_err *err)
{
    struct csv *csv = state;
    struct tk_reading *reading = &csv->reading;
    tk_str rest = {input->text.p + input->offset, input->text.n - input->offset};
    tk_str record;
    bool has_quotes;
    tk_reading_begin(reading, input, batch, tally);
    while (take_record(&rest, &record, &has_quotes)) {
        struct tk_span_mark mark = tk_span_batch_mark(batch);
        tk_arena_reset(&reading->scratch);
        reading->before = *tally;
        if (csv->columns == 0) {
            int rc = read_header(csv, record, has_quotes, err);
            if (rc < 0)
                return rc;
        } else if (record.n > 0) {
            int rc = put_span(csv, record, has_quotes, err);
            tally->spans += rc == 0;
            if (rc < 0 && tk_reading_take_back(reading, &mark, rc, record.p, err->msg) < 0)
                return 0;
        }
        input->offset = (size_t)(rest.p - input->text.p);
    }
    return 1;
}

/* A first line of columns, of which one is an id of a trace. */
static bool detect(tk_str head)
{
    tk_str line = head;
    line.n = tk_str_find(head, '\n');
    (void)tk_str_take_prefix(&line, TK_STR("\xEF\xBB\xBF"));
    if (line.n == 0 || *line.p == '{' || *line.p == '[')
        return false;
    const struct tk_span_input none = {0};
    struct tk_span_field field;
    struct tk_err ignored;
    char delimiter = find_delimiter(line);
    tk_str name;
    while (tk_str_take_until(&line, delimiter, &name)) {
        name = tk_str_trim(name);
        if (name.n > 2 && *name.p == '"')
            name = (tk_str){name.p + 1, name.n - 2};
        if (tk_span_field_find(&none, name, &field, &ignored) == 0 &&
            field.role == TK_ROLE_TRACE_ID)
            return true;
    }
    return false;
}

static void close(void *state)
{
    struct csv *csv = state;
    if (csv)
        tk_reading_release(&csv->reading);
    free(csv);
}

static int open(void **ret_state, struct tk_err *err)
{
    struct csv *csv = calloc(1, sizeof(*csv));
    if (!csv)
        return tk_fail(err, -ENOMEM, "out of memory");
    int rc = tk_reading_init(&csv->reading, err);
    if (rc < 0) {
        close(csv);
    } else {
        *ret_state = csv;
    }
    return rc;
}

const struct tk_span_reader tk_span_reader_csv = {
    .name = "csv",
    .help = "CSV with a header: columns by their names",
    .detect = detect,
    .open = open,
    .read = read,
    .close = close,
};
