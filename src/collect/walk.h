/* SPDX-License-Identifier: Apache-2.0 */
/* A look at all processes at once, as the tiers B2 and B1 take it (collector.md section 2.2). The
 * kernel side is bpf.h; a test puts its own in its place. */
#ifndef TK_COLLECT_WALK_H
#define TK_COLLECT_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "collect/bpf/shared.h"

/* What came of one walk; `tasks` is good until the next. */
struct tk_walk {
    const struct tk_bpf_task *tasks; /* [count]: those that ran since the last walk or are due */
    uint32_t count;
    const uint64_t *unmoved; /* [unmoved_count]: pids of those that are due and of which nothing is
                                new since a walk told of them; none when everybody is due */
    uint32_t unmoved_count;
    uint32_t processes;                  /* all that there are in our pid namespace */
    uint32_t cut;                        /* processes of which not all threads were added up */
    bool left_out;                       /* some found no room and come with the next walk */
    const struct tk_bpf_thread *threads; /* [thread_count]: those that were asked for */
    uint32_t thread_count;
    uint32_t threads_left_out; /* that found no room: they come when their process runs again */
    int64_t start_ns, end_ns;  /* monotonic */
};

/* What a walk is to tell of besides those that ran. */
struct tk_walk_order {
    uint32_t turn_from, turn_width; /* of those that are due: tk_bpf_in_turn(). UINT32_MAX wide:
                                       everybody, with a record each */
    bool rest;                      /* only of those that the walk before has left out */
    enum tk_bpf_threads threads;    /* of the processes that are told of, and have several */
};

struct tk_walker {
    int (*walk)(void *context, const struct tk_walk_order *order, struct tk_walk *ret_walk);

    /* Fill in rc and address of `count` processes, TK_BPF_MAPPINGS_MAX at most, by one system call.
     * 0, or a negative errno when none was asked. NULL = nothing here can tell. */
    int (*find_mappings)(void *context, struct tk_bpf_mapping *mappings, uint32_t count);
    void *context;
    bool rss_exact; /* rss_pages is what /proc/PID/statm shows; else it is to be asked */
};

#endif
