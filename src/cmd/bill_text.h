/* SPDX-License-Identifier: Apache-2.0 */
/* Bills of spans as text, for the lists and trees of spans. */
#ifndef TK_CMD_BILL_TEXT_H
#define TK_CMD_BILL_TEXT_H

#include "base/buf.h"
#include "base/human.h"
#include "span/bill_lookup.h"

/* "1.2 s"; "~1.2 s" of an order of magnitude; "-" when it is not known (negative). */
char *tk_bill_cpu_format(int64_t ns, bool is_bound, char buf[TK_HUMAN_MAX]);

/* "4.00 MiB", or "-". */
char *tk_bill_bytes_format(int64_t bytes, char buf[TK_HUMAN_MAX]);

/* What was read and written; -1 when neither is known. */
int64_t tk_bill_io_bytes(const struct tk_bill_row *bill);

/* How far off it may be: "13 %", or "bound". */
char *tk_bill_error_format(const struct tk_bill_row *bill, char buf[TK_HUMAN_MAX]);

#endif
