/* SPDX-License-Identifier: Apache-2.0 */
/* Dates for logs that write only the time of day (collect-and-cctf.md section 13). One date is
 * known from elsewhere, the reference instant. The first row gets the date that puts it nearest to
 * it; after that a time of day that falls by more than 12 h means midnight. A smaller fall is a
 * step of the clock: the date stays and the stamp falls with it. A rise by almost a day is a step
 * too, back over midnight (the rule is silent there; with the date kept, all later rows would be a
 * day late). Seconds, since the tools write no more. One thread at a time. */
#ifndef TK_RUN_RAWLOG_DATES_H
#define TK_RUN_RAWLOG_DATES_H

#include <stdbool.h>
#include <stdint.h>

#define TK_S_PER_DAY 86400

/* A rise of the time of day by more than a day minus this many seconds is a step backwards. */
#define TK_RAWLOG_STEP_OVER_MIDNIGHT_S 300

struct tk_rawlog_dates {
    int64_t reference_s; /* epoch seconds, UTC */
    bool dated;          /* the first row was seen */
    int64_t day_s;       /* midnight of the day of the last row, in the zone of the log */
    int last_s;          /* its second of the day */
    int64_t zone_key;    /* start of the quarter of an hour that zone_offset_s holds for */
    int64_t zone_offset_s;
};

/* Begin a log whose first row lies within 12 h of the reference. */
void tk_rawlog_dates_init(struct tk_rawlog_dates *dates, int64_t reference_s);

/* Epoch seconds of the next row.
 *
 *   second_of_day  0..86399
 *   local          the time is in the zone of the environment variable TZ; else it is UTC
 */
int64_t tk_rawlog_dates_next(struct tk_rawlog_dates *dates, int second_of_day, bool local);

/* Epoch seconds of a local time given as if it were UTC, by the zone of the environment variable
 * TZ. Remembers the offset for a quarter of an hour. */
int64_t tk_rawlog_dates_from_local(struct tk_rawlog_dates *dates, int64_t local_s);

#endif
