/* SPDX-License-Identifier: Apache-2.0 */
/* Present CPU frequency: /sys/devices/system/cpu/cpufreq/policyN/scaling_cur_freq (kHz), or, on
 * machines without such a driver, the lines "cpu MHz : 2600.000" of /proc/cpuinfo. */
#include <errno.h>

#include "collect/host_sources.h"
#include "collect/kernel_text.h"

int tk_host_cpufreq_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                          struct tk_err *err)
{
    int64_t khz;
    if (!tk_scan_counter(&text, &khz))
        return tk_fail(err, -EBADMSG, "expected a number of kHz");
    if (index == 0)
        reading->freq = (struct tk_host_freq){0};
    reading->freq.count++;
    reading->freq.mhz += (double)khz / 1000;
    return 0;
}

int tk_host_cpuinfo_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                          struct tk_err *err)
{
    (void)index;
    reading->freq = (struct tk_host_freq){0};
    tk_str line;
    for (size_t i = 1; tk_str_take_line(&text, &line); i++) {
        if (!tk_str_take_prefix(&line, TK_STR("cpu MHz")))
            continue;
        double mhz;
        size_t colon = tk_str_find(line, ':');
        tk_str value = {line.p + colon, line.n - colon};
        if (!tk_str_take_prefix(&value, TK_STR(":")) || !tk_parse_f64(tk_str_trim(value), &mhz))
            return tk_fail(err, -EBADMSG, "line %zu: expected \"cpu MHz : NUMBER\"", i);
        reading->freq.count++;
        reading->freq.mhz += mhz;
    }
    if (reading->freq.count == 0)
        return tk_fail(err, -EBADMSG, "no line \"cpu MHz\"");
    return 0;
}
