/* SPDX-License-Identifier: Apache-2.0 */
/* Spans in any order into blocks of whole traces (trace-compression.md sections 4.3 and 5.2). Spans
 * are gathered until no more fit; the traces that nothing more is expected of, earliest first, are
 * then cut into blocks, and the others stay for the next round:
 *
 *     while ((rc = tk_assembly_fill(assembly, source, err)) == 0) {
 *         for (i = 0; i < tk_assembly_count(assembly); i++)
 *             ... tk_assembly_block(assembly, i, &block);
 *         rc = tk_assembly_drop(assembly, err);
 *     }
 *
 * So a file that fits comes out whole in whichever order its rows stand, and memory is bounded when
 * it does not: a trace is then taken as complete two p99.9 of the durations of traces after its
 * end. Spans that come after their trace are counted as late and make a trace of their own in a
 * later block. One thread at a time. */
#ifndef TK_CODEC_ASSEMBLE_H
#define TK_CODEC_ASSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "span/span_source.h"

/* Zero = default. */
struct tk_assembly_options {
    size_t max_spans;      /* to gather, at most 1 << 20; 0 = TK_CODEC_WINDOW_SPANS */
    uint32_t block_traces; /* 0 = TK_CODEC_BLOCK_TRACES */
    uint32_t block_spans;  /* 0 = 1 << 19; a trace with more has a block of its own */
    int64_t block_ns;      /* from the first start to the last one; 0 = no limit */
};

/* Rows of whole traces: by start of the trace, then by its id. Valid until the drop. */
struct tk_assembly_block {
    struct tk_span_rows rows;
    uint32_t traces;
    uint64_t late; /* spans whose trace was in an earlier block */
};

struct tk_assembly;

/* Release with tk_assembly_free(), which accepts NULL. -ENOMEM. */
TK_MUST_USE int tk_assembly_new(const struct tk_assembly_options *options,
                                struct tk_assembly **ret_assembly, struct tk_err *err);
void tk_assembly_free(struct tk_assembly *assembly);
void tk_assembly_freep(struct tk_assembly **assembly); /* for TK_CLEANUP */

/* Gather spans, and cut blocks: 0 = there are some, 1 = the source has ended and so has the
 * assembly. What the source fails with; -EMSGSIZE when a record fits no batch. */
TK_MUST_USE int tk_assembly_fill(struct tk_assembly *assembly, const struct tk_span_source *source,
                                 struct tk_err *err);

/* The blocks at hand. */
size_t tk_assembly_count(const struct tk_assembly *assembly);
void tk_assembly_block(const struct tk_assembly *assembly, size_t index,
                       struct tk_assembly_block *ret_block);

/* Forget them, keep the other traces. -ENOMEM. */
TK_MUST_USE int tk_assembly_drop(struct tk_assembly *assembly, struct tk_err *err);

#endif
