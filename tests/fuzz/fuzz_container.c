/* SPDX-License-Identifier: Apache-2.0 */
/* What a container runtime may answer. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collect/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_container container;
    struct tk_err err = {0};
    int rc = tk_container_parse((tk_str){(const char *)data, size}, &container, &err);
    if (rc == 0 && strlen(container.id) > 64)
        abort();
    if (rc < 0 && err.code != rc)
        abort();
    return 0;
}
