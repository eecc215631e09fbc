/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/budget.h"

#include <stddef.h>

#include "base/clock.h"

#define LOOK_NS (5 * TK_NS_PER_S)

/* A step is taken back when less than this part of the budget is taken ... */
#define ROOM_RATIO 0.75
/* ... for so long; for twice as long each time that a step had to be taken again. */
#define FIRST_PATIENCE_NS (30 * TK_NS_PER_S)
#define LAST_PATIENCE_NS  (16 * FIRST_PATIENCE_NS)

/* By level. */
static const struct tk_pace paces[] = {
    {1, 1}, {1, 2}, {1, 4}, {1, 8}, {2, 8}, {4, 8}, {8, 8},
};

enum { LAST_LEVEL = sizeof(paces) / sizeof(paces[0]) - 1 };

void tk_budget_init(struct tk_budget *budget, double share)
{
    *budget =
        (struct tk_budget){.share = share, .pace = paces[0], .patience_ns = FIRST_PATIENCE_NS};
}

static bool change_level(struct tk_budget *budget, int by)
{
    budget->level += by;
    budget->pace = paces[budget->level];
    budget->changes++;
    budget->room_ns = 0;
    budget->taken_back = by < 0;
    return true;
}

static bool stretch(struct tk_budget *budget)
{
    budget->room_ns = 0;
    if (budget->level == LAST_LEVEL) {
        budget->over++;
        return false;
    }
    if (budget->taken_back && budget->patience_ns < LAST_PATIENCE_NS)
        budget->patience_ns *= 2;
    return change_level(budget, 1);
}

static bool take_back(struct tk_budget *budget, int64_t looked_ns)
{
    budget->room_ns += looked_ns;
    return budget->level > 0 && budget->room_ns >= budget->patience_ns && change_level(budget, -1);
}

bool tk_budget_step(struct tk_budget *budget, int64_t now_ns, int64_t cpu_ns)
{
    int64_t looked_ns = now_ns - budget->since_ns;
    if (budget->share <= 0 || (budget->since_ns != 0 && looked_ns < LOOK_NS))
        return false;
    bool first = budget->since_ns == 0;
    int64_t taken_ns = cpu_ns - budget->since_cpu_ns;
    budget->since_ns = now_ns;
    budget->since_cpu_ns = cpu_ns;
    if (first)
        return false;
    budget->last_share = (double)taken_ns / (double)looked_ns;
    if (budget->last_share > budget->share)
        return stretch(budget);
    if (budget->last_share < budget->share * ROOM_RATIO)
        return take_back(budget, looked_ns);
    budget->room_ns = 0;
    return false;
}

int64_t tk_allowance_earn(struct tk_allowance *allowance, int64_t now_ns)
{
    if (allowance->since_ns != 0) {
        int64_t passed_ns = now_ns - allowance->since_ns;
        allowance->credit_ns += (int64_t)((double)passed_ns * allowance->share);
    }
    if (allowance->credit_ns > allowance->most_ns)
        allowance->credit_ns = allowance->most_ns;
    allowance->since_ns = now_ns;
    return allowance->credit_ns;
}
