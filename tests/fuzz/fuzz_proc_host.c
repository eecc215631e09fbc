/* SPDX-License-Identifier: Apache-2.0 */
/* Every parser of the host's kernel files; the first byte chooses which, the second the index of
 * the file. */
#include <stdlib.h>

#include "collect/host_sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tk_host_reading reading;
    struct tk_err err;
    if (size < 2)
        return 0;
    const struct tk_host_source *source = &tk_host_sources[data[0] % TK_HOST_SOURCE_COUNT];
    tk_str text = {(const char *)data + 2, size - 2};
    if (source->parse(text, data[1] & 1, &reading, &err) == 0 &&
        (reading.stat.core_count > TK_HOST_CORES_MAX || reading.disks.count > TK_HOST_DISKS_MAX ||
         reading.links.count > TK_HOST_LINKS_MAX || reading.interrupts.count > TK_HOST_IRQS_MAX ||
         reading.nodes.count > TK_HOST_NODES_MAX || reading.mounts.count > TK_HOST_MOUNTS_MAX))
        abort();
    return 0;
}
