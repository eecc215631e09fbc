/* SPDX-License-Identifier: Apache-2.0 */
/* What the encoders of spans share: ids, times, rows in order. */
#ifndef TK_SPAN_WRITING_H
#define TK_SPAN_WRITING_H

#include "base/json.h"
#include "span/span_format.h"

/* How many rows from the first on are of its trace; 0 of none. */
size_t tk_span_rows_trace(const struct tk_span_rows *rows, size_t first);

/* The text of an id of the batch. */
static inline tk_str tk_span_text(const struct tk_span_batch *batch, uint32_t id)
{
    return tk_texts_get(&batch->texts, id);
}

/* Append all digits of an id, in quotes. With `strip`, a trace id whose upper 64 bits are zero has
 * 16. */
void tk_put_trace_id(struct tk_buf *out, const uint8_t id[16], bool strip);
void tk_put_span_id(struct tk_buf *out, uint64_t id);

/* Append `,"KEY":`, KEY being a literal that needs no escapes. */
#define tk_put_key(out, key) tk_buf_lit((out), ",\"" key "\":")

/* Append a text of the batch as a JSON string. */
static inline void tk_put_text(struct tk_buf *out, const struct tk_span_batch *batch, uint32_t id)
{
    tk_json_put_str(out, tk_span_text(batch, id));
}

/* Append the attributes as one plain JSON object, {"a":1,"b":"x"}. */
void tk_put_attrs(struct tk_buf *out, const struct tk_span_batch *batch,
                  const struct tk_attr *attrs, size_t n);

/* Append the events or links of a row as a plain JSON array of objects; [] when it has none. */
void tk_put_events(struct tk_buf *out, const struct tk_span_batch *batch, size_t row);
void tk_put_links(struct tk_buf *out, const struct tk_span_batch *batch, size_t row);

/* Append a time or duration as microseconds with up to three decimals: 12, 12.5, 0.001. */
void tk_put_micros(struct tk_buf *out, int64_t ns);

/* Memory ran out. */
static inline void tk_buf_fail(struct tk_buf *out, int code)
{
    if (out->failure == 0)
        out->failure = code;
}

#endif
