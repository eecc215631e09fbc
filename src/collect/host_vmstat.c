/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/vmstat: "name value" lines, about 190 of them. oom_kill is there since Linux 4.13. */
#include <errno.h>

#include "collect/host_sources.h"
#include "collect/kernel_text.h"

int tk_host_vmstat_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                         struct tk_err *err)
{
    (void)index;
    static const struct tk_scan_key keys[] = {
        TK_SCAN_KEY("pswpin ", struct tk_host_vmstat, pswpin),
        TK_SCAN_KEY("pswpout ", struct tk_host_vmstat, pswpout),
        TK_SCAN_KEY("pgmajfault ", struct tk_host_vmstat, pgmajfault),
        TK_SCAN_KEY("oom_kill ", struct tk_host_vmstat, oom_kill),
    };
    if (tk_scan_keys(text, keys, TK_COUNTOF(keys), &reading->vmstat) == 0)
        return tk_fail(err, -EBADMSG, "none of pswpin, pswpout, pgmajfault, oom_kill found");
    return 0;
}
