/* SPDX-License-Identifier: Apache-2.0 */
/* Times of events: the distance from the event before, or from the start of the span, as a decimal
 * mantissa and its zeros, since the clocks of many sources tick in microseconds or milliseconds;
 * that nothing passed, and that the span ends there, are symbols (docs/format-tkz.md section
 * "Events"). One function for both directions; one thread at a time. */
#ifndef TK_CODEC_EVENT_TIMES_H
#define TK_CODEC_EVENT_TIMES_H

#include "codec/coder.h"

#define TK_EVENT_SLOTS 256
#define TK_EVENT_ZEROS 10 /* 0 to 9 zeros at the end of a distance in ns */

/* Models of events of a name. */
struct tk_event_slot {
    struct tk_bit relation[4][4]; /* by the relation before; a tree of two bits */
    struct tk_bit zeros[16];
    struct tk_exp_models mantissa[TK_EVENT_ZEROS];
};

struct tk_event_times {
    struct tk_event_slot *slots[TK_EVENT_SLOTS]; /* owned; made as names come */
    bool failed;                                 /* out of memory */
};

/* No models yet; and none any more. Releasing accepts a zeroed struct. */
void tk_event_times_init(struct tk_event_times *times);
void tk_event_times_release(struct tk_event_times *times);

/* What an event follows. */
struct tk_event_before {
    int64_t time_ns;   /* of the event before, or the start of the span */
    int64_t end_ns;    /* of the span */
    uint32_t relation; /* of the event before; 0 at first; changed */
};

/* Code the time of an event whose name has this number. */
int64_t tk_code_event_time(struct tk_coder *coder, struct tk_event_times *times, uint32_t name,
                           struct tk_event_before *before, int64_t time_ns);

#endif
