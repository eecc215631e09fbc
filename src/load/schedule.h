/* SPDX-License-Identifier: Apache-2.0 */
/* When each request of a load is due. What is due does not depend on answers (an open loop), but
 * for TK_LOAD_AS_FAST, where a request is due as soon as somebody can send it (a closed loop), and
 * for requests that are to be sent again. One thread at a time. */
#ifndef TK_LOAD_SCHEDULE_H
#define TK_LOAD_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "load/bodies.h"

enum tk_load_pace {
    TK_LOAD_OWN_PACE = 0, /* as the spans ended */
    TK_LOAD_AS_FAST,
    TK_LOAD_RATE,
};

#define TK_LOAD_RETRIES_WAITING 65536 /* requests that may wait to be sent again */

struct tk_schedule_opts {
    const struct tk_load_bodies *bodies; /* finished; borrowed */
    enum tk_load_pace pace;
    double spans_per_s; /* RATE: above 0 */
    double speed;       /* OWN_PACE: above 0; 2 = twice as fast */
    uint64_t passes;    /* over all bodies; 0 = without end */
    bool shift_time;    /* times are moved to the present */
};

/* One request on its way. */
struct tk_load_item {
    uint32_t body;
    uint32_t attempts; /* so far */
    int failure;       /* why the last of them failed, enum tk_load_loss, of attempts above 0 */
    uint64_t pass;
    int64_t due_ns;   /* monotonic: of the first attempt */
    int64_t shift_ns; /* of the times of its spans */
};

struct tk_waiting_item {
    int64_t at_ns;
    struct tk_load_item item;
};

struct tk_schedule {
    struct tk_schedule_opts opts;
    int64_t start_ns; /* monotonic */
    int64_t start_real_ns;
    int64_t period_ns;    /* OWN_PACE: of a pass */
    uint64_t pass;        /* of the next new request */
    size_t body;          /* likewise */
    uint64_t spans_taken; /* of new requests */
    bool stopped;
    struct tk_waiting_item *waiting; /* owned; a heap, earliest first */
    size_t waiting_count, waiting_cap;
};

/* Begin now: `start_ns` on the monotonic, `start_real_ns` on the wall clock. */
void tk_schedule_init(struct tk_schedule *schedule, const struct tk_schedule_opts *opts,
                      int64_t start_ns, int64_t start_real_ns);
void tk_schedule_release(struct tk_schedule *schedule);

/* When the next request is due, monotonic; INT64_MIN = at once, INT64_MAX = there is none. */
int64_t tk_schedule_next_ns(const struct tk_schedule *schedule);

/* Take a request that is due; false when there is none. */
bool tk_schedule_take(struct tk_schedule *schedule, int64_t now_ns, struct tk_load_item *ret_item);

/* Have a request sent again, not before `at_ns`. -ENOBUFS when too many wait already, -ENOMEM. */
TK_MUST_USE int tk_schedule_add(struct tk_schedule *schedule, const struct tk_load_item *item,
                                int64_t at_ns);

/* No new requests any more. Returns the spans of those that were due by now and never sent. */
uint64_t tk_schedule_stop(struct tk_schedule *schedule, int64_t now_ns);

/* Take all that waits to be sent again, one by one; false when there is none. */
bool tk_schedule_drop(struct tk_schedule *schedule, struct tk_load_item *ret_item);

#endif
