/* SPDX-License-Identifier: Apache-2.0 */
/* Who comes and goes: a record for each birth, each exec, and each end with the whole account of
 * the process, into a ring that the reader empties when it likes.
 *
 * An end is told when the last thread of the process has left its CPU for good. Before that its
 * CPU time is not known: the scheduler brings it up to date at switches and ticks only, and freeing
 * the memory of a process comes after everybody thinks it has ended. Until then its account is kept
 * in `lives`:
 *
 *   on_exit     a thread announces its end: the first one of a process opens the account with what
 *               the kernel has summed up of earlier threads
 *   on_switch   a thread that is dead leaves its CPU: what it used is exact now and is added; the
 *               last one of the process submits the record
 *
 * The kernel's own sums (rusage, /proc) lack the ticks that threads other than the main one had
 * begun when they ended; these do not.
 *
 * Costs 15 ns at each switch, 0.15 us a birth, 0.45 us an end: bench/RESULTS.md, section "exits".
 */
#include "collect/bpf/pids.bpf.h"

#define LIVES_MAX  8192      /* processes that are ending, or of which a thread ended: 2 MB */
#define RING_BYTES (1 << 20) /* 3,100 lives with birth, exec and end */

/* include/linux/sched.h, include/linux/sched/signal.h */
#define TASK_DEAD         0x80
#define SIGNAL_GROUP_EXIT 0x4

enum { RSS_FILE, RSS_ANON, RSS_SWAP, RSS_SHMEM };

/* The account of a process whose end has begun. */
struct life {
    struct tk_bpf_end end;
    int32_t leaving;   /* threads that announced their end and still are on their way */
    int32_t is_told;   /* the record was submitted */
    int32_t main_left; /* the main thread has left its CPU */
    int32_t padding;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, LIVES_MAX);
    __type(key, uint64_t); /* address of the signal_struct, which all threads keep to the last */
    __type(value, struct life);
} lives SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, RING_BYTES);
} ring SEC(".maps");

struct tk_bpf_events events;
extern const volatile uint32_t cpus_max;
extern struct tk_bpf_cpus cpus;

/* The ring --------------------------------------------------------------------------- */

/* The reader is woken once, when the ring is half full; else it comes by itself. */
static __always_inline void submit(void *record)
{
    uint64_t flags = BPF_RB_NO_WAKEUP;
    if (!events.is_asked && bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > RING_BYTES / 2) {
        events.is_asked = 1;
        flags = BPF_RB_FORCE_WAKEUP;
    }
    bpf_ringbuf_submit(record, flags);
}

static __always_inline int32_t pid_of(struct task_struct *leader)
{
    return pid_in(leader, events.ns_level, events.ns_inum);
}

/* Of the process that this thread is of. */
static __always_inline int32_t process_pid_of(struct task_struct *task)
{
    return process_pid_in(task, events.ns_level, events.ns_inum);
}

static __always_inline int32_t parent_pid_of(struct task_struct *task)
{
    return process_pid_of(task->real_parent);
}

static __always_inline void describe(struct tk_bpf_event *event, enum tk_bpf_event_kind kind,
                                     struct task_struct *leader)
{
    event->kind = kind;
    event->ppid = parent_pid_of(leader);
    event->uid = leader->cred->euid.val;
    event->stamp_ns = bpf_ktime_get_ns();
    event->start_ns = leader->start_time;
    event->start_boot_ns = leader->start_boottime;
    event->group = (uint64_t)leader->cgroups;
    __builtin_memcpy(event->comm, leader->comm, sizeof(event->comm));
}

static __always_inline void tell(enum tk_bpf_event_kind kind, struct task_struct *leader)
{
    int32_t pid = pid_of(leader);
    if (pid == 0)
        return;
    struct tk_bpf_event *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
    if (!event) {
        __sync_fetch_and_add(&events.dropped, 1);
        return;
    }
    event->pid = pid;
    event->status = -1;
    event->threads = 1;
    describe(event, kind, leader);
    submit(event);
}

/* Accounts --------------------------------------------------------------------------- */

/* Of threads that ended before. Their I/O cannot be told from that of children which the process
 * has waited for. */
static __always_inline void begin_sums(struct tk_bpf_sums *sums, const struct signal_struct *signal)
{
    sums->runtime_ns = signal->sum_sched_runtime;
    sums->utime_ns = signal->utime;
    sums->stime_ns = signal->stime;
    sums->minflt = signal->min_flt;
    sums->majflt = signal->maj_flt;
    sums->nvcsw = signal->nvcsw;
    sums->nivcsw = signal->nivcsw;
}

/* Threads of one process may be here at the same time. */
static __always_inline void add_thread(struct tk_bpf_sums *sums, struct task_struct *thread)
{
    __sync_fetch_and_add(&sums->runtime_ns, thread->se.sum_exec_runtime);
    __sync_fetch_and_add(&sums->utime_ns, thread->utime);
    __sync_fetch_and_add(&sums->stime_ns, thread->stime);
    __sync_fetch_and_add(&sums->run_delay_ns, thread->sched_info.run_delay);
    __sync_fetch_and_add(&sums->minflt, thread->min_flt);
    __sync_fetch_and_add(&sums->majflt, thread->maj_flt);
    __sync_fetch_and_add(&sums->nvcsw, thread->nvcsw);
    __sync_fetch_and_add(&sums->nivcsw, thread->nivcsw);
    if (bpf_core_field_exists(thread->ioac.read_bytes)) {
        __sync_fetch_and_add(&sums->rd_bytes, thread->ioac.read_bytes);
        __sync_fetch_and_add(&sums->wr_bytes, thread->ioac.write_bytes);
    }
}

/* Its central part and those of all CPUs. */
__noinline int64_t sum_counter(struct tk_bpf_counter *counter)
{
    if (!counter)
        return 0;
    int64_t sum = counter->central;
    for (uint32_t i = 0; i < TK_BPF_CPUS_MAX && i < cpus_max && i < cpus.count; i++) {
        int32_t part = 0;
        bpf_probe_read_kernel(&part, sizeof(part), (const void *)(counter->parts + cpus.delta[i]));
        sum += part;
    }
    return sum;
}

static __always_inline int64_t read_counter(const struct percpu_counter *counter)
{
    struct tk_bpf_counter parts = {
        .central = counter->count,
        .parts = (uint64_t)BPF_CORE_READ(counter, counters),
    };
    return sum_counter(&parts);
}

static __always_inline int64_t read_rss(struct mm_struct *mm)
{
    if (bpf_core_type_exists(struct mm_rss_stat___old)) {
        const struct mm_rss_stat___old *old = &((struct mm_struct___old *)mm)->rss_stat;
        return old->count[RSS_FILE].counter + old->count[RSS_ANON].counter +
               old->count[RSS_SHMEM].counter;
    }
    return read_counter(&mm->rss_stat[RSS_FILE]) + read_counter(&mm->rss_stat[RSS_ANON]) +
           read_counter(&mm->rss_stat[RSS_SHMEM]);
}

/* Of the present program, while its memory is there (Linux 6.16); else the most of all that the
 * process has run. */
static __always_inline uint64_t peak_rss(struct mm_struct *mm, const struct signal_struct *signal)
{
    if (!mm)
        return signal->maxrss;
    int64_t now = read_rss(mm);
    int64_t peak = (int64_t)mm->hiwater_rss;
    return (uint64_t)(now > peak ? now : peak);
}

static __always_inline void open_life(uint64_t key, struct signal_struct *signal, int32_t pid)
{
    struct life fresh = {.end.event.pid = pid};
    begin_sums(&fresh.end.sums, signal);
    bpf_map_update_elem(&lives, &key, &fresh, BPF_NOEXIST);
}

/* The account of a process, opened unless it has one. A process that never had a thread beside the
 * main one has none. */
static __always_inline struct life *life_of(struct signal_struct *signal, int32_t pid)
{
    uint64_t key = (uint64_t)signal;
    bool is_alone = signal->nr_threads == 1 && signal->sum_sched_runtime == 0;
    struct life *life = is_alone ? NULL : bpf_map_lookup_elem(&lives, &key);
    if (life)
        return life;
    open_life(key, signal, pid);
    return bpf_map_lookup_elem(&lives, &key);
}

/* Whether threads are still to come: none runs, none is on its way to announce its end, and the
 * main thread, which stays until its parent has asked, has left its CPU. */
static __always_inline bool is_over(const struct life *life, const struct signal_struct *signal)
{
    int32_t left = signal->nr_threads;
    return signal->live.counter == 0 && (left == 0 || (left == 1 && life->main_left));
}

static __always_inline void tell_end(const struct life *life, const struct signal_struct *signal)
{
    struct tk_bpf_end *end = bpf_ringbuf_reserve(&ring, sizeof(*end), 0);
    if (!end) {
        __sync_fetch_and_add(&events.dropped, 1);
        __sync_fetch_and_add(&events.dropped_ends, 1);
        return;
    }
    __builtin_memcpy(end, &life->end, sizeof(*end));
    end->event.stamp_ns = bpf_ktime_get_ns();
    if (signal->flags & SIGNAL_GROUP_EXIT)
        end->event.status = signal->group_exit_code;
    submit(end);
}

/* Programs --------------------------------------------------------------------------- */

/* (struct task_struct *parent, struct task_struct *child) */
SEC("tp_btf/sched_process_fork")
int on_fork(uint64_t *arguments)
{
    struct task_struct *child = (struct task_struct *)arguments[1];
    __sync_fetch_and_add(&events.forks, 1);
    if (child->pid == child->tgid)
        tell(TK_BPF_FORK, child);
    return 0;
}

/* (struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm) */
SEC("tp_btf/sched_process_exec")
int on_exec(uint64_t *arguments)
{
    struct task_struct *task = (struct task_struct *)arguments[0];
    tell(TK_BPF_EXEC, task);
    const struct signal_struct *signal = task->signal;
    uint64_t key = (uint64_t)signal;
    struct life *life = NULL;
    if (signal->sum_sched_runtime != 0)
        life = bpf_map_lookup_elem(&lives, &key);
    if (life)
        life->main_left = 0; /* another thread has become the main one */
    return 0;
}

/* (struct task_struct *task, ...) */
SEC("tp_btf/sched_process_exit")
int on_exit(uint64_t *arguments)
{
    struct task_struct *task = (struct task_struct *)arguments[0];
    struct signal_struct *signal = task->signal; /* here the verifier comes by once */
    struct mm_struct *mm = task->mm;
    int32_t pid = process_pid_of(task);
    if (pid == 0)
        return 0;
    struct life *life = life_of(signal, pid);
    if (!life) {
        bool is_last = signal->live.counter == 0;
        __sync_fetch_and_add(&events.dropped, is_last);
        __sync_fetch_and_add(&events.dropped_ends, is_last);
        return 0;
    }
    __sync_fetch_and_add(&life->leaving, 1);
    __sync_fetch_and_add(&life->end.event.threads, 1);
    if (task->pid == task->tgid) {
        describe(&life->end.event, TK_BPF_EXIT, task);
        life->end.event.status = task->exit_code;
    } else {
        life->end.event.ppid = parent_pid_of(task);
    }
    if (signal->live.counter == 0)
        life->end.max_rss_pages = peak_rss(mm, signal);
    return 0;
}

/* (bool preempt, struct task_struct *prev, struct task_struct *next, ...); at each switch of a CPU.
 * Of threads that end at once exactly one finds that it was the last: who takes the count to zero,
 * or a later one, looks whether threads are still to come, and whoever is first to mark the account
 * told tells it. */
SEC("tp_btf/sched_switch")
int on_switch(uint64_t *arguments)
{
    struct task_struct *thread = (struct task_struct *)arguments[1];
    if (!(state_of(thread) & TASK_DEAD))
        return 0;
    const struct signal_struct *signal = thread->signal;
    uint64_t key = (uint64_t)signal;
    struct life *life = bpf_map_lookup_elem(&lives, &key);
    if (!life)
        return 0;
    add_thread(&life->end.sums, thread);
    if (thread->pid == thread->tgid)
        life->main_left = 1;
    if (__sync_fetch_and_add(&life->leaving, -1) != 1 || !is_over(life, signal) ||
        life->leaving != 0 || __sync_lock_test_and_set(&life->is_told, 1) != 0)
        return 0;
    tell_end(life, signal);
    bpf_map_delete_elem(&lives, &key);
    return 0;
}

char EVENTS_LICENSE[] SEC("license") = "Dual BSD/GPL";
