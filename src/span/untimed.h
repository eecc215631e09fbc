/* SPDX-License-Identifier: Apache-2.0 */
/* Spans that came without a start, as formats allow that report a span in parts: they are put where
 * their trace begins, or else at the time at which they came. */
#ifndef TK_SPAN_UNTIMED_H
#define TK_SPAN_UNTIMED_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "span/span_batch.h"

/* The start of such a row until it is placed. */
#define TK_UNTIMED INT64_MIN

/* Place the untimed rows from `first` on: at the earliest start that a row of the same trace has
 * from there on, else at `arrival_ns`. Their durations must fit behind the arrival. After -ENOMEM
 * all are at the arrival. */
TK_MUST_USE int tk_untimed_place(struct tk_span_batch *batch, size_t first, int64_t arrival_ns,
                                 struct tk_err *err);

#endif
