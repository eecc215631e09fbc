/* SPDX-License-Identifier: Apache-2.0 */
/* A rule measures which share of the run's time its cause accounts for (NaN: not known) and fires
 * from its threshold. Thresholds are where the cause begins to be worth a person's time: 5 % for
 * what should not happen at all (throttling, steal, memory stalls), 10 % for waiting on disks, a
 * quarter of the time for cores that are full.
 *
 * Fallback rules speak only when no other does; the first that fires is the answer. */
#include "run/causes.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/human.h"

#define WHICH_MAX 64
#define NS_PER_S  1e9
#define FULL      0.85 /* of all cores on average: tasks queue from here */

/* Tasks that want a core, on average, from which full cores matter to a command. */
#define LEAST_DEMAND 0.25

/* A command shorter than this is mostly the making of its process. */
#define SHORT_NS 100e6

enum kind {
    ORDINARY,
    HOWEVER_SHORT, /* also asked of a command that is too short for the others */
    FALLBACK,      /* asked when no other fired */
};

struct rule {
    const char *name;
    double threshold;
    enum kind kind;
    double (*measure)(const struct tk_summary *summary);
    void (*explain)(const struct tk_summary *summary, struct tk_cause *cause);
};

/* Facts that several rules use ------------------------------------------------------- */

static double wall_ns(const struct tk_summary *summary)
{
    const struct tk_summary_command *command = &summary->command;
    if (command->measured)
        return (double)(command->end_ns - command->start_ns);
    return (double)(summary->end_ns - summary->start_ns);
}

/* Cores that the run could use: its quota where that is less than the machine. */
static double cores(const struct tk_summary *summary)
{
    double usable = summary->host.cores > 0 ? (double)summary->host.cores : (double)NAN;
    return fmin(usable, summary->host.cpu_limit_cores);
}

/* Cores that the command kept busy on average. */
static double parallelism(const struct tk_summary *summary)
{
    const struct tk_summary_command *command = &summary->command;
    double wall = wall_ns(summary);
    if (!command->measured || wall <= 0)
        return (double)NAN;
    return (double)command->cpu_ns / wall;
}

/* Share of the time for which some task stalled; NaN without PSI. */
static double stall_share(const struct tk_summary *summary, enum tk_stall stall)
{
    const struct tk_summary_host *host = &summary->host;
    if (host->stall_ns[stall] < 0 || host->stall_covered_ns <= 0)
        return (double)NAN;
    return (double)host->stall_ns[stall] / (double)host->stall_covered_ns;
}

/* How full the usable cores were. */
static double fullness(const struct tk_summary *summary)
{
    double by_command = parallelism(summary) / cores(summary);
    return fmax(summary->host.busy, by_command);
}

/* At most 1; NaN stays NaN, which fmin() would not do. */
static double capped(double share)
{
    return share > 1 ? 1 : share;
}

static void say(struct tk_cause *cause, const char *fmt, ...) TK_PRINTF(2, 3);

/* Append to the text. */
static void say(struct tk_cause *cause, const char *fmt, ...)
{
    size_t used = strlen(cause->text);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(cause->text + used, sizeof(cause->text) - used, fmt, args);
    va_end(args);
}

/* "both cores were", "all 8 cores were", "the 1.5 cores that its quota allows were". */
static const char *cores_were(const struct tk_summary *summary, char buf[WHICH_MAX])
{
    int64_t count = summary->host.cores;
    double limit = summary->host.cpu_limit_cores;
    if (limit < (double)count) {
        (void)snprintf(buf, WHICH_MAX, "the %.3g core%s that its quota allows %s", limit,
                       limit == 1 ? "" : "s", limit == 1 ? "was" : "were");
        return buf;
    }
    if (count == 1)
        return "the only core was";
    if (count == 2)
        return "both cores were";
    (void)snprintf(buf, WHICH_MAX, "all %lld cores were", (long long)count);
    return count > 0 ? buf : "the cores were";
}

/* Rules ------------------------------------------------------------------------------- */

static double measure_oom(const struct tk_summary *summary)
{
    return summary->host.oom_kills > 0 ? 1 : 0;
}

static void explain_oom(const struct tk_summary *summary, struct tk_cause *cause)
{
    int64_t kills = summary->host.oom_kills;
    say(cause, "Memory ran out: the kernel killed %lld process%s.", (long long)kills,
        kills == 1 ? "" : "es");
}

static double measure_quota(const struct tk_summary *summary)
{
    int64_t throttled = summary->command.throttled_ns > summary->host.throttled_ns
                            ? summary->command.throttled_ns
                            : summary->host.throttled_ns;
    return capped((double)throttled / wall_ns(summary));
}

static void explain_quota(const struct tk_summary *summary, struct tk_cause *cause)
{
    char share[TK_HUMAN_MAX];
    say(cause, "CPU quota: held back for %s of the time by the limit of its control group",
        tk_share_format(cause->share, share));
    if (!isnan(summary->host.cpu_limit_cores))
        say(cause, " (%.3g cores)", summary->host.cpu_limit_cores);
    say(cause, ".");
}

static double measure_steal(const struct tk_summary *summary)
{
    return summary->host.steal;
}

static void explain_steal(const struct tk_summary *summary, struct tk_cause *cause)
{
    (void)summary;
    char share[TK_HUMAN_MAX];
    say(cause, "Hypervisor: it gave %s of the CPU time to other guests (steal).",
        tk_share_format(cause->share, share));
}

static double measure_memory(const struct tk_summary *summary)
{
    return stall_share(summary, TK_STALL_MEMORY);
}

static void say_swap(const struct tk_summary *summary, struct tk_cause *cause)
{
    const struct tk_summary_host *host = &summary->host;
    char in[TK_HUMAN_MAX];
    char out[TK_HUMAN_MAX];
    if (host->swap_in_bytes > 0 || host->swap_out_bytes > 0) {
        say(cause, "; %s were read from swap and %s written to it",
            tk_bytes_format((double)host->swap_in_bytes, in),
            tk_bytes_format((double)host->swap_out_bytes, out));
    }
}

static void explain_memory(const struct tk_summary *summary, struct tk_cause *cause)
{
    char share[TK_HUMAN_MAX];
    char stall[TK_HUMAN_MAX];
    say(cause, "Memory: some task waited for memory for %s (%s of the time)",
        tk_seconds_format(summary->host.stall_ns[TK_STALL_MEMORY], stall),
        tk_share_format(cause->share, share));
    say_swap(summary, cause);
    say(cause, ".");
}

/* Only where PSI does not say it better. 1 = as much as a fast disk can swap. */
static double measure_swap(const struct tk_summary *summary)
{
    const double fast_disk = 100e6; /* bytes/s */
    const struct tk_summary_host *host = &summary->host;
    if (host->stall_ns[TK_STALL_MEMORY] >= 0 || host->swap_in_bytes < 0)
        return (double)NAN;
    double bytes = (double)host->swap_in_bytes + (double)host->swap_out_bytes;
    return capped(bytes / (wall_ns(summary) / NS_PER_S) / fast_disk);
}

static void explain_swap(const struct tk_summary *summary, struct tk_cause *cause)
{
    say(cause, "Memory: the machine was short of it");
    say_swap(summary, cause);
    say(cause, ".");
}

static double measure_disk(const struct tk_summary *summary)
{
    double share = stall_share(summary, TK_STALL_IO);
    return isnan(share) ? summary->host.iowait : share;
}

static void explain_disk(const struct tk_summary *summary, struct tk_cause *cause)
{
    const struct tk_summary_host *host = &summary->host;
    char share[TK_HUMAN_MAX];
    char stall[TK_HUMAN_MAX];
    tk_share_format(cause->share, share);
    if (host->stall_ns[TK_STALL_IO] >= 0) {
        say(cause, "Disk: some task waited for I/O for %s (%s of the time)",
            tk_seconds_format(host->stall_ns[TK_STALL_IO], stall), share);
    } else {
        say(cause, "Disk: the cores sat idle for %s of their time while I/O was outstanding",
            share);
    }
    if (host->busiest_disk.n > 0 && host->disk_busy > 0) {
        say(cause, "; %.*s was busy %s of the time", TK_STR_ARG(host->busiest_disk),
            tk_share_format(fmin(host->disk_busy, 1), share));
    }
    if (host->disk_await_ms > 0)
        say(cause, ", %.3g ms a request", host->disk_await_ms);
    say(cause, ".");
}

/* Tasks of the command that wanted a core, on average: those that had one and those that waited
 * for one. NaN without a command. */
static double demand(const struct tk_summary *summary)
{
    const struct tk_summary_command *command = &summary->command;
    double waiting = command->run_delay_ns > 0 ? (double)command->run_delay_ns : 0;
    return parallelism(summary) + waiting / wall_ns(summary);
}

/* Full on average, or full in phases; no matter to a command that hardly wanted a core. */
static double measure_cpu(const struct tk_summary *summary)
{
    if (demand(summary) < LEAST_DEMAND)
        return (double)NAN;
    double full = fullness(summary);
    return full >= FULL ? capped(full) : summary->host.full_share;
}

static void explain_cpu(const struct tk_summary *summary, struct tk_cause *cause)
{
    char share[TK_HUMAN_MAX];
    char which[WHICH_MAX];
    char waited[TK_HUMAN_MAX];
    say(cause, "CPU: %s busy %s%s of the time", cores_were(summary, which),
        fullness(summary) >= FULL ? "" : "to 90 % or more for ",
        tk_share_format(cause->share, share));
    double stall = stall_share(summary, TK_STALL_CPU);
    if (summary->command.run_delay_ns > 0) {
        say(cause, "; its tasks were ready to run but waited for a core, %s in all",
            tk_seconds_format(summary->command.run_delay_ns, waited));
    } else if (stall > 0) {
        say(cause, "; %s of the time some task was ready to run but waited for a core",
            tk_share_format(stall, share));
    }
    say(cause, ".");
}

/* CPU that processes outside of the command took while the cores were full. */
static double measure_others(const struct tk_summary *summary)
{
    if (!(demand(summary) >= LEAST_DEMAND) || summary->others.cpu_ns < 0 ||
        !(fullness(summary) >= FULL))
        return (double)NAN;
    return capped((double)summary->others.cpu_ns / (wall_ns(summary) * cores(summary)));
}

static const struct tk_tally_group *largest_other(const struct tk_summary *summary)
{
    for (size_t i = 0; i < summary->group_count; i++) {
        if (!summary->groups[i].in_tree)
            return &summary->groups[i];
    }
    return NULL;
}

static void explain_others(const struct tk_summary *summary, struct tk_cause *cause)
{
    char cpu[TK_HUMAN_MAX];
    say(cause, "Competition: processes outside of the command used %s of CPU meanwhile",
        tk_seconds_format(summary->others.cpu_ns, cpu));
    const struct tk_tally_group *group = largest_other(summary);
    if (group && group->comm[0])
        say(cause, ", most of it %s (%s)", group->comm, tk_seconds_format(group->cpu_ns, cpu));
    say(cause, ".");
}

/* One task at a time on a machine that could do more. */
static double measure_serial(const struct tk_summary *summary)
{
    double used = parallelism(summary);
    bool is_serial = used <= 1.15 && cores(summary) >= 1.5 && fullness(summary) < FULL;
    return is_serial ? fmin(used, 1) : (double)NAN;
}

static void explain_serial(const struct tk_summary *summary, struct tk_cause *cause)
{
    say(cause,
        "One core: the work ran one task at a time (%.2f of %.3g cores on average). A faster core "
        "or more parallel work would shorten it, more cores would not.",
        parallelism(summary), cores(summary));
}

static double measure_network(const struct tk_summary *summary)
{
    const struct tk_summary_host *host = &summary->host;
    int64_t bytes =
        host->net_rx_bytes > host->net_tx_bytes ? host->net_rx_bytes : host->net_tx_bytes;
    if (bytes < 0 || host->covered_ns <= 0)
        return (double)NAN;
    return (double)bytes / ((double)host->covered_ns / NS_PER_S) / host->link_Bps;
}

static void explain_network(const struct tk_summary *summary, struct tk_cause *cause)
{
    char share[TK_HUMAN_MAX];
    char speed[TK_HUMAN_MAX];
    say(cause, "Network: %.*s carried %s of its %s.", TK_STR_ARG(summary->host.iface),
        tk_share_format(cause->share, share), tk_rate_format(summary->host.link_Bps, speed));
}

/* Fallbacks ----------------------------------------------------------------------------- */

static double measure_unknown(const struct tk_summary *summary)
{
    return isnan(summary->host.busy) && isnan(parallelism(summary)) ? 1 : 0;
}

static void explain_unknown(const struct tk_summary *summary, struct tk_cause *cause)
{
    (void)summary;
    say(cause, "Not known: the run has no readings of the CPU.");
}

static double measure_short(const struct tk_summary *summary)
{
    return summary->command.measured && wall_ns(summary) < SHORT_NS ? 1 : 0;
}

static void explain_short(const struct tk_summary *summary, struct tk_cause *cause)
{
    char wall[TK_HUMAN_MAX];
    say(cause, "Nothing: it was too short, %s, for anything to hold it up.",
        tk_duration_format((int64_t)wall_ns(summary), wall));
}

static double idle_share(const struct tk_summary *summary)
{
    double used = parallelism(summary);
    return isnan(used) ? 1 - summary->host.busy : 1 - used;
}

static void explain_idle(const struct tk_summary *summary, struct tk_cause *cause)
{
    char cpu[TK_HUMAN_MAX];
    char wall[TK_HUMAN_MAX];
    if (!summary->command.measured) {
        say(cause, "Nothing: the machine was mostly idle, its cores were busy %s of the time.",
            tk_share_format(summary->host.busy, cpu));
        return;
    }
    say(cause,
        "Mostly idle: it used %s of CPU in %s. No core, disk or memory held it up, so it slept or "
        "waited for something outside: a timer, a network peer, a lock, input.",
        tk_seconds_format(summary->command.cpu_ns, cpu),
        tk_duration_format((int64_t)wall_ns(summary), wall));
}

static double measure_mixed(const struct tk_summary *summary)
{
    (void)summary;
    return 0;
}

static void explain_mixed(const struct tk_summary *summary, struct tk_cause *cause)
{
    char share[TK_HUMAN_MAX];
    double used = parallelism(summary);
    if (isnan(used) || isnan(cores(summary))) {
        say(cause, "Nothing for long: the cores were busy %s of the time",
            tk_share_format(summary->host.busy, share));
    } else {
        say(cause, "Nothing for long: it kept %.2f of %.3g cores busy on average", used,
            cores(summary));
    }
    double io = stall_share(summary, TK_STALL_IO);
    if (io >= 0.005)
        say(cause, "; some task waited for I/O %s of the time", tk_share_format(io, share));
    say(cause, ".");
}

static const struct rule rules[] = {
    {"out_of_memory", 1, HOWEVER_SHORT, measure_oom, explain_oom},
    {"cpu_quota", 0.05, ORDINARY, measure_quota, explain_quota},
    {"steal", 0.05, ORDINARY, measure_steal, explain_steal},
    {"memory", 0.05, ORDINARY, measure_memory, explain_memory},
    {"swap", 0.01, ORDINARY, measure_swap, explain_swap},
    {"disk", 0.10, ORDINARY, measure_disk, explain_disk},
    {"cpu", 0.25, ORDINARY, measure_cpu, explain_cpu},
    {"competition", 0.10, ORDINARY, measure_others, explain_others},
    {"one_core", 0.80, ORDINARY, measure_serial, explain_serial},
    {"network", 0.70, ORDINARY, measure_network, explain_network},
    {"not_known", 1, FALLBACK, measure_unknown, explain_unknown},
    {"too_short", 1, FALLBACK, measure_short, explain_short},
    {"idle", 0.80, FALLBACK, idle_share, explain_idle},
    {"nothing", 0, FALLBACK, measure_mixed, explain_mixed},
};

/* Put it where it belongs by share, after its equals. */
static void insert(struct tk_cause *causes, size_t count, const struct tk_cause *cause)
{
    size_t at = count;
    for (; at > 0 && causes[at - 1].share < cause->share; at--)
        causes[at] = causes[at - 1];
    causes[at] = *cause;
}

size_t tk_causes_find(const struct tk_summary *summary, struct tk_cause ret_causes[TK_CAUSES_MAX])
{
    _Static_assert(TK_COUNTOF(rules) <= TK_CAUSES_MAX, "every rule may fire");
    size_t count = 0;
    for (size_t i = 0; i < TK_COUNTOF(rules); i++) {
        if (rules[i].kind == FALLBACK && count > 0)
            break;
        if (rules[i].kind == ORDINARY && measure_short(summary) > 0)
            continue;
        double share = rules[i].measure(summary);
        if (!(share >= rules[i].threshold))
            continue;
        struct tk_cause cause = {.name = rules[i].name, .share = share};
        rules[i].explain(summary, &cause);
        insert(ret_causes, count++, &cause);
    }
    return count;
}
