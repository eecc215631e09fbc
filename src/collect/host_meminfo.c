/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/meminfo, see proc(5): "MemFree:  24431712 kB". MemAvailable is there since Linux 3.14. */
#include <errno.h>

#include "collect/host_sources.h"
#include "collect/kernel_text.h"

/* kB to bytes, in place; a value that is absent or too large becomes absent. */
static void scale(int64_t *value)
{
    *value = *value >= 0 && *value <= INT64_MAX / 1024 ? *value * 1024 : TK_HOST_ABSENT;
}

int tk_host_meminfo_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                          struct tk_err *err)
{
    (void)index;
    static const struct tk_scan_key keys[] = {
        TK_SCAN_KEY("MemTotal:", struct tk_host_memory, total),
        TK_SCAN_KEY("MemFree:", struct tk_host_memory, free),
        TK_SCAN_KEY("MemAvailable:", struct tk_host_memory, available),
        TK_SCAN_KEY("Cached:", struct tk_host_memory, cached),
        TK_SCAN_KEY("SwapTotal:", struct tk_host_memory, swap_total),
        TK_SCAN_KEY("SwapFree:", struct tk_host_memory, swap_free),
    };
    struct tk_host_memory *memory = &reading->memory;
    tk_scan_keys(text, keys, TK_COUNTOF(keys), memory);
    scale(&memory->total);
    scale(&memory->free);
    scale(&memory->available);
    scale(&memory->cached);
    scale(&memory->swap_total);
    scale(&memory->swap_free);
    if (memory->total < 0)
        return tk_fail(err, -EBADMSG, "expected a line \"MemTotal: NUMBER kB\"");
    if (memory->free < 0)
        return tk_fail(err, -EBADMSG, "expected a line \"MemFree: NUMBER kB\"");
    return 0;
}
