/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/loadavg: "0.20 0.18 0.12 1/80 11206", see proc(5). */
#include <errno.h>

#include "collect/host_sources.h"
#include "collect/kernel_text.h"

int tk_host_loadavg_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                          struct tk_err *err)
{
    (void)index;
    double load[3];
    for (size_t i = 0; i < TK_COUNTOF(load); i++) {
        tk_str word;
        if (!tk_str_take_word(&text, &word) || !tk_parse_f64(word, &load[i]))
            return tk_fail(err, -EBADMSG, "field %zu is not a number", i + 1);
    }
    reading->load = (struct tk_host_load){load[0], load[1], load[2]};
    return 0;
}
