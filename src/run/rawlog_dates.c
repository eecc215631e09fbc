/* SPDX-License-Identifier: Apache-2.0 */
#include "run/rawlog_dates.h"

#include <time.h>

#include "base/clock.h"

#define HALF_DAY_S     (TK_S_PER_DAY / 2)
#define ZONE_QUARTER_S 900 /* no zone changes its offset between two of these */

void tk_rawlog_dates_init(struct tk_rawlog_dates *dates, int64_t reference_s)
{
    *dates = (struct tk_rawlog_dates){.reference_s = reference_s, .zone_key = INT64_MIN};
}

static int64_t floor_to(int64_t value, int64_t step)
{
    int64_t rest = value % step;
    return value - (rest < 0 ? rest + step : rest);
}

int64_t tk_rawlog_dates_from_local(struct tk_rawlog_dates *dates, int64_t local_s)
{
    int64_t key = floor_to(local_s, ZONE_QUARTER_S);
    if (key != dates->zone_key) {
        struct tk_civil civil = tk_civil_from_s(key);
        struct tm tm = {.tm_year = civil.year - 1900,
                        .tm_mon = civil.month - 1,
                        .tm_mday = civil.day,
                        .tm_hour = civil.hour,
                        .tm_min = civil.minute,
                        .tm_isdst = -1};
        dates->zone_key = key;
        dates->zone_offset_s = key - (int64_t)mktime(&tm);
    }
    return local_s - dates->zone_offset_s;
}

/* The day that puts the first row into [reference - 12 h, reference + 12 h). */
static int64_t first_day(struct tk_rawlog_dates *dates, int second_of_day, bool local)
{
    int64_t reference_s = dates->reference_s;
    if (local) /* the offset at the reference: at most a change of summer time away */
        reference_s += reference_s - tk_rawlog_dates_from_local(dates, reference_s);
    int64_t day_s = floor_to(reference_s, TK_S_PER_DAY);
    int64_t distance_s = day_s + second_of_day - reference_s;
    if (distance_s >= HALF_DAY_S)
        return day_s - TK_S_PER_DAY;
    if (distance_s < -HALF_DAY_S)
        return day_s + TK_S_PER_DAY;
    return day_s;
}

int64_t tk_rawlog_dates_next(struct tk_rawlog_dates *dates, int second_of_day, bool local)
{
    int rise_s = second_of_day - dates->last_s;
    if (!dates->dated) {
        dates->day_s = first_day(dates, second_of_day, local);
        dates->dated = true;
    } else if (rise_s < -HALF_DAY_S) {
        dates->day_s += TK_S_PER_DAY;
    } else if (rise_s > TK_S_PER_DAY - TK_RAWLOG_STEP_OVER_MIDNIGHT_S) {
        dates->day_s -= TK_S_PER_DAY;
    }
    dates->last_s = second_of_day;
    int64_t stamp_s = dates->day_s + second_of_day;
    return local ? tk_rawlog_dates_from_local(dates, stamp_s) : stamp_s;
}
