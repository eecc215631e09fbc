/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that claim to answer our probes. */
#include <stdbool.h>

#include "collect/ping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint16_t sequence;
    if (size < 1)
        return 0;
    tk_str packet = {(const char *)data + 1, size - 1};
    (void)tk_ping_parse(packet, data[0] & 1 ? AF_INET6 : AF_INET, data[0] & 2, 0x1234, &sequence);
    return 0;
}
