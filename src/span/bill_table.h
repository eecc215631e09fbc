/* SPDX-License-Identifier: Apache-2.0 */
/* Bills as a table: a row for each span that a rule matched, found again by trace_id and span_id
 * (docs/format-bills.md). */
#ifndef TK_SPAN_BILL_TABLE_H
#define TK_SPAN_BILL_TABLE_H

#include "span/bill.h"
#include "span/bill_pressure.h"
#include "table/schema.h"

enum {
    TK_BILLS_TRACE_ID,
    TK_BILLS_SPAN_ID,
    TK_BILLS_RULE,
    TK_BILLS_PROCESSES,
    TK_BILLS_CPU_NS,
    TK_BILLS_MAX_RSS_BYTES,
    TK_BILLS_RD_BYTES,
    TK_BILLS_WR_BYTES,
    TK_BILLS_MINFLT,
    TK_BILLS_MAJFLT,
    TK_BILLS_SELF_NS,
    TK_BILLS_SELF_CPU_NS,
    TK_BILLS_SELF_RUNNABLE_NS,
    TK_BILLS_SELF_IO_WAIT_NS,
    TK_BILLS_SELF_REST_NS,
    TK_BILLS_PSI_CPU_NS,
    TK_BILLS_PSI_IO_NS,
    TK_BILLS_PSI_MEM_NS,
    TK_BILLS_PERIOD_NS,
    TK_BILLS_ERROR_RATIO,
    TK_BILLS_IS_BOUND,
    TK_BILLS_COUNT
};
extern const struct tk_schema tk_schema_bills;

#define TK_BILLS_FILE "bills.parquet" /* in the folder of spans */

/* Write the bills as TK_BILLS_FILE in the folder, whole and durably. `pressure` may be NULL. */
TK_MUST_USE int tk_bills_write(const struct tk_join *join, const struct tk_bill_pressure *pressure,
                               int dirfd, struct tk_err *err);

#endif
