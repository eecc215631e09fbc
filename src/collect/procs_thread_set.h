/* SPDX-License-Identifier: Apache-2.0 */
/* The threads that rows were written of, by thread id: what the last row of each said. Nobody tells
 * when a thread ends, so that it is asked for when room is needed: that takes one question per
 * thread that comes, on average. 40 bytes per place, two to eight places per live thread. One
 * thread at a time. */
#ifndef TK_COLLECT_PROCS_THREAD_SET_H
#define TK_COLLECT_PROCS_THREAD_SET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "collect/cpu_split.h"

/* One thread. Times are ns. */
struct tk_thread {
    pid_t tid, pid;      /* tid 0 = a free place */
    int64_t start_ticks; /* of the thread, since boot */
    int64_t cpu_ns;
    struct tk_cpu_split said; /* user and system time, as told */
};

/* A zeroed struct is an empty set. */
struct tk_thread_set {
    struct tk_thread *places; /* [mask + 1], owned; NULL = none yet */
    uint32_t count, mask;
};

/* Free the memory; the set is then empty and usable again. */
void tk_thread_set_release(struct tk_thread_set *set);

/* The thread with this id; NULL when it is not in. Good until the next one is added. */
struct tk_thread *tk_thread_set_find(const struct tk_thread_set *set, pid_t tid);

/* The thread with this id, put in with nothing but its id when it was not in. When the set is full,
 * those of which `is_alive` says no are taken out, and it grows if many are left. NULL when there
 * is no memory. */
TK_MUST_USE struct tk_thread *
tk_thread_set_add(struct tk_thread_set *set, pid_t tid,
                  bool (*is_alive)(void *context, const struct tk_thread *thread), void *context);

#endif
