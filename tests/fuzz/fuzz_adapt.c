/* SPDX-License-Identifier: Apache-2.0 */
/* Logs of every format: the first byte selects which, and the options. Times of what becomes a row
 * must ascend. */
#include <assert.h>

#include "span/span.h"

static int take(void *context, enum tk_table table, const struct tk_batch *batch,
                struct tk_err *err)
{
    (void)context, (void)table, (void)err;
    for (size_t i = 0; i < batch->rows; i++) {
        assert(tk_batch_i64(batch, i, TK_INVOCATIONS_TS_ENQUEUE, -1) >= 0);
        assert(tk_batch_i64(batch, i, TK_INVOCATIONS_QUEUE_TIME_MS, -1) >= 0);
        assert(tk_batch_i64(batch, i, TK_INVOCATIONS_SERVICE_TIME_MS, -1) >= 0);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const maps[] = {"ts_start=a.b:us", "service=c:ns"};
    struct tk_adapt *adapt;
    struct tk_err err;
    if (size == 0)
        return 0;
    struct tk_adapt_options options = {.ingest = tk_ingests[data[0] % 5]};
    options.format.maps = maps;
    options.format.map_count = data[0] & 64 ? 2 : 0;
    tk_str text = {(const char *)data + 1, size - 1};
    tk_str line;
    uint64_t number = 0;
    assert(tk_adapt_new(&options, (struct tk_sink){take, NULL}, &adapt, &err) == 0);
    tk_adapt_begin(adapt);
    while (tk_str_take_line(&text, &line) && tk_adapt_put(adapt, line, ++number, &err) == 0) {
    }
    assert(tk_adapt_end(adapt, &err) == 0);
    tk_adapt_free(adapt);
    return 0;
}
