/* SPDX-License-Identifier: Apache-2.0 */
/* Exact mode (collector.md section 3): what each switch of tasks shows.
 *
 * How far the clock that the scheduler keeps for each CPU is behind monotonic time. With it the
 * walk adds, for a task on a CPU, what that was given since the scheduler last credited it: between
 * two ticks nobody else knows. A switch is when both clocks can be read side by side: the scheduler
 * has just brought its own up to date. That was a moment ago, longer when the hypervisor came
 * between, so that of some looks in a row the least difference is the true one. No longer than
 * some, since one of the clocks may be slewed.
 *
 * And how long tasks waited for block I/O: from where one leaves the CPU for that until it is
 * runnable again. The kernel itself accounts for this only with kernel.task_delayacct set.
 *
 * Cost per switch: bench/RESULTS.md, section "followers". */
#include "collect/bpf/extras.bpf.h"

#define LOOKS 16

#define TASK_UNINTERRUPTIBLE 2U /* include/linux/sched.h */

extern struct tk_bpf_clock clocks[TK_BPF_CPUS_MAX];

/* Where a task began to wait, and how long it had waited for CPUs until then. */
struct io_wait {
    uint64_t since_ns, run_delay_ns;
};

/* By the number of the task in the initial namespace. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1); /* the loader sets it */
    __type(key, int32_t);
    __type(value, struct io_wait);
} io_waits SEC(".maps");

static __always_inline void look(struct tk_bpf_clock *clock, uint64_t behind_ns)
{
    if (clock->looks == 0 || behind_ns < clock->least_ns)
        clock->least_ns = behind_ns;
    if (clock->behind_ns == 0 || behind_ns < clock->behind_ns)
        clock->behind_ns = behind_ns;
    if (++clock->looks == LOOKS) {
        clock->behind_ns = clock->least_ns;
        clock->looks = 0;
    }
}

static __always_inline void begin_io_wait(struct task_struct *task, uint64_t clock_ns)
{
    int32_t tid = task->pid;
    struct io_wait wait = {clock_ns, task->sched_info.run_delay};
    if (state_of(task) & TASK_UNINTERRUPTIBLE)
        (void)bpf_map_update_elem(&io_waits, &tid, &wait, BPF_ANY);
}

/* Since it was woken it has waited for a CPU, which is another account: in run_delay up to where it
 * came into the queue of this CPU, from one of another. */
static __always_inline void end_io_wait(struct task_struct *task, uint64_t clock_ns)
{
    int32_t tid = task->pid;
    const struct io_wait *wait = bpf_map_lookup_elem(&io_waits, &tid);
    if (!wait)
        return;
    uint64_t queued_ns = task->sched_info.last_queued;
    uint64_t end_ns = queued_ns > wait->since_ns && queued_ns < clock_ns ? queued_ns : clock_ns;
    int64_t waited_ns = end_ns - wait->since_ns - (task->sched_info.run_delay - wait->run_delay_ns);
    struct tk_bpf_extra *extra = extra_of(task->group_leader);
    if (extra && waited_ns > 0)
        __sync_fetch_and_add(&extra->io_wait_ns, waited_ns);
    (void)bpf_map_delete_elem(&io_waits, &tid);
}

SEC("tp_btf/sched_switch")
int follow_switch(uint64_t *context)
{
    struct task_struct *prev = (struct task_struct *)context[1];
    struct task_struct *next = (struct task_struct *)context[2];
    uint32_t cpu = bpf_get_smp_processor_id();
    if (!bpf_core_field_exists(next->se.cfs_rq) || cpu >= TK_BPF_CPUS_MAX)
        return 0;
    struct tk_bpf_clock *clock = &clocks[cpu];
    uint64_t switch_ns = next->se.cfs_rq->rq->clock;
    clock->switch_ns = switch_ns;
    look(clock, bpf_ktime_get_ns() - switch_ns);
    bool is_preempted = context[0];
    if (!is_preempted && BPF_CORE_READ_BITFIELD(prev, in_iowait))
        begin_io_wait(prev, switch_ns);
    if (BPF_CORE_READ_BITFIELD(next, in_iowait))
        end_io_wait(next, switch_ns);
    return 0;
}
