/* SPDX-License-Identifier: Apache-2.0 */
/* What programs that follow events share: whose pids are told, and the sums that they keep for each
 * process that they met, by its pid. The least used are given up when there is no room. */
#ifndef TK_COLLECT_BPF_EXTRAS_BPF_H
#define TK_COLLECT_BPF_EXTRAS_BPF_H

#include "collect/bpf/pids.bpf.h"

extern struct tk_bpf_walk walk;

struct tk_extras_map {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1); /* the loader sets it */
    __type(key, int32_t);
    __type(value, struct tk_bpf_extra);
};
extern struct tk_extras_map extras SEC(".maps");

/* The sums of a process, NULL where its pids are not ours. */
static __always_inline struct tk_bpf_extra *extra_of(struct task_struct *leader)
{
    int32_t pid = pid_in(leader, walk.ns_level, walk.ns_inum);
    if (pid == 0)
        return NULL;
    struct tk_bpf_extra *extra = bpf_map_lookup_elem(&extras, &pid);
    struct tk_bpf_extra fresh = {.start_boot_ns = leader->start_boottime};
    if (extra && extra->start_boot_ns == fresh.start_boot_ns)
        return extra;
    /* Two threads may be here at once: the second takes what the first has put there. */
    (void)bpf_map_update_elem(&extras, &pid, &fresh, extra ? BPF_ANY : BPF_NOEXIST);
    return bpf_map_lookup_elem(&extras, &pid);
}

#endif
