/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/bill_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static char *format_unknown(char buf[TK_HUMAN_MAX])
{
    return strncpy(buf, "-", TK_HUMAN_MAX);
}

char *tk_bill_cpu_format(int64_t ns, bool is_bound, char buf[TK_HUMAN_MAX])
{
    if (ns < 0)
        return format_unknown(buf);
    (void)tk_duration_format(ns, buf);
    if (is_bound) {
        memmove(buf + 1, buf, TK_HUMAN_MAX - 1);
        buf[0] = '~';
        buf[TK_HUMAN_MAX - 1] = '\0';
    }
    return buf;
}

char *tk_bill_bytes_format(int64_t bytes, char buf[TK_HUMAN_MAX])
{
    return bytes < 0 ? format_unknown(buf) : tk_bytes_format((double)bytes, buf);
}

int64_t tk_bill_io_bytes(const struct tk_bill_row *bill)
{
    int64_t rd = bill->values[TK_BILLS_RD_BYTES];
    int64_t wr = bill->values[TK_BILLS_WR_BYTES];
    if (rd < 0 && wr < 0)
        return -1;
    return (rd < 0 ? 0 : rd) + (wr < 0 ? 0 : wr);
}

char *tk_bill_error_format(const struct tk_bill_row *bill, char buf[TK_HUMAN_MAX])
{
    if (bill->values[TK_BILLS_IS_BOUND] > 0 || isnan(bill->error_ratio))
        return strncpy(buf, "bound", TK_HUMAN_MAX);
    return tk_share_format(bill->error_ratio, buf);
}
