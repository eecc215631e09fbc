/* SPDX-License-Identifier: Apache-2.0 */
#include "segment/span_query.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "span/any_value.h"

/* Texts of values that are compared are longer only by mistake; what is longer equals nothing. */
#define VALUE_MAX ((size_t)1 << 20)

/* Reading ----------------------------------------------------------------------------- */

/* By their first byte; those of two bytes first. */
static const struct {
    tk_str text;
    enum tk_attr_test test;
} operators[] = {
    {{"!=", 2}, TK_ATTR_NOT_EQUAL}, {{">=", 2}, TK_ATTR_AT_LEAST}, {{"<=", 2}, TK_ATTR_AT_MOST},
    {{"=", 1}, TK_ATTR_EQUAL},      {{">", 1}, TK_ATTR_ABOVE},     {{"<", 1}, TK_ATTR_BELOW},
};

static bool is_numeric(enum tk_attr_test test)
{
    return test == TK_ATTR_ABOVE || test == TK_ATTR_BELOW || test == TK_ATTR_AT_LEAST ||
           test == TK_ATTR_AT_MOST;
}

static bool is_operator(char c)
{
    return c == '=' || c == '<' || c == '>' || c == '!';
}

/* The operator at the front of `text`; NULL = none. */
static const tk_str *take_operator(tk_str *text, enum tk_attr_test *ret_test)
{
    for (size_t i = 0; i < TK_COUNTOF(operators); i++) {
        if (tk_str_take_prefix(text, operators[i].text)) {
            *ret_test = operators[i].test;
            return &operators[i].text;
        }
    }
    return NULL;
}

int tk_attr_condition_parse(tk_str text, struct tk_attr_condition *ret, struct tk_err *err)
{
    size_t n = 0;
    while (n < text.n && !is_operator(text.p[n]))
        n++;
    struct tk_attr_condition condition = {.key = tk_str_trim((tk_str){text.p, n}),
                                          .test = TK_ATTR_EXISTS};
    if (condition.key.n == 0)
        return tk_fail(err, -EINVAL, "'%.*s' names no attribute", TK_STR_ARG(text));
    tk_str rest = {text.p + n, text.n - n};
    if (rest.n > 0 && !take_operator(&rest, &condition.test)) {
        return tk_fail(err, -EINVAL, "'%.*s': expected KEY, KEY=VALUE, KEY!=VALUE, KEY>N or KEY<N",
                       TK_STR_ARG(text));
    }
    condition.value = rest;
    double number;
    if (is_numeric(condition.test) && !tk_parse_f64(rest, &number)) {
        return tk_fail(err, -EINVAL, "'%.*s': '%.*s' is not a number", TK_STR_ARG(text),
                       TK_STR_ARG(rest));
    }
    *ret = condition;
    return 0;
}

/* Attributes -------------------------------------------------------------------------- */

/* The attribute of the span, or else of its resource. */
static const struct tk_attr *find_attr(const struct tk_span_batch *batch, size_t row, tk_str key)
{
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    for (size_t i = 0; i < n; i++) {
        if (tk_str_eq(tk_texts_get(&batch->texts, attrs[i].key), key))
            return &attrs[i];
    }
    const struct tk_attr_range *range = &tk_span_resource_of(batch, row)->attrs;
    for (uint32_t i = 0; i < range->n; i++) {
        const struct tk_attr *attr = &batch->side_attrs[range->begin + i];
        if (tk_str_eq(tk_texts_get(&batch->texts, attr->key), key))
            return attr;
    }
    return NULL;
}

static bool matches(const regex_t *pattern, tk_str text)
{
    /* A copy with an end: AddressSanitizer's regexec() looks for it whatever the flags say. */
    regmatch_t all = {.rm_so = 0, .rm_eo = (regoff_t)text.n};
    TK_CLEANUP(tk_buf_release) struct tk_buf copy;
    tk_buf_init(&copy, VALUE_MAX);
    tk_buf_put(&copy, text);
    tk_buf_putc(&copy, '\0');
    return tk_buf_ok(&copy) && regexec(pattern, copy.p, 1, &all, REG_STARTEND) == 0;
}

bool tk_attr_condition_holds(const struct tk_attr_condition *condition, tk_str text)
{
    if (condition->test == TK_ATTR_MATCHES || condition->test == TK_ATTR_NOT_MATCHES)
        return matches(condition->pattern, text) == (condition->test == TK_ATTR_MATCHES);
    return tk_str_eq(text, condition->value) == (condition->test == TK_ATTR_EQUAL);
}

static bool text_holds(const struct tk_span_batch *batch, const struct tk_attr *attr,
                       const struct tk_attr_condition *condition)
{
    if (attr->type == TK_ATTR_STRING)
        return tk_attr_condition_holds(condition, tk_texts_get(&batch->texts, attr->text));
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, VALUE_MAX);
    tk_any_value_put_text(&batch->texts, attr, &text);
    if (!tk_buf_ok(&text))
        return condition->test == TK_ATTR_NOT_EQUAL || condition->test == TK_ATTR_NOT_MATCHES;
    return tk_attr_condition_holds(condition, tk_buf_str(&text));
}

/* The value as a number; false when it is none. */
static bool attr_number(const struct tk_span_batch *batch, const struct tk_attr *attr, double *ret)
{
    if (attr->type == TK_ATTR_INT) {
        *ret = (double)attr->i64;
    } else if (attr->type == TK_ATTR_DOUBLE) {
        *ret = attr->f64;
    } else {
        return attr->type == TK_ATTR_STRING &&
               tk_parse_f64(tk_texts_get(&batch->texts, attr->text), ret);
    }
    return true;
}

static bool compares(const struct tk_span_batch *batch, const struct tk_attr *attr,
                     const struct tk_attr_condition *condition)
{
    double value;
    double limit;
    if (!attr_number(batch, attr, &value) || !tk_parse_f64(condition->value, &limit))
        return false;
    if (condition->test == TK_ATTR_ABOVE)
        return value > limit;
    if (condition->test == TK_ATTR_BELOW)
        return value < limit;
    return condition->test == TK_ATTR_AT_LEAST ? value >= limit : value <= limit;
}

static bool holds(const struct tk_span_batch *batch, size_t row,
                  const struct tk_attr_condition *condition)
{
    if (condition->field == TK_CONDITION_NAME)
        return tk_attr_condition_holds(condition, tk_span_name(batch, row));
    if (condition->field == TK_CONDITION_SERVICE)
        return tk_attr_condition_holds(condition, tk_span_service(batch, row));
    const struct tk_attr *attr = find_attr(batch, row, condition->key);
    if (!attr || condition->test == TK_ATTR_EXISTS)
        return attr;
    if (is_numeric(condition->test))
        return compares(batch, attr, condition);
    return text_holds(batch, attr, condition);
}

/* Spans ------------------------------------------------------------------------------- */

static bool has_trace(const struct tk_span_query *query, const uint8_t *trace_id)
{
    if (query->trace_prefix_digits > 0) {
        size_t whole = query->trace_prefix_digits / 2;
        if (memcmp(query->trace_prefix, trace_id, whole) != 0)
            return false;
        if (query->trace_prefix_digits % 2 &&
            query->trace_prefix[whole] >> 4 != trace_id[whole] >> 4)
            return false;
    }
    for (size_t i = 0; i < query->trace_id_count; i++) {
        if (memcmp(query->trace_ids[i], trace_id, 16) == 0)
            return true;
    }
    return query->trace_id_count == 0;
}

/* The conditions on columns that every span has. */
static bool fits_columns(const struct tk_span_query *query, const struct tk_span_batch *batch,
                         size_t row)
{
    int64_t start_ns = batch->start_ns[row];
    int64_t duration_ns = batch->duration_ns[row];
    if (start_ns < tk_span_query_from_ns(query) || (query->to_ns > 0 && start_ns >= query->to_ns))
        return false;
    if ((query->min_duration_ns > 0 && duration_ns < query->min_duration_ns) ||
        (query->max_duration_ns > 0 && duration_ns > query->max_duration_ns))
        return false;
    if (query->kinds && !(query->kinds >> batch->kinds[row] & 1))
        return false;
    if (query->statuses && !(query->statuses >> batch->statuses[row] & 1))
        return false;
    return !query->roots || batch->parent_ids[row] == 0;
}

bool tk_span_query_matches(const struct tk_span_query *query, const struct tk_span_batch *batch,
                           size_t row)
{
    if (!fits_columns(query, batch, row) || !has_trace(query, batch->trace_ids[row]))
        return false;
    if (query->name.p && !tk_str_eq(tk_span_name(batch, row), query->name))
        return false;
    if (query->service.p && !tk_str_eq(tk_span_service(batch, row), query->service))
        return false;
    for (size_t i = 0; i < query->condition_count; i++) {
        if (!holds(batch, row, &query->conditions[i]))
            return false;
    }
    return true;
}

bool tk_span_query_matches_any(const struct tk_span_query *query, const struct tk_span_batch *batch,
                               size_t row)
{
    for (; query; query = query->otherwise) {
        if (tk_span_query_matches(query, batch, row))
            return true;
    }
    return false;
}
