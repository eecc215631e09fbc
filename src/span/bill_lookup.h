/* SPDX-License-Identifier: Apache-2.0 */
/* The bills that a run has, read back and found by span: for lists and trees that show spans. What
 * a bill says is in docs/format-bills.md. Memory is some 200 bytes a bill. One thread at a time. */
#ifndef TK_SPAN_BILL_LOOKUP_H
#define TK_SPAN_BILL_LOOKUP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "span/bill_table.h"
#include "span/span_batch.h"

struct tk_bill_row {
    uint8_t trace_id[16];
    uint64_t span_id;               /* as in a batch of spans */
    double error_ratio;             /* NaN of a span of no length */
    int64_t values[TK_BILLS_COUNT]; /* by column; -1 = not known. The rule is an enum tk_bill_rule,
                                       texts and ratios have no value here */
};

/* All zero = no bills. */
struct tk_bill_lookup {
    struct tk_bill_row *rows; /* [count], owned */
    uint32_t count;
    struct tk_map by_span; /* hash of both ids to the row */
};

/* Read TK_BILLS_FILE of the folder of spans: the bills of these spans, or of all (`only` is NULL).
 * A folder without the file has no bills, nor have spans without a folder (`dirfd` -1):
 * `ret_lookup` stays zero and `ret_is_there` is false. Fails with -EBADMSG when the file is damaged
 * or none of bills. Release it also after a failure.
 */
TK_MUST_USE int tk_bill_lookup_open(int dirfd, const struct tk_span_rows *only,
                                    struct tk_bill_lookup *ret_lookup, bool *ret_is_there,
                                    struct tk_err *err);

/* Accepts a zeroed struct; for TK_CLEANUP, too. */
void tk_bill_lookup_release(struct tk_bill_lookup *lookup);

/* The bill of a span; NULL when it has none. */
const struct tk_bill_row *tk_bill_lookup_find(const struct tk_bill_lookup *lookup,
                                              const uint8_t trace_id[16], uint64_t span_id);

/* Append a bill as a JSON object: the columns of the table that are known, without the ids. */
void tk_bill_row_put_json(const struct tk_bill_row *row, struct tk_buf *out);

#endif
