/* SPDX-License-Identifier: Apache-2.0 */
#include "base/human.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/compiler.h"

static char *unknown(char buf[TK_HUMAN_MAX])
{
    (void)snprintf(buf, TK_HUMAN_MAX, "-");
    return buf;
}

/* Decimals that leave three digits. The limits are where rounding would make a fourth. */
static int decimals_of(double value)
{
    if (value < 9.995)
        return 2;
    return value < 99.95 ? 1 : 0;
}

static char *bytes_format(double bytes, const char *per, char buf[TK_HUMAN_MAX])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (!(bytes >= 0) || !isfinite(bytes))
        return unknown(buf);
    size_t unit = 0;
    while (unit + 1 < TK_COUNTOF(units) && bytes >= 1023.5) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(buf, TK_HUMAN_MAX, "%.*f %s%s", unit ? decimals_of(bytes) : 0, bytes,
                   units[unit], per);
    return buf;
}

char *tk_bytes_format(double bytes, char buf[TK_HUMAN_MAX])
{
    return bytes_format(bytes, "", buf);
}

char *tk_rate_format(double bytes_per_s, char buf[TK_HUMAN_MAX])
{
    return bytes_format(bytes_per_s, "/s", buf);
}

/* Below one second: the unit that leaves at least one digit before the point. */
static char *fraction_format(int64_t ns, char buf[TK_HUMAN_MAX])
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
    if (ns == 0) {
        (void)snprintf(buf, TK_HUMAN_MAX, "0 s");
        return buf;
    }
    size_t unit = 0;
    while (unit + 1 < TK_COUNTOF(units) && (double)ns < units[unit].ns * 0.9995)
        unit++;
    double value = (double)ns / units[unit].ns;
    int decimals = units[unit].ns > 1 ? decimals_of(value) : 0;
    (void)snprintf(buf, TK_HUMAN_MAX, "%.*f %s", decimals, value, units[unit].unit);
    return buf;
}

static bool is_fraction(int64_t ns)
{
    return ns < TK_NS_PER_S - TK_NS_PER_MS / 2;
}

char *tk_duration_format(int64_t ns, char buf[TK_HUMAN_MAX])
{
    if (ns < 0)
        return unknown(buf);
    if (is_fraction(ns))
        return fraction_format(ns, buf);
    int64_t s = (ns + TK_NS_PER_S / 2) / TK_NS_PER_S;
    if (ns < 60 * TK_NS_PER_S - 5 * TK_NS_PER_MS) {
        (void)snprintf(buf, TK_HUMAN_MAX, "%.2f s", (double)ns / 1e9);
    } else if (s < 3600) {
        (void)snprintf(buf, TK_HUMAN_MAX, "%d min %02d s", (int)(s / 60), (int)(s % 60));
    } else if (s < 86400) {
        (void)snprintf(buf, TK_HUMAN_MAX, "%d h %02d min", (int)(s / 3600), (int)(s / 60 % 60));
    } else {
        (void)snprintf(buf, TK_HUMAN_MAX, "%lld d %02d h", (long long)(s / 86400),
                       (int)(s / 3600 % 24));
    }
    return buf;
}

char *tk_seconds_format(int64_t ns, char buf[TK_HUMAN_MAX])
{
    if (ns < 0)
        return unknown(buf);
    if (is_fraction(ns))
        return fraction_format(ns, buf);
    double s = (double)ns / 1e9;
    if (s < 999.95) {
        (void)snprintf(buf, TK_HUMAN_MAX, "%.*f s", s < 99.995 ? 2 : 1, s);
        return buf;
    }
    char digits[TK_HUMAN_MAX];
    (void)snprintf(buf, TK_HUMAN_MAX, "%s s", tk_count_format(llround(s), digits));
    return buf;
}

char *tk_share_format(double ratio, char buf[TK_HUMAN_MAX])
{
    double percent = ratio * 100;
    if (!(percent >= 0) || !isfinite(percent))
        return unknown(buf);
    if (percent == 0) {
        (void)snprintf(buf, TK_HUMAN_MAX, "0 %%");
    } else if (percent < 0.05) {
        (void)snprintf(buf, TK_HUMAN_MAX, "<0.1 %%");
    } else {
        (void)snprintf(buf, TK_HUMAN_MAX, "%.*f %%", percent < 9.95 ? 1 : 0, percent);
    }
    return buf;
}

char *tk_count_format(int64_t count, char buf[TK_HUMAN_MAX])
{
    if (count < 0)
        return unknown(buf);
    char digits[TK_HUMAN_MAX];
    int n = snprintf(digits, sizeof(digits), "%lld", (long long)count);
    char *to = buf;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return buf;
}

const char *tk_count_ending(int64_t count)
{
    return count == 1 ? "" : "s";
}
