/* SPDX-License-Identifier: Apache-2.0 */
/* Which traces of a block are not like the others. Pure but for memory; any thread. */
#ifndef TK_CODEC_KEEP_WEIGHTS_H
#define TK_CODEC_KEEP_WEIGHTS_H

#include "codec/keep.h"

/* Set for each trace the reason, enum tk_keep_reason, that speaks most for it. `ret_reasons` has
 * room for trace_count. -ENOMEM. */
TK_MUST_USE int tk_keep_find_reasons(const struct tk_forest *forest, uint8_t *ret_reasons,
                                     struct tk_err *err);

#endif
