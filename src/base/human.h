/* SPDX-License-Identifier: Apache-2.0 */
/* Figures as people read them: three digits that matter and a unit. Each writes a terminated text
 * to the caller's buffer and returns it, so that it can stand in a printf. What is unknown
 * (negative, NaN) is "-". ASCII only, no locale. Pure functions, safe from any thread. */
#ifndef TK_BASE_HUMAN_H
#define TK_BASE_HUMAN_H

#include <stdint.h>

#define TK_HUMAN_MAX 32

/* "0 B", "512 B", "1.50 KiB", "612 MiB", "7.24 GiB": powers of 1024. */
char *tk_bytes_format(double bytes, char buf[TK_HUMAN_MAX]);

/* The same per second: "12.1 MiB/s". */
char *tk_rate_format(double bytes_per_s, char buf[TK_HUMAN_MAX]);

/* A span of time: "0 s", "12.3 us", "850 ms", "41.23 s", "3 min 12 s", "2 h 05 min", "3 d 04 h". */
char *tk_duration_format(int64_t ns, char buf[TK_HUMAN_MAX]);

/* Time that was used up, comparable at a glance however long: as above below a minute, then
 * "76.41 s", "192.4 s", "12,345 s". */
char *tk_seconds_format(int64_t ns, char buf[TK_HUMAN_MAX]);

/* A share of 1: "93 %", "4.2 %", "<0.1 %", "0 %". */
char *tk_share_format(double ratio, char buf[TK_HUMAN_MAX]);

/* "1,234,567". */
char *tk_count_format(int64_t count, char buf[TK_HUMAN_MAX]);

/* The end of the noun behind a count: "" of 1, else "s"; a literal. */
const char *tk_count_ending(int64_t count);

#endif
