/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments: the CPU time of one task over its life, cut into pieces of constant demand as OpenDC
 * takes them (opendc.md section 7, steps 4 to 8).
 *
 * CPU time stays an integer of nanoseconds and a duration one of milliseconds until the last step,
 * so that both sums are exact: the durations add up to the task's life, and the CPU times to what
 * the task used, less what was clamped. Usage in MHz is made from the two at the end. Pure: no
 * shared state. */
#ifndef TK_OPENDC_FRAGMENTS_H
#define TK_OPENDC_FRAGMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct tk_fragment {
    int64_t duration_ms; /* 1 or more */
    int64_t cpu_ns;      /* CPU time within it, clamped to what the host can give */
    double mhz;          /* usage of all cores together, with floor and nudge */
};

struct tk_fragments {
    struct tk_fragment *items; /* owned */
    size_t count;
    size_t cap;
};

/* A task's cumulative CPU time at the moments at which it is to be cut. */
struct tk_course {
    int64_t *at_ms;  /* strictly ascending; the first is the start of the task, the last its end */
    int64_t *cpu_ns; /* not descending, from 0 */
    size_t count;    /* 2 or more */
};

struct tk_fragment_rules {
    int64_t cores;    /* of the host, 1 or more */
    double mhz;       /* of a core, above 0 */
    double floor_mhz; /* least usage; 0 = neither floor nor nudge */
    double epsilon;   /* neighbours that differ by less are joined, in cores */
    int64_t longest_ms;
};

#define TK_FLOOR_MHZ   0.1
#define TK_EPSILON     0.005
#define TK_LONGEST_MS  3600000
#define TK_NS_PER_MS_D 1e6

/* What the rules changed, summed over all tasks that are cut with the same struct. */
struct tk_fragment_sums {
    int64_t clamped;    /* fragments that asked for more than the host has */
    int64_t clamped_ns; /* CPU time taken away from them */
    int64_t joined;     /* fragments that went up in their neighbour */
    int64_t split;      /* pieces that long fragments were split into, beyond the first */
    int64_t floored;    /* fragments raised to the floor */
    double floor_mhz_ms;
    int64_t nudged; /* fragments raised against the rounding of OpenDC's division */
    double nudge_mhz_ms;
};

/* Replace what is in `fragments` by those of a course. Fails with -ENOMEM. */
TK_MUST_USE int tk_fragments_cut(struct tk_fragments *fragments, const struct tk_course *course,
                                 const struct tk_fragment_rules *rules,
                                 struct tk_fragment_sums *sums, struct tk_err *err);

/* Append one as it is. Fails with -ENOMEM. */
TK_MUST_USE int tk_fragments_add(struct tk_fragments *fragments, struct tk_fragment fragment,
                                 struct tk_err *err);

/* Raise the usage of all, in order, to the floor and against rounding. */
void tk_fragments_raise(struct tk_fragments *fragments, const struct tk_fragment_rules *rules,
                        struct tk_fragment_sums *sums);

/* Least usage of a fragment of `duration_ms` that follows one of `before_mhz` (0 = the first), by
 * a floor of `floor_mhz`: below it OpenDC's policy Perfect drops the fragment. */
double tk_fragment_floor(int64_t duration_ms, double before_mhz, double floor_mhz);

/* The least usage of `mhz` or a few ulp more at which OpenDC's truncated quotient work / usage is
 * the duration. */
double tk_fragment_nudge(int64_t duration_ms, double mhz);

/* The smallest number of cores such that fragments with no more hold `share` of the duration; 0
 * without fragments. Works on a copy: -ENOMEM. */
TK_MUST_USE int tk_fragments_quantile(const struct tk_fragments *fragments, double share,
                                      double *ret_cores, struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP. */
void tk_fragments_release(struct tk_fragments *fragments);

#endif
