/* SPDX-License-Identifier: Apache-2.0 */
/* In place of bpf.c in a build without libbpf (meson option `bpf`). */
#include <errno.h>

#include "collect/bpf.h"

int tk_bpf_new(enum tk_tier tier, uint32_t parts, struct tk_bpf **ret_bpf, struct tk_err *err)
{
    (void)tier;
    (void)parts;
    (void)ret_bpf;
    return tk_fail(err, -EOPNOTSUPP, "this tracekit was built without BPF");
}

void tk_bpf_free(struct tk_bpf *bpf)
{
    (void)bpf;
}

uint32_t tk_bpf_parts(const struct tk_bpf *bpf)
{
    (void)bpf;
    return 0;
}

enum tk_tier tk_bpf_tier(const struct tk_bpf *bpf)
{
    (void)bpf;
    return TK_TIER_AUTO;
}

bool tk_bpf_read_extra(const struct tk_bpf *bpf, pid_t pid, struct tk_bpf_extra *ret_extra)
{
    (void)bpf;
    (void)pid;
    (void)ret_extra;
    return false;
}

struct tk_walker tk_bpf_walker(struct tk_bpf *bpf)
{
    (void)bpf;
    return (struct tk_walker){0};
}

bool tk_bpf_event_next(struct tk_bpf *bpf, struct tk_bpf_end *ret_event)
{
    (void)bpf;
    (void)ret_event;
    return false;
}

int tk_bpf_event_fd(const struct tk_bpf *bpf)
{
    (void)bpf;
    return -1;
}

struct tk_bpf_event_stats tk_bpf_read_event_stats(const struct tk_bpf *bpf)
{
    (void)bpf;
    return (struct tk_bpf_event_stats){0};
}

int tk_bpf_group_walker(struct tk_bpf *bpf, struct tk_group_walker *ret_walker, struct tk_err *err)
{
    (void)bpf;
    (void)ret_walker;
    return tk_fail(err, -EOPNOTSUPP, "this tracekit was built without BPF");
}
