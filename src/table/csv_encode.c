/* SPDX-License-Identifier: Apache-2.0 */
/* CSV (RFC 4180), writing: a header line, then a line per row. An absent value is empty, an empty
 * text is "" in quotes, a list is its JSON in quotes. Lines end in LF, as Unix tools like it; bytes
 * that are no UTF-8 become U+FFFD, as in JSON. */
#include <string.h>

#include "base/number.h"
#include "base/scan.h"
#include "table/format.h"
#include "table/format_internal.h"

static bool needs_quotes(tk_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == ',' || text.p[i] == '\n' || text.p[i] == '\r')
            return true;
    }
    return text.n == 0 || text.p[0] == ' ' || text.p[text.n - 1] == ' ';
}

/* Append text with each quote doubled. */
static void put_content(struct tk_buf *out, tk_str text)
{
    const char *p = text.p;
    for (const char *end = text.n > 0 ? p + text.n : p; p < end;) {
        int n = tk_utf8_length(p, end);
        if (*p == '"') {
            tk_buf_lit(out, "\"\"");
        } else if (n > 0) {
            tk_buf_put(out, (tk_str){p, (size_t)n});
        } else {
            tk_buf_lit(out, "\xEF\xBF\xBD"); /* U+FFFD */
        }
        p += n > 0 ? n : 1;
    }
}

void tk_csv_put_text(struct tk_buf *out, tk_str text)
{
    bool quotes = needs_quotes(text);
    if (quotes)
        tk_buf_putc(out, '"');
    put_content(out, text);
    if (quotes)
        tk_buf_putc(out, '"');
}

static void put_list(struct tk_buf *out, const struct tk_column *column, struct tk_list list)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf json;
    tk_buf_init(&json, out->max);
    tk_list_put_json(&json, column, list);
    if (!tk_buf_ok(&json))
        out->failure = json.failure;
    tk_csv_put_text(out, tk_buf_str(&json));
}

static void put_value(struct tk_buf *out, const struct tk_column *column,
                      const union tk_value *value)
{
    switch (column->type) {
    case TK_I64:
        tk_buf_put_i64(out, value->i64);
        return;
    case TK_F64:
        tk_buf_put_f64(out, value->f64, column->decimals);
        return;
    case TK_BOOL:
        tk_buf_puts(out, value->i64 ? "true" : "false");
        return;
    case TK_TEXT:
        tk_csv_put_text(out, value->text);
        return;
    case TK_F64_LIST:
    case TK_TEXT_LIST:
        put_list(out, column, value->list);
        return;
    }
}

static void csv_head(const struct tk_schema *schema, struct tk_buf *out)
{
    for (size_t i = 0; i < schema->column_count; i++) {
        if (i > 0)
            tk_buf_putc(out, ',');
        tk_csv_put_text(out, tk_str_from(schema->columns[i].name));
    }
    tk_buf_putc(out, '\n');
}

static void csv_batch(const struct tk_batch *batch, struct tk_buf *out)
{
    for (size_t row = 0; row < batch->rows; row++) {
        for (size_t i = 0; i < batch->schema->column_count; i++) {
            if (i > 0)
                tk_buf_putc(out, ',');
            if (tk_batch_has(batch, row, i))
                put_value(out, &batch->schema->columns[i], tk_batch_at(batch, row, i));
        }
        tk_buf_putc(out, '\n');
    }
}

const struct tk_encoder tk_encoder_csv = {
    .name = "csv",
    .help = "CSV with a header line; absent values are empty",
    .head = csv_head,
    .batch = csv_batch,
};
