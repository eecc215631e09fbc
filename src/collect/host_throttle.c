/* SPDX-License-Identifier: Apache-2.0 */
/* cpu.stat of the control group that we run in: how often and how long its CPU quota stopped it.
 * Version 2 has "throttled_usec", version 1 "throttled_time" in ns. A group without a quota, as the
 * root, has neither line. */
#include <errno.h>

#include "collect/host_sources.h"
#include "collect/kernel_text.h"

struct lines {
    int64_t nr_throttled, throttled_usec, throttled_time;
};

int tk_host_throttle_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                           struct tk_err *err)
{
    (void)index;
    static const struct tk_scan_key keys[] = {
        TK_SCAN_KEY("nr_throttled ", struct lines, nr_throttled),
        TK_SCAN_KEY("throttled_usec ", struct lines, throttled_usec),
        TK_SCAN_KEY("throttled_time ", struct lines, throttled_time),
    };
    struct lines lines;
    tk_scan_keys(text, keys, TK_COUNTOF(keys), &lines);
    if (lines.nr_throttled < 0)
        return tk_fail(err, -EBADMSG, "expected a line \"nr_throttled NUMBER\"");
    reading->throttle.nr_throttled = lines.nr_throttled;
    if (lines.throttled_usec >= 0) {
        reading->throttle.throttled_us = lines.throttled_usec;
    } else {
        reading->throttle.throttled_us =
            lines.throttled_time >= 0 ? lines.throttled_time / 1000 : TK_HOST_ABSENT;
    }
    return 0;
}
