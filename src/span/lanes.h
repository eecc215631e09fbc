/* SPDX-License-Identifier: Apache-2.0 */
/* Lanes: viewers of slices want those of one line to nest, and spans of a service overlap as they
 * please. Each span gets a line of its service such that what stands on one line is either apart or
 * nested, child in parent: greedy interval colouring of one trace after the other, in O(n log n).
 * One thread at a time. */
#ifndef TK_SPAN_LANES_H
#define TK_SPAN_LANES_H

#include "span/span_format.h"

#define TK_LANE_NONE UINT32_MAX

struct tk_lane_item {
    uint32_t row;
    uint32_t process; /* number of the service, from 0 in the order of appearance */
    uint32_t lane;    /* within the process, from 0 */
    uint32_t parent;  /* place among the items; TK_LANE_NONE = none in the trace */
    int64_t start_ns;
    int64_t end_ns;
    uint64_t id;
};

struct tk_lanes_process;

/* Zeroed at first. */
struct tk_lanes {
    struct tk_lane_item *items; /* of the trace at hand, by process and start, longest first */
    uint32_t count;
    uint32_t process_count;

    struct tk_texts services;           /* a process is the id of its service less one */
    struct tk_lanes_process *processes; /* [process_count] owned; which lanes were in use when */
    uint32_t *order;                    /* scratch [max_items], as the three below */
    uint32_t *tops;                     /* innermost item of each lane of the trace */
    uint32_t *below;                    /* of each item, the one that it nests in */
    uint64_t *heap;                     /* lane of the trace by when it is free */
    size_t max_items;
};

/* Assign the spans of one trace, to be found in `items` until the next call. -ENOMEM. */
TK_MUST_USE int tk_lanes_add_trace(struct tk_lanes *lanes, const struct tk_span_rows *trace,
                                   struct tk_err *err);

/* The service of a process. */
static inline tk_str tk_lanes_service(const struct tk_lanes *lanes, uint32_t process)
{
    tk_str name = tk_texts_get(&lanes->services, process + 1);
    return (tk_str){name.p, name.n - 1};
}

/* Lanes of a process that are in use so far. */
uint32_t tk_lanes_count(const struct tk_lanes *lanes, uint32_t process);

/* Accepts a zeroed struct. */
void tk_lanes_release(struct tk_lanes *lanes);

#endif
