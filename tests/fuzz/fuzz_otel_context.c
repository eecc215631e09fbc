/* SPDX-License-Identifier: Apache-2.0 */
/* What other processes publish of themselves: lines of maps, payloads. What comes of a payload is
 * JSON. */
#include <stdlib.h>

#include "base/compiler.h"
#include "base/json.h"
#include "collect/otel_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TK_CLEANUP(tk_buf_release) struct tk_buf out;
    tk_str text = {(const char *)data, size};
    struct tk_err err;
    uint64_t address;
    (void)tk_otel_mapping_parse(text, &address);
    tk_buf_init(&out, (size_t)1 << 20);
    if (tk_otel_context_format(text, &out, &err) < 0)
        return 0;
    struct tk_json json;
    tk_json_init(&json, tk_buf_str(&out));
    if (tk_json_skip(&json, NULL, &err) < 0 || tk_json_expect_end(&json, &err) < 0)
        abort();
    return 0;
}
