/* SPDX-License-Identifier: Apache-2.0 */
/* The outside world as collectors see it, so that a test can put a recorded tree and fixed clocks
 * in its place. */
#ifndef TK_COLLECT_KERNEL_H
#define TK_COLLECT_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"

struct tk_kernel {
    bool live;          /* the root is "/": system calls tell of the same machine as the files */
    bool pid_namespace; /* ours is not the initial one: /proc shows a part of the machine's
                           processes, while its counters are of all */
    int64_t pid_ns;     /* number of our pid namespace; 0 = unknown */
    int rootfd;         /* an open folder that stands for "/": rootfd + "proc/stat" */
    int procfd;         /* rootfd's "proc", open */
    int64_t clk_tck;    /* ticks per second in /proc/PID/stat */
    int64_t page_bytes;
    char boot_id[40];        /* /proc/sys/kernel/random/boot_id; "" = unknown */
    struct tk_anchor anchor; /* turns monotonic stamps into epoch time for the whole run */

    int64_t (*mono_ns)(void *world);

    /* CLOCK_BOOTTIME, by which /proc tells when a process started; it runs on while the host
     * sleeps. NULL = as far ahead of the monotonic clock as in the anchor. */
    int64_t (*boot_ns)(void *world);

    /* CPU time of a process: all threads, live and dead, in ns. 0, or -ESRCH when it is gone.
     * NULL = this kernel has no such clock, or its pids are not those of our /proc (tier P0). */
    int (*cpu_clock)(void *world, pid_t pid, int64_t *ret_ns);

    /* Memory of a process: exactly `n` bytes. 0, or -EFAULT where there is none, -EPERM, -ESRCH.
     * NULL = our pids are not those of our /proc. */
    int (*read_memory)(void *world, pid_t pid, uint64_t address, void *to, size_t n);
    void *world;
};

/* The running kernel. `root` is "/" as a rule; with another one (tests, a container's view of the
 * host) the CPU clocks are left out. Fails when the root or its proc folder cannot be opened; the
 * struct is then as tk_kernel_close() leaves it. */
TK_MUST_USE int tk_kernel_open(struct tk_kernel *kernel, const char *root, struct tk_err *err);

/* Accepts a zeroed struct. */
void tk_kernel_close(struct tk_kernel *kernel);

#endif
