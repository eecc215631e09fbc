/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/number.h"

#define S_PER_DAY 86400

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * TK_NS_PER_S + t.tv_nsec;
}

int64_t tk_clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t tk_clock_boot_ns(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

int64_t tk_clock_real_ns(void)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing in tracekit changes the environment */
    tk_str fixed = tk_str_from(getenv("TK_CLOCK"));
    int64_t ns;
    if (tk_scan_fixed(&fixed, 9, &ns) && fixed.n == 0)
        return ns;
    return read_clock(CLOCK_REALTIME);
}

struct tk_anchor tk_anchor_now(void)
{
    struct tk_anchor best = {0};
    int64_t best_width = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        int64_t before = tk_clock_mono_ns();
        int64_t real = tk_clock_real_ns();
        int64_t boot = tk_clock_boot_ns();
        int64_t after = tk_clock_mono_ns();
        if (after - before >= best_width)
            continue;
        best_width = after - before;
        best = (struct tk_anchor){real, before + best_width / 2, boot};
    }
    return best;
}

/* Days since 1970-01-01 of a civil date, counted in 400-year eras that start on 1 March. */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

int64_t tk_civil_to_s(const struct tk_civil *civil)
{
    return days_from_civil(civil->year, civil->month, civil->day) * S_PER_DAY +
           civil->hour * 3600LL + civil->minute * 60LL + civil->second;
}

struct tk_civil tk_civil_from_s(int64_t epoch_s)
{
    int64_t days = epoch_s / S_PER_DAY;
    int64_t rest = epoch_s % S_PER_DAY;
    if (rest < 0) {
        rest += S_PER_DAY;
        days--;
    }
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t shifted_month = (5 * doy + 2) / 153;
    int month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    return (struct tk_civil){
        .year = (int)(yoe + era * 400 + (month <= 2)),
        .month = month,
        .day = (int)(doy - (153 * shifted_month + 2) / 5 + 1),
        .hour = (int)(rest / 3600),
        .minute = (int)(rest / 60 % 60),
        .second = (int)(rest % 60),
    };
}

bool tk_civil_ok(const struct tk_civil *civil)
{
    if (civil->year < 1 || civil->year > 9999 || civil->month < 1 || civil->month > 12)
        return false;
    if (civil->hour < 0 || civil->hour > 23 || civil->minute < 0 || civil->minute > 59 ||
        civil->second < 0 || civil->second > 59)
        return false;
    struct tk_civil back = tk_civil_from_s(tk_civil_to_s(civil));
    return back.month == civil->month && back.day == civil->day;
}

static int64_t floor_s(int64_t ns)
{
    return ns / TK_NS_PER_S - (ns % TK_NS_PER_S < 0);
}

char *tk_time_format_iso(int64_t ns, char buf[TK_TIME_MAX])
{
    struct tk_civil c = tk_civil_from_s(floor_s(ns));
    (void)snprintf(buf, TK_TIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day,
                   c.hour, c.minute, c.second);
    return buf;
}

char *tk_time_format_compact(int64_t ns, char buf[TK_TIME_MAX])
{
    struct tk_civil c = tk_civil_from_s(floor_s(ns));
    (void)snprintf(buf, TK_TIME_MAX, "%04d%02d%02dT%02d%02d%02dZ", c.year, c.month, c.day, c.hour,
                   c.minute, c.second);
    return buf;
}
