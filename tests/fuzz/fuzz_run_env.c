/* SPDX-License-Identifier: Apache-2.0 */
/* run_id.env: the value found lies inside the text and holds no line end. */
#include <stdlib.h>

#include "run/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tk_str text = {(const char *)data, size};
    tk_str value;
    if (tk_run_env_find(text, TK_STR("RUN_ID"), &value) &&
        (value.p < text.p || value.p + value.n > text.p + text.n ||
         tk_str_find(value, '\n') < value.n))
        abort();
    if (tk_run_id_ok(text) && (size >= TK_RUN_ID_MAX || tk_run_id_cmp(text, text) != 0))
        abort();
    return 0;
}
