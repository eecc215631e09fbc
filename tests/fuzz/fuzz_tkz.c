/* SPDX-License-Identifier: Apache-2.0 */
/* Files of compressed traces: any bytes give sound spans; cut or merged they are a file again. */
#include <assert.h>

#include "codec/codec.h"
#include "tkz_mutator.h"

static int take(void *context, const struct tk_span_rows *rows, struct tk_err *err)
{
    (void)context, (void)err;
    for (size_t i = 0; i < rows->n; i++)
        assert(rows->batch->duration_ns[tk_span_rows_at(rows, i)] >= 0);
    return 0;
}

static int put(void *context, tk_str bytes, struct tk_err *err)
{
    tk_buf_put(context, bytes);
    return tk_buf_check(context, "file", err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    const tk_str files[] = {{(const char *)data, size}, {(const char *)data, size}};
    const struct tk_codec_output output = {put, &out};
    struct tk_codec_losses losses;
    struct tk_codec_info info;
    struct tk_err err;
    tk_buf_init(&out, (size_t)1 << 20);
    const struct tk_codec_decoding whole = {0};
    (void)!tk_codec_decode(&whole, files[0], &(struct tk_span_sink){take, NULL}, &losses, &err);
    const struct tk_codec_ceiling base = {.planes = 1};
    if (tk_codec_truncate(&base, files[0], &output, &info, &err) < 0)
        return 0;
    assert(tk_codec_info_read(tk_buf_str(&out), &info, &err) == 0);
    assert(tk_codec_merge(files, 2, &output, &info, &err) == 0);
    return 0;
}
