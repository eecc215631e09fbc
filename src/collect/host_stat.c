/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/stat, see proc(5): "cpu  user nice system idle iowait irq softirq steal guest guest_nice",
 * "cpuN ..." per CPU that is online, then "ctxt", "processes" and others. Kernels before 2.6.33
 * have fewer columns, at least four. */
#include <errno.h>

#include "collect/host_sources.h"
#include "collect/kernel_text.h"

enum {
    COLUMNS_MIN = 4,
    COLUMNS = 10,
};

static void take_core(struct tk_host_stat *stat, int64_t id, const int64_t columns[COLUMNS])
{
    if (stat->core_count == TK_HOST_CORES_MAX)
        return;
    struct tk_host_core *core = &stat->cores[stat->core_count++];
    core->id = (int32_t)id;
    core->idle = columns[3];
    core->total = 0;
    for (size_t i = 0; i < 8; i++)
        core->total += columns[i];
}

static void take_all(struct tk_host_stat *stat, const int64_t columns[COLUMNS])
{
    stat->cpu = (struct tk_host_cpu){
        .user = columns[0],
        .nice = columns[1],
        .system = columns[2],
        .idle = columns[3],
        .iowait = columns[4],
        .irq = columns[5],
        .softirq = columns[6],
        .steal = columns[7],
        .guest = columns[8],
        .guest_nice = columns[9],
    };
}

/* `line` is past "cpu". Ticks are capped, so that sums of columns cannot overflow. */
static bool take_cpu_line(tk_str line, struct tk_host_stat *stat)
{
    int64_t id = -1;
    if (line.n > 0 && line.p[0] != ' ' && !tk_scan_counter(&line, &id))
        return false;
    int64_t columns[COLUMNS] = {0};
    if (tk_scan_counters(&line, columns, COLUMNS) < COLUMNS_MIN)
        return false;
    for (size_t i = 0; i < COLUMNS; i++) {
        if (columns[i] > INT64_MAX / COLUMNS)
            columns[i] = INT64_MAX / COLUMNS;
    }
    if (id >= 0) {
        take_core(stat, id, columns);
    } else {
        take_all(stat, columns);
    }
    return true;
}

int tk_host_stat_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                       struct tk_err *err)
{
    (void)index;
    static const struct tk_scan_key keys[] = {
        TK_SCAN_KEY("ctxt ", struct tk_host_stat, ctxt),
        TK_SCAN_KEY("processes ", struct tk_host_stat, processes),
        TK_SCAN_KEY("procs_running ", struct tk_host_stat, procs_running),
        TK_SCAN_KEY("procs_blocked ", struct tk_host_stat, procs_blocked),
    };
    struct tk_host_stat *stat = &reading->stat;
    stat->core_count = 0;

    size_t lines = 0;
    for (;; lines++) {
        tk_str rest = text;
        tk_str line;
        if (!tk_str_take_line(&rest, &line) || !tk_str_take_prefix(&line, TK_STR("cpu")))
            break;
        if (!take_cpu_line(line, stat)) {
            return tk_fail(err, -EBADMSG, "line %zu: expected \"cpu\" and at least %d numbers",
                           lines + 1, COLUMNS_MIN);
        }
        text = rest;
    }
    if (lines == 0) {
        return tk_fail(err, -EBADMSG, "line 1: expected \"cpu\" and at least %d numbers",
                       COLUMNS_MIN);
    }
    tk_scan_keys(text, keys, TK_COUNTOF(keys), stat);
    return 0;
}
