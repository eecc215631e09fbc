/* SPDX-License-Identifier: Apache-2.0 */
/* One object against its schema: JSON, types, required fields. */
#include <errno.h>

#include "base/json.h"
#include "run/verify_internal.h"

static const char *const kind_names[] = {
    [TK_JSON_END] = "nothing",      [TK_JSON_NULL] = "null",       [TK_JSON_BOOL] = "true or false",
    [TK_JSON_NUMBER] = "a number",  [TK_JSON_STRING] = "a string", [TK_JSON_ARRAY] = "an array",
    [TK_JSON_OBJECT] = "an object", [TK_JSON_BAD] = "no JSON",
};

/* What a column type is in JSON, and in words. */
static const struct {
    enum tk_json_kind kind;
    enum tk_json_kind item; /* of a list */
    const char *name;
} types[] = {
    [TK_I64] = {TK_JSON_NUMBER, TK_JSON_NULL, "a whole number"},
    [TK_F64] = {TK_JSON_NUMBER, TK_JSON_NULL, "a number"},
    [TK_BOOL] = {TK_JSON_BOOL, TK_JSON_NULL, "true or false"},
    [TK_TEXT] = {TK_JSON_STRING, TK_JSON_NULL, "a string"},
    [TK_F64_LIST] = {TK_JSON_ARRAY, TK_JSON_NUMBER, "an array of numbers"},
    [TK_TEXT_LIST] = {TK_JSON_ARRAY, TK_JSON_STRING, "an array of strings"},
};

/* Skip an array; false in *ret_right when an item is of another kind. */
static int skip_list(struct tk_json *json, enum tk_json_kind item, bool *ret_right,
                     struct tk_err *err)
{
    bool right = true;
    int rc = tk_json_enter_array(json, err);
    while (rc == 0 && (rc = tk_json_next_element(json, err)) == 0) {
        right &= tk_json_peek(json) == item;
        rc = tk_json_skip(json, NULL, err);
    }
    if (rc == 1)
        *ret_right = right;
    return rc < 0 ? rc : 0;
}

/* Read a value whose kind is right: 0, -ERANGE when it is no such number, or bad JSON. */
static int read_value(struct tk_verify *verify, struct tk_json *json, enum tk_type type,
                      union tk_value *ret_value, struct tk_err *err)
{
    bool flag = false;
    int rc = 0;
    switch (type) {
    case TK_I64:
        return tk_json_read_i64(json, &ret_value->i64, err);
    case TK_F64:
        return tk_json_read_f64(json, &ret_value->f64, err);
    case TK_BOOL:
        rc = tk_json_read_bool(json, &flag, err);
        ret_value->i64 = flag;
        return rc;
    case TK_TEXT:
        return tk_json_read_str(json, &verify->scratch, &ret_value->text, err);
    case TK_F64_LIST:
    case TK_TEXT_LIST:
        rc = skip_list(json, types[type].item, &flag, err);
        return rc < 0 || flag ? rc : -ERANGE;
    }
    return rc;
}

/* Take the value of a column. */
static int take_value(struct tk_verify *verify, struct tk_json *json, struct tk_row *row,
                      size_t column, struct tk_err *err)
{
    const struct tk_column *about = &row->schema->columns[column];
    enum tk_json_kind kind = tk_json_peek(json);
    if (kind == TK_JSON_NULL) {
        row->null |= 1ULL << column;
        return tk_json_read_null(json, err);
    }
    if (kind != types[about->type].kind) {
        row->wrong |= 1ULL << column;
        tk_verify_add(verify, TK_VERIFY_TYPE, row->line, "%s is %s, expected %s", about->name,
                      kind_names[kind], types[about->type].name);
        return tk_json_skip(json, NULL, err);
    }
    struct tk_json before = *json;
    int rc = read_value(verify, json, about->type, &row->values[column], err);
    if (rc == 0)
        row->present |= 1ULL << column;
    if (rc != -ERANGE)
        return rc;
    tk_str raw;
    row->wrong |= 1ULL << column;
    *json = before;
    rc = tk_json_skip(json, &raw, err);
    if (rc == 0) {
        tk_verify_add(verify, TK_VERIFY_TYPE, row->line, "%s is %.*s%s, expected %s", about->name,
                      (int)(raw.n < 40 ? raw.n : 40), raw.p, raw.n < 40 ? "" : "...",
                      types[about->type].name);
    }
    return rc;
}

static int take_fields(struct tk_verify *verify, struct tk_json *json, struct tk_row *row,
                       struct tk_err *err)
{
    int rc = tk_json_enter_object(json, err);
    size_t column = 0;
    tk_str key;
    while (rc == 0 && (rc = tk_json_next_key(json, &verify->scratch, &key, err)) == 0) {
        column = tk_schema_find(row->schema, key, column);
        if (column < row->schema->column_count) {
            rc = take_value(verify, json, row, column, err);
        } else {
            rc = tk_json_skip(json, NULL, err); /* fields that we do not know are welcome */
        }
        column++;
    }
    return rc < 0 ? rc : tk_json_expect_end(json, err);
}

/* A row of generation 2 gives the CPU time of its interval instead of the counters. */
static bool is_excused(const struct tk_row *row, size_t column)
{
    return row->schema == &tk_schema_proc_metrics &&
           (column == TK_PROC_METRICS_UTIME || column == TK_PROC_METRICS_STIME) &&
           tk_row_has(row, TK_PROC_METRICS_DT_MS) && tk_row_has(row, TK_PROC_METRICS_CPU_MS);
}

static void check_required(struct tk_verify *verify, const struct tk_row *row)
{
    for (size_t i = 0; i < row->schema->column_count; i++) {
        const struct tk_column *column = &row->schema->columns[i];
        uint64_t bit = 1ULL << i;
        uint64_t right = row->present | row->wrong;
        if (column->flags & TK_NULLABLE)
            right |= row->null;
        if (!(column->flags & TK_REQUIRED) || (right & bit) || is_excused(row, i))
            continue;
        tk_verify_add(verify, TK_VERIFY_REQUIRED, row->line, "%s is %s", column->name,
                      row->null & bit ? "null" : "missing");
    }
}

bool tk_verify_row(struct tk_verify *verify, const struct tk_schema *schema, tk_str text,
                   uint64_t line, struct tk_row *ret_row)
{
    struct tk_json json;
    struct tk_err why;
    tk_json_init(&json, text);
    tk_arena_reset(&verify->scratch);
    ret_row->schema = schema;
    ret_row->line = line;
    ret_row->present = ret_row->null = ret_row->wrong = 0;
    if (tk_json_peek(&json) != TK_JSON_OBJECT) {
        tk_verify_add(verify, TK_VERIFY_JSON, line, "expected an object, found %s",
                      kind_names[tk_json_peek(&json)]);
        return false;
    }
    if (take_fields(verify, &json, ret_row, &why) < 0) {
        tk_verify_add(verify, TK_VERIFY_JSON, line, "%s", why.msg);
        return false;
    }
    check_required(verify, ret_row);
    return true;
}
