/* SPDX-License-Identifier: Apache-2.0 */
/* A CPU budget for recording (collector.md section 4). While recording takes more of a CPU than it
 * may, readings that can wait are taken less often: first those of the slow class, then those of
 * the 1 s class, in steps of two up to eight times their period. The fast class, what the user
 * asked for by --interval, never changes. With room again the steps are taken back, one by one. */
#ifndef TK_COLLECT_BUDGET_H
#define TK_COLLECT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* How many times as long as specified the periods of the classes are: 1, 2, 4 or 8. */
struct tk_pace {
    int64_t detail; /* of the 1 s class */
    int64_t slow;   /* of the 10 s class */
};

/* The period of the 1 s class at this pace; NULL = as specified. */
static inline int64_t tk_pace_detail_ns(const struct tk_pace *pace, int64_t period_ns)
{
    return pace ? pace->detail * period_ns : period_ns;
}

/* Likewise of the slow class. */
static inline int64_t tk_pace_slow_ns(const struct tk_pace *pace, int64_t period_ns)
{
    return pace ? pace->slow * period_ns : period_ns;
}

struct tk_budget {
    double share;        /* of one CPU that recording may take; 0 = no budget */
    struct tk_pace pace; /* in force */
    int level;           /* steps of stretching in force, 0..6 */
    int64_t changes;     /* of the level, both ways */
    int64_t over;        /* times that it was exceeded with all steps taken */
    double last_share;   /* that was taken when it was last looked at */

    /* Monotonic time and CPU time when the present look began; 0 = no look yet. */
    int64_t since_ns, since_cpu_ns;
    int64_t room_ns;     /* time for which there has been room */
    int64_t patience_ns; /* there must be room for so long before a step is taken back */
    bool taken_back;     /* the last change was a step back */
};

/* Begin at the pace that is specified. */
void tk_budget_init(struct tk_budget *budget, double share);

/* Tell the time and the CPU time of this process, at each tick or each second. Looks each 5 s at
 * what was taken meanwhile; true when the pace changed. */
bool tk_budget_step(struct tk_budget *budget, int64_t now_ns, int64_t cpu_ns);

/* A share of the time for work that can wait: it is earned as time goes by and spent piece by
 * piece. The last piece may overdraw it, which has to be earned before the next one. */
struct tk_allowance {
    double share;      /* of the time */
    int64_t most_ns;   /* that is kept, however long nothing was spent */
    int64_t credit_ns; /* at hand; negative = overdrawn */
    int64_t since_ns;  /* monotonic: up to when it was earned; 0 = never */
};

/* What the time up to `now_ns` (monotonic) has earned. Returns what may be spent now; the first
 * call earns nothing, so that credit_ns says what there is to begin with. */
int64_t tk_allowance_earn(struct tk_allowance *allowance, int64_t now_ns);

#endif
