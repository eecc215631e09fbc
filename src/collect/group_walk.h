/* SPDX-License-Identifier: Apache-2.0 */
/* A look at all control groups at once, by one system call. The kernel side is bpf.h; a test puts
 * its own in its place. */
#ifndef TK_COLLECT_GROUP_WALK_H
#define TK_COLLECT_GROUP_WALK_H

#include <stdint.h>

#include "base/err.h"
#include "collect/bpf/shared.h"

/* What came of one walk; `groups` is good until the next. */
struct tk_group_walk {
    const struct tk_bpf_group *groups; /* [count], in the same order as long as `set` is the same */
    uint32_t count;
    uint32_t number;   /* of the walk: records with another one in `moved` say nothing new */
    uint32_t left_out; /* groups that found no room */
    uint32_t syscalls; /* that it took */
    uint64_t set;      /* fingerprint of the set of groups and their names */
    int64_t end_ns;    /* monotonic: when it was over */
};

struct tk_group_walker {
    /* Which hierarchies walks are to cover, at most TK_BPF_HIERARCHIES_MAX, by their numbers in
     * /proc/self/cgroup; 0 is version 2, and the last one. 0 or a negative errno. */
    int (*open)(void *context, const int32_t *numbers, uint32_t count, struct tk_err *err);
    int (*walk)(void *context, struct tk_group_walk *ret_walk);

    /* A walk over processes is about to come, and walk() next: one system call may do for both. */
    void (*announce)(void *context);
    void *context;
};

#endif
