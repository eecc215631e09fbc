/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/cgroup_files.h"

#include <stddef.h>

#include "collect/kernel_text.h"

#define NS_PER_US 1000

/* A limit of version 1 that is none: the largest page-aligned number. */
#define NO_LIMIT (INT64_MAX / 4096 * 4096 / 2)

struct tk_cgroup_reading tk_cgroup_reading_none(void)
{
    return (struct tk_cgroup_reading){
        .cpu_ns = -1,
        .user_ns = -1,
        .system_ns = -1,
        .nr_periods = -1,
        .nr_throttled = -1,
        .throttled_ns = -1,
        .memory_bytes = -1,
        .memory_peak_bytes = -1,
        .memory_limit_bytes = -1,
        .rd_bytes = -1,
        .wr_bytes = -1,
        .cpu_limit_cores = 0,
        .pids = -1,
        .psi_cpu_some_us = -1,
        .psi_io_some_us = -1,
        .psi_memory_some_us = -1,
        .psi_cpu_full_us = -1,
        .psi_io_full_us = -1,
        .psi_memory_full_us = -1,
    };
}

/* The whole text is one counter. */
static bool one_number(tk_str text, int64_t *ret)
{
    return tk_scan_counter(&text, ret) && tk_scan_at_end(text);
}

/* us to ns; absent stays absent, what does not fit saturates. */
static int64_t from_us(int64_t us)
{
    if (us < 0)
        return -1;
    return us > INT64_MAX / NS_PER_US ? INT64_MAX : us * NS_PER_US;
}

/* CPU ------------------------------------------------------------------------------- */

struct cpu_lines {
    int64_t usage_usec, user_usec, system_usec;
    int64_t nr_periods, nr_throttled, throttled_usec, throttled_time;
};

static void scan_cpu_stat(tk_str text, struct cpu_lines *ret)
{
    static const struct tk_scan_key keys[] = {
        TK_SCAN_KEY("usage_usec ", struct cpu_lines, usage_usec),
        TK_SCAN_KEY("user_usec ", struct cpu_lines, user_usec),
        TK_SCAN_KEY("system_usec ", struct cpu_lines, system_usec),
        TK_SCAN_KEY("nr_periods ", struct cpu_lines, nr_periods),
        TK_SCAN_KEY("nr_throttled ", struct cpu_lines, nr_throttled),
        TK_SCAN_KEY("throttled_usec ", struct cpu_lines, throttled_usec),
        TK_SCAN_KEY("throttled_time ", struct cpu_lines, throttled_time),
    };
    tk_scan_keys(text, keys, TK_COUNTOF(keys), ret);
}

static bool parse_cpu_stat(tk_str text, const struct tk_cgroup_devices *stacked,
                           struct tk_cgroup_reading *reading)
{
    (void)stacked;
    struct cpu_lines lines;
    scan_cpu_stat(text, &lines);
    if (lines.usage_usec < 0)
        return false;
    reading->cpu_ns = from_us(lines.usage_usec);
    reading->user_ns = from_us(lines.user_usec);
    reading->system_ns = from_us(lines.system_usec);
    if (lines.nr_throttled >= 0) { /* else the controller is not enabled here */
        reading->nr_periods = lines.nr_periods;
        reading->nr_throttled = lines.nr_throttled;
        reading->throttled_ns = from_us(lines.throttled_usec);
    }
    return true;
}

/* Of version 1: throttling alone, in ns. */
static bool parse_cpu_stat_v1(tk_str text, const struct tk_cgroup_devices *stacked,
                              struct tk_cgroup_reading *reading)
{
    (void)stacked;
    struct cpu_lines lines;
    scan_cpu_stat(text, &lines);
    if (lines.nr_throttled < 0)
        return false;
    reading->nr_periods = lines.nr_periods;
    reading->nr_throttled = lines.nr_throttled;
    reading->throttled_ns = lines.throttled_time;
    return true;
}

/* "max 100000" or "250000 100000". */
static bool parse_cpu_max(tk_str text, const struct tk_cgroup_devices *stacked,
                          struct tk_cgroup_reading *reading)
{
    (void)stacked;
    int64_t quota;
    int64_t period;
    reading->cpu_limit_cores = 0;
    if (tk_str_starts_with(text, TK_STR("max")))
        return true;
    if (!tk_scan_counter(&text, &quota) || !tk_scan_counter(&text, &period) || period == 0)
        return false;
    reading->cpu_limit_cores = (double)quota / (double)period;
    return true;
}

/* Quota and period stand in two files: the quota is kept in us until the period is read. */
static bool parse_cfs_quota(tk_str text, const struct tk_cgroup_devices *stacked,
                            struct tk_cgroup_reading *reading)
{
    (void)stacked;
    int64_t quota;
    reading->cpu_limit_cores = 0;
    if (tk_str_starts_with(text, TK_STR("-")))
        return true;
    if (!one_number(text, &quota))
        return false;
    reading->cpu_limit_cores = (double)quota;
    return true;
}

static bool parse_cfs_period(tk_str text, const struct tk_cgroup_devices *stacked,
                             struct tk_cgroup_reading *reading)
{
    (void)stacked;
    int64_t period;
    if (!one_number(text, &period) || period == 0) {
        reading->cpu_limit_cores = 0;
        return false;
    }
    reading->cpu_limit_cores /= (double)period;
    return true;
}

/* Memory ---------------------------------------------------------------------------- */

static bool parse_memory_limit(tk_str text, const struct tk_cgroup_devices *stacked,
                               struct tk_cgroup_reading *reading)
{
    (void)stacked;
    int64_t limit;
    reading->memory_limit_bytes = -1;
    if (tk_str_starts_with(text, TK_STR("max")))
        return true;
    if (!one_number(text, &limit))
        return false;
    if (limit < NO_LIMIT)
        reading->memory_limit_bytes = limit;
    return true;
}

/* Block I/O ------------------------------------------------------------------------- */

bool tk_cgroup_device_scan(tk_str *text, int64_t *ret_major, int64_t *ret_minor)
{
    tk_str rest = *text;
    tk_str major;
    if (!tk_str_take_until(&rest, ':', &major) || !tk_parse_i64(major, ret_major) ||
        !tk_scan_counter(&rest, ret_minor))
        return false;
    *text = rest;
    return true;
}

static bool is_stacked(const struct tk_cgroup_devices *stacked, int64_t major, int64_t minor)
{
    for (size_t i = 0; i < stacked->count; i++) {
        if (stacked->items[i].major == major && stacked->items[i].minor == minor)
            return true;
    }
    return false;
}

static void add(int64_t *sum, int64_t value)
{
    *sum = value > INT64_MAX - *sum ? INT64_MAX : *sum + value;
}

/* "254:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0" per device. */
static bool parse_io_stat(tk_str text, const struct tk_cgroup_devices *stacked,
                          struct tk_cgroup_reading *reading)
{
    int64_t rd = 0;
    int64_t wr = 0;
    tk_str line;
    while (tk_str_take_line(&text, &line)) {
        int64_t major;
        int64_t minor;
        if (!tk_cgroup_device_scan(&line, &major, &minor))
            return false;
        tk_str word;
        while (!is_stacked(stacked, major, minor) && tk_str_take_word(&line, &word)) {
            int64_t bytes;
            bool is_rd = tk_str_take_prefix(&word, TK_STR("rbytes="));
            bool is_wr = !is_rd && tk_str_take_prefix(&word, TK_STR("wbytes="));
            if ((is_rd || is_wr) && one_number(word, &bytes))
                add(is_rd ? &rd : &wr, bytes);
        }
    }
    reading->rd_bytes = rd;
    reading->wr_bytes = wr;
    return true;
}

/* "254:0 Read 4096" per device and direction, and "Total 4096" at the end. */
static bool parse_io_service_bytes(tk_str text, const struct tk_cgroup_devices *stacked,
                                   struct tk_cgroup_reading *reading)
{
    int64_t rd = 0;
    int64_t wr = 0;
    tk_str line;
    while (tk_str_take_line(&text, &line)) {
        int64_t major;
        int64_t minor;
        int64_t bytes;
        tk_str word;
        if (tk_str_starts_with(line, TK_STR("Total")))
            continue;
        if (!tk_cgroup_device_scan(&line, &major, &minor) || !tk_str_take_word(&line, &word) ||
            !tk_scan_counter(&line, &bytes))
            return false;
        if (is_stacked(stacked, major, minor))
            continue;
        if (tk_str_eq(word, TK_STR("Read"))) {
            add(&rd, bytes);
        } else if (tk_str_eq(word, TK_STR("Write"))) {
            add(&wr, bytes);
        }
    }
    reading->rd_bytes = rd;
    reading->wr_bytes = wr;
    return true;
}

/* Pressure -------------------------------------------------------------------------- */

/* "avg10=0.00 avg60=0.00 avg300=0.00 total=5": the total. */
static bool scan_total(tk_str line, int64_t *ret_us)
{
    tk_str word;
    while (tk_str_take_word(&line, &word)) {
        if (tk_str_take_prefix(&word, TK_STR("total=")))
            return one_number(word, ret_us);
    }
    return false;
}

/* A line "some ..." and, of all but the oldest kernels, a line "full ...". */
static bool parse_stalls(tk_str text, int64_t *ret_some_us, int64_t *ret_full_us)
{
    tk_str line;
    if (!tk_str_take_line(&text, &line) || !tk_str_take_prefix(&line, TK_STR("some ")) ||
        !scan_total(line, ret_some_us))
        return false;
    if (!tk_str_take_line(&text, &line))
        return true;
    return tk_str_take_prefix(&line, TK_STR("full ")) && scan_total(line, ret_full_us);
}

static bool parse_cpu_stalls(tk_str text, const struct tk_cgroup_devices *stacked,
                             struct tk_cgroup_reading *reading)
{
    (void)stacked;
    return parse_stalls(text, &reading->psi_cpu_some_us, &reading->psi_cpu_full_us);
}

static bool parse_io_stalls(tk_str text, const struct tk_cgroup_devices *stacked,
                            struct tk_cgroup_reading *reading)
{
    (void)stacked;
    return parse_stalls(text, &reading->psi_io_some_us, &reading->psi_io_full_us);
}

static bool parse_memory_stalls(tk_str text, const struct tk_cgroup_devices *stacked,
                                struct tk_cgroup_reading *reading)
{
    (void)stacked;
    return parse_stalls(text, &reading->psi_memory_some_us, &reading->psi_memory_full_us);
}

/* The files -------------------------------------------------------------------------- */

#define FIELD(name)  .field = offsetof(struct tk_cgroup_reading, name)
#define NUMBER(name) .scan = one_number, FIELD(name)

const struct tk_cgroup_file tk_cgroup_files[TK_CGROUP_FILE_COUNT] = {
    {"cpuacct.usage", TK_CGROUP_CPUACCT, TK_CGROUP_FAST, TK_BPF_HAS_CPUACCT, NUMBER(cpu_ns)},
    {"cpuacct.usage_user", TK_CGROUP_CPUACCT, TK_CGROUP_DETAIL, TK_BPF_HAS_CPUACCT,
     NUMBER(user_ns)},
    {"cpuacct.usage_sys", TK_CGROUP_CPUACCT, TK_CGROUP_DETAIL, TK_BPF_HAS_CPUACCT,
     NUMBER(system_ns)},
    {"cpu.stat", TK_CGROUP_CPU, TK_CGROUP_DETAIL, TK_BPF_HAS_CPU, parse_cpu_stat_v1},
    {"cpu.cfs_quota_us", TK_CGROUP_CPU, TK_CGROUP_SLOW, TK_BPF_HAS_CPU, parse_cfs_quota},
    {"cpu.cfs_period_us", TK_CGROUP_CPU, TK_CGROUP_SLOW, TK_BPF_HAS_CPU, parse_cfs_period},
    {"memory.usage_in_bytes", TK_CGROUP_MEMORY, TK_CGROUP_DETAIL, TK_BPF_HAS_MEMORY,
     NUMBER(memory_bytes)},
    {"memory.max_usage_in_bytes", TK_CGROUP_MEMORY, TK_CGROUP_DETAIL, TK_BPF_HAS_MEMORY,
     NUMBER(memory_peak_bytes)},
    {"memory.limit_in_bytes", TK_CGROUP_MEMORY, TK_CGROUP_SLOW, TK_BPF_HAS_MEMORY,
     parse_memory_limit},
    {"blkio.throttle.io_service_bytes_recursive", TK_CGROUP_BLKIO, TK_CGROUP_DETAIL, 0,
     parse_io_service_bytes, .by_device = true},
    {"pids.current", TK_CGROUP_PIDS, TK_CGROUP_DETAIL, TK_BPF_HAS_PIDS, NUMBER(pids)},
    {"cpu.stat", TK_CGROUP_V2, TK_CGROUP_FAST, TK_BPF_HAS_USAGE, parse_cpu_stat},
    {"cpu.max", TK_CGROUP_V2, TK_CGROUP_SLOW, TK_BPF_HAS_CPU, parse_cpu_max},
    {"memory.current", TK_CGROUP_V2, TK_CGROUP_DETAIL, TK_BPF_HAS_MEMORY, NUMBER(memory_bytes)},
    {"memory.peak", TK_CGROUP_V2, TK_CGROUP_DETAIL, TK_BPF_HAS_MEMORY, NUMBER(memory_peak_bytes)},
    {"memory.max", TK_CGROUP_V2, TK_CGROUP_SLOW, TK_BPF_HAS_MEMORY, parse_memory_limit},
    {"io.stat", TK_CGROUP_V2, TK_CGROUP_DETAIL, 0, parse_io_stat, .by_device = true},
    {"pids.current", TK_CGROUP_V2, TK_CGROUP_DETAIL, TK_BPF_HAS_PIDS, NUMBER(pids)},
    {"cpu.pressure", TK_CGROUP_V2, TK_CGROUP_SLOW, 0, parse_cpu_stalls},
    {"io.pressure", TK_CGROUP_V2, TK_CGROUP_SLOW, 0, parse_io_stalls},
    {"memory.pressure", TK_CGROUP_V2, TK_CGROUP_SLOW, 0, parse_memory_stalls},
};

bool tk_cgroup_file_parse(const struct tk_cgroup_file *file, tk_str text,
                          const struct tk_cgroup_devices *stacked,
                          struct tk_cgroup_reading *reading)
{
    if (file->parse)
        return file->parse(text, stacked, reading);
    char *field = (char *)reading + file->field;
    return file->scan(text, (int64_t *)(void *)field);
}
