/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait for a sync, in the order of their tickets: a list that their owners are linked
 * into, and the two ways out of it, the sync and the end of patience. One thread. */
#ifndef TK_SERVE_WAITING_H
#define TK_SERVE_WAITING_H

#include <stdint.h>

#include "serve/worker.h"

/* Part of a request; zeroed = it does not wait. */
struct tk_waiter {
    struct tk_waiter *next, *previous;
    uint64_t ticket;  /* 0 = it does not wait */
    int64_t since_ns; /* monotonic */
    void *owner;
};

/* Answer the owner, who has left the list. `verdict` takes the place of his answer; NULL = it
 * stands. */
typedef void (*tk_waiter_fn)(void *owner, const struct tk_verdict *verdict);

struct tk_waiting {
    struct tk_worker *worker;
    tk_waiter_fn answer;
    struct tk_waiter *first, *last;
};

/* Wait with a ticket that is greater than all before. */
void tk_waiting_add(struct tk_waiting *waiting, struct tk_waiter *waiter, uint64_t ticket,
                    int64_t since_ns, void *owner);

/* Wait no longer; nothing happens to one that does not. */
void tk_waiting_remove(struct tk_waiting *waiting, struct tk_waiter *waiter);

/* Answer all whose sync is done. */
void tk_waiting_settle(struct tk_waiting *waiting, const struct tk_sync_state *state);

/* Answer those who have waited too long. */
void tk_waiting_give_up(struct tk_waiting *waiting, int64_t now_ns);

#endif
