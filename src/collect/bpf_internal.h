/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of bpf (bpf.c and those of its parts) share. */
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

/* Records of one walk: 0.8 MB that stay mapped. When more processes ran, there is another walk. */
#define TK_BPF_ROOM 4096

struct tk_bpf {
    struct tk_programs *programs;
    struct tk_bpf_task *tasks; /* mapped for reading, [TK_BPF_ROOM] */
    enum tk_tier tier;
    uint32_t parts;        /* that are loaded */
    struct bpf_link *link; /* B1: the iterator, of which each walk takes one */
    bool rss_exact;
};

#endif
