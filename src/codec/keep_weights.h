/* SPDX-License-Identifier: Apache-2.0 */
/* Which traces of a block are not like the others. Pure but for memory; any thread. */
#ifndef TK_CODEC_KEEP_WEIGHTS_H
#define TK_CODEC_KEEP_WEIGHTS_H

#include "codec/keep.h"

/* Set for each trace the reason, enum tk_keep_reason, that speaks most for it. `ret_reasons` has
 * room for trace_count. -ENOMEM. */
TK_MUST_USE int tk_keep_find_reasons(const struct tk_forest *forest, uint8_t *ret_reasons,
                                     struct tk_err *err);

/* Whether a span of the trace has the status error. */
bool tk_keep_has_error(const struct tk_forest *forest, uint32_t trace);

/* Ticks from the first start of a trace to its last end. */
int64_t tk_keep_length(const struct tk_forest *forest, uint32_t trace);

#endif
