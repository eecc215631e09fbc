/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "collect/bpf_internal.h"
#include "collect/procs_parse.h"

/* Records of one walk, at 200 bytes that stay mapped: as many as there are tasks at the start. When
 * more processes ran, there is another walk. */
#define ROOM_MIN 1024
#define ROOM_MAX 4096

/* Likewise of threads, at 128 bytes. Those that find none come with a later walk. */
#define THREADS_MIN 4096
#define THREADS_MAX 16384

#define EXTRAS_ROOM 16384 /* processes, in some 100 bytes of the kernel each */
#define WAITS_ROOM  4096  /* tasks that wait for I/O at one time */
#define EXTRAS_MIN  64    /* where nothing adds them up */

/* Pages by which our own resident set, as added up here, may be off what statm says: other kernels
 * show the central part of the counter, some pages per CPU are elsewhere. */
#define RSS_SLACK(cpus) (256 + 64 * (int64_t)(cpus))

/* What the kernel has ------------------------------------------------------------------- */

/* A program, and what it cannot be loaded without, by its name in the kernel's BTF: a kfunc, or a
 * tracepoint as "btf_trace_NAME". To add one: its source in src/collect/bpf, its line here. */
struct rule {
    const char *program;
    uint32_t parts;    /* of enum tk_bpf_part: any of them wants it */
    enum tk_tier tier; /* that it is the walk of; AUTO = not a walk */
    const char *needs[8];
};

static const struct rule rules[] = {
    {"learn_task", TK_BPF_TASKS, TK_TIER_AUTO, {0}},
    {"walk_tasks",
     TK_BPF_TASKS,
     TK_TIER_B2,
     {"bpf_iter_task_new", "bpf_iter_task_next", "bpf_iter_task_destroy", "bpf_task_from_pid",
      "bpf_task_release", "bpf_rcu_read_lock", "bpf_rdonly_cast"}},
    {"visit_task", TK_BPF_TASKS, TK_TIER_B1, {0}},
    {"on_fork", TK_BPF_EVENTS, TK_TIER_AUTO, {"btf_trace_sched_process_fork"}},
    {"on_exec", TK_BPF_EVENTS, TK_TIER_AUTO, {"btf_trace_sched_process_exec"}},
    {"on_exit", TK_BPF_EVENTS, TK_TIER_AUTO, {"btf_trace_sched_process_exit"}},
    {"on_switch", TK_BPF_EVENTS, TK_TIER_AUTO, {"btf_trace_sched_switch"}},
    {"follow_switch", TK_BPF_EXACT, TK_TIER_AUTO, {"btf_trace_sched_switch"}},
    {"count_sent", TK_BPF_NET, TK_TIER_AUTO, {"btf_trace_sock_send_length"}},
    {"count_received", TK_BPF_NET, TK_TIER_AUTO, {"btf_trace_sock_recv_length"}},
    {"find_mappings",
     TK_BPF_MAPPINGS,
     TK_TIER_AUTO,
     {"bpf_iter_task_vma_new", "bpf_iter_task_vma_next", "bpf_iter_task_vma_destroy",
      "bpf_task_from_pid", "bpf_task_release", "bpf_rdonly_cast"}},
    {"walk_groups",
     TK_BPF_CGROUPS,
     TK_TIER_AUTO,
     {"bpf_iter_css_new", "bpf_iter_css_next", "bpf_iter_css_destroy", "bpf_cgroup_from_id",
      "bpf_cgroup_ancestor", "bpf_task_get_cgroup1", "bpf_cgroup_release", "bpf_rdonly_cast"}},
    {"flush_css",
     TK_BPF_FLUSH_CSS,
     TK_TIER_AUTO,
     {"css_rstat_flush", "bpf_cgroup_from_id", "bpf_cgroup_release"}},
    {"flush_cgroup",
     TK_BPF_FLUSH_CGROUP,
     TK_TIER_AUTO,
     {"cgroup_rstat_flush", "bpf_cgroup_from_id", "bpf_cgroup_release"}},
};

static const struct rule *find_rule(const char *program)
{
    for (size_t i = 0; i < TK_COUNTOF(rules); i++) {
        if (strcmp(rules[i].program, program) == 0)
            return &rules[i];
    }
    return NULL;
}

/* Goes through some 130,000 names. */
static bool is_in_kernel(const struct btf *btf, const char *name)
{
    bool is_tracepoint = strncmp(name, "btf_trace_", strlen("btf_trace_")) == 0;
    return btf__find_by_name_kind(btf, name, is_tracepoint ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC) >= 0;
}

/* Whether a program belongs to the parts and to the walk of the tier. */
static bool is_asked_for(const struct rule *rule, enum tk_tier tier, uint32_t parts)
{
    return rule && (rule->parts & parts) && (rule->tier == TK_TIER_AUTO || rule->tier == tier);
}

static bool has_needs(const struct btf *btf, const struct rule *rule)
{
    for (size_t i = 0; i < TK_COUNTOF(rule->needs) && rule->needs[i]; i++) {
        if (!is_in_kernel(btf, rule->needs[i]))
            return false;
    }
    return true;
}

/* Place of a per-CPU variable in its section; false when it is not told. */
static bool find_per_cpu(const struct btf *btf, const char *name, uint64_t *ret_offset)
{
    int variable = btf__find_by_name_kind(btf, name, BTF_KIND_VAR);
    int section = btf__find_by_name_kind(btf, ".data..percpu", BTF_KIND_DATASEC);
    if (variable < 0 || section < 0)
        return false;
    const struct btf_type *type = btf__type_by_id(btf, (uint32_t)section);
    const struct btf_var_secinfo *info = btf_var_secinfos(type);
    for (unsigned i = 0; i < btf_vlen(type); i++) {
        if (info[i].type == (uint32_t)variable) {
            *ret_offset = info[i].offset;
            return true;
        }
    }
    return false;
}

/* Loading ------------------------------------------------------------------------------ */

/* Choose the programs of `parts` and of the walk of `tier`. Returns the parts that the kernel has
 * all for. */
static uint32_t choose(struct tk_programs *programs, const struct btf *btf, enum tk_tier tier,
                       uint32_t parts)
{
    struct bpf_program *program;
    bpf_object__for_each_program(program, programs->obj)
    {
        const struct rule *rule = find_rule(bpf_program__name(program));
        if (is_asked_for(rule, tier, parts) && !has_needs(btf, rule))
            parts &= ~rule->parts;
    }
    bpf_object__for_each_program(program, programs->obj)
    {
        const struct rule *rule = find_rule(bpf_program__name(program));
        (void)bpf_program__set_autoload(program, is_asked_for(rule, tier, parts));
    }
    return parts;
}

/* Have the kernel run the programs that follow its events. The skeleton owns the links. */
static int attach(struct tk_programs *programs)
{
    for (int i = 0; i < programs->skeleton->prog_cnt; i++) {
        const struct bpf_prog_skeleton *entry = &programs->skeleton->progs[i];
        const struct bpf_program *program = *entry->prog;
        if (!bpf_program__autoload(program) ||
            bpf_program__expected_attach_type(program) != BPF_TRACE_RAW_TP)
            continue;
        *entry->link = bpf_program__attach(program);
        if (!*entry->link)
            return -errno;
    }
    return 0;
}

/* As many as there are tasks. */
static uint32_t room_for_all(uint32_t least, uint32_t most)
{
    struct sysinfo info;
    uint32_t tasks = sysinfo(&info) == 0 ? info.procs : most;
    return tasks < least ? least : tasks > most ? most : tasks;
}

/* Room for records of threads, and for what is known of those told of; next to none where they are
 * not asked for. */
static int size_threads(const struct tk_bpf *bpf, struct tk_programs *programs)
{
    if (bpf->thread_room == 0)
        return 0;
    programs->rodata->threads_max = bpf->thread_room;
    int rc = bpf_map__set_max_entries(programs->maps.thread_records, bpf->thread_room);
    uint32_t gates = bpf_map__max_entries(programs->maps.gates);
    return rc == 0 ? bpf_map__set_max_entries(programs->maps.thread_gates, gates) : rc;
}

/* Room for what is added up of processes, where it is. */
static int size_sums(struct tk_programs *programs)
{
    uint32_t extras = programs->rodata->has_extras ? EXTRAS_ROOM : EXTRAS_MIN;
    uint32_t waits = programs->rodata->is_exact ? WAITS_ROOM : EXTRAS_MIN;
    int rc = bpf_map__set_max_entries(programs->maps.extras, extras);
    return rc == 0 ? bpf_map__set_max_entries(programs->maps.io_waits, waits) : rc;
}

static int load(struct tk_bpf *bpf, const struct btf *btf, enum tk_tier tier, uint32_t parts)
{
    struct tk_programs *programs = tk_programs__open();
    if (!programs)
        return -errno;
    int cpus = libbpf_num_possible_cpus();
    bpf->room = room_for_all(ROOM_MIN, ROOM_MAX);
    bpf->thread_room = parts & TK_BPF_THREADS ? room_for_all(THREADS_MIN, THREADS_MAX) : 0;
    programs->rodata->tasks_max = bpf->room;
    programs->rodata->cpus_max =
        cpus > 0 && cpus < TK_BPF_CPUS_MAX ? (uint32_t)cpus : TK_BPF_CPUS_MAX;
    bpf->parts = choose(programs, btf, tier, parts);
    tk_bpf_events_prepare(programs, (bpf->parts & TK_BPF_EVENTS) != 0);
    programs->rodata->is_exact = bpf->parts & TK_BPF_EXACT;
    programs->rodata->has_vpids = is_in_kernel(btf, "bpf_task_from_vpid");
    programs->rodata->has_groups = bpf->parts & TK_BPF_CGROUPS;
    programs->rodata->has_extras = bpf->parts & (TK_BPF_EXACT | TK_BPF_NET);
    int rc = bpf->parts & TK_BPF_TASKS ? 0 : -EOPNOTSUPP;
    if (rc == 0)
        rc = bpf_map__set_max_entries(programs->maps.tasks, bpf->room);
    if (rc == 0)
        rc = bpf_map__set_max_entries(programs->maps.unmoved, bpf->room);
    if (rc == 0)
        rc = size_sums(programs);
    if (rc == 0)
        rc = size_threads(bpf, programs);
    if (rc == 0)
        rc = tk_bpf_groups_size(bpf, programs);
    if (rc == 0)
        rc = tk_programs__load(programs);
    if (rc == 0)
        rc = attach(programs);
    if (rc < 0) {
        tk_programs__destroy(programs);
        return rc;
    }
    bpf->programs = programs;
    bpf->tier = tier;
    return 0;
}

/* Best first. A refusal does not say which program it is for: without the optional parts, the walk
 * may do. */
static int load_best(struct tk_bpf *bpf, const struct btf *btf, enum tk_tier tier, uint32_t parts,
                     struct tk_err *err)
{
    static const enum tk_tier tiers[] = {TK_TIER_B2, TK_TIER_B1};
    int rc = -EOPNOTSUPP;
    for (size_t i = 0; i < TK_COUNTOF(tiers) && rc < 0 && rc != -EPERM; i++) {
        if (tier != TK_TIER_AUTO && tier != tiers[i])
            continue;
        const uint32_t less[] = {parts, parts & ~(uint32_t)TK_BPF_MAPPINGS,
                                 parts & ~(uint32_t)(TK_BPF_ALL_CGROUPS | TK_BPF_MAPPINGS),
                                 parts & TK_BPF_THREADS};
        rc = load(bpf, btf, tiers[i], less[0] | TK_BPF_TASKS);
        for (size_t j = 1; j < TK_COUNTOF(less); j++) {
            if (rc < 0 && rc != -EPERM && rc != -EOPNOTSUPP && less[j] != less[j - 1])
                rc = load(bpf, btf, tiers[i], less[j] | TK_BPF_TASKS);
        }
    }
    if (rc == -EPERM)
        return tk_fail(err, rc, "loading BPF programs is not permitted (CAP_BPF, CAP_PERFMON)");
    if (rc == -EOPNOTSUPP)
        return tk_fail(err, rc, "the kernel has no task iterator that this tier takes");
    if (rc < 0) {
        return tk_fail(err, -EOPNOTSUPP, "the kernel refuses the BPF program: %s",
                       strerrordesc_np(-rc));
    }
    return 0;
}

/* Walking ------------------------------------------------------------------------------ */

int tk_bpf_run(const struct bpf_program *program)
{
    struct bpf_test_run_opts options;
    memset(&options, 0, sizeof(options)); /* libbpf looks at the padding, too */
    options.sz = sizeof(options);
    return bpf_prog_test_run_opts(bpf_program__fd(program), &options);
}

int tk_bpf_iterate(const struct bpf_link *link)
{
    char nothing[64];
    TK_CLEANUP(tk_fd_close) int fd = bpf_iter_create(bpf_link__fd(link));
    if (fd < 0)
        return fd;
    ssize_t n;
    do {
        n = read(fd, nothing, sizeof(nothing));
    } while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
    return n < 0 ? -errno : 0;
}

static int walk(void *context, const struct tk_walk_order *order, struct tk_walk *ret_walk)
{
    struct tk_bpf *bpf = context;
    struct tk_bpf_walk *shared = &bpf->programs->bss->walk;
    shared->turn_from = order->turn_from;
    shared->turn_width = order->turn_width;
    shared->tick += !order->rest;
    shared->count = shared->left_out = shared->processes = shared->cut = shared->unmoved = 0;
    shared->threads = order->threads;
    shared->thread_count = shared->threads_left_out = 0;
    int64_t start_ns = tk_clock_mono_ns();
    shared->now_ns = (uint64_t)start_ns;
    bool has_joined = tk_bpf_groups_join(bpf);
    int rc = bpf->tier == TK_TIER_B2 ? tk_bpf_run(bpf->programs->progs.walk_tasks)
                                     : tk_bpf_iterate(bpf->link);
    if (has_joined)
        tk_bpf_groups_joined(bpf, rc);
    *ret_walk = (struct tk_walk){
        .tasks = bpf->tasks,
        .count = shared->count < bpf->room ? shared->count : bpf->room,
        .unmoved = bpf->unmoved,
        .unmoved_count = shared->unmoved < bpf->room ? shared->unmoved : bpf->room,
        .processes = shared->processes,
        .cut = shared->cut,
        .left_out = shared->left_out > 0,
        .threads = bpf->threads,
        .thread_count =
            shared->thread_count < bpf->thread_room ? shared->thread_count : bpf->thread_room,
        .threads_left_out = shared->threads_left_out,
        .start_ns = start_ns,
        .end_ns = tk_clock_mono_ns(),
    };
    return rc;
}

static int find_mappings(void *context, struct tk_bpf_mapping *mappings, uint32_t count)
{
    struct tk_bpf *bpf = context;
    struct tk_bpf_mappings *shared = &bpf->programs->bss->mappings;
    shared->count = count;
    memcpy(shared->items, mappings, count * sizeof(*mappings));
    int rc = tk_bpf_run(bpf->programs->progs.find_mappings);
    memcpy(mappings, shared->items, count * sizeof(*mappings));
    return rc;
}

/* Map an array for reading; NULL with errno set. */
static void *map_array(const struct bpf_map *map, size_t bytes)
{
    void *array = mmap(NULL, bytes, PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);
    return array == MAP_FAILED ? NULL : array;
}

static int open_walk(struct tk_bpf *bpf, struct tk_err *err)
{
    const struct tk_programs *programs = bpf->programs;
    bpf->tasks = map_array(programs->maps.tasks, bpf->room * sizeof(*bpf->tasks));
    bpf->unmoved = map_array(programs->maps.unmoved, bpf->room * sizeof(*bpf->unmoved));
    if (bpf->thread_room > 0) {
        bpf->threads =
            map_array(programs->maps.thread_records, bpf->thread_room * sizeof(*bpf->threads));
    }
    if (!bpf->tasks || !bpf->unmoved || (bpf->thread_room > 0 && !bpf->threads))
        return tk_fail_errno(err, "mapping the records of BPF");
    if (bpf->tier == TK_TIER_B2)
        return 0;
    bpf->link = bpf_program__attach_iter(bpf->programs->progs.visit_task, NULL);
    return bpf->link ? 0 : tk_fail_errno(err, "iterator of tasks");
}

/* Per-CPU data -------------------------------------------------------------------------- */

/* A per-CPU pointer is good for CPU n with that CPU's offset added, which the kernel keeps to
 * itself. But run queues are per-CPU variables, so that each one's address tells it; and where the
 * section of such variables begins is told by a pointer to another of them, of which the place in
 * the section is known:
 *
 *   run queue of n  =  section + place of runqueues   + offset of n
 *   root_rstat      =  section + place of root_rstat
 *
 * False when something of it is missing, or a CPU. */
static bool find_offsets(struct tk_bpf *bpf, const struct btf *btf)
{
    static const char *const roots[] = {"root_rstat_base_cpu", "cgrp_dfl_root_rstat_cpu"};
    const struct tk_bpf_learned *learned = &bpf->programs->bss->learned;
    struct tk_bpf_cpus *cpus = &bpf->programs->bss->cpus;
    uint64_t place;
    uint64_t root_place;
    bool found = false;
    for (size_t i = 0; i < TK_COUNTOF(roots) && !found; i++)
        found = find_per_cpu(btf, roots[i], &root_place);
    if (!found || !find_per_cpu(btf, "runqueues", &place) || learned->root_rstat == 0)
        return false;
    uint64_t section = learned->root_rstat - root_place;
    long met = 0;
    for (uint32_t i = 0; i < TK_BPF_CPUS_MAX; i++) {
        if (learned->rq[i] != 0)
            cpus->delta[met++] = learned->rq[i] - place - section;
    }
    cpus->count = (uint32_t)met;
    return met == sysconf(_SC_NPROCESSORS_ONLN);
}

/* What the walk says of ourselves; -1 = nothing. */
static int64_t own_rss_pages(struct tk_bpf *bpf)
{
    struct tk_walk_order order = {.turn_width = UINT32_MAX};
    struct tk_walk all = {.left_out = true};
    for (; all.left_out; order.rest = true) {
        if (walk(bpf, &order, &all) < 0 || all.count == 0)
            return -1;
        for (uint32_t i = 0; i < all.count; i++) {
            if (all.tasks[i].pid == getpid())
                return all.tasks[i].rss_pages;
        }
    }
    return -1;
}

/* Our own resident set, added up, against what /proc says: an address that is wrong shows. */
static bool agrees_with_statm(struct tk_bpf *bpf)
{
    char text[128];
    int64_t pages = -1;
    int64_t own_pages = own_rss_pages(bpf);
    TK_CLEANUP(tk_fd_close) int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (n <= 0 || tk_pid_statm_parse((tk_str){text, (size_t)n}, &pages) < 0)
        return false;
    return own_pages >= 0 && llabs(own_pages - pages) < RSS_SLACK(bpf->programs->bss->cpus.count);
}

/* Find out what only the kernel side can see, and whether sums over CPUs can be had. */
static int learn(struct tk_bpf *bpf, const struct btf *btf, struct tk_err *err)
{
    struct bpf_link *link = bpf_program__attach_iter(bpf->programs->progs.learn_task, NULL);
    int rc = link ? tk_bpf_iterate(link) : -errno;
    (void)bpf_link__destroy(link);
    if (rc < 0) {
        return tk_fail(err, -EOPNOTSUPP, "the kernel does not run the BPF program: %s",
                       strerrordesc_np(-rc));
    }
    bpf->programs->bss->walk.ns_level = bpf->programs->bss->learned.ns_level;
    bpf->programs->bss->walk.ns_inum = bpf->programs->bss->learned.ns_inum;
    bool is_central = btf__find_by_name_kind(btf, "mm_rss_stat", BTF_KIND_STRUCT) >= 0;
    bpf->rss_exact = (is_central || find_offsets(bpf, btf)) && agrees_with_statm(bpf);
    if (!bpf->rss_exact)
        bpf->programs->bss->cpus.count = 0;
    if (bpf->programs->bss->learned.root_rstat == 0) /* no way to a run queue */
        bpf->parts &= ~(uint32_t)TK_BPF_EXACT;
    if (bpf->programs->bss->learned.ns_level > 0 && !bpf->programs->rodata->has_vpids)
        bpf->parts &= ~(uint32_t)TK_BPF_MAPPINGS; /* our pids are not those that it asks */
    return 0;
}

/* Life --------------------------------------------------------------------------------- */

/* Cheap: without the right the BTF of the kernel need not be read. */
static bool is_permitted(void)
{
    int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, sizeof(uint32_t), sizeof(uint32_t), 1, NULL);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int open_parts(struct tk_bpf *bpf, const struct btf *btf, struct tk_err *err)
{
    int rc = open_walk(bpf, err);
    if (rc == 0)
        rc = learn(bpf, btf, err);
    if (rc == 0 && (bpf->parts & TK_BPF_EVENTS))
        rc = tk_bpf_events_open(bpf, err);
    return rc;
}

static int open_all(struct tk_bpf *bpf, enum tk_tier tier, uint32_t parts, struct tk_err *err)
{
    if (!is_permitted())
        return tk_fail(err, -EPERM, "BPF is not permitted here (CAP_BPF, CAP_PERFMON)");
    struct btf *btf = btf__load_vmlinux_btf();
    if (!btf)
        return tk_fail(err, -EOPNOTSUPP, "the kernel has no BTF (/sys/kernel/btf/vmlinux)");
    int rc = load_best(bpf, btf, tier, parts, err);
    if (bpf->programs)
        rc = open_parts(bpf, btf, err);
    btf__free(btf);
    return rc;
}

int tk_bpf_new(enum tk_tier tier, uint32_t parts, struct tk_bpf **ret_bpf, struct tk_err *err)
{
    struct tk_bpf *bpf = calloc(1, sizeof(*bpf));
    if (!bpf)
        return tk_fail(err, -ENOMEM, "BPF: out of memory");
    bpf->flush_fd = -1;
    libbpf_set_print(NULL); /* what it has to say comes as an error of ours */
    int rc = open_all(bpf, tier, parts, err);
    if (rc < 0) {
        tk_bpf_free(bpf);
        return rc;
    }
    *ret_bpf = bpf;
    return 0;
}

void tk_bpf_free(struct tk_bpf *bpf)
{
    if (!bpf)
        return;
    if (bpf->tasks)
        (void)munmap(bpf->tasks, bpf->room * sizeof(*bpf->tasks));
    if (bpf->unmoved)
        (void)munmap(bpf->unmoved, bpf->room * sizeof(*bpf->unmoved));
    if (bpf->threads)
        (void)munmap(bpf->threads, bpf->thread_room * sizeof(*bpf->threads));
    tk_bpf_groups_release(bpf);
    (void)bpf_link__destroy(bpf->link);
    tk_bpf_events_close(bpf);
    tk_programs__destroy(bpf->programs);
    free(bpf);
}

uint32_t tk_bpf_parts(const struct tk_bpf *bpf)
{
    return bpf->parts;
}

enum tk_tier tk_bpf_tier(const struct tk_bpf *bpf)
{
    return bpf->tier;
}

bool tk_bpf_read_extra(const struct tk_bpf *bpf, pid_t pid, struct tk_bpf_extra *ret_extra)
{
    return bpf_map__lookup_elem(bpf->programs->maps.extras, &pid, sizeof(pid), ret_extra,
                                sizeof(*ret_extra), 0) == 0;
}

struct tk_walker tk_bpf_walker(struct tk_bpf *bpf)
{
    return (struct tk_walker){
        .walk = walk,
        .find_mappings = bpf->parts & TK_BPF_MAPPINGS ? find_mappings : NULL,
        .context = bpf,
        .rss_exact = bpf->rss_exact,
    };
}
