/* SPDX-License-Identifier: Apache-2.0 */
/* What several programs ask of a task: its pid as the reader sees it, and its state.
 *
 * Where it costs nothing, pointers are followed from what bpf_rdonly_cast() gave, or by
 * BPF_CORE_READ(), not by an arrow from a task that the verifier trusts: of each such load, on each
 * way to it, it asks whether it may trust the result, too, by up to four searches of all of the
 * kernel's BTF, a millisecond. The programs of events do follow arrows, as a call of a helper would
 * be paid by everybody who forks. */
#ifndef TK_COLLECT_BPF_PIDS_BPF_H
#define TK_COLLECT_BPF_PIDS_BPF_H

#include "collect/bpf/kernel.bpf.h"

/* As the kernel lays it out. */
struct number {
    int32_t nr;
    struct pid_namespace *ns;
};

static __always_inline struct number number_at(struct pid *pid, uint32_t level)
{
    struct number number = {};
    const char *at = (const char *)&pid->numbers[0] + level * sizeof(number);
    bpf_probe_read_kernel(&number, sizeof(number), at);
    return number;
}

/* In the namespace `inum` at this level; 0 = it is in another. */
static __always_inline int32_t number_in(struct pid *pid, uint32_t level, uint32_t inum)
{
    struct number number = number_at(pid, level);
    struct pid_namespace *namespace = number.ns;
    return BPF_CORE_READ(namespace, ns.inum) == inum ? number.nr : 0;
}

/* Of a task, in a namespace below the initial one. */
static __always_inline int32_t nested_pid_in(struct task_struct *task, uint32_t level,
                                             uint32_t inum)
{
    struct pid *pid = BPF_CORE_READ(task, thread_pid);
    return pid && BPF_CORE_READ(pid, level) >= level ? number_in(pid, level, inum) : 0;
}

/* Of the process of this main thread, in the namespace of the reader (level 0 = the initial one);
 * 0 = it is not there. */
static __always_inline int32_t pid_in(struct task_struct *leader, uint32_t level, uint32_t inum)
{
    return level == 0 ? leader->tgid : nested_pid_in(leader, level, inum);
}

/* Likewise, of the process that a thread is of. */
static __always_inline int32_t process_pid_in(struct task_struct *task, uint32_t level,
                                              uint32_t inum)
{
    return level == 0 ? task->tgid : nested_pid_in(BPF_CORE_READ(task, group_leader), level, inum);
}

/* Likewise, of any thread. */
static __always_inline int32_t tid_in(struct task_struct *task, uint32_t level, uint32_t inum)
{
    return level == 0 ? task->pid : nested_pid_in(task, level, inum);
}

static __always_inline uint32_t state_of(struct task_struct *task)
{
    if (bpf_core_field_exists(task->__state))
        return task->__state;
    return (uint32_t)((struct task_struct___old *)task)->state;
}

#endif
