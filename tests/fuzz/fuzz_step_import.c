/* SPDX-License-Identifier: Apache-2.0 */
/* Any file of another tool: steps that are given out have a name and do not end before they begin.
 */
#include <stdlib.h>

#include "cmd/step_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int add_step(void *into, const struct tk_import_step *step, struct tk_err *err)
{
    (void)into;
    (void)err;
    if (step->end_ns < step->start_ns)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_err err;
    const struct tk_import_sink sink = {add_step, NULL};
    for (const struct tk_import_format *format = tk_import_formats; format->name; format++)
        (void)!format->read((tk_str){(const char *)data, size}, 1769257200000000000, &sink, &err);
    return 0;
}
