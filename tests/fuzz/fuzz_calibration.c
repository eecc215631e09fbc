/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests with a calibration: any text is an error, or gives factors above 0; and what is written
 * of it reads as the same. */
#include <stdlib.h>

#include "opendc/calibration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_err err;
    TK_CLEANUP(tk_calibration_release) struct tk_calibration first = {0};
    TK_CLEANUP(tk_calibration_release) struct tk_calibration again = {0};
    if (tk_calibration_parse((tk_str){(const char *)data, size}, &first, &err) < 0)
        return 0;
    TK_CLEANUP(tk_buf_release) struct tk_buf text;
    tk_buf_init(&text, 64 << 20);
    tk_buf_lit(&text, "{\"calibration\":{");
    tk_calibration_put(&text, &first);
    tk_buf_lit(&text, "}}");
    if (!(first.core_speed > 0) || !(first.scale_cpu > 0) || first.startup_ms < 0 ||
        !tk_buf_ok(&text) || tk_calibration_parse(tk_buf_str(&text), &again, &err) < 0 ||
        again.core_speed != first.core_speed || again.startup_ms != first.startup_ms ||
        again.power_count != first.power_count)
        abort();
    return 0;
}
