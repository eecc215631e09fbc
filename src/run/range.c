/* SPDX-License-Identifier: Apache-2.0 */
#include "run/range.h"

#include <stdio.h>

#include "base/clock.h"

static void format_point(int64_t us, char *to, size_t cap)
{
    char second[TK_TIME_MAX];
    (void)tk_time_format_iso(us * TK_NS_PER_US, second);
    (void)snprintf(to, cap, "%.19s.%03lldZ", second, (long long)(us / 1000 % 1000));
}

const char *tk_range_format(const struct tk_range *range, char ret_text[static TK_RANGE_TEXT_MAX])
{
    char from[TK_TIME_MAX] = "its start";
    char to[TK_TIME_MAX] = "its end";
    if (range->from_us != INT64_MIN)
        format_point(range->from_us, from, sizeof(from));
    if (range->to_us != INT64_MAX)
        format_point(range->to_us, to, sizeof(to));
    (void)snprintf(ret_text, TK_RANGE_TEXT_MAX, "from %s to %s", from, to);
    return ret_text;
}
