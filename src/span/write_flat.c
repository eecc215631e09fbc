/* SPDX-License-Identifier: Apache-2.0 */
/* A span a line, for people and tools of text: as JSON with all that a span has, and as CSV with
 * what fits columns. The reader "flat" reads the one, the reader "csv" the other. */
#include "base/number.h"
#include "span/span_text.h"
#include "span/writing.h"

/* JSON ---------------------------------------------------------------------------------------- */

static void put_events_and_links(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    (void)tk_span_events(batch, row, &n);
    if (n > 0) {
        tk_put_key(out, "events");
        tk_put_events(out, batch, row);
    }
    (void)tk_span_links(batch, row, &n);
    if (n > 0) {
        tk_put_key(out, "links");
        tk_put_links(out, batch, row);
    }
}

static void put_status(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    if (batch->statuses[row] == TK_SPAN_UNSET && batch->messages[row] == 0)
        return;
    tk_buf_lit(out, ",\"status\":{\"code\":");
    tk_buf_put_u64(out, batch->statuses[row]);
    if (batch->messages[row] != 0) {
        tk_put_key(out, "message");
        tk_put_text(out, batch, batch->messages[row]);
    }
    tk_buf_putc(out, '}');
}

static void put_source(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    const struct tk_span_scope *scope = &batch->scopes[batch->scope_ids[row]];
    const struct tk_span_resource *resource = &batch->resources[scope->resource];
    tk_put_key(out, "resource");
    tk_put_attrs(out, batch, batch->side_attrs + resource->attrs.begin, resource->attrs.n);
    if (scope->name == 0)
        return;
    tk_buf_lit(out, ",\"scope\":{\"name\":");
    tk_put_text(out, batch, scope->name);
    if (scope->version != 0) {
        tk_put_key(out, "version");
        tk_put_text(out, batch, scope->version);
    }
    tk_buf_putc(out, '}');
}

static void put_line(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    tk_buf_lit(out, "{\"trace_id\":");
    tk_put_trace_id(out, batch->trace_ids[row], false);
    tk_put_key(out, "span_id");
    tk_put_span_id(out, batch->span_ids[row]);
    if (batch->parent_ids[row] != 0) {
        tk_put_key(out, "parent_span_id");
        tk_put_span_id(out, batch->parent_ids[row]);
    }
    if (batch->trace_states[row] != 0) {
        tk_put_key(out, "trace_state");
        tk_put_text(out, batch, batch->trace_states[row]);
    }
    if (batch->flags[row] != 0) {
        tk_put_key(out, "flags");
        tk_buf_put_u64(out, batch->flags[row]);
    }
    tk_put_key(out, "name");
    tk_put_text(out, batch, batch->names[row]);
    tk_put_key(out, "kind");
    tk_buf_put_u64(out, batch->kinds[row]);
    tk_put_key(out, "start_time_unix_nano");
    tk_buf_put_i64(out, batch->start_ns[row]);
    tk_put_key(out, "end_time_unix_nano");
    tk_buf_put_i64(out, batch->start_ns[row] + batch->duration_ns[row]);
    put_status(out, batch, row);
    tk_put_key(out, "attributes");
    tk_put_attrs(out, batch, attrs, n);
    put_events_and_links(out, batch, row);
    put_source(out, batch, row);
    tk_buf_lit(out, "}\n");
}

static int put_lines(void *state, const struct tk_span_rows *rows, struct tk_buf *out,
                     struct tk_err *err)
{
    (void)state;
    for (size_t i = 0; i < rows->n; i++)
        put_line(out, rows->batch, tk_span_rows_at(rows, i));
    return tk_buf_check(out, "spans", err);
}

const struct tk_span_encoder tk_span_encoder_jsonl = {
    .name = "jsonl",
    .help = "a span a line, as JSON",
    .ending = ".jsonl",
    .spans = put_lines,
};

/* CSV (RFC 4180) ------------------------------------------------------------------------------- */

/* A text as one column: in quotes where it has to be. */
static void put_column(struct tk_buf *out, tk_str text)
{
    bool is_plain = true;
    for (size_t i = 0; i < text.n && is_plain; i++)
        is_plain = text.p[i] != '"' && text.p[i] != ',' && text.p[i] != '\n' && text.p[i] != '\r';
    if (is_plain) {
        tk_buf_put(out, text);
        return;
    }
    tk_buf_putc(out, '"');
    for (tk_str part; text.n > 0;) {
        size_t quote = tk_str_find(text, '"');
        part = (tk_str){text.p, quote};
        tk_buf_put(out, part);
        if (quote == text.n)
            break;
        tk_buf_lit(out, "\"\"");
        text = (tk_str){text.p + quote + 1, text.n - quote - 1};
    }
    tk_buf_putc(out, '"');
}

static void put_hex(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    char *to = tk_buf_reserve(out, TK_TRACE_ID_DIGITS + TK_SPAN_ID_DIGITS + 1);
    if (!to)
        return;
    tk_trace_id_format(batch->trace_ids[row], to);
    to[TK_TRACE_ID_DIGITS] = ',';
    tk_span_id_format(batch->span_ids[row], to + TK_TRACE_ID_DIGITS + 1);
    out->n += TK_TRACE_ID_DIGITS + TK_SPAN_ID_DIGITS + 1;
}

static void put_row(struct tk_buf *out, struct tk_buf *attributes,
                    const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_attr *attrs = tk_span_attrs(batch, row, &n);
    put_hex(out, batch, row);
    tk_buf_putc(out, ',');
    if (batch->parent_ids[row] != 0) {
        char parent[TK_SPAN_ID_DIGITS];
        tk_span_id_format(batch->parent_ids[row], parent);
        tk_buf_put(out, (tk_str){parent, sizeof(parent)});
    }
    tk_buf_putc(out, ',');
    put_column(out, tk_span_service(batch, row));
    tk_buf_putc(out, ',');
    put_column(out, tk_span_name(batch, row));
    tk_buf_putc(out, ',');
    if (batch->kinds[row] < TK_SPAN_KIND_COUNT)
        tk_buf_puts(out, tk_span_kind_names[batch->kinds[row]]);
    tk_buf_putc(out, ',');
    tk_buf_put_i64(out, batch->start_ns[row]);
    tk_buf_putc(out, ',');
    tk_buf_put_i64(out, batch->duration_ns[row]);
    tk_buf_putc(out, ',');
    if (batch->statuses[row] < TK_SPAN_STATUS_COUNT)
        tk_buf_puts(out, tk_span_status_names[batch->statuses[row]]);
    tk_buf_putc(out, ',');
    put_column(out, tk_span_text(batch, batch->messages[row]));
    tk_buf_putc(out, ',');
    tk_buf_reset(attributes);
    if (n > 0)
        tk_put_attrs(attributes, batch, attrs, n);
    put_column(out, tk_buf_str(attributes));
    tk_buf_putc(out, '\n');
}

static void put_header(void *state, struct tk_buf *out)
{
    (void)state;
    tk_buf_lit(out, "trace_id,span_id,parent_span_id,service,name,kind,start_ns,duration_ns,status,"
                    "status_message,attributes\n");
}

static int put_rows(void *state, const struct tk_span_rows *rows, struct tk_buf *out,
                    struct tk_err *err)
{
    (void)state;
    struct tk_buf attributes;
    tk_buf_init(&attributes, out->max);
    for (size_t i = 0; i < rows->n; i++)
        put_row(out, &attributes, rows->batch, tk_span_rows_at(rows, i));
    if (!tk_buf_ok(&attributes))
        tk_buf_fail(out, attributes.failure);
    tk_buf_release(&attributes);
    return tk_buf_check(out, "spans", err);
}

const struct tk_span_encoder tk_span_encoder_csv = {
    .name = "csv",
    .help = "a span a row, attributes as JSON in one column",
    .ending = ".csv",
    .head = put_header,
    .spans = put_rows,
};
