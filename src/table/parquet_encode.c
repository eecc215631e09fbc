/* SPDX-License-Identifier: Apache-2.0 */
/* Values to bytes (Encodings.md of parquet-format). Machines of the other byte order are not
 * supported: numbers are copied as they lie in memory. */
#include <string.h>

#include "table/parquet_internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "Parquet stores little-endian numbers");

/* A bit each, least significant first. */
static void put_bools(struct tk_buf *out, const struct tk_parquet_values *values)
{
    size_t bytes = (values->n + 7) / 8;
    char *to = tk_buf_reserve(out, bytes);
    if (!to)
        return;
    memset(to, 0, bytes);
    for (size_t i = 0; i < values->n; i++)
        to[i / 8] = (char)(to[i / 8] | (values->fixed[i] != 0) << i % 8);
    out->n += bytes;
}

/* Each text after its length in four bytes. */
static void put_texts(struct tk_buf *out, const struct tk_parquet_values *values)
{
    const char *from = values->text;
    char *to = tk_buf_reserve(out, values->n * sizeof(uint32_t) + values->text_bytes);
    if (!to)
        return;
    for (size_t i = 0; i < values->n; i++) {
        uint32_t n = values->lengths[i];
        memcpy(to, &n, sizeof(n));
        if (n > 0)
            memcpy(to + sizeof(n), from, n);
        to += sizeof(n) + n;
        from += n;
    }
    out->n += values->n * sizeof(uint32_t) + values->text_bytes;
}

void tk_parquet_put_plain(struct tk_buf *out, const struct tk_parquet_node *node,
                          const struct tk_parquet_values *values)
{
    if (values->n == 0)
        return;
    if (node->type == TK_PARQUET_BOOL) {
        put_bools(out, values);
    } else if (node->type == TK_PARQUET_BYTES) {
        put_texts(out, values);
    } else {
        tk_buf_put(out, (tk_str){values->fixed, values->n * tk_parquet_width(node)});
    }
}
