/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/zone.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/number.h"

#define DATABASE    "/usr/share/zoneinfo"
#define HOURS_MAX   14 /* the zone furthest from UTC */
#define MINUTES_MAX 59

/* "+02:00", "-0530", "+2": what TZ wants is the other way round, "<+02:00>-02:00". */
static bool offset_format(const char *text, char *ret_tz, size_t cap)
{
    if (text[0] != '+' && text[0] != '-')
        return false;
    tk_str digits = tk_str_from(text + 1);
    size_t hour_digits = digits.n > 2 ? 2 : digits.n;
    tk_str minutes = {digits.p + hour_digits, digits.n - hour_digits};
    uint64_t hour;
    uint64_t minute = 0;
    if (!tk_parse_u64((tk_str){digits.p, hour_digits}, &hour) || hour > HOURS_MAX)
        return false;
    (void)tk_str_take_prefix(&minutes, TK_STR(":"));
    if (digits.n > 2 && (minutes.n != 2 || !tk_parse_u64(minutes, &minute) || minute > MINUTES_MAX))
        return false;
    (void)snprintf(ret_tz, cap, "<%c%02u%02u>%c%02u:%02u", text[0], (unsigned)hour,
                   (unsigned)minute, text[0] == '+' ? '-' : '+', (unsigned)hour, (unsigned)minute);
    return true;
}

/* A name of the zone database: libc takes any other as UTC without a word. */
static bool in_database(const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread has started */
    const char *database = getenv("TZDIR");
    (void)snprintf(path, sizeof(path), "%s/%s", database ? database : DATABASE, name);
    return *name && *name != '/' && !strstr(name, "..") && stat(path, &st) == 0 &&
           S_ISREG(st.st_mode);
}

int tk_zone_set(const char *text, struct tk_err *err)
{
    char tz[64];
    if (strcmp(text, "UTC") == 0 || strcmp(text, "Z") == 0) {
        (void)snprintf(tz, sizeof(tz), "UTC0");
    } else if (strlen(text) < sizeof(tz) && in_database(text)) {
        (void)snprintf(tz, sizeof(tz), "%s", text);
    } else if (!offset_format(text, tz, sizeof(tz))) {
        return tk_fail(err, -EINVAL,
                       "'%s' is no zone: expected an offset as +02:00, or a name as Europe/Berlin",
                       text);
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread has started */
    if (setenv("TZ", tz, 1) < 0)
        return tk_fail_errno(err, "TZ");
    tzset();
    return 0;
}
