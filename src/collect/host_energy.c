/* SPDX-License-Identifier: Apache-2.0 */
/* Energy counters of the CPU packages (RAPL), Documentation/power/powercap/powercap.rst: one number
 * of uJ per zone, readable by root alone since Linux 5.10. */
#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/host_internal.h"
#include "collect/kernel_text.h"

int tk_host_energy_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                         struct tk_err *err)
{
    struct tk_host_energy *energy = &reading->energy;
    if (index >= TK_COUNTOF(energy->uj))
        return tk_fail(err, -EMSGSIZE, "more than %zu packages", TK_COUNTOF(energy->uj));
    if (!tk_scan_counter(&text, &energy->uj[index]))
        return tk_fail(err, -EBADMSG, "expected a number of uJ");
    energy->count = index + 1;
    return 0;
}

/* The zone "psys" contains the packages: it would count them twice. */
bool tk_host_energy_takes(int dirfd)
{
    char buf[64];
    tk_str name;
    struct tk_err ignored;
    return tk_file_read(dirfd, "name", buf, sizeof(buf), &name, &ignored) == 0 &&
           tk_str_starts_with(name, TK_STR("package"));
}

void tk_host_energy_ranges(int rootfd, int64_t *ret_uj, size_t cap)
{
    int fds[TK_HOST_FILES_MAX];
    size_t n = tk_host_files_open(
        rootfd, "sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/max_energy_range_uj",
        tk_host_energy_takes, fds, TK_COUNTOF(fds));
    for (size_t i = 0; i < n; i++) {
        char buf[32];
        ssize_t got = read(fds[i], buf, sizeof(buf));
        tk_str text = {buf, got > 0 ? (size_t)got : 0};
        if (i < cap && !tk_scan_counter(&text, &ret_uj[i]))
            ret_uj[i] = 0;
        tk_fd_close(&fds[i]);
    }
}
