/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/map.h"
#include "base/number.h"
#include "collect/collect.h"

/* A process as the frame before saw it. */
struct previous {
    int64_t cpu_ns, rd_bytes, wr_bytes, stamp_ns;
};

struct disk_load {
    double busy;
    char name[32];
};

struct tk_top {
    struct tk_top_options options;
    struct tk_kernel kernel;
    struct tk_host *host;
    struct tk_procs *procs;
    struct tk_sampler *sampler;
    struct tk_rows *rows;
    struct tk_top_frame frame;    /* the last whole one */
    size_t capacity;              /* of frame.processes */
    struct tk_top_process *ended; /* since then, one a name, with bytes for rates; owned */
    size_t ended_names, ended_capacity;
    int64_t ended_count;
    struct disk_load disk; /* the busiest since then */
    struct tk_map by_identity;
    struct previous *previous; /* owned; by the values of the map */
    size_t previous_count;
    int64_t last_mono_ns, last_own_ns;
    int failure; /* -ENOMEM met in a callback */
};

/* Rows of the machine -------------------------------------------------------------- */

static void set_if(const struct tk_batch *batch, size_t row, size_t column, double scale,
                   double *value)
{
    if (!tk_batch_has(batch, row, column))
        return;
    *value = scale * (batch->schema->columns[column].type == TK_F64
                          ? tk_batch_f64(batch, row, column, 0)
                          : (double)tk_batch_i64(batch, row, column, 0));
}

/* Share of the interval for which tasks stalled. */
static void set_stall(const struct tk_batch *batch, size_t row, size_t column, double *share)
{
    double dt_us = (double)tk_batch_i64(batch, row, TK_HOST_METRICS_DT_MS, 0) * 1e3;
    if (tk_batch_has(batch, row, column) && dt_us > 0)
        *share = fmin((double)tk_batch_i64(batch, row, column, 0) / dt_us, 1);
}

static void take_cpu(struct tk_top_machine *machine, const struct tk_batch *batch, size_t row)
{
    const struct {
        size_t column;
        double scale;
        double *value;
    } fields[] = {
        {TK_HOST_METRICS_CPU_UTIL, 0.01, &machine->now[TK_TOP_CPU]},
        {TK_HOST_METRICS_USR, 0.01, &machine->user},
        {TK_HOST_METRICS_SYS, 0.01, &machine->system},
        {TK_HOST_METRICS_IOWAIT, 0.01, &machine->iowait},
        {TK_HOST_METRICS_STEAL, 0.01, &machine->steal},
        {TK_HOST_METRICS_LOAD1, 1, &machine->load1},
        {TK_HOST_METRICS_LOAD5, 1, &machine->load5},
        {TK_HOST_METRICS_LOAD15, 1, &machine->load15},
        {TK_HOST_METRICS_DISK_RD_BPS, 1, &machine->disk_rd_Bps},
        {TK_HOST_METRICS_DISK_WR_BPS, 1, &machine->disk_wr_Bps},
    };
    for (size_t i = 0; i < TK_COUNTOF(fields); i++)
        set_if(batch, row, fields[i].column, fields[i].scale, fields[i].value);
    set_stall(batch, row, TK_HOST_METRICS_PSI_CPU_SOME_US, &machine->cpu_stall);
    set_stall(batch, row, TK_HOST_METRICS_PSI_IO_SOME_US, &machine->io_stall);
    set_stall(batch, row, TK_HOST_METRICS_PSI_MEM_SOME_US, &machine->memory_stall);
    machine->now[TK_TOP_DISK] = machine->disk_rd_Bps + machine->disk_wr_Bps;
    machine->now[TK_TOP_WAIT] =
        fmax(machine->cpu_stall, fmax(machine->io_stall, machine->memory_stall));
}

static void take_memory(struct tk_top_machine *machine, const struct tk_batch *batch, size_t row)
{
    double available = (double)NAN;
    double swap_free = (double)NAN;
    set_if(batch, row, TK_HOST_METRICS_MEM_AVAILABLE_BYTES, 1, &available);
    set_if(batch, row, TK_HOST_METRICS_SWAP_FREE_BYTES, 1, &swap_free);
    machine->now[TK_TOP_MEMORY] = machine->mem_total_bytes - available;
    machine->swap_used_bytes = machine->swap_total_bytes - swap_free;
}

static void take_link(struct tk_top_machine *machine, const struct tk_batch *batch, size_t row)
{
    tk_str link = tk_batch_text(batch, row, TK_LINK_METRICS_LINK);
    if (!tk_str_ends_with(link, TK_STR(".nic")))
        return;
    set_if(batch, row, TK_LINK_METRICS_RX_BPS, 1, &machine->net_rx_Bps);
    set_if(batch, row, TK_LINK_METRICS_TX_BPS, 1, &machine->net_tx_Bps);
    machine->now[TK_TOP_NETWORK] = machine->net_rx_Bps + machine->net_tx_Bps;
}

static void take_disk(struct disk_load *disk, const struct tk_batch *batch, size_t row)
{
    double busy = tk_batch_f64(batch, row, TK_DISK_METRICS_UTIL, 0) / 100;
    if (busy <= disk->busy)
        return;
    disk->busy = busy;
    (void)tk_str_to_cstr(tk_batch_text(batch, row, TK_DISK_METRICS_DISK), disk->name,
                         sizeof(disk->name));
}

/* Processes ---------------------------------------------------------------------------- */

static uint64_t identity_of(int64_t pid, int64_t start_ticks)
{
    return ((uint64_t)pid << 42) ^ (uint64_t)start_ticks;
}

static const struct previous *previous_find(const struct tk_top *top, int64_t pid,
                                            int64_t start_ticks)
{
    uint32_t index;
    if (!tk_map_find(&top->by_identity, identity_of(pid, start_ticks), &index))
        return NULL;
    return &top->previous[index];
}

/* A new element at the end of an array that grows; NULL without memory. */
static struct tk_top_process *process_add(struct tk_top_process **array, size_t *count,
                                          size_t *capacity)
{
    if (*count == *capacity) {
        size_t more = *capacity ? *capacity * 2 : 64;
        struct tk_top_process *processes = realloc(*array, more * sizeof(**array));
        if (!processes)
            return NULL;
        *array = processes;
        *capacity = more;
    }
    assert(*array);
    struct tk_top_process *process = &(*array)[(*count)++];
    *process = (struct tk_top_process){
        .rss_bytes = -1, .threads = -1, .rd_Bps = (double)NAN, .wr_Bps = (double)NAN};
    return process;
}

/* All that ended under one name share a line. There are few names in an interval. */
static struct tk_top_process *ended_find(struct tk_top *top, tk_str comm)
{
    for (size_t i = 0; i < top->ended_names; i++) {
        if (tk_str_eq(tk_str_from(top->ended[i].comm), comm))
            return &top->ended[i];
    }
    struct tk_top_process *process =
        process_add(&top->ended, &top->ended_names, &top->ended_capacity);
    if (process)
        (void)tk_str_to_cstr(comm, process->comm, sizeof(process->comm));
    return process;
}

/* Add what moved since the frame before; NaN stays for what no record tells. */
static void add_bytes(double *sum, int64_t now, int64_t before)
{
    if (now < 0)
        return;
    int64_t moved = before > 0 && before < now ? now - before : now;
    *sum = (isnan(*sum) ? 0 : *sum) + (double)moved;
}

static void take_exit(struct tk_top *top, const struct tk_batch *batch, size_t row)
{
    struct tk_top_process *process = ended_find(top, tk_batch_text(batch, row, TK_PROC_EXIT_COMM));
    if (!process) {
        top->failure = -ENOMEM;
        return;
    }
    const struct previous *before =
        previous_find(top, tk_batch_i64(batch, row, TK_PROC_EXIT_PID, 0),
                      tk_batch_i64(batch, row, TK_PROC_EXIT_START_TICKS, 0));
    int64_t cpu_ns = tk_batch_i64(batch, row, TK_PROC_EXIT_CPU_NS, 0);
    int64_t rss_kb = tk_batch_i64(batch, row, TK_PROC_EXIT_MAX_RSS_KB, -1);
    if (before && before->cpu_ns < cpu_ns)
        cpu_ns -= before->cpu_ns;
    process->ended++;
    process->cpu_ns += cpu_ns;
    add_bytes(&process->rd_Bps, tk_batch_i64(batch, row, TK_PROC_EXIT_RD_BYTES, -1),
              before ? before->rd_bytes : 0);
    add_bytes(&process->wr_Bps, tk_batch_i64(batch, row, TK_PROC_EXIT_WR_BYTES, -1),
              before ? before->wr_bytes : 0);
    if (rss_kb >= 0 && rss_kb * 1024 > process->rss_bytes)
        process->rss_bytes = rss_kb * 1024;
    top->ended_count++;
}

static int take(void *context, enum tk_table table, const struct tk_batch *batch,
                struct tk_err *err)
{
    (void)err;
    struct tk_top *top = context;
    struct tk_top_machine *machine = &top->frame.machine;
    for (size_t row = 0; row < batch->rows; row++) {
        if (table == TK_TABLE_PROC_EXIT) {
            take_exit(top, batch, row);
        } else if (table == TK_TABLE_LINK_METRICS) {
            take_link(machine, batch, row);
        } else if (table == TK_TABLE_DISK_METRICS) {
            take_disk(&top->disk, batch, row);
        } else if (table == TK_TABLE_HOST_METRICS) {
            bool is_cpu = tk_batch_has(batch, row, TK_HOST_METRICS_CPU_UTIL);
            (is_cpu ? take_cpu : take_memory)(machine, batch, row);
        }
    }
    return 0;
}

/* Rate of a counter; NaN when it was not readable at both times. */
static double rate(int64_t now, int64_t before, int64_t dt_ns)
{
    if (now < 0 || before < 0 || dt_ns <= 0)
        return (double)NAN;
    return now > before ? (double)(now - before) * 1e9 / (double)dt_ns : 0;
}

/* The time between the readings of a process, which differs a little from that of the frames. A
 * process that was idle may have been read long before. */
static int64_t time_between(const struct tk_top_frame *frame, const struct tk_proc *proc,
                            const struct previous *before)
{
    int64_t dt_ns = before ? proc->stamp_ns - before->stamp_ns : 0;
    bool is_near = dt_ns > frame->interval_ns / 2 && dt_ns < frame->interval_ns * 3 / 2;
    return is_near ? dt_ns : frame->interval_ns;
}

/* Who was not in the frame before was born since, so all that it used counts; or it was there and
 * had not been read, and what it used before cannot be told from the rest. The frame before that
 * allows for the time that readings take. */
static bool is_new(const struct tk_top *top, const struct tk_proc *proc)
{
    int64_t born_ns = proc->start_ticks * (TK_NS_PER_S / top->kernel.clk_tck);
    return proc->start_ticks < 0 || born_ns >= top->frame.uptime_ns - 2 * top->frame.interval_ns;
}

static void visit(void *context, const struct tk_proc *proc)
{
    struct tk_top *top = context;
    struct tk_top_frame *frame = &top->frame;
    struct tk_top_process *process = process_add(&frame->processes, &frame->count, &top->capacity);
    if (!process) {
        top->failure = -ENOMEM;
        return;
    }
    frame->alive++;
    process->pid = proc->pid;
    process->state = proc->state;
    process->cpu_ns = proc->cpu_ns;
    process->rss_bytes = proc->rss_bytes;
    process->threads = proc->threads;
    memcpy(process->comm, proc->comm, sizeof(process->comm));
    const struct previous *before = previous_find(top, proc->pid, proc->start_ticks);
    int64_t dt_ns = time_between(frame, proc, before);
    if (dt_ns <= 0)
        return;
    process->cores = before || is_new(top, proc)
                         ? rate(proc->cpu_ns, before ? before->cpu_ns : 0, dt_ns) / 1e9
                         : (double)NAN;
    process->rd_Bps = rate(proc->rd_bytes, before ? before->rd_bytes : 0, dt_ns);
    process->wr_Bps = rate(proc->wr_bytes, before ? before->wr_bytes : 0, dt_ns);
}

static void remember(void *context, const struct tk_proc *proc)
{
    struct tk_top *top = context;
    uint32_t index = (uint32_t)top->previous_count;
    if (proc->cpu_ns < 0)
        return;
    if (tk_map_add(&top->by_identity, identity_of(proc->pid, proc->start_ticks), index) < 0) {
        top->failure = -ENOMEM;
        return;
    }
    top->previous[top->previous_count++] =
        (struct previous){proc->cpu_ns, proc->rd_bytes, proc->wr_bytes, proc->stamp_ns};
}

/* Frames ------------------------------------------------------------------------------- */

static void push_courses(struct tk_top_machine *machine)
{
    if (machine->course_count == TK_TOP_COURSE) {
        for (int i = 0; i < TK_TOP_LINES; i++) {
            memmove(machine->course[i], machine->course[i] + 1,
                    (TK_TOP_COURSE - 1) * sizeof(machine->course[i][0]));
        }
        machine->course_count--;
    }
    for (int i = 0; i < TK_TOP_LINES; i++)
        machine->course[i][machine->course_count] = machine->now[i];
    machine->course_count++;
}

static void set_own_cost(struct tk_top *top)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    int64_t own_ns = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * TK_NS_PER_S +
                     (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * TK_NS_PER_US;
    if (top->frame.interval_ns > 0)
        top->frame.own_cores = (double)(own_ns - top->last_own_ns) / (double)top->frame.interval_ns;
    top->frame.own_rss_bytes = usage.ru_maxrss * 1024;
    top->last_own_ns = own_ns;
}

/* Those alive, and those that ended since the frame before. */
static void set_processes(struct tk_top *top)
{
    struct tk_top_frame *frame = &top->frame;
    frame->count = 0;
    frame->alive = 0;
    frame->ended = top->ended_count;
    tk_procs_each(top->procs, visit, top);
    for (size_t i = 0; i < top->ended_names; i++) {
        struct tk_top_process *process =
            process_add(&frame->processes, &frame->count, &top->capacity);
        if (!process) {
            top->failure = -ENOMEM;
            return;
        }
        *process = top->ended[i];
        if (frame->interval_ns <= 0)
            continue;
        double interval_s = (double)frame->interval_ns / 1e9;
        process->cores = (double)process->cpu_ns / 1e9 / interval_s;
        process->rd_Bps /= interval_s;
        process->wr_Bps /= interval_s;
    }
    top->ended_names = 0;
    top->ended_count = 0;
}

static void set_disk(struct tk_top *top)
{
    struct tk_top_machine *machine = &top->frame.machine;
    machine->disk_busy = top->disk.busy;
    memcpy(machine->disk, top->disk.name, sizeof(machine->disk));
    top->disk = (struct disk_load){0};
}

/* For the rates of the next frame. */
static void remember_all(struct tk_top *top)
{
    free(top->previous);
    top->previous = calloc((size_t)top->frame.alive + 1, sizeof(*top->previous));
    top->previous_count = 0;
    tk_map_reset(&top->by_identity);
    if (top->previous) {
        tk_procs_each(top->procs, remember, top);
    } else {
        top->failure = -ENOMEM;
    }
}

/* `now_ns` is when the readings began: the sweep may take long where there are many processes. */
static int frame_finish(struct tk_top *top, int64_t now_ns, struct tk_err *err)
{
    struct tk_top_frame *frame = &top->frame;
    frame->interval_ns = top->last_mono_ns ? now_ns - top->last_mono_ns : 0;
    top->last_mono_ns = now_ns;
    frame->ts_ns = tk_anchor_from_mono(&top->kernel.anchor, now_ns);
    frame->uptime_ns = tk_clock_boot_ns();
    set_processes(top);
    tk_procs_read_stats(top->procs, &frame->procs);
    set_disk(top);
    set_own_cost(top);
    if (frame->interval_ns > 0)
        push_courses(&frame->machine);

    remember_all(top);
    return top->failure < 0 ? tk_fail(err, top->failure, "processes: out of memory") : 1;
}

int tk_top_fd(const struct tk_top *top)
{
    return tk_sampler_fd(top->sampler);
}

int tk_top_step(struct tk_top *top, struct tk_err *err)
{
    int64_t now_ns = tk_clock_mono_ns();
    int rc = tk_sampler_step(top->sampler, top->rows, err);
    if (rc < 0)
        return rc;
    int64_t ticks = top->frame.sampler.ticks;
    tk_sampler_read_stats(top->sampler, &top->frame.sampler);
    return top->frame.sampler.ticks > ticks ? frame_finish(top, now_ns, err) : 0;
}

struct tk_top_frame *tk_top_read_frame(struct tk_top *top)
{
    return &top->frame;
}

/* Life ----------------------------------------------------------------------------------- */

/* "MemTotal:  16380984 kB" of /proc/meminfo; NaN when it is not there. */
static double meminfo_bytes(const struct tk_top *top, tk_str name)
{
    char buf[8192];
    struct tk_err err;
    tk_str text;
    tk_str line;
    if (tk_file_read(top->kernel.rootfd, "proc/meminfo", buf, sizeof(buf), &text, &err) < 0)
        return (double)NAN;
    while (tk_str_take_line(&text, &line)) {
        tk_str word;
        int64_t kb;
        if (tk_str_take_prefix(&line, name) && tk_str_take_word(&line, &word) &&
            tk_parse_i64(word, &kb))
            return (double)kb * 1024;
    }
    return (double)NAN;
}

static void set_machine(struct tk_top *top)
{
    struct tk_top_machine *machine = &top->frame.machine;
    double *const unknown[] = {&machine->user,       &machine->system,      &machine->iowait,
                               &machine->steal,      &machine->load1,       &machine->load5,
                               &machine->load15,     &machine->disk_rd_Bps, &machine->disk_wr_Bps,
                               &machine->net_rx_Bps, &machine->net_tx_Bps,  &machine->cpu_stall,
                               &machine->io_stall,   &machine->memory_stall};
    for (size_t i = 0; i < TK_COUNTOF(unknown); i++)
        *unknown[i] = (double)NAN;
    for (int i = 0; i < TK_TOP_LINES; i++)
        machine->now[i] = (double)NAN;
    machine->mem_total_bytes = meminfo_bytes(top, TK_STR("MemTotal:"));
    machine->swap_total_bytes = meminfo_bytes(top, TK_STR("SwapTotal:"));
    machine->swap_used_bytes = (double)NAN;
    cpu_set_t cpus;
    top->frame.cores = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
}

static int sources_open(struct tk_top *top, struct tk_err *err)
{
    const char *name = top->frame.host;
    const struct tk_host_options host = {
        .node = name, .stage = "", .host = name, .iface = top->frame.iface};
    const struct tk_procs_options procs = {.node = name, .host = name, .tier = top->options.tier};
    (void)tk_fd_limit_raise(TK_RECORDER_FDS);
    int rc = tk_host_new(&top->kernel, &host, &top->host, err);
    rc = rc < 0 ? rc : tk_procs_new(&top->kernel, &procs, &top->procs, err);
    rc = rc < 0 ? rc : tk_rows_new((struct tk_sink){take, top}, &top->rows, err);
    const struct tk_sampler_options sampler = {.interval_ns = top->options.interval_ns,
                                               .host_interval_ns = top->options.interval_ns,
                                               .host = top->host,
                                               .procs = top->procs};
    return rc < 0 ? rc : tk_sampler_new(&sampler, &top->sampler, err);
}

int tk_top_new(const struct tk_top_options *options, struct tk_top **ret_top, struct tk_err *err)
{
    struct tk_top *top = calloc(1, sizeof(*top));
    if (!top)
        return tk_fail(err, -ENOMEM, "out of memory");
    top->options = *options;
    top->frame.requested_ns = options->interval_ns;
    int rc = tk_kernel_open(&top->kernel, options->root, err);
    if (rc < 0)
        goto fail;
    tk_node_host_name(&top->kernel, top->frame.host);
    tk_node_iface(NULL, NULL, top->frame.iface);
    top->frame.procfd = top->kernel.procfd;
    set_machine(top);
    rc = sources_open(top, err);
    if (rc < 0)
        goto fail;
    *ret_top = top;
    return 0;

fail:
    tk_top_free(top);
    return rc;
}

void tk_top_free(struct tk_top *top)
{
    if (!top)
        return;
    tk_sampler_free(top->sampler);
    tk_rows_free(top->rows);
    tk_procs_free(top->procs);
    tk_host_free(top->host);
    tk_kernel_close(&top->kernel);
    tk_map_release(&top->by_identity);
    free(top->previous);
    free(top->ended);
    free(top->frame.processes);
    free(top);
}

void tk_top_freep(struct tk_top **top)
{
    tk_top_free(*top);
}
