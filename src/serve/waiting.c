/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/waiting.h"

void tk_waiting_add(struct tk_waiting *waiting, struct tk_waiter *waiter, uint64_t ticket,
                    int64_t since_ns, void *owner)
{
    *waiter = (struct tk_waiter){
        .previous = waiting->last, .ticket = ticket, .since_ns = since_ns, .owner = owner};
    if (waiting->last) {
        waiting->last->next = waiter;
    } else {
        waiting->first = waiter;
    }
    waiting->last = waiter;
}

void tk_waiting_remove(struct tk_waiting *waiting, struct tk_waiter *waiter)
{
    if (waiter->ticket == 0)
        return;
    if (waiter->previous) {
        waiter->previous->next = waiter->next;
    } else {
        waiting->first = waiter->next;
    }
    if (waiter->next) {
        waiter->next->previous = waiter->previous;
    } else {
        waiting->last = waiter->previous;
    }
    *waiter = (struct tk_waiter){.ticket = 0};
}

static void answer_first(struct tk_waiting *waiting, const struct tk_verdict *verdict)
{
    void *owner = waiting->first->owner;
    tk_waiting_remove(waiting, waiting->first);
    waiting->answer(owner, verdict);
}

void tk_waiting_settle(struct tk_waiting *waiting, const struct tk_sync_state *state)
{
    while (waiting->first && waiting->first->ticket <= state->done) {
        struct tk_verdict verdict;
        bool is_safe = tk_worker_settle(waiting->worker, state, waiting->first->ticket, &verdict);
        answer_first(waiting, is_safe ? NULL : &verdict);
    }
}

void tk_waiting_give_up(struct tk_waiting *waiting, int64_t now_ns)
{
    struct tk_verdict verdict;
    while (waiting->first && tk_worker_give_up(waiting->worker, waiting->first->ticket,
                                               waiting->first->since_ns, now_ns, &verdict))
        answer_first(waiting, &verdict);
}
