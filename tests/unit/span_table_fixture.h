/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of spans for tests, as a few lines of text, a span each:
 *
 *     TRACE SPAN PARENT SERVICE OPERATION START DURATION [WORD...]
 *
 *     "t1 a -  front GET/   0    100ms\n"
 *     "t1 b a  cart  get  10ms    50ms error http.status_code=500 size:=12\n"
 *
 * Ids are texts of up to 8 bytes (of traces 16), PARENT `-` is none. Times are numbers with ns, us,
 * ms, s or m behind them, since 1970; alone they are us. WORD is `error`, `ok`, `client`, `server`,
 * `internal`, KEY=TEXT, KEY:=INTEGER, or KEY?=true of a boolean. Empty lines are passed over. Spans
 * come in batches of `batch_rows` rows (0 = all in one), so that tests cut where they like. */
#ifndef TK_SPAN_TABLE_FIXTURE_H
#define TK_SPAN_TABLE_FIXTURE_H

#include "base/number.h"
#include "fidelity/span_table.h"
#include "span_maker.h"

struct fixture {
    tk_str rest;
    size_t batch_rows; /* 0 = all in one batch */
};

static inline int64_t fixture_time_ns(tk_str text)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"", 1e3}, {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}};
    double value;
    double sign = tk_str_take_prefix(&text, TK_STR("-")) ? -1 : 1;
    assert_true(tk_scan_f64(&text, &value));
    for (size_t i = 0; i < TK_COUNTOF(units); i++) {
        double ns = sign * value * units[i].ns;
        if (tk_str_eq(text, tk_str_from(units[i].name)))
            return (int64_t)(ns < 0 ? ns - 0.5 : ns + 0.5);
    }
    fail_msg("no unit of time: %.*s", TK_STR_ARG(text));
    return 0;
}

static inline void fixture_id(tk_str text, void *to, size_t cap)
{
    assert_true(text.n > 0 && text.n <= cap);
    memset(to, 0, cap);
    memcpy(to, text.p, text.n);
}

static inline void fixture_attr(struct tk_span_batch *batch, tk_str word)
{
    struct tk_attr attr = {.type = TK_ATTR_STRING};
    tk_str key = {word.p, tk_str_find(word, '=')};
    assert_true(key.n > 0 && key.n < word.n);
    tk_str value = {word.p + key.n + 1, word.n - key.n - 1};
    char mark = key.p[key.n - 1];
    if (mark == ':' || mark == '?') {
        key.n--;
        attr.type = mark == ':' ? TK_ATTR_INT : TK_ATTR_BOOL;
        if (mark == ':') {
            assert_true(tk_parse_i64(value, &attr.i64));
        } else {
            attr.i64 = tk_str_eq(value, TK_STR("true"));
        }
    } else {
        attr.text = tk_texts_add(&batch->texts, value);
    }
    attr.key = tk_texts_add(&batch->texts, key);
    assert_int_equal(tk_span_batch_add_attr(batch, &attr), 0);
}

static inline void fixture_word(struct tk_span_batch *batch, tk_str word)
{
    size_t row = batch->rows - 1;
    if (tk_str_eq(word, TK_STR("error"))) {
        batch->statuses[row] = TK_SPAN_ERROR;
    } else if (tk_str_eq(word, TK_STR("ok"))) {
        batch->statuses[row] = TK_SPAN_OK;
    } else if (tk_str_eq(word, TK_STR("client"))) {
        batch->kinds[row] = TK_SPAN_CLIENT;
    } else if (tk_str_eq(word, TK_STR("server"))) {
        batch->kinds[row] = TK_SPAN_SERVER;
    } else if (tk_str_eq(word, TK_STR("internal"))) {
        batch->kinds[row] = TK_SPAN_INTERNAL;
    } else {
        fixture_attr(batch, word);
    }
}

static inline void fixture_span(struct tk_span_batch *batch, tk_str line)
{
    tk_str fields[7];
    char service[64];
    tk_str word;
    for (size_t i = 0; i < TK_COUNTOF(fields); i++)
        assert_true(tk_str_take_word(&line, &fields[i]));
    assert_true(tk_str_to_cstr(fields[3], service, sizeof(service)));
    assert_int_equal(tk_span_batch_begin(batch), 0);
    size_t row = batch->rows - 1;
    fixture_id(fields[0], batch->trace_ids[row], 16);
    fixture_id(fields[1], &batch->span_ids[row], 8);
    if (!tk_str_eq(fields[2], TK_STR("-")))
        fixture_id(fields[2], &batch->parent_ids[row], 8);
    batch->scope_ids[row] = made_scope(batch, service, NULL);
    batch->names[row] = tk_texts_add(&batch->texts, fields[4]);
    batch->start_ns[row] = fixture_time_ns(fields[5]);
    batch->duration_ns[row] = fixture_time_ns(fields[6]);
    while (tk_str_take_word(&line, &word))
        fixture_word(batch, word);
    assert_int_equal(tk_span_batch_end(batch), 0);
}

/* As a source. */
static inline int fixture_read(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    (void)err;
    struct fixture *fixture = context;
    size_t most = fixture->batch_rows > 0 ? fixture->batch_rows : batch->max_rows;
    tk_str line;
    while (batch->rows < most && tk_str_take_line(&fixture->rest, &line)) {
        if (tk_str_trim(line).n > 0)
            fixture_span(batch, line);
    }
    return fixture->rest.n > 0 ? 0 : 1;
}

static inline struct tk_span_source fixture_source(struct fixture *fixture)
{
    return (struct tk_span_source){fixture_read, fixture};
}

static inline struct tk_span_table *table_with(const char *lines, size_t batch_rows,
                                               const struct tk_span_table_options *options)
{
    struct fixture fixture = {tk_str_from(lines), batch_rows};
    struct tk_span_table *table = NULL;
    struct tk_err err = {0};
    if (tk_span_table_new(fixture_source(&fixture), options, &table, &err) < 0)
        fail_msg("%s", err.msg);
    return table;
}

/* The table of some lines; to be freed with tk_span_table_free(). */
static inline struct tk_span_table *table_of(const char *lines)
{
    return table_with(lines, 0, &(struct tk_span_table_options){0});
}

/* Id of a span or service or operation of a row, as texts. */
static inline tk_str table_text(const struct tk_span_table *table, uint32_t id)
{
    return tk_texts_get(&table->texts, id);
}

static inline tk_str table_span(const struct tk_span_table *table, uint32_t row)
{
    const char *p = (const char *)&table->span_ids[row];
    return (tk_str){p, strnlen(p, sizeof(table->span_ids[row]))};
}

/* The row of a span by its id, which must be there once. */
static inline uint32_t table_row(const struct tk_span_table *table, const char *span)
{
    for (uint32_t row = 0; row < table->rows; row++) {
        if (tk_str_eq(table_span(table, row), tk_str_from(span)))
            return row;
    }
    fail_msg("no span %s", span);
    return 0;
}

#endif
