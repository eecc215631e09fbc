/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/pressure/{cpu,io,memory}, Documentation/accounting/psi.rst:
 *
 *     some avg10=0.02 avg60=0.40 avg300=0.55 total=10180607
 *     full avg10=0.00 avg60=0.00 avg300=0.00 total=0
 *
 * Kernels before 5.13 have no "full" line for cpu. */
#include <errno.h>

#include "collect/host_sources.h"
#include "collect/kernel_text.h"

static bool take_line(tk_str line, double *ret_avg10, int64_t *ret_total_us)
{
    tk_str word;
    bool avg = false;
    bool total = false;
    while (tk_str_take_word(&line, &word)) {
        if (tk_str_take_prefix(&word, TK_STR("avg10="))) {
            avg = tk_parse_f64(word, ret_avg10);
        } else if (tk_str_take_prefix(&word, TK_STR("total="))) {
            total = tk_scan_counter(&word, ret_total_us);
        }
    }
    return avg && total;
}

static int parse(tk_str text, struct tk_host_pressure *ret, struct tk_err *err)
{
    struct tk_host_pressure pressure = {TK_HOST_ABSENT, TK_HOST_ABSENT, TK_HOST_ABSENT,
                                        TK_HOST_ABSENT};
    tk_str line;
    for (size_t i = 1; tk_str_take_line(&text, &line); i++) {
        bool ok = true;
        if (tk_str_take_prefix(&line, TK_STR("some "))) {
            ok = take_line(line, &pressure.some_avg10, &pressure.some_us);
        } else if (tk_str_take_prefix(&line, TK_STR("full "))) {
            ok = take_line(line, &pressure.full_avg10, &pressure.full_us);
        }
        if (!ok)
            return tk_fail(err, -EBADMSG, "line %zu: expected avg10=NUMBER and total=NUMBER", i);
    }
    if (pressure.some_us == TK_HOST_ABSENT)
        return tk_fail(err, -EBADMSG, "expected a line \"some avg10=... total=...\"");
    *ret = pressure;
    return 0;
}

int tk_host_pressure_cpu_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                               struct tk_err *err)
{
    (void)index;
    return parse(text, &reading->pressure_cpu, err);
}

int tk_host_pressure_io_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                              struct tk_err *err)
{
    (void)index;
    return parse(text, &reading->pressure_io, err);
}

int tk_host_pressure_memory_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                                  struct tk_err *err)
{
    (void)index;
    return parse(text, &reading->pressure_memory, err);
}
