/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of bpf share:
 *
 *   bpf.c          what the kernel has, loading, the walk over processes
 *   bpf_cgroups.c the walk over control groups
 *   bpf_events.c   the ring of births, execs and ends
 */
#ifndef TK_COLLECT_BPF_INTERNAL_H
#define TK_COLLECT_BPF_INTERNAL_H

#include <bpf/libbpf.h>

#include "collect/bpf.h"

/* What bpftool makes of the programs is not written by our rules. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Woverlength-strings"
#include <programs.skel.h>
#pragma GCC diagnostic pop

/* The ring of events, mapped; zero = there is none. */
struct tk_bpf_ring {
    uint64_t *consumer_at; /* bytes since the start that we have read */
    uint64_t *producer_at; /* ... that the kernel has reserved; read only */
    const char *data;      /* [bytes], after the page of producer_at */
    size_t bytes;          /* a power of two */
};

struct tk_bpf {
    struct tk_programs *programs;
    struct tk_bpf_task *tasks; /* mapped for reading, [room] */
    uint64_t *unmoved;         /* likewise */
    uint32_t room;
    struct tk_bpf_thread *threads; /* likewise, [thread_room]; NULL = not asked for */
    uint32_t thread_room;
    enum tk_tier tier;
    uint32_t parts;        /* that are loaded */
    struct bpf_link *link; /* B1: the iterator, of which each walk takes one */
    bool rss_exact;
    struct tk_bpf_ring ring;

    struct tk_bpf_group *groups; /* mapped for reading, [group_room]; NULL = not asked for */
    uint32_t group_room;
    struct bpf_link
        *flush;            /* has version 2 add up what its groups spent; NULL = it is not walked */
    int flush_fd;          /* an iterator of it; -1 = none yet */
    bool is_bare;          /* the root of version 2 was alone at the last walk */
    bool groups_announced; /* a walk over processes comes before the one that is asked for */
    bool groups_walked;    /* it went over control groups, too, and nobody has asked since */
    int64_t groups_ns;     /* monotonic time of the last walk over them */
    uint32_t group_syscalls;
};

/* Run a program of SEC("syscall"), 1 system call. 0 or a negative errno. */
int tk_bpf_run(const struct bpf_program *program);

/* Send an iterator through all that it goes through, 3 system calls or a few more: it has done when
 * it has nothing to read, and pauses now and then. 0 or a negative errno. */
int tk_bpf_iterate(const struct bpf_link *link);

/* bpf_cgroups.c: before programs are loaded, and at the end. */
int tk_bpf_groups_size(struct tk_bpf *bpf, struct tk_programs *programs);
void tk_bpf_groups_release(struct tk_bpf *bpf);

/* Around a run of walk_tasks: if it is to go over control groups, too, tk_bpf_groups_joined() is to
 * be told what came of it. */
bool tk_bpf_groups_join(struct tk_bpf *bpf);
void tk_bpf_groups_joined(struct tk_bpf *bpf, int rc);

/* Prepare the programs of TK_BPF_EVENTS that are about to be loaded. */
void tk_bpf_events_prepare(struct tk_programs *programs, bool is_wanted);

/* Map their ring, and let them tell of the pid namespace that was learned. `err` says what failed.
 */
TK_MUST_USE int tk_bpf_events_open(struct tk_bpf *bpf, struct tk_err *err);
void tk_bpf_events_close(struct tk_bpf *bpf);

#endif
