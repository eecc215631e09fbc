/* SPDX-License-Identifier: Apache-2.0 */
/* The parsers of /proc/PID: the first byte chooses one. */
#include <stddef.h>
#include <stdint.h>

#include "collect/procs_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    tk_str text = {(const char *)data + 1, size - 1};
    struct tk_pid_stat stat;
    struct tk_pid_io io;
    struct tk_pid_status status;
    struct tk_pid_rollup rollup;
    struct tk_pid_schedstat schedstat;
    int64_t value;
    pid_t pid;
    switch (data[0] % 8) {
    case 0:
        if (tk_pid_stat_parse(text, &stat) == 0 && (stat.pid <= 0 || stat.comm[TK_COMM_MAX - 1]))
            __builtin_trap();
        return 0;
    case 1:
        return tk_pid_statm_parse(text, &value) > 0;
    case 2:
        return tk_pid_io_parse(text, &io) > 0;
    case 3:
        return tk_pid_status_parse(text, &status) > 0;
    case 4:
        return tk_pid_schedstat_parse(text, &schedstat) > 0;
    case 5:
        return tk_pid_limits_parse(text, &value) > 0;
    case 6:
        return tk_pid_rollup_parse(text, &rollup) > 0;
    default:
        return tk_last_pid_parse(text, &pid) > 0;
    }
}
