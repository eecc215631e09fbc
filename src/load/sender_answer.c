/* SPDX-License-Identifier: Apache-2.0 */
/* From an answer to the totals, and to the next attempt where there is to be one. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "load/sender_internal.h"

#define BACKOFF_FIRST_NS (100 * TK_NS_PER_MS)
#define BACKOFF_MAX_NS   (5 * TK_NS_PER_S)

void tk_sender_lose(struct tk_sender *sender, const struct tk_load_item *item,
                    enum tk_load_loss loss)
{
    sender->totals.lost_spans[loss] += tk_sender_body(sender, item)->spans;
}

/* Count the answer by its code. */
static void count_code(struct tk_load_totals *totals, const struct tk_load_answer *answer,
                       const struct tk_load_verdict *verdict)
{
    bool grpc = answer->grpc && answer->grpc_status >= 0;
    size_t i = 0;
    while (i < totals->code_count &&
           (totals->codes[i].code != verdict->code || totals->codes[i].grpc != grpc))
        i++;
    if (i == TK_LOAD_CODES_MAX)
        return;
    if (i == totals->code_count) {
        totals->codes[totals->code_count++] =
            (struct tk_load_code){.code = verdict->code, .grpc = grpc};
    }
    struct tk_load_code *code = &totals->codes[i];
    code->requests++;
    if (code->reason[0] == '\0')
        (void)snprintf(code->reason, sizeof(code->reason), "%s", verdict->reason);
}

/* Exponential, between half and the whole of the step: senders that were refused together do not
 * come back together. */
static int64_t backoff_ns(struct tk_sender *sender, uint32_t attempts)
{
    int64_t step = attempts < 6 ? BACKOFF_FIRST_NS << attempts : BACKOFF_MAX_NS;
    step = step < BACKOFF_MAX_NS ? step : BACKOFF_MAX_NS;
    sender->random = tk_hash_mix(sender->random, 1);
    return step / 2 + (int64_t)(sender->random % (uint64_t)(step / 2));
}

/* Send the request of a slot again, unless it was tried often enough. */
static void try_again(struct tk_connection *connection, const struct tk_load_item *item,
                      int64_t delay_ns, enum tk_load_loss loss)
{
    struct tk_sender *sender = connection->sender;
    struct tk_load_item again = *item;
    again.failure = (int)loss;
    if (again.attempts > sender->opts->max_retries) {
        tk_sender_lose(sender, item, loss);
        return;
    }
    if (delay_ns < 0)
        delay_ns = backoff_ns(sender, again.attempts - 1);
    int64_t at_ns = sender->now_ns + delay_ns;
    if (tk_schedule_add(&sender->schedule, &again, at_ns) < 0)
        tk_sender_lose(sender, item, TK_LOAD_LOST_WAITING);
    /* In a closed loop the connection waits with its request. */
    if (sender->opts->schedule.pace == TK_LOAD_AS_FAST && at_ns > connection->paused_until_ns)
        connection->paused_until_ns = at_ns;
}

static void take_accepted(struct tk_sender *sender, const struct tk_load_item *item,
                          const struct tk_load_verdict *verdict)
{
    struct tk_load_totals *totals = &sender->totals;
    uint64_t spans = tk_sender_body(sender, item)->spans;
    uint64_t rejected = verdict->rejected_spans < spans ? verdict->rejected_spans : spans;
    struct tk_load_body_change change = tk_sender_change(sender, item);
    totals->accepted_requests++;
    totals->accepted_spans += spans - rejected;
    totals->rejected_spans += rejected;
    if (rejected == 0 && sender->opts->on_accepted)
        sender->opts->on_accepted(sender->opts->user, item->body, &change);
    if (sender->now_ns >= sender->window_start_ns && !sender->stopped) {
        totals->window_spans += spans - rejected;
        totals->window_requests++;
    }
    if (item->due_ns >= sender->window_start_ns)
        tk_load_latency_add(&totals->latency, sender->now_ns - item->due_ns);
}

/* The slot is free again; its request. */
static struct tk_load_item take_slot(struct tk_connection *connection, size_t slot)
{
    connection->slots[slot].busy = false;
    connection->busy--;
    connection->sender->busy--;
    return connection->slots[slot].item;
}

void tk_sender_take_answer(void *user, size_t slot, const struct tk_load_answer *answer)
{
    struct tk_connection *connection = user;
    struct tk_sender *sender = connection->sender;
    struct tk_load_verdict verdict;
    struct tk_load_item item = take_slot(connection, slot);
    sender->now_ns = tk_clock_mono_ns();
    sender->last_answer_ns = sender->now_ns;
    tk_load_judge(answer, tk_anchor_from_mono(&sender->start, sender->now_ns), &verdict);
    count_code(&sender->totals, answer, &verdict);
    switch (verdict.outcome) {
    case TK_LOAD_ACCEPTED:
        take_accepted(sender, &item, &verdict);
        break;
    case TK_LOAD_REJECTED:
        sender->totals.rejected_spans += tk_sender_body(sender, &item)->spans;
        break;
    case TK_LOAD_RETRY:
        try_again(connection, &item, verdict.delay_ns, TK_LOAD_LOST_REFUSED);
        break;
    }
}

void tk_sender_take_silence(struct tk_connection *connection, size_t slot)
{
    struct tk_load_item item = take_slot(connection, slot);
    try_again(connection, &item, -1, TK_LOAD_LOST_UNANSWERED);
}

uint64_t tk_load_lost(const struct tk_load_totals *totals)
{
    uint64_t lost = 0;
    for (int i = 0; i < TK_LOAD_LOSS_COUNT; i++)
        lost += totals->lost_spans[i];
    return lost;
}
