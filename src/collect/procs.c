/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/procs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "collect/procs_internal.h"

/* Making ------------------------------------------------------------------------------- */

/* One line on the events that this host does not give. */
static void explain_feed(struct tk_procs *procs)
{
    const struct tk_exit_feed_stats *sources = &procs->sources;
    if (!sources->taskstats) {
        (void)snprintf(procs->why_not, sizeof(procs->why_not),
                       "no exit records of processes (taskstats): %s", sources->taskstats_why_not);
    } else if (!sources->connector) {
        (void)snprintf(procs->why_not, sizeof(procs->why_not),
                       "no fork events (proc connector): %s", sources->connector_why_not);
    }
}

static const struct tk_procs_source *source_of(const struct tk_exit_feed_stats *sources)
{
    if (sources->taskstats)
        return sources->connector ? &tk_procs_by_taskstats : &tk_procs_by_taskstats_alone;
    return sources->connector ? &tk_procs_by_connector : &tk_procs_by_looking;
}

/* The best source of events there is. */
static int open_source(struct tk_procs *procs, struct tk_err *err)
{
    procs->source = &tk_procs_by_looking;
    if (procs->bpf && (tk_bpf_parts(procs->bpf) & TK_BPF_EVENTS)) {
        procs->source = &tk_procs_by_bpf;
        return 0;
    }
    /* Events carry pids of the initial namespace: worth having only where our clocks are, too. */
    if (procs->options.no_events || !procs->kernel->cpu_clock) {
        (void)snprintf(procs->why_not, sizeof(procs->why_not), "no events of processes: %s",
                       procs->options.no_events ? "switched off"
                                                : "/proc is not that of our own pid namespace, or "
                                                  "has no CPU clocks");
        return 0;
    }
    int rc = tk_exit_feed_new(procs->kernel, &procs->feed, err);
    if (rc < 0)
        return rc;
    tk_exit_feed_read_stats(procs->feed, &procs->sources);
    procs->source = source_of(&procs->sources);
    explain_feed(procs);
    return 0;
}

const char *const tk_tier_names[] = {
    [TK_TIER_AUTO] = "auto", [TK_TIER_P] = "P",   [TK_TIER_P0] = "P0",
    [TK_TIER_B2] = "B2",     [TK_TIER_B1] = "B1", NULL,
};

const char *tk_tier_title(enum tk_tier tier)
{
    static const char *const titles[] = {
        [TK_TIER_AUTO] = "the best there is",
        [TK_TIER_P] = "CPU clocks of processes, in nanoseconds",
        [TK_TIER_P0] = "plain /proc, in ticks of 10 ms",
        [TK_TIER_B2] = "all processes by one system call (BPF), in nanoseconds",
        [TK_TIER_B1] = "all processes by one iterator of the kernel (BPF), in nanoseconds",
    };
    return titles[tier];
}

static bool is_walk(enum tk_tier tier)
{
    return tier == TK_TIER_B2 || tier == TK_TIER_B1;
}

/* The pids of a walk are those of our namespace: are those of /proc, too? */
static int load_walk(const struct tk_kernel *kernel, enum tk_tier tier, uint32_t parts,
                     struct tk_bpf **ret_bpf, struct tk_err *err)
{
    if (!kernel->live || !kernel->cpu_clock) {
        return tk_fail(err, -EOPNOTSUPP,
                       "/proc is not that of our own pid namespace, or has no CPU clocks");
    }
    return tk_bpf_new(tier, TK_BPF_TASKS | parts, ret_bpf, err);
}

/* Options that BPF alone can fulfil: without it they are errors. */
static const struct demand {
    uint32_t part; /* of enum tk_bpf_part */
    const char *name, *lack;
} demands[] = {
    {TK_BPF_EXACT, "exact CPU times",
     "the kernel does not let its switches of tasks be followed (tp_btf/sched_switch)"},
    {TK_BPF_NET, "network per process",
     "the kernel does not tell what sockets pass (tp_btf/sock_send_length, sock_recv_length)"},
};

static uint32_t demanded_parts(const struct tk_procs_options *options)
{
    return (options->exact ? TK_BPF_EXACT : 0U) | (options->net ? TK_BPF_NET : 0U);
}

/* The first option that needs one of these parts; NULL = none does. */
static const struct demand *find_demand(uint32_t parts)
{
    for (size_t i = 0; i < TK_COUNTOF(demands); i++) {
        if (demands[i].part & parts)
            return &demands[i];
    }
    return NULL;
}

static int open_walk(struct tk_procs *procs, struct tk_err *err)
{
    uint32_t demanded = demanded_parts(&procs->options);
    uint32_t parts = procs->options.bpf_parts | demanded |
                     (procs->options.no_events ? 0U : TK_BPF_EVENTS) |
                     (procs->options.threads ? TK_BPF_THREADS : 0U) |
                     (procs->options.contexts ? TK_BPF_MAPPINGS : 0U);
    int rc = load_walk(procs->kernel, procs->options.tier, parts, &procs->bpf, err);
    if (rc < 0)
        return rc;
    const struct demand *unmet = find_demand(demanded & ~tk_bpf_parts(procs->bpf));
    if (unmet)
        return tk_fail(err, -EOPNOTSUPP, "%s", unmet->lack);
    procs->tier = tk_bpf_tier(procs->bpf);
    procs->walker = tk_bpf_walker(procs->bpf);
    return 0;
}

/* The best that there is; one that was asked for and cannot be had is an error. */
static int choose_tier(struct tk_procs *procs, struct tk_err *err)
{
    enum tk_tier wanted = procs->options.tier;
    bool is_auto = wanted == TK_TIER_AUTO;
    if (procs->options.walker) {
        procs->tier = wanted;
        procs->walker = *procs->options.walker;
        return 0;
    }
    procs->tier = wanted != TK_TIER_P0 && procs->kernel->cpu_clock ? TK_TIER_P : TK_TIER_P0;
    const struct demand *demand = find_demand(demanded_parts(&procs->options));
    if (!is_auto && !is_walk(wanted)) {
        return demand ? tk_fail(err, -EINVAL, "%s: tier %s has none, B2 and B1 do", demand->name,
                                tk_tier_names[wanted])
                      : 0;
    }
    int rc = open_walk(procs, err);
    if (rc < 0 && demand)
        return tk_err_prefix(err, "%s", demand->name);
    if (rc < 0 && !is_auto)
        return tk_err_prefix(err, "tier %s", tk_tier_names[wanted]);
    if (rc < 0) {
        (void)tk_str_to_cstr(tk_str_from(err->msg), procs->tier_why_not,
                             sizeof(procs->tier_why_not));
    }
    return rc == -ENOMEM ? rc : 0;
}

static int open_sources(struct tk_procs *procs, struct tk_err *err)
{
    const struct tk_kernel *kernel = procs->kernel;
    int rc = tk_proc_files_init(&procs->files, kernel->procfd, err);
    if (rc < 0)
        return rc;
    rc = tk_dir_open(kernel->procfd, ".", &procs->dir_fd, err);
    if (rc < 0)
        return rc;
    procs->loadavg_fd = openat(kernel->procfd, "loadavg", O_RDONLY | O_CLOEXEC);
    if (procs->options.match && procs->options.match[0]) {
        rc = tk_match_init(&procs->match, procs->options.match, err);
        if (rc < 0)
            return rc;
    }
    return open_source(procs, err);
}

int tk_procs_new(const struct tk_kernel *kernel, const struct tk_procs_options *options,
                 struct tk_procs **ret_procs, struct tk_err *err)
{
    struct tk_procs *procs = calloc(1, sizeof(*procs));
    if (!procs)
        return tk_fail(err, -ENOMEM, "processes: out of memory");
    procs->kernel = kernel;
    procs->options = *options;
    procs->own_pid = getpid();
    procs->pid_dir_fd = procs->loadavg_fd = procs->dir_fd = -1;
    procs->first_forks = procs->last_forks = -1;
    tk_exit_sums_init(&procs->sums);
    tk_procs_follow_boot_clock(procs);
    tk_procs_contexts_init(procs);
    tk_procs_probe_fds(procs);
    procs->set.has_memory = options->pss_budget_ns > 0;
    procs->set.has_extra = options->net || options->exact;
    int rc = choose_tier(procs, err);
    if (rc == 0)
        rc = open_sources(procs, err);
    if (rc < 0) {
        tk_procs_free(procs);
        return rc;
    }
    if (options->tree_root != 0)
        tk_procs_set_tree_root(procs, options->tree_root);
    *ret_procs = procs;
    return 0;
}

struct tk_bpf *tk_procs_bpf(const struct tk_procs *procs)
{
    return procs->bpf;
}

void tk_procs_free(struct tk_procs *procs)
{
    if (!procs)
        return;
    tk_bpf_free(procs->bpf);
    tk_exit_feed_free(procs->feed);
    tk_exit_sums_release(&procs->sums);
    tk_match_release(&procs->match);
    tk_groups_release(&procs->groups);
    tk_proc_files_release(&procs->files);
    tk_proc_set_release(&procs->set);
    tk_thread_set_release(&procs->threads.set);
    tk_procs_contexts_release(&procs->contexts);
    tk_fd_close(&procs->pid_dir_fd);
    tk_fd_close(&procs->loadavg_fd);
    tk_fd_close(&procs->dir_fd);
    tk_pages_resize(procs->touched, procs->touched_cap * sizeof(*procs->touched), 0);
    free(procs);
}

void tk_procs_set_tree_root(struct tk_procs *procs, pid_t pid)
{
    struct tk_pid_stat stat;
    procs->options.tree_root = pid;
    uint32_t i = tk_proc_set_find(&procs->set, pid);
    if (i == TK_PROC_NONE && tk_procs_read_stat(procs, pid, &stat) == 0) {
        i = tk_procs_add(procs, pid);
        if (i != TK_PROC_NONE)
            tk_procs_apply_stat(procs, i, &stat);
    }
    /* Gone already: its events wait, and they know it by its pid. */
    if (i == TK_PROC_NONE)
        return;
    procs->root_is_child = procs->set.facts[i].ppid == procs->own_pid;
    tk_procs_judge(procs, i);
    tk_procs_join_families(procs, true);
}

/* Running ------------------------------------------------------------------------------ */

static bool has_dropped(const struct tk_procs *procs)
{
    return procs->sources.dropped > 0 || procs->sources.overruns > 0;
}

bool tk_procs_wants_forks(const struct tk_procs *procs)
{
    bool is_deaf = !tk_procs_has_events(procs) && !tk_procs_has_records(procs);
    return procs->source != &tk_procs_by_bpf && (!procs->started || is_deaf || has_dropped(procs));
}

void tk_procs_tick(struct tk_procs *procs, int64_t forks, struct tk_rows *rows)
{
    tk_procs_drain(procs, rows);
    if (!procs->started) {
        tk_procs_start(procs, rows);
        tk_procs_drain(procs, rows);
        procs->first_forks = forks;
        procs->fork_events = procs->seen_forks = 0;
    }
    if (forks >= 0)
        procs->last_forks = forks;
    if (procs->options.pid_dir)
        tk_procs_read_pid_dir(procs, rows);
    tk_procs_sweep(procs, rows, procs->options.every_tick);
    tk_procs_read_pss(procs);
    tk_procs_read_contexts(procs, rows);
}

int64_t tk_procs_drain_interval_ns(const struct tk_procs *procs)
{
    return procs->source->drain_ns;
}

int tk_procs_drain_fd(const struct tk_procs *procs)
{
    return procs->source == &tk_procs_by_bpf ? tk_bpf_event_fd(procs->bpf) : -1;
}

void tk_procs_finish(struct tk_procs *procs, struct tk_rows *rows)
{
    tk_procs_drain(procs, rows);
    tk_procs_end_late(procs, rows, INT64_MAX);
    tk_procs_read_pss(procs);
    tk_procs_sweep(procs, rows, true);
    tk_procs_read_contexts(procs, rows);
}

/* Asking ------------------------------------------------------------------------------- */

/* Forks that no birth was seen for. */
static int64_t unseen_forks(const struct tk_procs *procs, int64_t seen)
{
    if (procs->first_forks < 0 || procs->last_forks < 0)
        return -1;
    int64_t unseen = procs->last_forks - procs->first_forks - seen;
    return unseen > 0 ? unseen : 0;
}

static int64_t lost_exits(const struct tk_procs *procs)
{
    if (!tk_procs_has_events(procs) && !tk_procs_has_records(procs))
        return unseen_forks(procs, procs->seen_forks);
    if (procs->source == &tk_procs_by_bpf) {
        int64_t refused = procs->ring.dropped_ends;
        return refused > procs->lost_records ? refused : procs->lost_records;
    }
    int64_t unseen = has_dropped(procs) ? unseen_forks(procs, procs->fork_events) : 0;
    return procs->lost_records + (unseen > 0 ? unseen : 0);
}

void tk_procs_read_stats(const struct tk_procs *procs, struct tk_procs_stats *ret_stats)
{
    int64_t alive = 0;
    for (uint32_t i = 0; i < procs->set.count; i++)
        alive += (procs->set.clocks[i].flags & TK_PROC_MEMBER) != 0;
    *ret_stats = (struct tk_procs_stats){
        .tier = procs->tier,
        .tier_why_not = procs->tier_why_not,
        .tier_changes = procs->tier_changes,
        .rss_exact = tk_procs_has_walk(procs) && procs->walker.rss_exact,
        .cpu_exact = tk_procs_has_walk(procs) && procs->options.exact,
        .cut = procs->cut,
        .exit_source = procs->source->name,
        .rung = tk_procs_has_records(procs) ? "A" : "C",
        .why_not = procs->why_not,
        .notice = procs->match.repaired ? "PROC_MATCH had lost '$|' before '^', as make does to "
                                          "it: read with them put back"
                                        : "",
        .alive = alive,
        .births = procs->births,
        .exits = procs->exits_seen,
        .lost_exits = lost_exits(procs),
        .dropped_events = procs->sources.dropped + procs->sources.overruns + procs->ring.dropped,
        .unreadable = procs->unreadable,
        .sweep_ns = procs->sweep_ns,
        .pss_left_out = procs->pss.left_out,
        .threads_left_out = procs->threads.left_out,
        .context_source = tk_procs_context_source(procs),
        .contexts_refused = procs->contexts.refused,
        .contexts_left_out = procs->contexts.left_out,
        .detail_ticks = procs->detail_ticks,
        .syscalls = procs->sweep_syscalls,
        .all_syscalls = procs->syscalls + procs->files.syscalls + procs->sources.syscalls,
        .ran = procs->looked,
    };
}

int64_t tk_procs_own_cpu_ns(const struct tk_procs *procs)
{
    uint32_t i =
        tk_procs_has_walk(procs) ? tk_proc_set_find(&procs->set, procs->own_pid) : TK_PROC_NONE;
    bool is_met = i != TK_PROC_NONE && procs->set.facts[i].group_mark != 0 &&
                  !(procs->set.clocks[i].flags & TK_PROC_UNMET);
    return is_met ? procs->set.clocks[i].cpu_ns : -1;
}

int64_t tk_procs_tree_cpu_ns(const struct tk_procs *procs, bool *ret_exact)
{
    int64_t cpu_ns = procs->tree_ended_ns;
    for (uint32_t i = 0; i < procs->set.count; i++) {
        if (procs->set.clocks[i].flags & TK_PROC_IN_TREE)
            cpu_ns += procs->set.clocks[i].cpu_ns;
    }
    *ret_exact = tk_procs_has_records(procs) && tk_procs_has_events(procs) &&
                 !procs->tree_inexact && lost_exits(procs) == 0;
    return cpu_ns;
}

int64_t tk_procs_tree_count(const struct tk_procs *procs)
{
    int64_t count = procs->tree_ended;
    for (uint32_t i = 0; i < procs->set.count; i++)
        count += (procs->set.clocks[i].flags & TK_PROC_IN_TREE) != 0;
    return count;
}

void tk_procs_each(const struct tk_procs *procs,
                   void (*visit)(void *context, const struct tk_proc *proc), void *context)
{
    for (uint32_t i = 0; i < procs->set.count; i++) {
        const struct tk_proc_clock *clock = &procs->set.clocks[i];
        const struct tk_proc_facts *facts = &procs->set.facts[i];
        if (!(clock->flags & TK_PROC_MEMBER))
            continue;
        bool is_read = !(clock->flags & TK_PROC_FRESH) || (clock->flags & TK_PROC_BORN);
        struct tk_proc proc = {
            .pid = clock->pid,
            .ppid = facts->ppid,
            .start_ticks = facts->start_ticks,
            .state = facts->state,
            .in_tree = (clock->flags & TK_PROC_IN_TREE) != 0,
            .cgroup = tk_groups_path(&procs->groups, facts->group),
            .container = tk_groups_container(&procs->groups, facts->group),
            .uid = facts->uid,
            .cpu_ns = is_read ? clock->cpu_ns : -1,
            .utime_ns = facts->utime_ns,
            .stime_ns = facts->stime_ns,
            .rss_bytes = facts->rss_pages >= 0 ? facts->rss_pages * procs->kernel->page_bytes : -1,
            .threads = facts->threads,
            .rd_bytes = facts->rd_bytes,
            .wr_bytes = facts->wr_bytes,
            .minflt = facts->minflt,
            .majflt = facts->majflt,
            .nvcsw = facts->nvcsw,
            .nivcsw = facts->nivcsw,
            .run_delay_ns = facts->run_delay_ns,
            .cpu_delta_ns =
                facts->row_tick == procs->swept_tick ? facts->delta_us * TK_NS_PER_US : 0,
            .stamp_ns = procs->sweep_end_ns,
        };
        memcpy(proc.comm, facts->comm, sizeof(proc.comm));
        visit(context, &proc);
    }
}

/* Probing ------------------------------------------------------------------------------ */

/* Process 1 is another user's, unless we are root; without hidepid anybody can read its stat. */
static bool has_hidepid(const struct tk_kernel *kernel)
{
    int fd = openat(kernel->procfd, "1/stat", O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

/* Loads the programs and lets them go again. */
static void try_walk(const struct tk_kernel *kernel, struct tk_procs_probe *probe)
{
    struct tk_bpf *bpf = NULL;
    struct tk_err err;
    probe->tier = kernel->cpu_clock ? TK_TIER_P : TK_TIER_P0;
    if (load_walk(kernel, TK_TIER_AUTO, TK_BPF_EVENTS | TK_BPF_ALL_CGROUPS | TK_BPF_MAPPINGS, &bpf,
                  &err) < 0) {
        (void)tk_str_to_cstr(tk_str_from(err.msg), probe->walk_why_not,
                             sizeof(probe->walk_why_not));
        return;
    }
    probe->tier = tk_bpf_tier(bpf);
    probe->rss_exact = tk_bpf_walker(bpf).rss_exact;
    probe->ring = (tk_bpf_parts(bpf) & TK_BPF_EVENTS) != 0;
    probe->mappings = (tk_bpf_parts(bpf) & TK_BPF_MAPPINGS) != 0;
    probe->group_walk = (tk_bpf_parts(bpf) & TK_BPF_CGROUPS) != 0;
    tk_bpf_free(bpf);
}

void tk_procs_try(const struct tk_kernel *kernel, struct tk_procs_probe *ret_probe)
{
    struct tk_exit_feed *feed = NULL;
    struct tk_exit_feed_stats sources = {.connector_why_not = "out of memory",
                                         .taskstats_why_not = "out of memory"};
    struct tk_err ignored;
    if (tk_exit_feed_new(kernel, &feed, &ignored) == 0)
        tk_exit_feed_read_stats(feed, &sources);
    *ret_probe = (struct tk_procs_probe){
        .cpu_clock = kernel->cpu_clock != NULL,
        .connector = sources.connector,
        .taskstats = sources.taskstats,
        .taskstats_version = sources.version,
        .hidepid = has_hidepid(kernel),
    };
    try_walk(kernel, ret_probe);
    (void)tk_str_to_cstr(tk_str_from(sources.connector_why_not), ret_probe->connector_why_not,
                         sizeof(ret_probe->connector_why_not));
    (void)tk_str_to_cstr(tk_str_from(sources.taskstats_why_not), ret_probe->taskstats_why_not,
                         sizeof(ret_probe->taskstats_why_not));
    tk_exit_feed_free(feed);
}
