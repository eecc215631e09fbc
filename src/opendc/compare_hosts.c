/* SPDX-License-Identifier: Apache-2.0 */
/* Load and power of hosts: only the run itself says them, not its export. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "opendc/compare_internal.h"
#include "opendc/hosts.h"
#include "opendc/stats.h"

#define SECOND_MS   1000.0
#define SMOOTH_S    60
#define LAG_S       600
#define SEGMENT_S   300
#define LEAST_S     120
#define SECONDS_MAX ((size_t)1 << 24)

struct sides {
    struct tk_comparison *comparison;
    struct tk_hosts measured, simulated;
    bool is_single; /* one host on each side, whatever they are called */
};

static double first_submission(const struct tk_pairs *pairs)
{
    double first_ms = (double)INFINITY;
    for (uint32_t i = 0; i < pairs->count; i++)
        first_ms = fmin(first_ms, pairs->items[i].submitted_ms);
    return first_ms;
}

static const struct tk_host *other_of(const struct sides *sides, const struct tk_host *host)
{
    return tk_hosts_find(&sides->simulated, host->name, sides->is_single);
}

/* CPU ------------------------------------------------------------------------------------------ */

static size_t count_spans(const struct sides *sides)
{
    size_t count = 0;
    for (size_t i = 0; i < sides->simulated.count; i++)
        count += sides->simulated.items[i].util.count;
    return count;
}

static int compare_load(struct sides *sides, struct tk_err *err)
{
    double *a = malloc((count_spans(sides) + 1) * sizeof(*a));
    double *b = malloc((count_spans(sides) + 1) * sizeof(*b));
    size_t count = 0;
    for (size_t i = 0; a && b && i < sides->measured.count; i++) {
        const struct tk_host *host = &sides->measured.items[i];
        const struct tk_host *other = other_of(sides, host);
        for (size_t k = 0; other && k < other->util.count; k++) {
            const struct tk_interval *span = &other->util.items[k];
            double mean = tk_intervals_mean(&host->util, span->from_ms, span->to_ms);
            if (isnan(mean))
                continue;
            a[count] = 100 * mean;
            b[count++] = 100 * span->value;
        }
    }
    int rc = a && b ? 0 : tk_fail(err, -ENOMEM, "out of memory");
    if (rc == 0 && count > 0) {
        tk_compare_add_courses(sides->comparison,
                               &(struct tk_courses_compared){
                                   {"CPU of hosts, sMAPE", "CPU of hosts, r", "CPU of hosts, RMSE"},
                                   "%",
                                   a,
                                   b,
                                   count});
    } else if (rc == 0) {
        tk_compare_note(sides->comparison,
                        "CPU of hosts: no host that was both measured and simulated at any time");
    }
    free(a);
    free(b);
    return rc;
}

/* Power ---------------------------------------------------------------------------------------- */

/* Watts of all hosts that have an energy counter, second by second; as far as all are known. */
struct power {
    double *measured, *simulated; /* [seconds] */
    double *smooth_a, *smooth_b;  /* the same, smoothed */
    size_t seconds;
};

/* From when to when power is known of all hosts, on both sides; how many hosts. */
static size_t find_reach(const struct sides *sides, double *ret_from_ms, double *ret_to_ms)
{
    size_t hosts = 0;
    *ret_from_ms = 0;
    *ret_to_ms = (double)INFINITY;
    for (size_t i = 0; i < sides->measured.count; i++) {
        const struct tk_host *host = &sides->measured.items[i];
        const struct tk_host *other = other_of(sides, host);
        if (host->watt.count == 0 || !other || other->watt.count == 0)
            continue;
        hosts++;
        *ret_from_ms =
            fmax(*ret_from_ms, fmax(host->watt.items[0].from_ms, other->watt.items[0].from_ms));
        *ret_to_ms = fmin(*ret_to_ms, fmin(host->watt.items[host->watt.count - 1].to_ms,
                                           other->watt.items[other->watt.count - 1].to_ms));
    }
    return hosts;
}

/* Mean of a second; where a counter began anew, what it was a second before. */
static double watt_at(const struct tk_intervals *spans, double from_ms, double before)
{
    double watt = tk_intervals_mean(spans, from_ms, from_ms + SECOND_MS);
    return isnan(watt) ? before : watt;
}

static void add_power(struct power *power, const struct tk_host *host, const struct tk_host *other,
                      double from_ms)
{
    double a = 0;
    double b = 0;
    for (size_t i = 0; i < power->seconds; i++) {
        a = watt_at(&host->watt, from_ms + (double)i * SECOND_MS, a);
        b = watt_at(&other->watt, from_ms + (double)i * SECOND_MS, b);
        power->measured[i] += a;
        power->simulated[i] += b;
    }
}

/* Mean correlation of pieces; one in which either side never changes says nothing. */
static double segment_pearson(const double *a, const double *b, size_t count)
{
    double sum = 0;
    size_t used = 0;
    for (size_t from = 0; from + SEGMENT_S <= count; from += SEGMENT_S) {
        double r = tk_stats_pearson(a + from, b + from, SEGMENT_S);
        if (isnan(r))
            continue;
        sum += r;
        used++;
    }
    return used > 0 ? sum / (double)used : (double)NAN;
}

static void judge_power(struct tk_comparison *comparison, struct power *power)
{
    const struct tk_compare_limits *limits = &comparison->options->limits;
    size_t n = power->seconds;
    tk_stats_smooth(power->measured, n, SMOOTH_S, power->smooth_a);
    tk_stats_smooth(power->simulated, n, SMOOTH_S, power->smooth_b);
    int64_t lag = 0;
    double r =
        tk_stats_pearson_lagged(power->smooth_a, power->smooth_b, n, LAG_S, (n + 1) / 2, &lag);
    tk_compare_add_least(comparison, (struct tk_compare_line){.name = "power, r",
                                                              .unit = "s of lag",
                                                              .measured = (double)NAN,
                                                              .simulated = (double)lag,
                                                              .error = r,
                                                              .error_unit = "r",
                                                              .limit = limits->power_pearson});
    size_t apart = (size_t)llabs(lag);
    tk_compare_add_least(comparison, (struct tk_compare_line){
                                         .name = "power, r of 300 s",
                                         .unit = "",
                                         .measured = (double)NAN,
                                         .simulated = (double)NAN,
                                         .error = segment_pearson(
                                             power->smooth_a + (lag < 0 ? apart : 0),
                                             power->smooth_b + (lag > 0 ? apart : 0), n - apart),
                                         .error_unit = "r",
                                         .limit = limits->power_segment_pearson});
}

static void add_energy(struct tk_comparison *comparison, const struct power *power)
{
    struct tk_compare_line line = {
        .name = "energy",
        .unit = "J",
        .measured = tk_stats_mean(power->measured, power->seconds) * (double)power->seconds,
        .simulated = tk_stats_mean(power->simulated, power->seconds) * (double)power->seconds,
        .error_unit = "%",
        .limit = (double)NAN,
        .verdict = TK_VERDICT_TOLD};
    line.error = 100 * tk_stats_error(line.measured, line.simulated);
    tk_compare_add(comparison, line);
}

static int compare_power(const struct sides *sides, struct tk_err *err)
{
    double from_ms;
    double to_ms;
    size_t hosts = find_reach(sides, &from_ms, &to_ms);
    if (hosts == 0) {
        tk_compare_note(sides->comparison,
                        "power: no host has an energy counter in the run and energy_usage in the "
                        "simulation");
        return 0;
    }
    size_t seconds = to_ms > from_ms ? (size_t)((to_ms - from_ms) / SECOND_MS) : 0;
    if (seconds < LEAST_S || seconds > SECONDS_MAX) {
        tk_compare_note(sides->comparison,
                        "power: %zu s are known on both sides, %d are needed to tell a trend",
                        seconds, LEAST_S);
        return 0;
    }
    double *piece = calloc(4 * seconds, sizeof(double));
    if (!piece)
        return tk_fail(err, -ENOMEM, "out of memory");
    struct power power = {.measured = piece,
                          .simulated = piece + seconds,
                          .smooth_a = piece + 2 * seconds,
                          .smooth_b = piece + 3 * seconds,
                          .seconds = seconds};
    for (size_t i = 0; i < sides->measured.count; i++) {
        const struct tk_host *host = &sides->measured.items[i];
        const struct tk_host *other = other_of(sides, host);
        if (host->watt.count > 0 && other && other->watt.count > 0)
            add_power(&power, host, other, from_ms);
    }
    judge_power(sides->comparison, &power);
    add_energy(sides->comparison, &power);
    free(piece);
    return 0;
}

/* The whole ------------------------------------------------------------------------------------ */

int tk_compare_hosts(struct tk_comparison *comparison, struct tk_err *err)
{
    struct tk_pairs *pairs = &comparison->pairs;
    struct sides sides = {.comparison = comparison};
    if (!pairs->workload) {
        tk_compare_note(comparison, "CPU of hosts, power: an export does not say them: name the "
                                    "run as what was measured");
        return 0;
    }
    int rc = tk_hosts_read_simulated(&sides.simulated, comparison->result->simulated, err);
    if (rc == -ENOENT) {
        tk_compare_note(comparison, "CPU of hosts, power: no host.parquet in the simulation");
        return 0;
    }
    rc = rc < 0 ? rc
                : tk_hosts_read_measured(&sides.measured, pairs->workload,
                                         comparison->options->node, first_submission(pairs), err);
    sides.is_single = sides.measured.count == 1 && sides.simulated.count == 1;
    rc = rc < 0 ? rc : compare_load(&sides, err);
    rc = rc < 0 ? rc : compare_power(&sides, err);
    tk_hosts_release(&sides.measured);
    tk_hosts_release(&sides.simulated);
    return rc;
}
