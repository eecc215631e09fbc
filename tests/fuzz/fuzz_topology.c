/* SPDX-License-Identifier: Apache-2.0 */
/* Topologies of OpenDC: any text gives findings, or figures that are not negative. */
#include <stdlib.h>

#include "opendc/check_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tk_check_options options = {0};
    struct tk_check_result result = {0};
    static struct tk_check check; /* large */
    check = (struct tk_check){.options = &options, .result = &result, .dirfd = -1};
    struct tk_err err;
    if (tk_check_topology_text(&check, "topology.json", (tk_str){(const char *)data, size}, &err) <
        0)
        abort();
    if (!(check.hosts.most_mhz >= 0) || !(check.hosts.total_mhz >= 0))
        abort();
    return 0;
}
