/* SPDX-License-Identifier: Apache-2.0 */
/* One value of a column as JSON: read, and lists also written. */
#include "table/format_internal.h"

#include <errno.h>

#include "base/number.h"

void tk_list_put_json(struct tk_buf *out, const struct tk_column *column, struct tk_list list)
{
    const double *numbers = list.items;
    const tk_str *texts = list.items;
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < list.n; i++) {
        tk_json_put_comma(out);
        if (column->type == TK_F64_LIST) {
            tk_buf_put_f64(out, numbers[i], column->decimals);
        } else {
            tk_json_put_str(out, texts[i]);
        }
    }
    tk_buf_putc(out, ']');
}

/* Stand before each element in turn, only to count them. */
static int count_elements(struct tk_json json, size_t *ret_count, struct tk_err *err)
{
    size_t n = 0;
    int rc = tk_json_enter_array(&json, err);
    while (rc == 0) {
        rc = tk_json_next_element(&json, err);
        if (rc == 0) {
            rc = tk_json_skip(&json, NULL, err);
            n++;
        }
    }
    if (rc < 0)
        return rc;
    *ret_count = n;
    return 0;
}

/* A text that outlives the input: one that was decoded is in the batch already. */
static int read_text(struct tk_json *json, struct tk_batch *out, tk_str *ret, struct tk_err *err)
{
    tk_str text;
    int rc = tk_json_read_str(json, &out->text, &text, err);
    if (rc < 0)
        return rc;
    if (text.n > 0 && !tk_arena_has(&out->text, text.p)) {
        text = tk_arena_copy(&out->text, text);
        if (!text.p)
            return tk_fail(err, -EMSGSIZE, "the text does not fit");
    }
    *ret = text;
    return 0;
}

static int read_list(struct tk_json *json, struct tk_batch *out, enum tk_type type,
                     struct tk_list *ret, struct tk_err *err)
{
    size_t n = 0;
    int rc = count_elements(*json, &n, err);
    if (rc < 0)
        return rc;
    size_t item_bytes = type == TK_F64_LIST ? sizeof(double) : sizeof(tk_str);
    void *items = tk_arena_alloc(&out->text, n * item_bytes); /* n is less than the text's bytes */
    if (!items)
        return tk_fail(err, -EMSGSIZE, "a list of %zu does not fit", n);

    rc = tk_json_enter_array(json, err);
    for (size_t i = 0; rc == 0; i++) {
        rc = tk_json_next_element(json, err);
        if (rc == 0 && i < n) {
            rc = type == TK_F64_LIST ? tk_json_read_f64(json, (double *)items + i, err)
                                     : read_text(json, out, (tk_str *)items + i, err);
        }
    }
    if (rc < 0)
        return rc;
    *ret = (struct tk_list){items, n};
    return 0;
}

int tk_value_read_json(struct tk_json *json, struct tk_batch *out, enum tk_type type,
                       union tk_value *ret, struct tk_err *err)
{
    bool truth;
    int rc;
    switch (type) {
    case TK_I64:
        return tk_json_read_i64(json, &ret->i64, err);
    case TK_F64:
        return tk_json_read_f64(json, &ret->f64, err);
    case TK_BOOL:
        rc = tk_json_read_bool(json, &truth, err);
        if (rc == 0)
            ret->i64 = truth;
        return rc;
    case TK_TEXT:
        return read_text(json, out, &ret->text, err);
    case TK_F64_LIST:
    case TK_TEXT_LIST:
        break;
    }
    return read_list(json, out, type, &ret->list, err);
}
