/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups by a walk in the kernel: one system call tells the CPU time, throttling, memory
 * and processes of all groups (four where version 2 is in use, which has to be told to add up
 * first). Record n is that of the same group from walk to walk, as long as no group comes or goes;
 * so whose it is is looked up once, by the inode of its folder. What the kernel does not tell
 * (block I/O, pressure) is read from files, of groups that have run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/number.h"
#include "collect/cgroups_internal.h"
#include "collect/cpu_split.h"

#define NO_OWNER UINT32_MAX
#define NO_LIMIT (INT64_MAX / 4096 * 4096 / 2) /* as in cgroup_files.c */

/* Whose ---------------------------------------------------------------------------------- */

/* The folders of a group in the hierarchies that are covered. */
static int index_group(const struct tk_cgroups *groups, size_t index, struct tk_map *by_id)
{
    const struct tk_cgroup *group = &groups->groups[index];
    for (size_t i = 0; i < TK_CGROUP_HIERARCHIES; i++) {
        int slot = groups->records.slots[i];
        if (slot < 0 || group->ids[i] == 0)
            continue;
        int rc =
            tk_map_add(by_id, tk_cgroup_record_key((uint32_t)slot, group->ids[i]), (uint32_t)index);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int index_groups(const struct tk_cgroups *groups, struct tk_map *by_id)
{
    for (size_t i = 0; i < groups->count; i++) {
        int rc = index_group(groups, i, by_id);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool reserve_owners(struct tk_cgroup_records *records)
{
    size_t cap = records->owner_cap;
    if (records->last.count <= cap)
        return true;
    while (cap < records->last.count)
        cap = cap ? 2 * cap : 64;
    struct tk_cgroup_owner *owners = realloc(records->owners, cap * sizeof(*owners));
    if (!owners)
        return false;
    records->owners = owners;
    records->owner_cap = cap;
    return true;
}

/* What they say -------------------------------------------------------------------------- */

static int64_t bytes_of(const struct tk_cgroups *groups, uint64_t pages)
{
    uint64_t page_bytes = (uint64_t)groups->kernel->page_bytes;
    return pages > INT64_MAX / page_bytes ? INT64_MAX : (int64_t)(pages * page_bytes);
}

/* cpu.stat tells us; rows are the same whichever way they were read. */
static int64_t whole_us(int64_t ns)
{
    return ns / TK_NS_PER_US * TK_NS_PER_US;
}

static void take_cpu_time(const struct tk_bpf_group *record, uint32_t has,
                          struct tk_cgroup_reading *kernel)
{
    struct tk_cpu_split before = {kernel->user_ns, kernel->system_ns};
    kernel->cpu_ns = (int64_t)record->cpu_ns;
    kernel->user_ns = (int64_t)record->user_ns;
    kernel->system_ns = (int64_t)record->system_ns;
    if (!(has & TK_BPF_HAS_USAGE))
        return;
    struct tk_cpu_split said = {(int64_t)record->prev_user_ns, (int64_t)record->prev_system_ns};
    if (before.user_ns + before.system_ns > said.user_ns + said.system_ns)
        said = before;
    tk_cpu_split_scale(&said, kernel->cpu_ns, record->user_ns, record->system_ns);
    kernel->cpu_ns = whole_us(kernel->cpu_ns);
    kernel->user_ns = whole_us(said.user_ns);
    kernel->system_ns = whole_us(said.system_ns);
}

static void take_bandwidth(const struct tk_bpf_group *record, struct tk_cgroup_reading *kernel)
{
    uint64_t quota_us = record->quota_ns / TK_NS_PER_US;
    uint64_t period_us = record->period_ns / TK_NS_PER_US;
    kernel->nr_periods = (int64_t)record->periods;
    kernel->nr_throttled = (int64_t)record->throttled;
    kernel->throttled_ns = (int64_t)record->throttled_ns;
    kernel->cpu_limit_cores = 0;
    if (record->quota_ns != TK_BPF_NO_QUOTA && period_us > 0)
        kernel->cpu_limit_cores = (double)quota_us / (double)period_us;
}

static void take_memory(const struct tk_cgroups *groups, const struct tk_bpf_group *record,
                        struct tk_cgroup_reading *kernel)
{
    int64_t limit = bytes_of(groups, record->memory_limit_pages);
    kernel->memory_bytes = bytes_of(groups, record->memory_pages);
    kernel->memory_peak_bytes = bytes_of(groups, record->memory_peak_pages);
    kernel->memory_limit_bytes = limit < NO_LIMIT ? limit : -1;
}

static void take_record(const struct tk_cgroups *groups, struct tk_cgroup *group,
                        const struct tk_bpf_group *record)
{
    uint32_t has = record->has & groups->records.trusted;
    if (group->hierarchies >> TK_CGROUP_V2 & 1) /* which tells all that cpuacct does, and better */
        has &= ~(uint32_t)TK_BPF_HAS_CPUACCT;
    if (has & (TK_BPF_HAS_USAGE | TK_BPF_HAS_CPUACCT))
        take_cpu_time(record, has, &group->kernel);
    if (has & TK_BPF_HAS_CPU)
        take_bandwidth(record, &group->kernel);
    if (has & TK_BPF_HAS_MEMORY)
        take_memory(groups, record, &group->kernel);
    if (has & TK_BPF_HAS_PIDS)
        group->kernel.pids = (int64_t)record->pids;
    group->has |= has;
}

/* Its owner, if there is one. */
static void match_record(struct tk_cgroups *groups, const struct tk_map *by_id, uint32_t index)
{
    struct tk_cgroup_records *records = &groups->records;
    const struct tk_bpf_group *record = &records->last.groups[index];
    struct tk_cgroup_owner *owner = &records->owners[index];
    uint64_t key = tk_cgroup_record_key(record->hierarchy, record->id);
    uint32_t ignored;
    *owner = (struct tk_cgroup_owner){NO_OWNER, record->has};
    if (!tk_map_find(by_id, key, &owner->group)) {
        records->strangers += !tk_map_find(&records->ignored, key, &ignored);
        return;
    }
    struct tk_cgroup *group = &groups->groups[owner->group];
    uint32_t *mark = &group->marks[record->hierarchy % TK_BPF_HIERARCHIES_MAX];
    if (*mark != 0 && *mark != record->name)
        records->renamed = true;
    *mark = record->name;
    take_record(groups, group, record);
}

void tk_cgroup_records_match(struct tk_cgroups *groups)
{
    struct tk_cgroup_records *records = &groups->records;
    struct tk_map by_id = {0};
    if (!reserve_owners(records) || index_groups(groups, &by_id) < 0) {
        tk_map_release(&by_id);
        records->last.count = 0; /* no memory: with the next tick, perhaps */
        return;
    }
    for (size_t i = 0; i < groups->count; i++) {
        groups->groups[i].was_met = groups->groups[i].has != 0;
        groups->groups[i].has = 0;
    }
    records->strangers = 0;
    for (uint32_t i = 0; i < records->last.count; i++)
        match_record(groups, &by_id, i);
    for (size_t i = 0; i < groups->count; i++) {
        struct tk_cgroup *group = &groups->groups[i];
        if (group->was_met && group->has == 0 && records->last.left_out == 0)
            group->gone = groups->lost_one = true;
    }
    tk_map_release(&by_id);
    records->owned_set = records->last.set;
}

void tk_cgroup_ignore_strangers(struct tk_cgroups *groups)
{
    struct tk_cgroup_records *records = &groups->records;
    for (uint32_t i = 0; i < records->last.count; i++) {
        const struct tk_bpf_group *record = &records->last.groups[i];
        uint64_t key = tk_cgroup_record_key(record->hierarchy, record->id);
        if (records->owners[i].group == NO_OWNER && tk_map_add(&records->ignored, key, 1) == 0)
            records->strangers = 0;
    }
}

/* Those that moved; false when one has got or lost a controller. */
static bool take_moved(struct tk_cgroups *groups)
{
    const struct tk_cgroup_records *records = &groups->records;
    for (uint32_t i = 0; i < records->last.count; i++) {
        const struct tk_bpf_group *record = &records->last.groups[i];
        const struct tk_cgroup_owner *owner = &records->owners[i];
        if (record->moved != records->last.number)
            continue;
        if (record->has != owner->has)
            return false;
        if (owner->group != NO_OWNER)
            take_record(groups, &groups->groups[owner->group], record);
    }
    return true;
}

bool tk_cgroup_records_take(struct tk_cgroups *groups)
{
    struct tk_cgroup_records *records = &groups->records;
    if (records->owned_set != records->last.set || !take_moved(groups))
        tk_cgroup_records_match(groups);
    return records->strangers == 0 && !records->renamed && !groups->lost_one;
}

void tk_cgroup_records_apply(const struct tk_cgroup *group, enum tk_cgroup_class class,
                             struct tk_cgroup_reading *reading)
{
    const struct tk_cgroup_reading *kernel = &group->kernel;
    bool has_time = group->has & (TK_BPF_HAS_USAGE | TK_BPF_HAS_CPUACCT);
    if (has_time && class == TK_CGROUP_FAST)
        reading->cpu_ns = kernel->cpu_ns;
    if (has_time && class == TK_CGROUP_DETAIL) {
        reading->user_ns = kernel->user_ns;
        reading->system_ns = kernel->system_ns;
    }
    if ((group->has & TK_BPF_HAS_CPU) && class == TK_CGROUP_DETAIL) {
        reading->nr_periods = kernel->nr_periods;
        reading->nr_throttled = kernel->nr_throttled;
        reading->throttled_ns = kernel->throttled_ns;
    }
    if ((group->has & TK_BPF_HAS_CPU) && class == TK_CGROUP_SLOW)
        reading->cpu_limit_cores = kernel->cpu_limit_cores;
    if ((group->has & TK_BPF_HAS_MEMORY) && class == TK_CGROUP_DETAIL) {
        reading->memory_bytes = kernel->memory_bytes;
        reading->memory_peak_bytes = kernel->memory_peak_bytes;
    }
    if ((group->has & TK_BPF_HAS_MEMORY) && class == TK_CGROUP_SLOW)
        reading->memory_limit_bytes = kernel->memory_limit_bytes;
    if ((group->has & TK_BPF_HAS_PIDS) && class == TK_CGROUP_DETAIL)
        reading->pids = kernel->pids;
}

/* Walking -------------------------------------------------------------------------------- */

/* From now on files tell. */
static void close_records(struct tk_cgroups *groups, const char *why)
{
    (void)tk_str_to_cstr(tk_str_from(why), groups->records.why_not,
                         sizeof(groups->records.why_not));
    groups->records.walker.walk = NULL;
    groups->fingerprint = 0;
    for (size_t i = 0; i < groups->count; i++)
        groups->groups[i].has = 0;
}

static int walk(struct tk_cgroups *groups)
{
    struct tk_cgroup_records *records = &groups->records;
    int rc = records->walker.walk(records->walker.context, &records->last);
    records->ns = records->last.end_ns;
    groups->syscalls += records->last.syscalls;
    return rc;
}

void tk_cgroup_records_walk(struct tk_cgroups *groups)
{
    struct tk_err err;
    int rc = walk(groups);
    if (rc == 0)
        return;
    errno = -rc;
    (void)tk_fail_errno(&err, "the walk over control groups failed");
    close_records(groups, err.msg);
}

/* Opening -------------------------------------------------------------------------------- */

/* Sums over CPUs rest on addresses that were worked out: those of the group that is mounted must be
 * what its file says, which grows from one reading to the next. */
static bool read_usage(const struct tk_cgroups *groups, int64_t *ret_ns)
{
    char path[TK_CGROUP_PATH_MAX + 32];
    char text[64];
    tk_str value;
    struct tk_err ignored;
    (void)snprintf(path, sizeof(path), "%s/cpuacct.usage",
                   groups->mounts.mounts[TK_CGROUP_CPUACCT].at);
    return tk_file_read(groups->kernel->rootfd, path, text, sizeof(text), &value, &ignored) == 0 &&
           tk_parse_i64(tk_str_trim(value), ret_ns);
}

static bool agrees_with_cpuacct(struct tk_cgroups *groups)
{
    const struct tk_cgroup_records *records = &groups->records;
    struct stat st;
    int64_t before_ns;
    int64_t after_ns;
    if (fstatat(groups->kernel->rootfd, groups->mounts.mounts[TK_CGROUP_CPUACCT].at, &st, 0) < 0 ||
        !read_usage(groups, &before_ns) || walk(groups) < 0 || !read_usage(groups, &after_ns))
        return false;
    for (uint32_t i = 0; i < records->last.count; i++) {
        const struct tk_bpf_group *record = &records->last.groups[i];
        if (record->id == st.st_ino && (int)record->hierarchy == records->slots[TK_CGROUP_CPUACCT])
            return (int64_t)record->cpu_ns >= before_ns && (int64_t)record->cpu_ns <= after_ns;
    }
    return false;
}

/* The hierarchies that are mounted, each once; version 2 last, and only if `with_v2`. */
static uint32_t choose_hierarchies(struct tk_cgroups *groups, bool with_v2,
                                   int32_t ret_numbers[TK_CGROUP_HIERARCHIES])
{
    static const int walked[] = {TK_CGROUP_CPUACCT, TK_CGROUP_CPU,  TK_CGROUP_MEMORY,
                                 TK_CGROUP_BLKIO,   TK_CGROUP_PIDS, TK_CGROUP_V2};
    struct tk_cgroup_records *records = &groups->records;
    uint32_t count = 0;
    for (size_t i = 0; i < TK_CGROUP_HIERARCHIES; i++)
        records->slots[i] = -1;
    for (size_t i = 0; i < TK_COUNTOF(walked); i++) {
        int32_t number = groups->mounts.numbers[walked[i]];
        if (!groups->mounts.mounts[walked[i]].at[0] || number < 0 ||
            (walked[i] == TK_CGROUP_V2 && !with_v2))
            continue;
        uint32_t slot = 0;
        while (slot < count && ret_numbers[slot] != number)
            slot++;
        ret_numbers[slot] = number;
        records->slots[walked[i]] = (int)slot;
        if (slot == count)
            count++;
    }
    return count;
}

static int open_hierarchies(struct tk_cgroups *groups, struct tk_err *err)
{
    const struct tk_group_walker *walker = &groups->records.walker;
    int32_t numbers[TK_CGROUP_HIERARCHIES];
    uint32_t count = choose_hierarchies(groups, true, numbers);
    int rc = count > 0 ? walker->open(walker->context, numbers, count, err)
                       : tk_fail(err, -EOPNOTSUPP, "the kernel does not tell which are ours");
    if (rc < 0 && tk_cgroup_mounts_version(&groups->mounts) == 3) {
        count = choose_hierarchies(groups, false, numbers);
        rc = walker->open(walker->context, numbers, count, err);
    }
    return rc;
}

void tk_cgroup_records_open(struct tk_cgroups *groups, const struct tk_group_walker *walker)
{
    struct tk_cgroup_records *records = &groups->records;
    struct tk_err err;
    records->walker = *walker;
    records->trusted = ~(uint32_t)TK_BPF_HAS_IO;
    if (open_hierarchies(groups, &err) < 0) {
        close_records(groups, err.msg);
        return;
    }
    if (records->slots[TK_CGROUP_CPUACCT] >= 0 && !agrees_with_cpuacct(groups))
        records->trusted &= ~(uint32_t)TK_BPF_HAS_CPUACCT;
}

void tk_cgroup_records_release(struct tk_cgroups *groups)
{
    free(groups->records.owners);
    tk_map_release(&groups->records.ignored);
}
