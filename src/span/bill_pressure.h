/* SPDX-License-Identifier: Apache-2.0 */
/* Pressure (PSI) of a machine while a span was open: for how long some task waited for CPU, I/O or
 * memory. It is of the whole machine, and not divided among spans. One thread at a time. */
#ifndef TK_SPAN_BILL_PRESSURE_H
#define TK_SPAN_BILL_PRESSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

enum tk_bill_stall { TK_BILL_STALL_CPU, TK_BILL_STALL_IO, TK_BILL_STALL_MEMORY, TK_BILL_STALLS };

struct tk_bill_pressure;

/* Read it from the host rows of a run: 40 bytes a row. No rows are no failure. */
TK_MUST_USE int tk_bill_pressure_new(int dirfd, struct tk_bill_pressure **ret_pressure,
                                     struct tk_err *err);

/* Accepts NULL. */
void tk_bill_pressure_free(struct tk_bill_pressure *pressure);

/* The stall times of an interval on a host, in ns, linear between rows. False when no rows of that
 * host cover any of it; `host` "" = the only one. */
bool tk_bill_pressure_find(const struct tk_bill_pressure *pressure, tk_str host, int64_t from_ns,
                           int64_t to_ns, int64_t ret_ns[TK_BILL_STALLS]);

#endif
