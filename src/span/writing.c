/* SPDX-License-Identifier: Apache-2.0 */
#include "span/writing.h"

#include "base/number.h"
#include "span/any_value.h"
#include "span/span_text.h"

size_t tk_span_rows_trace(const struct tk_span_rows *rows, size_t first)
{
    size_t i = first;
    while (i < rows->n && memcmp(rows->batch->trace_ids[tk_span_rows_at(rows, i)],
                                 rows->batch->trace_ids[tk_span_rows_at(rows, first)], 16) == 0)
        i++;
    return i - first;
}

void tk_put_trace_id(struct tk_buf *out, const uint8_t id[16], bool strip)
{
    char text[TK_TRACE_ID_DIGITS + 2];
    size_t skipped = 0;
    tk_trace_id_format(id, text + 1);
    if (strip && memcmp(text + 1, "0000000000000000", 16) == 0)
        skipped = 16;
    text[skipped] = '"';
    text[TK_TRACE_ID_DIGITS + 1] = '"';
    tk_buf_put(out, (tk_str){text + skipped, sizeof(text) - skipped});
}

void tk_put_span_id(struct tk_buf *out, uint64_t id)
{
    char text[TK_SPAN_ID_DIGITS + 2];
    text[0] = '"';
    tk_span_id_format(id, text + 1);
    text[TK_SPAN_ID_DIGITS + 1] = '"';
    tk_buf_put(out, (tk_str){text, sizeof(text)});
}

void tk_put_attrs(struct tk_buf *out, const struct tk_span_batch *batch,
                  const struct tk_attr *attrs, size_t n)
{
    tk_buf_putc(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            tk_buf_putc(out, ',');
        tk_put_text(out, batch, attrs[i].key);
        tk_buf_putc(out, ':');
        tk_any_value_put_json(&batch->texts, &attrs[i], out);
    }
    tk_buf_putc(out, '}');
}

static void put_event(struct tk_buf *out, const struct tk_span_batch *batch,
                      const struct tk_span_event *event)
{
    tk_json_put_comma(out);
    tk_buf_lit(out, "{\"time_unix_nano\":");
    tk_buf_put_i64(out, event->time_ns);
    tk_put_key(out, "name");
    tk_put_text(out, batch, event->name);
    tk_put_key(out, "attributes");
    tk_put_attrs(out, batch, batch->side_attrs + event->attrs.begin, event->attrs.n);
    tk_buf_putc(out, '}');
}

static void put_link(struct tk_buf *out, const struct tk_span_batch *batch,
                     const struct tk_span_link *link)
{
    tk_json_put_comma(out);
    tk_buf_lit(out, "{\"trace_id\":");
    tk_put_trace_id(out, link->trace_id, false);
    tk_put_key(out, "span_id");
    tk_put_span_id(out, link->span_id);
    if (link->trace_state != 0) {
        tk_put_key(out, "trace_state");
        tk_put_text(out, batch, link->trace_state);
    }
    tk_put_key(out, "attributes");
    tk_put_attrs(out, batch, batch->side_attrs + link->attrs.begin, link->attrs.n);
    tk_buf_putc(out, '}');
}

void tk_put_events(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_span_event *events = tk_span_events(batch, row, &n);
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < n; i++)
        put_event(out, batch, &events[i]);
    tk_buf_putc(out, ']');
}

void tk_put_links(struct tk_buf *out, const struct tk_span_batch *batch, size_t row)
{
    size_t n;
    const struct tk_span_link *links = tk_span_links(batch, row, &n);
    tk_buf_putc(out, '[');
    for (size_t i = 0; i < n; i++)
        put_link(out, batch, &links[i]);
    tk_buf_putc(out, ']');
}

void tk_put_micros(struct tk_buf *out, int64_t ns)
{
    int64_t rest = ns % 1000;
    tk_buf_put_i64(out, ns / 1000);
    if (rest == 0)
        return;
    char digits[4] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
                      (char)('0' + rest % 10)};
    size_t n = sizeof(digits);
    while (digits[n - 1] == '0')
        n--;
    tk_buf_put(out, (tk_str){digits, n});
}
