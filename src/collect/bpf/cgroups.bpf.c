/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over all control groups of the hierarchies that are in use, in the kernel. Group n of
 * the walk has record n, for as long as no group comes or goes: a record keeps what the last walk
 * found, and says which walk last found anything new. The order is that of the hierarchies asked
 * for, and in each the parent before its children.
 *
 *   walk_groups   open-coded css iterator (Linux 6.7), by BPF_PROG_RUN; walk_tasks goes on with the
 *                 same where both are wanted at once
 *   flush_...     version 2 adds the CPU time of groups up on request, for all of them at once; a
 *                 walk that covers it runs this first, by one read() of an iterator
 *
 * Cost per group: bench/RESULTS.md, section "cgroups". */
#include "collect/bpf/kernel.bpf.h"

/* include/uapi/linux/bpf.h, include/linux/cgroup-defs.h */
#define DESCENDANTS_PRE 2
#define CSS_ONLINE      2U

/* include/linux/kernel_stat.h: the first counters of kernel_cpustat, ns by ticks */
enum { CPUTIME_USER, CPUTIME_NICE, CPUTIME_SYSTEM, CPUTIME_SOFTIRQ, CPUTIME_IRQ, CPUTIMES };

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* the loader sets it, and groups_max */
    __type(key, uint32_t);
    __type(value, struct tk_bpf_group);
} groups SEC(".maps");

const volatile uint32_t groups_max = 1;
extern const volatile uint32_t cpus_max;
extern struct tk_bpf_cpus cpus;

struct tk_bpf_groups group_walk;

struct bpf_iter_css {
    uint64_t opaque[3];
};

extern int bpf_iter_css_new(struct bpf_iter_css *it, struct cgroup_subsys_state *start,
                            unsigned int flags) __weak __ksym;
extern struct cgroup_subsys_state *bpf_iter_css_next(struct bpf_iter_css *it) __weak __ksym;
extern void bpf_iter_css_destroy(struct bpf_iter_css *it) __weak __ksym;
extern struct cgroup *bpf_cgroup_from_id(uint64_t id) __weak __ksym;
extern struct cgroup *bpf_cgroup_ancestor(struct cgroup *cgroup, int level) __weak __ksym;
extern struct cgroup *bpf_task_get_cgroup1(struct task_struct *task, int hierarchy) __weak __ksym;
extern void bpf_cgroup_release(struct cgroup *cgroup) __weak __ksym;
extern void bpf_rcu_read_lock(void) __weak __ksym;
extern void bpf_rcu_read_unlock(void) __weak __ksym;
extern void *bpf_rdonly_cast(const void *object, uint32_t type) __weak __ksym;
extern void css_rstat_flush(struct cgroup_subsys_state *css) __weak __ksym;
extern void cgroup_rstat_flush(struct cgroup *cgroup) __weak __ksym;

/* Per CPU ---------------------------------------------------------------------------- */

/* As an address of sum_parts() in tasks.bpf.c: the verifier takes it for a number only when it
 * comes from memory. */
static uint64_t usage_at, times_at;
static uint64_t user_sum_ns, system_sum_ns;

__noinline uint64_t sum_usage(void)
{
    uint64_t counters = usage_at;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TK_BPF_CPUS_MAX && i < cpus_max && i < cpus.count; i++) {
        uint64_t part = 0;
        bpf_probe_read_kernel(&part, sizeof(part), (const void *)(counters + cpus.delta[i]));
        sum += part;
    }
    return sum;
}

__noinline int sum_times(void)
{
    uint64_t counters = times_at;
    user_sum_ns = system_sum_ns = 0;
    for (uint32_t i = 0; i < TK_BPF_CPUS_MAX && i < cpus_max && i < cpus.count; i++) {
        uint64_t part[CPUTIMES] = {0};
        bpf_probe_read_kernel(part, sizeof(part), (const void *)(counters + cpus.delta[i]));
        user_sum_ns += part[CPUTIME_USER] + part[CPUTIME_NICE];
        system_sum_ns += part[CPUTIME_SYSTEM] + part[CPUTIME_SOFTIRQ] + part[CPUTIME_IRQ];
    }
    return 0;
}

/* One group -------------------------------------------------------------------------- */

/* Take a figure into the record, and see whether it is another one. */
#define TAKE(field, value)                                                                         \
    do {                                                                                           \
        uint64_t now_ = (uint64_t)(value);                                                         \
        is_news |= (record->field) != now_;                                                        \
        record->field = now_;                                                                      \
    } while (0)

static __always_inline struct cgroup_subsys_state *controller_of(struct cgroup *cgroup, uint64_t id)
{
    struct cgroup_subsys_state *css = NULL;
    const char *at =
        (const char *)cgroup + bpf_core_field_offset(struct cgroup, subsys) + id * sizeof(css);
    bpf_probe_read_kernel(&css, sizeof(css), at);
    return css;
}

#define CONTROLLER(cgroup, name)                                                                   \
    (bpf_core_enum_value_exists(enum cgroup_subsys_id, name##_cgrp_id)                             \
         ? controller_of(cgroup, bpf_core_enum_value(enum cgroup_subsys_id, name##_cgrp_id))       \
         : NULL)

static __always_inline bool take_cpuacct(struct tk_bpf_group *record, const void *css)
{
    bool is_news = false;
    const struct cpuacct *acct = KERNEL_TYPE(cpuacct, css);
    usage_at = (uint64_t)acct->cpuusage;
    times_at = (uint64_t)acct->cpustat;
    TAKE(cpu_ns, sum_usage());
    if (!is_news)
        return false;
    sum_times();
    record->user_ns = user_sum_ns;
    record->system_ns = system_sum_ns;
    return true;
}

static __always_inline bool take_usage(struct tk_bpf_group *record, const struct cgroup *cgroup)
{
    bool is_news = false;
    TAKE(cpu_ns, cgroup->bstat.cputime.sum_exec_runtime);
    TAKE(user_ns, cgroup->bstat.cputime.utime);
    TAKE(system_ns, cgroup->bstat.cputime.stime);
    record->prev_user_ns = cgroup->prev_cputime.utime;
    record->prev_system_ns = cgroup->prev_cputime.stime;
    return is_news;
}

static __always_inline bool take_cpu(struct tk_bpf_group *record, const void *css)
{
    bool is_news = false;
    const struct cfs_bandwidth *bandwidth = &KERNEL_TYPE(task_group, css)->cfs_bandwidth;
    TAKE(periods, (uint32_t)bandwidth->nr_periods);
    TAKE(throttled, (uint32_t)bandwidth->nr_throttled);
    TAKE(throttled_ns, bandwidth->throttled_time);
    TAKE(quota_ns, bandwidth->quota);
    TAKE(period_ns, bandwidth->period);
    return is_news;
}

static __always_inline bool take_memory(struct tk_bpf_group *record, const void *css)
{
    bool is_news = false;
    const struct page_counter *memory = &KERNEL_TYPE(mem_cgroup, css)->memory;
    TAKE(memory_pages, memory->usage.counter);
    TAKE(memory_peak_pages, memory->watermark);
    TAKE(memory_limit_pages, memory->max);
    return is_news;
}

static __always_inline bool take_pids(struct tk_bpf_group *record, const void *css)
{
    bool is_news = false;
    TAKE(pids, KERNEL_TYPE(pids_cgroup, css)->counter.counter);
    return is_news;
}

/* What the verifier meets once, not for each turn of the loop; it knows the group by these. */
static uint64_t subject;
static uint32_t subject_hierarchy;

__noinline int put_group(void)
{
    uint32_t at = group_walk.count;
    struct tk_bpf_group *record = bpf_map_lookup_elem(&groups, &at);
    if (!record)
        return 0;
    struct cgroup *cgroup = KERNEL_TYPE(cgroup, (const void *)subject);
    bool is_v2 = group_walk.hierarchies[subject_hierarchy % TK_BPF_HIERARCHIES_MAX] == 0;
    const void *acct = CONTROLLER(cgroup, cpuacct);
    const void *cpu = CONTROLLER(cgroup, cpu);
    const void *memory = CONTROLLER(cgroup, memory);
    const void *pids = CONTROLLER(cgroup, pids);
    uint32_t has = 0;
    bool is_news = false;

    if (is_v2) {
        is_news |= take_usage(record, cgroup);
        has |= TK_BPF_HAS_USAGE;
    } else if (acct) {
        is_news |= take_cpuacct(record, acct);
        has |= TK_BPF_HAS_CPUACCT;
    }
    if (cpu) {
        is_news |= take_cpu(record, cpu);
        has |= TK_BPF_HAS_CPU;
    }
    if (memory) {
        is_news |= take_memory(record, memory);
        has |= TK_BPF_HAS_MEMORY;
    }
    if (pids) {
        is_news |= take_pids(record, pids);
        has |= TK_BPF_HAS_PIDS;
    }
    if (CONTROLLER(cgroup, io))
        has |= TK_BPF_HAS_IO;

    uint64_t id = cgroup->kn->id;
    TAKE(id, id);
    TAKE(has, has);
    record->name = cgroup->kn->hash;
    record->hierarchy = subject_hierarchy;
    if (is_news)
        record->moved = group_walk.number;
    group_walk.set += (id ^ ((uint64_t)record->name << 32)) * 0x9e3779b97f4a7c15ULL;
    return 0;
}

static __always_inline void walk_hierarchy(struct cgroup *root)
{
    struct bpf_iter_css children;
    struct cgroup_subsys_state *css;
    bpf_rcu_read_lock();
    bpf_iter_css_new(&children, &root->self, DESCENDANTS_PRE);
    while ((css = bpf_iter_css_next(&children))) {
        if (!(css->flags & CSS_ONLINE))
            continue;
        if (group_walk.count >= groups_max) {
            group_walk.left_out++;
            continue;
        }
        subject = (uint64_t)KERNEL_TYPE(cgroup_subsys_state, css)->cgroup;
        put_group();
        group_walk.count++;
    }
    bpf_iter_css_destroy(&children);
    bpf_rcu_read_unlock();
}

/* The root of a hierarchy, that the caller releases; the reader is in a group of each. */
static __always_inline struct cgroup *root_of(int32_t hierarchy)
{
    if (hierarchy == 0)
        return bpf_cgroup_from_id(1);
    struct cgroup *own = bpf_task_get_cgroup1(bpf_get_current_task_btf(), hierarchy);
    if (!own)
        return NULL;
    struct cgroup *root = bpf_cgroup_ancestor(own, 0);
    bpf_cgroup_release(own);
    return root;
}

static void visit_groups(void)
{
    for (uint32_t i = 0; i < TK_BPF_HIERARCHIES_MAX && i < group_walk.hierarchy_count; i++) {
        struct cgroup *root = root_of(group_walk.hierarchies[i]);
        if (!root)
            continue;
        subject_hierarchy = i;
        walk_hierarchy(root);
        bpf_cgroup_release(root);
    }
}

SEC("syscall")
int walk_groups(void *nothing __attribute__((unused)))
{
    visit_groups();
    return 0;
}

/* Version 2 -------------------------------------------------------------------------- */

/* Adding up may sleep, which of all programs that can be run at will only those of iterators may.
 * This one is over tasks, and does not look at them: it writes a byte for each, so that each read()
 * of one byte runs it once more. */
#define FLUSH(context, flush)                                                                      \
    do {                                                                                           \
        struct cgroup *root = (context)->task ? bpf_cgroup_from_id(1) : NULL;                      \
        if (!root)                                                                                 \
            break;                                                                                 \
        flush;                                                                                     \
        bpf_cgroup_release(root);                                                                  \
        char byte = 0;                                                                             \
        bpf_seq_write((context)->meta->seq, &byte, sizeof(byte));                                  \
    } while (0)

/* Linux 6.16; and before. */
SEC("iter.s/task")
int flush_css(struct bpf_iter__task *context)
{
    FLUSH(context, css_rstat_flush(&root->self));
    return 0;
}

SEC("iter.s/task")
int flush_cgroup(struct bpf_iter__task *context)
{
    FLUSH(context, cgroup_rstat_flush(root));
    return 0;
}
