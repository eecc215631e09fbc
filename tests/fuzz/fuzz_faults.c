/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of faults: any text is an error, or gives faults with a pod, a service that begins it, and
 * a whole second. */
#include <stdlib.h>

#include "fidelity/faults.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_err err;
    TK_CLEANUP(tk_faults_release) struct tk_faults faults = {0};
    if (tk_faults_parse((tk_str){(const char *)data, size}, &faults, &err) < 0)
        return 0;
    for (size_t i = 0; i < faults.count; i++) {
        const struct tk_fault *fault = &faults.items[i];
        if (fault->pod.n == 0 || !tk_str_starts_with(fault->pod, fault->service) ||
            fault->inject_ns % 1000000000 != 0)
            abort();
    }
    return 0;
}
