/* SPDX-License-Identifier: Apache-2.0 */
#include "step/measure.h"

#include "base/clock.h"

#define SECTOR_MB (512.0 / TK_STEP_MB)
#define US_PER_S  1e6

enum {
    SHORT_MS = 100,
    STEP_MS = 500,
    NEIGHBOURS_PERCENT = 25,
};

/* now - before, NaN when one is missing or the counter went back. */
static double delta(int64_t before, int64_t now)
{
    if (before == TK_JOB_NONE || now == TK_JOB_NONE || now < before)
        return (double)NAN;
    return (double)(now - before);
}

static double larger(double a, double b)
{
    return b > a || isnan(a) ? b : a;
}

/* Add a flag, once. A list that is full loses it. */
static void flag(struct tk_job_step *step, const char *name, struct tk_arena *arena)
{
    if (!tk_job_has_text(&step->quality, name))
        (void)!tk_job_add_text(&step->quality, tk_str_from(name), arena);
}

/* CPU and memory of the host --------------------------------------------------------- */

static int64_t all_ticks(const struct tk_step_host *host)
{
    if (host->user == TK_JOB_NONE)
        return TK_JOB_NONE;
    return host->user + host->nice + host->system + host->idle + host->iowait + host->irq +
           host->softirq + host->steal;
}

static void measure_cpu(const struct tk_step_host *a, const struct tk_step_host *b,
                        struct tk_job_step *step)
{
    double total = delta(all_ticks(a), all_ticks(b));
    if (!(total > 0))
        return;
    /* The kernel lets iowait go back at times (proc(5)): that is none. */
    double iowait = larger(0, delta(a->iowait, b->iowait));
    double rest = larger(0, delta(a->idle, b->idle)) + iowait;
    double busy = 100 * (1 - rest / total);
    step->cpu_percent = step->host.cpu_busy_percent = busy < 0 ? 0 : busy;
    step->host.iowait_percent = 100 * iowait / total;
    step->host.steal_percent = 100 * delta(a->steal, b->steal) / total;
}

static double used_mb(const struct tk_step_host *host)
{
    return delta(host->memory_available, host->memory_total) / TK_STEP_MB;
}

static void measure_memory(const struct tk_step_host *a, const struct tk_step_host *b,
                           struct tk_job_step *step, struct tk_arena *arena)
{
    step->memory_used_mb = used_mb(b);
    step->memory_delta_mb = used_mb(b) - used_mb(a);
    double lowest = (double)a->memory_available;
    if (b->memory_available != TK_JOB_NONE && (double)b->memory_available < lowest)
        lowest = (double)b->memory_available;
    if (a->memory_available != TK_JOB_NONE)
        step->host.memory_available_min_mb = lowest / TK_STEP_MB;
    step->host.load1_max = larger(a->load1, b->load1);
    double swapped = delta(a->swapped_out, b->swapped_out);
    if (swapped > 0) {
        flag(step, TK_STEP_SWAPPED, arena);
        step->memory.swap_out_mb = swapped * 4096 / TK_STEP_MB;
    }
    double kills = delta(a->oom_kills, b->oom_kills);
    if (step->memory.oom_kills == TK_JOB_NONE && !isnan(kills))
        step->memory.oom_kills = (int64_t)kills;
}

/* Disks ------------------------------------------------------------------------------ */

struct disk_sums {
    double reads, read_sectors, writes, write_sectors, wait_ms, busy_ms, queue_ms;
};

static const struct tk_step_disk *find_disk(const struct tk_step_disks *disks, tk_str dev)
{
    for (size_t i = 0; i < disks->count; i++) {
        if (tk_str_eq(disks->items[i].dev, dev))
            return &disks->items[i];
    }
    return NULL;
}

static int64_t whole(double value)
{
    return isnan(value) ? TK_JOB_NONE : (int64_t)value;
}

static double per(double amount, double count)
{
    return count > 0 ? amount / count : (double)NAN;
}

static void measure_disk(const struct tk_kernel *kernel, const struct tk_step_disk *a,
                         const struct tk_step_disk *b, double seconds, struct tk_job_device *dev)
{
    double reads = delta(a->reads, b->reads);
    double writes = delta(a->writes, b->writes);
    double flushes = delta(a->flushes, b->flushes);
    double util = 100 * delta(a->busy_ms, b->busy_ms) / (seconds * 1e3);
    char name[TK_HOST_DISK_NAME];
    dev->dev = b->dev;
    dev->read_mb = delta(a->sectors_read, b->sectors_read) * SECTOR_MB;
    dev->write_mb = delta(a->sectors_written, b->sectors_written) * SECTOR_MB;
    dev->discard_mb = delta(a->sectors_discarded, b->sectors_discarded) * SECTOR_MB;
    dev->read_ops = whole(reads);
    dev->write_ops = whole(writes);
    dev->flushes = whole(flushes);
    dev->util_percent = util > 100 ? 100 : util;
    dev->read_await_ms = per(delta(a->read_ms, b->read_ms), reads);
    dev->write_await_ms = per(delta(a->write_ms, b->write_ms), writes);
    dev->flush_ms = per(delta(a->flush_ms, b->flush_ms), flushes);
    dev->queue = delta(a->queue_ms, b->queue_ms) / (seconds * 1e3);
    if (tk_str_to_cstr(b->dev, name, sizeof(name))) {
        int64_t turns = tk_host_disk_rotational(kernel, name);
        dev->rotational = turns < 0 ? TK_JOB_NONE : turns;
    }
}

static double known(double value)
{
    return isnan(value) ? 0 : value;
}

static void add_disk(struct disk_sums *sums, const struct tk_step_disk *a,
                     const struct tk_step_disk *b)
{
    sums->reads += known(delta(a->reads, b->reads));
    sums->writes += known(delta(a->writes, b->writes));
    sums->read_sectors += known(delta(a->sectors_read, b->sectors_read));
    sums->write_sectors += known(delta(a->sectors_written, b->sectors_written));
    sums->wait_ms += known(delta(a->read_ms, b->read_ms)) + known(delta(a->write_ms, b->write_ms));
    sums->busy_ms = larger(sums->busy_ms, delta(a->busy_ms, b->busy_ms));
    sums->queue_ms += known(delta(a->queue_ms, b->queue_ms));
}

static void measure_disks(const struct tk_kernel *kernel, const struct tk_step_host *a,
                          const struct tk_step_host *b, double seconds, struct tk_job_step *step,
                          struct tk_arena *arena)
{
    static const struct tk_step_disk fresh = {.flushes = 0};
    struct disk_sums sums = {0};
    if (b->disks.count == 0)
        return;
    for (size_t i = 0; i < b->disks.count; i++) {
        const struct tk_step_disk *now = &b->disks.items[i];
        const struct tk_step_disk *before = find_disk(&a->disks, now->dev);
        struct tk_job_device *dev = tk_job_add(&tk_job_device_shape, &step->io.devices, arena);
        /* One without any I/O was left out of the first record. */
        before = before ? before : &fresh;
        add_disk(&sums, before, now);
        if (dev)
            measure_disk(kernel, before, now, seconds, dev);
    }
    double ops = sums.reads + sums.writes;
    double util = sums.busy_ms / (seconds * 10);
    step->disk_read_mb = sums.read_sectors * SECTOR_MB;
    step->disk_write_mb = sums.write_sectors * SECTOR_MB;
    step->disk_read_ops = sums.reads;
    step->disk_write_ops = sums.writes;
    step->disk_read_rate_mbs = step->disk_read_mb / seconds;
    step->disk_write_rate_mbs = step->disk_write_mb / seconds;
    step->disk_util_percent = util > 100 ? 100 : util;
    step->await_ms = ops > 0 ? sums.wait_ms / ops : 0; /* the original's readers want a number */
    step->queue_depth = sums.queue_ms / (seconds * 1e3);
}

static void measure_rooms(const struct tk_step_host *a, const struct tk_step_host *b,
                          struct tk_job_step *step, struct tk_arena *arena)
{
    for (size_t i = 0; i < b->rooms.count; i++) {
        const struct tk_step_room *now = &b->rooms.items[i];
        struct tk_job_filesystem *fs =
            tk_job_add(&tk_job_filesystem_shape, &step->io.filesystems, arena);
        if (!fs)
            return;
        fs->path = now->path;
        fs->total_mb = now->total_mb;
        fs->free_end_mb = fs->free_min_mb = now->free_mb;
        for (size_t k = 0; k < a->rooms.count; k++) {
            if (tk_str_eq(a->rooms.items[k].path, now->path))
                fs->free_start_mb = a->rooms.items[k].free_mb;
        }
        if (fs->free_start_mb < fs->free_min_mb)
            fs->free_min_mb = fs->free_start_mb;
    }
}

/* Network, pressure ------------------------------------------------------------------ */

static void measure_net(const struct tk_step_host *a, const struct tk_step_host *b, double seconds,
                        struct tk_job_step *step)
{
    step->net_rx_mb = delta(a->rx_bytes, b->rx_bytes) / TK_STEP_MB;
    step->net_tx_mb = delta(a->tx_bytes, b->tx_bytes) / TK_STEP_MB;
    step->net_rx_rate_mbs = step->net_rx_mb / seconds;
    step->net_tx_rate_mbs = step->net_tx_mb / seconds;
    step->net.rx_mb = step->net_rx_mb;
    step->net.tx_mb = step->net_tx_mb;
    step->net.tcp_retrans = whole(delta(a->tcp_retrans, b->tcp_retrans));
    step->net.tcp_segments = whole(delta(a->tcp_segments, b->tcp_segments));
    if (!isnan(step->net_rx_mb))
        step->net.source = TK_STR("interfaces");
}

static void measure_pressure(const struct tk_step_host *a, const struct tk_step_host *b,
                             struct tk_job_step *step)
{
    struct tk_job_pressure *pressure = &step->pressure;
    if (pressure->source.p)
        return;
    pressure->cpu_some_s = delta(a->cpu_some_us, b->cpu_some_us) / US_PER_S;
    pressure->io_some_s = delta(a->io_some_us, b->io_some_us) / US_PER_S;
    pressure->io_full_s = delta(a->io_full_us, b->io_full_us) / US_PER_S;
    pressure->memory_some_s = delta(a->memory_some_us, b->memory_some_us) / US_PER_S;
    pressure->memory_full_s = delta(a->memory_full_us, b->memory_full_us) / US_PER_S;
    if (!isnan(pressure->cpu_some_s))
        pressure->source = TK_STR("host");
}

static void measure_time(const struct tk_step_record *start, const struct tk_step_record *end,
                         struct tk_job_step *step, struct tk_arena *arena)
{
    int64_t boot_ns = end->boot_ns > start->boot_ns ? end->boot_ns - start->boot_ns : 0;
    int64_t drift_ns = end->real_ns - start->real_ns - boot_ns;
    if (isnan(step->duration_s))
        step->duration_s = (double)boot_ns / (double)TK_NS_PER_S;
    step->start_time = (double)start->real_ns / (double)TK_NS_PER_S;
    step->end_time = step->start_time + step->duration_s;
    if (step->duration_s < SHORT_MS / 1e3)
        flag(step, TK_STEP_SHORT, arena);
    if (drift_ns > STEP_MS * TK_NS_PER_MS || drift_ns < -STEP_MS * TK_NS_PER_MS)
        flag(step, TK_STEP_CLOCK_STEP, arena);
}

/* Records of another machine, and of what was found dead, have no counters of the host. */
static bool is_read(const struct tk_step_host *host)
{
    return host->user != TK_JOB_NONE || host->memory_total != TK_JOB_NONE || host->rooms.count > 0;
}

void tk_step_measure_host(const struct tk_kernel *kernel, const struct tk_step_record *start,
                          const struct tk_step_record *end, struct tk_job_step *step,
                          struct tk_arena *arena)
{
    const struct tk_step_host *a = &start->host;
    const struct tk_step_host *b = &end->host;
    double seconds = (double)(end->boot_ns - start->boot_ns) / (double)TK_NS_PER_S;
    measure_time(start, end, step, arena);
    if (!(seconds > 0) || !is_read(a) || !is_read(b))
        return;
    measure_cpu(a, b, step);
    measure_memory(a, b, step, arena);
    measure_disks(kernel, a, b, seconds, step, arena);
    measure_rooms(a, b, step, arena);
    measure_net(a, b, seconds, step);
    measure_pressure(a, b, step);
}

/* Processes -------------------------------------------------------------------------- */

static void set_unknown(double *field, double value)
{
    if (isnan(*field))
        *field = value;
}

void tk_step_measure_usage(const struct tk_step_usage *start, const struct tk_step_usage *end,
                           struct tk_job_step *step)
{
    const double ns = (double)TK_NS_PER_S;
    double user_s = delta(start->user_ns, end->user_ns) / ns;
    double system_s = delta(start->system_ns, end->system_ns) / ns;
    if (isnan(step->cpu.total_s)) {
        step->cpu.user_s = user_s;
        step->cpu.system_s = system_s;
        step->cpu.total_s = user_s + system_s;
    }
    if (step->memory.major_faults == TK_JOB_NONE)
        step->memory.major_faults = whole(delta(start->major_faults, end->major_faults));
    bool first = isnan(step->io.read_mb);
    set_unknown(&step->io.read_mb, delta(start->rd_bytes, end->rd_bytes) / TK_STEP_MB);
    set_unknown(&step->io.write_mb, delta(start->wr_bytes, end->wr_bytes) / TK_STEP_MB);
    step->io.cancelled_mb = delta(start->cancelled_bytes, end->cancelled_bytes) / TK_STEP_MB;
    step->io.read_chars_mb = delta(start->rd_chars, end->rd_chars) / TK_STEP_MB;
    step->io.write_chars_mb = delta(start->wr_chars, end->wr_chars) / TK_STEP_MB;
    if (first && !isnan(step->io.read_mb))
        step->io.source = TK_STR("/proc/self/io");
}

/* Control groups --------------------------------------------------------------------- */

static double scaled(int64_t value, double unit)
{
    return value < 0 ? (double)NAN : (double)value / unit;
}

static void measure_leaf_memory(const struct tk_cgroup_reading *reading,
                                const struct tk_cgroup_memory *memory, bool legacy,
                                struct tk_job_memory *ret)
{
    ret->peak_mb = scaled(reading->memory_peak_bytes, TK_STEP_MB);
    ret->limit_mb = scaled(reading->memory_limit_bytes, TK_STEP_MB);
    if (!isnan(ret->peak_mb))
        ret->peak_source = legacy ? TK_STR("memory.max_usage_in_bytes") : TK_STR("memory.peak");
    ret->anon_peak_mb = larger(ret->anon_peak_mb, scaled(memory->anon_bytes, TK_STEP_MB));
    ret->file_peak_mb = larger(ret->file_peak_mb, scaled(memory->file_bytes, TK_STEP_MB));
    ret->shmem_peak_mb = larger(ret->shmem_peak_mb, scaled(memory->shmem_bytes, TK_STEP_MB));
    ret->swap_peak_mb = larger(ret->swap_peak_mb, scaled(memory->swap_bytes, TK_STEP_MB));
    ret->refault_mb = scaled(memory->refaults, TK_STEP_MB / 4096);
    ret->major_faults = memory->major_faults < 0 ? TK_JOB_NONE : memory->major_faults;
    ret->oom_kills = memory->oom_kills < 0 ? TK_JOB_NONE : memory->oom_kills;
}

void tk_step_measure_leaf(const struct tk_cgroup_reading *reading,
                          const struct tk_cgroup_memory *memory, bool legacy,
                          struct tk_job_step *step)
{
    const double ns = (double)TK_NS_PER_S;
    step->scope = TK_STR(TK_JOB_SCOPE_CGROUP);
    step->cpu.user_s = scaled(reading->user_ns, ns);
    step->cpu.system_s = scaled(reading->system_ns, ns);
    step->cpu.total_s = scaled(reading->cpu_ns, ns);
    step->cpu.throttled_s = scaled(reading->throttled_ns, ns);
    measure_leaf_memory(reading, memory, legacy, &step->memory);
    if (reading->rd_bytes >= 0) {
        step->io.read_mb = scaled(reading->rd_bytes, TK_STEP_MB);
        step->io.write_mb = scaled(reading->wr_bytes, TK_STEP_MB);
        step->io.source = TK_STR("io.stat");
    }
    if (reading->psi_cpu_some_us < 0)
        return;
    step->pressure = (struct tk_job_pressure){
        .source = TK_STR("cgroup"),
        .cpu_some_s = scaled(reading->psi_cpu_some_us, US_PER_S),
        .io_some_s = scaled(reading->psi_io_some_us, US_PER_S),
        .io_full_s = scaled(reading->psi_io_full_us, US_PER_S),
        .memory_some_s = scaled(reading->psi_memory_some_us, US_PER_S),
        .memory_full_s = scaled(reading->psi_memory_full_us, US_PER_S),
    };
}

/* What follows ----------------------------------------------------------------------- */

/* Take up to `wanted` out of what is left of the duration. */
static double take(double *left_s, double wanted_s)
{
    double taken = known(wanted_s);
    taken = taken > *left_s ? *left_s : taken;
    *left_s -= taken;
    return taken;
}

/* Each moment counts once: first what ran, then what held it up, from the heaviest cause on. */
static void split_wall(struct tk_job_step *step)
{
    double left_s = step->duration_s;
    step->wall.active_s = take(&left_s, step->cpu.total_s);
    step->wall.io_stall_s = take(&left_s, step->pressure.io_full_s);
    step->wall.memory_stall_s = take(&left_s, step->pressure.memory_full_s);
    step->wall.cpu_wait_s = take(&left_s, step->pressure.cpu_some_s);
    step->wall.idle_s = left_s;
}

void tk_step_measure_rest(double cores, struct tk_job_step *step, struct tk_arena *arena)
{
    if (isnan(step->cpu.total_s) || !(step->duration_s > 0))
        return;
    step->cpu.cores_avg = step->cpu.total_s / step->duration_s;
    step->cpu.cores_peak = larger(step->cpu.cores_peak, step->cpu.cores_avg);
    step->cpu.machine_percent = 100 * step->cpu.cores_avg / cores;
    double other = step->host.cpu_busy_percent - step->cpu.machine_percent;
    if (!isnan(other)) {
        step->host.other_cpu_percent = other < 0 ? 0 : other;
        if (other >= NEIGHBOURS_PERCENT)
            flag(step, TK_STEP_NEIGHBOURS, arena);
    }
    split_wall(step);
}
