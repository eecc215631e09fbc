/* SPDX-License-Identifier: Apache-2.0 */
/* Our own codec as the suite runs it: spans in, a .tkz, spans out. It keeps Gen-T's five
 * attributes, as the columns do that it is compared with. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "cmd/suite.h"
#include "codec/codec.h"

#define BATCH_ROWS ((size_t)1 << 16)

static int put_bytes(void *context, tk_str bytes, struct tk_err *err)
{
    tk_buf_put(context, bytes);
    return tk_buf_check(context, "compressed traces", err);
}

static bool parse_quality(const char *setting, double *ret_percent)
{
    tk_str text = tk_str_from(setting);
    return tk_scan_f64(&text, ret_percent) && tk_str_eq(text, TK_STR("%")) && *ret_percent > 0;
}

static bool knows(const char *setting)
{
    double percent;
    return strcmp(setting, "generative") == 0 || strcmp(setting, "lossless") == 0 ||
           parse_quality(setting, &percent);
}

static int encode(struct tk_span_source spans, const char *setting, double trace_bytes,
                  uint64_t seed, struct tk_buf *out, struct tk_err *err)
{
    double percent;
    struct tk_codec_info info;
    struct tk_codec_options options = {
        .attrs = TK_CODEC_ATTRS_GENT, .block_traces = UINT32_MAX, .seed = seed};
    if (!setting) {
        options.trace_budget_bytes = trace_bytes;
    } else if (parse_quality(setting, &percent)) {
        options.planes = tk_codec_planes(percent);
    } else if (strcmp(setting, "generative") == 0) {
        options.mode = TK_CODEC_GENERATIVE;
    } else {
        options.mode = TK_CODEC_LOSSLESS;
        options.attrs = TK_CODEC_ATTRS_ALL;
    }
    return tk_codec_encode(&options, &spans, &(struct tk_codec_output){put_bytes, out}, &info, err);
}

/* Decoded spans wait here to be read: the codec hands them out, a table takes them in. */
struct kept {
    struct tk_span_batch **batches; /* [count], owned each */
    size_t count, next;
    size_t row; /* of the next one */
    struct tk_span_copy *copy;
};

static struct tk_span_batch *add_batch(struct kept *kept, struct tk_err *err)
{
    struct tk_span_batch **more =
        realloc(kept->batches, (kept->count + 1) * sizeof(struct tk_span_batch *));
    if (!more) {
        (void)tk_fail(err, -ENOMEM, "out of memory");
        return NULL;
    }
    kept->batches = more;
    if (tk_span_batch_new(BATCH_ROWS, &more[kept->count], err) < 0)
        return NULL;
    return more[kept->count++];
}

/* As a sink has it. */
static int keep_rows(void *context, const struct tk_span_rows *rows, struct tk_err *err)
{
    struct kept *kept = context;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < rows->n;) {
        struct tk_span_copy *copy = NULL;
        struct tk_span_batch *batch = kept->count > 0 ? kept->batches[kept->count - 1] : NULL;
        if (!batch || batch->rows == batch->max_rows)
            batch = add_batch(kept, err);
        if (!batch)
            return err->code;
        rc = tk_span_copy_new(batch, rows->batch, &copy, err);
        while (rc == 0 && i < rows->n) {
            rc = tk_span_copy_row(copy, tk_span_rows_at(rows, i));
            i += rc == 0;
        }
        tk_span_copy_free(copy);
        if (rc == -ENOBUFS && batch->rows > 0)
            rc = add_batch(kept, err) ? 0 : err->code;
    }
    return rc;
}

/* As a source has it. */
static int read_kept(void *context, struct tk_span_batch *batch, struct tk_err *err)
{
    struct kept *kept = context;
    for (; kept->next < kept->count; kept->next++, kept->row = 0) {
        const struct tk_span_batch *from = kept->batches[kept->next];
        struct tk_span_copy *copy = NULL;
        int rc = tk_span_copy_new(batch, from, &copy, err);
        for (; rc == 0 && kept->row < from->rows; kept->row += rc == 0)
            rc = tk_span_copy_row(copy, kept->row);
        tk_span_copy_free(copy);
        if (rc == -ENOBUFS && batch->rows > 0)
            return 0;
        if (rc < 0)
            return rc == -ENOBUFS ? tk_fail(err, -EMSGSIZE, "a span is larger than a batch") : rc;
    }
    return 1;
}

static int decode(tk_str file, uint64_t seed, int64_t unit_ns, struct tk_span_table **ret_table,
                  struct tk_err *err)
{
    struct kept kept = {.count = 0};
    struct tk_codec_losses losses;
    const struct tk_codec_decoding options = {.seed = seed};
    const struct tk_span_sink sink = {keep_rows, &kept};
    int rc = tk_codec_decode(&options, file, &sink, &losses, err);
    if (rc == 0 && tk_codec_losses_any(&losses))
        rc = tk_fail(err, -EBADMSG, "decoding lost something: %s", losses.first);
    const struct tk_span_source source = {read_kept, &kept};
    rc = rc < 0 ? rc
                : tk_span_table_new(source, &(struct tk_span_table_options){.unit_ns = unit_ns},
                                    ret_table, err);
    for (size_t i = 0; i < kept.count; i++)
        tk_span_batch_free(kept.batches[i]);
    free(kept.batches);
    return rc;
}

const struct tk_suite_codec tk_suite_codec_tkz = {
    .encode = encode,
    .decode = decode,
    .knows = knows,
};
