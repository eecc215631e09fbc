/* SPDX-License-Identifier: Apache-2.0 */
/* Tiers B2 and B1: one walk over all processes, in the kernel. Of each its scheduler clock is read;
 * those that ran since the last walk, and those whose turn has come, are written whole into a
 * mapped array; in tier B2 the latter by their pid alone when nothing about them is new. A walk is
 * one system call whatever the number of processes, and takes no lock of any of them.
 *
 *   walk_tasks   B2: open-coded task iterator (Linux 6.7), by BPF_PROG_RUN; on request it goes on
 *                over all control groups (cgroups.bpf.c)
 *   visit_task   B1: iter/task (Linux 5.8), by one read() of the iterator
 *
 * Cost per process: bench/RESULTS.md, section "procs". */
#include "collect/bpf/extras.bpf.h"

#define GATES       65536 /* pids that share a slot are written more often than needed */
#define THREADS_MAX 512   /* of one process that tier B1 adds up */
#define ROUTE_MAX   16384 /* processes that are fetched ahead */
#define AHEAD       4

#define UNCREDITED_MAX_NS 2000000000 /* a CPU without ticks is looked after each second */

/* include/linux/mm_types_task.h, kernel/bpf/task_iter.c */
enum { RSS_FILE, RSS_ANON, RSS_SWAP, RSS_SHMEM, RSS_KINDS };
enum { ALL_PROCESSES, ALL_THREADS, THREADS_OF_PROCESS };
/* include/uapi/asm-generic/resource.h */
enum { RLIMIT_NOFILE = 7 };

/* A process as it was told of last. One that had a single thread runs only by this thread, so that
 * its clock alone shows whether it did: the process's sums lie in other cache lines. */
struct gate {
    uint32_t pid;
    uint32_t tick_single; /* of the walk that told of it, times 2; plus 1 if it had one thread */
    uint64_t clock_ns;    /* of the thread, or of the process when it had several */
    uint64_t mark;        /* mark_of() */
    uint64_t origin;      /* origin_of() */
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, GATES);
    __type(key, uint32_t);
    __type(value, struct gate);
} gates SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* the loader sets it, and tasks_max */
    __type(key, uint32_t);
    __type(value, struct tk_bpf_task);
} tasks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* as that of tasks */
    __type(key, uint32_t);
    __type(value, uint64_t);
} unmoved SEC(".maps");

/* A thread as it was told of last. Apart from the gates of processes: a main thread has the number
 * of its process, and another clock. */
struct thread_gate {
    uint32_t tid;
    uint32_t tick; /* of the walk that told of it */
    uint64_t clock_ns;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); /* as many as gates where threads are told of: the loader sets it */
    __type(key, uint32_t);
    __type(value, struct thread_gate);
} thread_gates SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* likewise, and threads_max */
    __type(key, uint32_t);
    __type(value, struct tk_bpf_thread);
} thread_records SEC(".maps");

struct tk_extras_map extras SEC(".maps");

/* Addresses of main threads in the order of the last walk of tier B2. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, ROUTE_MAX);
    __type(key, uint32_t);
    __type(value, uint64_t);
} route SEC(".maps");

const volatile uint32_t tasks_max = 1;
const volatile uint32_t threads_max;                /* 0 = no thread is told of */
const volatile uint32_t cpus_max = TK_BPF_CPUS_MAX; /* the loader knows how many there can be */

const volatile bool has_extras; /* of processes: something adds them up */
const volatile bool is_exact;   /* the scheduler's clocks are followed: exact.bpf.c is loaded */
const volatile bool has_groups; /* this kernel has what a walk over control groups takes */

struct tk_bpf_clock clocks[TK_BPF_CPUS_MAX]; /* by CPU */
struct tk_bpf_walk walk;
struct tk_bpf_learned learned;
struct tk_bpf_cpus cpus;
static uint64_t parts_at; /* per-CPU pointer whose parts are added up ... */
static int64_t part_sums[RSS_KINDS];

struct bpf_iter_task {
    uint64_t opaque[3];
};

/* Found by name when the program is loaded; the loader looks whether this kernel has them. */
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task,
                             unsigned int flags) __weak __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __weak __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __weak __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __weak __ksym;
extern void bpf_task_release(struct task_struct *task) __weak __ksym;
extern void bpf_rcu_read_lock(void) __weak __ksym;
extern void bpf_rcu_read_unlock(void) __weak __ksym;
extern void *bpf_rdonly_cast(const void *object, uint32_t type) __weak __ksym;

/* What is added up over the threads of a process. */
struct sums {
    uint64_t runtime_ns, utime_ns, stime_ns, run_delay_ns;
    uint64_t minflt, majflt, nvcsw, nivcsw;
    uint64_t rd_bytes, wr_bytes;
};

/* Memory ----------------------------------------------------------------------------- */

/* Have it loaded, here and now. What is used later in many places is loaded once at the start, all
 * lines at the same time: they were last used a walk ago, and lie in no cache. */
static __always_inline void touch(uint64_t value)
{
    barrier_var(value);
}

/* What put() reads of each process. */
static __always_inline void touch_process(struct task_struct *leader)
{
    const struct signal_struct *signal = leader->signal;
    const struct mm_struct *mm = leader->mm;
    touch(state_of(leader));
    touch(leader->utime);
    touch(leader->nvcsw);
    touch(leader->sched_info.run_delay);
    touch((uint64_t)leader->comm[0]);
    touch((uint64_t)leader->cgroups);
    if (bpf_core_field_exists(leader->ioac.read_bytes))
        touch(leader->ioac.read_bytes);
    touch((uint64_t)signal->nr_threads);
    touch(signal->utime);
    touch(signal->min_flt);
    touch(signal->sum_sched_runtime);
    if (!bpf_core_type_exists(struct mm_rss_stat___old))
        touch((uint64_t)mm->rss_stat[0].count);
}

/* Pids ------------------------------------------------------------------------------- */

/* In the reader's namespace; 0 = not there. */
static __always_inline int32_t pid_of(struct task_struct *leader)
{
    return pid_in(leader, walk.ns_level, walk.ns_inum);
}

static __always_inline int32_t innermost_pid_of(struct task_struct *leader, int32_t pid)
{
    struct pid *numbers = leader->thread_pid;
    if (!numbers || numbers->level <= walk.ns_level)
        return pid;
    return number_at(numbers, numbers->level).nr;
}

/* Time on a CPU ---------------------------------------------------------------------- */

/* Time that a task on a CPU was given since the scheduler credited it last. That happens at ticks
 * and switches, up to exec_start of its own clock, which leaves out what interrupts and the
 * hypervisor took. Negative when that was after the moment that all tasks are told for, but never
 * beyond the time that it has been there. */
static __always_inline int64_t uncredited_ns(struct task_struct *task, uint64_t exec_start)
{
    struct rq *rq = BPF_CORE_READ(task, se.cfs_rq, rq);
    uint32_t cpu = (uint32_t)BPF_CORE_READ(rq, cpu);
    if (cpu >= TK_BPF_CPUS_MAX || BPF_CORE_READ(rq, curr) != task)
        return 0;
    uint64_t behind_ns = clocks[cpu].behind_ns;
    if (behind_ns == 0)
        return 0;
    uint64_t until_ns = walk.now_ns - behind_ns;
    if (until_ns < clocks[cpu].switch_ns)
        until_ns = clocks[cpu].switch_ns;
    int64_t ns = (int64_t)(BPF_CORE_READ(rq, clock_task) - exec_start);
    ns += (int64_t)(until_ns - BPF_CORE_READ(rq, clock));
    return ns < UNCREDITED_MAX_NS ? ns : UNCREDITED_MAX_NS;
}

/* CPU time of a thread on a CPU. */
static __always_inline uint64_t exact_runtime_of(struct task_struct *task)
{
    uint64_t exec_start = BPF_CORE_READ(task, se.exec_start);
    uint64_t runtime_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
    int64_t total_ns = (int64_t)runtime_ns + uncredited_ns(task, exec_start);
    if (BPF_CORE_READ(task, se.exec_start) != exec_start) /* it was credited meanwhile */
        return BPF_CORE_READ(task, se.sum_exec_runtime);
    return total_ns > 0 ? (uint64_t)total_ns : 0;
}

static __always_inline uint64_t runtime_of(struct task_struct *task)
{
    return is_exact && task->on_cpu ? exact_runtime_of(task) : task->se.sum_exec_runtime;
}

/* The same of a task that the verifier knows nothing of. */
static __always_inline uint64_t runtime_of_listed(struct task_struct *task)
{
    return is_exact && BPF_CORE_READ(task, on_cpu) ? exact_runtime_of(task)
                                                   : BPF_CORE_READ(task, se.sum_exec_runtime);
}

/* Resident set ----------------------------------------------------------------------- */

/* Sums of the parts of `parts_at` and of the counters after it, of all CPUs. A function
 * that the verifier looks at once; it takes an address for a number only when it comes from memory.
 */
__noinline int sum_parts(void)
{
    uint64_t counters = parts_at;
    int64_t sums[RSS_KINDS] = {0};
    for (uint32_t i = 0; i < TK_BPF_CPUS_MAX && i < cpus_max && i < cpus.count; i++) {
        int32_t parts[RSS_KINDS] = {0};
        bpf_probe_read_kernel(parts, sizeof(parts), (const void *)(counters + cpus.delta[i]));
        for (int kind = 0; kind < RSS_KINDS; kind++)
            sums[kind] += parts[kind];
    }
    for (int kind = 0; kind < RSS_KINDS; kind++)
        part_sums[kind] = sums[kind];
    return 0;
}

static __always_inline int64_t positive(int64_t pages)
{
    return pages > 0 ? pages : 0;
}

static __always_inline int64_t read_counter(const struct percpu_counter *counter)
{
    parts_at = (uint64_t)counter->counters;
    sum_parts();
    return positive(counter->count + part_sums[0]);
}

/* mm_init() makes all counters of a process at once, so that their parts lie side by side. */
static __always_inline int64_t read_counters(const struct percpu_counter *counters)
{
    uint64_t first = (uint64_t)counters[RSS_FILE].counters;
    if ((uint64_t)counters[RSS_ANON].counters != first + RSS_ANON * sizeof(int32_t) ||
        (uint64_t)counters[RSS_SHMEM].counters != first + RSS_SHMEM * sizeof(int32_t)) {
        return read_counter(&counters[RSS_FILE]) + read_counter(&counters[RSS_ANON]) +
               read_counter(&counters[RSS_SHMEM]);
    }
    parts_at = first;
    sum_parts();
    return positive(counters[RSS_FILE].count + part_sums[RSS_FILE]) +
           positive(counters[RSS_ANON].count + part_sums[RSS_ANON]) +
           positive(counters[RSS_SHMEM].count + part_sums[RSS_SHMEM]);
}

static __always_inline int64_t read_rss(struct mm_struct *mm)
{
    if (!mm)
        return 0;
    if (bpf_core_type_exists(struct mm_rss_stat___old)) {
        const struct mm_rss_stat___old *old = &((struct mm_struct___old *)mm)->rss_stat;
        return old->count[RSS_FILE].counter + old->count[RSS_ANON].counter +
               old->count[RSS_SHMEM].counter;
    }
    return read_counters(mm->rss_stat);
}

/* Open files ------------------------------------------------------------------------- */

#define FD_WORDS_MAX 1024 /* of 64 files each; who has room for more is not counted */

static uint64_t open_fds_at; /* address of the bits that are counted */

#define FD_WORDS_AT_ONCE 4 /* read by one call; what lies behind the last one is not counted */

struct bit_count {
    uint64_t at; /* where they lie; the verifier takes an address for a number from memory only */
    uint32_t words;
    int32_t count;
};

static __always_inline void count_at(struct bit_count *bits, uint32_t i)
{
    uint64_t words[FD_WORDS_AT_ONCE] = {0};
    bpf_probe_read_kernel(words, sizeof(words), (const void *)(bits->at + i * sizeof(words[0])));
    for (uint32_t k = 0; k < FD_WORDS_AT_ONCE; k++)
        bits->count += i + k < bits->words ? __builtin_popcountll(words[k]) : 0;
}

static int64_t count_step(uint32_t step, void *context)
{
    count_at(context, step * FD_WORDS_AT_ONCE);
    return 0;
}

/* As sum_parts(), a function of its own. Where the kernel makes the loop (Linux 5.17), its body is
 * verified once, not for each turn: that was most of what verifying the walk took. */
__noinline int32_t count_bits(uint32_t words)
{
    struct bit_count bits = {.at = open_fds_at, .words = words};
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop)) {
        bpf_loop((words + FD_WORDS_AT_ONCE - 1) / FD_WORDS_AT_ONCE, count_step, &bits, 0);
        return bits.count;
    }
    for (uint32_t i = 0; i < FD_WORDS_MAX && i < words; i += FD_WORDS_AT_ONCE)
        count_at(&bits, i);
    return bits.count;
}

/* -1 = they are too many to count. */
static __always_inline int32_t count_fds(struct files_struct *files)
{
    if (!files)
        return 0;
    struct fdtable *table = BPF_CORE_READ(files, fdt);
    uint32_t words = BPF_CORE_READ(table, max_fds) / 64;
    if (words > FD_WORDS_MAX)
        return -1;
    open_fds_at = (uint64_t)BPF_CORE_READ(table, open_fds);
    return count_bits(words);
}

static __always_inline int32_t fd_limit_of(const struct signal_struct *signal)
{
    unsigned long limit = signal->rlim[RLIMIT_NOFILE].rlim_cur;
    return limit < INT32_MAX ? (int32_t)limit : INT32_MAX;
}

/* One process ------------------------------------------------------------------------ */

static __always_inline void add_thread(struct sums *sums, struct task_struct *thread)
{
    sums->utime_ns += thread->utime;
    sums->stime_ns += thread->stime;
    sums->run_delay_ns += thread->sched_info.run_delay;
    sums->minflt += thread->min_flt;
    sums->majflt += thread->maj_flt;
    sums->nvcsw += thread->nvcsw;
    sums->nivcsw += thread->nivcsw;
    if (bpf_core_field_exists(thread->ioac.read_bytes)) {
        sums->rd_bytes += thread->ioac.read_bytes;
        sums->wr_bytes += thread->ioac.write_bytes;
    }
}

static __always_inline void add_ended(struct sums *sums, const struct signal_struct *signal)
{
    sums->utime_ns += signal->utime;
    sums->stime_ns += signal->stime;
    sums->minflt += signal->min_flt;
    sums->majflt += signal->maj_flt;
    sums->nvcsw += signal->nvcsw;
    sums->nivcsw += signal->nivcsw;
    if (bpf_core_field_exists(signal->ioac.read_bytes)) {
        sums->rd_bytes += signal->ioac.read_bytes;
        sums->wr_bytes += signal->ioac.write_bytes;
    }
}

static __always_inline bool is_in_turn(int32_t pid)
{
    return tk_bpf_in_turn((uint32_t)pid, walk.turn_from, walk.turn_width);
}

static __always_inline struct gate *gate_of(int32_t pid)
{
    uint32_t slot = (uint32_t)pid % GATES;
    return bpf_map_lookup_elem(&gates, &slot);
}

/* Its turn has come, and this walk or the one whose rest it is has not told of it yet. */
static __always_inline bool is_due(const struct gate *gate, int32_t pid)
{
    return is_in_turn(pid) && gate->tick_single >> 1 != (walk.tick & INT32_MAX);
}

/* Whether there is nothing to tell, as far as the main thread shows. */
static __always_inline bool is_idle(const struct gate *gate, const struct task_struct *leader,
                                    int32_t pid)
{
    return gate->pid == (uint32_t)pid && (gate->tick_single & 1) &&
           gate->clock_ns == leader->se.sum_exec_runtime && !(is_exact && leader->on_cpu) &&
           !is_due(gate, pid);
}

/* Likewise, of a process with several threads. */
static __always_inline bool all_idle(const struct gate *gate, int32_t pid, uint64_t runtime_ns)
{
    return gate->pid == (uint32_t)pid && !(gate->tick_single & 1) && gate->clock_ns == runtime_ns &&
           !is_due(gate, pid);
}

/* The verifier takes an address for a number when it comes from memory. */
static volatile uint64_t group_address, parent_address, cred_address;

/* Stands for what changes of a process though it does not run: its resident set and its control
 * groups. */
static __always_inline uint64_t mark_of(const struct task_struct *leader, int64_t rss_pages)
{
    group_address = (uint64_t)leader->cgroups;
    return (uint64_t)rss_pages * 0x9e3779b97f4a7c15ULL ^ group_address;
}

/* Stands for what a process seldom changes, and what lies in memory of its own for each: its parent
 * and its user; and for which process it is. */
static __always_inline uint64_t origin_of(const struct task_struct *leader)
{
    parent_address = (uint64_t)leader->real_parent;
    cred_address = (uint64_t)leader->cred;
    return leader->start_boottime * 0x9e3779b97f4a7c15ULL ^ parent_address ^ cred_address << 20;
}

/* It is due, and nothing has changed since it was told of: not the clock, of the thread if it had a
 * single one, nor what the marks stand for. Of who is on a CPU exact mode knows better than its
 * clock. */
static __always_inline bool is_unmoved(const struct gate *gate, struct task_struct *leader,
                                       int32_t pid, bool single, uint64_t clock_ns)
{
    if (walk.turn_width == UINT32_MAX || gate->pid != (uint32_t)pid ||
        (gate->tick_single & 1) != single || gate->clock_ns != clock_ns ||
        (is_exact && leader->on_cpu))
        return false;
    return gate->origin == origin_of(leader) && gate->mark == mark_of(leader, read_rss(leader->mm));
}

static __always_inline void tell_unmoved(struct gate *gate, int32_t pid)
{
    uint32_t at = walk.unmoved;
    uint64_t *slot = NULL;
    if (at < tasks_max)
        slot = bpf_map_lookup_elem(&unmoved, &at);
    if (!slot) {
        walk.left_out++;
        return;
    }
    *slot = (uint64_t)pid;
    walk.unmoved = at + 1;
    gate->tick_single = walk.tick << 1 | (gate->tick_single & 1);
}

/* Room for a record; NULL = there is none. */
static __always_inline struct tk_bpf_task *next_record(void)
{
    uint32_t at = walk.count;
    struct tk_bpf_task *record = NULL;
    if (at < tasks_max)
        record = bpf_map_lookup_elem(&tasks, &at);
    if (record) {
        walk.count = at + 1;
    } else {
        walk.left_out++;
    }
    return record;
}

static __always_inline void fill(struct tk_bpf_task *record, struct task_struct *leader,
                                 const struct sums *sums)
{
    const struct signal_struct *signal = leader->signal;
    record->start_boot_ns = leader->start_boottime;
    record->runtime_ns = sums->runtime_ns;
    record->utime_ns = sums->utime_ns;
    record->stime_ns = sums->stime_ns;
    record->prev_utime_ns = signal->prev_cputime.utime;
    record->prev_stime_ns = signal->prev_cputime.stime;
    record->rss_pages = read_rss(leader->mm);
    record->rd_bytes = sums->rd_bytes;
    record->wr_bytes = sums->wr_bytes;
    record->minflt = sums->minflt;
    record->majflt = sums->majflt;
    record->nvcsw = sums->nvcsw;
    record->nivcsw = sums->nivcsw;
    record->run_delay_ns = sums->run_delay_ns;
    record->group = (uint64_t)leader->cgroups;
    record->state = state_of(leader);
    record->exit_state = (uint32_t)leader->exit_state;
    record->threads = signal->nr_threads;
    __builtin_memcpy(record->comm, leader->comm, sizeof(record->comm));
}

/* What other programs have added up. */
static __always_inline void fill_extras(struct tk_bpf_task *record, int32_t pid)
{
    struct tk_bpf_extra *extra = NULL;
    if (has_extras)
        extra = bpf_map_lookup_elem(&extras, &pid);
    bool is_there = extra && extra->start_boot_ns == record->start_boot_ns;
    record->net_rx_bytes = is_there ? extra->net_rx_bytes : 0;
    record->net_tx_bytes = is_there ? extra->net_tx_bytes : 0;
    record->io_wait_ns = is_there ? extra->io_wait_ns : 0;
}

/* What is told of a process that is new, has changed it, or is due. */
static __always_inline void fill_whole(struct tk_bpf_task *record, struct task_struct *leader,
                                       int32_t pid)
{
    record->uid = leader->cred->euid.val;
    record->ns_pid = innermost_pid_of(leader, pid);
    record->ppid = pid_of(leader->real_parent->group_leader);
    record->fds = count_fds(leader->files);
    record->fd_limit = fd_limit_of(leader->signal);
}

static __always_inline void put(struct gate *gate, struct task_struct *leader, int32_t pid,
                                struct sums *sums)
{
    struct tk_bpf_task *record = next_record();
    if (!record)
        return;
    add_ended(sums, leader->signal);
    fill(record, leader, sums);
    fill_extras(record, pid);
    record->pid = pid;
    uint64_t origin = origin_of(leader);
    record->is_whole = gate->pid != (uint32_t)pid || gate->origin != origin || is_in_turn(pid);
    if (record->is_whole)
        fill_whole(record, leader, pid);
    gate->pid = (uint32_t)pid;
    bool is_single = record->threads == 1;
    gate->tick_single = walk.tick << 1 | is_single;
    /* Read before it is asked for: the verifier takes no load that serves two kinds of memory. */
    uint64_t clock_ns = BPF_CORE_READ(leader, se.sum_exec_runtime);
    gate->clock_ns = is_single ? clock_ns : sums->runtime_ns;
    gate->mark = mark_of(leader, record->rss_pages);
    gate->origin = origin;
}

/* One thread ------------------------------------------------------------------------- */

/* Whether there is nothing to tell, or this walk or the one whose rest it is has told. */
static __always_inline bool is_told(const struct thread_gate *gate, uint32_t tid,
                                    uint64_t runtime_ns)
{
    if (gate->tid != tid)
        return false;
    return gate->tick == walk.tick ||
           (walk.threads == TK_BPF_THREADS_MOVED && gate->clock_ns == runtime_ns);
}

/* Room for a record; NULL = there is none. */
static __always_inline struct tk_bpf_thread *next_thread_record(void)
{
    uint32_t at = walk.thread_count;
    struct tk_bpf_thread *record = NULL;
    if (at < threads_max)
        record = bpf_map_lookup_elem(&thread_records, &at);
    if (record) {
        walk.thread_count = at + 1;
    } else {
        walk.threads_left_out++;
    }
    return record;
}

static __always_inline void fill_thread(struct tk_bpf_thread *record, struct task_struct *thread)
{
    record->process_start_boot_ns = thread->group_leader->start_boottime;
    record->start_boot_ns = thread->start_boottime;
    record->utime_ns = thread->utime;
    record->stime_ns = thread->stime;
    record->prev_utime_ns = thread->prev_cputime.utime;
    record->prev_stime_ns = thread->prev_cputime.stime;
    record->minflt = thread->min_flt;
    record->majflt = thread->maj_flt;
    record->nvcsw = thread->nvcsw;
    record->nivcsw = thread->nivcsw;
    record->run_delay_ns = thread->sched_info.run_delay;
    record->state = state_of(thread);
    record->exit_state = (uint32_t)thread->exit_state;
    __builtin_memcpy(record->comm, thread->comm, sizeof(record->comm));
}

/* Tell of a thread of a process that has several. */
static __always_inline void put_thread(struct task_struct *thread)
{
    int32_t tid = tid_in(thread, walk.ns_level, walk.ns_inum);
    uint32_t slot = (uint32_t)tid % GATES;
    struct thread_gate *gate = bpf_map_lookup_elem(&thread_gates, &slot);
    uint64_t runtime_ns = runtime_of(thread);
    if (tid == 0 || !gate || is_told(gate, (uint32_t)tid, runtime_ns))
        return;
    struct tk_bpf_thread *record = next_thread_record();
    if (!record)
        return;
    fill_thread(record, thread);
    record->pid = pid_of(thread->group_leader);
    record->tid = tid;
    record->runtime_ns = runtime_ns;
    *gate = (struct thread_gate){(uint32_t)tid, walk.tick, runtime_ns};
}

/* Tier B2 ---------------------------------------------------------------------------- */

/* The verifier goes through the loop over processes again and again, until its states repeat. What
 * is done for one process is therefore kept in functions of their own, which it looks at once, and
 * which know the process by these. */
static uint64_t subject; /* address of its main thread */
static uint32_t visited; /* of this walk, in any namespace */
static struct sums sums_of_subject;
static uint64_t thread_subject; /* address of a thread */

__noinline int put_thread_subject(void)
{
    if (threads_max > 0 && walk.threads != TK_BPF_THREADS_NONE) {
        put_thread(KERNEL_TYPE(task_struct, (const void *)thread_subject));
    }
    return 0;
}

/* CPU time of the live threads, or else what they used besides, into sums_of_subject; then they are
 * told of, too, where that was asked for. */
__noinline uint64_t sum_threads(int32_t tgid, uint32_t wants_rest)
{
    uint64_t runtime_ns = 0;
    struct bpf_iter_task threads;
    struct task_struct *thread;
    struct task_struct *leader = bpf_task_from_pid(tgid);
    if (!leader)
        return 0;
    bpf_rcu_read_lock();
    bpf_iter_task_new(&threads, leader, THREADS_OF_PROCESS);
    while ((thread = bpf_iter_task_next(&threads))) {
        if (wants_rest) {
            add_thread(&sums_of_subject, thread);
            if (threads_max > 0) {
                thread_subject = (uint64_t)thread;
                put_thread_subject();
            }
        } else {
            runtime_ns += runtime_of(thread);
        }
    }
    bpf_iter_task_destroy(&threads);
    bpf_rcu_read_unlock();
    bpf_task_release(leader);
    return runtime_ns;
}

/* All that the process has used, its live threads included. */
static __always_inline uint64_t runtime_of_process(struct task_struct *leader)
{
    uint64_t ended_ns = leader->signal->sum_sched_runtime;
    if (leader->signal->nr_threads > 1)
        return ended_ns + sum_threads(leader->tgid, false);
    return ended_ns + runtime_of(leader);
}

__noinline int put_subject(int32_t pid)
{
    struct task_struct *leader = KERNEL_TYPE(task_struct, (const void *)subject);
    struct gate *gate = gate_of(pid);
    if (!gate)
        return 0;
    if (is_unmoved(gate, leader, pid, true, leader->se.sum_exec_runtime)) {
        tell_unmoved(gate, pid);
        return 0;
    }
    touch_process(leader);
    uint64_t runtime_ns = runtime_of_process(leader);
    if (all_idle(gate, pid, runtime_ns))
        return 0;
    if (is_unmoved(gate, leader, pid, false, runtime_ns)) {
        tell_unmoved(gate, pid);
        return 0;
    }
    sums_of_subject = (struct sums){.runtime_ns = runtime_ns};
    if (leader->signal->nr_threads > 1) {
        sum_threads(leader->tgid, true);
    } else {
        add_thread(&sums_of_subject, leader);
    }
    put(gate, leader, pid, &sums_of_subject);
    return 0;
}

/* Each process tells only where the next one lies, so that every step would wait for memory. What
 * was met AHEAD steps later last time is probably met again: touched now, it is there by then. The
 * address may be of anything by now: what is read is not used. 1.5 times faster at 2,000 processes
 * (bench/procs, 10 Hz). */
__noinline int fetch_ahead(void)
{
    uint32_t at = visited++;
    uint64_t *slot = bpf_map_lookup_elem(&route, &at);
    if (slot)
        *slot = subject;
    at += AHEAD;
    slot = bpf_map_lookup_elem(&route, &at);
    if (slot && *slot != 0) {
        const struct task_struct *later = KERNEL_TYPE(task_struct, (const void *)*slot);
        touch((uint64_t)later->tasks.next);
        touch((uint64_t)later->tgid);
        touch(later->se.sum_exec_runtime);
    }
    return 0;
}

static __always_inline void walk_process(struct task_struct *leader)
{
    subject = (uint64_t)leader;
    fetch_ahead();
    int32_t pid = pid_of(leader);
    if (pid == 0)
        return;
    walk.processes++;
    const struct gate *gate = gate_of(pid);
    if (!gate || is_idle(gate, leader, pid))
        return;
    put_subject(pid);
}

static void visit_groups(void);
extern struct tk_bpf_groups group_walk;

SEC("syscall")
int walk_tasks(void *nothing __attribute__((unused)))
{
    struct bpf_iter_task processes;
    struct task_struct *leader;
    visited = 0;
    bpf_rcu_read_lock();
    bpf_iter_task_new(&processes, NULL, ALL_PROCESSES);
    while ((leader = bpf_iter_task_next(&processes)))
        walk_process(leader);
    bpf_iter_task_destroy(&processes);
    bpf_rcu_read_unlock();
    if (has_groups && group_walk.is_due)
        visit_groups();
    return 0;
}

/* Tier B1 ---------------------------------------------------------------------------- */

/* A thread of the list that a process has of them; this kernel has no iterator for it. */
static __always_inline void add_listed(struct sums *sums, struct task_struct *thread)
{
    sums->runtime_ns += runtime_of_listed(thread);
    sums->utime_ns += BPF_CORE_READ(thread, utime);
    sums->stime_ns += BPF_CORE_READ(thread, stime);
    sums->run_delay_ns += BPF_CORE_READ(thread, sched_info.run_delay);
    sums->minflt += BPF_CORE_READ(thread, min_flt);
    sums->majflt += BPF_CORE_READ(thread, maj_flt);
    sums->nvcsw += BPF_CORE_READ(thread, nvcsw);
    sums->nivcsw += BPF_CORE_READ(thread, nivcsw);
    if (bpf_core_field_exists(thread->ioac.read_bytes)) {
        sums->rd_bytes += BPF_CORE_READ(thread, ioac.read_bytes);
        sums->wr_bytes += BPF_CORE_READ(thread, ioac.write_bytes);
    }
}

static __always_inline void list_threads(struct sums *sums, struct signal_struct *signal)
{
    const struct list_head *head = &signal->thread_head;
    const struct list_head *node = BPF_CORE_READ(signal, thread_head.next);
    for (int i = 0; i < THREADS_MAX && node != head; i++) {
        struct task_struct *thread =
            (void *)((uint64_t)node - bpf_core_field_offset(struct task_struct, thread_node));
        add_listed(sums, thread);
        node = BPF_CORE_READ(node, next);
    }
    walk.cut += node != head;
}

SEC("iter/task")
int visit_task(struct bpf_iter__task *context)
{
    struct task_struct *task = context->task;
    if (!task)
        return 0;
    if (threads_max > 0 && walk.threads != TK_BPF_THREADS_NONE && task->signal->nr_threads > 1)
        put_thread(task);
    if (task->pid != task->tgid)
        return 0;
    struct task_struct *leader = task;
    int32_t pid = pid_of(leader);
    if (pid == 0)
        return 0;
    walk.processes++;
    struct gate *gate = gate_of(pid);
    if (!gate || is_idle(gate, leader, pid))
        return 0;
    struct sums sums = {.runtime_ns = leader->signal->sum_sched_runtime};
    if (leader->signal->nr_threads > 1) {
        list_threads(&sums, leader->signal);
    } else {
        sums.runtime_ns += runtime_of(leader);
        add_thread(&sums, leader);
    }
    if (!all_idle(gate, pid, sums.runtime_ns))
        put(gate, leader, pid, &sums);
    return 0;
}

/* Learning --------------------------------------------------------------------------- */

static __always_inline void learn_reader(void)
{
    struct number number = {};
    struct task_struct *task = bpf_get_current_task_btf();
    struct pid *reader = BPF_CORE_READ(task, thread_pid);
    uint32_t level = BPF_CORE_READ(reader, level);
    learned.ns_level = level;
    bpf_probe_read_kernel(&number, sizeof(number),
                          (const char *)&reader->numbers[0] + level * sizeof(number));
    struct pid_namespace *namespace = number.ns;
    learned.ns_inum = BPF_CORE_READ(namespace, ns.inum);
}

/* One read() at the start: whose namespace is ours, and where per-CPU data lies: the run queue of
 * each task tells that of its CPU. */
SEC("iter/task")
int learn_task(struct bpf_iter__task *context)
{
    struct task_struct *task = context->task;
    if (!task)
        return 0;
    learn_reader();
    if (!bpf_core_field_exists(task->se.cfs_rq))
        return 0;
    struct rq *rq = BPF_CORE_READ(task, se.cfs_rq, rq);
    uint32_t cpu = (uint32_t)BPF_CORE_READ(rq, cpu);
    if (cpu < TK_BPF_CPUS_MAX)
        learned.rq[cpu] = (uint64_t)rq;
    struct cgroup *root = &BPF_CORE_READ(task, cgroups, dfl_cgrp, root)->cgrp;
    struct cgroup___old *old = (void *)root;
    learned.root_rstat = bpf_core_field_exists(root->rstat_base_cpu)
                             ? (uint64_t)BPF_CORE_READ(root, rstat_base_cpu)
                             : (uint64_t)BPF_CORE_READ(old, rstat_cpu);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
