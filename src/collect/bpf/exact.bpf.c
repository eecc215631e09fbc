/* SPDX-License-Identifier: Apache-2.0 */
/* Exact mode (collector.md section 3): how far the clock that the scheduler keeps for each CPU is
 * behind monotonic time. With it the walk adds, for a task on a CPU, what that was given since the
 * scheduler last credited it: between two ticks nobody else knows.
 *
 * A switch is when both clocks can be read side by side: the scheduler has just brought its own up
 * to date. That was a moment ago, longer when the hypervisor came between, so that of some looks in
 * a row the least difference is the true one. No longer than some, since one of the clocks may be
 * slewed.
 *
 * Cost per switch: bench/RESULTS.md, section "exact". */
#include "collect/bpf/kernel.bpf.h"

#define LOOKS 16

extern struct tk_bpf_clock clocks[TK_BPF_CPUS_MAX];

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

SEC("tp_btf/sched_switch")
int follow_clock(uint64_t *context)
{
    const struct task_struct *next = (const struct task_struct *)context[2];
    uint32_t cpu = bpf_get_smp_processor_id();
    if (!bpf_core_field_exists(next->se.cfs_rq) || cpu >= TK_BPF_CPUS_MAX)
        return 0;
    struct tk_bpf_clock *clock = &clocks[cpu];
    uint64_t switch_ns = next->se.cfs_rq->rq->clock;
    clock->switch_ns = switch_ns;
    look(clock, bpf_ktime_get_ns() - switch_ns);
    return 0;
}
