/* SPDX-License-Identifier: Apache-2.0 */
/* The exit records of a run in memory, found by the identity of a process, with the totals of the
 * tree below each. */
#ifndef TK_RUN_EXITS_H
#define TK_RUN_EXITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "table/format.h"

/* Whether a source (proc_exit.source, run.json's exit_source) is the kernel's own account of a
 * process: all that it used and nothing that its children did. */
bool tk_exit_source_is_account(tk_str source);

struct tk_exit {
    int64_t pid;
    int64_t start_ticks; /* -1 = unknown */
    int64_t ppid;        /* -1 = unknown */
    int64_t start_us;    /* birth, epoch; INT64_MIN = unknown */
    int64_t end_us;      /* exit, epoch */
    int64_t cpu_ns;      /* -1 = unknown */
    int64_t max_rss_kb;  /* -1 = unknown */
    int64_t tree_cpu_ns; /* with all descendants that ended in the run */
    int64_t tree_max_rss_kb;
    uint32_t invocations; /* that claim this process; counted by the owner */
    char source[16];
    tk_str node; /* in the arena of tk_exits; empty = absent */
};

struct tk_exits {
    struct tk_exit *items; /* by (pid, start_us) */
    uint32_t *by_end;      /* [count] indexes of items, by end_us */
    size_t count;
    struct tk_arena text;
};

/* When a process that started at `ticks` since boot was born, epoch us. */
struct tk_birth {
    int64_t clk_tck;
    int64_t boot_us; /* epoch; INT64_MIN = unknown */
};
int64_t tk_birth_us(const struct tk_birth *birth, int64_t start_ticks);

/* Read the exit records of `name` below `dirfd`; none when it is missing. Rows without pid or time
 * are left out and counted as bad. `exits` is zeroed by the caller, and released by him also after
 * a failure. */
TK_MUST_USE int tk_exits_read(struct tk_exits *exits, int dirfd, const char *name,
                              const struct tk_birth *birth, struct tk_decode_stats *ret_stats,
                              struct tk_err *err);

/* Of the processes `pid` (and `start_ticks`, unless -1) whose life touches from_us..to_us the one
 * that ended last; NULL when there is none. */
struct tk_exit *tk_exits_find(const struct tk_exits *exits, int64_t pid, int64_t start_ticks,
                              int64_t from_us, int64_t to_us);

/* Accepts a zeroed struct. */
void tk_exits_release(struct tk_exits *exits);

#endif
