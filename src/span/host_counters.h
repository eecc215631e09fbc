/* SPDX-License-Identifier: Apache-2.0 */
/* Which readings of a machine pictures of spans show as counters beside them. */
#ifndef TK_SPAN_HOST_COUNTERS_H
#define TK_SPAN_HOST_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "table/table.h"

struct tk_host_counter {
    size_t column; /* of host_metrics */
    tk_str name;
    const char *unit;
    bool is_mean; /* over the interval that ends at the reading, else it is of that moment */
};

#define TK_HOST_COUNTERS 4

extern const struct tk_host_counter tk_host_counters[TK_HOST_COUNTERS];

/* The machine that a row is of. */
tk_str tk_host_counter_machine(const struct tk_batch *batch, size_t row);

/* The value of a row of host_metrics and since when it held, a mean from the begin of its interval
 * on, ns since 1970; false when the row has none, or no time that a clock can show. */
bool tk_host_counter_read(const struct tk_host_counter *counter, const struct tk_batch *batch,
                          size_t row, int64_t *ret_ns, double *ret_value);

#endif
