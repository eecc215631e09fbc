/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of bpf share:
 *
 *   bpf.c         what the kernel has, loading, the walk over processes
 *   bpf_events.c  the ring of births, execs and ends
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
    uint64_t *consumer_at;       /* bytes since the start that we have read */
    uint64_t *producer_at;       /* ... that the kernel has reserved; read only */
    const char *data;            /* [bytes], after the page of producer_at */
    size_t bytes;                /* a power of two */
};

struct tk_bpf {
    struct tk_programs *programs;
    struct tk_bpf_task *tasks; /* mapped for reading */
    enum tk_tier tier;
    uint32_t parts;        /* that are loaded */
    struct bpf_link *link; /* B1: the iterator, of which each walk takes one */
    bool rss_exact;
    struct tk_bpf_ring ring;
};

/* Prepare the programs of TK_BPF_EVENTS that are about to be loaded. */
void tk_bpf_events_prepare(struct tk_programs *programs, bool is_wanted);

/* Map their ring, and let them tell of the pid namespace that was learned. `err` says what failed.
 */
TK_MUST_USE int tk_bpf_events_open(struct tk_bpf *bpf, struct tk_err *err);
void tk_bpf_events_close(struct tk_bpf *bpf);

#endif
