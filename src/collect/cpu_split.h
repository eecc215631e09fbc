/* SPDX-License-Identifier: Apache-2.0 */
/* User and system time as the kernel tells them (kernel/sched/cputime.c, cputime_adjust()): shares
 * of the ticks, scaled so that they add up to the CPU time, and never less than said before. */
#ifndef TK_COLLECT_CPU_SPLIT_H
#define TK_COLLECT_CPU_SPLIT_H

#include <stdint.h>

struct tk_cpu_split {
    int64_t user_ns, system_ns; /* what was said last, then what is to be said */
};

/* `total_ns` of CPU time, of which ticks met so much of each kind. */
static inline void tk_cpu_split_scale(struct tk_cpu_split *said, int64_t total_ns,
                                      uint64_t user_ticks_ns, uint64_t system_ticks_ns)
{
    if (said->user_ns + said->system_ns >= total_ns)
        return;
    double ticks = (double)user_ticks_ns + (double)system_ticks_ns;
    int64_t system =
        ticks > 0 ? (int64_t)((double)total_ns * ((double)system_ticks_ns / ticks)) : 0;
    if (system < said->system_ns)
        system = said->system_ns;
    if (total_ns - system < said->user_ns)
        system = total_ns - said->user_ns;
    said->system_ns = system;
    said->user_ns = total_ns - system;
}

#endif
