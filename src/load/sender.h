/* SPDX-License-Identifier: Apache-2.0 */
/* The sender: connections to one receiver, driven by one thread that waits for answers and for the
 * next request that is due, to the nanosecond.
 *
 * Latency is counted from when a request was due, not from when a connection had time for it, and
 * an answer that asks for patience counts when the request was taken at last: a slow receiver
 * cannot hide behind the pauses that it makes the sender take (no coordinated omission).
 *
 * Every span that was due ends in exactly one count:
 *
 *     due = accepted + rejected + lost + unsent
 */
#ifndef TK_LOAD_SENDER_H
#define TK_LOAD_SENDER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "load/answer.h"
#include "load/bodies.h"
#include "load/latency.h"
#include "load/schedule.h"
#include "load/target.h"

#define TK_LOAD_CODES_MAX 16

/* Answers of one code. */
struct tk_load_code {
    int code; /* of gRPC or HTTP */
    bool grpc;
    uint64_t requests;
    char reason[TK_LOAD_REASON_MAX]; /* of the first of them that gave one */
};

enum tk_load_loss {
    TK_LOAD_LOST_UNANSWERED, /* connection ended or time was up, as often as it was tried */
    TK_LOAD_LOST_REFUSED,    /* the receiver was overloaded as often as it was tried */
    TK_LOAD_LOST_WAITING,    /* more requests waited to be sent again than there is room for */
    TK_LOAD_LOSS_COUNT
};

struct tk_load_totals {
    uint64_t sent_requests; /* each once */
    uint64_t sent_spans;
    uint64_t sent_bytes; /* bodies of all attempts */
    uint64_t retries;    /* attempts behind the first */
    uint64_t accepted_requests, accepted_spans;
    uint64_t rejected_spans; /* for good: by partial success, or all of a request */
    uint64_t lost_spans[TK_LOAD_LOSS_COUNT];
    uint64_t unsent_spans; /* were due, and no connection had time for them */
    uint64_t timeouts;
    uint64_t cut_connections; /* that ended before an answer, timeouts among them */
    int64_t late_max_ns;      /* of the first attempt, behind its due time */
    int64_t elapsed_ns;

    /* After the warm-up, while requests were sent. */
    uint64_t window_spans; /* accepted */
    uint64_t window_requests;
    int64_t window_ns;
    struct tk_load_latency latency; /* of accepted requests that were due in the window */

    struct tk_load_code codes[TK_LOAD_CODES_MAX]; /* as they came */
    size_t code_count;
};

/* Zero = the default, or none. */
struct tk_load_opts {
    const struct tk_load_target *target;
    struct tk_load_bodies *bodies; /* finished; not const as copies need its scratch */
    struct tk_schedule_opts schedule;
    bool grpc;
    size_t connections;   /* at most; opened as they are needed; 0 = 8 */
    size_t streams;       /* of gRPC, requests at a time on a connection; 0 = 8 */
    uint64_t seed;        /* of the ids, see tk_load_body_change_of() */
    uint32_t max_retries; /* of a request */
    int64_t timeout_ns;   /* from the sending of a request to its answer; 0 = 10 s */
    int64_t patience_ns;  /* for what is under way at the end, and for a receiver that does not
                             come back; 0 = 30 s */
    int64_t warmup_ns;
    int64_t for_ns; /* stop sending after so long, warm-up included; 0 = when all is sent */
    const volatile sig_atomic_t *stop; /* not 0: stop sending; may be NULL */

    /* A request was accepted in whole, and what its ids were changed by. May be NULL. */
    void (*on_accepted)(void *user, size_t body, const struct tk_load_body_change *change);

    /* About once a second. May be NULL. */
    void (*on_progress)(void *user, const struct tk_load_totals *totals, int64_t elapsed_ns);
    void *user;
};

/* Send. Fails when no connection can be made at the start, with -EOPNOTSUPP for gRPC in a build
 * without libnghttp2; what goes wrong later is counted. */
TK_MUST_USE int tk_load_run(const struct tk_load_opts *opts, struct tk_load_totals *ret_totals,
                            struct tk_err *err);

/* Sum of the causes. */
uint64_t tk_load_lost(const struct tk_load_totals *totals);

#endif
