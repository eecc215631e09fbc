/* SPDX-License-Identifier: Apache-2.0 */
#include "fidelity/frontier.h"

#include <math.h>

#define TRIES 9
#define CLOSE 0.98 /* of the budget is close enough */
#define AIM   0.992

/* Shares whose files are below and above the budget, as far as they are known; bytes lie about on a
 * line between, and through nothing at 0. */
struct bracket {
    double low, high;
    double low_bytes, high_bytes; /* high_bytes 0 = nothing above is known */
};

static double next_share(const struct bracket *bracket, double budget, int tries)
{
    if (!(bracket->high_bytes > 0)) {
        double at = bracket->low * budget * AIM / bracket->low_bytes;
        return fmin(fmax(at, bracket->low * 1.05), 1);
    }
    double width = bracket->high - bracket->low;
    double rise = bracket->high_bytes - bracket->low_bytes;
    double at = rise > 0 ? (budget * AIM - bracket->low_bytes) / rise : 0.5;
    /* Where the line misleads, halves do not. */
    double edge = tries < TRIES / 2 ? 0.02 : 0.25;
    return bracket->low + width * fmin(fmax(at, edge), 1 - edge);
}

/* The size of a share, and what follows from it for the bracket. */
static int try_share(const struct tk_share_size *size, double share, double budget,
                     struct bracket *bracket, struct tk_err *err)
{
    uint64_t bytes = 0;
    int rc = size->size(size->context, share, &bytes, err);
    if (rc == 0 && (double)bytes <= budget) {
        bracket->low = share;
        bracket->low_bytes = (double)bytes;
    } else if (rc == 0) {
        bracket->high = share;
        bracket->high_bytes = (double)bytes;
    }
    return rc;
}

int tk_share_find(const struct tk_share_size *size, uint64_t budget_bytes, double *ret_share,
                  uint64_t *ret_bytes, struct tk_err *err)
{
    double budget = (double)budget_bytes;
    struct bracket bracket = {0, 1, 0, 0};
    double share = fmin(fmax(size->guess, size->least), 1);
    int rc = try_share(size, share, budget, &bracket, err);
    for (int tries = 0; rc == 0 && tries < TRIES; tries++) {
        if (bracket.low >= 1 || bracket.low_bytes >= budget * CLOSE)
            break;
        share = fmax(next_share(&bracket, budget, tries), size->least);
        if (share >= bracket.high && bracket.high_bytes > 0)
            break; /* the least does not fit */
        rc = try_share(size, share, budget, &bracket, err);
    }
    if (rc < 0)
        return rc;
    bool fits = bracket.low > 0;
    *ret_share = fits ? bracket.low : bracket.high;
    *ret_bytes = (uint64_t)(fits ? bracket.low_bytes : bracket.high_bytes);
    return fits ? 0 : 1;
}

/* Means ---------------------------------------------------------------------------------------- */

/* The 97.5 % point of Student's t; beyond the table it is that of the normal distribution with the
 * first correction, right to a thousandth. */
static double student(size_t freedom)
{
    static const double points[] = {0,     12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365,
                                    2.306, 2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131};
    return freedom < TK_COUNTOF(points) ? points[freedom] : 1.95996 + 2.37 / (double)freedom;
}

struct tk_spread tk_spread_of(const double *values, size_t count)
{
    struct tk_spread spread = {(double)NAN, (double)NAN, (double)NAN, 0};
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            continue;
        sum += values[i];
        spread.runs++;
    }
    if (spread.runs == 0)
        return spread;
    spread.mean = spread.low = spread.high = sum / (double)spread.runs;
    if (spread.runs < 2)
        return spread;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(values[i]))
            squares += (values[i] - spread.mean) * (values[i] - spread.mean);
    }
    double n = (double)spread.runs;
    double half = student(spread.runs - 1) * sqrt(squares / (n - 1) / n);
    spread.low = spread.mean - half;
    spread.high = spread.mean + half;
    return spread;
}

/* Cost ----------------------------------------------------------------------------------------- */

const struct tk_cost_model tk_cost_models[] = {
    {.name = "A",
     .help = "Gen-T: $0.32 a GB sent; a GPU hour is no part of it here",
     .per_gb = 0.32,
     .basis = "a million traces"},
    {.name = "B",
     .help = "GenTEval: $0.10 a GB, $0.16 a CPU hour",
     .per_gb = 0.10,
     .per_cpu_hour = 0.16,
     .basis = "a million spans",
     .is_per_span = true},
    {.name = ""},
};

double tk_cost_of(const struct tk_cost_model *model, double bytes, double cpu_s, double traces,
                  double spans)
{
    double count = model->is_per_span ? spans : traces;
    if (!(count > 0))
        return (double)NAN;
    double dollars = bytes / 1e9 * model->per_gb + cpu_s / 3600 * model->per_cpu_hour;
    return dollars / count * 1e6;
}

const struct tk_published tk_published[] = {
    {"Gen-T, 15,000 traces", 47, 0.932, 0.804},
    {"Gen-T, 10,000 traces", 71, (double)NAN, (double)NAN},
    {"head 1:5", 92, 0.974, 0.847},
    {"head 1:10", 46, 0.943, 0.712},
    {"head 1:15", 31, 0.918, 0.624},
    {"head 1:20", 23, 0.894, 0.568},
    {"head 1:50", 9.3, 0.735, 0.386},
    {"head 1:100", 4.7, 0.539, 0.247},
    {"head 1:150", 3.1, 0.424, 0.181},
    {.name = ""},
};
