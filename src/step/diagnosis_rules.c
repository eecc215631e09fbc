/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a step, in the order of build-telemetry.md section 15. Conditions on what must be
 * low are written as "not high", so that a figure that is not known does not hide a finding. */
#include "step/diagnosis_internal.h"

#include <string.h>

#define MB_PER_GB 1024.0

static double at_least_zero(double value)
{
    return value > 0 ? value : 0;
}

static enum tk_level oom(const struct tk_facts *facts, struct tk_says *says)
{
    const struct tk_job_memory *memory = &facts->step->memory;
    bool counted = memory->oom_kills > 0;
    bool at_limit = facts->step->signal == 9 && memory->peak_mb >= 0.95 * facts->limit_mb;
    if (!counted && !at_limit)
        return TK_LEVEL_NONE;
    if (isnan(facts->limit_mb) || isnan(facts->peak_mb)) {
        tk_says_text(says, "the kernel killed processes for lack of memory");
    } else {
        tk_says_text(says, "killed for lack of memory: peak %.0f MB of a limit of %.0f MB",
                     facts->peak_mb, facts->limit_mb);
    }
    tk_says_evidence(says, "oom_kills", counted ? (double)memory->oom_kills : 1);
    tk_says_evidence(says, "peak_mb", facts->peak_mb);
    tk_says_evidence(says, "limit_mb", facts->limit_mb);
    return TK_LEVEL_CRITICAL;
}

/* What should stay free: less is worth a warning. */
static double reserve_mb(const struct tk_job_filesystem *filesystem)
{
    return fmax(0.10 * filesystem->total_mb, 5 * MB_PER_GB);
}

static enum tk_level filesystem_level(const struct tk_job_filesystem *filesystem)
{
    double least = fmax(0.03 * filesystem->total_mb, 1 * MB_PER_GB);
    if (filesystem->free_min_mb < least)
        return TK_LEVEL_CRITICAL;
    return filesystem->free_min_mb < reserve_mb(filesystem) ? TK_LEVEL_WARN : TK_LEVEL_NONE;
}

static enum tk_level disk_full(const struct tk_facts *facts, struct tk_says *says)
{
    enum tk_level worst = TK_LEVEL_NONE;
    const struct tk_job_filesystem *full = NULL;
    const struct tk_job_filesystems *all = &facts->step->io.filesystems;
    for (size_t i = 0; i < all->count; i++) {
        enum tk_level level = filesystem_level(&all->items[i]);
        if (level > worst) {
            worst = level;
            full = &all->items[i];
        }
    }
    if (!full)
        return TK_LEVEL_NONE;
    const struct tk_job_process *writer = tk_top_writer(facts->step);
    double taken = full->free_start_mb - full->free_min_mb;
    double needed = reserve_mb(full) - full->free_min_mb;
    tk_says_text(says, "%.1f GB left on %.*s, the step took %.1f GB%s%.*s; it needs %.1f GB more",
                 full->free_min_mb / MB_PER_GB, TK_STR_ARG(full->path),
                 at_least_zero(taken) / MB_PER_GB, writer ? ", most written by " : "",
                 TK_STR_ARG(writer ? writer->comm : TK_STR("")), needed / MB_PER_GB);
    tk_says_evidence(says, "free_min_mb", full->free_min_mb);
    tk_says_evidence(says, "total_mb", full->total_mb);
    tk_says_evidence(says, "taken_mb", taken);
    tk_says_evidence(says, "needed_mb", needed);
    return worst;
}

static enum tk_level mem_pressure(const struct tk_facts *facts, struct tk_says *says)
{
    enum tk_level level = tk_level_over(facts->memory_full, 5, 20);
    double swapped = facts->step->memory.swap_out_mb;
    if (level == TK_LEVEL_NONE && swapped > 0)
        level = TK_LEVEL_WARN;
    if (level == TK_LEVEL_NONE)
        return level;
    says->saves_s = facts->step->pressure.memory_full_s;
    tk_says_text(says, "stalled on memory %.0f %% of the time, %.0f MB swapped out",
                 tk_known(facts->memory_full, 0), tk_known(swapped, 0));
    tk_says_evidence(says, "memory_full_percent", facts->memory_full);
    tk_says_evidence(says, "swap_out_mb", swapped);
    return level;
}

static enum tk_level mem_high(const struct tk_facts *facts, struct tk_says *says)
{
    double share = 100 * facts->memory_mb / facts->limit_mb;
    double delta = facts->attributed ? (double)NAN : facts->step->memory_delta_mb;
    enum tk_level level = TK_LEVEL_NONE;
    if (share > 85) {
        level = TK_LEVEL_CRITICAL;
    } else if (facts->memory_mb > 8 * MB_PER_GB || delta > 4 * MB_PER_GB) {
        level = TK_LEVEL_WARN;
    }
    if (level == TK_LEVEL_NONE)
        return level;
    tk_says_text(says, "memory-intensive: needed %.1f GB of %.1f GB", facts->memory_mb / MB_PER_GB,
                 facts->limit_mb / MB_PER_GB);
    tk_says_evidence(says, "memory_mb", facts->memory_mb);
    tk_says_evidence(says, "limit_mb", facts->limit_mb);
    tk_says_evidence(says, "delta_mb", delta);
    return level;
}

static enum tk_level cpu_quota(const struct tk_facts *facts, struct tk_says *says)
{
    double throttled_s = facts->step->cpu.throttled_s;
    double percent = 100 * throttled_s / facts->d;
    says->saves_s = throttled_s;
    tk_says_text(says, "the CPU limit of its container held it back for %.0f s", throttled_s);
    tk_says_evidence(says, "throttled_percent", percent);
    return tk_level_over(percent, 5, 20);
}

static bool is_starved(const struct tk_facts *facts)
{
    const struct tk_job_host *host = &facts->step->host;
    return facts->cpu_some >= 20 && (host->other_cpu_percent >= 25 || host->steal_percent >= 5) &&
           facts->c < 0.7 * facts->n;
}

static enum tk_level cpu_starved(const struct tk_facts *facts, struct tk_says *says)
{
    if (!is_starved(facts))
        return TK_LEVEL_NONE;
    const struct tk_job_host *host = &facts->step->host;
    says->saves_s = facts->step->pressure.cpu_some_s * (1 - facts->c / facts->n);
    tk_says_text(says,
                 "neighbours took the cores: waited %.0f %% of the time for one, others used "
                 "%.0f %% of the machine; its time is not comparable",
                 facts->cpu_some, tk_known(host->other_cpu_percent, host->steal_percent));
    tk_says_evidence(says, "cpu_some_percent", facts->cpu_some);
    tk_says_evidence(says, "other_cpu_percent", host->other_cpu_percent);
    tk_says_evidence(says, "steal_percent", host->steal_percent);
    return TK_LEVEL_WARN;
}

static enum tk_level cpu_bound(const struct tk_facts *facts, struct tk_says *says)
{
    double percent = 100 * facts->c / facts->n;
    if (!(percent > 80) || facts->step->host.other_cpu_percent >= 20)
        return TK_LEVEL_NONE;
    says->saves_s = 0.3 * facts->d;
    tk_says_text(says, "CPU-bound: %.1f of %.0f cores busy throughout", facts->c, facts->n);
    tk_says_evidence(says, "machine_percent", percent);
    return percent > 97 && facts->d > 60 ? TK_LEVEL_CRITICAL : TK_LEVEL_WARN;
}

static enum tk_level single_thread(const struct tk_facts *facts, struct tk_says *says)
{
    bool one = facts->c >= 0.8 && facts->c <= 1.2;
    if (!one || facts->n < 2 || facts->d < 30 || facts->io_full >= 10 || is_starved(facts))
        return TK_LEVEL_NONE;
    const struct tk_job_process *top = tk_top_cpu(facts->step);
    says->saves_s = facts->d * (1 - 1 / fmin(facts->n, 4));
    tk_says_text(says, "one core of %.0f works%s%.*s", facts->n, top ? ", mostly in " : "",
                 TK_STR_ARG(top ? top->comm : TK_STR("")));
    tk_says_evidence(says, "cores_avg", facts->c);
    tk_says_evidence(says, "cores", facts->n);
    return TK_LEVEL_WARN;
}

/* Of the time that it stalls on I/O, what a better disk would save. */
#define STALL_SHARE 0.7

static enum tk_level io_stall(const struct tk_facts *facts, struct tk_says *says)
{
    says->saves_s = STALL_SHARE * facts->step->pressure.io_full_s;
    tk_says_text(says, "waits %.0f s for disk (I/O stall %.0f %%, await %.1f ms, queue %.1f)",
                 facts->step->pressure.io_full_s, facts->io_full, tk_known(facts->await_ms, 0),
                 tk_known(facts->queue, 0));
    tk_says_evidence(says, "io_full_percent", facts->io_full);
    tk_says_evidence(says, "await_ms", facts->await_ms);
    tk_says_evidence(says, "queue", facts->queue);
    if (facts->io_full >= 50)
        return TK_LEVEL_CRITICAL;
    return facts->io_full >= 25 ? TK_LEVEL_WARN : TK_LEVEL_NONE;
}

/* Operations, waits and queue are those of the device: when the step hardly stalled on I/O,
 * somebody else filled it. */
static bool is_others_disk(const struct tk_facts *facts)
{
    return tk_str_eq(facts->step->pressure.source, TK_STR("cgroup")) && facts->io_some < 2;
}

static enum tk_level disk_saturated(const struct tk_facts *facts, struct tk_says *says)
{
    if (!(facts->util > 80))
        return TK_LEVEL_NONE;
    tk_says_text(says, "disk busy %.0f %% of the time", facts->util);
    tk_says_evidence(says, "util_percent", facts->util);
    tk_says_evidence(says, "io_some_percent", facts->io_some);
    if (!(facts->io_some >= 10) && (!facts->rotational || is_others_disk(facts)))
        return TK_LEVEL_INFO; /* a device that works in parallel is busy far below its limit */
    return facts->util >= 99 ? TK_LEVEL_CRITICAL : TK_LEVEL_WARN;
}

static enum tk_level disk_slow(const struct tk_facts *facts, struct tk_says *says)
{
    /* Requests wait side by side; what stalled is all that their waits cost, and no more can be
     * saved of it than IO_STALL says: measured, that one is the verdict of the same level. */
    double most_s = tk_known(STALL_SHARE * facts->step->pressure.io_full_s, facts->d);
    says->saves_s = fmin((facts->await_ms - 2) * facts->ops / 1000, most_s);
    tk_says_text(says, "slow disk: %.1f ms an operation", facts->await_ms);
    tk_says_evidence(says, "await_ms", facts->await_ms);
    tk_says_evidence(says, "ops", facts->ops);
    if (is_others_disk(facts))
        return TK_LEVEL_NONE;
    return tk_level_over(facts->await_ms, 10, 20);
}

static enum tk_level queue(const struct tk_facts *facts, struct tk_says *says)
{
    if (!(facts->await_ms > 5) || is_others_disk(facts))
        return TK_LEVEL_NONE;
    tk_says_text(says, "I/O congestion: %.1f requests in the queue", facts->queue);
    tk_says_evidence(says, "queue", facts->queue);
    tk_says_evidence(says, "await_ms", facts->await_ms);
    return tk_level_over(facts->queue, 4, 8);
}

struct device_sums {
    double flushes, flush_ms, write_mb, write_ops;
};

static struct device_sums device_sums(const struct tk_job_devices *devices)
{
    struct device_sums sums = {0};
    for (size_t i = 0; i < devices->count; i++) {
        const struct tk_job_device *device = &devices->items[i];
        sums.flushes += device->flushes > 0 ? (double)device->flushes : 0;
        sums.flush_ms += tk_known(device->flush_ms, 0);
        sums.write_mb += tk_known(device->write_mb, 0);
        sums.write_ops += device->write_ops > 0 ? (double)device->write_ops : 0;
    }
    return sums;
}

static enum tk_level sync_bound(const struct tk_facts *facts, struct tk_says *says)
{
    struct device_sums sums = device_sums(&facts->step->io.devices);
    double rate = sums.flushes / facts->d;
    double mean_kb = 1024 * sums.write_mb / sums.write_ops;
    if (!(rate > 20) || !(mean_kb < 64) || !(facts->io_some >= 10))
        return TK_LEVEL_NONE;
    says->saves_s = fmin(sums.flush_ms / 1000, facts->d);
    tk_says_text(says, "a storm of syncs: %.0f a second, %.0f KB a write", rate, mean_kb);
    tk_says_evidence(says, "flushes_per_s", rate);
    tk_says_evidence(says, "mean_write_kb", mean_kb);
    tk_says_evidence(says, "io_some_percent", facts->io_some);
    return facts->io_full >= 50 ? TK_LEVEL_CRITICAL : TK_LEVEL_WARN;
}

static double artifacts_mb(const struct tk_facts *facts)
{
    double sum = 0;
    for (size_t i = 0; i < facts->job->artifacts.count; i++) {
        const struct tk_job_artifact *artifact = &facts->job->artifacts.items[i];
        if (tk_str_eq(artifact->step, facts->step->name))
            sum += tk_known(artifact->mb, 0);
    }
    return sum;
}

static enum tk_level write_heavy(const struct tk_facts *facts, struct tk_says *says)
{
    double rate = facts->write_mb / facts->d;
    if (!(facts->write_mb > MB_PER_GB) && !(rate > 100))
        return TK_LEVEL_NONE;
    double kept_mb = artifacts_mb(facts);
    bool amplified = kept_mb > 0 && facts->write_mb > 3 * kept_mb;
    if (amplified) {
        tk_says_text(says, "wrote %.1f GB for artifacts of %.1f GB", facts->write_mb / MB_PER_GB,
                     kept_mb / MB_PER_GB);
    } else {
        tk_says_text(says, "I/O-intensive: wrote %.1f GB, %.0f MB/s", facts->write_mb / MB_PER_GB,
                     rate);
    }
    tk_says_evidence(says, "write_mb", facts->write_mb);
    tk_says_evidence(says, "write_mbs", rate);
    return amplified ? TK_LEVEL_WARN : TK_LEVEL_INFO;
}

/* The same step of an earlier job; NULL when it had none. */
static const struct tk_job_step *step_before(const struct tk_facts *facts, size_t i)
{
    const struct tk_job_steps *steps = &facts->options->past[i].steps;
    for (size_t k = 0; k < steps->count; k++) {
        if (tk_str_eq(steps->items[k].name, facts->step->name))
            return &steps->items[k];
    }
    return NULL;
}

/* How many of the last three jobs received as much in this step, give or take 5 %. */
static int same_downloads(const struct tk_facts *facts)
{
    int same = 0;
    for (size_t i = 0; i < facts->options->past_count && i < 3; i++) {
        const struct tk_job_step *before = step_before(facts, i);
        if (before && fabs(tk_known(before->net.rx_mb, before->net_rx_mb) - facts->rx_mb) <=
                          0.05 * facts->rx_mb)
            same++;
    }
    return same;
}

/* MB/s while it downloaded: the mean over the step counts as such only where the step did nothing
 * else. NaN when that cannot be told. */
static double download_rate(const struct tk_facts *facts)
{
    double peak = facts->step->net.peak_rx_mbs;
    bool only_that = facts->c < 0.5 && !(facts->io_full >= 10);
    return tk_known(peak, only_that ? facts->rx_mbs : (double)NAN);
}

static enum tk_level download_heavy(const struct tk_facts *facts, struct tk_says *says)
{
    if (!(facts->rx_mb > 500))
        return TK_LEVEL_NONE;
    int same = same_downloads(facts);
    says->saves_s = facts->rx_mb / download_rate(facts) - facts->rx_mb / 100;
    if (says->saves_s < 0)
        says->saves_s = 0;
    tk_says_text(says, "downloads %.1f GB%s", facts->rx_mb / MB_PER_GB,
                 same ? ", as in the last runs: it can be cached" : "");
    tk_says_evidence(says, "rx_mb", facts->rx_mb);
    tk_says_evidence(says, "same_in_last_runs", same);
    return same ? TK_LEVEL_CRITICAL : TK_LEVEL_WARN;
}

static enum tk_level net_bound(const struct tk_facts *facts, struct tk_says *says)
{
    double share = 100 * facts->net_mbs / facts->link_mbs;
    if (!(facts->net_mbs >= 50 || share >= 70) || !(facts->c < 0.5))
        return TK_LEVEL_NONE;
    if (isnan(share)) {
        tk_says_text(says, "limited by the link: %.0f MB/s", facts->net_mbs);
    } else {
        tk_says_text(says, "limited by the link: %.0f MB/s, %.0f %% of it", facts->net_mbs, share);
    }
    tk_says_evidence(says, "net_mbs", facts->net_mbs);
    tk_says_evidence(says, "link_percent", share);
    return TK_LEVEL_WARN;
}

/* % of the samples in which the network carried more than a murmur; NaN without a curve. */
static double net_active(const struct tk_job_samples *samples)
{
    enum { NO_COLUMN = 64 };
    size_t rx = NO_COLUMN;
    for (size_t i = 0; i < samples->cols.count; i++) {
        if (tk_str_eq(samples->cols.items[i], TK_STR("rx_mbs")))
            rx = i;
    }
    size_t active = 0;
    for (size_t i = 0; i < samples->rows.count; i++) {
        const struct tk_job_row *row = &samples->rows.items[i];
        active += rx < row->count && row->items[rx] > 0.01;
    }
    bool known = rx != NO_COLUMN && samples->rows.count > 0;
    return known ? 100.0 * (double)active / (double)samples->rows.count : (double)NAN;
}

static enum tk_level net_slow(const struct tk_facts *facts, struct tk_says *says)
{
    /* Virtual links tell no speed: then as one of 1 Gbit/s. */
    double link_mbs = tk_known(facts->link_mbs, 125);
    double active = net_active(&facts->step->samples);
    if (!(active >= 60) || !(facts->rx_mbs < 0.2 * link_mbs) || !(facts->c < 0.3) ||
        facts->io_full >= 10)
        return TK_LEVEL_NONE;
    says->saves_s = 0.5 * facts->d;
    tk_says_text(says, "slow remote side or a single stream: %.1f MB/s over %.0f %% of the time",
                 facts->rx_mbs, active);
    tk_says_evidence(says, "rx_mbs", facts->rx_mbs);
    tk_says_evidence(says, "net_active_percent", active);
    return TK_LEVEL_WARN;
}

static enum tk_level retrans(const struct tk_facts *facts, struct tk_says *says)
{
    const struct tk_job_net *net = &facts->step->net;
    if (net->tcp_retrans <= 0 || net->tcp_segments <= 0)
        return TK_LEVEL_NONE;
    double percent = 100.0 * (double)net->tcp_retrans / (double)net->tcp_segments;
    tk_says_text(says, "bad network: %.1f %% of the segments were sent again", percent);
    tk_says_evidence(says, "retrans_percent", percent);
    return percent > 2 ? TK_LEVEL_WARN : TK_LEVEL_NONE;
}

/* The control group of somebody else that used most CPU time meanwhile; NULL = none is known. */
static const struct tk_job_via *busiest_via(const struct tk_facts *facts)
{
    const struct tk_job_via *most = NULL;
    for (size_t i = 0; i < facts->step->via.count; i++) {
        const struct tk_job_via *via = &facts->step->via.items[i];
        if (!most || via->cpu_s > most->cpu_s)
            most = via;
    }
    return most;
}

/* Somebody else works for the step while it waits: a group that was seen to; or the machine is busy
 * without the step, and was not when the job began, as it is where neighbours are. */
static bool is_daemon_work(const struct tk_facts *facts)
{
    const struct tk_job_via *via = busiest_via(facts);
    double busy = facts->step->host.cpu_busy_percent;
    double busy_cores = busy / 100 * facts->n;
    if (!facts->attributed || tk_step_has_company(facts->job, facts->step))
        return false;
    /* As much as would make the step itself not an idle one. */
    if (via && via->cpu_s >= 0.1 * facts->d && via->cpu_s > 2 * facts->c * facts->d)
        return true;
    return busy >= 30 && facts->c < 0.3 * busy_cores && !(facts->cpu_some >= 20) &&
           !(facts->job->system.load1_start >= 0.8 * busy_cores);
}

static enum tk_level idle_wait(const struct tk_facts *facts, struct tk_says *says)
{
    double active_s = tk_known(facts->step->wall.active_s, facts->c * facts->d);
    double idle_s = tk_known(facts->step->wall.idle_s, facts->d - active_s);
    if (!(active_s < 0.1 * facts->d) || facts->net_mbs >= 0.1 || facts->io_some >= 5 ||
        facts->d < 10 || is_starved(facts) || is_daemon_work(facts))
        return TK_LEVEL_NONE;
    says->saves_s = 0.8 * idle_s;
    tk_says_text(says, "idle for %.0f s of %.0f s: a fixed sleep, or something remote", idle_s,
                 facts->d);
    tk_says_evidence(says, "idle_percent", 100 * idle_s / facts->d);
    return TK_LEVEL_WARN;
}

static enum tk_level daemon_work(const struct tk_facts *facts, struct tk_says *says)
{
    if (!is_daemon_work(facts))
        return TK_LEVEL_NONE;
    double busy_cores = facts->step->host.cpu_busy_percent / 100 * facts->n;
    const struct tk_job_via *most = busiest_via(facts);
    tk_says_text(says, "the work is done by %.*s: %.1f cores busy, %.1f of them the step's",
                 TK_STR_ARG(most ? most->unit : TK_STR("a daemon")), busy_cores, facts->c);
    tk_says_evidence(says, "cores_avg", facts->c);
    tk_says_evidence(says, "host_busy_cores", busy_cores);
    return TK_LEVEL_WARN;
}

static enum tk_level cache_thrash(const struct tk_facts *facts, struct tk_says *says)
{
    const struct tk_job_memory *memory = &facts->step->memory;
    double faults = memory->major_faults > 0 ? (double)memory->major_faults / facts->d : 0;
    if (!(memory->refault_mb > MB_PER_GB) && !(faults > 1000))
        return TK_LEVEL_NONE;
    says->saves_s = 0.5 * facts->step->pressure.io_full_s;
    tk_says_text(says, "its working set is larger than memory: %.1f GB read again",
                 tk_known(memory->refault_mb, 0) / MB_PER_GB);
    tk_says_evidence(says, "refault_mb", memory->refault_mb);
    tk_says_evidence(says, "major_faults_per_s", faults);
    return TK_LEVEL_WARN;
}

static enum tk_level fork_storm(const struct tk_facts *facts, struct tk_says *says)
{
    const struct tk_job_cpu *cpu = &facts->step->cpu;
    double rate = cpu->processes > 0 ? (double)cpu->processes / facts->d : 0;
    double system = 100 * cpu->system_s / cpu->total_s;
    if (!(rate > 200) || !(system > 40))
        return TK_LEVEL_NONE;
    says->saves_s = 0.5 * cpu->system_s;
    tk_says_text(says, "starts %.0f processes a second, %.0f %% of its CPU time is the kernel's",
                 rate, system);
    tk_says_evidence(says, "processes_per_s", rate);
    tk_says_evidence(says, "system_percent", system);
    return TK_LEVEL_WARN;
}

/* The longest steps that together take 80 % of the time of all. */
static bool is_in_pareto(const struct tk_facts *facts)
{
    double all = 0;
    double longer = 0;
    for (size_t i = 0; i < facts->job->steps.count; i++) {
        const struct tk_job_step *other = &facts->job->steps.items[i];
        if (other->parent.p || !(other->duration_s > 0))
            continue;
        all += other->duration_s;
        if (other->duration_s > facts->d)
            longer += other->duration_s;
    }
    return !facts->step->parent.p && longer < 0.8 * all;
}

static enum tk_level long_step(const struct tk_facts *facts, struct tk_says *says)
{
    if (!is_in_pareto(facts))
        return TK_LEVEL_NONE;
    tk_says_text(says, "long step: %.0f s, among those that take 80 %% of the time", facts->d);
    tk_says_evidence(says, "duration_s", facts->d);
    return tk_level_over(facts->d, 60, 300);
}

static enum tk_level low_throughput(const struct tk_facts *facts, struct tk_says *says)
{
    double moved = tk_known(facts->write_mb, 0) + tk_known(facts->rx_mb, 0);
    double rate = moved / facts->d;
    double best = 0;
    for (size_t i = 0; i < facts->options->past_count; i++) {
        const struct tk_job_step *before = step_before(facts, i);
        if (!before || !(before->duration_s > 0))
            continue;
        double past = tk_known(before->disk_write_mb, 0) + tk_known(before->net_rx_mb, 0);
        best = fmax(best, past / before->duration_s);
    }
    if (!(moved > 100) || !(rate < 0.2 * best))
        return TK_LEVEL_NONE;
    tk_says_text(says, "moves %.1f MB/s, a fifth of its best %.1f MB/s or less", rate, best);
    tk_says_evidence(says, "rate_mbs", rate);
    tk_says_evidence(says, "best_mbs", best);
    return TK_LEVEL_WARN;
}

const struct tk_rule tk_step_rules[] = {
    {"OOM", "out of memory", .any_duration = true, .cause = true, .judge = oom,
     .advice = "give it more memory, or let fewer processes run at once (-j)"},
    {"DISK_FULL", "disk full", .any_duration = true, .cause = true, .judge = disk_full,
     .advice = "free space before it, or give it a larger disk"},
    {"MEM_PRESSURE", "memory", .judge = mem_pressure,
     .advice = "add memory, or let fewer processes run at once (-j)"},
    {"MEM_HIGH", "memory", .judge = mem_high, .advice = "increase memory, or optimise its use"},
    {"CPU_QUOTA", "CPU limit", .judge = cpu_quota,
     .advice = "raise the CPU limit, or run fewer processes than it allows"},
    {"CPU_STARVED", "neighbours", .cause = true, .judge = cpu_starved,
     .advice = "run it again on a quiet machine before you compare"},
    {"CPU_BOUND", "CPU", .judge = cpu_bound,
     .advice = "faster or more cores, a cache, or a cheaper compression level"},
    {"SINGLE_THREAD", "one core", .judge = single_thread,
     .advice = "run it in parallel, or beside another step"},
    {"IO_STALL", "disk", .needs_ops = true, .judge = io_stall,
     .advice = "a faster disk or tmpfs, and fewer bytes: cache, compress, reflink"},
    {"DISK_SATURATED", "disk", .needs_ops = true, .judge = disk_saturated,
     .advice = "reduce parallel I/O, use a faster SSD"},
    {"DISK_SLOW", "slow disk", .needs_ops = true, .judge = disk_slow,
     .advice = "enable caching, reduce concurrent operations"},
    {"QUEUE", "disk queue", .needs_ops = true, .judge = queue,
     .advice = "write sequentially instead of in parallel"},
    {"SYNC_BOUND", "syncs", .needs_ops = true, .cause = true, .judge = sync_bound,
     .advice = "eatmydata, force-unsafe-io or a tmpfs, where losing the data is fine"},
    {"WRITE_HEAVY", "writes", .needs_ops = true, .judge = write_heavy,
     .advice = "multi-stage builds, layer caching, fewer copies"},
    {"DOWNLOAD_HEAVY", "download", .judge = download_heavy,
     .advice = "cache on the runner, restore from a tarball nearby"},
    {"NET_BOUND", "network", .judge = net_bound,
     .advice = "a faster link, or fewer bytes: cache, compress"},
    {"NET_SLOW", "slow network", .judge = net_slow,
     .advice = "a mirror nearby, or several transfers at once"},
    {"RETRANS", "bad network", .judge = retrans, .advice = "look at the link, its MTU and driver"},
    {"IDLE_WAIT", "fixed wait", .judge = idle_wait,
     .advice = "poll for readiness instead of a fixed sleep"},
    {"DAEMON_WORK", "daemon", .cause = true, .judge = daemon_work,
     .advice = "look at the machine's figures, and at the daemon's own"},
    {"CACHE_THRASH", "page cache", .judge = cache_thrash, .advice = "add memory"},
    {"FORK_STORM", "processes", .cause = true, .judge = fork_storm,
     .advice = "cache results of configure-like scripts, use builtins of the shell"},
    {"LONG", "long", .mark = true, .judge = long_step},
    {"LOW_THROUGHPUT", "throughput", .mark = true, .alone = true, .judge = low_throughput,
     .advice = "the bottleneck is elsewhere: check CPU and network"},
    {0},
};
