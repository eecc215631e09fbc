/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks. Times are int64_t ns since the epoch (UTC), durations int64_t ns. A stamp is taken from
 * the monotonic clock and turned into epoch time through one anchor per run, so that a step of the
 * wall clock never gives a negative interval (collect-and-cctf.md section 7). */
#ifndef TK_BASE_CLOCK_H
#define TK_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define TK_NS_PER_US 1000LL
#define TK_NS_PER_MS 1000000LL
#define TK_NS_PER_S  1000000000LL

/* CLOCK_MONOTONIC, CLOCK_BOOTTIME and CLOCK_REALTIME in ns. tk_clock_real_ns() obeys the
 * environment variable TK_CLOCK (epoch seconds, may have decimals), which tests use to fix the
 * wall clock; it is meant for anchors and names, never for a hot path. Thread-safe. */
int64_t tk_clock_mono_ns(void);
int64_t tk_clock_boot_ns(void);
int64_t tk_clock_real_ns(void);

/* One instant on all three clocks. */
struct tk_anchor {
    int64_t real_ns;
    int64_t mono_ns;
    int64_t boot_ns;
};

/* Read the three clocks as close together as one try in several gets them. */
struct tk_anchor tk_anchor_now(void);

/* Epoch time of a CLOCK_MONOTONIC stamp. */
static inline int64_t tk_anchor_from_mono(const struct tk_anchor *anchor, int64_t mono_ns)
{
    return anchor->real_ns + (mono_ns - anchor->mono_ns);
}

/* Epoch time of a CLOCK_BOOTTIME stamp. */
static inline int64_t tk_anchor_from_boot(const struct tk_anchor *anchor, int64_t boot_ns)
{
    return anchor->real_ns + (boot_ns - anchor->boot_ns);
}

/* A calendar time in UTC, proleptic Gregorian. */
struct tk_civil {
    int year;  /* 1..9999 */
    int month; /* 1..12 */
    int day;   /* 1..31 */
    int hour, minute, second;
};

/* Epoch seconds of a calendar time and back; any field in its range is right, leap seconds do not
 * exist. Pure functions. */
int64_t tk_civil_to_s(const struct tk_civil *civil);
struct tk_civil tk_civil_from_s(int64_t epoch_s);

/* True when the date exists (29 February only in leap years) and the time is 00:00:00..23:59:59. */
bool tk_civil_ok(const struct tk_civil *civil);

#define TK_TIME_MAX 40

/* "2026-11-21T09:02:29Z" and "20261121T090229Z" (a RUN_ID) of a time, UTC, into buf. Returns buf.
 */
char *tk_time_format_iso(int64_t ns, char buf[TK_TIME_MAX]);
char *tk_time_format_compact(int64_t ns, char buf[TK_TIME_MAX]);

#endif
