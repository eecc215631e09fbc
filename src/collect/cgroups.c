/* SPDX-License-Identifier: Apache-2.0 */
/* The set of control groups and its tick. A group costs 0.3 us (version 1) or 0.5 us (2) each tick,
 * for its CPU time: as long as that stands still the files of detail wait for the slow turn. */
#include "collect/cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "collect/cgroups_internal.h"

#define DEFAULT_MAX_GROUPS 1000
#define DETAIL_NS          TK_NS_PER_S
#define SLOW_NS            (10 * TK_NS_PER_S)
#define LEAST_WALK_NS      (250 * TK_NS_PER_MS) /* between two walks while groups come and go */
#define EARLY_NS           (50 * TK_NS_PER_MS)  /* a turn comes a little early, not a tick late */

/* Files that tell how many groups there are. */
enum {
    PROC_CGROUPS, /* "memory 4 30 1" per controller */
    CGROUP_STAT,  /* of version 2: "nr_descendants 3" */
};

/* Rows -------------------------------------------------------------------------------- */

/* Where a counter of a reading goes, and in which unit. */
struct column {
    size_t offset;
    size_t column;
    enum tk_cgroup_class class;
    int64_t divisor;
};

#define FIELD(field) offsetof(struct tk_cgroup_reading, field)

static const struct column columns[] = {
    {FIELD(cpu_ns), TK_CGROUP_METRICS_CPU_NS, TK_CGROUP_FAST, 1},
    {FIELD(user_ns), TK_CGROUP_METRICS_USER_NS, TK_CGROUP_DETAIL, 1},
    {FIELD(system_ns), TK_CGROUP_METRICS_SYSTEM_NS, TK_CGROUP_DETAIL, 1},
    {FIELD(nr_periods), TK_CGROUP_METRICS_NR_PERIODS, TK_CGROUP_DETAIL, 1},
    {FIELD(nr_throttled), TK_CGROUP_METRICS_NR_THROTTLED, TK_CGROUP_DETAIL, 1},
    {FIELD(throttled_ns), TK_CGROUP_METRICS_THROTTLED_US, TK_CGROUP_DETAIL, 1000},
    {FIELD(memory_bytes), TK_CGROUP_METRICS_MEM_BYTES, TK_CGROUP_DETAIL, 1},
    {FIELD(memory_peak_bytes), TK_CGROUP_METRICS_MEM_PEAK_BYTES, TK_CGROUP_DETAIL, 1},
    {FIELD(rd_bytes), TK_CGROUP_METRICS_RD_BYTES, TK_CGROUP_DETAIL, 1},
    {FIELD(wr_bytes), TK_CGROUP_METRICS_WR_BYTES, TK_CGROUP_DETAIL, 1},
    {FIELD(pids), TK_CGROUP_METRICS_PIDS, TK_CGROUP_DETAIL, 1},
    {FIELD(memory_limit_bytes), TK_CGROUP_METRICS_MEM_LIMIT_BYTES, TK_CGROUP_SLOW, 1},
    {FIELD(psi_cpu_some_us), TK_CGROUP_METRICS_PSI_CPU_SOME_US, TK_CGROUP_SLOW, 1},
    {FIELD(psi_io_some_us), TK_CGROUP_METRICS_PSI_IO_SOME_US, TK_CGROUP_SLOW, 1},
    {FIELD(psi_memory_some_us), TK_CGROUP_METRICS_PSI_MEM_SOME_US, TK_CGROUP_SLOW, 1},
    {FIELD(psi_cpu_full_us), TK_CGROUP_METRICS_PSI_CPU_FULL_US, TK_CGROUP_SLOW, 1},
    {FIELD(psi_io_full_us), TK_CGROUP_METRICS_PSI_IO_FULL_US, TK_CGROUP_SLOW, 1},
    {FIELD(psi_memory_full_us), TK_CGROUP_METRICS_PSI_MEM_FULL_US, TK_CGROUP_SLOW, 1},
};

static int64_t value_of(const struct tk_cgroup_reading *reading, const struct column *column)
{
    const char *field = (const char *)reading + column->offset;
    return *(const int64_t *)(const void *)field;
}

/* Did anything change of what was read, or is there anything at all to tell of a new group? */
static bool is_news(const struct tk_cgroup *group, const struct tk_cgroup_reading *now,
                    enum tk_cgroup_class class)
{
    if (now->cpu_limit_cores != group->last.cpu_limit_cores)
        return true;
    for (size_t i = 0; i < TK_COUNTOF(columns); i++) {
        int64_t value = value_of(now, &columns[i]);
        if (columns[i].class > class)
            continue;
        if (group->row_ns == 0 ? value > 0 : value != value_of(&group->last, &columns[i]))
            return true;
    }
    return false;
}

static void put_names(struct tk_batch *row, const struct tk_container_names *names)
{
    if (names->name[0])
        tk_batch_set_text(row, TK_CGROUP_METRICS_CONTAINER_NAME, tk_str_from(names->name));
    if (names->pod[0])
        tk_batch_set_text(row, TK_CGROUP_METRICS_POD, tk_str_from(names->pod));
    if (names->namespace[0])
        tk_batch_set_text(row, TK_CGROUP_METRICS_NAMESPACE, tk_str_from(names->namespace));
}

/* Columns of classes up to `class`: those that were read now. */
static void put_row(const struct tk_cgroups *groups, const struct tk_cgroup *group,
                    const struct tk_cgroup_reading *now, enum tk_cgroup_class class, int64_t now_ns,
                    struct tk_rows *rows)
{
    struct tk_batch *row = tk_rows_begin(rows, TK_TABLE_CGROUP_METRICS);
    int64_t ns = tk_anchor_from_mono(&groups->kernel->anchor, now_ns);
    tk_batch_set_i64(row, TK_CGROUP_METRICS_TS_MS, ns / TK_NS_PER_MS);
    tk_batch_set_i64(row, TK_CGROUP_METRICS_TS_US, ns / TK_NS_PER_US);
    tk_batch_set_text(row, TK_CGROUP_METRICS_NODE, tk_str_from(groups->options.node));
    tk_batch_set_text(row, TK_CGROUP_METRICS_HOST, tk_str_from(groups->options.host));
    tk_batch_set_text(row, TK_CGROUP_METRICS_CGROUP, tk_str_from(group->path));
    if (group->container[0])
        tk_batch_set_text(row, TK_CGROUP_METRICS_CONTAINER, tk_str_from(group->container));
    if (group->names)
        put_names(row, group->names);
    if (group->row_ns > 0) {
        int64_t before = tk_anchor_from_mono(&groups->kernel->anchor, group->row_ns);
        tk_batch_set_i64(row, TK_CGROUP_METRICS_DT_MS, ns / TK_NS_PER_MS - before / TK_NS_PER_MS);
    }
    for (size_t i = 0; i < TK_COUNTOF(columns); i++) {
        int64_t value = value_of(now, &columns[i]);
        if (columns[i].class <= class && value >= 0)
            tk_batch_set_i64(row, columns[i].column, value / columns[i].divisor);
    }
    if (class == TK_CGROUP_SLOW && now->cpu_limit_cores > 0)
        tk_batch_set_f64(row, TK_CGROUP_METRICS_CPU_LIMIT_CORES, now->cpu_limit_cores);
}

/* Has a group that now shows `cpu_ns` run since its files of detail were read? A group without a
 * file of CPU time never tells. */
static bool has_run(const struct tk_cgroup *group, int64_t cpu_ns)
{
    return cpu_ns < 0 || cpu_ns != group->cpu_at_detail_ns;
}

/* Which classes are due for a group whose CPU time is now `cpu_ns`. */
static enum tk_cgroup_class due_class(const struct tk_cgroups *groups,
                                      const struct tk_cgroup *group, int64_t cpu_ns, int64_t now_ns)
{
    int64_t slow_ns = tk_pace_slow_ns(groups->options.pace, SLOW_NS);
    int64_t detail_ns = tk_pace_detail_ns(groups->options.pace, DETAIL_NS);
    if (group->slow_ns == 0 || now_ns - group->slow_ns >= slow_ns - EARLY_NS)
        return TK_CGROUP_SLOW;
    return has_run(group, cpu_ns) && now_ns - group->detail_ns >= detail_ns - EARLY_NS
               ? TK_CGROUP_DETAIL
               : TK_CGROUP_FAST;
}

/* What walks tell needs no file, and one who walks knows who has done nothing at all since the slow
 * files were read last: those files say what they said. */
static bool may_skip_files(const struct tk_cgroup *group, int64_t cpu_ns)
{
    return group->has != 0 && group->slow_ns > 0 && cpu_ns == group->cpu_at_slow_ns;
}

/* Read the classes above the fast one, up to `class`. */
static void read_detail(struct tk_cgroups *groups, struct tk_cgroup *group,
                        enum tk_cgroup_class class, int64_t now_ns, struct tk_cgroup_reading *now)
{
    bool idle = !has_run(group, now->cpu_ns);
    bool skip = may_skip_files(group, now->cpu_ns) && !groups->finishing;
    tk_cgroup_records_apply(group, TK_CGROUP_DETAIL, now);
    if (class == TK_CGROUP_SLOW && !skip)
        tk_cgroup_look_again(group);
    if (!skip && !tk_cgroup_read(groups, group, TK_CGROUP_DETAIL, now) && now->cpu_ns < 0)
        group->gone = true;
    group->detail_ns = now_ns;
    group->cpu_at_detail_ns = now->cpu_ns;
    if (class != TK_CGROUP_SLOW)
        return;
    tk_cgroup_records_apply(group, TK_CGROUP_SLOW, now);
    if (!skip)
        (void)tk_cgroup_read(groups, group, TK_CGROUP_SLOW, now);
    group->slow_ns = now_ns;
    group->cpu_at_slow_ns = now->cpu_ns;
    if (idle)
        tk_cgroup_fds_yield(groups, group);
}

/* The time of a reading: all that a walk finds is of one moment. */
static int64_t reading_ns(const struct tk_cgroups *groups, const struct tk_cgroup *group)
{
    return group->has != 0 ? groups->records.ns : groups->kernel->mono_ns(groups->kernel->world);
}

static void tick_group(struct tk_cgroups *groups, struct tk_cgroup *group, struct tk_rows *rows)
{
    struct tk_cgroup_reading now = group->last;
    int64_t now_ns = reading_ns(groups, group);
    tk_cgroup_records_apply(group, TK_CGROUP_FAST, &now);
    if (!tk_cgroup_read(groups, group, TK_CGROUP_FAST, &now) && group->last.cpu_ns >= 0)
        group->gone = true;
    enum tk_cgroup_class class =
        groups->finishing ? TK_CGROUP_SLOW : due_class(groups, group, now.cpu_ns, now_ns);
    if (class >= TK_CGROUP_DETAIL)
        read_detail(groups, group, class, now_ns, &now);
    if (group->gone) {
        tk_cgroups_close_fds(groups, group);
        groups->lost_one = true;
        return;
    }
    if (!is_news(group, &now, class))
        return;
    put_row(groups, group, &now, class, now_ns, rows);
    group->last = now;
    group->row_ns = now_ns;
}

/* The numbers of groups of all hierarchies as one: it moves when groups come or go. 1.5 us. */
static uint64_t take_fingerprint(struct tk_cgroups *groups)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < TK_COUNTOF(groups->count_fds); i++) {
        ssize_t n = groups->count_fds[i] < 0
                        ? 0
                        : pread(groups->count_fds[i], groups->buf, sizeof(groups->buf), 0);
        groups->syscalls += groups->count_fds[i] >= 0;
        tk_str text = {groups->buf, n > 0 ? (size_t)n : 0};
        tk_str first_line = text;
        if (i == CGROUP_STAT) /* its other lines move for other reasons */
            (void)tk_str_take_line(&text, &first_line);
        hash = tk_cgroup_hash(hash, first_line);
    }
    return hash;
}

/* Whether what is done each 10 s is due; `last_ns` is when it was done last, 0 = never. */
static bool is_slow_turn(const struct tk_cgroups *groups, int64_t last_ns)
{
    int64_t slow_ns = tk_pace_slow_ns(groups->options.pace, SLOW_NS);
    return last_ns == 0 || groups->tick_ns - last_ns >= slow_ns - EARLY_NS;
}

/* Files tell how many groups there are at most: they are looked for each 10 s, and at the end. */
static void find_when_due(struct tk_cgroups *groups)
{
    uint64_t fingerprint = take_fingerprint(groups);
    int64_t since_ns = groups->tick_ns - groups->walk_ns;
    bool changed = fingerprint != groups->fingerprint || groups->lost_one;
    if (!groups->finishing && !is_slow_turn(groups, groups->walk_ns) &&
        (!changed || since_ns < LEAST_WALK_NS))
        return;
    groups->fingerprint = fingerprint;
    groups->lost_one = false;
    groups->walk_ns = groups->tick_ns;
    tk_cgroups_find(groups);
}

/* Walks tell which groups there are. All are looked for once, and where they cannot be looked up
 * each by itself; a rename moves all that is below it, too. */
static void follow_walk(struct tk_cgroups *groups)
{
    int64_t since_ns = groups->tick_ns - groups->walk_ns;
    bool is_first = groups->walk_ns == 0;
    if (!is_first && tk_cgroup_records_take(groups))
        return;
    if (is_first || groups->records.renamed || !tk_cgroups_look_up(groups)) {
        if (!is_first && since_ns < LEAST_WALK_NS && !groups->finishing)
            return;
        groups->records.renamed = false;
        groups->walk_ns = groups->tick_ns;
        tk_cgroups_find(groups);
    }
    groups->lost_one = false;
    tk_cgroup_records_match(groups);
    tk_cgroup_ignore_strangers(groups);
}

/* Runtimes name their containers without a group coming or going. Without a walk the names were
 * looked for with the groups. */
static void find_names_when_due(struct tk_cgroups *groups)
{
    if (!tk_cgroup_has_records(groups) || !is_slow_turn(groups, groups->names_ns))
        return;
    groups->names_ns = groups->tick_ns;
    tk_cgroups_find_names(groups);
}

void tk_cgroup_devices_find_when_due(struct tk_cgroups *groups)
{
    if (!is_slow_turn(groups, groups->devices_ns))
        return;
    groups->devices_ns = groups->tick_ns;
    groups->syscalls += TK_CGROUP_LIST_CALLS;
    tk_cgroup_devices_find(groups->kernel->rootfd, &groups->stacked);
}

/* Those that the walk has met, or the others: rows are in the order of their stamps, and a walk is
 * over before the first file is read. */
static void tick_groups(struct tk_cgroups *groups, bool is_met, struct tk_rows *rows)
{
    for (size_t i = 0; i < groups->count; i++) {
        struct tk_cgroup *group = &groups->groups[i];
        if (!group->gone && (group->has != 0) == is_met)
            tick_group(groups, group, rows);
    }
}

static void tick(struct tk_cgroups *groups, struct tk_rows *rows)
{
    if (tk_cgroup_has_records(groups))
        tk_cgroup_records_walk(groups);
    groups->tick_ns = groups->kernel->mono_ns(groups->kernel->world);
    if (tk_cgroup_has_records(groups)) {
        follow_walk(groups);
    } else {
        find_when_due(groups);
    }
    find_names_when_due(groups);
    tick_groups(groups, true, rows);
    tick_groups(groups, false, rows);
}

void tk_cgroups_announce(const struct tk_cgroups *groups)
{
    const struct tk_group_walker *walker = &groups->records.walker;
    if (tk_cgroup_has_records(groups))
        walker->announce(walker->context);
}

void tk_cgroups_tick(struct tk_cgroups *groups, struct tk_rows *rows)
{
    tick(groups, rows);
}

void tk_cgroups_finish(struct tk_cgroups *groups, struct tk_rows *rows)
{
    groups->finishing = true;
    tick(groups, rows);
    groups->finishing = false;
}

/* Life -------------------------------------------------------------------------------- */

/* cgroup.stat (Linux 4.14) tells all about a host that has version 2 alone. */
static void open_counts(struct tk_cgroups *groups)
{
    char path[TK_CGROUP_PATH_MAX];
    if (tk_cgroup_file_path(&groups->mounts, TK_CGROUP_V2, "/", "cgroup.stat", path,
                            sizeof(path)) == 0)
        groups->count_fds[CGROUP_STAT] = openat(groups->kernel->rootfd, path, O_RDONLY | O_CLOEXEC);
    if (groups->count_fds[CGROUP_STAT] < 0 || tk_cgroup_mounts_version(&groups->mounts) != 2) {
        groups->count_fds[PROC_CGROUPS] =
            openat(groups->kernel->procfd, "cgroups", O_RDONLY | O_CLOEXEC);
    }
}

int tk_cgroups_new(const struct tk_kernel *kernel, const struct tk_cgroups_options *options,
                   struct tk_cgroups **ret_groups, struct tk_err *err)
{
    struct tk_cgroups *groups = calloc(1, sizeof(*groups));
    if (!groups)
        return tk_fail(err, -ENOMEM, "control groups: out of memory");
    groups->kernel = kernel;
    groups->options = *options;
    groups->max = options->max_groups > 0 ? (size_t)options->max_groups : DEFAULT_MAX_GROUPS;
    tk_cgroup_fds_share(groups);
    groups->groups = calloc(groups->max, sizeof(*groups->groups));
    groups->count_fds[PROC_CGROUPS] = groups->count_fds[CGROUP_STAT] = -1;
    int rc = groups->groups ? tk_cgroup_mounts_read(kernel, &groups->mounts, err)
                            : tk_fail(err, -ENOMEM, "control groups: out of memory");
    if (rc < 0) {
        tk_cgroups_free(groups);
        return rc;
    }
    open_counts(groups);
    if (options->walker)
        tk_cgroup_records_open(groups, options->walker);
    *ret_groups = groups;
    return 0;
}

void tk_cgroups_free(struct tk_cgroups *groups)
{
    if (!groups)
        return;
    for (size_t i = 0; i < groups->count; i++) {
        tk_cgroup_release(groups, &groups->groups[i]);
    }
    tk_fd_close(&groups->count_fds[PROC_CGROUPS]);
    tk_fd_close(&groups->count_fds[CGROUP_STAT]);
    tk_map_release(&groups->by_path);
    tk_cgroup_records_release(groups);
    free(groups->groups);
    free(groups);
}

int tk_cgroups_version(const struct tk_cgroups *groups)
{
    return tk_cgroup_mounts_version(&groups->mounts);
}

void tk_cgroups_read_stats(const struct tk_cgroups *groups, struct tk_cgroups_stats *ret_stats)
{
    *ret_stats = (struct tk_cgroups_stats){
        .groups = (int64_t)groups->count,
        .skipped = groups->skipped,
        .errors = groups->errors,
        .by_walk = tk_cgroup_has_records(groups),
        .why_not = groups->records.why_not,
        .syscalls = groups->syscalls,
    };
}
