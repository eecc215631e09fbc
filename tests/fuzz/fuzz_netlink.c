/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads of proc connector and taskstats messages, aligned as netlink aligns them: the first
 * byte chooses. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collect/exits_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    char *copy = malloc(size - 1);
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size - 1);
    tk_str payload = {copy, size - 1};
    struct tk_event event;
    struct tk_task_record records[2];
    if (data[0] % 2 == 0 && tk_event_parse(payload, &event) == 0) {
        if (event.kind >= TK_EVENT_FORK && (event.pid <= 0 || event.tid <= 0))
            __builtin_trap();
    } else if (tk_task_records_parse(payload, records) > 2) {
        __builtin_trap();
    }
    free(copy);
    return 0;
}
