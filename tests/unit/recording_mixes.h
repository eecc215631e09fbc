/* SPDX-License-Identifier: Apache-2.0 */
/* Process samples made up the same at each run: the mixes A to D of collector.md section E, as the
 * nine fields of that page or as rows of proc_metrics. For the test that holds the size of
 * recordings and for bench/recording.c.
 *
 *   A  2,082 processes at 1 Hz, 10 % light    C  B at 10 Hz
 *   B  583 processes at 1 Hz, all light       D  2,082 processes, each field moves at random
 *
 * A light process wakes every 0.2 to 1.2 s for about 0.1 ms of CPU. A row is made when a process
 * ran; each idle one has its turn once in 10 s, as in the tiers that refresh. */
#ifndef RECORDING_MIXES_H
#define RECORDING_MIXES_H

#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "run/schemas.h"
#include "table/table.h"

enum {
    NINE_TS_US,
    NINE_PID,
    NINE_RUN_US,
    NINE_UTIME_US,
    NINE_STIME_US,
    NINE_RSS_KB,
    NINE_RD_BYTES,
    NINE_WR_BYTES,
    NINE_MINFLT,
    NINE_MAJFLT,
    NINE_NVCSW,
    NINE_COUNT
};

static const struct tk_column nine_columns[NINE_COUNT] = {
    [NINE_TS_US] = {"ts_us", TK_I64, "us", "", TK_STAMP},
    [NINE_PID] = {"pid", TK_I64, "", "", TK_KEY},
    [NINE_RUN_US] = {"run_us", TK_I64, "us", ""},
    [NINE_UTIME_US] = {"utime_us", TK_I64, "us", ""},
    [NINE_STIME_US] = {"stime_us", TK_I64, "us", ""},
    [NINE_RSS_KB] = {"rss_kb", TK_I64, "KiB", ""},
    [NINE_RD_BYTES] = {"rd_bytes", TK_I64, "bytes", ""},
    [NINE_WR_BYTES] = {"wr_bytes", TK_I64, "bytes", ""},
    [NINE_MINFLT] = {"minflt", TK_I64, "", ""},
    [NINE_MAJFLT] = {"majflt", TK_I64, "", ""},
    [NINE_NVCSW] = {"nvcsw", TK_I64, "", ""},
};
static const struct tk_schema nine_schema = {"nine", "", nine_columns, NINE_COUNT};

struct mix {
    const char *name;
    size_t processes;
    size_t light_of_10;
    int64_t tick_us;
    int64_t block_ticks; /* 10 ticks or one second, whichever is longer */
    bool random;
};

static const struct mix mixes[] = {
    {"A", 2082, 1, 1000000, 10, false},
    {"B", 583, 10, 1000000, 10, false},
    {"C", 583, 10, 100000, 10, false},
    {"D", 2082, 10, 1000000, 10, true},
};

struct mix_process {
    int64_t pid, start_ticks, wakes_us; /* the next time that it runs */
    int64_t fields[9];                  /* in the order of NINE_RUN_US and on */
    bool light;
};

struct mix_run {
    const struct mix *mix;
    struct mix_process *processes; /* owned */
    uint64_t random;
    int64_t tick;
};

/* xorshift64*: uniform below `n`. */
static inline int64_t mix_below(struct mix_run *run, int64_t n)
{
    run->random ^= run->random >> 12;
    run->random ^= run->random << 25;
    run->random ^= run->random >> 27;
    return (int64_t)((run->random * 0x2545F4914F6CDD1DULL >> 33) % (uint64_t)n);
}

static inline void mix_init(struct mix_run *run, const struct mix *mix)
{
    *run = (struct mix_run){.mix = mix, .random = 0x9E3779B97F4A7C15ULL};
    run->processes = calloc(mix->processes, sizeof(run->processes[0]));
    if (!run->processes)
        abort();
    for (size_t i = 0; i < mix->processes; i++) {
        struct mix_process *process = &run->processes[i];
        int64_t age = mix_below(run, 1000000);
        process->pid = (int64_t)i * 3 + 300;
        process->start_ticks = (int64_t)i * 20 + mix_below(run, 20);
        process->light = i % 10 < mix->light_of_10;
        process->wakes_us = mix_below(run, 1000000);
        const int64_t start[9] = {age * 7,
                                  age * 5,
                                  age * 2,
                                  1200 + mix_below(run, 64) * 4,
                                  mix_below(run, 100) * 4096,
                                  mix_below(run, 100) * 512,
                                  300 + mix_below(run, 900),
                                  mix_below(run, 3),
                                  age};
        for (size_t f = 0; f < 9; f++)
            process->fields[f] = start[f];
    }
}

static inline void mix_release(struct mix_run *run)
{
    free(run->processes);
}

/* One time on a CPU: now and then a timer tick or a page fault falls into it, or some I/O. */
static inline void mix_wake(struct mix_run *run, struct mix_process *process)
{
    int64_t *fields = process->fields;
    int64_t ran_us = 70 + mix_below(run, 60);
    fields[0] += ran_us;
    if (mix_below(run, 4000) < ran_us)
        fields[1 + mix_below(run, 2)] += 4000;
    if (mix_below(run, 50) == 0)
        fields[3] += (mix_below(run, 9) - 4) * 4;
    if (mix_below(run, 100) == 0)
        fields[5] += 4096;
    if (mix_below(run, 50) == 0)
        fields[6] += 1 + mix_below(run, 4);
    fields[8]++;
    process->wakes_us += 200000 + mix_below(run, 1000000);
}

/* Whether the process has a row in this tick. */
static inline bool mix_step(struct mix_run *run, size_t i)
{
    struct mix_process *process = &run->processes[i];
    int64_t now_us = (run->tick + 1) * run->mix->tick_us;
    if (run->mix->random) {
        for (size_t f = 0; f < 9; f++)
            process->fields[f] += mix_below(run, 16384);
        return true;
    }
    bool ran = false;
    for (; process->light && process->wakes_us < now_us; ran = true)
        mix_wake(run, process);
    int64_t turns = 10000000 / run->mix->tick_us;
    return ran || (int64_t)i % turns == run->tick % turns;
}

static inline int64_t mix_stamp_us(const struct mix_run *run)
{
    return 1763716800123456 + run->tick * run->mix->tick_us + run->tick % 7 * 13;
}

static inline void mix_put_nine(const struct mix_run *run, const struct mix_process *process,
                                struct tk_batch *batch)
{
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, NINE_TS_US, mix_stamp_us(run));
    tk_batch_set_i64(batch, NINE_PID, process->pid);
    for (size_t f = 0; f < 9; f++)
        tk_batch_set_i64(batch, NINE_RUN_US + f, process->fields[f]);
}

/* As procs_rows.c fills it, with a group for every twenty processes. */
static inline void mix_put_metrics(const struct mix_run *run, const struct mix_process *process,
                                   struct tk_batch *batch)
{
    static const char *const names[] = {"nginx", "postgres",     "python3", "node",
                                        "java",  "redis-server", "sh",      "cron"};
    static const uint8_t columns[] = {TK_PROC_METRICS_MINFLT, TK_PROC_METRICS_MAJFLT,
                                      TK_PROC_METRICS_NVCSW};
    char group[64];
    int64_t us = mix_stamp_us(run);
    tk_batch_begin(batch);
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_MS, us / 1000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_TS_US, us);
    tk_batch_set_i64(batch, TK_PROC_METRICS_PID, process->pid);
    tk_batch_set_i64(batch, TK_PROC_METRICS_UTIME, process->fields[1] / 10000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_STIME, process->fields[2] / 10000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_RSS_KB, process->fields[3]);
    tk_batch_set_i64(batch, TK_PROC_METRICS_THREADS, 1 + process->pid % 4);
    tk_batch_set_i64(batch, TK_PROC_METRICS_CPU_NS,
                     process->fields[0] * 1000 + process->fields[0] * 7919 % 1000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_RD_BYTES, process->fields[4]);
    tk_batch_set_i64(batch, TK_PROC_METRICS_WR_BYTES, process->fields[5]);
    for (size_t f = 0; f < TK_COUNTOF(columns); f++)
        tk_batch_set_i64(batch, columns[f], process->fields[6 + f]);
    tk_batch_set_i64(batch, TK_PROC_METRICS_NIVCSW, process->fields[1] / 4000);
    tk_batch_set_i64(batch, TK_PROC_METRICS_RUN_DELAY_US, process->fields[8] * 3);
    tk_batch_set_text(batch, TK_PROC_METRICS_NODE, TK_STR("c0"));
    tk_batch_set_text(batch, TK_PROC_METRICS_HOST, TK_STR("worker-17.example.org"));
    tk_batch_set_i64(batch, TK_PROC_METRICS_START_TICKS, process->start_ticks);
    tk_batch_set_i64(batch, TK_PROC_METRICS_PPID, process->pid > 3000 ? 301 : 1);
    tk_batch_set_text(batch, TK_PROC_METRICS_COMM,
                      tk_str_from(names[process->pid % (int64_t)TK_COUNTOF(names)]));
    tk_batch_set_text(batch, TK_PROC_METRICS_STATE,
                      process->fields[8] % 16 == 0 ? TK_STR("R") : TK_STR("S"));
    tk_batch_set_i64(batch, TK_PROC_METRICS_UID, process->pid % 3 * 1000);
    (void)snprintf(group, sizeof(group), "/system.slice/unit-%lld.service",
                   (long long)process->pid / 60);
    tk_batch_set_text(batch, TK_PROC_METRICS_CGROUP, tk_str_from(group));
}

#endif
